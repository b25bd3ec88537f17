//! `span_*`: words at places, in the older words for `intervals`.

use query::request::{
    Filter, IntervalFilter, IntervalOrder, Intervals, Pattern, TextPredicate, WordMatch,
};
use serde_json::{Map, Value};
use storage::model::FieldType;

use super::FieldClause;
use super::leaf::analyzed;
use super::pattern::{prefix_pattern, regexp_pattern, wildcard_pattern};
use super::words::near;
use crate::elastic::ElasticError;
use crate::elastic::context::Context;
use crate::elastic::read;

/// Deepest nesting of queries.
const DEPTH_MAX: usize = 32;

/// Reads one of the queries.
pub(super) fn parse(
    context: &Context<'_>,
    name: &str,
    body: &Value,
) -> Result<Filter, ElasticError> {
    let mut reader = Reader {
        context,
        path: None,
    };
    let intervals = reader.query(name, body, 0)?;
    let field = reader.path.and_then(|path| context.field(&path));
    match field {
        None => Ok(Filter::None),
        Some(field) if field.field_type() != FieldType::Text => Err(context.query_error(format!(
            "Can only use span queries on text fields - not on [{}] which is of type [{}]",
            field.path,
            field.type_name()
        ))),
        Some(field) => Ok(analyzed(&field, TextPredicate::Intervals(intervals))),
    }
}

struct Reader<'a> {
    context: &'a Context<'a>,
    /// The field of all clauses.
    path: Option<String>,
}

impl Reader<'_> {
    fn query(&mut self, name: &str, body: &Value, depth: usize) -> Result<Intervals, ElasticError> {
        if depth == DEPTH_MAX {
            let reason = format!("span queries are nested deeper than {DEPTH_MAX}");
            return Err(ElasticError::illegal_argument(reason));
        }
        let entries = read::object(body, name)?;
        match name {
            "span_term" => {
                let clause = FieldClause::read(name, body)?;
                self.note(clause.path)?;
                let options = clause.options("value");
                let text = options.get("value").or(options.get("term"));
                let text = text.ok_or_else(|| ElasticError::illegal_argument("No value"))?;
                let word = read::text(text, clause.path)?;
                Ok(Intervals::Word(WordMatch::Is(word)))
            }
            "span_multi" => self.pattern(entries),
            "span_near" => self.near(entries, depth),
            "span_or" => Ok(Intervals::Any(self.clauses(name, entries, depth)?)),
            "span_not" => {
                let parts = ("include", IntervalFilter::NotOverlapping, "exclude");
                self.filtered(entries, parts, depth)
            }
            "span_containing" => {
                let parts = ("big", IntervalFilter::Containing, "little");
                self.filtered(entries, parts, depth)
            }
            "span_within" => {
                let parts = ("little", IntervalFilter::ContainedBy, "big");
                self.filtered(entries, parts, depth)
            }
            other => Err(ElasticError::unsupported(format!("query [{other}]"))),
        }
    }

    fn near(
        &mut self,
        entries: &Map<String, Value>,
        depth: usize,
    ) -> Result<Intervals, ElasticError> {
        let slop = entries.get("slop").map(|slop| read::count(slop, "slop"));
        let slop = slop.transpose()?.unwrap_or(0);
        let in_order = entries.get("in_order");
        let in_order = in_order.map_or(Ok(true), |flag| read::flag(flag, "in_order"))?;
        Ok(Intervals::All {
            of: self.clauses("span_near", entries, depth)?,
            order: match in_order {
                true => IntervalOrder::Ordered,
                false => IntervalOrder::Apart,
            },
            gaps_max: u32::try_from(slop).ok(),
        })
    }

    /// All clauses are about one field.
    fn note(&mut self, path: &str) -> Result<(), ElasticError> {
        match &self.path {
            Some(known) if known != path => Err(ElasticError::illegal_argument(
                "Clauses must have same field.",
            )),
            _same => {
                self.path = Some(path.to_owned());
                Ok(())
            }
        }
    }

    fn clauses(
        &mut self,
        name: &str,
        entries: &Map<String, Value>,
        depth: usize,
    ) -> Result<Vec<Intervals>, ElasticError> {
        let clauses = entries.get("clauses").map_or(&[][..], read::one_or_many);
        if clauses.is_empty() {
            let reason = format!("[{name}] must include [clauses]");
            return Err(ElasticError::parsing(reason).at_value(name));
        }
        let each = clauses.iter().map(|clause| self.one(clause, depth));
        each.collect()
    }

    fn one(&mut self, clause: &Value, depth: usize) -> Result<Intervals, ElasticError> {
        let entry = clause.as_object().and_then(|clause| clause.iter().next());
        let (name, body) = entry.ok_or_else(|| {
            ElasticError::parsing("[_na] query malformed, must start with start_object")
        })?;
        if !name.starts_with("span_") {
            return Err(ElasticError::parsing(format!(
                "[span] query must be a span query, found [{name}]"
            ))
            .at_key(name));
        }
        self.query(name, body, depth + 1)
    }

    fn filtered(
        &mut self,
        entries: &Map<String, Value>,
        (of, filter, by): (&str, IntervalFilter, &str),
        depth: usize,
    ) -> Result<Intervals, ElasticError> {
        for key in entries.keys() {
            if key != of && key != by && !matches!(key.as_str(), "boost" | "_name") {
                return Err(ElasticError::unsupported(format!("[{key}] of spans")));
            }
        }
        let mut part = |key: &str| {
            let clause = entries.get(key).ok_or_else(|| {
                ElasticError::parsing(format!("span query must have [{key}] span query clause"))
            })?;
            self.one(clause, depth)
        };
        Ok(Intervals::Filtered {
            of: Box::new(part(of)?),
            filter,
            by: Box::new(part(by)?),
        })
    }

    /// `span_multi`: a word that fits a pattern.
    fn pattern(&mut self, entries: &Map<String, Value>) -> Result<Intervals, ElasticError> {
        let inner = entries.get("match").and_then(Value::as_object);
        let entry = inner.and_then(|inner| inner.iter().next());
        let (name, body) = entry.ok_or_else(|| {
            ElasticError::parsing("[span_multi] must have [match] multi term query clause")
        })?;
        let clause = FieldClause::read(name, body)?;
        self.note(clause.path)?;
        let options = clause.options("value");
        let text = options.get("value").or(options.get(name));
        let text = text.ok_or_else(|| ElasticError::illegal_argument("value cannot be null"))?;
        let text = read::text(text, clause.path)?;
        let pattern: Pattern = match name.as_str() {
            "prefix" => prefix_pattern(&text, false),
            "wildcard" => wildcard_pattern(&text, false),
            "regexp" => regexp_pattern(self.context, &text, false)?,
            "fuzzy" => {
                let auto = Value::from("AUTO");
                near(&text, options.get("fuzziness").unwrap_or(&auto), 0)?
            }
            other => {
                return Err(ElasticError::unsupported(format!(
                    "[{other}] of [span_multi]"
                )));
            }
        };
        Ok(Intervals::Word(WordMatch::Fits(pattern)))
    }
}
