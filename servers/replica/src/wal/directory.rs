//! The directory: its lock, its names, and how they become durable.

use std::fs::{self, File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};

/// For how long a process that is just dying may still hold the directory.
const LOCK_PATIENCE: Duration = Duration::from_secs(2);

/// A file that is not whole yet.
const TEMPORARY: &str = "tmp";

/// What is in the directory.
#[derive(Debug, Default)]
pub(super) struct Listing {
    /// The numbers of the segments, in order.
    pub(super) segments: Vec<u64>,
    /// The numbers of the snapshots, in order.
    pub(super) snapshots: Vec<u64>,
    /// What was not finished.
    pub(super) unfinished: Vec<PathBuf>,
}

pub(super) fn segment_path(directory: &Path, number: u64) -> PathBuf {
    directory.join(format!("{number:016}.wal"))
}

pub(super) fn snapshot_path(directory: &Path, number: u64) -> PathBuf {
    directory.join(format!("{number:016}.snapshot"))
}

/// Where a file is made, before it gets this name.
pub(super) fn temporary(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".");
    name.push(TEMPORARY);
    name.into()
}

/// Makes the directory, and those above it that are not there yet, durably.
pub(super) fn make(directory: &Path) -> anyhow::Result<()> {
    let missing: Vec<&Path> = directory
        .ancestors()
        .take_while(|path| !path.as_os_str().is_empty() && !path.exists())
        .collect();
    fs::create_dir_all(directory).with_context(|| format!("failed to make {}", directory.display()))?;
    for made in missing {
        let parent = made.parent().filter(|parent| !parent.as_os_str().is_empty());
        let parent = parent.unwrap_or(Path::new("."));
        sync(parent).with_context(|| format!("failed to sync {}", parent.display()))?;
    }
    Ok(())
}

/// Makes the names in the directory durable.
pub(super) fn sync(directory: &Path) -> io::Result<()> {
    File::open(directory)?.sync_all()
}

pub(super) fn list(directory: &Path) -> anyhow::Result<Listing> {
    let context = || format!("failed to list {}", directory.display());
    let mut listing = Listing::default();
    for entry in fs::read_dir(directory).with_context(context)? {
        let path = entry.with_context(context)?.path();
        let number = || path.file_stem()?.to_str()?.parse::<u64>().ok();
        match (path.extension().and_then(|kind| kind.to_str()), number()) {
            (Some("wal"), Some(number)) => listing.segments.push(number),
            (Some("snapshot"), Some(number)) => listing.snapshots.push(number),
            (Some(TEMPORARY), _) => listing.unfinished.push(path),
            _ => {}
        }
    }
    listing.segments.sort_unstable();
    listing.snapshots.sort_unstable();
    Ok(listing)
}

/// Removes all that a snapshot with this number took the place of. What a crash leaves of it, recovery
/// removes.
pub(super) fn remove_before(directory: &Path, listing: &Listing, number: u64) -> io::Result<()> {
    let before = |numbers: &[u64]| numbers.partition_point(|&its| its < number);
    for &old in &listing.segments[..before(&listing.segments)] {
        fs::remove_file(segment_path(directory, old))?;
    }
    for &old in &listing.snapshots[..before(&listing.snapshots)] {
        fs::remove_file(snapshot_path(directory, old))?;
    }
    Ok(())
}

/// Two processes that append to one log would each undo what the other promised.
pub(super) fn lock(path: &Path) -> anyhow::Result<File> {
    let file = File::create(path).with_context(|| format!("failed to open {}", path.display()))?;
    let deadline = Instant::now() + LOCK_PATIENCE;
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(file),
            Err(TryLockError::WouldBlock) if Instant::now() < deadline => {
                std::thread::sleep(Duration::from_millis(20));
            }
            Err(TryLockError::WouldBlock) => bail!("another process has {}", path.display()),
            Err(TryLockError::Error(error)) => {
                return Err(error).with_context(|| format!("failed to lock {}", path.display()));
            }
        }
    }
}
