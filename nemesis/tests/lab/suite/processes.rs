//! Faults of processes, and the groups that they are frozen in.

use std::path::Path;

use super::{KERNEL, PLAY, need_root};
use crate::actor::{Theatre, Who, is_root};

pub(super) fn as_root() -> Result<(), String> {
    need_root()?;
    let theatre = Theatre::open();
    for network in ["auto", "proxy"] {
        let mut scene = theatre.scene(Who::Self_, "processes", network);
        scene.succeed(PLAY);
        if let Some(why) = scene
            .output()
            .lines()
            .find_map(|line| line.strip_prefix("  no groups: "))
        {
            return Err(format!("{KERNEL}{why}"));
        }
    }
    Ok(())
}

/// What needs a control group says so; all else works.
pub(super) fn as_user() -> Result<(), String> {
    let who = if is_root() { Who::Nobody } else { Who::Self_ };
    let theatre = Theatre::open();
    let mut scene = theatre.scene(who, "processes", "auto");
    scene.succeed(PLAY);
    let output = scene.output();
    if let Some(why) = output.lines().find_map(|line| line.strip_prefix("  no groups: ")) {
        assert!(why.contains("Delegate=yes"), "{why}");
    }
    Ok(())
}

/// The control groups that a controller has made.
pub(super) fn groups_of(controller: i32) -> Vec<String> {
    fn visit(folder: &Path, found: &mut Vec<String>) {
        for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
            let path = entry.path();
            if path.is_dir() && !path.is_symlink() {
                found.push(path.display().to_string());
                visit(&path, found);
            }
        }
    }
    let mut found = Vec::new();
    visit(Path::new("/sys/fs/cgroup"), &mut found);
    found.retain(|path| path.contains("partita.") && path.contains(&format!(":{controller}:")));
    found
}
