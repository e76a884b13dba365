//! Nodes that ended by themselves.

use std::path::Path;

use partita_nemesis::{Cluster, UnexpectedExit};

/// The number of SIGKILL.
const KILLED: i32 = 9;
/// With less than this on the disk, in bytes, no node can be expected to live.
const FREE_BYTES_MIN: u64 = 1 << 20;
/// How many lines of the log of a node that ended by itself are told.
const LAST_WORDS: usize = 3;

/// Why exits say nothing about the target: the machine failed it.
pub(super) fn machine_failed(cluster: &Cluster, directory: &Path) -> Option<String> {
    let exits = cluster.unexpected_exits();
    let first = exits.first()?;
    if let Some(killed) = exits.iter().find(|exit| exit.exit.signal() == Some(KILLED)) {
        return Some(format!(
            "{} was killed, and not by us: was there too little memory?",
            killed.node
        ));
    }
    let disk = nix::sys::statvfs::statvfs(directory).ok()?;
    let free = disk.blocks_available() * disk.fragment_size();
    (free < FREE_BYTES_MIN).then(|| format!("{} ended, and the disk is full", first.node))
}

/// The exits that nobody caused, in words, with the ends of the logs.
pub(super) fn told(cluster: &Cluster) -> Vec<String> {
    let last_words = |node: &str| {
        let tail = cluster.find(node).map(|node| cluster.log_tail(node, LAST_WORDS));
        let tail = tail.unwrap_or_default();
        tail.lines().map(str::trim).collect::<Vec<_>>().join(" | ")
    };
    let told = cluster.unexpected_exits().into_iter();
    told.map(|exit| format!("{}; its log ends: {}", of(&exit), last_words(&exit.node)))
        .collect()
}

/// Which node ended, and how; and if that was not the program under test, that too.
fn of(exit: &UnexpectedExit) -> String {
    let whose = if exit.is_other {
        ", and it ran the other program (--binary-b)"
    } else {
        ""
    };
    format!("{}: {}{whose}", exit.node, exit.exit)
}
