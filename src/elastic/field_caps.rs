//! `_field_caps`: which fields indices have, as which types, and what can be done with them.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};
use storage::catalog::Topic;
use storage::model::{Field, FieldType};

use super::Personality;
use super::field_types::type_name;
use super::index_expression::matches_wildcard;
use super::read;

/// Values of a row that are no field.
const METADATA_FIELDS: &[(&str, &str)] =
    &[("_id", "_id"), ("_index", "_index"), ("_source", "_source")];

/// The type of a field in indices that do not have it.
const UNMAPPED: &str = "unmapped";

/// What of fields is asked for.
#[derive(Debug, Clone, Copy)]
pub struct FieldCapsRequest<'a> {
    /// Names and patterns, with commas between.
    pub fields: &'a str,
    /// Indices without a field are named too.
    pub include_unmapped: bool,
    /// As whom the server answers.
    pub personality: Personality,
}

/// Prints the answer of `GET /{index}/_field_caps?fields=a,b*`.
#[must_use]
pub fn render_field_caps(request: FieldCapsRequest<'_>, topics: &[&Topic]) -> Vec<u8> {
    let mut found = Found {
        patterns: request.fields.split(',').map(str::trim).collect(),
        fields: BTreeMap::new(),
    };
    for topic in topics {
        found.topic(topic);
    }
    let indices: Vec<&str> = topics.iter().map(|topic| topic.name.as_str()).collect();
    if request.include_unmapped {
        found.add_unmapped(&indices);
    }
    let fields = found.fields.into_iter().map(|(path, types)| {
        let several = types.len() > 1;
        let types = types.into_iter().map(|(name, capabilities)| {
            let mut shown = capabilities.to_value(&name, several);
            if let (Personality::OpenSearch, Some(shown)) =
                (request.personality, shown.as_object_mut())
            {
                shown.shift_remove("metadata_field");
            }
            (name, shown)
        });
        (path, Value::Object(types.collect()))
    });
    let fields: Map<String, Value> = fields.collect();
    json!({"indices": indices, "fields": fields})
        .to_string()
        .into_bytes()
}

/// Which indices have which fields, as which types.
struct Found<'a> {
    patterns: Vec<&'a str>,
    fields: BTreeMap<String, BTreeMap<String, Capabilities>>,
}

impl Found<'_> {
    fn topic(&mut self, topic: &Topic) {
        let fields = &topic.mapping.fields;
        let mut objects = BTreeSet::new();
        for (path, field) in fields {
            self.note(topic, path, type_name(field), Uses::of(field));
            for (name, subfield) in &field.subfields {
                let path = format!("{path}.{name}");
                self.note(topic, &path, type_name(subfield), Uses::of(subfield));
            }
            let dots = path.match_indices('.').map(|(dot, _)| &path[..dot]);
            objects.extend(dots.filter(|object| !fields.contains_key(*object)));
        }
        for (alias, target) in &topic.mapping.aliases {
            if let Some((field, _)) = topic.mapping.resolve(target) {
                self.note(topic, alias, type_name(field), Uses::of(field));
            }
            let dots = alias.match_indices('.').map(|(dot, _)| &alias[..dot]);
            objects.extend(dots.filter(|object| !fields.contains_key(*object)));
        }
        for object in objects {
            self.note(topic, object, "object", Uses::default());
        }
        for (path, type_name) in METADATA_FIELDS {
            let uses = Uses {
                searchable: true,
                aggregatable: true,
                is_metadata: true,
                ..Uses::default()
            };
            self.note(topic, path, type_name, uses);
        }
    }

    fn note(&mut self, topic: &Topic, path: &str, type_name: &str, uses: Uses) {
        let mut patterns = self.patterns.iter();
        if patterns.any(|pattern| matches_wildcard(pattern, path)) {
            let types = self.fields.entry(path.into()).or_default();
            let capabilities = types.entry(type_name.into()).or_default();
            capabilities.in_indices.push((topic.name.to_string(), uses));
        }
    }

    fn add_unmapped(&mut self, indices: &[&str]) {
        for types in self.fields.values_mut() {
            let has = |index: &str| {
                let mut all = types.values().flat_map(|one| &one.in_indices);
                all.any(|(name, _)| name == index)
            };
            let without: Vec<_> = indices.iter().filter(|index| !has(index)).collect();
            if without.is_empty() {
                continue;
            }
            let without = without
                .into_iter()
                .map(|index| ((*index).to_owned(), Uses::default()));
            let in_indices = without.collect();
            types.insert(UNMAPPED.into(), Capabilities { in_indices });
        }
    }
}

/// What can be done with a field of one index.
#[derive(Debug, Clone, Default)]
struct Uses {
    searchable: bool,
    aggregatable: bool,
    is_metadata: bool,
    meta: Map<String, Value>,
}

impl Uses {
    fn of(field: &Field) -> Self {
        let says_no = |key: &str| field.attributes.get(key) == Some(&Value::Bool(false));
        let is_object = matches!(type_name(field), "nested" | "object");
        let has_values = field.field_type != FieldType::Text || field.has_whole_texts();
        let meta = field.attributes.get("meta").and_then(Value::as_object);
        Self {
            searchable: !is_object && !says_no("index"),
            aggregatable: !is_object && has_values && !says_no("doc_values"),
            is_metadata: false,
            meta: meta.cloned().unwrap_or_default(),
        }
    }
}

/// What can be done with a field of one type.
#[derive(Debug, Default)]
struct Capabilities {
    in_indices: Vec<(String, Uses)>,
}

impl Capabilities {
    /// Indices in which something cannot be done that can be done in others.
    fn without(&self, can: impl Fn(&Uses) -> bool) -> Vec<&str> {
        let cannot = self.in_indices.iter().filter(|(_, uses)| !can(uses));
        let cannot: Vec<&str> = cannot.map(|(name, _)| name.as_str()).collect();
        match cannot.len() == self.in_indices.len() {
            true => Vec::new(),
            false => cannot,
        }
    }

    fn to_value(&self, type_name: &str, name_indices: bool) -> Value {
        let all = |can: fn(&Uses) -> bool| self.in_indices.iter().all(|(_, uses)| can(uses));
        let mut value = json!({
            "type": type_name,
            "metadata_field": all(|uses| uses.is_metadata),
            "searchable": all(|uses| uses.searchable),
            "aggregatable": all(|uses| uses.aggregatable),
        });
        if name_indices {
            let names = self.in_indices.iter().map(|(name, _)| name.as_str());
            value["indices"] = names.collect();
        }
        let unsearchable = self.without(|uses| uses.searchable);
        if !unsearchable.is_empty() {
            value["non_searchable_indices"] = unsearchable.into();
        }
        let unaggregatable = self.without(|uses| uses.aggregatable);
        if !unaggregatable.is_empty() {
            value["non_aggregatable_indices"] = unaggregatable.into();
        }
        let mut meta: BTreeMap<&str, BTreeSet<String>> = BTreeMap::new();
        for (key, said) in self.in_indices.iter().flat_map(|(_, uses)| &uses.meta) {
            meta.entry(key).or_default().insert(read::shown(said));
        }
        if !meta.is_empty() {
            value["meta"] = json!(meta);
        }
        value
    }
}
