//! What rows score: how well they fit, by the weights of what they match.

use storage::model::GeoPoint;

use crate::request::{FieldRef, Filter};
use crate::text::Analyzer;

/// What a row scores. A row that nothing here fits scores 0.
#[derive(Debug, Clone)]
pub enum Scoring {
    /// Every row the same.
    Always(f64),
    /// Rows that match, all the same.
    Matching {
        /// Which rows.
        filter: Filter,
        /// What they score.
        score: f64,
    },
    /// Rows that match, by something else.
    When {
        /// Which rows.
        filter: Filter,
        /// What they score.
        of: Box<Scoring>,
    },
    /// Words of a text, the rarer the more.
    Words(WordScoring),
    /// All together.
    Sum(Vec<Scoring>),
    /// The best of them, and a part of the others.
    Best {
        /// The choices.
        of: Vec<Scoring>,
        /// How much of what is not the best is added.
        others: f64,
    },
    /// So many times as much.
    Times {
        /// How many times.
        factor: f64,
        /// Of what.
        of: Box<Scoring>,
    },
    /// Each times the next.
    Product(Vec<Scoring>),
    /// The nearer a number is to another one the more, up to `score`.
    Near {
        /// A field of numbers or places.
        field: FieldRef,
        /// Where the score is highest.
        origin: Origin,
        /// So far away it is half.
        pivot: f64,
        /// The highest.
        score: f64,
    },
    /// A number of the row itself.
    Value(ValueScoring),
}

/// Where a score is highest.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Origin {
    /// At a number.
    Number(f64),
    /// At a place; distances are in metres.
    Place(GeoPoint),
}

/// A number of a row as its score.
#[derive(Debug, Clone)]
pub struct ValueScoring {
    /// A number field; `None`: no such field.
    pub field: Option<FieldRef>,
    /// What it is multiplied by.
    pub factor: f64,
    /// What is made of the product.
    pub change: ValueChange,
    /// The value of rows without one.
    pub missing: Option<f64>,
}

/// What is made of a number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ValueChange {
    /// It stays.
    None,
    /// Its common logarithm.
    Log,
    /// Its common logarithm after 1 was added.
    Log1p,
    /// Its common logarithm after 2 was added.
    Log2p,
    /// Its natural logarithm.
    Ln,
    /// Its natural logarithm after 1 was added.
    Ln1p,
    /// Its natural logarithm after 2 was added.
    Ln2p,
    /// Its square.
    Square,
    /// Its root.
    Sqrt,
    /// One divided by it.
    Reciprocal,
}

/// Words that are looked for in a text field; see BM25.
#[derive(Debug, Clone)]
pub struct WordScoring {
    /// A text field.
    pub field: FieldRef,
    /// How its texts are cut; `None`: each is one word, and long texts count like short ones.
    pub analyzer: Option<Analyzer>,
    /// The words.
    pub words: Vec<String>,
    /// They count only next to each other, together as one.
    pub is_phrase: bool,
    /// How much they count.
    pub boost: f64,
}
