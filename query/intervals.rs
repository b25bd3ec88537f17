//! Words at places of a text that fit together: minimal intervals, after Clarke, Cormack and
//! Burkowski.

use crate::QueryError;
use crate::pattern::CompiledPattern;
use crate::request::{IntervalFilter, IntervalOrder, Intervals, WordMatch};

/// Places of a text: from the first word to the last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Interval {
    first: usize,
    last: usize,
    /// Words that are looked for in it; the others are gaps.
    words: usize,
}

impl Interval {
    fn gaps(self) -> usize {
        (self.last - self.first + 1).saturating_sub(self.words)
    }
}

/// Intervals that are ready to be looked for.
#[derive(Debug)]
pub(crate) enum CompiledIntervals {
    Word(CompiledWord),
    All {
        of: Vec<CompiledIntervals>,
        order: IntervalOrder,
        gaps_max: Option<u32>,
    },
    Any(Vec<CompiledIntervals>),
    Filtered {
        of: Box<CompiledIntervals>,
        filter: IntervalFilter,
        by: Box<CompiledIntervals>,
    },
}

/// A word that is ready to be looked for.
#[derive(Debug)]
pub(crate) enum CompiledWord {
    Is(String),
    Fits(CompiledPattern),
}

impl CompiledIntervals {
    pub(crate) fn new(intervals: &Intervals) -> Result<Self, QueryError> {
        let all = |of: &[Intervals]| of.iter().map(Self::new).collect::<Result<Vec<_>, _>>();
        Ok(match intervals {
            Intervals::Word(WordMatch::Is(word)) => Self::Word(CompiledWord::Is(word.clone())),
            Intervals::Word(WordMatch::Fits(pattern)) => {
                Self::Word(CompiledWord::Fits(CompiledPattern::new(pattern)?))
            }
            Intervals::All {
                of,
                order,
                gaps_max,
            } => Self::All {
                of: all(of)?,
                order: *order,
                gaps_max: *gaps_max,
            },
            Intervals::Any(of) => Self::Any(all(of)?),
            Intervals::Filtered { of, filter, by } => Self::Filtered {
                of: Box::new(Self::new(of)?),
                filter: *filter,
                by: Box::new(Self::new(by)?),
            },
        })
    }

    /// Whether they are in a text of these words.
    pub(crate) fn matches(&self, words: &[String]) -> bool {
        !self.find(words).is_empty()
    }

    /// All of them, none inside another, by their places.
    fn find(&self, words: &[String]) -> Vec<Interval> {
        match self {
            Self::Word(word) => {
                let fits = |text: &String| match word {
                    CompiledWord::Is(word) => text == word,
                    CompiledWord::Fits(pattern) => pattern.matches(text.as_bytes()),
                };
                let places = (0..words.len()).filter(|place| fits(&words[*place]));
                places
                    .map(|place| Interval {
                        first: place,
                        last: place,
                        words: 1,
                    })
                    .collect()
            }
            Self::Any(of) => minimal(of.iter().flat_map(|of| of.find(words)).collect()),
            Self::All {
                of,
                order,
                gaps_max,
            } => {
                let sources: Vec<_> = of.iter().map(|of| of.find(words)).collect();
                if sources.is_empty() || sources.iter().any(Vec::is_empty) {
                    return Vec::new();
                }
                let mut found = match order {
                    IntervalOrder::Ordered => ordered(&sources),
                    IntervalOrder::Unordered => unordered(&sources),
                    IntervalOrder::Apart => apart(&sources),
                };
                if let Some(gaps_max) = gaps_max {
                    found.retain(|found| found.gaps() <= *gaps_max as usize);
                }
                found
            }
            Self::Filtered { of, filter, by } => {
                let by = by.find(words);
                let mut found = of.find(words);
                found.retain(|found| passes(*found, *filter, &by));
                found
            }
        }
    }
}

/// Without those that have another inside, by their places.
fn minimal(mut all: Vec<Interval>) -> Vec<Interval> {
    all.sort_by_key(|interval| (interval.last, std::cmp::Reverse(interval.first)));
    let mut kept: Vec<Interval> = Vec::new();
    for interval in all {
        if kept.last().is_none_or(|last| last.first < interval.first) {
            kept.push(interval);
        }
    }
    kept
}

/// One of each source, each behind the one before: for each end the latest start.
fn ordered(sources: &[Vec<Interval>]) -> Vec<Interval> {
    let (last, before) = sources.split_last().expect("there is a source");
    let mut found = Vec::new();
    'ends: for end in last {
        let mut whole = *end;
        for source in before.iter().rev() {
            let place = source.partition_point(|interval| interval.last < whole.first);
            let Some(nearest) = place.checked_sub(1).map(|place| source[place]) else {
                continue 'ends;
            };
            whole.first = nearest.first;
            whole.words += nearest.words;
        }
        found.push(whole);
    }
    minimal(found)
}

/// One of each source, wherever: for each end the latest start.
fn unordered(sources: &[Vec<Interval>]) -> Vec<Interval> {
    let mut found = Vec::new();
    'ends: for end in sources.iter().flatten() {
        let (mut first, mut words) = (usize::MAX, 0);
        for source in sources {
            let place = source.partition_point(|interval| interval.last <= end.last);
            let Some(nearest) = place.checked_sub(1).map(|place| source[place]) else {
                continue 'ends;
            };
            first = first.min(nearest.first);
            words += nearest.words;
        }
        found.push(Interval {
            first,
            last: end.last,
            words,
        });
    }
    minimal(found)
}

/// One of each source, in any order, and no two of them overlap: two at a time, as Lucene does it.
fn apart(sources: &[Vec<Interval>]) -> Vec<Interval> {
    let mut sources = sources.iter();
    let first = sources.next().cloned().unwrap_or_default();
    sources.fold(first, |found, source| {
        let pairs = [found.clone(), source.clone()];
        let mut both = ordered(&pairs);
        both.extend(ordered(&[source.clone(), found]));
        minimal(both)
    })
}

/// Whether `interval` stands so to one of `others`, which go forward with both ends.
fn passes(interval: Interval, filter: IntervalFilter, others: &[Interval]) -> bool {
    let Interval { first, last, .. } = interval;
    let containing = || {
        let place = others.partition_point(|other| other.first < first);
        others.get(place).is_some_and(|other| other.last <= last)
    };
    let contained = || {
        let place = others.partition_point(|other| other.first <= first);
        place
            .checked_sub(1)
            .is_some_and(|place| others[place].last >= last)
    };
    let overlapping = || {
        let place = others.partition_point(|other| other.last < first);
        others.get(place).is_some_and(|other| other.first <= last)
    };
    match filter {
        IntervalFilter::Containing => containing(),
        IntervalFilter::NotContaining => !containing(),
        IntervalFilter::ContainedBy => contained(),
        IntervalFilter::NotContainedBy => !contained(),
        IntervalFilter::Overlapping => overlapping(),
        IntervalFilter::NotOverlapping => !overlapping(),
        IntervalFilter::Before => others.last().is_some_and(|other| other.first > last),
        IntervalFilter::After => others.first().is_some_and(|other| other.last < first),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text::tokens;

    fn word(text: &str) -> Intervals {
        Intervals::Word(WordMatch::Is(text.into()))
    }

    fn all(words: &[&str], order: IntervalOrder, gaps_max: Option<u32>) -> Intervals {
        Intervals::All {
            of: words.iter().map(|text| word(text)).collect(),
            order,
            gaps_max,
        }
    }

    fn check(text: &str, intervals: &Intervals, wanted: bool) {
        let compiled = CompiledIntervals::new(intervals).expect("sound");
        assert_eq!(
            compiled.matches(&tokens(text)),
            wanted,
            "{text}: {intervals:?}"
        );
    }

    #[test]
    fn words_in_order_and_out_of_it() {
        let text = "some like it hot, some like it cold";
        check(
            text,
            &all(&["hot", "cold"], IntervalOrder::Ordered, None),
            true,
        );
        check(
            text,
            &all(&["cold", "hot"], IntervalOrder::Ordered, None),
            false,
        );
        check(
            text,
            &all(&["cold", "hot"], IntervalOrder::Unordered, Some(3)),
            true,
        );
        check(
            text,
            &all(&["cold", "hot"], IntervalOrder::Unordered, Some(2)),
            false,
        );
        check(
            text,
            &all(&["like", "it"], IntervalOrder::Ordered, Some(0)),
            true,
        );
        check(
            "a b",
            &all(&["a", "a"], IntervalOrder::Unordered, None),
            true,
        );
        check("a b", &all(&["a", "a"], IntervalOrder::Apart, None), false);
        check("a b a", &all(&["a", "a"], IntervalOrder::Apart, None), true);
    }

    #[test]
    fn filters_compare_intervals() {
        let text = "it is cold and wet outside";
        let filtered = |filter, by: &str| Intervals::Filtered {
            of: Box::new(all(&["cold", "outside"], IntervalOrder::Ordered, None)),
            filter,
            by: Box::new(word(by)),
        };
        check(text, &filtered(IntervalFilter::Containing, "wet"), true);
        check(text, &filtered(IntervalFilter::NotContaining, "wet"), false);
        check(text, &filtered(IntervalFilter::After, "it"), true);
        check(text, &filtered(IntervalFilter::Before, "it"), false);
        check(text, &filtered(IntervalFilter::Overlapping, "and"), true);
        check(text, &filtered(IntervalFilter::NotOverlapping, "is"), true);
        let either = Intervals::Any(vec![word("dry"), word("wet")]);
        check(text, &either, true);
    }
}
