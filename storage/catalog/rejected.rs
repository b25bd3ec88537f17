//! Records that could not become rows: counted by reason, the newest kept with theirs.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::model::{Offset, PartitionId};

/// How many rejected records of a topic are remembered one by one.
pub const REJECTED_KEPT_MAX: usize = 100;

/// How many distinct reasons of a topic are counted apart; later ones count as `other`.
pub const REJECTED_REASONS_MAX: usize = 100;

/// Longest reason that is kept; the rest of a longer one is cut off.
const REASON_BYTES_MAX: usize = 512;

/// What reasons beyond [`REJECTED_REASONS_MAX`] are counted under.
const OTHER_REASON: &str = "other";

/// What keeps a record from becoming a row, for counting: few, unlike reasons.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
#[serde(rename_all = "snake_case")]
pub enum RejectKind {
    /// Its value is no JSON object.
    Json,
    /// Its bytes are no text.
    Utf8,
    /// A value does not fit the mapping.
    Type,
    /// It has, or would bring, too many fields.
    Width,
    /// It is nested too deep.
    Depth,
    /// A name in it cannot be a field's.
    Name,
    /// The mapping is strict and does not know a field.
    Strict,
    /// Its id or its operation cannot be one.
    Id,
    /// Nobody can read its batch.
    Unreadable,
    /// Something else.
    #[default]
    Other,
}

impl RejectKind {
    /// All of them.
    pub const ALL: [Self; 10] = [
        Self::Json,
        Self::Utf8,
        Self::Type,
        Self::Width,
        Self::Depth,
        Self::Name,
        Self::Strict,
        Self::Id,
        Self::Unreadable,
        Self::Other,
    ];

    /// Its name, as it is written.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Json => "json",
            Self::Utf8 => "utf8",
            Self::Type => "type",
            Self::Width => "width",
            Self::Depth => "depth",
            Self::Name => "name",
            Self::Strict => "strict",
            Self::Id => "id",
            Self::Unreadable => "unreadable",
            Self::Other => "other",
        }
    }
}

/// A record that could not become a row. The record itself stays in the log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rejected {
    /// Its partition.
    pub partition: PartitionId,
    /// Its offset.
    pub offset: Offset,
    /// Why.
    pub reason: Arc<str>,
    /// Why, in one word.
    #[serde(default)]
    pub kind: RejectKind,
}

impl Rejected {
    /// The record at `offset` of `partition`; a long `reason` is cut.
    #[must_use]
    pub fn new(partition: PartitionId, offset: Offset, reason: &str) -> Self {
        let reason = Arc::from(&reason[..reason.floor_char_boundary(REASON_BYTES_MAX)]);
        Self {
            partition,
            offset,
            reason,
            kind: RejectKind::default(),
        }
    }

    /// The same, said in one word too.
    #[must_use]
    pub fn with_kind(self, kind: RejectKind) -> Self {
        Self { kind, ..self }
    }
}

/// All rejected records of a topic.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct RejectedRecords {
    counts: BTreeMap<Arc<str>, u64>,
    #[serde(default)]
    kinds: BTreeMap<RejectKind, u64>,
    newest: VecDeque<Rejected>,
}

impl RejectedRecords {
    /// How many there were for each reason.
    #[must_use]
    pub fn counts(&self) -> &BTreeMap<Arc<str>, u64> {
        &self.counts
    }

    /// How many there were of each kind.
    #[must_use]
    pub fn kinds(&self) -> &BTreeMap<RejectKind, u64> {
        &self.kinds
    }

    /// How many there were.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.counts.values().sum()
    }

    /// The newest, oldest of them first, at most [`REJECTED_KEPT_MAX`].
    pub fn newest(&self) -> impl ExactSizeIterator<Item = &Rejected> {
        self.newest.iter()
    }

    /// Counts `record` and remembers it.
    pub fn add(&mut self, record: Rejected) {
        self.count(&record.reason, 1);
        *self.kinds.entry(record.kind).or_default() += 1;
        self.remember(record);
    }

    /// Counts and remembers what `later` does.
    pub fn merge(&mut self, later: &Self) {
        for (reason, count) in &later.counts {
            self.count(reason, *count);
        }
        for (kind, count) in &later.kinds {
            *self.kinds.entry(*kind).or_default() += count;
        }
        for record in &later.newest {
            self.remember(record.clone());
        }
    }

    fn count(&mut self, reason: &Arc<str>, count: u64) {
        let is_full = self.counts.len() >= REJECTED_REASONS_MAX;
        let reason = match is_full && !self.counts.contains_key(reason) {
            true => OTHER_REASON.into(),
            false => Arc::clone(reason),
        };
        *self.counts.entry(reason).or_default() += count;
    }

    fn remember(&mut self, record: Rejected) {
        if self.newest.len() == REJECTED_KEPT_MAX {
            self.newest.pop_front();
        }
        self.newest.push_back(record);
    }
}
