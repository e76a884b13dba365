//! What is lost when the power is gone, and the proof of it.

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;

use super::inode::Inode;
use super::inverse::{OldData, OldName, read_up_to};
use super::undo::{Change, FileKey};
use super::volume::{Volume, forget};

/// What a power cut took.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Loss {
    /// Changes of data that are gone.
    pub(crate) writes: usize,
    /// How many bytes they had written.
    pub(crate) bytes: u64,
    /// Changes of names that are gone.
    pub(crate) names: usize,
    /// How each file was before and is now, in words.
    pub(crate) files: Vec<String>,
    /// The file, the length of what is left of its last write, and the length of that write.
    pub(crate) torn: Option<(String, u64, u64)>,
    /// How many changes were durable only because their ways back took too much memory, since the disk was mounted.
    pub(crate) spilled: u64,
    /// What could not be undone, in words.
    pub(crate) failed: Vec<String>,
}

/// How much of the un-synced is lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Extent {
    /// All of it.
    All,
    /// A part of the last write, from a sector on that the number decides; what came before the disk has kept.
    Tail(u64),
}

/// Undoes what is not durable. Nobody may use the disk meanwhile.
pub(super) fn roll_back(volume: &Volume, extent: Extent) -> Loss {
    let mut unsynced = volume.take_unsynced();
    let loss = match extent {
        Extent::All => undo_all(unsynced),
        Extent::Tail(choice) => {
            let is_write =
                |change: &Change<OldData, OldName>| matches!(change, Change::Data(_, old) if old.is_write);
            let last = unsynced.iter().rposition(is_write);
            let last = last.map(|at| unsynced.remove(at));
            forget(unsynced);
            match last {
                Some(Change::Data(_, write)) => tear(&write, choice),
                _ => Loss::default(),
            }
        }
    };
    Loss {
        spilled: volume.spilled(),
        ..loss
    }
}

fn undo_all(unsynced: Vec<Change<OldData, OldName>>) -> Loss {
    let mut loss = Loss::default();
    let mut touched: BTreeMap<FileKey, Touched> = BTreeMap::new();
    for change in &unsynced {
        match change {
            Change::Data(key, old) => {
                loss.writes += 1;
                if old.is_write {
                    loss.bytes += old.end - old.start;
                }
                let touched = touched.entry(*key).or_insert_with(|| Touched::new(old));
                touched.start = touched.start.min(old.start);
                touched.end = touched.end.max(old.end);
            }
            Change::Name(_) => loss.names += 1,
        }
    }
    for touched in touched.values_mut() {
        touched.before = touched.look();
    }
    for change in unsynced.into_iter().rev() {
        let undone = match change {
            Change::Data(_, old) => old.undo().map_err(|error| (old.file.name(), error)),
            Change::Name(old) => {
                let text = format!("{old:?}");
                old.undo().map_err(|error| (text, error))
            }
        };
        if let Err((what, error)) = undone {
            loss.failed.push(format!("{what}: {error}"));
        }
    }
    loss.files = touched.values().map(Touched::told).collect();
    loss
}

fn tear(write: &OldData, choice: u64) -> Loss {
    let mut touched = Touched::new(write);
    touched.before = touched.look();
    let tears = write.tears();
    let cut = match u64::try_from(tears.len()) {
        // It lies within one sector, which is either old or new.
        Ok(0) | Err(_) => write.start,
        Ok(count) => tears[(choice % count) as usize],
    };
    let mut loss = Loss {
        writes: 1,
        bytes: write.end - cut,
        torn: Some((write.file.name(), cut - write.start, write.end - write.start)),
        ..Loss::default()
    };
    if let Err(error) = write.undo_from(cut) {
        loss.failed.push(format!("{}: {error}", write.file.name()));
    }
    loss.files.push(touched.told());
    loss
}

/// A file that is changed, and the part of it that is.
struct Touched {
    file: Arc<Inode>,
    start: u64,
    end: u64,
    before: io::Result<Look>,
}

/// What one sees of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Look {
    length: u64,
    hash: u32,
}

impl Touched {
    fn new(old: &OldData) -> Touched {
        Touched {
            file: Arc::clone(&old.file),
            start: old.start,
            end: old.end,
            before: Err(io::ErrorKind::NotFound.into()),
        }
    }

    fn look(&self) -> io::Result<Look> {
        let file = self.file.data()?;
        let length = file.metadata()?.len();
        let mut hasher = crc32fast::Hasher::new();
        let mut buffer = vec![0; 1 << 16];
        let (mut at, end) = (self.start, self.end.min(length));
        while at < end {
            let part = (end - at).min(buffer.len() as u64) as usize;
            let read = read_up_to(file, &mut buffer[..part], at)?;
            if read == 0 {
                break;
            }
            hasher.update(&buffer[..read]);
            at += read as u64;
        }
        Ok(Look {
            length,
            hash: hasher.finalize(),
        })
    }

    /// How it was and how it is.
    fn told(&self) -> String {
        let name = self.file.name();
        match (&self.before, self.look()) {
            (Ok(before), Ok(after)) => format!(
                "{name}: {} bytes, hash {:08x}, now {} bytes, hash {:08x}",
                before.length, before.hash, after.length, after.hash
            ),
            (Err(error), _) => format!("{name}: {error}"),
            (_, Err(error)) => format!("{name}: {error}"),
        }
    }
}
