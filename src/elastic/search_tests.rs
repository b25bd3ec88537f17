//! Searches in, requests and errors out.
