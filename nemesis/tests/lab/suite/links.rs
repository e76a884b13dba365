//! What is done to links.

use std::time::Duration;

use super::{PLAY, need_netns, need_root, need_tools, need_user_namespaces};
use crate::actor::{Theatre, Who};

/// What is done to links takes its time: there is much of it.
const LONG_PLAY: Duration = Duration::from_secs(400);

pub(super) fn as_root() -> Result<(), String> {
    need_netns()?;
    let theatre = Theatre::open();
    theatre.scene(Who::Self_, "cut-links", "switch").succeed(PLAY);
    theatre
        .scene(Who::Self_, "spoil-links", "switch")
        .succeed(LONG_PLAY);
    Ok(())
}

pub(super) fn as_user() -> Result<(), String> {
    need_root()?;
    need_user_namespaces(Who::Nobody)?;
    let theatre = Theatre::open();
    for (scene, patience) in [("cut-links", PLAY), ("spoil-links", LONG_PLAY)] {
        let mut scene = theatre.scene(Who::Nobody, scene, "switch");
        scene.succeed(patience);
        assert!(scene.output().contains("without root, in a user namespace"));
    }
    Ok(())
}

pub(super) fn behind_a_proxy() -> Result<(), String> {
    Theatre::open()
        .scene(Who::Self_, "spoil-links", "proxy")
        .succeed(LONG_PLAY);
    Ok(())
}

pub(super) fn by_filters() -> Result<(), String> {
    need_tools()?;
    need_netns()?;
    Theatre::open()
        .scene(Who::Self_, "spoil-links", "netns")
        .succeed(PLAY);
    Ok(())
}

pub(super) fn tcp_default() -> Result<(), String> {
    need_netns()?;
    Theatre::open()
        .scene(Who::Self_, "tcp-default", "switch")
        .succeed(PLAY);
    Ok(())
}
