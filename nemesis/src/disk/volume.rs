//! What the file system does: passes on, and remembers the way back.

use std::ffi::OsStr;
use std::fs::File;
use std::io;
use std::os::fd::AsFd;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use nix::errno::Errno;
use nix::fcntl::{AtFlags, FallocateFlags, OFlag, RenameFlags, fallocate, openat, renameat2};
use nix::sys::stat::{Mode, SFlag, mkdirat, mknodat};
use nix::unistd::{linkat, symlinkat};
use tokio::sync::oneshot;

use super::Options;
use super::gate::{Gate, Power};
use super::inode::Inode;
use super::inverse::{Kept, OldData, OldName, Place, exchange, read_up_to};
use super::trouble::{Call, Path as PathOf, Troubles};
use super::undo::{Change, Moment, UndoLog};

type Log = UndoLog<OldData, OldName>;

/// A directory, and all that is needed to take back what was done in it.
#[derive(Debug)]
pub(super) struct Volume {
    pub(super) root: Arc<Inode>,
    /// Where that is kept which has lost its name.
    attic: Arc<Inode>,
    next_kept: AtomicU64,
    log: Mutex<Log>,
    pub(super) gate: Gate,
    pub(super) troubles: Troubles,
    begun: Instant,
    is_armed: AtomicBool,
    /// To be told when the power was cut in the middle of a write.
    armed: Mutex<Option<oneshot::Sender<()>>>,
}

fn errno(errno: Errno) -> io::Error {
    io::Error::from_raw_os_error(errno as i32)
}

impl Volume {
    /// Over this directory. What has lost its name is kept in the attic, a directory on the same file system.
    pub(super) fn new(root: &Path, attic: &Path, options: Options) -> io::Result<Volume> {
        let open = |path| -> io::Result<Arc<Inode>> {
            let flags = OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
            let opened: File = nix::fcntl::open(path, flags, Mode::empty())?.into();
            Ok(Arc::new(Inode::of(opened)?))
        };
        let age = u64::try_from(options.write_back_age.as_millis()).unwrap_or(u64::MAX / 2);
        Ok(Volume {
            root: open(root)?,
            attic: open(attic)?,
            next_kept: AtomicU64::new(0),
            log: Mutex::new(UndoLog::new(age.min(u64::MAX / 2), options.memory)),
            gate: Gate::new(),
            troubles: Troubles::default(),
            begun: Instant::now(),
            is_armed: AtomicBool::new(false),
            armed: Mutex::new(None),
        })
    }

    fn log(&self) -> MutexGuard<'_, Log> {
        self.log.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn now_ms(&self) -> u64 {
        u64::try_from(self.begun.elapsed().as_millis()).unwrap_or(u64::MAX / 2)
    }

    /// Waits for power.
    pub(super) fn admit(&self) -> io::Result<()> {
        if self.gate.pass() {
            Ok(())
        } else {
            Err(errno(Errno::EIO))
        }
    }

    /// Waits for power, and refuses what is to be refused of this file.
    fn admit_call(&self, call: Call, path: PathOf<'_>) -> io::Result<()> {
        self.admit()?;
        match self.troubles.refusal(call, path) {
            Some(refusal) => Err(errno(refusal)),
            None => Ok(()),
        }
    }

    /// What is about to need room for this name.
    fn admit_name(&self, directory: &Inode, name: &OsStr) -> io::Result<()> {
        self.admit_call(Call::Allocate, &|| Some(self.below(directory)?.join(name)))
    }

    /// Where it is just now, below our root; `None` for what has lost its name.
    fn below(&self, inode: &Inode) -> Option<PathBuf> {
        let path = inode.path().ok()?;
        Some(path.strip_prefix(self.root.path().ok()?).ok()?.to_owned())
    }

    fn note(&self, bytes: usize, change: Change<OldData, OldName>) {
        let settled = self.log().push(self.now_ms(), bytes, change);
        forget(settled);
    }

    fn note_name(&self, old: OldName) {
        /// About what an entry of a name takes.
        const NAME_BYTES: usize = 256;
        self.note(NAME_BYTES, Change::Name(old));
    }

    pub(super) fn read(&self, inode: &Inode, offset: u64, size: u32) -> io::Result<Vec<u8>> {
        self.admit_call(Call::Read, &|| self.below(inode))?;
        let mut bytes = vec![0; size as usize];
        let length = read_up_to(inode.data()?, &mut bytes, offset)?;
        bytes.truncate(length);
        Ok(bytes)
    }

    /// `durable` for descriptors that sync each write (`O_DSYNC`).
    pub(super) fn write(
        &self,
        inode: &Arc<Inode>,
        offset: u64,
        bytes: &[u8],
        durable: bool,
    ) -> io::Result<()> {
        self.admit_call(Call::Write, &|| self.below(inode))?;
        let armed = {
            let _change = inode.begin_change();
            let old = OldData::read(inode, offset, offset + bytes.len() as u64, true)?;
            let can_tear = self.is_armed.load(Relaxed) && is_worth_tearing(&old, bytes);
            self.note(old.bytes(), Change::Data(inode.key, old));
            inode.data()?.write_all_at(bytes, offset)?;
            if can_tear { self.disarm() } else { None }
        };
        if let Some(armed) = armed {
            self.cut();
            // Whoever armed it may have given up.
            let _ = armed.send(());
            self.admit()?;
        }
        if durable {
            self.sync_file(inode, true)
        } else {
            Ok(())
        }
    }

    pub(super) fn set_size(&self, inode: &Arc<Inode>, size: u64) -> io::Result<()> {
        self.admit()?;
        let _change = inode.begin_change();
        let old = OldData::read(inode, size, u64::MAX, false)?;
        self.note(old.bytes(), Change::Data(inode.key, old));
        inode.data()?.set_len(size)
    }

    pub(super) fn allocate(&self, inode: &Arc<Inode>, offset: u64, length: u64, mode: i32) -> io::Result<()> {
        self.admit_call(Call::Allocate, &|| self.below(inode))?;
        let mode = FallocateFlags::from_bits(mode).ok_or_else(|| errno(Errno::EOPNOTSUPP))?;
        let moves = FallocateFlags::FALLOC_FL_COLLAPSE_RANGE | FallocateFlags::FALLOC_FL_INSERT_RANGE;
        if mode.intersects(moves) {
            return Err(errno(Errno::EOPNOTSUPP));
        }
        let clears = FallocateFlags::FALLOC_FL_PUNCH_HOLE | FallocateFlags::FALLOC_FL_ZERO_RANGE;
        let _change = inode.begin_change();
        // Blocks that are only reserved change nothing that could be lost, but for the size.
        let end = if mode.intersects(clears) {
            offset + length
        } else {
            offset
        };
        let old = OldData::read(inode, offset, end, false)?;
        self.note(old.bytes(), Change::Data(inode.key, old));
        Ok(fallocate(
            inode.data()?,
            mode,
            offset.cast_signed(),
            length.cast_signed(),
        )?)
    }

    /// Whether an fsync would be held up: then it must not be asked for on a thread that others wait for.
    pub(super) fn is_slow(&self) -> bool {
        self.troubles.is_slow()
    }

    pub(super) fn sync_file(&self, inode: &Inode, data_only: bool) -> io::Result<()> {
        self.sync(
            inode,
            || {
                let data = inode.data()?;
                if data_only {
                    data.sync_data()
                } else {
                    data.sync_all()
                }
            },
            |log, begun| log.synced_file(inode.key, begun),
        )
    }

    pub(super) fn sync_directory(&self, inode: &Inode) -> io::Result<()> {
        self.sync(inode, || inode.directory()?.sync_all(), Log::synced_names)
    }

    fn sync(
        &self,
        inode: &Inode,
        sync: impl FnOnce() -> io::Result<()>,
        settle: impl FnOnce(&mut Log, Moment) -> Vec<Change<OldData, OldName>>,
    ) -> io::Result<()> {
        self.admit_call(Call::Sync, &|| self.below(inode))?;
        let begun = self.log().now();
        if self.troubles.hold_up(&self.gate, &|| self.below(inode)) {
            self.admit()?;
        }
        sync()?;
        let settled = {
            let mut log = self.log();
            // A disk that lost its power before it said so has not synced.
            (self.gate.power() == Power::On).then(|| settle(&mut log, begun))
        };
        match settled {
            Some(settled) => {
                forget(settled);
                Ok(())
            }
            None => self.admit(),
        }
    }

    /// Makes and opens a file; an error if there is one.
    pub(super) fn create(&self, directory: &Arc<Inode>, name: &OsStr, mode: u32) -> io::Result<File> {
        self.admit_name(directory, name)?;
        let flags = OFlag::O_CREAT | OFlag::O_EXCL | OFlag::O_RDWR | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
        let made = openat(directory, name, flags, Mode::from_bits_truncate(mode))?;
        self.note_name(OldName::Free(Place::new(directory, name)));
        Ok(made.into())
    }

    pub(super) fn make_node(&self, directory: &Arc<Inode>, name: &OsStr, mode: u32) -> io::Result<()> {
        self.admit_name(directory, name)?;
        let kind = SFlag::from_bits_truncate(mode & SFlag::S_IFMT.bits());
        if !matches!(kind, SFlag::S_IFREG | SFlag::S_IFIFO | SFlag::S_IFSOCK) {
            return Err(errno(Errno::EPERM));
        }
        mknodat(directory, name, kind, Mode::from_bits_truncate(mode), 0)?;
        self.note_name(OldName::Free(Place::new(directory, name)));
        Ok(())
    }

    pub(super) fn make_directory(&self, directory: &Arc<Inode>, name: &OsStr, mode: u32) -> io::Result<()> {
        self.admit_name(directory, name)?;
        mkdirat(directory, name, Mode::from_bits_truncate(mode))?;
        self.note_name(OldName::FreeOfDirectory(Place::new(directory, name)));
        Ok(())
    }

    pub(super) fn make_symlink(&self, directory: &Arc<Inode>, name: &OsStr, target: &Path) -> io::Result<()> {
        self.admit_name(directory, name)?;
        symlinkat(target, directory, name)?;
        self.note_name(OldName::Free(Place::new(directory, name)));
        Ok(())
    }

    pub(super) fn make_link(&self, inode: &Inode, directory: &Arc<Inode>, name: &OsStr) -> io::Result<()> {
        self.admit_name(directory, name)?;
        let cwd = nix::fcntl::AT_FDCWD;
        linkat(
            cwd,
            &inode.proc_path(),
            directory,
            name,
            AtFlags::AT_SYMLINK_FOLLOW,
        )?;
        self.note_name(OldName::Free(Place::new(directory, name)));
        Ok(())
    }

    /// A place in the attic.
    fn spare_place(&self) -> Place {
        let number = self.next_kept.fetch_add(1, Relaxed);
        Place::new(&self.attic, OsStr::new(&number.to_string()))
    }

    pub(super) fn remove(&self, directory: &Arc<Inode>, name: &OsStr, is_directory: bool) -> io::Result<()> {
        self.admit()?;
        let place = Place::new(directory, name);
        let inode = Inode::at(directory.as_fd(), name)?;
        if is_directory && std::fs::read_dir(inode.proc_path())?.next().is_some() {
            return Err(errno(Errno::ENOTEMPTY));
        }
        let kept = self.put_away(&place, is_directory)?;
        self.note_name(OldName::Borne(place, kept));
        Ok(())
    }

    fn put_away(&self, place: &Place, is_directory: bool) -> io::Result<Kept> {
        let spare = self.spare_place();
        place.rename(&spare)?;
        Ok(Kept {
            place: spare,
            is_directory,
        })
    }

    pub(super) fn rename(&self, from: &Place, to: &Place, flags: RenameFlags) -> io::Result<()> {
        self.admit_name(&to.directory, &to.name)?;
        if flags == RenameFlags::RENAME_EXCHANGE {
            exchange(from, to)?;
            self.note_name(OldName::Exchanged(from.clone(), to.clone()));
            return Ok(());
        }
        let target = match Inode::at(to.directory.as_fd(), &to.name) {
            Ok(target) => Some(target),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => return Err(error),
        };
        let kept = match target {
            // Two names of one file: rename(2) does nothing.
            Some(target) if Inode::at(from.directory.as_fd(), &from.name)?.key == target.key => return Ok(()),
            Some(_) if flags.contains(RenameFlags::RENAME_NOREPLACE) => return Err(errno(Errno::EEXIST)),
            Some(target) => Some(self.keep_overwritten(to, &target)?),
            None => None,
        };
        let renamed = renameat2(
            &from.directory,
            from.name.as_os_str(),
            &to.directory,
            to.name.as_os_str(),
            flags,
        );
        let old = OldName::Renamed(from.clone(), to.clone(), kept);
        match renamed {
            Ok(()) => self.note_name(old),
            Err(error) => {
                if let OldName::Renamed(_, _, Some(kept)) = old {
                    restore(kept, to);
                }
                return Err(error.into());
            }
        }
        Ok(())
    }

    /// A file gets a second name, so that its first is never free in between; a directory, which can't have two, goes.
    fn keep_overwritten(&self, place: &Place, inode: &Inode) -> io::Result<Kept> {
        if inode.metadata()?.is_dir() {
            if std::fs::read_dir(inode.proc_path())?.next().is_some() {
                return Err(errno(Errno::ENOTEMPTY));
            }
            return self.put_away(place, true);
        }
        let spare = self.spare_place();
        linkat(
            &place.directory,
            place.name.as_os_str(),
            &spare.directory,
            spare.name.as_os_str(),
            AtFlags::empty(),
        )?;
        Ok(Kept {
            place: spare,
            is_directory: false,
        })
    }

    /// The power goes: nothing is answered, and nothing becomes durable.
    pub(super) fn cut(&self) {
        let _log = self.log();
        self.gate.cut();
    }

    /// Has the power go in the middle of the next write that is long enough to be torn.
    pub(super) fn arm(&self) -> oneshot::Receiver<()> {
        let (armed, cut) = oneshot::channel();
        *self.armed.lock().unwrap_or_else(PoisonError::into_inner) = Some(armed);
        self.is_armed.store(true, Relaxed);
        cut
    }

    pub(super) fn is_armed(&self) -> bool {
        self.is_armed.load(Relaxed)
    }

    pub(super) fn disarm(&self) -> Option<oneshot::Sender<()>> {
        self.is_armed.store(false, Relaxed);
        self.armed.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// Takes all that is not durable, in the order in which it happened.
    pub(super) fn take_unsynced(&self) -> Vec<Change<OldData, OldName>> {
        let (settled, lost) = {
            let mut log = self.log();
            (log.write_back(self.now_ms()), log.take())
        };
        forget(settled);
        lost
    }

    /// How many changes became durable only for want of memory.
    pub(super) fn spilled(&self) -> u64 {
        self.log().spilled
    }
}

/// Whether it shows when the write is torn. Zeros are mostly written over zeros.
fn is_worth_tearing(old: &OldData, bytes: &[u8]) -> bool {
    !old.tears().is_empty() && bytes.iter().any(|&byte| byte != 0)
}

/// The rename failed after all.
fn restore(kept: Kept, place: &Place) {
    if kept.is_directory {
        let _ = kept.place.rename(place);
    } else {
        let _ = kept.place.remove(nix::unistd::UnlinkatFlags::NoRemoveDir);
    }
}

/// What is durable needs no way back.
pub(super) fn forget(settled: Vec<Change<OldData, OldName>>) {
    for change in settled {
        if let Change::Name(old) = change {
            old.forget();
        }
    }
}
