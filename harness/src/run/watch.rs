//! What the nodes say of themselves: the metrics of a run, and whom the nemesis takes for the leader.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::Context;
use futures_util::future::{join_all, try_join_all};
use partita_nemesis::fault::{self, Standing};
use partita_reports::run::Metric;
use partita_targets::{BoxFuture, Checksum, Node, Observer, Status, Target};
use tokio::sync::watch;

use super::recorder::Recorder;

/// How often nodes are asked: several times within an election timeout.
const PERIOD: Duration = Duration::from_millis(200);

/// Asks the nodes how they are, and remembers what they said last.
pub(crate) struct Watch {
    observer: Box<dyn Observer>,
    cluster: Arc<Vec<Node>>,
    /// Is one of the nodes the leader, when all is well?
    has_leader: bool,
    last: Mutex<Vec<Option<Status>>>,
    /// How many snapshots each node had installed since its last start, and all of them together.
    installed: Mutex<(Vec<u64>, Option<u64>)>,
    /// Who led, by term, where there is to be one leader a term.
    leaders: Mutex<Leaders>,
}

/// Who was seen to lead in which term.
#[derive(Debug, Default)]
struct Leaders {
    one_a_term: bool,
    by_term: BTreeMap<u64, String>,
    /// What was seen that must not be, in words.
    apart: Option<String>,
}

impl Watch {
    /// Nobody was asked yet.
    pub(crate) fn new(observer: Box<dyn Observer>, cluster: Arc<Vec<Node>>, target: &dyn Target) -> Self {
        let nodes = cluster.len();
        Watch {
            observer,
            cluster,
            has_leader: target.has_leader(),
            last: Mutex::new(vec![None; nodes]),
            installed: Mutex::new((vec![0; nodes], None)),
            leaders: Mutex::new(Leaders {
                one_a_term: target.has_one_leader_a_term(),
                ..Leaders::default()
            }),
        }
    }

    /// How many snapshots of other nodes were seen to take the place of a node's state, where the nodes tell. One
    /// that was killed right after it may not have been asked in time.
    pub(crate) fn snapshots_installed(&self) -> Option<u64> {
        self.installed.lock().unwrap_or_else(PoisonError::into_inner).1
    }

    fn count_installed(&self, node: usize, status: Option<&Status>) {
        if let Some(now) = status.and_then(|status| status.snapshots_installed) {
            let (nodes, all) = &mut *self.installed.lock().unwrap_or_else(PoisonError::into_inner);
            // A node that was started again counts from zero.
            *all.get_or_insert(0) += now.checked_sub(nodes[node]).unwrap_or(now);
            nodes[node] = now;
        }
    }

    /// Two nodes that said that they lead in one term, in words; `None` if none were seen, or where that may be.
    pub(crate) fn leaders_apart(&self) -> Option<String> {
        let leaders = self.leaders.lock().unwrap_or_else(PoisonError::into_inner);
        leaders.apart.clone()
    }

    fn note_leader(&self, node: &str, status: Option<&Status>) {
        let mut leaders = self.leaders.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(status) = status.filter(|status| leaders.one_a_term && status.role == "leader") else {
            return;
        };
        let first = leaders
            .by_term
            .entry(status.term)
            .or_insert_with(|| node.to_owned());
        if first != node {
            let apart = format!(
                "{first} and {node} both said that they lead in term {}",
                status.term
            );
            leaders.apart.get_or_insert(apart);
        }
    }

    /// What each node holds, summed up.
    pub(crate) async fn checksums(&self) -> Vec<Result<Option<Checksum>, String>> {
        join_all((0..self.cluster.len()).map(|node| self.observer.checksum(node))).await
    }

    /// Asks all nodes at once.
    pub(crate) async fn look(&self) -> Vec<Result<Status, String>> {
        let asked: Vec<_> = (0..self.cluster.len())
            .map(|node| self.observer.status(node))
            .collect();
        let answers = join_all(asked).await;
        let known = answers
            .iter()
            .map(|answer| answer.as_ref().ok().cloned())
            .collect();
        *self.last.lock().unwrap_or_else(PoisonError::into_inner) = known;
        answers
    }

    /// What each node says of itself now.
    pub(crate) async fn statuses(&self, recorder: &Recorder) -> Vec<Metric> {
        let answers = self.look().await;
        let nodes = self.cluster.iter().zip(answers);
        nodes
            .map(|(node, answer)| metric(recorder.now(), &node.name, answer.ok()))
            .collect()
    }

    /// Writes metrics until `stop` becomes true. Every node is followed by itself, so that one that keeps silent
    /// does not hold up the rest.
    ///
    /// # Errors
    /// When they can't be written.
    pub(crate) async fn record(
        &self,
        directory: &Path,
        recorder: &Recorder,
        stop: watch::Receiver<bool>,
    ) -> anyhow::Result<()> {
        let file =
            File::create_new(directory.join("metrics.jsonl")).context("metrics.jsonl can't be made")?;
        let nodes = (0..self.cluster.len()).map(|node| self.follow(node, &file, recorder, stop.clone()));
        try_join_all(nodes)
            .await
            .context("metrics.jsonl can't be written")?;
        Ok(())
    }

    async fn follow(
        &self,
        node: usize,
        mut file: &File,
        recorder: &Recorder,
        mut stop: watch::Receiver<bool>,
    ) -> anyhow::Result<()> {
        let mut ticks = tokio::time::interval(PERIOD);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                _ = stop.wait_for(|&stop| stop) => return Ok(()),
                _ = ticks.tick() => {}
            }
            let status = self.observer.status(node).await.ok();
            self.count_installed(node, status.as_ref());
            self.note_leader(&self.cluster[node].name, status.as_ref());
            self.last.lock().unwrap_or_else(PoisonError::into_inner)[node].clone_from(&status);
            let metric = metric(recorder.now(), &self.cluster[node].name, status);
            let mut line = serde_json::to_vec(&metric)?;
            line.push(b'\n');
            file.write_all(&line)?;
        }
    }

    /// Waits until every node answers and all name the same leader, if there is to be one.
    ///
    /// # Errors
    /// After `limit`, or as soon as `given_up` says why it is hopeless: what is amiss, node by node.
    pub(crate) async fn ready(
        &self,
        limit: Duration,
        given_up: impl Fn() -> Option<String>,
    ) -> Result<(), String> {
        let deadline = tokio::time::Instant::now() + limit;
        loop {
            let answers = self.look().await;
            match amiss(&self.cluster, &answers, self.has_leader) {
                None => return Ok(()),
                Some(amiss) if tokio::time::Instant::now() >= deadline => {
                    let states = states(&self.cluster, &answers);
                    return Err(format!("after {} s: {amiss} ({states})", limit.as_secs()));
                }
                Some(_) => {}
            }
            if let Some(why) = given_up() {
                return Err(why);
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// The role of every node that answered when it was last asked. Of several that claim to lead, only the
    /// one of the highest term is the leader.
    fn roles_known(&self) -> BTreeMap<String, String> {
        let last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        let leading = last
            .iter()
            .flatten()
            .filter(|status| status.role == "leader")
            .map(|status| status.term)
            .max();
        self.cluster
            .iter()
            .zip(last.iter())
            .filter_map(|(node, status)| {
                let status = status.as_ref()?;
                let deposed = status.role == "leader" && Some(status.term) != leading;
                let role = if deposed { "deposed leader" } else { &status.role };
                Some((node.name.clone(), role.to_owned()))
            })
            .collect()
    }
}

impl fault::Observer for Watch {
    fn roles(&self) -> BoxFuture<'_, BTreeMap<String, String>> {
        Box::pin(async { self.roles_known() })
    }

    fn answers<'a>(&'a self, node: &'a str) -> BoxFuture<'a, bool> {
        Box::pin(async move {
            match self.cluster.iter().position(|member| member.name == node) {
                Some(node) => self.observer.status(node).await.is_ok(),
                None => false,
            }
        })
    }

    fn look(&self) -> BoxFuture<'_, Vec<Option<Standing>>> {
        Box::pin(async {
            Watch::look(self)
                .await
                .into_iter()
                .map(|answer| answer.ok().map(standing))
                .collect()
        })
    }
}

fn standing(status: Status) -> Standing {
    let mut members = status.members;
    if let Some(members) = &mut members {
        members.sort_unstable();
    }
    Standing {
        leader: status.leader,
        term: status.term,
        applied: status.applied,
        snapshot_index: status.snapshot_index,
        members,
    }
}

/// What keeps the cluster from being whole, in words; none if nothing does.
fn amiss(cluster: &[Node], answers: &[Result<Status, String>], has_leader: bool) -> Option<String> {
    let silent = cluster
        .iter()
        .zip(answers)
        .find_map(|(node, answer)| Some((node, answer.as_ref().err()?)));
    if let Some((node, error)) = silent {
        return Some(format!("{} does not answer: {error}", node.name));
    }
    let incomplete = cluster
        .iter()
        .zip(answers.iter().flatten())
        .find_map(|(node, status)| {
            let members = status.members.as_ref()?;
            let missing = cluster.iter().find(|member| !members.contains(&member.name))?;
            Some((node, missing))
        });
    if let Some((node, missing)) = incomplete {
        return Some(format!(
            "{} does not take {} for a member",
            node.name, missing.name
        ));
    }
    if !has_leader {
        return None;
    }
    let mut leaders = cluster
        .iter()
        .zip(answers.iter().flatten())
        .map(|(node, status)| (&node.name, &status.leader));
    let (_, first) = leaders.next()?;
    if first.is_none() {
        return Some("no leader is known".to_owned());
    }
    let (name, other) = leaders.find(|(_, leader)| *leader != first)?;
    let named = |leader: &Option<String>| leader.clone().unwrap_or_else(|| "nobody".into());
    Some(format!(
        "{} takes {} for the leader, others take {}",
        name,
        named(other),
        named(first)
    ))
}

/// How every node stands, as far as it says so.
fn states(cluster: &[Node], answers: &[Result<Status, String>]) -> String {
    let state = |(node, answer): (&Node, &Result<Status, String>)| match answer {
        Err(_) => format!("{}: silent", node.name),
        Ok(Status {
            role,
            term,
            commit,
            applied,
            ..
        }) => format!(
            "{}: {role}, term {term}, commit {commit}, applied {applied}",
            node.name
        ),
    };
    cluster
        .iter()
        .zip(answers)
        .map(state)
        .collect::<Vec<_>>()
        .join("; ")
}

fn metric(time: u64, node: &str, status: Option<Status>) -> Metric {
    let silent = Metric {
        time,
        node: node.to_owned(),
        up: status.is_some(),
        ..Metric::default()
    };
    match status {
        None => silent,
        Some(status) => Metric {
            role: Some(status.role),
            term: Some(status.term),
            leader: status.leader,
            commit: Some(status.commit),
            applied: Some(status.applied),
            log_bytes: Some(status.log_bytes),
            leader_silence_us: status.leader_silence_us,
            ..silent
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cluster() -> Vec<Node> {
        let nowhere = std::net::SocketAddr::from(([127, 0, 0, 1], 0));
        let node = |name: &str| Node {
            name: name.to_owned(),
            peer_listen: nowhere,
            client_listen: nowhere,
            peer: nowhere,
            client: nowhere,
            control: nowhere,
        };
        ["n1", "n2", "n3"].map(node).into()
    }

    fn says(leader: &str, members: Option<&[&str]>) -> Result<Status, String> {
        let names = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect();
        Ok(Status {
            leader: Some(leader.to_owned()),
            members: members.map(names),
            ..Status::default()
        })
    }

    #[test]
    fn a_cluster_is_whole_when_all_know_one_leader_and_all_members() {
        let all = Some(&["n1", "n2", "n3"][..]);
        let look = |answers: [Result<Status, String>; 3]| amiss(&cluster(), &answers, true);
        assert_eq!(look([says("n1", all), says("n1", all), says("n1", all)]), None);
        assert_eq!(
            look([says("n1", None), says("n1", None), says("n1", None)]),
            None,
            "not every target tells"
        );
        let told = |answers, expected: &str| {
            let amiss = look(answers).unwrap_or_default();
            assert!(amiss.contains(expected), "{amiss}");
        };
        let fewer = Some(&["n1", "n3"][..]);
        told(
            [says("n1", all), says("n1", all), says("n1", fewer)],
            "n3 does not take n2 for a member",
        );
        told(
            [says("n1", all), says("n2", all), says("n1", all)],
            "n2 takes n2 for the leader",
        );
        told(
            [says("n1", all), Err("silent".into()), says("n1", all)],
            "n2 does not answer",
        );
        let leaderless = |role: &str| {
            let role = role.to_owned();
            Ok(Status {
                role,
                ..Status::default()
            })
        };
        told(
            ["candidate", "follower", "candidate"].map(leaderless),
            "no leader is known",
        );
        let answers = [
            leaderless("candidate"),
            Err("refused".into()),
            leaderless("follower"),
        ];
        assert_eq!(
            states(&cluster(), &answers),
            "n1: candidate, term 0, commit 0, applied 0; n2: silent; n3: follower, term 0, commit 0, applied 0"
        );
    }

    struct Nobody;

    impl Observer for Nobody {
        fn status(&self, _: usize) -> BoxFuture<'_, Result<Status, String>> {
            Box::pin(async { Err("nobody answers".into()) })
        }
    }

    #[test]
    fn installed_snapshots_are_counted_across_restarts() {
        let raft = partita_targets::find("raft").unwrap();
        let watch = Watch::new(Box::new(Nobody), Arc::new(cluster()), raft);
        let tell = |node, installed| {
            let status = Status {
                snapshots_installed: installed,
                ..Status::default()
            };
            watch.count_installed(node, Some(&status));
        };
        tell(0, None);
        assert_eq!(watch.snapshots_installed(), None, "nobody has told");
        for installed in [0, 2, 2, 3, 1] {
            tell(0, Some(installed));
        }
        tell(1, Some(5));
        watch.count_installed(1, None);
        assert_eq!(watch.snapshots_installed(), Some(3 + 1 + 5));
    }

    #[test]
    fn two_leaders_of_one_term_are_seen_where_there_may_be_one() {
        let seen = |target: &str, told: &[(&str, &str, u64)]| {
            let target = partita_targets::find(target).unwrap();
            let watch = Watch::new(Box::new(Nobody), Arc::new(cluster()), target);
            for &(node, role, term) in told {
                let status = Status {
                    role: role.into(),
                    term,
                    ..Status::default()
                };
                watch.note_leader(node, Some(&status));
            }
            watch.leaders_apart()
        };
        let fine = [
            ("n1", "leader", 1),
            ("n2", "follower", 1),
            ("n2", "leader", 2),
            ("n1", "leader", 1),
        ];
        assert_eq!(seen("raft", &fine), None);
        let apart = [("n1", "leader", 3), ("n2", "leader", 3)];
        assert_eq!(
            seen("raft", &apart).as_deref(),
            Some("n1 and n2 both said that they lead in term 3")
        );
        assert_eq!(seen("multi-paxos", &apart), None, "rounds are no ballots");
    }
}
