//! `_analyze`: how a text is cut into tokens.

use query::text::Analyzer;
use serde_json::{Map, Value, json};
use storage::model::{FieldType, Mapping};

use super::search::parse_object;
use super::{ElasticError, read};

/// Most tokens of an answer unless the index says another number.
const TOKENS_MAX: u64 = 10_000;

/// Places between the tokens of two texts of a list, as Elasticsearch has it.
const TEXT_GAP: usize = 100;

/// A word of a text.
#[derive(Debug, Clone, PartialEq)]
struct Token {
    text: String,
    /// In UTF-16, over all texts.
    start: usize,
    end: usize,
    position: usize,
    kind: &'static str,
}

/// What makes tokens of a text.
#[derive(Debug)]
enum Way {
    Analyzer(String, Analyzer),
    /// A tokenizer, and what is done with its tokens.
    Custom(String, Analyzer, Vec<Filter>),
}

/// What is done with each token.
#[derive(Debug)]
enum Filter {
    Lower,
    Upper,
    Trim,
    Stop(Vec<String>),
    Unique,
}

/// An index whose fields and settings count.
#[derive(Debug, Clone, Copy)]
pub struct AnalyzedIndex<'a> {
    /// Its fields.
    pub mapping: &'a Mapping,
    /// `index.analyze.max_token_count`
    pub tokens_max: Option<u64>,
}

/// Answers `_analyze`.
///
/// # Errors
/// When there is no text, an analyzer is not known, or there are too many tokens.
pub fn analyze(body: &[u8], index: Option<AnalyzedIndex<'_>>) -> Result<Value, ElasticError> {
    let text = std::str::from_utf8(body)
        .map_err(|_| ElasticError::new(400, "json_parse_exception", "Invalid UTF-8"))?;
    let entries = parse_object(text)?;
    let known = [
        "text",
        "analyzer",
        "tokenizer",
        "filter",
        "field",
        "explain",
        "attributes",
    ];
    for key in entries.keys() {
        if matches!(key.as_str(), "char_filter" | "normalizer") {
            return Err(ElasticError::unsupported(format!("[{key}] in _analyze")));
        }
        if !known.contains(&key.as_str()) {
            let reason = format!("[analyze_request] unknown field [{key}]");
            return Err(ElasticError::content(reason));
        }
    }
    let texts = entries
        .get("text")
        .map_or(&[][..], read::one_or_many)
        .iter();
    let texts = texts.map(|text| read::text(text, "text"));
    let texts = texts.collect::<Result<Vec<_>, _>>()?;
    if texts.is_empty() {
        return Err(ElasticError::validation(&["text is missing".into()]));
    }
    let way = way(&entries, index)?;
    let tokens_max = index
        .and_then(|index| index.tokens_max)
        .unwrap_or(TOKENS_MAX);
    let explains = entries
        .get("explain")
        .map(|value| read::flag(value, "explain"));
    let explains = explains.transpose()?.unwrap_or(false);
    let (Way::Analyzer(name, analyzer) | Way::Custom(name, analyzer, _)) = &way;
    let cut = tokens(*analyzer, &texts, matches!(way, Way::Analyzer(..)));
    check_count(cut.len(), tokens_max)?;
    let Way::Custom(_, _, filters) = &way else {
        return Ok(match explains {
            false => json!({ "tokens": shown(&cut) }),
            true => json!({ "detail": {
                "custom_analyzer": false,
                "analyzer": { "name": name, "tokens": shown(&cut) },
            } }),
        });
    };
    let mut steps = Vec::new();
    let mut tokens = cut.clone();
    for filter in filters {
        tokens = filter.apply(tokens);
        steps.push(json!({ "name": filter.name(), "tokens": shown(&tokens) }));
    }
    Ok(match explains {
        false => json!({ "tokens": shown(&tokens) }),
        true => json!({ "detail": {
            "custom_analyzer": true,
            "charfilters": [],
            "tokenizer": { "name": name, "tokens": shown(&cut) },
            "tokenfilters": steps,
        } }),
    })
}

fn check_count(count: usize, tokens_max: u64) -> Result<(), ElasticError> {
    if count as u64 > tokens_max {
        return Err(ElasticError::new(
            500,
            "illegal_state_exception",
            format!(
                "The number of tokens produced by calling _analyze has exceeded the allowed \
                 maximum of [{tokens_max}]. This limit can be set by changing the \
                 [index.analyze.max_token_count] index level setting."
            ),
        ));
    }
    Ok(())
}

fn way(
    entries: &Map<String, Value>,
    index: Option<AnalyzedIndex<'_>>,
) -> Result<Way, ElasticError> {
    let named = |name: String| match Analyzer::parse(&name) {
        Some(analyzer) => Ok(Way::Analyzer(name, analyzer)),
        None => Err(ElasticError::illegal_argument(format!(
            "failed to find global analyzer [{name}]"
        ))),
    };
    if let Some(name) = entries.get("analyzer") {
        return named(read::text(name, "analyzer")?);
    }
    let filters = entries.get("filter").map_or(&[][..], read::one_or_many);
    if let Some(name) = entries.get("tokenizer") {
        let name = read::text(name, "tokenizer")?;
        let (analyzer, lowers) = match name.as_str() {
            "standard" => (Analyzer::Standard, false),
            "letter" => (Analyzer::Simple, false),
            "lowercase" => (Analyzer::Simple, true),
            "whitespace" => (Analyzer::Whitespace, false),
            "keyword" => (Analyzer::Keyword, false),
            other => {
                let reason = format!("failed to find global tokenizer under [{other}]");
                return Err(ElasticError::illegal_argument(reason));
            }
        };
        let lower = lowers.then_some(Ok(Filter::Lower));
        let filters = lower.into_iter().chain(filters.iter().map(Filter::read));
        return Ok(Way::Custom(
            name,
            analyzer,
            filters.collect::<Result<_, _>>()?,
        ));
    }
    if !filters.is_empty() {
        let filters = filters.iter().map(Filter::read).collect::<Result<_, _>>()?;
        return Ok(Way::Custom("keyword".into(), Analyzer::Keyword, filters));
    }
    let Some(field) = entries.get("field") else {
        return named("standard".into());
    };
    let path = read::text(field, "field")?;
    let index = index.ok_or_else(|| {
        ElasticError::illegal_argument("analysis based on a specific field requires an index")
    })?;
    let Some((field, _)) = index.mapping.resolve(&path) else {
        return named("standard".into());
    };
    match field.field_type {
        FieldType::Text => {
            let name = field.attributes.get("analyzer").and_then(Value::as_str);
            named(name.unwrap_or("standard").into())
        }
        FieldType::Keyword => named("keyword".into()),
        _ => Err(ElasticError::illegal_argument(format!(
            "Can't process field [{path}], Analysis requests are only supported on tokenized fields"
        ))),
    }
}

impl Filter {
    fn read(value: &Value) -> Result<Self, ElasticError> {
        let (name, entries) = match value {
            Value::String(name) => (name.as_str(), None),
            Value::Object(entries) => {
                let name = entries.get("type").and_then(Value::as_str);
                (name.unwrap_or(""), Some(entries))
            }
            other => return Err(read::wrong(other, "filter")),
        };
        Ok(match name {
            "lowercase" => Self::Lower,
            "uppercase" => Self::Upper,
            "trim" => Self::Trim,
            "unique" => Self::Unique,
            "stop" => {
                let words = entries.and_then(|entries| entries.get("stopwords"));
                let words = words.map_or(&[][..], read::one_or_many).iter();
                let words = words.map(|word| read::text(word, "stopwords"));
                let words = words.collect::<Result<Vec<_>, _>>()?;
                match words.as_slice() {
                    [] => Self::english(),
                    [only] if only == "_english_" => Self::english(),
                    [only] if only == "_none_" => Self::Stop(Vec::new()),
                    _ => Self::Stop(words),
                }
            }
            other => {
                let reason = format!("failed to find global filter under [{other}]");
                return Err(ElasticError::illegal_argument(reason));
            }
        })
    }

    fn english() -> Self {
        Self::Stop(
            query::text::STOP_WORDS
                .iter()
                .map(|word| (*word).into())
                .collect(),
        )
    }

    fn name(&self) -> &'static str {
        match self {
            Self::Lower => "lowercase",
            Self::Upper => "uppercase",
            Self::Trim => "trim",
            Self::Stop(_) => "stop",
            Self::Unique => "unique",
        }
    }

    fn apply(&self, tokens: Vec<Token>) -> Vec<Token> {
        let each = |change: fn(&str) -> String| {
            let tokens = tokens.iter().cloned();
            let tokens = tokens.map(|token| Token {
                text: change(&token.text),
                ..token
            });
            tokens.collect()
        };
        match self {
            Self::Lower => each(str::to_lowercase),
            Self::Upper => each(str::to_uppercase),
            Self::Trim => each(|text| text.trim().into()),
            Self::Stop(words) => {
                let mut tokens = tokens;
                tokens.retain(|token| !words.contains(&token.text));
                tokens
            }
            Self::Unique => {
                let mut seen = std::collections::BTreeSet::new();
                let mut tokens = tokens;
                tokens.retain(|token| seen.insert(token.text.clone()));
                tokens
            }
        }
    }
}

/// The tokens of all texts; as they stand there unless the analyzer may change them.
fn tokens(analyzer: Analyzer, texts: &[String], changes: bool) -> Vec<Token> {
    let mut tokens = Vec::new();
    let mut text_start = 0;
    let mut position = 0;
    for (number, text) in texts.iter().enumerate() {
        if number > 0 {
            position += TEXT_GAP;
        }
        let mut known = (0, 0);
        for (place, changed) in analyzer.places(text) {
            let word = &text[place.clone()];
            let start = known.1 + units(&text[known.0..place.start]);
            let end = start + units(word);
            known = (place.end, end);
            tokens.push(Token {
                kind: kind(analyzer, word),
                text: if changes { changed } else { word.to_owned() },
                start: text_start + start,
                end: text_start + end,
                position,
            });
            position += 1;
        }
        text_start += units(text) + 1;
    }
    tokens
}

fn units(text: &str) -> usize {
    text.encode_utf16().count()
}

fn kind(analyzer: Analyzer, word: &str) -> &'static str {
    match analyzer {
        Analyzer::Standard if word.chars().all(|c| c.is_numeric() || c == '.' || c == ',') => {
            "<NUM>"
        }
        Analyzer::Standard => "<ALPHANUM>",
        Analyzer::Simple | Analyzer::Whitespace | Analyzer::Keyword | Analyzer::Stop => "word",
    }
}

fn shown(tokens: &[Token]) -> Value {
    let shown = tokens.iter().map(|token| {
        json!({
            "token": token.text,
            "start_offset": token.start,
            "end_offset": token.end,
            "type": token.kind,
            "position": token.position,
        })
    });
    shown.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(body: &Value, expected: &str) {
        let found = match analyze(body.to_string().as_bytes(), None) {
            Ok(answer) => {
                let tokens = answer["tokens"].as_array().expect("tokens").iter();
                let tokens = tokens.map(|token| {
                    let text = token["token"].as_str().unwrap_or_default();
                    let at = [
                        &token["start_offset"],
                        &token["end_offset"],
                        &token["position"],
                    ];
                    format!("{text}@{}-{}#{}", at[0], at[1], at[2])
                });
                tokens.collect::<Vec<_>>().join(" ")
            }
            Err(error) => error.reason().to_owned(),
        };
        assert_eq!(found, expected, "{body}");
    }

    #[test]
    fn texts_are_cut_and_places_counted_as_java_does() {
        check(&json!({ "text": "Foo Bar" }), "foo@0-3#0 bar@4-7#1");
        check(
            &json!({ "text": "\u{1F600}x Über", "analyzer": "whitespace" }),
            "\u{1F600}x@0-3#0 Über@4-8#1",
        );
        check(
            &json!({ "text": ["Foo Bar", "Baz"], "tokenizer": "standard" }),
            "Foo@0-3#0 Bar@4-7#1 Baz@8-11#102",
        );
        check(
            &json!({ "text": "a The B", "tokenizer": "lowercase", "filter": ["stop"] }),
            "b@6-7#2",
        );
        check(
            &json!({ "text": "A b", "analyzer": "keyword" }),
            "A b@0-3#0",
        );
        check(
            &json!({ "text": "a", "analyzer": "french" }),
            "failed to find global analyzer [french]",
        );
        check(&json!({}), "Validation Failed: 1: text is missing;");
        check(
            &json!({ "text": "a ".repeat(10_001) }),
            "The number of tokens produced by calling _analyze has exceeded the allowed maximum of \
             [10000]. This limit can be set by changing the [index.analyze.max_token_count] index \
             level setting.",
        );
    }
}
