//! Aliases: all actions of a request count together.

use std::collections::{BTreeMap, BTreeSet};

use storage::catalog::{Catalog, CatalogChange, DefinitionKind, Edit};
use storage::model::TopicId;

use super::Db;
use super::names::named_in;
use crate::elastic::{
    AliasAction, AliasPatterns, Aliases, ElasticError, Expand, IndexOptions, aliases_missing,
    check_alias_name, invalid_alias,
};
use crate::error::Result;

/// Aliases are names of indices, open or closed, and not of other aliases.
const OPTIONS: IndexOptions = IndexOptions {
    ignore_unavailable: false,
    allow_no_indices: false,
    expand: Expand::SHOWN,
    aliases: true,
    closed: true,
};

impl Db {
    /// Does `actions` one after the other; none counts when one fails.
    pub(crate) fn change_aliases(&self, actions: &[AliasAction]) -> Result<()> {
        self.edit(|catalog| {
            let mut changed = Changed::default();
            for action in actions {
                changed.act(catalog, action)?;
            }
            changed.into_edit(catalog)
        })
    }
}

/// Aliases while actions change them.
#[derive(Default)]
struct Changed {
    aliases: BTreeMap<TopicId, Aliases>,
    deleted: BTreeSet<TopicId>,
}

impl Changed {
    fn act(&mut self, catalog: &Catalog, action: &AliasAction) -> Result<()> {
        match action {
            AliasAction::Add {
                indices,
                aliases,
                body,
            } => {
                for alias in aliases {
                    check_alias_name(alias)?;
                }
                for named in named_in(catalog, indices, OPTIONS)? {
                    let own = self.of(catalog, named.state.topic.id);
                    own.extend(aliases.iter().map(|alias| (alias.clone(), body.clone())));
                }
            }
            AliasAction::Remove {
                indices,
                aliases,
                must_exist,
            } => self.remove(catalog, indices, aliases, *must_exist)?,
            AliasAction::RemoveIndex { indices } => {
                let options = IndexOptions {
                    aliases: false,
                    ..OPTIONS
                };
                for named in named_in(catalog, indices, options)? {
                    self.deleted.insert(named.state.topic.id);
                }
            }
        }
        Ok(())
    }

    fn of(&mut self, catalog: &Catalog, topic: TopicId) -> &mut Aliases {
        self.aliases.entry(topic).or_insert_with(|| {
            let state = catalog.topic(topic);
            state.map_or_else(Aliases::new, |state| state.aliases.as_ref().clone())
        })
    }

    fn remove(
        &mut self,
        catalog: &Catalog,
        indices: &str,
        names: &[String],
        must_exist: Option<bool>,
    ) -> Result<()> {
        let mut missing: BTreeSet<&String> = names.iter().collect();
        for named in named_in(catalog, indices, OPTIONS)? {
            let own = self.of(catalog, named.state.topic.id);
            for name in names {
                let before = own.len();
                let pattern = AliasPatterns::parse(name);
                own.retain(|alias, _| !pattern.fits(alias));
                if own.len() < before {
                    missing.remove(name);
                }
            }
        }
        let fails = match must_exist {
            Some(true) => !missing.is_empty(),
            Some(false) => false,
            None => missing.len() == names.len(),
        };
        if fails {
            let missing: Vec<String> = missing.into_iter().cloned().collect();
            return Err(aliases_missing(&missing).into());
        }
        Ok(())
    }

    fn into_edit(self, catalog: &Catalog) -> Result<Edit> {
        let mut changes = Vec::new();
        for topic in &self.deleted {
            changes.push(CatalogChange::DeleteTopic(*topic));
        }
        for (topic, aliases) in self.aliases {
            if self.deleted.contains(&topic) {
                continue;
            }
            for name in aliases.keys() {
                check_free(catalog, name, &self.deleted)?;
            }
            changes.push(CatalogChange::ChangeAliases { topic, aliases });
        }
        Ok(Edit { changes })
    }
}

/// An alias and an index cannot have the same name.
pub(super) fn check_free(catalog: &Catalog, name: &str, deleted: &BTreeSet<TopicId>) -> Result<()> {
    let index = catalog.topic_named(name);
    let is_index = index.is_some_and(|state| !deleted.contains(&state.topic.id));
    let is_stream = catalog
        .definition(DefinitionKind::DataStream, name)
        .is_some();
    if is_index || is_stream {
        let why = "an index or data stream exists with the same name as the alias";
        let error: ElasticError = invalid_alias(name, why);
        return Err(error.into());
    }
    Ok(())
}
