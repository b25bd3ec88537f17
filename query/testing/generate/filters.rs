//! Filters that are drawn.

use super::*;

pub(super) fn slice(random: &mut Random) -> Slice {
    let count = 1 + random.below(5) as u32;
    Slice {
        number: random.below(count as usize) as u32,
        count,
        piles: 1 + random.below(4) as u32,
    }
}

pub(super) fn instant(random: &mut Random, topic: &TopicRows) -> i64 {
    let time_ms = random.between(topic.first_ms - HOUR_MS, topic.last_ms + HOUR_MS);
    match random.below(3) {
        0 => time_ms,
        1 => time_ms - time_ms.rem_euclid(HOUR_MS),
        _ => time_ms - time_ms.rem_euclid(HOUR_MS) - 1,
    }
}

/// A filter that cells may answer: times and one dimension.
pub(super) fn cell_filter(random: &mut Random, topic: &TopicRows) -> Filter {
    let mut all = random.many(2, |random| time_range(random, topic));
    if random.once_in(2) {
        all.push(text_filter(field("coin"), random));
    }
    if random.once_in(4) {
        return Filter::Not(Box::new(Filter::And(all)));
    }
    Filter::And(all)
}

pub(super) fn time_range(random: &mut Random, topic: &TopicRows) -> Filter {
    let bound = |random: &mut Random| {
        let time = Decimal::from_i64(instant(random, topic));
        match random.below(3) {
            0 => Bound::Unbounded,
            1 => Bound::Included(time),
            _ => Bound::Excluded(time),
        }
    };
    Filter::NumberRange {
        field: field(TIME_FIELD),
        lower: bound(random),
        upper: bound(random),
    }
}

pub(super) fn text_filter(field: FieldRef, random: &mut Random) -> Filter {
    let predicate = match random.below(5) {
        0 => TextPredicate::Range {
            lower: Bound::Excluded(coin(random).into_bytes()),
            upper: Bound::Unbounded,
        },
        1 => TextPredicate::Pattern {
            pattern: pattern(random),
            tokens: random.once_in(2),
        },
        2 => TextPredicate::Tokens {
            tokens: crate::text::tokens(random.choose(&["quick fox", "brown fox", "dog", "btc"])),
            how: random.choose(&[
                TokenMatch::Any,
                TokenMatch::All,
                TokenMatch::Phrase { slop: 0 },
            ]),
        },
        _ => {
            let terms = random.many(4, |random| coin(random).into_bytes());
            TextPredicate::In(terms.into_iter().collect())
        }
    };
    Filter::Text { field, predicate }
}

pub(super) fn pattern(random: &mut Random) -> Pattern {
    match random.below(2) {
        0 => Pattern::Wildcard(random.choose(&["*t*", "?tc", "d*", "*"]).into()),
        _ => Pattern::Regex((random.choose(&["(btc|eth)", "[a-l].*", ".*x.*"])).into()),
    }
}

pub(super) fn filter(random: &mut Random, topic: &TopicRows, depth: usize) -> Filter {
    let kinds = if depth == 0 { 8 } else { 12 };
    match random.below(kinds) {
        0 => Filter::All,
        1 => time_range(random, topic),
        2 => Filter::Exists(if random.once_in(2) {
            number_field(random)
        } else {
            text_field(random)
        }),
        3 => {
            let field = number_field(random);
            let bound = |random: &mut Random| match random.below(4) {
                0 => Bound::Unbounded,
                1 => Bound::Included(number(&field, topic, random)),
                2 => Bound::Excluded(number(&field, topic, random)),
                _ => Bound::Included(decimal(random)),
            };
            Filter::NumberRange {
                lower: bound(random),
                upper: bound(random),
                field: field.clone(),
            }
        }
        4 => {
            let field = number_field(random);
            let values = random.many(4, |random| number(&field, topic, random));
            Filter::NumberIn { field, values }
        }
        5 | 6 => text_filter(text_field(random), random),
        7 if random.once_in(2) => Filter::Slice(slice(random)),
        7 => Filter::Ids(ids(random, topic)),
        8 => Filter::And(random.many(3, |random| filter(random, topic, depth - 1))),
        9 => Filter::AtLeast {
            count: random.below(3),
            of: random.many(3, |random| filter(random, topic, depth - 1)),
        },
        10 => Filter::Not(Box::new(filter(random, topic, depth - 1))),
        _ => Filter::None,
    }
}

pub(super) fn ids(random: &mut Random, topic: &TopicRows) -> BTreeSet<String> {
    let ids = random.many(5, |random| match random.below(3) {
        0 => "nobody".to_owned(),
        _ if topic.rows.is_empty() => "0-0".to_owned(),
        1 => random.pick(&topic.rows).name(),
        _ => {
            let row = random.pick(&topic.rows);
            format!("{}-{}", row.partition, row.offset)
        }
    });
    ids.into_iter().collect()
}

/// A number that some row may have.
pub(super) fn number(field: &FieldRef, topic: &TopicRows, random: &mut Random) -> Decimal {
    let times_ms = (topic.first_ms, topic.last_ms);
    match value(&field.column, field.field_type, times_ms, random) {
        Value::Number(number) => number,
        Value::Text(_) => Decimal::default(),
    }
}
