//! Prints are what they say, and every shape comes back from its bytes.

use proptest::prelude::*;

use super::*;
use crate::model::Decimal;

fn check(style: Style, value: ShapeValue<'_>, expected: Option<&str>) {
    let mut out = Vec::new();
    let printed = style.print(value, &mut out);
    let text = printed.map(|()| String::from_utf8(out).expect("text"));
    assert_eq!(text.as_deref(), expected, "{style:?} {value:?}");
}

fn number(mantissa: i64, exponent: i16) -> ShapeValue<'static> {
    ShapeValue::Number(Decimal { mantissa, exponent })
}

#[test]
fn numbers_have_many_forms() {
    check(Style::Plain, number(0, 5), Some("0"));
    check(Style::Plain, number(-150, -1), Some("-15"));
    check(Style::Plain, number(15, 2), Some("1500"));
    check(Style::Plain, number(-15, -4), Some("-0.0015"));
    check(
        Style::Plain,
        number(i64::MIN, 0),
        Some("-9223372036854775808"),
    );
    check(Style::Point, number(15, 0), Some("15.0"));
    check(Style::Point, number(15, -1), Some("1.5"));
    check(Style::Places(2), number(15, -1), Some("1.50"));
    check(Style::Places(2), number(15, 1), Some("150.00"));
    check(Style::Places(0), number(15, 1), Some("150"));
    check(Style::Places(2), number(1234, -3), None);
    let exponent = |mantissa, power, flags: u8, expected: &str| {
        let style = Style::Exponent(ExponentStyle::from_flags(flags));
        check(style, number(mantissa, power), Some(expected));
    };
    exponent(15, -8, 0b1100, "1.5e-07");
    exponent(1, 16, 0b1100, "1e+16");
    exponent(1, 5, 0b0011, "1.0E5");
    exponent(-125, 298, 0, "-1.25e300");
}

#[test]
fn texts_are_escaped_as_writers_do() {
    let text = ShapeValue::Text("a\"\\/\n\u{1}é😀".as_bytes());
    check(Style::Text, text, Some("a\"\\/\n\u{1}é😀"));
    check(Style::Escaped, text, Some(r#"a\"\\/\n\u0001é😀"#));
    check(
        Style::Ascii,
        text,
        Some(r#"a\"\\/\n\u0001\u00e9\ud83d\ude00"#),
    );
    check(Style::Plain, text, None);
    check(Style::Text, number(1, 0), None);
}

#[test]
fn dates_are_printed_and_read() {
    let both = |flags, offset_minutes, ms, text: &str| {
        let style = DateStyle::from_flags(flags, offset_minutes);
        check(Style::Date(style), number(ms, 0), Some(text));
        assert_eq!(style.read(text.as_bytes()), Some(ms));
    };
    both(0b1010, 0, 1_769_904_000_488, "2026-02-01T00:00:00.488");
    both(0b0111, 0, 951_782_400_000, "2000/02/29 00:00:00");
    both(0b0010, 120, -7_200_000, "1970-01-01T00:00:00");
    both(0, 0, -86_400_000, "1969-12-31");
    let day = Style::Date(DateStyle::default());
    check(day, number(1, 0), None);
    check(day, number(i64::MAX, 0), None);
    check(Style::Seconds, number(1_500_000, 0), Some("1500"));
    check(Style::Seconds, number(1_500_001, 0), None);
    for wrong in [
        "2023-02-29",
        "2023-1-01",
        "0999-01-01",
        "2023-01-0x",
        "2023/01/01",
    ] {
        assert_eq!(DateStyle::default().read(wrong.as_bytes()), None);
    }
}

fn styles() -> impl Strategy<Value = Style> {
    prop_oneof![
        Just(Style::Plain),
        Just(Style::Point),
        any::<u8>().prop_map(Style::Places),
        (0..16_u8).prop_map(|flags| Style::Exponent(ExponentStyle::from_flags(flags))),
        Just(Style::Boolean),
        (0..16_u8, any::<i16>())
            .prop_map(|(flags, offset)| Style::Date(DateStyle::from_flags(flags, offset))),
        Just(Style::Seconds),
        Just(Style::Text),
        Just(Style::Escaped),
        Just(Style::Ascii),
    ]
}

proptest! {
    #[test]
    fn shapes_come_back(
        holes in proptest::collection::vec(
            (any::<Vec<u8>>(), proptest::option::of((".{0,9}", any::<u32>(), styles()))), 0..9),
        tail in any::<Vec<u8>>(),
    ) {
        let hole = |hole: Option<(String, u32, Style)>| match hole {
            None => Hole::Own,
            Some((path, index, style)) => Hole::Value { path: path.into(), index, style },
        };
        let holes = holes.into_iter().map(|(before, what)| (before.into(), hole(what)));
        let shape = Shape { holes: holes.collect(), tail: tail.into() };
        let bytes = shape.encode();
        prop_assert_eq!(Shape::decode(&bytes), Ok(shape));
        for end in 0..bytes.len() {
            prop_assert!(Shape::decode(&bytes[..end]).is_err());
        }
    }

    #[test]
    fn any_bytes_are_a_shape_or_an_error(bytes in any::<Vec<u8>>()) {
        if let Ok(shape) = Shape::decode(&bytes) {
            prop_assert_eq!(Shape::decode(&shape.encode()), Ok(shape));
        }
    }

    #[test]
    fn own_bytes_come_back(
        parts in proptest::collection::vec(any::<Vec<u8>>(), 0..5),
        length in 0..300_usize,
    ) {
        let mut own = Vec::new();
        parts.iter().for_each(|part| push_own(part, &mut own));
        push_own(&vec![7; length], &mut own);
        let mut rest = own.as_slice();
        for part in &parts {
            prop_assert_eq!(take_own(&mut rest), Some(part.as_slice()));
        }
        prop_assert_eq!(take_own(&mut rest).map(<[u8]>::len), Some(length));
        prop_assert_eq!(take_own(&mut rest), None);
    }

    #[test]
    fn numbers_read_back(value in any::<f64>(), style in styles()) {
        let Some(decimal) = Decimal::from_f64(value) else { return Ok(()) };
        let is_number = matches!(style,
            Style::Plain | Style::Point | Style::Places(_) | Style::Exponent(_));
        let mut out = Vec::new();
        if is_number && style.print(ShapeValue::Number(decimal), &mut out).is_some() {
            let text = String::from_utf8(out).expect("text");
            prop_assert_eq!(text.parse::<f64>().ok(), Some(decimal.to_f64()));
        }
    }

    #[test]
    fn dates_read_back(
        ms in -60_000_000_000_000_i64..300_000_000_000_000,
        flags in 0..16_u8,
        offset in -900..900_i16,
    ) {
        let style = DateStyle::from_flags(flags, offset);
        let mut out = Vec::new();
        if Style::Date(style).print(ShapeValue::Number(Decimal::from_i64(ms)), &mut out).is_some() {
            prop_assert_eq!(style.read(&out), Some(ms));
        }
    }
}
