//! etcd, over the JSON gateway of its v3 API (`/v3/kv/...`), which 3.4 and later serve.
//!
//! As `etcd-leased` every key that is written hangs on a lease that is kept alive.

mod administrator;
pub(crate) mod joining;
mod lease;
mod members;
mod observer;

use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use partita_history::Value;
use serde::Deserialize;
use serde_json::json;

use self::administrator::EtcdAdministrator;
use self::lease::Kept;
use self::members::peer_url;
use self::observer::EtcdObserver;
use crate::http::{self, NoAnswer};
use crate::{
    Administrator, BoxFuture, Client, ClientError, ClientOptions, Completion, Matter, Node, Observer,
    Options, Program, Request, Start, Target,
};

/// etcd.
pub(crate) struct Etcd {
    /// What is known of the lease of the cluster that runs, where keys hang on one.
    lease: Option<Mutex<Option<Arc<Kept>>>>,
}

/// Keys stay.
pub(crate) static PLAIN: Etcd = Etcd { lease: None };
/// Keys hang on a lease.
pub(crate) static LEASED: Etcd = Etcd {
    lease: Some(Mutex::new(None)),
};

/// Heartbeats and elections as fast as on a network without latency is reasonable: a test of half a minute
/// must see many elections.
const HEARTBEAT_MS: u32 = 50;
const ELECTION_MS: u32 = 500;

/// What etcd says when it refuses a request before it has any effect. Everything else that is not a success
/// (`request timed out`, `leader changed`, a broken connection) may have happened.
const REFUSALS: &[(&str, &str)] = &[
    (
        "etcdserver: too many requests",
        "the proposal was not made: too many are waiting to be applied",
    ),
    (
        "etcdserver: request is too large",
        "refused before it was proposed",
    ),
    (
        "etcdserver: user name is empty",
        "refused by authentication, before it was proposed",
    ),
    (
        "etcdserver: permission denied",
        "refused by authentication, before it was proposed",
    ),
    (
        "etcdserver: invalid auth token",
        "refused by authentication, before it was proposed",
    ),
    (
        "etcdserver: duplicate key given in txn request",
        "refused when it was parsed",
    ),
    ("etcdserver: key is not provided", "refused when it was parsed"),
    (
        "etcdserver: requested lease not found",
        "refused when it was applied, before anything was written",
    ),
    ("etcdserver: not capable", "refused before it was proposed"),
];

impl Target for Etcd {
    fn name(&self) -> &'static str {
        match self.lease {
            None => "etcd",
            Some(_) => "etcd-leased",
        }
    }

    fn summary(&self) -> &'static str {
        match self.lease {
            None => "etcd 3.4 or later (Debian: apt-get install etcd-server; another version: --binary PATH)",
            Some(_) => "etcd, all keys hanging on one lease that is kept alive: none of them may vanish",
        }
    }

    fn functions(&self, object: &str) -> &'static [&'static str] {
        match object {
            "register" => &["read", "write", "cas"],
            _ => &[],
        }
    }

    fn locate(&self, options: &Options) -> Result<Program, String> {
        let path = options.binary.clone().unwrap_or_else(|| PathBuf::from("etcd"));
        let output = Command::new(&path).arg("--version").output().map_err(|error| {
            format!(
                "etcd can't be run as `{}`: {error} (Debian: apt-get install etcd-server; or give --binary PATH)",
                path.display()
            )
        })?;
        let text = String::from_utf8_lossy(&output.stdout);
        let version = text.lines().find_map(|line| line.strip_prefix("etcd Version: "));
        match version {
            Some(version) if output.status.success() => Ok(Program {
                path,
                version: format!("etcd {}", version.trim()),
            }),
            _ => Err(format!(
                "`{} --version` does not answer as etcd does; it said: {}",
                path.display(),
                text.trim()
            )),
        }
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
        let data = data.join("etcd");
        let mut command = vec![program.path.display().to_string()];
        let mut option = |name: &str, value: String| command.extend([format!("--{name}"), value]);
        option("name", node.name.clone());
        option("data-dir", data.display().to_string());
        option("listen-peer-urls", format!("http://{}", node.peer_listen));
        option("initial-advertise-peer-urls", format!("http://{}", node.peer));
        option("listen-client-urls", format!("http://{}", node.client_listen));
        option("advertise-client-urls", format!("http://{}", node.client));
        option("initial-cluster-token", "partita".into());
        option("logger", "zap".into());
        option("heartbeat-interval", HEARTBEAT_MS.to_string());
        option("election-timeout", ELECTION_MS.to_string());
        let members = joining::Joining {
            nodes: cluster
                .iter()
                .map(|node| (node.name.clone(), peer_url(node)))
                .collect(),
            name: node.name.clone(),
            data,
        };
        match start {
            Start::Member => members.found(command),
            Start::Joining => members.command(&options.own_program, command),
        }
    }

    /// Grants the lease, and sees to it that it stays.
    fn found<'a>(
        &'a self,
        cluster: &'a [Node],
        source: Option<IpAddr>,
        timeout: Duration,
    ) -> BoxFuture<'a, Result<(), String>> {
        Box::pin(async move {
            let Some(lease) = &self.lease else { return Ok(()) };
            let nodes: Vec<_> = cluster.iter().map(|node| node.control).collect();
            lease::grant(&nodes, source, timeout).await?;
            let keeper = lease::keeper(source)?;
            let kept = Arc::new(Kept::default());
            tokio::spawn(lease::keep(nodes, keeper, Arc::clone(&kept)));
            *lease.lock().unwrap_or_else(PoisonError::into_inner) = Some(kept);
            Ok(())
        })
    }

    fn client(
        &self,
        cluster: &[Node],
        node: usize,
        _name: &str,
        options: ClientOptions,
    ) -> Result<Box<dyn Client>, ClientError> {
        let lease = match &self.lease {
            None => None,
            Some(lease) => {
                let kept = lease.lock().unwrap_or_else(PoisonError::into_inner).clone();
                Some(kept.ok_or("there is no lease yet")?)
            }
        };
        Ok(Box::new(EtcdClient {
            http: http::client(options.timeout, None)?,
            at: cluster[node].client,
            lease,
        }))
    }

    fn observer(
        &self,
        cluster: &[Node],
        source: Option<IpAddr>,
        timeout: Duration,
    ) -> Result<Box<dyn Observer>, ClientError> {
        let http = http::client(timeout, source)?;
        Ok(Box::new(EtcdObserver::new(cluster, http, timeout)))
    }

    fn administers(&self) -> &'static [Matter] {
        // A member that has lost its disk has lost its promises.
        &[Matter::Members, Matter::Leadership, Matter::Snapshots]
    }

    fn ends_when_removed(&self) -> bool {
        true
    }

    fn administrator(
        &self,
        cluster: &[Node],
        timeout: Duration,
    ) -> Result<Option<Box<dyn Administrator>>, ClientError> {
        Ok(Some(Box::new(EtcdAdministrator::new(cluster, timeout)?)))
    }
}

struct EtcdClient {
    http: reqwest::Client,
    at: SocketAddr,
    /// The lease on which it hangs what it writes.
    lease: Option<Arc<Kept>>,
}

/// Keys and values are JSON texts in etcd, so that an integer comes back as an integer.
fn encode(value: &Value) -> String {
    BASE64.encode(serde_json::to_vec(value).unwrap_or_default())
}

fn decode(text: &str) -> Option<Value> {
    serde_json::from_slice(&BASE64.decode(text).ok()?).ok()
}

/// The answers to range, put and txn, as far as they matter. Absent fields have protobuf's defaults.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Answer {
    kvs: Vec<KeyValue>,
    succeeded: bool,
    responses: Vec<Response>,
    error: String,
    message: String,
}

impl Answer {
    /// What it says of a refusal: 3.4 says it twice, later ones say it once.
    fn refusal(&self) -> &str {
        if self.error.is_empty() {
            &self.message
        } else {
            &self.error
        }
    }
}

/// What etcd says of a revision that is too old to be read, or does not exist yet.
const COMPACTED: &str = "etcdserver: mvcc: required revision has been compacted";
const FUTURE: &str = "etcdserver: mvcc: required revision is a future revision";

#[derive(Deserialize)]
struct KeyValue {
    #[serde(default)]
    value: String,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Response {
    response_range: Range,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Range {
    kvs: Vec<KeyValue>,
}

/// What a key holds: null if it is not there; none if what is there is not ours to read.
fn held(kvs: &[KeyValue]) -> Option<Value> {
    match kvs {
        [] => Some(Value::Null),
        [kv, ..] => decode(&kv.value),
    }
}

impl EtcdClient {
    async fn perform_op(&self, request: Request<'_>) -> Completion {
        let key = encode(request.key.unwrap_or(&Value::Null));
        // Number 0 is no lease.
        let lease = if self.lease.is_some() { lease::LEASE } else { 0 }.to_string();
        let (path, body) = match (request.f, request.value.as_pair()) {
            ("read", _) => ("/v3/kv/range", json!({ "key": key })),
            ("write", _) => (
                "/v3/kv/put",
                json!({ "key": key, "value": encode(request.value), "lease": lease }),
            ),
            ("cas", Some((from, to))) => {
                let compare = if from.is_null() {
                    json!({ "key": key, "target": "VERSION", "result": "EQUAL", "version": "0" })
                } else {
                    json!({ "key": key, "target": "VALUE", "result": "EQUAL", "value": encode(from) })
                };
                let body = json!({
                    "compare": [compare],
                    "success": [{ "requestPut": { "key": key, "value": encode(to), "lease": lease } }],
                    "failure": [{ "requestRange": { "key": key } }],
                });
                ("/v3/kv/txn", body)
            }
            (other, _) => return Completion::refused(request, format!("etcd has no `{other}`")),
        };
        let (status, bytes) = match http::post(&self.http, self.at, path, &body).await {
            Ok(answer) => answer,
            Err(NoAnswer::NotSent(why)) => return Completion::refused(request, why),
            Err(NoAnswer::Unknown(why)) => return Completion::unknown(request, why),
        };
        match serde_json::from_slice::<Answer>(&bytes) {
            Ok(answer) if status == 200 => self.vouch(request, complete(request, &answer)),
            Ok(answer) => refuse(request, status, &answer),
            Err(_) => Completion::unknown(
                request,
                format!("HTTP {status} with an answer that can't be read"),
            ),
        }
    }
}

impl EtcdClient {
    /// What was seen in a key counts only if its lease was beyond doubt all the time.
    fn vouch(&self, request: Request<'_>, completion: Completion) -> Completion {
        let tells_what_was_seen = request.f == "read" || completion.observed.is_some();
        match &self.lease {
            Some(kept) if tells_what_was_seen && !kept.vouches(Instant::now()) => Completion::refused(
                request,
                "the lease may have run out, as no keepalive was answered",
            ),
            _ => completion,
        }
    }
}

fn complete(request: Request<'_>, answer: &Answer) -> Completion {
    let unreadable = || Completion::unknown(request, "a value that Partita did not write");
    match request.f {
        "read" => held(&answer.kvs).map_or_else(unreadable, Completion::ok),
        "cas" if !answer.succeeded => match answer.responses.first() {
            Some(response) => held(&response.response_range.kvs)
                .map_or_else(unreadable, |observed| Completion::not_applied(request, observed)),
            None => Completion::unknown(request, "a refused transaction without its range"),
        },
        _ => Completion::ok(request.value.clone()),
    }
}

fn refuse(request: Request<'_>, status: u16, answer: &Answer) -> Completion {
    let text = answer.refusal();
    match REFUSALS.iter().find(|(refusal, _)| text.contains(refusal)) {
        Some((_, why)) => Completion::refused(request, format!("{text} ({why})")),
        None => Completion::unknown(request, format!("HTTP {status} {text}")),
    }
}

impl Client for EtcdClient {
    fn perform<'a>(&'a mut self, request: Request<'a>) -> BoxFuture<'a, Completion> {
        Box::pin(self.perform_op(request))
    }
}

#[cfg(test)]
mod tests {
    use partita_history::Outcome;

    use super::*;

    fn request<'a>(f: &'a str, key: &'a Value, value: &'a Value) -> Request<'a> {
        Request {
            f,
            key: Some(key),
            value,
        }
    }

    #[test]
    fn only_listed_refusals_are_certain() {
        let (key, value) = (Value::from("x"), Value::from(1));
        let judge = |error: &str| {
            let answer = Answer {
                error: error.into(),
                ..Answer::default()
            };
            refuse(request("write", &key, &value), 503, &answer).outcome
        };
        assert_eq!(judge("etcdserver: request timed out"), Outcome::Info);
        assert_eq!(judge("etcdserver: leader changed"), Outcome::Info);
        // This one etcd says after it has applied the request.
        assert_eq!(judge("etcdserver: mvcc: database space exceeded"), Outcome::Info);
        assert_eq!(judge("something new"), Outcome::Info);
        assert_eq!(judge(""), Outcome::Info);
        for (refusal, _) in REFUSALS {
            assert_eq!(judge(refusal), Outcome::Fail, "{refusal}");
        }
    }

    #[test]
    fn a_refused_compare_and_set_tells_what_it_saw() {
        let (key, value) = (Value::from("x"), Value::pair(1.into(), 2.into()));
        let answer: Answer = serde_json::from_value(json!({
            "header": { "revision": "7" },
            "responses": [{ "response_range": { "kvs": [{ "key": "eA==", "value": encode(&9.into()) }], "count": "1" } }],
        }))
        .unwrap();
        let completion = complete(request("cas", &key, &value), &answer);
        assert_eq!(
            (completion.outcome, completion.observed),
            (Outcome::Fail, Some(Value::Int(9)))
        );
        let absent: Answer =
            serde_json::from_value(json!({ "responses": [{ "response_range": {} }] })).unwrap();
        let completion = complete(request("cas", &key, &value), &absent);
        assert_eq!(
            (completion.outcome, completion.observed),
            (Outcome::Fail, Some(Value::Null))
        );
    }

    #[test]
    fn values_come_back_as_they_went() {
        for value in [
            Value::Null,
            5.into(),
            "a\"b".into(),
            Value::pair(1.into(), "x".into()),
        ] {
            assert_eq!(decode(&encode(&value)), Some(value));
        }
        assert_eq!(decode("bm90IGpzb24="), None);
    }
}
