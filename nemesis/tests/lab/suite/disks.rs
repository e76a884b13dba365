//! Disks that fail.

use std::time::Duration;

use nix::sys::signal::Signal;

use super::{KERNEL, PLAY, need_cage, need_netns, need_root, need_user_namespaces};
use crate::actor::{Theatre, Who, eventually, is_root, marked, namespaces_of, still_there, tree};

pub(super) fn as_root() -> Result<(), String> {
    need_root()?;
    need_netns()?;
    play(Who::Self_, "proxy")?;
    play(Who::Self_, "netns").map(drop)
}

/// Where `/dev/fuse` is root's alone, a copy of it that is not stands in for it, in a mount namespace of the test's.
pub(super) fn as_user() -> Result<(), String> {
    let who = if is_root() {
        Who::NobodyWithFuse
    } else {
        Who::Self_
    };
    need_user_namespaces(who)?;
    play(who, "proxy").map(drop)
}

/// As root, as an ordinary user, and where there are no namespaces either.
pub(super) fn without_fuse() -> Result<(), String> {
    need_root()?;
    let mut ways = vec![(Who::WithoutFuse, "proxy"), (Who::Nobody, "proxy")];
    if need_netns().is_ok() {
        ways.push((Who::WithoutFuse, "netns"));
    }
    if need_cage().is_ok() {
        ways.push((Who::Caged, "auto"));
    }
    for (who, network) in ways {
        let output = play(who, network)?;
        // Anybody may open it on many a machine.
        let can = who == Who::Nobody && output.contains("power cuts");
        assert!(
            can || output.contains("disks fail by answers to fsync"),
            "{output}"
        );
    }
    Ok(())
}

/// Gives back what it printed.
fn play(who: Who, network: &str) -> Result<String, String> {
    let theatre = Theatre::open();
    let mut scene = theatre.scene(who, "disks", network);
    scene.succeed(PLAY);
    match scene.output().lines().find(|line| line.contains("no disks: ")) {
        Some(reason) => Err(format!("{KERNEL}{}", reason.trim())),
        None => Ok(scene.output()),
    }
}

pub(super) fn a_killed_controller_leaves_none() -> Result<(), String> {
    need_root()?;
    need_netns()?;
    can_fail()?;
    let mounts = || std::fs::read_to_string("/proc/self/mounts").unwrap();
    let before = mounts();
    let theatre = Theatre::open();
    let mut scene = theatre.scene(Who::Self_, "stay-in-disk-fault", "proxy");
    scene.wait_for("in fault");
    let processes = tree(scene.pid());
    let namespaces = namespaces_of(&processes);
    let last = *processes.iter().max_by_key(|known| known.pid).unwrap();
    assert_eq!(mounts(), before, "nobody else sees what is mounted");
    scene.signal(Signal::SIGKILL);
    scene.wait(Duration::from_secs(5));
    eventually("every process ends, those that hang in an fsync too", || {
        marked(scene.pid()).is_empty() && processes.iter().all(|process| !process.lives())
    });
    eventually("every namespace vanishes, and with it the mounts", || {
        still_there(&namespaces, last).is_empty()
    });
    assert_eq!(mounts(), before);
    Ok(())
}

fn can_fail() -> Result<(), String> {
    match std::fs::File::options().read(true).write(true).open("/dev/fuse") {
        Ok(_) => Ok(()),
        Err(error) => Err(format!("{KERNEL}/dev/fuse: {error}")),
    }
}
