//! Registers: each a znode of its own.

use std::net::SocketAddr;
use std::time::Duration;

use partita_history::Value;
use tokio::time::{Instant, sleep_until, timeout_at};

use super::jute::{Reader, Writer};
use super::session::{Answer, Kind, Session};
use crate::{BoxFuture, Client, Completion, Reads, Request};

/// What the server says when it did nothing (`KeeperException.Code` in ZooKeeper's source). Any other error of a
/// write leaves open whether it happened.
mod refusal {
    pub(super) const BAD_ARGUMENTS: i32 = -8;
    pub(super) const NO_NODE: i32 = -101;
    pub(super) const NO_AUTHORITY: i32 = -102;
    pub(super) const BAD_VERSION: i32 = -103;
    pub(super) const NODE_EXISTS: i32 = -110;
    pub(super) const THROTTLED: i32 = -127;
    pub(super) const ALL: [i32; 6] = [
        BAD_ARGUMENTS,
        NO_NODE,
        NO_AUTHORITY,
        BAD_VERSION,
        NODE_EXISTS,
        THROTTLED,
    ];
}

/// How long a client waits that got no session, before it says so and tries the next thing.
const TURNED_AWAY_WAIT: Duration = Duration::from_millis(100);

/// Whatever version a znode has.
const ANY_VERSION: i32 = -1;

pub(super) struct ZooKeeperClient {
    pub(super) at: SocketAddr,
    pub(super) reads: Reads,
    pub(super) timeout: Duration,
    /// Is there one, and has it not failed yet?
    pub(super) session: Option<Session>,
}

/// Why an operation came to no end.
struct Trouble {
    why: String,
    /// May it have had an effect?
    is_open: bool,
}

/// What a znode held, and in which version.
struct Held {
    value: Value,
    version: i32,
}

impl ZooKeeperClient {
    async fn perform_op(&mut self, request: Request<'_>) -> Completion {
        let deadline = Instant::now() + self.timeout;
        match self.operate(request, deadline).await {
            Ok(completion) => completion,
            Err(Trouble { why, is_open: false }) => Completion::refused(request, why),
            Err(Trouble { why, is_open: true }) => Completion::unknown(request, why),
        }
    }

    async fn operate(&mut self, request: Request<'_>, deadline: Instant) -> Result<Completion, Trouble> {
        let path = path(request.key.unwrap_or(&Value::Null));
        match (request.f, request.value.as_pair()) {
            ("read", _) => {
                let held = self.read(&path, self.reads, deadline).await?;
                Ok(Completion::ok(held.map_or(Value::Null, |held| held.value)))
            }
            ("write", _) => loop {
                if self.replace(&path, request.value, ANY_VERSION, deadline).await?
                    || self.create(&path, request.value, deadline).await?
                {
                    return Ok(Completion::ok(request.value.clone()));
                }
            },
            // Its reads decide what it does, and what it says that it saw: so they are never local.
            ("cas", Some((from, to))) => loop {
                let held = self.read(&path, Reads::Linearizable, deadline).await?;
                let seen = held.as_ref().map_or(&Value::Null, |held| &held.value);
                if seen != from {
                    return Ok(Completion::not_applied(request, seen.clone()));
                }
                // If it fails, the znode has changed meanwhile.
                let done = match held {
                    Some(held) => self.replace(&path, to, held.version, deadline).await?,
                    None => self.create(&path, to, deadline).await?,
                };
                if done {
                    return Ok(Completion::ok(request.value.clone()));
                }
            },
            (other, _) => Ok(Completion::refused(
                request,
                format!("ZooKeeper has no `{other}` here"),
            )),
        }
    }

    /// What is there, if anything. A linearizable read is what ZooKeeper's manual advises: a sync, then a read. It
    /// is weaker than its name, as a leader syncs without asking a quorum whether it still leads
    /// (ZOOKEEPER-1675).
    async fn read(&mut self, path: &str, reads: Reads, deadline: Instant) -> Result<Option<Held>, Trouble> {
        if reads == Reads::Linearizable {
            let record = Writer::default().bytes(path.as_bytes());
            let answer = self.ask(Kind::Sync, record, deadline).await?;
            if answer.error != 0 && answer.error != refusal::NO_NODE {
                return Err(refused(Kind::Sync, answer.error));
            }
        }
        let record = Writer::default().bytes(path.as_bytes()).flag(false);
        let answer = self.ask(Kind::GetData, record, deadline).await?;
        match answer.error {
            0 => decode(&answer.record).map(Some).ok_or_else(|| Trouble {
                why: "a value that Partita did not write".into(),
                is_open: false,
            }),
            refusal::NO_NODE => Ok(None),
            error => Err(refused(Kind::GetData, error)),
        }
    }

    /// Sets a znode that has this version; false if there is none.
    async fn replace(
        &mut self,
        path: &str,
        value: &Value,
        version: i32,
        deadline: Instant,
    ) -> Result<bool, Trouble> {
        let record = Writer::default()
            .bytes(path.as_bytes())
            .bytes(&encode(value))
            .int(version);
        let answer = self.ask(Kind::SetData, record, deadline).await?;
        match answer.error {
            0 => Ok(true),
            refusal::NO_NODE | refusal::BAD_VERSION => Ok(false),
            error => Err(refused(Kind::SetData, error)),
        }
    }

    /// Makes a znode; false if there is one.
    async fn create(&mut self, path: &str, value: &Value, deadline: Instant) -> Result<bool, Trouble> {
        const ALL_PERMISSIONS: i32 = 31;
        const PERSISTENT: i32 = 0;
        let record = Writer::default()
            .bytes(path.as_bytes())
            .bytes(&encode(value))
            .int(1) // one who may
            .int(ALL_PERMISSIONS)
            .bytes(b"world")
            .bytes(b"anyone")
            .int(PERSISTENT);
        let answer = self.ask(Kind::Create, record, deadline).await?;
        match answer.error {
            0 => Ok(true),
            refusal::NODE_EXISTS => Ok(false),
            error => Err(refused(Kind::Create, error)),
        }
    }

    /// Asks in a session that was not closed, as far as is known; in a new one if need be.
    async fn ask(&mut self, kind: Kind, record: Writer, deadline: Instant) -> Result<Answer, Trouble> {
        let trouble = |why: String, is_open| Trouble { why, is_open };
        let session = self.session.take().filter(|session| !session.is_closed());
        let mut session = match session {
            Some(session) => session,
            None => match timeout_at(deadline, Session::open(self.at)).await {
                Ok(Ok(session)) => session,
                Ok(Err(error)) => {
                    // A server without a quorum turns everybody away at once.
                    sleep_until(deadline.min(Instant::now() + TURNED_AWAY_WAIT)).await;
                    return Err(trouble(format!("no session: {error}"), false));
                }
                Err(_) => return Err(trouble("timed out making a session".into(), false)),
            },
        };
        let answer = timeout_at(deadline, session.ask(kind, record))
            .await
            .map_err(|_| trouble("timed out".into(), changes(kind)))?
            .map_err(|error| trouble(error.to_string(), changes(kind)))?;
        self.session = Some(session);
        Ok(answer)
    }
}

fn changes(kind: Kind) -> bool {
    match kind {
        Kind::Create | Kind::SetData => true,
        Kind::GetData | Kind::Sync => false,
    }
}

fn refused(kind: Kind, error: i32) -> Trouble {
    Trouble {
        why: format!("ZooKeeper's error {error}"),
        is_open: changes(kind) && !refusal::ALL.contains(&error),
    }
}

/// A znode's name may not hold a slash, nor be `.`; so keys are spelt in hexadecimal digits of their JSON.
fn path(key: &Value) -> String {
    let digits: String = encode(key).iter().map(|byte| format!("{byte:02x}")).collect();
    format!("/partita-{digits}")
}

/// JSON, so that an integer comes back as an integer.
fn encode(value: &Value) -> Vec<u8> {
    serde_json::to_vec(value).unwrap_or_default()
}

/// The answer to a read: the data, then the znode's `Stat`.
fn decode(record: &[u8]) -> Option<Held> {
    let mut reader = Reader(record);
    let value = serde_json::from_slice(reader.bytes()?).ok()?;
    for _ in ["czxid", "mzxid", "ctime", "mtime"] {
        reader.long()?;
    }
    let version = reader.int()?;
    Some(Held { value, version })
}

impl Client for ZooKeeperClient {
    fn perform<'a>(&'a mut self, request: Request<'a>) -> BoxFuture<'a, Completion> {
        Box::pin(self.perform_op(request))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_listed_errors_of_writes_are_certain() {
        for error in refusal::ALL {
            assert!(!refused(Kind::SetData, error).is_open);
        }
        let (connection_loss, operation_timeout, session_expired, marshalling) = (-4, -7, -112, -5);
        for error in [
            connection_loss,
            operation_timeout,
            session_expired,
            marshalling,
            77,
        ] {
            assert!(refused(Kind::SetData, error).is_open && refused(Kind::Create, error).is_open);
            assert!(!refused(Kind::GetData, error).is_open && !refused(Kind::Sync, error).is_open);
        }
    }

    #[test]
    fn a_read_tells_value_and_version() {
        let value = Value::pair(1.into(), "x".into());
        let record = Writer::default()
            .bytes(&encode(&value))
            .long(1)
            .long(2)
            .long(3)
            .long(4)
            .int(7);
        let held = decode(&record.finish()).unwrap();
        assert_eq!((held.value, held.version), (value, 7));
        assert!(decode(b"").is_none());
    }

    #[test]
    fn every_key_has_its_own_lawful_path() {
        let keys = [
            Value::from("a/b"),
            Value::from("."),
            Value::from(1),
            Value::from("1"),
        ];
        let paths: std::collections::BTreeSet<_> = keys.iter().map(path).collect();
        assert_eq!(paths.len(), keys.len());
        for path in paths {
            assert!(
                path[1..]
                    .bytes()
                    .all(|byte| byte == b'-' || byte.is_ascii_alphanumeric()),
                "{path}"
            );
        }
    }
}
