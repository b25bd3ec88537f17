//! Where the encoded state of one instant is kept, so that the journal before it can go.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::io;

use thiserror::Error;

use super::EditError;

/// A checkpoint's content: readable keys to values whose meaning their writers know.
pub type Entries = BTreeMap<Vec<u8>, Vec<u8>>;

/// An entry's new value; `None` when it is gone.
pub type EntryChange = (Vec<u8>, Option<Vec<u8>>);

/// A small durable map. One process has it open at a time.
pub trait CheckpointStore: Debug + Send + Sync {
    /// Everything that the last successful `commit` left.
    ///
    /// # Errors
    /// When it cannot be read, or is damaged: an empty map is never given instead.
    fn load(&self) -> Result<Entries, CatalogError>;

    /// Sets (`Some`) and removes (`None`) entries: all of them, durably, before it returns.
    ///
    /// # Errors
    /// Then either all or none of the changes may be there.
    fn commit(&self, changes: &[EntryChange]) -> Result<(), CatalogError>;
}

/// Why a checkpoint cannot be read or written.
#[derive(Debug, Error)]
pub enum CatalogError {
    /// The file system said no.
    #[error("cannot {action} the checkpoint: {source}")]
    Io {
        /// What was attempted.
        action: &'static str,
        /// What the file system said.
        source: io::Error,
    },
    /// The bytes are not what was written.
    #[error("the checkpoint is damaged: {0}; restore the folder 'catalog' from a copy")]
    Damaged(String),
    /// Written by a later release.
    #[error("the checkpoint has format version {found}, this release reads version {known}")]
    Version {
        /// The version found.
        found: u32,
        /// The version known here.
        known: u32,
    },
    /// The database under it said no.
    #[error("cannot {action} the checkpoint: {message}")]
    Database {
        /// What was attempted.
        action: &'static str,
        /// What the database said.
        message: String,
    },
    /// An edit that was logged does not fit the catalog.
    #[error("a logged edit does not fit the catalog: {0}")]
    Edit(#[from] EditError),
}

impl CatalogError {
    pub(super) fn io(action: &'static str) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::Io { action, source }
    }
}
