//! What the log promises, checked.
