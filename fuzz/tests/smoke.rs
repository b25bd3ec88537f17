//! A moment with every target.

use proptest::collection::vec;
use proptest::prelude::*;
use siltstone_fuzz as fuzz;
use storage::catalog::Dynamic;
use storage::log::Codec;

/// Longest random input, in bytes.
const INPUT_BYTES_MAX: usize = 2_000;

/// Longest script of damages, in bytes; three make one damage.
const SCRIPT_BYTES_MAX: usize = 30;

/// Cases of a quick target, and of one that opens a whole store.
const CASES: u32 = 4_000;
const STORE_CASES: u32 = 300;

/// `PROPTEST_CASES` decides, or a moment's worth.
fn config(cases: u32) -> ProptestConfig {
    let defaults = ProptestConfig::default();
    ProptestConfig {
        cases: match std::env::var_os("PROPTEST_CASES") {
            Some(_) => defaults.cases,
            None => cases,
        },
        ..defaults
    }
}

fn any_bytes() -> impl Strategy<Value = Vec<u8>> {
    vec(any::<u8>(), 0..INPUT_BYTES_MAX)
}

fn damages() -> impl Strategy<Value = Vec<u8>> {
    vec(any::<u8>(), 0..SCRIPT_BYTES_MAX)
}

/// Pieces of documents, searches, bulk lines and date formats, in any order: random bytes seldom
/// get past the first brace.
fn pieces() -> impl Strategy<Value = String> {
    let piece = prop::sample::select(PIECES);
    prop_oneof![
        vec(piece, 0..40).prop_map(|pieces| pieces.concat()),
        any::<String>(),
    ]
}

const PIECES: &[&str] = &[
    "{",
    "}",
    "[",
    "]",
    ":",
    ",",
    "\n",
    " ",
    "\"",
    "\\",
    "{\"",
    "\":",
    "\",\"",
    "\"date\":",
    "\"long\":",
    "\"double\":",
    "\"keyword\":",
    "\"text\":",
    "\"ip\":",
    "\"flag\":",
    "\"nanos\":",
    "\"a.b\":",
    "\"a\":",
    "null",
    "true",
    "0",
    "-1",
    "1e400",
    "1e-400",
    "0.1",
    "12345678901234567890123",
    "\"2024-02-30T25:61:61Z\"",
    "\"2024-01-01\"",
    "\"::1\"",
    "\"\\ud800\"",
    "\"\\u0000\"",
    "\"now-1d/d\"",
    "\"index\":{}",
    "\"create\":{\"_id\":\"1\"}",
    "\"_index\":\"i\"",
    "\"query\":",
    "\"aggs\":",
    "\"terms\":",
    "\"field\":\"k\"",
    "\"date_histogram\":",
    "\"fixed_interval\":\"1h\"",
    "\"mappings\":",
    "\"properties\":",
    "\"type\":\"date\"",
    "\"settings\":",
    "\"index_patterns\":[\"*\"]",
    "\"template\":",
    "AND",
    "OR",
    "NOT",
    "(",
    ")",
    "*",
    "?",
    "/",
    "~",
    "^",
    "TO",
    "k",
    "n",
    "ts",
    "é",
    "\u{10ffff}",
    "yyyy",
    "uuuu",
    "MM",
    "dd",
    "'",
    "T",
    "HH",
    "mm",
    "ss",
    "SSS",
    "XX",
    "X",
    "VV",
    "EEE",
    "w",
    "Y",
    "||",
    "epoch_millis",
    "strict_date_optional_time",
    "#",
    "[[",
];

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
    #![proptest_config(config(CASES))]

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

proptest! {
    #![proptest_config(config(CASES))]

    #[test]
    fn document(text in pieces()) {
        fuzz::document(text.as_bytes(), Dynamic::True);
        fuzz::document(text.as_bytes(), Dynamic::Strict);
        fuzz::document(format!("{{{text}}}").as_bytes(), Dynamic::True);
    }

    #[test]
    fn document_of_any_bytes(bytes in any_bytes()) {
        fuzz::document(&bytes, Dynamic::True);
    }

    #[test]
    fn search_body(text in pieces()) {
        fuzz::search_body(text.as_bytes());
        fuzz::search_body(format!("{{{text}}}").as_bytes());
    }

    #[test]
    fn query_string(text in pieces()) {
        fuzz::query_string(&text);
    }

    #[test]
    fn bulk(text in pieces(), bytes in any_bytes()) {
        fuzz::bulk(text.as_bytes());
        fuzz::bulk(&bytes);
    }

    #[test]
    fn index_body(text in pieces()) {
        fuzz::index_body(text.as_bytes());
        fuzz::index_body(format!("{{{text}}}").as_bytes());
    }

    #[test]
    fn dates(format in pieces(), text in pieces(), ms in any::<i64>()) {
        fuzz::dates(&format, &text, ms);
        fuzz::dates("strict_date_optional_time||epoch_second||basic_week_date", &text, ms);
    }

    #[test]
    fn journal(bytes in any_bytes(), damages in damages()) {
        fuzz::journal(&bytes);
        fuzz::journal(&fuzz::mutate(&fuzz::journal_file(), &damages));
    }

    #[test]
    fn edit(bytes in any_bytes(), damages in damages()) {
        fuzz::edit(&bytes);
        fuzz::edit(&fuzz::mutate(&fuzz::edit_bytes(), &damages));
    }
}

proptest! {
    #![proptest_config(config(STORE_CASES))]

    #[test]
    fn segment(bytes in any_bytes(), damages in damages()) {
        fuzz::segment(&bytes);
        let mut damaged = fuzz::mutate(fuzz::SEGMENT, &damages);
        fuzz::segment(&damaged);
        fuzz::reseal_segment(&mut damaged);
        fuzz::segment(&damaged);
    }

    #[test]
    fn store(which in any::<prop::sample::Index>(), damages in damages()) {
        let which = which.index(fuzz::store_files().len());
        let damaged: Vec<(&str, Vec<u8>)> = (0..)
            .zip(fuzz::store_files())
            .map(|(place, (path, bytes))| match place == which {
                true => (path.as_str(), damage(path, bytes, &damages)),
                false => (path.as_str(), bytes.clone()),
            })
            .collect();
        fuzz::store(damaged.iter().map(|(path, bytes)| (*path, bytes.as_slice())));
    }
}

/// Damaged, and a checkpoint's checksum made right again: it is the one that is read as a whole.
fn damage(path: &str, bytes: &[u8], damages: &[u8]) -> Vec<u8> {
    let mut damaged = fuzz::mutate(bytes, damages);
    if path.ends_with("checkpoint") {
        fuzz::reseal_checkpoint(&mut damaged);
    }
    damaged
}

#[test]
fn seeds_are_sound() {
    let files = fuzz::store_files();
    for ending in ["checkpoint", ".journal", ".log", ".segment"] {
        assert!(
            files.iter().any(|(path, _)| path.ends_with(ending)),
            "no {ending} among {:?}",
            files.iter().map(|(path, _)| path).collect::<Vec<_>>()
        );
    }
}

/// Inputs that each target of the runner gets here.
const RUNNER_INPUTS: u64 = 200;

#[test]
fn the_runner_finds_nothing_in_a_moment() {
    for target in fuzz::runner::TARGETS {
        let run = target.fuzz(7, 0, fuzz::runner::Until::Inputs(RUNNER_INPUTS));
        let failure = run.failure.map(|(number, _)| number);
        assert_eq!(failure, None, "{}: this input panics", target.name);
        assert_eq!(run.inputs, RUNNER_INPUTS);
    }
}

/// Damage inside a page must reach the decoder behind its checksum.
#[test]
fn checksums_are_made_right_again() {
    let mut segment = fuzz::SEGMENT.to_vec();
    segment[16] ^= 0xff;
    fuzz::reseal_pages(&mut segment);
    fuzz::reseal_segment(&mut segment);
    let mut sound = fuzz::SEGMENT.to_vec();
    fuzz::reseal_pages(&mut sound);
    fuzz::reseal_segment(&mut sound);
    assert!(sound == fuzz::SEGMENT, "a sound segment stays as it is");
    let error = fuzz::segment_fault(&segment).expect("a page is damaged");
    assert!(!error.contains("checksum"), "{error}");

    let journal = fuzz::journal_file();
    let mut resealed = journal.clone();
    fuzz::reseal_journal(&mut resealed);
    assert!(resealed == journal, "a sound journal stays as it is");
}
