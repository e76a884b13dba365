//! Processes end without warning, and later start again with what is on their disks.

use std::time::Duration;

use partita_history::FaultOutcome;

use super::{BoxFuture, Context, Fault, Healed, Injected, Shape, roles_and_leaders, roles_of, selection};
use crate::host::ProcessState;
use crate::network::Evidence;

/// See the module's text.
pub(super) struct Kill;

impl Fault for Kill {
    fn name(&self) -> &'static str {
        "kill"
    }

    fn summary(&self) -> &'static str {
        "Kills node processes (SIGKILL); healing restarts them with the data that they had."
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

/// How long a killed process may take to be gone.
const GONE: Duration = Duration::from_secs(2);
/// How long a restarted node may take to answer.
const ANSWERS: Duration = Duration::from_secs(10);
const ASK_EVERY: Duration = Duration::from_millis(25);

async fn inject(context: &Context, shape: &str, seed: u64) -> Injected {
    let cluster = &context.cluster;
    let (roles, leaders) = roles_and_leaders(context, selection::needs_leader(shape)).await;
    let victims = match selection::victims(shape, cluster.len(), &leaders, seed) {
        Ok(victims) => victims,
        Err(reason) => return Injected::skipped(shape, reason),
    };
    let killed = strike(context, &victims);
    let names = |nodes: &mut dyn Iterator<Item = usize>| -> Vec<String> {
        nodes.map(|node| cluster.name(node).to_owned()).collect()
    };
    let nodes = names(
        &mut killed
            .iter()
            .filter(|(_, pid)| pid.is_some())
            .map(|(node, _)| *node),
    );
    let down = names(
        &mut killed
            .iter()
            .filter(|(_, pid)| pid.is_none())
            .map(|(node, _)| *node),
    );
    if nodes.is_empty() {
        return Injected::skipped(shape, format!("{} did not run", down.join(", ")));
    }
    let (certain, mut words) = gone(context, &killed).await;
    if !down.is_empty() {
        words.push(format!("{} did not run before", down.join(", ")));
    }
    let evidence = Evidence::new(certain, words.join("; "));
    Injected {
        what: nodes.join(", "),
        roles: roles_of(&roles, &nodes),
        nodes,
        links: Vec::new(),
        outcome: evidence.outcome,
        evidence: evidence.text,
        undo: Some(Box::new(move |context| Box::pin(restart(context, victims)))),
    }
}

/// Kills all at once; questions later. Gives the pids of those that ran.
pub(super) fn strike(context: &Context, victims: &[usize]) -> Vec<(usize, Option<i32>)> {
    let kill = |&node: &usize| (node, context.cluster.kill(node));
    victims.iter().map(kill).collect()
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
pub(super) async fn restart(context: Context, victims: Vec<usize>) -> Healed {
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
        let answered = wait_for_answer(&context, node, pid, begun).await;
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
