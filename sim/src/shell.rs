//! The phone's shell: a small POSIX-like interpreter with Android's small programs (toybox), good enough for what
//! tools send through `adb shell`. Everything else is handed to [`Device::run`](crate::device::Device::run).
//!
//! `parse`, `compound` and `word` make a tree (`ast`) of the text; `interpret` and `control` run it; `expand` makes
//! argument lists of words, `redirect` opens files, `launch` runs `programs`. Every loop, nesting and buffer has a
//! limit here: what comes over the wire may be hostile, and must end in an error message on the phone, not in the
//! simulator.

mod arithmetic;
mod ast;
mod compound;
mod control;
mod expand;
mod glob;
mod interpret;
mod io;
mod launch;
mod live;
mod parse;
mod programs;
mod redirect;
mod session;
#[cfg(test)]
mod tests;
mod variables;
mod word;

pub use io::{Channel, Chunk, Input};
pub use session::Session;

/// Nested constructs in one text. Parser and interpreter recurse, so this bounds their stack.
const MAX_NESTING: usize = 24;
/// Shells within shells (`sh -c`, `eval`, `xargs` …), for the same reason.
const MAX_SHELLS: usize = 6;
/// Nested lists of commands, through all shells within one another: what the interpreter's stack must bear.
const MAX_DEPTH: usize = 32;
/// Commands and loop turns of one session: ends `while true; do :; done`.
const MAX_STEPS: u32 = 100_000;
/// A text to run, bytes: a whole packet of adb.
const MAX_SCRIPT_BYTES: usize = 1 << 20;
/// What one word may expand to, bytes (Linux' limit of an argument list is of that order).
const MAX_WORD_BYTES: usize = 1 << 20;
/// What a pipe, a command substitution or a program's input may hold, bytes.
const MAX_BUFFER_BYTES: usize = 64 << 20;
