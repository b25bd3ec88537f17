//! Filters bound to one source: columns found, texts looked up, bounds in the column's own digits.
//!
//! [`BoundFilter::decide`] asks statistics whether a whole frame matches or none of it does;
//! [`BoundFilter::select`] reads what is left.

mod bind;
mod number;

pub(crate) use bind::{Binder, BoundField};
pub(crate) use number::{NumberRange, NumberSet};

use std::ops::{Bound, RangeBounds};
use std::sync::Arc;

use storage::model::{GeoPoint, VECTOR_ROWS};
use storage::segment::RowSource;

use crate::QueryError;
use crate::frame::{Codes, Frame, NumberSlot, Numbers, TextSlot, ValueIndex};
use crate::pattern::CodeSet;
use crate::request::{Area, Slice};
use crate::row_script::BoundScript;
use crate::selection::Selection;

/// A filter over the entries of one source.
#[derive(Debug, Clone)]
pub(crate) enum BoundFilter {
    /// Every entry or none.
    Constant(bool),
    /// All of them match.
    And(Vec<BoundFilter>),
    /// At least so many of them match.
    AtLeast(usize, Vec<BoundFilter>),
    /// It does not match.
    Not(Box<BoundFilter>),
    /// The sort key lies between, both ends inside.
    Time { first_ms: i64, last_ms: i64 },
    /// There is a number.
    HasNumber(NumberSlot),
    /// There is a text.
    HasText(TextSlot),
    /// A number lies in the range.
    InRange(NumberSlot, NumberRange),
    /// A number is in the set.
    InSet(NumberSlot, NumberSet),
    /// A text's code is in the set.
    HasCode(TextSlot, Arc<WantedCodes>),
    /// The row is one of these, ascending.
    Rows(Vec<usize>),
    /// A place lies so far from another one.
    Distance(NumberSlot, GeoPoint, (Bound<f64>, Bound<f64>)),
    /// The script holds.
    Script(BoundScript),
    /// A place lies in the area.
    InArea(NumberSlot, Area),
    /// The row's id is in the share.
    Slice {
        /// Where ids are.
        source: Box<RowSource>,
        /// Which share.
        slice: Slice,
    },
}

/// Codes of a column that are looked for.
#[derive(Debug)]
pub(crate) struct WantedCodes {
    pub(crate) codes: CodeSet,
    /// For each row group whether some row has one of them, where that is known.
    pub(crate) groups: Option<Vec<bool>>,
}

/// What statistics say about a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Decision {
    /// Every entry matches.
    All,
    /// No entry matches.
    None,
    /// Its entries must be read.
    Unknown,
}

impl Decision {
    fn of(value: bool) -> Self {
        if value { Self::All } else { Self::None }
    }

    fn not(self) -> Self {
        match self {
            Self::All => Self::None,
            Self::None => Self::All,
            Self::Unknown => Self::Unknown,
        }
    }
}

impl BoundFilter {
    /// What statistics say about all entries of `frame`.
    pub(crate) fn decide(&self, frame: &impl Frame) -> Decision {
        match self {
            Self::Constant(value) => Decision::of(*value),
            Self::And(inner) => decide_at_least(inner.len(), inner, frame),
            Self::AtLeast(count, inner) => decide_at_least(*count, inner, frame),
            Self::Not(inner) => inner.decide(frame).not(),
            Self::Time { first_ms, last_ms } => {
                decide_time(*first_ms, *last_ms, frame.time_bounds_ms())
            }
            Self::InRange(slot, range) => match frame.summary(*slot) {
                Some(summary) if range.excludes(summary.min, summary.max) => Decision::None,
                Some(_) | None => Decision::Unknown,
            },
            Self::HasCode(_, wanted) => match (&wanted.groups, frame.row_group()) {
                (Some(groups), Some(group)) if !groups[group] => Decision::None,
                (Some(_) | None, _) => Decision::Unknown,
            },
            Self::HasNumber(_) | Self::HasText(_) | Self::InSet(..) => Decision::Unknown,
            Self::Distance(..) | Self::Script(_) | Self::Rows(_) => Decision::Unknown,
            Self::InArea(..) | Self::Slice { .. } => Decision::Unknown,
        }
    }

    /// The entries of `frame` that match.
    pub(crate) fn select<F: Frame>(&self, frame: &mut F) -> Result<Selection, QueryError> {
        let count = frame.entry_count();
        match self.decide(frame) {
            Decision::All => return Ok(Selection::first(count)),
            Decision::None => return Ok(Selection::NONE),
            Decision::Unknown => {}
        }
        Ok(match self {
            Self::Constant(true) => Selection::first(count),
            Self::Constant(false) => Selection::NONE,
            Self::And(inner) => {
                let mut all = Selection::first(count);
                for filter in inner {
                    if all.is_empty() {
                        break;
                    }
                    all = all.and(&filter.select(frame)?);
                }
                all
            }
            Self::AtLeast(1, inner) => {
                let mut any = Selection::NONE;
                for filter in inner {
                    any = any.or(&filter.select(frame)?);
                }
                any
            }
            Self::AtLeast(least, inner) => {
                let mut hits = vec![0_usize; count];
                for filter in inner {
                    for entry in filter.select(frame)?.rows() {
                        hits[entry] += 1;
                    }
                }
                Selection::of(count, |entry| hits[entry] >= *least)
            }
            Self::Not(inner) => inner.select(frame)?.complement(count),
            Self::Time { first_ms, last_ms } => {
                let times_ms = frame.times_ms()?;
                Selection::of(count, |entry| {
                    (*first_ms..=*last_ms).contains(&times_ms[entry])
                })
            }
            Self::HasNumber(slot) => has_value(count, frame.numbers(*slot)?.index),
            Self::HasText(slot) => has_value(count, frame.codes(*slot)?.index),
            Self::InRange(slot, range) => range.select(count, frame.numbers(*slot)?),
            Self::InSet(slot, set) => {
                let numbers = frame.numbers(*slot)?;
                any_number(count, numbers, |value| set.contains(numbers.value(value)))
            }
            Self::Distance(slot, from, metres) => {
                let numbers = frame.numbers(*slot)?;
                any_number(count, numbers, |value| {
                    let place = GeoPoint::of_code(numbers.mantissas[value]);
                    metres.contains(&from.distance_m(place))
                })
            }
            Self::Script(script) => {
                let entries: Vec<usize> = (0..count).collect();
                let mut holds = vec![false; count];
                script.run(&entries, frame, |place, given| {
                    holds[place] |= given.holds();
                })?;
                Selection::of(count, |entry| holds[entry])
            }
            Self::HasCode(slot, set) => any_code(count, frame.codes(*slot)?, &set.codes),
            Self::Rows(rows) => {
                let first = frame.first_entry();
                Selection::of(count, |entry| rows.binary_search(&(first + entry)).is_ok())
            }
            Self::InArea(slot, area) => {
                let numbers = frame.numbers(*slot)?;
                any_number(count, numbers, |value| {
                    area.contains(GeoPoint::of_code(numbers.mantissas[value]))
                })
            }
            Self::Slice { source, slice } => slice_rows(source, *slice, frame)?,
        })
    }
}

/// Whether all, none or some instants of the closed range `bounds_ms` lie from `first_ms` to
/// `last_ms`.
fn decide_time(first_ms: i64, last_ms: i64, bounds_ms: (i64, i64)) -> Decision {
    let (earliest_ms, latest_ms) = bounds_ms;
    if first_ms <= earliest_ms && latest_ms <= last_ms {
        Decision::All
    } else if latest_ms < first_ms || last_ms < earliest_ms {
        Decision::None
    } else {
        Decision::Unknown
    }
}

fn decide_at_least(count: usize, inner: &[BoundFilter], frame: &impl Frame) -> Decision {
    combine(count, inner.iter().map(|filter| filter.decide(frame)))
}

/// Whether at least `count` of the decisions are `All` in every entry.
fn combine(count: usize, decisions: impl Iterator<Item = Decision>) -> Decision {
    let (mut surely, mut perhaps) = (0, 0);
    for decision in decisions {
        match decision {
            Decision::All => surely += 1,
            Decision::Unknown => perhaps += 1,
            Decision::None => {}
        }
    }
    if surely >= count {
        Decision::All
    } else if surely + perhaps < count {
        Decision::None
    } else {
        Decision::Unknown
    }
}

/// The rows whose ids are in the share.
fn slice_rows<F: Frame>(
    source: &RowSource,
    slice: Slice,
    frame: &F,
) -> Result<Selection, QueryError> {
    let (mut partitions, mut offsets) = (Vec::new(), Vec::new());
    let first = frame.first_entry();
    source.origins(first / VECTOR_ROWS, &mut partitions, &mut offsets)?;
    let mut is_in = Vec::with_capacity(offsets.len());
    for (entry, (partition, offset)) in partitions.iter().zip(&offsets).enumerate() {
        let id = source.id(first + entry)?;
        is_in.push(match id {
            Some(id) => slice.contains(&String::from_utf8_lossy(&id)),
            None => slice.contains(&format!("{partition}-{offset}")),
        });
    }
    Ok(Selection::of(frame.entry_count(), |entry| is_in[entry]))
}

fn has_value(count: usize, index: ValueIndex<'_>) -> Selection {
    match index {
        ValueIndex::One => Selection::first(count),
        ValueIndex::Starts(starts) => {
            Selection::of(count, |entry| starts[entry] < starts[entry + 1])
        }
    }
}

/// Entries with a number, given by its place, that fits.
fn any_number(
    count: usize,
    numbers: Numbers<'_>,
    mut fits: impl FnMut(usize) -> bool,
) -> Selection {
    match numbers.index {
        ValueIndex::One => Selection::of(count, fits),
        ValueIndex::Starts(_) => {
            Selection::of(count, |entry| numbers.index.values(entry).any(&mut fits))
        }
    }
}

fn any_code(count: usize, codes: Codes<'_>, set: &CodeSet) -> Selection {
    match (codes.index, set.only()) {
        (ValueIndex::One, Some(only)) => Selection::of_equal(codes.codes, only),
        (ValueIndex::One, None) => Selection::of(count, |entry| set.contains(codes.codes[entry])),
        (ValueIndex::Starts(_), _) => Selection::of(count, |entry| {
            let values = &codes.codes[codes.index.values(entry)];
            values.iter().any(|code| set.contains(*code))
        }),
    }
}
