//! Control groups of our own, in which processes stand still (cgroup v2, `cgroup.freeze`; cgroups(7)).
//!
//! Their names begin with [`ORIGIN`] and end with the run's [mark](crate::mark): a group outlives a controller that
//! was killed, empty, and is removed by whoever cleans up.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crate::mark::Mark;
use crate::procfs;

/// How the names of our groups begin.
pub(crate) const ORIGIN: &str = "partita.";

/// How long the kernel may take to let go of a group whose last process has ended.
const PATIENCE: Duration = Duration::from_secs(1);
const LOOK_EVERY: Duration = Duration::from_millis(2);

/// A group whose processes can be made to stand still. Dropped, it lets them go on and is removed.
#[derive(Debug)]
pub(crate) struct Freezer {
    folder: PathBuf,
    parent: PathBuf,
    /// The groups that processes were in before.
    came_from: BTreeMap<i32, PathBuf>,
}

impl Freezer {
    /// Makes a group within the one that this process is in.
    pub(crate) fn make(mark: &Mark, name: &str) -> io::Result<Freezer> {
        let parent = procfs::own_cgroup()?;
        // A process may be moved only by one who may write to all groups from the one to the other.
        fs::File::options()
            .write(true)
            .open(parent.join("cgroup.procs"))?;
        let folder = parent.join(format!("{ORIGIN}{name}.{mark}"));
        fs::create_dir(&folder)?;
        let freezer = Freezer {
            folder,
            parent,
            came_from: BTreeMap::new(),
        };
        fs::File::options()
            .write(true)
            .open(freezer.folder.join("cgroup.freeze"))?;
        Ok(freezer)
    }

    /// Takes these processes in and has them stand still. They are listed until none is outside: one may begin
    /// another before it is taken in.
    pub(crate) fn freeze(&mut self, list: impl Fn() -> Vec<i32>) -> io::Result<()> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let mut all_are_inside = true;
            for pid in list() {
                // What names no group has ended meanwhile.
                let Ok(group) = procfs::cgroup_folder(pid) else {
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
        fs::write(self.folder.join("cgroup.freeze"), "1")
    }

    /// Does everything in it stand still, and is there anything?
    pub(crate) fn is_frozen(&self) -> bool {
        let events = fs::read_to_string(self.folder.join("cgroup.events")).unwrap_or_default();
        let says = |what: &str| events.lines().any(|line| line == what);
        says("frozen 1") && says("populated 1")
    }

    /// Lets everything go on, gives it back to the group that it came from, and removes this one. What goes on may
    /// begin processes in it meanwhile, so it is emptied until it can be removed.
    fn remove(&self) -> io::Result<()> {
        fs::write(self.folder.join("cgroup.freeze"), "0")?;
        remove(&self.folder, || self.give_back())
    }

    fn give_back(&self) -> io::Result<()> {
        let members = fs::read_to_string(self.folder.join("cgroup.procs"))?;
        for pid in members.lines().filter_map(|line| line.parse().ok()) {
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
    let Ok(root) = procfs::cgroup_root() else {
        return Vec::new();
    };
    let mut removed = Vec::new();
    let mut folders = vec![root];
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
                    // Before Linux 5.14 there is no such file; then what is in the group is killed by its mark.
                    let kill = || {
                        let _ = fs::write(path.join("cgroup.kill"), "1");
                        Ok(())
                    };
                    if remove(&path, kill).is_ok() {
                        removed.push(path);
                    }
                }
                Some(_) => {}
            }
        }
    }
    removed
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
