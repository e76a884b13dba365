//! A node's disk that can be made to fail, by the better of two means: a file system of ours, or, where none can be
//! mounted, answers to those who sync.

use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::Options;
use super::answered::{self, Answered, Watch};
use super::gate::Gate;
use super::mounted::{self, Mounted};
use super::pattern::Pattern;
use super::trouble::{Hits, Trouble, Troubles};
use crate::lab::{Lab, has_namespaces};

/// What disks can be made to do, the least first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reach {
    /// Syncs take long, or fail.
    Syncs,
    /// All that the faults of disks do.
    Everything,
}

impl Reach {
    /// What does it, in words that follow "by".
    pub fn means(self) -> &'static str {
        match self {
            Reach::Syncs => "answers to fsync (seccomp)",
            Reach::Everything => "a file system of ours (FUSE)",
        }
    }
}

/// What is in the way, and what to do about it.
pub(crate) type Obstacle = (String, String);

/// How far the disks of nodes can be made to fail here, and what is in the way of more.
pub(crate) fn reach_with(own_mounts: bool) -> (Option<Reach>, Option<Obstacle>) {
    match mounted::obstacle(own_mounts) {
        None => (Some(Reach::Everything), None),
        Some((why, remedy)) => match answered::obstacle() {
            None => (Some(Reach::Syncs), Some((why, remedy))),
            Some(other) => (None, Some((format!("{why}, and {other}"), remedy))),
        },
    }
}

/// Why disks can't be made to fail here, in no way, and what to do about it; `None` if they can.
pub fn obstacle(lab: &Lab) -> Option<String> {
    match reach_with(lab.has_own_mounts()) {
        (None, obstacle) => obstacle.map(told),
        (Some(_), _) => None,
    }
}

/// Why faults that need so much can't be had, before a lab was entered, and before there are threads: it is tried in
/// child processes.
pub(crate) fn impossible(need: Reach) -> Option<String> {
    let (reach, obstacle) = reach_with(has_namespaces());
    obstacle.filter(|_| reach < Some(need)).map(told)
}

/// By which means faults of syncs are had here.
pub(crate) fn means() -> Option<String> {
    let (reach, _) = reach_with(has_namespaces());
    reach.map(|reach| reach.means().to_owned())
}

fn told((why, remedy): Obstacle) -> String {
    format!("{why}: {remedy}")
}

/// See the module's text.
#[derive(Debug)]
pub(crate) enum Disk {
    Mounted(Mounted),
    Answered(Answered),
}

impl Disk {
    /// Over or at a directory, with an attic beside it, which is removed in the end.
    pub(crate) fn make(reach: Reach, over: &Path, attic: &Path, options: Options) -> io::Result<Disk> {
        match reach {
            Reach::Everything => Mounted::mount(over, attic, options).map(Disk::Mounted),
            Reach::Syncs => Answered::new(over).map(Disk::Answered),
        }
    }

    /// What it can be made to do.
    pub(crate) fn reach(&self) -> Reach {
        match self {
            Disk::Mounted(_) => Reach::Everything,
            Disk::Answered(_) => Reach::Syncs,
        }
    }

    /// What only a file system can do.
    pub(crate) fn mounted(&self) -> Option<&Mounted> {
        match self {
            Disk::Mounted(mounted) => Some(mounted),
            Disk::Answered(_) => None,
        }
    }

    /// The path of the directory beneath, for us; a mount itself may hold us up.
    pub(crate) fn beneath(&self) -> PathBuf {
        match self {
            Disk::Mounted(mounted) => mounted.beneath(),
            Disk::Answered(answered) => answered.folder.clone(),
        }
    }

    fn gate(&self) -> &Gate {
        match self {
            Disk::Mounted(mounted) => mounted.gate(),
            Disk::Answered(answered) => &answered.answers.gate,
        }
    }

    fn troubles(&self) -> &Troubles {
        match self {
            Disk::Mounted(mounted) => mounted.troubles(),
            Disk::Answered(answered) => &answered.answers.troubles,
        }
    }

    /// Has a program that is about to be begun use it, where that takes more than its folder.
    pub(crate) fn watch(&self, command: &mut Command) -> io::Result<Option<Watch>> {
        match self {
            Disk::Mounted(_) => Ok(None),
            Disk::Answered(answered) => answered.watch(command).map(Some),
        }
    }

    /// Does it work, and will it go on doing so?
    pub(crate) fn has_power(&self) -> bool {
        self.mounted().is_none_or(Mounted::has_power)
    }

    /// Has the power not go in a write; says whether it would have.
    pub(crate) fn disarm(&self) -> bool {
        self.mounted().is_some_and(Mounted::disarm)
    }

    /// Lets go of who waits for an answer; they have been killed.
    pub(crate) fn release(&self) {
        self.disarm();
        self.gate().release();
    }

    /// Gives it power, after undoing what is not durable and has not yet been undone.
    pub(crate) fn power_on(&self) {
        if let Some(mounted) = self.mounted() {
            mounted.roll_back_the_rest();
        }
        self.gate().power_on();
    }

    /// Begins a fault's trouble, of these files only if there is a pattern.
    pub(crate) fn begin(&self, fault: u64, trouble: Trouble, files: Option<Pattern>) {
        self.troubles().begin(fault, trouble, files);
        if let Some(mounted) = self.mounted().filter(|_| trouble.wants_fresh_reads()) {
            mounted.forget_pages();
        }
    }

    /// Ends a fault's trouble, and gives back how often it was met; `None` if there is none.
    pub(crate) fn end(&self, fault: u64) -> Option<Hits> {
        let hits = self.troubles().end(fault);
        self.gate().tell();
        hits
    }

    pub(crate) fn hits(&self, fault: u64) -> Option<Hits> {
        self.troubles().hits(fault)
    }

    /// The faults that trouble it.
    pub(crate) fn faults(&self) -> Vec<u64> {
        self.troubles().faults()
    }
}
