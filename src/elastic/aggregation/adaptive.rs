//! `auto_date_histogram`, `variable_width_histogram`, `significant_terms` and `significant_text`:
//! buckets that depend on the rows.

use jiff::tz::TimeZone;
use query::adaptive::{Adaptive, AutoDates, Clusters, LadderUnit, SignificanceScore, Significant};
use query::request::{Aggregation, BucketBy, Filter, Terms};
use serde_json::{Map, Value};
use storage::model::ColumnKind;

use super::{Definition, Parsed, ParsedAggregations, terms, unsupported_field, value_text};
use crate::elastic::ElasticError;
use crate::elastic::context::Context;
use crate::elastic::date_math::{DateReader, parse_format, parse_zone};
use crate::elastic::filter::parse_filter;
use crate::elastic::read;
use crate::elastic::shape::AggregationKind;
use crate::elastic::values::missing_ms;

/// Buckets unless the request says otherwise.
const BUCKETS_DEFAULT: usize = 10;

/// Most buckets of a time histogram: a hundred of its narrowest may stand for each.
const DATE_BUCKETS_MAX: usize = query::request::BUCKETS_MAX / 100;

/// Most groups of near numbers.
const CLUSTERS_MAX: usize = 10_000;

/// Rows that a term needs to stand out unless the request says otherwise.
const SIGNIFICANT_COUNT_DEFAULT: u64 = 3;

/// `auto_date_histogram`.
pub(super) fn parse_dates(
    context: &Context<'_>,
    definition: Definition<'_>,
) -> Result<Parsed, ElasticError> {
    let mut count_max = BUCKETS_DEFAULT;
    let mut unit_min = LadderUnit::Second;
    let (mut zone, mut format, mut missing) = (TimeZone::UTC, None, None);
    for (key, value) in definition.body {
        match key.as_str() {
            _unsaid if value.is_null() => {}
            "field" | "script" => {}
            "buckets" => count_max = date_buckets(&definition, value)?,
            "minimum_interval" => unit_min = unit(&definition, key, value)?,
            "time_zone" => {
                let parsed = parse_zone(&read::text(value, key)?);
                zone = parsed.map_err(|error| definition.wrong(key, error))?;
            }
            "format" => format = Some(read::text(value, key)?),
            "missing" => missing = Some(value),
            unknown => return Err(definition.unknown(unknown)),
        }
    }
    let field = definition.field(context)?;
    if let Some(field) = field.as_ref().filter(|field| !field.field_type().is_date()) {
        return Err(unsupported_field(context, field, "auto_date_histogram"));
    }
    let own = field
        .as_ref()
        .and_then(|field| field.field.format.as_deref());
    let format = parse_format(format.as_deref().or(own)).map_err(|error| context.fail(error))?;
    let reader = DateReader {
        format: format.clone(),
        zone: zone.clone(),
        now_ms: context.now_ms,
    };
    let missing = missing.map(|value| missing_ms(&reader, value)).transpose();
    let kind = AggregationKind::AutoDates {
        format,
        zone: zone.clone(),
        unmapped: field.is_none(),
    };
    let dates = AutoDates {
        field: field.map(|field| field.place),
        count_max,
        unit_min,
        time_zone: zone,
        missing_ms: missing.map_err(|error| context.fail(error))?,
    };
    Ok(Parsed {
        aggregation: Aggregation::Bucket {
            by: BucketBy::Adaptive(Adaptive::Dates(dates)),
            children: definition.children.requests,
        },
        kind,
        typed: "auto_date_histogram",
    })
}

fn date_buckets(definition: &Definition<'_>, value: &Value) -> Result<usize, ElasticError> {
    let count = read::integer(value, "buckets")?;
    let reason = match usize::try_from(count) {
        Ok(count @ 1..=DATE_BUCKETS_MAX) => return Ok(count),
        Ok(0) | Err(_) => format!("buckets must be greater than 0 for [{}]", definition.name),
        Ok(_) => format!("buckets must be less than {DATE_BUCKETS_MAX}"),
    };
    Err(definition.wrong("buckets", ElasticError::illegal_argument(reason)))
}

fn unit(definition: &Definition<'_>, key: &str, value: &Value) -> Result<LadderUnit, ElasticError> {
    Ok(match read::text(value, key)?.as_str() {
        "second" => LadderUnit::Second,
        "minute" => LadderUnit::Minute,
        "hour" => LadderUnit::Hour,
        "day" => LadderUnit::Day,
        "month" => LadderUnit::Month,
        "year" => LadderUnit::Year,
        _other => {
            let reason = "minimum_interval must be one of [year, month, day, hour, minute, second]";
            return Err(definition.wrong(key, ElasticError::illegal_argument(reason)));
        }
    })
}

/// `variable_width_histogram`.
pub(super) fn parse_clusters(
    context: &Context<'_>,
    definition: Definition<'_>,
) -> Result<Parsed, ElasticError> {
    let mut count_max = BUCKETS_DEFAULT;
    let mut format = None;
    for (key, value) in definition.body {
        match key.as_str() {
            "field" | "script" => {}
            "buckets" => {
                let count = read::integer(value, key)?;
                count_max = match usize::try_from(count) {
                    Ok(count @ 1..=CLUSTERS_MAX) => count,
                    Ok(0) | Err(_) => {
                        let reason = format!("{key} must be greater than [0] for [histogram]");
                        return Err(definition.wrong(key, ElasticError::illegal_argument(reason)));
                    }
                    Ok(_) => {
                        let reason = format!("{key} may be up to [{CLUSTERS_MAX}]");
                        return Err(definition.wrong(key, ElasticError::illegal_argument(reason)));
                    }
                };
            }
            // They tell a shard how to estimate.
            "shard_size" | "initial_buffer" => _ = read::integer(value, key)?,
            "format" if !value.is_null() => format = Some(read::text(value, key)?),
            "format" => {}
            unknown => return Err(definition.unknown(unknown)),
        }
    }
    let field = definition.field(context)?;
    let mut text = None;
    if let Some(field) = &field {
        if field.field_type().column_kind() == ColumnKind::Text {
            return Err(unsupported_field(context, field, definition.type_name));
        }
        text = value_text(context, field, format.as_deref(), &TimeZone::UTC)?;
    }
    let clusters = Clusters {
        field: field.map(|field| field.place),
        count_max,
    };
    Ok(Parsed {
        aggregation: Aggregation::Bucket {
            by: BucketBy::Adaptive(Adaptive::Clusters(clusters)),
            children: definition.children.requests,
        },
        kind: AggregationKind::Clusters { text },
        typed: "variable_width_histogram",
    })
}

/// Names of scores and their parameters.
const SCORES: &[(&str, SignificanceScore)] = &[
    ("jlh", SignificanceScore::Jlh),
    ("mutual_information", SignificanceScore::MutualInformation),
    ("chi_square", SignificanceScore::ChiSquare),
    ("gnd", SignificanceScore::NormalizedDistance),
    ("percentage", SignificanceScore::Percentage),
];

/// Parameters besides the name of a score.
const SIGNIFICANT_KEYS: &[&str] = &[
    "background_filter",
    "exclude",
    "execution_hint",
    "field",
    "filter_duplicate_text",
    "include",
    "min_doc_count",
    "shard_min_doc_count",
    "shard_size",
    "size",
    "source_fields",
];

/// `significant_terms`, and over the words of texts `significant_text`.
pub(super) fn parse_significant(
    context: &Context<'_>,
    definition: Definition<'_>,
) -> Result<Parsed, ElasticError> {
    let is_text = definition.type_name == "significant_text";
    let mut score = SignificanceScore::Jlh;
    let mut size = BUCKETS_DEFAULT;
    let mut doc_count_min = SIGNIFICANT_COUNT_DEFAULT;
    let mut background = Filter::All;
    let mut own = Map::new();
    for (key, value) in definition.body {
        match key.as_str() {
            "size" => size = read::count(value, key)?,
            "min_doc_count" => doc_count_min = read::count(value, key)? as u64,
            "background_filter" => background = parse_filter(context, value)?,
            "field" | "include" | "exclude" => _ = own.insert(key.clone(), value.clone()),
            "filter_duplicate_text" if is_text => {
                if read::flag(value, key)? {
                    let what = "[filter_duplicate_text] of [significant_text]";
                    return Err(ElasticError::unsupported(what));
                }
            }
            "source_fields" if is_text => {}
            "shard_size" | "shard_min_doc_count" | "execution_hint" => {}
            other => match SCORES.iter().find(|(name, _)| *name == other) {
                Some((_, named)) => score = *named,
                None => return Err(unknown_key(&definition, other)),
            },
        }
    }
    if size == 0 {
        return Err(ElasticError::illegal_argument(format!(
            "[size] must be greater than 0. Found [0] in [{}]",
            definition.name
        )));
    }
    let Definition {
        name,
        type_name,
        children,
        ..
    } = definition;
    let plain = Definition {
        name,
        type_name,
        body: &own,
        children: ParsedAggregations::default(),
        siblings: None,
        interval: None,
    };
    let parsed = terms::parse(context, plain)?;
    let (
        Aggregation::Bucket {
            by: BucketBy::Terms(terms),
            ..
        },
        AggregationKind::Terms { text, .. },
    ) = (parsed.aggregation, parsed.kind)
    else {
        unreachable!("terms were read")
    };
    let significant = Significant {
        terms: Terms {
            doc_count_min,
            ..terms
        },
        size,
        score,
        background,
    };
    Ok(Parsed {
        aggregation: Aggregation::Bucket {
            by: BucketBy::Adaptive(Adaptive::Significant(Box::new(significant))),
            children: children.requests,
        },
        kind: AggregationKind::Significant { text },
        typed: match parsed.typed {
            "sterms" => "sigsterms",
            "lterms" | "ulterms" => "siglterms",
            _unmapped => "umsigterms",
        },
    })
}

/// A parameter that there is not, and the one that may be meant.
fn unknown_key(definition: &Definition<'_>, key: &str) -> ElasticError {
    let known = SCORES.iter().map(|(name, _)| *name);
    let mut known = known.chain(SIGNIFICANT_KEYS.iter().copied());
    match known.find(|known| read::is_similar(known, key)) {
        None => definition.unknown(key),
        Some(similar) => ElasticError::content(format!(
            "[{}] unknown field [{key}] did you mean [{similar}]?",
            definition.type_name
        ))
        .at_key(key),
    }
}
