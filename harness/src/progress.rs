//! What a person sees while a run goes on: a line that renews itself on a terminal, plain lines elsewhere.

use std::io::{self, IsTerminal, Write};
use std::sync::Arc;
use std::time::Duration;

use partita_history::{FaultOutcome, FaultPhase, FaultValue};
use tokio::sync::watch;

use crate::run::online::Alarm;
use crate::run::recorder::Recorder;

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
        let what = match (value.phase, value.outcome) {
            (FaultPhase::Planned, _) => return,
            (FaultPhase::Injected, Some(FaultOutcome::Took)) => String::new(),
            (FaultPhase::Injected, Some(FaultOutcome::Skipped)) => format!(" skipped ({})", value.evidence),
            (FaultPhase::Injected, _) => format!(" uncertain ({})", value.evidence),
            (FaultPhase::Healed, Some(FaultOutcome::Took)) => " healed".into(),
            (FaultPhase::Healed, _) => format!(" not seen to heal ({})", value.evidence),
        };
        let at = value.started as f64 / 1e9;
        self.line(&format!("{at:5.1} s: {fault} {}{what}", value.what));
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
            let counts = recorder.counts();
            let text = format!(
                "{:3} s: {} ok, {} fail, {} unknown; {} faults took",
                recorder.now() / 1_000_000_000,
                counts.ok,
                counts.fail,
                counts.info,
                counts.faults_took
            );
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
