//! Which inode the kernel means by a number.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::inode::Inode;
use super::undo::FileKey;

/// The kernel's number of the root (FUSE_ROOT_ID).
const ROOT: u64 = 1;

#[derive(Debug)]
struct Known {
    inode: Arc<Inode>,
    /// How often the kernel was told of it and has not forgotten it.
    lookups: u64,
}

#[derive(Debug)]
struct Numbers {
    by_number: BTreeMap<u64, Known>,
    by_key: BTreeMap<FileKey, u64>,
    next: u64,
}

/// The numbers that the kernel knows.
#[derive(Debug)]
pub(super) struct Table(Mutex<Numbers>);

impl Table {
    pub(super) fn new(root: Arc<Inode>) -> Table {
        let by_key = BTreeMap::from([(root.key, ROOT)]);
        let known = Known {
            inode: root,
            lookups: 1,
        };
        Table(Mutex::new(Numbers {
            by_number: BTreeMap::from([(ROOT, known)]),
            by_key,
            next: ROOT + 1,
        }))
    }

    fn lock(&self) -> MutexGuard<'_, Numbers> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What a number stands for.
    pub(super) fn get(&self, number: u64) -> io::Result<Arc<Inode>> {
        let known = self.lock();
        let known = known.by_number.get(&number);
        let gone = || io::Error::from_raw_os_error(nix::errno::Errno::ESTALE as i32);
        known.map(|known| Arc::clone(&known.inode)).ok_or_else(gone)
    }

    /// All that the kernel knows.
    pub(super) fn numbers(&self) -> Vec<u64> {
        self.lock().by_number.keys().copied().collect()
    }

    /// Looks a name up, and counts that the kernel is told of it.
    pub(super) fn look_up(&self, directory: &Inode, name: &OsStr) -> io::Result<(u64, Arc<Inode>)> {
        let found = Inode::at(std::os::fd::AsFd::as_fd(directory), name)?;
        let mut numbers = self.lock();
        if let Some(&number) = numbers.by_key.get(&found.key)
            && let Some(known) = numbers.by_number.get_mut(&number)
        {
            known.lookups += 1;
            return Ok((number, Arc::clone(&known.inode)));
        }
        let number = numbers.next;
        numbers.next += 1;
        let inode = Arc::new(found);
        numbers.by_key.insert(inode.key, number);
        let known = Known {
            inode: Arc::clone(&inode),
            lookups: 1,
        };
        numbers.by_number.insert(number, known);
        Ok((number, inode))
    }

    /// The kernel has forgotten so many times that it was told of it.
    pub(super) fn forget(&self, number: u64, lookups: u64) {
        let mut numbers = self.lock();
        let Some(known) = numbers.by_number.get_mut(&number) else {
            return;
        };
        known.lookups = known.lookups.saturating_sub(lookups);
        if known.lookups == 0
            && number != ROOT
            && let Some(known) = numbers.by_number.remove(&number)
        {
            numbers.by_key.remove(&known.inode.key);
        }
    }
}
