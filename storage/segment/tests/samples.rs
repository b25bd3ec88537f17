//! Random rows from a seed: nulls, several values, numbers of all magnitudes, empty texts.

use std::collections::BTreeMap;

use super::rows::{Row, Value};
use crate::model::{ColumnKind, Decimal};

/// The columns of [`sample_rows`].
pub(in crate::segment) const SCHEMA: [(&str, ColumnKind); 11] = [
    ("amount", ColumnKind::Decimal),
    ("coin", ColumnKind::Text),
    ("count", ColumnKind::Integer),
    ("extreme", ColumnKind::Integer),
    ("name", ColumnKind::Text),
    ("never", ColumnKind::Integer),
    ("parts", ColumnKind::Decimal),
    ("rare", ColumnKind::Integer),
    ("tags", ColumnKind::Text),
    ("time", ColumnKind::Integer),
    ("wild", ColumnKind::Decimal),
];

/// Steele, Lea and Flood's SplitMix64: the same numbers on every machine.
#[derive(Debug)]
pub(in crate::segment) struct Random(pub(in crate::segment) u64);

impl Random {
    pub(in crate::segment) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ mixed >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ mixed >> 31
    }

    /// A number below `bound`.
    pub(in crate::segment) fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }

    /// True once in `times`.
    fn once_in(&mut self, times: u64) -> bool {
        self.below(times) == 0
    }

    fn finite(&mut self) -> f64 {
        let value = f64::from_bits(self.next());
        if value.is_finite() { value } else { 0.5 }
    }
}

/// `count` rows in any order of time.
pub(in crate::segment) fn sample_rows(seed: u64, count: usize) -> Vec<Row> {
    let mut random = Random(seed);
    let spread_ms = 1 << (10 + random.below(24));
    let has_ids = random.once_in(2);
    let (mut offsets, start_ms) = ([0_u64; 3], random.below(1 << 41).cast_signed() - (1 << 40));
    (0..count)
        .map(|number| {
            let time_ms = start_ms + random.below(spread_ms).cast_signed();
            let partition = random.below(3) as u32;
            let offset = &mut offsets[partition as usize];
            *offset += 1 + random.below(2);
            Row {
                time_ms,
                partition,
                offset: *offset,
                id: (has_ids && !random.once_in(3)).then(|| format!("id-{number}").into_bytes()),
                document: vec![b'x'; random.below(200) as usize],
                values: sample_values(&mut random, time_ms),
            }
        })
        .collect()
}

fn sample_values(random: &mut Random, time_ms: i64) -> BTreeMap<String, Vec<Value>> {
    let mut values = BTreeMap::new();
    let mut put = |path: &str, of_row: Vec<Value>| {
        if !of_row.is_empty() {
            values.insert(path.to_string(), of_row);
        }
    };
    put("time", vec![Value::Integer(time_ms)]);
    put(
        "count",
        vec![Value::Integer(random.below(1000).cast_signed())],
    );
    let shift = random.below(64);
    put(
        "extreme",
        vec![Value::Integer(random.next().cast_signed() >> shift)],
    );
    if random.once_in(9) {
        put("rare", vec![Value::Integer(7)]);
    }
    let cents = random.below(1_000_000).cast_signed() - 5000;
    let amount = Decimal {
        mantissa: cents,
        exponent: -2,
    };
    let amount = amount.normalized();
    put(
        "amount",
        vec![Value::Decimal(amount.mantissa, amount.exponent)],
    );
    put("wild", vec![Value::decimal(random.finite())]);
    let parts = (0..random.below(4)).map(|_| Value::decimal(random.below(99) as f64 / 8.0));
    put("parts", parts.collect());
    let coins = ["", "btc", "eth", "Ünknown", "a\0b"];
    if !random.once_in(5) {
        let coin = coins[random.below(coins.len() as u64) as usize];
        put("coin", vec![Value::text(coin)]);
    }
    put(
        "name",
        vec![Value::Text(format!("addr{:x}", random.next()).into_bytes())],
    );
    let tags = (0..random.below(3)).map(|_| Value::text(coins[random.below(5) as usize]));
    put("tags", tags.collect());
    values
}
