//! One lease, on which all keys hang, and which is kept alive for the whole run: so no key may ever vanish.
//!
//! etcd promises to keep a lease for its time to live after each keepalive that it answered. Keepalives are the
//! controller's own business, which no fault of the network touches, and go to one node until it keeps silent, and
//! then to the next. When none was answered for half of the time to live, etcd may soon be right to end the lease:
//! what a key then says proves nothing, and clients say so ([`Kept::vouches`]). A later answer proves that the lease
//! never ended, as nobody grants it a second time.

use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use serde::Deserialize;
use serde_json::json;

use crate::http::{self, NoAnswer};

/// The lease has a number that everybody knows.
pub(super) const LEASE: u32 = 1;
/// What is granted to it: longer than an election takes by far, and so short that it matters in a test.
const TIME_TO_LIVE: Duration = Duration::from_secs(4);
/// For so long after a keepalive was sent that was answered, the lease is beyond doubt.
const BEYOND_DOUBT: Duration = Duration::from_secs(2);
/// How often it is kept alive, and how long a node may take to answer before the next one is asked.
const PERIOD: Duration = Duration::from_millis(300);
const PATIENCE: Duration = Duration::from_millis(500);

/// What is known of the lease.
#[derive(Debug, Default)]
pub(super) struct Kept {
    /// When the last keepalive was sent that was answered.
    last: Mutex<Option<Instant>>,
}

impl Kept {
    /// Was the lease beyond doubt all the time until `now`?
    pub(super) fn vouches(&self, now: Instant) -> bool {
        let last = *self.last.lock().unwrap_or_else(PoisonError::into_inner);
        last.is_some_and(|sent| now < sent + BEYOND_DOUBT)
    }

    fn answered(&self, sent: Instant) {
        *self.last.lock().unwrap_or_else(PoisonError::into_inner) = Some(sent);
    }
}

/// An answer to a grant or, in the gateway's `result`, to a keepalive.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Answer {
    result: Granted,
    error: serde_json::Value,
}

/// 64-bit numbers are strings in protobuf's JSON, and absent if they are 0: then there is no such lease.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Granted {
    #[serde(rename = "TTL")]
    time_to_live: String,
}

/// Grants the lease, unless it is granted already.
pub(super) async fn grant(
    nodes: &[SocketAddr],
    source: Option<IpAddr>,
    timeout: Duration,
) -> Result<(), String> {
    let http = http::client(timeout, source).map_err(|error| error.to_string())?;
    let first = *nodes.first().ok_or("there are no nodes")?;
    let body = json!({ "ID": LEASE.to_string(), "TTL": TIME_TO_LIVE.as_secs().to_string() });
    match http::post(&http, first, "/v3/lease/grant", &body).await {
        Ok((200, _)) => Ok(()),
        Ok((status, text)) => {
            let text = String::from_utf8_lossy(&text);
            match text.contains("lease already exists") {
                true => Ok(()),
                false => Err(format!("no lease was granted: HTTP {status} {text}")),
            }
        }
        Err(NoAnswer::NotSent(why) | NoAnswer::Unknown(why)) => Err(format!("no lease was granted: {why}")),
    }
}

/// Keeps the lease alive, for as long as there is a lease and anybody wants to know of it.
pub(super) async fn keep(nodes: Vec<SocketAddr>, http: reqwest::Client, kept: Arc<Kept>) {
    let body = json!({ "ID": LEASE.to_string() });
    for node in nodes.iter().cycle() {
        loop {
            if Arc::strong_count(&kept) == 1 {
                return;
            }
            let sent = Instant::now();
            match http::post(&http, *node, "/v3/lease/keepalive", &body).await {
                Ok((200, text)) if is_alive(&text) => kept.answered(sent),
                // Silent, or of another opinion than the rest: the next one may know better.
                _ => break,
            }
            tokio::time::sleep(PERIOD).await;
        }
        tokio::time::sleep(PERIOD / 10).await;
    }
}

/// What sends keepalives.
pub(super) fn keeper(source: Option<IpAddr>) -> Result<reqwest::Client, String> {
    http::client(PATIENCE, source).map_err(|error| error.to_string())
}

fn is_alive(text: &[u8]) -> bool {
    let answer: Answer = serde_json::from_slice(text).unwrap_or_default();
    let seconds: i64 = answer.result.time_to_live.parse().unwrap_or(0);
    answer.error.is_null() && seconds > 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lease_is_beyond_doubt_for_a_while_after_a_keepalive_was_sent() {
        let (kept, sent) = (Kept::default(), Instant::now());
        assert!(!kept.vouches(sent), "nothing was answered yet");
        kept.answered(sent);
        assert!(kept.vouches(sent) && kept.vouches(sent + BEYOND_DOUBT / 2));
        assert!(!kept.vouches(sent + BEYOND_DOUBT));
        assert!(
            BEYOND_DOUBT < TIME_TO_LIVE,
            "doubt comes before etcd may end the lease"
        );
    }

    #[test]
    fn only_an_answer_with_a_time_to_live_is_one() {
        assert!(is_alive(br#"{"result":{"header":{},"ID":"1","TTL":"4"}}"#));
        for not_alive in [
            r#"{"result":{"header":{},"ID":"1"}}"#,
            r#"{"result":{"TTL":"0"}}"#,
            r#"{"error":{"message":"etcdserver: no leader"}}"#,
            "",
        ] {
            assert!(!is_alive(not_alive.as_bytes()), "{not_alive}");
        }
    }
}
