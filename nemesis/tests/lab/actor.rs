//! Running scenes as processes of their own, as root or as an ordinary user, and finding what they leave.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use nix::libc;

/// Who runs a scene.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Who {
    /// Whoever runs the suite.
    Self_,
    /// `nobody`; only root can become that.
    Nobody,
    /// `nobody`, where anybody may open `/dev/fuse`.
    NobodyWithFuse,
    /// Root, where even root may not open `/dev/fuse`.
    WithoutFuse,
    /// Root, where no control groups of version 2 are mounted.
    WithoutUnifiedGroups,
    /// Whoever runs the suite, where no process may trace another.
    WithoutTracing,
    /// `nobody`, likewise.
    NobodyWithoutTracing,
    /// Root in name only, in a user namespace that allows no others.
    Caged,
}

impl Who {
    fn command(self, program: &Path) -> Command {
        let wrapped = |wrapper: &str, args: &[&str]| {
            let mut command = Command::new(wrapper);
            command.args(args).arg(program);
            command
        };
        match self {
            Who::Self_ => Command::new(program),
            Who::Nobody => wrapped("setpriv", &["--reuid=65534", "--regid=65534", "--clear-groups"]),
            Who::NobodyWithFuse => {
                let script = "mount -t tmpfs tmpfs /mnt && mknod -m 666 /mnt/fuse c 10 229 && \
                              mount --bind /mnt/fuse /dev/fuse && \
                              exec setpriv --reuid=65534 --regid=65534 --clear-groups \"$@\"";
                wrapped("unshare", &["--mount", "sh", "-c", script, "sh"])
            }
            Who::WithoutFuse => {
                let script = "{ [ ! -e /dev/fuse ] || { mount --bind /dev/fuse /dev/fuse && \
                              mount -o remount,bind,nodev /dev/fuse; }; } && exec \"$@\"";
                wrapped("unshare", &["--mount", "sh", "-c", script, "sh"])
            }
            Who::WithoutUnifiedGroups => {
                let script = "umount -a -l -t cgroup2 && exec \"$@\"";
                wrapped("unshare", &["--mount", "sh", "-c", script, "sh"])
            }
            Who::WithoutTracing => {
                let mut command = Command::new(program);
                command.arg(WITHOUT_TRACING).arg(program);
                command
            }
            Who::NobodyWithoutTracing => {
                let mut command = Who::Nobody.command(program);
                command.arg(WITHOUT_TRACING).arg(program);
                command
            }
            Who::Caged => {
                let script = "echo 0 >/proc/sys/user/max_user_namespaces && \
                              echo 0 >/proc/sys/user/max_pid_namespaces && exec \"$@\"";
                wrapped(
                    "unshare",
                    &["--user", "--map-root-user", "sh", "-c", script, "sh"],
                )
            }
        }
    }
}

/// The argument that has this program forbid tracing, and begin the one that follows.
pub(crate) const WITHOUT_TRACING: &str = "without-tracing";

/// Never returns: begins a program that gets EPERM whenever it wants to trace a process, and so do all that it begins.
pub(crate) fn without_tracing(args: &[String]) -> ! {
    let step = |code: u32, k: u32, if_not: u8| libc::sock_filter {
        code: u16::try_from(code).unwrap(),
        jt: 0,
        jf: if_not,
        k,
    };
    let give_back = libc::BPF_RET | libc::BPF_K;
    let mut steps = [
        // The number of the system call comes first.
        step(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, 0, 0),
        step(
            libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K,
            u32::try_from(libc::SYS_ptrace).unwrap(),
            1,
        ),
        step(
            give_back,
            libc::SECCOMP_RET_ERRNO | libc::EPERM.cast_unsigned(),
            0,
        ),
        step(give_back, libc::SECCOMP_RET_ALLOW, 0),
    ];
    let program = libc::sock_fprog {
        len: u16::try_from(steps.len()).unwrap(),
        filter: steps.as_mut_ptr(),
    };
    nix::sys::prctl::set_no_new_privs().unwrap();
    #[expect(unsafe_code, reason = "the kernel reads the program, which lives until then")]
    let installed = unsafe {
        libc::prctl(
            libc::PR_SET_SECCOMP,
            libc::SECCOMP_MODE_FILTER,
            &raw const program,
        )
    };
    assert_eq!(installed, 0, "{}", std::io::Error::last_os_error());
    panic!("{}", Command::new(&args[0]).args(&args[1..]).exec())
}

pub(crate) fn is_root() -> bool {
    nix::unistd::Uid::effective().is_root()
}

/// A folder that anyone may use, with a copy of this program that anyone may run.
pub(crate) struct Theatre {
    folder: tempfile::TempDir,
}

impl Theatre {
    pub(crate) fn open() -> Theatre {
        let folder = tempfile::tempdir().expect("a folder");
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o777)).unwrap();
        let program = folder.path().join("lab");
        fs::copy(std::env::current_exe().unwrap(), &program).expect("a copy");
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
        Theatre { folder }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn begin(&self, who: Who, name: &str, args: &[&str], search_path: Option<&Path>) -> Scene {
        let output = self.path(&format!("{name}.out"));
        let file = File::create(&output).unwrap();
        let mut command = who.command(&self.path("lab"));
        command
            .args(args)
            .stdin(Stdio::null())
            .stdout(file.try_clone().unwrap())
            .stderr(file)
            .process_group(0);
        if let Some(folder) = search_path {
            command.env("SEARCH_PATH", folder);
        }
        let child = command.spawn().expect("the scene begins");
        Scene {
            name: name.to_owned(),
            child,
            output,
        }
    }

    /// A scene in a lab.
    pub(crate) fn scene(&self, who: Who, scene: &str, network: &str) -> Scene {
        let name = format!("{scene}-{network}-{who:?}");
        let run_dir = self.path(&format!("run-{name}"));
        self.begin(
            who,
            &name,
            &["scene", scene, network, run_dir.to_str().unwrap()],
            None,
        )
    }
}

pub(crate) struct Scene {
    name: String,
    pub(crate) child: Child,
    output: PathBuf,
}

impl Scene {
    pub(crate) fn output(&self) -> String {
        fs::read_to_string(&self.output).unwrap_or_default()
    }

    pub(crate) fn pid(&self) -> i32 {
        self.child.id().cast_signed()
    }

    /// Waits until the scene has printed a line that begins so.
    pub(crate) fn wait_for(&mut self, line: &str) {
        let begun = Instant::now();
        while !self
            .output()
            .lines()
            .any(|printed| printed.trim_start().starts_with(line))
        {
            let ended = self.child.try_wait().unwrap();
            assert!(
                ended.is_none() && begun.elapsed() < Duration::from_secs(30),
                "{} does not say `{line}` ({ended:?}):\n{}",
                self.name,
                self.output()
            );
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    pub(crate) fn wait(&mut self, patience: Duration) -> ExitStatus {
        let begun = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status;
            }
            assert!(
                begun.elapsed() < patience,
                "{} does not end:\n{}",
                self.name,
                self.output()
            );
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// Waits for the end, which must be a success.
    pub(crate) fn succeed(&mut self, patience: Duration) {
        let status = self.wait(patience);
        assert!(status.success(), "{}: {status}\n{}", self.name, self.output());
        println!("  {}:\n{}", self.name, self.output());
    }

    pub(crate) fn signal(&self, signal: nix::sys::signal::Signal) {
        nix::sys::signal::kill(nix::unistd::Pid::from_raw(self.pid()), signal).unwrap();
    }

    /// To the process and whoever is in its group.
    pub(crate) fn signal_group(&self, signal: nix::sys::signal::Signal) {
        nix::sys::signal::killpg(nix::unistd::Pid::from_raw(self.pid()), signal).unwrap();
    }
}

impl Drop for Scene {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A process as one can find it again: its pid and when it started.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Known {
    pub(crate) pid: i32,
    started: u64,
}

fn stat_field(pid: i32, index: usize) -> Option<String> {
    let stat = String::from_utf8_lossy(&fs::read(format!("/proc/{pid}/stat")).ok()?).into_owned();
    stat[stat.rfind(')')? + 1..]
        .split_whitespace()
        .nth(index)
        .map(str::to_owned)
}

pub(crate) fn known(pid: i32) -> Option<Known> {
    Some(Known {
        pid,
        started: stat_field(pid, 19)?.parse().ok()?,
    })
}

impl Known {
    /// Neither ended nor a zombie.
    pub(crate) fn lives(self) -> bool {
        known(self.pid) == Some(self) && !matches!(stat_field(self.pid, 0).as_deref(), None | Some("Z" | "X"))
    }
}

fn pids() -> Vec<i32> {
    fs::read_dir("/proc")
        .unwrap()
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .collect()
}

/// The processes that carry the mark of this controller.
pub(crate) fn marked(controller: i32) -> BTreeSet<Known> {
    let is_marked = |pid: &i32| {
        let environment = fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
        let mark = environment
            .split(|byte| *byte == 0)
            .find_map(|entry| entry.strip_prefix(b"PARTITA_RUN="));
        mark.and_then(|mark| std::str::from_utf8(mark).ok()?.split(':').nth(1)?.parse().ok())
            == Some(controller)
    };
    pids()
        .into_iter()
        .filter(is_marked)
        .filter_map(known)
        .filter(|known| known.lives())
        .collect()
}

/// A process and all that descend from it.
pub(crate) fn tree(root: i32) -> BTreeSet<Known> {
    let mut tree = BTreeSet::from([root]);
    loop {
        let before = tree.len();
        let children = pids().into_iter().filter(|pid| {
            stat_field(*pid, 1)
                .and_then(|parent| parent.parse().ok())
                .is_some_and(|parent: i32| tree.contains(&parent))
        });
        tree.extend(children.collect::<Vec<_>>());
        if tree.len() == before {
            return tree.into_iter().filter_map(known).collect();
        }
    }
}

/// Every namespace that any thread of these processes is in, and that this process is not.
pub(crate) fn namespaces_of(processes: &BTreeSet<Known>) -> BTreeSet<String> {
    let own = namespaces(std::process::id().cast_signed());
    processes
        .iter()
        .flat_map(|known| namespaces(known.pid))
        .filter(|namespace| !own.contains(namespace))
        .collect()
}

fn namespaces(pid: i32) -> BTreeSet<String> {
    let tasks = fs::read_dir(format!("/proc/{pid}/task"))
        .into_iter()
        .flatten()
        .flatten();
    let links = |task: fs::DirEntry| {
        ["net", "pid", "mnt", "user"]
            .into_iter()
            .filter_map(move |kind| fs::read_link(task.path().join("ns").join(kind)).ok())
            .map(|link| link.to_string_lossy().into_owned())
    };
    tasks.flat_map(links).collect()
}

/// Those of the namespaces that still exist: `lsns` knows them by their processes and their mounts. Numbers are
/// reused, so a namespace whose first process is `newer` than this does not count.
pub(crate) fn still_there(namespaces: &BTreeSet<String>, newer: Known) -> Vec<String> {
    let output = Command::new("lsns")
        .args(["-n", "-r", "-o", "NS,TYPE,PID"])
        .output()
        .expect("lsns (util-linux)");
    let listing = String::from_utf8_lossy(&output.stdout).into_owned();
    let exists = |line: &&str| {
        let mut fields = line.split_whitespace();
        let (Some(number), Some(kind)) = (fields.next(), fields.next()) else {
            return false;
        };
        let holder = fields.next().and_then(|pid| pid.parse().ok()).and_then(known);
        let is_old = holder.is_none_or(|holder| holder.started <= newer.started);
        is_old && namespaces.contains(&format!("{kind}:[{number}]"))
    };
    listing.lines().filter(exists).map(str::to_owned).collect()
}

/// Waits until something holds.
pub(crate) fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !holds() {
        assert!(begun.elapsed() < Duration::from_secs(5), "{what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}
