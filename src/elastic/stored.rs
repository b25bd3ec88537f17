//! Documents as they are stored, by id: `_doc`, `_source` and `_mget`.

use serde::Serialize;
use serde::ser::{SerializeMap, Serializer};
use serde_json::value::RawValue;
use serde_json::{Map, Value};

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
    /// The routing that it was written with.
    pub routing: Option<String>,
    /// The document, byte for byte.
    pub source: Vec<u8>,
    /// Whether it is not shown.
    pub hides_source: bool,
}

/// What is shown of a document, and which one.
#[derive(Debug, Clone)]
pub struct StoredShape {
    source: SourceShape,
    /// Fields that are shown by themselves.
    fields: Vec<String>,
    /// The version that the document must have.
    version: Option<u64>,
}

/// One document of `_mget`.
#[derive(Debug, Clone)]
pub struct MultiGetItem {
    /// Its index; empty when nothing names one.
    pub index: String,
    /// Its id.
    pub id: String,
    /// The routing that it is looked for with.
    pub routing: Option<String>,
    /// What is shown of it.
    pub shape: StoredShape,
}

/// What became of one document of `_mget`.
pub type MultiGetOutcome = Result<Option<Stored>, ElasticError>;

impl StoredShape {
    /// What the parameters of a URL ask for.
    ///
    /// # Errors
    /// When the version is no number.
    pub fn of(params: &SearchParams, version: Option<&str>) -> Result<Self, ElasticError> {
        let nothing = Map::new();
        let mut shape = Self::read(&nothing, params)?;
        shape.version = match version.map(str::parse) {
            None => None,
            Some(Ok(version)) => Some(version),
            Some(Err(_)) => return Err(read::number_format(version.unwrap_or_default())),
        };
        Ok(shape)
    }

    /// What `entries` ask for, else `params`.
    fn read(entries: &Map<String, Value>, params: &SearchParams) -> Result<Self, ElasticError> {
        let list = |text: &String| text.split(',').map(Value::from).collect::<Value>();
        let listed = params.stored_fields.as_ref().map(list);
        let listed = entries.get("stored_fields").or(listed.as_ref());
        let names = listed.into_iter().flat_map(read::one_or_many);
        let names = names.map(|name| read::text(name, "stored_fields"));
        let names = names.collect::<Result<Vec<_>, _>>()?;
        let says = [
            &params.source,
            &params.source_includes,
            &params.source_excludes,
        ];
        let says_source = entries.contains_key("_source")
            || says.into_iter().any(Option::is_some)
            || names.iter().any(|name| name == "_source");
        // Asking for fields leaves the document out unless it is asked for too.
        let source = match names.is_empty() || says_source {
            true => hits::source(entries, params)?,
            false => SourceShape::None,
        };
        let fields = names.into_iter().filter(|name| !name.starts_with('_'));
        Ok(Self {
            source,
            fields: fields.collect(),
            version: None,
        })
    }

    /// Refuses a document of another version.
    ///
    /// # Errors
    /// A conflict.
    pub fn check(&self, id: &str, stored: Option<&Stored>) -> Result<(), ElasticError> {
        match (self.version, stored) {
            (Some(wanted), Some(stored)) if stored.version != wanted => {
                let why = format!(
                    "current version [{}] is different than the one provided [{wanted}]",
                    stored.version
                );
                Err(ElasticError::version_conflict(
                    &stored.index,
                    "_na_",
                    id,
                    &why,
                ))
            }
            _ => Ok(()),
        }
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
        if let Some(routing) = &stored.routing {
            map.serialize_entry("_routing", routing)?;
        }
        map.serialize_entry("found", &true)?;
        let source = match stored.hides_source {
            true => None,
            false => shown(&stored.source, &self.shape.source),
        };
        if let Some(source) = source {
            map.serialize_entry("_source", &source)?;
        }
        let fields = values(&stored.source, &self.shape.fields);
        if !fields.is_empty() {
            map.serialize_entry("fields", &fields)?;
        }
        map.end()
    }
}

/// What is shown of a document; `None` when nothing is, or it is no JSON.
pub(super) fn shown(source: &[u8], shape: &SourceShape) -> Option<Box<RawValue>> {
    let text = std::str::from_utf8(source).ok()?;
    let whole = RawValue::from_string(text.into()).ok()?;
    match shape {
        SourceShape::None => None,
        SourceShape::Whole => Some(whole),
        SourceShape::Parts { includes, excludes } => {
            let kept = project(text, &Selection::new(includes, excludes), 0);
            RawValue::from_string(kept.unwrap_or_else(|| "{}".into())).ok()
        }
    }
}

/// The values of `fields` in a document, each as a list.
fn values(source: &[u8], fields: &[String]) -> Map<String, Value> {
    let mut found = Map::new();
    if fields.is_empty() {
        return found;
    }
    let Ok(document) = serde_json::from_slice::<Value>(source) else {
        return found;
    };
    for field in fields {
        let mut values = Vec::new();
        collect(&document, field, &mut values);
        if !values.is_empty() {
            found.insert(field.clone(), values.into());
        }
    }
    found
}

/// Adds the values at `path`, whose names may themselves have dots.
fn collect(value: &Value, path: &str, values: &mut Vec<Value>) {
    match value {
        Value::Array(items) => items.iter().for_each(|item| collect(item, path, values)),
        Value::Object(entries) => {
            for (name, value) in entries {
                match path.strip_prefix(name.as_str()) {
                    Some("") => match value {
                        Value::Array(items) => values.extend(items.iter().cloned()),
                        Value::Object(_) | Value::Null => {}
                        leaf => values.push(leaf.clone()),
                    },
                    Some(rest) => {
                        if let Some(rest) = rest.strip_prefix('.') {
                            collect(value, rest, values);
                        }
                    }
                    None => {}
                }
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
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
    shown(&stored.source, &shape.source)
        .map_or_else(Vec::new, |source| source.get().as_bytes().to_vec())
}

/// Reads the body of `_mget`: `{"docs": [..]}` or `{"ids": [..]}`. Documents are looked for with
/// `routing` unless they name one.
///
/// # Errors
/// When it names no document.
pub fn parse_multi_get(
    body: &[u8],
    index: Option<&str>,
    routing: Option<&str>,
    params: &SearchParams,
) -> Result<Vec<MultiGetItem>, ElasticError> {
    let text = std::str::from_utf8(body)
        .map_err(|_| ElasticError::new(400, "json_parse_exception", "Invalid UTF-8"))?;
    let entries = super::search::parse_object(text)?;
    let default = StoredShape::of(params, None)?;
    let mut items = Vec::new();
    for (key, value) in &entries {
        match key.as_str() {
            "ids" => {
                for id in read::one_or_many(value) {
                    items.push(MultiGetItem {
                        index: index.unwrap_or("").into(),
                        id: read::text(id, "ids")?,
                        routing: routing.map(str::to_owned),
                        shape: default.clone(),
                    });
                }
            }
            "docs" => {
                for (number, doc) in read::one_or_many(value).iter().enumerate() {
                    items.push(multi_get_item(number, doc, index, routing, params)?);
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
    number: usize,
    doc: &Value,
    index: Option<&str>,
    routing: Option<&str>,
    params: &SearchParams,
) -> Result<MultiGetItem, ElasticError> {
    let entries = read::object(doc, "docs")?;
    let text = |key: &str| {
        entries
            .get(key)
            .map(|value| read::text(value, key))
            .transpose()
    };
    let own_index = text("_index")?.or_else(|| index.map(str::to_owned));
    let mut missing = Vec::new();
    if own_index.as_deref().unwrap_or("").is_empty() {
        missing.push(format!("index is missing for doc {number}"));
    }
    let id = text("_id")?.unwrap_or_default();
    if id.is_empty() {
        missing.push(format!("id is missing for doc {number}"));
    }
    if !missing.is_empty() {
        return Err(ElasticError::validation(&missing));
    }
    let known = [
        "_id",
        "_index",
        "_source",
        "routing",
        "_type",
        "stored_fields",
    ];
    if let Some(unknown) = entries.keys().find(|key| !known.contains(&key.as_str())) {
        return Err(ElasticError::unsupported(format!(
            "[{unknown}] in a multi get"
        )));
    }
    Ok(MultiGetItem {
        index: own_index.unwrap_or_default(),
        id,
        routing: text("routing")?.or_else(|| routing.map(str::to_owned)),
        shape: StoredShape::read(entries, params)?,
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
