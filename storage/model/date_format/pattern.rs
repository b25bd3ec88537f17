//! java.time patterns as lists of items.

/// A number in a date, by what it counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NumberField {
    Year,
    WeekYear,
    Quarter,
    Month,
    Week,
    WeekOfMonth,
    Day,
    DayOfYear,
    Weekday,
    /// 0 to 23.
    Hour,
    /// 1 to 24.
    ClockHour,
    /// 1 to 12.
    HalfDayClockHour,
    /// 0 to 11.
    HalfDayHour,
    Minute,
    Second,
}

/// A word in a date.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NameField {
    Month,
    Weekday,
    HalfDay,
    Era,
}

/// How much of a word is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NameWidth {
    Short,
    Full,
}

/// How an offset is printed; reading takes every form.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct OffsetStyle {
    /// What stands for no offset, as `Z`; `None` prints zeros.
    pub(super) zero: Option<&'static str>,
    /// Between hours and minutes.
    pub(super) colon: bool,
    /// Whether minutes are left out when zero.
    pub(super) minutes_optional: bool,
    /// Before the sign, as `GMT`.
    pub(super) prefix: &'static str,
}

/// One element of a pattern.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Item {
    Literal(String),
    Number {
        field: NumberField,
        /// Digits that are printed at least.
        width: usize,
        digits_min: usize,
        digits_max: usize,
        /// Whether a sign may stand before more digits than `digits_min`.
        signed: bool,
        /// Digits of the fixed-width numbers that follow without anything between.
        reserved: usize,
    },
    /// The last two digits of a year from 2000 to 2099.
    YearOfCentury(NumberField),
    /// Digits behind the decimal separator, which itself is a literal.
    Fraction {
        digits_min: usize,
        digits_max: usize,
    },
    Name {
        field: NameField,
        width: NameWidth,
    },
    Offset(OffsetStyle),
    ZoneId,
    ZoneName,
    Optional(Vec<Item>),
}

/// Which letters a pattern may use and how strictly it counts digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Dialect {
    /// java.time letters as users write them.
    Java,
    /// Our table of named formats: also `f`, a fraction of 1 to 9 digits (printed with 3 or
    /// more), `o` and `b`, an offset with and without colon.
    Named,
    /// As `Named`, but numbers may have fewer digits.
    NamedLenient,
}

/// Longest pattern, in bytes.
const PATTERN_BYTES_MAX: usize = 1_024;

/// Most optional sections inside each other.
const NESTING_MAX: usize = 16;

/// Longest year in digits; instants of such years still fit 64 bits of milliseconds.
pub(super) const YEAR_DIGITS_MAX: usize = 9;

/// Compiles `pattern`; the error says what is wrong with it.
pub(super) fn compile(pattern: &str, dialect: Dialect) -> Result<Vec<Item>, String> {
    if pattern.len() > PATTERN_BYTES_MAX {
        return Err(format!("Pattern is longer than {PATTERN_BYTES_MAX} bytes"));
    }
    // One list of items for each section that is open, the whole pattern first.
    let mut open: Vec<Vec<Item>> = vec![Vec::new()];
    let mut rest = pattern;
    while let Some(first) = rest.chars().next() {
        let depth = open.len();
        let items = open.last_mut().expect("the whole pattern is never closed");
        match first {
            '[' if depth > NESTING_MAX => return Err("Pattern nests too deeply".into()),
            '[' => open.push(Vec::new()),
            ']' => {
                let section = open.pop().expect("the whole pattern is never closed");
                let Some(outer) = open.last_mut() else {
                    return Err("Pattern invalid as it contains ] without previous [".into());
                };
                outer.push(Item::Optional(section));
            }
            '\'' => {
                let (text, behind) = quoted(&rest[1..])?;
                push_literal(items, &text);
                rest = behind;
                continue;
            }
            '{' | '}' | '#' => {
                return Err(format!("Pattern includes reserved character: '{first}'"));
            }
            letter if letter.is_ascii_alphabetic() => {
                let count = rest.chars().take_while(|c| *c == letter).count();
                items.push(letter_item(letter, count, dialect)?);
                rest = &rest[count..];
                continue;
            }
            other => push_literal(items, other.encode_utf8(&mut [0; 4])),
        }
        rest = &rest[first.len_utf8()..];
    }
    // A section that is not closed ends with the pattern.
    while open.len() > 1 {
        let section = open.pop().expect("more than one is open");
        open.last_mut()
            .expect("one is left")
            .push(Item::Optional(section));
    }
    let mut items = open.pop().expect("the whole pattern is never closed");
    reserve_digits(&mut items);
    Ok(items)
}

/// Reads up to the closing quote; `''` is a quote itself, also right at the start.
fn quoted(text: &str) -> Result<(String, &str), String> {
    if let Some(behind) = text.strip_prefix('\'') {
        return Ok(("'".into(), behind));
    }
    let mut literal = String::new();
    let mut rest = text;
    loop {
        let Some((inside, behind)) = rest.split_once('\'') else {
            return Err(format!(
                "Pattern ends with an incomplete string literal: '{text}"
            ));
        };
        literal.push_str(inside);
        let Some(behind) = behind.strip_prefix('\'') else {
            return Ok((literal, behind));
        };
        literal.push('\'');
        rest = behind;
    }
}

fn push_literal(items: &mut Vec<Item>, text: &str) {
    if let Some(Item::Literal(last)) = items.last_mut() {
        last.push_str(text);
    } else {
        items.push(Item::Literal(text.into()));
    }
}

fn letter_item(letter: char, count: usize, dialect: Dialect) -> Result<Item, String> {
    let too_many = || Err(format!("Too many pattern letters: {letter}"));
    let item = match letter {
        'y' | 'u' => year(NumberField::Year, count, dialect),
        'Y' => year(NumberField::WeekYear, count, dialect),
        'M' | 'L' | 'Q' | 'q' | 'E' | 'e' | 'c' | 'a' | 'G' => return word(letter, count, dialect),
        'w' if count <= 2 => number(NumberField::Week, count, 2, dialect),
        'W' if count == 1 => number(NumberField::WeekOfMonth, 1, 1, dialect),
        'd' if count <= 2 => number(NumberField::Day, count, 2, dialect),
        'D' if count <= 3 => number(NumberField::DayOfYear, count, 3, dialect),
        'H' if count <= 2 => number(NumberField::Hour, count, 2, dialect),
        'k' if count <= 2 => number(NumberField::ClockHour, count, 2, dialect),
        'h' if count <= 2 => number(NumberField::HalfDayClockHour, count, 2, dialect),
        'K' if count <= 2 => number(NumberField::HalfDayHour, count, 2, dialect),
        'm' if count <= 2 => number(NumberField::Minute, count, 2, dialect),
        's' if count <= 2 => number(NumberField::Second, count, 2, dialect),
        'S' if count <= 9 => Item::Fraction {
            digits_min: count,
            digits_max: count,
        },
        'w' | 'W' | 'd' | 'D' | 'H' | 'k' | 'h' | 'K' | 'm' | 's' | 'S' => return too_many(),
        'X' | 'x' | 'Z' | 'O' => match offset_style(letter, count) {
            Some(style) => Item::Offset(style),
            None => return too_many(),
        },
        'V' if count == 2 => Item::ZoneId,
        'V' => return Err("Pattern letter count must be 2: V".into()),
        'z' | 'v' if count <= 4 => Item::ZoneName,
        'z' | 'v' => return too_many(),
        'f' if dialect != Dialect::Java => Item::Fraction {
            digits_min: 1,
            digits_max: 9,
        },
        'o' if dialect != Dialect::Java => Item::Offset(OffsetStyle {
            zero: Some("Z"),
            ..OFFSET_COLON
        }),
        'b' if dialect != Dialect::Java => Item::Offset(OffsetStyle {
            zero: Some("Z"),
            colon: false,
            ..OFFSET_COLON
        }),
        _ => return Err(format!("Unknown pattern letter: {letter}")),
    };
    Ok(item)
}

/// Letters that are a number when there are one or two of them and a word otherwise.
fn word(letter: char, count: usize, dialect: Dialect) -> Result<Item, String> {
    let name = |field| match count {
        4 => Ok(Item::Name {
            field,
            width: NameWidth::Full,
        }),
        1..=3 => Ok(Item::Name {
            field,
            width: NameWidth::Short,
        }),
        _ => Err(format!("Too many pattern letters: {letter}")),
    };
    match (letter, count) {
        ('M' | 'L', 1 | 2) => Ok(number(NumberField::Month, count, 2, dialect)),
        ('M' | 'L', _) => name(NameField::Month),
        ('Q' | 'q', 1 | 2) => Ok(number(NumberField::Quarter, count, 2, dialect)),
        ('Q' | 'q', _) => Err(format!("Too many pattern letters: {letter}")),
        ('e' | 'c', 1 | 2) => Ok(number(NumberField::Weekday, count, 2, dialect)),
        ('E' | 'e' | 'c', _) => name(NameField::Weekday),
        ('a', 1) => name(NameField::HalfDay),
        ('G', 1..=3) => name(NameField::Era),
        _ => Err(format!("Too many pattern letters: {letter}")),
    }
}

fn year(field: NumberField, count: usize, dialect: Dialect) -> Item {
    if count == 2 && dialect == Dialect::Java {
        return Item::YearOfCentury(field);
    }
    let digits_min = if dialect == Dialect::NamedLenient {
        1
    } else {
        count
    };
    Item::Number {
        field,
        width: count,
        digits_min,
        digits_max: YEAR_DIGITS_MAX.max(digits_min),
        signed: true,
        reserved: 0,
    }
}

/// A single letter takes up to `wide` digits, more letters exactly as many.
fn number(field: NumberField, count: usize, wide: usize, dialect: Dialect) -> Item {
    let digits_max = if count == 1 { wide } else { count.max(wide) };
    let digits_min = if dialect == Dialect::NamedLenient {
        1
    } else {
        count
    };
    Item::Number {
        field,
        width: count,
        digits_min,
        digits_max,
        signed: false,
        reserved: 0,
    }
}

const OFFSET_COLON: OffsetStyle = OffsetStyle {
    zero: None,
    colon: true,
    minutes_optional: false,
    prefix: "",
};

fn offset_style(letter: char, count: usize) -> Option<OffsetStyle> {
    let zero = (letter == 'X').then_some("Z");
    let compact = OffsetStyle {
        zero,
        colon: false,
        ..OFFSET_COLON
    };
    match (letter, count) {
        ('X' | 'x', 1) => Some(OffsetStyle {
            minutes_optional: true,
            ..compact
        }),
        ('X' | 'x', 2 | 4) => Some(compact),
        ('X' | 'x', 3 | 5) => Some(OffsetStyle {
            colon: true,
            ..compact
        }),
        ('Z', 1..=3) => Some(compact),
        ('Z', 4) | ('O', 4) => Some(OffsetStyle {
            zero: Some("GMT"),
            prefix: "GMT",
            ..OFFSET_COLON
        }),
        ('Z', 5) => Some(OffsetStyle {
            zero: Some("Z"),
            ..OFFSET_COLON
        }),
        ('O', 1) => Some(OffsetStyle {
            zero: Some("GMT"),
            prefix: "GMT",
            minutes_optional: true,
            ..OFFSET_COLON
        }),
        _ => None,
    }
}

/// Tells each number of open width how many digits belong to those that follow directly, so that
/// `yyyyMMdd` can be read.
fn reserve_digits(items: &mut [Item]) {
    let mut following = 0;
    for item in items.iter_mut().rev() {
        match item {
            Item::Number {
                digits_min,
                digits_max,
                reserved,
                ..
            } => {
                *reserved = following;
                following = if digits_min == digits_max {
                    following + *digits_min
                } else {
                    0
                };
            }
            Item::Fraction {
                digits_min,
                digits_max,
            } if digits_min == digits_max => {
                following += *digits_min;
            }
            Item::YearOfCentury(_) => following += 2,
            Item::Optional(inner) => {
                reserve_digits(inner);
                following = 0;
            }
            Item::Fraction { .. }
            | Item::Literal(_)
            | Item::Name { .. }
            | Item::Offset(_)
            | Item::ZoneId
            | Item::ZoneName => following = 0,
        }
    }
}
