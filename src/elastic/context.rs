//! What every part of a search is read against: one index, its fields and the present.

use std::collections::BTreeMap;
use std::sync::Arc;

use query::request::FieldRef;
use serde_json::Value;
use storage::model::{Field, FieldType, Mapping};

use super::ElasticError;
use super::index_expression::matches_wildcard;

/// Most fields that a wildcard, or a word without a field, stands for.
const FIELDS_MAX: usize = 1_024;

/// One index and the present.
#[derive(Debug, Clone, Copy)]
pub(super) struct Context<'a> {
    /// The index's name.
    pub(super) index: &'a str,
    /// Its fields.
    pub(super) mapping: &'a Mapping,
    /// What date math calls `now`.
    pub(super) now_ms: i64,
    /// What else is known of the index.
    pub(super) facts: IndexFacts<'a>,
}

/// What is known of an index beside its fields.
#[derive(Debug, Clone, Copy, Default)]
pub struct IndexFacts<'a> {
    /// Its settings, by names such as `index.max_result_window`.
    pub settings: Option<&'a BTreeMap<String, Value>>,
    /// Its other names.
    pub aliases: &'a [String],
    /// Its partitions.
    pub shards: u32,
    /// Queries that look at every distinct text are forbidden.
    pub cheap_only: bool,
}

/// A field that a request names.
#[derive(Debug, Clone)]
pub(super) struct NamedField<'a> {
    /// The name as the request has it.
    pub(super) path: String,
    /// Where its values are.
    pub(super) place: FieldRef,
    /// Its definition.
    pub(super) field: &'a Field,
}

impl NamedField<'_> {
    /// What its values are.
    pub(super) fn field_type(&self) -> FieldType {
        self.place.field_type
    }

    /// Whether its texts are compared without regard to case.
    pub(super) fn ignores_case(&self) -> bool {
        let normalizer = self.field.attributes.get("normalizer");
        normalizer.and_then(Value::as_str) == Some("lowercase")
    }

    /// The type as the mapping's writer called it.
    pub(super) fn type_name(&self) -> &str {
        super::field_types::type_name(self.field)
    }
}

impl<'a> Context<'a> {
    /// A setting of the index, without `index.` in front.
    pub(super) fn setting(&self, name: &str) -> Option<String> {
        let value = self.facts.settings?.get(&format!("index.{name}"))?;
        super::read::text(value, name).ok()
    }

    /// A limit that the index may set for itself.
    pub(super) fn limit(&self, name: &str, default: usize) -> usize {
        let said = self.setting(name);
        said.and_then(|text| text.parse().ok()).unwrap_or(default)
    }

    /// In how many shards a client sees it.
    pub(super) fn shards(&self) -> u32 {
        self.facts.shards.max(1)
    }

    /// Whether `pattern` names the index, by any of its names.
    pub(super) fn is_named(&self, pattern: &str) -> bool {
        let mut names = self.facts.aliases.iter().map(String::as_str);
        matches_wildcard(pattern, self.index) || names.any(|name| matches_wildcard(pattern, name))
    }

    /// The field that `path` names; `None` when there is none.
    pub(super) fn field(&self, path: &str) -> Option<NamedField<'a>> {
        let mapping = self.mapping;
        let (field, column) = mapping.resolve(path)?;
        Some(NamedField {
            path: path.into(),
            place: FieldRef {
                column: Arc::from(column),
                field_type: field.field_type,
            },
            field,
        })
    }

    /// The field that `path` names where its values count whole: in aggregations, sorting and
    /// queries for terms. A text field that has whole texts is a keyword there.
    pub(super) fn whole_field(&self, path: &str) -> Option<NamedField<'a>> {
        let mut field = self.field(path)?;
        if field.field.has_whole_texts() {
            field.place.field_type = FieldType::Keyword;
        }
        Some(field)
    }

    /// The fields that `pattern` names: itself, or with `*` every field (and subfield) that fits.
    ///
    /// # Errors
    /// When there are more than a query may stand for.
    pub(super) fn fields(&self, pattern: &str) -> Result<Vec<NamedField<'a>>, ElasticError> {
        if !pattern.contains('*') {
            return Ok(self.field(pattern).into_iter().collect());
        }
        let mut fields = Vec::new();
        for (path, field) in &self.mapping.fields {
            let subfields = field.subfields.keys().map(|name| format!("{path}.{name}"));
            for path in std::iter::once(path.clone()).chain(subfields) {
                if matches_wildcard(pattern, &path) {
                    fields.extend(self.field(&path));
                }
            }
            if fields.len() > FIELDS_MAX {
                return Err(ElasticError::illegal_argument(format!(
                    "field expansion for [{pattern}] matches too many fields, limit: {FIELDS_MAX}"
                ))
                .on_shard(self.index));
            }
        }
        // A field that is there by its own name is not there again by another one.
        for (alias, target) in &self.mapping.aliases {
            if matches_wildcard(pattern, alias) && !matches_wildcard(pattern, target) {
                fields.extend(self.field(alias));
            }
        }
        Ok(fields)
    }

    /// The same, and every alias that fits `pattern`: hits show values under each name.
    ///
    /// # Errors
    /// As [`Self::fields`].
    pub(super) fn fields_by_all_names(
        &self,
        pattern: &str,
    ) -> Result<Vec<NamedField<'a>>, ElasticError> {
        let mut fields = self.fields(pattern)?;
        if pattern.contains('*') {
            fields.retain(|field| !self.mapping.aliases.contains_key(&field.path));
            let aliases = self.mapping.aliases.keys();
            let aliases = aliases.filter(|alias| matches_wildcard(pattern, alias));
            fields.extend(aliases.filter_map(|alias| self.field(alias)));
        }
        Ok(fields)
    }

    /// An error of the search on this index.
    pub(super) fn fail(&self, error: ElasticError) -> ElasticError {
        error.on_shard(self.index)
    }

    /// A query that this index cannot run.
    pub(super) fn query_error(&self, reason: impl Into<String>) -> ElasticError {
        ElasticError::new(400, "query_shard_exception", reason)
            .with("index_uuid", "_na_")
            .with("index", self.index)
            .on_shard(self.index)
    }
}
