//! Where everything goes.
//!
//! Labels stand beside the lane at which they begin: those of messages to the right, and of what happened at the node,
//! right of it; those of messages to the left, left of it. Each has its half of the space between two lanes, and where
//! several begin at one moment in one half, they stand below each other, and the moment is as high as they need. So no
//! label lies on another.

use std::collections::BTreeMap;

use super::{Diagram, MarkKind};

pub(super) const TOP: f64 = 70.0;
const LEFT: f64 = 330.0;
pub(super) const LANE: f64 = 250.0;
/// How far a label stands from its lane.
const BESIDE: f64 = 8.0;
/// The height of a label.
const ROW: f64 = 11.0;
/// The longest label at a lane, and in the margin, in characters.
const LABEL_MAX: usize = 20;
const MARGIN_MAX: usize = 44;
/// The least and the most that lies between two moments that need no more.
const STEP_MIN: f64 = 12.0;
const STEP_MAX: f64 = 36.0;
/// How many microseconds are drawn as one pixel, between these two.
const US_PER_PIXEL: f64 = 60.0;

/// A text at its place.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Label {
    pub(super) x: f64,
    pub(super) y: f64,
    /// Does it end there, or begin?
    pub(super) ends: bool,
    pub(super) class: &'static str,
    pub(super) text: String,
}

#[cfg(test)]
impl Label {
    fn width(&self) -> f64 {
        /// What a character is wide, about.
        const CHARACTER: f64 = 5.5;
        self.text.chars().count() as f64 * CHARACTER
    }

    pub(super) fn left(&self) -> f64 {
        if self.ends { self.x - self.width() } else { self.x }
    }

    pub(super) fn right(&self) -> f64 {
        self.left() + self.width()
    }
}

/// A line of the legend: messages that say the same, sent together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Line {
    /// The numbers of the arrows: the first, and the last.
    pub(super) numbers: (usize, usize),
    pub(super) from: usize,
    pub(super) to: Vec<usize>,
    pub(super) sent_us: u64,
    pub(super) label: String,
}

/// Where everything goes.
#[derive(Debug, Default)]
pub(super) struct Layout {
    /// How far down each moment is drawn.
    pub(super) places: BTreeMap<u64, f64>,
    pub(super) labels: Vec<Label>,
    pub(super) legend: Vec<Line>,
}

/// Beside which lane, and on which side.
type Side = (Option<usize>, bool);

/// A label whose moment has no place yet.
struct Pending {
    time_us: u64,
    side: Side,
    row: usize,
    class: &'static str,
    text: String,
}

impl Layout {
    pub(super) fn of(diagram: &Diagram) -> Layout {
        let legend = legend(diagram);
        let mut rows: BTreeMap<(u64, Side), usize> = BTreeMap::new();
        let mut pending = Vec::new();
        let mut put = |time_us, side: Side, class, text: &str| {
            let longest = if side.0.is_some() { LABEL_MAX } else { MARGIN_MAX };
            let row = rows.entry((time_us, side)).or_default();
            pending.push(Pending {
                time_us,
                side,
                row: *row,
                class,
                text: shorten(text, longest),
            });
            *row += 1;
        };
        for (side, numbers, sent_us, word) in grouped(diagram) {
            put(sent_us, side, "message", &format!("{} {word}", range(numbers)));
        }
        for mark in diagram.marks.iter().filter(|mark| within(diagram, mark.time_us)) {
            put(mark.time_us, (mark.lane, false), class_of(mark.kind), &mark.text);
        }
        let mut heights: BTreeMap<u64, usize> = BTreeMap::new();
        for (&(time, _), &count) in &rows {
            let height = heights.entry(time).or_default();
            *height = count.max(*height);
        }
        let places = places(diagram, &heights);
        let labels = pending.into_iter().filter_map(|label| {
            let (lane, ends) = label.side;
            let beside = if ends { -BESIDE } else { BESIDE };
            Some(Label {
                x: lane.map_or(12.0, |lane| x_of(lane) + beside),
                // Above the arrow, and not through it.
                y: places.get(&label.time_us)? + label.row as f64 * ROW - 2.0,
                ends,
                class: label.class,
                text: label.text,
            })
        });
        Layout {
            labels: labels.collect(),
            legend,
            places,
        }
    }
}

pub(super) fn x_of(lane: usize) -> f64 {
    LEFT + LANE * lane as f64 + 30.0
}

/// Where times are written.
pub(super) fn times_end() -> f64 {
    x_of(0) - 14.0
}

fn within(diagram: &Diagram, time_us: u64) -> bool {
    (diagram.from_us..=diagram.to_us).contains(&time_us)
}

fn class_of(kind: MarkKind) -> &'static str {
    match kind {
        MarkKind::State => "state",
        MarkKind::Disk => "disk",
        MarkKind::Applied => "applied",
        MarkKind::Fault => "fault",
        MarkKind::Violation => "violation",
    }
}

/// How far down each moment is drawn.
fn places(diagram: &Diagram, heights: &BTreeMap<u64, usize>) -> BTreeMap<u64, f64> {
    let arrows = diagram.arrows.iter();
    let moments = arrows.flat_map(|arrow| [Some(arrow.sent_us), arrow.arrived_us]);
    let marks = diagram.marks.iter().map(|mark| Some(mark.time_us));
    let states = diagram.states.iter().map(|state| Some(state.from_us));
    let ends = [Some(diagram.from_us), Some(diagram.to_us)];
    let all = moments.chain(marks).chain(states).chain(ends).flatten();
    let mut places: BTreeMap<u64, f64> = all
        .filter(|&time| within(diagram, time))
        .map(|time| (time, TOP))
        .collect();
    let mut before: Option<(u64, f64)> = None;
    for (&time, place) in &mut places {
        if let Some((earlier, above)) = before {
            let step = ((time - earlier) as f64 / US_PER_PIXEL).clamp(STEP_MIN, STEP_MAX);
            let labels = heights.get(&earlier).map_or(0.0, |&rows| rows as f64 * ROW + 1.0);
            *place = above + step.max(labels);
        }
        before = Some((time, *place));
    }
    places
}

/// The labels of arrows: those that say the same word in one direction, sent together, have one.
fn grouped(diagram: &Diagram) -> Vec<(Side, (usize, usize), u64, &str)> {
    let mut groups: Vec<(Side, (usize, usize), u64, &str)> = Vec::new();
    for (number, arrow) in (1..).zip(&diagram.arrows) {
        if !within(diagram, arrow.sent_us) {
            continue;
        }
        let side = (Some(arrow.from), arrow.to < arrow.from);
        match groups.last_mut() {
            Some((its, numbers, sent_us, word))
                if (*its, *sent_us, *word) == (side, arrow.sent_us, arrow.word.as_str()) =>
            {
                numbers.1 = number;
            }
            _ => groups.push((side, (number, number), arrow.sent_us, &arrow.word)),
        }
    }
    groups
}

fn legend(diagram: &Diagram) -> Vec<Line> {
    let mut lines: Vec<Line> = Vec::new();
    for (number, arrow) in (1..).zip(&diagram.arrows) {
        if !within(diagram, arrow.sent_us) {
            continue;
        }
        match lines.last_mut() {
            Some(line)
                if (line.from, line.sent_us, &line.label) == (arrow.from, arrow.sent_us, &arrow.label) =>
            {
                line.numbers.1 = number;
                line.to.push(arrow.to);
            }
            _ => lines.push(Line {
                numbers: (number, number),
                from: arrow.from,
                to: vec![arrow.to],
                sent_us: arrow.sent_us,
                label: arrow.label.clone(),
            }),
        }
    }
    lines
}

/// One number, or the first and the last.
pub(super) fn range((first, last): (usize, usize)) -> String {
    if first == last {
        first.to_string()
    } else {
        format!("{first}-{last}")
    }
}

pub(super) fn shorten(text: &str, longest: usize) -> String {
    match text.char_indices().nth(longest) {
        Some(_) => text.chars().take(longest - 1).chain(['…']).collect(),
        None => text.to_owned(),
    }
}
