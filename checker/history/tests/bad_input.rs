//! What is no history, or a bad one: refused in words that say where, and what was expected; or read, if no harm is
//! in it.

mod support;

use partita_history::format::{self, Options};
use partita_history::{History, Outcome, Value};

use support::gzip;

fn read(bytes: &[u8]) -> Result<History, String> {
    format::read(bytes, None, &Options::default()).map_err(|error| error.to_string())
}

fn refusal(bytes: &[u8]) -> String {
    read(bytes).expect_err(&String::from_utf8_lossy(bytes))
}

const INVOKED: &str = r#"{"process":0,"type":"invoke","f":"write","value":1}"#;
const EDN_INVOKED: &str = "{:process 0, :type :invoke, :f :write, :value 1}";

#[test]
fn mistakes_are_told_by_place_and_expectation() {
    let json = |second: &str| refusal(format!("{INVOKED}\n{second}\n").as_bytes());
    let edn = |second: &str| refusal(format!("{EDN_INVOKED}\n{second}\n").as_bytes());
    let cases = [
        (json("{"), "line 2, column 1: EOF while parsing an object"),
        (json("hello"), "line 2, column 1: expected value"),
        (
            json("[1]"),
            "line 2: invalid type: sequence, expected an operation: an object, `{...}`",
        ),
        (
            json("7 {}"),
            "line 2, column 1: invalid type: integer `7`, expected an operation: an object, `{...}`",
        ),
        (
            json(&format!("{INVOKED}{INVOKED}")),
            "line 2, column 52: trailing characters",
        ),
        (
            json(r#"{"process":-1,"type":"ok","f":"write"}"#),
            "line 2, column 13: invalid type: integer `-1`, expected the number of a process, from 0, or a name such as \"nemesis\"",
        ),
        (
            json(r#"{"process":0,"type":7,"f":"write"}"#),
            "line 2, column 21: invalid type: integer `7`, expected a string: invoke, ok, fail, info or fault",
        ),
        (
            json(r#"{"process":0,"type":"fault","f":"write"}"#),
            "line 2: a fault of a client: `process` is expected to be a name such as \"nemesis\"",
        ),
        (
            json(r#"{"process":0,"type":"ok","f":"write","f":"read"}"#),
            "line 2, column 40: duplicate field `f`",
        ),
        (
            json(r#"{"process":0,"type":"ok","f":"write","value":[1,{"a":2}]}"#),
            "line 2, column 49: invalid type: map, expected an integer, a string, null, or a list of them",
        ),
        (
            json(r#"{"process":0,"type":"ok","f":"write","key":true}"#),
            "line 2, column 47: invalid type: boolean `true`, expected an integer, a string, null, or a list of them",
        ),
        (
            json(r#"{"process":0,"type":"ok","f":"write","value":9223372036854775808}"#),
            "line 2, column 64: invalid value: integer `9223372036854775808`, expected a 64-bit signed integer",
        ),
        (
            json("{\"process\":0,\"type\":\"ok\",\"f\":\"\0\"}"),
            "line 2, column 31: control character (\\u0000-\\u001F) found while parsing a string",
        ),
        (
            edn("{:process 0, :type :ok, :f :write"),
            "line 3, column 1: the input ends where a value was expected",
        ),
        (
            edn("{:process 0, :type :ok, :f :write, :value {:a 1}}"),
            "line 2, column 43: a map, and values are integers, strings, nil, or lists of them",
        ),
        (
            edn("{:process 0, :type :ok, :value 1}"),
            "line 2, column 1: this operation has no `:f`",
        ),
        (
            edn("hello"),
            "line 2, column 1: expected an operation: a map, `{...}`",
        ),
    ];
    let wrong: Vec<_> = cases
        .iter()
        .filter(|(found, expected)| found != expected)
        .collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn indexes_increase_where_there_are_any() {
    let line = |index: &str, process| {
        format!("{{{index}\"process\":{process},\"type\":\"invoke\",\"f\":\"read\"}}\n")
    };
    let lines = |indexes: &[&str]| {
        (0..)
            .zip(indexes)
            .map(|(process, index)| line(index, process))
            .collect::<String>()
    };
    for good in [
        &["\"index\":0,", "\"index\":1,", "\"index\":7,"][..],
        &["", "\"index\":null,", ""],
        &["\"index\":5,", "", "\"index\":6,"],
    ] {
        assert_eq!(read(lines(good).as_bytes()).unwrap().len(), 3, "{good:?}");
    }
    let doubled = "index 4 for the second time: each event has its own, and they increase";
    let sorted = "index 3 comes after index 4: events are expected in the order in which they happened";
    assert_eq!(
        refusal(lines(&["\"index\":4,", "\"index\":4,"]).as_bytes()),
        format!("line 2: {doubled}")
    );
    assert_eq!(
        refusal(lines(&["\"index\":4,", "", "\"index\":3,"]).as_bytes()),
        format!("line 3: {sorted}")
    );
    let edn = |index| format!("{{:index {index}, :process {index}, :type :invoke, :f :read}}\n");
    assert_eq!(
        refusal((edn(4) + "\n" + &edn(3)).as_bytes()),
        format!("line 3, column 1: {sorted}")
    );
    let array = format!("[{},\n{}]", line("\"index\":4,", 0), line("\"index\":4,", 1));
    assert_eq!(refusal(array.as_bytes()), format!("line 3, column 1: {doubled}"));
}

#[test]
fn bytes_that_are_no_text_are_refused() {
    let not_utf8 = b"{\"process\":0,\"type\":\"invoke\",\"f\":\"a\xffb\"}";
    assert_eq!(refusal(not_utf8), "line 1, column 36: invalid unicode code point");
    let not_utf8 = b"{:process 0, :type :invoke, :f \"a\xffb\"}";
    assert_eq!(refusal(not_utf8), "line 1, column 32: not UTF-8");
    let utf16: Vec<u8> = "\u{feff}{\"process\""
        .encode_utf16()
        .flat_map(u16::to_le_bytes)
        .collect();
    assert_eq!(refusal(&utf16), "line 1: is UTF-16, and histories are UTF-8");
    assert_eq!(
        refusal(b"\xfd7zXZ\0\0"),
        "line 1: is compressed with xz: of compressed files, only gzip and zstd are read"
    );
    assert!(refusal(&[0x1f, 0x8b, 9, 0, 0]).contains("can't be read"));
    for nothing in [&b"\0\0\0\0"[..], b"\x7fELF\x02", b"<html>", b"x"] {
        assert!(refusal(nothing).contains("does not look like a history"));
    }
}

#[test]
fn marks_and_line_ends_of_other_systems_do_no_harm() {
    for text in [
        format!("{INVOKED}\n"),
        format!("[{INVOKED}\n]"),
        format!("{EDN_INVOKED}\n"),
        "0 :invoke :write 1\n".to_owned(),
        "INFO  jepsen.util - 0 :invoke :write 1\n".to_owned(),
    ] {
        let expected = read(text.as_bytes()).unwrap();
        assert_eq!(expected.len(), 1);
        let windows = text.replace('\n', "\r\n");
        let marked = format!("\u{feff}{windows}");
        let zstd = zstd::encode_all(marked.as_bytes(), 3).unwrap();
        for other in [
            windows.as_bytes(),
            marked.as_bytes(),
            &zstd,
            &gzip(marked.as_bytes()),
        ] {
            assert_eq!(read(other).as_ref(), Ok(&expected), "{other:?}");
        }
    }
}

#[test]
fn nothing_is_an_empty_history_and_crashes_are_unknown() {
    for nothing in ["", "\n\n", "\u{feff}", "[]", "()"] {
        assert!(read(nothing.as_bytes()).unwrap().is_empty(), "{nothing:?}");
    }
    let crashes: String = (0..1000)
        .map(|process| INVOKED.replace("\"process\":0", &format!("\"process\":{process}")) + "\n")
        .collect();
    let history = read(crashes.as_bytes()).unwrap();
    assert_eq!(history.len(), 1000);
    assert!(
        history
            .operations()
            .all(|it| it.outcome == Outcome::Info && it.completed.is_none())
    );
}

/// What decompresses to much, but to nothing that is kept, takes time and no memory; and a window of more than 128 MiB
/// is refused.
#[test]
fn compressed_emptiness_is_read_through() {
    let blank = vec![b'\n'; 32 << 20];
    for bomb in [zstd::encode_all(&blank[..], 3).unwrap(), gzip(&blank)] {
        assert!(bomb.len() < 256 << 10);
        assert!(read(&bomb).unwrap().is_empty());
    }
    // A frame header that asks for a window of 2 GiB.
    let wide = [0x28, 0xb5, 0x2f, 0xfd, 0x00, 21 << 3, 0x01, 0x00, 0x00];
    assert!(refusal(&wide).contains("can't be read"));
}

/// The form of elle-cli's histories: transactions, and often no function.
#[test]
fn elles_transactions_are_values() {
    let edn = concat!(
        "{:index 0 :process 1 :type :invoke  :value [[:append 253 1] [:append 255 2]]}\n",
        "{:index 1 :process 1 :type :ok      :value [[:append 253 1] [:append 255 2]]}\n",
        "{:index 2 :process 1 :type :invoke, :f :txn, :value [[:r 253 nil] [:w :x 7]]}\n",
        "{:index 3 :process 1 :type :ok,     :f :txn, :value [[:r 253 [1 3 4]] [:w :x 7]]}\n",
    );
    let json = concat!(
        r#"[{"index":0,"process":1,"type":"invoke","value":[["append",253,1],["append",255,2]]},"#,
        "\n",
        r#"{"index":1,"process":1,"type":"ok","value":[["append",253,1],["append",255,2]]},"#,
        "\n",
        r#"{"index":2,"process":1,"type":"invoke","f":"txn","value":[["r",253,null],["w","x",7]]},"#,
        "\n",
        r#"{"index":3,"process":1,"type":"ok","f":"txn","value":[["r",253,[1,3,4]],["w","x",7]]}]"#,
        "\n",
    );
    let history = read(edn.as_bytes()).unwrap();
    assert_eq!(read(json.as_bytes()).as_ref(), Ok(&history));
    let lines = json
        .trim_start_matches('[')
        .replace("},\n", "}\n")
        .replace("}]", "}");
    assert_eq!(read(lines.as_bytes()).as_ref(), Ok(&history));
    let list = |items: &[Value]| Value::List(items.to_vec());
    let [first, second] = [history.operation(0), history.operation(1)];
    assert_eq!((first.f, second.f), ("txn", "txn"));
    assert_eq!(
        first.input,
        &list(&[
            list(&["append".into(), 253.into(), 1.into()]),
            list(&["append".into(), 255.into(), 2.into()]),
        ])
    );
    assert_eq!(
        second.output,
        &list(&[
            list(&["r".into(), 253.into(), list(&[1.into(), 3.into(), 4.into()])]),
            list(&["w".into(), "x".into(), 7.into()]),
        ])
    );
    // A value that is none does not stand in for a function.
    for value in ["[1,2]", "7", "null", r#"[["append",1]]"#] {
        let line = format!(r#"{{"process":1,"type":"invoke","value":{value}}}"#);
        assert!(refusal(line.as_bytes()).contains("missing field `f`"), "{value}");
    }
}
