//! The batches that the writes of one call become.

use std::collections::BTreeMap;

use storage::log::{BatchBuilder, Codec, NewRecord};
use storage::model::{Partition, PartitionId, name_of_origin};
use storage::store::Lsn;

use super::latest::{Content, Latest};
use super::pending::PendingIds;
use super::write::{WriteError, WriteOutcome};
use super::writer::{Call, Planned};
use crate::decode::{OPERATION_HEADER, ROUTING_HEADER, VERSION_HEADER};

/// Bytes of a batch after which the next one begins.
const BATCH_BYTES_MAX: usize = 1 << 20;

/// A batch that is being filled, and the writes in it with their numbers in the call.
type OpenBatch = (BatchBuilder, Vec<(usize, Planned)>);

/// The batches of one call, by partition.
#[derive(Debug, Default)]
pub(super) struct Batches {
    pub(super) open: BTreeMap<PartitionId, OpenBatch>,
    /// Behind the last batch staged.
    pub(super) lsn: Lsn,
}

impl Batches {
    /// Adds a record; whether its batch is large enough.
    pub(super) fn push(&mut self, call: &Call<'_>, number: usize, planned: Planned) -> bool {
        let (builder, records) = self.open.entry(planned.partition).or_default();
        let version = planned.version.to_string();
        let operation = planned.operation.as_str().as_bytes();
        let mut headers = vec![(OPERATION_HEADER, Some(operation))];
        if planned.version != 1 {
            headers.push((VERSION_HEADER, Some(version.as_bytes())));
        }
        if let Some(routing) = &call.writes[number].routing {
            headers.push((ROUTING_HEADER, Some(routing.as_bytes())));
        }
        builder
            .push(NewRecord {
                timestamp_ms: call.now_ms,
                key: call.writes[number].id.as_deref().map(str::as_bytes),
                value: planned.value.as_deref(),
                headers: &headers,
            })
            .expect("batches are cut long before they are full");
        records.push((number, planned));
        builder.len_bytes() >= BATCH_BYTES_MAX
    }

    /// Stages the open batch of `partition`.
    pub(super) fn stage(
        &mut self,
        call: &Call<'_>,
        partition: PartitionId,
        pending: &mut PendingIds,
        outcomes: &mut [Option<WriteOutcome>],
    ) -> Result<(), WriteError> {
        let Some((builder, records)) = self.open.remove(&partition) else {
            return Ok(());
        };
        let batch = builder.finish(Codec::None);
        let place = Partition::new(call.topic.id, partition);
        let staged = call.store.stage_batch(place, batch, call.now_ms)?;
        self.lsn = self.lsn.max(staged.lsn);
        for ((number, planned), place) in records.into_iter().zip(0..) {
            let offset = staged.base.plus(place);
            let id = match &call.writes[number].id {
                Some(id) => {
                    let latest = Latest {
                        partition,
                        offset,
                        version: planned.version,
                        is_live: planned.value.is_some(),
                        routing: call.writes[number].routing.as_deref().map(Into::into),
                        content: Content::Log,
                    };
                    pending.add(id, &latest);
                    id.clone()
                }
                None => name_of_origin(partition, offset),
            };
            outcomes[number] = Some(WriteOutcome::Done {
                id,
                partition,
                offset,
                version: planned.version,
                result: planned.result,
                source: planned.value.filter(|_| planned.shows_source),
            });
        }
        Ok(())
    }
}
