//! The SVG.

use std::fmt::Write as _;

use super::layout::{LANE, Layout, TOP, range, shorten, times_end, x_of};
use super::{Diagram, StateKind};
use crate::junit::escape;
use crate::words::printable;

/// The height of a line of the legend, and how many characters it has at most.
const LINE: f64 = 15.0;
const LINE_MAX: usize = 190;
/// As wide as such a line at least.
const WIDTH_MIN: f64 = 1_300.0;
/// The least distance between two times in the margin.
const TIMES_APART: f64 = 24.0;

/// How it looks; the page has the same rules in its own style.
const STYLE: &str = include_str!("../../assets/sequence.css");

/// The picture; without its style it is for a page that has the rules.
pub(super) fn svg(diagram: &Diagram, styled: bool) -> String {
    let layout = Layout::of(diagram);
    let bottom = layout.places.values().next_back().copied().unwrap_or(TOP) + 60.0;
    let legend = if layout.legend.is_empty() {
        0.0
    } else {
        (layout.legend.len() + 2) as f64 * LINE
    };
    let lanes_end = x_of(diagram.lanes.len().max(1)) - LANE / 3.0;
    let (width, height) = (lanes_end.max(WIDTH_MIN), bottom + legend);
    let mut out = String::new();
    // Writing to a string can not fail.
    let _ = write!(
        out,
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width:.0} {height:.0}\" width=\"{width:.0}\" \
         height=\"{height:.0}\" class=\"sequence\" role=\"img\"><title>{title}</title>{style}\
         <defs><marker id=\"h\" markerWidth=\"8\" markerHeight=\"8\" refX=\"7\" refY=\"3\" orient=\"auto\">\
         <path d=\"M0,0 L7,3 L0,6 z\" fill=\"#4573b0\"/></marker></defs>\
         <rect class=\"sheet\" width=\"100%\" height=\"100%\"/><text class=\"title\" x=\"12\" y=\"24\">{title}</text>",
        title = plain(&shorten(&diagram.title, 160)),
        style = if styled {
            format!("<style>{STYLE}</style>")
        } else {
            String::new()
        },
    );
    lanes(diagram, &layout, bottom, &mut out);
    arrows(diagram, &layout, &mut out);
    for label in &layout.labels {
        let anchor = if label.ends { "end" } else { "start" };
        let _ = write!(
            out,
            "<text class=\"label {}\" x=\"{:.0}\" y=\"{:.0}\" text-anchor=\"{anchor}\">{}</text>",
            label.class,
            label.x,
            label.y,
            plain(&label.text)
        );
    }
    write_legend(diagram, &layout, bottom, &mut out);
    out.push_str("</svg>\n");
    out
}

fn lanes(diagram: &Diagram, layout: &Layout, bottom: f64, out: &mut String) {
    for (lane, name) in diagram.lanes.iter().enumerate() {
        let x = x_of(lane);
        let _ = write!(
            out,
            "<text class=\"node\" x=\"{x}\" y=\"50\">{}</text>",
            plain(name)
        );
        // Below as well: a long picture is looked at from its end.
        let _ = write!(
            out,
            "<text class=\"node\" x=\"{x}\" y=\"{:.0}\">{}</text>",
            bottom - 18.0,
            plain(name)
        );
        let mut kind = StateKind::Down;
        let mut above = TOP - 12.0;
        for state in diagram.states.iter().filter(|state| state.lane == lane) {
            if let Some(&place) = layout.places.get(&state.from_us) {
                segment(x, above, place, kind, out);
                above = place;
            }
            kind = state.kind;
        }
        segment(x, above, bottom - 32.0, kind, out);
    }
    let mut last = f64::NEG_INFINITY;
    for (&time, &place) in &layout.places {
        if place - last >= TIMES_APART {
            last = place;
            let _ = write!(
                out,
                "<text class=\"time\" x=\"{}\" y=\"{:.0}\">{:.3} ms</text>",
                times_end(),
                place + 3.0,
                time as f64 / 1e3
            );
        }
    }
}

fn arrows(diagram: &Diagram, layout: &Layout, out: &mut String) {
    for arrow in &diagram.arrows {
        let Some(&sent) = layout.places.get(&arrow.sent_us) else {
            continue;
        };
        let (x1, x2) = (x_of(arrow.from), x_of(arrow.to));
        let toward = if x2 > x1 { 1.0 } else { -1.0 };
        let title = plain(&arrow.label);
        match arrow.arrived_us.and_then(|time| layout.places.get(&time)) {
            Some(arrived) => {
                let _ = write!(
                    out,
                    "<line class=\"arrived\" x1=\"{x1}\" y1=\"{sent:.0}\" x2=\"{:.0}\" y2=\"{arrived:.0}\" \
                     marker-end=\"url(#h)\"><title>{title}</title></line>",
                    x2 - 3.0 * toward,
                );
            }
            None => {
                let end = x1 + (x2 - x1) * 0.6;
                let _ = write!(
                    out,
                    "<line class=\"lost\" x1=\"{x1}\" y1=\"{sent:.0}\" x2=\"{end:.0}\" y2=\"{:.0}\"><title>{title}</title>\
                     </line><text class=\"label violation\" x=\"{:.0}\" y=\"{:.0}\">×</text>",
                    sent + 6.0,
                    end - 3.0,
                    sent + 10.0
                );
            }
        }
    }
}

/// What each message says in full.
fn write_legend(diagram: &Diagram, layout: &Layout, bottom: f64, out: &mut String) {
    let name = |lane: usize| diagram.lanes.get(lane).map_or("", String::as_str);
    for (number, line) in (0..).zip(&layout.legend) {
        let to: Vec<_> = line.to.iter().map(|&lane| name(lane)).collect();
        let text = format!(
            "{:>7}  {:.3} ms  {} to {}  {}",
            range(line.numbers),
            line.sent_us as f64 / 1e3,
            name(line.from),
            to.join(", "),
            line.label
        );
        let _ = write!(
            out,
            "<text x=\"12\" y=\"{:.0}\" xml:space=\"preserve\">{}</text>",
            bottom + LINE * f64::from(number),
            plain(&shorten(&text, LINE_MAX))
        );
    }
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

/// Text that may stand in the picture.
fn plain(text: &str) -> String {
    escape(&printable(text))
}
