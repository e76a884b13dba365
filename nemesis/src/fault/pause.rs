//! Processes stop in the middle of whatever they do, and later go on as if nothing had been: long garbage
//! collections, suspended virtual machines.

use std::collections::BTreeMap;
use std::time::Duration;

use super::{BoxFuture, Context, Fault, Healed, Injected, Shape, roles_and_leaders, roles_of, selection};
use crate::host::Host;
use crate::network::Evidence;

/// See the module's text.
pub(super) struct Pause;

impl Fault for Pause {
    fn name(&self) -> &'static str {
        "pause"
    }

    fn summary(&self) -> &'static str {
        "Stops node processes (SIGSTOP); healing lets them go on (SIGCONT) where they were."
    }

    fn shapes(&self) -> &'static [Shape] {
        selection::PROCESS_SHAPES
    }

    fn inject<'a>(
        &'a self,
        context: &'a Context,
        _: u64,
        shape: &'a str,
        seed: u64,
    ) -> BoxFuture<'a, Injected> {
        Box::pin(inject(context, shape, seed))
    }
}

/// How long the kernel may take to stop or continue every thread.
const PATIENCE: Duration = Duration::from_secs(1);
const LOOK_EVERY: Duration = Duration::from_millis(2);

async fn inject(context: &Context, shape: &str, seed: u64) -> Injected {
    let cluster = &context.cluster;
    let (roles, leaders) = roles_and_leaders(context, selection::needs_leader(shape)).await;
    let victims = match selection::victims(shape, cluster.len(), &leaders, seed) {
        Ok(victims) => victims,
        Err(reason) => return Injected::skipped(shape, reason),
    };
    let paused: BTreeMap<usize, i32> = victims
        .iter()
        .filter_map(|&node| Some((node, cluster.pause(node)?)))
        .collect();
    let nodes: Vec<String> = paused.keys().map(|&node| cluster.name(node).to_owned()).collect();
    if nodes.is_empty() {
        let names: Vec<&str> = victims.iter().map(|&node| cluster.name(node)).collect();
        return Injected::skipped(shape, format!("{} did not run", names.join(", ")));
    }
    let evidence = probe(context, &paused, true).await;
    Injected {
        what: nodes.join(", "),
        roles: roles_of(&roles, &nodes),
        nodes,
        links: Vec::new(),
        outcome: evidence.outcome,
        evidence: evidence.text,
        undo: Some(Box::new(move |context| Box::pin(heal(context, paused)))),
    }
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
