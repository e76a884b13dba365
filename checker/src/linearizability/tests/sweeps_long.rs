//! Sweeps on histories too long for the oracle.

use partita_history::{EventType, History, Value};

use super::differential::is_linearizable;
use super::monitored;
use super::vocabulary::event;
use crate::linearizability::entry::Entry;
use crate::model::{Model, Options};
use crate::monitor::Finding;

/// A history in which one client does one thing after another.
fn one_after_another(done: &[(&'static str, Value, Value)]) -> History {
    let mut history = History::default();
    for (f, input, output) in done {
        for (kind, value) in [(EventType::Invoke, input), (EventType::Ok, output)] {
            history.push(event(0, kind, f, value.clone())).unwrap();
        }
    }
    history
}

#[test]
fn few_of_many_elements_are_judged_as_if_there_were_no_others() {
    let model = Model::by_name("set").unwrap();
    let initial: Vec<i64> = (0..200).filter(|element| element % 3 == 0).collect();
    let options = Options {
        initial: Value::List(initial.into_iter().map(Value::Int).collect()),
        ..Options::default()
    };
    let specification = (model.specification)(&options);
    let done: Vec<_> = (0..200)
        .map(|element| ("contains", element.into(), (element % 2).into()))
        .collect();
    let history = one_after_another(&done);
    let object = monitored::object(&history, model, &*specification);
    for (element, entry) in (0..).zip(&object.entries) {
        let finding = object
            .monitor
            .as_ref()
            .unwrap()
            .judge(std::slice::from_ref(entry));
        let is_right = (element % 3 == 0) == (element % 2 == 1);
        let expected = if is_right {
            Finding::Pass(vec![0])
        } else {
            Finding::Fail(vec![0])
        };
        assert_eq!(finding, expected, "{element}");
    }
}

#[test]
fn many_unknown_results_are_judged_where_they_do_not_matter() {
    let (one, model) = (Value::Int(1), Model::by_name("set").unwrap());
    let judge = |last: &[(&'static str, Value, Value)]| {
        // Adding and removing again and again, one after another, is no riddle.
        let unknown = [
            ("add", one.clone(), one.clone()),
            ("remove", one.clone(), one.clone()),
        ];
        let mut done: Vec<_> = unknown.iter().cycle().take(60).cloned().collect();
        done.extend_from_slice(last);
        let history = one_after_another(&done);
        let specification = (model.specification)(&Options::default());
        let object = monitored::object(&history, model, &*specification);
        object.monitor.as_ref().unwrap().judge(&object.entries)
    };
    assert!(matches!(judge(&[]), Finding::Pass(_)));
    // More removals than there can have been additions.
    let removed = ("remove", one.clone(), Value::pair(one.clone(), 1.into()));
    assert!(matches!(judge(&vec![removed; 40]), Finding::Fail(_)));
    let found = ("contains", one.clone(), Value::Int(1));
    assert!(matches!(judge(&[found]), Finding::NotApplicable(_)));
}

#[test]
fn of_a_long_violation_only_the_end_is_shown() {
    let model = Model::by_name("mutex").unwrap();
    let specification = (model.specification)(&Options::default());
    let mut history = History::default();
    // Each begins before the one before has ended, so that there is always something open.
    let f = |at: usize| {
        if at.is_multiple_of(2) || at == 2_001 {
            "acquire"
        } else {
            "release"
        }
    };
    for at in 0..=2_002 {
        let mut push = |at: usize, kind| {
            let event = event(at as u64 % 2, kind, f(at), Value::Null);
            history.push(event).unwrap();
        };
        if at > 1 {
            push(at - 2, EventType::Ok);
        }
        push(at, EventType::Invoke);
    }
    history
        .push(event(1, EventType::Ok, f(2_001), Value::Null))
        .unwrap();
    let object = monitored::object(&history, model, &*specification);
    let Finding::Fail(core) = object.monitor.as_ref().unwrap().judge(&object.entries) else {
        panic!("the lock was acquired twice");
    };
    let core: Vec<Entry> = core.iter().map(|&i| object.entries[i as usize]).collect();
    assert!(core.len() < 5 && !is_linearizable(&object, &core), "{core:?}");
}
