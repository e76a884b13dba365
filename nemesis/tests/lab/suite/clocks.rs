//! Clocks that are bent.

use super::{KERNEL, PLAY, need_root};
use crate::actor::{Theatre, Who, is_root};

pub(super) fn as_root() -> Result<(), String> {
    let theatre = Theatre::open();
    let mut scene = theatre.scene(Who::Self_, "clocks", "auto");
    scene.succeed(PLAY);
    need_clocks(&scene.output())
}

pub(super) fn as_user() -> Result<(), String> {
    need_root()?;
    let theatre = Theatre::open();
    for network in ["auto", "proxy"] {
        let mut scene = theatre.scene(Who::Nobody, "clocks", network);
        scene.succeed(PLAY);
        need_clocks(&scene.output())?;
    }
    Ok(())
}

/// As root, and as an ordinary user without namespaces.
pub(super) fn without_tracing() -> Result<(), String> {
    let before = shared();
    let theatre = Theatre::open();
    let mut ways = vec![(Who::WithoutTracing, "auto")];
    if is_root() {
        ways.push((Who::NobodyWithoutTracing, "proxy"));
    }
    for (who, network) in ways {
        let mut scene = theatre.scene(who, "clocks", network);
        scene.succeed(PLAY);
        let output = scene.output();
        if output.contains("libfaketime is not installed") {
            return Err("libfaketime is missing (apt-get install libfaketime)".into());
        }
        need_clocks(&output)?;
        assert!(output.contains("clocks are bent by libfaketime"), "{output}");
        assert!(output.contains("has not loaded libfaketime"), "{output}");
    }
    assert_eq!(shared(), before);
    Ok(())
}

/// What libfaketime has left in shared memory.
fn shared() -> Vec<std::ffi::OsString> {
    let entries = std::fs::read_dir("/dev/shm").into_iter().flatten().flatten();
    let names = entries.map(|entry| entry.file_name());
    names
        .filter(|name| name.to_string_lossy().contains("faketime_"))
        .collect()
}

/// Not every machine lets one process look into another.
fn need_clocks(output: &str) -> Result<(), String> {
    let skipped = output
        .lines()
        .find_map(|line| line.strip_prefix("clocks can't be bent: "));
    skipped.map_or(Ok(()), |why| Err(format!("{KERNEL}{why}")))
}
