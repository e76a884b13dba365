//! From the path of a request to a file.

use std::ffi::{OsStr, OsString};
use std::fs::{self, File, FileType};
use std::io;
use std::os::fd::AsRawFd;
use std::path::{Component, Path, PathBuf};

use nix::fcntl::{OFlag, openat};
use nix::sys::stat::Mode;

/// What was found, open: so it stays what it was when it was looked at.
#[derive(Debug)]
pub(super) enum Found {
    Directory(File),
    File(File),
}

impl Found {
    /// The directory, if it is one.
    pub(super) fn directory(self) -> Option<File> {
        match self {
            Found::Directory(directory) => Some(directory),
            Found::File(_) => None,
        }
    }

    /// The file, if it is one.
    pub(super) fn file(self) -> Option<File> {
        match self {
            Found::File(file) => Some(file),
            Found::Directory(_) => None,
        }
    }
}

/// Opens what a decoded path, without its first slash, stands for below a directory. No part of it may be a link: not
/// even one that leads back inside. Each part is opened from the one before, so nobody can put a link there in between.
///
/// # Errors
/// When it is not there, leads elsewhere, or is neither a directory nor a file.
pub(super) fn open_beneath(directory: &File, path: &str) -> io::Result<Found> {
    if path.contains(['\\', '\0']) {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    let mut found = Found::Directory(directory.try_clone()?);
    for part in Path::new(path).components() {
        let (Component::Normal(name), Found::Directory(within)) = (part, found) else {
            return Err(io::ErrorKind::InvalidInput.into());
        };
        found = open_in(&within, name)?;
    }
    Ok(found)
}

/// Opens what has this name in a directory.
///
/// # Errors
/// As [`open_beneath`].
pub(super) fn open_in(directory: &File, name: &OsStr) -> io::Result<Found> {
    // A pipe would wait for a writer.
    let flags = OFlag::O_RDONLY | OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK | OFlag::O_CLOEXEC;
    let found = File::from(openat(directory, name, flags, Mode::empty())?);
    let kind = found.metadata()?.file_type();
    if kind.is_dir() {
        Ok(Found::Directory(found))
    } else if kind.is_file() {
        Ok(Found::File(found))
    } else {
        Err(io::ErrorKind::InvalidInput.into())
    }
}

/// A path to what is open, for those who want one.
pub(super) fn as_path(open: &File) -> PathBuf {
    PathBuf::from(format!("/proc/self/fd/{}", open.as_raw_fd()))
}

/// What is in a directory, in order.
///
/// # Errors
/// When it can't be read.
pub(super) fn entries(directory: &File) -> io::Result<Vec<(OsString, FileType)>> {
    let entries = fs::read_dir(as_path(directory))?;
    let with_kind = |entry: io::Result<fs::DirEntry>| {
        let entry = entry?;
        Ok((entry.file_name(), entry.file_type()?))
    };
    let mut entries: Vec<_> = entries.map(with_kind).collect::<io::Result<_>>()?;
    entries.sort_by(|(a, _), (b, _)| a.cmp(b));
    Ok(entries)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_outside_can_be_reached_and_nothing_hangs() {
        let home = tempfile::tempdir().unwrap();
        let root = home.path().join("runs");
        fs::create_dir_all(root.join("a/nodes")).unwrap();
        fs::write(root.join("a/plan.toml"), "").unwrap();
        fs::write(home.path().join("secret"), "").unwrap();
        std::os::unix::fs::symlink(home.path().join("secret"), root.join("a/link")).unwrap();
        std::os::unix::fs::symlink("..", root.join("a/up")).unwrap();
        nix::unistd::mkfifo(&root.join("a/verdict.json"), Mode::S_IRWXU).unwrap();
        let root = File::open(root).unwrap();
        let open = |path: &str| open_beneath(&root, path).ok();
        assert!(open("a/plan.toml").and_then(Found::file).is_some());
        let a = open("a/").and_then(Found::directory).unwrap();
        let names: Vec<_> = entries(&a).unwrap().into_iter().map(|(name, _)| name).collect();
        assert_eq!(names, ["link", "nodes", "plan.toml", "up", "verdict.json"]);
        for bad in [
            "../secret",
            "a/../../secret",
            "a/../a/plan.toml",
            "/etc/passwd",
            "//etc/passwd",
            "a/link",
            "a/up/a/plan.toml",
            "a/plan.toml/x",
            "a/verdict.json",
            "a\\..\\secret",
            "a/\0",
            "missing",
            "%2e%2e/secret",
        ] {
            assert!(open(bad).is_none(), "{bad}");
        }
    }
}
