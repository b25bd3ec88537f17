//! Ranges of values as texts that a column of texts holds: two numbers of 32 hex digits.

/// Everything from `first` to `last`, both inside. Values of every kind are numbers here that have
/// the order of the values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    /// The first value.
    pub first: u128,
    /// The last value.
    pub last: u128,
}

/// How one span stands to another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SpanRelation {
    /// They share a value.
    Intersects,
    /// It has all values of the other.
    Contains,
    /// The other has all of its values.
    Within,
}

impl Span {
    /// The place of an integer among all integers.
    #[must_use]
    pub fn of_integer(number: i64) -> u128 {
        u128::from(number as u64 ^ 1 << 63)
    }

    /// The place of a double among all doubles.
    #[must_use]
    pub fn of_double(number: f64) -> u128 {
        // Zero has one place.
        let bits = (number + 0.0).to_bits();
        u128::from(match bits >> 63 {
            1 => !bits,
            _ => bits | 1 << 63,
        })
    }

    /// The integer of a place.
    #[must_use]
    pub fn integer(place: u128) -> i64 {
        place as u64 as i64 ^ i64::MIN
    }

    /// The double of a place.
    #[must_use]
    pub fn double(place: u128) -> f64 {
        let bits = place as u64;
        f64::from_bits(match bits >> 63 {
            1 => bits ^ 1 << 63,
            _ => !bits,
        })
    }

    /// As a text; texts of spans sort by their first values.
    #[must_use]
    pub fn text(self) -> String {
        format!("{:032x}{:032x}", self.first, self.last)
    }

    /// The span that a text says.
    #[must_use]
    pub fn parse(text: &[u8]) -> Option<Self> {
        let text = std::str::from_utf8(text).ok()?;
        let (first, last) = (text.get(..32)?, text.get(32..64)?);
        let number = |digits| u128::from_str_radix(digits, 16).ok();
        Some(Self {
            first: number(first)?,
            last: number(last)?,
        })
    }

    /// Whether it stands so to `other`.
    #[must_use]
    pub fn stands(self, relation: SpanRelation, other: Self) -> bool {
        match relation {
            SpanRelation::Intersects => self.first <= other.last && other.first <= self.last,
            SpanRelation::Contains => self.first <= other.first && other.last <= self.last,
            SpanRelation::Within => other.first <= self.first && self.last <= other.last,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_have_the_order_of_values() {
        let integers = [i64::MIN, -1, 0, 1, i64::MAX].map(Span::of_integer);
        assert!(integers.is_sorted());
        let doubles = [f64::NEG_INFINITY, -1.5, -0.0, 1e-300, 2.0, f64::INFINITY];
        assert!(doubles.map(Span::of_double).is_sorted());
        assert_eq!(Span::of_double(-0.0), Span::of_double(0.0));
        for number in [i64::MIN, -1, 0, 1, i64::MAX] {
            assert_eq!(Span::integer(Span::of_integer(number)), number);
        }
        for number in [f64::NEG_INFINITY, -1.5, 0.0, 1e300] {
            assert_eq!(Span::double(Span::of_double(number)), number);
        }
    }

    #[test]
    fn spans_are_texts() {
        let span = Span {
            first: 5,
            last: u128::MAX,
        };
        assert_eq!(Span::parse(span.text().as_bytes()), Some(span));
        assert_eq!(Span::parse(b"5"), None);
        let other = Span { first: 1, last: 5 };
        assert!(span.stands(SpanRelation::Intersects, other));
        assert!(!span.stands(SpanRelation::Contains, other));
        assert!(other.stands(SpanRelation::Within, Span { first: 0, last: 9 }));
    }
}
