//! How values are distributed: percentiles, ranks, the median's deviation.
//!
//! Up to [`VALUES_MAX`] values are kept as they are, and every answer is exact. Beyond, values are
//! counted in buckets of a log-linear histogram: an octave (a power of two) has 128 buckets of the
//! same width, so a value is known to 1/256 of itself. Which of the two it is depends on the number
//! of values alone, and counting knows no order, so no answer depends on order or parts.

use storage::model::Decimal;

/// So many values are kept one by one.
pub const VALUES_MAX: usize = 1 << 15;

/// Buckets of an octave.
const OCTAVE_BUCKETS: usize = 128;

/// Bits of a double below its bucket's: 52 bits of mantissa, 7 of which name the bucket.
const BUCKET_SHIFT: u32 = 45;

/// Values that are counted together.
const CHUNK_VALUES: usize = 1024;

/// Values that are compared side by side.
const LANES: usize = 4;

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
    negative: Side,
    /// Zeros, and what is too small to tell from them.
    zeros: u64,
    positive: Side,
    min: f64,
    max: f64,
}

/// Counts of values of one sign: all octaves from the lowest to the highest that has some.
#[derive(Debug, Clone, PartialEq, Default)]
struct Side {
    /// Number of the first bucket, that of the start of an octave.
    first: usize,
    counts: Vec<u64>,
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

    /// Adds `mantissas × 10^exponent`.
    pub(crate) fn add_all(&mut self, mantissas: &[i64], exponent: i16) {
        let mut values = [0.0; CHUNK_VALUES];
        for mantissas in mantissas.chunks(CHUNK_VALUES) {
            let values = &mut values[..mantissas.len()];
            to_doubles(mantissas, exponent, values);
            match &mut self.kept {
                Kept::Values(kept) if kept.len() + values.len() <= VALUES_MAX => {
                    kept.extend_from_slice(values);
                    self.count += values.len() as u64;
                }
                Kept::Values(_) => values.iter().for_each(|value| self.add(*value)),
                Kept::Histogram(histogram) => {
                    histogram.add_chunk(values);
                    self.count += values.len() as u64;
                }
            }
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
                let sides = [&histogram.negative, &histogram.positive];
                let counts: usize = sides.map(|side| side.counts.capacity()).iter().sum();
                counts * size_of::<u64>() + size_of::<Histogram>()
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

    /// Values and how often each occurs, ascending; where they are estimates, middles of buckets.
    pub(crate) fn counted(&self) -> Vec<(f64, u64)> {
        match &self.kept {
            Kept::Values(values) => {
                let runs = values.chunk_by(|a, b| a == b);
                runs.map(|run| (run[0], run.len() as u64)).collect()
            }
            Kept::Histogram(histogram) => histogram.counts().collect(),
        }
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

    /// The value that `percent` of the values do not pass, as a high dynamic range histogram of so
    /// many significant digits tells it: by the nearest rank, and the highest value that it cannot
    /// tell from that one. `None` without values and where one is negative.
    #[must_use]
    pub fn high_dynamic_percentile(&self, percent: f64, digits: u32) -> Option<f64> {
        let smallest = self.least_positive()?;
        // The next double below keeps 50 % of 2 from becoming 1.0000000000000002.
        let rank = (percent.next_down() * self.count as f64 / 100.0).ceil();
        // A cast from a float saturates: below zero is 0.
        let place = (rank as u64).clamp(1, self.count) - 1;
        let value = match &self.kept {
            Kept::Values(values) => values[place_in(place, values)],
            Kept::Histogram(histogram) => histogram.value_at(place),
        };
        if value == 0.0 {
            return Some(0.0);
        }
        let octave = |value: f64| value.log2().floor().exp2();
        let half = f64::from(2 * 10_u32.pow(digits)).log2().ceil().exp2() / 2.0;
        let unit = octave(smallest) / half;
        let width = octave(value) / half;
        Some((value / width).floor() * width + width - unit)
    }

    /// The smallest value above zero, or 1 if all are zero; `None` without values and where one is
    /// negative.
    fn least_positive(&self) -> Option<f64> {
        let (first, positive) = match &self.kept {
            Kept::Values(values) => {
                let start = values.partition_point(|value| *value <= 0.0);
                (*values.first()?, values.get(start).copied())
            }
            Kept::Histogram(histogram) => {
                let above = histogram.counts().map(|(value, _)| value);
                let mut above = above.filter(|value| *value > 0.0);
                (histogram.min, above.next())
            }
        };
        (first >= 0.0).then(|| positive.unwrap_or(1.0))
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
            negative: Side::default(),
            zeros: 0,
            positive: Side::default(),
            min: f64::INFINITY,
            max: f64::NEG_INFINITY,
        }
    }
}

impl Histogram {
    fn add(&mut self, value: f64, count: u64) {
        self.min = self.min.min(value);
        self.max = self.max.max(value);
        match bucket_of(value) {
            Bucket::Zero => self.zeros += count,
            Bucket::Negative(number) => *self.negative.count_mut(number) += count,
            Bucket::Positive(number) => *self.positive.count_mut(number) += count,
        }
    }

    /// Adds values. Those that are all above zero are only counted.
    fn add_chunk(&mut self, values: &[f64]) {
        let (min, max) = extremes(values);
        let (Bucket::Positive(first), Bucket::Positive(last)) = (bucket_of(min), bucket_of(max))
        else {
            values.iter().for_each(|value| self.add(*value, 1));
            return;
        };
        self.min = self.min.min(min);
        self.max = self.max.max(max);
        self.positive.cover(first);
        self.positive.cover(last);
        let Side { first, counts } = &mut self.positive;
        for value in values {
            counts[number_of(*value) - *first] += 1;
        }
    }

    fn merge(&mut self, other: &Self) {
        self.min = self.min.min(other.min);
        self.max = self.max.max(other.max);
        self.zeros += other.zeros;
        self.negative.merge(&other.negative);
        self.positive.merge(&other.positive);
    }

    /// The middle of each bucket that has values, and how many; ascending.
    fn counts(&self) -> impl Iterator<Item = (f64, u64)> {
        let below = self.negative.used().rev();
        let below = below.map(|(number, count)| (-middle_of(number), count));
        let zeros = (self.zeros > 0).then_some((0.0, self.zeros));
        let above = self.positive.used();
        let above = above.map(|(number, count)| (middle_of(number), count));
        let all = below.chain(zeros).chain(above);
        all.map(|(middle, count)| (middle.clamp(self.min, self.max), count))
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
        let negative = self.negative.count_below(usize::MAX);
        let (below, equal) = match bucket_of(value) {
            Bucket::Negative(number) => {
                let equal = self.negative.count(number);
                let nearer = self.negative.count_below(number);
                (negative - nearer - equal, equal)
            }
            Bucket::Zero => (negative, self.zeros),
            Bucket::Positive(number) => {
                let nearer = self.positive.count_below(number);
                (negative + self.zeros + nearer, self.positive.count(number))
            }
        };
        if value > self.max {
            return ((below + equal) as f64, 0.0);
        }
        (below as f64, equal as f64)
    }
}

impl Side {
    /// Makes sure that there is a count for bucket `number`.
    fn cover(&mut self, number: usize) {
        let octave = number - number % OCTAVE_BUCKETS;
        if self.counts.is_empty() {
            self.first = octave;
        }
        if octave < self.first {
            let more = std::iter::repeat_n(0, self.first - octave);
            self.counts.splice(0..0, more);
            self.first = octave;
        }
        let end = octave + OCTAVE_BUCKETS - self.first;
        if self.counts.len() < end {
            self.counts.resize(end, 0);
        }
    }

    fn count_mut(&mut self, number: usize) -> &mut u64 {
        self.cover(number);
        &mut self.counts[number - self.first]
    }

    /// How many values bucket `number` has.
    fn count(&self, number: usize) -> u64 {
        let place = number.checked_sub(self.first);
        place
            .and_then(|place| self.counts.get(place))
            .copied()
            .unwrap_or(0)
    }

    /// How many values are in the buckets before bucket `number`.
    fn count_below(&self, number: usize) -> u64 {
        let end = number.saturating_sub(self.first).min(self.counts.len());
        self.counts[..end].iter().sum()
    }

    /// The buckets that have values, and how many; ascending by distance from zero.
    fn used(&self) -> impl DoubleEndedIterator<Item = (usize, u64)> {
        let counts = self.counts.iter().enumerate();
        let used = counts.filter(|(_, count)| **count > 0);
        used.map(|(place, count)| (self.first + place, *count))
    }

    fn merge(&mut self, other: &Self) {
        let Some(last) = other.counts.len().checked_sub(1) else {
            return;
        };
        self.cover(other.first);
        self.cover(other.first + last);
        let start = other.first - self.first;
        for (own, count) in self.counts[start..].iter_mut().zip(&other.counts) {
            *own += count;
        }
    }
}

/// Where a value is counted; buckets of a sign are numbered by their distance from zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Bucket {
    Negative(usize),
    Zero,
    Positive(usize),
}

fn bucket_of(value: f64) -> Bucket {
    match number_of(value.abs()) {
        0 => Bucket::Zero,
        number if value < 0.0 => Bucket::Negative(number),
        number => Bucket::Positive(number),
    }
}

/// The number of the bucket of a value that is not negative: eleven bits of exponent and seven of
/// mantissa.
fn number_of(value: f64) -> usize {
    (value.to_bits() >> BUCKET_SHIFT) as usize
}

/// The middle of a bucket of positive values.
fn middle_of(number: usize) -> f64 {
    f64::from_bits(((number as u64) << BUCKET_SHIFT) | (1 << (BUCKET_SHIFT - 1)))
}

/// The smallest and the largest value; neither is NaN.
fn extremes(values: &[f64]) -> (f64, f64) {
    let mut mins = [f64::INFINITY; LANES];
    let mut maxs = [f64::NEG_INFINITY; LANES];
    let (whole, rest) = values.as_chunks::<LANES>();
    for values in whole {
        for lane in 0..LANES {
            let value = values[lane];
            mins[lane] = if value < mins[lane] {
                value
            } else {
                mins[lane]
            };
            maxs[lane] = if value > maxs[lane] {
                value
            } else {
                maxs[lane]
            };
        }
    }
    let min = mins
        .iter()
        .chain(rest)
        .copied()
        .fold(f64::INFINITY, f64::min);
    let max = maxs
        .iter()
        .chain(rest)
        .copied()
        .fold(f64::NEG_INFINITY, f64::max);
    (min, max)
}

/// Powers of ten that are exact as doubles.
const EXACT_POWERS: [f64; 23] = [
    1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16,
    1e17, 1e18, 1e19, 1e20, 1e21, 1e22,
];

/// The doubles next to `mantissas × 10^exponent`.
fn to_doubles(mantissas: &[i64], exponent: i16, out: &mut [f64]) {
    // Not further from zero than 2^53: an exact double. One operation on exact doubles rounds once.
    let is_exact = mantissas
        .iter()
        .fold(0, |bits, mantissa| bits | (mantissa ^ (mantissa >> 63)))
        < 1 << 53;
    let power = EXACT_POWERS.get(usize::from(exponent.unsigned_abs()));
    match power.filter(|_| is_exact) {
        Some(power) if exponent < 0 => {
            for (value, mantissa) in out.iter_mut().zip(mantissas) {
                *value = *mantissa as f64 / power;
            }
        }
        Some(power) => {
            for (value, mantissa) in out.iter_mut().zip(mantissas) {
                *value = *mantissa as f64 * power;
            }
        }
        None => {
            for (value, mantissa) in out.iter_mut().zip(mantissas) {
                let decimal = Decimal {
                    mantissa: *mantissa,
                    exponent,
                };
                *value = decimal.to_f64();
            }
        }
    }
}

#[cfg(test)]
#[path = "distribution_tests.rs"]
mod tests;
