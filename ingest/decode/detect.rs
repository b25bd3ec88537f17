//! What a value that the mapping does not know becomes.

use std::sync::LazyLock;

use jiff::tz::TimeZone;
use storage::model::{DateFormat, Field, FieldType, WHOLE_TEXT_ATTRIBUTE};

use super::row::Rules;
use super::value::Scalar;

/// Longest text that the keyword below a new text field has a value for, in characters.
const KEYWORD_CHARACTERS_MAX: u32 = 256;

/// The formats that new texts are tried with, in order.
const DETECTED_FORMATS: [&str; 3] = [
    "strict_date_optional_time",
    "yyyy/MM/dd HH:mm:ss||yyyy/MM/dd||epoch_millis",
    "yyyy/MM/dd HH:mm:ss Z||yyyy/MM/dd Z",
];

static FORMATS: LazyLock<Vec<DateFormat>> = LazyLock::new(|| {
    DETECTED_FORMATS
        .iter()
        .map(|format| DateFormat::parse(format).expect("the table's formats are valid"))
        .collect()
});

/// The name that time fields have by convention.
pub(super) const TIMESTAMP: &str = "@timestamp";

/// The field for a first value at `path`. The topic's time is a date whatever it looks like;
/// `@timestamp` is one whenever its value can be. What the mapping says about fields to come counts
/// before what the value looks like.
pub(super) fn field_for(path: &str, scalar: Scalar<'_>, is_time: bool, rules: &Rules) -> Field {
    if let Some(field) = of_template(path, scalar, rules).filter(|_| !is_time) {
        return field;
    }
    if is_time || (path == TIMESTAMP && reads_as_date(scalar)) {
        return Field::new(FieldType::Date);
    }
    match scalar {
        Scalar::Bool(_) => Field::new(FieldType::Boolean),
        Scalar::Integer(_) | Scalar::Unsigned(_) => Field::new(FieldType::Long),
        Scalar::Float(_) => Field::new(FieldType::Double),
        Scalar::Text(_) => match detected_format(scalar, rules) {
            Some(format) => {
                let format = (format != DETECTED_FORMATS[0]).then(|| format.to_string());
                Field {
                    format,
                    ..Field::new(FieldType::Date)
                }
            }
            None => text_with_keyword(rules.whole_texts),
        },
    }
}

/// The format of a text that is taken for a date.
fn detected_format(scalar: Scalar<'_>, rules: &Rules) -> Option<&'static str> {
    match scalar {
        Scalar::Text(text) if rules.fields_to_come.detects_dates => date_format(text),
        Scalar::Text(_)
        | Scalar::Bool(_)
        | Scalar::Integer(_)
        | Scalar::Unsigned(_)
        | Scalar::Float(_) => None,
    }
}

/// The field that a template says a first value at `path` becomes: one about objects that it lies
/// in, else one about the value.
pub(super) fn of_template(path: &str, scalar: Scalar<'_>, rules: &Rules) -> Option<Field> {
    let templates = &rules.fields_to_come.templates;
    if templates.is_empty() {
        return None;
    }
    for (dot, _) in path.match_indices('.') {
        let (object, member) = (&path[..dot], &path[dot + 1..]);
        let mut templates = templates.iter();
        let meant = templates.find(|template| template.fits(object, "object"));
        if let Some(field) = meant.and_then(|template| template.members.get(member)) {
            return Some(field.clone());
        }
    }
    let kind = match scalar {
        Scalar::Bool(_) => "boolean",
        Scalar::Integer(_) | Scalar::Unsigned(_) => "long",
        Scalar::Float(_) => "double",
        Scalar::Text(_) if detected_format(scalar, rules).is_some() => "date",
        Scalar::Text(_) => "string",
    };
    templates.iter().find_map(|template| {
        let field = template.field.as_ref()?;
        template.fits(path, kind).then(|| field.clone())
    })
}

fn reads_as_date(scalar: Scalar<'_>) -> bool {
    DateFormat::default()
        .read(&scalar.text(), &TimeZone::UTC)
        .is_ok()
}

/// The first format that reads `text`. A number is none: too often it is something else.
fn date_format(text: &str) -> Option<&'static str> {
    if text.parse::<f64>().is_ok() {
        return None;
    }
    let fits = |format: &DateFormat| format.read(text, &TimeZone::UTC).is_ok();
    let index = FORMATS.iter().position(fits)?;
    Some(DETECTED_FORMATS[index])
}

fn text_with_keyword(whole_texts: bool) -> Field {
    let mut field = Field::new(FieldType::Text);
    let keyword = Field {
        ignore_above: Some(KEYWORD_CHARACTERS_MAX),
        ..Field::new(FieldType::Keyword)
    };
    field.subfields.insert("keyword".into(), keyword);
    if whole_texts {
        let attributes = &mut field.attributes;
        attributes.insert(WHOLE_TEXT_ATTRIBUTE.into(), true.into());
    }
    field
}
