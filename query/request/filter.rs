//! Which rows take part.

use std::collections::BTreeSet;
use std::ops::Bound;

use storage::model::{Decimal, GeoPoint, Span, SpanRelation};

use super::FieldRef;
use crate::row_script::RowScript;
use crate::text::Analyzer;

/// Which rows take part. A row matches or not; nothing is scored.
#[derive(Debug, Clone)]
pub enum Filter {
    /// Every row.
    All,
    /// No row.
    None,
    /// All of them match; every row when empty.
    And(Vec<Filter>),
    /// At least `count` of them match.
    AtLeast {
        /// How many must match.
        count: usize,
        /// The choices.
        of: Vec<Filter>,
    },
    /// The inner filter does not match.
    Not(Box<Filter>),
    /// The field has a value.
    Exists(FieldRef),
    /// A value of the number field lies in the range. Dates are in the column's own unit.
    NumberRange {
        /// An integer or decimal field.
        field: FieldRef,
        /// Lower bound.
        lower: Bound<Decimal>,
        /// Upper bound.
        upper: Bound<Decimal>,
    },
    /// A value of the number field is one of these.
    NumberIn {
        /// An integer or decimal field.
        field: FieldRef,
        /// The values.
        values: Vec<Decimal>,
    },
    /// A value of the text field fits the predicate.
    Text {
        /// A text field.
        field: FieldRef,
        /// What must hold of one of its values.
        predicate: TextPredicate,
    },
    /// The row's id is one of these.
    Ids(BTreeSet<String>),
    /// A place lies so far from another one.
    Distance {
        /// A field of places.
        field: FieldRef,
        /// The other place.
        from: GeoPoint,
        /// The distance, in metres.
        metres: (Bound<f64>, Bound<f64>),
    },
    /// The script holds.
    Script(Box<RowScript>),
    /// A place of the field lies in the area.
    Place {
        /// A field of places.
        field: FieldRef,
        /// Where.
        area: Area,
    },
    /// Rows of one of several shares, by their ids.
    Slice(Slice),
}

/// A part of the globe.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Area {
    /// Between two corners; from east to west across the date line if the first lies east.
    Box {
        /// One corner.
        north_west: GeoPoint,
        /// The other.
        south_east: GeoPoint,
    },
    /// So far around a place.
    Circle {
        /// The place.
        center: GeoPoint,
        /// How far.
        radius_m: f64,
    },
}

impl Area {
    /// Whether `place` lies inside.
    #[must_use]
    pub fn contains(&self, place: GeoPoint) -> bool {
        match self {
            Self::Box {
                north_west,
                south_east,
            } => {
                let (west, east) = (north_west.longitude, south_east.longitude);
                let is_between = match west <= east {
                    true => (west..=east).contains(&place.longitude),
                    false => place.longitude >= west || place.longitude <= east,
                };
                is_between && (south_east.latitude..=north_west.latitude).contains(&place.latitude)
            }
            Self::Circle { center, radius_m } => center.distance_m(place) <= *radius_m,
        }
    }
}

/// One of several shares of all rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Slice {
    /// Which.
    pub number: u32,
    /// Of how many.
    pub count: u32,
    /// Ids are dealt out to so many piles first, and these to the shares.
    pub piles: u32,
}

impl Slice {
    /// Whether the row of this id is in the share.
    #[must_use]
    pub fn contains(&self, id: &str) -> bool {
        let hash = murmur3(id);
        let remainder = |of: i32, by: u32| i64::from(of).rem_euclid(i64::from(by.max(1)));
        let pile = remainder(hash, self.piles);
        let (count, number) = (i64::from(self.count.max(1)), i64::from(self.number));
        if count <= i64::from(self.piles) {
            return pile % count == number;
        }
        // Several shares to a pile.
        let piles = i64::from(self.piles.max(1));
        let shares = (count - pile).div_euclid(piles) + i64::from((count - pile) % piles != 0);
        let within = remainder(hash.rotate_left(13), u32::try_from(shares).unwrap_or(1));
        pile + within * piles == number
    }
}

/// What must hold of a distinct text. Evaluated once a term, never once a row.
#[derive(Debug, Clone)]
pub enum TextPredicate {
    /// The whole text is one of these.
    In(BTreeSet<Vec<u8>>),
    /// The whole text lies between, compared by bytes.
    Range {
        /// Lower bound.
        lower: Bound<Vec<u8>>,
        /// Upper bound.
        upper: Bound<Vec<u8>>,
    },
    /// The text is an IP address from the first to the last, both as numbers of IPv6.
    Address {
        /// The first address.
        first: u128,
        /// The last address.
        last: u128,
    },
    /// The whole text, or for a full-text field one of its tokens, fits the pattern.
    Pattern {
        /// An anchored pattern.
        pattern: Pattern,
        /// Against tokens instead of the whole text.
        tokens: bool,
    },
    /// The text's tokens hold these: see [`TokenMatch`].
    Tokens {
        /// Tokens as `query::text::tokens` makes them.
        tokens: Vec<String>,
        /// How they must occur.
        how: TokenMatch,
    },
    /// Words at places that fit together.
    Intervals(Intervals),
    /// The predicate fits the tokens that this analyzer makes of the text.
    Analyzed {
        /// How the text is cut.
        analyzer: Analyzer,
        /// A predicate over tokens.
        predicate: Box<TextPredicate>,
    },
    /// The text says a span that stands so to the one given.
    Span {
        /// The other span.
        span: Span,
        /// How the text's span stands to it.
        relation: SpanRelation,
    },
}

/// Places of a text that are looked for.
#[derive(Debug, Clone)]
pub enum Intervals {
    /// One word.
    Word(WordMatch),
    /// One of each.
    All {
        /// What is to be there.
        of: Vec<Intervals>,
        /// In which order.
        order: IntervalOrder,
        /// Most words between.
        gaps_max: Option<u32>,
    },
    /// One of them.
    Any(Vec<Intervals>),
    /// Those that stand so to others.
    Filtered {
        /// What is looked for.
        of: Box<Intervals>,
        /// How they stand.
        filter: IntervalFilter,
        /// To what.
        by: Box<Intervals>,
    },
}

/// A word of a text.
#[derive(Debug, Clone)]
pub enum WordMatch {
    /// This one.
    Is(String),
    /// One that fits.
    Fits(Pattern),
}

/// In which order intervals stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IntervalOrder {
    /// One behind the other.
    Ordered,
    /// In any, and they may overlap.
    Unordered,
    /// In any, and they do not overlap.
    Apart,
}

/// How an interval stands to one of others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IntervalFilter {
    /// It has one inside.
    Containing,
    /// It has none inside.
    NotContaining,
    /// It is inside of one.
    ContainedBy,
    /// It is inside of none.
    NotContainedBy,
    /// It shares a word with one.
    Overlapping,
    /// It shares a word with none.
    NotOverlapping,
    /// It stands before one.
    Before,
    /// It stands behind one.
    After,
}

/// How tokens must occur in a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TokenMatch {
    /// At least one of them.
    Any,
    /// All of them, anywhere.
    All,
    /// All of them in this order; up to `slop` moves apart.
    Phrase {
        /// How many positions they may be off together.
        slop: u32,
    },
}

/// A pattern over a whole text.
#[derive(Debug, Clone)]
pub enum Pattern {
    /// `*` is any text, `?` any character, `\` takes the next literally.
    Wildcard(String),
    /// A regular expression in the syntax of the `regex` crate; its reader anchors it at both ends.
    Regex(String),
    /// Texts that few changes of letters make of a word.
    Near {
        /// The word.
        word: String,
        /// Most letters that are wrong, missing, added or exchanged.
        edits_max: usize,
        /// So many first letters must be the same.
        prefix_chars: usize,
    },
}

/// The hash that documents are dealt out to shards by: MurmurHash3 of the id's UTF-16.
fn murmur3(id: &str) -> i32 {
    let bytes: Vec<u8> = id.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let mixed = |word: u32| {
        let word = word.wrapping_mul(0xcc9e_2d51).rotate_left(15);
        word.wrapping_mul(0x1b87_3593)
    };
    let mut hash: u32 = 0;
    let mut words = bytes.chunks_exact(4);
    for word in &mut words {
        let word = u32::from_le_bytes(word.try_into().expect("it has four bytes"));
        hash = (hash ^ mixed(word)).rotate_left(13);
        hash = hash.wrapping_mul(5).wrapping_add(0xe654_6b64);
    }
    let mut last = [0; 4];
    let rest = words.remainder();
    last[..rest.len()].copy_from_slice(rest);
    if !rest.is_empty() {
        hash ^= mixed(u32::from_le_bytes(last));
    }
    hash ^= u32::try_from(bytes.len()).unwrap_or(u32::MAX);
    hash = (hash ^ hash >> 16).wrapping_mul(0x85eb_ca6b);
    hash = (hash ^ hash >> 13).wrapping_mul(0xc2b2_ae35);
    (hash ^ hash >> 16).cast_signed()
}
