//! Whether the process may open the files that a start takes.

use std::{fs::File, io};

use super::StartupError;

/// The database's connections, the lock, the log, the addresses, the runtime and what answers until the server does:
/// measured, with some to spare.
const START: usize = 32;
/// Each of the server's threads has a runtime of its own.
const PER_WORKER: usize = 6;

/// Opens as many files for a moment: some libraries panic where the next one is refused, and a panic names no mend.
///
/// # Errors
/// They are refused; the text names the limit to raise.
pub fn enough(workers: usize) -> Result<(), StartupError> {
    let needed = START + PER_WORKER * workers;
    let opened: io::Result<Vec<File>> = (0..needed).map(|_| File::open("/dev/null")).collect();
    opened
        .map(drop)
        .map_err(|problem| StartupError::Files { needed, problem })
}
