//! The disks of nodes, as far as they can be made to fail: by a file system of ours, which does all that is told below,
//! or, where none can be mounted, by answers to those who sync, which can make them wait or refuse them.
//!
//! Over a node's data directory lies a file system of ours (FUSE), in our own mount namespace. It passes everything
//! on to the directory beneath, and keeps for each change the way back until the change is durable: until fsync,
//! or until the kernel would have written it back by itself. When the power is cut, the ways back are gone, and
//! what is left is what a disk would have kept.
//!
//! What is durable when (the model; a real kernel may keep more, never less):
//!
//! - fsync and fdatasync of a file: its data and size, and all names, as ext4's journal commits them together;
//! - fsync of a directory: all names;
//! - whatever is older than [`Options::write_back_age`], as the kernel's flusher writes it;
//! - the oldest changes when their ways back need more than [`Options::memory`], as a kernel writes back under
//!   memory pressure.
//!
//! While an fsync is under way the kernel lets nobody write to the same file (`fuse_fsync` holds the lock of the inode).
//! Modes, owners and times are not rolled back. Extended attributes are refused, as on file systems without them.

mod answered;
mod either;
mod gate;
mod inode;
mod inverse;
mod mounted;
mod notice;
mod passthrough;
mod pattern;
mod rollback;
mod rot;
mod table;
mod trouble;
mod undo;
mod volume;

#[cfg(test)]
mod tests;

use std::time::Duration;

pub(crate) use answered::Watch;
pub(crate) use either::{Disk, impossible, means, reach_with};
pub use either::{Reach, obstacle};
pub(crate) use pattern::Pattern;
pub(crate) use rollback::{Extent, Loss};
pub(crate) use rot::{Damage, Kind as DamageKind, damage};
pub(crate) use trouble::{Calls, Hits, Trouble};

/// How a disk forgets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Options {
    /// What is older than this the kernel has written back by itself.
    pub write_back_age: Duration,
    /// How many bytes the ways back may take; beyond that the oldest changes become durable.
    pub memory: usize,
}

impl Default for Options {
    fn default() -> Self {
        Options {
            // What ext4 commits its journal by (ext4(5), `commit`).
            write_back_age: Duration::from_secs(5),
            memory: 64 << 20,
        }
    }
}
