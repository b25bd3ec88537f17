//! What do a million transactions cost as segments: to write, to merge, to keep and to scan?
//!
//! `cargo run --profile quick -p siltstone-storage --example segment_files -- \
//!  [ROWS] [hex|bech32|hash]`
//!
//! Rows are like those of the comparison with other engines: irregular times over six partitions,
//! 1 % an hour late, a slow height, a log-normal value and fee, a price that walks, 200 miners and
//! a million addresses; `hash` adds a text of 64 hexadecimal digits that no other row has. They
//! come in chunks of 8,192, are sealed 500,000 at a time, and all segments are merged into one.
//! Times are processor time of this thread alone.

use std::env;
use std::error::Error;
use std::fs;
use std::io::{self, Write as _};
use std::sync::Arc;
use std::time::Instant;

use siltstone_storage::disk::{Disk, FileDisk, FilePath};
use siltstone_storage::model::{
    CodeVector, Column, ColumnBatch, ColumnKind, DictionaryBuilder, Exponents, NumberColumn,
    NumberVector, Occurrence, TextColumn,
};
use siltstone_storage::segment::{
    ColumnRoles, MergeInput, PageCache, RowSource, SegmentOptions, SegmentReader, merge_segments,
    write_segment,
};

type Outcome<T> = Result<T, Box<dyn Error>>;

const CHUNK_ROWS: usize = 8_192;
const SEAL_ROWS: usize = 500_000;
const ADDRESSES: u64 = 1_000_000;

struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        mix(self.0)
    }

    /// Between 0 and 1, never 0.
    fn fraction(&mut self) -> f64 {
        ((self.next() >> 11) + 1) as f64 / (1_u64 << 53) as f64
    }

    fn normal(&mut self) -> f64 {
        let radius = (-2.0 * self.fraction().ln()).sqrt();
        radius * (std::f64::consts::TAU * self.fraction()).cos()
    }
}

fn mix(mut value: u64) -> u64 {
    value = (value ^ value >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    value = (value ^ value >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    value ^ value >> 31
}

/// Makes rows as they arrive.
struct Arrivals {
    random: Random,
    is_bech32: bool,
    has_hashes: bool,
    time_ms: f64,
    cents: i64,
    offsets: [u64; 6],
}

impl Arrivals {
    fn address(&self, number: u64) -> String {
        const LETTERS: &[u8; 32] = b"qpzry9x8gf2tvdw0s3jn54khce6mua7l";
        if !self.is_bech32 {
            return format!("bc1q{:018x}{:016x}", 0, mix(number));
        }
        let letters = (0..34_u64).map(|place| {
            let word = mix(number * 3 + place / 12 + 1);
            char::from(LETTERS[(word >> (place % 12 * 5) & 31) as usize])
        });
        ["bc1q".to_string(), letters.collect()].concat()
    }

    fn chunk(&mut self, rows: usize) -> ColumnBatch {
        let mut batch = ColumnBatch {
            times_are_field: true,
            ..ColumnBatch::default()
        };
        let (mut heights, mut values, mut fees) = (Vec::new(), Vec::new(), Vec::new());
        let (mut prices, mut exponents) = (Vec::new(), Vec::new());
        let (mut miners, mut addresses) =
            (DictionaryBuilder::default(), DictionaryBuilder::default());
        let (mut miner_codes, mut address_codes) = (Vec::new(), Vec::new());
        let (mut hashes, mut hash_codes) = (DictionaryBuilder::default(), Vec::new());
        for _ in 0..rows {
            self.time_ms -= 300.0 * self.random.fraction().ln();
            let is_late = self.random.next().is_multiple_of(100);
            let time_ms = self.time_ms as i64 - if is_late { 3_600_000 } else { 0 };
            let partition = (self.random.next() % 6) as usize;
            batch.times_ms.push(time_ms);
            batch.partitions.push(partition as u32);
            batch.offsets.push(self.offsets[partition]);
            self.offsets[partition] += 1;
            heights.push(680_000 + (time_ms - START_MS) / 600_000);
            values.push((100_000.0 * (2.0 * self.random.normal()).exp()) as i64);
            fees.push((2_000.0 * (1.2 * self.random.normal()).exp()) as i64);
            self.cents += (self.random.next() % 21) as i64 - 10;
            let zeros = i16::from(self.cents % 10 == 0) + i16::from(self.cents % 100 == 0);
            prices.push(self.cents / 10_i64.pow(zeros as u32));
            exponents.push(zeros - 2);
            let miner = (200.0_f64.powf(self.random.fraction()) - 1.0) as u64;
            miner_codes.push(miners.code(format!("miner-{miner:03}").as_bytes()));
            if self.has_hashes {
                let mut hash = String::with_capacity(64);
                for _ in 0..4 {
                    hash.push_str(&format!("{:016x}", self.random.next()));
                }
                hash_codes.push(hashes.code(hash.as_bytes()));
            }
            let number = self.random.next() % ADDRESSES;
            let address = self.address(number);
            address_codes.push(addresses.code(address.as_bytes()));
        }
        let number = |mantissas, exponents| NumberColumn {
            mantissas,
            exponents,
            occurrence: Occurrence::One,
        };
        let integer = |digits| Column::Integer(number(digits, Exponents::Uniform(0)));
        let text = |terms: DictionaryBuilder, codes| {
            Column::Text(TextColumn {
                dictionary: Arc::new(terms.finish()),
                codes,
                occurrence: Occurrence::One,
            })
        };
        batch.columns = vec![
            ("addr".into(), text(addresses, address_codes)),
            ("fee".into(), integer(fees)),
            ("height".into(), integer(heights)),
            ("miner".into(), text(miners, miner_codes)),
            (
                "price".into(),
                Column::Decimal(number(prices, Exponents::Each(exponents))),
            ),
            ("ts".into(), integer(batch.times_ms.clone())),
            ("value".into(), integer(values)),
        ];
        if self.has_hashes {
            batch
                .columns
                .insert(2, ("hash".into(), text(hashes, hash_codes)));
        }
        batch
    }
}

const START_MS: i64 = 1_769_904_000_000;

/// Processor time of this process in seconds.
fn processor_seconds() -> f64 {
    let stat = fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or("").split(' ').collect();
    let ticks = |place: usize| -> f64 {
        fields
            .get(place)
            .and_then(|ticks| ticks.parse().ok())
            .unwrap_or(0.0)
    };
    (ticks(12) + ticks(13)) / 100.0
}

/// Most memory since the last call, in MiB.
fn peak_mib() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with("VmHWM"));
    let kib = line.and_then(|line| line.split_whitespace().nth(1)?.parse::<u64>().ok());
    let _ = fs::write("/proc/self/clear_refs", "5");
    kib.unwrap_or(0) / 1024
}

fn open(disk: &FileDisk, name: &str) -> Outcome<SegmentReader> {
    let file = disk.open(&FilePath::parse(name)?)?;
    Ok(SegmentReader::open_with_cache(
        file,
        Arc::new(PageCache::new(64 << 20)),
    )?)
}

fn scan(reader: SegmentReader) -> Outcome<()> {
    let source = RowSource::from(Arc::new(reader));
    let (mut numbers, mut codes) = (NumberVector::default(), CodeVector::default());
    let paths: Vec<_> = source.column_paths().cloned().collect();
    for path in paths {
        let column = source.column(&path).ok_or("the path was listed")?;
        for _ in 0..2 {
            let start = Instant::now();
            let mut check = 0_i64;
            for vector in 0..source.vector_count() {
                if source.column_info(column).kind == ColumnKind::Text {
                    source.codes(column, vector, &mut codes)?;
                    check = check.wrapping_add(i64::from(codes.codes[0]));
                } else {
                    source.numbers(column, vector, &mut numbers)?;
                    check = check.wrapping_add(numbers.mantissas[0]);
                }
            }
            let seconds = start.elapsed().as_secs_f64();
            let rate = source.row_count() as f64 / seconds / 1e6;
            println!("  scan {path:8} {rate:8.0} M values/s   ({check})");
        }
    }
    Ok(())
}

fn main() -> Outcome<()> {
    let mut arguments = env::args().skip(1);
    let rows: usize = arguments
        .next()
        .map_or(Ok(2_000_000), |rows| rows.parse())?;
    let kind = arguments.next().unwrap_or_default();
    let folder = env::temp_dir().join(format!("segment_files-{}", std::process::id()));
    fs::create_dir_all(&folder)?;
    let disk = FileDisk::open(&folder)?;
    let roles = ColumnRoles {
        dimensions: ["addr".into(), "miner".into()].into(),
        decimals: ["price".into()].into(),
        time_column: Some("ts".into()),
    };
    let options = SegmentOptions::default();
    let mut arrivals = Arrivals {
        random: Random(7),
        is_bech32: kind == "bech32",
        has_hashes: kind == "hash",
        time_ms: START_MS as f64,
        cents: 4_000_000,
        offsets: [0; 6],
    };
    let (mut seconds, mut without_cells, mut bytes, mut readers) = (0.0, 0.0, 0, Vec::new());
    for number in 0..rows.div_ceil(SEAL_ROWS) {
        let left = (rows - number * SEAL_ROWS).min(SEAL_ROWS);
        let chunks: Vec<_> = (0..left.div_ceil(CHUNK_ROWS))
            .map(|chunk| arrivals.chunk((left - chunk * CHUNK_ROWS).min(CHUNK_ROWS)))
            .collect();
        let batches: Vec<_> = chunks.iter().collect();
        let name = format!("{number}.segment");
        let start = processor_seconds();
        let mut out = io::BufWriter::new(fs::File::create(folder.join(&name))?);
        bytes += write_segment(&batches, &roles, &options, &mut out)?.bytes;
        out.flush()?;
        seconds += processor_seconds() - start;
        let start = processor_seconds();
        let plain = SegmentOptions {
            measures_max: 0,
            dimension_terms_max: 0,
            ..options
        };
        write_segment(&batches, &roles, &plain, &mut io::sink())?;
        without_cells += processor_seconds() - start;
        readers.push(open(&disk, &name)?);
    }
    let million = rows as f64 / 1e6;
    println!(
        "seal  {:.2} M rows/s, {:.2} B/row",
        million / seconds,
        bytes as f64 / rows as f64
    );
    println!(
        "      {:.2} M rows/s without cells",
        million / without_cells
    );
    peak_mib();
    let before = peak_mib();
    let inputs: Vec<_> = readers
        .iter()
        .map(|reader| MergeInput {
            reader,
            deleted: None,
        })
        .collect();
    let start = processor_seconds();
    let mut out = io::BufWriter::new(fs::File::create(folder.join("merged.segment"))?);
    let merged = merge_segments(&inputs, &roles, &options, &mut out)?.written;
    out.flush()?;
    let seconds = processor_seconds() - start;
    println!(
        "merge {:.2} M rows/s, {:.2} B/row, {} inputs, peak {} MiB after {before} MiB",
        million / seconds,
        merged.bytes as f64 / rows as f64,
        inputs.len(),
        peak_mib(),
    );
    let reader = open(&disk, "merged.segment")?;
    for column in reader.describe()?.columns {
        let per_row = column.stored_bytes() as f64 / rows as f64;
        println!(
            "  {:10} {per_row:7.3} B/row {:?}",
            column.name, column.sections
        );
        println!("             {:?}", column.encodings);
    }
    scan(open(&disk, "merged.segment")?)?;
    fs::remove_dir_all(&folder)?;
    Ok(())
}
