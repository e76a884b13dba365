//! What befalls a made-up cluster: its faults, its leaders, its logs.

use std::collections::BTreeMap;

use partita_history::{Event, FaultEvent, FaultOutcome, FaultPhase, FaultValue};
use partita_reports::run::Metric;

use super::{Course, MS};

/// A fault of a sample: seconds from and to, name, what, nodes hit with their roles, outcome.
pub(super) type Fault = (
    f64,
    f64,
    &'static str,
    &'static str,
    &'static [(&'static str, &'static str)],
    FaultOutcome,
);

pub(super) const FAULTS: [Fault; 8] = [
    (
        2.0,
        4.6,
        "partition",
        "isolate the leader",
        &[("n1", "leader")],
        FaultOutcome::Took,
    ),
    (
        5.4,
        7.5,
        "kill",
        "a minority",
        &[("n3", "follower"), ("n4", "follower")],
        FaultOutcome::Took,
    ),
    (
        8.4,
        11.0,
        "pause",
        "the leader",
        &[("n2", "leader")],
        FaultOutcome::Took,
    ),
    (
        10.2,
        12.8,
        "partition",
        "halves",
        &[("n1", "follower"), ("n2", "follower")],
        FaultOutcome::Took,
    ),
    (
        14.0,
        16.9,
        "kill",
        "the leader",
        &[("n5", "leader")],
        FaultOutcome::Took,
    ),
    (
        18.2,
        21.5,
        "partition",
        "isolate the leader",
        &[("n3", "leader")],
        FaultOutcome::Took,
    ),
    (22.4, 22.4, "pause", "the leader", &[], FaultOutcome::Skipped),
    (
        24.1,
        26.8,
        "pause",
        "one",
        &[("n4", "follower")],
        FaultOutcome::Uncertain,
    ),
];

/// When each node was leader: seconds from and to, node, term.
pub(super) const LEADERS: [(f64, f64, &str, u64); 5] = [
    (0.4, 2.5, "n1", 1),
    (2.9, 9.1, "n2", 2),
    (9.3, 14.0, "n5", 4),
    (14.9, 18.9, "n3", 5),
    (19.0, 30.0, "n1", 6),
];

/// All phases of all faults that fit into a run, with their times.
pub(super) fn faults(seconds: u64) -> Vec<(u64, Event)> {
    let at = |seconds: f64| (seconds * 1e9) as u64;
    let mut events = Vec::new();
    for (id, fault) in FAULTS.iter().enumerate() {
        let &(from, to, name, _, _, outcome) = fault;
        if to > seconds as f64 {
            continue;
        }
        let mut push = |time: u64, phase, outcome, evidence: &str| {
            events.push((time, phase_of(id as u64, fault, time, phase, outcome, evidence)));
        };
        let (injected, healed) = match (name, outcome) {
            (_, FaultOutcome::Skipped) => ("no node said that it was the leader", ""),
            ("partition", _) => (
                "8 of 8 probes across the cut were lost; 12 of 12 within the sides arrived",
                "20 of 20 probes arrived",
            ),
            ("kill", _) => (
                "the processes are gone; their ports refuse",
                "the processes answer again, after 212 ms",
            ),
            (_, FaultOutcome::Uncertain) => ("/proc/4711/stat could not be read", "state S"),
            _ => (
                "state T in /proc/4711/stat; a request was not answered in 200 ms",
                "state S; answers",
            ),
        };
        push(at(from) - 60 * MS, FaultPhase::Planned, None, "");
        push(at(from), FaultPhase::Injected, Some(outcome), injected);
        if outcome != FaultOutcome::Skipped {
            push(at(to), FaultPhase::Healed, Some(FaultOutcome::Took), healed);
        }
    }
    events
}

fn phase_of(
    id: u64,
    &(_, _, name, what, hit, _): &Fault,
    time: u64,
    phase: FaultPhase,
    outcome: Option<FaultOutcome>,
    evidence: &str,
) -> Event {
    let nodes: Vec<String> = hit.iter().map(|(node, _)| (*node).to_owned()).collect();
    let others = (1..=5)
        .map(|n| format!("n{n}"))
        .filter(|node| !nodes.contains(node));
    let links = others.flat_map(|other| nodes.iter().map(move |node| format!("{node}>{other}")));
    let cut = name == "partition" && phase != FaultPhase::Planned;
    Event::Fault(FaultEvent {
        index: 0,
        time,
        f: name.into(),
        value: FaultValue {
            id,
            phase,
            outcome,
            what: what.into(),
            started: time.saturating_sub(40 * MS),
            links: if cut { links.collect() } else { Vec::new() },
            roles: hit
                .iter()
                .map(|&(node, role)| (node.to_owned(), role.to_owned()))
                .collect(),
            evidence: evidence.into(),
            nodes,
        },
    })
}

pub(super) fn metrics(course: &Course) -> Vec<Metric> {
    let mut metrics = Vec::new();
    for tick in 0..course.seconds * 5 {
        let seconds = tick as f64 / 5.0;
        for node in (1..=5).map(|n| format!("n{n}")) {
            let down = course.faults
                && FAULTS.iter().any(|&(from, to, name, _, hit, _)| {
                    name != "partition"
                        && from <= seconds
                        && seconds < to
                        && hit.iter().any(|(n, _)| *n == node)
                });
            let led = LEADERS.iter().rfind(|leader| leader.0 <= seconds).copied();
            let leader = led.filter(|leader| seconds < leader.1);
            let role = match leader {
                Some((_, _, name, _)) if name == node => "leader",
                // A leader that was cut off goes on believing in itself.
                _ if node == "n3" && (18.9..21.4).contains(&seconds) => "leader",
                None if node.ends_with(['2', '5']) => "candidate",
                _ => "follower",
            };
            let term = led.map(|leader| {
                if role == "leader" && node == "n3" {
                    5
                } else {
                    leader.3
                }
            });
            metrics.push(Metric {
                time: tick * 200 * MS,
                up: !down,
                role: (!down).then(|| role.to_owned()),
                term: term.filter(|_| !down),
                leader: leader.map(|leader| leader.2.to_owned()),
                commit: Some(tick * 60),
                applied: Some(tick * 60),
                log_bytes: Some(tick * 4096),
                leader_silence_us: (!down && role == "follower").then_some(50_000 + tick % 7 * 10_000),
                node,
            });
        }
    }
    metrics
}

pub(super) fn logs(course: &Course) -> BTreeMap<String, Vec<String>> {
    let line = |node: u64, i: u64| {
        let (seconds, millis) = (i / 8, i % 8 * 125);
        format!(
            "2026-11-21T04:{:02}:{:02}.{millis:03}Z \u{1b}[32mINFO\u{1b}[0m n{node}: heartbeat acknowledged by 4 of 5, commit index {}",
            5 + seconds / 60,
            seconds % 60,
            i * 7
        )
    };
    (1..=5)
        .map(|node| {
            (
                format!("n{node}"),
                (0..course.seconds * 8).map(|i| line(node, i)).collect(),
            )
        })
        .collect()
}
