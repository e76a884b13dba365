//! Processes end because they are asked to, as at every deployment, and later start again.

use std::time::Duration;

use super::node_fault::{Hit, NodeFault};
use super::{Context, Injected, kill};
use crate::host::ProcessState;
use crate::network::Evidence;

/// See the module's text.
pub(super) const STOP: NodeFault = NodeFault {
    name: "stop",
    summary: "Asks node processes to end (SIGTERM), as a deployment does; healing starts them again.",
    act: |hit| Box::pin(inject(hit)),
    ..NodeFault::PLAIN
};

/// How long a node may take to end by itself. Then it is killed, as service managers do it.
const GRACE: Duration = Duration::from_secs(5);

async fn inject(hit: Hit<'_>) -> Injected {
    let nodes: Vec<usize> = hit.running().into_keys().collect();
    if nodes.is_empty() {
        return hit.nobody_ran();
    }
    let evidence = stop(hit.context, &nodes).await;
    let victims = nodes.clone();
    let undo = Box::new(move |context| kill::restart(context, victims));
    hit.injected(&nodes, evidence, undo)
}

/// Asks nodes to end, all at once, and waits until nothing is left of them.
pub(super) async fn stop(context: &Context, nodes: &[usize]) -> Evidence {
    let cluster = &context.cluster;
    let ask = |&node: &usize| Some((node, cluster.terminate(node)?));
    let asked: Vec<(usize, i32)> = nodes.iter().filter_map(ask).collect();
    let begun = tokio::time::Instant::now();
    let mut certain = true;
    let mut words = Vec::new();
    for (node, pid) in asked {
        let name = cluster.name(node);
        match cluster.gone(node, pid, GRACE).await {
            Some(ProcessState::Killed(exit)) if exit.signal() != Some(9) => words.push(format!(
                "{name} (pid {pid}) ended within {} ms ({exit})",
                begun.elapsed().as_millis()
            )),
            Some(state) => {
                certain = false;
                words.push(format!("{name} (pid {pid}) is gone, but ended so: {state:?}"));
            }
            None => {
                certain = false;
                cluster.kill(node);
                let gone = cluster.gone(node, pid, GRACE).await;
                words.push(format!(
                    "{name} (pid {pid}) did not end within {} s and was killed: {gone:?}",
                    GRACE.as_secs()
                ));
            }
        }
    }
    Evidence::new(certain, words.join("; "))
}
