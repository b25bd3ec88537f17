//! Aggregations in, requests out, in a short notation.
