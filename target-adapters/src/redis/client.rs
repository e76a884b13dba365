//! Registers: each a key of its own, at the server that a sentinel names as the master.

use std::net::SocketAddr;
use std::time::Duration;

use partita_history::Value;
use tokio::time::{Instant, sleep_until, timeout_at};

use super::MASTER;
use super::connection::Connection;
use super::resp::Reply;
use crate::{BoxFuture, Client, Completion, Node, Request};

/// What a server says before it does anything, by the first word of its error. Any other error of a write leaves
/// open whether it happened.
const REFUSALS: &[(&str, &str)] = &[
    ("READONLY", "it is a replica"),
    ("LOADING", "it is reading its data from disk"),
    ("MASTERDOWN", "it is a replica without its master"),
    ("NOREPLICAS", "too few replicas follow it"),
    ("MISCONF", "it can't write to its disk"),
    ("OOM", "its memory is used up"),
    ("BUSY", "it is running a script of somebody else"),
];

/// Compare-and-set, which Redis runs at one stroke. Nil if it was applied, and else what was seen. It writes once
/// at most, so that an error of that write is the end of it all.
const COMPARE_AND_SET: &str = "local seen = redis.call('GET', KEYS[1]) or 'null' \
    if seen ~= ARGV[1] then return seen end \
    redis.call('SET', KEYS[1], ARGV[2]) \
    return false";

/// How long a sentinel may take to answer before the next one is asked.
const SENTINEL_PATIENCE: Duration = Duration::from_millis(200);
/// How long a client waits that was turned away, before it says so and tries the next thing.
const TURNED_AWAY_WAIT: Duration = Duration::from_millis(100);

pub(super) struct RedisClient {
    cluster: Vec<Node>,
    /// Where it begins, an index into the cluster.
    home: usize,
    timeout: Duration,
    /// Whose sentinel it asks: that of its home first, and the next when that one does not answer.
    asks: usize,
    sentinel: Option<Connection>,
    /// The server that was the master when it was connected to. One that is made a replica closes its
    /// connections.
    master: Option<(SocketAddr, Connection)>,
}

/// Why an operation came to no end.
struct Trouble {
    why: String,
    /// May it have had an effect?
    is_open: bool,
}

impl Trouble {
    fn before(why: impl Into<String>) -> Trouble {
        Trouble {
            why: why.into(),
            is_open: false,
        }
    }
}

impl RedisClient {
    pub(super) fn new(cluster: &[Node], home: usize, timeout: Duration) -> RedisClient {
        RedisClient {
            cluster: cluster.to_vec(),
            home,
            timeout,
            asks: home,
            sentinel: None,
            master: None,
        }
    }

    async fn perform_op(&mut self, request: Request<'_>) -> Completion {
        let deadline = Instant::now() + self.timeout;
        let mut completion = match self.operate(request, deadline).await {
            Ok(reply) => judge(request, reply),
            Err(Trouble { why, is_open: true }) => Completion::unknown(request, why),
            Err(Trouble { why, is_open: false }) => {
                sleep_until(deadline.min(Instant::now() + TURNED_AWAY_WAIT)).await;
                return Completion::refused(request, why);
            }
        };
        completion.node = self.master.as_ref().and_then(|(at, _)| self.elsewhere(*at));
        completion
    }

    /// The name of the node with this address, unless it is where the client began.
    fn elsewhere(&self, at: SocketAddr) -> Option<String> {
        let index = self.cluster.iter().position(|node| node.client == at)?;
        (index != self.home).then(|| self.cluster[index].name.clone())
    }

    async fn operate(&mut self, request: Request<'_>, deadline: Instant) -> Result<Reply, Trouble> {
        let key = encode(request.key.unwrap_or(&Value::Null));
        let (words, changes) = match (request.f, request.value.as_pair()) {
            ("read", _) => (vec!["GET".into(), key], false),
            ("write", _) => (vec!["SET".into(), key, encode(request.value)], true),
            ("cas", Some((from, to))) => {
                let script = COMPARE_AND_SET.to_owned();
                let words = vec!["EVAL".into(), script, "1".into(), key, encode(from), encode(to)];
                (words, true)
            }
            (other, _) => return Err(Trouble::before(format!("Redis has no `{other}` here"))),
        };
        // A sentinel is asked before each operation: a client hears of a new master no later than its sentinel.
        let at = self.find_master(deadline).await?;
        let mut connection = timeout_at(deadline, self.reach_master(at))
            .await
            .map_err(|_| Trouble::before(format!("timed out reaching the master at {at}")))?
            .map_err(Trouble::before)?;
        let trouble = |why: String| Trouble {
            why: format!("{why} (the master at {at})"),
            is_open: changes,
        };
        let reply = timeout_at(deadline, connection.ask(&words))
            .await
            .map_err(|_| trouble("timed out".into()))?
            .map_err(|error| trouble(error.to_string()))?;
        self.master = Some((at, connection));
        Ok(reply)
    }

    /// Where the master is, by the word of the first sentinel that answers.
    async fn find_master(&mut self, deadline: Instant) -> Result<SocketAddr, Trouble> {
        let mut why = String::new();
        for _ in 0..self.cluster.len() {
            let patience = deadline.min(Instant::now() + SENTINEL_PATIENCE);
            why = match timeout_at(patience, self.ask_sentinel()).await {
                Ok(Ok(at)) => return Ok(at),
                Ok(Err(error)) => error.to_string(),
                Err(_) => "timed out".into(),
            };
            self.asks = (self.asks + 1) % self.cluster.len();
            self.sentinel = None;
        }
        Err(Trouble::before(format!("no sentinel answers: {why}")))
    }

    async fn ask_sentinel(&mut self) -> std::io::Result<SocketAddr> {
        let mut sentinel = match self.sentinel.take().filter(|open| !open.is_closed()) {
            Some(open) => open,
            None => Connection::open(self.cluster[self.asks].peer, None).await?,
        };
        let reply = sentinel
            .ask(&["SENTINEL", "get-master-addr-by-name", MASTER])
            .await?;
        self.sentinel = Some(sentinel);
        address(&reply).ok_or_else(|| std::io::Error::other(format!("it says {reply:?}")))
    }

    /// A connection to the server there, which is a master: a sentinel may have named one that is so no more or
    /// not yet, and a replica would answer reads too (step 3 of Redis's "Sentinel client spec").
    async fn reach_master(&mut self, at: SocketAddr) -> Result<Connection, String> {
        if let Some((connected, connection)) = self.master.take()
            && connected == at
            && !connection.is_closed()
        {
            return Ok(connection);
        }
        let not_reached = |error: std::io::Error| format!("{at} can't be reached: {error}");
        let mut connection = Connection::open(at, None).await.map_err(not_reached)?;
        match connection.ask(&["ROLE"]).await.map_err(not_reached)? {
            Reply::Array(items) if items.first() == Some(&Reply::Text(b"master".to_vec())) => Ok(connection),
            Reply::Error(error) => Err(format!("{at} is no master: {error}")),
            _ => Err(format!("{at} is no master")),
        }
    }
}

/// An address and a port.
fn address(reply: &Reply) -> Option<SocketAddr> {
    let Reply::Array(items) = reply else { return None };
    let [Reply::Text(ip), Reply::Text(port)] = items.as_slice() else {
        return None;
    };
    let text = |bytes| std::str::from_utf8(bytes).ok();
    Some(SocketAddr::new(
        text(ip)?.parse().ok()?,
        text(port)?.parse().ok()?,
    ))
}

fn judge(request: Request<'_>, reply: Reply) -> Completion {
    let unreadable = || Completion::unknown(request, "a value that Partita did not write");
    match (request.f, reply) {
        (f, Reply::Error(error)) => {
            let word = error.split(' ').next().unwrap_or_default();
            match REFUSALS.iter().find(|(refusal, _)| *refusal == word) {
                Some((_, why)) => Completion::refused(request, format!("{error} ({why})")),
                None if f == "read" => Completion::refused(request, error),
                None => Completion::unknown(request, error),
            }
        }
        ("read", Reply::Nil) => Completion::ok(Value::Null),
        ("read", Reply::Text(text)) => decode(&text).map_or_else(unreadable, Completion::ok),
        ("write", Reply::Text(text)) if text == b"OK" => Completion::ok(request.value.clone()),
        ("cas", Reply::Nil) => Completion::ok(request.value.clone()),
        ("cas", Reply::Text(text)) => {
            decode(&text).map_or_else(unreadable, |seen| Completion::not_applied(request, seen))
        }
        (_, reply) => Completion::unknown(request, format!("an answer that is none: {reply:?}")),
    }
}

/// JSON, so that an integer comes back as an integer.
fn encode(value: &Value) -> String {
    serde_json::to_string(value).unwrap_or_default()
}

fn decode(text: &[u8]) -> Option<Value> {
    serde_json::from_slice(text).ok()
}

impl Client for RedisClient {
    fn perform<'a>(&'a mut self, request: Request<'a>) -> BoxFuture<'a, Completion> {
        Box::pin(self.perform_op(request))
    }
}

#[cfg(test)]
mod tests {
    use partita_history::Outcome;

    use super::*;

    fn judged(f: &str, value: &Value, reply: Reply) -> Completion {
        let request = Request { f, key: None, value };
        judge(request, reply)
    }

    #[test]
    fn only_listed_errors_of_writes_are_certain() {
        let value = Value::pair(1.into(), 2.into());
        let judged = |f, error: &str| judged(f, &value, Reply::Error(error.into())).outcome;
        for (refusal, _) in REFUSALS {
            assert_eq!(
                judged("write", &format!("{refusal} for some reason")),
                Outcome::Fail
            );
            assert_eq!(judged("cas", refusal), Outcome::Fail);
        }
        let open = [
            "ERR unknown",
            "READONLYISH",
            "ERR READONLY",
            "UNBLOCKED force unblock",
            "",
        ];
        for error in open {
            assert_eq!(judged("write", error), Outcome::Info, "{error}");
            assert_eq!(judged("cas", error), Outcome::Info, "{error}");
            assert_eq!(judged("read", error), Outcome::Fail, "{error}");
        }
    }

    #[test]
    fn replies_become_completions() {
        let pair = Value::pair(1.into(), 2.into());
        let text = |text: &str| Reply::Text(text.into());
        let read = |reply| judged("read", &Value::Null, reply);
        assert_eq!(read(Reply::Nil), Completion::ok(Value::Null));
        assert_eq!(read(text("7")), Completion::ok(7.into()));
        assert_eq!(read(text("{")).outcome, Outcome::Info);
        assert_eq!(judged("write", &7.into(), text("OK")).outcome, Outcome::Ok);
        assert_eq!(judged("write", &7.into(), text("QUEUED")).outcome, Outcome::Info);
        assert_eq!(judged("cas", &pair, Reply::Nil), Completion::ok(pair.clone()));
        let seen = judged("cas", &pair, text("9"));
        assert_eq!(
            (seen.outcome, seen.observed),
            (Outcome::Fail, Some(Value::Int(9)))
        );
    }

    #[test]
    fn a_sentinel_tells_an_address() {
        let text = |text: &str| Reply::Text(text.into());
        let told = Reply::Array(vec![text("10.0.0.1"), text("6379")]);
        assert_eq!(address(&told), Some(SocketAddr::from(([10, 0, 0, 1], 6379))));
        for told in [
            Reply::Nil,
            Reply::Array(vec![]),
            Reply::Array(vec![text("x"), text("1")]),
        ] {
            assert_eq!(address(&told), None);
        }
    }
}
