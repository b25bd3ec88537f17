//! Decimals as text: every digit, no rounding.

use storage::model::{Decimal, ExactSum};

/// Zeros that are written out before an exponent is shorter.
const ZEROS_MAX: usize = 30;

/// `0.0001`, `12500`, `1e300`.
pub(crate) fn decimal_text(value: Decimal) -> String {
    scaled_text(value.mantissa.into(), value.exponent)
}

/// The exact value of a sum.
pub(crate) fn sum_text(sum: &ExactSum) -> String {
    match sum.parts() {
        [] => "0".into(),
        [(exponent, mantissas)] => scaled_text(*mantissas, *exponent),
        // Parts of several powers of ten: add them digit by digit, in text.
        [(lowest, _), ..] => {
            let mut total = Digits::default();
            for (exponent, mantissas) in sum.parts() {
                let zeros = usize::try_from(i32::from(*exponent) - i32::from(*lowest));
                total.add(*mantissas, zeros.expect("parts ascend"));
            }
            let (is_negative, digits) = total.finish();
            place_point(is_negative, &digits, *lowest)
        }
    }
}

fn scaled_text(mantissa: i128, exponent: i16) -> String {
    let digits = mantissa.unsigned_abs().to_string();
    place_point(mantissa < 0, &digits, exponent)
}

/// `digits × 10^exponent` with the zeros behind the point cut.
fn place_point(is_negative: bool, digits: &str, exponent: i16) -> String {
    let kept = digits.trim_end_matches('0');
    if kept.is_empty() {
        return "0".into();
    }
    let exponent = i32::from(exponent) + i32::try_from(digits.len() - kept.len()).unwrap_or(0);
    let sign = if is_negative { "-" } else { "" };
    match usize::try_from(exponent) {
        Ok(zeros) if zeros <= ZEROS_MAX => format!("{sign}{kept}{}", "0".repeat(zeros)),
        Ok(_) => format!("{sign}{kept}e{exponent}"),
        Err(_) => {
            let places = exponent.unsigned_abs() as usize;
            match kept.len().checked_sub(places) {
                Some(whole) if whole > 0 => {
                    let (whole, fraction) = kept.split_at(whole);
                    format!("{sign}{whole}.{fraction}")
                }
                Some(_) => format!("{sign}0.{kept}"),
                None if places - kept.len() <= ZEROS_MAX => {
                    format!("{sign}0.{}{kept}", "0".repeat(places - kept.len()))
                }
                None => format!("{sign}{kept}e{exponent}"),
            }
        }
    }
}

/// A signed number of any length: decimal digits, lowest first, each from -9 to 9 until the end.
#[derive(Default)]
struct Digits(Vec<i8>);

impl Digits {
    /// Adds `value × 10^zeros`.
    fn add(&mut self, value: i128, zeros: usize) {
        let mut carry = 0_i8;
        let digits = value.unsigned_abs().to_string();
        let sign = if value < 0 { -1 } else { 1 };
        let mut place = zeros;
        for digit in digits.bytes().rev() {
            carry = self.put(place, sign * (digit - b'0').cast_signed() + carry);
            place += 1;
        }
        while carry != 0 {
            carry = self.put(place, carry);
            place += 1;
        }
    }

    /// Adds a small number at `place`; what is carried to the next one.
    fn put(&mut self, place: usize, value: i8) -> i8 {
        if self.0.len() <= place {
            self.0.resize(place + 1, 0);
        }
        let sum = self.0[place] + value;
        self.0[place] = sum % 10;
        sum / 10
    }

    /// The sign and the digits, highest first.
    fn finish(mut self) -> (bool, String) {
        let highest = self.0.iter().rev().find(|digit| **digit != 0);
        let is_negative = highest.is_some_and(|digit| *digit < 0);
        // All digits with the sign of the number: borrow where one has the other.
        let mut carry = 0;
        for digit in &mut self.0 {
            let mut value = *digit + carry;
            carry = 0;
            if is_negative && value > 0 {
                value -= 10;
                carry = 1;
            } else if !is_negative && value < 0 {
                value += 10;
                carry = -1;
            }
            *digit = value;
        }
        let digits: String = self
            .0
            .iter()
            .rev()
            .map(|digit| char::from(b'0' + digit.unsigned_abs()))
            .collect();
        let digits = digits.trim_start_matches('0');
        (is_negative, digits.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decimals_are_written_with_all_their_digits() {
        let check = |mantissa, exponent, text: &str| {
            assert_eq!(decimal_text(Decimal { mantissa, exponent }), text);
        };
        check(0, 5, "0");
        check(15, -1, "1.5");
        check(-1500, -2, "-15");
        check(1, -8, "0.00000001");
        check(125, 2, "12500");
        check(5, -324, "5e-324");
        check(17_976_931_348_623_157, 292, "17976931348623157e292");
        check(i64::MIN, 0, "-9223372036854775808");
    }

    #[test]
    fn sums_of_many_powers_of_ten_are_exact() {
        let check = |parts: &[(i128, i16)], text: &str| {
            let mut sum = ExactSum::default();
            for (mantissas, exponent) in parts {
                sum.add_scaled(*mantissas, *exponent);
            }
            assert_eq!(sum_text(&sum), text);
        };
        check(&[], "0");
        check(&[(1, 3), (1, -3)], "1000.001");
        check(&[(1, 3), (-1, -3)], "999.999");
        check(&[(-1, 3), (1, -3)], "-999.999");
        check(
            &[(i128::MAX, 0), (5, -1)],
            "170141183460469231731687303715884105727.5",
        );
        check(
            &[(-i128::MAX, 2), (-99, 0)],
            "-17014118346046923173168730371588410572799",
        );
        check(&[(100, 0), (-1, 2)], "0");
    }
}
