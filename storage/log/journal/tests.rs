//! What the journal promises, checked.
