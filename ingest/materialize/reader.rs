//! Rows of records, whatever the records are read for.

use storage::catalog::{RejectKind, Topic};
use storage::log::Record;
use storage::model::PartitionId;
use storage::store::Removal;

use crate::decode::{DecodedRows, Document, DocumentDecoder, Meaning, OwnId, Spread};

/// What makes rows of records.
#[derive(Debug)]
pub(super) struct RecordReader {
    decoder: DocumentDecoder,
    spread: Spread,
    own_id: OwnId,
}

impl RecordReader {
    pub(super) fn new(topic: &Topic) -> Self {
        Self {
            decoder: DocumentDecoder::new(topic),
            spread: Spread::of(topic),
            own_id: OwnId::of(topic),
        }
    }

    /// Whether it still knows what `topic` says about its fields.
    pub(super) fn is_current(&self, topic: &Topic) -> bool {
        self.spread == Spread::of(topic)
            && self.own_id == OwnId::of(topic)
            && self.decoder.is_current(topic)
    }

    /// Rows since the last [`RecordReader::finish`].
    pub(super) fn row_count(&self) -> usize {
        self.decoder.row_count()
    }

    /// Bytes of the documents of these rows.
    pub(super) fn source_bytes(&self) -> usize {
        self.decoder.source_bytes()
    }

    /// Gives what was read.
    pub(super) fn finish(&mut self) -> DecodedRows {
        self.decoder.finish()
    }

    /// Does what `record` of `partition` says; else why that cannot be done.
    pub(super) fn read(
        &mut self,
        record: &Record<'_>,
        partition: PartitionId,
    ) -> Result<(), (RejectKind, String)> {
        let as_id = |reason: &'static str| (RejectKind::Id, reason.to_owned());
        let own_id = self.own_id.find(record).map_err(as_id)?;
        let removal = |id: &str| Removal {
            partition,
            offset: record.offset,
            id: id.as_bytes().to_vec(),
        };
        match Meaning::of(record, partition, self.spread) {
            // The id of a record without a value is that of a document which is gone.
            Meaning::Nothing => {
                if let Some(id) = own_id {
                    self.decoder.remove(removal(&id));
                }
            }
            Meaning::Malformed(reason) => return Err(as_id(reason)),
            Meaning::Delete { id, .. } => self.decoder.remove(removal(id)),
            Meaning::Document {
                id,
                version,
                routing,
                source,
            } => {
                let decoded = self.decoder.decode(&Document {
                    partition,
                    offset: record.offset,
                    timestamp_ms: record.timestamp_ms,
                    id: id.or(own_id.as_deref()).map(str::as_bytes),
                    source,
                });
                decoded.map_err(|error| (error.kind(), error.to_string()))?;
                self.decoder.note_write(version, routing);
            }
        }
        Ok(())
    }
}
