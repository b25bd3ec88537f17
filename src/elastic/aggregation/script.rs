//! Scripts of metrics that change units: something times the value, and something more.
//!
//! Such a script need not run for every row: sums and means of values say what it makes of them.

use query::pipeline::{Binary, Expression, Unary};
use query::request::{Linear, MetricKind};

use super::Definition;
use crate::elastic::ElasticError;
use crate::elastic::script::{Script, ScriptKind};

/// The name that the value has in the script as it is compiled.
const VALUE: &str = "it";

/// What a script makes of a value.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct ValueScript {
    pub(super) linear: Linear,
    /// The field that it reads itself.
    pub(super) field: Option<String>,
}

/// Reads `script`, if there is one.
pub(super) fn parse(
    definition: &Definition<'_>,
    kind: MetricKind,
) -> Result<Option<ValueScript>, ElasticError> {
    let Some(value) = definition
        .body
        .get("script")
        .filter(|value| !value.is_null())
    else {
        return Ok(None);
    };
    let unsupported = |what: &str| {
        ElasticError::unsupported(format!("[script] of [{}] {what}", definition.type_name))
    };
    let mut script = Script::read(value)?;
    let field = script.name_value(VALUE).map_err(unsupported)?;
    let expression = script.compile(ScriptKind::Bucket, &[VALUE.to_owned()])?;
    if field.is_none() && !definition.body.contains_key("field") {
        return Err(unsupported("without a field"));
    }
    let linear = linear(&expression).filter(|(factor, _)| *factor > 0.0);
    let (factor, addend) = linear.ok_or_else(|| unsupported("that does more than scale"))?;
    match kind {
        MetricKind::Avg | MetricKind::Min | MetricKind::Max => {}
        MetricKind::Sum if addend == 0.0 => {}
        MetricKind::Sum
        | MetricKind::ValueCount
        | MetricKind::Stats
        | MetricKind::ExtendedStats
        | MetricKind::Distribution => return Err(unsupported("that does more than scale")),
    }
    Ok(Some(ValueScript {
        linear: Linear { factor, addend },
        field,
    }))
}

/// Factor and addend, when there is nothing else in it.
fn linear(expression: &Expression) -> Option<(f64, f64)> {
    Some(match expression {
        Expression::Number(number) => (0.0, *number),
        Expression::Variable(0) => (1.0, 0.0),
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
    use super::*;

    fn check(source: &str, expected: Option<(f64, f64)>) {
        let mut script = Script::read(&source.into()).expect("a script");
        script.name_value(VALUE).expect("one field");
        let compiled = script.compile(ScriptKind::Bucket, &[VALUE.to_owned()]);
        assert_eq!(
            linear(&compiled.expect("it compiles")),
            expected,
            "{source}"
        );
    }

    #[test]
    fn changes_of_units_are_told_from_others() {
        check("_value * 100", Some((100.0, 0.0)));
        check("(_value / 4) * 2 + 1", Some((0.5, 1.0)));
        check("-(_value - 3)", Some((-1.0, 3.0)));
        check("doc['f'].value / 8", Some((0.125, 0.0)));
        check("_value * _value", None);
        check("_value > 3 ? 1 : 0", None);
        check("Math.abs(_value)", None);
    }
}
