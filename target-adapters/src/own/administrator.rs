//! `POST /v1/admin`.

use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use super::NO_LEADER_WAIT;
use crate::http::{self, NoAnswer};
use crate::{Administrator, BoxFuture, Change, Changed, ClientError, Node};

pub(super) struct OwnAdministrator {
    http: reqwest::Client,
    cluster: Vec<Node>,
    timeout: Duration,
    /// Who is asked first: the one that did the last change, or one that has not kept silent since. A change
    /// must not lie with a node that sleeps, to be made when nobody wants it any more.
    first: AtomicUsize,
}

#[derive(Serialize)]
#[serde(tag = "action", rename_all = "kebab-case")]
enum Body<'a> {
    AddMember { node: &'a str },
    RemoveMember { node: &'a str },
    Transfer { to: Option<&'a str> },
    Snapshot,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Answer {
    error: String,
    message: String,
    leader: Option<String>,
}

impl OwnAdministrator {
    pub(super) fn new(cluster: &[Node], timeout: Duration) -> Result<OwnAdministrator, ClientError> {
        Ok(OwnAdministrator {
            http: http::client(timeout, None)?,
            cluster: cluster.to_vec(),
            timeout,
            first: AtomicUsize::new(0),
        })
    }

    async fn make(&self, change: Change) -> Changed {
        let name = |node: usize| self.cluster[node].name.as_str();
        let body = match change {
            Change::Add(node) => Body::AddMember { node: name(node) },
            Change::Remove(node) => Body::RemoveMember { node: name(node) },
            Change::Transfer(to) => Body::Transfer { to: to.map(name) },
            Change::Snapshot(_) => Body::Snapshot,
        };
        let deadline = Instant::now() + self.timeout;
        let mut at = match change {
            Change::Snapshot(node) => node,
            _ => self.first.load(Relaxed),
        };
        // Who is asked when nobody names a leader goes round by itself: one that was removed may name for ever a node
        // that names nobody.
        let mut round = at;
        loop {
            let answer = http::post(&self.http, self.cluster[at].control, "/v1/admin", &body).await;
            let (leader, why) = match answer {
                Ok((200, _)) => {
                    self.first.store(at, Relaxed);
                    return Changed::Done;
                }
                Ok((status, bytes)) => {
                    let answer: Answer = serde_json::from_slice(&bytes).unwrap_or_default();
                    let why = format!("{} {}", answer.error, answer.message).trim().to_owned();
                    match status {
                        409 if is_so(change, &answer.message) => return Changed::Done,
                        400 | 409 => return Changed::Rejected(why),
                        // By the contract of the server these had no effect.
                        421 | 503 => (answer.leader, why),
                        _ => return Changed::Unknown(format!("HTTP {status} {why}")),
                    }
                }
                Err(NoAnswer::NotSent(why)) => (None, why),
                Err(NoAnswer::Unknown(why)) => {
                    self.first.store((at + 1) % self.cluster.len(), Relaxed);
                    return Changed::Unknown(why);
                }
            };
            if Instant::now() >= deadline || matches!(change, Change::Snapshot(_)) {
                return Changed::Rejected(why);
            }
            let named = leader.and_then(|leader| self.cluster.iter().position(|node| node.name == leader));
            at = match named.filter(|&named| named != at) {
                Some(leader) => leader,
                None => {
                    tokio::time::sleep(NO_LEADER_WAIT).await;
                    round = (round + 1) % self.cluster.len();
                    round
                }
            };
        }
    }
}

/// Is the refusal one of what is so already? A leader says it only when no change is under way, and of what is
/// committed.
fn is_so(change: Change, message: &str) -> bool {
    match change {
        Change::Add(_) => message.ends_with("is a member already"),
        Change::Remove(_) => message.ends_with("is no member"),
        Change::Transfer(_) | Change::Snapshot(_) => false,
    }
}

impl Administrator for OwnAdministrator {
    fn change(&self, change: Change) -> BoxFuture<'_, Changed> {
        Box::pin(self.make(change))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_so_already_is_done_and_all_else_that_is_refused_is_not() {
        assert!(is_so(Change::Add(1), "the node is a member already"));
        assert!(is_so(Change::Remove(1), "it is no member"));
        assert!(!is_so(Change::Remove(1), "it is the last member"));
        assert!(!is_so(
            Change::Remove(1),
            "another change of members is under way"
        ));
        assert!(!is_so(Change::Transfer(Some(1)), "it is no member"));
    }
}
