//! Answers as clients see them.
