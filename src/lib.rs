//! Siltstone as a library: events in, answers out, no port and no runtime.

mod background;
pub mod elastic;
mod error;
pub mod options;

pub use error::{Error, ErrorKind, Result};
pub use options::Options;
