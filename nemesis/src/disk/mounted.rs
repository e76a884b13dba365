//! A node's disk where a file system of ours can lie under it: a volume that is mounted over a directory.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use fuser::{Config, INodeNo, Notifier, Session, SessionACL};
use nix::mount::{MntFlags, MsFlags, mount, umount2};
use nix::unistd::{getegid, geteuid};
use tokio::sync::oneshot;

use super::Options;
use super::either::Obstacle;
use super::gate::{Gate, Power};
use super::passthrough::Passthrough;
use super::rollback::{self, Extent, Loss};
use super::table::Table;
use super::trouble::Troubles;
use super::volume::Volume;

/// The device by which file systems are served from user space.
const DEVICE: &str = "/dev/fuse";

/// How many threads serve one disk: an fsync that waits for the disk beneath must not keep others waiting.
const THREADS: usize = 4;

/// Why no file system of ours can lie under a disk, and what to do about it.
pub(super) fn obstacle(own_mounts: bool) -> Option<Obstacle> {
    if !own_mounts {
        return Some((
            "there is no mount namespace to be had, and what is mounted outside one everybody sees".into(),
            "run as root (sudo), or allow user namespaces (see `partita doctor`)".into(),
        ));
    }
    let error = open_device().err()?;
    let (why, remedy) = match error.kind() {
        io::ErrorKind::NotFound => (
            format!("there is no {DEVICE}"),
            format!("load the module (sudo modprobe fuse); in a container add --device {DEVICE}"),
        ),
        io::ErrorKind::PermissionDenied => (
            format!("{DEVICE} can't be opened by this user"),
            format!("sudo chmod 666 {DEVICE}, or run as root (sudo)"),
        ),
        _ => (
            format!("{DEVICE} can't be opened ({error})"),
            format!("in a container add --device {DEVICE}"),
        ),
    };
    Some((why, remedy))
}

fn open_device() -> io::Result<File> {
    OpenOptions::new().read(true).write(true).open(DEVICE)
}

/// See the module's text. It is unmounted when it is dropped.
#[derive(Debug)]
pub(crate) struct Mounted {
    volume: Arc<Volume>,
    table: Arc<Table>,
    /// By which the kernel is told; there is none before it is served.
    notifier: Option<Notifier>,
    mountpoint: PathBuf,
    attic: PathBuf,
    /// Held by whoever undoes what is not durable.
    rolling_back: Mutex<()>,
}

impl Mounted {
    /// Mounts it over a directory. The attic is a directory beside it, which is made, and removed in the end.
    pub(super) fn mount(over: &Path, attic: &Path, options: Options) -> io::Result<Mounted> {
        fs::create_dir_all(over)?;
        fs::create_dir_all(attic)?;
        let volume = Arc::new(Volume::new(over, attic, options)?);
        let device = open_device()?;
        let settings = format!(
            "fd={},rootmode=40000,user_id={},group_id={},default_permissions,allow_other",
            device.as_raw_fd(),
            geteuid(),
            getegid()
        );
        let flags = MsFlags::MS_NOSUID | MsFlags::MS_NODEV;
        mount(
            Some("partita"),
            over,
            Some("fuse"),
            flags,
            Some(settings.as_str()),
        )?;
        // From here on dropping it unmounts.
        let table = Arc::new(Table::new(Arc::clone(&volume.root)));
        let mut disk = Mounted {
            volume: Arc::clone(&volume),
            table: Arc::clone(&table),
            notifier: None,
            mountpoint: over.to_owned(),
            attic: attic.to_owned(),
            rolling_back: Mutex::new(()),
        };
        let mut config = Config::default();
        config.n_threads = Some(THREADS);
        config.acl = SessionACL::All;
        let session = Session::from_fd(
            Passthrough::new(volume, table),
            OwnedFd::from(device),
            SessionACL::All,
            config,
        )?;
        disk.notifier = Some(session.notifier());
        std::thread::Builder::new().name("disk".into()).spawn(move || {
            if let Err(error) = session.run() {
                tracing::warn!("a disk is no longer served: {error}");
            }
        })?;
        Ok(disk)
    }

    /// The path of the directory beneath, for us; the mount itself may hold us up.
    pub(super) fn beneath(&self) -> PathBuf {
        self.volume.root.proc_path()
    }

    fn power(&self) -> Power {
        self.volume.gate.power()
    }

    /// Does it work, and will it go on doing so?
    pub(super) fn has_power(&self) -> bool {
        self.power() == Power::On && !self.volume.is_armed()
    }

    /// Cuts the power: from now on nothing is answered, and nothing becomes durable.
    pub(crate) fn cut(&self) {
        self.volume.cut();
    }

    /// Cuts the power in the middle of the next write that is long enough to be torn; the answer comes then.
    pub(crate) fn cut_in_write(&self) -> oneshot::Receiver<()> {
        self.volume.arm()
    }

    /// Has the power not go in a write; says whether it would have.
    pub(super) fn disarm(&self) -> bool {
        self.volume.disarm().is_some()
    }

    /// Undoes what is not durable. Nobody may be left who uses the disk. `None` if it has power: then it was
    /// undone before somebody gave it that.
    pub(crate) fn roll_back(&self, extent: Extent) -> Option<Loss> {
        let _alone = self.rolling_back.lock().unwrap_or_else(PoisonError::into_inner);
        (self.power() != Power::On).then(|| rollback::roll_back(&self.volume, extent))
    }

    /// Undoes what is not durable and has not yet been undone, if it has no power.
    pub(super) fn roll_back_the_rest(&self) {
        if let Some(loss) = self.roll_back(Extent::All)
            && !loss.failed.is_empty()
        {
            tracing::error!("what was not synced can't be undone: {}", loss.failed.join("; "));
        }
    }

    /// Has the kernel read all files anew when they are next read, and not take what it has kept of them.
    pub(super) fn forget_pages(&self) {
        let Some(notifier) = self.notifier.clone() else {
            return;
        };
        let numbers = self.table.numbers();
        let forget = move || {
            for number in numbers {
                // Of one that the kernel has forgotten there is nothing left to forget.
                let _ = notifier.inval_inode(INodeNo(number), 0, 0);
            }
        };
        // It may have to wait until somebody has read to the end.
        if let Err(error) = std::thread::Builder::new().name("pages".into()).spawn(forget) {
            tracing::warn!("what the kernel has kept of files is still read: {error}");
        }
    }

    pub(super) fn gate(&self) -> &Gate {
        &self.volume.gate
    }

    pub(super) fn troubles(&self) -> &Troubles {
        &self.volume.troubles
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        // Those who wait get an error: nobody else is going to answer them.
        self.volume.gate.cut();
        self.volume.gate.release();
        if let Err(error) = umount2(&self.mountpoint, MntFlags::MNT_DETACH) {
            tracing::warn!("unmount {}: {error}", self.mountpoint.display());
        }
        // What is kept there was lost by its owner, and is now durably so.
        let _ = fs::remove_dir_all(&self.attic);
    }
}
