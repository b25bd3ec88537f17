//! Scripts that change a document: the part of Painless that `_update` and `_update_by_query` are
//! given most, over `ctx._source`, `ctx.op` and `params`.
//!
//! There are assignments, `+=` and its kin, `if`, local values, and the methods of texts, lists
//! and maps that need no function; there are no loops, no classes and no regular expressions.
//! Whole numbers divide like Java's.

mod parser;
mod run;

use query::pipeline::Binary;
use serde_json::{Map, Value, json};

use super::painless::{ScriptError, ScriptText};
use super::{ElasticError, read};

/// A script that was read, with its parameters.
#[derive(Debug, Clone, PartialEq)]
pub struct DocumentScript {
    source: String,
    lang: String,
    params: Value,
    statements: Vec<Statement>,
}

/// What a script makes of a document.
#[derive(Debug, Clone, PartialEq)]
pub enum ScriptResult {
    /// This document, as JSON.
    Document(Vec<u8>),
    /// No document.
    Delete,
    /// What is there.
    Nothing,
}

/// What a script is told about a document beside its content.
#[derive(Debug, Clone, Copy)]
pub struct ScriptPlace<'a> {
    /// `ctx._index`
    pub index: &'a str,
    /// `ctx._id`
    pub id: &'a str,
    /// `ctx._version`
    pub version: u64,
    /// `ctx._now`
    pub now_ms: i64,
    /// `ctx.op` at first: `create` for a document that is not there yet.
    pub operation: &'a str,
}

#[derive(Debug, Clone, PartialEq)]
enum Statement {
    Declare(String, Expression),
    Assign(Expression, Expression),
    If(Expression, Vec<Statement>, Vec<Statement>),
    Do(Expression),
    Return,
}

#[derive(Debug, Clone, PartialEq)]
enum Expression {
    Null,
    Truth(bool),
    Integer(i64),
    Float(f64),
    Text(String),
    List(Vec<Expression>),
    Name(String),
    Access(Box<Expression>, Access),
    Not(Box<Expression>),
    Negate(Box<Expression>),
    Binary(Binary, Box<Expression>, Box<Expression>),
    Choose(Box<Expression>, Box<Expression>, Box<Expression>),
}

#[derive(Debug, Clone, PartialEq)]
enum Access {
    Member(String),
    At(Box<Expression>),
    Call(String, Vec<Expression>),
}

/// Why a script did not come to its end.
#[derive(Debug, PartialEq)]
struct Failure {
    error_type: &'static str,
    reason: String,
}

impl DocumentScript {
    /// Reads a text, or an object with `source`, `lang` and `params`.
    ///
    /// # Errors
    /// When it is neither, too long, or says what is not understood.
    pub fn read(value: &Value) -> Result<Self, ElasticError> {
        let text = ScriptText::read(value, &["painless"])?;
        let mut script = Self {
            lang: text.lang.into(),
            params: Value::Object(text.params.into_owned()),
            statements: Vec::new(),
            source: text.source,
        };
        script.statements =
            parser::parse(&script.source).map_err(|error| script.unreadable(&error))?;
        Ok(script)
    }

    /// What becomes of `document`.
    ///
    /// # Errors
    /// `script_exception` when a step cannot be done.
    pub fn apply(
        &self,
        document: &[u8],
        place: &ScriptPlace<'_>,
    ) -> Result<ScriptResult, ElasticError> {
        let source: Map<String, Value> = serde_json::from_slice(document).map_err(|_| {
            ElasticError::illegal_argument("the document to be updated is no JSON object")
        })?;
        let ctx = json!({
            "_source": source,
            "op": place.operation,
            "_index": place.index,
            "_id": place.id,
            "_version": place.version,
            "_now": place.now_ms,
        });
        let ctx = run::run(&self.statements, ctx, &self.params);
        let ctx = ctx.map_err(|failure| self.failed(failure))?;
        match ctx["op"].as_str() {
            Some("index" | "create") => {
                let source = &ctx["_source"];
                if !source.is_object() {
                    let reason = "ctx._source must be an object";
                    return Err(ElasticError::illegal_argument(reason));
                }
                Ok(ScriptResult::Document(source.to_string().into_bytes()))
            }
            Some("delete") => Ok(ScriptResult::Delete),
            Some("none" | "noop") => Ok(ScriptResult::Nothing),
            _ => Err(ElasticError::illegal_argument(format!(
                "Operation type [{}] not allowed, only [noop, index, delete] are allowed",
                read::shown(&ctx["op"])
            ))),
        }
    }

    fn unreadable(&self, error: &ScriptError) -> ElasticError {
        let source = self.source.as_str();
        let mut offset = error.offset.min(source.len());
        while !source.is_char_boundary(offset) {
            offset -= 1;
        }
        let arrow = format!("{}^---- HERE", " ".repeat(source[..offset].chars().count()));
        let position = json!({ "offset": offset, "start": 0, "end": source.len() });
        ElasticError::new(400, "script_exception", "compile error")
            .with("script_stack", vec![source.to_owned(), arrow])
            .with("script", source)
            .with("lang", self.lang.as_str())
            .with("position", position)
            .caused_by(ElasticError::illegal_argument(error.reason.clone()))
    }

    fn failed(&self, failure: Failure) -> ElasticError {
        ElasticError::new(400, "script_exception", "runtime error")
            .with("script", self.source.as_str())
            .with("lang", self.lang.as_str())
            .caused_by(ElasticError::new(400, failure.error_type, failure.reason))
    }
}

#[cfg(test)]
mod tests;
