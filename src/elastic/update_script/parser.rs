//! Pieces of a script to statements.

use query::pipeline::Binary;

use super::{Access, Expression, Statement};
use crate::elastic::painless::{Pieces, ScriptError, Token};

/// Words before the name of a local value.
const TYPES: &[&str] = &[
    "def", "int", "long", "float", "double", "boolean", "String", "Object", "Map", "List", "var",
];

struct Parser {
    pieces: Pieces,
}

/// Reads `source`.
pub(super) fn parse(source: &str) -> Result<Vec<Statement>, ScriptError> {
    let mut parser = Parser {
        pieces: Pieces::read(source)?,
    };
    let mut statements = Vec::new();
    while parser.pieces.peek().is_some() {
        statements.extend(parser.statement()?);
    }
    Ok(statements)
}

impl Parser {
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

    /// The next statement; `None` for an empty one.
    fn statement(&mut self) -> Result<Option<Statement>, ScriptError> {
        if self.pieces.takes(";") {
            return Ok(None);
        }
        if self.pieces.takes_word("if") {
            return self.deeper(Self::choice).map(Some);
        }
        let statement = if self.pieces.takes_word("return") {
            let has_value = !matches!(self.pieces.peek(), None | Some(Token::Sign(";" | "}")));
            if has_value {
                self.expression()?;
            }
            Statement::Return
        } else if self.starts_declaration() {
            self.pieces.skip(1);
            let name = self.pieces.name()?;
            let value = match self.pieces.takes("=") {
                true => self.expression()?,
                false => Expression::Null,
            };
            Statement::Declare(name, value)
        } else {
            self.change()?
        };
        match self.pieces.peek() {
            None | Some(Token::Sign("}")) => {}
            Some(_) => self.pieces.expect(";")?,
        }
        Ok(Some(statement))
    }

    fn starts_declaration(&self) -> bool {
        let Some(Token::Name(word)) = self.pieces.peek() else {
            return false;
        };
        let behind = self.pieces.peek_beyond(1);
        TYPES.contains(&word.as_str()) && matches!(behind, Some(Token::Name(_)))
    }

    fn choice(&mut self) -> Result<Statement, ScriptError> {
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
            return Ok(self.deeper(Self::statement)?.into_iter().collect());
        }
        let mut statements = Vec::new();
        while !self.pieces.takes("}") {
            if self.pieces.peek().is_none() {
                return Err(self.pieces.wrong());
            }
            statements.extend(self.deeper(Self::statement)?);
        }
        Ok(statements)
    }

    /// `place = value`, `place += value`, `place++`, or a call.
    fn change(&mut self) -> Result<Statement, ScriptError> {
        let before = [("++", Binary::Add), ("--", Binary::Subtract)];
        for (sign, operation) in before {
            if self.pieces.takes(sign) {
                let place = self.postfix()?;
                return Ok(step(place, operation));
            }
        }
        let place = self.expression()?;
        if self.pieces.takes("=") {
            return Ok(Statement::Assign(place, self.expression()?));
        }
        let changes = [
            ("+=", Binary::Add),
            ("-=", Binary::Subtract),
            ("*=", Binary::Multiply),
            ("/=", Binary::Divide),
            ("%=", Binary::Remainder),
        ];
        for (sign, operation) in changes {
            if self.pieces.takes(sign) {
                let value = self.expression()?;
                let value = Expression::Binary(operation, Box::new(place.clone()), Box::new(value));
                return Ok(Statement::Assign(place, value));
            }
        }
        for (sign, operation) in before {
            if self.pieces.takes(sign) {
                return Ok(step(place, operation));
            }
        }
        Ok(Statement::Do(place))
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
            Ok(Expression::Choose(
                Box::new(condition),
                Box::new(then),
                Box::new(otherwise),
            ))
        })
    }

    /// Operators of `level` and those that bind more tightly.
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
        if self.pieces.takes("!") {
            let value = self.deeper(Self::unary)?;
            return Ok(Expression::Not(Box::new(value)));
        }
        if self.pieces.takes("-") {
            let value = self.deeper(Self::unary)?;
            return Ok(Expression::Negate(Box::new(value)));
        }
        self.postfix()
    }

    fn postfix(&mut self) -> Result<Expression, ScriptError> {
        let mut value = self.primary()?;
        loop {
            if self.pieces.takes(".") || self.pieces.takes("?.") {
                let name = self.pieces.name()?;
                let access = match self.pieces.takes("(") {
                    true => Access::Call(name, self.arguments(")")?),
                    false => Access::Member(name),
                };
                value = Expression::Access(Box::new(value), access);
            } else if self.pieces.takes("[") {
                let index = self.expression()?;
                self.pieces.expect("]")?;
                value = Expression::Access(Box::new(value), Access::At(Box::new(index)));
            } else {
                return Ok(value);
            }
        }
    }

    fn arguments(&mut self, end: &str) -> Result<Vec<Expression>, ScriptError> {
        let mut arguments = Vec::new();
        if self.pieces.takes(end) {
            return Ok(arguments);
        }
        loop {
            arguments.push(self.expression()?);
            if self.pieces.takes(end) {
                return Ok(arguments);
            }
            self.pieces.expect(",")?;
        }
    }

    fn primary(&mut self) -> Result<Expression, ScriptError> {
        let Some(token) = self.pieces.peek().cloned() else {
            return Err(self.pieces.wrong());
        };
        match token {
            Token::Whole(number) => {
                self.pieces.skip(1);
                Ok(Expression::Integer(number))
            }
            Token::Number(number) => {
                self.pieces.skip(1);
                Ok(Expression::Float(number))
            }
            Token::Text(text) => {
                self.pieces.skip(1);
                Ok(Expression::Text(text))
            }
            Token::Sign("(") => {
                self.pieces.skip(1);
                let inner = self.expression()?;
                self.pieces.expect(")")?;
                Ok(inner)
            }
            Token::Sign("[") => {
                self.pieces.skip(1);
                Ok(Expression::List(self.arguments("]")?))
            }
            Token::Name(name) => {
                let wrong = self.pieces.wrong();
                self.pieces.skip(1);
                Ok(match name.as_str() {
                    "true" => Expression::Truth(true),
                    "false" => Expression::Truth(false),
                    "null" => Expression::Null,
                    // Loops and objects of one's own are more than documents need.
                    "for" | "while" | "do" | "new" | "try" | "throw" => {
                        return Err(wrong);
                    }
                    _ => Expression::Name(name),
                })
            }
            Token::Sign(_) => Err(self.pieces.wrong()),
        }
    }
}

fn step(place: Expression, operation: Binary) -> Statement {
    let value = Expression::Binary(
        operation,
        Box::new(place.clone()),
        Box::new(Expression::Integer(1)),
    );
    Statement::Assign(place, value)
}
