//! AlterConfigs and IncrementalAlterConfigs: settings of topics.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use kafka_protocol::messages::alter_configs_response as altered;
use kafka_protocol::messages::incremental_alter_configs_response as incremental;
use kafka_protocol::messages::{
    AlterConfigsRequest, AlterConfigsResponse, IncrementalAlterConfigsRequest,
    IncrementalAlterConfigsResponse,
};
use kafka_protocol::protocol::StrBytes;
use storage::catalog::{Catalog, CatalogChange, Edit};
use storage::store::{Lsn, StoreError};

use super::configs::{self, ConfigKind};
use super::refusal::{INVALID_REQUEST_TEXT, Refusal};
use super::{Broker, Reply};
use crate::wire::{KafkaError, Response};

/// Resource types.
const TOPIC: i8 = 2;
const BROKER: i8 = 4;

/// What happens to a setting.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Operation {
    Set,
    Delete,
    Append,
    Subtract,
}

/// A resource and its new settings.
struct Wish<'a> {
    kind: i8,
    name: &'a str,
    /// Whether settings that are not named keep their values.
    keeps_others: bool,
    /// Name, operation by number, value.
    settings: Vec<(&'a str, i8, Option<&'a str>)>,
}

impl Broker {
    pub(super) fn alter_configs(&self, request: &AlterConfigsRequest) -> Reply {
        let wishes = request.resources.iter().map(|resource| {
            let settings = resource.configs.iter();
            Wish {
                kind: resource.resource_type,
                name: &resource.resource_name,
                keeps_others: false,
                settings: settings
                    .map(|it| (it.name.as_str(), 0, it.value.as_deref()))
                    .collect(),
            }
        });
        let wishes: Vec<_> = wishes.collect();
        let Ok((results, lsn)) = self.alter(&wishes, request.validate_only) else {
            return Reply::Close;
        };
        let responses = request.resources.iter().zip(results);
        let responses = responses.map(|(resource, result)| {
            let (code, message) = written(result);
            altered::AlterConfigsResourceResponse::default()
                .with_resource_type(resource.resource_type)
                .with_resource_name(resource.resource_name.clone())
                .with_error_code(code)
                .with_error_message(message)
        });
        let response = AlterConfigsResponse::default().with_responses(responses.collect());
        Reply::AfterDurable(lsn, Response::AlterConfigs(response))
    }

    pub(super) fn incremental_alter_configs(
        &self,
        request: &IncrementalAlterConfigsRequest,
    ) -> Reply {
        let wishes = request.resources.iter().map(|resource| {
            let settings = resource.configs.iter();
            Wish {
                kind: resource.resource_type,
                name: &resource.resource_name,
                keeps_others: true,
                settings: settings
                    .map(|it| (it.name.as_str(), it.config_operation, it.value.as_deref()))
                    .collect(),
            }
        });
        let wishes: Vec<_> = wishes.collect();
        let Ok((results, lsn)) = self.alter(&wishes, request.validate_only) else {
            return Reply::Close;
        };
        let responses = request.resources.iter().zip(results);
        let responses = responses.map(|(resource, result)| {
            let (code, message) = written(result);
            incremental::AlterConfigsResourceResponse::default()
                .with_resource_type(resource.resource_type)
                .with_resource_name(resource.resource_name.clone())
                .with_error_code(code)
                .with_error_message(message)
        });
        let response =
            IncrementalAlterConfigsResponse::default().with_responses(responses.collect());
        Reply::AfterDurable(lsn, Response::IncrementalAlterConfigs(response))
    }

    /// Stages what can be done in one edit; one result for each wish.
    fn alter(
        &self,
        wishes: &[Wish<'_>],
        validate_only: bool,
    ) -> Result<(Vec<Result<(), Refusal>>, Lsn), StoreError> {
        let mut named: HashMap<(i8, &str), usize> = HashMap::new();
        for wish in wishes {
            *named.entry((wish.kind, wish.name)).or_default() += 1;
        }
        let mut results = Vec::with_capacity(wishes.len());
        let lsn = self.store.stage_edit(|catalog| {
            let mut changes = Vec::new();
            for wish in wishes {
                let change = if named.get(&(wish.kind, wish.name)) == Some(&1) {
                    change(catalog, wish)
                } else {
                    let text = "Each resource must appear at most once.";
                    Err(Refusal::new(KafkaError::InvalidRequest, text))
                };
                results.push(change.map(|change| changes.push(change)));
            }
            if validate_only {
                changes.clear();
            }
            Ok::<_, StoreError>(Edit { changes })
        })?;
        Ok((results, lsn))
    }
}

fn written(result: Result<(), Refusal>) -> (i16, Option<StrBytes>) {
    match result {
        Ok(()) => (0, None),
        Err(refusal) => (refusal.error.code(), refusal.message()),
    }
}

fn change(catalog: &Catalog, wish: &Wish<'_>) -> Result<CatalogChange, Refusal> {
    match wish.kind {
        TOPIC => {}
        BROKER => {
            let text = "settings of the broker are those that it was started with";
            return Err(Refusal::new(KafkaError::InvalidConfig, text));
        }
        _ => {
            return Err(Refusal::new(
                KafkaError::InvalidRequest,
                INVALID_REQUEST_TEXT,
            ));
        }
    }
    let Some(state) = catalog.topic_named(wish.name) else {
        let text = format!("The topic '{}' does not exist.", wish.name);
        return Err(Refusal::new(KafkaError::UnknownTopicOrPartition, text));
    };
    let mut seen = BTreeSet::new();
    let mut config = if wish.keeps_others {
        state.topic.config.clone()
    } else {
        BTreeMap::new()
    };
    for (name, operation, value) in &wish.settings {
        if !seen.insert(*name) {
            let text = "Error due to duplicate config keys";
            return Err(Refusal::new(KafkaError::InvalidRequest, text));
        }
        set(&mut config, name, operation_of(*operation)?, *value)?;
    }
    Ok(CatalogChange::ChangeConfig {
        topic: state.topic.id,
        config,
        settings: state.topic.settings.clone(),
    })
}

fn operation_of(number: i8) -> Result<Operation, Refusal> {
    match number {
        0 => Ok(Operation::Set),
        1 => Ok(Operation::Delete),
        2 => Ok(Operation::Append),
        3 => Ok(Operation::Subtract),
        _ => Err(KafkaError::UnknownServerError.into()),
    }
}

fn set(
    config: &mut BTreeMap<String, String>,
    name: &str,
    operation: Operation,
    value: Option<&str>,
) -> Result<(), Refusal> {
    if operation == Operation::Delete {
        config.remove(name);
        return Ok(());
    }
    let Some(value) = value else {
        let text = format!("Null value not supported for : {name}");
        return Err(Refusal::new(KafkaError::InvalidRequest, text));
    };
    let value = match operation {
        Operation::Set | Operation::Delete => value.to_owned(),
        Operation::Append => changed_list(config, name, "APPEND", |parts| {
            for part in value.split(',') {
                if !parts.iter().any(|it| it == part) {
                    parts.push(part.to_owned());
                }
            }
        })?,
        Operation::Subtract => changed_list(config, name, "SUBTRACT", |parts| {
            parts.retain(|it| !value.split(',').any(|part| part == it));
        })?,
    };
    let value = configs::check(name, &value)?;
    let current = configs::named(name).map(|known| configs::value(config, known.name));
    if !configs::is_obeyed(name) && current != Some(&value) {
        let text = format!("Cannot change {name}: this broker does nothing about it.");
        return Err(Refusal::new(KafkaError::InvalidConfig, text));
    }
    config.insert(name.to_owned(), value);
    Ok(())
}

/// The list `name`, its own or the default, with a change.
fn changed_list(
    config: &BTreeMap<String, String>,
    name: &str,
    word: &str,
    change: impl FnOnce(&mut Vec<String>),
) -> Result<String, Refusal> {
    let known = configs::named(name);
    let Some(list) = known.filter(|known| known.kind == ConfigKind::List) else {
        let text = match known {
            Some(_) => format!("Can't {word} to key {name} because its type is not LIST."),
            None => format!("Unknown topic config name: {name}"),
        };
        return Err(Refusal::new(KafkaError::InvalidConfig, text));
    };
    let current = configs::value(config, list.name);
    let parts = current.split(',').filter(|part| !part.is_empty());
    let mut parts: Vec<String> = parts.map(str::to_owned).collect();
    change(&mut parts);
    Ok(parts.join(","))
}
