use proptest::prelude::*;

use super::*;

/// What a reader makes of a line, in words, by the short cut or without it.
fn told(fields: &Fields) -> String {
    let process = match fields.process {
        Process::Client(process) => process,
        Process::Named => return "not a client's".to_owned(),
    };
    let Kind::Of(kind) = fields.kind else {
        return "of no type".to_owned();
    };
    let record = fields.record(
        process,
        fields.time.filter(|_| fields.seen.time).unwrap_or(0),
        kind,
    );
    let index = fields.index.filter(|_| fields.seen.index);
    format!("{index:?} {record:?} {}", fields.are_values)
}

fn json() -> impl Strategy<Value = String> {
    let leaf = prop::sample::select(vec![
        "null",
        "0",
        "7",
        "-3",
        "-0",
        "01",
        "1.5",
        "1e3",
        "999999999999999999",
        "9223372036854775807",
        "9223372036854775808",
        "-9223372036854775808",
        "\"\"",
        "\"x\"",
        "\"a b\"",
        "\"\\n\"",
        "\"é\"",
        "\"\u{7f}\"",
        "\"\t\"",
        "true",
        "{}",
        "{\"a\":1}",
        "[",
        "-",
        "",
    ]);
    leaf.prop_map(str::to_owned).prop_recursive(6, 20, 3, |inner| {
        prop::collection::vec(inner, 0..4).prop_map(|items| format!("[{}]", items.join(",")))
    })
}

fn field() -> impl Strategy<Value = String> {
    let name = prop::sample::select(vec![
        "index", "time", "process", "type", "f", "key", "value", "observed", "node", "error", "more",
    ]);
    (name, json()).prop_map(|(name, value)| format!("\"{name}\":{value}"))
}

fn line() -> impl Strategy<Value = String> {
    let kind = prop::sample::select(vec!["invoke", "ok", "fail", "info", "fault", "o\\u006b"]);
    let (space, tail) = (
        prop::sample::select(vec!["", " ", "  "]),
        prop::sample::select(vec!["", " ", "x"]),
    );
    (kind, prop::collection::vec(field(), 0..4), space, tail).prop_map(|(kind, more, space, tail)| {
        let mut fields = vec![
            "\"process\":3".to_owned(),
            format!("\"type\":\"{kind}\""),
            "\"f\":\"cas\"".to_owned(),
        ];
        fields.extend(more);
        format!("{{{}}}{tail}", fields.join(&format!("{space},{space}")))
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4000))]

    /// The short cut is never wrong, whatever was in the buffers before.
    #[test]
    fn what_the_short_cut_takes_is_what_is_there(lines in prop::collection::vec(line(), 1..4)) {
        let mut short = Fields::default();
        for line in lines {
            let taken = scan::scan(line.as_bytes(), &mut short).is_some();
            let mut long = Fields::default();
            let read = long.read(line.as_bytes());
            if taken {
                prop_assert!(read.is_ok(), "{line}: {read:?}");
                prop_assert_eq!(told(&short), told(&long), "{}", line);
            }
            // The other path, with buffers in use.
            if read.is_ok() {
                short.read(line.as_bytes()).unwrap();
                prop_assert_eq!(told(&short), told(&long), "{}", line);
            }
        }
    }
}

#[test]
fn the_short_cut_takes_what_our_recorder_writes() {
    for line in [
        r#"{"index":0,"time":1203944,"process":3,"type":"invoke","f":"cas","key":"x","value":[1,2]}"#,
        r#"{"index":1,"time":2110001,"process":3,"type":"fail","f":"cas","key":"x","value":[1,null],"observed":null,"node":"n1","error":"compare failed"}"#,
        r#"{"process": 0, "type": "ok", "f": "txn", "value": [["append", "x", -1], ["r", "y", [1, 2]], []]}"#,
    ] {
        let mut fields = Fields::default();
        assert!(scan::scan(line.as_bytes(), &mut fields).is_some(), "{line}");
    }
}
