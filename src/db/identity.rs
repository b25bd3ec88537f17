//! Identities: random.

use crate::error::{Error, ErrorKind, Result};

/// Sixteen random bytes.
pub(super) fn random_uuid() -> Result<[u8; 16]> {
    let mut uuid = [0; 16];
    getrandom::fill(&mut uuid).map_err(|error| {
        let text = format!("the system gives no random bytes: {error}");
        Error::new(ErrorKind::Internal, text)
    })?;
    Ok(uuid)
}
