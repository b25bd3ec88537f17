//! Event time in milliseconds since 1970-01-01T00:00:00Z.

use serde::{Deserialize, Serialize};

/// One hour, the grain of rollup cells, in milliseconds.
pub const HOUR_MS: i64 = 3_600_000;

/// An instant in milliseconds since the epoch; negative before 1970.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Timestamp(pub i64);

/// A half-open range of instants in milliseconds: `start <= t < end`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct TimeRange {
    start_ms: i64,
    end_ms: i64,
}

impl TimeRange {
    /// Every instant but `i64::MAX`.
    pub const ALL: Self = Self {
        start_ms: i64::MIN,
        end_ms: i64::MAX,
    };

    /// `start_ms <= t < end_ms`; a range that would run backwards is empty at its start.
    #[must_use]
    pub fn new(start_ms: i64, end_ms: i64) -> Self {
        Self {
            start_ms,
            end_ms: end_ms.max(start_ms),
        }
    }

    /// First instant inside.
    #[must_use]
    pub fn start_ms(self) -> i64 {
        self.start_ms
    }

    /// First instant behind.
    #[must_use]
    pub fn end_ms(self) -> i64 {
        self.end_ms
    }

    /// Whether nothing lies inside.
    #[must_use]
    pub fn is_empty(self) -> bool {
        self.start_ms >= self.end_ms
    }

    /// Whether `time_ms` lies inside.
    #[must_use]
    pub fn contains(self, time_ms: i64) -> bool {
        self.start_ms <= time_ms && time_ms < self.end_ms
    }

    /// Whether the closed range `[first_ms, last_ms]` shares an instant with this one.
    #[must_use]
    pub fn touches(self, first_ms: i64, last_ms: i64) -> bool {
        first_ms < self.end_ms && last_ms >= self.start_ms
    }

    /// Whether the closed range `[first_ms, last_ms]` lies wholly inside.
    #[must_use]
    pub fn covers(self, first_ms: i64, last_ms: i64) -> bool {
        self.start_ms <= first_ms && last_ms < self.end_ms
    }

    /// What both ranges share.
    #[must_use]
    pub fn intersection(self, other: Self) -> Self {
        Self::new(
            self.start_ms.max(other.start_ms),
            self.end_ms.min(other.end_ms),
        )
    }
}
