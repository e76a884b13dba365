//! What an operator does with etcd: `member add` and `member remove`, `move-leader`, `compaction` and `defrag`.

use std::net::SocketAddr;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout_at};

use super::members::{Member, member_at, peer_url};
use super::observer::{self, Header, StatusBody, number};
use super::{Answer, COMPACTED};
use crate::http::{self, NoAnswer};
use crate::{Administrator, BoxFuture, Change, Changed, ClientError, Node};

/// What etcd says when it refuses a change before it has any effect. After anything else it may yet happen.
const REFUSALS: &[(&str, &str)] = &[
    (
        "etcdserver: unhealthy cluster",
        "the node asked was not connected to enough members for the last 5 s",
    ),
    (
        "etcdserver: re-configuration failed due to not enough started members",
        "a member that was added has not started yet",
    ),
    ("etcdserver: too many requests", "it was not proposed"),
    ("etcdserver: not leader", "only the leader can hand over"),
    ("etcdserver: bad leader transferee", "it is no member that votes"),
    ("etcdserver: not capable", "it was not proposed"),
    (
        "etcdserver: mvcc: required revision is a future revision",
        "there is no such revision yet",
    ),
];

/// A refusal of what is so already.
const NO_MEMBER: &str = "etcdserver: member not found";
const MEMBER_ALREADY: &str = "etcdserver: Peer URLs already exists";

/// How long all nodes have to say who leads: half of an election.
const LOOK: Duration = Duration::from_millis(250);

/// For how long etcd wants members to be connected before it changes them (its HealthInterval), and a little more.
const SETTLING: Duration = Duration::from_millis(5_500);

pub(super) struct EtcdAdministrator {
    http: reqwest::Client,
    cluster: Vec<Node>,
    timeout: Duration,
}

/// How a change ended that was not seen to be done.
type NotDone = Changed;

impl EtcdAdministrator {
    pub(super) fn new(cluster: &[Node], timeout: Duration) -> Result<EtcdAdministrator, ClientError> {
        Ok(EtcdAdministrator {
            http: http::client(timeout, None)?,
            cluster: cluster.to_vec(),
            timeout,
        })
    }

    async fn make(&self, change: Change) -> Changed {
        let deadline = Instant::now() + self.timeout;
        let made = match change {
            Change::Add(node) => self.add(node, deadline).await,
            Change::Remove(node) => self.remove(node, deadline).await,
            Change::Transfer(to) => self.transfer(to, deadline).await,
            Change::Snapshot(node) => self.compact(node, deadline).await,
        };
        made.map_or_else(|not_done| not_done, |()| Changed::Done)
    }

    async fn add(&self, node: usize, deadline: Instant) -> Result<(), NotDone> {
        let url = peer_url(&self.cluster[node]);
        let (leader, members) = self.members(deadline).await?;
        if member_at(&members, &url).is_some() {
            return Ok(());
        }
        let body = json!({ "peerURLs": [url] });
        let answer = self
            .request(leader, "/v3/cluster/member/add", &body, deadline)
            .await;
        unless(MEMBER_ALREADY, answer)
    }

    async fn remove(&self, node: usize, deadline: Instant) -> Result<(), NotDone> {
        let (leader, members) = self.members(deadline).await?;
        let Some(member) = member_at(&members, &peer_url(&self.cluster[node])) else {
            return Ok(());
        };
        // By its number, which nobody has again: what comes late removes no other one.
        let body = json!({ "ID": member.id });
        let answer = self
            .request(leader, "/v3/cluster/member/remove", &body, deadline)
            .await;
        unless(NO_MEMBER, answer)
    }

    async fn transfer(&self, to: Option<usize>, deadline: Instant) -> Result<(), NotDone> {
        let told = self.statuses(deadline).await;
        let (leader, _) = leader(&told).ok_or_else(nobody_leads)?;
        let target = match to {
            Some(to) => told.iter().find(|(node, _)| *node == to),
            // etcd leaves it to who asks; the one that has the most of the log is the soonest ready.
            None => successor(&told, leader),
        };
        let silent = || Changed::Rejected("who is to follow does not answer".into());
        let (_, target) = target.ok_or_else(silent)?;
        let body = json!({ "targetID": target.header.member_id });
        let at = self.cluster[leader].control;
        self.request(at, "/v3/maintenance/transfer-leadership", &body, deadline)
            .await
    }

    /// Drops the history of all that this node has, which each node does when it applies that, and has this one write
    /// its database anew. The log itself etcd cuts when it sees fit.
    async fn compact(&self, node: usize, deadline: Instant) -> Result<(), NotDone> {
        let at = self.cluster[node].control;
        let asked = async {
            let body = json!({ "key": "AA==", "serializable": true });
            let request = self
                .http
                .post(format!("http://{at}/v3/kv/range"))
                .body(body.to_string());
            let told: Reading = http::ask(request).await?;
            let before = observer::compact_revision(&self.http, at).await?;
            Ok::<_, String>((number(&told.header.revision), before))
        };
        let (revision, before) = in_time(deadline, asked).await?;
        if revision == before {
            return Err(Changed::Rejected(format!(
                "nothing was written since history was compacted at revision {before}"
            )));
        }
        let body = json!({ "revision": revision.to_string(), "physical": true });
        // Another node may just have been told the same, and have had more.
        let answer = self.request(at, "/v3/kv/compaction", &body, deadline).await;
        unless(COMPACTED, answer)?;
        let answer = self
            .request(at, "/v3/maintenance/defragment", &json!({}), deadline)
            .await;
        // History is gone by now, whatever became of the file.
        answer.map_err(|not_done| match not_done {
            Changed::Rejected(why) | Changed::Unknown(why) => Changed::Unknown(why),
            Changed::Done => Changed::Done,
        })
    }

    /// The leader, and who the members are: with all changes that anybody was told of before this was asked.
    async fn members(&self, deadline: Instant) -> Result<(SocketAddr, Vec<Member>), NotDone> {
        let told = self.statuses(deadline).await;
        let (leader, _) = leader(&told).ok_or_else(nobody_leads)?;
        let at = self.cluster[leader].control;
        let asked = async {
            // A linearizable read: when it is answered, the node has applied all that was committed before. Of the
            // list of members etcd 3.4 gives what the node has, which may have been deposed without knowing it.
            let request = self
                .http
                .post(format!("http://{at}/v3/kv/range"))
                .body(json!({ "key": "AA==" }).to_string());
            let Reading { .. } = http::ask(request).await?;
            observer::members(&self.http, at).await
        };
        Ok((at, in_time(deadline, asked).await?.members))
    }

    /// What those nodes say that answer soon.
    async fn statuses(&self, deadline: Instant) -> Vec<(usize, StatusBody)> {
        let mut asked = JoinSet::new();
        for (node, Node { control, .. }) in self.cluster.iter().enumerate() {
            let (http, control) = (self.http.clone(), *control);
            asked.spawn(async move { (node, observer::status(&http, control).await) });
        }
        let soon = deadline.min(Instant::now() + LOOK);
        let mut told = Vec::new();
        while let Ok(Some(answer)) = timeout_at(soon, asked.join_next()).await {
            if let Ok((node, Ok(status))) = answer {
                told.push((node, status));
            }
        }
        told.sort_by_key(|(node, _)| *node);
        told
    }

    /// Asks a node for a change.
    async fn request(
        &self,
        at: SocketAddr,
        path: &str,
        body: &Value,
        deadline: Instant,
    ) -> Result<(), NotDone> {
        let answer = timeout_at(deadline, http::post(&self.http, at, path, body)).await;
        match answer {
            Ok(Ok((200, _))) => Ok(()),
            Ok(Ok((status, bytes))) => Err(refused(status, &bytes)),
            Ok(Err(NoAnswer::NotSent(why))) => Err(Changed::Rejected(why)),
            Ok(Err(NoAnswer::Unknown(why))) => Err(Changed::Unknown(why)),
            Err(_) => Err(Changed::Unknown("timed out".into())),
        }
    }
}

/// The answer to a read, of which only matters that it came, and from which revision.
#[derive(serde::Deserialize)]
struct Reading {
    header: Header,
}

/// Asks for something that changes nothing: without an answer it is certain that nothing happened.
async fn in_time<T>(deadline: Instant, asked: impl Future<Output = Result<T, String>>) -> Result<T, NotDone> {
    let answer = timeout_at(deadline, asked).await;
    answer
        .unwrap_or_else(|_| Err("timed out before anything was changed".into()))
        .map_err(Changed::Rejected)
}

/// Of those who say that they lead, the one of the highest term.
fn leader(told: &[(usize, StatusBody)]) -> Option<(usize, &StatusBody)> {
    let leading = told.iter().filter(|(_, status)| status.leads());
    let latest = leading.max_by_key(|(_, status)| number(&status.raft_term));
    latest.map(|(node, status)| (*node, status))
}

/// Of the others, the one that has the most of the log.
fn successor(told: &[(usize, StatusBody)], leader: usize) -> Option<&(usize, StatusBody)> {
    let others = told.iter().filter(|(node, _)| *node != leader);
    others.max_by_key(|(_, status)| number(&status.raft_index))
}

fn nobody_leads() -> NotDone {
    Changed::Rejected("no node that answers leads".into())
}

fn refused(status: u16, bytes: &[u8]) -> NotDone {
    let answer: Answer = serde_json::from_slice(bytes).unwrap_or_default();
    let text = answer.refusal();
    match REFUSALS.iter().find(|(refusal, _)| text.contains(refusal)) {
        Some((_, why)) => Changed::Rejected(format!("{text} ({why})")),
        None => Changed::Unknown(format!("HTTP {status} {text}")),
    }
}

/// Being refused because it is so already is as good as done.
fn unless(so_already: &str, answer: Result<(), NotDone>) -> Result<(), NotDone> {
    match answer {
        Err(Changed::Unknown(why)) if why.contains(so_already) => Ok(()),
        other => other,
    }
}

impl Administrator for EtcdAdministrator {
    fn change(&self, change: Change) -> BoxFuture<'_, Changed> {
        Box::pin(self.make(change))
    }

    fn settling(&self) -> Duration {
        SETTLING
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_listed_refusals_are_certain() {
        // 3.4 says it twice, 3.7 once.
        for text in [
            r#"{"error":"etcdserver: unhealthy cluster","message":"etcdserver: unhealthy cluster","code":14}"#,
            r#"{"code":14,"message":"etcdserver: unhealthy cluster"}"#,
        ] {
            assert!(
                matches!(refused(503, text.as_bytes()), Changed::Rejected(why) if why.contains("5 s")),
                "{text}"
            );
        }
        for text in [
            r#"{"error":"etcdserver: request timed out, leader transfer took too long"}"#,
            r#"{"error":"etcdserver: request timed out"}"#,
            r#"{"error":"etcdserver: leader changed"}"#,
            r#"{"error":"something new"}"#,
            "",
        ] {
            assert!(
                matches!(refused(503, text.as_bytes()), Changed::Unknown(_)),
                "{text}"
            );
        }
    }

    #[test]
    fn what_is_so_already_is_done() {
        let answer = |text: &str| Err(refused(404, format!(r#"{{"message":"{text}"}}"#).as_bytes()));
        assert_eq!(unless(NO_MEMBER, answer(NO_MEMBER)), Ok(()));
        assert_eq!(unless(MEMBER_ALREADY, answer(MEMBER_ALREADY)), Ok(()));
        assert!(unless(NO_MEMBER, answer(MEMBER_ALREADY)).is_err());
        assert!(unless(NO_MEMBER, answer("etcdserver: unhealthy cluster")).is_err());
        assert!(unless(NO_MEMBER, answer("")).is_err());
    }

    fn says(member: u64, leader: u64, term: u64, index: u64) -> StatusBody {
        let body = json!({
            "header": { "member_id": member.to_string() },
            "leader": leader.to_string(),
            "raftTerm": term.to_string(),
            "raftIndex": index.to_string(),
        });
        serde_json::from_value(body).unwrap()
    }

    #[test]
    fn of_several_leaders_the_latest_is_asked_and_the_most_advanced_other_is_to_follow() {
        let told = vec![
            (0, says(11, 11, 4, 90)),
            (1, says(12, 12, 5, 100)),
            (2, says(13, 12, 5, 95)),
        ];
        let (leader, _) = leader(&told).unwrap();
        assert_eq!(leader, 1);
        assert_eq!(successor(&told, leader).map(|(node, _)| *node), Some(2));
        assert!(
            super::leader(&told[2..]).is_none(),
            "the one that it names is silent"
        );
        assert!(successor(&told[..1], 0).is_none());
    }

    #[tokio::test]
    async fn who_cannot_be_asked_has_changed_nothing() {
        // Nobody listens at ports that were just given back.
        let mut cluster = crate::tests::cluster();
        for node in &mut cluster {
            let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
            node.control = listener.local_addr().unwrap();
        }
        let administrator = EtcdAdministrator::new(&cluster, Duration::from_secs(2)).unwrap();
        for change in [
            Change::Add(2),
            Change::Remove(2),
            Change::Transfer(None),
            Change::Snapshot(1),
        ] {
            let changed = administrator.change(change).await;
            assert!(matches!(changed, Changed::Rejected(_)), "{change:?}: {changed:?}");
        }
    }
}
