//! The `farmhand` program.

use std::process::ExitCode;

/// View trees are many small texts, pictures a few large blocks that come and go: it keeps both at hand, which the
/// system's allocator does not.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    farmhand::cli::run()
}
