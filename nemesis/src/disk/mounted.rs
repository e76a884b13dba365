//! A node's disk: a volume that is mounted over a directory.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use fuser::{Config, Session, SessionACL};
use nix::mount::{MntFlags, MsFlags, mount, umount2};
use nix::unistd::{getegid, geteuid};
use tokio::sync::oneshot;

use super::Options;
use super::gate::Power;
use super::passthrough::Passthrough;
use super::rollback::{self, Extent, Loss};
use super::trouble::{Hits, Trouble};
use super::volume::Volume;
use crate::lab::{Lab, has_namespaces};

/// The device by which file systems are served from user space.
const DEVICE: &str = "/dev/fuse";

/// How many threads serve one disk: an fsync that waits for the disk beneath must not keep others waiting.
const THREADS: usize = 4;

/// Why disks can't be made to fail here, and what to do about it; `None` if they can.
pub fn obstacle(lab: &Lab) -> Option<String> {
    let (why, remedy) = obstacle_with(lab.has_own_mounts())?;
    Some(format!("{why}: {remedy}"))
}

/// The same, before a lab was entered, and before there are threads: it is tried in a child process.
pub(crate) fn impossible() -> Option<String> {
    let (why, remedy) = obstacle_with(has_namespaces())?;
    Some(format!("{why}: {remedy}"))
}

/// Why not, and what to do about it.
pub(crate) fn obstacle_with(own_mounts: bool) -> Option<(String, String)> {
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
pub(crate) struct Disk {
    volume: Arc<Volume>,
    mountpoint: PathBuf,
    attic: PathBuf,
    /// Held by whoever undoes what is not durable.
    rolling_back: Mutex<()>,
}

impl Disk {
    /// Mounts it over a directory. The attic is a directory beside it, which is made, and removed in the end.
    pub(crate) fn mount(over: &Path, attic: &Path, options: Options) -> io::Result<Disk> {
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
        let disk = Disk {
            volume: Arc::clone(&volume),
            mountpoint: over.to_owned(),
            attic: attic.to_owned(),
            rolling_back: Mutex::new(()),
        };
        let mut config = Config::default();
        config.n_threads = Some(THREADS);
        config.acl = SessionACL::All;
        let session = Session::from_fd(
            Passthrough::new(volume),
            OwnedFd::from(device),
            SessionACL::All,
            config,
        )?;
        std::thread::Builder::new().name("disk".into()).spawn(move || {
            if let Err(error) = session.run() {
                tracing::warn!("a disk is no longer served: {error}");
            }
        })?;
        Ok(disk)
    }

    /// The path of the directory beneath, for us; the mount itself may hold us up.
    pub(crate) fn beneath(&self) -> PathBuf {
        self.volume.root.proc_path()
    }

    fn power(&self) -> Power {
        self.volume.gate.power()
    }

    /// Does it work, and will it go on doing so?
    pub(crate) fn has_power(&self) -> bool {
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
    pub(crate) fn disarm(&self) -> bool {
        self.volume.disarm().is_some()
    }

    /// Lets go of who waits for an answer; they have been killed.
    pub(crate) fn release(&self) {
        self.volume.disarm();
        self.volume.gate.release();
    }

    /// Undoes what is not durable. Nobody may be left who uses the disk. `None` if it has power: then it was
    /// undone before somebody gave it that.
    pub(crate) fn roll_back(&self, extent: Extent) -> Option<Loss> {
        let _alone = self.rolling_back.lock().unwrap_or_else(PoisonError::into_inner);
        (self.power() != Power::On).then(|| rollback::roll_back(&self.volume, extent))
    }

    /// Gives it power, after undoing what is not durable and has not yet been undone.
    pub(crate) fn power_on(&self) {
        let _alone = self.rolling_back.lock().unwrap_or_else(PoisonError::into_inner);
        if self.power() != Power::On {
            let loss = rollback::roll_back(&self.volume, Extent::All);
            if !loss.failed.is_empty() {
                tracing::error!("what was not synced can't be undone: {}", loss.failed.join("; "));
            }
        }
        self.volume.gate.power_on();
    }

    pub(crate) fn begin(&self, fault: u64, trouble: Trouble) {
        self.volume.troubles.begin(fault, trouble);
    }

    /// Ends a fault's trouble, and gives back how often it was met; `None` if there is none.
    pub(crate) fn end(&self, fault: u64) -> Option<Hits> {
        let hits = self.volume.troubles.end(fault);
        self.volume.gate.tell();
        hits
    }

    pub(crate) fn hits(&self, fault: u64) -> Option<Hits> {
        self.volume.troubles.hits(fault)
    }

    /// The faults that trouble it.
    pub(crate) fn faults(&self) -> Vec<u64> {
        self.volume.troubles.faults()
    }
}

impl Drop for Disk {
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
