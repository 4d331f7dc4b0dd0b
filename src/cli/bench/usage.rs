//! What the process has used, as Linux counts it (`proc(5)`).

use std::path::Path;

use super::CliError;

/// Linux shows CPU time in hundredths of a second, whatever the kernel's own tick is (`USER_HZ`).
const TICKS_PER_SECOND: f64 = 100.0;
/// Fields 14 and 15 of `stat` (user and system time), counted from behind the program's name.
const USER_TIME: usize = 11;

/// CPU time of the whole process so far, seconds.
pub fn process_cpu() -> Result<f64, CliError> {
    let path = Path::new("/proc/self/stat");
    let stat = std::fs::read_to_string(path).map_err(|error| unreadable(path, &error))?;
    ticks(&stat)
        .map(|ticks| ticks as f64 / TICKS_PER_SECOND)
        .ok_or_else(|| CliError::Failed(format!("{} is not as proc(5) says", path.display())))
}

/// What of the process is in memory, MiB.
pub fn resident_mib() -> Result<f64, CliError> {
    let path = Path::new("/proc/self/status");
    let status = std::fs::read_to_string(path).map_err(|error| unreadable(path, &error))?;
    resident_kib(&status)
        .map(|kib| kib as f64 / 1024.0)
        .ok_or_else(|| CliError::Failed(format!("{} is not as proc(5) says", path.display())))
}

fn resident_kib(status: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    line.split_whitespace().next()?.parse().ok()
}

/// CPU time of the living threads with this name so far, seconds.
pub fn thread_cpu(name: &str) -> Result<f64, CliError> {
    let path = Path::new("/proc/self/task");
    let threads = std::fs::read_dir(path).map_err(|error| unreadable(path, &error))?;
    let stats = threads
        .flatten()
        .filter_map(|thread| std::fs::read_to_string(thread.path().join("stat")).ok());
    let named = stats.filter(|stat| name_of(stat) == Some(name));
    let sum: u64 = named.filter_map(|stat| ticks(&stat)).sum();
    Ok(sum as f64 / TICKS_PER_SECOND)
}

/// The name may contain anything, also a bracket.
fn name_of(stat: &str) -> Option<&str> {
    let (_, rest) = stat.split_once('(')?;
    rest.rsplit_once(')').map(|(name, _)| name)
}

fn ticks(stat: &str) -> Option<u64> {
    let (_, rest) = stat.rsplit_once(')')?;
    let times: Option<Vec<u64>> = rest
        .split_whitespace()
        .skip(USER_TIME)
        .take(2)
        .map(|field| field.parse().ok())
        .collect();
    times.filter(|times| times.len() == 2).map(|times| times.iter().sum())
}

fn unreadable(path: &Path, error: &std::io::Error) -> CliError {
    CliError::Failed(format!("{}: {error}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_found_behind_a_name_with_brackets() {
        let stat = "42 (a (b) c) S 1 2 3 4 5 6 7 8 9 10 150 25 0 0";
        assert_eq!(name_of(stat), Some("a (b) c"));
        assert_eq!(ticks(stat), Some(175));
        assert_eq!(ticks("42 (x) S 1 2"), None);
    }

    #[test]
    fn the_memory_of_a_process_is_found_among_its_figures() {
        assert_eq!(
            resident_kib("VmHWM:\t  900 kB\nVmRSS:\t   512 kB\nThreads:\t2\n"),
            Some(512)
        );
        assert_eq!(resident_kib("Threads:\t2\n"), None);
        assert!(resident_mib().unwrap() > 1.0);
    }

    #[test]
    fn the_process_has_used_at_least_what_one_of_its_threads_has() {
        let name = std::fs::read_to_string("/proc/thread-self/comm").unwrap();
        let thread = thread_cpu(name.trim()).unwrap();
        assert!(thread <= process_cpu().unwrap() + 0.02);
    }
}
