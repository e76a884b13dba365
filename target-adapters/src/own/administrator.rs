//! `POST /v1/admin`.

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
            _ => 0,
        };
        loop {
            let answer = http::post(&self.http, self.cluster[at].control, "/v1/admin", &body).await;
            let (leader, why) = match answer {
                Ok((200, _)) => return Changed::Done,
                Ok((status, bytes)) => {
                    let answer: Answer = serde_json::from_slice(&bytes).unwrap_or_default();
                    let why = format!("{} {}", answer.error, answer.message).trim().to_owned();
                    match status {
                        400 | 409 => return Changed::Rejected(why),
                        // By the contract of the server these had no effect.
                        421 | 503 => (answer.leader, why),
                        _ => return Changed::Unknown(format!("HTTP {status} {why}")),
                    }
                }
                Err(NoAnswer::NotSent(why)) => (None, why),
                Err(NoAnswer::Unknown(why)) => return Changed::Unknown(why),
            };
            if Instant::now() >= deadline || matches!(change, Change::Snapshot(_)) {
                return Changed::Rejected(why);
            }
            let named = leader.and_then(|leader| self.cluster.iter().position(|node| node.name == leader));
            at = match named.filter(|&named| named != at) {
                Some(leader) => leader,
                None => {
                    tokio::time::sleep(NO_LEADER_WAIT).await;
                    (at + 1) % self.cluster.len()
                }
            };
        }
    }
}

impl Administrator for OwnAdministrator {
    fn change(&self, change: Change) -> BoxFuture<'_, Changed> {
        Box::pin(self.make(change))
    }
}
