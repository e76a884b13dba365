//! Many seeds, over all cores.

use std::io::IsTerminal;
use std::num::NonZeroUsize;
use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::resource::{UsageWho, getrusage};
use partita_checker::Verdict;
use partita_simulator::{Counts, Options, Report, Violation};

use super::runs::Runs;
use crate::cli::{say, units};

/// How often progress is told where nobody sees a line renewed.
const PLAIN_PROGRESS: Duration = Duration::from_secs(10);

/// What to run.
pub(super) struct Sweep<'a> {
    pub(super) runs: Runs,
    pub(super) options: &'a Options,
    pub(super) seeds: Range<u64>,
    pub(super) jobs: Option<NonZeroUsize>,
    pub(super) time_limit: Option<Duration>,
    pub(super) quiet: bool,
}

/// A seed in which something was violated.
pub(super) struct Found {
    pub(super) seed: u64,
    pub(super) violation: Violation,
}

/// What came of all.
#[derive(Default)]
pub(super) struct Tally {
    pub(super) seeds: u64,
    /// By seed.
    pub(super) found: Vec<Found>,
    pub(super) counts: Counts,
    /// The fingerprint, if it was one run.
    fingerprint: Option<u64>,
    virtual_us: u64,
    processor_seconds: f64,
    wall: Duration,
}

/// Runs the seeds.
///
/// # Errors
/// When a history can not be checked.
pub(super) fn run(sweep: &Sweep<'_>) -> anyhow::Result<Tally> {
    let began = Instant::now();
    let processor_before = processor_seconds();
    let next = AtomicU64::new(sweep.seeds.start);
    let cores = thread::available_parallelism().unwrap_or(NonZeroUsize::MIN);
    let (sender, results) = channel::<anyhow::Result<Report>>();
    let mut tally = Tally::default();
    thread::scope(|scope| -> anyhow::Result<()> {
        for _ in 0..sweep.jobs.unwrap_or(cores).get() {
            let sender = sender.clone();
            let next = &next;
            scope.spawn(move || {
                while sweep.time_limit.is_none_or(|limit| began.elapsed() < limit) {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= sweep.seeds.end || sender.send(sweep.runs.report(seed, sweep.options)).is_err()
                    {
                        return;
                    }
                }
            });
        }
        drop(sender);
        let mut told = began;
        loop {
            match results.recv_timeout(Duration::from_secs(1)) {
                Ok(report) => tally.take(report?),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return Ok(()),
            }
            let terminal = std::io::stderr().is_terminal();
            let due = if terminal {
                Duration::from_secs(1)
            } else {
                PLAIN_PROGRESS
            };
            if !sweep.quiet && told.elapsed() >= due {
                told = Instant::now();
                let all = sweep.seeds.end - sweep.seeds.start;
                say(&format!(
                    "{} of {all} seeds, {}",
                    tally.seeds,
                    units::counted(tally.found.len() as u64, "violation")
                ));
            }
        }
    })?;
    tally.found.sort_by_key(|found| found.seed);
    tally.processor_seconds = processor_seconds() - processor_before;
    tally.wall = began.elapsed();
    Ok(tally)
}

impl Tally {
    /// Of one run.
    pub(super) fn of(report: Report) -> Tally {
        let mut tally = Tally::default();
        tally.take(report);
        tally
    }

    fn take(&mut self, report: Report) {
        self.seeds += 1;
        // Of several there is none that says anything.
        self.fingerprint = Some(report.trace).filter(|_| self.seeds == 1);
        self.counts += report.counts;
        self.virtual_us += report.virtual_us;
        if let Some(violation) = report.violation {
            self.found.push(Found {
                seed: report.seed,
                violation,
            });
        }
    }

    /// Nothing violated is a pass only if something was done: clients were served, and, where there were
    /// many seeds, the faults that every protocol must bear took effect.
    pub(super) fn verdict(&self, alone: bool) -> Verdict {
        let counts = &self.counts;
        let served = counts.writes > 0 && counts.reads > 0;
        let hurt = [
            counts.crashes,
            counts.pauses,
            counts.partitions,
            counts.messages_lost,
        ];
        if !self.found.is_empty() {
            Verdict::Invalid
        } else if served && (alone || hurt.iter().all(|&count| count > 0)) {
            Verdict::Valid
        } else {
            Verdict::NotExercised
        }
    }

    /// Cluster-seconds simulated in a second of one core.
    fn speed(&self) -> f64 {
        self.virtual_us as f64 / 1e6 / self.processor_seconds.max(1e-9)
    }

    /// For a reader.
    pub(super) fn text(&self, options: &Options, verdict: Verdict) -> String {
        let mut text = format!(
            "{verdict}: {}, {}",
            units::counted(self.seeds, "seed"),
            units::counted(self.found.len() as u64, "violation")
        );
        if let Some(defect) = options.defect {
            text += &format!(", with the defect {defect}");
        }
        if let Some(fingerprint) = self.fingerprint {
            text += &format!("; fingerprint {fingerprint:016x}");
        }
        text.push('\n');
        for (name, count) in self.counts.each() {
            text += &format!("  {:20} {count:>14}\n", name.replace('_', " "));
        }
        if self.processor_seconds > 0.0 {
            text += &format!(
                "{:.0} cluster-seconds in {:.1} s; {:.0} in a second of one core\n",
                self.virtual_us as f64 / 1e6,
                self.wall.as_secs_f64(),
                self.speed()
            );
        }
        text
    }

    /// For a program.
    pub(super) fn json(&self, protocol: &str, options: &Options, verdict: Verdict) -> serde_json::Value {
        let found = self.found.iter().map(|Found { seed, violation }| {
            serde_json::json!({
                "seed": seed,
                "property": violation.property,
                "node": violation.node.map(|node| node.to_string()),
                "time_us": violation.time_us,
                "what": violation.what,
            })
        });
        let counts: serde_json::Map<_, _> = self
            .counts
            .each()
            .map(|(name, count)| (name.to_owned(), count.into()))
            .collect();
        serde_json::json!({
            "format": partita_reports::run::FORMAT,
            "verdict": verdict,
            "exit_code": verdict.exit_code(),
            "protocol": protocol,
            "options": options,
            "seeds": self.seeds,
            "violations": found.collect::<Vec<_>>(),
            "counts": counts,
            "fingerprint": self.fingerprint.map(|it| format!("{it:016x}")),
            "cluster_seconds": self.virtual_us as f64 / 1e6,
            "wall_seconds": self.wall.as_secs_f64(),
            "processor_seconds": self.processor_seconds,
        })
    }
}

/// The time that all threads of this process have been running.
fn processor_seconds() -> f64 {
    let Ok(usage) = getrusage(UsageWho::RUSAGE_SELF) else {
        return 0.0;
    };
    let seconds = |time: nix::sys::time::TimeVal| time.tv_sec() as f64 + time.tv_usec() as f64 / 1e6;
    seconds(usage.user_time()) + seconds(usage.system_time())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::tests::pretty;
    use crate::formats::assert_documented;

    #[test]
    fn seeds_as_text_and_json() {
        let violation = Violation {
            time_us: 1_250_000,
            property: "stale read",
            node: None,
            what: "x was 7, and had been overwritten".into(),
        };
        let tally = Tally {
            seeds: 20,
            found: vec![Found { seed: 7, violation }],
            virtual_us: 60_000_000,
            processor_seconds: 2.0,
            wall: Duration::from_millis(1_500),
            ..Tally::default()
        };
        let options = Options::default();
        let text = tally.text(&options, Verdict::Invalid);
        // Which counts and options there are is not for this test to say.
        let ends = [text.lines().next(), text.lines().last()].map(Option::unwrap);
        insta::assert_snapshot!("sweep-text", ends.join("\n...\n"));
        let mut told = tally.json("raft", &options, Verdict::Invalid);
        assert_documented("partita simulate --json", &told);
        for member in ["options", "counts"] {
            told[member] = "...".into();
        }
        insta::assert_snapshot!("sweep-json", pretty(&told));
    }
}
