//! The public face: a list of formats, the first that fits reads, the first of all prints.

use std::sync::Arc;

use jiff::tz::TimeZone;
use thiserror::Error;

use super::epoch::{self, EpochUnit};
use super::fields::{End, Fields};
use super::pattern::{self, Dialect, Item};
use super::print::{self, Local};
use super::{iso, named, read};

/// The finest unit that a text gave; the units below it were filled in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum DateUnit {
    /// `2024`
    Year,
    /// `2024-Q1`
    Quarter,
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

/// What a date field without a `format` of its own reads.
pub const DATE_FORMAT_DEFAULT: &str = "strict_date_optional_time||epoch_millis";

/// Most formats in one list.
const PARTS_MAX: usize = 64;

/// One format of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    /// `strict_date_optional_time`: reads with units missing from the end, prints all of them.
    Iso,
    /// `date_optional_time`: reads these items, prints as `Iso`.
    IsoLenient(Vec<Item>),
    Epoch(EpochUnit),
    Items(Vec<Item>),
}

/// One or more formats joined by `||`. Cheap to clone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DateFormat {
    text: Arc<str>,
    parts: Arc<[Part]>,
}

impl Default for DateFormat {
    fn default() -> Self {
        Self::parse(DATE_FORMAT_DEFAULT).expect("the default format is valid")
    }
}

impl DateFormat {
    /// Checks `text`: named formats and java.time patterns, joined by `||`.
    ///
    /// # Errors
    /// When a part is neither a known name nor a valid pattern.
    pub fn parse(text: &str) -> Result<Self, DateError> {
        let error = |reason: String| DateError::Format {
            format: text.into(),
            reason,
        };
        let parts: Vec<Part> = text
            .split("||")
            .take(PARTS_MAX + 1)
            .map(Part::parse)
            .collect::<Result<_, _>>()
            .map_err(error)?;
        if parts.len() > PARTS_MAX {
            return Err(error(format!("more than {PARTS_MAX} formats")));
        }
        Ok(Self {
            text: text.into(),
            parts: parts.into(),
        })
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
        self.read_end(text, zone, End::First)
    }

    /// The last nanosecond that `text` names: `2024-03` is the end of March. Upper bounds of
    /// ranges are read with it.
    ///
    /// # Errors
    /// As [`DateFormat::read`].
    pub fn read_last(&self, text: &str, zone: &TimeZone) -> Result<DateReading, DateError> {
        self.read_end(text, zone, End::Last)
    }

    /// Prints the instant `ms` with the first part of the format, in the local time of `zone`.
    #[must_use]
    pub fn print(&self, ms: i64, zone: &TimeZone) -> String {
        self.parts[0].print(ms, 0, zone)
    }

    /// Prints an instant in nanoseconds since the epoch.
    #[must_use]
    pub fn print_nanos(&self, epoch_nanos: i64, zone: &TimeZone) -> String {
        let nanos = u32::try_from(epoch_nanos.rem_euclid(1_000_000)).expect("below a million");
        self.parts[0].print(epoch_nanos.div_euclid(1_000_000), nanos, zone)
    }

    fn read_end(&self, text: &str, zone: &TimeZone, end: End) -> Result<DateReading, DateError> {
        self.parts
            .iter()
            .find_map(|part| part.read(text, zone, end))
            .ok_or_else(|| DateError::Text {
                text: text.into(),
                format: self.text.as_ref().into(),
            })
    }
}

/// Length of the texts that most formats print, and some more.
const TEXT_BYTES: usize = 32;

impl Part {
    fn parse(text: &str) -> Result<Self, String> {
        // An 8 in front once told java.time patterns from older ones.
        let text = text.strip_prefix('8').unwrap_or(text);
        let part = match text {
            "" => return Err("No date pattern provided".into()),
            "strict_date_optional_time" | "strict_date_optional_time_nanos" | "iso8601" => {
                Self::Iso
            }
            "epoch_millis" => Self::Epoch(EpochUnit::Milliseconds),
            "epoch_second" => Self::Epoch(EpochUnit::Seconds),
            _ => match named::items(text) {
                Some(items) if text == "date_optional_time" => Self::IsoLenient(items),
                Some(items) => Self::Items(items),
                None => Self::Items(pattern::compile(text, Dialect::Java)?),
            },
        };
        Ok(part)
    }

    fn read(&self, text: &str, zone: &TimeZone, end: End) -> Option<DateReading> {
        let fields: Fields = match self {
            Self::Iso => iso::read(text)?,
            Self::IsoLenient(items) | Self::Items(items) => read::read(items, text)?,
            Self::Epoch(unit) => return epoch::read(*unit, text, end),
        };
        fields.resolve(zone, end)
    }

    fn print(&self, ms: i64, nanos: u32, zone: &TimeZone) -> String {
        let mut out = String::with_capacity(TEXT_BYTES);
        match self {
            Self::Iso | Self::IsoLenient(_) => {
                print::print_iso(&Local::new(ms, nanos, zone), &mut out);
            }
            Self::Epoch(unit) => epoch::print(*unit, ms, nanos, &mut out),
            Self::Items(items) => print::print(items, &Local::new(ms, nanos, zone), &mut out),
        }
        out
    }
}
