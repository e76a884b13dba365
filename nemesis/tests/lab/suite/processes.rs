//! Faults of processes, and the groups that they are frozen in.

use std::path::Path;
use std::time::Duration;

use nix::sys::signal::Signal;
use partita_nemesis::clean;

use super::{KERNEL, PLAY, need_netns, need_root};
use crate::actor::{Theatre, Who, eventually, is_root, marked};

pub(super) fn as_root() -> Result<(), String> {
    need_root()?;
    let theatre = Theatre::open();
    for network in ["auto", "proxy"] {
        let mut scene = theatre.scene(Who::Self_, "processes", network);
        scene.succeed(PLAY);
        had_groups(&scene.output())?;
    }
    Ok(())
}

fn had_groups(output: &str) -> Result<(), String> {
    let why = output.lines().find_map(|line| line.strip_prefix("  no groups: "));
    why.map_or(Ok(()), |why| Err(format!("{KERNEL}{why}")))
}

/// Nothing ends there while it stands still, whoever kills it.
pub(super) fn on_cgroup_v1() -> Result<(), String> {
    need_root()?;
    need_netns()?;
    let theatre = Theatre::open();
    let mut scene = theatre.scene(Who::WithoutUnifiedGroups, "freeze", "proxy");
    scene.succeed(PLAY);
    had_groups(&scene.output())?;
    assert!(scene.output().contains("cgroup v1"), "{}", scene.output());
    let mut killed = theatre.scene(Who::WithoutUnifiedGroups, "stay-frozen", "proxy");
    killed.wait_for("in fault");
    assert_eq!(groups_of(killed.pid()).len(), 2);
    killed.signal(Signal::SIGKILL);
    killed.wait(Duration::from_secs(5));
    clean::clean_groups();
    assert_eq!(groups_of(killed.pid()), Vec::<String>::new());
    eventually("every process ends", || marked(killed.pid()).is_empty());
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
