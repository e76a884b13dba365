//! Clocks that are bent.

use super::{KERNEL, PLAY, need_root};
use crate::actor::{Theatre, Who};

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

/// Not every machine lets one process look into another.
fn need_clocks(output: &str) -> Result<(), String> {
    let skipped = output
        .lines()
        .find_map(|line| line.strip_prefix("clocks can't be bent: "));
    skipped.map_or(Ok(()), |why| Err(format!("{KERNEL}{why}")))
}
