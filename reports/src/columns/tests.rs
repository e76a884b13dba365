use partita_history::{Event, EventType, OpEvent, Value};

use super::*;

/// A load as clients make it: times, keys and outcomes scattered, values counted up.
fn load(operations: u64) -> History {
    let mut history = History::default();
    let mut state = 88_172_645_463_325_252_u64;
    let mut draw = move |below: u64| {
        // Xorshift: any scatter will do, as long as it is the same every time.
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state % below
    };
    let mut time = 0;
    for i in 0..operations {
        time += draw(4_000_000);
        let (key, read, took) = (draw(20), draw(2) == 0, 200_000 + draw(3_000_000));
        let node = format!("n{}", draw(5) + 1);
        let mut push = |kind, time, value| {
            let event = OpEvent {
                index: 0,
                time,
                process: i % 10,
                kind,
                f: if read { "read" } else { "write" }.into(),
                key: Some(Value::Str(format!("r{key}"))),
                value,
                observed: None,
                node: Some(node.clone()),
                error: None,
            };
            history.push(Event::Op(event)).unwrap();
        };
        let argument = if read { Value::Null } else { Value::Int(i as i64) };
        push(EventType::Invoke, time, argument);
        let result = Value::Int(if read { i.saturating_sub(draw(40)) } else { i } as i64);
        push(EventType::Ok, time + took, result);
    }
    history
}

fn inflated(columns: &Columns, name: &str) -> Vec<u8> {
    let place = columns.meta.columns.iter().position(|&column| column == name);
    let chunk = columns.text.split(' ').nth(place.unwrap()).unwrap();
    let (first, rest) = chunk.split_once('.').unwrap();
    let inflate = |text| miniz_oxide::inflate::decompress_to_vec(&STANDARD.decode(text).unwrap()).unwrap();
    let (first, mut rest) = (inflate(first), inflate(rest).into_iter());
    if name == TEXTS {
        return first;
    }
    let mut bytes = Vec::new();
    for mut byte in first {
        bytes.push(byte);
        while byte & values::MORE > 0 {
            byte = rest.next().unwrap();
            bytes.push(byte);
        }
    }
    bytes
}

/// Reads the numbers of a column back.
fn numbers(bytes: &[u8]) -> Vec<u64> {
    let mut numbers = Vec::new();
    let (mut number, mut shift) = (0, 0);
    for &byte in bytes {
        number |= u64::from(byte & 0x7f) << shift;
        shift += 7;
        if byte & 0x80 == 0 {
            numbers.push(number);
            (number, shift) = (0, 0);
        }
    }
    numbers
}

#[test]
fn what_fits_is_kept_to_the_microsecond() {
    let history = load(3_000);
    let columns = columns(&history, &[], 1 << 20);
    assert_eq!(
        (columns.meta.kept, columns.meta.one_in, columns.meta.tick),
        (3_000, 1, 1e-6)
    );
    assert!(inflated(&columns, "id").is_empty());
    let unzigzag = |number: u64| (number >> 1) as i64 ^ -((number & 1) as i64);
    let mut begun = 0;
    let begin = numbers(&inflated(&columns, "begin"));
    for (operation, step) in history.operations().zip(&begin) {
        begun += unzigzag(*step);
        assert_eq!(begun as u64, (operation.invoked.time + 500) / 1_000);
    }
    assert_eq!(begin.len(), 3_000);
}

#[test]
fn where_not_all_fits_the_window_stays_whole() {
    let history = load(20_000);
    let window = Window {
        from: 20_000,
        to: 21_000,
    };
    let columns = columns(&history, &[window], 40_000);
    assert!(columns.meta.one_in > 1 && columns.text.len() < 45_000);
    let mut id = 0;
    let kept: Vec<usize> = numbers(&inflated(&columns, "id"))
        .into_iter()
        .map(|skipped| {
            let this = id + skipped as usize;
            id = this + 1;
            this
        })
        .collect();
    assert_eq!(kept.len(), columns.meta.kept);
    assert!((10_000..10_500).all(|id| kept.binary_search(&id).is_ok()));
    assert!(kept.len() < 15_000 && kept.contains(&0));
}

#[test]
fn a_window_is_about_the_ends_of_an_operation_and_not_about_all_between() {
    let mut history = load(2_000);
    let event = |kind| OpEvent {
        index: 0,
        time: 0,
        process: 99,
        kind,
        f: "add".into(),
        key: None,
        value: Value::Int(1),
        observed: None,
        node: None,
        error: None,
    };
    history.push(Event::Op(event(EventType::Invoke))).unwrap();
    let windows = around(&history, 5, 20);
    let kept = thin::inside(&history, &windows);
    assert!(kept[5] && kept[8] && !kept[100] && !kept[1_999]);
    assert_eq!(around(&history, 2_000, 20).len(), 1, "it never ended");
}

#[test]
fn windows_beyond_the_room_are_kept_and_nothing_else() {
    let history = load(20_000);
    let window = Window { from: 10, to: 39_000 };
    let columns = columns(&history, &[window], 40_000);
    assert!(
        (19_400..19_600).contains(&columns.meta.kept),
        "{}",
        columns.meta.kept
    );
}

#[test]
fn differences_of_the_largest_numbers_do_not_overflow() {
    let mut history = History::default();
    for (process, value) in [i64::MAX, i64::MIN, -(1 << 50), 1 << 50].into_iter().enumerate() {
        let event = OpEvent {
            index: 0,
            time: u64::MAX / 2,
            process: process as u64,
            kind: EventType::Invoke,
            f: "write".into(),
            key: None,
            value: Value::Int(value),
            observed: None,
            node: None,
            error: None,
        };
        history.push(Event::Op(event)).unwrap();
    }
    let columns = columns(&history, &[], 1 << 20);
    let texts = String::from_utf8(inflated(&columns, "texts")).unwrap();
    assert!(texts.contains("9223372036854775807") && texts.contains("-9223372036854775808"));
}
