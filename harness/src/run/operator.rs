//! What faults may ask of an operator, carried out on the target.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::{Context, bail};
use partita_nemesis::fault::{Administrator, Changed, Need};
use partita_nemesis::{Cluster, CommandSpec};
use partita_targets::{self as targets, BoxFuture, Change, Matter, Node, Options, Program, Start, Target};

use super::directory;

/// How long one change may take: longer than an election, as there may have to be one first.
const CHANGE_TIMEOUT: Duration = Duration::from_secs(2);
/// How long a stopped node may take to be gone.
const GONE: Duration = Duration::from_secs(2);
/// How long a disk may take to forget for good what was taken away from it.
const SYNCED: Duration = Duration::from_secs(2);
/// How often a node is stopped that others start again at the same time.
const ATTEMPTS: usize = 10;

/// What a fault needs, as a target calls it.
pub(crate) fn matter(need: Need) -> Matter {
    match need {
        Need::Members => Matter::Members,
        Need::Leadership => Matter::Leadership,
        Need::Snapshots => Matter::Snapshots,
        Need::EmptyDisks => Matter::EmptyDisks,
    }
}

/// How the nodes of a run are started.
pub(crate) struct Starter {
    pub(crate) target: &'static dyn Target,
    pub(crate) program: Program,
    /// The program that `upgrade` gives to nodes.
    pub(crate) other: Option<Program>,
    pub(crate) options: Options,
    pub(crate) nodes: Arc<Vec<Node>>,
    /// The run directory.
    pub(crate) directory: PathBuf,
}

impl Starter {
    /// The command that starts a node.
    ///
    /// # Errors
    /// When the target has none.
    pub(crate) fn command(&self, node: usize, start: Start) -> anyhow::Result<CommandSpec> {
        let other = self.other.as_ref();
        let other = other.map(|program| self.command_of(program, node, start));
        Ok(CommandSpec {
            other: other.transpose()?.map(Box::new),
            ..self.command_of(&self.program, node, start)?
        })
    }

    fn command_of(&self, program: &Program, node: usize, start: Start) -> anyhow::Result<CommandSpec> {
        let (options, nodes) = (&self.options, &self.nodes);
        let data = self.data(node);
        let command = self
            .target
            .command(program, options, nodes, &nodes[node], &data, start);
        let [program, arguments @ ..] = command.as_slice() else {
            bail!("the target has no command")
        };
        Ok(CommandSpec {
            program: program.into(),
            args: arguments.to_vec(),
            ..CommandSpec::default()
        })
    }

    /// Has the target write into a node's directory what it needs there.
    ///
    /// # Errors
    /// When that can't be written.
    pub(crate) fn prepare(&self, node: usize) -> anyhow::Result<()> {
        let data = self.data(node);
        self.target
            .prepare(&self.nodes, &self.nodes[node], &data)
            .with_context(|| format!("failed to write into {}", data.display()))
    }

    fn data(&self, node: usize) -> PathBuf {
        directory::node_directory(&self.directory, &self.nodes[node].name).join("data")
    }
}

/// The operator of a cluster.
pub(crate) struct Operator {
    administrator: Box<dyn targets::Administrator>,
    cluster: Arc<Cluster>,
    starter: Starter,
    /// The nodes that may have been removed since they were last started anew.
    perhaps_removed: Mutex<BTreeSet<usize>>,
}

impl Operator {
    /// None, where the target lets nobody change anything.
    ///
    /// # Errors
    /// When the client itself can't be made.
    pub(crate) fn new(cluster: &Arc<Cluster>, starter: Starter) -> anyhow::Result<Option<Operator>> {
        let administrator = starter
            .target
            .administrator(&starter.nodes, CHANGE_TIMEOUT)
            .map_err(anyhow::Error::from_boxed)?;
        Ok(administrator.map(|administrator| Operator {
            administrator,
            cluster: Arc::clone(cluster),
            starter,
            perhaps_removed: Mutex::default(),
        }))
    }

    fn change(&self, change: Change) -> BoxFuture<'_, Changed> {
        Box::pin(async move {
            match self.administrator.change(change).await {
                targets::Changed::Done => Changed::Done,
                targets::Changed::Rejected(why) => Changed::Rejected(why),
                targets::Changed::Unknown(why) => Changed::Unknown(why),
            }
        })
    }

    /// Removes a node, whose program may then end by itself, if that is what it does.
    async fn dismiss(&self, node: usize) -> Changed {
        if self.starter.target.ends_when_removed() {
            self.cluster.excuse(node, Some("it was removed from the cluster"));
        }
        let changed = self.change(Change::Remove(node)).await;
        match changed {
            Changed::Done | Changed::Unknown(_) => drop(self.perhaps_removed().insert(node)),
            // Unless what was asked for before may yet happen.
            Changed::Rejected(_) if !self.perhaps_removed().contains(&node) => {
                self.cluster.excuse(node, None)
            }
            Changed::Rejected(_) => {}
        }
        changed
    }

    fn perhaps_removed(&self) -> MutexGuard<'_, BTreeSet<usize>> {
        self.perhaps_removed
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    async fn lose(&self, node: usize) -> anyhow::Result<usize> {
        let data = self.starter.data(node);
        let files = files(&data)?;
        let wiped = wipe(data).await;
        // It may be empty all the same, and is going to be started again.
        self.starter.prepare(node)?;
        wiped?;
        Ok(files)
    }

    async fn anew(&self, node: usize) -> anyhow::Result<i32> {
        let command = self.starter.command(node, Start::Joining)?;
        // First of all: another fault may start the node at any moment, and must not start a member.
        self.cluster.set_command(node, command.clone());
        for _ in 0..ATTEMPTS {
            if let Some(pid) = self.cluster.kill(node)
                && self.cluster.gone(node, pid, GONE).await.is_none()
            {
                bail!("pid {pid} is not gone after {} s", GONE.as_secs());
            }
            let wiped = wipe(self.starter.data(node)).await;
            wiped.context("its data can't be taken away")?;
            self.starter.prepare(node)?;
            // One that somebody else has started meanwhile may have read what was there.
            if let Some(pid) = self.cluster.start(node, command.clone())? {
                self.perhaps_removed().remove(&node);
                self.cluster.excuse(node, None);
                return Ok(pid);
            }
        }
        bail!("it is started again and again by somebody else")
    }
}

impl Administrator for Operator {
    fn add(&self, node: usize) -> BoxFuture<'_, Changed> {
        self.change(Change::Add(node))
    }

    fn remove(&self, node: usize) -> BoxFuture<'_, Changed> {
        Box::pin(self.dismiss(node))
    }

    fn settling(&self) -> Duration {
        self.administrator.settling()
    }

    fn transfer(&self, to: Option<usize>) -> BoxFuture<'_, Changed> {
        self.change(Change::Transfer(to))
    }

    fn snapshot(&self, node: usize) -> BoxFuture<'_, Changed> {
        self.change(Change::Snapshot(node))
    }

    fn wipe(&self, node: usize) -> BoxFuture<'_, Result<usize, String>> {
        Box::pin(async move { self.lose(node).await.map_err(|error| format!("{error:#}")) })
    }

    fn start_anew(&self, node: usize) -> BoxFuture<'_, Result<i32, String>> {
        Box::pin(async move { self.anew(node).await.map_err(|error| format!("{error:#}")) })
    }
}

/// How many files there are in a directory, and in those in it.
fn files(directory: &Path) -> io::Result<usize> {
    let mut files = 0;
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        files += if entry.file_type()?.is_dir() {
            self::files(&entry.path())?
        } else {
            1
        };
    }
    Ok(files)
}

/// Leaves an empty directory, for good: a power cut must not bring back what was in it. Where the disk holds that up
/// for too long, the error says so.
async fn wipe(data: PathBuf) -> io::Result<()> {
    empty(&data)?;
    // By a thread of its own, as it may be held up; what is left of it then does no harm later.
    let synced = tokio::task::spawn_blocking(move || fs::File::open(&data)?.sync_all());
    match tokio::time::timeout(SYNCED, synced).await {
        Ok(synced) => synced.unwrap_or_else(|panic| Err(io::Error::other(panic))),
        Err(_) => Err(io::ErrorKind::TimedOut.into()),
    }
}

/// Leaves an empty directory.
fn empty(data: &Path) -> io::Result<()> {
    match fs::remove_dir_all(data) {
        // It is emptied before it is removed, which it can't be while a disk of ours is mounted there.
        Err(error) if error.kind() == io::ErrorKind::ResourceBusy => Ok(()),
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => fs::create_dir_all(data),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_wiped_directory_is_there_and_empty() {
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path().join("data");
        wipe(data.clone()).await.unwrap();
        fs::create_dir(data.join("wal")).unwrap();
        fs::write(data.join("wal/segment"), "promises").unwrap();
        assert_eq!(files(&data).unwrap(), 1);
        wipe(data.clone()).await.unwrap();
        assert_eq!(fs::read_dir(&data).unwrap().count(), 0);
    }
}
