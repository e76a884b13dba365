//! Machines are started again: the time since boot, which a server takes for one that only grows, begins anew, or is
//! that of a machine that was up for years.

use nix::time::{ClockId, clock_gettime};
use partita_generator::random;

use super::clock::span;
use super::node_fault::{Hit, NodeFault};
use super::{Context, Healed, Injected, kill};
use crate::clock;
use crate::network::Evidence;

/// See the module's text.
pub(super) const OTHER_BOOT: NodeFault = NodeFault {
    name: "other-boot",
    summary: "Kills nodes and starts them as on machines that were booted at another time (CLOCK_MONOTONIC, CLOCK_BOOTTIME); \
              healing starts them again with our own.",
    impossible: crate::lab::boot_obstacle,
    act: |hit| Box::pin(inject(hit)),
    ..NodeFault::PLAIN
};

/// Up since then, in seconds: from a machine that has just come up to one that nobody has touched for three years.
const UP_LEAST: f64 = 2.0;
const UP_MOST: f64 = 1e8;
/// By this much at least it differs from what it was, in seconds.
const DIFFERENCE_LEAST: i64 = 60;

/// By how much the time since boot is to be ahead of ours. It never becomes negative, which the kernel does not allow.
fn draw(seed: u64) -> i64 {
    let ours = clock_gettime(ClockId::CLOCK_MONOTONIC).map_or(0, |time| time.tv_sec());
    let ahead = span(&mut random(seed, "boot"), UP_LEAST, UP_MOST) - ours;
    if ahead.abs() < DIFFERENCE_LEAST {
        ahead + 2 * DIFFERENCE_LEAST
    } else {
        ahead
    }
}

async fn inject(hit: Hit<'_>) -> Injected {
    let (cluster, id) = (&hit.context.cluster, hit.id);
    let nodes: Vec<usize> = hit.running().into_keys().collect();
    if nodes.is_empty() {
        return hit.nobody_ran();
    }
    let ahead = draw(hit.seed);
    for &node in &nodes {
        cluster.host(node).set_boot(id, Some(ahead));
    }
    let evidence = reboot(hit.context, &nodes).await;
    let victims = nodes.clone();
    let undo = Box::new(move |context| Box::pin(heal(context, id, victims)) as _);
    hit.injected(&nodes, evidence, undo)
}

async fn heal(context: Context, id: u64, nodes: Vec<usize>) -> Healed {
    for &node in &nodes {
        context.cluster.host(node).set_boot(id, None);
    }
    reboot(&context, &nodes).await.into()
}

/// Kills nodes and starts them again, but for those that another fault keeps down, and reads what they make of it.
async fn reboot(context: &Context, nodes: &[usize]) -> Evidence {
    let cluster = &context.cluster;
    let killed = kill::strike(context, nodes);
    let (mut certain, mut words) = kill::gone(context, &killed).await;
    let restarted = kill::restart(context.clone(), kill::ours(context, &killed)).await;
    certain &= restarted.outcome == partita_history::FaultOutcome::Took;
    words.push(restarted.evidence);
    for &node in nodes {
        let name = cluster.name(node);
        let Some(pid) = cluster.status(node).pid() else {
            words.push(kill::left_out(context, node));
            continue;
        };
        let (ahead, wanted) = (clock::boot_ahead(pid), cluster.host(node).boot());
        certain &= ahead == Some(wanted);
        words.push(match ahead {
            Some(0) => format!("{name} was booted when we were"),
            Some(ahead) => format!("{name} has its time since boot {ahead} s ahead of ours"),
            None => format!("the time since boot of {name} can't be read"),
        });
    }
    Evidence::new(certain, words.join("; "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_boot_is_never_before_the_first_nor_that_of_ours() {
        let ours = clock_gettime(ClockId::CLOCK_MONOTONIC).unwrap().tv_sec();
        for seed in 0..1_000 {
            let ahead = draw(seed);
            assert!(
                ahead.abs() >= DIFFERENCE_LEAST && ours + ahead >= 1,
                "{seed}: {ahead}"
            );
        }
    }
}
