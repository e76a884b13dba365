//! Control groups of our own, in which processes stand still (cgroups(7)).
//!
//! Version 2 (`cgroup.freeze`) is used where we may make groups in it, else the freezer of version 1. In the latter
//! what stands still can't even be killed, so whoever kills has it go on, as [`release`] does.
//!
//! Their names begin with [`ORIGIN`] and end with the run's [mark](crate::mark): a group outlives a controller that
//! was killed, and is removed by whoever cleans up.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::mark::Mark;
use crate::procfs::Hierarchy;

/// How the names of our groups begin.
const ORIGIN: &str = "partita.";

/// How long the kernel may take to let go of a group whose last process has ended.
const PATIENCE: Duration = Duration::from_secs(1);
const LOOK_EVERY: Duration = Duration::from_millis(2);

/// How a hierarchy is called, and the file that has a group stand still, with what is to be written.
struct Switch {
    name: &'static str,
    file: &'static str,
    still: &'static str,
    going: &'static str,
}

fn switch(hierarchy: Hierarchy) -> Switch {
    match hierarchy {
        Hierarchy::Unified => Switch {
            name: "cgroup v2 (cgroup.freeze)",
            file: "cgroup.freeze",
            still: "1",
            going: "0",
        },
        Hierarchy::Freezer => Switch {
            name: "cgroup v1 (freezer.state)",
            file: "freezer.state",
            still: "FROZEN",
            going: "THAWED",
        },
    }
}

/// A group whose processes can be made to stand still. Dropped, it lets them go on and is removed.
#[derive(Debug)]
pub(crate) struct Freezer {
    hierarchy: Hierarchy,
    folder: PathBuf,
    parent: PathBuf,
    /// The groups that processes were in before.
    came_from: BTreeMap<i32, PathBuf>,
}

impl Freezer {
    /// Makes a group within the one that this process is in, in the first hierarchy that lets us.
    pub(crate) fn make(mark: &Mark, name: &str) -> io::Result<Freezer> {
        let mut refusals = Vec::new();
        for hierarchy in Hierarchy::ALL {
            match Freezer::make_in(hierarchy, mark, name) {
                Ok(freezer) => return Ok(freezer),
                Err(error) => refusals.push(format!("{}: {error}", switch(hierarchy).name)),
            }
        }
        Err(io::Error::other(refusals.join("; ")))
    }

    fn make_in(hierarchy: Hierarchy, mark: &Mark, name: &str) -> io::Result<Freezer> {
        let parent = hierarchy.folder(std::process::id().cast_signed())?;
        // A process may be moved only by one who may write to all groups from the one to the other.
        let may_write = |file: PathBuf| fs::File::options().write(true).open(file).map(drop);
        may_write(parent.join("cgroup.procs"))?;
        let folder = parent.join(format!("{ORIGIN}{name}.{mark}"));
        fs::create_dir(&folder)?;
        let freezer = Freezer {
            hierarchy,
            folder,
            parent,
            came_from: BTreeMap::new(),
        };
        may_write(freezer.folder.join(switch(hierarchy).file))?;
        Ok(freezer)
    }

    /// What has its processes stand still.
    pub(crate) fn means(&self) -> &'static str {
        switch(self.hierarchy).name
    }

    /// The group that a process is in, in this hierarchy; `None` if it has ended.
    pub(crate) fn group(&self, pid: i32) -> Option<String> {
        self.hierarchy.group(pid)
    }

    /// Takes these processes in and has them stand still. They are listed until none is outside: one may begin
    /// another before it is taken in.
    pub(crate) fn freeze(&mut self, list: impl Fn() -> Vec<i32>) -> io::Result<()> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let mut all_are_inside = true;
            for pid in list() {
                // What names no group has ended meanwhile.
                let Ok(group) = self.hierarchy.folder(pid) else {
                    continue;
                };
                if group != self.folder {
                    all_are_inside = false;
                    self.came_from.insert(pid, group);
                    move_into(&self.folder, pid)?;
                }
            }
            if all_are_inside {
                break;
            }
            if Instant::now() >= deadline {
                return Err(io::Error::other(
                    "processes are begun faster than they can be taken in",
                ));
            }
        }
        turn(self.hierarchy, &self.folder, true)
    }

    /// Does everything in it stand still, and is there anything?
    pub(crate) fn is_frozen(&self) -> bool {
        let read = |file: &str| fs::read_to_string(self.folder.join(file)).unwrap_or_default();
        match self.hierarchy {
            Hierarchy::Unified => {
                let events = read("cgroup.events");
                let says = |what: &str| events.lines().any(|line| line == what);
                says("frozen 1") && says("populated 1")
            }
            Hierarchy::Freezer => {
                read("freezer.state").trim() == "FROZEN" && !read("cgroup.procs").is_empty()
            }
        }
    }

    /// Lets everything go on, gives it back to the group that it came from, and removes this one. What goes on may
    /// begin processes in it meanwhile, so it is emptied until it can be removed.
    fn remove(&self) -> io::Result<()> {
        turn(self.hierarchy, &self.folder, false)?;
        remove(&self.folder, || self.give_back())
    }

    fn give_back(&self) -> io::Result<()> {
        for pid in members(&self.folder)? {
            // What was begun in it belongs with the others.
            let group = self.came_from.get(&pid).or(self.came_from.values().next());
            let group = group.unwrap_or(&self.parent);
            // The group may have been removed meanwhile.
            move_into(group, pid).or_else(|_| move_into(&self.parent, pid))?;
        }
        Ok(())
    }
}

impl Drop for Freezer {
    fn drop(&mut self) {
        if let Err(error) = self.remove() {
            tracing::error!("{} can't be removed: {error}", self.folder.display());
        }
    }
}

/// Has a group stand still, or go on.
fn turn(hierarchy: Hierarchy, folder: &Path, still: bool) -> io::Result<()> {
    let switch = switch(hierarchy);
    let word = if still { switch.still } else { switch.going };
    fs::write(folder.join(switch.file), word)
}

/// The processes of a group that are seen from this PID namespace; the others are 0.
fn members(folder: &Path) -> io::Result<Vec<i32>> {
    let members = fs::read_to_string(folder.join("cgroup.procs"))?;
    Ok(members.lines().filter_map(|line| line.parse().ok()).collect())
}

/// Whether a process is in a group of ours, or of another controller's.
pub(crate) fn is_in_one(pid: i32) -> bool {
    let is_ours = |group: String| group.split('/').any(|name| name.starts_with(ORIGIN));
    Hierarchy::ALL
        .iter()
        .any(|hierarchy| hierarchy.group(pid).is_some_and(is_ours))
}

/// Lets a process that was killed end, with all that is in its group: in version 1 what stands still does not end.
pub(crate) fn release(pid: i32) {
    let hierarchy = Hierarchy::Freezer;
    let Ok(folder) = hierarchy.folder(pid) else {
        return;
    };
    let name = folder.file_name().unwrap_or_default().to_string_lossy();
    if name.starts_with(ORIGIN)
        && let Err(error) = turn(hierarchy, &folder, false)
        && error.kind() != io::ErrorKind::NotFound
    {
        tracing::error!("{} does not go on: {error}", folder.display());
    }
}

fn move_into(group: &Path, pid: i32) -> io::Result<()> {
    match fs::write(group.join("cgroup.procs"), pid.to_string()) {
        // It has ended meanwhile.
        Err(error) if error.raw_os_error() == Some(nix::errno::Errno::ESRCH as i32) => Ok(()),
        other => other,
    }
}

/// Removes a group that is emptied first; what has ended in it may take a moment to be gone.
fn remove(group: &Path, empty: impl Fn() -> io::Result<()>) -> io::Result<()> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        empty()?;
        match fs::remove_dir(group) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(error) if error.kind() == io::ErrorKind::ResourceBusy && Instant::now() < deadline => {
                std::thread::sleep(LOOK_EVERY);
            }
            other => return other,
        }
    }
}

/// Removes the groups of runs whose controllers are dead; gives back their paths. What is in them is killed first.
pub(crate) fn abandoned(is_abandoned: impl Fn(&Mark) -> bool) -> Vec<PathBuf> {
    let mut removed = Vec::new();
    for hierarchy in Hierarchy::ALL {
        let mut folders: Vec<PathBuf> = hierarchy.root().into_iter().collect();
        while let Some(folder) = folders.pop() {
            let Ok(entries) = fs::read_dir(&folder) else {
                continue;
            };
            for entry in entries.flatten() {
                if !entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                    continue;
                }
                let (path, name) = (entry.path(), entry.file_name());
                match marked(&name.to_string_lossy()) {
                    None => folders.push(path),
                    Some(mark) if is_abandoned(&mark) => {
                        if remove(&path, || end_all(hierarchy, &path)).is_ok() {
                            removed.push(path);
                        }
                    }
                    Some(_) => {}
                }
            }
        }
    }
    removed
}

/// Kills everything in a group.
fn end_all(hierarchy: Hierarchy, folder: &Path) -> io::Result<()> {
    match hierarchy {
        // Before Linux 5.14 there is no such file; then what is in the group is killed by its mark.
        Hierarchy::Unified => drop(fs::write(folder.join("cgroup.kill"), "1")),
        Hierarchy::Freezer => {
            for pid in members(folder)?.into_iter().filter(|&pid| pid > 0) {
                // It may have ended just now.
                let _ = kill(Pid::from_raw(pid), Signal::SIGKILL);
            }
            turn(hierarchy, folder, false)?;
        }
    }
    Ok(())
}

/// The mark in the name of a group of ours.
fn marked(name: &str) -> Option<Mark> {
    let (_, mark) = name.strip_prefix(ORIGIN)?.split_once('.')?;
    mark.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_of_ours_have_a_mark() {
        let mark = Mark::of_this_process().unwrap();
        assert_eq!(marked(&format!("{ORIGIN}n1-7.{mark}")), Some(mark.clone()));
        for name in [
            "system.slice",
            "partita",
            "partita.",
            "partita.n1",
            &mark.to_string(),
        ] {
            assert_eq!(marked(name), None, "{name}");
        }
    }
}
