//! The names and the stories of violations, on histories written as timelines.

use partita_history::{Event, EventType, History, OpEvent, Value};

use crate::model::{Model, Options};
use crate::verdict::{Analysis, Verdict};

use EventType::{Fail, Info, Invoke, Ok as Done};

/// One event: milliseconds, client, node, what, function, value.
type Line<'a> = (u64, u64, &'a str, EventType, &'a str, Value);

fn history(key: Option<&str>, lines: &[Line<'_>]) -> History {
    let events = lines.iter().map(|(time, process, node, kind, f, value)| {
        Event::Op(OpEvent {
            index: 0,
            time: time * 1_000_000,
            process: *process,
            kind: *kind,
            f: (*f).to_owned(),
            key: key.map(Value::from),
            value: value.clone(),
            observed: None,
            node: (!node.is_empty()).then(|| (*node).to_owned()),
            error: (*kind == Fail).then(|| "not leader".to_owned()),
        })
    });
    History::from_events(events).unwrap()
}

fn analyse(model: &str, key: Option<&str>, lines: &[Line<'_>]) -> Analysis {
    let model = Model::by_name(model).unwrap();
    crate::check(&history(key, lines), model, &Options::default(), &|| false).unwrap()
}

/// The only anomaly's name, operations and story.
fn told(model: &str, lines: &[Line<'_>]) -> (String, Vec<usize>, String) {
    let analysis = analyse(model, Some("x"), lines);
    assert_eq!(analysis.verdict, Verdict::Invalid);
    let [anomaly] = &analysis.anomalies[..] else {
        panic!("{analysis:?}")
    };
    assert!(anomaly.confirmed);
    (
        anomaly.name.clone(),
        anomaly.operations.clone(),
        anomaly.story.clone(),
    )
}

fn int(value: i64) -> Value {
    value.into()
}

/// Client 1 wrote 7 and client 4 wrote 9, both acknowledged; client 2 read 9 in between if `seen`.
fn two_writes(seen: bool) -> Vec<Line<'static>> {
    let mut lines = vec![
        (100, 1, "n1", Invoke, "write", int(7)),
        (104, 1, "n1", Done, "write", int(7)),
        (12_100, 4, "n1", Invoke, "write", int(9)),
        (12_402, 4, "n1", Done, "write", int(9)),
    ];
    if seen {
        lines.push((12_410, 2, "n2", Invoke, "read", Value::Null));
        lines.push((12_415, 2, "n2", Done, "read", int(9)));
    }
    lines
}

#[test]
fn stale_read() {
    let mut lines = two_writes(true);
    lines.push((12_781, 7, "n3", Invoke, "read", Value::Null));
    lines.push((12_783, 7, "n3", Done, "read", int(7)));
    let (name, operations, story) = told("register", &lines);
    assert_eq!((name.as_str(), &operations[..]), ("stale read", &[0, 1, 3][..]));
    assert_eq!(
        story,
        "At 12.783 s n3 answered client 7 that x = 7, but x = 9 had been acknowledged to client 4 (via n1) at 12.402 s, \
         379 ms before this read began; 7 was the older value (written by client 1 (via n1) at 0.104 s), and nothing \
         wrote it again: a stale read."
    );
    let analysis = analyse("register", Some("x"), &lines);
    let anomaly = &analysis.anomalies[0];
    assert_eq!((anomaly.culprit, anomaly.prefix_events), (3, 8));
    let edges: Vec<_> = anomaly
        .edges
        .iter()
        .map(|e| (e.before, e.after, e.why.as_str()))
        .collect();
    assert_eq!(
        edges,
        [
            (0, 1, "finished 12.00 s before the other began"),
            (1, 3, "finished 379 ms before the other began")
        ]
    );
    let [partial] = &anomaly.partials[..] else {
        panic!("{anomaly:?}")
    };
    let states: Vec<_> = partial
        .steps
        .iter()
        .map(|s| (s.operation, s.state.as_str()))
        .collect();
    assert_eq!(states, [(0, "x = 7"), (1, "x = 9")]);
    assert_eq!(
        (partial.stuck[0].operation, partial.stuck[0].why.as_str()),
        (3, "x = 9, but it saw 7")
    );
    assert_eq!(
        analysis.reason,
        "The operations on key x are not linearizable (stale read)."
    );
    assert_eq!(analysis.keys[0].verified_events, 7);
}

#[test]
fn lost_write_by_two_readers_or_by_building_on_the_older_value() {
    let mut lines = two_writes(false);
    lines.push((12_781, 7, "n3", Invoke, "read", Value::Null));
    lines.push((12_783, 7, "n3", Done, "read", int(7)));
    assert_eq!(told("register", &lines).0, "stale read");
    lines.push((12_800, 8, "n2", Invoke, "read", Value::Null));
    lines.push((12_803, 8, "n2", Done, "read", int(7)));
    let (name, _, story) = told("register", &lines);
    assert_eq!(name, "lost write");
    assert_eq!(
        story,
        "At 12.402 s x = 9 was acknowledged to client 4 (via n1), but no operation ever saw it: at 12.783 s n3 answered \
         client 7 that x = 7, though the acknowledgement had come 379 ms before this read began; 7 was the older value \
         (written by client 1 (via n1) at 0.104 s), and nothing wrote it again. The acknowledged write was lost."
    );

    let mut lines = two_writes(false);
    lines.push((13_000, 2, "n2", Invoke, "cas", Value::pair(int(7), int(8))));
    lines.push((13_004, 2, "n2", Done, "cas", Value::pair(int(7), int(8))));
    assert_eq!(told("cas-register", &lines).0, "lost write");
}

#[test]
fn values_that_nobody_can_have_seen() {
    let read = |at, value| {
        [
            (at, 7, "n3", Invoke, "read", Value::Null),
            (at + 2, 7, "n3", Done, "read", int(value)),
        ]
    };
    let (name, operations, story) = told("register", &read(50, 7));
    assert_eq!((name.as_str(), operations), ("read from nowhere", vec![0]));
    assert_eq!(
        story,
        "At 0.052 s n3 answered client 7 that x = 7, but nobody ever wrote that value, and the initial value is null."
    );

    let mut lines = read(50, 7).to_vec();
    lines.push((60, 1, "n1", Invoke, "write", int(7)));
    lines.push((70, 1, "n1", Done, "write", int(7)));
    let (name, _, story) = told("register", &lines);
    assert_eq!(name, "read from the future");
    assert!(
        story.contains("by client 1 (via n1), began at 0.060 s, 8.0 ms after that answer"),
        "{story}"
    );

    let mut lines = vec![
        (10, 1, "n1", Invoke, "write", int(7)),
        (20, 1, "n1", Fail, "write", int(7)),
    ];
    lines.extend(read(50, 7));
    let (name, operations, story) = told("register", &lines);
    assert_eq!((name.as_str(), operations), ("read of a failed write", vec![1]));
    assert!(
        story.contains("had been reported as failed at 0.020 s (not leader)"),
        "{story}"
    );
}

#[test]
fn new_old_inversion() {
    let mut lines = two_writes(false);
    lines[3] = (19_000, 4, "n1", Info, "write", int(9));
    lines.truncate(3);
    lines.push((12_200, 5, "n2", Invoke, "read", Value::Null));
    lines.push((12_205, 5, "n2", Done, "read", int(9)));
    lines.push((12_215, 6, "n3", Invoke, "read", Value::Null));
    lines.push((12_220, 6, "n3", Done, "read", int(7)));
    lines.push((19_000, 4, "n1", Info, "write", int(9)));
    let (name, operations, story) = told("register", &lines);
    assert_eq!(
        (name.as_str(), operations),
        ("new/old inversion", vec![0, 1, 2, 3])
    );
    assert_eq!(
        story,
        "At 12.205 s n2 answered client 5 that x = 9. 10 ms after that another operation began, and at 12.220 s n3 \
         answered client 6 that x = 7: the older value came back after the newer one had been seen, and nothing can \
         have written it again."
    );
}

#[test]
fn new_old_inversion_behind_a_chain_of_compare_and_sets() {
    let cas = || Value::pair(int(7), int(8));
    let lines = [
        (10, 1, "n1", Invoke, "write", int(7)),
        (20, 1, "n1", Done, "write", int(7)),
        (30, 1, "n1", Invoke, "cas", cas()),
        (40, 1, "n1", Done, "cas", cas()),
        (50, 2, "n2", Invoke, "write", int(9)),
        (60, 3, "n2", Invoke, "read", Value::Null),
        (70, 3, "n2", Done, "read", int(9)),
        (80, 4, "n1", Invoke, "read", Value::Null),
        (90, 4, "n1", Done, "read", int(8)),
        (95, 2, "n2", Done, "write", int(9)),
    ];
    let (name, _, story) = told("cas-register", &lines);
    assert_eq!(name, "new/old inversion");
    assert!(
        story.starts_with("At 0.070 s n2 answered client 3 that x = 9."),
        "{story}"
    );
}

#[test]
fn two_compare_and_sets_from_one_value() {
    let cas = |to| Value::pair(int(7), int(to));
    let mut lines = two_writes(false);
    lines.truncate(2);
    lines.push((200, 2, "n2", Invoke, "cas", cas(1)));
    lines.push((201, 3, "n3", Invoke, "cas", cas(2)));
    lines.push((210, 2, "n2", Done, "cas", cas(1)));
    lines.push((211, 3, "n3", Done, "cas", cas(2)));
    let (name, operations, story) = told("cas-register", &lines);
    assert_eq!(
        (name.as_str(), operations),
        ("two compare-and-sets from one value", vec![0, 1, 2])
    );
    assert!(
        story.contains("which only client 1 (via n1) ever wrote"),
        "{story}"
    );
}

#[test]
fn without_times_nodes_and_keys_a_story_speaks_of_events() {
    let lines: Vec<Line<'_>> = two_writes(true)
        .into_iter()
        .chain([
            (0, 7, "", Invoke, "read", Value::Null),
            (0, 7, "", Done, "read", int(7)),
        ])
        .map(|(_, process, _, kind, f, value)| (0, process, "", kind, f, value))
        .collect();
    let analysis = analyse("register", None, &lines);
    assert_eq!(
        analysis.anomalies[0].story,
        "At event 7 client 7 read register = 7, but register = 9 had been acknowledged to client 4 at event 3, before \
         this read began; 7 was the older value (written by client 1 at event 1), and nothing wrote it again: a stale \
         read."
    );
    assert_eq!(
        analysis.anomalies[0].edges[1].why,
        "finished (event 3) before the other began (event 6)"
    );
    assert_eq!(analysis.reason, "The history is not linearizable (stale read).");
}

#[test]
fn an_append_that_does_not_show() {
    let append = |text: &str| Value::from(text);
    let lines = [
        (1, 1, "n1", Invoke, "append", append("a")),
        (2, 1, "n1", Done, "append", append("a")),
        (3, 2, "n2", Invoke, "append", append("b")),
        (4, 2, "n2", Done, "append", append("b")),
        (9, 3, "n3", Invoke, "read", Value::Null),
        (10, 3, "n3", Done, "read", "b".into()),
    ];
    let (name, _, story) = told("kv", &lines);
    assert_eq!(name, "lost write");
    assert!(
        story.contains("append \"a\" to x had been acknowledged to client 1 (via n1) at 0.002 s"),
        "{story}"
    );
}

#[test]
fn what_has_no_template_is_told_in_full() {
    let cas = |from, to| Value::pair(int(from), int(to));
    // A compare-and-set whose source was written, but only by another that could not have happened.
    let lines = [
        (1, 1, "", Invoke, "cas", cas(3, 4)),
        (2, 2, "", Invoke, "cas", cas(4, 3)),
        (5, 1, "", Done, "cas", cas(3, 4)),
        (6, 2, "", Done, "cas", cas(4, 3)),
    ];
    let (name, operations, story) = told("cas-register", &lines);
    assert_eq!((name.as_str(), operations), ("not linearizable", vec![0, 1]));
    assert!(story.starts_with("No order of these 2 operations explains what the clients saw: client 1: cas x from 3 to 4 (from 0.001 s to 0.005 s); client 2"), "{story}");
}

#[test]
fn nothing_done_is_not_a_pass_and_nonsense_is_an_error() {
    assert_eq!(analyse("register", None, &[]).verdict, Verdict::NotExercised);
    let crashed = [
        (1, 1, "", Invoke, "write", int(1)),
        (2, 1, "", Info, "write", int(1)),
    ];
    assert_eq!(analyse("register", None, &crashed).verdict, Verdict::NotExercised);

    let error = |model: &str, f, value: Value| {
        let lines = [(1, 3, "", Invoke, f, value.clone()), (2, 3, "", Done, f, value)];
        let model = Model::by_name(model).unwrap();
        crate::check(&history(None, &lines), model, &Options::default(), &|| false)
            .unwrap_err()
            .to_string()
    };
    assert_eq!(
        error("register", "cas", int(1)),
        "event 0 (`cas` by process 3): the model `register` knows read, write"
    );
    assert_eq!(
        error("cas-register", "cas", int(1)),
        "event 0 (`cas` by process 3): a cas carries a list of two values, [from, to], and not an integer"
    );
    assert_eq!(
        error("kv", "read", int(1)),
        "event 0 (`read` by process 3): the model `kv` holds strings, and this is an integer"
    );
}
