//! All formats, on recorded histories and on what is not one.

mod support;

use std::io::{BufRead, BufReader, Read, repeat};
use std::path::{Path, PathBuf};

use partita_history::format::{self, ALL, Format, LINE_BYTES_MAX, Options, detect, edn, find};
use partita_history::{Event, EventType, History, Moment, OpEvent, Operation, Outcome, Value, jsonl};
use proptest::prelude::*;
use support::gzip;

/// Where the public corpora are: beside the clone, or where `PARTITA_CORPORA` says.
fn corpora() -> Option<PathBuf> {
    let named = std::env::var_os("PARTITA_CORPORA").map(PathBuf::from);
    let beside = Path::new(env!("CARGO_MANIFEST_DIR"))
        .ancestors()
        .map(|ancestor| ancestor.join("shared/corpora"));
    named
        .into_iter()
        .chain(beside)
        .find(|path| path.join("verdicts.tsv").is_file())
}

/// What must be the same in all forms of a history: not the times, and not how an error is worded.
fn essence(history: &History) -> Vec<Operation<'_>> {
    let timeless = |moment| Moment { time: 0, ..moment };
    history
        .operations()
        .map(|operation| Operation {
            invoked: timeless(operation.invoked),
            completed: operation.completed.map(timeless),
            error: operation.error.map(|_| "an error"),
            ..operation
        })
        .collect()
}

/// The events that a history came from, but for those that are not of clients.
fn events(history: &History) -> Vec<Event> {
    let mut events = Vec::new();
    for operation in history.operations() {
        let event = |kind, moment: Moment, value: &Value| OpEvent {
            index: u64::from(moment.position),
            time: moment.time,
            process: operation.process,
            kind,
            f: operation.f.to_owned(),
            key: operation.key.cloned(),
            value: value.clone(),
            observed: None,
            node: None,
            error: None,
        };
        events.push(event(EventType::Invoke, operation.invoked, operation.input));
        if let Some(completed) = operation.completed {
            let kind = match operation.outcome {
                Outcome::Ok => EventType::Ok,
                Outcome::Fail => EventType::Fail,
                Outcome::Info => EventType::Info,
            };
            events.push(OpEvent {
                error: operation.error.map(str::to_owned),
                ..event(kind, completed, operation.output)
            });
        }
    }
    events.sort_by_key(|event| event.index);
    events.into_iter().map(Event::Op).collect()
}

#[test]
#[expect(clippy::print_stderr, reason = "a skipped test must say so")]
fn every_form_of_a_recorded_history_is_the_same_history() {
    let Some(corpora) = corpora() else {
        eprintln!("SKIPPED: no shared/corpora beside the clone, and PARTITA_CORPORA is not set");
        return;
    };
    let mut compared = 0;
    for folder in ["etcd", "knossos"] {
        for entry in std::fs::read_dir(corpora.join(folder)).unwrap() {
            let path = entry.unwrap().path();
            let expected_format = match path.extension().and_then(|extension| extension.to_str()) {
                Some("edn") => "edn",
                Some("log") => "porcupine-etcd",
                _ => continue,
            };
            let shown = path.display();
            let original = std::fs::read(&path).unwrap();
            assert_eq!(detect(&original).unwrap().name, expected_format, "{shown}");
            let read = |input: &[u8], format| {
                format::read(input, format, &Options::default())
                    .unwrap_or_else(|error| panic!("{shown}: {error}"))
            };
            let ours = std::fs::read(path.with_extension("jsonl")).unwrap();
            assert_eq!(detect(&ours).unwrap().name, "jsonl", "{shown}");
            let expected = read(&ours, None);
            let found = read(&original, None);
            assert_eq!(essence(&found), essence(&expected), "{shown}");
            let compressed = zstd::encode_all(&original[..], 3).unwrap();
            assert_eq!(essence(&read(&compressed, None)), essence(&expected), "{shown}");
            assert_eq!(
                essence(&read(&gzip(&original), None)),
                essence(&expected),
                "{shown}"
            );
            let named = read(&compressed, find(expected_format));
            assert_eq!(essence(&named), essence(&expected), "{shown}");

            // A log's lines, but for what the logger put before them, are a `history.txt`.
            if expected_format == "porcupine-etcd" {
                let text = String::from_utf8(original).unwrap();
                let text = text.replace("INFO  jepsen.util - ", "");
                assert_eq!(detect(text.as_bytes()).unwrap().name, "jepsen-txt", "{shown}");
                assert_eq!(
                    essence(&read(text.as_bytes(), None)),
                    essence(&expected),
                    "{shown}"
                );
            }

            // Written as EDN, and read again.
            let events = events(&expected);
            let mut written = Vec::new();
            for event in &events {
                edn::write(&mut written, event).unwrap();
            }
            assert_eq!(
                read(&written, None),
                History::from_events(events).unwrap(),
                "{shown}"
            );
            compared += 1;
        }
    }
    assert!(compared >= 110, "only {compared} histories");
}

#[test]
#[expect(clippy::print_stderr, reason = "a skipped test must say so")]
fn key_value_logs_in_porcupines_form_are_the_same_history() {
    let Some(corpora) = corpora() else {
        eprintln!("SKIPPED: no shared/corpora beside the clone, and PARTITA_CORPORA is not set");
        return;
    };
    for name in ["c01-ok", "c01-bad", "c10-ok", "c10-bad"] {
        let ours = std::fs::read(corpora.join(format!("kv/kv-{name}.jsonl"))).unwrap();
        let ours = jsonl::read(&ours[..], false).unwrap();
        let mut lines = String::new();
        for event in events(&ours) {
            let Event::Op(event) = event else {
                continue;
            };
            let f = match event.f.as_str() {
                "read" => "get",
                "write" => "put",
                other => other,
            };
            let value = match &event.value {
                Value::Null => "nil".to_owned(),
                other => format!("\"{other}\""),
            };
            let kind = serde_json::to_value(event.kind).unwrap();
            lines.push_str(&format!(
                "{{:process {}, :type :{}, :f :{f}, :key \"{}\", :value {value}}}\n",
                event.process,
                kind.as_str().unwrap(),
                event.key.unwrap(),
            ));
        }
        assert_eq!(detect(lines.as_bytes()).unwrap().name, "porcupine-kv");
        let read = format::read(lines.as_bytes(), None, &Options::default()).unwrap();
        assert_eq!(essence(&read), essence(&ours), "{name}");
    }
}

const LINE: &str = r#"{"process":0,"type":"invoke","f":"read","value":null}"#;

#[test]
fn formats_are_found_by_looking() {
    for (text, expected) in [
        ("", Some("jsonl")),
        (" \n\t\n", Some("jsonl")),
        (LINE, Some("jsonl")),
        (" {\n \"index\": 3", Some("jsonl")),
        ("[ {\"process\"", Some("jepsen-json")),
        ("[]", Some("edn")),
        ("; a comment\n{:type :ok", Some("edn")),
        ("({:type :ok", Some("edn")),
        ("#jepsen.history.Op{:index 0", Some("edn")),
        ("{:process 0, :type :invoke, :f :read, :value nil}", Some("edn")),
        (
            "{:process 12, :type :invoke, :f :put, :key \"0\", :value \"x\"}",
            Some("porcupine-kv"),
        ),
        (
            "INFO  jepsen.util - 4\t:invoke\t:read\tnil\n",
            Some("porcupine-etcd"),
        ),
        ("4\t:invoke\t:read\tnil\n", Some("jepsen-txt")),
        (":nemesis\t:info\t:start\tnil\n", Some("jepsen-txt")),
        ("hello", None),
        ("<html>", None),
        ("7", None),
        ("\0\0", None),
    ] {
        assert_eq!(
            detect(text.as_bytes()).map(|format| format.name),
            expected,
            "{text:?}"
        );
    }
    let error = format::read(&b"hello"[..], None, &Options::default()).unwrap_err();
    assert!(
        error
            .to_string()
            .contains("jsonl, jepsen-json, porcupine-kv, edn"),
        "{error}"
    );
    for format in ALL {
        assert_eq!(find(format.name).unwrap().summary, format.summary);
    }
    assert!(find("abacus").is_none());
}

fn refusal(input: impl BufRead, format: &Format) -> String {
    format::read(input, Some(format), &Options::default())
        .map(|history| format!("{}: read {} operations", format.name, history.len()))
        .unwrap_err()
        .to_string()
}

#[test]
fn deep_nesting_is_refused() {
    const DEEP: usize = 100_000;
    for bracket in [
        "[",
        "(",
        "{",
        "#{",
        "#a ",
        "#_",
        "{:process ",
        "{\"a\":",
        "[{\"value\":",
    ] {
        for prefix in [
            "",
            "{:value ",
            "{\"process\":0,\"type\":\"ok\",\"f\":\"read\",\"value\":",
            "INFO  jepsen.util - 4 :ok :read ",
            "4 :ok :read ",
        ] {
            let text = format!("{prefix}{}", bracket.repeat(DEEP));
            for format in ALL {
                refusal(text.as_bytes(), format);
            }
        }
    }
    let closed = |open: &str, close: &str| format!("{}{}", open.repeat(DEEP), close.repeat(DEEP));
    let json = format!(
        "{{\"process\":0,\"type\":\"invoke\",\"f\":\"write\",\"value\":{}}}",
        closed("[", "]")
    );
    assert!(refusal(json.as_bytes(), find("jsonl").unwrap()).contains("recursion limit"));
    let array = format!("[{json}]");
    assert!(refusal(array.as_bytes(), find("jepsen-json").unwrap()).contains("recursion limit"));
    let value = closed("[", "]");
    let edn = format!("{{:process 0, :type :invoke, :f :write, :value {value}}}");
    assert_eq!(
        refusal(edn.as_bytes(), find("edn").unwrap()),
        "line 1, column 146: nested deeper than 100"
    );
    let log = format!("4 :invoke :write {value}");
    assert_eq!(
        refusal(log.as_bytes(), find("jepsen-txt").unwrap()),
        "line 1, column 118: nested deeper than 100"
    );
}

#[test]
fn lines_of_any_length_are_refused_without_being_held() {
    const LONG: u64 = 100 << 20;
    let long = |begin: &'static str, byte| BufReader::new(begin.as_bytes().chain(repeat(byte).take(LONG)));
    for (format, begin) in [
        ("jsonl", "{\"process\":0,\"type\":\"invoke\",\"f\":\""),
        ("jepsen-json", "[{\"process\":0,\"type\":\"invoke\",\"f\":\""),
        ("porcupine-kv", "{:process 0, :type :invoke, :f :put, :key \""),
        ("edn", "[{:process 0, :type :invoke, :f :write, :value \""),
        ("porcupine-etcd", "INFO  jepsen.util - 4 :invoke :write \""),
        ("jepsen-txt", "4 :invoke :write \""),
    ] {
        for byte in [b'a', b' ', b'['] {
            let error = format::read(long(begin, byte), None, &Options::default()).unwrap_err();
            let expected = format!("longer than {LINE_BYTES_MAX} bytes");
            assert!(error.to_string().contains(&expected), "{format}: {error}");
            let error = refusal(long(begin, byte), find(format).unwrap());
            assert!(error.contains(&expected), "{format}: {error}");
        }
    }
    // Between operations of EDN and of a JSON array, a line may be as long as it likes.
    for (begin, byte) in [("[", b' '), ("[", b','), (";", b';')] {
        let history = format::read(
            long(begin, byte).chain(if begin == ";" { &b"\n"[..] } else { b"]" }),
            find("edn"),
            &Options::default(),
        );
        assert_eq!(history.unwrap(), History::default());
    }
}

#[test]
fn compressed_input_is_refused_where_it_breaks() {
    let text: String = (0..20_000)
        .map(|process| {
            format!(
                "{{:process {process}, :type :invoke, :f :write, :value {}}}\n",
                process * 7919
            )
        })
        .collect();
    let read = |bytes: &[u8]| format::read(bytes, None, &Options::default());
    let whole = read(text.as_bytes()).unwrap();
    assert_eq!(whole.len(), 20_000);
    let zstd = |bytes: &[u8]| zstd::encode_all(bytes, 3).unwrap();
    for compress in [&zstd as &dyn Fn(&[u8]) -> Vec<u8>, &gzip] {
        let compressed = compress(text.as_bytes());
        assert_eq!(read(&compressed).unwrap(), whole);
        // Two frames, or members, one after the other, are one file.
        let (first, second) = text.split_at(text.find("{:process 7,").unwrap());
        let two = [compress(first.as_bytes()), compress(second.as_bytes())].concat();
        assert_eq!(read(&two).unwrap(), whole);
        for cut in [5, compressed.len() / 2, compressed.len() - 1] {
            let error = read(&compressed[..cut]).unwrap_err();
            assert!(error.message.contains("can't be read"), "{error}");
        }
        // What decompresses to 40 MB on one line is not held either.
        let mut long = LINE.as_bytes().to_vec();
        long.resize(40 << 20, b'a');
        let error = read(&compress(&long)).unwrap_err();
        assert!(error.message.contains("longer than"), "{error}");
    }
}

#[test]
fn independent_tuples_are_split_in_every_format() {
    let options = Options {
        independent: true,
        ..Options::default()
    };
    for text in [
        r#"{"process":0,"type":"invoke","f":"cas","value":["x",[1,2]]}"#,
        r#"[{"process":0,"type":"invoke","f":"cas","value":["x",[1,2]]}]"#,
        "{:process 0, :type :invoke, :f :cas, :value [\"x\" [1 2]]}",
        "INFO  jepsen.util - 0 :invoke :cas [\"x\" [1 2]]",
        "0 :invoke :cas [\"x\" [1 2]]",
    ] {
        let history = format::read(text.as_bytes(), None, &options).unwrap();
        let operation = history.operation(0);
        assert_eq!(operation.key, Some(&"x".into()), "{text}");
        assert_eq!(operation.input.to_string(), "[1, 2]", "{text}");
    }
}

/// Text that is nearly a history: pieces of all formats in any order.
fn pieces() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop::sample::select(vec![
        "{",
        "}",
        "[",
        "]",
        "(",
        ")",
        "#",
        "#_",
        "#{",
        "##",
        "\"",
        "\\",
        ";",
        ",",
        " ",
        "\n",
        "\t",
        ":",
        "-",
        "'",
        "\\u",
        "d800",
        "\\ud8",
        "nil",
        "true",
        "7",
        "-3",
        "9223372036854775808",
        "1.5",
        "é",
        "\u{1F600}",
        "\u{feff}",
        "{:process 0",
        ":process",
        ":type :invoke",
        ":type :ok",
        ":f :read",
        ":value nil",
        ":value",
        ":key \"0\"",
        ", :type :invoke, :f :put, :key \"",
        "#jepsen.independent/tuple [1 2]",
        "#jepsen.history.Op{",
        "{\"process\":0",
        "\"type\":\"invoke\"",
        "\"f\":\"read\"",
        "\"value\":",
        "null",
        ":nemesis",
        "INFO  jepsen.util - ",
        "4\t",
        "4 ",
        ":invoke\t",
        ":ok ",
        ":read\t",
        ":cas ",
        "[1 2]",
        ":timed-out",
        r#"{"process":"nemesis","type":"fault","f":"kill","value":{"phase":"injected"}}"#,
    ]);
    let any = prop_oneof![
        9 => piece.prop_map(|piece| piece.as_bytes().to_vec()),
        1 => prop::collection::vec(any::<u8>(), 0..4),
    ];
    prop::collection::vec(any, 0..40).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn no_input_makes_any_reader_panic(
        text in prop_oneof![pieces(), prop::collection::vec(any::<u8>(), 0..200)],
        cut_short in any::<bool>(),
        independent in any::<bool>(),
    ) {
        let options = Options { cut_short, independent };
        let lines = text.split(|&byte| byte == b'\n').count() as u64;
        for format in ALL.iter().map(Some).chain([None]) {
            if let Err(error) = format::read(&text[..], format, &options) {
                prop_assert!((1..=lines).contains(&error.line), "{} of {lines} lines", error);
                prop_assert!(!error.message.is_empty());
            }
        }
    }

    #[test]
    fn nothing_compressed_makes_a_reader_panic(
        text in pieces(),
        at in any::<prop::sample::Index>(),
        flip in any::<u8>(),
    ) {
        for mut compressed in [zstd::encode_all(&text[..], 1).unwrap(), gzip(&text)] {
            let at = at.index(compressed.len());
            compressed[at] ^= flip;
            let _ = format::read(&compressed[..], None, &Options::default());
        }
    }

    #[test]
    fn what_our_own_writer_wrote_is_the_same_in_both_formats(
        process in 0..=i64::MAX as u64, value in any::<i64>(), f in "[a-z]{1,8}",
    ) {
        let event = Event::Op(OpEvent {
            index: 0, time: 3, process, kind: EventType::Invoke, f, key: None, value: value.into(),
            observed: None, node: Some("n1".into()), error: None,
        });
        let (mut json, mut edn_text) = (Vec::new(), Vec::new());
        jsonl::write(&mut json, &event).unwrap();
        edn::write(&mut edn_text, &event).unwrap();
        let read = |text: &[u8]| format::read(text, None, &Options::default()).unwrap();
        prop_assert_eq!(read(&json), read(&edn_text));
    }
}
