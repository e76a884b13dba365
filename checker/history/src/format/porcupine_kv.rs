//! Porcupine's key-value logs: EDN maps, one a line, whose functions are `get`, `put` and `append`.
//!
//! ```text
//! {:process 0, :type :invoke, :f :append, :key "0", :value "x 0 0 y"}
//! {:process 0, :type :ok, :f :get, :key "0", :value "x 0 0 y"}
//! ```
//! Source: test data of <https://github.com/anishathalye/porcupine>. `get` and `put` are what all of Partita
//! calls `read` and `write`.

use super::{Format, edn};

pub(super) const FORMAT: Format = Format {
    name: "porcupine-kv",
    summary: "Porcupine's key-value logs: EDN maps with get, put and append",
    sniff,
    read: |input, options| {
        edn::read_renamed(input, options, |f| match f {
            "get" => "read",
            "put" => "write",
            other => other,
        })
    },
};

/// Its fields always come in the same order.
fn sniff(first_bytes: &[u8]) -> bool {
    let first_line = first_bytes
        .split(|&byte| byte == b'\n')
        .next()
        .unwrap_or_default();
    let Some(rest) = first_line.strip_prefix(b"{:process ") else {
        return false;
    };
    let rest = rest.trim_ascii_start();
    let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let rest = &rest[digits..];
    digits > 0
        && ["get", "put", "append"]
            .iter()
            .any(|f| rest.starts_with(format!(", :type :invoke, :f :{f}, :key \"").as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::{Options, detect};

    #[test]
    fn get_and_put_are_read_and_write() {
        let text = concat!(
            "{:process 0, :type :invoke, :f :put, :key \"a b\", :value \"x 0 0 y\"}\n",
            "{:process 1, :type :invoke, :f :get, :key \"4\", :value nil}\n",
            "{:process 1, :type :ok, :f :get, :key \"4\", :value \"\"}\n",
        );
        assert_eq!(detect(text.as_bytes()).unwrap().name, FORMAT.name);
        let history = (FORMAT.read)(&mut text.as_bytes(), &Options::default()).unwrap();
        let [put, get] = history.operations().collect::<Vec<_>>()[..] else {
            panic!("two operations")
        };
        assert_eq!((put.f, put.key), ("write", Some(&"a b".into())));
        assert_eq!(put.input, &"x 0 0 y".into());
        assert_eq!((get.f, get.output), ("read", &"".into()));
    }
}
