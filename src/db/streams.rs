//! Data streams: a name for a row of indices, the newest of which takes what is written.

use jiff::tz::TimeZone;
use serde_json::{Value, json};
use storage::catalog::{Catalog, CatalogChange, DefinitionKind, Edit};
use storage::model::TopicName;

use super::Db;
use super::identity::random_uuid;
use super::names::stream_indices;
use super::templates::templates;
use super::topics::create_changes;
use crate::elastic::{self, ElasticError, is_data_stream};
use crate::error::{ErrorKind, Result};

/// The field that every document of a data stream must have.
const TIME_FIELD: &str = "@timestamp";

impl Db {
    /// `PUT /_data_stream/{name}`: the stream and its first index, as a template says.
    pub(crate) fn create_stream(&self, name: &str) -> Result<()> {
        elastic::check_index_name(name)?;
        let catalog = self.catalog();
        if !is_data_stream(name, &templates(&catalog)) {
            let reason = format!("no matching index template found for data stream [{name}]");
            return Err(ElasticError::illegal_argument(reason).into());
        }
        self.add_to_stream(name, |catalog| {
            let known = catalog.definition(DefinitionKind::DataStream, name);
            if known.is_some() || catalog.topic_named(name).is_some() {
                let reason = format!("data_stream [{name}] already exists");
                let error = ElasticError::new(400, "resource_already_exists_exception", reason);
                return Err(error.into());
            }
            Ok(json!({
                "timestamp_field": { "name": TIME_FIELD },
                "indices": [],
                "generation": 0,
            }))
        })?;
        Ok(())
    }

    /// `POST /{stream}/_rollover`: a new newest index. Names the one before and the new one.
    pub(crate) fn roll_stream(&self, name: &str) -> Result<(String, String)> {
        self.add_to_stream(name, |catalog| {
            let known = catalog.definition(DefinitionKind::DataStream, name);
            let known = known.ok_or_else(|| ElasticError::index_not_found(name))?;
            Ok(known.as_ref().clone())
        })
    }

    /// Adds an index to the stream that `stream` finds or makes.
    fn add_to_stream(
        &self,
        name: &str,
        stream: impl FnOnce(&Catalog) -> Result<Value>,
    ) -> Result<(String, String)> {
        let uuid = random_uuid()?;
        let now_ms = self.core().now_ms();
        let partitions_default = self.core().options.partitions;
        let mut names = (String::new(), String::new());
        self.edit(|catalog| {
            let mut body = stream(catalog)?;
            let generation = body["generation"].as_u64().unwrap_or(0) + 1;
            let index = backing_name(name, now_ms, generation)?;
            let mut indices = stream_indices(&body);
            names = (indices.last().cloned().unwrap_or_default(), index.clone());
            indices.push(index.clone());
            body["indices"] = indices.into();
            body["generation"] = generation.into();
            let mapping = json!({"mappings": {"properties": {TIME_FIELD: {"type": "date"}}}});
            let mut definition = elastic::parse_create_index(name, b"", &templates(catalog))?;
            if !definition.mapping.fields.contains_key(TIME_FIELD) {
                let time = elastic::parse_create_index(
                    "",
                    mapping.to_string().as_bytes(),
                    &elastic::Templates::new(),
                )?;
                definition.mapping.fields.extend(time.mapping.fields);
                definition.time_field = time.time_field;
            }
            let definition = definition.or_partitions(partitions_default);
            let topic_name = TopicName::parse(&index)?;
            let mut edit = create_changes(&topic_name, definition, catalog, uuid, now_ms)?;
            edit.changes.push(CatalogChange::PutDefinition {
                kind: DefinitionKind::DataStream,
                name: name.into(),
                body,
            });
            Ok(edit)
        })?;
        Ok(names)
    }

    /// Deletes data streams with their indices.
    pub(crate) fn delete_streams(&self, pattern: &str) -> Result<()> {
        self.edit(|catalog| {
            let mut changes = Vec::new();
            for (name, body) in catalog.definitions(DefinitionKind::DataStream) {
                let parts = pattern.split(',');
                if !parts
                    .map(str::trim)
                    .any(|part| elastic::matches_wildcard(part, name))
                {
                    continue;
                }
                for index in stream_indices(body) {
                    if let Some(state) = catalog.topic_named(&index) {
                        changes.push(CatalogChange::DeleteTopic(state.topic.id));
                    }
                }
                changes.push(CatalogChange::DeleteDefinition {
                    kind: DefinitionKind::DataStream,
                    name: name.into(),
                });
            }
            if changes.is_empty() && !pattern.contains('*') {
                return Err(ElasticError::index_not_found(pattern).into());
            }
            Ok(Edit { changes })
        })
    }
}

/// The newest index of a data stream and the one that would come behind it.
pub(super) fn next_backing_name(
    catalog: &Catalog,
    stream: &str,
    now_ms: i64,
) -> Result<(String, String)> {
    let known = catalog.definition(DefinitionKind::DataStream, stream);
    let body = known.ok_or_else(|| ElasticError::index_not_found(stream))?;
    let generation = body["generation"].as_u64().unwrap_or(0) + 1;
    let newest = stream_indices(body).last().cloned().unwrap_or_default();
    Ok((newest, backing_name(stream, now_ms, generation)?))
}

/// `.ds-logs-2026.11.21-000001`
fn backing_name(stream: &str, now_ms: i64, generation: u64) -> Result<String> {
    let now = jiff::Timestamp::from_millisecond(now_ms).map_err(|error| {
        crate::error::Error::new(
            ErrorKind::Internal,
            format!("the clock is beyond all dates: {error}"),
        )
    })?;
    let date = now.to_zoned(TimeZone::UTC).strftime("%Y.%m.%d");
    Ok(format!(".ds-{stream}-{date}-{generation:06}"))
}

/// The index that a data stream writes to cannot go.
pub(super) fn check_not_newest(catalog: &Catalog, index: &str) -> Result<()> {
    for (name, body) in catalog.definitions(DefinitionKind::DataStream) {
        if stream_indices(body)
            .last()
            .is_some_and(|newest| newest == index)
        {
            let reason = format!(
                "index [{index}] is the write index for data stream [{name}] and cannot be deleted"
            );
            return Err(ElasticError::illegal_argument(reason).into());
        }
    }
    Ok(())
}
