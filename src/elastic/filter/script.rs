//! `script`: rows for which a script holds.

use query::request::Filter;
use serde_json::Value;

use super::options_only;
use crate::elastic::ElasticError;
use crate::elastic::context::Context;
use crate::elastic::read;
use crate::elastic::script::Script;

/// Reads the query.
pub(super) fn parse(context: &Context<'_>, body: &Value) -> Result<Filter, ElasticError> {
    options_only("script", body, &["script"])?;
    let script = read::object(body, "script")?
        .get("script")
        .ok_or_else(|| ElasticError::parsing("script must be provided with a [script] filter"))?;
    let script = Script::read(script)?.compile_row(context, None)?;
    Ok(Filter::Script(Box::new(script)))
}
