//! Documents → rows: JSON into columns, with new fields found as Elasticsearch finds them.
//!
//! A [`DocumentDecoder`] reads JSON once, without a tree of values in between: names are steps in
//! a tree of fields, values are converted for their field and collected, and only a document that
//! ends well is added to the columns. Nothing here knows where documents come from.

mod columns;
mod decoder;
mod detect;
mod error;
mod field;
mod fields;
mod number;
mod own_id;
mod record;
mod routing;
mod row;
mod shapes;
mod tree;
mod value;
mod visitor;
mod whole;

#[cfg(test)]
mod tests;

pub use decoder::{
    DEPTH_MAX, DecodedRows, Document, DocumentDecoder, FIELDS_MAX, NewFields, TIME_FIELD_SETTING,
    WHOLE_TEXTS_SETTING,
};
pub use error::DocumentError;
pub use fields::FieldsCommit;
pub use own_id::{ID_FIELD_SETTING, KEY_AS_ID, OwnId};
pub use record::{
    ID_BYTES_MAX, Meaning, OPERATION_HEADER, Operation, ROUTING_HEADER, VERSION_HEADER,
};
pub use routing::{Spread, partition_of_id};
