//! One row by its id, at one instant.

use super::snapshot::TopicInstant;
use super::{Store, StoreError};
use crate::model::{Offset, PartitionId, TopicId, origin_of_name};
use crate::segment::{RowSource, SegmentError};

/// A live row that an id names.
#[derive(Debug, Clone)]
pub struct FoundRow {
    /// Where it is.
    pub source: RowSource,
    /// Where it is.
    pub row: usize,
    /// Where its record is.
    pub partition: PartitionId,
    /// Where its record is.
    pub offset: Offset,
}

impl Store {
    /// The live row of a topic that `id` names, if there is one: the newest, should several
    /// partitions have it.
    ///
    /// # Errors
    /// As [`TopicInstant::find_row`].
    pub fn find_row(&self, topic: TopicId, id: &[u8]) -> Result<Option<FoundRow>, StoreError> {
        let instant = self.instant(topic);
        instant.map_or(Ok(None), |instant| instant.find_row(id))
    }
}

impl TopicInstant {
    /// The live row that `id` names, if there is one: the newest, should several partitions have
    /// it.
    ///
    /// # Errors
    /// When a segment cannot be read. One that is damaged is passed over, and it is an error only
    /// if no other has the row: nobody can say then that there is none.
    pub fn find_row(&self, id: &[u8]) -> Result<Option<FoundRow>, StoreError> {
        let origin = origin_of_name(id);
        let mut damage = None;
        for (segment, source) in self.newest_first(id) {
            let found = source.and_then(|source| {
                let found = find(&source, id, origin);
                let found = found.map_err(|error| match segment {
                    None => StoreError::ActiveRows(error),
                    Some(segment) => segment.unreadable(error),
                });
                found.map(|found| (source, found))
            });
            match found {
                Ok((_, None)) => {}
                Ok((source, Some((row, (partition, offset))))) => {
                    return Ok(Some(FoundRow {
                        source,
                        row,
                        partition,
                        offset,
                    }));
                }
                Err(error) if error.is_damage() => damage = damage.or(Some(error)),
                Err(error) => return Err(error),
            }
        }
        match damage {
            Some(error) => Err(error),
            None => Ok(None),
        }
    }
}

/// A row and where its record is.
type Found = (usize, (PartitionId, Offset));

fn find(
    source: &RowSource,
    id: &[u8],
    origin: Option<(PartitionId, Offset)>,
) -> Result<Option<Found>, SegmentError> {
    if let Some(row) = source.find_id(id)?.last() {
        return Ok(Some((*row, source.origin(*row)?)));
    }
    let Some(origin) = origin else {
        return Ok(None);
    };
    let (mut partitions, mut offsets) = (Vec::new(), Vec::new());
    for vector in 0..source.vector_count() {
        source.origins(vector, &mut partitions, &mut offsets)?;
        let places = partitions.iter().zip(&offsets);
        for (row, (partition, offset)) in source.vector_rows(vector).zip(places) {
            let is_named = (PartitionId(*partition), Offset(*offset)) == origin;
            if is_named && source.is_live(row) && source.id(row)?.is_none() {
                return Ok(Some((row, origin)));
            }
        }
    }
    Ok(None)
}
