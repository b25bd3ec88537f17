//! Full text: `match`, `match_phrase`, `match_phrase_prefix`, `multi_match`. On fields that are
//! not full text they look for the value as a whole.

use query::request::{Filter, TextPredicate, TokenMatch};
use query::text::tokens;
use serde_json::{Map, Value};
use storage::model::FieldType;

use super::boolean::minimum_should_match;
use super::leaf::{self, Strictness};
use super::{FieldClause, any_of, at_least, pattern, term};
use crate::elastic::ElasticError;
use crate::elastic::context::{Context, NamedField};
use crate::elastic::read;

/// Whether one word is enough or all are needed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Operator {
    Or,
    And,
}

impl Operator {
    pub(super) fn parse(text: &str) -> Result<Self, ElasticError> {
        match text.to_lowercase().as_str() {
            "or" => Ok(Self::Or),
            "and" => Ok(Self::And),
            _ => Err(ElasticError::illegal_argument(format!(
                "operator needs to be either AND or OR, but not [{text}]"
            ))),
        }
    }
}

/// How words are looked for.
#[derive(Debug, Clone)]
pub(super) struct WordOptions {
    pub(super) operator: Operator,
    pub(super) count_min: Option<Value>,
    pub(super) slop: u32,
    pub(super) strictness: Strictness,
    /// What a text without any word finds.
    pub(super) empty_is_all: bool,
}

impl Default for WordOptions {
    fn default() -> Self {
        Self {
            operator: Operator::Or,
            count_min: None,
            slop: 0,
            strictness: Strictness::Strict,
            empty_is_all: false,
        }
    }
}

/// Rows with some or all words of `text` in `field`.
pub(super) fn words(
    context: &Context<'_>,
    field: &NamedField<'_>,
    text: &str,
    options: &WordOptions,
) -> Result<Filter, ElasticError> {
    if field.field_type() != FieldType::Text {
        return whole(context, field, text, options.strictness);
    }
    let words = tokens(text);
    if words.is_empty() {
        return Ok(if options.empty_is_all {
            Filter::All
        } else {
            Filter::None
        });
    }
    if let Some(count_min) = &options.count_min {
        let count = minimum_should_match(count_min, words.len())?.max(1);
        let each = words
            .into_iter()
            .map(|word| tokens_filter(field, vec![word], TokenMatch::Any))
            .collect();
        return Ok(at_least(count, each));
    }
    let how = match options.operator {
        Operator::Or => TokenMatch::Any,
        Operator::And => TokenMatch::All,
    };
    Ok(tokens_filter(field, words, how))
}

/// Rows with the words of `text` next to each other in `field`.
pub(super) fn phrase(
    context: &Context<'_>,
    field: &NamedField<'_>,
    text: &str,
    options: &WordOptions,
) -> Result<Filter, ElasticError> {
    if field.field_type() != FieldType::Text {
        return whole(context, field, text, options.strictness);
    }
    let words = tokens(text);
    if words.is_empty() {
        return Ok(if options.empty_is_all {
            Filter::All
        } else {
            Filter::None
        });
    }
    Ok(tokens_filter(
        field,
        words,
        TokenMatch::Phrase { slop: options.slop },
    ))
}

fn tokens_filter(field: &NamedField<'_>, tokens: Vec<String>, how: TokenMatch) -> Filter {
    Filter::Text {
        field: field.place.clone(),
        predicate: TextPredicate::Tokens { tokens, how },
    }
}

/// Rows with exactly the value `text`.
fn whole(
    context: &Context<'_>,
    field: &NamedField<'_>,
    text: &str,
    strictness: Strictness,
) -> Result<Filter, ElasticError> {
    match (leaf::term(context, field, text), strictness) {
        (Err(_), Strictness::Lenient) => Ok(Filter::None),
        (found, Strictness::Strict | Strictness::Lenient) => found,
    }
}

/// The text and the options of a query of this family.
struct WordQuery {
    text: String,
    options: WordOptions,
    fields: Vec<String>,
    kind: String,
}

impl WordQuery {
    fn read(name: &str, entries: Map<String, Value>) -> Result<Self, ElasticError> {
        let mut query = Self {
            text: String::new(),
            options: WordOptions::default(),
            fields: Vec::new(),
            kind: "best_fields".into(),
        };
        let mut text = None;
        for (key, value) in entries {
            query.option(name, &key, &value, &mut text)?;
        }
        query.text =
            text.ok_or_else(|| ElasticError::parsing("No text specified for text query"))?;
        Ok(query)
    }

    fn option(
        &mut self,
        name: &str,
        key: &str,
        value: &Value,
        text: &mut Option<String>,
    ) -> Result<(), ElasticError> {
        match key {
            "query" => *text = Some(read::text(value, key)?),
            "operator" => self.options.operator = Operator::parse(&read::text(value, key)?)?,
            "minimum_should_match" => self.options.count_min = Some(value.clone()),
            "slop" | "phrase_slop" => {
                self.options.slop = u32::try_from(read::count(value, key)?).unwrap_or(u32::MAX);
            }
            "lenient" if read::flag(value, key)? => {
                self.options.strictness = Strictness::Lenient;
            }
            "zero_terms_query" => {
                self.options.empty_is_all = read::text(value, key)?.eq_ignore_ascii_case("all");
            }
            "fields" if name == "multi_match" => {
                for field in read::one_or_many(value) {
                    self.fields.push(read::text(field, key)?);
                }
            }
            "type" if name == "multi_match" => self.kind = read::text(value, key)?,
            "fuzziness" if value.as_str() != Some("0") && value.as_i64() != Some(0) => {
                return Err(ElasticError::unsupported(format!(
                    "[fuzziness] of [{name}]"
                )));
            }
            "analyzer" => {
                let analyzer = read::text(value, key)?;
                if analyzer != "standard" {
                    return Err(ElasticError::unsupported(format!(
                        "[analyzer] [{analyzer}]"
                    )));
                }
            }
            "lenient"
            | "fuzziness"
            | "auto_generate_synonyms_phrase_query"
            | "boost"
            | "_name"
            | "fuzzy_rewrite"
            | "fuzzy_transpositions"
            | "max_expansions"
            | "prefix_length"
            | "tie_breaker"
            | "cutoff_frequency" => {}
            unknown => {
                return Err(ElasticError::parsing(format!(
                    "[{name}] query does not support [{unknown}]"
                ))
                .at_value(unknown));
            }
        }
        Ok(())
    }
}

/// A query over one field.
fn parse_one(
    context: &Context<'_>,
    name: &str,
    body: &Value,
    find: impl Fn(&NamedField<'_>, &WordQuery) -> Result<Filter, ElasticError>,
) -> Result<Filter, ElasticError> {
    let clause = FieldClause::read(name, body)?;
    let query = WordQuery::read(name, clause.options("query"))?;
    let texts = std::slice::from_ref(&query.text);
    if let Some(filter) = term::metadata(context, clause.path, texts) {
        return Ok(filter);
    }
    match context.field(clause.path) {
        Some(field) => find(&field, &query),
        None => Ok(Filter::None),
    }
}

/// `match`.
pub(super) fn parse_match(context: &Context<'_>, body: &Value) -> Result<Filter, ElasticError> {
    parse_one(context, "match", body, |field, query| {
        words(context, field, &query.text, &query.options)
    })
}

/// `match_phrase`.
pub(super) fn parse_match_phrase(
    context: &Context<'_>,
    body: &Value,
) -> Result<Filter, ElasticError> {
    parse_one(context, "match_phrase", body, |field, query| {
        phrase(context, field, &query.text, &query.options)
    })
}

/// `match_phrase_prefix`, as far as a filter can say it: the prefix alone.
pub(super) fn parse_match_phrase_prefix(
    context: &Context<'_>,
    body: &Value,
) -> Result<Filter, ElasticError> {
    parse_one(context, "match_phrase_prefix", body, |field, query| {
        phrase_prefix(context, field, &query.text)
    })
}

fn phrase_prefix(
    context: &Context<'_>,
    field: &NamedField<'_>,
    text: &str,
) -> Result<Filter, ElasticError> {
    if !leaf::has_texts(field) {
        return Err(context.query_error(format!(
            "Can only use phrase prefix queries on text fields - not on [{}] which is of type [{}]",
            field.path,
            field.type_name()
        )));
    }
    if field.field_type() != FieldType::Text {
        return Ok(leaf::pattern(field, pattern::prefix_pattern(text, false)));
    }
    match tokens(text).as_slice() {
        [] => Ok(Filter::None),
        [word] => Ok(leaf::pattern(field, pattern::prefix_pattern(word, false))),
        [_, ..] => Err(ElasticError::unsupported(
            "[match_phrase_prefix] of several words",
        )),
    }
}

/// `multi_match`: the same over several fields; one of them is enough.
pub(super) fn parse_multi_match(
    context: &Context<'_>,
    body: &Value,
) -> Result<Filter, ElasticError> {
    let mut query = WordQuery::read("multi_match", read::object(body, "multi_match")?.clone())?;
    let mut fields = Vec::new();
    if query.fields.is_empty() {
        query.fields.push("*".into());
        query.options.strictness = Strictness::Lenient;
    }
    for name in &query.fields {
        let name = name.split('^').next().unwrap_or(name);
        fields.extend(context.fields(name)?);
    }
    let find = |field: &NamedField<'_>| match query.kind.as_str() {
        "best_fields" | "most_fields" => words(context, field, &query.text, &query.options),
        "phrase" => phrase(context, field, &query.text, &query.options),
        "phrase_prefix" => phrase_prefix(context, field, &query.text),
        other => Err(ElasticError::unsupported(format!(
            "[type] [{other}] of [multi_match]"
        ))),
    };
    Ok(any_of(
        fields.iter().map(find).collect::<Result<Vec<_>, _>>()?,
    ))
}
