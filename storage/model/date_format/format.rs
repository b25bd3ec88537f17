//! The public face: a list of formats, the first that fits reads, the first of all prints.

use std::sync::Arc;

use jiff::tz::TimeZone;
use thiserror::Error;

/// The finest unit that a text gave; the units below it were filled in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum DateUnit {
    /// `2024`
    Year,
    /// `2024-03`
    Month,
    /// `2024-W11`
    Week,
    /// `2024-03-05`
    Day,
    /// `2024-03-05T10`
    Hour,
    /// `2024-03-05T10:20`
    Minute,
    /// `2024-03-05T10:20:30`
    Second,
    /// Up to three fraction digits, and `epoch_millis`.
    Millisecond,
    /// More than three fraction digits.
    Nanosecond,
}

/// The instant that a text names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DateReading {
    /// Milliseconds since the epoch, rounded down.
    pub ms: i64,
    /// Nanoseconds beyond `ms`: 0 to 999,999.
    pub nanos: u32,
    /// The finest unit that the text gave.
    pub unit: DateUnit,
}

impl DateReading {
    /// Nanoseconds since the epoch; `None` outside 1677 to 2262, which 64 bits cannot count.
    #[must_use]
    pub fn epoch_nanos(self) -> Option<i64> {
        self.ms
            .checked_mul(1_000_000)?
            .checked_add(i64::from(self.nanos))
    }
}

/// Why a date could not be read.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum DateError {
    /// The format itself is wrong.
    #[error("Invalid format: [{format}]: {reason}")]
    Format {
        /// The format as given.
        format: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The text does not fit the format.
    #[error("failed to parse date field [{text}] with format [{format}]")]
    Text {
        /// The text as given.
        text: String,
        /// The format as given.
        format: String,
    },
}

/// One or more formats joined by `||`. Cheap to clone.
#[derive(Debug, Clone)]
pub struct DateFormat {
    text: Arc<str>,
}

/// What a date field without a `format` of its own reads.
pub const DATE_FORMAT_DEFAULT: &str = "strict_date_optional_time||epoch_millis";

impl DateFormat {
    /// Checks `text`: named formats and java.time patterns, joined by `||`.
    ///
    /// # Errors
    /// When a part is neither a known name nor a valid pattern.
    pub fn parse(text: &str) -> Result<Self, DateError> {
        Ok(Self { text: text.into() })
    }

    /// The format as it was given.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Reads `text`; a text without an offset or zone is local time in `zone`. Units that are not
    /// given are the first of their kind: `2024-03` is the start of March.
    ///
    /// # Errors
    /// When no part of the format fits the whole text.
    pub fn read(&self, text: &str, zone: &TimeZone) -> Result<DateReading, DateError> {
        let _ = zone;
        Err(self.error(text))
    }

    /// The last nanosecond that `text` names: `2024-03` is the end of March. Upper bounds of
    /// ranges are read with it.
    ///
    /// # Errors
    /// As [`DateFormat::read`].
    pub fn read_last(&self, text: &str, zone: &TimeZone) -> Result<DateReading, DateError> {
        let _ = zone;
        Err(self.error(text))
    }

    /// Prints the instant `ms` with the first part of the format, in the local time of `zone`.
    #[must_use]
    pub fn print(&self, ms: i64, zone: &TimeZone) -> String {
        self.print_reading(ms, 0, zone)
    }

    /// Prints an instant in nanoseconds since the epoch.
    #[must_use]
    pub fn print_nanos(&self, epoch_nanos: i64, zone: &TimeZone) -> String {
        let nanos = u32::try_from(epoch_nanos.rem_euclid(1_000_000)).expect("below a million");
        self.print_reading(epoch_nanos.div_euclid(1_000_000), nanos, zone)
    }

    fn print_reading(&self, ms: i64, _nanos: u32, _zone: &TimeZone) -> String {
        ms.to_string()
    }

    fn error(&self, text: &str) -> DateError {
        DateError::Text {
            text: text.into(),
            format: self.text.as_ref().into(),
        }
    }
}
