//! InitProducerId: ids that are never given twice.
//!
//! Ids are reserved in blocks by an edit of the catalog. A crash loses what is left of a block, and
//! no id is sent before its block is durable.

use std::sync::{Mutex, PoisonError};

use kafka_protocol::messages::{InitProducerIdRequest, InitProducerIdResponse, ProducerId};
use storage::catalog::{CatalogChange, Edit};
use storage::store::{Lsn, Store, StoreError};

use super::{Broker, Reply};
use crate::wire::Response;

/// Ids that one edit reserves.
const BLOCK: i64 = 1_000;

/// The block in use.
#[derive(Debug, Default)]
pub(super) struct ProducerIds {
    block: Mutex<Block>,
}

#[derive(Debug, Default)]
struct Block {
    next: i64,
    end: i64,
    reserved_at: Lsn,
}

impl ProducerIds {
    /// The next id, and what must be durable before anyone hears of it.
    pub(super) fn take(&self, store: &Store) -> Result<(i64, Lsn), StoreError> {
        let mut block = self.block.lock().unwrap_or_else(PoisonError::into_inner);
        if block.next == block.end {
            let mut start = 0;
            let staged = store.stage_edit(|catalog| {
                start = catalog.next_producer_id();
                let next = start + BLOCK;
                Ok::<_, StoreError>(Edit::of(CatalogChange::ReserveProducerIds { next }))
            });
            *block = Block {
                reserved_at: staged?,
                next: start,
                end: start + BLOCK,
            };
        }
        let id = block.next;
        block.next += 1;
        Ok((id, block.reserved_at))
    }
}

impl Broker {
    pub(super) fn init_producer_id(
        &self,
        request: &InitProducerIdRequest,
        version: i16,
        now_ms: i64,
    ) -> Reply {
        if let Some(id) = &request.transactional_id {
            return self.init_transactional(id, request, version, now_ms);
        }
        // An epoch that would be raised belongs to a transactional id; Kafka gives a new id too.
        match self.producer_ids.take(&self.store) {
            Ok((id, reserved_at)) => {
                let response = InitProducerIdResponse::default()
                    .with_producer_id(ProducerId(id))
                    .with_producer_epoch(0);
                Reply::AfterDurable(reserved_at, Response::InitProducerId(response))
            }
            Err(_) => Reply::Close,
        }
    }
}
