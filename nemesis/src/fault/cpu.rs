//! Processors are short: noisy neighbours, throttled containers.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::thread::JoinHandle;
use std::time::Duration;

use partita_generator::random;
use rand::seq::IndexedRandom as _;

use super::node_fault::{Hit, NodeFault};
use super::{Allowed, Context, Healed, Injected, Setting};
use crate::cluster::Cluster;
use crate::host::ProcessState;
use crate::network::Evidence;
use crate::procfs;

/// See the module's text.
pub(super) const CPU: NodeFault = NodeFault {
    name: "cpu",
    summary: "Leaves node processes a processor for 10 % to 40 % of the time only: they stand still (SIGSTOP) for the rest of each 50 ms.",
    settings: &[PERCENT],
    act: |hit| Box::pin(inject(hit)),
    ..NodeFault::PLAIN
};

const PERCENT: Setting = Setting {
    name: "percent",
    summary: "for how much of the time they have a processor, in hundredths",
    allowed: Allowed::Whole { least: 2, most: 90 },
};

const PERIOD: Duration = Duration::from_millis(50);
/// How much of a period is left, in hundredths.
const SHARES: [u32; 3] = [10, 20, 40];

/// How often the state of a process is looked at, by the probe.
const LOOKS: usize = 200;
const BETWEEN_LOOKS: Duration = Duration::from_micros(2_600);

/// Has processes stand still and go on by turns, until it is dropped.
struct Squeeze {
    over: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Squeeze {
    fn begin(cluster: Arc<Cluster>, nodes: Vec<usize>, share: u32) -> std::io::Result<Squeeze> {
        let over = Arc::new(AtomicBool::new(false));
        let told = Arc::clone(&over);
        let running = PERIOD * share / 100;
        let squeeze = move || {
            while !told.load(Relaxed) {
                // Asked each time: a node that was restarted is squeezed as well.
                let hold = |still| {
                    for &node in &nodes {
                        if let Some(pid) = cluster.status(node).pid() {
                            cluster.host(node).process.hold(pid, still);
                        }
                    }
                };
                hold(true);
                std::thread::sleep(PERIOD - running);
                hold(false);
                std::thread::sleep(running);
            }
        };
        let thread = std::thread::Builder::new()
            .name("squeeze".into())
            .spawn(squeeze)?;
        Ok(Squeeze {
            over,
            thread: Some(thread),
        })
    }
}

impl Drop for Squeeze {
    fn drop(&mut self) {
        self.over.store(true, Relaxed);
        if let Some(thread) = self.thread.take() {
            // It ends within a period, with everything going on.
            let _ = thread.join();
        }
    }
}

async fn inject(hit: Hit<'_>) -> Injected {
    let nodes: Vec<usize> = hit.running().into_keys().collect();
    if nodes.is_empty() {
        return hit.nobody_ran();
    }
    let share = SHARES.choose(&mut random(hit.seed, "share")).copied();
    let drawn = share.unwrap_or(SHARES[0]);
    let share = hit.settings.whole(PERCENT.name).unwrap_or(drawn);
    let squeeze = match Squeeze::begin(Arc::clone(&hit.context.cluster), nodes.clone(), share) {
        Ok(squeeze) => squeeze,
        Err(error) => return hit.skipped(format!("there is no thread to be had: {error}")),
    };
    let stood_still = look(&hit.context.cluster, &nodes).await;
    let mut certain = true;
    let mut words = vec![format!("{share} % of the time is left")];
    for (node, Looks { still, all }) in nodes.iter().zip(stood_still) {
        // As much again may go by waiting for a processor, which is not seen as standing still.
        certain &= still * 200 >= all * (100 - share as usize) && still < all;
        let name = hit.context.cluster.name(*node);
        words.push(format!("{name} stood still (T) in {still} of {all} looks"));
    }
    let squeezed = nodes.clone();
    let undo = Box::new(move |context| Box::pin(heal(context, squeezed, squeeze)) as _);
    let what = format!("{}: {share} % of the time left", hit.names(&nodes).join(", "));
    Injected {
        what,
        ..hit.injected(&nodes, Evidence::new(certain, words.join("; ")), undo)
    }
}

async fn heal(context: Context, nodes: Vec<usize>, squeeze: Squeeze) -> Healed {
    // It waits for a thread.
    let ended = tokio::task::spawn_blocking(move || drop(squeeze)).await;
    let mut certain = ended.is_ok();
    let mut words = Vec::new();
    let stood_still = look(&context.cluster, &nodes).await;
    for (node, Looks { still, all }) in nodes.into_iter().zip(stood_still) {
        let name = context.cluster.name(node);
        certain &= still == 0;
        words.push(format!("{name} stood still in {still} of {all} looks"));
    }
    Evidence::new(certain, words.join("; ")).into()
}

/// How often a node's process was seen, and how often it stood still then.
#[derive(Clone, Copy, Default)]
struct Looks {
    still: usize,
    all: usize,
}

/// The state of a node's process, unless another fault pauses it just then: that is not for this one to judge.
fn running_stat(cluster: &Cluster, node: usize) -> Option<procfs::Stat> {
    let process = &cluster.host(node).process;
    let before = process.settled_state();
    let stat = procfs::stat(before.pid()?)?;
    let runs = matches!(before, ProcessState::Running { .. }) && process.settled_state() == before;
    runs.then_some(stat)
}

/// Looks at each node's process many times, whichever it is: another fault may restart it meanwhile.
async fn look(cluster: &Cluster, nodes: &[usize]) -> Vec<Looks> {
    let mut looks = vec![Looks::default(); nodes.len()];
    for _ in 0..LOOKS {
        for (&node, looks) in nodes.iter().zip(&mut looks) {
            if let Some(stat) = running_stat(cluster, node) {
                looks.all += 1;
                looks.still += usize::from(stat.is_stopped_by_signal());
            }
        }
        tokio::time::sleep(BETWEEN_LOOKS).await;
    }
    looks
}
