//! What a partition log promises, checked.
