//! What a request asks for.

use std::collections::BTreeMap;

/// The text that a percent-encoded one stands for; none if it is malformed, or no text.
pub(super) fn decode(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte == b'%' {
            let mut digit = || char::from(rest.next()?).to_digit(16);
            let value = digit()? * 16 + digit()?;
            bytes.push(u8::try_from(value).ok()?);
        } else {
            bytes.push(byte);
        }
    }
    String::from_utf8(bytes).ok()
}

/// A text as it may stand in a path or a query.
pub(super) fn encode(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~/".contains(&byte) {
            out.push(char::from(byte));
        } else {
            out += &format!("%{byte:02X}");
        }
    }
    out
}

/// The fields of a form, without those that are empty or malformed.
pub(super) fn form(query: &str) -> BTreeMap<String, String> {
    let pairs = query.split('&').filter_map(|pair| pair.split_once('='));
    pairs
        .filter_map(|(name, value)| Some((decode(name)?, decode(&value.replace('+', " "))?)))
        .filter(|(_, value)| !value.is_empty())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_decoded_once() {
        assert_eq!(decode("a%20b%2f"), Some("a b/".into()));
        assert_eq!(decode("%252e"), Some("%2e".into()));
        for bad in ["%", "%2", "%zz", "%ff"] {
            assert_eq!(decode(bad), None, "{bad}");
        }
        let hostile = "a b/ü<&\"'?#%";
        assert_eq!(decode(&encode(hostile)).as_deref(), Some(hostile));
        let fields = form("q=a+b&verdict=&x=%zz&target=raft");
        assert_eq!(
            fields.into_iter().collect::<Vec<_>>(),
            [
                ("q".to_owned(), "a b".to_owned()),
                ("target".into(), "raft".into())
            ]
        );
    }
}
