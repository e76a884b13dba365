//! What happened in a run, as text and as a picture.

use std::collections::BTreeMap;

use partita_reports::sequence::{Arrow, Diagram, Mark, MarkKind, State, StateKind};
use partita_simulator::{Happened, Recorded, TraceEvent};

/// How many arrows a picture has at most: those before its end, which is where the violation is.
const ARROWS_MAX: usize = 90;

/// One line an event.
pub(super) fn text(events: &[TraceEvent]) -> String {
    events.iter().map(|event| format!("{event}\n")).collect()
}

/// The end of a run.
pub(super) fn diagram(protocol: &str, recorded: &Recorded) -> Diagram {
    let mut gathered = Gathered::default();
    for event in &recorded.events {
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
    let end = recorded.events.last().map_or(0, |event| event.time_us);
    let violated = recorded.report.violation.as_ref();
    let title = violated.map_or("nothing was violated".to_owned(), |violation| {
        format!("{}: {}", violation.property, violation.what)
    });
    Diagram {
        title: format!("{protocol}, seed {}: {title}", recorded.report.seed),
        lanes,
        arrows,
        marks,
        states,
        from_us,
        to_us: end,
    }
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
                        label: text.clone(),
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
            Happened::FaultBegan(fault) => (MarkKind::Fault, fault.clone()),
            Happened::FaultEnded(fault) => (MarkKind::Fault, format!("over: {fault}")),
            Happened::Healed => (MarkKind::Fault, "all faults are over".to_owned()),
            Happened::Synced { write } => (MarkKind::Disk, format!("synced {write}")),
            Happened::Restored { index } => (MarkKind::Disk, format!("snapshot {index}")),
            Happened::Applied { index } => (MarkKind::Applied, index.to_string()),
            Happened::Violated { property, text } => (MarkKind::Violation, format!("{property}: {text}")),
            Happened::Lost { .. }
            | Happened::Wrote { .. }
            | Happened::Compacted { .. }
            | Happened::Asked { .. }
            | Happened::Ended { .. } => return,
        };
        let (kind, text) = mark;
        self.marks.push(Mark {
            lane,
            time_us,
            kind,
            text,
        });
    }
}
