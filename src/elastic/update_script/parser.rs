//! Pieces of a script to statements.

use super::lexer::{Place, Token, tokens};
use super::{Access, Binary, Expression, ScriptError, Statement};

/// Deepest nesting of statements and expressions.
const DEPTH_MAX: usize = 64;

/// Words before the name of a local value.
const TYPES: &[&str] = &[
    "def", "int", "long", "float", "double", "boolean", "String", "Object", "Map", "List", "var",
];

struct Parser<'s> {
    source: &'s str,
    places: Vec<Place>,
    next: usize,
    depth: usize,
}

/// Reads `source`.
pub(super) fn parse(source: &str) -> Result<Vec<Statement>, ScriptError> {
    let mut parser = Parser {
        source,
        places: tokens(source)?,
        next: 0,
        depth: 0,
    };
    let mut statements = Vec::new();
    while parser.peek().is_some() {
        statements.extend(parser.statement()?);
    }
    Ok(statements)
}

impl Parser<'_> {
    fn peek(&self) -> Option<&Token> {
        self.places.get(self.next).map(|place| &place.token)
    }

    fn wrong(&self) -> ScriptError {
        let place = self.places.get(self.next);
        let shown = match place.map(|place| &place.token) {
            None => "<EOF>".to_owned(),
            Some(Token::Integer(number)) => number.to_string(),
            Some(Token::Float(number)) => number.to_string(),
            Some(Token::Name(text) | Token::Text(text)) => text.clone(),
            Some(Token::Sign(sign)) => (*sign).to_owned(),
        };
        ScriptError {
            offset: place.map_or(self.source.len(), |place| place.offset),
            reason: format!("unexpected token ['{shown}']."),
        }
    }

    fn takes(&mut self, sign: &str) -> bool {
        let is_next = matches!(self.peek(), Some(Token::Sign(next)) if *next == sign);
        self.next += usize::from(is_next);
        is_next
    }

    fn takes_word(&mut self, word: &str) -> bool {
        let is_next = matches!(self.peek(), Some(Token::Name(next)) if next == word);
        self.next += usize::from(is_next);
        is_next
    }

    fn expect(&mut self, sign: &str) -> Result<(), ScriptError> {
        match self.takes(sign) {
            true => Ok(()),
            false => Err(self.wrong()),
        }
    }

    fn name(&mut self) -> Result<String, ScriptError> {
        match self.peek() {
            Some(Token::Name(name)) => {
                let name = name.clone();
                self.next += 1;
                Ok(name)
            }
            _ => Err(self.wrong()),
        }
    }

    /// Goes one level deeper for `read`.
    fn deeper<T>(
        &mut self,
        read: impl FnOnce(&mut Self) -> Result<T, ScriptError>,
    ) -> Result<T, ScriptError> {
        if self.depth >= DEPTH_MAX {
            let mut error = self.wrong();
            error.reason = format!("the script is nested deeper than {DEPTH_MAX}");
            return Err(error);
        }
        self.depth += 1;
        let read = read(self);
        self.depth -= 1;
        read
    }

    /// The next statement; `None` for an empty one.
    fn statement(&mut self) -> Result<Option<Statement>, ScriptError> {
        if self.takes(";") {
            return Ok(None);
        }
        if self.takes_word("if") {
            return self.deeper(Self::choice).map(Some);
        }
        let statement = if self.takes_word("return") {
            let has_value = !matches!(self.peek(), None | Some(Token::Sign(";" | "}")));
            if has_value {
                self.expression()?;
            }
            Statement::Return
        } else if self.starts_declaration() {
            self.next += 1;
            let name = self.name()?;
            let value = match self.takes("=") {
                true => self.expression()?,
                false => Expression::Null,
            };
            Statement::Declare(name, value)
        } else {
            self.change()?
        };
        match self.peek() {
            None | Some(Token::Sign("}")) => {}
            Some(_) => self.expect(";")?,
        }
        Ok(Some(statement))
    }

    fn starts_declaration(&self) -> bool {
        let Some(Token::Name(word)) = self.peek() else {
            return false;
        };
        let behind = self.places.get(self.next + 1).map(|place| &place.token);
        TYPES.contains(&word.as_str()) && matches!(behind, Some(Token::Name(_)))
    }

    fn choice(&mut self) -> Result<Statement, ScriptError> {
        self.expect("(")?;
        let condition = self.expression()?;
        self.expect(")")?;
        let then = self.block()?;
        let otherwise = match self.takes_word("else") {
            true => self.block()?,
            false => Vec::new(),
        };
        Ok(Statement::If(condition, then, otherwise))
    }

    fn block(&mut self) -> Result<Vec<Statement>, ScriptError> {
        if !self.takes("{") {
            return Ok(self.deeper(Self::statement)?.into_iter().collect());
        }
        let mut statements = Vec::new();
        while !self.takes("}") {
            if self.peek().is_none() {
                return Err(self.wrong());
            }
            statements.extend(self.deeper(Self::statement)?);
        }
        Ok(statements)
    }

    /// `place = value`, `place += value`, `place++`, or a call.
    fn change(&mut self) -> Result<Statement, ScriptError> {
        let before = [("++", Binary::Add), ("--", Binary::Subtract)];
        for (sign, operation) in before {
            if self.takes(sign) {
                let place = self.postfix()?;
                return Ok(step(place, operation));
            }
        }
        let place = self.expression()?;
        if self.takes("=") {
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
            if self.takes(sign) {
                let value = self.expression()?;
                let value = Expression::Binary(operation, Box::new(place.clone()), Box::new(value));
                return Ok(Statement::Assign(place, value));
            }
        }
        for (sign, operation) in before {
            if self.takes(sign) {
                return Ok(step(place, operation));
            }
        }
        Ok(Statement::Do(place))
    }

    fn expression(&mut self) -> Result<Expression, ScriptError> {
        self.deeper(|parser| {
            let condition = parser.binary(0)?;
            if !parser.takes("?") {
                return Ok(condition);
            }
            let then = parser.expression()?;
            parser.expect(":")?;
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
        const LEVELS: &[&[(&str, Binary)]] = &[
            &[("||", Binary::Or)],
            &[("&&", Binary::And)],
            &[
                ("===", Binary::Equal),
                ("!==", Binary::Unequal),
                ("==", Binary::Equal),
                ("!=", Binary::Unequal),
            ],
            &[
                ("<=", Binary::LessOrEqual),
                (">=", Binary::GreaterOrEqual),
                ("<", Binary::Less),
                (">", Binary::Greater),
            ],
            &[("+", Binary::Add), ("-", Binary::Subtract)],
            &[
                ("*", Binary::Multiply),
                ("/", Binary::Divide),
                ("%", Binary::Remainder),
            ],
        ];
        let Some(operators) = LEVELS.get(level) else {
            return self.unary();
        };
        let mut left = self.binary(level + 1)?;
        loop {
            let found = operators.iter().find(|(sign, _)| self.takes(sign));
            let Some((_, operation)) = found else {
                return Ok(left);
            };
            let right = self.binary(level + 1)?;
            left = Expression::Binary(*operation, Box::new(left), Box::new(right));
        }
    }

    fn unary(&mut self) -> Result<Expression, ScriptError> {
        if self.takes("!") {
            let value = self.deeper(Self::unary)?;
            return Ok(Expression::Not(Box::new(value)));
        }
        if self.takes("-") {
            let value = self.deeper(Self::unary)?;
            return Ok(Expression::Negate(Box::new(value)));
        }
        self.postfix()
    }

    fn postfix(&mut self) -> Result<Expression, ScriptError> {
        let mut value = self.primary()?;
        loop {
            if self.takes(".") || self.takes("?.") {
                let name = self.name()?;
                let access = match self.takes("(") {
                    true => Access::Call(name, self.arguments(")")?),
                    false => Access::Member(name),
                };
                value = Expression::Access(Box::new(value), access);
            } else if self.takes("[") {
                let index = self.expression()?;
                self.expect("]")?;
                value = Expression::Access(Box::new(value), Access::At(Box::new(index)));
            } else {
                return Ok(value);
            }
        }
    }

    fn arguments(&mut self, end: &str) -> Result<Vec<Expression>, ScriptError> {
        let mut arguments = Vec::new();
        if self.takes(end) {
            return Ok(arguments);
        }
        loop {
            arguments.push(self.expression()?);
            if self.takes(end) {
                return Ok(arguments);
            }
            self.expect(",")?;
        }
    }

    fn primary(&mut self) -> Result<Expression, ScriptError> {
        let Some(token) = self.peek().cloned() else {
            return Err(self.wrong());
        };
        match token {
            Token::Integer(number) => {
                self.next += 1;
                Ok(Expression::Integer(number))
            }
            Token::Float(number) => {
                self.next += 1;
                Ok(Expression::Float(number))
            }
            Token::Text(text) => {
                self.next += 1;
                Ok(Expression::Text(text))
            }
            Token::Sign("(") => {
                self.next += 1;
                let inner = self.expression()?;
                self.expect(")")?;
                Ok(inner)
            }
            Token::Sign("[") => {
                self.next += 1;
                Ok(Expression::List(self.arguments("]")?))
            }
            Token::Name(name) => {
                self.next += 1;
                Ok(match name.as_str() {
                    "true" => Expression::Truth(true),
                    "false" => Expression::Truth(false),
                    "null" => Expression::Null,
                    // Loops and objects of one's own are more than documents need.
                    "for" | "while" | "do" | "new" | "try" | "throw" => {
                        self.next -= 1;
                        return Err(self.wrong());
                    }
                    _ => Expression::Name(name),
                })
            }
            Token::Sign(_) => Err(self.wrong()),
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
