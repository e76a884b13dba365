use proptest::prelude::*;

use super::*;
use crate::{FaultOutcome, FaultPhase, Outcome};

fn read_text(text: &str) -> Result<History, String> {
    (FORMAT.read)(&mut text.as_bytes(), &Options::default()).map_err(|error| error.to_string())
}

fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<i64>().prop_map(Value::Int),
        any::<String>().prop_map(Value::Str)
    ];
    leaf.prop_recursive(3, 12, 4, |inner| {
        prop::collection::vec(inner, 0..4).prop_map(Value::List)
    })
}

fn written(events: &[Event]) -> Vec<u8> {
    let mut text = Vec::new();
    for event in events {
        write(&mut text, event).unwrap();
    }
    text
}

proptest! {
    #[test]
    fn what_is_written_is_read_back(
        (input, output, key, observed) in (value(), value(), value(), prop::option::of(value())),
        (f, node, error) in (any::<String>(), prop::option::of(any::<String>()), prop::option::of(any::<String>())),
        (process, time) in (0..=i64::MAX as u64, 0..=i64::MAX as u64),
        kind in prop_oneof![Just(EventType::Ok), Just(EventType::Fail), Just(EventType::Info)],
    ) {
        let invocation = OpEvent {
            index: 0, time, process, kind: EventType::Invoke, f,
            key: Some(key).filter(|key| !key.is_null()), value: input,
            observed: None, node: None, error: None,
        };
        let completion = OpEvent { index: 1, kind, value: output, observed, node, error, ..invocation.clone() };
        let events = [Event::Op(invocation), Event::Op(completion)];
        let text = written(&events);
        prop_assert_eq!(text.iter().filter(|&&byte| byte == b'\n').count(), 2);
        let read = (FORMAT.read)(&mut &text[..], &Options::default()).unwrap();
        prop_assert_eq!(read, History::from_events(events).unwrap());
    }

    #[test]
    fn escapes_of_any_kind_are_read(text in any::<String>()) {
        let escaped: String = text.encode_utf16().map(|unit| format!("\\u{unit:04x}")).collect();
        let line = format!("{{:process 0, :type :invoke, :f :write, :value \"{escaped}\"}}");
        let read = read_text(&line).unwrap();
        prop_assert_eq!(read.operation(0).input, &Value::Str(text));
    }
}

#[test]
fn our_faults_are_read_back() {
    let fault = Event::Fault(FaultEvent {
        index: 2,
        time: 9,
        f: "clock-skew".into(),
        value: FaultValue {
            id: 1,
            phase: FaultPhase::Injected,
            outcome: Some(FaultOutcome::Took),
            what: "isolate the \"leader\"".into(),
            started: 8,
            nodes: vec!["n1".into()],
            roles: [("n1".to_owned(), "leader".to_owned())].into(),
            links: vec!["n1>n2".into()],
            evidence: "2 of 2 probes were lost".into(),
        },
    });
    let text = String::from_utf8(written(std::slice::from_ref(&fault))).unwrap();
    assert!(text.starts_with("{:index 2, :time 9, :type :info, :process :nemesis, :f :clock-skew, :value {"));
    assert_eq!(read_text(&text).unwrap(), History::from_events([fault]).unwrap());
}

#[test]
fn maps_alone_in_a_list_and_tagged_are_the_same_history() {
    let lines = [
        "{:type :invoke, :f :read, :value nil, :process 0, :time 123, :index 4}",
        "{:type :info, :f :start, :value {\"n1\" #{\"n2\"}, 1.5 #inst \"2020\"}, :process :nemesis}",
        "{:type :ok, :f \"read\" :value 3N :process 0 :time 140 :ext [#object[a.b 0x1f \"c\"] \\a \\é \\newline ##Inf 1/2] :error nil}",
    ];
    let expected = read_text(&lines.join("\n")).unwrap();
    assert_eq!(expected.len(), 1);
    assert_eq!(expected.events(), 3);
    let operation = expected.operation(0);
    assert_eq!(
        (operation.outcome, operation.output, operation.invoked.time),
        (Outcome::Ok, &Value::Int(3), 123)
    );
    for text in [
        format!("; a comment\n[{}] ; another", lines.join(",\n")),
        format!("({})", lines.join("\n;; 7 [\n")),
        lines.map(|line| format!("#jepsen.history.Op{line}")).join(" "),
        format!(
            "#jepsen.history.DenseHistory [#_ {{:a [1 2]}} {} #_1]",
            lines.join(" ")
        ),
    ] {
        assert!(sniff(text.as_bytes()), "{text}");
        assert_eq!(read_text(&text).as_ref(), Ok(&expected), "{text}");
    }
}

#[test]
fn tuples_are_split_when_tagged_or_when_said() {
    let history = |value: &str, independent| {
        let text = format!("{{:process 0, :type :invoke, :f :cas, :value {value}}}");
        let options = Options {
            independent,
            ..Options::default()
        };
        let history = (FORMAT.read)(&mut text.as_bytes(), &options).unwrap();
        let operation = history.operation(0);
        (operation.key.cloned(), operation.input.clone())
    };
    let pair = || Value::pair(1.into(), 2.into());
    let split = (Some("x".into()), pair());
    for tag in [
        "jepsen.independent/tuple",
        "jepsen.independent.Tuple",
        "clojure.lang.MapEntry",
    ] {
        assert_eq!(history(&format!("#{tag} [:x [1 2]]"), false), split);
        assert_eq!(history(&format!("#{tag} [:x [1 2]]"), true), split);
    }
    assert_eq!(
        history("#jepsen.independent.Tuple{:key \"x\", :value [1 2]}", false),
        split
    );
    assert_eq!(history("[:x [1 2]]", true), split);
    assert_eq!(history("[1 2]", false), (None, pair()));
    assert_eq!(history("[1 2 3]", true).0, None);
    assert_eq!(
        history("#{3 1 2}", false).1,
        Value::List(vec![1.into(), 2.into(), 3.into()])
    );
}

#[test]
fn mistakes_are_told_by_line_and_column() {
    let good = "{:process 0, :type :invoke, :f :read, :value nil}";
    let check = |second: &str, expected: &str| {
        assert_eq!(
            read_text(&format!("{good}\n{second}")).unwrap_err(),
            expected,
            "{second}"
        );
    };
    check("7", "line 2, column 1: expected an operation: a map, `{...}`");
    check(
        "[\n 7]",
        "line 3, column 2: expected an operation: a map, `{...}`",
    );
    check(
        "[",
        "line 2, column 2: the sequence that began on line 2 has no end: `]` is missing",
    );
    check(
        "#a #b ]",
        "line 2, column 7: expected what the tag is about: an operation, or a list of them",
    );
    check("[[]]", "line 2, column 2: expected an operation: a map, `{...}`");
    check("(]", "line 2, column 2: expected an operation: a map, `{...}`");
    check(
        " {:type :ok}",
        "line 2, column 2: this operation has no `:process`",
    );
    check(
        "{:process -1}",
        "line 2, column 11: expected a number from 0 or a name such as :nemesis",
    );
    check(
        "{:process 0, :type :ok\n :f :read :value 1.5}",
        "line 3, column 18: a number that is not a 64-bit integer, and values are integers, strings, nil, or lists of them",
    );
    check(
        "{:process 0, :type :ok, :f :read, :value {:a 1}}",
        "line 2, column 42: a map, and values are integers, strings, nil, or lists of them",
    );
    check(
        "{:process 0, :type :done, :f :read}",
        "line 2, column 20: unknown type `done`, expected :invoke, :ok, :fail or :info",
    );
    check(
        "{:process 0, :type :ok, :f 3}",
        "line 2, column 28: expected the name of a function, such as :read",
    );
    check(
        "{:process 0, :process 0}",
        "line 2, column 14: `:process` for the second time in one operation",
    );
    check(
        "{:process 0, :type",
        "line 2, column 19: the input ends where a value was expected",
    );
    check(
        "{:process 0, :type}",
        "line 2, column 19: expected a value, and this is a closing `}`",
    );
    check(
        "{:process 0, :value [1 2}",
        "line 2, column 25: expected a value, and this is a closing `}`",
    );
    check(
        "{:process \"0",
        "line 2, column 11: this string has no end: `\"` is missing",
    );
    check(
        r#"{:process "\q"}"#,
        r#"line 2, column 12: unknown escape: expected one of \t \r \n \b \f \\ \" \uXXXX"#,
    );
    check(
        r#"{:process "\ud800x"}"#,
        r#"line 2, column 12: unknown escape: expected one of \t \r \n \b \f \\ \" \uXXXX"#,
    );
    check(r"{:process \nul}", r"line 2, column 11: unknown character `\nul`");
    check(
        "{:process 5, :type :ok, :f :read}",
        "line 2, column 1: process 5 completes `read`, which it had not invoked",
    );
    check(
        "{:error {:a}, :process 0}",
        "line 2, column 9: the last key of this map has no value",
    );
}

#[test]
fn what_was_cut_short_is_dropped_only_when_asked() {
    let torn = "[{:process 0, :type :invoke, :f :read}\n {:process 0, :ty";
    let cut_short = Options {
        cut_short: true,
        ..Options::default()
    };
    assert_eq!((FORMAT.read)(&mut torn.as_bytes(), &cut_short).unwrap().len(), 1);
    assert!(read_text(torn).is_err());
    let wrong = "{:process 0, :type :invoke, :f :read}\n{:process 0, :type 3}\n{:process 0}";
    assert!((FORMAT.read)(&mut wrong.as_bytes(), &cut_short).is_err());
}
