//! What the faults have in common that leave processes less of a resource (prlimit(2), which needs no root).

use std::collections::BTreeMap;
use std::time::Instant;

use rustix::process::{Pid, Resource, prlimit};

use super::node_fault::Hit;
use super::{AFTERMATH, Context, Healed, Injected, kill};
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

/// What a process had, and what was left of it.
#[derive(Clone, Copy)]
struct Before {
    /// With the pid it names the process for good.
    started: u64,
    soft: u64,
    squeezed_to: u64,
}

/// The soft limits that processes had. Dropped, it gives them back.
struct Squeezed {
    limit: Limit,
    before: BTreeMap<i32, Before>,
}

impl Squeezed {
    /// Lets a process use little more than it does. Its hard limit stays, so that this can be undone.
    fn squeeze(&mut self, pid: i32) -> Result<u64, String> {
        let limit = self.limit;
        let used = (limit.used)(pid).ok_or("it can't be seen what it uses")?;
        let started = procfs::stat(pid).ok_or("it has ended")?.started;
        let (soft, hard) = procfs::limits(pid, limit.name).ok_or("its limits can't be read")?;
        let now = (used + limit.spare).min(hard);
        set(pid, limit, now).map_err(|error| error.to_string())?;
        let before = Before {
            started,
            soft,
            squeezed_to: now,
        };
        self.before.insert(pid, before);
        Ok(now)
    }

    /// Those of our processes that still have what was left to them, with what they had. A child that was begun
    /// meanwhile has its parent's limits, and is to have what the parent had.
    fn still_squeezed(&self) -> BTreeMap<i32, u64> {
        let is_it =
            |pid: i32, before: &Before| procfs::stat(pid).is_some_and(|stat| stat.started == before.started);
        let alive = self.before.iter().filter(|&(&pid, before)| is_it(pid, before));
        let families = alive.flat_map(|(&pid, before)| {
            let family = procfs::family(pid).into_iter();
            family.map(move |member| (member, *before))
        });
        families
            .filter(|(pid, before)| procfs::soft_limit(*pid, self.limit.name) == Some(before.squeezed_to))
            .map(|(pid, before)| (pid, before.soft))
            .collect()
    }
}

impl Drop for Squeezed {
    fn drop(&mut self) {
        // A process may begin a child while it is looked at; its limits are given back first, so one more look is
        // enough.
        for _ in 0..2 {
            for (pid, soft) in self.still_squeezed() {
                // That it fails is to say that the process has ended; the probe sees anything else.
                let _ = set(pid, self.limit, soft);
            }
        }
    }
}

/// Sets the soft limit of a process, and leaves the hard one as it is.
fn set(pid: i32, limit: Limit, soft: u64) -> rustix::io::Result<()> {
    let process = Pid::from_raw(pid).ok_or(rustix::io::Errno::SRCH)?;
    let (_, hard) = procfs::limits(pid, limit.name).ok_or(rustix::io::Errno::SRCH)?;
    let or_none = |limit: u64| (limit != u64::MAX).then_some(limit);
    let limits = rustix::process::Rlimit {
        current: or_none(soft),
        maximum: or_none(hard),
    };
    prlimit(Some(process), limit.resource, limits).map(drop)
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
        // Before anything is done: it may end of it at once.
        process.excuse(hit.id, Some(Excuse::OfThisProcess(limit.excuse.into())));
        let mut met = false;
        for pid in Host::threads(leader).into_keys() {
            let name = cluster.name(node);
            match squeezed.squeeze(pid) {
                Ok(now) => {
                    met = true;
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
        if !met {
            process.excuse(hit.id, None);
        }
    }
    let nodes: Vec<usize> = running.keys().copied().collect();
    let id = hit.id;
    let undo = Box::new(move |context| Box::pin(heal(context, id, running, squeezed)) as _);
    hit.injected(&nodes, Evidence::new(certain, words.join("; ")), undo)
}

async fn heal(context: Context, id: u64, nodes: BTreeMap<usize, i32>, squeezed: Squeezed) -> Healed {
    let cluster: &Cluster = &context.cluster;
    let (limit, before) = (squeezed.limit, squeezed.before.clone());
    drop(squeezed);
    for &node in nodes.keys() {
        let process = &cluster.host(node).process;
        process.end_excuse(id, Instant::now() + AFTERMATH);
    }
    let mut certain = true;
    let mut words = Vec::new();
    for (pid, before) in before {
        let is_it = procfs::stat(pid).is_some_and(|stat| stat.started == before.started);
        match procfs::soft_limit(pid, limit.name).filter(|_| is_it) {
            None => words.push(format!("pid {pid} has ended meanwhile")),
            Some(now) if now == before.soft => {
                words.push(format!("pid {pid}: {} is as it was", limit.name));
            }
            Some(now) => {
                certain = false;
                words.push(format!(
                    "pid {pid}: {} is {now}, and was {}",
                    limit.name, before.soft
                ));
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

#[cfg(test)]
mod tests {
    use std::io::{BufRead, BufReader, Write};
    use std::process::{Command, Stdio};

    use super::*;

    #[test]
    fn children_that_were_begun_meanwhile_get_back_what_their_parent_had() {
        let limit = Limit {
            resource: Resource::Nofile,
            name: "Max open files",
            used: |_| Some(16),
            spare: 16,
            excuse: "",
        };
        let mut shell = Command::new("sh")
            .args([
                "-c",
                "ulimit -n 200; echo; read go; sleep 1000 & echo $!; read go; kill $!",
            ])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let pid = shell.id().cast_signed();
        let mut said = BufReader::new(shell.stdout.take().unwrap()).lines();
        let mut tell = shell.stdin.take().unwrap();
        said.next().unwrap().unwrap();
        let mut squeezed = Squeezed {
            limit,
            before: BTreeMap::new(),
        };
        assert_eq!(squeezed.squeeze(pid), Ok(32));
        writeln!(tell).unwrap();
        let child: i32 = said.next().unwrap().unwrap().parse().unwrap();
        assert_eq!(procfs::limits(child, limit.name), Some((32, 200)));
        drop(squeezed);
        for pid in [pid, child] {
            assert_eq!(procfs::limits(pid, limit.name), Some((200, 200)));
        }
        writeln!(tell).unwrap();
        shell.wait().unwrap();
    }
}
