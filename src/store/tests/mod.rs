//! How the store behaves.
