//! `collapse`: of all hits with the same value only the best, and on demand the others below it.

use query::request::{Collapse, FieldRef, Filter, SearchRequest, SortBy, SortKey, TextPredicate};
use query::response::{Hit, SearchResponse, SortValue};
use serde_json::{Map, Value};
use storage::model::{ColumnKind, Decimal};

use super::context::Context;
use super::shape::{InnerShape, ResponseShape};
use super::{ElasticError, SearchParams, read, search};

/// Hits below a hit unless the request says otherwise.
const INNER_SIZE_DEFAULT: u64 = 3;

/// Most searches for hits below hits.
const INNER_SEARCHES_MAX: usize = 1_000;

/// By what hits are taken together, and what they show of each other.
pub(super) struct Collapsed {
    /// The field as the request names it.
    pub(super) path: String,
    pub(super) by: Collapse,
    /// `inner_hits`, each with the words of a search.
    inner: Vec<Map<String, Value>>,
}

/// A search for the hits below each hit.
#[derive(Debug, Clone)]
pub(crate) struct InnerSearch {
    name: String,
    /// A request for each index.
    requests: Vec<SearchRequest>,
    /// The field of each index that hits are taken together by.
    fields: Vec<Option<FieldRef>>,
    shape: ResponseShape,
}

/// Reads the entry.
///
/// # Errors
/// On a field that has no single values to compare, and with what does not go together.
pub(super) fn parse(
    context: &Context<'_>,
    body: &Map<String, Value>,
    params: &SearchParams,
    sort: &[SortKey],
) -> Result<Option<Collapsed>, ElasticError> {
    let Some(value) = body.get("collapse").filter(|value| !value.is_null()) else {
        return Ok(None);
    };
    let (mut path, mut inner) = (None, Vec::new());
    for (key, value) in read::object(value, "collapse")? {
        match key.as_str() {
            "field" => path = Some(read::text(value, key)?),
            "inner_hits" => {
                for one in read::one_or_many(value) {
                    inner.push(read::object(one, key)?.clone());
                }
            }
            "max_concurrent_group_searches" => _ = read::count(value, key)?,
            unknown => {
                return Err(
                    ElasticError::content(format!("[collapse] unknown field [{unknown}]"))
                        .at_key(unknown),
                );
            }
        }
    }
    let path = path.ok_or_else(|| ElasticError::content("Required [field]").at_key("collapse"))?;
    if params.scroll.is_some() {
        return Err(misuse(context, "cannot use `collapse` in a scroll context"));
    }
    if body
        .get("rescore")
        .is_some_and(|rescore| !rescore.is_null())
    {
        let reason = "cannot use `collapse` in conjunction with `rescore`";
        return Err(misuse(context, reason));
    }
    let field = match context.whole_field(&path) {
        None if context.index.is_empty() => None,
        None => {
            let reason = format!("no mapping found for `{path}` in order to collapse on");
            return Err(context.fail(ElasticError::illegal_argument(reason)));
        }
        Some(field) if field.field_type() == storage::model::FieldType::Text => {
            let reason = format!(
                "unknown type for collapse field `{path}`, only keywords and numbers are accepted"
            );
            return Err(context.fail(ElasticError::illegal_argument(reason)));
        }
        Some(field) => Some(field.place),
    };
    let is_after = body
        .get("search_after")
        .is_some_and(|after| !after.is_null());
    let is_own = |key: &SortKey| match (&key.by, &field) {
        (SortBy::Field(own), by) => own == by,
        (SortBy::Row | SortBy::Score | SortBy::Distance { .. }, _) => false,
    };
    if is_after && !(sort.len() == 1 && sort.iter().all(is_own)) {
        let reason = "collapse field and sort field must be the same when use `collapse` in \
                      conjunction with `search_after`";
        return Err(misuse(context, reason));
    }
    Ok(Some(Collapsed {
        path,
        by: Collapse { field },
        inner,
    }))
}

fn misuse(context: &Context<'_>, reason: &str) -> ElasticError {
    context.fail(ElasticError::new(400, "search_exception", reason))
}

impl Collapsed {
    /// The searches for the hits below each hit.
    pub(super) fn inner(
        &self,
        context: &Context<'_>,
        body: &Map<String, Value>,
        params: &SearchParams,
    ) -> Result<Vec<InnerSearch>, ElasticError> {
        let mut searches: Vec<InnerSearch> = Vec::new();
        for said in &self.inner {
            let mut own = said.clone();
            let name = match own.remove("name") {
                Some(name) => read::text(&name, "name")?,
                None => self.path.clone(),
            };
            if searches.iter().any(|known| known.name == name) {
                return Err(ElasticError::illegal_argument(format!(
                    "[inner_hits] already contains an entry for key [{name}]"
                )));
            }
            own.remove("ignore_unmapped");
            if let Some(Value::Object(deeper)) = own.get("collapse")
                && let Some(key) = deeper.keys().find(|key| *key != "field")
            {
                return Err(ElasticError::new(
                    400,
                    "x_content_parse_exception",
                    format!("[inner_hits] [collapse] unknown field [{key}]"),
                )
                .caused_by(ElasticError::new(
                    400,
                    "parse_exception",
                    format!("[{key}] is not allowed in a collapse of [inner_hits]"),
                )));
            }
            own.entry("size").or_insert(INNER_SIZE_DEFAULT.into());
            own.insert("track_total_hits".into(), true.into());
            for key in ["query", "post_filter"] {
                if let Some(query) = body.get(key) {
                    own.insert(key.into(), query.clone());
                }
            }
            let params = SearchParams {
                total_hits_as_int: params.total_hits_as_int,
                q: params.q.clone(),
                df: params.df.clone(),
                default_operator: params.default_operator.clone(),
                lenient: params.lenient,
                ..SearchParams::default()
            };
            let (request, shape) = search::parse_below(context, &own, &params)?;
            searches.push(InnerSearch {
                name,
                requests: vec![request],
                fields: vec![self.by.field.clone()],
                shape,
            });
        }
        Ok(searches)
    }
}

impl InnerSearch {
    /// Adds the request of a further index.
    pub(super) fn join(&mut self, other: Self) {
        self.requests.extend(other.requests);
        self.fields.extend(other.fields);
        self.shape.join(other.shape);
    }

    /// The requests for the hits below `hit`.
    fn below(&self, hit: &Hit) -> Vec<SearchRequest> {
        let both = self.requests.iter().zip(&self.fields);
        both.map(|(request, field)| {
            let mut request = request.clone();
            let own = same_value(field.as_ref(), hit.group.as_ref());
            request.filter = Filter::And(vec![request.filter, own]);
            request
        })
        .collect()
    }
}

/// Rows that have `value` in `field`, or none if there is none.
fn same_value(field: Option<&FieldRef>, value: Option<&SortValue>) -> Filter {
    let Some(field) = field.cloned() else {
        return match value {
            Some(_) => Filter::None,
            None => Filter::All,
        };
    };
    let numbers = |field: FieldRef, value: Decimal| match field.field_type.column_kind() {
        ColumnKind::Text => Filter::None,
        ColumnKind::Integer | ColumnKind::Decimal => Filter::NumberIn {
            field,
            values: vec![value],
        },
    };
    match value {
        None => Filter::Not(Box::new(Filter::Exists(field))),
        Some(SortValue::Integer(value)) => numbers(field, Decimal::from_i64(*value)),
        Some(SortValue::Decimal(value)) => numbers(field, *value),
        Some(SortValue::Text(text)) => match field.field_type.column_kind() {
            ColumnKind::Text => Filter::Text {
                field,
                predicate: TextPredicate::In([text.to_vec()].into()),
            },
            ColumnKind::Integer | ColumnKind::Decimal => Filter::None,
        },
        Some(SortValue::Float(_) | SortValue::Row | SortValue::Place(_)) => Filter::None,
    }
}

/// Answers the searches below each hit of `response` with `answer`; what they found is printed by
/// `shape`.
///
/// # Errors
/// When there are too many, and when one of them fails.
pub(crate) fn answer_inner<E: From<ElasticError>>(
    searches: &[InnerSearch],
    response: &SearchResponse,
    shape: &mut ResponseShape,
    mut answer: impl FnMut(&[SearchRequest]) -> Result<SearchResponse, E>,
) -> Result<(), E> {
    let count = searches.len().saturating_mul(response.hits.len());
    if count > INNER_SEARCHES_MAX {
        let reason = format!(
            "[inner_hits] of [{count}] hits are asked for, at most [{INNER_SEARCHES_MAX}] can be"
        );
        return Err(ElasticError::illegal_argument(reason).into());
    }
    for search in searches {
        let answers = response.hits.iter().map(|hit| answer(&search.below(hit)));
        shape.inner.push(InnerShape {
            name: search.name.clone(),
            shape: Box::new(search.shape.clone()),
            answers: answers.collect::<Result<_, E>>()?,
        });
    }
    Ok(())
}
