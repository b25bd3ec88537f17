//! The words everything else is written in: names, ids, time, numbers, fields and rows.
//!
//! Nothing here touches a file, a clock, Kafka or JSON documents.

mod columns;
mod date_format;
mod decimal;
mod dictionary;
mod dynamic_rules;
mod exact_sum;
mod field;
mod geo;
mod ids;
mod name;
mod occurrence;
mod shape;
mod span;
mod time;
mod vector;

pub use columns::{
    Column, ColumnBatch, ColumnKind, IGNORED_COLUMN, NumberColumn, ROUTING_COLUMN, SourceColumn,
    TextColumn, VERSION_COLUMN,
};
pub use date_format::{DATE_FORMAT_DEFAULT, DateError, DateFormat, DateReading, DateUnit};
pub use decimal::Decimal;
pub use dictionary::{Dictionary, DictionaryBuilder};
pub use dynamic_rules::{DynamicRules, DynamicTemplate};
pub use exact_sum::ExactSum;
pub use field::{Field, FieldType, Mapping, WHOLE_TEXT_ATTRIBUTE};
pub use geo::{GEOHASH_LETTERS_MAX, GeoCells, GeoPoint};
pub use ids::{
    LeaderEpoch, Offset, OffsetRange, Partition, PartitionId, TopicId, name_of_origin,
    origin_of_name,
};
pub use name::{NAME_BYTES_MAX, NameError, TopicName};
pub use occurrence::Occurrence;
pub use shape::{
    DateStyle, ExponentStyle, Hole, MalformedShape, Shape, ShapeValue, Style, push_own, take_own,
};
pub use span::{Span, SpanRelation};
pub use time::{HOUR_MS, TimeRange, Timestamp};
pub use vector::{CodeVector, Exponents, NumberVector, VECTOR_ROWS, VectorOccurrence};
