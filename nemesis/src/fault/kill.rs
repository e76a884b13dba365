//! Processes end without warning, and later start again with what is on their disks.

use std::time::Duration;

use partita_history::FaultOutcome;

use super::node_fault::{Hit, NodeFault};
use super::{BoxFuture, Context, Healed, Injected};
use crate::host::ProcessState;
use crate::network::Evidence;

/// See the module's text.
pub(super) const KILL: NodeFault = NodeFault {
    name: "kill",
    summary: "Kills node processes (SIGKILL); healing restarts them with the data that they had.",
    act: |hit| Box::pin(inject(hit)),
    ..NodeFault::PLAIN
};

/// How long a killed process may take to be gone.
const GONE: Duration = Duration::from_secs(10);
/// How long a restarted node may take to answer.
const ANSWERS: Duration = Duration::from_secs(10);
const ASK_EVERY: Duration = Duration::from_millis(25);

async fn inject(hit: Hit<'_>) -> Injected {
    let killed = strike(hit.context, &hit.victims);
    let ran = |ran: bool| -> Vec<usize> {
        let nodes = killed.iter().filter(|(_, pid)| pid.is_some() == ran);
        nodes.map(|(node, _)| *node).collect()
    };
    let (nodes, down) = (ran(true), ran(false));
    if nodes.is_empty() {
        return hit.nobody_ran();
    }
    let (certain, mut words) = gone(hit.context, &killed).await;
    if !down.is_empty() {
        words.push(format!("{} did not run before", hit.names(&down).join(", ")));
    }
    // Those that were down are kept down by another fault, or ended by themselves: they are not ours to start.
    let victims = nodes.clone();
    let undo = Box::new(move |context| restart(context, victims));
    hit.injected(&nodes, Evidence::new(certain, words.join("; ")), undo)
}

/// Kills all at once; questions later. Gives the pids of those that ran.
pub(super) fn strike(context: &Context, victims: &[usize]) -> Vec<(usize, Option<i32>)> {
    let kill = |&node: &usize| (node, context.cluster.kill(node));
    victims.iter().map(kill).collect()
}

/// Of those that were just struck, those that another fault does not keep down: they are the striker's to start.
pub(super) fn ours(context: &Context, struck: &[(usize, Option<i32>)]) -> Vec<usize> {
    let is_ours = |&&(node, pid): &&(usize, Option<i32>)| pid.is_some() || !is_kept_down(context, node);
    struck.iter().filter(is_ours).map(|(node, _)| *node).collect()
}

/// Does another fault keep the node down? For one that has not killed it itself: only faults kill nodes.
pub(super) fn is_kept_down(context: &Context, node: usize) -> bool {
    matches!(context.cluster.status(node), ProcessState::Killed(_))
}

/// Of a node that is left out because another fault keeps it down.
pub(super) fn left_out(context: &Context, node: usize) -> String {
    format!(
        "{} was left out: another fault keeps it down",
        context.cluster.name(node)
    )
}

/// Waits until nothing is left of those that were killed. Says whether all ended as killed ones do, and how each
/// did.
pub(super) async fn gone(context: &Context, killed: &[(usize, Option<i32>)]) -> (bool, Vec<String>) {
    let cluster = &context.cluster;
    let mut words = Vec::new();
    let mut certain = true;
    for &(node, pid) in killed {
        let Some(pid) = pid else { continue };
        let name = cluster.name(node);
        match cluster.gone(node, pid, GONE).await {
            Some(ProcessState::Killed(exit)) if exit.signal() == Some(9) => {
                words.push(format!("{name} (pid {pid}) ended by signal 9 and is gone"));
            }
            Some(state) => {
                certain = false;
                words.push(format!("{name} (pid {pid}) is gone, but ended so: {state:?}"));
            }
            None => {
                certain = false;
                words.push(format!(
                    "{name} (pid {pid}) is not gone after {} s",
                    GONE.as_secs()
                ));
            }
        }
    }
    (certain, words)
}

/// Starts those that are down, all at once, and waits until each answers.
pub(super) fn restart(context: Context, victims: Vec<usize>) -> BoxFuture<'static, Healed> {
    Box::pin(async move { start_again(&context, victims).await })
}

async fn start_again(context: &Context, victims: Vec<usize>) -> Healed {
    let cluster = &context.cluster;
    let mut words = Vec::new();
    let mut certain = true;
    let mut up = Vec::new();
    for node in victims {
        match (cluster.restart(node), cluster.status(node).pid()) {
            (Ok(_), Some(pid)) => up.push((node, pid)),
            (Ok(_), None) => {
                certain = false;
                words.push(format!(
                    "{} ended at once: {:?}",
                    cluster.name(node),
                    cluster.status(node)
                ));
            }
            (Err(error), _) => {
                certain = false;
                words.push(error.to_string());
            }
        }
    }
    let begun = tokio::time::Instant::now();
    for (node, pid) in up {
        let name = cluster.name(node);
        let answered = wait_for_answer(context, node, pid, begun).await;
        certain &= answered;
        words.push(if answered {
            format!(
                "{name} answers as pid {pid} after {} ms",
                begun.elapsed().as_millis()
            )
        } else {
            format!("{name} (pid {pid}) does not answer: {:?}", cluster.status(node))
        });
    }
    let outcome = if certain {
        FaultOutcome::Took
    } else {
        FaultOutcome::Uncertain
    };
    Healed {
        outcome,
        evidence: words.join("; "),
    }
}

async fn wait_for_answer(context: &Context, node: usize, pid: i32, begun: tokio::time::Instant) -> bool {
    let name = context.cluster.name(node);
    // While another fault pauses it, it can't answer; that is not for this fault to judge.
    while context.cluster.status(node).pid() == Some(pid) && begun.elapsed() < ANSWERS {
        let left = ANSWERS.saturating_sub(begun.elapsed());
        if tokio::time::timeout(left, context.observer.answers(name)).await == Ok(true) {
            return context.cluster.status(node).pid() == Some(pid);
        }
        tokio::time::sleep(ASK_EVERY).await;
    }
    false
}
