//! Requests as JSON, read strictly: what is not understood in full is refused, and told why.

use partita_protocols::Encode as _;
use partita_protocols::store::{Access, Command, Operation, Part, SessionSequence, Value};
use serde::{Deserialize, Deserializer};

use crate::event::Request;

/// The body of `POST /v1/op`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Body {
    session: Option<String>,
    sequence: Option<u64>,
    #[serde(default)]
    consistency: Consistency,
    op: Fields,
}

/// Which state a read sees.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Consistency {
    /// One with all that was done before the read began.
    #[default]
    Linearizable,
    /// The one that the node has applied, however old.
    Local,
}

/// The type of object that an operation is for.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Type {
    #[default]
    Register,
    Set,
    Counter,
    Queue,
    Lock,
}

impl Type {
    fn functions(self) -> &'static str {
        match self {
            Type::Register => "read, write, cas, append, propose, txn",
            Type::Set => "add, remove, contains, read",
            Type::Counter => "add, read",
            Type::Queue => "enqueue, dequeue, peek",
            Type::Lock => "acquire, release, holder",
        }
    }
}

/// An operation: all fields that any has.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Fields {
    f: String,
    #[serde(rename = "type", default)]
    kind: Type,
    key: Option<String>,
    #[serde(default, deserialize_with = "present")]
    value: Option<Value>,
    #[serde(default, deserialize_with = "present")]
    from: Option<Value>,
    #[serde(default, deserialize_with = "present")]
    to: Option<Value>,
    owner: Option<String>,
    token: Option<i64>,
}

/// A null that is there is not the same as nothing.
fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Value>, D::Error> {
    Value::deserialize(deserializer).map(Some)
}

/// Takes a field that must be there.
fn take<T>(field: &mut Option<T>, name: &str) -> Result<T, String> {
    field.take().ok_or_else(|| format!("missing field `{name}`"))
}

impl Fields {
    fn operation(mut self) -> Result<Operation, String> {
        let operation = self.take_operation()?;
        let left = [
            ("key", self.key.is_some()),
            ("value", self.value.is_some()),
            ("from", self.from.is_some()),
            ("to", self.to.is_some()),
            ("owner", self.owner.is_some()),
            ("token", self.token.is_some()),
        ];
        match left.iter().find(|(_, is_left)| *is_left) {
            Some((name, _)) => Err(format!("`{}` takes no field `{name}`", self.f)),
            None => Ok(operation),
        }
    }

    fn take_operation(&mut self) -> Result<Operation, String> {
        if let (Type::Register, "txn") = (self.kind, self.f.as_str()) {
            return parts(self.value()?).map(Operation::Transaction);
        }
        let key = take(&mut self.key, "key")?;
        Ok(match (self.kind, self.f.as_str()) {
            (Type::Register, "read") => Operation::Read { key },
            (Type::Register, "write") => Operation::Write {
                key,
                value: self.value()?,
            },
            (Type::Register, "cas") => Operation::CompareAndSet {
                key,
                from: take(&mut self.from, "from")?,
                to: take(&mut self.to, "to")?,
            },
            (Type::Register, "append") => Operation::Append {
                key,
                value: self.value()?,
            },
            (Type::Register, "propose") => Operation::Propose {
                key,
                value: self.value()?,
            },
            (Type::Set, "add") => Operation::SetAdd {
                key,
                element: self.value()?,
            },
            (Type::Set, "remove") => Operation::SetRemove {
                key,
                element: self.value()?,
            },
            (Type::Set, "contains") => Operation::SetContains {
                key,
                element: self.value()?,
            },
            (Type::Set, "read") => Operation::SetRead { key },
            (Type::Counter, "add") => match self.value()? {
                Value::Int(amount) => Operation::CounterAdd { key, amount },
                _ => return Err("what is added to a counter is an integer".into()),
            },
            (Type::Counter, "read") => Operation::CounterRead { key },
            (Type::Queue, "enqueue") => Operation::Enqueue {
                key,
                item: self.value()?,
            },
            (Type::Queue, "dequeue") => Operation::Dequeue { key },
            (Type::Queue, "peek") => Operation::Peek { key },
            (Type::Lock, "acquire") => Operation::Acquire {
                key,
                owner: take(&mut self.owner, "owner")?,
            },
            (Type::Lock, "release") => Operation::Release {
                key,
                token: take(&mut self.token, "token")?,
            },
            (Type::Lock, "holder") => Operation::Holder { key },
            (kind, f) => {
                let kind_name = format!("{kind:?}").to_lowercase();
                let functions = kind.functions();
                return Err(format!(
                    "a {kind_name} has no function `{f}`, but {functions}; \"type\" names another type"
                ));
            }
        })
    }

    fn value(&mut self) -> Result<Value, String> {
        take(&mut self.value, "value")
    }
}

/// `[["r","x",null],["w","y",1],["append","l",2]]`
fn parts(value: Value) -> Result<Vec<Part>, String> {
    let wrong = || "the value of `txn` is a list of [f, key, value], f being r, w or append".to_owned();
    let Value::List(parts) = value else {
        return Err(wrong());
    };
    let parse = |part: Value| {
        let Value::List(part) = part else {
            return Err(wrong());
        };
        let Ok([Value::Str(f), Value::Str(key), value]) = <[Value; 3]>::try_from(part) else {
            return Err(wrong());
        };
        let access = match f.as_str() {
            "r" if value != Value::Null => return Err("what a part reads is not known before: null".into()),
            "r" => Access::Read,
            "w" => Access::Write,
            "append" => Access::Append,
            _ => return Err(wrong()),
        };
        Ok(Part { access, key, value })
    };
    parts.into_iter().map(parse).collect()
}

/// Reads the body of a request; or says what is wrong with it.
pub(super) fn parse(body: &[u8]) -> Result<Request, String> {
    let Body {
        session,
        sequence,
        consistency,
        op,
    } = serde_json::from_slice(body).map_err(|error| error.to_string())?;
    let operation = op.operation()?;
    let only_reads = operation.only_reads();
    if consistency == Consistency::Local && !only_reads {
        return Err("local consistency is for operations that only read".into());
    }
    let session = match (session, sequence) {
        (Some(session), Some(sequence)) => Some(SessionSequence { session, sequence }),
        (None, None) => None,
        _ => return Err("session and sequence belong together".into()),
    };
    let command = Command { session, operation };
    command.check()?;
    let bytes = command.to_bytes().into();
    Ok(match consistency {
        Consistency::Local => Request::ReadLocal(bytes),
        Consistency::Linearizable if only_reads => Request::Read(bytes),
        Consistency::Linearizable => Request::Apply(bytes),
    })
}

#[cfg(test)]
mod tests {
    use partita_protocols::Decode as _;

    use super::*;

    fn operation(op: &str) -> Result<Operation, String> {
        let request = parse(format!(r#"{{"session":"s","sequence":1,"op":{op}}}"#).as_bytes())?;
        let (Request::Read(bytes) | Request::ReadLocal(bytes) | Request::Apply(bytes)) = request else {
            panic!("not of a client");
        };
        Ok(Command::from_bytes(&bytes).expect("a good command").operation)
    }

    #[test]
    fn every_function_of_every_type_is_understood() {
        let ops = [
            (r#"{"f":"read","key":"x"}"#, "Read"),
            (r#"{"f":"write","key":"x","value":null}"#, "Write"),
            (r#"{"f":"cas","key":"x","from":null,"to":1}"#, "CompareAndSet"),
            (
                r#"{"f":"append","type":"register","key":"x","value":[1]}"#,
                "Append",
            ),
            (r#"{"f":"propose","key":"x","value":1}"#, "Propose"),
            (
                r#"{"f":"txn","value":[["r","x",null],["w","y",1],["append","z","a"]]}"#,
                "Transaction",
            ),
            (r#"{"f":"add","type":"set","key":"x","value":"a"}"#, "SetAdd"),
            (
                r#"{"f":"remove","type":"set","key":"x","value":"a"}"#,
                "SetRemove",
            ),
            (
                r#"{"f":"contains","type":"set","key":"x","value":"a"}"#,
                "SetContains",
            ),
            (r#"{"f":"read","type":"set","key":"x"}"#, "SetRead"),
            (
                r#"{"f":"add","type":"counter","key":"x","value":-1}"#,
                "CounterAdd",
            ),
            (r#"{"f":"read","type":"counter","key":"x"}"#, "CounterRead"),
            (r#"{"f":"enqueue","type":"queue","key":"x","value":1}"#, "Enqueue"),
            (r#"{"f":"dequeue","type":"queue","key":"x"}"#, "Dequeue"),
            (r#"{"f":"peek","type":"queue","key":"x"}"#, "Peek"),
            (
                r#"{"f":"acquire","type":"lock","key":"x","owner":"me"}"#,
                "Acquire",
            ),
            (r#"{"f":"release","type":"lock","key":"x","token":3}"#, "Release"),
            (r#"{"f":"holder","type":"lock","key":"x"}"#, "Holder"),
        ];
        for (op, expected) in ops {
            let operation = format!("{:?}", operation(op).expect(op));
            assert!(operation.starts_with(expected), "{op}: {operation}");
        }
    }

    #[test]
    fn what_is_not_understood_in_full_is_told_why() {
        let long = "x".repeat(257);
        let parts = r#"["r","x",null],"#.repeat(257);
        let ops = [
            (r#"{"f":"fly","key":"x"}"#, "a register has no function `fly`"),
            (
                r#"{"f":"dequeue","key":"x"}"#,
                "a register has no function `dequeue`",
            ),
            (
                r#"{"f":"cas","type":"set","key":"x"}"#,
                "a set has no function `cas`",
            ),
            (r#"{"f":"read","type":"bag","key":"x"}"#, "unknown variant `bag`"),
            (r#"{"f":"read"}"#, "missing field `key`"),
            (r#"{"key":"x"}"#, "missing field `f`"),
            (r#"{"f":"read","key":7}"#, "invalid type: integer `7`"),
            (r#"{"f":"read","key":"x","vaule":7}"#, "unknown field `vaule`"),
            (
                r#"{"f":"read","key":"x","value":7}"#,
                "`read` takes no field `value`",
            ),
            (r#"{"f":"write","key":"x"}"#, "missing field `value`"),
            (r#"{"f":"write","key":"x","value":true}"#, "a value is null"),
            (
                r#"{"f":"write","key":"x","value":1,"key":"y"}"#,
                "duplicate field `key`",
            ),
            (
                r#"{"f":"add","type":"counter","key":"x","value":"1"}"#,
                "is an integer",
            ),
            (
                r#"{"f":"enqueue","type":"queue","key":"x","value":null}"#,
                "null can not",
            ),
            (
                r#"{"f":"acquire","type":"lock","key":"x"}"#,
                "missing field `owner`",
            ),
            (
                r#"{"f":"release","type":"lock","key":"x","token":"1"}"#,
                "invalid type",
            ),
            (r#"{"f":"txn","value":[["r","x",1]]}"#, "not known before"),
            (r#"{"f":"txn","value":[["r","x"]]}"#, "list of [f, key, value]"),
            (
                r#"{"f":"txn","value":[["cas","x",1]]}"#,
                "list of [f, key, value]",
            ),
            (r#"{"f":"txn","value":[]}"#, "without parts"),
            (
                &format!(r#"{{"f":"txn","value":[{}]}}"#, parts.trim_end_matches(',')),
                "256 parts",
            ),
            (
                &format!(r#"{{"f":"read","key":"{long}"}}"#),
                "longer than 256 bytes",
            ),
            (
                &format!(r#"{{"f":"acquire","type":"lock","key":"x","owner":"{long}"}}"#),
                "longer than 256 bytes",
            ),
        ];
        for (op, expected) in ops {
            let complaint = operation(op).expect_err(op);
            assert!(complaint.contains(expected), "{op}: {complaint}");
        }
        let bodies = [
            (
                r#"{"op":{"f":"read","key":"x"},"more":1}"#,
                "unknown field `more`",
            ),
            (
                r#"{"session":"s","op":{"f":"read","key":"x"}}"#,
                "belong together",
            ),
            (
                r#"{"consistency":"eventual","op":{"f":"read","key":"x"}}"#,
                "unknown variant `eventual`",
            ),
            (
                r#"{"consistency":"local","op":{"f":"write","key":"x","value":1}}"#,
                "only read",
            ),
            (
                r#"{"session":"s","sequence":-1,"op":{"f":"read","key":"x"}}"#,
                "invalid value",
            ),
        ];
        for (body, expected) in bodies {
            let complaint = parse(body.as_bytes()).expect_err(body);
            assert!(complaint.contains(expected), "{body}: {complaint}");
        }
    }

    #[test]
    fn a_local_read_is_one_only_if_it_asks_for_it() {
        let read = |consistency: &str| {
            let body = format!(r#"{{{consistency}"op":{{"f":"read","key":"x"}}}}"#);
            parse(body.as_bytes()).expect("a good body")
        };
        assert!(matches!(read(""), Request::Read(_)));
        assert!(matches!(
            read(r#""consistency":"linearizable","#),
            Request::Read(_)
        ));
        assert!(matches!(read(r#""consistency":"local","#), Request::ReadLocal(_)));
    }
}
