//! Queries in, filters out, in a short notation.
