//! Full text: `match`, `match_phrase`, `match_phrase_prefix`, `multi_match`. On fields that are
//! not full text they look for the value as a whole.

use query::request::{
    Filter, IntervalOrder, Intervals, Pattern, TextPredicate, TokenMatch, WordMatch,
};
use query::text::Analyzer;
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
    /// The last word may be the beginning of one.
    pub(super) last_is_prefix: bool,
    /// How many letters of a word may be wrong.
    pub(super) fuzziness: Option<Value>,
    /// So many first letters must be right.
    pub(super) prefix_chars: usize,
    /// How the text is cut, instead of as the field says.
    pub(super) analyzer: Option<Analyzer>,
}

impl WordOptions {
    fn tokens(&self, field: &NamedField<'_>, text: &str) -> Vec<String> {
        let analyzer = self.analyzer;
        let analyzer = analyzer.unwrap_or_else(|| leaf::search_analyzer_of(field));
        analyzer.tokens(text)
    }
}

impl Default for WordOptions {
    fn default() -> Self {
        Self {
            operator: Operator::Or,
            count_min: None,
            slop: 0,
            strictness: Strictness::Strict,
            empty_is_all: false,
            last_is_prefix: false,
            fuzziness: None,
            prefix_chars: 0,
            analyzer: None,
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
    let words = options.tokens(field, text);
    if words.is_empty() {
        return Ok(if options.empty_is_all {
            Filter::All
        } else {
            Filter::None
        });
    }
    if options.last_is_prefix || options.fuzziness.is_some() {
        return loose_words(field, &words, options);
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
    let words = options.tokens(field, text);
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
    leaf::analyzed(field, TextPredicate::Tokens { tokens, how })
}

/// Words of which the last may be the beginning of one, or each a little wrong.
fn loose_words(
    field: &NamedField<'_>,
    words: &[String],
    options: &WordOptions,
) -> Result<Filter, ElasticError> {
    let mut each = Vec::with_capacity(words.len());
    for (place, word) in words.iter().enumerate() {
        let is_prefix = options.last_is_prefix && place + 1 == words.len();
        each.push(match &options.fuzziness {
            _ if is_prefix => leaf::pattern(field, pattern::prefix_pattern(word, false)),
            Some(fuzziness) => leaf::pattern(field, near(word, fuzziness, options.prefix_chars)?),
            None => tokens_filter(field, vec![word.clone()], TokenMatch::Any),
        });
    }
    let count = match (&options.count_min, options.operator) {
        (Some(count_min), _) => minimum_should_match(count_min, words.len())?.max(1),
        (None, Operator::And) => words.len(),
        (None, Operator::Or) => 1,
    };
    Ok(at_least(count, each))
}

/// Words that are near to `word`: `AUTO` allows none, one or two wrong letters by its length.
pub(super) fn near(
    word: &str,
    fuzziness: &Value,
    prefix_chars: usize,
) -> Result<Pattern, ElasticError> {
    let text = read::text(fuzziness, "fuzziness")?;
    let length = word.chars().count();
    let automatic = |low: usize, high: usize| match length {
        length if length < low => 0,
        length if length < high => 1,
        _longer => 2,
    };
    let upper = text.to_ascii_uppercase();
    let edits_max = match upper.strip_prefix("AUTO") {
        Some("") => automatic(3, 6),
        Some(bounds) => {
            let mut bounds = bounds.trim_start_matches(':').split(',');
            let mut bound = || bounds.next().and_then(|bound| bound.trim().parse().ok());
            let (low, high) = (bound(), bound());
            let bounds = low.zip(high);
            let (low, high) = bounds.ok_or_else(|| read::number_format(&text))?;
            automatic(low, high)
        }
        None => match read::integer(fuzziness, "fuzziness")? {
            edits @ 0..=2 => usize::try_from(edits).unwrap_or(2),
            other => {
                return Err(ElasticError::illegal_argument(format!(
                    "Invalid max edits [{other}]: it must be 0, 1 or 2"
                )));
            }
        },
    };
    Ok(Pattern::Near {
        word: word.into(),
        edits_max,
        prefix_chars,
    })
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
    cutoff: bool,
    slop_said: bool,
}

impl WordQuery {
    fn read(name: &str, entries: Map<String, Value>) -> Result<Self, ElasticError> {
        let mut query = Self {
            text: String::new(),
            options: WordOptions::default(),
            fields: Vec::new(),
            kind: "best_fields".into(),
            cutoff: false,
            slop_said: false,
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
                self.slop_said = true;
                self.options.slop = u32::try_from(read::count(value, key)?).unwrap_or(u32::MAX);
            }
            "lenient" if read::flag(value, key)? => {
                self.options.strictness = Strictness::Lenient;
            }
            "zero_terms_query" => {
                self.options.empty_is_all = read::text(value, key)?.eq_ignore_ascii_case("all");
            }
            "fields" if matches!(name, "multi_match" | "combined_fields") => {
                for field in read::one_or_many(value) {
                    self.fields.push(read::text(field, key)?);
                }
            }
            "type" if name == "multi_match" => self.kind = read::text(value, key)?,
            "fuzziness" => self.options.fuzziness = Some(value.clone()),
            "prefix_length" => self.options.prefix_chars = read::count(value, key)?,
            "analyzer" => {
                let name = read::text(value, key)?;
                let analyzer = Analyzer::parse(&name)
                    .ok_or_else(|| ElasticError::unsupported(format!("[analyzer] [{name}]")))?;
                self.options.analyzer = Some(analyzer);
            }
            "cutoff_frequency" => self.cutoff = true,
            "lenient"
            | "auto_generate_synonyms_phrase_query"
            | "boost"
            | "_name"
            | "fuzzy_rewrite"
            | "fuzzy_transpositions"
            | "max_expansions"
            | "tie_breaker" => {}
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

impl WordQuery {
    /// Options that some kinds of `multi_match` do not have.
    fn check_kind(&self) -> Result<(), ElasticError> {
        let refused = match self.kind.as_str() {
            "bool_prefix" if self.slop_said => "slop",
            "bool_prefix" if self.cutoff => "cutoff_frequency",
            "phrase" | "phrase_prefix" | "cross_fields" if self.options.fuzziness.is_some() => {
                "fuzziness"
            }
            _others => return Ok(()),
        };
        Err(ElasticError::parsing(format!(
            "[{refused}] not allowed for type [{}]",
            self.kind
        )))
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
        phrase_prefix(context, field, query)
    })
}

/// `match_bool_prefix`: words, the last of which may be the beginning of one.
pub(super) fn parse_match_bool_prefix(
    context: &Context<'_>,
    body: &Value,
) -> Result<Filter, ElasticError> {
    parse_one(context, "match_bool_prefix", body, |field, query| {
        bool_prefix(context, field, query)
    })
}

fn bool_prefix(
    context: &Context<'_>,
    field: &NamedField<'_>,
    query: &WordQuery,
) -> Result<Filter, ElasticError> {
    if field.field_type() == FieldType::Keyword {
        let pattern = pattern::prefix_pattern(&query.text, field.ignores_case());
        return Ok(leaf::pattern(field, pattern));
    }
    let options = WordOptions {
        last_is_prefix: true,
        ..query.options.clone()
    };
    words(context, field, &query.text, &options)
}

/// `fuzzy`: a term that is near.
pub(super) fn parse_fuzzy(context: &Context<'_>, body: &Value) -> Result<Filter, ElasticError> {
    let clause = FieldClause::read("fuzzy", body)?;
    let mut text = None;
    let mut fuzziness = Value::from("AUTO");
    let mut prefix_chars = 0;
    for (key, value) in clause.options("value") {
        match key.as_str() {
            "value" => text = Some(read::text(&value, &key)?),
            "fuzziness" => fuzziness = value,
            "prefix_length" => prefix_chars = read::count(&value, &key)?,
            "boost" | "_name" | "rewrite" | "max_expansions" | "transpositions" => {}
            unknown => {
                return Err(ElasticError::parsing(format!(
                    "[fuzzy] query does not support [{unknown}]"
                ))
                .at_value(unknown));
            }
        }
    }
    let text = text.ok_or_else(|| ElasticError::illegal_argument("value cannot be null"))?;
    match context.whole_field(clause.path) {
        None => Ok(Filter::None),
        Some(field) if leaf::has_texts(&field) => Ok(leaf::pattern(
            &field,
            near(&text, &fuzziness, prefix_chars)?,
        )),
        Some(field) => Err(context.query_error(format!(
            "Can only use fuzzy queries on keyword and text fields - not on [{}] which is of type \
             [{}]",
            field.path,
            field.type_name()
        ))),
    }
}

fn phrase_prefix(
    context: &Context<'_>,
    field: &NamedField<'_>,
    query: &WordQuery,
) -> Result<Filter, ElasticError> {
    let text = query.text.as_str();
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
    match query.options.tokens(field, text).as_slice() {
        [] => Ok(Filter::None),
        [word] => Ok(leaf::pattern(field, pattern::prefix_pattern(word, false))),
        [words @ .., last] => {
            let words = words.iter().cloned().map(WordMatch::Is);
            let last = WordMatch::Fits(pattern::prefix_pattern(last, false));
            let intervals = Intervals::All {
                of: words.chain([last]).map(Intervals::Word).collect(),
                order: IntervalOrder::Ordered,
                gaps_max: Some(query.options.slop),
            };
            Ok(leaf::analyzed(field, TextPredicate::Intervals(intervals)))
        }
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
    query.check_kind()?;
    if query.kind == "cross_fields" && query.options.operator == Operator::And {
        return across(context, &fields, &query);
    }
    let find = |field: &NamedField<'_>| match query.kind.as_str() {
        "best_fields" | "most_fields" | "cross_fields" => {
            words(context, field, &query.text, &query.options)
        }
        "phrase" => phrase(context, field, &query.text, &query.options),
        "phrase_prefix" => phrase_prefix(context, field, &query),
        "bool_prefix" => bool_prefix(context, field, &query),
        other => Err(ElasticError::unsupported(format!(
            "[type] [{other}] of [multi_match]"
        ))),
    };
    Ok(any_of(
        fields.iter().map(find).collect::<Result<Vec<_>, _>>()?,
    ))
}

/// `combined_fields`: fields as if they were one, so that each word may stand in another.
pub(super) fn parse_combined_fields(
    context: &Context<'_>,
    body: &Value,
) -> Result<Filter, ElasticError> {
    let entries = read::object(body, "combined_fields")?.clone();
    let query = WordQuery::read("combined_fields", entries)?;
    let mut fields = Vec::new();
    for name in &query.fields {
        let name = name.split('^').next().unwrap_or(name);
        fields.extend(context.fields(name)?);
    }
    if fields.is_empty() && query.fields.is_empty() {
        return Err(
            ElasticError::content("[combined_fields] requires [fields] to be provided")
                .at_key("combined_fields"),
        );
    }
    across(context, &fields, &query)
}

/// Rows that have each word, or as many of them as are wanted, in one of the fields.
fn across(
    context: &Context<'_>,
    fields: &[NamedField<'_>],
    query: &WordQuery,
) -> Result<Filter, ElasticError> {
    let Some(first) = fields.first() else {
        return Ok(Filter::None);
    };
    let tokens = query.options.tokens(first, &query.text);
    let options = WordOptions {
        count_min: None,
        ..query.options.clone()
    };
    let mut each = Vec::with_capacity(tokens.len());
    for token in &tokens {
        let in_any = fields
            .iter()
            .map(|field| words(context, field, token, &options));
        each.push(any_of(in_any.collect::<Result<Vec<_>, _>>()?));
    }
    let count = match (&query.options.count_min, query.options.operator) {
        (Some(count_min), _) => minimum_should_match(count_min, each.len())?.max(1),
        (None, Operator::And) => each.len(),
        (None, Operator::Or) => 1,
    };
    match (each.is_empty(), query.options.empty_is_all) {
        (true, true) => Ok(Filter::All),
        (true, false) => Ok(Filter::None),
        (false, _) => Ok(at_least(count, each)),
    }
}
