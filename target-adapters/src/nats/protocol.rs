//! The protocol of NATS' clients: lines of text, of which those with a payload say how long it is.

/// What a server sends, as far as it matters here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Frame {
    /// `INFO`, which it also sends when something has changed, and `+OK`: nothing to do.
    Notice,
    /// It wants a `PONG`.
    Ping,
    Pong,
    /// `-ERR`, after which it mostly closes the connection.
    Error(String),
    Message {
        subject: String,
        /// The code in the first line of the headers, where it stands for a message: 503 if nobody listens.
        status: Option<u16>,
        payload: Vec<u8>,
    },
}

/// Why there is no frame in what was received.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Flaw {
    /// The rest has not come yet.
    Incomplete,
    /// No rest can make a frame of it.
    Malformed,
}

/// Far more than anything that Partita asks for.
const LINE_BYTES_MAX: usize = 64 << 10;
const PAYLOAD_BYTES_MAX: usize = 1 << 20;

/// Asks for all that is sent to these subjects.
pub(super) fn subscribe(subject: &str) -> String {
    format!("SUB {subject} 1\r\n")
}

/// A message that wants an answer, perhaps with a header.
pub(super) fn publish(
    subject: &str,
    answer_to: &str,
    header: Option<(&str, String)>,
    payload: &[u8],
) -> Vec<u8> {
    let (line, headers) = match header {
        None => (
            format!("PUB {subject} {answer_to} {}\r\n", payload.len()),
            String::new(),
        ),
        Some((name, value)) => {
            let headers = format!("NATS/1.0\r\n{name}: {value}\r\n\r\n");
            let all = headers.len() + payload.len();
            let line = format!("HPUB {subject} {answer_to} {} {all}\r\n", headers.len());
            (line, headers)
        }
    };
    [line.as_bytes(), headers.as_bytes(), payload, b"\r\n"].concat()
}

/// The first frame in `bytes`, and what follows it.
pub(super) fn parse(bytes: &[u8]) -> Result<(Frame, &[u8]), Flaw> {
    let Some(end) = bytes.windows(2).position(|two| two == b"\r\n") else {
        return Err(match bytes.len() > LINE_BYTES_MAX {
            true => Flaw::Malformed,
            false => Flaw::Incomplete,
        });
    };
    let (line, rest) = (&bytes[..end], &bytes[end + 2..]);
    let line = std::str::from_utf8(line).map_err(|_| Flaw::Malformed)?;
    let mut words = line.split_ascii_whitespace();
    let frame = match words.next() {
        Some("INFO" | "+OK") => Frame::Notice,
        Some("PING") => Frame::Ping,
        Some("PONG") => Frame::Pong,
        Some("-ERR") => Frame::Error(line["-ERR".len()..].trim().to_owned()),
        Some(kind @ ("MSG" | "HMSG")) => {
            return message(kind == "HMSG", &words.collect::<Vec<_>>(), rest);
        }
        _ => return Err(Flaw::Malformed),
    };
    Ok((frame, rest))
}

/// `MSG subject sid [reply-to] bytes` or `HMSG subject sid [reply-to] header-bytes bytes`, and what it announces.
fn message<'a>(has_headers: bool, words: &[&str], rest: &'a [u8]) -> Result<(Frame, &'a [u8]), Flaw> {
    let size = |word: &str| match word.parse::<usize>() {
        Ok(size) if size <= PAYLOAD_BYTES_MAX => Ok(size),
        _ => Err(Flaw::Malformed),
    };
    let (subject, headers, all) = match (has_headers, words) {
        (false, [subject, _, all] | [subject, _, _, all]) => (subject, 0, size(all)?),
        (true, [subject, _, headers, all] | [subject, _, _, headers, all]) => {
            (subject, size(headers)?, size(all)?)
        }
        _ => return Err(Flaw::Malformed),
    };
    let (content, rest) = rest.split_at_checked(all).ok_or(Flaw::Incomplete)?;
    let (headers, payload) = content.split_at_checked(headers).ok_or(Flaw::Malformed)?;
    let rest = match rest.split_at_checked(2) {
        Some((b"\r\n", rest)) => rest,
        Some(_) => return Err(Flaw::Malformed),
        None => return Err(Flaw::Incomplete),
    };
    let frame = Frame::Message {
        subject: (*subject).to_owned(),
        status: status(headers),
        payload: payload.to_vec(),
    };
    Ok((frame, rest))
}

/// `NATS/1.0 503 No Responders`: headers may begin with a code.
fn status(headers: &[u8]) -> Option<u16> {
    let line = headers.split(|&byte| byte == b'\r').next()?;
    let code = std::str::from_utf8(line).ok()?.strip_prefix("NATS/1.0")?;
    code.split_ascii_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(status: Option<u16>, payload: &str) -> Frame {
        Frame::Message {
            subject: "a.b".into(),
            status,
            payload: payload.into(),
        }
    }

    #[test]
    fn messages_say_how_long_they_are() {
        assert_eq!(publish("a", "b.1", None, b"7\r\n"), b"PUB a b.1 3\r\n7\r\n\r\n");
        let header = Some(("Name", "3".to_owned()));
        assert_eq!(
            publish("a", "b.1", header, b"7"),
            b"HPUB a b.1 21 22\r\nNATS/1.0\r\nName: 3\r\n\r\n7\r\n"
        );
    }

    #[test]
    fn frames_of_every_kind_are_read_and_what_follows_is_left() {
        let cases = [
            ("INFO {\"server_id\":\"x\"} \r\n", Frame::Notice),
            ("+OK\r\n", Frame::Notice),
            ("PING\r\n", Frame::Ping),
            ("PONG\r\n", Frame::Pong),
            (
                "-ERR 'Stale Connection'\r\n",
                Frame::Error("'Stale Connection'".into()),
            ),
            ("MSG a.b 1 4\r\n7\r\n8\r\n", message(None, "7\r\n8")),
            ("MSG a.b 1 c.d 0\r\n\r\n", message(None, "")),
            (
                "HMSG a.b 1  16 16\r\nNATS/1.0 503\r\n\r\n\r\n",
                message(Some(503), ""),
            ),
            (
                "HMSG a.b 1 c 18 19\r\nNATS/1.0\r\nA: b\r\n\r\n7\r\n",
                message(None, "7"),
            ),
        ];
        for (bytes, frame) in cases {
            let followed = format!("{bytes}+next");
            assert_eq!(
                parse(followed.as_bytes()),
                Ok((frame, &b"+next"[..])),
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
        let long = "x".repeat(LINE_BYTES_MAX + 1);
        let cases = [
            "\r\n",
            "HTTP/1.1 400\r\n",
            "MSG\r\n",
            "MSG a 1 x\r\n",
            "MSG a 1 99999999999\r\n",
            "MSG a 1 1\r\nabc",
            "HMSG a 1 2 1\r\na\r\n",
            &long,
        ];
        for bytes in cases {
            let shown = &bytes[..bytes.len().min(20)];
            assert_eq!(parse(bytes.as_bytes()), Err(Flaw::Malformed), "{shown:?}");
        }
    }
}
