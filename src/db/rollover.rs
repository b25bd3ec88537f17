//! `_rollover`: an alias or a data stream goes on with a new index.

use std::sync::Arc;

use serde_json::Value;
use storage::catalog::{Catalog, CatalogChange, DefinitionKind, TopicState};
use storage::model::TopicName;

use super::Db;
use super::identity::random_uuid;
use super::streams::next_backing_name;
use super::templates::templates;
use super::topics::{check_not_alias, create_changes};
use crate::elastic::{
    self, ElasticError, Rolled, RolloverFacts, RolloverRequest, next_index_name, uuid_text,
};
use crate::error::Result;

impl Db {
    /// Rolls `target` over when its conditions hold and it is no dry run. The new index is called
    /// `new_index`, else as counting on says.
    pub(crate) fn roll_over(
        &self,
        target: &str,
        new_index: Option<&str>,
        request: &RolloverRequest,
        is_dry_run: bool,
    ) -> Result<Rolled> {
        let catalog = self.catalog();
        if catalog
            .definition(DefinitionKind::DataStream, target)
            .is_some()
        {
            return self.roll_stream_over(&catalog, target, new_index, request, is_dry_run);
        }
        let old = written_index(&catalog, target)?;
        let old_index = old.topic.name.to_string();
        let new_index = match new_index {
            Some(name) => elastic::dated_names(name, self.core().now_ms())?.into_owned(),
            None => next_index_name(&old_index)?,
        };
        check_new(&catalog, &new_index)?;
        let (met, is_enough) = request.judge(self.rollover_facts(&old));
        let happens = is_enough && !is_dry_run;
        if happens {
            self.roll_alias(target, &new_index, request)?;
        }
        Ok(Rolled {
            old_index,
            new_index,
            happened: happens,
            met,
        })
    }

    fn roll_stream_over(
        &self,
        catalog: &Catalog,
        target: &str,
        new_index: Option<&str>,
        request: &RolloverRequest,
        is_dry_run: bool,
    ) -> Result<Rolled> {
        if new_index.is_some() || !request.body.is_empty() {
            return Err(ElasticError::illegal_argument(
                "aliases, mappings, and index settings may not be specified when rolling over a \
                 data stream",
            )
            .into());
        }
        let (old_index, new_index) = next_backing_name(catalog, target, self.core().now_ms())?;
        let facts = catalog
            .topic_named(&old_index)
            .map(|state| self.rollover_facts(state));
        let (met, is_enough) = match facts {
            Some(facts) => request.judge(facts),
            None => (Vec::new(), true),
        };
        let mut rolled = Rolled {
            old_index,
            new_index,
            happened: is_enough && !is_dry_run,
            met,
        };
        if rolled.happened {
            (rolled.old_index, rolled.new_index) = self.roll_stream(target)?;
        }
        Ok(rolled)
    }

    fn rollover_facts(&self, state: &TopicState) -> RolloverFacts {
        RolloverFacts {
            age_ms: self.core().now_ms() - state.topic.created_ms,
            rows: self.row_count(state.topic.id) as u64,
            bytes: state.segments.iter().map(|segment| segment.bytes).sum(),
            partitions: state.topic.partitions.into(),
        }
    }

    /// The new index and the alias, which is written to there, in one edit.
    fn roll_alias(&self, alias: &str, new_index: &str, request: &RolloverRequest) -> Result<()> {
        let uuid = random_uuid()?;
        let now_ms = self.core().now_ms();
        let partitions_default = self.core().options.partitions;
        let name = TopicName::parse(new_index)?;
        self.edit(|catalog| {
            // Somebody else may have been quicker.
            let old = written_index(catalog, alias)?;
            check_new(catalog, new_index)?;
            let known = templates(catalog);
            let definition = elastic::parse_create_index(new_index, &request.body, &known)?;
            let mut definition = definition.or_partitions(partitions_default);
            let mut aliases = old.aliases.as_ref().clone();
            let body = aliases.remove(alias).unwrap_or(Value::Null);
            if body.get("is_write_index").is_some() {
                // The old index stays in the alias, to be read.
                let with = |writes: bool| {
                    let mut body = body.clone();
                    body["is_write_index"] = writes.into();
                    body
                };
                aliases.insert(alias.into(), with(false));
                definition.aliases.insert(alias.into(), with(true));
            } else {
                definition.aliases.insert(alias.into(), body);
            }
            let mut edit = create_changes(&name, definition, catalog, uuid, now_ms)?;
            edit.changes.push(CatalogChange::ChangeAliases {
                topic: old.topic.id,
                aliases,
            });
            Ok(edit)
        })
    }
}

/// The index that an alias is written to.
fn written_index(catalog: &Catalog, alias: &str) -> Result<Arc<TopicState>> {
    let holders: Vec<_> = catalog
        .topics_by_name()
        .filter(|state| state.aliases.contains_key(alias))
        .collect();
    let writes = |state: &&&Arc<TopicState>| {
        let body = state.aliases.get(alias);
        body.and_then(|body| body.get("is_write_index")) == Some(&Value::Bool(true))
    };
    let reason = match (holders.iter().find(writes), holders.as_slice()) {
        (Some(state), _) => return Ok(Arc::clone(state)),
        (None, [only]) => return Ok(Arc::clone(only)),
        (None, []) if catalog.topic_named(alias).is_some() => {
            "rollover target is a [concrete index] but one of [alias,data_stream] was expected"
                .to_owned()
        }
        (None, []) => format!("rollover target [{alias}] does not exist"),
        (None, _) => format!("rollover target [{alias}] does not point to a write index"),
    };
    Err(ElasticError::illegal_argument(reason).into())
}

/// Whether an index of this name can be made.
fn check_new(catalog: &Catalog, name: &str) -> Result<()> {
    elastic::check_index_name(name)?;
    if let Some(state) = catalog.topic_named(name) {
        let uuid = uuid_text(state.topic.uuid);
        return Err(ElasticError::index_exists(name, &uuid).into());
    }
    check_not_alias(catalog, name)
}
