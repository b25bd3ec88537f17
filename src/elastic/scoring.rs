//! What queries score: the second reading of a query, beside the filter that it is.
//!
//! Only words of full text are weighed (BM25); every other query scores its boost. What filters
//! and what must not match scores nothing. A query whose rows all score the same needs no scoring.

use query::request::{NamedFilter, Origin, Scoring, WordScoring};
use serde_json::{Map, Value};
use storage::model::FieldType;

use super::context::{Context, NamedField};
use super::date_math::{DateReader, Missing, parse_format};
use super::filter::{analyzer_of, parse_filter, search_analyzer_of};
use super::{ElasticError, function_score, geo, read};

/// Most named queries of a request.
const NAMED_MAX: usize = 256;

/// What a query scores, and its parts that have names.
#[derive(Debug)]
pub(super) struct Scored {
    pub(super) scoring: Scoring,
    pub(super) named: Vec<NamedFilter>,
}

/// Reads a query that [`parse_filter`] has read before.
///
/// # Errors
/// On options of scores that do not fit.
pub(super) fn parse(context: &Context<'_>, query: &Value) -> Result<Scored, ElasticError> {
    let mut reader = Reader {
        context,
        named: Vec::new(),
    };
    let scoring = reader.query(query, Certainty::Matches)?;
    Ok(Scored {
        scoring,
        named: reader.named,
    })
}

/// What every row scores, if all score the same.
pub(super) fn same_for_all(scoring: &Scoring) -> Option<f64> {
    match scoring {
        Scoring::Always(score) => Some(*score),
        Scoring::Times { factor, of } => same_for_all(of).map(|score| score * factor),
        Scoring::Sum(of) => of
            .iter()
            .map(same_for_all)
            .try_fold(0.0, |sum, score| Some(sum + score?)),
        Scoring::Product(of) => of
            .iter()
            .map(same_for_all)
            .try_fold(1.0, |product, score| Some(product * score?)),
        Scoring::Best { of, .. } => match of.as_slice() {
            [] => Some(0.0),
            [only] => same_for_all(only),
            _several => None,
        },
        Scoring::Matching { .. }
        | Scoring::When { .. }
        | Scoring::Words(_)
        | Scoring::Near { .. }
        | Scoring::Value(_) => None,
    }
}

/// `indices_boost`: how much more the hits of an index count; `None` when nothing is said of any.
///
/// # Errors
/// When it is no object of numbers, nor a list of such.
pub(super) fn index_boost(
    context: &Context<'_>,
    value: Option<&Value>,
) -> Result<Option<f64>, ElasticError> {
    let Some(value) = value.filter(|value| !value.is_null()) else {
        return Ok(None);
    };
    let mut found = None;
    for entry in read::one_or_many(value) {
        for (pattern, boost) in read::object(entry, "indices_boost")? {
            let boost = read::float(boost, pattern)?;
            if found.is_none() && context.is_named(pattern) {
                found = Some(boost);
            }
        }
    }
    Ok(Some(found.unwrap_or(1.0)))
}

/// Whether a row that is scored is known to match the query.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Certainty {
    Matches,
    Maybe,
}

struct Reader<'a> {
    context: &'a Context<'a>,
    named: Vec<NamedFilter>,
}

impl Reader<'_> {
    fn query(&mut self, query: &Value, certainty: Certainty) -> Result<Scoring, ElasticError> {
        let entry = query.as_object().and_then(|query| query.iter().next());
        let Some((name, body)) = entry else {
            return Ok(Scoring::Always(0.0));
        };
        let scoring = self.named_query(name, body, certainty)?;
        if let Some(named) = name_of(name, body) {
            if self.named.len() == NAMED_MAX {
                return Err(ElasticError::illegal_argument(format!(
                    "a search has at most [{NAMED_MAX}] named queries"
                )));
            }
            self.named.push(NamedFilter {
                name: named,
                filter: parse_filter(self.context, query)?,
                score: scoring.clone(),
            });
        }
        Ok(scoring)
    }

    fn named_query(
        &mut self,
        name: &str,
        body: &Value,
        certainty: Certainty,
    ) -> Result<Scoring, ElasticError> {
        let boost = boost(name, body)?;
        let scoring = match name {
            "bool" => self.boolean(body, boost)?,
            "dis_max" => {
                let others = body.get("tie_breaker");
                let others = others.map_or(Ok(0.0), |tie| read::float(tie, "tie_breaker"))?;
                let queries = body.get("queries").map_or(&[][..], read::one_or_many);
                let of = self.each(queries, Certainty::Maybe)?;
                return Ok(times(boost, Scoring::Best { of, others }));
            }
            "constant_score" => {
                if let Some(inner) = body.get("filter") {
                    // For its names.
                    self.query(inner, Certainty::Maybe)?;
                }
                Scoring::Always(boost)
            }
            "boosting" => self.boosting(body, boost)?,
            "function_score" => self.functions(body, boost)?,
            "match" | "match_phrase" | "match_bool_prefix" | "match_phrase_prefix" => {
                self.words(name, body)?.unwrap_or(Scoring::Always(boost))
            }
            "term" => self.term(body, boost)?,
            "multi_match" | "combined_fields" => self.multi_match(name, body, boost)?,
            "query_string" | "simple_query_string" => self.query_string(body, boost)?,
            "distance_feature" => self.distance(body, boost)?,
            "match_none" => Scoring::Always(0.0),
            _others => Scoring::Always(boost),
        };
        let is_plain = matches!(scoring, Scoring::Words(_));
        if certainty == Certainty::Matches || is_plain {
            return Ok(scoring);
        }
        let query = Value::Object(Map::from_iter([(name.to_owned(), body.clone())]));
        let filter = parse_filter(self.context, &query)?;
        Ok(match scoring {
            Scoring::Always(score) => Scoring::Matching { filter, score },
            of => Scoring::When {
                filter,
                of: Box::new(of),
            },
        })
    }

    fn each(
        &mut self,
        queries: &[Value],
        certainty: Certainty,
    ) -> Result<Vec<Scoring>, ElasticError> {
        let each = queries.iter().map(|query| self.query(query, certainty));
        each.collect()
    }

    fn boolean(&mut self, body: &Value, boost: f64) -> Result<Scoring, ElasticError> {
        let clauses = |key: &str| body.get(key).map_or(&[][..], read::one_or_many);
        let has_required = !clauses("must").is_empty() || !clauses("filter").is_empty();
        let mut of = self.each(clauses("must"), Certainty::Matches)?;
        let choices = clauses("should");
        // A single choice that nothing makes optional is there.
        let is_certain =
            choices.len() == 1 && !has_required && body.get("minimum_should_match").is_none();
        let certainty = match is_certain {
            true => Certainty::Matches,
            false => Certainty::Maybe,
        };
        of.extend(self.each(choices, certainty)?);
        for key in ["filter", "must_not", "mustNot"] {
            self.each(clauses(key), Certainty::Maybe)?;
        }
        let is_empty = body.as_object().is_some_and(Map::is_empty);
        if is_empty {
            return Ok(Scoring::Always(boost));
        }
        Ok(times(boost, Scoring::Sum(of)))
    }

    /// `boosting`: what also matches `negative` scores less.
    fn boosting(&mut self, body: &Value, boost: f64) -> Result<Scoring, ElasticError> {
        let positive = body.get("positive").unwrap_or(&Value::Null);
        let positive = self.query(positive, Certainty::Matches)?;
        let less = body.get("negative_boost");
        let less = less.map_or(Ok(1.0), |less| read::float(less, "negative_boost"))?;
        let Some(negative) = body.get("negative") else {
            return Ok(times(boost, positive));
        };
        let filter = parse_filter(self.context, negative)?;
        let penalty = Scoring::Sum(vec![
            Scoring::Always(1.0),
            Scoring::Matching {
                filter,
                score: less - 1.0,
            },
        ]);
        Ok(times(boost, Scoring::Product(vec![positive, penalty])))
    }

    /// `function_score`: weights and values of rows.
    fn functions(&mut self, body: &Value, boost: f64) -> Result<Scoring, ElasticError> {
        let inner = match body.get("query") {
            Some(query) => self.query(query, Certainty::Matches)?,
            None => Scoring::Always(1.0),
        };
        let scoring = function_score::apply(self.context, body, inner)?;
        Ok(times(boost, scoring))
    }

    /// Words in one field; `None` where the field is no full text.
    fn words(&self, name: &str, body: &Value) -> Result<Option<Scoring>, ElasticError> {
        let Some((path, clause)) = clause_of(body) else {
            return Ok(None);
        };
        let text = clause.get("query").unwrap_or(clause);
        let Ok(text) = read::text(text, "query") else {
            return Ok(None);
        };
        let field = self.context.field(path);
        let Some(field) = field.filter(|field| field.field_type() == FieldType::Text) else {
            return Ok(None);
        };
        let boost = boost(name, body)?;
        Ok(Some(field_words(&field, name, &text, boost)))
    }

    fn term(&self, body: &Value, boost: f64) -> Result<Scoring, ElasticError> {
        let Some((path, clause)) = clause_of(body) else {
            return Ok(Scoring::Always(boost));
        };
        let field = self.context.whole_field(path);
        let Some(field) = field.filter(|field| field.field_type() == FieldType::Text) else {
            return Ok(Scoring::Always(boost));
        };
        let text = read::text(clause.get("value").unwrap_or(clause), path)?;
        Ok(weighed(&field, vec![text], false, boost))
    }

    fn multi_match(&self, name: &str, body: &Value, boost: f64) -> Result<Scoring, ElasticError> {
        let text = body.get("query").map(|text| read::text(text, "query"));
        let text = text.transpose()?.unwrap_or_default();
        let kind = body.get("type").and_then(Value::as_str);
        let kind = kind.unwrap_or(if name == "combined_fields" {
            "most_fields"
        } else {
            "best_fields"
        });
        let mut of = Vec::new();
        for pattern in body.get("fields").map_or(&[][..], read::one_or_many) {
            let pattern = read::text(pattern, "fields")?;
            let (pattern, own) = boosted(&pattern);
            for field in self.context.fields(pattern)? {
                of.push((field, own * boost));
            }
        }
        let phrase = match kind {
            "phrase" => "match_phrase",
            "phrase_prefix" => "match_phrase_prefix",
            "bool_prefix" => "match_bool_prefix",
            _words => "match",
        };
        let each = |(field, boost): &(NamedField<'_>, f64)| match field.field_type() {
            FieldType::Text => Ok(field_words(field, phrase, &text, *boost)),
            _whole => {
                let query = serde_json::json!({ "match": { field.path.as_str(): {
                    "query": text, "lenient": true
                }}});
                let filter = parse_filter(self.context, &query)?;
                Ok(Scoring::Matching {
                    filter,
                    score: *boost,
                })
            }
        };
        let of = of
            .iter()
            .map(each)
            .collect::<Result<Vec<_>, ElasticError>>()?;
        let others = body.get("tie_breaker");
        let others = others.map_or(Ok(0.0), |tie| read::float(tie, "tie_breaker"))?;
        Ok(match kind {
            "most_fields" | "bool_prefix" => Scoring::Sum(of),
            _best => Scoring::Best { of, others },
        })
    }

    /// A query string whose words are looked for in full texts: the best of the fields.
    fn query_string(&self, body: &Value, boost: f64) -> Result<Scoring, ElasticError> {
        let text = body.get("query").map(|text| read::text(text, "query"));
        let text = text.transpose()?.unwrap_or_default();
        let is_plain = text
            .chars()
            .all(|c| c.is_alphanumeric() || c.is_whitespace());
        let mut patterns = body
            .get("fields")
            .map_or(&[][..], read::one_or_many)
            .to_vec();
        patterns.extend(body.get("default_field").cloned());
        if !is_plain || patterns.is_empty() {
            return Ok(Scoring::Always(boost));
        }
        let query = serde_json::json!({ "query": text, "fields": patterns });
        self.multi_match("multi_match", &query, boost)
    }

    /// `distance_feature`: the nearer the better.
    fn distance(&self, body: &Value, boost: f64) -> Result<Scoring, ElasticError> {
        let (field, origin, pivot) = distance_feature(self.context, body)?;
        Ok(match field {
            Some(field) => Scoring::Near {
                field: field.place,
                origin,
                pivot,
                score: boost,
            },
            None => Scoring::Always(0.0),
        })
    }
}

/// The field of a `distance_feature`, where its score is highest and where it is half of that.
///
/// # Errors
/// When something is missing, or the field is neither a date nor a place.
pub(super) fn distance_feature<'a>(
    context: &Context<'a>,
    body: &Value,
) -> Result<(Option<NamedField<'a>>, Origin, f64), ElasticError> {
    let entries = read::object(body, "distance_feature")?;
    let wanted = |key: &str| {
        entries.get(key).ok_or_else(|| {
            ElasticError::content(format!("Required [{key}]")).at_key("distance_feature")
        })
    };
    let path = read::text(wanted("field")?, "field")?;
    let (origin, pivot) = (wanted("origin")?, read::text(wanted("pivot")?, "pivot")?);
    let Some(field) = context.field(&path) else {
        return Ok((None, Origin::Number(0.0), 1.0));
    };
    if field.type_name() == "geo_point" {
        let origin = Origin::Place(geo::point(origin)?);
        return Ok((
            Some(field),
            origin,
            geo::distance_metres(&pivot.into(), 1.0)?,
        ));
    }
    if !field.field_type().is_date() {
        return Err(context.query_error(format!(
            "Illegal data type of [{}]![distance_feature] query can only be run on a date, \
             date_nanos or geo_point field type!",
            field.type_name()
        )));
    }
    let format =
        parse_format(field.field.format.as_deref()).map_err(|error| context.fail(error))?;
    let reader = DateReader {
        format,
        zone: jiff::tz::TimeZone::UTC,
        now_ms: context.now_ms,
    };
    let instant = reader.read(&read::text(origin, "origin")?, Missing::First);
    let instant = instant.map_err(|error| context.fail(error))?;
    let pivot_ns = duration_ns(&pivot)?;
    let ms = instant.ms as f64;
    Ok(match field.field_type() {
        FieldType::DateNanos => {
            let origin = ms * NANOS_PER_MILLI + f64::from(instant.nanos);
            (Some(field), Origin::Number(origin), pivot_ns)
        }
        _millis => {
            let origin = Origin::Number(ms);
            (Some(field), origin, pivot_ns / NANOS_PER_MILLI)
        }
    })
}

const NANOS_PER_MILLI: f64 = 1e6;

/// Units of time in nanoseconds; longer names first where one ends in another.
const TIME_UNITS: &[(&str, f64)] = &[
    ("nanos", 1.0),
    ("micros", 1e3),
    ("ms", 1e6),
    ("s", 1e9),
    ("m", 60e9),
    ("h", 3_600e9),
    ("d", 86_400e9),
];

/// A duration such as `7d` in nanoseconds.
fn duration_ns(text: &str) -> Result<f64, ElasticError> {
    let wrong = || {
        ElasticError::illegal_argument(format!(
            "failed to parse setting [distance_feature] with value [{text}] as a time value: unit \
             is missing or unrecognized"
        ))
    };
    let digits = text.trim_end_matches(|c: char| c.is_alphabetic());
    let unit = &text[digits.len()..];
    let known = TIME_UNITS.iter().find(|(name, _)| *name == unit);
    let (_, unit_ns) = known.ok_or_else(wrong)?;
    let number: f64 = digits.trim().parse().map_err(|_| wrong())?;
    Ok(number * unit_ns)
}

/// Words of `text` in a field of full text.
fn field_words(field: &NamedField<'_>, name: &str, text: &str, boost: f64) -> Scoring {
    let mut words = search_analyzer_of(field).tokens(text);
    let is_phrase = name.starts_with("match_phrase") && words.len() > 1;
    if name.ends_with("_prefix") {
        // The beginning of a word is not weighed, it is there or not.
        let last = words.pop();
        let filter = last.map(|last| super::filter::prefix_filter(field, &last));
        let mut of = vec![weighed(field, words, false, boost)];
        of.extend(filter.map(|filter| Scoring::Matching {
            filter,
            score: boost,
        }));
        return Scoring::Sum(of);
    }
    weighed(field, words, is_phrase, boost)
}

fn weighed(field: &NamedField<'_>, words: Vec<String>, is_phrase: bool, boost: f64) -> Scoring {
    Scoring::Words(WordScoring {
        field: field.place.clone(),
        analyzer: Some(analyzer_of(field)),
        words,
        is_phrase,
        boost,
    })
}

/// So many times `of`.
pub(super) fn times(factor: f64, of: Scoring) -> Scoring {
    match of {
        of if factor == 1.0 => of,
        Scoring::Always(score) => Scoring::Always(score * factor),
        of => Scoring::Times {
            factor,
            of: Box::new(of),
        },
    }
}

/// `field^2`.
fn boosted(pattern: &str) -> (&str, f64) {
    match pattern.split_once('^') {
        Some((path, boost)) => (path, boost.parse().unwrap_or(1.0)),
        None => (pattern, 1.0),
    }
}

/// The field of a query and what is said about it.
fn clause_of(body: &Value) -> Option<(&str, &Value)> {
    let entries = body.as_object()?.iter();
    let mut fields = entries.filter(|(key, _)| !matches!(key.as_str(), "boost" | "_name"));
    fields.next().map(|(path, clause)| (path.as_str(), clause))
}

/// Queries that say everything inside the field they name.
const WITH_FIELD: &[&str] = &[
    "fuzzy",
    "intervals",
    "match",
    "match_bool_prefix",
    "match_phrase",
    "match_phrase_prefix",
    "prefix",
    "range",
    "regexp",
    "span_term",
    "term",
    "wildcard",
];

/// The value of an option that stands in the body, or in that of the field.
fn option<'v>(name: &str, body: &'v Value, key: &str) -> Option<&'v Value> {
    let inside = match WITH_FIELD.contains(&name) {
        true => clause_of(body).and_then(|(_, clause)| clause.get(key)),
        false => None,
    };
    inside
        .or_else(|| body.get(key))
        .filter(|value| !value.is_null())
}

fn boost(name: &str, body: &Value) -> Result<f64, ElasticError> {
    let Some(value) = option(name, body, "boost") else {
        return Ok(1.0);
    };
    let boost = read::float(value, "boost")?;
    if boost < 0.0 {
        return Err(ElasticError::illegal_argument(format!(
            "negative [boost] are not allowed in [{name}], use a value between 0 and 1 to deboost"
        )));
    }
    Ok(boost)
}

fn name_of(name: &str, body: &Value) -> Option<String> {
    let value = option(name, body, "_name")?;
    read::text(value, "_name").ok()
}
