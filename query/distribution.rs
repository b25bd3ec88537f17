//! How values are distributed: percentiles, ranks, the median's deviation.
//!
//! Up to [`VALUES_MAX`] values are kept as they are, and every answer is exact. Beyond, values are
//! counted in buckets of a log-linear histogram: an octave (a power of two) has 128 buckets of the
//! same width, so a value is known to 1/256 of itself. Which of the two it is depends on the number
//! of values alone, and counting knows no order, so no answer depends on order or parts.

use std::collections::BTreeMap;

/// So many values are kept one by one.
pub const VALUES_MAX: usize = 1 << 15;

/// Buckets of an octave.
const OCTAVE_BUCKETS: usize = 128;

/// Bits of a double below its bucket's: 52 bits of mantissa, 7 of which name the bucket.
const BUCKET_SHIFT: u32 = 45;

/// Values that are counted together.
const CHUNK_VALUES: usize = 1024;

/// Octaves that values counted together may span.
const CHUNK_OCTAVES: usize = 64;

/// How so many values are distributed.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Distribution {
    kept: Kept,
    count: u64,
}

#[derive(Debug, Clone, PartialEq)]
enum Kept {
    /// All of them; in order once they are asked.
    Values(Vec<f64>),
    Histogram(Box<Histogram>),
}

impl Default for Kept {
    fn default() -> Self {
        Self::Values(Vec::new())
    }
}

/// Counts of values by bucket.
#[derive(Debug, Clone, PartialEq)]
struct Histogram {
    /// The counts of octaves; negative ones below zero, mirrored.
    octaves: BTreeMap<i16, Box<[u64; OCTAVE_BUCKETS]>>,
    min: f64,
    max: f64,
}

impl Distribution {
    /// Adds a value.
    pub(crate) fn add(&mut self, value: f64) {
        // There is one zero.
        let value = value + 0.0;
        self.count += 1;
        match &mut self.kept {
            Kept::Values(values) if values.len() < VALUES_MAX => values.push(value),
            Kept::Values(_) => self.histogram().add(value, 1),
            Kept::Histogram(histogram) => histogram.add(value, 1),
        }
    }

    /// Adds values.
    pub(crate) fn add_all(&mut self, values: &[f64]) {
        match &mut self.kept {
            Kept::Histogram(histogram) => {
                self.count += values.len() as u64;
                for values in values.chunks(CHUNK_VALUES) {
                    histogram.add_chunk(values);
                }
            }
            Kept::Values(_) => values.iter().for_each(|value| self.add(*value)),
        }
    }

    /// Adds another one.
    pub(crate) fn merge(&mut self, other: &Self) {
        match &other.kept {
            Kept::Values(values) => {
                for value in values {
                    self.add(*value);
                }
            }
            Kept::Histogram(histogram) => {
                self.histogram().merge(histogram);
                self.count += other.count;
            }
        }
    }

    /// Gives up single values.
    fn histogram(&mut self) -> &mut Histogram {
        if let Kept::Values(values) = &self.kept {
            let mut histogram = Box::new(Histogram::default());
            for value in values {
                histogram.add(*value, 1);
            }
            self.kept = Kept::Histogram(histogram);
        }
        match &mut self.kept {
            Kept::Histogram(histogram) => histogram,
            Kept::Values(_) => unreachable!("values were counted just now"),
        }
    }

    /// Memory beside itself.
    pub(crate) fn heap_bytes(&self) -> usize {
        match &self.kept {
            Kept::Values(values) => values.capacity() * size_of::<f64>(),
            Kept::Histogram(histogram) => {
                histogram.octaves.len() * size_of::<[u64; OCTAVE_BUCKETS]>()
                    + size_of::<Histogram>()
            }
        }
    }

    /// The same, in order.
    pub(crate) fn sorted(mut self) -> Self {
        if let Kept::Values(values) = &mut self.kept {
            values.sort_unstable_by(f64::total_cmp);
        }
        self
    }

    /// Number of values.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.count
    }

    /// Whether answers may be off by up to 1/256 of themselves.
    #[must_use]
    pub fn is_approximate(&self) -> bool {
        matches!(self.kept, Kept::Histogram(_))
    }

    /// The value that `percent` of the values lie below; `None` without values.
    #[must_use]
    pub fn percentile(&self, percent: f64) -> Option<f64> {
        let place = place_of(percent, self.count)?;
        Some(match &self.kept {
            Kept::Values(values) => values[place_in(place, values)],
            Kept::Histogram(histogram) => histogram.value_at(place),
        })
    }

    /// How many percent of the values lie below `value`, with half of those that equal it.
    #[must_use]
    pub fn rank(&self, value: f64) -> Option<f64> {
        if self.count == 0 {
            return None;
        }
        let (below, equal) = match &self.kept {
            Kept::Values(values) => {
                let below = values.partition_point(|other| *other < value);
                let up_to = values.partition_point(|other| *other <= value);
                (below as f64, (up_to - below) as f64)
            }
            Kept::Histogram(histogram) => histogram.below(value),
        };
        Some((below + equal / 2.0) / self.count as f64 * 100.0)
    }

    /// The median of the distances from the median.
    #[must_use]
    pub fn median_absolute_deviation(&self) -> Option<f64> {
        let median = self.percentile(50.0)?;
        let mut distances: Vec<(f64, u64)> = match &self.kept {
            Kept::Values(values) => values
                .iter()
                .map(|value| ((value - median).abs(), 1))
                .collect(),
            Kept::Histogram(histogram) => histogram
                .counts()
                .map(|(value, count)| ((value - median).abs(), count))
                .collect(),
        };
        distances.sort_unstable_by(|a, b| a.0.total_cmp(&b.0));
        let place = place_of(50.0, self.count)?;
        let mut before = 0;
        for (distance, count) in &distances {
            before += count;
            if before > place {
                return Some(*distance);
            }
        }
        distances.last().map(|last| last.0)
    }
}

/// The place among `count` ordered values of the value that `percent` lie below.
fn place_of(percent: f64, count: u64) -> Option<u64> {
    let last = count.checked_sub(1)?;
    let place = (percent / 100.0 * count as f64).floor();
    // A cast from a float saturates: below zero is 0.
    Some((place as u64).min(last))
}

fn place_in(place: u64, values: &[f64]) -> usize {
    let place = usize::try_from(place).expect("so many values are kept");
    place.min(values.len() - 1)
}

impl Default for Histogram {
    fn default() -> Self {
        Self {
            octaves: BTreeMap::new(),
            min: f64::INFINITY,
            max: f64::NEG_INFINITY,
        }
    }
}

impl Histogram {
    fn add(&mut self, value: f64, count: u64) {
        self.min = self.min.min(value);
        self.max = self.max.max(value);
        let (octave, bucket) = bucket_of(value);
        let octave = self.octaves.entry(octave);
        octave.or_insert_with(|| Box::new([0; OCTAVE_BUCKETS]))[bucket] += count;
    }

    /// Adds up to `CHUNK_VALUES` values: finds the octaves once, then only counts.
    fn add_chunk(&mut self, values: &[f64]) {
        let mut keys = [0_i32; CHUNK_VALUES];
        let (mut lowest, mut highest) = (i32::MAX, i32::MIN);
        for (key, value) in keys.iter_mut().zip(values) {
            // There is one zero.
            let value = value + 0.0;
            self.min = self.min.min(value);
            self.max = self.max.max(value);
            let (octave, bucket) = bucket_of(value);
            *key = i32::from(octave) * OCTAVE_BUCKETS as i32 + bucket as i32;
            lowest = lowest.min(*key);
            highest = highest.max(*key);
        }
        let keys = &keys[..values.len()];
        let octave_of = |key: i32| key.div_euclid(OCTAVE_BUCKETS as i32);
        let first = octave_of(lowest);
        if values.is_empty() || octave_of(highest) - first >= CHUNK_OCTAVES as i32 {
            // So far apart are values by accident only.
            values.iter().for_each(|value| self.add(value + 0.0, 1));
            return;
        }
        let place = |key: i32| (octave_of(key) - first) as usize;
        let used = keys.iter().fold(0_u64, |used, key| used | 1 << place(*key));
        let number = |place: usize| (first + place as i32) as i16;
        for place in (0..CHUNK_OCTAVES).filter(|place| used >> place & 1 == 1) {
            let octave = self.octaves.entry(number(place));
            octave.or_insert_with(|| Box::new([0; OCTAVE_BUCKETS]));
        }
        let mut octaves = [const { None }; CHUNK_OCTAVES];
        let range = number(0)..=number(CHUNK_OCTAVES - 1);
        for (octave, counts) in self.octaves.range_mut(range) {
            octaves[(i32::from(*octave) - first) as usize] = Some(counts);
        }
        for key in keys {
            let bucket = key.rem_euclid(OCTAVE_BUCKETS as i32) as usize;
            if let Some(counts) = &mut octaves[place(*key)] {
                counts[bucket] += 1;
            }
        }
    }

    fn merge(&mut self, other: &Self) {
        self.min = self.min.min(other.min);
        self.max = self.max.max(other.max);
        for (octave, counts) in &other.octaves {
            let own = self.octaves.entry(*octave);
            let own = own.or_insert_with(|| Box::new([0; OCTAVE_BUCKETS]));
            for (own, count) in own.iter_mut().zip(counts.iter()) {
                *own += count;
            }
        }
    }

    /// The middle of each bucket that has values, and how many; ascending.
    fn counts(&self) -> impl Iterator<Item = (f64, u64)> {
        self.octaves.iter().flat_map(move |(octave, counts)| {
            let used = counts.iter().enumerate().filter(|(_, count)| **count > 0);
            used.map(move |(bucket, count)| {
                let middle = middle_of(*octave, bucket);
                (middle.clamp(self.min, self.max), *count)
            })
        })
    }

    fn value_at(&self, place: u64) -> f64 {
        if place == 0 {
            return self.min;
        }
        let mut before = 0;
        for (value, count) in self.counts() {
            before += count;
            if before > place {
                return value;
            }
        }
        self.max
    }

    /// How many values are below `value`, and how many share its bucket.
    fn below(&self, value: f64) -> (f64, f64) {
        if value < self.min {
            return (0.0, 0.0);
        }
        let all = |counts: &[u64]| counts.iter().sum::<u64>() as f64;
        let (octave, bucket) = bucket_of(value + 0.0);
        let mut below: f64 = self
            .octaves
            .range(..octave)
            .map(|(_, own)| all(&own[..]))
            .sum();
        let mut equal = 0.0;
        if let Some(counts) = self.octaves.get(&octave) {
            below += all(&counts[..bucket]);
            equal = counts[bucket] as f64;
        }
        if value > self.max {
            return (below + equal, 0.0);
        }
        (below, equal)
    }
}

/// The octave and bucket of `value`; both ascend as values do.
fn bucket_of(value: f64) -> (i16, usize) {
    let number = value.abs().to_bits() >> BUCKET_SHIFT;
    // Eleven bits of exponent and seven of mantissa are left.
    let octave = (number / OCTAVE_BUCKETS as u64) as i16;
    let bucket = (number % OCTAVE_BUCKETS as u64) as usize;
    if value < 0.0 {
        (-1 - octave, OCTAVE_BUCKETS - 1 - bucket)
    } else {
        (octave, bucket)
    }
}

/// The middle of a bucket.
fn middle_of(octave: i16, bucket: usize) -> f64 {
    let (sign, octave, bucket) = if octave < 0 {
        (-1.0, -1 - octave, OCTAVE_BUCKETS - 1 - bucket)
    } else {
        (1.0, octave, bucket)
    };
    if octave == 0 && bucket == 0 {
        // Zero, and what is too small to tell from it.
        return 0.0;
    }
    let number = u64::from(octave.unsigned_abs()) * OCTAVE_BUCKETS as u64 + bucket as u64;
    let middle = (number << BUCKET_SHIFT) | (1 << (BUCKET_SHIFT - 1));
    sign * f64::from_bits(middle)
}

#[cfg(test)]
#[path = "distribution_tests.rs"]
mod tests;
