//! Faults as strong as they are asked for.

use super::{KERNEL, PLAY, need_netns, need_root};
use crate::actor::{Theatre, Who};

pub(super) fn links() -> Result<(), String> {
    need_netns()?;
    play(Who::Self_, "set-links", "switch")
}

pub(super) fn processes() -> Result<(), String> {
    play(Who::Self_, "set-processes", "proxy")
}

pub(super) fn clocks() -> Result<(), String> {
    play(Who::Self_, "set-clocks", "auto")
}

pub(super) fn disks() -> Result<(), String> {
    need_root()?;
    need_netns()?;
    play(Who::Self_, "set-disks", "proxy")
}

pub(super) fn disks_without_fuse() -> Result<(), String> {
    need_root()?;
    play(Who::WithoutFuse, "set-disks", "proxy")
}

fn play(who: Who, scene: &str, network: &str) -> Result<(), String> {
    let theatre = Theatre::open();
    let mut scene = theatre.scene(who, scene, network);
    scene.succeed(PLAY);
    match scene.output().lines().find(|line| line.contains("not here: ")) {
        Some(reason) => Err(format!("{KERNEL}{}", reason.trim())),
        None => Ok(()),
    }
}
