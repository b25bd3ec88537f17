//! Rows of a chain of blocks, and segments of them.
//!
//! They are 300 ms apart unless asked otherwise, one in a hundred an hour late, with 200 miners of
//! which a few are frequent, a million addresses, and prices that wander. They are cut into segments
//! in the order in which they arrive.

use std::error::Error;
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Arc;

use storage::catalog::{Dynamic, Materialize, TimeField, Topic};
use storage::disk::ReadFile;
use storage::model::{
    Column, ColumnBatch, DictionaryBuilder, Exponents, NumberColumn, Occurrence, SourceColumn,
    TextColumn, TopicId, TopicName,
};
use storage::segment::{
    ColumnRoles, PageCache, RowSource, SegmentOptions, SegmentReader, write_segment,
};
use storage::store::TopicSnapshot;

pub(crate) type Outcome<T> = Result<T, Box<dyn Error>>;

const START_MS: i64 = 1_704_067_200_000;
pub(crate) const HOUR_MS: i64 = 3_600_000;
pub(crate) const MINERS: usize = 200;
const ADDRESSES: u64 = 1_000_000;
const PAGES_BYTES: usize = 64 << 20;

/// The segments of `rows` rows in `folder`, written there unless they are from an earlier run.
pub(crate) fn segments(
    folder: &Path,
    segments: usize,
    rows: usize,
    spacing_ms: f64,
) -> Outcome<Vec<RowSource>> {
    let cache = Arc::new(PageCache::new(PAGES_BYTES));
    let mut sources = Vec::new();
    let mut chain = Chain::new(spacing_ms);
    for segment in 0..segments {
        let rows = rows * (segment + 1) / segments - rows * segment / segments;
        let name = format!("{rows}-{segment}-of-{segments}-every-{spacing_ms}.segment");
        let path = folder.join(name);
        if !path.exists() {
            fs::create_dir_all(folder)?;
            chain.write(rows, &path)?;
        }
        sources.push(open(&path, &cache)?);
    }
    Ok(sources)
}

/// The segment in the file at `path`.
pub(crate) fn open(path: &Path, cache: &Arc<PageCache>) -> Outcome<RowSource> {
    let file = Arc::new(SegmentFile(File::open(path)?));
    let reader = SegmentReader::open_with_cache(file, Arc::clone(cache))?;
    Ok(Arc::new(reader).into())
}

/// What a search is asked of.
pub(crate) fn snapshot(sources: Vec<RowSource>) -> TopicSnapshot {
    TopicSnapshot {
        topic: Arc::new(Topic {
            id: TopicId(1),
            name: TopicName::parse("chain").expect("a legal name"),
            uuid: [0; 16],
            partitions: 6,
            routing_partitions: None,
            created_ms: 0,
            config: Default::default(),
            settings: Default::default(),
            dynamic: Dynamic::default(),
            mapping: Arc::default(),
            time_field: Some(TimeField::Field("ts".into())),
            materialize: Materialize::default(),
        }),
        sources,
        failures: Default::default(),
        skipped: Default::default(),
        rejected: Arc::default(),
    }
}

#[derive(Debug)]
struct SegmentFile(File);

impl ReadFile for SegmentFile {
    fn len_bytes(&self) -> io::Result<u64> {
        Ok(self.0.metadata()?.len())
    }

    fn read_exact_at(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.0.read_exact_at(out, offset)
    }
}

/// Where the rows come from: the same ones in every run.
struct Chain {
    state: u64,
    time_ms: f64,
    spacing_ms: f64,
    offset: u64,
    price_cents: i64,
}

impl Chain {
    fn new(spacing_ms: f64) -> Self {
        Self {
            state: 20,
            spacing_ms,
            time_ms: START_MS as f64,
            offset: 0,
            price_cents: 4_200_000,
        }
    }

    fn next(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// From 0 to 1.
    fn share(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// A value around `median`, now and then a thousand times as large.
    fn skewed(&mut self, median: f64) -> i64 {
        let normal: f64 = (0..6).map(|_| self.share()).sum::<f64>() - 3.0;
        (median * (normal * 3.0).exp()) as i64
    }

    fn write(&mut self, rows: usize, path: &Path) -> Outcome<()> {
        let mut batch = ColumnBatch {
            times_are_field: true,
            ..ColumnBatch::default()
        };
        let (mut value, mut fee, mut price) = (Vec::new(), Vec::new(), Vec::new());
        let (mut miners, mut addresses) = (Texts::default(), Texts::default());
        for _ in 0..rows {
            self.time_ms -= self.share().max(1e-12).ln() * self.spacing_ms;
            let late_ms = if self.next().is_multiple_of(100) {
                HOUR_MS
            } else {
                0
            };
            batch.times_ms.push(self.time_ms as i64 - late_ms);
            batch.partitions.push((self.offset % 6) as u32);
            batch.offsets.push(self.offset / 6);
            self.offset += 1;
            value.push(self.skewed(5e6));
            fee.push(self.skewed(2e3));
            self.price_cents += (self.next() % 201) as i64 - 100;
            price.push(self.price_cents);
            let miner = (MINERS as f64).powf(self.share()) as usize;
            miners.push(&format!("miner-{miner:03}"));
            let address = self.next() % ADDRESSES;
            addresses.push(&address_name(address));
        }
        batch.sources = SourceColumn::default();
        for _ in 0..rows {
            batch.sources.push(b"");
        }
        batch.columns = vec![
            ("addr".into(), addresses.finish()),
            ("fee".into(), Column::Integer(numbers(fee, 0))),
            ("miner".into(), miners.finish()),
            ("price".into(), Column::Decimal(numbers(price, -2))),
            (
                "ts".into(),
                Column::Integer(numbers(batch.times_ms.clone(), 0)),
            ),
            ("value".into(), Column::Integer(numbers(value, 0))),
        ];
        let roles = ColumnRoles {
            dimensions: ["addr".into(), "miner".into()].into(),
            decimals: ["price".into()].into(),
            time_column: Some("ts".into()),
        };
        let mut file = io::BufWriter::new(File::create(path)?);
        write_segment(&[&batch], &roles, &SegmentOptions::default(), &mut file)?;
        Ok(())
    }
}

/// The name of an address.
pub(crate) fn address_name(address: u64) -> String {
    let mixed = address.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    format!("0x{mixed:016x}{:020x}", mixed.wrapping_mul(mixed | 1))
}

#[derive(Default)]
struct Texts {
    dictionary: DictionaryBuilder,
    codes: Vec<u32>,
}

impl Texts {
    fn push(&mut self, text: &str) {
        self.codes.push(self.dictionary.code(text.as_bytes()));
    }

    fn finish(self) -> Column {
        Column::Text(TextColumn {
            codes: self.codes,
            dictionary: Arc::new(self.dictionary.finish()),
            occurrence: Occurrence::One,
        })
    }
}

fn numbers(mantissas: Vec<i64>, exponent: i16) -> NumberColumn {
    NumberColumn {
        mantissas,
        exponents: Exponents::Uniform(exponent),
        occurrence: Occurrence::One,
    }
}
