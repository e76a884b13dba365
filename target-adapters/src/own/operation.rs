//! What each function is in the servers' interface, and what their answers say.

use std::borrow::Cow;

use partita_history::Value;
use serde::{Deserialize, Serialize};

use crate::{Completion, Request};

/// The functions that clients of each type of object can call.
pub(super) type Functions = &'static [(&'static str, &'static [&'static str])];

/// What the replicated store offers.
pub(super) const STORE: Functions = &[
    ("register", &["read", "write", "cas"]),
    ("write-once-register", &["propose", "read"]),
    ("list", &["append", "read"]),
    ("set", &["add", "remove", "contains", "read"]),
    ("counter", &["add", "read"]),
    ("queue", &["enqueue", "dequeue", "peek"]),
    ("lock", &["acquire", "release"]),
    ("multi-register", &["txn"]),
];

/// What single-decree Paxos offers: no replicated log, and so no more than registers that are written once.
pub(super) const WRITE_ONCE: Functions = &[("write-once-register", &["propose", "read"])];

/// An operation, as the servers read it.
#[derive(Serialize)]
pub(super) struct Op<'a> {
    f: &'a str,
    #[serde(rename = "type")]
    kind: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    key: Option<&'a Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    value: Option<Cow<'a, Value>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    from: Option<&'a Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    to: Option<&'a Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    owner: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    token: Option<&'a Value>,
}

/// What the servers answer, whatever it is.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct Answer {
    #[serde(deserialize_with = "present")]
    value: Option<Value>,
    swapped: Option<bool>,
    #[serde(deserialize_with = "present")]
    observed: Option<Value>,
    acquired: Option<bool>,
    released: Option<bool>,
    holder: Option<String>,
    token: Option<i64>,
    pub(super) error: Option<String>,
    pub(super) message: Option<String>,
    pub(super) leader: Option<String>,
}

/// A null that is there is not the same as nothing: it is what a register holds that was never written.
fn present<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<Value>, D::Error> {
    Value::deserialize(deserializer).map(Some)
}

/// Does it change nothing, so that it needs no number in its session?
pub(super) fn only_reads(request: Request<'_>) -> bool {
    match request.f {
        "read" | "contains" | "peek" => true,
        "txn" => parts(request.value).all(|part| matches!(part, [Value::Str(f), ..] if f == "r")),
        _ => false,
    }
}

/// The operation for the servers. `owner` is who holds the lock that it may acquire.
pub(super) fn op<'a>(object: &'a str, request: Request<'a>, owner: &'a str) -> Op<'a> {
    let op = Op {
        f: request.f,
        kind: match object {
            // A list is what a register holds.
            "list" | "multi-register" | "write-once-register" => "register",
            object => object,
        },
        key: Some(request.key.unwrap_or(&Value::Null)),
        value: None,
        from: None,
        to: None,
        owner: None,
        token: None,
    };
    let (from, to) = request.value.as_pair().unzip();
    match request.f {
        "read" | "dequeue" | "peek" => op,
        "cas" => Op { from, to, ..op },
        "acquire" => Op {
            owner: Some(owner),
            ..op
        },
        "release" => Op {
            token: Some(request.value),
            ..op
        },
        "txn" => Op {
            key: None,
            value: Some(Cow::Owned(in_group(request))),
            ..op
        },
        _ => Op {
            value: Some(Cow::Borrowed(request.value)),
            ..op
        },
    }
}

/// What an answer says that has the status 200; nothing if it is no answer to that operation.
pub(super) fn done(object: &str, request: Request<'_>, answer: Answer) -> Option<Completion> {
    let ok = |value| Some(Completion::ok(value));
    match (object, request.f) {
        ("register" | "list", "write" | "append") | ("queue", "enqueue") => ok(request.value.clone()),
        ("register", "cas") if answer.swapped? => ok(request.value.clone()),
        ("register", "cas") => Some(Completion::not_applied(request, answer.observed?)),
        // Whether it changed anything, or what the count was after it.
        ("set", "add" | "remove") | ("counter", "add") => {
            ok(Value::pair(request.value.clone(), answer.value?))
        }
        ("lock", "acquire") if answer.acquired? => ok(Value::Int(answer.token?)),
        // Who holds it instead: not what a checker needs, but whoever is to free the lock of a dead client does.
        ("lock", "acquire") => Some(Completion {
            error: answer.holder.map(|holder| format!("held by {holder}")),
            ..Completion::not_applied(request, Value::Int(answer.token?))
        }),
        ("lock", "release") if answer.released? => ok(request.value.clone()),
        ("lock", "release") => Some(Completion::not_applied(
            request,
            answer.token.map_or(Value::Null, Value::Int),
        )),
        ("multi-register", "txn") => ok(with_reads(request, &answer.value?)?),
        _ => ok(answer.value?),
    }
}

/// The parts of a transaction.
fn parts(value: &Value) -> impl Iterator<Item = &[Value]> {
    let parts: &[Value] = match value {
        Value::List(parts) => parts,
        _ => &[],
    };
    parts.iter().map(|part| match part {
        Value::List(part) => part.as_slice(),
        _ => &[],
    })
}

/// The parts of a transaction, the name of each register being that of its group and its own. A group is what
/// the model judges by itself; the store knows of none.
fn in_group(request: Request<'_>) -> Value {
    let group = request.key.map(|key| format!("{key}/")).unwrap_or_default();
    let in_group = |part: &[Value]| match part {
        [f, key, value] => {
            let key = format!("{group}{key}");
            Value::List(vec![f.clone(), key.as_str().into(), value.clone()])
        }
        other => Value::List(other.to_vec()),
    };
    Value::List(parts(request.value).map(in_group).collect())
}

/// The parts that were asked for, with what the answer says was read; nothing if it has other parts.
fn with_reads(request: Request<'_>, answer: &Value) -> Option<Value> {
    if parts(answer).count() != parts(request.value).count() {
        return None;
    }
    let with_read = |(asked, answered): (&[Value], &[Value])| match (asked, answered) {
        ([f, key, _], [same, _, value]) if f == same => {
            Some(Value::List(vec![f.clone(), key.clone(), value.clone()]))
        }
        _ => None,
    };
    let parts: Option<Vec<_>> = parts(request.value).zip(parts(answer)).map(with_read).collect();
    parts.map(Value::List)
}

#[cfg(test)]
mod tests {
    use partita_history::Outcome;

    use super::*;

    fn value(json: &str) -> Value {
        serde_json::from_str(json).expect(json)
    }

    /// The operation as the servers get it, and the outcome and value of an answer.
    fn exchange(
        object: &str,
        f: &str,
        key: &str,
        argument: &str,
        answer: &str,
    ) -> (String, Option<(Outcome, String)>) {
        let (key, argument) = (value(key), value(argument));
        let request = Request {
            f,
            key: Some(&key),
            value: &argument,
        };
        let sent = serde_json::to_string(&op(object, request, "me")).expect("JSON");
        let answer = serde_json::from_str(answer).expect(answer);
        let done = done(object, request, answer);
        let done = done.map(|completion| {
            let value = completion.observed.unwrap_or(completion.value);
            (completion.outcome, serde_json::to_string(&value).expect("JSON"))
        });
        (sent, done)
    }

    #[test]
    fn every_function_is_asked_and_understood_as_the_models_want_it() {
        use Outcome::{Fail, Ok};
        let rows = [
            ("register", "read", "null", r#"{"value":null}"#, Ok, "null"),
            ("register", "write", "1", "{}", Ok, "1"),
            ("register", "cas", "[1,2]", r#"{"swapped":true}"#, Ok, "[1,2]"),
            (
                "register",
                "cas",
                "[1,2]",
                r#"{"swapped":false,"observed":null}"#,
                Fail,
                "null",
            ),
            // What a proposer is told is what is decided, which may be another's value.
            ("write-once-register", "propose", "1", r#"{"value":2}"#, Ok, "2"),
            (
                "write-once-register",
                "read",
                "null",
                r#"{"value":null}"#,
                Ok,
                "null",
            ),
            ("list", "append", "1", "{}", Ok, "1"),
            ("list", "read", "null", r#"{"value":[1]}"#, Ok, "[1]"),
            ("set", "add", "5", r#"{"value":1}"#, Ok, "[5,1]"),
            ("set", "remove", "5", r#"{"value":0}"#, Ok, "[5,0]"),
            ("set", "contains", "5", r#"{"value":0}"#, Ok, "0"),
            ("set", "read", "null", r#"{"value":[5]}"#, Ok, "[5]"),
            ("counter", "add", "2", r#"{"value":7}"#, Ok, "[2,7]"),
            ("counter", "read", "null", r#"{"value":7}"#, Ok, "7"),
            ("queue", "enqueue", "1", "{}", Ok, "1"),
            ("queue", "dequeue", "null", r#"{"value":1}"#, Ok, "1"),
            ("queue", "dequeue", "null", r#"{"value":null}"#, Ok, "null"),
            (
                "lock",
                "acquire",
                "null",
                r#"{"acquired":true,"token":3}"#,
                Ok,
                "3",
            ),
            (
                "lock",
                "acquire",
                "null",
                r#"{"acquired":false,"holder":"a","token":2}"#,
                Fail,
                "2",
            ),
            ("lock", "release", "3", r#"{"released":true}"#, Ok, "3"),
            (
                "lock",
                "release",
                "3",
                r#"{"released":false,"holder":null}"#,
                Fail,
                "null",
            ),
            (
                "multi-register",
                "txn",
                r#"[["r","x",null],["w","y",1]]"#,
                r#"{"value":[["r","k/x",7],["w","k/y",1]]}"#,
                Ok,
                r#"[["r","x",7],["w","y",1]]"#,
            ),
        ];
        for (object, f, argument, answer, outcome, expected) in rows {
            let (_, done) = exchange(object, f, r#""k""#, argument, answer);
            assert_eq!(done, Some((outcome, expected.to_owned())), "{object} {f}");
            let (_, done) = exchange(object, f, r#""k""#, argument, "{}");
            let needs_none = matches!(f, "write" | "append" | "enqueue");
            assert_eq!(done.is_some(), needs_none, "{object} {f} without a result");
        }
        for (object, functions) in STORE {
            for f in *functions {
                assert!(
                    f == &"peek" || rows.iter().any(|row| (row.0, row.1) == (*object, *f)),
                    "{object} {f}"
                );
            }
        }
    }

    #[test]
    fn operations_are_written_as_the_servers_read_them() {
        let sent = |object, f, argument| exchange(object, f, r#""k""#, argument, "{}").0;
        assert_eq!(
            sent("register", "cas", "[null,2]"),
            r#"{"f":"cas","type":"register","key":"k","from":null,"to":2}"#
        );
        assert_eq!(
            sent("set", "add", "5"),
            r#"{"f":"add","type":"set","key":"k","value":5}"#
        );
        assert_eq!(
            sent("queue", "dequeue", "null"),
            r#"{"f":"dequeue","type":"queue","key":"k"}"#
        );
        assert_eq!(
            sent("lock", "acquire", "null"),
            r#"{"f":"acquire","type":"lock","key":"k","owner":"me"}"#
        );
        assert_eq!(
            sent("multi-register", "txn", r#"[["r","x",null],["w","y",1]]"#),
            r#"{"f":"txn","type":"register","value":[["r","k/x",null],["w","k/y",1]]}"#
        );
    }
}
