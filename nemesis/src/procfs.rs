//! What `/proc` tells about processes. Only here are its formats known.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};

/// The fields of `/proc/<pid>/stat` that are used (proc_pid_stat(5)).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stat {
    /// R, S, D, T, t, Z, X, ...
    pub(crate) state: char,
    pub(crate) parent: i32,
    pub(crate) group: i32,
    /// When it started, in clock ticks since boot. With the pid it names a process for good: pids are reused.
    pub(crate) started: u64,
}

impl Stat {
    /// A zombie has ended, though its parent has not yet asked how.
    pub(crate) fn has_ended(self) -> bool {
        matches!(self.state, 'Z' | 'X' | 'x')
    }

    /// Stopped by a signal, or by who traces it.
    pub(crate) fn is_stopped(self) -> bool {
        matches!(self.state, 'T' | 't')
    }

    /// Stopped by a signal. A tracer stops what it traces in another way.
    pub(crate) fn is_stopped_by_signal(self) -> bool {
        self.state == 'T'
    }
}

/// `None` if there is no such process (any more).
pub(crate) fn stat(pid: i32) -> Option<Stat> {
    read_stat(Path::new(&format!("/proc/{pid}/stat")))
}

/// Whether there may be such a process: false only if there certainly is none.
pub(crate) fn exists(pid: i32) -> bool {
    nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid), None) != Err(nix::errno::Errno::ESRCH)
}

fn read_stat(path: &Path) -> Option<Stat> {
    parse_stat(&String::from_utf8_lossy(&fs::read(path).ok()?))
}

/// The second field is the program's name in brackets, which may itself hold spaces and brackets.
fn parse_stat(line: &str) -> Option<Stat> {
    let fields: Vec<&str> = line[line.rfind(')')? + 1..].split_whitespace().collect();
    Some(Stat {
        state: fields.first()?.chars().next()?,
        parent: fields.get(1)?.parse().ok()?,
        group: fields.get(2)?.parse().ok()?,
        started: fields.get(19)?.parse().ok()?,
    })
}

/// The state of every thread of a process; empty if it is gone.
pub(crate) fn thread_stats(pid: i32) -> Vec<Stat> {
    let Ok(tasks) = fs::read_dir(format!("/proc/{pid}/task")) else {
        return Vec::new();
    };
    tasks
        .flatten()
        .filter_map(|task| read_stat(&task.path().join("stat")))
        .collect()
}

/// Those threads of a process that have not ended; empty if it is gone.
pub(crate) fn threads(pid: i32) -> BTreeSet<i32> {
    let Ok(tasks) = fs::read_dir(format!("/proc/{pid}/task")) else {
        return BTreeSet::new();
    };
    tasks
        .flatten()
        .filter(|task| read_stat(&task.path().join("stat")).is_some_and(|stat| !stat.has_ended()))
        .filter_map(|task| task.file_name().to_str()?.parse().ok())
        .collect()
}

/// Every process that this `/proc` shows.
pub(crate) fn processes() -> Vec<i32> {
    let Ok(entries) = fs::read_dir("/proc") else {
        return Vec::new();
    };
    entries
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .collect()
}

/// A process, those of its group, and all that descend from any of these: what a node consists of.
pub(crate) fn family(leader: i32) -> BTreeSet<i32> {
    let stats: Vec<(i32, Stat)> = processes()
        .into_iter()
        .filter_map(|pid| Some((pid, stat(pid)?)))
        .collect();
    let mut family: BTreeSet<i32> = stats
        .iter()
        .filter(|(pid, stat)| *pid == leader || stat.group == leader)
        .map(|(pid, _)| *pid)
        .collect();
    loop {
        let before = family.len();
        for (pid, stat) in &stats {
            if family.contains(&stat.parent) {
                family.insert(*pid);
            }
        }
        if family.len() == before {
            return family;
        }
    }
}

/// The value of a variable in the environment that a process was started with.
pub(crate) fn variable(pid: i32, name: &str) -> Option<String> {
    let environment = fs::read(format!("/proc/{pid}/environ")).ok()?;
    environment.split(|&byte| byte == 0).find_map(|entry| {
        let entry = std::str::from_utf8(entry).ok()?;
        Some(entry.strip_prefix(name)?.strip_prefix('=')?.to_owned())
    })
}

/// A process's command line, in words that a person can read.
pub(crate) fn command(pid: i32) -> String {
    let bytes = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    let text = String::from_utf8_lossy(&bytes).replace('\0', " ");
    text.trim().to_owned()
}

/// One line of `/proc/<pid>/status`, without its name.
pub(crate) fn status_field(pid: i32, name: &str) -> Option<String> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    status
        .lines()
        .find_map(|line| Some(line.strip_prefix(name)?.strip_prefix(':')?.trim().to_owned()))
}

/// Where a process has the kernel's vDSO; `None` if it has none.
pub(crate) fn vdso(pid: i32) -> io::Result<Option<Range<u64>>> {
    let maps = fs::read_to_string(format!("/proc/{pid}/maps"))?;
    Ok(parse_vdso(&maps))
}

/// Has a process mapped this file?
pub(crate) fn has_mapped(pid: i32, file: &Path) -> io::Result<bool> {
    let maps = fs::read_to_string(format!("/proc/{pid}/maps"))?;
    let file = file.to_string_lossy();
    Ok(maps.lines().any(|line| line.ends_with(&*file)))
}

fn parse_vdso(maps: &str) -> Option<Range<u64>> {
    let line = maps.lines().find(|line| line.ends_with("[vdso]"))?;
    let (begin, end) = line.split_whitespace().next()?.split_once('-')?;
    let address = |text| u64::from_str_radix(text, 16).ok();
    Some(address(begin)?..address(end)?)
}

/// The number of the PID namespace that a process lives in.
pub(crate) fn pid_namespace(pid: i32) -> Option<u64> {
    let link = fs::read_link(format!("/proc/{pid}/ns/pid")).ok()?;
    let text = link.to_str()?;
    text.strip_prefix("pid:[")?.strip_suffix(']')?.parse().ok()
}

/// A hierarchy of control groups (cgroups(7)) in which processes can be made to stand still.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Hierarchy {
    /// Version 2, in which everything is.
    Unified,
    /// That of version 1 which has the controller `freezer`.
    Freezer,
}

/// Where a hierarchy is mounted.
#[derive(Debug, PartialEq, Eq)]
struct CgroupMount {
    folder: PathBuf,
    /// The group that the folder shows: not the topmost where a container is shown its own only.
    root: String,
}

impl Hierarchy {
    /// Every one, the better first.
    pub(crate) const ALL: [Hierarchy; 2] = [Hierarchy::Unified, Hierarchy::Freezer];

    /// Where it is mounted.
    pub(crate) fn root(self) -> io::Result<PathBuf> {
        Ok(self.mounted()?.folder)
    }

    fn mounted(self) -> io::Result<CgroupMount> {
        let mounts = fs::read_to_string("/proc/self/mountinfo")?;
        self.parse_mounts(&mounts)
            .ok_or_else(|| io::Error::new(io::ErrorKind::NotFound, "it is not mounted"))
    }

    /// Root, mount point, type and options of each line (proc_pid_mountinfo(5)).
    fn parse_mounts(self, mounts: &str) -> Option<CgroupMount> {
        mounts.lines().find_map(|line| {
            let (mount, file_system) = line.split_once(" - ")?;
            let mut file_system = file_system.split(' ');
            let (kind, options) = (file_system.next()?, file_system.nth(1)?);
            let is_it = match self {
                Hierarchy::Unified => kind == "cgroup2",
                Hierarchy::Freezer => kind == "cgroup" && options.split(',').any(|it| it == "freezer"),
            };
            let mut mount = mount.split(' ').skip(3).filter(|_| is_it);
            Some(CgroupMount {
                root: mount.next()?.to_owned(),
                folder: mount.next()?.into(),
            })
        })
    }

    /// The control group of a process, as a path within the hierarchy.
    pub(crate) fn group(self, pid: i32) -> Option<String> {
        self.parse_group(&fs::read_to_string(format!("/proc/{pid}/cgroup")).ok()?)
    }

    fn parse_group(self, groups: &str) -> Option<String> {
        groups.lines().find_map(|line| {
            let (number, rest) = line.split_once(':')?;
            let (controllers, path) = rest.split_once(':')?;
            let is_it = match self {
                Hierarchy::Unified => number == "0",
                Hierarchy::Freezer => controllers.split(',').any(|it| it == "freezer"),
            };
            is_it.then(|| path.to_owned())
        })
    }

    /// The folder of the control group that a process is in.
    pub(crate) fn folder(self, pid: i32) -> io::Result<PathBuf> {
        let unnamed = || io::Error::other(format!("/proc/{pid}/cgroup names no group"));
        let (group, mount) = (self.group(pid).ok_or_else(unnamed)?, self.mounted()?);
        let below = group.strip_prefix(&mount.root).unwrap_or(&group);
        Ok(mount.folder.join(below.trim_start_matches('/')))
    }
}

/// By how many seconds the time since boot of what a process begins differs from the machine's own
/// (time_namespaces(7)).
pub(crate) fn boot_offset(pid: i32) -> Option<i64> {
    parse_boot_offset(&fs::read_to_string(format!("/proc/{pid}/timens_offsets")).ok()?)
}

fn parse_boot_offset(offsets: &str) -> Option<i64> {
    let line = offsets.lines().find_map(|line| line.strip_prefix("monotonic"))?;
    line.split_whitespace().next()?.parse().ok()
}

/// The soft and the hard limit of a resource, as `/proc/<pid>/limits` names it; `u64::MAX` stands for none.
pub(crate) fn limits(pid: i32, name: &str) -> Option<(u64, u64)> {
    parse_limits(&fs::read_to_string(format!("/proc/{pid}/limits")).ok()?, name)
}

fn parse_limits(limits: &str, name: &str) -> Option<(u64, u64)> {
    let line = limits.lines().find_map(|line| line.strip_prefix(name))?;
    let mut values = line.split_whitespace().map(|value| match value {
        "unlimited" => Some(u64::MAX),
        number => number.parse().ok(),
    });
    Some((values.next()??, values.next()??))
}

/// The soft limit of a resource.
pub(crate) fn soft_limit(pid: i32, name: &str) -> Option<u64> {
    limits(pid, name).map(|(soft, _)| soft)
}

/// How many descriptors a process has open.
pub(crate) fn descriptors(pid: i32) -> usize {
    fs::read_dir(format!("/proc/{pid}/fd")).map_or(0, Iterator::count)
}

/// How many threads this process has.
pub(crate) fn own_threads() -> usize {
    fs::read_dir("/proc/self/task").map_or(0, |tasks| tasks.count())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_brackets_and_spaces_does_not_mislead() {
        let line = "42 (a) b) c) T 7 41 41 0 -1 4 1 2 3 4 5 6 7 8 20 0 1 0 987654 1 2";
        assert_eq!(
            parse_stat(line),
            Some(Stat {
                state: 'T',
                parent: 7,
                group: 41,
                started: 987_654
            })
        );
        assert_eq!(parse_stat("42 (a) T"), None);
    }

    #[test]
    fn the_vdso_is_found_among_what_is_mapped() {
        let maps = "7ffe1000-7ffe3000 rw-p 00000000 00:00 0 [stack]\n\
                    7ffe8000-7ffea000 r-xp 00000000 00:00 0                          [vdso]\n";
        assert_eq!(parse_vdso(maps), Some(0x7ffe_8000..0x7ffe_a000));
        assert_eq!(parse_vdso("7ffe1000-7ffe3000 rw-p 0 0 0 /tmp/a [vdso] b\n"), None);
    }

    #[test]
    fn a_control_group_is_found_in_its_hierarchy() {
        let mounts = "30 24 0:26 / /sys/fs/cgroup rw - tmpfs tmpfs rw,mode=755\n\
                      31 30 0:27 / /sys/fs/cgroup/cpu rw shared:9 - cgroup cgroup rw,cpu\n\
                      32 30 0:28 /docker/7 /sys/fs/cgroup/freezer rw - cgroup cgroup rw,freezer\n\
                      33 30 0:29 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n";
        let mounted = |hierarchy: Hierarchy, mounts| {
            let found = hierarchy.parse_mounts(mounts);
            found.map(|found| (found.root, found.folder.display().to_string()))
        };
        let found = |root: &str, folder: &str| Some((root.to_owned(), folder.to_owned()));
        assert_eq!(
            mounted(Hierarchy::Unified, mounts),
            found("/", "/sys/fs/cgroup/unified")
        );
        assert_eq!(
            mounted(Hierarchy::Freezer, mounts),
            found("/docker/7", "/sys/fs/cgroup/freezer")
        );
        let first = mounts.lines().next().unwrap();
        assert_eq!(mounted(Hierarchy::Freezer, first), None);
        let groups = "6:cpu,freezer:/a:b\n1:name=systemd:/c\n0::/d\n";
        assert_eq!(Hierarchy::Unified.parse_group(groups).as_deref(), Some("/d"));
        assert_eq!(Hierarchy::Freezer.parse_group(groups).as_deref(), Some("/a:b"));
        assert_eq!(Hierarchy::Freezer.parse_group("0::/d\n"), None);
    }

    #[test]
    fn another_boot_is_so_many_seconds_away() {
        let offsets = "monotonic       -3600         0\nboottime        -3600         0\n";
        assert_eq!(parse_boot_offset(offsets), Some(-3_600));
        assert_eq!(parse_boot_offset(""), None);
    }

    #[test]
    fn limits_are_soft_and_hard() {
        let limits = "Limit                     Soft Limit           Hard Limit           Units     \n\
                      Max open files            1024                 524288               files     \n\
                      Max address space         unlimited            unlimited            bytes     \n";
        assert_eq!(parse_limits(limits, "Max open files"), Some((1024, 524_288)));
        assert_eq!(
            parse_limits(limits, "Max address space"),
            Some((u64::MAX, u64::MAX))
        );
        assert_eq!(parse_limits(limits, "Max cpu time"), None);
    }

    #[test]
    fn this_process_is_found() {
        let pid = std::process::id().cast_signed();
        let stat = stat(pid).unwrap();
        assert!(!stat.has_ended() && !stat.is_stopped() && stat.started > 0);
        assert!(thread_stats(pid).len() >= 2, "the test runner has threads");
        assert!(family(pid).contains(&pid) && processes().contains(&pid));
        assert_eq!(own_threads(), thread_stats(pid).len());
    }
}
