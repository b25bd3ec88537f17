//! Documents as they are stored, by id: `_doc`, `_source` and `_mget`.

use serde::Serialize;
use serde::ser::{SerializeMap, Serializer};
use serde_json::Value;
use serde_json::value::RawValue;

use super::filter_path::{Selection, project};
use super::shape::SourceShape;
use super::{ElasticError, SearchParams, hits, read};

/// A document that was asked for by id.
#[derive(Debug, Clone, PartialEq)]
pub struct Stored {
    /// Its index.
    pub index: String,
    /// Its record's offset.
    pub sequence_number: u64,
    /// The present term.
    pub primary_term: u64,
    /// Its version.
    pub version: u64,
    /// The document, byte for byte.
    pub source: Vec<u8>,
}

/// What is shown of a document.
#[derive(Debug, Clone)]
pub struct StoredShape {
    source: SourceShape,
}

/// One document of `_mget`.
#[derive(Debug, Clone)]
pub struct MultiGetItem {
    /// Its index; empty when nothing names one.
    pub index: String,
    /// Its id.
    pub id: String,
    /// What is shown of it.
    pub shape: StoredShape,
}

/// What became of one document of `_mget`.
pub type MultiGetOutcome = Result<Option<Stored>, ElasticError>;

impl StoredShape {
    /// What the parameters of a URL ask for.
    ///
    /// # Errors
    /// Never so far; a later form may be wrong.
    pub fn of(params: &SearchParams) -> Result<Self, ElasticError> {
        let source = hits::source(&serde_json::Map::new(), params)?;
        Ok(Self { source })
    }
}

struct Entry<'a> {
    index: &'a str,
    id: &'a str,
    stored: Option<&'a Stored>,
    shape: &'a StoredShape,
}

impl Serialize for Entry<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        let index = self.stored.map_or(self.index, |stored| &stored.index);
        map.serialize_entry("_index", index)?;
        map.serialize_entry("_id", self.id)?;
        let Some(stored) = self.stored else {
            map.serialize_entry("found", &false)?;
            return map.end();
        };
        map.serialize_entry("_version", &stored.version)?;
        map.serialize_entry("_seq_no", &stored.sequence_number)?;
        map.serialize_entry("_primary_term", &stored.primary_term)?;
        map.serialize_entry("found", &true)?;
        if let Some(source) = shown(&stored.source, self.shape) {
            map.serialize_entry("_source", &source)?;
        }
        map.end()
    }
}

/// What is shown of a document; `None` when nothing is, or it is no JSON.
fn shown(source: &[u8], shape: &StoredShape) -> Option<Box<RawValue>> {
    let text = std::str::from_utf8(source).ok()?;
    let whole = RawValue::from_string(text.into()).ok()?;
    match &shape.source {
        SourceShape::None => None,
        SourceShape::Whole => Some(whole),
        SourceShape::Parts { includes, excludes } => {
            let kept = project(text, &Selection::new(includes, excludes), 0);
            RawValue::from_string(kept.unwrap_or_else(|| "{}".into())).ok()
        }
    }
}

/// The answer of `_doc`; its status is 404 when there is none.
#[must_use]
pub fn render_stored(
    index: &str,
    id: &str,
    stored: Option<&Stored>,
    shape: &StoredShape,
) -> Vec<u8> {
    let entry = Entry {
        index,
        id,
        stored,
        shape,
    };
    serde_json::to_vec(&entry).expect("texts and numbers are JSON")
}

/// The answer of `_source`: the document alone.
#[must_use]
pub fn render_stored_source(stored: &Stored, shape: &StoredShape) -> Vec<u8> {
    shown(&stored.source, shape).map_or_else(Vec::new, |source| source.get().as_bytes().to_vec())
}

/// Reads the body of `_mget`: `{"docs": [..]}` or `{"ids": [..]}`.
///
/// # Errors
/// When it names no document.
pub fn parse_multi_get(
    body: &[u8],
    index: Option<&str>,
    params: &SearchParams,
) -> Result<Vec<MultiGetItem>, ElasticError> {
    let text = std::str::from_utf8(body)
        .map_err(|_| ElasticError::new(400, "json_parse_exception", "Invalid UTF-8"))?;
    let entries = super::search::parse_object(text)?;
    let default = StoredShape::of(params)?;
    let mut items = Vec::new();
    for (key, value) in &entries {
        match key.as_str() {
            "ids" => {
                for id in read::one_or_many(value) {
                    items.push(MultiGetItem {
                        index: index.unwrap_or("").into(),
                        id: read::text(id, "ids")?,
                        shape: default.clone(),
                    });
                }
            }
            "docs" => {
                for doc in read::one_or_many(value) {
                    items.push(multi_get_item(doc, index, params)?);
                }
            }
            unknown => {
                return Err(ElasticError::parsing(format!(
                    "unknown key [{unknown}] for a {}, expected [docs] or [ids]",
                    read::token_name(value)
                )));
            }
        }
    }
    if items.is_empty() {
        return Err(ElasticError::validation(&["no documents to get".into()]));
    }
    Ok(items)
}

fn multi_get_item(
    doc: &Value,
    index: Option<&str>,
    params: &SearchParams,
) -> Result<MultiGetItem, ElasticError> {
    let entries = read::object(doc, "docs")?;
    let text = |key: &str| {
        entries
            .get(key)
            .map(|value| read::text(value, key))
            .transpose()
    };
    let Some(id) = text("_id")? else {
        return Err(ElasticError::validation(
            &["id is missing for doc 0".into()],
        ));
    };
    let known = ["_id", "_index", "_source", "routing", "_type"];
    if let Some(unknown) = entries.keys().find(|key| !known.contains(&key.as_str())) {
        return Err(ElasticError::unsupported(format!(
            "[{unknown}] in a multi get"
        )));
    }
    Ok(MultiGetItem {
        index: text("_index")?.unwrap_or_else(|| index.unwrap_or("").into()),
        id,
        shape: StoredShape {
            source: hits::source(entries, params)?,
        },
    })
}

/// The answer of `_mget`, in the order of the request.
#[must_use]
pub fn render_multi_get(items: &[MultiGetItem], outcomes: &[MultiGetOutcome]) -> Vec<u8> {
    struct Docs<'a>(&'a [MultiGetItem], &'a [MultiGetOutcome]);
    impl Serialize for Docs<'_> {
        fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            let docs = self.0.iter().zip(self.1);
            serializer.collect_seq(docs.map(|(item, outcome)| Doc(item, outcome)))
        }
    }
    struct Doc<'a>(&'a MultiGetItem, &'a MultiGetOutcome);
    impl Serialize for Doc<'_> {
        fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            let Self(item, outcome) = self;
            match outcome {
                Ok(stored) => Entry {
                    index: &item.index,
                    id: &item.id,
                    stored: stored.as_ref(),
                    shape: &item.shape,
                }
                .serialize(serializer),
                Err(error) => {
                    let mut map = serializer.serialize_map(Some(3))?;
                    map.serialize_entry("_index", &item.index)?;
                    map.serialize_entry("_id", &item.id)?;
                    map.serialize_entry("error", &error.to_value())?;
                    map.end()
                }
            }
        }
    }
    #[derive(Serialize)]
    struct Reply<'a> {
        docs: Docs<'a>,
    }
    let reply = Reply {
        docs: Docs(items, outcomes),
    };
    serde_json::to_vec(&reply).expect("texts and numbers are JSON")
}
