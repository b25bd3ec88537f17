//! CreateTopics.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use kafka_protocol::messages::create_topics_request::{CreatableReplicaAssignment, CreatableTopic};
use kafka_protocol::messages::create_topics_response::{
    CreatableTopicConfigs, CreatableTopicResult,
};
use kafka_protocol::messages::{BrokerId, CreateTopicsRequest, CreateTopicsResponse};
use kafka_protocol::protocol::StrBytes;
use storage::catalog::Topic;
use uuid::Uuid;

use super::configs::{self, TOPIC_CONFIGS};
use super::new_topics::{Creation, Wanted, new_name};
use super::refusal::Refusal;
use super::{Broker, Reply};
use crate::wire::{KafkaError, Response};

/// What Kafka means by "the broker's default" in counts.
const DEFAULT: i32 = -1;

/// Where a config's value comes from, in DescribeConfigs' numbers.
const FROM_TOPIC: i8 = 1;
const FROM_DEFAULT: i8 = 5;

impl Broker {
    pub(super) fn create_topics(&self, request: &CreateTopicsRequest, now_ms: i64) -> Reply {
        let mut seen: HashMap<&str, u32> = HashMap::new();
        for topic in &request.topics {
            *seen.entry(topic.name.as_str()).or_default() += 1;
        }
        let mut checked = Vec::new();
        let mut wanted = Vec::new();
        let mut answered = BTreeSet::new();
        for topic in &request.topics {
            let name = topic.name.as_str();
            if !answered.insert(name) {
                continue;
            }
            if seen.get(name).is_some_and(|count| *count > 1) {
                let text = "Duplicate topic name.";
                checked.push((topic, Some(Refusal::new(KafkaError::InvalidRequest, text))));
                continue;
            }
            match self.wanted(topic) {
                Ok(wish) => {
                    wanted.push(wish);
                    checked.push((topic, None));
                }
                Err(refusal) => checked.push((topic, Some(refusal))),
            }
        }
        let creation = if request.validate_only {
            Creation::CheckOnly
        } else {
            Creation::Make
        };
        let Ok(created) = self.create(&wanted, creation, now_ms) else {
            return Reply::Close;
        };
        let mut results = created.results.into_iter();
        let topics = checked.into_iter().map(|(topic, refusal)| {
            let result = match refusal {
                Some(refusal) => Err(refusal),
                None => results.next().expect("one result for each wish"),
            };
            answer(topic, result)
        });
        let response = CreateTopicsResponse::default().with_topics(topics.collect());
        match created.lsn {
            Some(lsn) => Reply::AfterDurable(lsn, Response::CreateTopics(response)),
            None => Reply::Ready(Response::CreateTopics(response)),
        }
    }

    fn wanted(&self, topic: &CreatableTopic) -> Result<Wanted, Refusal> {
        // The name comes first, so that a wrong name is what the client reads about.
        new_name(&topic.name)?;
        Ok(Wanted {
            name: topic.name.0.clone(),
            partitions: self.partition_count(topic)?,
            config: config(topic)?,
        })
    }

    /// `None` when the client leaves it to us.
    fn partition_count(&self, topic: &CreatableTopic) -> Result<Option<u32>, Refusal> {
        if !topic.assignments.is_empty() {
            return self.assigned_count(topic).map(Some);
        }
        match topic.replication_factor {
            -1 | 1 => {}
            factor if factor < 1 => {
                let text = "Replication factor must be larger than 0, or -1 to use the default \
                            value.";
                return Err(Refusal::new(KafkaError::InvalidReplicationFactor, text));
            }
            factor => {
                let text = format!(
                    "Unable to replicate the partition {factor} time(s): The target replication \
                     factor of {factor} cannot be reached because only 1 broker(s) are registered."
                );
                return Err(Refusal::new(KafkaError::InvalidReplicationFactor, text));
            }
        }
        match topic.num_partitions {
            DEFAULT => Ok(None),
            count => u32::try_from(count)
                .ok()
                .filter(|count| *count > 0)
                .map(Some)
                .ok_or_else(|| {
                    let text = "Number of partitions was set to an invalid non-positive value.";
                    Refusal::new(KafkaError::InvalidPartitions, text)
                }),
        }
    }

    /// The number of partitions that an assignment to this broker, the only one, means.
    fn assigned_count(&self, topic: &CreatableTopic) -> Result<u32, Refusal> {
        let invalid = |text: &str| Err(Refusal::new(KafkaError::InvalidRequest, text));
        if topic.replication_factor != -1 {
            return invalid(
                "A manual partition assignment was specified, but replication factor was not set \
                 to -1.",
            );
        }
        if topic.num_partitions != DEFAULT {
            return invalid(
                "A manual partition assignment was specified, but numPartitions was not set to -1.",
            );
        }
        self.check_assignments(&topic.assignments)
            .map_err(|text| Refusal::new(KafkaError::InvalidReplicaAssignment, text))
    }

    fn check_assignments(&self, given: &[CreatableReplicaAssignment]) -> Result<u32, String> {
        let partitions: BTreeSet<i32> = given
            .iter()
            .map(|assignment| assignment.partition_index)
            .collect();
        if partitions.len() != given.len() {
            return Err("Found multiple manual partition assignments for a partition".to_owned());
        }
        let brokers = given.iter().map(|it| it.broker_ids.as_slice());
        self.check_brokers(brokers)?;
        let count = u32::try_from(given.len()).map_err(|_| "too many partitions".to_owned())?;
        let last = i64::from(count) - 1;
        if partitions.first() != Some(&0)
            || partitions.last().map(|id| i64::from(*id)) != Some(last)
        {
            return Err("partitions should be a consecutive 0-based integer sequence".to_owned());
        }
        Ok(count)
    }

    /// Whether each partition is given to this broker, the only one.
    pub(super) fn check_brokers<'a>(
        &self,
        assignments: impl Iterator<Item = &'a [BrokerId]>,
    ) -> Result<(), String> {
        for brokers in assignments {
            match brokers {
                [] => return Err("The manual partition assignment includes no brokers.".to_owned()),
                [only] if only.0 == self.options.node_id => {}
                brokers => {
                    let other = brokers.iter().find(|id| id.0 != self.options.node_id);
                    return Err(match other {
                        Some(id) => format!(
                            "The manual partition assignment includes broker {}, but no such \
                             broker is registered.",
                            id.0
                        ),
                        None => "The manual partition assignment includes a broker twice.".into(),
                    });
                }
            }
        }
        Ok(())
    }
}

fn config(topic: &CreatableTopic) -> Result<BTreeMap<String, String>, Refusal> {
    let mut config = BTreeMap::new();
    for given in &topic.configs {
        let name = given.name.as_str();
        let Some(value) = &given.value else {
            let text = format!("Null value not supported for topic configs: {name}");
            return Err(Refusal::new(KafkaError::InvalidConfig, text));
        };
        config.insert(name.to_owned(), configs::check(name, value)?);
    }
    Ok(config)
}

fn answer(wanted: &CreatableTopic, result: Result<Box<Topic>, Refusal>) -> CreatableTopicResult {
    let answer = CreatableTopicResult::default().with_name(wanted.name.clone());
    match result {
        Ok(topic) => answer
            .with_topic_id(Uuid::from_bytes(topic.uuid))
            .with_num_partitions(i32::try_from(topic.partitions).unwrap_or(i32::MAX))
            .with_replication_factor(1)
            .with_configs(Some(
                TOPIC_CONFIGS.iter().map(|it| shown(it, &topic)).collect(),
            )),
        Err(refusal) => answer
            .with_error_code(refusal.error.code())
            .with_error_message(refusal.message())
            .with_num_partitions(-1)
            .with_replication_factor(-1)
            .with_configs(Some(Vec::new())),
    }
}

fn shown(config: &configs::TopicConfig, topic: &Topic) -> CreatableTopicConfigs {
    let (value, source) = match topic.config.get(config.name) {
        Some(own) => (StrBytes::from_string(own.clone()), FROM_TOPIC),
        None => (StrBytes::from_static_str(config.default), FROM_DEFAULT),
    };
    CreatableTopicConfigs::default()
        .with_name(StrBytes::from_static_str(config.name))
        .with_value(Some(value))
        .with_config_source(source)
}
