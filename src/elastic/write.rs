//! What writes of documents say beside the document: conditions, and how one is to be changed.

use serde_json::{Map, Value};

use super::shape::SourceShape;
use super::{DocumentScript, ElasticError, SearchParams, hits, read};

/// When a write may be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum WriteCondition {
    /// Always.
    #[default]
    Always,
    /// When the newest write of the document is this one.
    After {
        /// `if_seq_no`
        sequence_number: u64,
        /// `if_primary_term`
        primary_term: u64,
    },
    /// When the document's version is lower; it then has this one.
    External(u64),
    /// When the document's version is not higher; it then has this one.
    ExternalOrEqual(u64),
}

/// The body of an update.
#[derive(Debug, Clone, PartialEq)]
pub struct UpdateBody {
    /// What is merged into the document.
    pub doc: Map<String, Value>,
    /// The document when there is none, as JSON.
    pub upsert: Option<Vec<u8>>,
    /// Whether `doc` is the document when there is none.
    pub doc_as_upsert: bool,
    /// Whether a document that would not change is left alone.
    pub detect_noop: bool,
    /// What changes the document instead of `doc`.
    pub script: Option<DocumentScript>,
    /// Whether the script also runs over `upsert`.
    pub scripted_upsert: bool,
    /// What is shown of the document afterwards.
    pub(crate) shown: SourceShape,
}

impl WriteCondition {
    /// Reads the parameters of a URL or the metadata of a bulk action; `value` gives them by name.
    ///
    /// # Errors
    /// When they do not go together or are no numbers.
    pub fn parse(value: impl Fn(&str) -> Option<Value>) -> Result<Self, ElasticError> {
        let number = |name: &str| match value(name) {
            None | Some(Value::Null) => Ok(None),
            Some(given) => match read::integer(&given, name).map(u64::try_from) {
                Ok(Ok(number)) => Ok(Some(number)),
                Ok(Err(_)) | Err(_) => Err(ElasticError::illegal_argument(format!(
                    "[{name}] must be a number from 0 on, but is [{}]",
                    read::shown(&given)
                ))),
            },
        };
        let after = (number("if_seq_no")?, number("if_primary_term")?);
        let version = number("version")?;
        let kind = value("version_type");
        let kind = kind.as_ref().and_then(Value::as_str);
        match (after, version, kind) {
            ((None, None), None, None | Some("internal")) => Ok(Self::Always),
            ((Some(sequence_number), Some(primary_term)), None, None | Some("internal")) => {
                Ok(Self::After {
                    sequence_number,
                    primary_term,
                })
            }
            ((Some(_), None), ..) => Err(ElasticError::validation(&[
                "ifSeqNo is set, but primary term is [0]".into(),
            ])),
            ((None, Some(term)), ..) => Err(ElasticError::validation(&[format!(
                "ifSeqNo is unassigned, but primary term is [{term}]"
            )])),
            ((Some(_), Some(_)), ..) => Err(ElasticError::validation(&[
                "compare and write operations can not use versioning".into(),
            ])),
            (_, Some(version), Some("external")) => Ok(Self::External(version)),
            (_, Some(version), Some("external_gte")) => Ok(Self::ExternalOrEqual(version)),
            (_, Some(_), None | Some("internal")) => Err(ElasticError::validation(&[
                "internal versioning can not be used for optimistic concurrency control. Please \
                 use `if_seq_no` and `if_primary_term` instead"
                    .into(),
            ])),
            (_, None, Some("external" | "external_gte")) => Err(ElasticError::validation(&[
                "an explicit version must be given for external versioning".into(),
            ])),
            (_, _, Some(unknown)) => Err(ElasticError::illegal_argument(format!(
                "No version type match [{unknown}]"
            ))),
        }
    }
}

/// What the body of an update may say.
const FIELDS: &[&str] = &[
    "doc",
    "upsert",
    "doc_as_upsert",
    "detect_noop",
    "_source",
    "script",
    "scripted_upsert",
];

/// Reads the body of an update. What is shown of the document is as the body says, else as
/// `params` do.
///
/// # Errors
/// When it is no update.
pub fn parse_update(body: &[u8], params: &SearchParams) -> Result<UpdateBody, ElasticError> {
    let text = std::str::from_utf8(body)
        .map_err(|_| ElasticError::new(400, "json_parse_exception", "Invalid UTF-8"))?;
    let entries = super::search::parse_object(text)?;
    let mut update = UpdateBody {
        doc: Map::new(),
        upsert: None,
        doc_as_upsert: false,
        detect_noop: true,
        script: None,
        scripted_upsert: false,
        shown: SourceShape::None,
    };
    let says = [
        &params.source,
        &params.source_includes,
        &params.source_excludes,
    ];
    if entries.contains_key("_source") || says.into_iter().any(Option::is_some) {
        update.shown = hits::source(&entries, params)?;
    }
    let mut has_doc = false;
    for (key, value) in &entries {
        match key.as_str() {
            "doc" => {
                has_doc = true;
                update.doc = read::object(value, key)?.clone();
            }
            "upsert" => {
                let upsert = Value::Object(read::object(value, key)?.clone());
                update.upsert = Some(upsert.to_string().into_bytes());
            }
            "doc_as_upsert" => update.doc_as_upsert = read::flag(value, key)?,
            "detect_noop" => update.detect_noop = read::flag(value, key)?,
            "_source" => {}
            "script" => update.script = Some(DocumentScript::read(value)?),
            "scripted_upsert" => update.scripted_upsert = read::flag(value, key)?,
            unknown => {
                let alike = read::alike(unknown, FIELDS);
                let reason = format!("[UpdateRequest] unknown field [{unknown}]{alike}");
                return Err(ElasticError::content(reason));
            }
        }
    }
    if has_doc && update.script.is_some() {
        let reason = "can't provide both script and doc".into();
        return Err(ElasticError::validation(&[reason]));
    }
    if update.script.is_some() && update.doc_as_upsert {
        let reason = "doc must be specified if doc_as_upsert is enabled".into();
        return Err(ElasticError::validation(&[reason]));
    }
    if !has_doc && update.script.is_none() {
        return Err(ElasticError::validation(&[
            "script or doc is missing".into()
        ]));
    }
    Ok(update)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn condition(pairs: &[(&str, &str)]) -> String {
        let value = |name: &str| {
            let found = pairs.iter().find(|(known, _)| *known == name);
            found.map(|(_, value)| Value::from(*value))
        };
        WriteCondition::parse(value).map_or_else(
            |error| error.reason().to_owned(),
            |condition| format!("{condition:?}"),
        )
    }

    #[test]
    fn conditions_go_together_or_not_at_all() {
        assert_eq!(condition(&[]), "Always");
        assert_eq!(
            condition(&[("if_seq_no", "3"), ("if_primary_term", "1")]),
            "After { sequence_number: 3, primary_term: 1 }"
        );
        assert_eq!(
            condition(&[("version", "7"), ("version_type", "external")]),
            "External(7)"
        );
        assert!(condition(&[("if_seq_no", "3")]).contains("primary term is [0]"));
        assert!(condition(&[("version", "7")]).contains("internal versioning"));
        assert!(condition(&[("if_seq_no", "x"), ("if_primary_term", "1")]).contains("if_seq_no"));
        assert!(condition(&[("version_type", "force")]).contains("No version type"));
    }

    #[test]
    fn an_update_is_a_part_or_a_script() {
        let check = |body: &str, expected: &str| {
            let read = parse_update(body.as_bytes(), &SearchParams::default());
            let found = match read {
                Ok(update) => format!(
                    "{} {} {}",
                    update.script.is_some(),
                    update.doc_as_upsert,
                    update.detect_noop
                ),
                Err(error) => error.reason().to_owned(),
            };
            assert!(found.contains(expected), "{body}: {found}");
        };
        check(r#"{"script":"ctx._source.n++"}"#, "true false true");
        check(r#"{"doc":{"n":1},"doc_as_upsert":true}"#, "false true true");
        check(r#"{"doc":{},"detect_noop":false}"#, "false false false");
        check("{}", "script or doc is missing");
        check(r#"{"script":"x","doc":{}}"#, "can't provide both");
        check(r#"{"dac":{}}"#, "unknown field [dac] did you mean [doc]?");
    }
}
