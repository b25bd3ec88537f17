//! WriteTxnMarkers: an administrator aborts a transaction that its producer has left open.
//!
//! Among Kafka's brokers this request carries out what a coordinator has decided, a partition at a
//! time. Here one step decides and marks, so that nothing of it is needed but what tools send: an
//! abort. It ends the whole transaction, in all of its partitions, as its time-out would: a
//! transaction of which only a part was aborted could still commit the rest.

use kafka_protocol::messages::write_txn_markers_request::WritableTxnMarker;
use kafka_protocol::messages::write_txn_markers_response::{
    WritableTxnMarkerPartitionResult, WritableTxnMarkerResult, WritableTxnMarkerTopicResult,
};
use kafka_protocol::messages::{WriteTxnMarkersRequest, WriteTxnMarkersResponse};
use storage::catalog::Catalog;
use storage::model::Partition;

use super::{NotStaged, kafka_error};
use crate::broker::partitions::{partition_of, topic_named};
use crate::broker::{Broker, Reply};
use crate::transaction::abort_in;
use crate::wire::{KafkaError, Response};

/// Kafka has no other word here for a producer that is fenced than its epoch.
const AS_VERSION: i16 = 0;

impl Broker {
    pub(in crate::broker) fn write_txn_markers(
        &self,
        request: &WriteTxnMarkersRequest,
        now_ms: i64,
    ) -> Reply {
        let catalog = self.store.catalog();
        let mut last = None;
        let mut markers = Vec::with_capacity(request.markers.len());
        for marker in &request.markers {
            let (producer_id, epoch) = (marker.producer_id.0, marker.producer_epoch);
            let partitions: Vec<_> = places(&catalog, marker).filter_map(Result::ok).collect();
            let aborted = match marker.transaction_result {
                // Whether it counts is for its producer alone to say.
                true => Err(KafkaError::ClusterAuthorizationFailed),
                false => {
                    match self.stage(|it| abort_in(it, producer_id, epoch, &partitions, now_ms)) {
                        Ok(lsn) => {
                            last = last.max(Some(lsn));
                            Ok(())
                        }
                        Err(NotStaged::Refused(error)) => Err(kafka_error(error, AS_VERSION)),
                        Err(NotStaged::Store) => return Reply::Close,
                    }
                }
            };
            markers.push(answer(&catalog, marker, aborted));
        }
        let response = WriteTxnMarkersResponse::default().with_markers(markers);
        let response = Response::WriteTxnMarkers(response);
        match last {
            Some(lsn) => Reply::AfterDurable(lsn, response),
            None => Reply::Ready(response),
        }
    }
}

/// The partitions that a marker names, in its order.
fn places<'a>(
    catalog: &'a Catalog,
    marker: &'a WritableTxnMarker,
) -> impl Iterator<Item = Result<Partition, KafkaError>> + 'a {
    marker.topics.iter().flat_map(move |topic| {
        let state = topic_named(catalog, &topic.name);
        let indexes = topic.partition_indexes.iter();
        indexes.map(move |index| state.and_then(|state| partition_of(state, *index)))
    })
}

/// `aborted` for every partition that exists.
fn answer(
    catalog: &Catalog,
    marker: &WritableTxnMarker,
    aborted: Result<(), KafkaError>,
) -> WritableTxnMarkerResult {
    let mut places = places(catalog, marker);
    let topics = marker.topics.iter().map(|topic| {
        let indexes = topic.partition_indexes.iter();
        let partitions = indexes.zip(places.by_ref()).map(|(index, place)| {
            let error = place.and(aborted).err();
            WritableTxnMarkerPartitionResult::default()
                .with_partition_index(*index)
                .with_error_code(error.map_or(0, |error| error.code()))
        });
        WritableTxnMarkerTopicResult::default()
            .with_name(topic.name.clone())
            .with_partitions(partitions.collect())
    });
    WritableTxnMarkerResult::default()
        .with_producer_id(marker.producer_id)
        .with_topics(topics.collect())
}
