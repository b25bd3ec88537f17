//! The Elasticsearch edge: JSON to typed requests and typed answers to JSON.
//!
//! Everything here is a pure function of bytes, mappings and an instant that the caller names. It
//! knows no socket, no file, no clock and nothing of how a search runs.

mod aggregation;
mod alias;
mod analyze;
mod areas;
mod bulk;
mod by_query;
mod collapse;
mod context;
mod context_body;
mod date_math;
mod dated_names;
mod dynamic_templates;
mod error;
mod explain;
mod field_caps;
mod field_mapping;
mod field_types;
mod filter;
mod filter_path;
mod function_score;
mod geo;
mod health;
mod highlight;
mod hits;
mod human;
mod index;
mod index_expression;
mod info;
mod lookup;
mod mapping;
mod msearch;
mod painless;
mod params;
mod read;
mod render;
mod rescore;
mod rollover;
mod scores;
mod scoring;
mod script;
mod search;
mod server_settings;
mod settings;
mod shape;
mod slice;
mod slow;
mod sort;
mod stored;
mod template;
mod update_script;
mod values;
mod write;

#[cfg(test)]
mod compatibility_tests;
#[cfg(test)]
mod golden_tests;
#[cfg(test)]
mod hostile_tests;

pub use alias::{
    AliasAction, AliasPatterns, Aliases, aliases_missing, check_alias_name, invalid_alias,
    parse_alias_actions, parse_put_alias, render_aliases,
};
pub use analyze::{AnalyzedIndex, analyze};
pub(crate) use bulk::render_document;
pub use bulk::{
    BulkAction, BulkOperation, BulkOutcome, WriteAnswer, WrittenDocument, parse_bulk, render_bulk,
};
pub use by_query::{
    ByQueryDone, ByQueryKind, ByQueryRequest, Target, batch_documents, documents_max,
    parse_conflicts,
};
pub(crate) use collapse::answer_inner;
pub use context::IndexFacts;
pub(crate) use context_body::{boosted_indices, keep_alive_ms, pit_of, texts_of, with_id};
pub use dated_names::dated_names;
pub use error::ElasticError;
pub(crate) use explain::{explain_body, render_explained};
pub use field_caps::{FieldCapsRequest, render_field_caps};
pub use field_mapping::render_field_mappings;
pub use filter_path::{FilterPath, pretty};
pub use health::{Health, HealthLevel, render_health, replicas};
pub use human::{human_bytes, human_duration, with_human_values, with_stack_traces};
pub use index::{IndexDefinition, parse_create_index, row_retention_ms};
pub(crate) use index_expression::matches_wildcard;
pub use index_expression::{
    Expand, IndexOptions, KnownAlias, KnownIndex, NamedIndex, Names, check_index_name,
    resolve_indices,
};
pub use info::{
    LUCENE_VERSION, Personality, ServerInfo, SettingsShape, render_indices, render_info,
    render_mappings, render_rejected, render_settings, uuid_text,
};
pub(crate) use lookup::{Lookup, LookupSource, resolve_lookups, values_at};
pub use mapping::{mapping_to_value, put_mapping};
pub use msearch::{SearchItem, check_totals, parse_msearch, render_msearch};
pub use params::{IndexParams, SearchParams};
pub use read::did_you_mean;
pub use render::{render_count, render_search};
pub use rollover::{
    Rolled, RolloverFacts, RolloverRequest, next_index_name, parse_rollover, render_rollover,
};
pub use search::{ParsedSearch, RESULT_WINDOW_MAX, SearchTarget, parse_count, parse_search};
pub use server_settings::{
    change_server_settings, render_changed_settings, render_server_settings,
};
pub use settings::parse_settings_change;
pub(crate) use settings::{CLOSED_SETTING, is_closed, is_hidden_index};
pub use shape::ResponseShape;
pub(crate) use shape::SourceShape;
pub use slow::{SlowLevel, SlowWork, slow_level};
pub use stored::{
    MultiGetItem, MultiGetOutcome, Stored, StoredShape, parse_multi_get, render_multi_get,
    render_stored, render_stored_source,
};
pub use template::{
    TemplateKind, Templates, is_data_stream, missing_legacy, parse_template, render_templates,
};
pub use update_script::{DocumentScript, ScriptPlace, ScriptResult};
pub use write::{UpdateBody, WriteCondition, parse_update};
