//! Which rows a search can need at all, by their time: what a caller may leave unopened.

use std::ops::RangeInclusive;

use crate::adaptive;
use crate::aggregate::{PlanNode, plan};
use crate::filter::NumberRange;
use crate::global;
use crate::request::{Filter, SearchRequest};

/// Every instant.
const ALL: RangeInclusive<i64> = i64::MIN..=i64::MAX;

/// No instant.
const EMPTY: RangeInclusive<i64> = RangeInclusive::new(i64::MAX, i64::MIN);

/// The times, in milliseconds, of all rows that may take part in the answer to `request`, if rows
/// are sorted by their field `time_field`. Sources without such rows change nothing in the answer.
#[must_use]
pub fn times_needed(request: &SearchRequest, time_field: Option<&str>) -> RangeInclusive<i64> {
    // Aggregations that show what no matching row has look at all rows.
    let looks_beyond = global::is_asked_by(request)
        || adaptive::looks_beyond(&request.aggregations)
        || plan(&request.aggregations, (0, 0))
            .map_or(true, |plan| plan.iter().any(PlanNode::shows_empty_terms));
    match looks_beyond {
        true => ALL,
        false => times_of(&request.filter, time_field),
    }
}

/// The times that rows may have which `filter` matches.
///
/// The end lies before the start when there are none.
pub(crate) fn times_of(filter: &Filter, time_field: Option<&str>) -> RangeInclusive<i64> {
    match filter {
        Filter::And(inner) => inner.iter().fold(ALL, |times, filter| {
            let further = times_of(filter, time_field);
            *times.start().max(further.start())..=*times.end().min(further.end())
        }),
        Filter::NumberRange {
            field,
            lower,
            upper,
        } if time_field == Some(field.column.as_ref()) => {
            let range = NumberRange {
                lower: *lower,
                upper: *upper,
            };
            range.mantissas(0).unwrap_or(EMPTY)
        }
        Filter::None => EMPTY,
        Filter::All
        | Filter::AtLeast { .. }
        | Filter::Not(_)
        | Filter::Exists(_)
        | Filter::NumberRange { .. }
        | Filter::NumberIn { .. }
        | Filter::Text { .. }
        | Filter::Distance { .. }
        | Filter::Script(_)
        | Filter::Ids(_)
        | Filter::Place { .. }
        | Filter::Slice(_) => ALL,
    }
}
