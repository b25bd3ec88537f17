//! Fields of a topic: what a path means and how its values are read.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use serde::{Deserialize, Serialize};

use super::{ColumnKind, DynamicRules, IGNORED_COLUMN, ROUTING_COLUMN};

/// What the values of a field are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FieldType {
    /// 64-bit integer.
    Long,
    /// 32-bit integer.
    Integer,
    /// 16-bit integer.
    Short,
    /// 8-bit integer.
    Byte,
    /// Decimal number; see [`super::Decimal`].
    Double,
    /// As `Double`: precision is never thrown away.
    Float,
    /// As `Double`.
    HalfFloat,
    /// `true` is 1, `false` is 0.
    Boolean,
    /// Milliseconds since the epoch.
    Date,
    /// Nanoseconds since the epoch.
    DateNanos,
    /// A text that is one term.
    Keyword,
    /// A text that is many terms to a full-text query; kept as one value.
    Text,
    /// An IPv4 or IPv6 address, kept in its canonical text form.
    Ip,
}

impl FieldType {
    /// How its values are stored.
    #[must_use]
    pub fn column_kind(self) -> ColumnKind {
        match self {
            Self::Long | Self::Integer | Self::Short | Self::Byte => ColumnKind::Integer,
            Self::Boolean | Self::Date | Self::DateNanos => ColumnKind::Integer,
            Self::Double | Self::Float | Self::HalfFloat => ColumnKind::Decimal,
            Self::Keyword | Self::Text | Self::Ip => ColumnKind::Text,
        }
    }

    /// What users call it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Long => "long",
            Self::Integer => "integer",
            Self::Short => "short",
            Self::Byte => "byte",
            Self::Double => "double",
            Self::Float => "float",
            Self::HalfFloat => "half_float",
            Self::Boolean => "boolean",
            Self::Date => "date",
            Self::DateNanos => "date_nanos",
            Self::Keyword => "keyword",
            Self::Text => "text",
            Self::Ip => "ip",
        }
    }

    /// Whether its values are instants.
    #[must_use]
    pub fn is_date(self) -> bool {
        matches!(self, Self::Date | Self::DateNanos)
    }
}

/// One field of a mapping.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Field {
    /// What its values are.
    pub field_type: FieldType,
    /// For dates: the formats that a text is read with, joined by `||`; `None` is the default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub format: Option<String>,
    /// For keywords: a longer text (in characters) is kept in the document but has no value here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ignore_above: Option<u32>,
    /// For doubles: it began as a long. It still refuses what no long could be, so that a record
    /// means the same whether it is read before or after the field was widened.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub widened: bool,
    /// Other names of the same values, such as `keyword` below a dynamic text field.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub subfields: BTreeMap<String, Field>,
    /// Further attributes as their owner wrote them; kept and shown, never interpreted here.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub attributes: BTreeMap<String, serde_json::Value>,
}

impl Field {
    /// Whether its texts can be used whole, though full-text queries see their words.
    #[must_use]
    pub fn has_whole_texts(&self) -> bool {
        let attribute = self.attributes.get(WHOLE_TEXT_ATTRIBUTE);
        self.field_type == FieldType::Text && attribute == Some(&serde_json::Value::Bool(true))
    }

    /// A field of `field_type` with nothing else said.
    #[must_use]
    pub fn new(field_type: FieldType) -> Self {
        Self {
            field_type,
            format: None,
            ignore_above: None,
            widened: false,
            subfields: BTreeMap::new(),
            attributes: BTreeMap::new(),
        }
    }
}

/// The attribute of a text field that says whether its whole texts can be grouped, sorted and
/// looked up under its own name.
pub const WHOLE_TEXT_ATTRIBUTE: &str = "fielddata";

/// What columns are that no document has a value for.
static METADATA: LazyLock<Field> = LazyLock::new(|| Field::new(FieldType::Keyword));

/// All fields of a topic by dotted path. Values of a subfield are those of its parent.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Mapping {
    /// The fields, `a.b.c` for a member of nested objects.
    pub fields: BTreeMap<String, Field>,
    /// Other names of fields, and the paths of these.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub aliases: BTreeMap<String, String>,
    /// What is said about fields to come.
    #[serde(default, skip_serializing_if = "DynamicRules::is_default")]
    pub rules: DynamicRules,
    /// Whether every document must be written and read with a routing.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub requires_routing: bool,
    /// Whether documents are not shown. They are kept all the same: columns alone do not make rows
    /// again.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub hides_source: bool,
}

impl Mapping {
    /// The field that `path` names, and the path of the column that holds its values: a subfield
    /// (`name.keyword`) reads its parent's column, an alias what it stands for.
    #[must_use]
    pub fn resolve<'m: 'p, 'p>(&'m self, path: &'p str) -> Option<(&'m Field, &'p str)> {
        if let Some(field) = self.fields.get(path) {
            return Some((field, path));
        }
        if [ROUTING_COLUMN, IGNORED_COLUMN].contains(&path) {
            return Some((&METADATA, path));
        }
        let path = self.aliases.get(path).map_or(path, String::as_str);
        if let Some(field) = self.fields.get(path) {
            return Some((field, path));
        }
        let (parent, name) = path.rsplit_once('.')?;
        let field = self.fields.get(parent)?;
        match field.subfields.get(name) {
            Some(subfield) => Some((subfield, parent)),
            // A keyword named with the suffix that dynamic text fields have is what is meant.
            None if name == "keyword" && field.field_type == FieldType::Keyword => {
                Some((field, parent))
            }
            None => None,
        }
    }
}
