//! `highlight`: which fields show why they match, and how.

use query::Marker;
use query::request::{FieldRef, Filter, TextPredicate};
use serde_json::{Map, Value};

use super::ElasticError;
use super::context::Context;
use super::filter::parse_filter;
use super::read;

/// Characters of a fragment unless the request says otherwise.
const FRAGMENT_CHARS_DEFAULT: usize = 100;

/// Fragments of a field unless the request says otherwise.
const FRAGMENTS_DEFAULT: usize = 5;

/// Most fields that are shown.
const FIELDS_MAX: usize = 256;

/// How a hit shows why it matches.
#[derive(Debug, Clone, Default)]
pub(super) struct HighlightShape {
    pub(super) fields: Vec<HighlightField>,
}

/// A field of which the parts that match are shown.
#[derive(Debug, Clone)]
pub(super) struct HighlightField {
    pub(super) path: String,
    /// Where its values are in the document.
    pub(super) source_path: Vec<String>,
    pub(super) markers: Vec<Marker>,
    /// What stands before and behind a part that matches.
    pub(super) tags: (String, String),
    /// Characters of a fragment; 0 shows texts whole.
    pub(super) fragment_chars: usize,
    pub(super) fragments_max: usize,
    /// Characters that are shown of a field without a part that matches.
    pub(super) no_match_chars: usize,
}

/// Options of a request or of one field.
#[derive(Debug, Clone)]
struct Options {
    tags: (String, String),
    fragment_chars: usize,
    fragments_max: usize,
    no_match_chars: usize,
    any_field: bool,
    /// What is marked instead of what hits match.
    query: Option<Filter>,
}

impl Options {
    fn read(
        mut self,
        context: &Context<'_>,
        entries: &Map<String, Value>,
    ) -> Result<Self, ElasticError> {
        for (key, value) in entries.iter().filter(|(_, value)| !value.is_null()) {
            let first = || {
                read::one_or_many(value)
                    .first()
                    .map(|tag| read::text(tag, key))
            };
            match key.as_str() {
                "pre_tags" => self.tags.0 = first().transpose()?.unwrap_or_default(),
                "post_tags" => self.tags.1 = first().transpose()?.unwrap_or_default(),
                "no_match_size" => self.no_match_chars = read::count(value, key)?,
                "highlight_query" => self.query = Some(parse_filter(context, value)?),
                "fragment_size" => self.fragment_chars = read::count(value, key)?,
                "number_of_fragments" => self.fragments_max = read::count(value, key)?,
                "require_field_match" => self.any_field = !read::flag(value, key)?,
                // They choose among highlighters and their ways; there is one here.
                "type"
                | "boundary_scanner"
                | "boundary_chars"
                | "boundary_max_scan"
                | "boundary_scanner_locale"
                | "encoder"
                | "fragmenter"
                | "force_source"
                | "fragment_offset"
                | "matched_fields"
                | "order"
                | "phrase_limit"
                | "max_analyzer_offset"
                | "tags_schema"
                | "fields" => {}
                unknown => {
                    return Err(ElasticError::parsing(format!(
                        "[highlight] unknown field [{unknown}]"
                    )));
                }
            }
        }
        Ok(self)
    }
}

/// Reads the entry; `filter` is what hits match.
///
/// # Errors
/// On an option that does not exist.
pub(super) fn parse(
    context: &Context<'_>,
    value: &Value,
    filter: &Filter,
) -> Result<HighlightShape, ElasticError> {
    let entries = read::object(value, "highlight")?;
    let options = Options {
        tags: ("<em>".into(), "</em>".into()),
        fragment_chars: FRAGMENT_CHARS_DEFAULT,
        fragments_max: FRAGMENTS_DEFAULT,
        no_match_chars: 0,
        any_field: false,
        query: None,
    }
    .read(context, entries)?;
    let mut wanted: Vec<(&String, &Value)> = Vec::new();
    for fields in entries.get("fields").map_or(&[][..], read::one_or_many) {
        wanted.extend(fields.as_object().into_iter().flatten());
    }
    let mut shape = HighlightShape::default();
    for (pattern, own) in wanted {
        let options = match own {
            Value::Object(own) => options.clone().read(context, own)?,
            _nothing => options.clone(),
        };
        let mut asked = Vec::new();
        texts_asked(options.query.as_ref().unwrap_or(filter), &mut asked);
        for field in context.fields(pattern)? {
            let fits = |place: &FieldRef| options.any_field || *place == field.place;
            let markers: Result<Vec<Marker>, _> = asked
                .iter()
                .filter(|(place, _)| fits(place))
                .map(|(_, predicate)| Marker::new(predicate))
                .collect();
            let markers = markers
                .map_err(|error| context.fail(ElasticError::illegal_argument(error.to_string())))?;
            let is_new = shape.fields.iter().all(|known| known.path != field.path);
            let shows_nothing = markers.is_empty() && options.no_match_chars == 0;
            if shows_nothing || !is_new || shape.fields.len() == FIELDS_MAX {
                continue;
            }
            shape.fields.push(HighlightField {
                path: field.path.clone(),
                source_path: field.place.column.split('.').map(str::to_owned).collect(),
                markers,
                tags: options.tags.clone(),
                fragment_chars: options.fragment_chars,
                fragments_max: options.fragments_max,
                no_match_chars: options.no_match_chars,
            });
        }
    }
    Ok(shape)
}

/// What a filter asks of texts, except what must not be.
fn texts_asked<'f>(filter: &'f Filter, asked: &mut Vec<(&'f FieldRef, &'f TextPredicate)>) {
    match filter {
        Filter::Text { field, predicate } => asked.push((field, predicate)),
        Filter::And(of) | Filter::AtLeast { of, .. } => {
            for filter in of {
                texts_asked(filter, asked);
            }
        }
        Filter::All
        | Filter::None
        | Filter::Not(_)
        | Filter::Exists(_)
        | Filter::NumberRange { .. }
        | Filter::NumberIn { .. }
        | Filter::Distance { .. }
        | Filter::Script(_)
        | Filter::Place { .. }
        | Filter::Slice(_)
        | Filter::Ids(_) => {}
    }
}
