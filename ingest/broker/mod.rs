//! Kafka's requests applied to the store: a typed request goes in, a reply comes out.
//!
//! [`Broker::handle`] never blocks on the disk. What must wait says so in its [`Reply`]: for the
//! durability of what was staged, or for records to arrive. Who waits, and how, is the caller's
//! matter; so are sockets and clocks, `now_ms` is an argument.
//!
//! One file per API; `validate.rs` holds what a batch must be before it may enter the log and
//! `configs.rs` the topic configs that Kafka has.

mod absent;
mod alter_configs;
mod api_versions;
mod broker_options;
mod configs;
mod create_partitions;
mod create_topics;
mod delete_records;
mod delete_topics;
mod describe_cluster;
mod describe_configs;
mod describe_logs;
mod describe_partitions;
mod fetch;
mod groups;
mod init_producer_id;
mod isolation;
mod leader_epochs;
mod list_offsets;
mod metadata;
mod new_topics;
mod partitions;
mod produce;
mod refusal;
mod topic_ids;
mod transactions;
mod validate;

#[cfg(test)]
mod tests;

use std::sync::Arc;

use storage::store::{Lsn, Store};

pub use broker_options::{BrokerOptions, NewTopic, NewUuid, PARTITIONS_MAX};
pub use fetch::PendingFetch;
pub use groups::{GroupOptions, Later};
pub use transactions::TransactionOptions;

use crate::wire::{Request, RequestHeader, Response};
use groups::Coordinator;
use init_producer_id::ProducerIds;
use topic_ids::TopicIds;
use transactions::Sweeps;
use validate::Scratches;

/// What one connection has said about itself.
#[derive(Debug, Clone, Default)]
pub struct Session {
    /// Name and version of the client library, once ApiVersions named them.
    pub software: Option<(String, String)>,
    /// The address that it comes from.
    pub host: String,
}

/// What to do about a request.
#[derive(Debug)]
pub enum Reply {
    /// Send it.
    Ready(Response),
    /// Send it once everything up to the position is durable; when that fails, close.
    AfterDurable(Lsn, Response),
    /// Ask [`Broker::poll_fetch`] now, after every commit and at its deadline, until it answers.
    Fetch(PendingFetch),
    /// Wait for the reply, which is none of this kind: others must act first, or time must pass.
    Later(Later),
    /// Send nothing: the producer asked for no acknowledgement.
    None,
    /// Close the connection: the request failed and has no way to say so.
    Close,
}

/// A Kafka broker over a store. Shared by all connections.
#[derive(Debug)]
pub struct Broker {
    store: Arc<Store>,
    options: BrokerOptions,
    producer_ids: ProducerIds,
    topic_ids: TopicIds,
    coordinator: Coordinator,
    scratches: Scratches,
    sweeps: Sweeps,
}

impl Broker {
    /// A broker that writes to and reads from `store`.
    #[must_use]
    pub fn new(store: Arc<Store>, options: BrokerOptions) -> Self {
        Self {
            store,
            options,
            producer_ids: ProducerIds::default(),
            topic_ids: TopicIds::default(),
            coordinator: Coordinator::default(),
            scratches: Scratches::default(),
            sweeps: Sweeps::default(),
        }
    }

    /// The store behind it.
    #[must_use]
    pub fn store(&self) -> &Arc<Store> {
        &self.store
    }

    /// Applies `request`.
    pub fn handle(
        &self,
        session: &mut Session,
        header: &RequestHeader,
        request: Request,
        now_ms: i64,
    ) -> Reply {
        let version = header.version;
        match request {
            Request::Produce(request) => self.produce(request, now_ms),
            Request::Fetch(request) => self.fetch(&request, version, now_ms),
            Request::ListOffsets(request) => self.list_offsets(&request, version),
            Request::Metadata(request) => self.metadata(&request, version, now_ms),
            Request::ApiVersions(request) => api_versions::answer(session, &request, version),
            Request::ApiVersionsUnknown => api_versions::answer_unknown_version(),
            Request::CreateTopics(request) => self.create_topics(&request, now_ms),
            Request::DeleteTopics(request) => self.delete_topics(&request, version),
            Request::InitProducerId(request) => self.init_producer_id(&request, version, now_ms),
            Request::OffsetCommit(request) => self.offset_commit(&request, now_ms),
            Request::OffsetFetch(request) => self.offset_fetch(&request, version, now_ms),
            Request::FindCoordinator(request) => self.find_coordinator(&request, version),
            Request::JoinGroup(request) => self.join_group(session, header, &request, now_ms),
            Request::SyncGroup(request) => self.sync_group(&request, version, now_ms),
            Request::Heartbeat(request) => self.heartbeat(&request, now_ms),
            Request::LeaveGroup(request) => self.leave_group(&request, version, now_ms),
            Request::DescribeGroups(request) => self.describe_groups(&request, now_ms),
            Request::ListGroups(request) => self.list_groups(&request, now_ms),
            Request::DeleteGroups(request) => self.delete_groups(&request, now_ms),
            Request::OffsetDelete(request) => self.offset_delete(&request, now_ms),
            Request::DeleteRecords(request) => self.delete_records(&request),
            Request::OffsetForLeaderEpoch(request) => self.offset_for_leader_epoch(&request),
            Request::AlterConfigs(request) => self.alter_configs(&request),
            Request::IncrementalAlterConfigs(request) => self.incremental_alter_configs(&request),
            Request::CreatePartitions(request) => self.create_partitions(&request),
            Request::DescribeCluster(request) => self.describe_cluster(&request, version),
            Request::DescribeLogDirs(request) => self.describe_log_dirs(&request),
            Request::DescribeProducers(request) => self.describe_producers(&request),
            Request::DescribeTopicPartitions(request) => self.describe_topic_partitions(&request),
            Request::ListPartitionReassignments(_) => absent::list_partition_reassignments(),
            Request::DescribeAcls(_) => absent::describe_acls(),
            Request::SaslHandshake(_) => absent::sasl_handshake(),
            Request::AddPartitionsToTxn(request) => {
                self.add_partitions_to_txn(&request, version, now_ms)
            }
            Request::AddOffsetsToTxn(request) => self.add_offsets_to_txn(&request, version, now_ms),
            Request::EndTxn(request) => self.end_txn(&request, version, now_ms),
            Request::WriteTxnMarkers(request) => self.write_txn_markers(&request, now_ms),
            Request::TxnOffsetCommit(request) => self.txn_offset_commit(&request, version, now_ms),
            Request::DescribeTransactions(request) => self.describe_transactions(&request),
            Request::ListTransactions(request) => self.list_transactions(&request, now_ms),
            Request::ConsumerGroupHeartbeat(request) => {
                self.consumer_group_heartbeat(session, header, &request, now_ms)
            }
            Request::ConsumerGroupDescribe(request) => {
                self.consumer_group_describe(&request, now_ms)
            }
            Request::DescribeConfigs(request) => self.describe_configs(&request),
        }
    }
}
