//! Message sequence diagrams, as SVG.
//!
//! Time runs downwards, but not evenly: what happens within a few microseconds is drawn apart, and a silence
//! of seconds is short. Each lane is a node, drawn by what the node is; each arrow a message, ending in a
//! cross if it was lost.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use crate::junit::escape;

/// What is to be drawn.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Diagram {
    /// What it shows.
    pub title: String,
    /// The nodes, from left to right.
    pub lanes: Vec<String>,
    /// Messages.
    pub arrows: Vec<Arrow>,
    /// What happened at one moment.
    pub marks: Vec<Mark>,
    /// What each node was, from when on: in order of time, also from before the window.
    pub states: Vec<State>,
    /// The window's begin.
    pub from_us: u64,
    /// The window's end.
    pub to_us: u64,
}

/// A message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Arrow {
    /// The sender's lane.
    pub from: usize,
    /// The receiver's.
    pub to: usize,
    /// When it was sent.
    pub sent_us: u64,
    /// When it came, if it did.
    pub arrived_us: Option<u64>,
    /// What it says.
    pub label: String,
}

/// Something that happened at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mark {
    /// At which node, if at one.
    pub lane: Option<usize>,
    /// When.
    pub time_us: u64,
    /// Of what kind.
    pub kind: MarkKind,
    /// In words.
    pub text: String,
}

/// What kind of thing happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MarkKind {
    /// A node became something else.
    State,
    /// Something on its disk.
    Disk,
    /// It applied an entry.
    Applied,
    /// Something went wrong, or was over.
    Fault,
    /// A property was violated.
    Violation,
}

/// What a node was, from a moment on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct State {
    /// Which lane.
    pub lane: usize,
    /// From when on.
    pub from_us: u64,
    /// What it was.
    pub kind: StateKind,
}

/// What a node can be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StateKind {
    /// It follows.
    Follows,
    /// It stands for election.
    Stands,
    /// It leads.
    Leads,
    /// It does not run.
    Down,
}

const LEFT: f64 = 90.0;
const LANE: f64 = 210.0;
const TOP: f64 = 70.0;
/// The least and the most that lies between two moments.
const STEP_MIN: f64 = 9.0;
const STEP_MAX: f64 = 36.0;
/// How many microseconds are drawn as one pixel, between these two.
const US_PER_PIXEL: f64 = 60.0;
/// The longest label, in characters.
const LABEL_MAX: usize = 60;

const STYLE: &str = "text{font:11px ui-monospace,monospace;fill:#222}.t{font-size:14px;font-weight:600}\
.n{font-size:13px;font-weight:600;text-anchor:middle}.u{fill:#888;font-size:10px;text-anchor:end}\
.m{stroke:#4573b0;stroke-width:1.1}.x{stroke:#c23b22;stroke-width:1.1;stroke-dasharray:4 3}\
.l{fill:#555;font-size:9px}.s{fill:#1d5d2c}.d{fill:#777;font-size:9px}.a{fill:#6a3d9a;font-size:9px}\
.f{fill:#b35900;font-weight:600}.v{fill:#c2002b;font-weight:700}\
.follows{stroke:#9aa5b1;stroke-width:2}.stands{stroke:#e0a100;stroke-width:4}\
.leads{stroke:#2e9e4f;stroke-width:6}.down{stroke:#c23b22;stroke-width:1.5;stroke-dasharray:2 5}";

impl Diagram {
    /// The picture, complete in itself.
    pub fn svg(&self) -> String {
        let places = self.places();
        let bottom = places.values().next_back().copied().unwrap_or(TOP) + 40.0;
        let width = LEFT + LANE * self.lanes.len().max(1) as f64 + 40.0;
        let mut out = String::new();
        // Writing to a string can not fail.
        let _ = write!(
            out,
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width:.0} {bottom:.0}\" width=\"{width:.0}\" \
             height=\"{bottom:.0}\" role=\"img\"><title>{title}</title><style>{STYLE}</style>\
             <defs><marker id=\"h\" markerWidth=\"8\" markerHeight=\"8\" refX=\"7\" refY=\"3\" orient=\"auto\">\
             <path d=\"M0,0 L7,3 L0,6 z\" fill=\"#4573b0\"/></marker></defs>\
             <rect width=\"100%\" height=\"100%\" fill=\"#fff\"/><text class=\"t\" x=\"12\" y=\"24\">{title}</text>",
            title = escape(&shorten(&self.title, 160)),
        );
        self.draw_lanes(&places, bottom, &mut out);
        self.draw_arrows(&places, &mut out);
        self.draw_marks(&places, &mut out);
        out.push_str("</svg>\n");
        out
    }

    fn within(&self, time_us: u64) -> bool {
        (self.from_us..=self.to_us).contains(&time_us)
    }

    /// How far down each moment is drawn.
    fn places(&self) -> BTreeMap<u64, f64> {
        let arrows = self.arrows.iter();
        let moments = arrows.flat_map(|arrow| [Some(arrow.sent_us), arrow.arrived_us]);
        let marks = self.marks.iter().map(|mark| Some(mark.time_us));
        let states = self.states.iter().map(|state| Some(state.from_us));
        let ends = [Some(self.from_us), Some(self.to_us)];
        let all = moments.chain(marks).chain(states).chain(ends).flatten();
        let mut places: BTreeMap<u64, f64> = all
            .filter(|&time| self.within(time))
            .map(|time| (time, TOP))
            .collect();
        let mut before: Option<(u64, f64)> = None;
        for (&time, place) in &mut places {
            if let Some((earlier, above)) = before {
                let step = (time - earlier) as f64 / US_PER_PIXEL;
                *place = above + step.clamp(STEP_MIN, STEP_MAX);
            }
            before = Some((time, *place));
        }
        places
    }

    fn draw_lanes(&self, places: &BTreeMap<u64, f64>, bottom: f64, out: &mut String) {
        for (lane, name) in self.lanes.iter().enumerate() {
            let x = x_of(lane);
            let _ = write!(
                out,
                "<text class=\"n\" x=\"{x}\" y=\"50\">{}</text>",
                escape(name)
            );
            let mut kind = StateKind::Down;
            let mut above = TOP - 12.0;
            for state in self.states.iter().filter(|state| state.lane == lane) {
                if let Some(&place) = places.get(&state.from_us) {
                    segment(x, above, place, kind, out);
                    above = place;
                }
                kind = state.kind;
            }
            segment(x, above, bottom - 12.0, kind, out);
        }
        let mut last = f64::NEG_INFINITY;
        for (&time, &place) in places {
            if place - last >= 24.0 {
                last = place;
                let _ = write!(
                    out,
                    "<text class=\"u\" x=\"{}\" y=\"{:.0}\">{:.3} ms</text>",
                    LEFT - 14.0,
                    place + 3.0,
                    time as f64 / 1e3
                );
            }
        }
    }

    fn draw_arrows(&self, places: &BTreeMap<u64, f64>, out: &mut String) {
        for arrow in &self.arrows {
            let Some(&sent) = places.get(&arrow.sent_us) else {
                continue;
            };
            let (x1, x2) = (x_of(arrow.from), x_of(arrow.to));
            let label = escape(&shorten(&arrow.label, LABEL_MAX));
            let toward = if x2 > x1 { 1.0 } else { -1.0 };
            match arrow.arrived_us.and_then(|time| places.get(&time)) {
                Some(arrived) => {
                    let _ = write!(
                        out,
                        "<line class=\"m\" x1=\"{x1}\" y1=\"{sent:.0}\" x2=\"{:.0}\" y2=\"{arrived:.0}\" \
                         marker-end=\"url(#h)\"><title>{}</title></line>",
                        x2 - 3.0 * toward,
                        escape(&arrow.label)
                    );
                }
                None => {
                    let end = x1 + (x2 - x1) * 0.6;
                    let _ = write!(
                        out,
                        "<line class=\"x\" x1=\"{x1}\" y1=\"{sent:.0}\" x2=\"{end:.0}\" y2=\"{:.0}\"><title>{}</title>\
                         </line><text class=\"v\" x=\"{:.0}\" y=\"{:.0}\">×</text>",
                        sent + 6.0,
                        escape(&arrow.label),
                        end - 3.0,
                        sent + 10.0
                    );
                }
            }
            let anchor = if toward > 0.0 { "start" } else { "end" };
            let _ = write!(
                out,
                "<text class=\"l\" x=\"{:.0}\" y=\"{:.0}\" text-anchor=\"{anchor}\">{label}</text>",
                x1 + 8.0 * toward,
                sent - 1.0
            );
        }
    }

    fn draw_marks(&self, places: &BTreeMap<u64, f64>, out: &mut String) {
        for mark in &self.marks {
            let Some(&place) = places.get(&mark.time_us) else {
                continue;
            };
            let class = match mark.kind {
                MarkKind::State => "s",
                MarkKind::Disk => "d",
                MarkKind::Applied => "a",
                MarkKind::Fault => "f",
                MarkKind::Violation => "v",
            };
            let x = mark.lane.map_or(12.0, |lane| x_of(lane) + 6.0);
            let _ = write!(
                out,
                "<text class=\"{class}\" x=\"{x:.0}\" y=\"{:.0}\">{}</text>",
                place + 4.0,
                escape(&shorten(&mark.text, 2 * LABEL_MAX))
            );
        }
    }
}

fn x_of(lane: usize) -> f64 {
    LEFT + LANE * lane as f64 + 30.0
}

fn segment(x: f64, above: f64, below: f64, kind: StateKind, out: &mut String) {
    let class = match kind {
        StateKind::Follows => "follows",
        StateKind::Stands => "stands",
        StateKind::Leads => "leads",
        StateKind::Down => "down",
    };
    let _ = write!(
        out,
        "<line class=\"{class}\" x1=\"{x}\" y1=\"{above:.0}\" x2=\"{x}\" y2=\"{below:.0}\"/>"
    );
}

fn shorten(text: &str, longest: usize) -> String {
    match text.char_indices().nth(longest) {
        Some((end, _)) => format!("{}...", &text[..end]),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn diagram() -> Diagram {
        let arrow = |from, to, sent_us, arrived_us, label: &str| Arrow {
            from,
            to,
            sent_us,
            arrived_us,
            label: label.to_owned(),
        };
        Diagram {
            title: "a <test>".to_owned(),
            lanes: vec!["n1".to_owned(), "n2".to_owned()],
            arrows: vec![
                arrow(0, 1, 1_000, Some(1_900), "Append { entries: 1 }"),
                arrow(1, 0, 2_000, None, "Appended"),
                arrow(1, 0, 9_000_000, None, "after the window"),
            ],
            marks: vec![Mark {
                lane: Some(1),
                time_us: 1_950,
                kind: MarkKind::Disk,
                text: "synced 1".to_owned(),
            }],
            states: vec![
                State {
                    lane: 0,
                    from_us: 10,
                    kind: StateKind::Leads,
                },
                State {
                    lane: 1,
                    from_us: 1_500,
                    kind: StateKind::Follows,
                },
            ],
            from_us: 1_000,
            to_us: 500_000,
        }
    }

    #[test]
    fn a_picture_has_what_lies_in_its_window() {
        let svg = diagram().svg();
        assert!(svg.starts_with("<svg ") && svg.trim_end().ends_with("</svg>"));
        for part in [
            "a &lt;test&gt;",
            ">n1<",
            "Append { entries: 1 }",
            "synced 1",
            "class=\"leads\"",
            "×",
        ] {
            assert!(svg.contains(part), "{part} is missing: {svg}");
        }
        assert!(!svg.contains("after the window"), "{svg}");
        assert_eq!(svg.matches("marker-end").count(), 1, "one arrow arrives");
    }

    #[test]
    fn time_runs_down_and_a_silence_is_short() {
        let places: Vec<_> = diagram().places().into_iter().collect();
        let times: Vec<_> = places.iter().map(|&(time, _)| time).collect();
        assert_eq!(times, [1_000, 1_500, 1_900, 1_950, 2_000, 500_000]);
        for pair in places.windows(2) {
            let step = pair[1].1 - pair[0].1;
            assert!((STEP_MIN..=STEP_MAX).contains(&step), "{pair:?}");
        }
    }

    #[test]
    fn nothing_is_a_picture_too() {
        assert!(Diagram::default().svg().ends_with("</svg>\n"));
    }
}
