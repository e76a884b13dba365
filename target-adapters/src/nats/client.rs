//! Registers: each a subject of the stream, holding what its last message says.

use std::net::SocketAddr;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::{STANDARD as BASE64, URL_SAFE_NO_PAD as WORD};
use partita_history::Value;
use serde::Deserialize;
use serde_json::json;
use tokio::time::{Instant, sleep_until, timeout_at};

use super::connection::{Answer, Connection};
use super::{ApiError, STREAM};
use crate::{BoxFuture, Client, Completion, Request};

/// The code of "wrong last sequence", the one certain refusal of a publication: its condition does not hold. Any
/// other error leaves open whether the message will be in the stream; a leader may answer so that others do not
/// agree with.
const WRONG_SEQUENCE: u32 = 10071;
/// The code of "no message found".
const NO_MESSAGE: u32 = 10037;
/// The header that makes a publication conditional. 0 stands for: there is no message of this subject.
const EXPECTED: &str = "Nats-Expected-Last-Subject-Sequence";

/// How long a client waits that was turned away, before it says so and tries the next thing.
const TURNED_AWAY_WAIT: Duration = Duration::from_millis(100);

pub(super) struct NatsClient {
    at: SocketAddr,
    name: String,
    timeout: Duration,
    connection: Option<Connection>,
}

/// Why an operation came to no end.
enum Trouble {
    /// It certainly had no effect.
    NoEffect(String),
    Perhaps(String),
}

/// The answers to a publication and to a question for a message.
#[derive(Deserialize)]
struct Told {
    error: Option<ApiError>,
    message: Option<Message>,
    #[serde(default)]
    seq: u64,
}

#[derive(Deserialize)]
struct Message {
    seq: u64,
    #[serde(default)]
    data: String,
}

impl NatsClient {
    pub(super) fn new(at: SocketAddr, name: &str, timeout: Duration) -> NatsClient {
        NatsClient {
            at,
            name: name.to_owned(),
            timeout,
            connection: None,
        }
    }

    async fn perform_op(&mut self, request: Request<'_>) -> Completion {
        let deadline = Instant::now() + self.timeout;
        match self.operate(request, deadline).await {
            Ok(completion) => completion,
            Err(Trouble::Perhaps(why)) => Completion::unknown(request, why),
            Err(Trouble::NoEffect(why)) => {
                sleep_until(deadline.min(Instant::now() + TURNED_AWAY_WAIT)).await;
                Completion::refused(request, why)
            }
        }
    }

    async fn operate(&mut self, request: Request<'_>, deadline: Instant) -> Result<Completion, Trouble> {
        let subject = subject(request.key.unwrap_or(&Value::Null));
        match (request.f, request.value.as_pair()) {
            ("read", _) => Ok(Completion::ok(self.last(&subject, deadline).await?.0)),
            ("write", _) => {
                let text = encode(request.value);
                self.publish(&subject, None, &text, deadline).await?;
                Ok(Completion::ok(request.value.clone()))
            }
            ("cas", Some((from, to))) => {
                let (seen, sequence) = self.last(&subject, deadline).await?;
                if seen != *from {
                    return Ok(Completion::not_applied(request, seen));
                }
                let expected = Some((EXPECTED, sequence.to_string()));
                self.publish(&subject, expected, &encode(to), deadline).await?;
                Ok(Completion::ok(request.value.clone()))
            }
            (other, _) => Err(Trouble::NoEffect(format!("NATS has no `{other}` here"))),
        }
    }

    /// What the last message of a subject says, and the place of it in the stream; null and 0 if there is none.
    async fn last(&mut self, subject: &str, deadline: Instant) -> Result<(Value, u64), Trouble> {
        let question = json!({ "last_by_subj": subject }).to_string();
        let api = format!("$JS.API.STREAM.MSG.GET.{STREAM}");
        let asked = self.ask(&api, None, question.as_bytes(), deadline).await;
        match asked {
            Ok(answer) => held(answer).map_err(Trouble::NoEffect),
            // To ask changes nothing.
            Err(Trouble::NoEffect(why) | Trouble::Perhaps(why)) => Err(Trouble::NoEffect(why)),
        }
    }

    async fn publish(
        &mut self,
        subject: &str,
        expected: Option<(&str, String)>,
        text: &str,
        deadline: Instant,
    ) -> Result<(), Trouble> {
        acknowledged(self.ask(subject, expected, text.as_bytes(), deadline).await?)
    }

    async fn ask(
        &mut self,
        subject: &str,
        header: Option<(&str, String)>,
        payload: &[u8],
        deadline: Instant,
    ) -> Result<Answer, Trouble> {
        let not_reached = |why: String| Trouble::NoEffect(format!("{} can't be reached: {why}", self.at));
        let kept = self.connection.take();
        let mut connection = match kept.and_then(|mut kept| (!kept.is_closed()).then_some(kept)) {
            Some(kept) => kept,
            None => timeout_at(deadline, Connection::open(self.at, None, &self.name))
                .await
                .map_err(|_| not_reached("timed out".into()))?
                .map_err(|error| not_reached(error.to_string()))?,
        };
        let answer = timeout_at(deadline, connection.ask(subject, header, payload))
            .await
            .map_err(|_| Trouble::Perhaps("timed out".into()))?
            .map_err(|error| Trouble::Perhaps(error.to_string()))?;
        self.connection = Some(connection);
        Ok(answer)
    }
}

/// The subject of a register. Any text must become one word.
fn subject(key: &Value) -> String {
    format!("{STREAM}.{}", WORD.encode(encode(key)))
}

/// JSON, so that an integer comes back as an integer.
fn encode(value: &Value) -> String {
    serde_json::to_string(value).unwrap_or_default()
}

fn nobody_there() -> String {
    "no server says that it leads the stream".into()
}

/// What a message says, and its place.
fn held(answer: Answer) -> Result<(Value, u64), String> {
    let Answer::Text(text) = answer else {
        return Err(nobody_there());
    };
    match serde_json::from_slice(&text) {
        Ok(Told {
            error: Some(error), ..
        }) if error.err_code == NO_MESSAGE => Ok((Value::Null, 0)),
        Ok(Told {
            error: Some(error), ..
        }) => Err(format!("{} ({})", error.description, error.err_code)),
        Ok(Told {
            message: Some(Message { seq, data }),
            ..
        }) => {
            let value = BASE64.decode(data).ok();
            let value = value.and_then(|text| serde_json::from_slice(&text).ok());
            value
                .map(|value| (value, seq))
                .ok_or_else(|| "a value that Partita did not write".into())
        }
        _ => Err("an answer that can't be read".into()),
    }
}

/// Is a message in the stream?
fn acknowledged(answer: Answer) -> Result<(), Trouble> {
    let Answer::Text(text) = answer else {
        return Err(Trouble::NoEffect(nobody_there()));
    };
    match serde_json::from_slice(&text) {
        Ok(Told {
            error: Some(error), ..
        }) => {
            let ApiError {
                err_code,
                description,
            } = error;
            let why = format!("{description} ({err_code})");
            Err(match err_code {
                WRONG_SEQUENCE => Trouble::NoEffect(why),
                _ => Trouble::Perhaps(why),
            })
        }
        Ok(Told { seq: 1.., .. }) => Ok(()),
        _ => Err(Trouble::Perhaps("an answer that can't be read".into())),
    }
}

impl Client for NatsClient {
    fn perform<'a>(&'a mut self, request: Request<'a>) -> BoxFuture<'a, Completion> {
        Box::pin(self.perform_op(request))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(text: &str) -> Answer {
        Answer::Text(text.into())
    }

    #[test]
    fn of_errors_of_publications_only_an_unmet_condition_is_certain() {
        let judged = |code: u32| {
            let answer = format!(r#"{{"error":{{"code":500,"err_code":{code},"description":"x"}},"seq":0}}"#);
            acknowledged(text(&answer))
        };
        assert!(matches!(judged(10071), Err(Trouble::NoEffect(_))));
        for code in [0, 10008, 10023, 10077] {
            assert!(matches!(judged(code), Err(Trouble::Perhaps(_))), "{code}");
        }
        let refused = acknowledged(Answer::NobodyThere);
        assert!(matches!(refused, Err(Trouble::NoEffect(_))));
    }

    #[test]
    fn an_acknowledgement_has_the_place_of_the_message() {
        assert!(acknowledged(text(r#"{"stream":"partita", "seq":7}"#)).is_ok());
        for open in [r#"{"stream":"partita","seq":0}"#, "{}", ""] {
            assert!(
                matches!(acknowledged(text(open)), Err(Trouble::Perhaps(_))),
                "{open}"
            );
        }
    }

    #[test]
    fn the_last_message_is_what_a_register_holds() {
        let found = r#"{"message":{"subject":"partita.x","seq":2,"data":"OA==","time":"2026"}}"#;
        assert_eq!(held(text(found)), Ok((Value::Int(8), 2)));
        let none = r#"{"error":{"code":404,"err_code":10037,"description":"no message found"}}"#;
        assert_eq!(held(text(none)), Ok((Value::Null, 0)));
        let no_stream = r#"{"error":{"code":404,"err_code":10059,"description":"stream not found"}}"#;
        assert!(held(text(no_stream)).is_err());
        let strange = r#"{"message":{"seq":2,"data":"?"}}"#;
        for trouble in [text(strange), text(""), text("{}"), Answer::NobodyThere] {
            assert!(held(trouble).is_err());
        }
    }

    #[test]
    fn any_key_is_one_word() {
        let odd = subject(&"a. *>".into());
        assert_eq!(odd.split('.').count(), 2, "{odd}");
        assert!(!odd.contains([' ', '*', '>']), "{odd}");
    }
}
