//! What happened in a run, as text and as a picture.

use std::collections::BTreeMap;

use partita_reports::sequence::{Arrow, Diagram, Mark, MarkKind, State, StateKind};
use partita_simulator::{Happened, Recorded, TraceEvent};

/// How many arrows a picture has at most: those before its end, which is where the violation is.
const ARROWS_MAX: usize = 90;

/// All up to the violation, if there is one: what follows has no bearing on it.
pub(super) fn until_violation(events: &[TraceEvent]) -> &[TraceEvent] {
    let violated = |event: &TraceEvent| matches!(event.what, Happened::Violated { .. });
    match events.iter().position(violated) {
        Some(place) => &events[..=place],
        None => events,
    }
}

/// One line an event.
pub(super) fn text(events: &[TraceEvent]) -> String {
    until_violation(events)
        .iter()
        .map(|event| format!("{event}\n"))
        .collect()
}

/// The end of a run.
pub(super) fn diagram(protocol: &str, recorded: &Recorded) -> Diagram {
    let mut gathered = Gathered::default();
    let events = until_violation(&recorded.events);
    for event in events {
        gathered.take(event);
    }
    let Gathered {
        lanes,
        mut arrows,
        mut marks,
        mut states,
        ..
    } = gathered;
    arrows.drain(..arrows.len().saturating_sub(ARROWS_MAX));
    let from_us = arrows.first().map_or(0, |arrow| arrow.sent_us);
    marks.retain(|mark| mark.time_us >= from_us);
    // Of the states before the window, the last of each lane is how it begins.
    states.sort_by_key(|state| state.from_us);
    let end = events.last().map_or(0, |event| event.time_us);
    let violated = recorded.report.violation.as_ref();
    let title = violated.map_or("nothing was violated".to_owned(), |violation| {
        format!("{}: {}", violation.property, violation.what)
    });
    Diagram {
        format: partita_reports::run::FORMAT,
        title: format!("{protocol}, seed {}: {title}", recorded.report.seed),
        lanes,
        arrows,
        marks,
        states,
        from_us,
        to_us: end,
    }
}

/// The name of what a message says, in its debug form: the first after `body`, or after the type's own.
fn word(text: &str) -> String {
    let body = text.split_once("body: ").map_or(text, |(_, body)| body);
    let mut names = body.split(|letter: char| !letter.is_alphanumeric());
    let is_name = |name: &&str| name.starts_with(char::is_uppercase) && *name != "Message";
    names.find(is_name).unwrap_or("Message").to_owned()
}

/// A debug form without the names of fields that a reader can do without, and without braces.
fn plain(text: &str) -> String {
    const LEFT_OUT: [&str; 5] = ["node: ", "one: ", "body: ", "Message ", "index: "];
    let mut plain = text.replace(" { ", " ").replace(" }", "");
    for part in LEFT_OUT {
        plain = plain.replace(part, "");
    }
    plain.replace(", other: ", " | ").replace(", one_way: false", "")
}

#[derive(Default)]
struct Gathered {
    lanes: Vec<String>,
    arrows: Vec<Arrow>,
    marks: Vec<Mark>,
    states: Vec<State>,
    /// For each message on its way, its arrow.
    on_the_way: BTreeMap<u64, usize>,
}

impl Gathered {
    fn lane(&mut self, node: &str) -> usize {
        match self.lanes.iter().position(|lane| lane == node) {
            Some(lane) => lane,
            None => {
                self.lanes.push(node.to_owned());
                self.lanes.len() - 1
            }
        }
    }

    fn take(&mut self, event: &TraceEvent) {
        let time_us = event.time_us;
        let lane = event.node.as_deref().map(|node| self.lane(node));
        let mut state = |kind| {
            if let Some(lane) = lane {
                self.states.push(State {
                    lane,
                    from_us: time_us,
                    kind,
                });
            }
        };
        let mark = match &event.what {
            Happened::Sent { message, to, text } => {
                let to = self.lane(to);
                if let Some(from) = lane {
                    self.on_the_way.insert(*message, self.arrows.len());
                    self.arrows.push(Arrow {
                        from,
                        to,
                        sent_us: time_us,
                        arrived_us: None,
                        word: word(text),
                        label: plain(text),
                    });
                }
                return;
            }
            Happened::Delivered { message, .. } => {
                if let Some(arrow) = self
                    .on_the_way
                    .get(message)
                    .and_then(|&at| self.arrows.get_mut(at))
                {
                    arrow.arrived_us.get_or_insert(time_us);
                }
                return;
            }
            Happened::Became { role, term } => {
                state(match role.as_str() {
                    "leader" => StateKind::Leads,
                    "candidate" => StateKind::Stands,
                    _ => StateKind::Follows,
                });
                (MarkKind::State, format!("{role} {term}"))
            }
            Happened::Started => {
                state(StateKind::Follows);
                (MarkKind::State, "starts".to_owned())
            }
            Happened::Crashed { .. } => {
                state(StateKind::Down);
                (MarkKind::Fault, "crashes".to_owned())
            }
            Happened::FaultBegan { fault, .. } => (MarkKind::Fault, plain(&format!("{fault:?}"))),
            Happened::FaultEnded { fault, .. } => {
                (MarkKind::Fault, format!("over: {}", plain(&format!("{fault:?}"))))
            }
            Happened::Healed => (MarkKind::Fault, "all faults are over".to_owned()),
            Happened::Synced { write } => (MarkKind::Disk, format!("synced {write}")),
            Happened::Restored { index } => (MarkKind::Disk, format!("snapshot {index}")),
            Happened::Applied { index } => (MarkKind::Applied, format!("applies {index}")),
            Happened::Violated { property, text } => (MarkKind::Violation, format!("{property}: {text}")),
            Happened::Lost { .. }
            | Happened::Wrote { .. }
            | Happened::Compacted { .. }
            | Happened::Asked { .. }
            | Happened::Ended { .. } => return,
        };
        let (kind, text) = mark;
        if let (MarkKind::Applied, Some(before)) = (kind, self.marks.last_mut())
            && (before.lane, before.time_us, before.kind) == (lane, time_us, kind)
        {
            // What is applied in one step is told as one.
            let first = before.text.split("..").next().unwrap_or_default();
            before.text = format!("{first}..{}", text.trim_start_matches("applies "));
            return;
        }
        self.marks.push(Mark {
            lane,
            time_us,
            kind,
            text,
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_forms_become_words() {
        let text =
            "Message { term: 3, body: Append { previous: Position { term: 1, index: 4 }, commit: 4 } }";
        assert_eq!(word(text), "Append");
        assert_eq!(
            plain(text),
            "term: 3, Append previous: Position term: 1, 4, commit: 4"
        );
        assert_eq!(word("Message([Prepare { key: \"w1\" }])"), "Prepare");
        assert_eq!(word("Notification { round: 1 }"), "Notification");
        let fault = "Partition { one: [n1], other: [n2, n3], one_way: false }";
        assert_eq!(plain(fault), "Partition [n1] | [n2, n3]");
    }
}
