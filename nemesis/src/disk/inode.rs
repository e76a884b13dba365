//! A file, directory or link beneath the mount, held by its descriptor and not by its name, which may change.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

use nix::fcntl::{OFlag, openat};
use nix::sys::stat::Mode;

use super::undo::FileKey;

/// See the module's text.
#[derive(Debug)]
pub(super) struct Inode {
    /// Names it, whatever becomes of its names (`O_PATH`).
    handle: File,
    pub(super) key: FileKey,
    /// Reads and writes it; opened when it is first needed.
    data: OnceLock<File>,
    /// Held from the reading of old bytes to the note of the change.
    change: Mutex<()>,
}

impl Inode {
    /// The entry of this name in a directory.
    pub(super) fn at(directory: BorrowedFd<'_>, name: &std::ffi::OsStr) -> io::Result<Inode> {
        let flags = OFlag::O_PATH | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
        Inode::of(openat(directory, name, flags, Mode::empty())?.into())
    }

    /// What this descriptor names.
    pub(super) fn of(path: File) -> io::Result<Inode> {
        let metadata = path.metadata()?;
        Ok(Inode {
            key: (metadata.dev(), metadata.ino()),
            handle: path,
            data: OnceLock::new(),
            change: Mutex::new(()),
        })
    }

    pub(super) fn metadata(&self) -> io::Result<std::fs::Metadata> {
        self.handle.metadata()
    }

    /// A path that leads to it, whatever its name.
    pub(super) fn proc_path(&self) -> PathBuf {
        format!("/proc/self/fd/{}", self.handle.as_raw_fd()).into()
    }

    /// The path that it has just now, beneath our mount.
    pub(super) fn path(&self) -> io::Result<PathBuf> {
        std::fs::read_link(self.proc_path())
    }

    /// The name that it has just now, for people.
    pub(super) fn name(&self) -> String {
        let path = self.path().unwrap_or_default();
        path.file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned()
    }

    /// To read and write it by.
    pub(super) fn data(&self) -> io::Result<&File> {
        if let Some(file) = self.data.get() {
            return Ok(file);
        }
        let both = OpenOptions::new().read(true).write(true).open(self.proc_path());
        // A file that may only be read is never written either.
        let file = both.or_else(|_| File::open(self.proc_path()))?;
        Ok(self.data.get_or_init(|| file))
    }

    /// It was opened when it was made, in whatever mode it was made with.
    pub(super) fn opened_as(&self, file: File) {
        let _ = self.data.set(file);
    }

    /// To fsync a directory by.
    pub(super) fn directory(&self) -> io::Result<File> {
        let flags = OFlag::O_DIRECTORY.bits();
        OpenOptions::new()
            .read(true)
            .custom_flags(flags)
            .open(self.proc_path())
    }

    pub(super) fn begin_change(&self) -> MutexGuard<'_, ()> {
        self.change.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl AsFd for Inode {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.handle.as_fd()
    }
}
