//! A mutation fuzzer in one process: seeds, damages, and a target for so long.
//!
//! Every input is a function of the target, the seed of the run and the input's number, so that a
//! panic can be had again by its number. There is no coverage to guide it; what guides it is that
//! checksums are made right again, so that damages reach the decoders behind them.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use storage::catalog::Dynamic;
use storage::log::Codec;

use crate::seeds;

/// Most damages of one input; most inputs have few.
const DAMAGES_MAX: u64 = 12;

/// Inputs between two looks at the clock.
const INPUTS_A_LOOK: u64 = 64;

/// Longest stretch that is copied, removed or filled, in bytes.
const STRETCH_MAX: u64 = 64;

/// Inputs grow no longer than this.
const INPUT_BYTES_MAX: usize = 1 << 16;

/// Numbers at the edges of what fields hold.
const EDGES: [u64; 12] = [
    0,
    1,
    0x7f,
    0x80,
    0xff,
    0x7fff,
    0xffff,
    0x7fff_ffff,
    0xffff_ffff,
    0x7fff_ffff_ffff_ffff,
    0xffff_ffff_ffff_fff0,
    u64::MAX,
];

/// A decoder and what it is fed.
#[derive(Debug, Clone, Copy)]
pub struct Target {
    /// Its name on the command line.
    pub name: &'static str,
    /// Sound inputs to begin with.
    seeds: fn() -> Vec<Vec<u8>>,
    /// Makes checksums right again.
    reseal: fn(&mut [u8]),
    /// Must return, whatever it is given.
    run: fn(&[u8]),
}

/// All targets.
pub const TARGETS: &[Target] = &[
    Target {
        name: "batches",
        seeds: || codecs().map(|codec| seeds::batch(codec).to_vec()).to_vec(),
        reseal: seeds::reseal_batch,
        run: crate::record_batch,
    },
    Target {
        name: "journal",
        seeds: || vec![seeds::journal_file()],
        reseal: seeds::reseal_journal,
        run: crate::journal,
    },
    Target {
        name: "edits",
        seeds: || vec![seeds::edit_bytes()],
        reseal: |_| (),
        run: crate::edit,
    },
    Target {
        name: "segment",
        seeds: || vec![seeds::SEGMENT.to_vec()],
        reseal: |bytes| {
            seeds::reseal_pages(bytes);
            seeds::reseal_segment(bytes);
        },
        run: crate::segment,
    },
    Target {
        name: "documents",
        seeds: || texts(DOCUMENTS),
        reseal: |_| (),
        run: |input| {
            crate::document(input, Dynamic::True);
            crate::document(input, Dynamic::Strict);
        },
    },
    Target {
        name: "searches",
        seeds: || texts(SEARCHES),
        reseal: |_| (),
        run: |input| {
            crate::search_body(input);
            crate::query_string(&String::from_utf8_lossy(input));
        },
    },
    Target {
        name: "bodies",
        seeds: || texts(BODIES),
        reseal: |_| (),
        run: |input| {
            crate::bulk(input);
            crate::index_body(input);
            let text = String::from_utf8_lossy(input);
            crate::dates(&text, "2024-02-29T23:59:60Z", 1_700_000_000_000);
            crate::dates("strict_date_optional_time||epoch_second", &text, 0);
        },
    },
    Target {
        name: "requests",
        seeds: requests,
        reseal: |_| (),
        run: crate::wire_request,
    },
    Target {
        name: "store",
        seeds: || vec![vec![0; 256]],
        reseal: |_| (),
        run: damaged_store,
    },
];

fn codecs() -> [Codec; 5] {
    [
        Codec::None,
        Codec::Gzip,
        Codec::Snappy,
        Codec::Lz4,
        Codec::Zstd,
    ]
}

fn texts(texts: &[&str]) -> Vec<Vec<u8>> {
    texts.iter().map(|text| text.as_bytes().to_vec()).collect()
}

const DOCUMENTS: &[&str] = &[
    r#"{"date":"2024-02-29T23:59:59.999Z","nanos":1700000000000,"keyword":["a","b"],"text":"a b"}"#,
    r#"{"long":-9223372036854775808,"double":1.7976931348623157e308,"flag":"true","ip":"::1"}"#,
    r#"{"a":{"b":{"c":[1,2.5,null,{"d":"\ud83d\ude00"}]}},"a.b":{"c":[[],{}]},"":0}"#,
    r#" { "long" : 1.0 , "double":"0.1","date":"2024-01-01","keyword":12345678901234567890 } "#,
];

const SEARCHES: &[&str] = &[
    r#"{"query":{"bool":{"filter":[{"range":{"ts":{"gte":"now-1d/d","lt":5,"time_zone":"+01:00"}}},
        {"term":{"k":"x"}}],"must_not":{"exists":{"field":"n"}},"minimum_should_match":"50%"}},
        "size":3,"sort":[{"ts":"desc"}],"_source":["a*"],"track_total_hits":true}"#,
    r#"{"aggs":{"h":{"date_histogram":{"field":"ts","calendar_interval":"month","offset":"+6h",
        "time_zone":"Europe/Berlin","extended_bounds":{"min":0,"max":"2024-01-01"}},"aggs":{
        "t":{"terms":{"field":"k","size":3,"order":{"s":"desc"},"include":"a.*"},"aggs":{
        "s":{"sum":{"field":"n","missing":1}},"p":{"percentiles":{"field":"n","percents":[5]}}}}}}}}"#,
    r#"{"query":{"query_string":{"query":"k:(a OR b~2) AND n:[1 TO *} -t:\"x y\"~3 ip:1.2.3.4 /a.*/",
        "fields":["k^2","t"],"default_operator":"AND","lenient":true}},"size":0}"#,
    "k:a AND (n:>=5 OR NOT _exists_:ts) +t:\"q \\\" r\" ip:\"::1\" ts:[2024-01-01 TO now/d}",
];

const BODIES: &[&str] = &[
    "{\"index\":{\"_index\":\"i\",\"_id\":\"1\"}}\n{\"a\":1}\n{\"create\":{}}\n{\"a\":{\"b\":[2]}}\n",
    r#"{"settings":{"index":{"number_of_shards":"3"}},"mappings":{"dynamic":"strict","properties":{
        "d":{"type":"date","format":"yyyy-MM-dd||epoch_millis"},"o":{"properties":{"k":{
        "type":"keyword","ignore_above":8,"fields":{"t":{"type":"text"}}}}}}}}"#,
    r#"{"index_patterns":["a*"],"priority":1,"template":{"mappings":{"properties":{}}}}"#,
    "uuuu-MM-dd'T'HH:mm:ss.SSSXX||epoch_second||strict_date_optional_time_nanos",
];

/// A request of each API in each version: a header, and a body of zeros, counts and short texts.
fn requests() -> Vec<Vec<u8>> {
    let mut seeds = Vec::new();
    for key in 0..80_u8 {
        for version in [0, 1, 3, 9, 12] {
            let mut frame = vec![0, key, 0, version, 0, 0, 0, 1, 0, 1, b'c'];
            frame.extend_from_slice(&[0, 0, 0, 1, 0, 3, b'a', b'b', b'c', 0, 0, 0, 0, 2, b'x', 0]);
            frame.extend_from_slice(&[0; 24]);
            seeds.push(frame);
        }
    }
    seeds
}

/// A small store one of whose files is damaged as `script` says.
fn damaged_store(script: &[u8]) {
    let files = seeds::store_files();
    let (choice, script) = script.split_first().unwrap_or((&0, &[]));
    let chosen = usize::from(*choice) % files.len();
    // A long script would leave nothing to read.
    let script = &script[..script.len().min(usize::from(*choice) % 30)];
    let damaged: Vec<(&str, Vec<u8>)> = (0..)
        .zip(files)
        .map(|(place, (path, bytes))| match place == chosen {
            true => {
                let mut bytes = seeds::mutate(bytes, script);
                if path.ends_with("checkpoint") {
                    seeds::reseal_checkpoint(&mut bytes);
                }
                (path.as_str(), bytes)
            }
            false => (path.as_str(), bytes.clone()),
        })
        .collect();
    crate::store(
        damaged
            .iter()
            .map(|(path, bytes)| (*path, bytes.as_slice())),
    );
}

/// How long a run is.
#[derive(Debug, Clone, Copy)]
pub enum Until {
    /// So many inputs.
    Inputs(u64),
    /// So much time of the processor, where the system tells, else of the clock.
    Seconds(u64),
}

/// What a run did.
#[derive(Debug)]
pub struct Run {
    /// Inputs that were tried.
    pub inputs: u64,
    /// Time of the processor that it took.
    pub took: Duration,
    /// The first input that made the target panic, and its number.
    pub failure: Option<(u64, Vec<u8>)>,
}

impl Target {
    /// The target called `name`.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        TARGETS.iter().copied().find(|target| target.name == name)
    }

    /// Feeds it damaged seeds from input `first` on, until time is up or it panics.
    #[must_use]
    pub fn fuzz(&self, seed: u64, first: u64, until: Until) -> Run {
        let seeds = (self.seeds)();
        let (started, spent) = (Instant::now(), processor_time());
        let took = || match (processor_time(), spent) {
            (Some(now), Some(before)) => now.saturating_sub(before),
            (_, _) => started.elapsed(),
        };
        let mut number = first;
        loop {
            let tried = number - first;
            let is_over = match until {
                Until::Inputs(inputs) => tried >= inputs,
                Until::Seconds(seconds) => {
                    tried.is_multiple_of(INPUTS_A_LOOK) && took() >= Duration::from_secs(seconds)
                }
            };
            if is_over {
                return Run {
                    inputs: tried,
                    took: took(),
                    failure: None,
                };
            }
            let input = self.input(&seeds, seed, number);
            if catch_unwind(AssertUnwindSafe(|| (self.run)(&input))).is_err() {
                return Run {
                    inputs: tried + 1,
                    took: took(),
                    failure: Some((number, input)),
                };
            }
            number += 1;
        }
    }

    /// Input `number` of the run with `seed`.
    fn input(&self, seeds: &[Vec<u8>], seed: u64, number: u64) -> Vec<u8> {
        let mut random = Random(seed ^ number.wrapping_mul(0x9E37_79B9_7F4A_7C15));
        let mut input = seeds[random.below(seeds.len() as u64)].clone();
        let other = &seeds[random.below(seeds.len() as u64)];
        // Small numbers of damages are the likelier ones.
        let most = 1 + random.below(DAMAGES_MAX) as u64;
        for _ in 0..=random.below(most) {
            damage(&mut input, other, &mut random);
        }
        input.truncate(INPUT_BYTES_MAX);
        if random.below(8) > 0 {
            (self.reseal)(&mut input);
        }
        input
    }
}

/// Changes `input` in one place.
fn damage(input: &mut Vec<u8>, other: &[u8], random: &mut Random) {
    let place = random.below(input.len() as u64 + 1);
    let stretch = 1 + random.below(STRETCH_MAX);
    let end = (place + stretch).min(input.len());
    match random.below(9) {
        0 => flip(input, place, random),
        1 => set(input, place, random),
        2 => {
            let number = EDGES[random.below(EDGES.len() as u64)];
            let width = 1 << random.below(4);
            let bytes = match random.below(2) {
                0 => number.to_le_bytes()[..width].to_vec(),
                _ => number.to_be_bytes()[8 - width..].to_vec(),
            };
            for (target, byte) in input.iter_mut().skip(place).zip(bytes) {
                *target = byte;
            }
        }
        3 => input.truncate(place),
        4 => {
            input.drain(place..end);
        }
        5 => {
            let copied = input[place..end].to_vec();
            let target = random.below(input.len() as u64 + 1);
            input.splice(target..target, copied);
        }
        6 => {
            let from = random.below(other.len() as u64 + 1);
            let to = (from + stretch).min(other.len());
            input.splice(place..end, other[from..to].iter().copied());
        }
        7 => {
            let byte = random.next() as u8;
            input.splice(place..place, std::iter::repeat_n(byte, stretch));
        }
        _ => {
            for _ in 0..4 {
                let place = random.below(input.len() as u64 + 1);
                flip(input, place, random);
            }
        }
    }
}

fn flip(input: &mut [u8], place: usize, random: &mut Random) {
    if let Some(byte) = input.get_mut(place) {
        *byte ^= 1 << random.below(8);
    }
}

fn set(input: &mut [u8], place: usize, random: &mut Random) {
    if let Some(byte) = input.get_mut(place) {
        *byte = random.next() as u8;
    }
}

/// SplitMix64.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// A number below `bound`, which is not 0.
    fn below(&mut self, bound: u64) -> usize {
        usize::try_from(self.next() % bound).expect("bounds are lengths")
    }
}

/// Time of the processor that this thread has had.
fn processor_time() -> Option<Duration> {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").ok()?;
    let nanos = text.split_whitespace().next()?.parse().ok()?;
    Some(Duration::from_nanos(nanos))
}

/// Writes the input of a failure to a file beside the others, for a test to be made of it.
///
/// # Errors
/// When the file cannot be written.
pub fn keep(target: &str, number: u64, input: &[u8]) -> std::io::Result<PathBuf> {
    let path = std::env::temp_dir().join(format!("fuzz-{target}-{number}.input"));
    std::fs::write(&path, input)?;
    Ok(path)
}
