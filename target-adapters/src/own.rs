//! Our own servers: `partita node PROTOCOL`, over their HTTP/JSON interface, which is the same for all.

mod administrator;
mod operation;

use std::net::IpAddr;
use std::path::Path;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use self::administrator::OwnAdministrator;
use self::operation::{Answer, Functions, Op, STORE, WRITE_ONCE};
use crate::http::{self, NoAnswer};
use crate::program;
use crate::{
    Administrator, BoxFuture, Checksum, Client, ClientError, ClientOptions, Completion, Matter, Node,
    Observer, Options, Program, Reads, Request, Start, Status, Target,
};

/// One of our own servers.
pub(crate) struct Own {
    /// The protocol, as `partita node` knows it.
    protocol: &'static str,
    summary: &'static str,
    functions: Functions,
}

/// Raft.
pub(crate) const RAFT: Own = Own {
    protocol: "raft",
    summary: "our own Raft: pre-vote, read index, client sessions, write-ahead log",
    functions: STORE,
};

/// Zab.
pub(crate) const ZAB: Own = Own {
    protocol: "zab",
    summary: "our own Zab: fast leader election, reads by SYNC at every node, reconfiguration",
    functions: STORE,
};

/// Viewstamped Replication.
pub(crate) const VIEWSTAMPED: Own = Own {
    protocol: "viewstamped",
    summary: "our own Viewstamped Replication: views by turn, state transfer, epochs, write-ahead log",
    functions: STORE,
};

/// Single-decree Paxos.
pub(crate) const PAXOS: Own = Own {
    protocol: "paxos",
    summary: "our own single-decree Paxos, once for each key: registers that are written once; no leader",
    functions: WRITE_ONCE,
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

    fn functions(&self, object: &str) -> &'static [&'static str] {
        let offered = self.functions.iter().find(|(offered, _)| *offered == object);
        offered.map_or(&[], |(_, functions)| functions)
    }

    fn reads_locally(&self) -> bool {
        true
    }

    fn has_leader(&self) -> bool {
        self.protocol != PAXOS.protocol
    }

    fn has_one_leader_a_term(&self) -> bool {
        // Several nodes may count up to the same round: it takes the node's name to make it a ballot.
        ![PAXOS.protocol, MULTI_PAXOS.protocol].contains(&self.protocol)
    }

    fn locate(&self, options: &Options) -> Result<Program, String> {
        let path = options
            .binary
            .clone()
            .unwrap_or_else(|| options.own_program.clone());
        let version = if options.binary.is_some() {
            program::check(&path)?;
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
        start: Start,
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
        if let Some(entries) = options.snapshot_entries {
            command.extend(["--snapshot-entries".into(), entries.to_string()]);
        }
        if start == Start::Joining {
            command.push("--join".into());
        }
        if options.lease_reads {
            command.push("--lease-reads".into());
        }
        command
    }

    fn client(
        &self,
        cluster: &[Node],
        node: usize,
        name: &str,
        options: ClientOptions,
    ) -> Result<Box<dyn Client>, ClientError> {
        Ok(Box::new(OwnClient {
            http: http::client(options.timeout, None)?,
            cluster: cluster.to_vec(),
            home: node,
            at: node,
            options,
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
            // Acceptors learn of decisions when they are asked: what they have applied is no prefix of one log.
            has_one_log: self.protocol != PAXOS.protocol,
            http: http::client(timeout, source)?,
            cluster: cluster.to_vec(),
        }))
    }

    fn administers(&self) -> &'static [Matter] {
        // Its members are fixed, and each of its snapshots is of what the node itself has promised and learnt.
        if self.protocol == PAXOS.protocol {
            return &[];
        }
        if self.protocol == VIEWSTAMPED.protocol {
            return &[
                Matter::Members,
                Matter::Leadership,
                Matter::Snapshots,
                Matter::EmptyDisks,
            ];
        }
        // Of the others a node that has lost its disk has lost its promises, and does harm.
        &[Matter::Members, Matter::Leadership, Matter::Snapshots]
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
    options: ClientOptions,
    /// Under which the servers remember what was done, so that an operation tried twice is applied once.
    session: String,
    sequence: u64,
}

#[derive(Serialize)]
struct OpBody<'a> {
    session: &'a str,
    sequence: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    consistency: Option<&'static str>,
    op: Op<'a>,
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
        if !operation::only_reads(request) {
            self.sequence += 1;
        }
        let deadline = Instant::now() + self.options.timeout;
        let local = self.is_local(request);
        let mut at = if local { self.home } else { self.at };
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
                    if !local {
                        self.at = at;
                    }
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

    /// Is it to be answered by the node asked, from what that has applied?
    fn is_local(&self, request: Request<'_>) -> bool {
        self.options.reads == Reads::Local && operation::only_reads(request)
    }

    async fn try_at(&self, at: usize, request: Request<'_>) -> Try {
        let body = OpBody {
            session: &self.session,
            sequence: self.sequence,
            consistency: self.is_local(request).then_some("local"),
            op: operation::op(self.options.object, request, &self.session),
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
            200 => match operation::done(self.options.object, request, answer) {
                Some(completion) => Try::Done(completion),
                None => Try::Perhaps("an answer without its result".into()),
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
            400 | 409 => Try::Done(Completion::refused(
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
    has_one_log: bool,
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
    members: Option<Vec<String>>,
    snapshot_index: Option<u64>,
    snapshots_installed: Option<u64>,
    leader_silence_us: Option<u64>,
}

#[derive(Deserialize)]
struct ChecksumBody {
    applied: u64,
    checksum: String,
}

impl Observer for OwnObserver {
    fn checksum(&self, node: usize) -> BoxFuture<'_, Result<Option<Checksum>, String>> {
        Box::pin(async move {
            if !self.has_one_log {
                return Ok(None);
            }
            let address = self.cluster[node].control;
            let request = self.http.get(format!("http://{address}/v1/checksum"));
            let ChecksumBody { applied, checksum } = http::ask(request).await?;
            Ok(Some(Checksum {
                position: applied,
                sum: checksum,
            }))
        })
    }

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
                members,
                snapshot_index,
                snapshots_installed,
                leader_silence_us,
            } = http::ask(request).await?;
            Ok(Status {
                role,
                term,
                leader,
                commit,
                applied,
                log_bytes,
                members,
                snapshot_index,
                snapshots_installed,
                leader_silence_us,
            })
        })
    }
}
