//! What a person sees while a run goes on: a line that renews itself on a terminal, plain lines elsewhere.

use std::io::{self, IsTerminal, Write};
use std::sync::Arc;
use std::time::Duration;

use partita_history::{FaultOutcome, FaultPhase, FaultValue};
use tokio::sync::watch;

use crate::run::online::Alarm;
use crate::run::recorder::{Counts, Recorder};

/// Tells how a run goes, on standard error; knows whether it was asked to end.
#[derive(Clone)]
pub(crate) struct Progress(Arc<Inner>);

struct Inner {
    quiet: bool,
    terminal: bool,
    interrupted: watch::Receiver<bool>,
}

impl Progress {
    /// Listens for Ctrl-C, SIGTERM and SIGHUP from now on: the first ends the load early, the second ends
    /// everything at once.
    ///
    /// # Errors
    /// When signals can't be listened for.
    pub(crate) fn new(quiet: bool) -> io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        let (told, interrupted) = watch::channel(false);
        let mut interrupt = signal(SignalKind::interrupt())?;
        let mut terminate = signal(SignalKind::terminate())?;
        let mut hang_up = signal(SignalKind::hangup())?;
        tokio::spawn(async move {
            loop {
                tokio::select! {
                    _ = interrupt.recv() => {}
                    _ = terminate.recv() => {}
                    _ = hang_up.recv() => {}
                }
                if told.send_replace(true) {
                    // Asked twice. The nodes die with us.
                    std::process::exit(i32::from(partita_checker::Verdict::HarnessFailure.exit_code()));
                }
                if !quiet {
                    let _ = writeln!(
                        io::stderr().lock(),
                        "ending early; once more ends everything at once"
                    );
                }
            }
        });
        Ok(Progress(Arc::new(Inner {
            quiet,
            terminal: io::stderr().is_terminal(),
            interrupted,
        })))
    }

    /// Waits until the run is asked to end.
    pub(crate) async fn interrupted(&self) {
        let mut interrupted = self.0.interrupted.clone();
        if interrupted.wait_for(|&interrupted| interrupted).await.is_err() {
            std::future::pending().await
        }
    }

    /// A new phase began.
    pub(crate) fn phase(&self, phase: &str) {
        self.line(&format!("{phase} ..."));
    }

    /// A fault entered a phase.
    pub(crate) fn fault(&self, fault: &str, value: &FaultValue) {
        if let Some(told) = of_fault(fault, value) {
            self.line(&told);
        }
    }

    /// The online checker saw a violation.
    pub(crate) fn violation(&self, alarm: &Alarm) {
        self.line(&alarm.told());
    }

    /// Tells how much was done, again and again.
    pub(crate) async fn show(&self, recorder: &Recorder) {
        let period = if self.0.terminal {
            Duration::from_millis(250)
        } else {
            Duration::from_secs(5)
        };
        let mut ticks = tokio::time::interval(period);
        ticks.tick().await;
        loop {
            ticks.tick().await;
            let text = of_work(recorder.now(), &recorder.counts());
            if self.0.terminal && !self.0.quiet {
                let _ = write!(io::stderr().lock(), "\r\x1b[K{text}");
            } else {
                self.line(&text);
            }
        }
    }

    fn line(&self, text: &str) {
        if !self.0.quiet {
            let start = if self.0.terminal { "\r\x1b[K" } else { "" };
            let _ = writeln!(io::stderr().lock(), "{start}{text}");
        }
    }
}

/// What became of a fault, and when; nothing of a plan.
fn of_fault(fault: &str, value: &FaultValue) -> Option<String> {
    let what = match (value.phase, value.outcome) {
        (FaultPhase::Planned, _) => return None,
        (FaultPhase::Injected, Some(FaultOutcome::Took)) => String::new(),
        (FaultPhase::Injected, Some(FaultOutcome::Skipped)) => format!(" skipped ({})", value.evidence),
        (FaultPhase::Injected, _) => format!(" uncertain ({})", value.evidence),
        (FaultPhase::Healed, Some(FaultOutcome::Took)) => " healed".into(),
        (FaultPhase::Healed, _) => format!(" not seen to heal ({})", value.evidence),
    };
    let at = value.started as f64 / 1e9;
    Some(format!("{at:5.1} s: {fault} {}{what}", value.what))
}

/// How much was done until a time, in nanoseconds.
fn of_work(time: u64, counts: &Counts) -> String {
    format!(
        "{:3} s: {} ok, {} fail, {} unknown; {} faults took",
        time / 1_000_000_000,
        counts.ok,
        counts.fail,
        counts.info,
        counts.faults_took
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_is_told_while_it_goes_on() {
        let fault = |phase, outcome| FaultValue {
            id: 1,
            phase,
            outcome,
            what: "isolate the leader".into(),
            started: 12_340_000_000,
            nodes: vec!["n1".into()],
            roles: Default::default(),
            links: Vec::new(),
            evidence: "2 of 2 probes were lost".into(),
        };
        use FaultOutcome::{Skipped, Took, Uncertain};
        let lines = [
            (FaultPhase::Planned, None),
            (FaultPhase::Injected, Some(Took)),
            (FaultPhase::Injected, Some(Skipped)),
            (FaultPhase::Injected, Some(Uncertain)),
            (FaultPhase::Healed, Some(Took)),
            (FaultPhase::Healed, Some(Uncertain)),
        ];
        let lines = lines
            .into_iter()
            .filter_map(|(phase, outcome)| of_fault("partition", &fault(phase, outcome)));
        let counts = Counts {
            invoked: 110,
            ok: 90,
            fail: 7,
            info: 3,
            faults_took: 2,
        };
        let lines = lines.chain([of_work(12_340_000_000, &counts)]);
        insta::assert_snapshot!(lines.collect::<Vec<_>>().join("\n"));
    }
}
