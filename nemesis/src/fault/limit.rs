//! What the faults have in common that leave processes less of a resource (prlimit(2), which needs no root).

use std::collections::BTreeMap;

use rustix::process::{Pid, Resource, getrlimit, prlimit};

use super::node_fault::Hit;
use super::{Context, Healed, Injected, kill};
use crate::cluster::Cluster;
use crate::host::{Excuse, Host, ProcessState};
use crate::network::Evidence;
use crate::procfs;

/// A resource, and how much of it is left.
#[derive(Clone, Copy)]
pub(super) struct Limit {
    pub(super) resource: Resource,
    /// As `/proc/<pid>/limits` calls it.
    pub(super) name: &'static str,
    /// What a process uses now.
    pub(super) used: fn(i32) -> Option<u64>,
    /// How much more it may use.
    pub(super) spare: u64,
    /// "it had run out of memory"
    pub(super) excuse: &'static str,
}

/// The soft limits that processes had. Dropped, it gives them back.
struct Squeezed {
    limit: Limit,
    before: BTreeMap<i32, Option<u64>>,
}

impl Squeezed {
    /// Lets a process use little more than it does. Its hard limit stays, so that this can be undone.
    fn squeeze(&mut self, pid: i32) -> Result<u64, String> {
        let limit = self.limit;
        let used = (limit.used)(pid).ok_or("it can't be seen what it uses")?;
        let before = procfs::soft_limit(pid, limit.name).ok_or("its limits can't be read")?;
        let now = used + limit.spare;
        set(pid, limit.resource, Some(now)).map_err(|error| error.to_string())?;
        self.before.insert(pid, (before != u64::MAX).then_some(before));
        Ok(now)
    }
}

impl Drop for Squeezed {
    fn drop(&mut self) {
        for (&pid, &before) in &self.before {
            // That it fails is to say that the process has ended; the probe sees anything else.
            let _ = set(pid, self.limit.resource, before);
        }
    }
}

/// Sets the soft limit of a process.
fn set(pid: i32, resource: Resource, soft: Option<u64>) -> rustix::io::Result<()> {
    let Some(process) = Pid::from_raw(pid) else {
        return Err(rustix::io::Errno::SRCH);
    };
    // The node's own hard limit is that of the controller, whose child it is.
    let maximum = getrlimit(resource).maximum;
    let limits = rustix::process::Rlimit {
        current: soft.map_or(maximum, |soft| Some(maximum.map_or(soft, |most| soft.min(most)))),
        maximum,
    };
    prlimit(Some(process), resource, limits).map(drop)
}

/// Leaves those that are hit little more than they use.
pub(super) async fn inject(hit: Hit<'_>, limit: Limit) -> Injected {
    let cluster = &hit.context.cluster;
    let running = hit.running();
    if running.is_empty() {
        return hit.nobody_ran();
    }
    let mut squeezed = Squeezed {
        limit,
        before: BTreeMap::new(),
    };
    let mut certain = true;
    let mut words = Vec::new();
    for (&node, &leader) in &running {
        let process = &cluster.host(node).process;
        process.excuse(Some(Excuse::OfThisProcess(limit.excuse.into())));
        for pid in Host::threads(leader).into_keys() {
            let name = cluster.name(node);
            match squeezed.squeeze(pid) {
                Ok(now) => {
                    let read = procfs::soft_limit(pid, limit.name);
                    // One that ends of it at once has met it.
                    certain &= read == Some(now) || read.is_none();
                    words.push(format!("{name} (pid {pid}): {} is {now}", limit.name));
                }
                Err(why) => {
                    certain = false;
                    words.push(format!("{name} (pid {pid}): {why}"));
                }
            }
        }
    }
    let nodes: Vec<usize> = running.keys().copied().collect();
    let undo = Box::new(move |context| Box::pin(heal(context, running, squeezed)) as _);
    hit.injected(&nodes, Evidence::new(certain, words.join("; ")), undo)
}

async fn heal(context: Context, nodes: BTreeMap<usize, i32>, squeezed: Squeezed) -> Healed {
    let cluster: &Cluster = &context.cluster;
    let (limit, before) = (squeezed.limit, squeezed.before.clone());
    drop(squeezed);
    let mut certain = true;
    let mut words = Vec::new();
    for (pid, before) in before {
        match procfs::soft_limit(pid, limit.name) {
            None => words.push(format!("pid {pid} has ended meanwhile")),
            Some(now) => {
                certain &= now == before.unwrap_or(u64::MAX);
                words.push(format!("pid {pid}: {} is as it was", limit.name));
            }
        }
    }
    let ended = |node: &usize| matches!(cluster.status(*node), ProcessState::Exited(_));
    let ended: Vec<usize> = nodes.into_keys().filter(ended).collect();
    if !ended.is_empty() {
        let names: Vec<&str> = ended.iter().map(|&node| cluster.name(node)).collect();
        words.push(format!("{} had ended by itself", names.join(", ")));
        let restarted = kill::restart(context.clone(), ended).await;
        certain &= restarted.outcome == partita_history::FaultOutcome::Took;
        words.push(restarted.evidence);
    }
    Evidence::new(certain, words.join("; ")).into()
}
