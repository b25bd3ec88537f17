//! Numbers as JSON and as texts.

use serde::ser::{Serialize, Serializer};
use serde_json::value::RawValue;
use storage::model::{Decimal, ExactSum};

use crate::elastic::ElasticError;

/// Integers up to here are exact in an IEEE double.
const EXACT_INTEGER_MAX: u64 = 1 << 53;

/// Most digits that a format may ask for.
const DIGITS_MAX: usize = 64;

/// A number that metrics print: always with a decimal point, and a whole number beyond 2^53 with
/// all its digits.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Number {
    /// Rounded to a double.
    Double(f64),
    /// Too large for one, but whole.
    Whole(i128),
}

impl Number {
    pub(super) fn of_decimal(value: Decimal) -> Self {
        let is_large = value.mantissa.unsigned_abs() > EXACT_INTEGER_MAX;
        if value.exponent == 0 && is_large {
            return Self::Whole(value.mantissa.into());
        }
        Self::Double(value.to_f64())
    }

    pub(super) fn of_sum(sum: &ExactSum) -> Self {
        match sum.parts() {
            [(0, whole)] if whole.unsigned_abs() > EXACT_INTEGER_MAX.into() => Self::Whole(*whole),
            _ => Self::Double(sum.to_f64()),
        }
    }

    /// Nanoseconds as milliseconds.
    pub(super) fn milliseconds(self) -> Self {
        Self::Double(self.to_f64() / 1e6)
    }

    pub(super) fn to_f64(&self) -> f64 {
        match self {
            Self::Double(value) => *value,
            #[expect(
                clippy::cast_precision_loss,
                reason = "the nearest double is asked for"
            )]
            Self::Whole(value) => *value as f64,
        }
    }
}

impl Serialize for Number {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Double(value) => serializer.serialize_f64(*value),
            Self::Whole(value) => RawValue::from_string(format!("{value}.0"))
                .expect("digits are JSON")
                .serialize(serializer),
        }
    }
}

/// A double as Java prints it: `50.0`, `99.9`, `1.0E7`.
pub(super) fn java_double(value: f64) -> String {
    let magnitude = value.abs();
    if value == 0.0 || (1e-3..1e7).contains(&magnitude) || !value.is_finite() {
        return format!("{value:?}");
    }
    let text = format!("{value:E}");
    match text.split_once('E') {
        Some((digits, exponent)) if !digits.contains('.') => format!("{digits}.0E{exponent}"),
        Some(_) | None => text,
    }
}

/// A pattern for numbers as `java.text.DecimalFormat` has them: `#,##0.00`, `'BTC '0.0000`, `0%`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::elastic) struct DecimalPattern {
    prefix: String,
    suffix: String,
    whole_digits_min: usize,
    fraction_digits_min: usize,
    fraction_digits_max: usize,
    /// Digits between separators; 0 is none.
    group: usize,
    percent: bool,
}

impl DecimalPattern {
    /// Reads a pattern; of several with `;` the first.
    ///
    /// # Errors
    /// When it has no digit, or letters that mean nothing.
    pub(in crate::elastic) fn parse(text: &str) -> Result<Self, ElasticError> {
        let wrong = || ElasticError::illegal_argument(format!("Malformed pattern \"{text}\""));
        let mut pattern = Self {
            prefix: String::new(),
            suffix: String::new(),
            whole_digits_min: 0,
            fraction_digits_min: 0,
            fraction_digits_max: 0,
            group: 0,
            percent: false,
        };
        let (mut seen_digits, mut in_fraction, mut in_suffix, mut quoted) =
            (0_usize, false, false, false);
        let mut since_separator = None;
        let mut characters = text.chars().peekable();
        while let Some(c) = characters.next() {
            let out = if in_suffix || seen_digits > 0 {
                &mut pattern.suffix
            } else {
                &mut pattern.prefix
            };
            match c {
                '\'' if characters.peek() == Some(&'\'') => {
                    characters.next();
                    out.push('\'');
                }
                '\'' => quoted = !quoted,
                c if quoted => out.push(c),
                ';' => break,
                '#' | '0' if in_suffix => return Err(wrong()),
                '#' | '0' => {
                    seen_digits += 1;
                    since_separator = since_separator.map(|count: usize| count + 1);
                    match (in_fraction, c) {
                        (false, '0') => pattern.whole_digits_min += 1,
                        (false, _) => {}
                        (true, '0') => {
                            pattern.fraction_digits_min += 1;
                            pattern.fraction_digits_max += 1;
                        }
                        (true, _) => pattern.fraction_digits_max += 1,
                    }
                }
                ',' if !in_fraction && !in_suffix => since_separator = Some(0),
                '.' if !in_fraction && !in_suffix => {
                    in_fraction = true;
                    pattern.group = since_separator.take().unwrap_or(0);
                    seen_digits += 1;
                }
                c => {
                    pattern.percent |= c == '%';
                    in_suffix = seen_digits > 0;
                    out.push(c);
                }
            }
        }
        if let Some(group) = since_separator {
            pattern.group = group;
        }
        let has_digits = seen_digits > usize::from(in_fraction);
        if quoted || !has_digits || seen_digits > DIGITS_MAX {
            return Err(wrong());
        }
        Ok(pattern)
    }

    /// The number in this pattern, halves rounded to even.
    pub(super) fn print(&self, value: f64) -> String {
        let value = if self.percent { value * 100.0 } else { value };
        if !value.is_finite() {
            return format!("{}{value}{}", self.prefix, self.suffix);
        }
        let digits = format!("{:.*}", self.fraction_digits_max, value.abs());
        let (whole, fraction) = digits.split_once('.').unwrap_or((&digits, ""));
        let kept = fraction
            .trim_end_matches('0')
            .len()
            .max(self.fraction_digits_min);
        let fraction = &fraction[..kept.min(fraction.len())];
        let whole = whole.trim_start_matches('0');
        let whole = format!(
            "{}{whole}",
            "0".repeat(self.whole_digits_min.saturating_sub(whole.len()))
        );
        let is_zero = !whole
            .bytes()
            .chain(fraction.bytes())
            .any(|digit| digit != b'0');
        let sign = if value < 0.0 && !is_zero { "-" } else { "" };
        let whole = if whole.is_empty() && fraction.is_empty() {
            "0".into()
        } else {
            whole
        };
        let point = if fraction.is_empty() { "" } else { "." };
        let whole = self.grouped(&whole);
        format!(
            "{sign}{}{whole}{point}{fraction}{}",
            self.prefix, self.suffix
        )
    }

    fn grouped(&self, whole: &str) -> String {
        if self.group == 0 {
            return whole.into();
        }
        let mut out = String::with_capacity(whole.len() * 2);
        for (index, digit) in whole.chars().enumerate() {
            if index > 0 && (whole.len() - index).is_multiple_of(self.group) {
                out.push(',');
            }
            out.push(digit);
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(pattern: &str, value: f64, expected: &str) {
        let pattern = DecimalPattern::parse(pattern).expect(pattern);
        assert_eq!(pattern.print(value), expected);
    }

    #[test]
    fn patterns() {
        check("0.00", 33045.56059483434, "33045.56");
        check("#,##0", 4502.0, "4,502");
        check("'BTC '0.0000", 943.06375229, "BTC 943.0638");
        check("0.0", 400000.0, "400000.0");
        check("#.##", 0.5, ".5");
        check("0.###", -1.5, "-1.5");
        check("0", 2.5, "2");
        check("0.0", -0.01, "0.0");
        check("0%", 0.256, "26%");
        check("#,##0.00", 1234567.891, "1,234,567.89");
        check("000", 7.0, "007");
        for wrong in ["", "abc", "'open", "0x0"] {
            DecimalPattern::parse(wrong).expect_err(wrong);
        }
    }

    #[test]
    fn whole_numbers_keep_their_digits() {
        let shown = |number: Number| serde_json::to_string(&number).expect("JSON");
        assert_eq!(shown(Number::of_decimal(Decimal::from_i64(7))), "7.0");
        let large = Decimal::from_i64(9_007_199_254_740_993);
        assert_eq!(shown(Number::of_decimal(large)), "9007199254740993.0");
        let mut sum = ExactSum::default();
        sum.add_scaled(3 * i128::from(i64::MAX), 0);
        assert_eq!(shown(Number::of_sum(&sum)), "27670116110564327421.0");
        assert_eq!(shown(Number::of_sum(&ExactSum::default())), "0.0");
    }
}
