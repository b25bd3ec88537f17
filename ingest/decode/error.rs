//! Why a document cannot become a row.

use storage::catalog::RejectKind;
use storage::model::FieldType;
use thiserror::Error;

/// Longest preview of a value in a reason, in characters.
const PREVIEW_CHARACTERS_MAX: usize = 60;

/// Longest path in a reason, in bytes: a reason is kept and counted.
const PATH_BYTES_MAX: usize = 200;

/// What the JSON parser says of a document that is nested too deep.
const RECURSION_REASON: &str = "recursion limit exceeded";

/// Why a document cannot become a row. The texts are those that Elasticsearch's users know.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum DocumentError {
    /// The bytes are no text.
    #[error("Invalid UTF-8 in the document")]
    Utf8,
    /// The text is no JSON.
    #[error("failed to parse: {reason}")]
    Json {
        /// What the parser says.
        reason: String,
    },
    /// The JSON is no object.
    #[error("failed to parse: a document must be a JSON object")]
    NotObject,
    /// A name appears twice in one object.
    #[error("Duplicate field '{key}'")]
    DuplicateKey {
        /// The name.
        key: String,
    },
    /// A name that cannot be part of a path.
    #[error("field name {problem}: [{key}]")]
    FieldName {
        /// The name as it stands in the document.
        key: String,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// A name that stands for something about the document.
    #[error(
        "Field [{key}] is a metadata field and cannot be added inside a document. Use the index \
         API request parameters."
    )]
    MetadataField {
        /// The name.
        key: String,
    },
    /// A name that is only another name of a field.
    #[error("Cannot write to a field alias [{path}].")]
    Alias {
        /// The name.
        path: String,
    },
    /// A value does not fit its field.
    #[error("failed to parse field [{path}] of type [{}]", field_type.name())]
    Value {
        /// The field.
        path: String,
        /// What it is.
        field_type: FieldType,
        /// The start of the value.
        preview: String,
        /// Why it does not fit.
        cause: String,
    },
    /// A number or text stands where the mapping has an object.
    #[error(
        "object mapping for [{path}] tried to parse field [{path}] as object, but found a concrete \
         value"
    )]
    NotAnObject {
        /// The path.
        path: String,
    },
    /// A new field would lie below one that has values.
    #[error(
        "Could not dynamically add mapping for field [{path}]. Existing mapping for [{parent}] \
         must be of type object but found [{}].",
        field_type.name()
    )]
    BelowValue {
        /// The new field.
        path: String,
        /// The field that it would lie below.
        parent: String,
        /// What that is.
        field_type: FieldType,
    },
    /// The mapping is strict and does not know the field.
    #[error(
        "mapping set to {rule}, dynamic introduction of [{key}] within [{parent}] is not allowed"
    )]
    Strict {
        /// How the mapping says so.
        rule: &'static str,
        /// The unknown name.
        key: String,
        /// The object it stands in, `_doc` for the document itself.
        parent: String,
    },
    /// A new field would be one too many.
    #[error("Limit of total fields [{max}] has been exceeded")]
    FieldCount {
        /// The limit.
        max: usize,
    },
    /// A new field would lie too deep.
    #[error("Limit of mapping depth [{max}] has been exceeded due to object field [{path}]")]
    Depth {
        /// The limit.
        max: usize,
        /// The field.
        path: String,
    },
}

impl DocumentError {
    /// The same in one word.
    #[must_use]
    pub fn kind(&self) -> RejectKind {
        match self {
            Self::Utf8 => RejectKind::Utf8,
            Self::Json { reason } if reason == RECURSION_REASON => RejectKind::Depth,
            Self::Json { .. } | Self::NotObject | Self::DuplicateKey { .. } => RejectKind::Json,
            Self::FieldName { .. } | Self::MetadataField { .. } | Self::Alias { .. } => {
                RejectKind::Name
            }
            Self::Value { .. } | Self::NotAnObject { .. } | Self::BelowValue { .. } => {
                RejectKind::Type
            }
            Self::Strict { .. } => RejectKind::Strict,
            Self::FieldCount { .. } => RejectKind::Width,
            Self::Depth { .. } => RejectKind::Depth,
        }
    }

    /// The start of the value that did not fit, and why; for the fields of an error message.
    #[must_use]
    pub fn value_cause(&self) -> Option<(&str, &str)> {
        match self {
            Self::Value { preview, cause, .. } => Some((preview, cause)),
            Self::Utf8
            | Self::Json { .. }
            | Self::NotObject
            | Self::DuplicateKey { .. }
            | Self::FieldName { .. }
            | Self::MetadataField { .. }
            | Self::Alias { .. }
            | Self::NotAnObject { .. }
            | Self::BelowValue { .. }
            | Self::Strict { .. }
            | Self::FieldCount { .. }
            | Self::Depth { .. } => None,
        }
    }
}

/// The start of `value`.
pub(super) fn preview(value: &str) -> String {
    value.chars().take(PREVIEW_CHARACTERS_MAX).collect()
}

/// `path`, cut when it is long.
pub(super) fn shown_path(path: &str) -> String {
    path[..path.floor_char_boundary(PATH_BYTES_MAX)].into()
}
