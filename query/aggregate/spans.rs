//! The spans that the texts of a source say, for buckets that they overlap.

use std::sync::Arc;

use storage::model::Span;

use crate::QueryError;
use crate::filter::{Binder, BoundField};
use crate::frame::TextSlot;
use crate::request::FieldRef;

/// Most buckets that one span may be in, as in Elasticsearch.
pub(super) const SPAN_BUCKETS_MAX: usize = 10_000;

/// The spans of a text column, by code.
#[derive(Debug, Clone)]
pub(super) struct BoundSpans {
    pub(super) slot: TextSlot,
    spans: Arc<[Option<Span>]>,
}

impl BoundSpans {
    /// `None` when no row has one.
    pub(super) fn bind(
        field: &FieldRef,
        binder: &mut Binder<'_>,
    ) -> Result<Option<Self>, QueryError> {
        let BoundField::Texts(slot) = binder.field(field)? else {
            return Ok(None);
        };
        let dictionary = binder.dictionary(slot)?;
        let codes = (0..).take(dictionary.len());
        let spans = codes.map(|code| Span::parse(dictionary.term(code)));
        Ok(Some(Self {
            slot,
            spans: spans.collect(),
        }))
    }

    /// The span that text `code` says.
    pub(super) fn of(&self, code: u32) -> Option<Span> {
        self.spans[code as usize]
    }
}
