//! The volume, in the words of FUSE.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::io;
use std::os::unix::fs::{DirEntryExt as _, MetadataExt as _, PermissionsExt as _};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use fuser::{
    BsdFileFlags, Errno, FileAttr, FileHandle, FileType, Filesystem, FopenFlags, Generation, INodeNo,
    LockOwner, OpenFlags, RenameFlags, ReplyAttr, ReplyCreate, ReplyData, ReplyDirectory, ReplyEmpty,
    ReplyEntry, ReplyLseek, ReplyOpen, ReplyStatfs, ReplyWrite, Request, TimeOrNow, WriteFlags,
};
use nix::fcntl::OFlag;
use nix::sys::stat::{UtimensatFlags, utimensat};
use nix::sys::time::TimeSpec;
use nix::unistd::{Whence, lseek};

use super::inode::Inode;
use super::inverse::Place;
use super::table::Table;
use super::volume::Volume;

/// The kernel asks each time: after a power cut all may be different.
const TTL: Duration = Duration::ZERO;

/// A listing: name, number, kind.
type Listing = Vec<(OsString, u64, FileType)>;

/// A volume, and what the kernel knows of it.
pub(super) struct Passthrough {
    volume: Arc<Volume>,
    table: Arc<Table>,
    listings: Mutex<BTreeMap<u64, Arc<Listing>>>,
    next_listing: AtomicU64,
}

impl Passthrough {
    pub(super) fn new(volume: Arc<Volume>, table: Arc<Table>) -> Passthrough {
        Passthrough {
            volume,
            table,
            listings: Mutex::default(),
            next_listing: AtomicU64::new(1),
        }
    }

    fn entry(&self, parent: INodeNo, name: &OsStr) -> io::Result<FileAttr> {
        let (number, inode) = self.table.look_up(&*self.table.get(parent.0)?, name)?;
        attributes(number, &inode)
    }

    fn answer_entry(&self, reply: ReplyEntry, parent: INodeNo, name: &OsStr, done: io::Result<()>) {
        match done.and_then(|()| self.entry(parent, name)) {
            Ok(attributes) => reply.entry(&TTL, &attributes, Generation(0)),
            Err(error) => reply.error(error.into()),
        }
    }

    fn in_directory(
        &self,
        parent: INodeNo,
        work: impl FnOnce(&Arc<Inode>) -> io::Result<()>,
    ) -> io::Result<()> {
        work(&self.table.get(parent.0)?)
    }

    fn list(&self, inode: &Inode) -> io::Result<Listing> {
        let mut listing = vec![
            (OsString::from("."), inode.key.1, FileType::Directory),
            (OsString::from(".."), inode.key.1, FileType::Directory),
        ];
        for entry in std::fs::read_dir(inode.proc_path())? {
            let entry = entry?;
            let kind = entry.file_type().map(kind)?;
            listing.push((entry.file_name(), entry.ino(), kind));
        }
        Ok(listing)
    }

    fn listing(
        &self,
        handle: FileHandle,
        again: impl FnOnce() -> io::Result<Listing>,
        rewind: bool,
    ) -> io::Result<Arc<Listing>> {
        let mut listings = self.listings.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(listing) = listings.get(&handle.0)
            && !rewind
        {
            return Ok(Arc::clone(listing));
        }
        let listing = Arc::new(again()?);
        listings.insert(handle.0, Arc::clone(&listing));
        Ok(listing)
    }

    fn set_attributes(
        &self,
        number: u64,
        mode: Option<u32>,
        owner: (Option<u32>, Option<u32>),
        size: Option<u64>,
        times: (Option<TimeOrNow>, Option<TimeOrNow>),
    ) -> io::Result<FileAttr> {
        self.volume.admit()?;
        let inode = self.table.get(number)?;
        if let Some(mode) = mode {
            std::fs::set_permissions(inode.proc_path(), std::fs::Permissions::from_mode(mode & 0o7777))?;
        }
        if owner != (None, None) {
            std::os::unix::fs::chown(inode.proc_path(), owner.0, owner.1)?;
        }
        if let Some(size) = size {
            self.volume.set_size(&inode, size)?;
        }
        if times != (None, None) {
            let spec = |time| match time {
                None => TimeSpec::UTIME_OMIT,
                Some(TimeOrNow::Now) => TimeSpec::UTIME_NOW,
                Some(TimeOrNow::SpecificTime(time)) => {
                    TimeSpec::from(time.duration_since(UNIX_EPOCH).unwrap_or_default())
                }
            };
            let cwd = nix::fcntl::AT_FDCWD;
            let follow = UtimensatFlags::FollowSymlink;
            utimensat(cwd, &inode.proc_path(), &spec(times.0), &spec(times.1), follow)?;
        }
        attributes(number, &inode)
    }
}

fn kind(kind: std::fs::FileType) -> FileType {
    FileType::from_std(kind).unwrap_or(FileType::RegularFile)
}

fn attributes(number: u64, inode: &Inode) -> io::Result<FileAttr> {
    let metadata = inode.metadata()?;
    let time = |seconds: i64, nanoseconds: i64| -> SystemTime {
        let nanoseconds = u32::try_from(nanoseconds).unwrap_or(0);
        u64::try_from(seconds).map_or(UNIX_EPOCH, |seconds| {
            UNIX_EPOCH + Duration::new(seconds, nanoseconds)
        })
    };
    let narrow = |wide: u64| u32::try_from(wide).unwrap_or(u32::MAX);
    Ok(FileAttr {
        ino: INodeNo(number),
        size: metadata.size(),
        blocks: metadata.blocks(),
        atime: time(metadata.atime(), metadata.atime_nsec()),
        mtime: time(metadata.mtime(), metadata.mtime_nsec()),
        ctime: time(metadata.ctime(), metadata.ctime_nsec()),
        crtime: UNIX_EPOCH,
        kind: kind(metadata.file_type()),
        perm: (metadata.mode() & 0o7777) as u16,
        nlink: narrow(metadata.nlink()),
        uid: metadata.uid(),
        gid: metadata.gid(),
        rdev: narrow(metadata.rdev()),
        blksize: narrow(metadata.blksize()),
        flags: 0,
    })
}

fn answer(reply: ReplyEmpty, done: io::Result<()>) {
    match done {
        Ok(()) => reply.ok(),
        Err(error) => reply.error(error.into()),
    }
}

/// Does it here, or on a thread of its own if it may take long.
fn aside(may_take_long: bool, work: impl FnOnce() + Send + 'static) {
    if may_take_long {
        // If no thread is to be had, the work is dropped, and the reply with it, which then is an error.
        let _ = std::thread::Builder::new().name("slow fsync".into()).spawn(work);
    } else {
        work();
    }
}

impl Filesystem for Passthrough {
    fn lookup(&self, _: &Request, parent: INodeNo, name: &OsStr, reply: ReplyEntry) {
        let admitted = self.volume.admit();
        self.answer_entry(reply, parent, name, admitted);
    }

    fn forget(&self, _: &Request, number: INodeNo, lookups: u64) {
        self.table.forget(number.0, lookups);
    }

    fn getattr(&self, _: &Request, number: INodeNo, _: Option<FileHandle>, reply: ReplyAttr) {
        let looked = self
            .volume
            .admit()
            .and_then(|()| attributes(number.0, &*self.table.get(number.0)?));
        match looked {
            Ok(attributes) => reply.attr(&TTL, &attributes),
            Err(error) => reply.error(error.into()),
        }
    }

    fn setattr(
        &self,
        _: &Request,
        number: INodeNo,
        mode: Option<u32>,
        uid: Option<u32>,
        gid: Option<u32>,
        size: Option<u64>,
        accessed: Option<TimeOrNow>,
        modified: Option<TimeOrNow>,
        _: Option<SystemTime>,
        _: Option<FileHandle>,
        _: Option<SystemTime>,
        _: Option<SystemTime>,
        _: Option<SystemTime>,
        _: Option<BsdFileFlags>,
        reply: ReplyAttr,
    ) {
        match self.set_attributes(number.0, mode, (uid, gid), size, (accessed, modified)) {
            Ok(attributes) => reply.attr(&TTL, &attributes),
            Err(error) => reply.error(error.into()),
        }
    }

    fn readlink(&self, _: &Request, number: INodeNo, reply: ReplyData) {
        let read = self.volume.admit().and_then(|()| {
            let inode = self.table.get(number.0)?;
            Ok(nix::fcntl::readlinkat(&*inode, "")?)
        });
        match read {
            Ok(target) => reply.data(target.as_encoded_bytes()),
            Err(error) => reply.error(error.into()),
        }
    }

    fn mknod(
        &self,
        _: &Request,
        parent: INodeNo,
        name: &OsStr,
        mode: u32,
        _: u32,
        _: u32,
        reply: ReplyEntry,
    ) {
        let made = self.in_directory(parent, |directory| self.volume.make_node(directory, name, mode));
        self.answer_entry(reply, parent, name, made);
    }

    fn mkdir(&self, _: &Request, parent: INodeNo, name: &OsStr, mode: u32, _: u32, reply: ReplyEntry) {
        let made = self.in_directory(parent, |directory| {
            self.volume.make_directory(directory, name, mode)
        });
        self.answer_entry(reply, parent, name, made);
    }

    fn symlink(&self, _: &Request, parent: INodeNo, name: &OsStr, target: &Path, reply: ReplyEntry) {
        let made = self.in_directory(parent, |directory| {
            self.volume.make_symlink(directory, name, target)
        });
        self.answer_entry(reply, parent, name, made);
    }

    fn link(&self, _: &Request, number: INodeNo, parent: INodeNo, name: &OsStr, reply: ReplyEntry) {
        let made = self.in_directory(parent, |directory| {
            self.volume
                .make_link(&*self.table.get(number.0)?, directory, name)
        });
        self.answer_entry(reply, parent, name, made);
    }

    fn unlink(&self, _: &Request, parent: INodeNo, name: &OsStr, reply: ReplyEmpty) {
        answer(
            reply,
            self.in_directory(parent, |directory| self.volume.remove(directory, name, false)),
        );
    }

    fn rmdir(&self, _: &Request, parent: INodeNo, name: &OsStr, reply: ReplyEmpty) {
        answer(
            reply,
            self.in_directory(parent, |directory| self.volume.remove(directory, name, true)),
        );
    }

    fn rename(
        &self,
        _: &Request,
        parent: INodeNo,
        name: &OsStr,
        new_parent: INodeNo,
        new_name: &OsStr,
        flags: RenameFlags,
        reply: ReplyEmpty,
    ) {
        let renamed = self.in_directory(parent, |from| {
            let to = self.table.get(new_parent.0)?;
            let flags = nix::fcntl::RenameFlags::from_bits_truncate(flags.bits());
            self.volume
                .rename(&Place::new(from, name), &Place::new(&to, new_name), flags)
        });
        answer(reply, renamed);
    }

    fn open(&self, _: &Request, number: INodeNo, _: OpenFlags, reply: ReplyOpen) {
        // The kernel has checked whether it may be opened so; one descriptor serves all.
        let opened = self
            .volume
            .admit()
            .and_then(|()| self.table.get(number.0)?.data().map(drop));
        match opened {
            Ok(()) => reply.opened(FileHandle(0), FopenFlags::empty()),
            Err(error) => reply.error(error.into()),
        }
    }

    fn create(
        &self,
        _: &Request,
        parent: INodeNo,
        name: &OsStr,
        mode: u32,
        _: u32,
        flags: i32,
        reply: ReplyCreate,
    ) {
        let created = self.table.get(parent.0).and_then(|directory| {
            let made = match self.volume.create(&directory, name, mode) {
                Ok(made) => Some(made),
                // Somebody was faster, and the caller does not mind.
                Err(error)
                    if error.kind() == io::ErrorKind::AlreadyExists
                        && !OFlag::from_bits_truncate(flags).contains(OFlag::O_EXCL) =>
                {
                    None
                }
                Err(error) => return Err(error),
            };
            let (number, inode) = self.table.look_up(&directory, name)?;
            if let Some(made) = made {
                inode.opened_as(made);
            }
            attributes(number, &inode)
        });
        match created {
            Ok(attributes) => reply.created(
                &TTL,
                &attributes,
                Generation(0),
                FileHandle(0),
                FopenFlags::empty(),
            ),
            Err(error) => reply.error(error.into()),
        }
    }

    fn read(
        &self,
        _: &Request,
        number: INodeNo,
        _: FileHandle,
        offset: u64,
        size: u32,
        _: OpenFlags,
        _: Option<LockOwner>,
        reply: ReplyData,
    ) {
        let read = self
            .table
            .get(number.0)
            .and_then(|inode| self.volume.read(&inode, offset, size));
        match read {
            Ok(bytes) => reply.data(&bytes),
            Err(error) => reply.error(error.into()),
        }
    }

    fn write(
        &self,
        _: &Request,
        number: INodeNo,
        _: FileHandle,
        offset: u64,
        bytes: &[u8],
        _: WriteFlags,
        flags: OpenFlags,
        _: Option<LockOwner>,
        reply: ReplyWrite,
    ) {
        let durable = OFlag::from_bits_truncate(flags.0).contains(OFlag::O_DSYNC);
        let written = self
            .table
            .get(number.0)
            .and_then(|inode| self.volume.write(&inode, offset, bytes, durable));
        match written {
            Ok(()) => reply.written(u32::try_from(bytes.len()).unwrap_or(u32::MAX)),
            Err(error) => reply.error(error.into()),
        }
    }

    fn fsync(&self, _: &Request, number: INodeNo, _: FileHandle, data_only: bool, reply: ReplyEmpty) {
        match self.table.get(number.0) {
            Ok(inode) => {
                let volume = Arc::clone(&self.volume);
                aside(self.volume.is_slow(), move || {
                    answer(reply, volume.sync_file(&inode, data_only));
                });
            }
            Err(error) => reply.error(error.into()),
        }
    }

    fn fsyncdir(&self, _: &Request, number: INodeNo, _: FileHandle, _: bool, reply: ReplyEmpty) {
        match self.table.get(number.0) {
            Ok(inode) => {
                let volume = Arc::clone(&self.volume);
                aside(self.volume.is_slow(), move || {
                    answer(reply, volume.sync_directory(&inode));
                });
            }
            Err(error) => reply.error(error.into()),
        }
    }

    fn opendir(&self, _: &Request, _: INodeNo, _: OpenFlags, reply: ReplyOpen) {
        let handle = self.next_listing.fetch_add(1, Relaxed);
        reply.opened(FileHandle(handle), FopenFlags::empty());
    }

    fn readdir(
        &self,
        _: &Request,
        number: INodeNo,
        handle: FileHandle,
        offset: u64,
        mut reply: ReplyDirectory,
    ) {
        let listing = self.volume.admit().and_then(|()| {
            let inode = self.table.get(number.0)?;
            self.listing(handle, || self.list(&inode), offset == 0)
        });
        match listing {
            Ok(listing) => {
                let start = usize::try_from(offset).unwrap_or(usize::MAX);
                for (at, (name, number, kind)) in listing.iter().enumerate().skip(start) {
                    if reply.add(INodeNo(*number), at as u64 + 1, *kind, name) {
                        break;
                    }
                }
                reply.ok();
            }
            Err(error) => reply.error(error.into()),
        }
    }

    fn releasedir(&self, _: &Request, _: INodeNo, handle: FileHandle, _: OpenFlags, reply: ReplyEmpty) {
        let mut listings = self.listings.lock().unwrap_or_else(PoisonError::into_inner);
        listings.remove(&handle.0);
        reply.ok();
    }

    fn statfs(&self, _: &Request, _: INodeNo, reply: ReplyStatfs) {
        let read = self
            .volume
            .root
            .directory()
            .and_then(|root| Ok(nix::sys::statvfs::fstatvfs(&root)?));
        let narrow = |wide: u64| u32::try_from(wide).unwrap_or(u32::MAX);
        match read {
            Ok(disk) => reply.statfs(
                disk.blocks(),
                disk.blocks_free(),
                disk.blocks_available(),
                disk.files(),
                disk.files_free(),
                narrow(disk.block_size()),
                narrow(disk.name_max()),
                narrow(disk.fragment_size()),
            ),
            Err(error) => reply.error(error.into()),
        }
    }

    fn fallocate(
        &self,
        _: &Request,
        number: INodeNo,
        _: FileHandle,
        offset: u64,
        length: u64,
        mode: i32,
        reply: ReplyEmpty,
    ) {
        let inode = self.table.get(number.0);
        answer(
            reply,
            inode.and_then(|inode| self.volume.allocate(&inode, offset, length, mode)),
        );
    }

    fn lseek(
        &self,
        _: &Request,
        number: INodeNo,
        _: FileHandle,
        offset: i64,
        whence: i32,
        reply: ReplyLseek,
    ) {
        let whence = match whence {
            nix::libc::SEEK_DATA => Whence::SeekData,
            nix::libc::SEEK_HOLE => Whence::SeekHole,
            // The kernel does the others by itself.
            _ => return reply.error(Errno::EINVAL),
        };
        let found = self.volume.admit().and_then(|()| {
            let inode = self.table.get(number.0)?;
            Ok(lseek(inode.data()?, offset, whence)?)
        });
        match found {
            Ok(offset) => reply.offset(offset),
            Err(error) => reply.error(error.into()),
        }
    }
}
