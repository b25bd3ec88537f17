//! Which part of a source a time range leaves to look at: rows ascend by time, so it is found by
//! halving instead of by asking every vector.

use std::ops::Range;

use storage::segment::RowSource;

use crate::filter::BoundFilter;

/// The instants, both ends inside, that the sort key of a row may have which `filter` matches.
/// The end lies before the start when there are none.
pub(crate) fn instants(filter: &BoundFilter) -> (i64, i64) {
    match filter {
        BoundFilter::Time { first_ms, last_ms } => (*first_ms, *last_ms),
        BoundFilter::And(inner) => inner
            .iter()
            .map(instants)
            .fold((i64::MIN, i64::MAX), |one, other| {
                (one.0.max(other.0), one.1.min(other.1))
            }),
        BoundFilter::Constant(false) => (i64::MAX, i64::MIN),
        BoundFilter::Constant(true)
        | BoundFilter::AtLeast(..)
        | BoundFilter::Not(_)
        | BoundFilter::HasNumber(_)
        | BoundFilter::HasText(_)
        | BoundFilter::InRange(..)
        | BoundFilter::InSet(..)
        | BoundFilter::HasCode(..)
        | BoundFilter::Rows(_)
        | BoundFilter::Distance(..)
        | BoundFilter::Script(_)
        | BoundFilter::InArea(..)
        | BoundFilter::Slice { .. } => (i64::MIN, i64::MAX),
    }
}

/// The vectors of `source` that may have rows which `filter` matches.
pub(crate) fn vectors(source: &RowSource, filter: &BoundFilter) -> Range<usize> {
    let count = source.vector_count();
    let (first_ms, last_ms) = instants(filter);
    if last_ms < first_ms {
        return 0..0;
    }
    if !source.is_time_sorted() {
        return 0..count;
    }
    let start = partition_point(count, |vector| {
        source.vector_time_bounds_ms(vector).1 < first_ms
    });
    let end = partition_point(count, |vector| {
        source.vector_time_bounds_ms(vector).0 <= last_ms
    });
    start..end.max(start)
}

/// The first number below `count` that `is_before` does not hold for; it holds for all before it.
fn partition_point(count: usize, is_before: impl Fn(usize) -> bool) -> usize {
    let (mut start, mut end) = (0, count);
    while start < end {
        let middle = start.midpoint(end);
        if is_before(middle) {
            start = middle + 1;
        } else {
            end = middle;
        }
    }
    start
}

#[cfg(test)]
mod tests {
    use super::*;

    fn time(first_ms: i64, last_ms: i64) -> BoundFilter {
        BoundFilter::Time { first_ms, last_ms }
    }

    #[test]
    fn only_ranges_that_every_row_must_pass_bound_the_instants() {
        assert_eq!(instants(&time(3, 9)), (3, 9));
        let both = BoundFilter::And(vec![time(3, 9), BoundFilter::Constant(true), time(5, 20)]);
        assert_eq!(instants(&both), (5, 9));
        let nowhere = BoundFilter::And(vec![time(3, 9), BoundFilter::Constant(false)]);
        let (first_ms, last_ms) = instants(&nowhere);
        assert!(last_ms < first_ms);
        let all = (i64::MIN, i64::MAX);
        assert_eq!(instants(&BoundFilter::Not(Box::new(time(3, 9)))), all);
        let either = BoundFilter::AtLeast(1, vec![time(3, 9), time(5, 20)]);
        assert_eq!(instants(&either), all);
    }

    #[test]
    fn the_point_is_where_the_answer_turns() {
        for count in 0..6 {
            for turn in 0..=count {
                assert_eq!(partition_point(count, |place| place < turn), turn);
            }
        }
    }
}
