//! `slice`: one of several shares of the rows of a scroll or a point in time.

use query::request::Slice;
use serde_json::Value;

use super::context::Context;
use super::{ElasticError, SearchParams, read};

/// Most shares of a scroll.
const SLICES_MAX: u32 = 1_024;

/// Reads the entry.
///
/// # Errors
/// When there is no such share, and without a scroll or a point in time.
pub(super) fn parse(
    context: &Context<'_>,
    value: &Value,
    params: &SearchParams,
) -> Result<Slice, ElasticError> {
    let (mut number, mut count) = (None, None);
    for (key, value) in read::object(value, "slice")? {
        match key.as_str() {
            "id" => number = Some(read::integer(value, key)?),
            "max" => count = Some(read::integer(value, key)?),
            // Rows are dealt out by their ids, whatever the field.
            "field" => {}
            unknown => {
                return Err(
                    ElasticError::content(format!("[slice] unknown field [{unknown}]"))
                        .at_key(unknown),
                );
            }
        }
    }
    let count = count.unwrap_or(0);
    let number = number.unwrap_or(-1);
    if count <= 1 {
        return Err(ElasticError::illegal_argument("max must be greater than 1"));
    }
    if number < 0 {
        return Err(ElasticError::illegal_argument(
            "id must be greater than or equal to 0",
        ));
    }
    if number >= count {
        return Err(ElasticError::illegal_argument(
            "max must be greater than id",
        ));
    }
    let said = context.setting("max_slices_per_scroll");
    let most = said
        .and_then(|text| text.parse().ok())
        .unwrap_or(SLICES_MAX);
    if count > i64::from(most) {
        return Err(context.fail(ElasticError::illegal_argument(format!(
            "The number of slices [{count}] is too large. It must be less than [{most}]. This \
             limit can be set by changing the [index.max_slices_per_scroll] index level setting."
        ))));
    }
    if params.scroll.is_none() && !params.tie_break && !params.has_pit {
        return Err(context.fail(ElasticError::new(
            400,
            "search_exception",
            "[slice] can only be used with [scroll] or [point-in-time] requests",
        )));
    }
    let narrow = |number: i64| u32::try_from(number).expect("it is below the most");
    Ok(Slice {
        number: narrow(number),
        count: narrow(count),
        piles: context.shards(),
    })
}
