//! RESP2, the protocol of Redis: a command is an array of strings, and each has one reply.

/// What a server replies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Reply {
    Nil,
    Integer(i64),
    Text(Vec<u8>),
    Error(String),
    Array(Vec<Reply>),
}

/// Why there is no reply in what was received.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Flaw {
    /// The rest has not come yet.
    Incomplete,
    /// No rest can make a reply of it.
    Malformed,
}

/// Far more than anything that Partita asks for.
const TEXT_BYTES_MAX: usize = 1 << 20;
const ITEMS_MAX: usize = 4096;
const DEPTH_MAX: u32 = 4;

/// A command, as a server reads it.
pub(super) fn command<W: AsRef<str>>(words: &[W]) -> Vec<u8> {
    let mut text = format!("*{}\r\n", words.len());
    for word in words.iter().map(AsRef::as_ref) {
        text.extend(["$", &word.len().to_string(), "\r\n", word, "\r\n"]);
    }
    text.into_bytes()
}

/// The first reply in `bytes`, and what follows it.
pub(super) fn parse(bytes: &[u8]) -> Result<(Reply, &[u8]), Flaw> {
    parse_within(bytes, DEPTH_MAX)
}

fn parse_within(bytes: &[u8], depth: u32) -> Result<(Reply, &[u8]), Flaw> {
    let end = bytes.windows(2).position(|two| two == b"\r\n");
    let (line, rest) = bytes.split_at(end.ok_or(Flaw::Incomplete)?);
    let rest = &rest[2..];
    let (kind, line) = line.split_first().ok_or(Flaw::Malformed)?;
    match kind {
        b'+' => Ok((Reply::Text(line.to_vec()), rest)),
        b'-' => Ok((Reply::Error(String::from_utf8_lossy(line).into_owned()), rest)),
        b':' => Ok((Reply::Integer(number(line)?), rest)),
        b'$' | b'*' if line == b"-1" => Ok((Reply::Nil, rest)),
        b'$' => {
            let length = size(line, TEXT_BYTES_MAX)?;
            let (text, rest) = rest.split_at_checked(length).ok_or(Flaw::Incomplete)?;
            match rest.split_at_checked(2) {
                Some((b"\r\n", rest)) => Ok((Reply::Text(text.to_vec()), rest)),
                Some(_) => Err(Flaw::Malformed),
                None => Err(Flaw::Incomplete),
            }
        }
        b'*' => {
            let depth = depth.checked_sub(1).ok_or(Flaw::Malformed)?;
            let (mut items, mut rest) = (Vec::new(), rest);
            for _ in 0..size(line, ITEMS_MAX)? {
                let (item, after) = parse_within(rest, depth)?;
                items.push(item);
                rest = after;
            }
            Ok((Reply::Array(items), rest))
        }
        _ => Err(Flaw::Malformed),
    }
}

fn number(line: &[u8]) -> Result<i64, Flaw> {
    let text = std::str::from_utf8(line).map_err(|_| Flaw::Malformed)?;
    text.parse().map_err(|_| Flaw::Malformed)
}

fn size(line: &[u8], max: usize) -> Result<usize, Flaw> {
    let size = usize::try_from(number(line)?).map_err(|_| Flaw::Malformed)?;
    (size <= max).then_some(size).ok_or(Flaw::Malformed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_is_an_array_of_strings() {
        assert_eq!(command(&["GET", "a b"]), b"*2\r\n$3\r\nGET\r\n$3\r\na b\r\n");
    }

    #[test]
    fn replies_of_every_kind_are_read_and_what_follows_is_left() {
        let text = |text: &str| Reply::Text(text.into());
        let cases: [(&str, Reply); 8] = [
            ("+OK\r\n", text("OK")),
            ("-READONLY no\r\n", Reply::Error("READONLY no".into())),
            (":-7\r\n", Reply::Integer(-7)),
            ("$-1\r\n", Reply::Nil),
            ("*-1\r\n", Reply::Nil),
            ("$4\r\na\r\nb\r\n", text("a\r\nb")),
            ("*0\r\n", Reply::Array(vec![])),
            (
                "*2\r\n$1\r\nx\r\n*1\r\n:1\r\n",
                Reply::Array(vec![text("x"), Reply::Array(vec![Reply::Integer(1)])]),
            ),
        ];
        for (bytes, reply) in cases {
            let followed = format!("{bytes}+next");
            assert_eq!(
                parse(followed.as_bytes()),
                Ok((reply, &b"+next"[..])),
                "{bytes:?}"
            );
            for end in 0..bytes.len() {
                assert_eq!(
                    parse(&bytes.as_bytes()[..end]),
                    Err(Flaw::Incomplete),
                    "{bytes:?} {end}"
                );
            }
        }
    }

    #[test]
    fn what_no_server_sends_is_malformed() {
        let deep = "*1\r\n".repeat(100_000);
        let cases = [
            "\r\n",
            "HTTP/1.1 400\r\n",
            "$-2\r\n",
            "$x\r\n",
            "$99999999999\r\n",
            "*99999999\r\n",
            "$1\r\nab\r\n",
            &deep,
        ];
        for bytes in cases {
            let shown = &bytes[..bytes.len().min(20)];
            assert_eq!(parse(bytes.as_bytes()), Err(Flaw::Malformed), "{shown:?}");
        }
    }
}
