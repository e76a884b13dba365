//! The start of a cluster.

use std::net::IpAddr;
use std::time::{Duration, Instant};

use anyhow::bail;
use partita_nemesis::Cluster;
use partita_targets::{Node, Target};

use super::exits;
use super::operator::Starter;
use super::phases::Setting;
use super::watch::Watch;

/// How long the nodes have to become a cluster.
const START_LIMIT: Duration = Duration::from_secs(30);
/// How long the target has to make what clients are to find, and how long it is left alone if it could not.
const FOUND_TIMEOUT: Duration = Duration::from_secs(2);
const FOUND_PAUSE: Duration = Duration::from_millis(50);
/// How many lines of a node's log are shown when it does not start.
const TAIL_LINES: usize = 15;

/// How the start of a cluster went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Start {
    /// It is one.
    Ready,
    /// Somebody had the run end before.
    Interrupted,
}

/// Starts all nodes and waits until they are a cluster, or the run is interrupted.
///
/// # Errors
/// When they do not become one: why, and the ends of the logs.
pub(super) async fn start(
    setting: &Setting<'_>,
    cluster: &Cluster,
    starter: &Starter,
    watch: &Watch,
) -> anyhow::Result<Start> {
    for node in 0..cluster.len() {
        starter.prepare(node)?;
        cluster.start(node, starter.command(node, partita_targets::Start::Member)?)?;
    }
    let given_up = || exits::told(cluster).into_iter().next();
    let founded = async {
        found(setting.target, &starter.nodes, cluster.control_source(), given_up).await?;
        watch.ready(START_LIMIT, given_up).await
    };
    let ready = tokio::select! {
        ready = founded => ready,
        () = setting.progress.interrupted() => return Ok(Start::Interrupted),
    };
    if let Err(why) = ready {
        let tails: Vec<_> = (0..cluster.len())
            .map(|node| {
                format!(
                    "--- the end of {}'s log\n{}",
                    cluster.name(node),
                    cluster.log_tail(node, TAIL_LINES)
                )
            })
            .collect();
        bail!(
            "{} did not start: {why}\n{}",
            setting.target.name(),
            tails.join("\n")
        );
    }
    Ok(Start::Ready)
}

/// Has the target make what clients are to find.
async fn found(
    target: &dyn Target,
    nodes: &[Node],
    source: Option<IpAddr>,
    given_up: impl Fn() -> Option<String>,
) -> Result<(), String> {
    let deadline = Instant::now() + START_LIMIT;
    while let Err(why) = target.found(nodes, source, FOUND_TIMEOUT).await {
        if let Some(why) = given_up() {
            return Err(why);
        }
        if Instant::now() >= deadline {
            return Err(format!("after {} s: {why}", START_LIMIT.as_secs()));
        }
        tokio::time::sleep(FOUND_PAUSE).await;
    }
    Ok(())
}
