//! Requests and responses as JSON.

use hyper::StatusCode;
use partita_protocols::store::{Answer, Command, Operation, Refusal, SessionSequence, Value};
use partita_protocols::{Defect, Encode as _, NodeId};
use serde::{Deserialize, Serialize};

use crate::driver::{Outcome, Request, View};

/// The body of `POST /v1/op`.
#[derive(Debug, Deserialize)]
struct Body {
    session: Option<String>,
    sequence: Option<u64>,
    op: Op,
}

#[derive(Debug, Deserialize)]
#[serde(tag = "f", rename_all = "lowercase")]
enum Op {
    Read { key: String },
    Write { key: String, value: Value },
    Cas { key: String, from: Value, to: Value },
    Append { key: String, value: Value },
    Propose { key: String, value: Value },
}

/// Reads the body of a request; or says what is wrong with it.
pub(super) fn parse(body: &[u8]) -> Result<Request, String> {
    let Body {
        session,
        sequence,
        op,
    } = serde_json::from_slice(body).map_err(|error| error.to_string())?;
    let reads = matches!(op, Op::Read { .. });
    let operation = match op {
        Op::Read { key } => Operation::Read { key },
        Op::Write { key, value } => Operation::Write { key, value },
        Op::Cas { key, from, to } => Operation::CompareAndSet { key, from, to },
        Op::Append { key, value } => Operation::Append { key, value },
        Op::Propose { key, value } => Operation::Propose { key, value },
    };
    let session = match (session, sequence) {
        (Some(session), Some(sequence)) => Some(SessionSequence { session, sequence }),
        (None, None) => None,
        _ => return Err("session and sequence belong together".into()),
    };
    let command = Command { session, operation };
    if !command.is_within_limits() {
        return Err("a key or session of over 256 bytes, or a value too large or too deeply nested".into());
    }
    let bytes = command.to_bytes().into();
    Ok(if reads {
        Request::Read(bytes)
    } else {
        Request::Apply(bytes)
    })
}

/// A response: its status, and its body as JSON.
#[derive(Debug)]
pub(super) struct Response {
    pub(super) status: StatusCode,
    pub(super) body: Vec<u8>,
}

impl Response {
    fn new(status: StatusCode, body: &impl Serialize) -> Response {
        // Nothing here has a key that is no string, or a number that is no number: JSON has a form for all of
        // it.
        Response {
            status,
            body: serde_json::to_vec(body).unwrap_or_default(),
        }
    }

    fn error(status: StatusCode, error: &str, message: Option<&str>) -> Response {
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
        struct ReadBody {
            value: Value,
        }
        #[derive(Serialize)]
        struct SwapBody {
            swapped: bool,
            #[serde(skip_serializing_if = "Option::is_none")]
            observed: Option<Value>,
        }
        #[derive(Serialize)]
        struct NotLeaderBody {
            error: &'static str,
            leader: Option<String>,
        }
        let swap = |swapped, observed| Response::new(StatusCode::OK, &SwapBody { swapped, observed });
        match outcome {
            Outcome::Answer(Answer::Value(value)) => Response::new(StatusCode::OK, &ReadBody { value }),
            Outcome::Answer(Answer::Done) => Response {
                status: StatusCode::OK,
                body: b"{}".to_vec(),
            },
            Outcome::Answer(Answer::Swapped) => swap(true, None),
            Outcome::Answer(Answer::Kept { observed }) => swap(false, Some(observed)),
            Outcome::Answer(Answer::Refused(refusal)) => Response::malformed(
                StatusCode::BAD_REQUEST,
                match refusal {
                    Refusal::NotAList => "the register holds no list to append to",
                    Refusal::ListFull => "the list would be too long or too deeply nested",
                },
            ),
            Outcome::Answer(Answer::Superseded) => {
                Response::unknown("the session has gone on to a later sequence number")
            }
            Outcome::Answer(Answer::SessionExpired) => {
                Response::unknown("the session is not known any more: begin another at sequence 1")
            }
            Outcome::NotLeader(leader) => {
                let leader = leader.map(|leader| leader.to_string());
                Response::new(
                    StatusCode::MISDIRECTED_REQUEST,
                    &NotLeaderBody {
                        error: "not-leader",
                        leader,
                    },
                )
            }
            Outcome::Unknown => Response::unknown("the node stopped leading before the entry was committed"),
        }
    }

    pub(super) fn status(me: NodeId, defect: Option<&'static Defect>, view: View) -> Response {
        #[derive(Serialize)]
        struct Body<'a> {
            node: &'a str,
            role: &'static str,
            term: u64,
            leader: Option<&'a str>,
            commit: u64,
            applied: u64,
            last_index: u64,
            log_bytes: u64,
            #[serde(skip_serializing_if = "Option::is_none")]
            defect: Option<&'static str>,
        }
        let View { status, log_bytes } = view;
        let body = Body {
            node: me.as_str(),
            role: status.role.name(),
            term: status.term,
            leader: status.leader.as_ref().map(NodeId::as_str),
            commit: status.commit,
            applied: status.applied,
            last_index: status.last_index,
            log_bytes,
            defect: defect.map(|defect| defect.name),
        };
        Response::new(StatusCode::OK, &body)
    }
}
