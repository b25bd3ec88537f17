//! A small language of numbers: what scripts over buckets compute.
//!
//! There are no loops, so an expression takes time in proportion to its size; whoever builds one
//! bounds that.

use super::moving::{self, Season};

/// A value made of variables and, in a moving function, of the window's list.
#[derive(Debug, Clone, PartialEq)]
pub enum Expression {
    /// A number.
    Number(f64),
    /// A whole number: two of them divide without a rest.
    Whole(i64),
    /// True or false.
    Flag(bool),
    /// No value.
    Null,
    /// The variable of this number.
    Variable(usize),
    /// The first value of the field of this number; the script fails where there is none.
    Field(usize),
    /// How many values the field of this number has.
    FieldCount(usize),
    /// How many values the window has.
    Length,
    /// The value of the window at this place.
    At(Box<Expression>),
    /// Something done to one value.
    Unary(Unary, Box<Expression>),
    /// Something done to two.
    Binary(Binary, Box<Expression>, Box<Expression>),
    /// The second if the first holds, else the third.
    If(Box<Expression>, Box<Expression>, Box<Expression>),
    /// A local value, and what is computed with it: it is the variable of this number.
    Let(usize, Box<Expression>, Box<Expression>),
    /// A function of numbers.
    Math(MathFunction, Vec<Expression>),
    /// A function of the window.
    Window(Function, Vec<Expression>),
}

/// Something done to one value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unary {
    /// The other sign.
    Minus,
    /// The opposite.
    Not,
}

/// Something done to two values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Binary {
    /// `+`
    Add,
    /// `-`
    Subtract,
    /// `*`
    Multiply,
    /// `/`
    Divide,
    /// `/` of whole numbers: towards zero.
    DivideWhole,
    /// `%`
    Remainder,
    /// `==`
    Equal,
    /// `!=`
    Unequal,
    /// `<`
    Less,
    /// `<=`
    LessOrEqual,
    /// `>`
    Greater,
    /// `>=`
    GreaterOrEqual,
    /// `&&`
    And,
    /// `||`
    Or,
}

/// Functions of numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "they do what they are called")]
pub enum MathFunction {
    Abs,
    Max,
    Min,
    Pow,
    Sqrt,
    Cbrt,
    Log,
    Log10,
    Exp,
    Floor,
    Ceil,
    Round,
    Signum,
    Sin,
    Cos,
    Tan,
    IsNan,
}

/// Functions of a window.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Function {
    /// The largest value.
    Max,
    /// The smallest value.
    Min,
    /// The sum.
    Sum,
    /// The deviation from the mean that is given.
    Deviation,
    /// The mean.
    Mean,
    /// The mean with weights 1, 2, 3 …, divided by one more than their sum.
    LinearMean,
    /// The exponentially weighed mean.
    Exponential,
    /// Level and trend.
    Holt,
    /// Level, trend and season.
    HoltWinters,
}

/// What an expression gives.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Given {
    Number(f64),
    Flag(bool),
    Null,
}

impl Given {
    pub(crate) fn number(self) -> Option<f64> {
        match self {
            Self::Number(number) => Some(number),
            Self::Flag(_) | Self::Null => None,
        }
    }

    pub(crate) fn holds(self) -> bool {
        match self {
            Self::Flag(flag) => flag,
            Self::Number(_) | Self::Null => false,
        }
    }
}

/// What an expression is computed with.
#[derive(Debug, Default)]
pub(crate) struct Scope<'a> {
    /// Variables; `None` is null. Local values are put behind.
    pub(crate) variables: Vec<Option<f64>>,
    pub(super) window: &'a [f64],
    /// How many values each field has.
    pub(crate) counts: Vec<usize>,
    /// A field that was read without a value.
    pub(crate) missed: Option<usize>,
    /// Whether a whole number was divided by zero.
    pub(crate) divided_by_zero: bool,
}

impl Expression {
    /// What it gives in `scope`.
    pub(crate) fn evaluate(&self, scope: &mut Scope<'_>) -> Given {
        match self {
            Self::Number(number) => Given::Number(*number),
            Self::Whole(number) => Given::Number(*number as f64),
            Self::Field(index) => match scope.variables.get(*index).copied().flatten() {
                Some(number) => Given::Number(number),
                None => {
                    scope.missed.get_or_insert(*index);
                    Given::Null
                }
            },
            Self::FieldCount(index) => {
                Given::Number(scope.counts.get(*index).copied().unwrap_or(0) as f64)
            }
            Self::Flag(flag) => Given::Flag(*flag),
            Self::Null => Given::Null,
            Self::Variable(index) => match scope.variables.get(*index).copied().flatten() {
                Some(number) => Given::Number(number),
                None => Given::Null,
            },
            Self::Length => Given::Number(scope.window.len() as f64),
            Self::At(place) => {
                let place = place.evaluate(scope).number().unwrap_or(f64::NAN);
                let found = (place >= 0.0)
                    .then(|| scope.window.get(place as usize))
                    .flatten();
                found.map_or(Given::Number(f64::NAN), |value| Given::Number(*value))
            }
            Self::Unary(Unary::Minus, inner) => {
                let number = inner.evaluate(scope).number();
                Given::Number(-number.unwrap_or(f64::NAN))
            }
            Self::Unary(Unary::Not, inner) => Given::Flag(!inner.evaluate(scope).holds()),
            Self::Binary(Binary::And, left, right) => {
                Given::Flag(left.evaluate(scope).holds() && right.evaluate(scope).holds())
            }
            Self::Binary(Binary::Or, left, right) => {
                Given::Flag(left.evaluate(scope).holds() || right.evaluate(scope).holds())
            }
            Self::Binary(operator, left, right) => {
                let (left, right) = (left.evaluate(scope), right.evaluate(scope));
                if *operator == Binary::DivideWhole && right == Given::Number(0.0) {
                    scope.divided_by_zero = true;
                }
                binary(*operator, left, right)
            }
            Self::If(condition, then, otherwise) => {
                if condition.evaluate(scope).holds() {
                    then.evaluate(scope)
                } else {
                    otherwise.evaluate(scope)
                }
            }
            Self::Let(index, value, body) => {
                let value = value.evaluate(scope).number();
                if scope.variables.len() <= *index {
                    scope.variables.resize(*index + 1, None);
                }
                scope.variables[*index] = value;
                body.evaluate(scope)
            }
            Self::Math(function, arguments) => {
                let arguments = numbers(arguments, scope);
                math(*function, &arguments)
            }
            Self::Window(function, arguments) => {
                let arguments = numbers(arguments, scope);
                Given::Number(window(*function, scope.window, &arguments))
            }
        }
    }
}

fn numbers(arguments: &[Expression], scope: &mut Scope<'_>) -> Vec<f64> {
    arguments
        .iter()
        .map(|argument| match argument.evaluate(scope) {
            Given::Number(number) => number,
            Given::Flag(flag) => f64::from(u8::from(flag)),
            Given::Null => f64::NAN,
        })
        .collect()
}

fn binary(operator: Binary, left: Given, right: Given) -> Given {
    if let Binary::Equal | Binary::Unequal = operator {
        let equal = left == right;
        return Given::Flag(equal == (operator == Binary::Equal));
    }
    let a = left.number().unwrap_or(f64::NAN);
    let b = right.number().unwrap_or(f64::NAN);
    match operator {
        Binary::Add => Given::Number(a + b),
        Binary::Subtract => Given::Number(a - b),
        Binary::Multiply => Given::Number(a * b),
        Binary::Divide => Given::Number(a / b),
        Binary::DivideWhole => Given::Number((a / b).trunc()),
        Binary::Remainder => Given::Number(a % b),
        Binary::Less => Given::Flag(a < b),
        Binary::LessOrEqual => Given::Flag(a <= b),
        Binary::Greater => Given::Flag(a > b),
        Binary::GreaterOrEqual => Given::Flag(a >= b),
        Binary::Equal | Binary::Unequal | Binary::And | Binary::Or => {
            unreachable!("they are computed before")
        }
    }
}

fn math(function: MathFunction, arguments: &[f64]) -> Given {
    let argument = |index: usize| arguments.get(index).copied().unwrap_or(f64::NAN);
    let a = argument(0);
    Given::Number(match function {
        MathFunction::IsNan => return Given::Flag(a.is_nan()),
        MathFunction::Abs => a.abs(),
        MathFunction::Max => java_extreme(a, argument(1), f64::max),
        MathFunction::Min => java_extreme(a, argument(1), f64::min),
        MathFunction::Pow => a.powf(argument(1)),
        MathFunction::Sqrt => a.sqrt(),
        MathFunction::Cbrt => a.cbrt(),
        MathFunction::Log => a.ln(),
        MathFunction::Log10 => a.log10(),
        MathFunction::Exp => a.exp(),
        MathFunction::Floor => a.floor(),
        MathFunction::Ceil => a.ceil(),
        MathFunction::Round => (a + 0.5).floor(),
        MathFunction::Signum => {
            if a == 0.0 {
                a
            } else {
                a.signum()
            }
        }
        MathFunction::Sin => a.sin(),
        MathFunction::Cos => a.cos(),
        MathFunction::Tan => a.tan(),
    })
}

/// Java's extremes are no numbers when one of both is none.
fn java_extreme(a: f64, b: f64, extreme: impl Fn(f64, f64) -> f64) -> f64 {
    if a.is_nan() || b.is_nan() {
        f64::NAN
    } else {
        extreme(a, b)
    }
}

fn window(function: Function, values: &[f64], arguments: &[f64]) -> f64 {
    let argument = |index: usize| arguments.get(index).copied().unwrap_or(f64::NAN);
    match function {
        Function::Max => moving::extreme(values, f64::max),
        Function::Min => moving::extreme(values, f64::min),
        Function::Sum => values.iter().sum(),
        Function::Deviation => moving::deviation(values, argument(0)),
        Function::Mean => moving::mean(values),
        Function::LinearMean => moving::linear_mean(values),
        Function::Exponential => moving::exponential(values, argument(0)),
        Function::Holt => moving::holt(values, argument(0), argument(1)).0,
        Function::HoltWinters => {
            let season = Season {
                // A cast from a float saturates; what is no number is 0 and has no season.
                period: argument(3) as usize,
                multiplicative: argument(4) != 0.0,
            };
            let factors = [argument(0), argument(1), argument(2)];
            moving::holt_winters(values, factors, season, 1)
                .first()
                .copied()
                .unwrap_or(f64::NAN)
        }
    }
}

impl Expression {
    /// The same with whole numbers divided without a rest, as Java does. `are_whole` says which of
    /// its variables are whole numbers.
    #[must_use]
    pub fn with_whole_division(mut self, are_whole: &[bool]) -> Self {
        let mut whole = are_whole.to_vec();
        self.divide_whole(&mut whole);
        self
    }

    /// Says whether it gives whole numbers.
    fn divide_whole(&mut self, whole: &mut Vec<bool>) -> bool {
        match self {
            Self::Number(_) | Self::Flag(_) | Self::Null => false,
            Self::Whole(_) | Self::Length | Self::FieldCount(_) => true,
            Self::Variable(index) | Self::Field(index) => {
                whole.get(*index).copied().unwrap_or(false)
            }
            Self::At(place) => {
                place.divide_whole(whole);
                false
            }
            Self::Unary(Unary::Minus, inner) => inner.divide_whole(whole),
            Self::Unary(Unary::Not, inner) => {
                inner.divide_whole(whole);
                false
            }
            Self::Binary(operator, left, right) => {
                let both = left.divide_whole(whole) & right.divide_whole(whole);
                if both && *operator == Binary::Divide {
                    *operator = Binary::DivideWhole;
                }
                both
            }
            Self::If(condition, then, otherwise) => {
                condition.divide_whole(whole);
                then.divide_whole(whole) & otherwise.divide_whole(whole)
            }
            Self::Let(index, value, body) => {
                let is_whole = value.divide_whole(whole);
                if whole.len() <= *index {
                    whole.resize(*index + 1, false);
                }
                whole[*index] = is_whole;
                body.divide_whole(whole)
            }
            Self::Math(function, arguments) => {
                let mut all = true;
                for argument in arguments {
                    all &= argument.divide_whole(whole);
                }
                match function {
                    MathFunction::Abs | MathFunction::Max | MathFunction::Min => all,
                    MathFunction::Round => true,
                    _fractions => false,
                }
            }
            Self::Window(_, arguments) => {
                for argument in arguments {
                    argument.divide_whole(whole);
                }
                false
            }
        }
    }
}
