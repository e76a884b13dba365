//! How much memory a process has.

use std::process::Child;

/// A line of what the system says of the process, in MiB; 0 where that can not be known.
pub(crate) fn of(process: &Child, line: &str) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", process.id())).unwrap_or_default();
    let found = status.lines().find_map(|its| its.strip_prefix(line));
    let kibibytes = found.and_then(|found| found.trim().strip_suffix(" kB")?.parse::<u64>().ok());
    kibibytes.unwrap_or(0) / 1024
}
