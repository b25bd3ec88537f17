//! Changes of groups through the journal.

use std::sync::{PoisonError, RwLockReadGuard};

use super::{EDIT_BYTES_MAX, Lsn, Store, StoreError};
use crate::groups::{GroupChange, Groups};

impl Store {
    /// Stages changes of groups, which count together or not at all.
    ///
    /// # Errors
    /// When they are too large together, or the store has stopped.
    pub fn stage_groups(&self, changes: Vec<GroupChange>) -> Result<Lsn, StoreError> {
        let bytes = GroupChange::encode_all(&changes).len();
        if bytes > EDIT_BYTES_MAX {
            return Err(StoreError::EditTooLarge { bytes });
        }
        let mut staging = self.staging_with_room(bytes)?;
        let lsn = staging.push_groups(changes, bytes);
        drop(staging);
        self.wake_committer();
        Ok(lsn)
    }

    /// The groups: durable changes only. Commits wait while this is held.
    pub fn groups(&self) -> RwLockReadGuard<'_, Groups> {
        // A change is applied by steps that cannot panic half-way.
        self.groups.read().unwrap_or_else(PoisonError::into_inner)
    }
}
