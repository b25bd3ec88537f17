//! Functions of the values before each bucket.

use super::expression::{Expression, Scope};
use super::path::{BucketPath, value_of};
use super::put;
use super::request::GapPolicy;
use crate::QueryError;
use crate::request::{BucketBy, DateHistogram};
use crate::response::{AggregationResult, Bucket, BucketKey, PipelineResult};
use crate::rounding::Rounding;

/// Most values that all windows of one function hold together.
const WINDOW_VALUES_MAX: usize = 50_000_000;

/// How a moving average weighs values.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum MovingModel {
    /// All the same.
    Simple,
    /// 1, 2, 3 …
    Linear,
    /// Exponentially.
    Exponential {
        /// Weight of the newest value.
        alpha: f64,
    },
    /// Level and trend.
    Holt {
        /// Weight of the newest value.
        alpha: f64,
        /// Weight of the newest trend.
        beta: f64,
    },
    /// Level, trend and season.
    HoltWinters {
        /// Weights of the newest value, trend and season.
        factors: [f64; 3],
        /// What repeats.
        season: Season,
    },
}

/// What repeats.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Season {
    /// After how many values.
    pub period: usize,
    /// By a factor instead of a difference.
    pub multiplicative: bool,
}

fn check(bucket_count: usize, window: usize) -> Result<(), QueryError> {
    let all = bucket_count.saturating_mul(window.min(bucket_count));
    if all > WINDOW_VALUES_MAX {
        return Err(QueryError::WindowTooLarge {
            window,
            bucket_count,
        });
    }
    Ok(())
}

pub(super) fn function(
    buckets: &mut [Bucket],
    index: usize,
    path: &BucketPath,
    gaps: GapPolicy,
    (window, shift): (usize, i64),
    script: &Expression,
) -> Result<(), QueryError> {
    check(buckets.len(), window)?;
    let values: Vec<f64> = buckets
        .iter()
        .filter_map(|bucket| value_of(bucket, path, gaps))
        .collect();
    let clamp = |place: i128| {
        usize::try_from(place.max(0))
            .unwrap_or(usize::MAX)
            .min(values.len())
    };
    let mut place = 0_i128;
    for bucket in buckets {
        if value_of(bucket, path, gaps).is_none() {
            put(bucket, index, PipelineResult::Absent);
            continue;
        }
        let end = place + i128::from(shift);
        let start = clamp(end - window as i128);
        let mut scope = Scope {
            variables: Vec::new(),
            window: &values[start..clamp(end).max(start)],
            ..Scope::default()
        };
        let given = script.evaluate(&mut scope).number();
        let value = given.filter(|value| value.is_finite());
        put(bucket, index, PipelineResult::Value(value));
        place += 1;
    }
    Ok(())
}

/// Gives each bucket the mean of values before it; returns the predictions behind the last.
pub(super) fn average(
    buckets: &mut [Bucket],
    index: usize,
    path: &BucketPath,
    gaps: GapPolicy,
    window: usize,
    model: &MovingModel,
) -> Result<Predictions, QueryError> {
    check(buckets.len(), window)?;
    let mut values: Vec<f64> = Vec::new();
    for bucket in buckets {
        let mut result = PipelineResult::Absent;
        if let Some(value) = value_of(bucket, path, gaps) {
            let start = values.len().saturating_sub(window);
            if let Some(next) = model.forecast(&values[start..], 1).first() {
                result = PipelineResult::Value(Some(*next).filter(|next| next.is_finite()));
            }
            values.push(value);
        }
        put(bucket, index, result);
    }
    let start = values.len().saturating_sub(window);
    Ok(Predictions {
        window: values.split_off(start),
        model: *model,
    })
}

/// What is known behind the last bucket.
pub(super) struct Predictions {
    window: Vec<f64>,
    model: MovingModel,
}

/// Adds `count` buckets behind the last, if it is known where the next ones start.
pub(super) fn predict(
    by: &BucketBy,
    child_count: usize,
    buckets: &mut Vec<Bucket>,
    index: usize,
    made: &Predictions,
    count: usize,
) {
    if count == 0 {
        return;
    }
    for value in made.model.forecast(&made.window, count) {
        let Some(key) = buckets.last().and_then(|last| next_key(by, &last.key)) else {
            return;
        };
        let absent = AggregationResult::Pipeline(PipelineResult::Absent);
        let mut bucket = Bucket {
            key,
            count: 0,
            aggregations: vec![absent; child_count],
        };
        put(&mut bucket, index, PipelineResult::Value(Some(value)));
        buckets.push(bucket);
    }
}

fn next_key(by: &BucketBy, last: &BucketKey) -> Option<BucketKey> {
    match (by, last) {
        (BucketBy::DateHistogram(by), BucketKey::Time(time_ms)) => {
            next_start(by, *time_ms).map(BucketKey::Time)
        }
        (BucketBy::NumberHistogram(by), BucketKey::Decimal(start)) => {
            let next = by.steps.index(*start).checked_add(1)?;
            Some(BucketKey::Decimal(by.steps.start(next)))
        }
        _ => None,
    }
}

fn next_start(by: &DateHistogram, time_ms: i64) -> Option<i64> {
    let rounding = Rounding::new(by.interval, &by.time_zone, by.offset_ms, time_ms, time_ms);
    rounding.next(time_ms)
}

impl MovingModel {
    /// The next `count` values after `values`; nothing when those do not suffice.
    fn forecast(&self, values: &[f64], count: usize) -> Vec<f64> {
        if values.is_empty() {
            return Vec::new();
        }
        match self {
            Self::Simple => vec![mean(values); count],
            Self::Linear => vec![linear_mean(values); count],
            Self::Exponential { alpha } => vec![exponential(values, *alpha); count],
            Self::Holt { alpha, beta } => {
                let (level, trend) = holt(values, *alpha, *beta);
                (0..count).map(|step| level + step as f64 * trend).collect()
            }
            Self::HoltWinters { factors, season } => holt_winters(values, *factors, *season, count),
        }
    }
}

pub(super) fn extreme(values: &[f64], extreme: impl Fn(f64, f64) -> f64) -> f64 {
    values.iter().copied().reduce(extreme).unwrap_or(f64::NAN)
}

pub(super) fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

pub(super) fn deviation(values: &[f64], mean: f64) -> f64 {
    let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
    (squares / values.len() as f64).sqrt()
}

/// Elasticsearch divides by one more than the sum of weights.
pub(super) fn linear_mean(values: &[f64]) -> f64 {
    let (mut sum, mut weights) = (0.0, 1.0);
    for (weight, value) in (1_u32..).zip(values) {
        sum += value * f64::from(weight);
        weights += f64::from(weight);
    }
    if values.is_empty() {
        f64::NAN
    } else {
        sum / weights
    }
}

pub(super) fn exponential(values: &[f64], alpha: f64) -> f64 {
    let next = |mean: f64, value: f64| value * alpha + mean * (1.0 - alpha);
    values.iter().copied().reduce(next).unwrap_or(f64::NAN)
}

/// The level and the trend after the last value (Holt 1957; the first trend is 0).
pub(super) fn holt(values: &[f64], alpha: f64, beta: f64) -> (f64, f64) {
    let Some((first, rest)) = values.split_first() else {
        return (f64::NAN, f64::NAN);
    };
    let (mut level, mut trend) = (*first, 0.0);
    for value in rest {
        let next = alpha * value + (1.0 - alpha) * (level + trend);
        trend = beta * (next - level) + (1.0 - beta) * trend;
        level = next;
    }
    (level, trend)
}

/// Keeps multiplicative seasons away from zero.
const PADDING: f64 = 1e-10;

/// The next `count` values by level, trend and season (Winters 1960); nothing with less than two
/// seasons.
pub(super) fn holt_winters(
    values: &[f64],
    [alpha, beta, gamma]: [f64; 3],
    season: Season,
    count: usize,
) -> Vec<f64> {
    let period = season.period;
    if period == 0 || values.len() / 2 < period {
        return Vec::new();
    }
    let padding = if season.multiplicative { PADDING } else { 0.0 };
    let values: Vec<f64> = values.iter().map(|value| value + padding).collect();
    let width = period as f64;
    let mut level = values[..period].iter().sum::<f64>() / width;
    let slopes = (0..period).map(|place| (values[place + period] - values[place]) / width);
    let mut trend = slopes.sum::<f64>() / width;
    let mut seasons: Vec<f64> = values[..period]
        .iter()
        .map(|value| if level == 0.0 { 0.0 } else { value / level })
        .collect();
    // The first smoothed trend starts from nothing.
    let mut last = (level, 0.0);
    for (place, value) in values.iter().enumerate().skip(period) {
        let before = seasons[place - period];
        let (last_level, last_trend) = last;
        let plain = match season.multiplicative {
            true => value / before,
            false => value - before,
        };
        level = alpha * plain + (1.0 - alpha) * (last_level + last_trend);
        trend = beta * (level - last_level) + (1.0 - beta) * last_trend;
        let own = match season.multiplicative {
            true => value / (last_level + last_trend),
            false => value - (last_level - last_trend),
        };
        seasons.push(gamma * own + (1.0 - gamma) * before);
        last = (level, trend);
    }
    (1..=count)
        .map(|step| {
            let season_value = seasons[values.len() - period + (step - 1) % period];
            let ahead = level + step as f64 * trend;
            match season.multiplicative {
                true => ahead * season_value,
                false => ahead + season_value,
            }
        })
        .collect()
}
