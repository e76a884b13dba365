//! Trying in a child process what this machine allows, before it is done in earnest.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::AsRawFd;
use std::path::Path;

use nix::errno::Errno;
use nix::fcntl::OFlag;
use nix::sys::memfd::{MFdFlags, memfd_create};
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::waitpid;
use nix::unistd::{ForkResult, Uid, fork, pipe2};

use super::namespace::{Isolation, Refused, Side, settle_in, split};
use super::tools::{self, SearchPath, Tools, Trouble};
use crate::clock::try_boot;
use crate::network::switch::Switch;
use crate::network::{Endpoint, Force, Interference, Link, netlink};
use crate::procfs;

/// Finds out whether the isolation can be had. `Err` says what refused it, and how to change that.
pub(crate) fn isolation(network: bool) -> Result<Isolation, Trouble> {
    let mut trouble = None;
    for way in Isolation::ways(network) {
        match in_scratch(way, String::new) {
            Ok(_) => return Ok(way),
            Err(refusal) => trouble = trouble.or(Some(explain(&refusal))),
        }
    }
    Err(trouble.expect("there is always a way to try"))
}

/// Finds out which tools can make and cut a network inside the isolation.
pub(crate) fn network(isolation: Isolation, search: &SearchPath) -> Result<Tools, Trouble> {
    let mut trouble = None;
    for tools in tools::find(search)? {
        let attempt = in_scratch(isolation, || exercise(&tools).err().unwrap_or_default());
        match attempt {
            Ok(error) if error.is_empty() => return Ok(tools),
            Ok(error) => trouble = trouble.or(Some(unfit(error))),
            Err(refusal) => trouble = trouble.or(Some(explain(&refusal))),
        }
    }
    Err(trouble.expect("at least one set of tools was tried"))
}

/// Finds out whether our own switch can serve a network inside the isolation.
pub(crate) fn switch(isolation: Isolation) -> Result<(), Trouble> {
    let remedy = "load the kernel modules veth and af_packet as root (modprobe), or use another kernel";
    attempt(isolation, || open_switch().map(drop), remedy)
}

/// Finds out whether the kernel serves the links to which the switch does nothing, and gives them back.
pub(crate) fn fast_path(isolation: Isolation) -> Result<(), Trouble> {
    let exercise = || {
        let switch = open_switch()?;
        switch.obstacle().map_or(Ok(()), Err)?;
        let force = Force {
            interference: Interference::Stall,
            fault: 0,
            seed: 0,
        };
        let cut = BTreeMap::from([(Link::new(Endpoint::Clients, Endpoint::Node(0)), vec![force])]);
        switch.set(cut).map_err(|error| error.to_string())
    };
    let remedy = "load the kernel modules sch_ingress, cls_u32 and act_mirred as root (modprobe), or use another kernel";
    attempt(isolation, exercise, remedy)
}

/// Finds out whether processes can have another time since boot inside the isolation.
pub(crate) fn boot(isolation: Isolation) -> Result<(), Trouble> {
    let remedy = "use a kernel with time namespaces (Linux 5.6, CONFIG_TIME_NS)";
    attempt(isolation, try_boot, remedy)
}

fn attempt(
    isolation: Isolation,
    work: impl FnOnce() -> Result<(), String>,
    remedy: &str,
) -> Result<(), Trouble> {
    match in_scratch(isolation, || work().err().unwrap_or_default()) {
        Ok(why) if why.is_empty() => Ok(()),
        Ok(why) => Err(Trouble {
            why,
            remedy: remedy.to_owned(),
        }),
        Err(refusal) => Err(explain(&refusal)),
    }
}

/// A switch between two ends, with all that it is going to need.
fn open_switch() -> Result<Switch, String> {
    lay_pair().map_err(|error| format!("make interfaces: {error}"))?;
    let interfaces = BTreeMap::from([
        (Endpoint::Clients, VETH.to_owned()),
        (Endpoint::Node(0), OTHER_VETH.to_owned()),
    ]);
    Switch::open(&interfaces).map_err(|error| format!("open a packet socket: {error}"))
}

const VETH: &str = "veth0";
const OTHER_VETH: &str = "veth1";

/// A pair of interfaces, both ends here.
fn lay_pair() -> io::Result<()> {
    netlink::set_up("lo")?;
    netlink::add_veth(VETH, OTHER_VETH, Path::new("/proc/self/ns/net"))?;
    netlink::set_up(VETH)?;
    netlink::set_up(OTHER_VETH)
}

/// All that a network is going to need of the tools, and of the kernel.
fn exercise(tools: &Tools) -> Result<(), String> {
    let lay = || -> io::Result<()> {
        lay_pair()?;
        netlink::add_bridge("br0")?;
        netlink::set_master(VETH, "br0")
    };
    lay().map_err(|error| format!("make interfaces: {error}"))?;
    let lock = memfd_create("xtables.lock", MFdFlags::MFD_CLOEXEC).map_err(|error| error.to_string())?;
    // iptables opens the path in a process of its own, hence no /proc/self.
    let lock_path = format!("/proc/{}/fd/{}", std::process::id(), lock.as_raw_fd());
    let rules = "*filter\n:PARTITA - [0:0]\n-A INPUT -j PARTITA\n-A PARTITA -s 10.77.0.1 -j DROP\nCOMMIT\n";
    tools.restore(Path::new(&lock_path), rules)
}

fn unfit(error: String) -> Trouble {
    Trouble {
        remedy:
            "load the kernel modules bridge, veth and ip_tables as root (modprobe), or use another kernel"
                .into(),
        why: error,
    }
}

/// Runs `work` as the first process of fresh namespaces that vanish with it, and returns what it says.
///
/// Two processes: one to leave this one's namespaces as they are, and its child, which is in the new ones.
fn in_scratch(isolation: Isolation, work: impl FnOnce() -> String) -> Result<String, Refused> {
    let pipe = || pipe2(OFlag::O_CLOEXEC).map_err(|error| Refused { step: "pipe", error });
    let (report, reporter) = pipe()?;
    // What lies in these buffers would otherwise be written by both processes.
    let _ = (io::stdout().flush(), io::stderr().flush());
    #[expect(
        unsafe_code,
        reason = "the process has one thread, so no lock can be held across the fork"
    )]
    let forked = unsafe { fork() }.map_err(|error| Refused { step: "fork", error })?;
    let ForkResult::Parent { child } = forked else {
        drop(report);
        let attempt = match split(isolation) {
            Ok(Side::Outer { child, life_line }) => {
                drop(reporter);
                let _ = waitpid(child, None);
                drop(life_line);
                std::process::exit(0);
            }
            Ok(Side::Inner) => settle_in(isolation).map(|()| work()),
            Err(refused) => Err(refused),
        };
        let text = match attempt {
            Ok(said) => format!("said {said}"),
            Err(Refused { step, error }) => format!("refused {} {step}", error as i32),
        };
        let written = File::from(reporter).write_all(text.as_bytes());
        std::process::exit(i32::from(written.is_err()));
    };
    drop(reporter);
    let mut text = String::new();
    let read = File::from(report).read_to_string(&mut text);
    if read.is_err() {
        let _ = kill(child, Signal::SIGKILL);
    }
    let _ = waitpid(child, None);
    parse_report(&text).ok_or(Refused {
        step: "try it in a child process",
        error: Errno::UnknownErrno,
    })?
}

fn parse_report(text: &str) -> Option<Result<String, Refused>> {
    let (kind, rest) = text.split_once(' ')?;
    if kind == "said" {
        return Some(Ok(rest.to_owned()));
    }
    let (error, step) = rest.split_once(' ')?;
    Some(Err(Refused {
        step: STEPS
            .into_iter()
            .find(|known| *known == step)
            .unwrap_or("make namespaces"),
        error: Errno::from_raw(error.parse().ok()?),
    }))
}

/// The steps that the child may name.
const STEPS: [&str; 9] = [
    "unshare",
    "write /proc/self/setgroups",
    "write /proc/self/uid_map",
    "write /proc/self/gid_map",
    "pipe",
    "fork",
    "prctl",
    "make mounts private",
    "mount /proc",
];

/// Names the knob that stands in the way, where one is known to.
fn explain(refusal: &Refused) -> Trouble {
    let who = if Uid::effective().is_root() {
        "root"
    } else {
        "an ordinary user"
    };
    let error = match refusal.error {
        // What the kernel means by "no space left" (user_namespaces(7), on /proc/sys/user).
        Errno::ENOSPC => "the limit on their number is reached",
        error => error.desc(),
    };
    let why = format!("{who} may not make namespaces here ({}: {error})", refusal.step);
    let remedy = knob().map_or_else(
        || {
            "run as root (sudo); in a container add --cap-add SYS_ADMIN --security-opt seccomp=unconfined \
             --security-opt systempaths=unconfined"
                .to_owned()
        },
        |setting| format!("sudo sysctl -w {setting}, or run as root (sudo)"),
    );
    Trouble { why, remedy }
}

/// A kernel setting that is known to forbid user namespaces, as it ought to be.
fn knob() -> Option<&'static str> {
    let reads = |file: &str| Some(std::fs::read_to_string(file).ok()?.trim().to_owned());
    let is = |file: &str, value: &str| reads(file).is_some_and(|text| text == value);
    if is("/proc/sys/kernel/apparmor_restrict_unprivileged_userns", "1") {
        Some("kernel.apparmor_restrict_unprivileged_userns=0")
    } else if is("/proc/sys/kernel/unprivileged_userns_clone", "0") {
        Some("kernel.unprivileged_userns_clone=1")
    } else if is("/proc/sys/user/max_user_namespaces", "0") {
        Some("user.max_user_namespaces=15000")
    } else {
        None
    }
}

/// A trial forks, and a fork of several threads inherits their locks but not the threads.
pub(crate) fn is_possible() -> bool {
    procfs::own_threads() == 1
}
