//! Our own servers: `partita node PROTOCOL`, over their HTTP/JSON interface, which is the same for all.

mod administrator;

use std::net::IpAddr;
use std::path::Path;
use std::time::Duration;

use partita_history::Value;
use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use self::administrator::OwnAdministrator;
use crate::http::{self, NoAnswer};
use crate::{
    Administrator, BoxFuture, Client, ClientError, Completion, Node, Observer, Options, Program, Request,
    Status, Target,
};

/// One of our own servers.
pub(crate) struct Own {
    /// The protocol, as `partita node` knows it.
    protocol: &'static str,
    summary: &'static str,
    functions: &'static [&'static str],
}

/// What the replicated store offers.
const STORE: &[&str] = &["read", "write", "cas", "append"];

/// Raft.
pub(crate) const RAFT: Own = Own {
    protocol: "raft",
    summary: "our own Raft: pre-vote, read index, client sessions, write-ahead log",
    functions: STORE,
};

/// Multi-Paxos.
pub(crate) const MULTI_PAXOS: Own = Own {
    protocol: "multi-paxos",
    summary: "our own Multi-Paxos: slots with gaps, ballots, one phase 1 for all slots, a window for changes of members",
    functions: STORE,
};

/// How long a node may keep silent before another is asked the same. Sessions make that safe; without it every
/// client would wait at a leader that was cut off, and nobody would see what the next one does meanwhile.
const PATIENCE: Duration = Duration::from_millis(200);
/// How long to wait before asking again, where no node knew a leader.
const NO_LEADER_WAIT: Duration = Duration::from_millis(50);

impl Target for Own {
    fn name(&self) -> &'static str {
        self.protocol
    }

    fn summary(&self) -> &'static str {
        self.summary
    }

    fn functions(&self) -> &'static [&'static str] {
        self.functions
    }

    fn locate(&self, options: &Options) -> Result<Program, String> {
        let path = options
            .binary
            .clone()
            .unwrap_or_else(|| options.own_program.clone());
        let version = if options.binary.is_some() {
            format!("{}, given by --binary", path.display())
        } else {
            format!("partita {}", env!("CARGO_PKG_VERSION"))
        };
        Ok(Program { path, version })
    }

    fn command(
        &self,
        program: &Program,
        options: &Options,
        cluster: &[Node],
        node: &Node,
        data: &Path,
    ) -> Vec<String> {
        let mut command = vec![
            program.path.display().to_string(),
            "node".into(),
            self.protocol.into(),
            "--id".into(),
            node.name.clone(),
            "--data".into(),
            data.display().to_string(),
            "--listen-peer".into(),
            node.peer_listen.to_string(),
            "--listen-client".into(),
            node.client_listen.to_string(),
        ];
        for peer in cluster.iter().filter(|peer| peer.name != node.name) {
            command.extend(["--peer".into(), format!("{}={}", peer.name, peer.peer)]);
        }
        if let Some(defect) = &options.defect {
            command.extend(["--defect".into(), defect.clone()]);
        }
        command
    }

    fn client(
        &self,
        cluster: &[Node],
        node: usize,
        name: &str,
        timeout: Duration,
    ) -> Result<Box<dyn Client>, ClientError> {
        Ok(Box::new(OwnClient {
            http: http::client(timeout, None)?,
            cluster: cluster.to_vec(),
            home: node,
            at: node,
            timeout,
            session: name.to_owned(),
            sequence: 0,
        }))
    }

    fn observer(
        &self,
        cluster: &[Node],
        source: Option<IpAddr>,
        timeout: Duration,
    ) -> Result<Box<dyn Observer>, ClientError> {
        Ok(Box::new(OwnObserver {
            http: http::client(timeout, source)?,
            cluster: cluster.to_vec(),
        }))
    }

    fn administrator(
        &self,
        cluster: &[Node],
        timeout: Duration,
    ) -> Result<Option<Box<dyn Administrator>>, ClientError> {
        Ok(Some(Box::new(OwnAdministrator::new(cluster, timeout)?)))
    }
}

struct OwnClient {
    http: reqwest::Client,
    cluster: Vec<Node>,
    /// The node that it was given.
    home: usize,
    /// The node that an operation is brought to first: the one that served the last, as long as it serves.
    at: usize,
    timeout: Duration,
    /// Under which the servers remember what was done, so that an operation tried twice is applied once.
    session: String,
    sequence: u64,
}

#[derive(Serialize)]
struct OpBody<'a> {
    session: &'a str,
    sequence: u64,
    op: OpJson<'a>,
}

#[derive(Serialize)]
struct OpJson<'a> {
    f: &'a str,
    key: &'a Value,
    #[serde(skip_serializing_if = "Option::is_none")]
    value: Option<&'a Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    from: Option<&'a Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    to: Option<&'a Value>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Answer {
    #[serde(deserialize_with = "present")]
    value: Option<Value>,
    swapped: Option<bool>,
    #[serde(deserialize_with = "present")]
    observed: Option<Value>,
    error: Option<String>,
    message: Option<String>,
    leader: Option<String>,
}

/// A null that is there is not the same as nothing: it is what a register holds that was never written.
fn present<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<Value>, D::Error> {
    Value::deserialize(deserializer).map(Some)
}

/// What to do after one try.
enum Try {
    Done(Completion),
    /// Certainly not done; another node may do it.
    Elsewhere {
        leader: Option<String>,
        why: String,
    },
    /// Perhaps done.
    Perhaps(String),
}

impl OwnClient {
    fn node(&self, name: &str) -> Option<usize> {
        self.cluster.iter().position(|node| node.name == name)
    }

    async fn perform_op(&mut self, request: Request<'_>) -> Completion {
        // Reads are not remembered, and leave no gap.
        if request.f != "read" {
            self.sequence += 1;
        }
        let deadline = Instant::now() + self.timeout;
        let mut at = self.at;
        // Once a try may have been carried out, a later refusal no longer says that nothing happened.
        let mut perhaps: Option<String> = None;
        // The node that did not answer: for a while others will still take it for the leader.
        let mut silent = None;
        loop {
            let began = Instant::now();
            let patience = deadline.min(began + PATIENCE);
            let tried = tokio::time::timeout_at(patience, self.try_at(at, request)).await;
            let node = (at != self.home).then(|| self.cluster[at].name.clone());
            let why = match tried.unwrap_or_else(|_| Try::Perhaps("timed out".into())) {
                Try::Done(completion) => {
                    self.at = at;
                    return match (completion.error, perhaps) {
                        (Some(refusal), Some(_)) => Completion {
                            node,
                            ..Completion::unknown(request, refusal)
                        },
                        (error, _) => Completion {
                            node,
                            error,
                            ..completion
                        },
                    };
                }
                Try::Elsewhere { leader, why } => {
                    let leader = leader.and_then(|leader| self.node(&leader));
                    at = match leader.filter(|&leader| leader != at && Some(leader) != silent) {
                        Some(leader) => leader,
                        None => {
                            tokio::time::sleep(NO_LEADER_WAIT).await;
                            self.other_than(at, silent)
                        }
                    };
                    why
                }
                Try::Perhaps(why) => {
                    perhaps.get_or_insert_with(|| why.clone());
                    silent = Some(at);
                    at = self.other_than(at, None);
                    // Where connections break at once, asking again at once would only be a storm.
                    tokio::time::sleep_until(began + NO_LEADER_WAIT).await;
                    why
                }
            };
            if Instant::now() >= deadline {
                self.at = self.home;
                return match perhaps {
                    Some(why) => Completion {
                        node,
                        ..Completion::unknown(request, why)
                    },
                    None => Completion {
                        node,
                        ..Completion::refused(request, why)
                    },
                };
            }
        }
    }

    /// The next node in turn, passing over one.
    fn other_than(&self, at: usize, silent: Option<usize>) -> usize {
        let nodes = self.cluster.len();
        (1..=nodes)
            .map(|step| (at + step) % nodes)
            .find(|&node| Some(node) != silent)
            .unwrap_or(at)
    }

    async fn try_at(&self, at: usize, request: Request<'_>) -> Try {
        let (from, to) = request.value.as_pair().unzip();
        let cas = request.f == "cas";
        let body = OpBody {
            session: &self.session,
            sequence: self.sequence,
            op: OpJson {
                f: request.f,
                key: request.key.unwrap_or(&Value::Null),
                value: (!cas && request.f != "read").then_some(request.value),
                from: from.filter(|_| cas),
                to: to.filter(|_| cas),
            },
        };
        let (status, bytes) = match http::post(&self.http, self.cluster[at].client, "/v1/op", &body).await {
            Ok(answer) => answer,
            Err(NoAnswer::NotSent(why)) => return Try::Elsewhere { leader: None, why },
            Err(NoAnswer::Unknown(why)) => return Try::Perhaps(why),
        };
        let Ok(answer) = serde_json::from_slice::<Answer>(&bytes) else {
            return Try::Perhaps(format!("HTTP {status} with an answer that can't be read"));
        };
        let error = answer.error.clone().unwrap_or_default();
        match status {
            200 => match (request.f, answer) {
                (
                    "read",
                    Answer {
                        value: Some(value), ..
                    },
                ) => Try::Done(Completion::ok(value)),
                (
                    "cas",
                    Answer {
                        swapped: Some(true), ..
                    },
                ) => Try::Done(Completion::ok(request.value.clone())),
                (
                    "cas",
                    Answer {
                        swapped: Some(false),
                        observed: Some(observed),
                        ..
                    },
                ) => Try::Done(Completion::not_swapped(request, observed)),
                ("read" | "cas", _) => Try::Perhaps("an answer without its result".into()),
                _ => Try::Done(Completion::ok(request.value.clone())),
            },
            // The table of refusals: these, by the server's contract, had no effect.
            421 => Try::Elsewhere {
                leader: answer.leader,
                why: error,
            },
            503 => Try::Elsewhere {
                leader: None,
                why: error,
            },
            400 => Try::Done(Completion::refused(
                request,
                format!("{error}: {}", answer.message.unwrap_or_default()),
            )),
            _ => Try::Perhaps(format!("HTTP {status} {error}")),
        }
    }
}

impl Client for OwnClient {
    fn perform<'a>(&'a mut self, request: Request<'a>) -> BoxFuture<'a, Completion> {
        Box::pin(self.perform_op(request))
    }
}

struct OwnObserver {
    http: reqwest::Client,
    cluster: Vec<Node>,
}

#[derive(Deserialize)]
struct StatusBody {
    role: String,
    term: u64,
    leader: Option<String>,
    commit: u64,
    applied: u64,
    log_bytes: u64,
}

impl Observer for OwnObserver {
    fn status(&self, node: usize) -> BoxFuture<'_, Result<Status, String>> {
        let request = self
            .http
            .get(format!("http://{}/v1/status", self.cluster[node].control));
        Box::pin(async move {
            let StatusBody {
                role,
                term,
                leader,
                commit,
                applied,
                log_bytes,
            } = http::ask(request).await?;
            Ok(Status {
                role,
                term,
                leader,
                commit,
                applied,
                log_bytes,
            })
        })
    }
}
