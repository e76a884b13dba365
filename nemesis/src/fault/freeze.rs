//! Whole control groups stand still, as when a container is paused or a virtual machine is moved: the process sees
//! no signal, and its parent no stop.

use std::collections::BTreeMap;
use std::time::Duration;

use super::node_fault::{Hit, NodeFault};
use super::{Context, Healed, Injected, PAUSES_MS};
use crate::host::{self, Freezer, Host};
use crate::mark::Mark;
use crate::network::Evidence;

/// See the module's text.
pub(super) const FREEZE: NodeFault = NodeFault {
    name: "freeze",
    summary: "Has the control group of a node stand still (cgroup.freeze, or the freezer of cgroup v1); healing lets it go on where it was.",
    lengths_ms: PAUSES_MS,
    impossible,
    means,
    act: |hit| Box::pin(inject(hit)),
    ..NodeFault::PLAIN
};

/// How long the kernel may take until everything stands still, or goes on.
const PATIENCE: Duration = Duration::from_secs(1);
const LOOK_EVERY: Duration = Duration::from_millis(2);

/// Makes a group and removes it: what would have it stand still.
fn try_it() -> Option<std::io::Result<&'static str>> {
    let mark = Mark::of_this_process()?;
    Some(Freezer::make(&mark, "trial").map(|freezer| freezer.means()))
}

fn means() -> Option<String> {
    try_it()?.ok().map(str::to_owned)
}

fn impossible() -> Option<String> {
    let error = try_it()?.err()?;
    Some(format!(
        "no control group of our own can be made ({error}): run as root (sudo), or in a group that is yours (systemd-run --user --scope -p Delegate=yes)"
    ))
}

async fn inject(hit: Hit<'_>) -> Injected {
    let cluster = &hit.context.cluster;
    let running = hit.running();
    if running.is_empty() {
        return hit.nobody_ran();
    }
    let mut frozen = BTreeMap::new();
    let mut words = Vec::new();
    for (&node, &pid) in &running {
        let name = format!("{}-{}", cluster.name(node), hit.id);
        let freeze = || {
            let mut freezer = Freezer::make(cluster.mark(), &name)?;
            freezer.freeze(|| Host::threads(pid).into_keys().collect())?;
            Ok::<_, std::io::Error>(freezer)
        };
        match cluster.host(node).process.unless_doomed(pid, freeze) {
            None => words.push(format!("{} is being ended", cluster.name(node))),
            Some(Ok(freezer)) => drop(frozen.insert(node, (pid, freezer))),
            Some(Err(error)) => words.push(format!("{}: {error}", cluster.name(node))),
        }
    }
    if frozen.is_empty() {
        return hit.skipped(words.join("; "));
    }
    let mut certain = words.is_empty();
    let deadline = tokio::time::Instant::now() + PATIENCE;
    for (&node, (pid, freezer)) in &frozen {
        while !freezer.is_frozen() && tokio::time::Instant::now() < deadline {
            tokio::time::sleep(LOOK_EVERY).await;
        }
        let (name, still) = (cluster.name(node), freezer.is_frozen());
        certain &= still;
        let (group, means) = (freezer.group(*pid).unwrap_or_default(), freezer.means());
        words.push(if still {
            format!("all of {name} (pid {pid}) stands still in {group}, {means}")
        } else {
            format!("{name} (pid {pid}) does not stand still in {group}, {means}")
        });
    }
    let nodes: Vec<usize> = frozen.keys().copied().collect();
    let undo = Box::new(move |context| Box::pin(heal(context, frozen)) as _);
    hit.injected(&nodes, Evidence::new(certain, words.join("; ")), undo)
}

async fn heal(context: Context, frozen: BTreeMap<usize, (i32, Freezer)>) -> Healed {
    let pids: Vec<(usize, i32)> = frozen.iter().map(|(&node, (pid, _))| (node, *pid)).collect();
    // Dropped, each lets its processes go on, and is removed, which may take the kernel a while.
    let mut certain = tokio::task::spawn_blocking(move || drop(frozen)).await.is_ok();
    let mut words = Vec::new();
    for (node, pid) in pids {
        let name = context.cluster.name(node);
        let is_held = host::is_in_a_freezer(pid);
        certain &= !is_held;
        words.push(if context.cluster.status(node).pid() != Some(pid) {
            format!("{name} (pid {pid}) was killed meanwhile")
        } else if is_held {
            format!("{name} (pid {pid}) is still in a group of ours")
        } else {
            format!("{name} (pid {pid}) is back where it was")
        });
    }
    Evidence::new(certain, words.join("; ")).into()
}
