//! Texts inside JSON strings, as the common writers escape them.

/// Appends `text` with quotes, backslashes and control characters escaped.
pub(super) fn print_escaped(text: &[u8], out: &mut Vec<u8>) {
    for byte in text {
        print_byte(*byte, out);
    }
}

/// The same with everything beyond ASCII as UTF-16 escapes; `None` when `text` is no UTF-8.
pub(super) fn print_ascii(text: &[u8], out: &mut Vec<u8>) -> Option<()> {
    for character in std::str::from_utf8(text).ok()?.chars() {
        match u8::try_from(character) {
            Ok(byte) if byte.is_ascii() => print_byte(byte, out),
            Ok(_) | Err(_) => {
                let mut units = [0; 2];
                for unit in character.encode_utf16(&mut units) {
                    out.extend_from_slice(format!("\\u{unit:04x}").as_bytes());
                }
            }
        }
    }
    Some(())
}

fn print_byte(byte: u8, out: &mut Vec<u8>) {
    match byte {
        b'"' => out.extend_from_slice(b"\\\""),
        b'\\' => out.extend_from_slice(b"\\\\"),
        b'\n' => out.extend_from_slice(b"\\n"),
        b'\r' => out.extend_from_slice(b"\\r"),
        b'\t' => out.extend_from_slice(b"\\t"),
        0x08 => out.extend_from_slice(b"\\b"),
        0x0c => out.extend_from_slice(b"\\f"),
        0..0x20 => out.extend_from_slice(format!("\\u{byte:04x}").as_bytes()),
        _ => out.push(byte),
    }
}
