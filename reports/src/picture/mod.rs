//! The anomaly alone, as an SVG for a bug report: a lane for each client, a bar for each operation of the
//! counterexample, arrows for what contradicts, and beneath, the story in words.
//!
//! - `layout`: where moments go, so that no label lies on another.

mod layout;

use std::fmt::Write as _;

use partita_checker::{Anomaly, Edge};
use partita_history::{OpId, Operation, Outcome};

use crate::evidence;
use crate::load::Run;
use crate::{view, words};
use layout::Layout;

const LANE: f64 = 46.0;
const BAR: f64 = 15.0;
const TOP: f64 = 54.0;
/// The width of a character, and of one in small print, in pixels: no font is at hand to be measured.
const CHAR: f64 = 6.9;
const SMALL_CHAR: f64 = 6.2;
/// The least width, so that sentences need not be broken too often.
const WIDTH_MIN: f64 = 760.0;

const STYLE: &str = "svg{--paper:#fff;--ink:#1b1f24;--soft:#59636e;--line:#d5dae0;--ok:#0072b2;--fail:#b36b00;\
--info:#b0508c;--bad:#bd2c12}@media(prefers-color-scheme:dark){svg{--paper:#14171b;--ink:#e5e8ec;--soft:#9aa4af;\
--line:#363d46;--ok:#4aa8e0;--fail:#f0a63a;--info:#dd8fbf;--bad:#ff8a6c}}.paper{fill:var(--paper)}\
text{font:12px system-ui,sans-serif;fill:var(--ink)}.title{font-size:16px;font-weight:650}.strong{font-weight:600}\
.soft{fill:var(--soft)}.line{stroke:var(--line)}.ok{fill:var(--ok)}.fail{fill:var(--fail)}.info{fill:var(--info)}\
.culprit,.head{fill:var(--bad)}.edge{fill:none;stroke:var(--bad);stroke-width:1.6}\
.tail{stroke:var(--info);stroke-width:3;stroke-dasharray:5 4}.letter{fill:var(--paper);font-weight:700;font-size:10.5px;\
text-anchor:middle}";

/// The clearest anomaly of the run, drawn; none if there is none, or its operations are not in the history.
pub fn svg(run: &Run) -> Option<String> {
    let anomaly = run
        .summary
        .checks
        .iter()
        .flat_map(|check| &check.anomalies)
        .next()?;
    let ids = view::core(&run.history, anomaly);
    if ids.is_empty() {
        return None;
    }
    let operations: Vec<(OpId, Operation)> = ids.iter().map(|&id| (id, run.history.operation(id))).collect();
    let layout = Layout::of(&operations);
    let width = layout.right.max(WIDTH_MIN);
    let mut body = String::new();
    bars(&mut body, anomaly, &operations, &layout, width);
    let edges: Vec<&Edge> = anomaly
        .edges
        .iter()
        .filter(|edge| ids.contains(&edge.before) && ids.contains(&edge.after))
        .collect();
    for (index, edge) in edges.iter().enumerate() {
        arrow(&mut body, edge, index, &operations, &layout);
    }
    let mut bottom = TOP + LANE * layout.lanes.len() as f64 + 26.0;
    let story = [
        vec![words::story(&anomaly.story)],
        evidence::evidence(run, anomaly),
    ]
    .concat()
    .join(" ");
    for line in wrapped(&story, width) {
        text(&mut body, "", 14.0, bottom, &line);
        bottom += 17.0;
    }
    for (index, edge) in edges.iter().enumerate() {
        let named = |id| words::operation(&run.history.operation(id));
        let why = format!(
            "{}: {} came before {}: {}",
            letter(index),
            named(edge.before),
            named(edge.after),
            words::clip(&edge.why, words::WHY_CHARS_MAX)
        );
        for line in wrapped(&why, width) {
            text(&mut body, "soft", 14.0, bottom, &line);
            bottom += 17.0;
        }
    }
    if !run.summary.command.is_empty() {
        text(&mut body, "soft", 14.0, bottom, &run.summary.command);
        bottom += 17.0;
    }
    let key = anomaly
        .key
        .as_ref()
        .map(|key| format!(" on key {}", words::value(key)));
    let title = format!("{}{}", anomaly.name, key.unwrap_or_default());
    let mut head = String::new();
    text(&mut head, "title", 14.0, 26.0, &title);
    Some(format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width:.0}\" height=\"{bottom:.0}\" viewBox=\"0 0 {width:.0} \
         {bottom:.0}\" role=\"img\">\n<title>{}</title>\n<style>{STYLE}</style>\n<rect class=\"paper\" \
         width=\"100%\" height=\"100%\"/>\n{head}{body}</svg>\n",
        escaped(&title)
    ))
}

fn bars(out: &mut String, anomaly: &Anomaly, operations: &[(OpId, Operation)], layout: &Layout, width: f64) {
    for (lane, process) in layout.lanes.iter().enumerate() {
        let y = TOP + LANE * (lane + 1) as f64 - 8.0;
        let _ = writeln!(out, "<path class=\"line\" d=\"M0 {y}H{width}\"/>");
        text(out, "strong", 14.0, y - 13.0, &format!("client {process}"));
    }
    for (id, operation) in operations {
        let (x1, x2, y) = layout.place(operation);
        let kind = match operation.outcome {
            _ if *id == anomaly.culprit => "culprit",
            Outcome::Ok => "ok",
            Outcome::Fail => "fail",
            Outcome::Info => "info",
        };
        let _ = writeln!(
            out,
            "<rect class=\"{kind}\" x=\"{x1:.1}\" y=\"{y:.1}\" width=\"{:.1}\" height=\"{BAR}\" rx=\"3\"/>",
            x2 - x1
        );
        if operation.outcome == Outcome::Info {
            let middle = y + BAR / 2.0;
            let _ = writeln!(
                out,
                "<path class=\"tail\" d=\"M{x2:.1} {middle:.1}H{:.1}\"/>",
                layout.right - 6.0
            );
        }
        let node = operation.node.map_or(String::new(), |node| format!(" {node}"));
        text(
            out,
            "strong",
            x1,
            y - 5.0,
            &(layout::label(operation) + &words::clip(&node, 12)),
        );
    }
}

fn arrow(out: &mut String, edge: &Edge, index: usize, operations: &[(OpId, Operation)], layout: &Layout) {
    let find = |id| {
        operations
            .iter()
            .find(|(known, _)| *known == id)
            .map(|(_, operation)| layout.place(operation))
    };
    let (Some((_, x1, y1)), Some((x2, _, y2))) = (find(edge.before), find(edge.after)) else {
        return;
    };
    let (y1, y2) = (y1 + BAR / 2.0, y2 + BAR / 2.0);
    // Within a lane a bow beneath the bars, so that it is seen.
    let dip = if (y1 - y2).abs() < 1.0 { 26.0 } else { 0.0 };
    let bend = ((x2 - x1).abs() / 2.0).clamp(16.0, 60.0);
    let (mx, my) = ((x1 + x2) / 2.0, (y1 + y2) / 2.0 + dip * 0.75);
    let _ = writeln!(
        out,
        "<path class=\"edge\" d=\"M{x1:.1} {y1:.1}C{:.1} {:.1} {:.1} {:.1} {x2:.1} {y2:.1}\"/>\
         <path class=\"head\" d=\"M{x2:.1} {y2:.1}l-7 -4v8z\"/>\
         <circle class=\"head\" cx=\"{mx:.1}\" cy=\"{my:.1}\" r=\"8\"/>",
        x1 + bend,
        y1 + dip,
        x2 - bend,
        y2 + dip,
    );
    text(out, "letter", mx, my + 3.8, &letter(index));
}

fn letter(index: usize) -> String {
    char::from(b'a' + (index % 26) as u8).to_string()
}

fn text(out: &mut String, class: &str, x: f64, y: f64, text: &str) {
    let _ = writeln!(
        out,
        "<text class=\"{class}\" x=\"{x:.1}\" y=\"{y:.1}\">{}</text>",
        escaped(text)
    );
}

fn escaped(text: &str) -> String {
    words::printable(text)
        .replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
}

/// Lines that fit.
fn wrapped(text: &str, width: f64) -> Vec<String> {
    let room = ((width - 28.0) / SMALL_CHAR) as usize;
    let mut lines = vec![String::new()];
    for word in text.split_whitespace() {
        let word = words::clip(word, room);
        let fits = lines
            .last()
            .is_some_and(|line| line.is_empty() || line.chars().count() + 1 + word.chars().count() <= room);
        if !fits {
            lines.push(String::new());
        }
        if let Some(line) = lines.last_mut() {
            if !line.is_empty() {
                line.push(' ');
            }
            line.push_str(&word);
        }
    }
    lines
}
