//! Responses as JSON.

use hyper::StatusCode;
use partita_protocols::store::{Access, Answer, Hold, Part, Refusal, Value};
use serde::Serialize;

use crate::event::Outcome;

/// A response: its status, and its body as JSON.
#[derive(Debug)]
pub(super) struct Response {
    pub(super) status: StatusCode,
    pub(super) body: Vec<u8>,
}

impl Response {
    pub(super) fn new(status: StatusCode, body: &impl Serialize) -> Response {
        // Nothing here has a key that is no string, or a number that is no number: JSON has a form for all of
        // it.
        Response {
            status,
            body: serde_json::to_vec(body).unwrap_or_default(),
        }
    }

    pub(super) fn error(status: StatusCode, error: &str, message: Option<&str>) -> Response {
        #[derive(Serialize)]
        struct Body<'a> {
            error: &'a str,
            #[serde(skip_serializing_if = "Option::is_none")]
            message: Option<&'a str>,
        }
        Response::new(status, &Body { error, message })
    }

    pub(super) fn malformed(status: StatusCode, message: &str) -> Response {
        Response::error(status, "malformed", Some(message))
    }

    pub(super) fn overloaded() -> Response {
        Response::error(StatusCode::SERVICE_UNAVAILABLE, "overloaded", None)
    }

    pub(super) fn unknown(message: &str) -> Response {
        Response::error(StatusCode::GATEWAY_TIMEOUT, "unknown", Some(message))
    }

    pub(super) fn outcome(outcome: Outcome) -> Response {
        #[derive(Serialize)]
        struct NotLeader {
            error: &'static str,
            leader: Option<String>,
        }
        match outcome {
            Outcome::Answer(answer) => Response::answer(answer),
            Outcome::NotLeader(leader) => Response::new(
                StatusCode::MISDIRECTED_REQUEST,
                &NotLeader {
                    error: "not-leader",
                    leader: leader.map(|leader| leader.to_string()),
                },
            ),
            Outcome::Checksum { applied, checksum } => Response::new(
                StatusCode::OK,
                &serde_json::json!({ "applied": applied, "checksum": format!("{checksum:08x}") }),
            ),
            Outcome::Done => Response::new(StatusCode::OK, &serde_json::json!({})),
            Outcome::Rejected(why) => Response::error(StatusCode::CONFLICT, "rejected", Some(why)),
            Outcome::Unknown => Response::unknown("the node stopped leading before the entry was committed"),
        }
    }

    fn answer(answer: Answer) -> Response {
        let body = match answer {
            Answer::Refused(refusal) => return Response::refused(refusal),
            Answer::Superseded => {
                return Response::unknown("the session has gone on to a later sequence number");
            }
            Answer::SessionExpired => {
                return Response::unknown("the session is not known any more: begin another at sequence 1");
            }
            Answer::Done => Body::default(),
            Answer::Value(value) => Body::value(value),
            Answer::Truth(truth) => Body::value(Value::Int(truth.into())),
            Answer::Transaction(parts) => Body::value(Value::List(parts.into_iter().map(part).collect())),
            Answer::Swapped => Body {
                swapped: Some(true),
                ..Body::default()
            },
            Answer::Kept { observed } => Body {
                swapped: Some(false),
                observed: Some(observed),
                ..Body::default()
            },
            Answer::Acquired(token) => Body {
                acquired: Some(true),
                token: Some(token),
                ..Body::default()
            },
            Answer::Held(hold) => Body {
                acquired: Some(false),
                ..Body::hold(Some(hold))
            },
            Answer::Released => Body {
                released: Some(true),
                ..Body::default()
            },
            Answer::NotHeld(hold) => Body {
                released: Some(false),
                ..Body::hold(hold)
            },
            Answer::Holder(hold) => Body::hold(hold),
        };
        Response::new(StatusCode::OK, &body)
    }

    fn refused(refusal: Refusal) -> Response {
        let message = match refusal {
            Refusal::OtherType(kind) => format!("the key holds a {}", kind.name()),
            Refusal::NotAList => "the register holds no list to append to".to_owned(),
            Refusal::TooLarge => "something would become too large or too deeply nested".to_owned(),
        };
        Response::error(StatusCode::BAD_REQUEST, "refused", Some(&message))
    }
}

/// What was done, and what it gave.
#[derive(Default, Serialize)]
struct Body {
    #[serde(skip_serializing_if = "Option::is_none")]
    value: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    swapped: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    observed: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    acquired: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    released: Option<bool>,
    /// Null is a lock that nobody holds.
    #[serde(skip_serializing_if = "Option::is_none")]
    holder: Option<Option<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    token: Option<i64>,
}

impl Body {
    fn value(value: Value) -> Body {
        Body {
            value: Some(value),
            ..Body::default()
        }
    }

    fn hold(hold: Option<Hold>) -> Body {
        let (holder, token) = hold.map(|hold| (hold.owner, hold.token)).unzip();
        Body {
            holder: Some(holder),
            token,
            ..Body::default()
        }
    }
}

/// `["r", "x", 7]`
fn part(part: Part) -> Value {
    let f = match part.access {
        Access::Read => "r",
        Access::Write => "w",
        Access::Append => "append",
    };
    Value::List(vec![Value::Str(f.into()), Value::Str(part.key), part.value])
}
