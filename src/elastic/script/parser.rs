//! Pieces of a script to an expression.

use query::pipeline::{Binary, Expression, Function, MathFunction, Unary};

use super::{Script, ScriptKind};
use crate::elastic::painless::{Pieces, ScriptError, Token};

/// Most pieces of an expression: what follows an `if` stands in both of its ways.
const NODES_MAX: usize = 10_000;

/// One statement of a script.
#[derive(Debug, Clone)]
enum Statement {
    Return(Expression),
    If(Expression, Vec<Statement>, Vec<Statement>),
    Let(usize, Expression),
    Value(Expression),
}

struct Parser<'s> {
    script: &'s Script,
    kind: ScriptKind,
    /// Variables, local values behind those that are given.
    names: Vec<String>,
    pieces: Pieces,
}

/// Reads `script`.
pub(super) fn parse(
    script: &Script,
    kind: ScriptKind,
    names: &[String],
) -> Result<Expression, ScriptError> {
    let mut parser = Parser {
        script,
        kind,
        names: names.to_vec(),
        pieces: Pieces::read(&script.source)?,
    };
    let mut statements = Vec::new();
    while parser.pieces.peek().is_some() {
        statements.push(parser.statement()?);
    }
    let mut nodes = 0;
    joined(&statements, &[], &mut nodes).ok_or_else(|| ScriptError {
        offset: 0,
        reason: "the script has too many ways".into(),
    })
}

/// What the statements give, `rest` behind them; `None` when that is too large.
fn joined(
    statements: &[Statement],
    rest: &[&[Statement]],
    nodes: &mut usize,
) -> Option<Expression> {
    *nodes += 1;
    if *nodes > NODES_MAX {
        return None;
    }
    let Some((first, behind)) = statements.split_first() else {
        return match rest.split_last() {
            Some((statements, rest)) => joined(statements, rest, nodes),
            None => Some(Expression::Null),
        };
    };
    let is_last = behind.is_empty() && rest.is_empty();
    Some(match first {
        Statement::Return(value) => value.clone(),
        Statement::Value(value) if is_last => value.clone(),
        Statement::Value(_) => joined(behind, rest, nodes)?,
        Statement::Let(index, value) => {
            let body = joined(behind, rest, nodes)?;
            Expression::Let(*index, Box::new(value.clone()), Box::new(body))
        }
        Statement::If(condition, then, otherwise) => {
            let rest = [rest, &[behind]].concat();
            Expression::If(
                Box::new(condition.clone()),
                Box::new(joined(then, &rest, nodes)?),
                Box::new(joined(otherwise, &rest, nodes)?),
            )
        }
    })
}

impl Parser<'_> {
    fn unknown(offset: usize, name: &str) -> ScriptError {
        ScriptError {
            offset,
            reason: format!("cannot resolve symbol [{name}]"),
        }
    }

    /// Goes one level deeper for `read`.
    fn deeper<T>(
        &mut self,
        read: impl FnOnce(&mut Self) -> Result<T, ScriptError>,
    ) -> Result<T, ScriptError> {
        self.pieces.sink()?;
        let read = read(self);
        self.pieces.rise();
        read
    }

    fn statement(&mut self) -> Result<Statement, ScriptError> {
        if self.pieces.takes_word("return") {
            let value = self.expression()?;
            self.pieces.takes(";");
            return Ok(Statement::Return(value));
        }
        if self.pieces.takes_word("if") {
            return self.deeper(Self::condition);
        }
        let is_declared = matches!(
            (self.pieces.peek(), self.pieces.peek_beyond(1)),
            (Some(Token::Name(kind)), Some(Token::Name(_)))
                if matches!(kind.as_str(), "def" | "double" | "float" | "int" | "long" | "boolean")
        );
        let is_assigned = matches!(self.pieces.peek_beyond(1), Some(Token::Sign("=")));
        if is_declared || is_assigned {
            self.pieces.skip(usize::from(is_declared));
            let name = self.pieces.name()?;
            self.pieces.expect("=")?;
            let value = self.expression()?;
            self.pieces.takes(";");
            let known = self.names.iter().position(|own| *own == name);
            let index = known.unwrap_or_else(|| {
                self.names.push(name);
                self.names.len() - 1
            });
            return Ok(Statement::Let(index, value));
        }
        let value = self.expression()?;
        if !self.pieces.takes(";") && self.pieces.peek().is_some() && !self.is_at_block_end() {
            return Err(self.pieces.wrong());
        }
        Ok(Statement::Value(value))
    }

    fn is_at_block_end(&self) -> bool {
        matches!(self.pieces.peek(), Some(Token::Sign("}")))
    }

    fn condition(&mut self) -> Result<Statement, ScriptError> {
        self.pieces.expect("(")?;
        let condition = self.expression()?;
        self.pieces.expect(")")?;
        let then = self.block()?;
        let otherwise = match self.pieces.takes_word("else") {
            true => self.block()?,
            false => Vec::new(),
        };
        Ok(Statement::If(condition, then, otherwise))
    }

    fn block(&mut self) -> Result<Vec<Statement>, ScriptError> {
        if !self.pieces.takes("{") {
            return Ok(vec![self.deeper(Self::statement)?]);
        }
        let mut statements = Vec::new();
        while !self.pieces.takes("}") {
            if self.pieces.peek().is_none() {
                return Err(self.pieces.wrong());
            }
            statements.push(self.deeper(Self::statement)?);
        }
        Ok(statements)
    }

    fn expression(&mut self) -> Result<Expression, ScriptError> {
        self.deeper(|parser| {
            let condition = parser.binary(0)?;
            if !parser.pieces.takes("?") {
                return Ok(condition);
            }
            let then = parser.expression()?;
            parser.pieces.expect(":")?;
            let otherwise = parser.expression()?;
            Ok(Expression::If(
                Box::new(condition),
                Box::new(then),
                Box::new(otherwise),
            ))
        })
    }

    /// Operators of `level` and those that bind closer.
    fn binary(&mut self, level: usize) -> Result<Expression, ScriptError> {
        if !Pieces::has_operators(level) {
            return self.unary();
        }
        let mut left = self.binary(level + 1)?;
        while let Some(operator) = self.pieces.operator(level) {
            let right = self.binary(level + 1)?;
            left = Expression::Binary(operator, Box::new(left), Box::new(right));
        }
        Ok(left)
    }

    fn unary(&mut self) -> Result<Expression, ScriptError> {
        if self.pieces.takes("-") {
            let inner = self.deeper(Self::unary)?;
            return Ok(Expression::Unary(Unary::Minus, Box::new(inner)));
        }
        if self.pieces.takes("!") {
            let inner = self.deeper(Self::unary)?;
            return Ok(Expression::Unary(Unary::Not, Box::new(inner)));
        }
        if self.pieces.takes("+") {
            return self.deeper(Self::unary);
        }
        self.primary()
    }

    fn primary(&mut self) -> Result<Expression, ScriptError> {
        let offset = self.pieces.offset();
        match self.pieces.peek().cloned() {
            Some(Token::Number(number)) => {
                self.pieces.skip(1);
                Ok(Expression::Number(number))
            }
            Some(Token::Whole(number)) => {
                self.pieces.skip(1);
                Ok(Expression::Whole(number))
            }
            Some(Token::Sign("(")) => {
                self.pieces.skip(1);
                if self.is_cast() {
                    self.pieces.skip(2);
                    return self.deeper(Self::unary);
                }
                let inner = self.expression()?;
                self.pieces.expect(")")?;
                Ok(inner)
            }
            Some(Token::Name(name)) => {
                self.pieces.skip(1);
                self.named(&name, offset)
            }
            _ => Err(self.pieces.wrong()),
        }
    }

    /// Whether `double)` or the like follows.
    fn is_cast(&self) -> bool {
        let is_type = matches!(self.pieces.peek(), Some(Token::Name(name))
            if matches!(name.as_str(), "double" | "float" | "def"));
        is_type && self.pieces.peek_beyond(1) == Some(&Token::Sign(")"))
    }

    fn named(&mut self, name: &str, offset: usize) -> Result<Expression, ScriptError> {
        match name {
            "true" => return Ok(Expression::Flag(true)),
            "false" => return Ok(Expression::Flag(false)),
            "null" => return Ok(Expression::Null),
            "params" => return self.parameter(),
            "Math" => return self.math(),
            "doc" if self.kind == ScriptKind::Row => return self.document(),
            "Double" => return self.constant(),
            "values" if self.kind == ScriptKind::Moving => return self.window(),
            "MovingFunctions" if self.kind == ScriptKind::Moving => return self.moving(),
            _variable => {}
        }
        match self.names.iter().position(|own| own == name) {
            Some(index) => Ok(Expression::Variable(index)),
            None => Err(Self::unknown(offset, name)),
        }
    }

    /// `params.name` or `params['name']`; what nobody gave is null.
    fn parameter(&mut self) -> Result<Expression, ScriptError> {
        let name = if self.pieces.takes("[") {
            let name = match self.pieces.peek() {
                Some(Token::Text(name)) => name.clone(),
                _ => return Err(self.pieces.wrong()),
            };
            self.pieces.skip(1);
            self.pieces.expect("]")?;
            name
        } else {
            self.pieces.expect(".")?;
            self.pieces.name()?
        };
        if let Some(index) = self.names.iter().position(|own| *own == name) {
            return Ok(Expression::Variable(index));
        }
        Ok(match self.script.params.get(&name) {
            None => Expression::Null,
            Some(number) => match number.as_i64() {
                Some(whole) => Expression::Whole(whole),
                None => Expression::Number(number.as_f64().unwrap_or(f64::NAN)),
            },
        })
    }

    /// `doc['field'].value`, `.size()`, `.empty`, and `doc.containsKey('field')`.
    fn document(&mut self) -> Result<Expression, ScriptError> {
        if self.pieces.takes(".") {
            let offset = self.pieces.offset();
            let name = self.pieces.name()?;
            if name != "containsKey" {
                return Err(Self::unknown(offset, &name));
            }
            self.pieces.expect("(")?;
            let index = self.field()?;
            self.pieces.expect(")")?;
            return Ok(Expression::Flag(self.script.has_field(&self.names[index])));
        }
        self.pieces.expect("[")?;
        let index = self.field()?;
        self.pieces.expect("]")?;
        self.pieces.expect(".")?;
        let offset = self.pieces.offset();
        let name = self.pieces.name()?;
        let count = Expression::FieldCount(index);
        let is_empty = |count| {
            let zero = Box::new(Expression::Whole(0));
            Expression::Binary(Binary::Equal, Box::new(count), zero)
        };
        match name.as_str() {
            "value" => Ok(Expression::Field(index)),
            "length" => Ok(count),
            "empty" => Ok(is_empty(count)),
            "size" | "isEmpty" | "getValue" | "getLength" => {
                self.pieces.expect("(")?;
                self.pieces.expect(")")?;
                Ok(match name.as_str() {
                    "isEmpty" => is_empty(count),
                    "getValue" => Expression::Field(index),
                    _size => count,
                })
            }
            unknown => Err(Self::unknown(offset, unknown)),
        }
    }

    /// A field's name in quotes; all of them are variables.
    fn field(&mut self) -> Result<usize, ScriptError> {
        let Some(Token::Text(path)) = self.pieces.peek() else {
            return Err(self.pieces.wrong());
        };
        let name = super::variable_of(path);
        let Some(index) = self.names.iter().position(|own| *own == name) else {
            return Err(self.pieces.wrong());
        };
        self.pieces.skip(1);
        Ok(index)
    }

    fn arguments(&mut self) -> Result<Vec<Expression>, ScriptError> {
        self.pieces.expect("(")?;
        let mut arguments = Vec::new();
        while !self.pieces.takes(")") {
            if !arguments.is_empty() {
                self.pieces.expect(",")?;
            }
            arguments.push(self.expression()?);
        }
        Ok(arguments)
    }

    fn math(&mut self) -> Result<Expression, ScriptError> {
        self.pieces.expect(".")?;
        let offset = self.pieces.offset();
        let name = self.pieces.name()?;
        match name.as_str() {
            "PI" => return Ok(Expression::Number(std::f64::consts::PI)),
            "E" => return Ok(Expression::Number(std::f64::consts::E)),
            _function => {}
        }
        let Some((_, function, count)) = MATH.iter().find(|(own, ..)| *own == name) else {
            return Err(Self::unknown(offset, &name));
        };
        let arguments = self.arguments()?;
        if arguments.len() != *count {
            return Err(ScriptError {
                offset,
                reason: format!("method [Math, {name}/{}] not found", arguments.len()),
            });
        }
        Ok(Expression::Math(*function, arguments))
    }

    fn constant(&mut self) -> Result<Expression, ScriptError> {
        self.pieces.expect(".")?;
        let offset = self.pieces.offset();
        let name = self.pieces.name()?;
        Ok(Expression::Number(match name.as_str() {
            "NaN" => f64::NAN,
            "POSITIVE_INFINITY" => f64::INFINITY,
            "NEGATIVE_INFINITY" => f64::NEG_INFINITY,
            "MAX_VALUE" => f64::MAX,
            "MIN_VALUE" => f64::from_bits(1),
            "isNaN" => {
                let arguments = self.arguments()?;
                return Ok(Expression::Math(MathFunction::IsNan, arguments));
            }
            unknown => return Err(Self::unknown(offset, unknown)),
        }))
    }

    fn window(&mut self) -> Result<Expression, ScriptError> {
        if self.pieces.takes("[") {
            let place = self.expression()?;
            self.pieces.expect("]")?;
            return Ok(Expression::At(Box::new(place)));
        }
        self.pieces.expect(".")?;
        let offset = self.pieces.offset();
        match self.pieces.name()?.as_str() {
            "length" => Ok(Expression::Length),
            unknown => Err(Self::unknown(offset, unknown)),
        }
    }

    /// `MovingFunctions.name(values, ..)`.
    fn moving(&mut self) -> Result<Expression, ScriptError> {
        self.pieces.expect(".")?;
        let offset = self.pieces.offset();
        let name = self.pieces.name()?;
        let Some((_, function, count)) = MOVING.iter().find(|(own, ..)| *own == name) else {
            return Err(Self::unknown(offset, &name));
        };
        self.pieces.expect("(")?;
        if !self.pieces.takes_word("values") {
            return Err(self.pieces.wrong());
        }
        let mut arguments = Vec::new();
        while !self.pieces.takes(")") {
            self.pieces.expect(",")?;
            arguments.push(self.expression()?);
        }
        if arguments.len() != *count {
            return Err(ScriptError {
                offset,
                reason: format!(
                    "method [MovingFunctions, {name}/{}] not found",
                    arguments.len() + 1
                ),
            });
        }
        Ok(Expression::Window(*function, arguments))
    }
}

/// Functions of `Math` with the number of their arguments.
const MATH: &[(&str, MathFunction, usize)] = &[
    ("abs", MathFunction::Abs, 1),
    ("max", MathFunction::Max, 2),
    ("min", MathFunction::Min, 2),
    ("pow", MathFunction::Pow, 2),
    ("sqrt", MathFunction::Sqrt, 1),
    ("cbrt", MathFunction::Cbrt, 1),
    ("log", MathFunction::Log, 1),
    ("log10", MathFunction::Log10, 1),
    ("exp", MathFunction::Exp, 1),
    ("floor", MathFunction::Floor, 1),
    ("ceil", MathFunction::Ceil, 1),
    ("round", MathFunction::Round, 1),
    ("signum", MathFunction::Signum, 1),
    ("sin", MathFunction::Sin, 1),
    ("cos", MathFunction::Cos, 1),
    ("tan", MathFunction::Tan, 1),
];

/// Functions of a window with the number of their arguments besides it.
const MOVING: &[(&str, Function, usize)] = &[
    ("max", Function::Max, 0),
    ("min", Function::Min, 0),
    ("sum", Function::Sum, 0),
    ("stdDev", Function::Deviation, 1),
    ("unweightedAvg", Function::Mean, 0),
    ("linearWeightedAvg", Function::LinearMean, 0),
    ("ewma", Function::Exponential, 1),
    ("holt", Function::Holt, 2),
    ("holtWinters", Function::HoltWinters, 5),
];
