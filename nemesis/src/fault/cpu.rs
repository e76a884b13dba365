//! Processors are short: noisy neighbours, throttled containers.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::thread::JoinHandle;
use std::time::Duration;

use partita_generator::random;
use rand::seq::IndexedRandom as _;

use super::node_fault::{Hit, NodeFault};
use super::{Context, Healed, Injected};
use crate::cluster::Cluster;
use crate::network::Evidence;
use crate::procfs;

/// See the module's text.
pub(super) const CPU: NodeFault = NodeFault {
    name: "cpu",
    summary: "Leaves node processes a processor for 10 % to 40 % of the time only: they stand still (SIGSTOP) for the rest of each 50 ms.",
    act: |hit| Box::pin(inject(hit)),
    ..NodeFault::PLAIN
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
    let running = hit.running();
    if running.is_empty() {
        return hit.nobody_ran();
    }
    let nodes: Vec<usize> = running.keys().copied().collect();
    let share = SHARES.choose(&mut random(hit.seed, "share")).copied();
    let share = share.unwrap_or(SHARES[0]);
    let squeeze = match Squeeze::begin(Arc::clone(&hit.context.cluster), nodes.clone(), share) {
        Ok(squeeze) => squeeze,
        Err(error) => return hit.skipped(format!("there is no thread to be had: {error}")),
    };
    let stood_still = look(&running).await;
    let mut certain = true;
    let mut words = vec![format!("{share} % of the time is left")];
    for (&node, &pid) in &running {
        // As much again may go by waiting for a processor, which is not seen as standing still.
        let looks = stood_still[&node];
        certain &= looks * 200 >= LOOKS * (100 - share as usize) && looks < LOOKS;
        words.push(format!(
            "{} (pid {pid}) stood still (T) in {looks} of {LOOKS} looks",
            hit.context.cluster.name(node)
        ));
    }
    let undo = Box::new(move |context| Box::pin(heal(context, running, squeeze)) as _);
    hit.injected(&nodes, Evidence::new(certain, words.join("; ")), undo)
}

async fn heal(context: Context, nodes: BTreeMap<usize, i32>, squeeze: Squeeze) -> Healed {
    // It waits for a thread.
    let ended = tokio::task::spawn_blocking(move || drop(squeeze)).await;
    let mut certain = ended.is_ok();
    let mut words = Vec::new();
    let stood_still = look(&nodes).await;
    for (node, pid) in nodes {
        let (name, looks) = (context.cluster.name(node), stood_still[&node]);
        // One that another fault pauses, or has killed, is not for this fault to judge.
        let paused = matches!(context.cluster.status(node), crate::ProcessState::Paused { .. });
        certain &= looks == 0 || paused;
        words.push(format!(
            "{name} (pid {pid}) stood still in {looks} of {LOOKS} looks"
        ));
    }
    Evidence::new(certain, words.join("; ")).into()
}

/// In how many looks each process stood still.
async fn look(nodes: &BTreeMap<usize, i32>) -> BTreeMap<usize, usize> {
    let mut stood_still: BTreeMap<usize, usize> = nodes.keys().map(|&node| (node, 0)).collect();
    for _ in 0..LOOKS {
        for (node, &pid) in nodes {
            if procfs::stat(pid).is_some_and(procfs::Stat::is_stopped) {
                *stood_still.entry(*node).or_default() += 1;
            }
        }
        tokio::time::sleep(BETWEEN_LOOKS).await;
    }
    stood_still
}
