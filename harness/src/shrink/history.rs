//! The few operations of a history that contradict each other.

use partita_history::{Event, EventType, History, OpEvent, OpId, Outcome, PairingError, Value};

/// A history of these operations alone, in the order and at the times that they had.
///
/// # Errors
/// Never for operations of a history: each process does one thing at a time in a part of it, too.
pub(crate) fn only(history: &History, operations: &[OpId]) -> Result<(History, Vec<Event>), PairingError> {
    let mut events = Vec::new();
    for operation in operations.iter().filter_map(|&id| history.get(id)) {
        let event = |kind, time, value: &Value| OpEvent {
            index: 0,
            time,
            process: operation.process,
            kind,
            f: operation.f.to_owned(),
            key: operation.key.cloned(),
            value: value.clone(),
            observed: None,
            node: operation.node.map(str::to_owned),
            error: None,
        };
        let invoked = operation.invoked;
        events.push((
            invoked.position,
            event(EventType::Invoke, invoked.time, operation.input),
        ));
        if let Some(completed) = operation.completed {
            let kind = match operation.outcome {
                Outcome::Ok => EventType::Ok,
                Outcome::Fail => EventType::Fail,
                Outcome::Info => EventType::Info,
            };
            let mut event = event(kind, completed.time, operation.output);
            event.observed = operation.observed.cloned();
            event.error = operation.error.map(str::to_owned);
            events.push((completed.position, event));
        }
    }
    events.sort_by_key(|(position, _)| *position);
    let events: Vec<Event> = (0..)
        .zip(events)
        .map(|(index, (_, event))| Event::Op(OpEvent { index, ..event }))
        .collect();
    Ok((History::from_events(events.iter().cloned())?, events))
}
