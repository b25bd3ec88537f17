//! Scripts of metrics.
//!
//! One that only changes the unit of a field, something times the value and something more, need
//! not run for every row: sums and means of values say what it makes of them. Others run.

use query::pipeline::{Binary, Expression, Unary};
use query::request::{FieldRef, Linear, MetricKind};
use query::row_script::RowScript;

use super::Definition;
use crate::elastic::ElasticError;
use crate::elastic::context::{Context, NamedField};
use crate::elastic::script::Script;

/// What a script makes of rows.
#[derive(Debug, Clone)]
pub(super) enum ValueScript {
    /// The value of a field in another unit.
    Linear(Linear, Option<FieldRef>),
    /// Anything else.
    Row(RowScript),
}

/// Reads `script`, if there is one. `field` is what the definition names beside it.
pub(super) fn parse(
    context: &Context<'_>,
    definition: &Definition<'_>,
    kind: MetricKind,
    field: Option<&NamedField<'_>>,
) -> Result<Option<ValueScript>, ElasticError> {
    let Some(value) = definition
        .body
        .get("script")
        .filter(|value| !value.is_null())
    else {
        return Ok(None);
    };
    let script = Script::read(value)?.compile_row(context, field)?;
    let only = match script.fields.as_slice() {
        [only] => linear(&script.expression)
            .filter(|(factor, _)| *factor > 0.0)
            .zip(Some(only)),
        _several => None,
    };
    Ok(Some(match only {
        Some(((factor, addend), field)) if is_told_by_its_value(kind, addend) => {
            ValueScript::Linear(Linear { factor, addend }, field.clone())
        }
        Some(_) | None => ValueScript::Row(script),
    }))
}

/// Whether the metric of the values says what the metric of the script's results is.
fn is_told_by_its_value(kind: MetricKind, addend: f64) -> bool {
    match kind {
        MetricKind::Avg | MetricKind::Min | MetricKind::Max => true,
        MetricKind::Sum => addend == 0.0,
        MetricKind::ValueCount => false,
        MetricKind::Stats | MetricKind::ExtendedStats | MetricKind::Distribution => false,
    }
}

/// Factor and addend, when there is nothing else in it.
fn linear(expression: &Expression) -> Option<(f64, f64)> {
    Some(match expression {
        Expression::Number(number) => (0.0, *number),
        Expression::Whole(number) => (0.0, *number as f64),
        Expression::Variable(0) | Expression::Field(0) => (1.0, 0.0),
        Expression::Unary(Unary::Minus, inner) => {
            let (factor, addend) = linear(inner)?;
            (-factor, -addend)
        }
        Expression::Binary(binary, left, right) => {
            let (left, right) = (linear(left)?, linear(right)?);
            match binary {
                Binary::Add => (left.0 + right.0, left.1 + right.1),
                Binary::Subtract => (left.0 - right.0, left.1 - right.1),
                Binary::Multiply if left.0 == 0.0 => (left.1 * right.0, left.1 * right.1),
                Binary::Multiply if right.0 == 0.0 => (left.0 * right.1, left.1 * right.1),
                Binary::Divide if right.0 == 0.0 && right.1 != 0.0 => {
                    (left.0 / right.1, left.1 / right.1)
                }
                _other => return None,
            }
        }
        _other => return None,
    })
}

#[cfg(test)]
mod tests {
    use storage::model::{Field, FieldType, Mapping};

    use super::*;

    fn check(source: &str, expected: Option<(f64, f64)>) {
        let mut mapping = Mapping::default();
        let fields = [("f", FieldType::Double), ("n", FieldType::Long)];
        for (path, field_type) in fields {
            mapping.fields.insert(path.into(), Field::new(field_type));
        }
        let context = Context {
            index: "i",
            mapping: &mapping,
            now_ms: 0,
            facts: crate::elastic::IndexFacts::default(),
        };
        let field = source
            .contains("_value")
            .then(|| context.field("f"))
            .flatten();
        let mut script = Script::read(&source.into()).expect("a script");
        let script = script
            .compile_row(&context, field.as_ref())
            .expect("it compiles");
        assert_eq!(linear(&script.expression), expected, "{source}");
    }

    #[test]
    fn changes_of_units_are_told_from_others() {
        check("_value * 100", Some((100.0, 0.0)));
        check("(_value / 4) * 2 + 1", Some((0.5, 1.0)));
        check("-(_value - 3)", Some((-1.0, 3.0)));
        check("doc['f'].value / 8", Some((0.125, 0.0)));
        // A whole number loses its rest.
        check("doc['n'].value / 8", None);
        check("doc['n'].value / 8.0", Some((0.125, 0.0)));
        check("_value * _value", None);
        check("_value > 3 ? 1 : 0", None);
        check("Math.abs(_value)", None);
    }
}
