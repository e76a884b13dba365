//! The logs of all nodes as one, on the run's clock.

use partita_history::FaultPhase;
use serde::Serialize;

use super::anomaly::ANOMALIES_MAX;
use super::seconds;
use crate::clock;
use crate::columns;
use crate::load::Run;
use crate::words;

/// How many lines are shown, over all nodes.
const LINES_MAX: usize = 12_000;
/// The longest line that is shown, in characters.
const LINE_CHARS_MAX: usize = 500;
/// How large they may be in the page, in bytes.
const BYTES_MAX: usize = 300_000;
/// How much of a node's share goes to the lines around the first anomaly, where not all are shown.
const AROUND_PARTS: (usize, usize) = (1, 2);

/// What the page has to know before it reads the lines.
#[derive(Serialize)]
pub(super) struct Logs {
    nodes: Vec<NodeLines>,
    /// Whether the lines stand on the run's clock.
    aligned: bool,
}

#[derive(Serialize)]
struct NodeLines {
    node: String,
    /// How many of its lines are here.
    shown: usize,
    /// How many lines of what was read are not.
    left_out: usize,
    /// Whether there is more in its file than was read.
    cut: bool,
}

/// A line as the page reads it: seconds, the place of its node, what it says.
#[derive(Serialize)]
struct Line(Option<f64>, usize, String);

/// The lines and what is known of them. The lines are compressed.
pub(super) fn logs(run: &Run, moment_ns: Option<u64>) -> (Logs, String) {
    let zero_us = clock::zero_us(&run.summary);
    let moment = zero_us.and(moment_ns).map(seconds);
    let mut share = LINES_MAX / run.logs.len().max(1);
    loop {
        let (nodes, lines) = merged(run, zero_us, moment, share);
        // Numbers and strings always have a JSON form.
        let text = columns::press(&serde_json::to_string(&lines).unwrap_or_default());
        if text.len() <= BYTES_MAX || share <= 1 {
            let logs = Logs {
                nodes,
                aligned: zero_us.is_some(),
            };
            return (logs, text);
        }
        share /= 2;
    }
}

fn merged(run: &Run, zero_us: Option<i64>, moment: Option<f64>, share: usize) -> (Vec<NodeLines>, Vec<Line>) {
    let (mut nodes, mut lines) = (Vec::new(), Vec::new());
    for (node, log) in run.logs.iter().enumerate() {
        let all = timed(&log.lines, node, zero_us);
        let (shown, left_out) = chosen(all, moment, share);
        nodes.push(NodeLines {
            node: log.node.clone(),
            shown: shown.len(),
            left_out,
            cut: log.cut,
        });
        lines.extend(shown);
    }
    if zero_us.is_some() {
        lines.extend(faults(run, nodes.len()));
        lines.extend(violations(run, nodes.len() + 1));
        // Lines before the first stamp come first.
        lines.sort_by(|a, b| a.0.partial_cmp(&b.0).unwrap_or(std::cmp::Ordering::Equal));
    }
    (nodes, lines)
}

/// The lines of a node; one without a stamp belongs to the line before.
fn timed(lines: &[String], node: usize, zero_us: Option<i64>) -> Vec<Line> {
    let mut time = None;
    let line = |line: &String| {
        let stamp = clock::stamp(line);
        if let (Some(stamp), Some(zero_us)) = (&stamp, zero_us) {
            time = Some((stamp.at_us.saturating_sub(zero_us)) as f64 / 1e6);
        }
        // A stamp at the very beginning says again what stands beside the line.
        let said = match stamp {
            Some(stamp) if zero_us.is_some() && stamp.from == 0 => line[stamp.to..].trim_start(),
            _ => line,
        };
        Line(time, node, words::clip(&words::printable(said), LINE_CHARS_MAX))
    };
    lines.iter().map(line).collect()
}

/// So many lines: those around the moment, and the last.
fn chosen(mut lines: Vec<Line>, moment: Option<f64>, share: usize) -> (Vec<Line>, usize) {
    if lines.len() <= share {
        return (lines, 0);
    }
    let all = lines.len();
    let around = moment.map_or(0, |_| share * AROUND_PARTS.0 / AROUND_PARTS.1);
    let tail = lines.split_off(all - (share - around));
    // A clock that a fault moved leaves stamps that are not in order.
    let middle = moment.and_then(|moment| {
        let far = |time: f64| (time - moment).abs();
        let timed = lines
            .iter()
            .enumerate()
            .filter_map(|(i, line)| Some((i, far(line.0?))));
        timed.min_by(|a, b| a.1.total_cmp(&b.1)).map(|(i, _)| i)
    });
    let middle = middle.unwrap_or(lines.len());
    let from = middle
        .saturating_sub(around / 2)
        .min(lines.len().saturating_sub(around));
    let mut kept: Vec<Line> = lines.into_iter().skip(from).take(around).collect();
    kept.extend(tail);
    let left_out = all - kept.len();
    (kept, left_out)
}

/// What was done to the nodes, as lines among theirs.
fn faults(run: &Run, node: usize) -> impl Iterator<Item = Line> {
    run.history.faults.iter().filter_map(move |fault| {
        let phase = match fault.value.phase {
            FaultPhase::Planned => return None,
            FaultPhase::Injected => "injected",
            FaultPhase::Healed => "healed",
        };
        let said = format!(
            "{} {phase}: {} ({})",
            fault.f, fault.value.what, fault.value.evidence
        );
        let said = words::clip(&words::printable(&said), LINE_CHARS_MAX);
        Some(Line(Some(seconds(fault.time)), node, said))
    })
}

/// Where each contradiction became certain, as a line among those of the nodes.
fn violations(run: &Run, node: usize) -> impl Iterator<Item = Line> {
    let anomalies = run.summary.checks.iter().flat_map(|check| &check.anomalies);
    anomalies.take(ANOMALIES_MAX).filter_map(move |anomaly| {
        let culprit = run.history.get(anomaly.culprit)?;
        let by = culprit.node.map_or(String::new(), |node| format!(" by {node}"));
        let said = format!(
            "{}: client {} was told{by}: {}",
            anomaly.name,
            culprit.process,
            words::operation(&culprit)
        );
        let time = culprit.completed.unwrap_or(culprit.invoked).time;
        let said = words::clip(&words::printable(&said), LINE_CHARS_MAX);
        Some(Line(Some(seconds(time)), node, said))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::load::NodeLog;

    fn run() -> Run {
        let log = |node: &str, offset: u64| NodeLog {
            node: node.into(),
            lines: (0..60)
                .map(|s| format!("2026-11-21T10:00:{s:02}.{offset:06}Z  {node} second {s}"))
                .collect(),
            cut: false,
        };
        let mut run = Run {
            logs: vec![log("n1", 2), log("n2", 1)],
            ..Run::default()
        };
        let zero = "2026-11-21T10:00:00Z".to_owned();
        run.summary.facts.insert(clock::TIME_ZERO.to_owned(), zero);
        run
    }

    #[test]
    fn lines_of_all_nodes_stand_in_the_order_of_their_stamps() {
        let mut run = run();
        run.logs[0].lines.insert(1, "  and more".into());
        let (_, lines) = merged(&run, clock::zero_us(&run.summary), None, 1_000);
        let told: Vec<(Option<f64>, &str)> =
            lines[..3].iter().map(|line| (line.0, line.2.as_str())).collect();
        assert_eq!(
            told,
            [
                (Some(0.000_001), "n2 second 0"),
                (Some(0.000_002), "n1 second 0"),
                (Some(0.000_002), "  and more"),
            ]
        );
    }

    #[test]
    fn where_not_all_are_shown_those_around_the_moment_are() {
        let run = run();
        let (nodes, lines) = merged(&run, clock::zero_us(&run.summary), Some(20.0), 20);
        let seconds: Vec<u64> = lines
            .iter()
            .filter(|line| line.1 == 0)
            .filter_map(|line| line.0.map(|time| time as u64))
            .collect();
        let expected: Vec<u64> = (15..25).chain(50..60).collect();
        assert_eq!(seconds, expected);
        assert_eq!((nodes[0].shown, nodes[0].left_out), (20, 40));
    }
}
