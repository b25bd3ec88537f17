//! 16-byte ids as 32 hexadecimal digits, so that catalog values stay readable JSON.

use serde::de::Error;
use serde::{Deserialize, Deserializer, Serializer};

pub(super) fn serialize<S: Serializer>(id: &[u8; 16], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&format!("{:032x}", u128::from_be_bytes(*id)))
}

pub(super) fn deserialize<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<[u8; 16], D::Error> {
    let text = String::deserialize(deserializer)?;
    // `from_str_radix` alone would accept a sign.
    let digits = text.len() == 32 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    match u128::from_str_radix(&text, 16) {
        Ok(value) if digits => Ok(value.to_be_bytes()),
        Ok(_) | Err(_) => Err(D::Error::custom("an id is 32 hexadecimal digits")),
    }
}
