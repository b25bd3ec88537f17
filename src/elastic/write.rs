//! What writes of documents say beside the document: conditions, and how one is to be changed.

use serde_json::{Map, Value};

use super::{ElasticError, read};

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

/// Reads the body of an update.
///
/// # Errors
/// When it is no update, or one that runs a script.
pub fn parse_update(body: &[u8]) -> Result<UpdateBody, ElasticError> {
    let text = std::str::from_utf8(body)
        .map_err(|_| ElasticError::new(400, "json_parse_exception", "Invalid UTF-8"))?;
    let entries = super::search::parse_object(text)?;
    let mut update = UpdateBody {
        doc: Map::new(),
        upsert: None,
        doc_as_upsert: false,
        detect_noop: true,
    };
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
            // The answer shows no document.
            "_source" => {}
            "script" | "scripted_upsert" => {
                return Err(ElasticError::unsupported(format!("[{key}] in an update")));
            }
            unknown => {
                return Err(ElasticError::new(
                    400,
                    "x_content_parse_exception",
                    format!("[UpdateRequest] unknown field [{unknown}]"),
                ));
            }
        }
    }
    if !has_doc {
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
    fn scripts_are_refused_by_name() {
        let error = parse_update(br#"{"script":"ctx._source.n++"}"#).expect_err("refused");
        assert!(error.reason().contains("[script]"), "{error}");
        let error = parse_update(b"{}").expect_err("nothing to do");
        assert!(error.reason().contains("script or doc is missing"));
        let update = parse_update(br#"{"doc":{"n":1},"doc_as_upsert":true}"#).expect("sound");
        assert!(update.doc_as_upsert && update.detect_noop && update.upsert.is_none());
    }
}
