//! Processes stop in the middle of whatever they do, and later go on as if nothing had been: long garbage
//! collections, suspended virtual machines.

use std::collections::BTreeMap;
use std::time::Duration;

use super::node_fault::{Hit, NodeFault};
use super::{Context, Healed, Injected, PAUSES_MS};
use crate::host::Host;
use crate::network::Evidence;

/// See the module's text.
pub(super) const PAUSE: NodeFault = NodeFault {
    name: "pause",
    summary: "Stops node processes (SIGSTOP); healing lets them go on (SIGCONT) where they were.",
    lengths_ms: PAUSES_MS,
    act: |hit| Box::pin(inject(hit)),
    ..NodeFault::PLAIN
};

/// How long the kernel may take to stop or continue every thread.
const PATIENCE: Duration = Duration::from_secs(1);
const LOOK_EVERY: Duration = Duration::from_millis(2);

async fn inject(hit: Hit<'_>) -> Injected {
    let pause = |&node: &usize| Some((node, hit.context.cluster.pause(node)?));
    let paused: BTreeMap<usize, i32> = hit.victims.iter().filter_map(pause).collect();
    if paused.is_empty() {
        return hit.nobody_ran();
    }
    let nodes: Vec<usize> = paused.keys().copied().collect();
    let evidence = probe(hit.context, &paused, true).await;
    let undo = Box::new(move |context| Box::pin(heal(context, paused)) as _);
    hit.injected(&nodes, evidence, undo)
}

async fn heal(context: Context, paused: BTreeMap<usize, i32>) -> Healed {
    let cluster = &context.cluster;
    // A node that was killed meanwhile has nothing to continue; if it was restarted it runs.
    let (kept, lost): (BTreeMap<_, _>, BTreeMap<_, _>) = paused
        .into_iter()
        .partition(|(node, pid)| cluster.status(*node).pid() == Some(*pid));
    for &node in kept.keys() {
        cluster.resume(node);
    }
    let mut evidence = probe(&context, &kept, false).await;
    for (node, pid) in lost {
        let note = format!("{} (pid {pid}) was killed meanwhile", cluster.name(node));
        evidence.text = [evidence.text, note]
            .into_iter()
            .filter(|text| !text.is_empty())
            .collect::<Vec<_>>()
            .join("; ");
    }
    evidence.into()
}

/// Looks at the state of every thread of every process of the nodes, until all are as they should be. A node
/// that another fault kills meanwhile is said to be gone.
async fn probe(context: &Context, nodes: &BTreeMap<usize, i32>, stopped: bool) -> Evidence {
    let deadline = tokio::time::Instant::now() + PATIENCE;
    loop {
        let mut words = Vec::new();
        let mut certain = true;
        for (&node, &pid) in nodes {
            let states: Vec<bool> = Host::threads(pid)
                .into_values()
                .flatten()
                .map(crate::procfs::Stat::is_stopped)
                .collect();
            let as_wanted = states.iter().filter(|&&state| state == stopped).count();
            let gone = states.is_empty() || context.cluster.status(node).pid() != Some(pid);
            certain &= as_wanted == states.len() && !(gone && stopped);
            let name = context.cluster.name(node);
            words.push(if gone {
                format!("{name} (pid {pid}) is gone")
            } else {
                let state = if stopped { "stopped (T)" } else { "not stopped" };
                format!(
                    "{as_wanted} of {} threads of {name} (pid {pid}) are {state}",
                    states.len()
                )
            });
        }
        if certain || tokio::time::Instant::now() >= deadline {
            return Evidence::new(certain, words.join("; "));
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}
