//! The answer of `_delete_by_query`.

use serde_json::{Value, json};

use super::ElasticError;

/// What a delete by query did.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Deleted {
    /// Documents that matched.
    pub total: u64,
    /// Documents that are gone.
    pub deleted: u64,
    /// Rounds that it took.
    pub batches: u64,
    /// Documents that were changed meanwhile and are still there.
    pub version_conflicts: u64,
    /// Where and why it ended early.
    pub failures: Vec<(String, String, ElasticError)>,
}

/// Prints what was done.
#[must_use]
pub fn render_deleted(took_ms: u64, deleted: &Deleted) -> Vec<u8> {
    let failures = deleted.failures.iter();
    let failures: Vec<Value> = failures
        .map(|(index, id, error)| {
            json!({
                "index": index,
                "id": id,
                "cause": error.to_item_value(),
                "status": error.status(),
            })
        })
        .collect();
    let reply = json!({
        "took": took_ms,
        "timed_out": false,
        "total": deleted.total,
        "deleted": deleted.deleted,
        "batches": deleted.batches,
        "version_conflicts": deleted.version_conflicts,
        "noops": 0,
        "retries": { "bulk": 0, "search": 0 },
        "throttled_millis": 0,
        "requests_per_second": -1.0,
        "throttled_until_millis": 0,
        "failures": failures,
    });
    reply.to_string().into_bytes()
}
