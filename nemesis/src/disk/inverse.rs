//! Ways back: how a change of data or of names is undone.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;
use std::sync::Arc;

use nix::errno::Errno;
use nix::fcntl::{RenameFlags, renameat, renameat2};
use nix::unistd::{UnlinkatFlags, Whence, lseek, unlinkat};

use super::inode::Inode;

/// The unit in which disks write: a write that the power cut short keeps whole sectors.
pub(super) const SECTOR: u64 = 512;

/// How data and size of a file were.
#[derive(Debug)]
pub(super) struct OldData {
    pub(super) file: Arc<Inode>,
    /// What was changed: from here ...
    pub(super) start: u64,
    /// ... to here, and nothing beyond but the size.
    pub(super) end: u64,
    pub(super) old_size: u64,
    /// What was there and was not zero.
    pub(super) old: Vec<(u64, Vec<u8>)>,
    /// Whether bytes were written, which a disk may have kept in part.
    pub(super) is_write: bool,
}

impl OldData {
    /// To be called before the change of `start..end`.
    pub(super) fn read(file: &Arc<Inode>, start: u64, end: u64, is_write: bool) -> io::Result<OldData> {
        let data = file.data()?;
        let old_size = file.metadata()?.len();
        Ok(OldData {
            file: Arc::clone(file),
            start,
            end,
            old_size,
            old: pieces(data, start, end.min(old_size))?,
            is_write,
        })
    }

    /// What the way back takes in memory, in bytes.
    pub(super) fn bytes(&self) -> usize {
        128 + self.old.iter().map(|(_, bytes)| bytes.len()).sum::<usize>()
    }

    pub(super) fn undo(&self) -> io::Result<()> {
        self.undo_from(self.start)
    }

    /// Undoes all but the first `start..from` of a write.
    pub(super) fn undo_from(&self, from: u64) -> io::Result<()> {
        let data = self.file.data()?;
        let size = if from > self.start {
            self.old_size.max(from)
        } else {
            self.old_size
        };
        // What lies beyond the present end is zeros once the file has grown.
        let present = data.metadata()?.len();
        let end = self.end.min(self.old_size);
        let mut at = from;
        while at < end.min(present) {
            let part = (end.min(present) - at).min(PART);
            let mut bytes = vec![0; part as usize];
            for (start, old) in &self.old {
                copy_overlap(&mut bytes, at, old, *start);
            }
            data.write_all_at(&bytes, at)?;
            at += part;
        }
        for (start, old) in &self.old {
            let skipped = at.saturating_sub(*start).min(old.len() as u64);
            data.write_all_at(&old[skipped as usize..], start + skipped)?;
        }
        data.set_len(size)
    }

    /// Where a write may be torn: at a sector, after its first byte and before its last.
    pub(super) fn tears(&self) -> Vec<u64> {
        let first = (self.start / SECTOR + 1) * SECTOR;
        (first..self.end).step_by(SECTOR as usize).collect()
    }
}

/// How much is written at a time.
const PART: u64 = 1 << 20;

fn copy_overlap(into: &mut [u8], into_at: u64, from: &[u8], from_at: u64) {
    let start = into_at.max(from_at);
    let end = (into_at + into.len() as u64).min(from_at + from.len() as u64);
    if start < end {
        let length = (end - start) as usize;
        let (to, of) = ((start - into_at) as usize, (start - from_at) as usize);
        into[to..to + length].copy_from_slice(&from[of..of + length]);
    }
}

/// What is in `start..end` and neither a hole nor zeros.
pub(super) fn pieces(file: &File, start: u64, end: u64) -> io::Result<Vec<(u64, Vec<u8>)>> {
    let mut found = Vec::new();
    let mut at = start;
    while at < end {
        let data = match lseek(file, at.cast_signed(), Whence::SeekData) {
            Ok(data) => data.cast_unsigned(),
            Err(Errno::ENXIO) => break,
            // Not every file system can tell.
            Err(Errno::EINVAL) => at,
            Err(error) => return Err(error.into()),
        };
        if data >= end {
            break;
        }
        let hole = lseek(file, data.cast_signed(), Whence::SeekHole).map_or(end, i64::cast_unsigned);
        let stop = hole.min(end).min(data + PART);
        let mut bytes = vec![0; (stop - data) as usize];
        let length = read_up_to(file, &mut bytes, data)?;
        bytes.truncate(length);
        if bytes.iter().any(|&byte| byte != 0) {
            found.push((data, bytes));
        }
        at = stop;
    }
    Ok(found)
}

/// Reads until the end of the buffer or of the file.
pub(super) fn read_up_to(file: &File, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
    let mut length = 0;
    while length < buffer.len() {
        match file.read_at(&mut buffer[length..], offset + length as u64) {
            Ok(0) => break,
            Ok(more) => length += more,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(length)
}

/// A name in a directory.
#[derive(Clone, Debug)]
pub(super) struct Place {
    pub(super) directory: Arc<Inode>,
    pub(super) name: OsString,
}

impl Place {
    pub(super) fn new(directory: &Arc<Inode>, name: &OsStr) -> Place {
        Place {
            directory: Arc::clone(directory),
            name: name.to_owned(),
        }
    }

    pub(super) fn rename(&self, to: &Place) -> io::Result<()> {
        Ok(renameat(
            &self.directory,
            self.name.as_os_str(),
            &to.directory,
            to.name.as_os_str(),
        )?)
    }

    pub(super) fn remove(&self, flag: UnlinkatFlags) -> io::Result<()> {
        Ok(unlinkat(&self.directory, self.name.as_os_str(), flag)?)
    }
}

/// What has lost its name, kept under another where nobody looks.
#[derive(Debug)]
pub(super) struct Kept {
    pub(super) place: Place,
    pub(super) is_directory: bool,
}

/// How names were.
#[derive(Debug)]
pub(super) enum OldName {
    /// Nothing bore it.
    Free(Place),
    /// No directory bore it.
    FreeOfDirectory(Place),
    /// This bore it.
    Borne(Place, Kept),
    /// It was called the first, and the second was free, or borne by what is kept.
    Renamed(Place, Place, Option<Kept>),
    /// Each was called as the other is.
    Exchanged(Place, Place),
}

impl OldName {
    pub(super) fn undo(self) -> io::Result<()> {
        match self {
            OldName::Free(place) => place.remove(UnlinkatFlags::NoRemoveDir),
            OldName::FreeOfDirectory(place) => place.remove(UnlinkatFlags::RemoveDir),
            OldName::Borne(place, kept) => kept.give_back(&place),
            OldName::Renamed(from, to, kept) => {
                to.rename(&from)?;
                kept.map_or(Ok(()), |kept| kept.give_back(&to))
            }
            OldName::Exchanged(one, other) => exchange(&one, &other),
        }
    }

    /// The change is durable: what was kept for its undoing goes.
    pub(super) fn forget(self) {
        if let OldName::Borne(_, kept) | OldName::Renamed(_, _, Some(kept)) = self {
            let flag = if kept.is_directory {
                UnlinkatFlags::RemoveDir
            } else {
                UnlinkatFlags::NoRemoveDir
            };
            let _ = kept.place.remove(flag);
        }
    }
}

impl Kept {
    fn give_back(self, place: &Place) -> io::Result<()> {
        self.place.rename(place)
    }
}

pub(super) fn exchange(one: &Place, other: &Place) -> io::Result<()> {
    Ok(renameat2(
        &one.directory,
        one.name.as_os_str(),
        &other.directory,
        other.name.as_os_str(),
        RenameFlags::RENAME_EXCHANGE,
    )?)
}
