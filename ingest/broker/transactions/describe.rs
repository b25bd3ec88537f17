//! What tools ask: DescribeTransactions, ListTransactions.

use std::collections::{BTreeMap, HashSet};

use kafka_protocol::messages::describe_transactions_response::{
    TopicData, TransactionState as Described,
};
use kafka_protocol::messages::list_transactions_response::TransactionState as Listed;
use kafka_protocol::messages::{
    DescribeTransactionsRequest, DescribeTransactionsResponse, ListTransactionsRequest,
    ListTransactionsResponse, ProducerId, TopicName, TransactionalId,
};
use kafka_protocol::protocol::StrBytes;
use storage::catalog::Catalog;
use storage::transactions::{Transaction, TransactionPhase};

use crate::broker::{Broker, Reply};
use crate::wire::{KafkaError, Response};

/// The names that Kafka has for states of transactions. Some of them nothing here is ever in.
const STATES: [&str; 8] = [
    "Empty",
    "Ongoing",
    "PrepareCommit",
    "PrepareAbort",
    "CompleteCommit",
    "CompleteAbort",
    "Dead",
    "PrepareEpochFence",
];

impl Broker {
    pub(in crate::broker) fn describe_transactions(
        &self,
        request: &DescribeTransactionsRequest,
    ) -> Reply {
        let catalog = self.store.catalog();
        let transactions = self.store.transactions();
        let mut seen = HashSet::new();
        let asked = request.transactional_ids.iter();
        let states = asked.filter(|id| seen.insert(*id)).map(|id| {
            let state = match transactions.get(id) {
                _ if id.is_empty() => refused(KafkaError::InvalidRequest),
                None => refused(KafkaError::TransactionalIdNotFound),
                Some(transaction) => described(transaction, &catalog),
            };
            state.with_transactional_id(id.clone())
        });
        let response =
            DescribeTransactionsResponse::default().with_transaction_states(states.collect());
        Reply::Ready(Response::DescribeTransactions(response))
    }

    pub(in crate::broker) fn list_transactions(
        &self,
        request: &ListTransactionsRequest,
        now_ms: i64,
    ) -> Reply {
        let (known, unknown): (Vec<_>, Vec<_>) = request
            .state_filters
            .iter()
            .cloned()
            .partition(|state| STATES.contains(&state.as_str()));
        let has_state = |transaction: &Transaction| {
            let name = transaction.phase.name();
            request.state_filters.is_empty() || known.iter().any(|state| state.as_str() == name)
        };
        let has_producer = |transaction: &Transaction| {
            let filter = &request.producer_id_filters;
            filter.is_empty() || filter.contains(&ProducerId(transaction.producer_id))
        };
        let is_long = |transaction: &Transaction| {
            let lasted_ms = now_ms.saturating_sub(transaction.started_ms);
            request.duration_filter < 0 || lasted_ms > request.duration_filter
        };
        let transactions = self.store.transactions();
        let listed = transactions
            .iter()
            .filter(|(_, it)| has_state(it) && has_producer(it) && is_long(it))
            .map(|(id, transaction)| {
                Listed::default()
                    .with_transactional_id(TransactionalId(StrBytes::from_string(id.to_owned())))
                    .with_producer_id(ProducerId(transaction.producer_id))
                    .with_transaction_state(StrBytes::from_static_str(transaction.phase.name()))
            });
        let response = ListTransactionsResponse::default()
            .with_unknown_state_filters(unknown)
            .with_transaction_states(listed.collect());
        Reply::Ready(Response::ListTransactions(response))
    }
}

fn refused(error: KafkaError) -> Described {
    Described::default().with_error_code(error.code())
}

fn described(transaction: &Transaction, catalog: &Catalog) -> Described {
    let mut topics: BTreeMap<&str, Vec<i32>> = BTreeMap::new();
    for partition in &transaction.partitions {
        let index = i32::try_from(partition.id.0);
        if let (Some(state), Ok(index)) = (catalog.topic(partition.topic), index) {
            let partitions = topics.entry(state.topic.name.as_str()).or_default();
            partitions.push(index);
        }
    }
    let topics = topics.into_iter().map(|(name, partitions)| {
        TopicData::default()
            .with_topic(TopicName(StrBytes::from_string(name.to_owned())))
            .with_partitions(partitions)
    });
    let started_ms = match transaction.phase {
        TransactionPhase::Ongoing => transaction.started_ms,
        TransactionPhase::Empty | TransactionPhase::Complete(_) => -1,
    };
    Described::default()
        .with_transaction_state(StrBytes::from_static_str(transaction.phase.name()))
        .with_transaction_timeout_ms(transaction.timeout_ms)
        .with_transaction_start_time_ms(started_ms)
        .with_producer_id(ProducerId(transaction.producer_id))
        .with_producer_epoch(transaction.producer_epoch)
        .with_topics(topics.collect())
}
