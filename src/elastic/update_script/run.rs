//! The steps of a script, one after another, over values as JSON has them.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use query::pipeline::Binary;
use serde_json::{Map, Number, Value};

use super::{Access, Expression, Failure, Statement};

/// Bytes of values that a script may copy and make: doubling a list or a text again and again ends
/// here.
const WORK_BYTES_MAX: usize = 64 << 20;

/// Bytes of a value without its texts.
const VALUE_BYTES: usize = 64;

/// Deepest value that a script may make.
const DEPTH_MAX: usize = 200;

/// What the names of a script stand for.
struct Run<'p> {
    ctx: Value,
    params: &'p Value,
    locals: BTreeMap<String, Value>,
    work: usize,
}

/// Whether the next statement is run.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Flow {
    On,
    Returned,
}

/// A step from a value to one inside it.
enum Key {
    Name(String),
    Place(usize),
}

/// Runs `statements` and returns what has become of `ctx`.
pub(super) fn run(statements: &[Statement], ctx: Value, params: &Value) -> Result<Value, Failure> {
    let mut run = Run {
        ctx,
        params,
        locals: BTreeMap::new(),
        work: 0,
    };
    run.all(statements)?;
    Ok(run.ctx)
}

fn illegal(reason: String) -> Failure {
    Failure {
        error_type: "illegal_argument_exception",
        reason,
    }
}

fn null_access(name: &str) -> Failure {
    Failure {
        error_type: "null_pointer_exception",
        reason: format!("cannot access method/field [{name}] from a null def reference"),
    }
}

fn wrong_type(what: &str, value: &Value) -> Failure {
    let kind = match value {
        Value::Null => "null",
        Value::Bool(_) => "java.lang.Boolean",
        Value::Number(number) if number.is_f64() => "java.lang.Double",
        Value::Number(_) => "java.lang.Long",
        Value::String(_) => "java.lang.String",
        Value::Array(_) => "java.util.ArrayList",
        Value::Object(_) => "java.util.HashMap",
    };
    Failure {
        error_type: "class_cast_exception",
        reason: format!("cannot apply [{what}] to a value of type [{kind}]"),
    }
}

impl Run<'_> {
    fn all(&mut self, statements: &[Statement]) -> Result<Flow, Failure> {
        for statement in statements {
            if self.one(statement)? == Flow::Returned {
                return Ok(Flow::Returned);
            }
        }
        Ok(Flow::On)
    }

    fn one(&mut self, statement: &Statement) -> Result<Flow, Failure> {
        match statement {
            Statement::Return => return Ok(Flow::Returned),
            Statement::Declare(name, value) => {
                let value = self.value(value)?;
                self.locals.insert(name.clone(), value);
            }
            Statement::Assign(place, value) => {
                let value = self.value(value)?;
                self.assign(place, value)?;
            }
            Statement::Do(expression) => {
                self.value(expression)?;
            }
            Statement::If(condition, then, otherwise) => {
                let way = match self.truth(condition)? {
                    true => then,
                    false => otherwise,
                };
                return self.all(way);
            }
        }
        Ok(Flow::On)
    }

    /// Charges for `value`, which is about to be one of its own.
    fn own(&mut self, value: Value) -> Result<Value, Failure> {
        self.work = self.work.saturating_add(weight(&value, 0));
        if self.work > WORK_BYTES_MAX {
            return Err(illegal(format!(
                "the script makes more than {WORK_BYTES_MAX} bytes of values"
            )));
        }
        Ok(value)
    }

    fn value(&mut self, expression: &Expression) -> Result<Value, Failure> {
        let value = match expression {
            Expression::Null => Value::Null,
            Expression::Truth(truth) => Value::Bool(*truth),
            Expression::Integer(number) => Value::from(*number),
            Expression::Float(number) => Value::from(*number),
            Expression::Text(text) => Value::from(text.as_str()),
            Expression::List(items) => {
                let items = items.iter().map(|item| self.value(item));
                Value::Array(items.collect::<Result<_, _>>()?)
            }
            Expression::Name(_) | Expression::Access(_, Access::Member(_) | Access::At(_)) => {
                return self.read(expression);
            }
            Expression::Access(object, Access::Call(name, arguments)) => {
                return self.call(object, name, arguments);
            }
            Expression::Not(value) => Value::Bool(!self.truth(value)?),
            Expression::Negate(value) => match self.value(value)? {
                Value::Number(number) => match number.as_i64() {
                    Some(number) => Value::from(number.wrapping_neg()),
                    None => Value::from(-number.as_f64().unwrap_or(f64::NAN)),
                },
                other => return Err(wrong_type("-", &other)),
            },
            Expression::Choose(condition, then, otherwise) => {
                return match self.truth(condition)? {
                    true => self.value(then),
                    false => self.value(otherwise),
                };
            }
            Expression::Binary(Binary::And, a, b) => Value::Bool(self.truth(a)? && self.truth(b)?),
            Expression::Binary(Binary::Or, a, b) => Value::Bool(self.truth(a)? || self.truth(b)?),
            Expression::Binary(operation, a, b) => {
                let (a, b) = (self.value(a)?, self.value(b)?);
                binary(*operation, &a, &b)?
            }
        };
        self.own(value)
    }

    fn truth(&mut self, expression: &Expression) -> Result<bool, Failure> {
        match self.value(expression)? {
            Value::Bool(truth) => Ok(truth),
            other => Err(wrong_type("condition", &other)),
        }
    }

    /// The steps to the place that `expression` names, from the name that it starts with; `None`
    /// when it starts with another value.
    fn path<'e>(
        &mut self,
        expression: &'e Expression,
    ) -> Result<Option<(&'e str, Vec<Key>)>, Failure> {
        let mut keys = Vec::new();
        let mut inner = expression;
        loop {
            match inner {
                Expression::Name(name) => {
                    keys.reverse();
                    return Ok(Some((name, keys)));
                }
                Expression::Access(object, Access::Member(name)) => {
                    keys.push(Key::Name(name.clone()));
                    inner = object;
                }
                Expression::Access(object, Access::At(index)) => {
                    keys.push(match self.value(index)? {
                        Value::String(name) => Key::Name(name),
                        Value::Number(number) => Key::Place(place(&number)?),
                        other => return Err(wrong_type("[]", &other)),
                    });
                    inner = object;
                }
                _ => return Ok(None),
            }
        }
    }

    fn read(&mut self, expression: &Expression) -> Result<Value, Failure> {
        let found = match self.path(expression)? {
            Some((root, keys)) => {
                let root = match root {
                    "ctx" => &self.ctx,
                    "params" => self.params,
                    name => self.locals.get(name).ok_or_else(|| unknown(name))?,
                };
                inside(root, &keys)?.clone()
            }
            // A member of what a call returned, for example.
            None => match expression {
                Expression::Access(object, Access::Member(name)) => {
                    let object = self.value(object)?;
                    inside(&object, &[Key::Name(name.clone())])?.clone()
                }
                Expression::Access(object, Access::At(index)) => {
                    let object = self.value(object)?;
                    let key = match self.value(index)? {
                        Value::Number(number) => Key::Place(place(&number)?),
                        Value::String(name) => Key::Name(name),
                        other => return Err(wrong_type("[]", &other)),
                    };
                    inside(&object, &[key])?.clone()
                }
                other => unreachable!("{other:?} is no place"),
            },
        };
        self.own(found)
    }

    /// The place that `keys` lead to from `root`, to be changed.
    fn place_of(&mut self, root: &str, keys: &[Key]) -> Result<&mut Value, Failure> {
        let mut place = match root {
            "ctx" => &mut self.ctx,
            "params" => return Err(illegal("params cannot be changed".into())),
            name => {
                let local = self.locals.get_mut(name).ok_or_else(|| unknown(name))?;
                // It would be another object than the one that it was read from.
                if local.is_object() || local.is_array() {
                    return Err(illegal(format!(
                        "[{name}] is a copy here; change the value through [ctx._source]"
                    )));
                }
                local
            }
        };
        for key in keys {
            place = match (key, place) {
                (Key::Name(name), Value::Object(entries)) => {
                    entries.get_mut(name).ok_or_else(|| null_access(name))?
                }
                (Key::Place(at), Value::Array(items)) => {
                    let count = items.len();
                    items
                        .get_mut(*at)
                        .ok_or_else(|| out_of_bounds(*at, count))?
                }
                (Key::Name(name), Value::Null) => return Err(null_access(name)),
                (Key::Name(_) | Key::Place(_), other) => return Err(wrong_type("[]", other)),
            };
        }
        Ok(place)
    }

    fn assign(&mut self, place: &Expression, value: Value) -> Result<(), Failure> {
        let (root, mut keys) = self
            .path(place)?
            .ok_or_else(|| illegal("only a field or a name can be assigned to".into()))?;
        let Some(last) = keys.pop() else {
            return match self.locals.get_mut(root) {
                Some(local) => {
                    *local = value;
                    Ok(())
                }
                None => Err(unknown(root)),
            };
        };
        match (last, self.place_of(root, &keys)?) {
            (Key::Name(name), Value::Object(entries)) => {
                entries.insert(name, value);
                Ok(())
            }
            (Key::Place(at), Value::Array(items)) => {
                let count = items.len();
                let item = items.get_mut(at).ok_or_else(|| out_of_bounds(at, count))?;
                *item = value;
                Ok(())
            }
            (Key::Name(name), Value::Null) => Err(null_access(&name)),
            (Key::Name(_) | Key::Place(_), other) => Err(wrong_type("=", other)),
        }
    }

    fn call(
        &mut self,
        object: &Expression,
        name: &str,
        arguments: &[Expression],
    ) -> Result<Value, Failure> {
        let arguments = arguments.iter().map(|argument| self.value(argument));
        let arguments = arguments.collect::<Result<Vec<_>, _>>()?;
        if let Expression::Name(class) = object
            && matches!(
                class.as_str(),
                "Math" | "Integer" | "Long" | "Double" | "String"
            )
        {
            return of_class(class, name, &arguments);
        }
        if matches!(name, "put" | "remove" | "add" | "addAll" | "clear") {
            let (root, keys) = self
                .path(object)?
                .ok_or_else(|| illegal(format!("[{name}] changes a copy")))?;
            let place = self.place_of(root, &keys)?;
            return change(place, name, arguments);
        }
        let object = self.value(object)?;
        let value = ask(&object, name, &arguments)?;
        self.own(value)
    }
}

/// How many bytes a value takes, about; too many when it is nested too deep.
fn weight(value: &Value, depth: usize) -> usize {
    if depth > DEPTH_MAX {
        return WORK_BYTES_MAX;
    }
    let inner = match value {
        Value::Null | Value::Bool(_) | Value::Number(_) => 0,
        Value::String(text) => text.len(),
        Value::Array(items) => items.iter().fold(0, |sum: usize, item| {
            sum.saturating_add(weight(item, depth + 1))
        }),
        Value::Object(entries) => entries.iter().fold(0, |sum: usize, (name, value)| {
            sum.saturating_add(name.len().saturating_add(weight(value, depth + 1)))
        }),
    };
    inner.saturating_add(VALUE_BYTES)
}

fn unknown(name: &str) -> Failure {
    illegal(format!("cannot resolve symbol [{name}]"))
}

fn out_of_bounds(at: usize, count: usize) -> Failure {
    Failure {
        error_type: "index_out_of_bounds_exception",
        reason: format!("Index {at} out of bounds for length {count}"),
    }
}

fn place(number: &Number) -> Result<usize, Failure> {
    let place = number
        .as_u64()
        .and_then(|place| usize::try_from(place).ok());
    place.ok_or_else(|| illegal(format!("[{number}] is no place in a list")))
}

/// The value that `keys` lead to; what a map does not have is null.
fn inside<'v>(root: &'v Value, keys: &[Key]) -> Result<&'v Value, Failure> {
    keys.iter().try_fold(root, |value, key| match (key, value) {
        (Key::Name(name), Value::Object(entries)) => Ok(entries.get(name).unwrap_or(&Value::Null)),
        (Key::Place(at), Value::Array(items)) => items
            .get(*at)
            .ok_or_else(|| out_of_bounds(*at, items.len())),
        (Key::Name(name), Value::Null) => Err(null_access(name)),
        (Key::Name(name), other) => Err(wrong_type(name, other)),
        (Key::Place(_), other) => Err(wrong_type("[]", other)),
    })
}

fn binary(operation: Binary, a: &Value, b: &Value) -> Result<Value, Failure> {
    let compared = |wanted: &[Ordering]| match order(a, b) {
        Some(order) => Ok(Value::Bool(wanted.contains(&order))),
        None => Err(wrong_type("comparison", if a.is_number() { b } else { a })),
    };
    match operation {
        Binary::Equal => Ok(Value::Bool(equal(a, b))),
        Binary::Unequal => Ok(Value::Bool(!equal(a, b))),
        Binary::Less => compared(&[Ordering::Less]),
        Binary::LessOrEqual => compared(&[Ordering::Less, Ordering::Equal]),
        Binary::Greater => compared(&[Ordering::Greater]),
        Binary::GreaterOrEqual => compared(&[Ordering::Greater, Ordering::Equal]),
        Binary::Add if a.is_string() || b.is_string() => {
            Ok(Value::String(printed(a) + &printed(b)))
        }
        Binary::Add
        | Binary::Subtract
        | Binary::Multiply
        | Binary::Divide
        | Binary::DivideWhole
        | Binary::Remainder => computed(operation, a, b),
        Binary::And | Binary::Or => unreachable!("both are decided before their sides are known"),
    }
}

fn computed(operation: Binary, a: &Value, b: &Value) -> Result<Value, Failure> {
    let sign = match operation {
        Binary::Subtract => "-",
        Binary::Multiply => "*",
        Binary::Divide | Binary::DivideWhole => "/",
        Binary::Remainder => "%",
        _ => "+",
    };
    if let (Some(a), Some(b)) = (a.as_i64(), b.as_i64()) {
        let whole = match operation {
            Binary::Subtract => Some(a.wrapping_sub(b)),
            Binary::Multiply => Some(a.wrapping_mul(b)),
            Binary::Divide | Binary::DivideWhole => (b != 0).then(|| a.wrapping_div(b)),
            Binary::Remainder => (b != 0).then(|| a.wrapping_rem(b)),
            _ => Some(a.wrapping_add(b)),
        };
        return whole.map(Value::from).ok_or_else(|| Failure {
            error_type: "arithmetic_exception",
            reason: "/ by zero".into(),
        });
    }
    let a = a.as_f64().ok_or_else(|| wrong_type(sign, a))?;
    let b = b.as_f64().ok_or_else(|| wrong_type(sign, b))?;
    let value = match operation {
        Binary::Subtract => a - b,
        Binary::Multiply => a * b,
        Binary::Divide | Binary::DivideWhole => a / b,
        Binary::Remainder => a % b,
        _ => a + b,
    };
    let number = Number::from_f64(value);
    let number = number.ok_or_else(|| illegal(format!("[{value}] is no number of JSON")))?;
    Ok(Value::Number(number))
}

fn equal(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Number(_), Value::Number(_)) => order(a, b) == Some(Ordering::Equal),
        _ => a == b,
    }
}

fn order(a: &Value, b: &Value) -> Option<Ordering> {
    match (a, b) {
        (Value::String(a), Value::String(b)) => Some(a.cmp(b)),
        (Value::Number(x), Value::Number(y)) => match (x.as_i64(), y.as_i64()) {
            (Some(x), Some(y)) => Some(x.cmp(&y)),
            _ => x.as_f64()?.partial_cmp(&y.as_f64()?),
        },
        _ => None,
    }
}

fn printed(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// A static method.
fn of_class(class: &str, name: &str, arguments: &[Value]) -> Result<Value, Failure> {
    let unknown = || illegal(format!("static method [{class}, {name}] not found"));
    let number = |at: usize| {
        let value = arguments.get(at).unwrap_or(&Value::Null);
        value.as_f64().ok_or_else(|| wrong_type(name, value))
    };
    let float = |value: f64| {
        let number = Number::from_f64(value);
        number
            .map(Value::Number)
            .ok_or_else(|| illegal(format!("[{value}] is no number of JSON")))
    };
    match (class, name, arguments) {
        ("String", "valueOf", [value]) => Ok(Value::String(printed(value))),
        ("Integer" | "Long", "parseInt" | "parseLong", [Value::String(text)]) => {
            let number = text.parse::<i64>();
            number
                .map(Value::from)
                .map_err(|_| illegal(format!("For input string: \"{text}\"")))
        }
        ("Double", "parseDouble", [Value::String(text)]) => {
            let number = text.parse::<f64>();
            float(number.map_err(|_| illegal(format!("For input string: \"{text}\"")))?)
        }
        ("Math", "max" | "min", [a, b]) => {
            let ordering = order(a, b).ok_or_else(|| wrong_type(name, a))?;
            let takes_first = (ordering == Ordering::Greater) == (name == "max");
            Ok(if takes_first { a } else { b }.clone())
        }
        ("Math", "abs", [Value::Number(whole)]) if whole.is_i64() => {
            Ok(Value::from(whole.as_i64().map_or(0, i64::wrapping_abs)))
        }
        ("Math", "abs", [_]) => float(number(0)?.abs()),
        ("Math", "floor", [_]) => float(number(0)?.floor()),
        ("Math", "ceil", [_]) => float(number(0)?.ceil()),
        ("Math", "sqrt", [_]) => float(number(0)?.sqrt()),
        ("Math", "pow", [_, _]) => float(number(0)?.powf(number(1)?)),
        _ => Err(unknown()),
    }
}

/// A method that changes the value it is called on.
fn change(place: &mut Value, name: &str, arguments: Vec<Value>) -> Result<Value, Failure> {
    let count = arguments.len();
    let unknown = |value: &Value| wrong_type(&format!("{name}/{count}"), value);
    let mut arguments = arguments.into_iter();
    match (place, name, arguments.next(), arguments.next()) {
        (Value::Object(entries), "put", Some(Value::String(key)), Some(value)) => {
            Ok(entries.insert(key, value).unwrap_or(Value::Null))
        }
        (Value::Object(entries), "remove", Some(Value::String(key)), None) => {
            Ok(entries.shift_remove(&key).unwrap_or(Value::Null))
        }
        (Value::Array(items), "add", Some(value), None) => {
            items.push(value);
            Ok(Value::Bool(true))
        }
        (Value::Array(items), "addAll", Some(Value::Array(more)), None) => {
            items.extend(more);
            Ok(Value::Bool(true))
        }
        (Value::Array(items), "remove", Some(Value::Number(at)), None) => {
            let at = self::place(&at)?;
            match at < items.len() {
                true => Ok(items.remove(at)),
                false => Err(out_of_bounds(at, items.len())),
            }
        }
        (Value::Array(items), "clear", None, None) => {
            items.clear();
            Ok(Value::Null)
        }
        (Value::Object(entries), "clear", None, None) => {
            *entries = Map::new();
            Ok(Value::Null)
        }
        (Value::Null, ..) => Err(null_access(name)),
        (other, ..) => Err(unknown(other)),
    }
}

/// A method that only asks.
fn ask(object: &Value, name: &str, arguments: &[Value]) -> Result<Value, Failure> {
    let size = |count: usize| Value::from(u64::try_from(count).unwrap_or(u64::MAX));
    let value = match (object, name, arguments) {
        (Value::Null, ..) => return Err(null_access(name)),
        (_, "equals", [other]) => Value::Bool(equal(object, other)),
        (_, "toString", []) => Value::String(printed(object)),
        (Value::Object(entries), "containsKey", [Value::String(key)]) => {
            Value::Bool(entries.contains_key(key))
        }
        (Value::Object(entries), "get", [Value::String(key)]) => {
            entries.get(key).cloned().unwrap_or(Value::Null)
        }
        (Value::Object(entries), "getOrDefault", [Value::String(key), default]) => {
            entries.get(key).unwrap_or(default).clone()
        }
        (Value::Object(entries), "size", []) => size(entries.len()),
        (Value::Object(entries), "isEmpty", []) => Value::Bool(entries.is_empty()),
        (Value::Array(items), "contains", [item]) => {
            Value::Bool(items.iter().any(|known| equal(known, item)))
        }
        (Value::Array(items), "indexOf", [item]) => {
            let at = items.iter().position(|known| equal(known, item));
            at.map_or(Value::from(-1), size)
        }
        (Value::Array(items), "get", [Value::Number(at)]) => {
            let at = place(at)?;
            let item = items.get(at).ok_or_else(|| out_of_bounds(at, items.len()));
            item?.clone()
        }
        (Value::Array(items), "size", []) => size(items.len()),
        (Value::Array(items), "isEmpty", []) => Value::Bool(items.is_empty()),
        (Value::String(text), _, _) => return of_text(text, name, arguments),
        (other, ..) => return Err(wrong_type(name, other)),
    };
    Ok(value)
}

fn of_text(text: &str, name: &str, arguments: &[Value]) -> Result<Value, Failure> {
    let units = || text.encode_utf16().count();
    let value = match (name, arguments) {
        ("length", []) => Value::from(u64::try_from(units()).unwrap_or(u64::MAX)),
        ("isEmpty", []) => Value::Bool(text.is_empty()),
        ("toLowerCase", []) => Value::String(text.to_lowercase()),
        ("toUpperCase", []) => Value::String(text.to_uppercase()),
        ("trim", []) => Value::String(text.trim().into()),
        ("contains", [Value::String(part)]) => Value::Bool(text.contains(part.as_str())),
        ("startsWith", [Value::String(part)]) => Value::Bool(text.starts_with(part.as_str())),
        ("endsWith", [Value::String(part)]) => Value::Bool(text.ends_with(part.as_str())),
        ("replace", [Value::String(from), Value::String(to)]) if !from.is_empty() => {
            Value::String(text.replace(from.as_str(), to))
        }
        ("substring", [Value::Number(from)]) => part(text, place(from)?, units())?,
        ("substring", [Value::Number(from), Value::Number(to)]) => {
            part(text, place(from)?, place(to)?)?
        }
        _ => return Err(wrong_type(name, &Value::from(text))),
    };
    Ok(value)
}

/// Places in texts are counted in UTF-16, as Java does.
fn part(text: &str, from: usize, to: usize) -> Result<Value, Failure> {
    let units: Vec<u16> = text.encode_utf16().collect();
    let part = units.get(from..to).ok_or_else(|| Failure {
        error_type: "string_index_out_of_bounds_exception",
        reason: format!("begin {from}, end {to}, length {}", units.len()),
    })?;
    Ok(Value::String(String::from_utf16_lossy(part)))
}
