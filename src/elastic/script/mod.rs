//! Scripts: the part of Painless that computes with numbers, as expressions.
//!
//! There are arithmetic, comparisons, `?:`, `Math`, `if`, `return` and local values; there are no
//! loops, no objects and no calls of anything else. Whole numbers divide like all others.

mod lexer;
mod parser;

use std::collections::BTreeMap;

use query::pipeline::Expression;
use serde_json::{Map, Value};

use super::ElasticError;
use super::read;

/// Longest script, as Elasticsearch has it.
const SCRIPT_BYTES_MAX: usize = 65_535;

/// What names mean in a script.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ScriptKind {
    /// Variables are values of a bucket.
    Bucket,
    /// `values` is a window.
    Moving,
}

/// A script as it was written.
#[derive(Debug)]
pub(super) struct Script {
    source: String,
    lang: String,
    /// Numbers that the request gives names.
    params: BTreeMap<String, f64>,
}

/// What is wrong with a script, and where.
#[derive(Debug)]
struct ScriptError {
    offset: usize,
    reason: String,
}

impl Script {
    /// Reads a text, or an object with `source`.
    ///
    /// # Errors
    /// When it is neither, or too long.
    pub(super) fn read(value: &Value) -> Result<Self, ElasticError> {
        let nothing = Map::new();
        let (source, lang, params) = match value {
            Value::String(source) => (source.clone(), None, &nothing),
            Value::Object(entries) => {
                for key in entries.keys() {
                    if !matches!(
                        key.as_str(),
                        "source" | "inline" | "lang" | "params" | "options" | "id"
                    ) {
                        let reason = format!("[script] unknown field [{key}]");
                        return Err(ElasticError::content(reason).at_key(key));
                    }
                }
                let source = entries.get("source").or_else(|| entries.get("inline"));
                let source = source.ok_or_else(|| {
                    ElasticError::illegal_argument(
                        "must specify either [source] for an inline script or [id] for a stored \
                         script",
                    )
                })?;
                let lang = entries.get("lang").and_then(Value::as_str);
                let params = entries.get("params").and_then(Value::as_object);
                (
                    read::text(source, "source")?,
                    lang,
                    params.unwrap_or(&nothing),
                )
            }
            other => return Err(read::wrong(other, "script")),
        };
        if source.len() > SCRIPT_BYTES_MAX {
            return Err(ElasticError::illegal_argument(format!(
                "exceeded max allowed inline script size in bytes [{SCRIPT_BYTES_MAX}]"
            )));
        }
        let lang = lang.unwrap_or("painless");
        if !matches!(lang, "painless" | "expression") {
            return Err(ElasticError::illegal_argument(format!(
                "script_lang not supported [{lang}]"
            )));
        }
        let numbers = params
            .iter()
            .filter_map(|(name, value)| Some((name.clone(), value.as_f64()?)));
        Ok(Self {
            source,
            lang: lang.into(),
            params: numbers.collect(),
        })
    }

    /// Lets the parameter `name` stand for `_value` and for `doc['field'].value`; returns the field
    /// that is read.
    ///
    /// # Errors
    /// When there are several.
    pub(super) fn name_value(&mut self, name: &str) -> Result<Option<String>, &'static str> {
        let parameter = format!("params.{name}");
        let mut field: Option<String> = None;
        while let Some(start) = self.source.find("doc[") {
            let rest = &self.source[start + 4..];
            let quote = rest.chars().next().filter(|c| matches!(c, '\'' | '"'));
            let quote = quote.ok_or("that reads documents in its own way")?;
            let (path, behind) = rest[1..]
                .split_once(quote)
                .ok_or("that reads documents in its own way")?;
            let behind = behind
                .strip_prefix("].value")
                .ok_or("that reads documents in its own way")?;
            if field.as_deref().is_some_and(|known| known != path) {
                return Err("that reads several fields");
            }
            let source = format!("{}{parameter}{behind}", &self.source[..start]);
            field = Some(path.to_owned());
            self.source = source;
        }
        self.source = self.source.replace("_value", &parameter);
        Ok(field)
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
        parser::parse(self, kind, names).map_err(|error| self.failed(&error))
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
