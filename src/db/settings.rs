//! Settings of indices that exist: changed, closed, opened.

use std::collections::BTreeMap;

use serde_json::Value;
use storage::catalog::{CatalogChange, DefinitionKind, Edit};
use storage::model::TopicId;
use storage::store::StoreError;

use super::Db;
use crate::elastic::{CLOSED_SETTING, parse_settings_change, uuid_text};
use crate::error::Result;

/// The name of the one set of settings of the server.
pub(crate) const SERVER_SETTINGS: &str = "cluster";

/// Whether a new value counts where there is one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Existing {
    /// The new one counts.
    Replaced,
    /// The old one stays.
    Kept,
}

impl Db {
    /// `PUT /{index}/_settings`
    pub(crate) fn put_settings(
        &self,
        topic: TopicId,
        body: &[u8],
        existing: Existing,
    ) -> Result<()> {
        self.change_settings(topic, |name, uuid, settings| {
            for (key, value) in parse_settings_change(name, uuid, body)? {
                match (value, existing) {
                    (Value::Null, _) => _ = settings.remove(&key),
                    (_, Existing::Kept) if settings.contains_key(&key) => {}
                    (value, _) => _ = settings.insert(key, value),
                }
            }
            Ok(())
        })
    }

    /// Closes or opens an index.
    pub(crate) fn set_closed(&self, topic: TopicId, closed: bool) -> Result<()> {
        self.change_settings(topic, |_, _, settings| {
            match closed {
                true => _ = settings.insert(CLOSED_SETTING.into(), true.into()),
                false => _ = settings.remove(CLOSED_SETTING),
            }
            Ok(())
        })
    }

    /// What `_cluster/settings` says of the setting `name`.
    pub(crate) fn server_setting(&self, name: &str) -> Option<String> {
        let catalog = self.catalog();
        let settings = catalog.definition(DefinitionKind::ServerSettings, SERVER_SETTINGS)?;
        let mut sets = ["transient", "persistent"].into_iter();
        let said = sets.find_map(|set| settings.get(set)?.get(name));
        said.and_then(Value::as_str).map(str::to_owned)
    }

    fn change_settings(
        &self,
        topic: TopicId,
        change: impl FnOnce(&str, &str, &mut BTreeMap<String, Value>) -> Result<()>,
    ) -> Result<()> {
        self.edit(|catalog| {
            let state = catalog
                .topic(topic)
                .ok_or(StoreError::UnknownTopic(topic))?;
            let known = &state.topic;
            let mut settings = known.settings.clone();
            change(known.name.as_str(), &uuid_text(known.uuid), &mut settings)?;
            Ok(Edit::of(CatalogChange::ChangeConfig {
                topic,
                config: known.config.clone(),
                settings,
            }))
        })
    }
}
