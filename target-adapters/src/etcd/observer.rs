//! What etcd's nodes say of themselves: of their Raft, of the members, of how far history was compacted.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::net::SocketAddr;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use serde::Deserialize;
use serde_json::json;

use super::Answer;
use super::members::{Members, member_at, peer_url};
use crate::http::{self, NoAnswer};
use crate::{BoxFuture, Checksum, Node, Observer, Status};

pub(super) struct EtcdObserver {
    http: reqwest::Client,
    cluster: Vec<Node>,
    /// How long one node may take for all that it is asked.
    timeout: Duration,
    /// The revision up to which each node was seen to have compacted history.
    compacted: Mutex<Vec<u64>>,
}

/// 64-bit numbers are strings in protobuf's JSON.
#[derive(Deserialize)]
pub(super) struct StatusBody {
    pub(super) header: Header,
    #[serde(default)]
    pub(super) leader: String,
    #[serde(default, rename = "raftTerm")]
    pub(super) raft_term: String,
    #[serde(default, rename = "raftIndex")]
    pub(super) raft_index: String,
    #[serde(default, rename = "raftAppliedIndex")]
    raft_applied_index: String,
    #[serde(default, rename = "dbSize")]
    db_size: String,
}

impl StatusBody {
    /// Does the node say that it leads?
    pub(super) fn leads(&self) -> bool {
        self.leader == self.header.member_id
    }
}

#[derive(Deserialize)]
pub(super) struct Header {
    pub(super) member_id: String,
    #[serde(default)]
    pub(super) revision: String,
}

/// All keys, with their revisions.
#[derive(Deserialize)]
struct Everything {
    header: Header,
    #[serde(default)]
    kvs: Vec<serde_json::Value>,
}

/// A 64-bit number; absent if it is 0.
pub(super) fn number(text: &str) -> u64 {
    text.parse().unwrap_or(0)
}

/// Asks a node for its status.
pub(super) async fn status(http: &reqwest::Client, at: SocketAddr) -> Result<StatusBody, String> {
    let request = http.post(format!("http://{at}/v3/maintenance/status"));
    http::ask(request.body("{}")).await
}

/// Asks a node who the members are, as far as it has applied what changed them.
pub(super) async fn members(http: &reqwest::Client, at: SocketAddr) -> Result<Members, String> {
    let request = http.post(format!("http://{at}/v3/cluster/member/list"));
    http::ask(request.body("{}")).await
}

/// The revision up to which a node has compacted history, as its metrics tell; 0 if it never did.
///
/// A debugging metric, but in all versions from 3.4 to 3.7; and nothing else tells the number.
pub(super) async fn compact_revision(http: &reqwest::Client, at: SocketAddr) -> Result<u64, String> {
    let response = http.get(format!("http://{at}/metrics")).send().await;
    let response = response.map_err(|error| error.to_string())?;
    let bytes = response.bytes().await.map_err(|error| error.to_string())?;
    let metrics = String::from_utf8_lossy(&bytes);
    metric(&metrics).ok_or_else(|| format!("no metric `{COMPACT_REVISION}`"))
}

const COMPACT_REVISION: &str = "etcd_debugging_mvcc_compact_revision";

fn metric(metrics: &str) -> Option<u64> {
    let is_it = |line: &&str| line.starts_with(COMPACT_REVISION);
    let value = metrics.lines().find(is_it)?.split(' ').nth(1)?;
    // -1 before the first, and large numbers come as 1.2e+06. No run comes near what a double can't hold.
    let value: f64 = value.parse().ok()?;
    Some(value.max(0.0) as u64)
}

impl EtcdObserver {
    pub(super) fn new(cluster: &[Node], http: reqwest::Client, timeout: Duration) -> EtcdObserver {
        EtcdObserver {
            http,
            cluster: cluster.to_vec(),
            timeout,
            compacted: Mutex::new(vec![0; cluster.len()]),
        }
    }

    async fn status_of(&self, node: usize) -> Result<Status, String> {
        let at = self.cluster[node].control;
        // One after the other: they share one connection.
        let status = status(&self.http, at).await?;
        let members = members(&self.http, at).await?;
        // A read, which a disk that stands still may hold up, as nothing else of this.
        let compacted = tokio::time::timeout(self.timeout / 5, self.compacted(node)).await;
        let compacted = compacted.ok().and_then(Result::ok);
        Ok(tell(&self.cluster, &status, &members, compacted))
    }

    /// The revision up to which a node has compacted history. Its metrics are long, and are read only when a read at
    /// that revision is refused, as it then is no more the one that it was.
    async fn compacted(&self, node: usize) -> Result<u64, String> {
        let at = self.cluster[node].control;
        let known = self.known()[node];
        let body = json!({
            "key": "AA==",
            "revision": known.max(1).to_string(),
            "serializable": true,
        });
        let (status, bytes) = match http::post(&self.http, at, "/v3/kv/range", &body).await {
            Ok(answer) => answer,
            Err(NoAnswer::NotSent(why) | NoAnswer::Unknown(why)) => return Err(why),
        };
        let answer: Answer = serde_json::from_slice(&bytes).unwrap_or_default();
        let now = match answer.refusal() {
            _ if status == 200 => known,
            refusal if refusal.contains(super::COMPACTED) => compact_revision(&self.http, at).await?,
            // It has lost its disk since, and has not caught up.
            refusal if refusal.contains(super::FUTURE) => 0,
            refusal => return Err(format!("HTTP {status} {refusal}")),
        };
        self.known()[node] = now;
        Ok(now)
    }

    fn known(&self) -> std::sync::MutexGuard<'_, Vec<u64>> {
        self.compacted.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// From what a read of all keys at this one node gives: the gateway of etcd 3.4 offers a sum of the whole
    /// database file only, in which nodes may differ.
    async fn sum_of(&self, node: usize) -> Result<Checksum, String> {
        let address = self.cluster[node].control;
        let all = json!({ "key": "AA==", "range_end": "AA==", "serializable": true });
        let request = self
            .http
            .post(format!("http://{address}/v3/kv/range"))
            .body(all.to_string());
        let Everything { header, kvs } = http::ask(request).await?;
        let mut hasher = DefaultHasher::new();
        for key in &kvs {
            key.to_string().hash(&mut hasher);
        }
        Ok(Checksum {
            position: header
                .revision
                .parse()
                .map_err(|_| "an answer without a revision".to_owned())?,
            sum: format!("{:016x}", hasher.finish()),
        })
    }
}

/// A node's word in our terms.
fn tell(cluster: &[Node], status: &StatusBody, members: &Members, compacted: Option<u64>) -> Status {
    let listed = |node: &&Node| member_at(&members.members, &peer_url(node));
    let role = match status.leader.as_str() {
        "" | "0" => "candidate",
        _ if status.leads() => "leader",
        _ => "follower",
    };
    let is_leader = |node: &&Node| listed(node).is_some_and(|member| member.id == status.leader);
    // One that was added and has not started yet is no member on whom anybody can count.
    let has_started = |node: &&Node| listed(node).is_some_and(|member| !member.name.is_empty());
    let names = |node: &Node| node.name.clone();
    Status {
        role: role.into(),
        // That of the last entry applied, and so a new leader's is too low at first: two may tell of one term.
        term: number(&status.raft_term),
        leader: cluster.iter().find(is_leader).map(names),
        commit: number(&status.raft_index),
        applied: number(&status.raft_applied_index),
        log_bytes: number(&status.db_size),
        members: Some(cluster.iter().filter(has_started).map(names).collect()),
        snapshot_index: compacted,
        snapshots_installed: None,
        leader_silence_us: None,
    }
}

impl Observer for EtcdObserver {
    fn checksum(&self, node: usize) -> BoxFuture<'_, Result<Option<Checksum>, String>> {
        Box::pin(async move { self.sum_of(node).await.map(Some) })
    }

    fn status(&self, node: usize) -> BoxFuture<'_, Result<Status, String>> {
        Box::pin(async move {
            let told = tokio::time::timeout(self.timeout, self.status_of(node)).await;
            told.unwrap_or_else(|_| Err("timed out".into()))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_node_tells_of_the_leader_and_of_the_members_that_have_started() {
        let status: StatusBody = serde_json::from_str(
            r#"{"header":{"cluster_id":"10085893469561783784","member_id":"5196493097583935852","revision":"1","raft_term":"2"},
                "version":"3.4.23","dbSize":"20480","leader":"10523257317450872127","raftIndex":"8","raftTerm":"2",
                "raftAppliedIndex":"7","dbSizeInUse":"16384"}"#,
        )
        .unwrap();
        let members = serde_json::from_str(super::super::members::tests::LIST).unwrap();
        let told = tell(&crate::tests::cluster(), &status, &members, Some(5));
        let expected = Status {
            role: "follower".into(),
            term: 2,
            leader: Some("n2".into()),
            commit: 8,
            applied: 7,
            log_bytes: 20480,
            members: Some(vec!["n1".into(), "n2".into()]),
            snapshot_index: Some(5),
            ..Status::default()
        };
        assert_eq!(told, expected);
    }

    #[test]
    fn the_compact_revision_is_read_from_the_metrics() {
        let metrics = |value: &str| {
            format!(
                "# HELP {COMPACT_REVISION} The revision of the last compaction in store.\n# TYPE {COMPACT_REVISION} gauge\n\
                 {COMPACT_REVISION} {value}\netcd_debugging_mvcc_current_revision 9\n"
            )
        };
        assert_eq!(metric(&metrics("-1")), Some(0));
        assert_eq!(metric(&metrics("3")), Some(3));
        assert_eq!(metric(&metrics("1.234567e+06")), Some(1_234_567));
        assert_eq!(metric("etcd_server_id 1\n"), None);
    }
}
