//! Types of fields and the parameters they take, by the names that mappings use.

use query::text::Analyzer;
use serde_json::Value;
use storage::model::{Field, FieldType};

use super::ElasticError;
use super::read;

/// Where a field keeps the name of its type when it is stored as another one.
pub(super) const TYPE_ATTRIBUTE: &str = "type";

/// The type of a field as the mapping's writer called it.
pub(super) fn type_name(field: &Field) -> &str {
    match field.attributes.get(TYPE_ATTRIBUTE).and_then(Value::as_str) {
        Some(name) => name,
        None => field.field_type.name(),
    }
}

/// Types that Elasticsearch has and this server does not have yet.
pub(super) const UNSUPPORTED: &[&str] = &[
    "aggregate_metric_double",
    "dense_vector",
    "flat_object",
    "flattened",
    "geo_shape",
    "histogram",
    "join",
    "percolator",
    "rank_feature",
    "rank_features",
    "shape",
    "sparse_vector",
    "token_count",
];

/// The type that values of a type named `name` are kept as.
///
/// # Errors
/// When nobody knows the name, or this server does not have the type yet.
pub(super) fn parse(path: &str, name: &str) -> Result<FieldType, ElasticError> {
    match name {
        "long" => Ok(FieldType::Long),
        "integer" => Ok(FieldType::Integer),
        "short" => Ok(FieldType::Short),
        "byte" => Ok(FieldType::Byte),
        // Wider than 64 bits with a sign: its values are decimals of 17 digits.
        "double" | "scaled_float" | "unsigned_long" => Ok(FieldType::Double),
        "float" => Ok(FieldType::Float),
        "half_float" => Ok(FieldType::HalfFloat),
        "boolean" => Ok(FieldType::Boolean),
        "date" => Ok(FieldType::Date),
        "date_nanos" => Ok(FieldType::DateNanos),
        "keyword" | "constant_keyword" | "wildcard" | "version" => Ok(FieldType::Keyword),
        "text" | "match_only_text" | "search_as_you_type" => Ok(FieldType::Text),
        "ip" => Ok(FieldType::Ip),
        // A place is a number that only geometry can read.
        "geo_point" => Ok(FieldType::Long),
        // Texts that only their own queries can read, or that have no values at all.
        "binary" | "nested" | "completion" => Ok(FieldType::Keyword),
        "integer_range" | "long_range" | "float_range" | "double_range" | "date_range"
        | "ip_range" => Ok(FieldType::Keyword),
        known if UNSUPPORTED.contains(&known) => Err(ElasticError::unsupported(format!(
            "type [{known}] of field [{path}]"
        ))),
        unknown => Err(ElasticError::mapping(format!(
            "No handler for type [{unknown}] declared on field [{path}]"
        ))),
    }
}

/// Parameters that are kept and shown and change no answer here: every column is stored, can be
/// searched and can be aggregated.
const HARMLESS: &[&str] = &[
    "boost",
    "coerce",
    "doc_values",
    "eager_global_ordinals",
    "fielddata",
    "fielddata_frequency_filter",
    "ignore_malformed",
    "index",
    "index_options",
    "index_phrases",
    "index_prefixes",
    "locale",
    "meta",
    "norms",
    "on_script_error",
    "position_increment_gap",
    "similarity",
    "split_queries_on_whitespace",
    "store",
    "term_vector",
    "time_series_dimension",
    "time_series_metric",
];

/// Parameters of full texts; only built-in analyzers are here.
const ANALYZERS: &[&str] = &["analyzer", "search_analyzer", "search_quote_analyzer"];

/// Parameters that change values and do not work yet.
const CHANGING: &[&str] = &["copy_to", "null_value", "script"];

/// Whether a field of this type may have the parameter.
///
/// # Errors
/// When it would change answers and does not work yet.
pub(super) fn check_attribute(
    path: &str,
    type_name: &str,
    field_type: FieldType,
    key: &str,
    value: &Value,
) -> Result<bool, ElasticError> {
    if CHANGING.contains(&key) {
        return match value {
            Value::Null => Ok(true),
            _ => Err(ElasticError::unsupported(format!(
                "[{key}] of field [{path}]"
            ))),
        };
    }
    if ANALYZERS.contains(&key) && field_type == FieldType::Text {
        return match read::shown(value).as_str() {
            known if Analyzer::parse(known).is_some() => Ok(true),
            other => Err(ElasticError::unsupported(format!(
                "analyzer [{other}] of field [{path}]"
            ))),
        };
    }
    if key == "normalizer" && field_type == FieldType::Keyword {
        // A field of its own would show its values in lower case: only queries know of it yet.
        return match (read::shown(value).as_str(), type_name) {
            ("lowercase", "wildcard") => Ok(true),
            (other, _) => Err(ElasticError::unsupported(format!(
                "[normalizer] [{other}] of field [{path}]"
            ))),
        };
    }
    let own = match key {
        "properties" | "dynamic" | "include_in_parent" | "include_in_root" => type_name == "nested",
        "ignore_z_value" => type_name == "geo_point",
        "contexts" | "max_input_length" | "preserve_separators" | "analyzer" => {
            type_name == "completion"
        }
        "format" => type_name == "date_range",
        "scaling_factor" => type_name == "scaled_float",
        "value" => type_name == "constant_keyword",
        "ignore_above" => type_name == "wildcard",
        _ => false,
    };
    Ok(own || HARMLESS.contains(&key))
}
