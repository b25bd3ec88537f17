//! A moment with every target.

use proptest::collection::vec;
use proptest::prelude::*;
use siltstone_fuzz as fuzz;
use storage::log::Codec;

/// Longest random input, in bytes.
const INPUT_BYTES_MAX: usize = 2_000;

/// Longest script of damages, in bytes; three make one damage.
const SCRIPT_BYTES_MAX: usize = 30;

/// `PROPTEST_CASES` decides, or a moment's worth.
fn config() -> ProptestConfig {
    let cases = if std::env::var_os("PROPTEST_CASES").is_some() {
        None
    } else {
        Some(4_000)
    };
    let defaults = ProptestConfig::default();
    ProptestConfig {
        cases: cases.unwrap_or(defaults.cases),
        ..defaults
    }
}

fn any_bytes() -> impl Strategy<Value = Vec<u8>> {
    vec(any::<u8>(), 0..INPUT_BYTES_MAX)
}

fn damages() -> impl Strategy<Value = Vec<u8>> {
    vec(any::<u8>(), 0..SCRIPT_BYTES_MAX)
}

fn codecs() -> impl Strategy<Value = Codec> {
    prop_oneof![
        Just(Codec::None),
        Just(Codec::Gzip),
        Just(Codec::Snappy),
        Just(Codec::Lz4),
        Just(Codec::Zstd),
    ]
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn wire_request(bytes in any_bytes()) {
        fuzz::wire_request(&bytes);
    }

    /// A frame starts with the API's key and a version; random bytes follow every pair.
    #[test]
    fn wire_request_of_each_api(key in 0_u8..80, version in 0_u8..20, body in any_bytes()) {
        let mut frame = vec![0, key, 0, version, 0, 0, 0, 1, 0, 1, b'c'];
        frame.extend_from_slice(&body);
        fuzz::wire_request(&frame);
    }

    #[test]
    fn record_batch(bytes in any_bytes()) {
        fuzz::record_batch(&bytes);
    }

    #[test]
    fn damaged_record_batch(codec in codecs(), damages in damages()) {
        let mut bytes = fuzz::mutate(&fuzz::batch(codec), &damages);
        fuzz::reseal_batch(&mut bytes);
        fuzz::record_batch(&bytes);
    }
}
