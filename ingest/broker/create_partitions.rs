//! CreatePartitions.

use std::collections::BTreeMap;

use kafka_protocol::messages::create_partitions_request::CreatePartitionsTopic;
use kafka_protocol::messages::create_partitions_response::CreatePartitionsTopicResult;
use kafka_protocol::messages::{CreatePartitionsRequest, CreatePartitionsResponse};
use storage::catalog::{Catalog, CatalogChange, Edit, PARTITIONS_MAX};
use storage::store::StoreError;

use super::refusal::Refusal;
use super::{Broker, Reply};
use crate::wire::{KafkaError, Response};

impl Broker {
    pub(super) fn create_partitions(&self, request: &CreatePartitionsRequest) -> Reply {
        let mut named: BTreeMap<&str, usize> = BTreeMap::new();
        for topic in &request.topics {
            *named.entry(topic.name.as_str()).or_default() += 1;
        }
        let mut results = Vec::new();
        let staged = self.store.stage_edit(|catalog| {
            let counts = catalog
                .topics()
                .map(|state| u64::from(state.topic.partitions));
            let mut total: u64 = counts.sum();
            let mut changes = Vec::new();
            for topic in &request.topics {
                let Some(count) = named.remove(topic.name.as_str()) else {
                    continue;
                };
                let change = if count > 1 {
                    let text = "Duplicate topic in request.";
                    Err(Refusal::new(KafkaError::InvalidRequest, text))
                } else {
                    self.more_partitions(catalog, topic, &mut total)
                };
                let result = CreatePartitionsTopicResult::default().with_name(topic.name.clone());
                results.push(match change {
                    Ok(change) => {
                        changes.push(change);
                        result
                    }
                    Err(refusal) => result
                        .with_error_code(refusal.error.code())
                        .with_error_message(refusal.message()),
                });
            }
            if request.validate_only {
                changes.clear();
            }
            Ok::<_, StoreError>(Edit { changes })
        });
        let response = CreatePartitionsResponse::default().with_results(results);
        match staged {
            Ok(lsn) => Reply::AfterDurable(lsn, Response::CreatePartitions(response)),
            Err(_) => Reply::Close,
        }
    }

    fn more_partitions(
        &self,
        catalog: &Catalog,
        wanted: &CreatePartitionsTopic,
        total: &mut u64,
    ) -> Result<CatalogChange, Refusal> {
        let Some(state) = catalog.topic_named(&wanted.name) else {
            return Err(KafkaError::UnknownTopicOrPartition.into());
        };
        let invalid = |text: String| Err(Refusal::new(KafkaError::InvalidPartitions, text));
        let (name, current) = (&*wanted.name.0, state.topic.partitions);
        let count = match u32::try_from(wanted.count) {
            Ok(count) if count == current => {
                return invalid(format!("Topic already has {current} partition(s)."));
            }
            Ok(count) if count > current => count,
            Ok(_) | Err(_) => {
                return invalid(format!(
                    "The topic {name} currently has {current} partition(s); {} would not be an \
                     increase.",
                    wanted.count
                ));
            }
        };
        let added = u64::from(count - current);
        if let Some(assignments) = &wanted.assignments {
            let brokers = assignments.iter().map(|it| it.broker_ids.as_slice());
            self.check_brokers(brokers)
                .map_err(|text| Refusal::new(KafkaError::InvalidReplicaAssignment, text))?;
            let given = assignments.len();
            if u64::try_from(given) != Ok(added) {
                let text = format!(
                    "Attempted to add {added} additional partition(s), but only {given} \
                     assignment(s) were specified."
                );
                return Err(Refusal::new(KafkaError::InvalidReplicaAssignment, text));
            }
        }
        let all_max = self.options.partitions_max;
        if count > PARTITIONS_MAX || *total + added > u64::from(all_max) {
            let text = format!(
                "the store has {total} partitions, {added} more would pass its limit of {all_max}, \
                 or {PARTITIONS_MAX} of one topic"
            );
            return Err(Refusal::new(KafkaError::PolicyViolation, text));
        }
        *total += added;
        Ok(CatalogChange::AddPartitions {
            topic: state.topic.id,
            partitions: count,
        })
    }
}
