//! `query_string`: the tree of a query string with its fields looked up.

use std::ops::Bound;

use jiff::tz::TimeZone;
use query::request::{Filter, Pattern};
use serde_json::Value;
use storage::model::FieldType;

use super::boolean::minimum_should_match;
use super::leaf::{self, Strictness};
use super::pattern::{check_length, regexp_pattern};
use super::range::{self, TextRange};
use super::syntax::{self, Clause, Node, Occurs, RangeEnd, Word};
use super::words::{self, Operator, WordOptions};
use super::{all_of, any_of, at_least, not, term};
use crate::elastic::ElasticError;
use crate::elastic::context::{Context, NamedField};
use crate::elastic::date_math::parse_zone;
use crate::elastic::read;

/// How a query string is read.
#[derive(Debug, Clone)]
pub(in crate::elastic) struct QueryStringOptions {
    /// The fields of words without one; empty means every field.
    pub(in crate::elastic) fields: Vec<String>,
    /// Whether clauses are required unless they say otherwise.
    pub(in crate::elastic) all_required: bool,
    /// Whether a value that its field cannot have matches nothing instead of an error.
    pub(in crate::elastic) lenient: bool,
    zone: Option<TimeZone>,
    count_min: Option<Value>,
    phrase_slop: u32,
    /// How far near words are that do not say it.
    fuzziness: Value,
    fuzzy_prefix_chars: usize,
}

impl QueryStringOptions {
    /// How many of the clauses that may match must.
    pub(super) fn set_count_min(&mut self, count_min: &Value) {
        self.count_min = Some(count_min.clone());
    }

    /// Every field, any clause, strict.
    pub(in crate::elastic) fn new() -> Self {
        Self {
            fields: Vec::new(),
            all_required: false,
            lenient: false,
            zone: None,
            count_min: None,
            phrase_slop: 0,
            fuzziness: "AUTO".into(),
            fuzzy_prefix_chars: 0,
        }
    }
}

/// The rows that the tree of a query string asks for.
pub(super) fn filter_of(
    context: &Context<'_>,
    node: &Node,
    options: &QueryStringOptions,
) -> Result<Filter, ElasticError> {
    Reader { context, options }.node(node, None)
}

/// `query_string` as JSON.
pub(super) fn parse(context: &Context<'_>, body: &Value) -> Result<Filter, ElasticError> {
    let mut options = QueryStringOptions::new();
    let mut text = None;
    for (key, value) in read::object(body, "query_string")? {
        match key.as_str() {
            "query" => text = Some(read::text(value, key)?),
            "default_field" => options.fields = vec![read::text(value, key)?],
            "fields" => {
                if read::one_or_many(value).iter().any(Value::is_null) {
                    return Err(ElasticError::parsing(
                        "[query_string] field name in [fields] cannot be null",
                    )
                    .at_value(key));
                }
                options.fields = read::one_or_many(value)
                    .iter()
                    .map(|field| read::text(field, key))
                    .collect::<Result<_, _>>()?;
            }
            "default_operator" => {
                let operator = Operator::parse(&read::text(value, key)?)?;
                options.all_required = operator == Operator::And;
            }
            "lenient" => options.lenient = read::flag(value, key)?,
            "time_zone" => options.zone = Some(parse_zone(&read::text(value, key)?)?),
            "minimum_should_match" => options.count_min = Some(value.clone()),
            "fuzziness" => options.fuzziness = value.clone(),
            "fuzzy_prefix_length" => options.fuzzy_prefix_chars = read::count(value, key)?,
            "phrase_slop" => {
                options.phrase_slop = u32::try_from(read::count(value, key)?).unwrap_or(u32::MAX);
            }
            // They change scores, or name what this server does anyway.
            "allow_leading_wildcard"
            | "analyze_wildcard"
            | "analyzer"
            | "auto_generate_synonyms_phrase_query"
            | "boost"
            | "enable_position_increments"
            | "escape"
            | "fuzzy_max_expansions"
            | "fuzzy_rewrite"
            | "fuzzy_transpositions"
            | "max_determinized_states"
            | "_name"
            | "quote_analyzer"
            | "quote_field_suffix"
            | "rewrite"
            | "tie_breaker"
            | "type" => {}
            unknown => {
                return Err(ElasticError::parsing(format!(
                    "[query_string] query does not support [{unknown}]"
                ))
                .at_value(unknown));
            }
        }
    }
    let text = text.ok_or_else(|| {
        ElasticError::parsing("[query_string] must be provided with a [query]")
            .at_value("query_string")
    })?;
    parse_query_string(context, &text, &options)
}

/// The rows that a query string asks for. A text without any clause asks for none.
///
/// # Errors
/// When it cannot be read, or a field cannot have a value.
pub(in crate::elastic) fn parse_query_string(
    context: &Context<'_>,
    text: &str,
    options: &QueryStringOptions,
) -> Result<Filter, ElasticError> {
    let failed = |reason: String| {
        context
            .query_error(format!("Failed to parse query [{text}]"))
            .caused_by(ElasticError::new(
                400,
                "parse_exception",
                format!("Cannot parse '{text}': {reason}"),
            ))
    };
    let tree = syntax::parse(text, options.all_required).map_err(failed)?;
    let reader = Reader { context, options };
    match tree {
        Some(node) => reader.node(&node, None),
        None => Ok(Filter::None),
    }
}

struct Reader<'a> {
    context: &'a Context<'a>,
    options: &'a QueryStringOptions,
}

impl Reader<'_> {
    /// The filter of `node`; `field` is the field around it.
    fn node(&self, node: &Node, field: Option<&str>) -> Result<Filter, ElasticError> {
        match node {
            Node::Clauses(clauses) => self.clauses(clauses, field),
            Node::Field(name, inner) => match name.as_str() {
                "_exists_" => self.exists(inner),
                "*" if is_star(inner) => Ok(Filter::All),
                name => self.node(inner, Some(name)),
            },
            Node::Word(word) if field.is_none() && is_bare_star(word) => Ok(Filter::All),
            Node::Word(word) if is_bare_star(word) => {
                leaf::exists(self.context, field.unwrap_or("*"))
            }
            Node::Word(_)
            | Node::Fuzzy(..)
            | Node::Phrase(..)
            | Node::Regex(_)
            | Node::Range(..) => self.fields(node, field),
        }
    }

    fn clauses(&self, clauses: &[Clause], field: Option<&str>) -> Result<Filter, ElasticError> {
        let (mut required, mut choices) = (Vec::new(), Vec::new());
        let mut has_required = false;
        for clause in clauses {
            let filter = self.node(&clause.node, field)?;
            match clause.occurs {
                Occurs::Must => {
                    has_required = true;
                    required.push(filter);
                }
                Occurs::MustNot => required.push(not(filter)),
                Occurs::Should => choices.push(filter),
            }
        }
        let count = match &self.options.count_min {
            Some(count_min) => minimum_should_match(count_min, choices.len())?,
            None => usize::from(!has_required && !choices.is_empty()),
        };
        required.push(at_least(count, choices));
        Ok(all_of(required))
    }

    fn exists(&self, node: &Node) -> Result<Filter, ElasticError> {
        match node {
            Node::Word(Word { text, .. }) | Node::Phrase(text, _) => {
                leaf::exists(self.context, text)
            }
            Node::Clauses(_)
            | Node::Field(..)
            | Node::Fuzzy(..)
            | Node::Regex(_)
            | Node::Range(..) => Err(self
                .context
                .query_error("Failed to parse query: [_exists_] needs a field")),
        }
    }

    /// A value in the field around it, else in the default fields, else in any field.
    fn fields(&self, node: &Node, field: Option<&str>) -> Result<Filter, ElasticError> {
        let patterns: Vec<&str> = match field {
            Some(field) => vec![field],
            None if self.options.fields.is_empty() => vec!["*"],
            None => self.options.fields.iter().map(String::as_str).collect(),
        };
        let mut filters = Vec::new();
        for pattern in patterns {
            let pattern = pattern.split('^').next().unwrap_or(pattern);
            if let Some(filter) = self.metadata(node, pattern) {
                filters.push(filter);
                continue;
            }
            let lenient = self.options.lenient || pattern == "*";
            let strictness = if lenient {
                Strictness::Lenient
            } else {
                Strictness::Strict
            };
            for field in self.context.fields(pattern)? {
                filters.push(self.leaf(node, &field, strictness)?);
            }
        }
        Ok(any_of(filters))
    }

    fn metadata(&self, node: &Node, path: &str) -> Option<Filter> {
        match node {
            Node::Word(Word { text, .. }) | Node::Phrase(text, _) => {
                term::metadata(self.context, path, std::slice::from_ref(text))
            }
            Node::Clauses(_)
            | Node::Field(..)
            | Node::Fuzzy(..)
            | Node::Regex(_)
            | Node::Range(..) => None,
        }
    }

    fn leaf(
        &self,
        node: &Node,
        field: &NamedField<'_>,
        strictness: Strictness,
    ) -> Result<Filter, ElasticError> {
        match node {
            Node::Word(word) => self.word(word, field, strictness),
            Node::Phrase(text, slop) => {
                let slop = if *slop == 0 {
                    self.options.phrase_slop
                } else {
                    *slop
                };
                let options = WordOptions {
                    slop,
                    ..self.word_options(field, strictness)
                };
                words::phrase(self.context, field, text, &options)
            }
            Node::Fuzzy(word, edits_max) => self.fuzzy(word, *edits_max, field, strictness),
            Node::Regex(regex) => self.regex(regex, field, strictness),
            Node::Range(lower, upper) => {
                let range = TextRange {
                    lower: bound(lower.as_ref()),
                    upper: bound(upper.as_ref()),
                    zone: self.options.zone.clone(),
                    ..TextRange::open()
                };
                range::filter(self.context, field, &range, strictness)
            }
            Node::Clauses(_) | Node::Field(..) => self.node(node, Some(&field.path)),
        }
    }

    fn word(
        &self,
        word: &Word,
        field: &NamedField<'_>,
        strictness: Strictness,
    ) -> Result<Filter, ElasticError> {
        let Some(wildcard) = &word.wildcard else {
            let options = self.word_options(field, strictness);
            return words::words(self.context, field, &word.text, &options);
        };
        if leaf::has_texts(field) {
            let is_text = field.field_type() == FieldType::Text;
            // Words of a full text are kept in lower case.
            let pattern = if is_text {
                wildcard.to_lowercase()
            } else {
                wildcard.clone()
            };
            return Ok(leaf::pattern(field, Pattern::Wildcard(pattern)));
        }
        self.no_pattern("wildcard", field, strictness)
    }

    fn fuzzy(
        &self,
        word: &str,
        edits_max: Option<u8>,
        field: &NamedField<'_>,
        strictness: Strictness,
    ) -> Result<Filter, ElasticError> {
        if !leaf::has_texts(field) {
            return self.no_pattern("fuzzy", field, strictness);
        }
        let word = match field.field_type() {
            FieldType::Text => word.to_lowercase(),
            _whole => word.to_owned(),
        };
        let fuzziness = match edits_max {
            Some(edits_max) => edits_max.into(),
            None => self.options.fuzziness.clone(),
        };
        let near = words::near(&word, &fuzziness, self.options.fuzzy_prefix_chars)?;
        Ok(leaf::pattern(field, near))
    }

    fn regex(
        &self,
        regex: &str,
        field: &NamedField<'_>,
        strictness: Strictness,
    ) -> Result<Filter, ElasticError> {
        if leaf::has_texts(field) {
            check_length(self.context, regex)?;
            // Words of a full text are kept in lower case.
            let regex = match field.field_type() {
                FieldType::Text => regex.to_lowercase(),
                _whole => regex.to_owned(),
            };
            return Ok(leaf::pattern(
                field,
                regexp_pattern(self.context, &regex, false)?,
            ));
        }
        self.no_pattern("regexp", field, strictness)
    }

    fn no_pattern(
        &self,
        name: &str,
        field: &NamedField<'_>,
        strictness: Strictness,
    ) -> Result<Filter, ElasticError> {
        match strictness {
            Strictness::Lenient => Ok(Filter::None),
            Strictness::Strict => Err(self.context.query_error(format!(
                "Can only use {name} queries on keyword, text and wildcard fields - not on [{}] \
                 which is of type [{}]",
                field.path,
                field.type_name()
            ))),
        }
    }

    fn word_options(&self, field: &NamedField<'_>, strictness: Strictness) -> WordOptions {
        let operator = if self.options.all_required {
            Operator::And
        } else {
            Operator::Or
        };
        // A word that is no number is not an error in a query string, whatever the options say.
        let strictness = if field.field_type().is_date() {
            strictness
        } else {
            Strictness::Lenient
        };
        WordOptions {
            operator,
            strictness,
            ..WordOptions::default()
        }
    }
}

fn bound(end: Option<&RangeEnd>) -> Bound<String> {
    match end {
        None => Bound::Unbounded,
        Some(RangeEnd {
            text,
            included: true,
        }) => Bound::Included(text.clone()),
        Some(RangeEnd {
            text,
            included: false,
        }) => Bound::Excluded(text.clone()),
    }
}

fn is_bare_star(word: &Word) -> bool {
    word.wildcard.as_deref() == Some("*")
}

fn is_star(node: &Node) -> bool {
    matches!(node, Node::Word(word) if is_bare_star(word))
}
