//! Named definitions that are kept for the edges: what they mean is known there.

use serde::{Deserialize, Serialize};

/// What a definition is of. Names are unique within a kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DefinitionKind {
    /// A part of index templates.
    ComponentTemplate,
    /// A template of the old kind: all that fit apply, in their order.
    LegacyTemplate,
    /// A name for a row of indices that only grows.
    DataStream,
    /// Steps that documents pass on their way in.
    IngestPipeline,
    /// When indices roll over and go.
    LifecyclePolicy,
    /// A script or a search template.
    Script,
    /// Settings of the server; there is one set of them.
    ServerSettings,
}

impl DefinitionKind {
    /// All kinds.
    pub const ALL: [Self; 7] = [
        Self::ComponentTemplate,
        Self::LegacyTemplate,
        Self::DataStream,
        Self::IngestPipeline,
        Self::LifecyclePolicy,
        Self::Script,
        Self::ServerSettings,
    ];

    /// Its name on disk.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ComponentTemplate => "component_template",
            Self::LegacyTemplate => "legacy_template",
            Self::DataStream => "data_stream",
            Self::IngestPipeline => "ingest_pipeline",
            Self::LifecyclePolicy => "lifecycle_policy",
            Self::Script => "script",
            Self::ServerSettings => "server_settings",
        }
    }

    /// The kind of this name on disk.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == name)
    }
}
