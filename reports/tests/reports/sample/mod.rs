//! Made-up runs: what a harness would have left behind, from a seed. They are good to look at, and tests hold
//! the reports against them.

mod cluster;
mod judge;
mod load;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use partita_checker::Verdict;
use partita_history::{Event, Value, jsonl};
use partita_reports::run::{FaultCount, Metric, Rate, Summary};
use partita_reports::sequence::{Arrow, Diagram, Mark, MarkKind};

use load::{FRESH, Load, STALE};

/// A millisecond, in nanoseconds.
const MS: u64 = 1_000_000;

/// A run directory, not yet on disk.
pub(crate) struct Sample {
    pub(crate) summary: Summary,
    pub(crate) events: Vec<Event>,
    pub(crate) metrics: Vec<Metric>,
    pub(crate) logs: BTreeMap<String, Vec<String>>,
    pub(crate) messages: Option<Diagram>,
}

impl Sample {
    /// Writes the run directory.
    pub(crate) fn write(&self, directory: &Path) {
        fs::create_dir_all(directory).unwrap();
        let plan = format!(
            "# all that is needed to repeat the run\nseed = {}\n",
            self.summary.seed
        );
        fs::write(directory.join("plan.toml"), plan).unwrap();
        let mut history = Vec::new();
        let mut faults = Vec::new();
        for event in &self.events {
            jsonl::write(&mut history, event).unwrap();
            if matches!(event, Event::Fault(_)) {
                jsonl::write(&mut faults, event).unwrap();
            }
        }
        fs::write(directory.join("history.jsonl"), history).unwrap();
        fs::write(directory.join("faults.jsonl"), faults).unwrap();
        let lines: Vec<String> = self
            .metrics
            .iter()
            .map(|m| serde_json::to_string(m).unwrap() + "\n")
            .collect();
        fs::write(directory.join("metrics.jsonl"), lines.concat()).unwrap();
        fs::write(
            directory.join("verdict.json"),
            serde_json::to_string_pretty(&self.summary).unwrap(),
        )
        .unwrap();
        if let Some(messages) = &self.messages {
            let text = serde_json::to_string(messages).unwrap();
            fs::write(directory.join("messages.json"), text).unwrap();
        }
        for (node, lines) in &self.logs {
            fs::create_dir_all(directory.join("nodes").join(node)).unwrap();
            fs::write(
                directory.join("nodes").join(node).join("node.log"),
                lines.join("\n"),
            )
            .unwrap();
        }
    }
}

/// How a sample run goes.
pub(crate) struct Course {
    pub(crate) seconds: u64,
    pub(crate) rate: u64,
    pub(crate) faults: bool,
    pub(crate) keys: Vec<Value>,
}

impl Default for Course {
    fn default() -> Self {
        let keys = ["x", "y", "z", "u", "v"].map(Value::from).to_vec();
        Course {
            seconds: 30,
            rate: 410,
            faults: true,
            keys,
        }
    }
}

/// A cluster of five that does nothing wrong.
pub(crate) fn valid(course: &Course) -> Sample {
    let events = Load::run(course, None);
    let mut summary = judge::summary(&events, course, "valid-sample");
    summary.reason = format!(
        "Every history of {} keys is linearizable, and {} faults took effect.",
        course.keys.len(),
        summary.faults.values().map(|count| count.took).sum::<u64>()
    );
    summary.checks = vec![judge::analysis(&summary.reason, course, &events)];
    Sample {
        events,
        metrics: cluster::metrics(course),
        logs: cluster::logs(course),
        messages: None,
        summary,
    }
}

/// The same with a leader that was cut off, does not know it, and answers a read from its own state.
pub(crate) fn invalid(course: &Course) -> Sample {
    let key = course.keys[0].clone();
    let at = if course.seconds > 20 {
        19_200 * MS
    } else {
        course.seconds * 500 * MS
    };
    let events = Load::run(course, Some(at));
    let mut summary = judge::summary(&events, course, "stale-sample");
    summary.verdict = Verdict::Invalid;
    summary.exit_code = 1;
    summary.defect = Some("stale-reads".into());
    summary.command.push_str(" --defect stale-reads");
    let anomaly = judge::stale_read(&events, at, &key);
    summary.reason = format!(
        "Key {key} is not linearizable: client 103 read {STALE} after {FRESH} had been written and read."
    );
    let mut check = judge::analysis(&summary.reason, course, &events);
    check.verdict = Verdict::Invalid;
    check.keys[0].verdict = Verdict::Invalid;
    check.keys[0].verified_events = anomaly.prefix_events - 1;
    check.anomalies = vec![anomaly];
    summary.checks = vec![check];
    Sample {
        events,
        metrics: cluster::metrics(course),
        logs: cluster::logs(course),
        messages: None,
        summary,
    }
}

/// An invalid run with a second violation, of many operations far apart and with unknown outcomes.
pub(crate) fn crowded(course: &Course) -> Sample {
    let mut sample = invalid(course);
    let summary = &mut sample.summary;
    summary.run = "20261121-040506-crowded-sample".into();
    let anomaly = judge::lost_write(&sample.events, &course.keys[1]);
    summary.checks[0].anomalies.push(anomaly);
    sample
}

/// An invalid run whose history has no times, as other tools write them.
pub(crate) fn untimed() -> Sample {
    let mut sample = invalid(&Course {
        seconds: 4,
        rate: 20,
        faults: false,
        ..Course::default()
    });
    for event in &mut sample.events {
        if let Event::Op(event) = event {
            event.time = 0;
        }
    }
    sample.metrics.clear();
    sample
}

/// A run that could not be judged in the time given.
pub(crate) fn unknown(course: &Course) -> Sample {
    let mut sample = valid(course);
    let summary = &mut sample.summary;
    summary.run = "20261121-040506-unknown-sample".into();
    summary.verdict = Verdict::Unknown;
    summary.exit_code = 2;
    summary.reason =
        "The checker spent its 60 s: keys x and y are complete, z is open after 1,024 events.".into();
    let check = &mut summary.checks[0];
    check.verdict = Verdict::Unknown;
    check.reason = summary.reason.clone();
    check.keys[2].verdict = Verdict::Unknown;
    check.keys[2].verified_events = 1024;
    sample
}

/// A run in which too little happened.
pub(crate) fn not_exercised(course: &Course) -> Sample {
    let mut sample = valid(&Course {
        faults: false,
        keys: course.keys.clone(),
        ..*course
    });
    let summary = &mut sample.summary;
    summary.run = "20261121-040506-idle-sample".into();
    summary.verdict = Verdict::NotExercised;
    summary.exit_code = 3;
    summary.reason = "Nothing was violated, but no planned fault took effect.".into();
    summary.faults = [(
        "partition".to_owned(),
        FaultCount {
            planned: 3,
            skipped: 3,
            ..FaultCount::default()
        },
    )]
    .into();
    summary.not_exercised = vec!["partition was planned 3 times and never took effect".into()];
    sample
}

/// A target that would not start.
pub(crate) fn harness_failure() -> Sample {
    let course = Course {
        seconds: 1,
        rate: 0,
        faults: false,
        ..Course::default()
    };
    let mut summary = judge::summary(&[], &course, "broken-sample");
    summary.verdict = Verdict::HarnessFailure;
    summary.exit_code = 255;
    summary.duration_ms = 0;
    summary.rate = Rate::default();
    summary.reason = "Node n2 of etcd ended with exit status 1 before it served: its log tells why.".into();
    summary.not_exercised = vec!["no operation was invoked".into()];
    let log = vec!["etcd: listen tcp 10.0.0.2:2379: bind: address already in use".to_owned()];
    Sample {
        messages: None,
        summary,
        events: Vec::new(),
        metrics: Vec::new(),
        logs: [("n2".to_owned(), log)].into(),
    }
}

/// What an attacker, or a fuzzer of values, would have a system say.
pub(crate) const HOSTILE: &str =
    "</script><img src=x onerror=alert(1)>&amp;\u{2028}\u{1b}[2J'\"`${1}{{script}}";

/// An invalid run whose every text is hostile.
pub(crate) fn hostile() -> Sample {
    let key = Value::from(HOSTILE);
    let mut sample = invalid(&Course {
        seconds: 8,
        rate: 60,
        faults: true,
        keys: vec![key],
    });
    for event in &mut sample.events {
        match event {
            Event::Op(event) => {
                event.node = Some(HOSTILE.into());
                event.error = event.error.as_ref().map(|_| HOSTILE.into());
            }
            Event::Fault(fault) => {
                fault.f = HOSTILE.into();
                fault.value.what = HOSTILE.into();
                fault.value.evidence = HOSTILE.repeat(4);
                fault.value.nodes = vec![HOSTILE.into()];
                fault.value.links = vec![HOSTILE.into()];
                fault.value.roles = [(HOSTILE.to_owned(), HOSTILE.to_owned())].into();
            }
            Event::Other => {}
        }
    }
    sample.messages = Some(Diagram {
        title: HOSTILE.into(),
        lanes: vec![HOSTILE.into(), "n2".into()],
        arrows: vec![Arrow {
            from: 0,
            // Nobody has that lane.
            to: 1_000_000,
            sent_us: 10,
            arrived_us: Some(5),
            word: HOSTILE.into(),
            label: HOSTILE.into(),
        }],
        marks: vec![Mark {
            lane: None,
            time_us: 20,
            kind: MarkKind::Violation,
            text: HOSTILE.into(),
        }],
        to_us: u64::MAX,
        ..Diagram::default()
    });
    for metric in &mut sample.metrics {
        metric.node = format!("{HOSTILE}{}", metric.node);
    }
    let summary = &mut sample.summary;
    let check = &mut summary.checks[0];
    let anomaly = &mut check.anomalies[0];
    for edge in &mut anomaly.cycle {
        edge.why = HOSTILE.into();
    }
    if let Some(severity) = &mut anomaly.severity {
        severity.stale_by = partita_checker::Extent::Boundless(HOSTILE.into());
        for offender in severity
            .stale_reads
            .iter_mut()
            .flat_map(|reads| &mut reads.offenders)
        {
            offender.name = HOSTILE.into();
        }
        for level in &mut severity.levels {
            level.holds = partita_checker::Holds::NotKnown { why: HOSTILE.into() };
        }
    }
    for text in [
        &mut summary.run,
        &mut summary.reason,
        &mut summary.command,
        &mut summary.target,
        &mut summary.workload,
        &mut summary.network,
        &mut summary.ended,
        &mut check.checker,
        &mut check.model,
        &mut anomaly.story,
        &mut anomaly.name,
    ] {
        text.push_str(HOSTILE);
    }
    summary.not_exercised = vec![HOSTILE.into()];
    summary.facts = [(HOSTILE.to_owned(), HOSTILE.to_owned())].into();
    summary.nodes = vec![HOSTILE.into()];
    summary.faults = summary
        .faults
        .values()
        .take(1)
        .map(|count| (HOSTILE.to_owned(), count.clone()))
        .collect();
    sample.logs = [("n1".to_owned(), vec![HOSTILE.to_owned(); 3])].into();
    sample
}
