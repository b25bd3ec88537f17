//! Templates of every kind, and other definitions that are kept by name.

use std::sync::Arc;

use serde_json::Value;
use storage::catalog::{Catalog, CatalogChange, DefinitionKind, Edit};

use super::Db;
use crate::elastic::{self, ElasticError, TemplateKind, Templates, matches_wildcard};
use crate::error::Result;

/// Whether a definition may replace another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Replace {
    /// It may.
    Yes,
    /// The name must be free.
    No,
}

impl Db {
    /// `PUT /_index_template/{name}` and its kin.
    pub(crate) fn put_template(
        &self,
        kind: TemplateKind,
        name: &str,
        body: &[u8],
        replace: Replace,
    ) -> Result<()> {
        self.edit(|catalog| {
            let known = templates(catalog);
            let bodies = match kind {
                TemplateKind::Index => &known.index,
                TemplateKind::Component => &known.components,
                TemplateKind::Legacy => &known.legacy,
            };
            if replace == Replace::No && bodies.contains_key(name) {
                let reason = format!("index template [{name}] already exists");
                return Err(ElasticError::illegal_argument(reason).into());
            }
            let body = elastic::parse_template(kind, name, body, &known)?;
            let name = name.to_owned();
            Ok(Edit::of(match definition_kind(kind) {
                None => CatalogChange::PutTemplate { name, body },
                Some(kind) => CatalogChange::PutDefinition { kind, name, body },
            }))
        })
    }

    /// `DELETE /_index_template/{name}` and its kin; wildcards delete what fits, also nothing.
    pub(crate) fn delete_template(&self, kind: TemplateKind, name: &str) -> Result<()> {
        self.edit(|catalog| {
            let known = templates(catalog);
            let bodies = match kind {
                TemplateKind::Index => &known.index,
                TemplateKind::Component => &known.components,
                TemplateKind::Legacy => &known.legacy,
            };
            let parts: Vec<&str> = name.split(',').map(str::trim).collect();
            let fits = |known: &&String| parts.iter().any(|part| matches_wildcard(part, known));
            let names: Vec<&String> = bodies.keys().filter(fits).collect();
            if names.is_empty() && name != "*" {
                return Err(elastic::missing_legacy(name).into());
            }
            if kind == TemplateKind::Component {
                check_unused(&known, &names)?;
            }
            let change = |name: &String| match definition_kind(kind) {
                None => CatalogChange::DeleteTemplate { name: name.clone() },
                Some(kind) => CatalogChange::DeleteDefinition {
                    kind,
                    name: name.clone(),
                },
            };
            Ok(Edit {
                changes: names.into_iter().map(change).collect(),
            })
        })
    }

    /// Keeps a definition under its name.
    pub(crate) fn put_definition(
        &self,
        kind: DefinitionKind,
        name: &str,
        body: &Value,
    ) -> Result<()> {
        self.edit(|_| {
            Ok(Edit::of(CatalogChange::PutDefinition {
                kind,
                name: name.into(),
                body: body.clone(),
            }))
        })
    }

    /// Forgets a definition; says whether there was one.
    pub(crate) fn delete_definition(&self, kind: DefinitionKind, name: &str) -> Result<bool> {
        if self.catalog().definition(kind, name).is_none() {
            return Ok(false);
        }
        self.edit(|_| {
            Ok(Edit::of(CatalogChange::DeleteDefinition {
                kind,
                name: name.into(),
            }))
        })?;
        Ok(true)
    }
}

/// Index templates have a place of their own in the catalog.
fn definition_kind(kind: TemplateKind) -> Option<DefinitionKind> {
    match kind {
        TemplateKind::Index => None,
        TemplateKind::Component => Some(DefinitionKind::ComponentTemplate),
        TemplateKind::Legacy => Some(DefinitionKind::LegacyTemplate),
    }
}

/// Component templates that index templates name cannot go.
fn check_unused(known: &Templates, names: &[&String]) -> Result<()> {
    for (template, body) in &known.index {
        let parts = body.get("composed_of").and_then(Value::as_array);
        let used = parts
            .into_iter()
            .flatten()
            .filter_map(Value::as_str)
            .find(|part| names.iter().any(|name| name == part));
        if let Some(used) = used {
            let reason = format!(
                "component templates [{used}] cannot be removed as they are still in use by index \
                 templates [{template}]"
            );
            return Err(ElasticError::illegal_argument(reason).into());
        }
    }
    Ok(())
}

/// All templates.
pub(crate) fn templates(catalog: &Catalog) -> Templates {
    let own = |(name, body): (&str, &Arc<Value>)| (name.to_owned(), Arc::clone(body));
    Templates {
        index: catalog.templates().map(own).collect(),
        components: catalog
            .definitions(DefinitionKind::ComponentTemplate)
            .map(own)
            .collect(),
        legacy: catalog
            .definitions(DefinitionKind::LegacyTemplate)
            .map(own)
            .collect(),
    }
}
