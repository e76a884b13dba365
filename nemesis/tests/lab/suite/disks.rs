//! Disks that fail.

use std::time::Duration;

use nix::sys::signal::Signal;

use super::{KERNEL, PLAY, need_netns, need_root, need_user_namespaces};
use crate::actor::{Theatre, Who, eventually, is_root, marked, namespaces_of, still_there, tree};

pub(super) fn as_root() -> Result<(), String> {
    need_root()?;
    need_netns()?;
    play(Who::Self_, "proxy")?;
    play(Who::Self_, "netns")
}

/// Where `/dev/fuse` is root's alone, a copy of it that is not stands in for it, in a mount namespace of the test's.
pub(super) fn as_user() -> Result<(), String> {
    let who = if is_root() {
        Who::NobodyWithFuse
    } else {
        Who::Self_
    };
    need_user_namespaces(who)?;
    play(who, "proxy")?;
    if !is_root() {
        return Ok(());
    }
    let theatre = Theatre::open();
    let mut refused = theatre.scene(Who::Nobody, "disks", "proxy");
    refused.succeed(PLAY);
    let output = refused.output();
    assert!(
        output.contains("power cuts") || output.contains("sudo chmod 666 /dev/fuse"),
        "{output}"
    );
    Ok(())
}

fn play(who: Who, network: &str) -> Result<(), String> {
    let theatre = Theatre::open();
    let mut scene = theatre.scene(who, "disks", network);
    scene.succeed(PLAY);
    match scene.output().lines().find(|line| line.contains("no disks: ")) {
        Some(reason) => Err(format!("{KERNEL}{}", reason.trim())),
        None => Ok(()),
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
