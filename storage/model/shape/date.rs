//! Dates as text.

use crate::model::date_format::{DAY_MS, Date};

const MINUTE_MS: i64 = 60_000;

/// How a date is written: year first, all numbers with their zeros. What follows (`Z`, an offset,
/// further zeros) belongs to the text behind the hole.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct DateStyle {
    /// `2024/03/05` instead of `2024-03-05`.
    pub has_slashes: bool,
    /// Whether the time of day follows.
    pub has_time: bool,
    /// A space before the time of day instead of a `T`.
    pub has_space: bool,
    /// Whether three digits of a second's fraction follow.
    pub has_millis: bool,
    /// How far local time is before UTC.
    pub offset_minutes: i16,
}

impl DateStyle {
    pub(super) fn flags(self) -> u8 {
        u8::from(self.has_slashes)
            | u8::from(self.has_time) << 1
            | u8::from(self.has_space) << 2
            | u8::from(self.has_millis) << 3
    }

    pub(super) fn from_flags(flags: u8, offset_minutes: i16) -> Self {
        Self {
            has_slashes: flags & 1 != 0,
            has_time: flags & 2 != 0,
            has_space: flags & 4 != 0,
            has_millis: flags & 8 != 0,
            offset_minutes,
        }
    }

    /// Bytes of every date of this style.
    #[must_use]
    pub fn text_bytes(self) -> usize {
        match (self.has_time, self.has_millis) {
            (false, _) => 10,
            (true, false) => 19,
            (true, true) => 23,
        }
    }

    /// The instant that the whole of `text` names, if it has this style; years before 1000 have
    /// not.
    #[must_use]
    pub fn read(self, text: &[u8]) -> Option<i64> {
        if text.len() != self.text_bytes() {
            return None;
        }
        let separator = if self.has_slashes { b'/' } else { b'-' };
        if text[4] != separator || text[7] != separator || text[0] == b'0' {
            return None;
        }
        let date = Date {
            year: digits(&text[..4])?,
            month: digits(&text[5..7])?,
            day: digits(&text[8..10])?,
        };
        if !date.is_valid() {
            return None;
        }
        let day_ms = date.epoch_days() * DAY_MS;
        let time_ms = match self.has_time {
            true => self.read_time(&text[10..])?,
            false => 0,
        };
        Some(day_ms + time_ms - i64::from(self.offset_minutes) * MINUTE_MS)
    }

    /// Milliseconds of the day that `text`, from its separator on, names.
    #[must_use]
    fn read_time(self, text: &[u8]) -> Option<i64> {
        let separator = if self.has_space { b' ' } else { b'T' };
        if text[0] != separator || text[3] != b':' || text[6] != b':' {
            return None;
        }
        let hour = digits(&text[1..3])?;
        let (minute, second) = (digits(&text[4..6])?, digits(&text[7..9])?);
        if hour > 23 || minute > 59 || second > 59 {
            return None;
        }
        let millis = match self.has_millis {
            true if text[9] == b'.' => digits(&text[10..])?,
            true => return None,
            false => 0,
        };
        Some(((hour * 60 + minute) * 60 + second) * 1000 + millis)
    }

    pub(super) fn print(self, ms: i64, out: &mut Vec<u8>) -> Option<()> {
        let local_ms = ms.checked_add(i64::from(self.offset_minutes) * MINUTE_MS)?;
        let date = Date::from_epoch_days(local_ms.div_euclid(DAY_MS));
        let day_ms = local_ms.rem_euclid(DAY_MS);
        if !(1000..=9999).contains(&date.year)
            || !self.has_time && day_ms != 0
            || !self.has_millis && day_ms % 1000 != 0
        {
            return None;
        }
        let separator = if self.has_slashes { '/' } else { '-' };
        let (year, month, day) = (date.year, date.month, date.day);
        let mut text = format!("{year:04}{separator}{month:02}{separator}{day:02}");
        if self.has_time {
            text.push(if self.has_space { ' ' } else { 'T' });
            let seconds = day_ms / 1000;
            let (hour, minute, second) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
            text.push_str(&format!("{hour:02}:{minute:02}:{second:02}"));
            if self.has_millis {
                text.push_str(&format!(".{:03}", day_ms % 1000));
            }
        }
        out.extend_from_slice(text.as_bytes());
        Some(())
    }
}

/// The number that `text`, digits only, says.
fn digits(text: &[u8]) -> Option<i64> {
    text.iter().try_fold(0, |number, byte| {
        let digit = byte.wrapping_sub(b'0');
        (digit < 10).then(|| number * 10 + i64::from(digit))
    })
}
