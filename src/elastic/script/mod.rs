//! Scripts: the part of Painless that computes with numbers, as expressions.
//!
//! There are arithmetic, comparisons, `?:`, `Math`, `if`, `return` and local values; there are no
//! loops, no objects and no calls of anything else. Whole numbers divide without a rest, as in
//! Java.

mod parser;

use std::collections::{BTreeMap, BTreeSet};

use query::pipeline::Expression;
use query::row_script::RowScript;
use serde_json::{Number, Value};
use storage::model::ColumnKind;

use super::ElasticError;
use super::context::{Context, NamedField};
use super::painless::{ScriptError, ScriptText, Token, tokens};

/// What names mean in a script.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ScriptKind {
    /// Variables are values of a bucket.
    Bucket,
    /// `values` is a window.
    Moving,
    /// `doc` is a row.
    Row,
}

/// A script as it was written.
#[derive(Debug)]
pub(super) struct Script {
    source: String,
    lang: String,
    /// Numbers that the request gives names.
    params: BTreeMap<String, Number>,
    /// Variables of fields that the index has.
    known: BTreeSet<String>,
}

/// What a value stands under in scripts of metrics.
const VALUE: &str = "_value";

/// Most fields that a script may read.
const FIELDS_MAX: usize = 64;

/// The variable of a field; no script can name it otherwise.
fn variable_of(path: &str) -> String {
    format!("doc['{path}']")
}

fn is_whole(field: &NamedField<'_>) -> bool {
    field.field_type().column_kind() == ColumnKind::Integer
}

impl Script {
    /// Reads a text, or an object with `source`.
    ///
    /// # Errors
    /// When it is neither, or too long.
    pub(super) fn read(value: &Value) -> Result<Self, ElasticError> {
        let ScriptText {
            source,
            lang,
            params,
        } = ScriptText::read(value, &["painless", "expression"])?;
        let numbers = params
            .iter()
            .filter_map(|(name, value)| Some((name.clone(), value.as_number()?.clone())));
        Ok(Self {
            source,
            lang: lang.into(),
            params: numbers.collect(),
            known: BTreeSet::new(),
        })
    }

    /// The fields that a script over rows reads, each once.
    fn fields(&self) -> Result<Vec<String>, ElasticError> {
        let places = tokens(&self.source).map_err(|error| self.failed(&error))?;
        let mut fields: Vec<String> = Vec::new();
        for window in places.windows(3) {
            let reads = matches!(&window[0].token, Token::Name(name) if name == "doc")
                && window[1].token == Token::Sign("[");
            let asks = matches!(&window[0].token, Token::Name(name) if name == "containsKey");
            if let (true, Token::Text(path)) = (reads || asks, &window[2].token)
                && !fields.contains(path)
            {
                fields.push(path.clone());
            }
        }
        match fields.len() > FIELDS_MAX {
            true => Err(ElasticError::illegal_argument(format!(
                "a script may read up to [{FIELDS_MAX}] fields"
            ))),
            false => Ok(fields),
        }
    }

    /// What it computes for a row of the index. `value` is the field that `_value` stands for.
    ///
    /// # Errors
    /// `script_exception` with the place that cannot be read; when a field is no number.
    pub(super) fn compile_row(
        &mut self,
        context: &Context<'_>,
        value: Option<&NamedField<'_>>,
    ) -> Result<RowScript, ElasticError> {
        let paths = self.fields().map_err(|error| context.fail(error))?;
        let (mut fields, mut names, mut are_whole) = (Vec::new(), Vec::new(), Vec::new());
        let mut each = None;
        if let Some(value) = value {
            each = Some(0);
            names.push(VALUE.to_owned());
            are_whole.push(is_whole(value));
            fields.push(Some(value.place.clone()));
        }
        for path in paths {
            let field = context.whole_field(&path);
            if let Some(field) = &field {
                self.known.insert(variable_of(&path));
                if field.field_type().column_kind() == ColumnKind::Text {
                    return Err(context.fail(ElasticError::unsupported(format!(
                        "a script over [{path}] of type [{}]",
                        field.type_name()
                    ))));
                }
            }
            are_whole.push(field.as_ref().is_some_and(is_whole));
            fields.push(field.map(|field| field.place));
            names.push(variable_of(&path));
        }
        let expression = self.compile(ScriptKind::Row, &names);
        let expression = expression.map_err(|error| context.fail(error))?;
        Ok(RowScript {
            expression: expression.with_whole_division(&are_whole),
            fields,
            each,
        })
    }

    /// Whether the index has the field of this variable.
    fn has_field(&self, variable: &str) -> bool {
        self.known.contains(variable)
    }

    /// The expression that it is. `names` are its variables, in their order.
    ///
    /// # Errors
    /// `script_exception` with the place that cannot be read.
    pub(super) fn compile(
        &self,
        kind: ScriptKind,
        names: &[String],
    ) -> Result<Expression, ElasticError> {
        let expression = parser::parse(self, kind, names).map_err(|error| self.failed(&error))?;
        // Variables of buckets are doubles.
        Ok(match kind {
            ScriptKind::Bucket | ScriptKind::Moving => expression.with_whole_division(&[]),
            ScriptKind::Row => expression,
        })
    }

    fn failed(&self, error: &ScriptError) -> ElasticError {
        let source = self.source.as_str();
        let mut offset = error.offset.min(source.len());
        while !source.is_char_boundary(offset) {
            offset -= 1;
        }
        let arrow = format!("{}^---- HERE", " ".repeat(source[..offset].chars().count()));
        let position = serde_json::json!({
            "offset": offset, "start": 0, "end": source.len(),
        });
        ElasticError::new(400, "script_exception", "compile error")
            .with("script_stack", vec![source.to_owned(), arrow])
            .with("script", source)
            .with("lang", self.lang.as_str())
            .with("position", position)
            .caused_by(ElasticError::illegal_argument(error.reason.clone()))
    }
}

#[cfg(test)]
mod tests;
