//! Numbers as text.

use crate::model::Decimal;

/// How a number with a power of ten is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ExponentStyle {
    /// `E` instead of `e`.
    pub is_upper: bool,
    /// `1.0e5` instead of `1e5`.
    pub has_point: bool,
    /// `1e+5` instead of `1e5`.
    pub has_plus: bool,
    /// `1e05` instead of `1e5`.
    pub is_padded: bool,
}

/// Appends `value` without a power of ten, with `places_min` (0 or 1) digits behind the point at
/// least.
pub(super) fn print_plain(value: Decimal, places_min: usize, out: &mut Vec<u8>) {
    let value = value.normalized();
    let digits = put_sign(value, out);
    let digits = digits.as_bytes();
    let places = usize::from(value.exponent.min(0).unsigned_abs());
    if places == 0 {
        let zeros = usize::from(value.exponent.unsigned_abs());
        out.extend_from_slice(digits);
        out.extend(std::iter::repeat_n(b'0', zeros));
        if places_min > 0 {
            out.extend_from_slice(b".0");
        }
        return;
    }
    let whole = digits.len().saturating_sub(places);
    match whole {
        0 => out.push(b'0'),
        _ => out.extend_from_slice(&digits[..whole]),
    }
    out.push(b'.');
    out.extend(std::iter::repeat_n(b'0', places - (digits.len() - whole)));
    out.extend_from_slice(&digits[whole..]);
}

/// Appends `value` with exactly `places` digits behind the point; `None` when it has more.
pub(super) fn print_places(value: Decimal, places: u8, out: &mut Vec<u8>) -> Option<()> {
    let value = value.normalized();
    let own = usize::from(value.exponent.min(0).unsigned_abs());
    let missing = usize::from(places).checked_sub(own)?;
    print_plain(value, 0, out);
    if own == 0 && missing > 0 {
        out.push(b'.');
    }
    out.extend(std::iter::repeat_n(b'0', missing));
    Some(())
}

/// Appends the sign of `value` and gives its digits.
fn put_sign(value: Decimal, out: &mut Vec<u8>) -> String {
    if value.mantissa < 0 {
        out.push(b'-');
    }
    value.mantissa.unsigned_abs().to_string()
}

impl ExponentStyle {
    /// All of them.
    pub fn all() -> impl Iterator<Item = Self> {
        (0..16).map(Self::from_flags)
    }

    pub(super) fn flags(self) -> u8 {
        u8::from(self.is_upper)
            | u8::from(self.has_point) << 1
            | u8::from(self.has_plus) << 2
            | u8::from(self.is_padded) << 3
    }

    pub(super) fn from_flags(flags: u8) -> Self {
        Self {
            is_upper: flags & 1 != 0,
            has_point: flags & 2 != 0,
            has_plus: flags & 4 != 0,
            is_padded: flags & 8 != 0,
        }
    }

    pub(super) fn print(self, value: Decimal, out: &mut Vec<u8>) {
        let value = value.normalized();
        let digits = put_sign(value, out);
        let (first, rest) = digits.as_bytes().split_at(1);
        out.extend_from_slice(first);
        match (rest, self.has_point) {
            ([], false) => {}
            ([], true) => out.extend_from_slice(b".0"),
            (rest, _) => {
                out.push(b'.');
                out.extend_from_slice(rest);
            }
        }
        out.push(if self.is_upper { b'E' } else { b'e' });
        // A mantissa has 19 digits at most.
        let exponent = i32::from(value.exponent) + rest.len() as i32;
        match (exponent < 0, self.has_plus) {
            (true, _) => out.push(b'-'),
            (false, true) => out.push(b'+'),
            (false, false) => {}
        }
        let exponent = exponent.unsigned_abs();
        if self.is_padded && exponent < 10 {
            out.push(b'0');
        }
        out.extend_from_slice(exponent.to_string().as_bytes());
    }
}
