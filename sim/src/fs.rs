//! A phone's files, in memory.

/// The files of one phone.
#[derive(Debug, Default)]
pub struct Filesystem {}
