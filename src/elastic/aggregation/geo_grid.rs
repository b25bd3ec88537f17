//! `geohash_grid` and `geotile_grid`: places by the cells that they lie in.

use query::request::{Aggregation, BucketBy, Order, OrderBy, Terms};
use storage::model::{GEOHASH_LETTERS_MAX, GeoCells};

use super::{Definition, Parsed};
use crate::elastic::ElasticError;
use crate::elastic::context::Context;
use crate::elastic::read;
use crate::elastic::shape::AggregationKind;

/// Buckets returned unless the request says otherwise.
const SIZE_DEFAULT: usize = 10_000;

/// Letters of a geohash unless the request says otherwise.
const LETTERS_DEFAULT: usize = 5;

/// The zoom of tiles unless the request says otherwise.
const ZOOM_DEFAULT: usize = 7;

/// The nearest zoom.
const ZOOM_MAX: usize = 29;

/// Reads one of the two.
pub(super) fn parse(
    context: &Context<'_>,
    definition: Definition<'_>,
) -> Result<Parsed, ElasticError> {
    let is_hash = definition.type_name == "geohash_grid";
    let mut size = SIZE_DEFAULT;
    let mut precision = if is_hash {
        LETTERS_DEFAULT
    } else {
        ZOOM_DEFAULT
    };
    for (key, value) in definition.body {
        match key.as_str() {
            "field" => {}
            "size" => size = read::count(value, key)?,
            // Exact counts need no more of a shard.
            "shard_size" => _ = read::integer(value, key)?,
            "precision" => precision = read::count(value, key)?,
            "bounds" => {
                let what = format!("[bounds] of [{}]", definition.type_name);
                return Err(ElasticError::unsupported(what));
            }
            unknown => return Err(definition.unknown(unknown)),
        }
    }
    let allowed = if is_hash {
        1..=GEOHASH_LETTERS_MAX
    } else {
        0..=ZOOM_MAX
    };
    if !allowed.contains(&precision) {
        return Err(ElasticError::illegal_argument(format!(
            "Invalid precision of {precision}. Must be between {} and {}.",
            allowed.start(),
            allowed.end()
        )));
    }
    if size == 0 {
        return Err(ElasticError::illegal_argument(format!(
            "[size] must be greater than 0. Found [0] in [{}]",
            definition.name
        )));
    }
    let field = definition.field(context)?;
    let cells = match is_hash {
        true => GeoCells::Geohash(precision),
        false => GeoCells::Tile(u32::try_from(precision).expect("it was checked")),
    };
    let order = |by| Order {
        by,
        descending: true,
    };
    let terms = Terms {
        field: field.map(|field| field.place),
        size,
        doc_count_min: 1,
        doc_count_max: u64::MAX,
        cells: Some(cells),
        words: None,
        missing: None,
        include: None,
        exclude: None,
        order: vec![order(OrderBy::Count), order(OrderBy::Key)],
    };
    Ok(Parsed {
        aggregation: Aggregation::Bucket {
            by: BucketBy::Terms(terms),
            children: definition.children.requests,
        },
        kind: AggregationKind::GeoGrid { cells },
        typed: if is_hash {
            "geohash_grid"
        } else {
            "geotile_grid"
        },
    })
}
