//! How long do the aggregations of a dashboard take over many segments?
//!
//! `cargo run --profile quick -p siltstone-query --example scan -- \
//!  FOLDER [SEGMENTS] [ROWS] [NAME] [SPACING_MS]`
//!
//! The rows are those of a chain of blocks: 300 ms apart on average, one in a hundred an hour late,
//! 200 miners with a few frequent ones, a million addresses, prices that wander. They are cut into
//! segments in the order in which they arrive. FOLDER keeps the segments for the next run. Answers
//! are from rows alone, but for the questions that begin with `cells_`, whose answers must equal
//! those from rows; all on every core. NAME picks the questions that begin with it, SPACING_MS puts
//! rows further apart.

use std::env;
use std::error::Error;
use std::fs::{self, File};
use std::io;
use std::num::NonZero;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use jiff::tz::TimeZone;
use siltstone_query::request::{
    Aggregation, BucketBy, CalendarUnit, Cardinality, DateHistogram, FieldRef, Filter, HitsRequest,
    Interval, Limits, Metric, MetricKind, MetricValue, NamedAggregation, Order, OrderBy, RollupUse,
    SearchRequest, SortBy, SortKey, Terms, TextPredicate,
};
use siltstone_query::{ScanPool, search};
use storage::catalog::{Dynamic, Materialize, TimeField, Topic};
use storage::disk::ReadFile;
use storage::model::{
    Column, ColumnBatch, DictionaryBuilder, Exponents, FieldType, NumberColumn, Occurrence,
    SourceColumn, TextColumn, TopicId, TopicName,
};
use storage::segment::{
    ColumnRoles, PageCache, RowSource, SegmentOptions, SegmentReader, write_segment,
};
use storage::store::TopicSnapshot;

type Outcome<T> = Result<T, Box<dyn Error>>;

const START_MS: i64 = 1_704_067_200_000;
const HOUR_MS: i64 = 3_600_000;
const MINERS: usize = 200;
const ADDRESSES: u64 = 1_000_000;
const REPEATS: usize = 15;
const MEBIBYTE: usize = 1 << 20;

fn main() -> Outcome<()> {
    let mut arguments = env::args().skip(1);
    let folder = arguments
        .next()
        .ok_or("say in which folder segments are kept")?;
    let segments: usize = arguments.next().map_or(Ok(16), |text| text.parse())?;
    let rows: usize = arguments
        .next()
        .map_or(Ok(20_000_000), |text| text.parse())?;
    let wanted = arguments.next().unwrap_or_default();
    let spacing_ms: f64 = arguments.next().map_or(Ok(300.0), |text| text.parse())?;
    let cache = Arc::new(PageCache::new(64 * MEBIBYTE));
    let mut sources = Vec::new();
    let mut chain = Chain::new(spacing_ms);
    for segment in 0..segments {
        let rows = rows * (segment + 1) / segments - rows * segment / segments;
        let name = format!("{rows}-{segment}-of-{segments}-every-{spacing_ms}.segment");
        let path = Path::new(&folder).join(name);
        if !path.exists() {
            fs::create_dir_all(&folder)?;
            chain.write(rows, &path)?;
        }
        let file = Arc::new(SegmentFile(File::open(&path)?));
        let reader = SegmentReader::open_with_cache(file, Arc::clone(&cache))?;
        sources.push(Arc::new(reader).into());
    }
    let snapshot = snapshot(sources);
    let threads = std::thread::available_parallelism().unwrap_or(NonZero::<usize>::MIN);
    let pool = ScanPool::new(threads)?;
    println!(
        "{} rows in {segments} segments, {threads} threads",
        snapshot
            .sources
            .iter()
            .map(RowSource::row_count)
            .sum::<usize>()
    );
    println!(
        "{:<18} {:>9} {:>9} {:>9} {:>9}",
        "question", "first ms", "median ms", "best ms", "cpu ms"
    );
    for (name, request) in questions() {
        if !name.starts_with(&wanted) {
            continue;
        }
        if request.rollup == RollupUse::WhereExact {
            let rows = SearchRequest {
                rollup: RollupUse::Never,
                ..request.clone()
            };
            let by_rows = search(&rows, &snapshot, &pool)?.aggregations;
            let by_cells = search(&request, &snapshot, &pool)?;
            assert!(by_cells.profile.cells_used > 0, "{name}: no cells");
            assert_eq!(by_cells.aggregations, by_rows, "{name}");
        }
        let mut times_ms = Vec::new();
        let mut cpu_ms = 0.0;
        for repeat in 0..=REPEATS {
            if repeat == 1 {
                cpu_ms = cpu_time_ms()?;
            }
            let start = Instant::now();
            search(&request, &snapshot, &pool)?;
            times_ms.push(start.elapsed().as_secs_f64() * 1e3);
        }
        let cpu_ms = (cpu_time_ms()? - cpu_ms) / REPEATS as f64;
        let first_ms = times_ms.remove(0);
        times_ms.sort_by(f64::total_cmp);
        println!(
            "{name:<18} {first_ms:>9.1} {:>9.1} {:>9.1} {cpu_ms:>9.1}",
            times_ms[REPEATS / 2],
            times_ms[0],
        );
    }
    println!("{} MiB resident at most", resident_max_mib()?);
    Ok(())
}

/// What all threads of this process have computed; other processes do not show in it.
fn cpu_time_ms() -> Outcome<f64> {
    const TICK_MS: f64 = 10.0;
    let stat = fs::read_to_string("/proc/self/stat")?;
    let behind_name = stat.rsplit_once(')').ok_or("no name")?.1;
    let ticks: Vec<f64> = behind_name
        .split_whitespace()
        .skip(11)
        .take(2)
        .map(str::parse)
        .collect::<Result<_, _>>()?;
    Ok(ticks.iter().sum::<f64>() * TICK_MS)
}

/// The most memory that this process ever had.
fn resident_max_mib() -> Outcome<usize> {
    let status = fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find(|line| line.starts_with("VmHWM:"));
    let kibibytes = line.and_then(|line| line.split_whitespace().nth(1));
    Ok(kibibytes.ok_or("no VmHWM")?.parse::<usize>()? / 1024)
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

fn address_name(address: u64) -> String {
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

fn snapshot(sources: Vec<RowSource>) -> TopicSnapshot {
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

fn field(path: &str, field_type: FieldType) -> Option<FieldRef> {
    Some(FieldRef {
        column: path.into(),
        field_type,
    })
}

fn metric(kind: MetricKind, path: &str, field_type: FieldType) -> Aggregation {
    Aggregation::Metric(Metric {
        kind,
        field: field(path, field_type),
        missing: None,
        linear: None,
    })
}

fn named(aggregations: Vec<Aggregation>) -> Vec<NamedAggregation> {
    let name = |(index, aggregation)| NamedAggregation {
        name: format!("a{index}"),
        aggregation,
    };
    aggregations.into_iter().enumerate().map(name).collect()
}

fn histogram(interval: Interval, zone: &str, children: Vec<Aggregation>) -> Aggregation {
    Aggregation::Bucket {
        by: BucketBy::DateHistogram(DateHistogram {
            field: field("ts", FieldType::Date),
            interval,
            time_zone: TimeZone::get(zone).expect("a zone of the database"),
            offset_ms: 0,
            doc_count_min: 1,
            extended_bounds_ms: None,
            hard_bounds_ms: None,
            missing_ms: None,
            order: Vec::new(),
        }),
        children: named(children),
    }
}

fn terms(path: &str, size: usize, by: OrderBy, children: Vec<Aggregation>) -> Aggregation {
    Aggregation::Bucket {
        by: BucketBy::Terms(Terms {
            field: field(path, FieldType::Keyword),
            size,
            doc_count_min: 1,
            doc_count_max: u64::MAX,
            cells: None,
            words: None,
            missing: None,
            include: None,
            exclude: None,
            order: vec![Order {
                by,
                descending: true,
            }],
        }),
        children: named(children),
    }
}

fn term(path: &str, text: &str) -> Filter {
    Filter::Text {
        field: field(path, FieldType::Keyword).expect("it is a field"),
        predicate: TextPredicate::In([text.as_bytes().to_vec()].into()),
    }
}

fn ask(filter: Filter, aggregations: Vec<Aggregation>) -> SearchRequest {
    SearchRequest {
        filter,
        aggregations: named(aggregations),
        hits: HitsRequest::default(),
        rollup: RollupUse::Never,
        limits: Limits::default(),
    }
}

fn questions() -> Vec<(&'static str, SearchRequest)> {
    let sum = || metric(MetricKind::Sum, "value", FieldType::Long);
    let hour = Interval::Fixed(HOUR_MS);
    let day = Interval::Fixed(24 * HOUR_MS);
    let calendar = Interval::Calendar;
    let stats = || {
        vec![
            metric(MetricKind::Stats, "price", FieldType::Double),
            metric(MetricKind::Sum, "fee", FieldType::Long),
        ]
    };
    let of_all = |aggregation| ask(Filter::All, vec![aggregation]);
    let by_sum = OrderBy::Metric {
        path: vec![0],
        value: MetricValue::Single,
    };
    let distribution = || vec![metric(MetricKind::Distribution, "fee", FieldType::Long)];
    let distinct = Aggregation::Cardinality(Cardinality {
        field: field("addr", FieldType::Keyword),
        missing: None,
        counting: Default::default(),
    });
    let days_by_miner = terms(
        "miner",
        MINERS,
        OrderBy::Count,
        vec![histogram(day, "UTC", vec![sum()])],
    );
    let one_miner = ask(
        term("miner", "miner-042"),
        vec![histogram(hour, "UTC", vec![sum()])],
    );
    vec![
        ("hour_sum", of_all(histogram(hour, "UTC", vec![sum()]))),
        (
            "day_utc_sum",
            of_all(histogram(calendar(CalendarUnit::Day), "UTC", vec![sum()])),
        ),
        (
            "day_tz_sum",
            of_all(histogram(
                calendar(CalendarUnit::Day),
                "Europe/Berlin",
                vec![sum()],
            )),
        ),
        (
            "month_sum",
            of_all(histogram(calendar(CalendarUnit::Month), "UTC", vec![sum()])),
        ),
        ("miner_day_sum", of_all(days_by_miner)),
        ("hour_stats", of_all(histogram(hour, "UTC", stats()))),
        (
            "top10_addr_sum",
            of_all(terms("addr", 10, by_sum, vec![sum()])),
        ),
        (
            "top10_addr_count",
            of_all(terms("addr", 10, OrderBy::Count, Vec::new())),
        ),
        ("fee_pct_day", of_all(histogram(day, "UTC", distribution()))),
        ("distinct_addr", of_all(distinct)),
        (
            "count_one_addr",
            ask(term("addr", &address_name(777)), Vec::new()),
        ),
        ("one_miner_hour_sum", one_miner),
        ("last100_miner", last_of_one_miner()),
    ]
    .into_iter()
    .chain(questions_of_cells())
    .collect()
}

fn questions_of_cells() -> [(&'static str, SearchRequest); 3] {
    let sum = || metric(MetricKind::Sum, "value", FieldType::Long);
    let by_cells = |aggregation| SearchRequest {
        rollup: RollupUse::WhereExact,
        ..ask(Filter::All, vec![aggregation])
    };
    let month = Interval::Calendar(CalendarUnit::Month);
    let day = Interval::Calendar(CalendarUnit::Day);
    [
        (
            "cells_month",
            by_cells(histogram(month, "UTC", vec![sum()])),
        ),
        (
            "cells_day_tz",
            by_cells(histogram(day, "Europe/Berlin", vec![sum()])),
        ),
        (
            "cells_top_miners",
            by_cells(terms("miner", 10, OrderBy::Count, vec![sum()])),
        ),
    ]
}

fn last_of_one_miner() -> SearchRequest {
    let mut last = ask(term("miner", "miner-042"), Vec::new());
    last.hits.size = 100;
    last.limits.counted_rows_max = 0;
    last.hits.sort = vec![SortKey {
        by: SortBy::Field(field("ts", FieldType::Date)),
        descending: true,
        ..SortKey::default()
    }];
    last
}
