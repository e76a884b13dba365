//! How a seed is run: with the protocol's own clients, or with those of a workload.

use partita_simulator::schedule::Schedule;
use partita_simulator::{Extras, Options, Recorded, Report, Simulator};
use partita_workloads::Workload;

use super::workload;

/// Runs of one protocol, with the same clients.
#[derive(Clone, Copy)]
pub(super) struct Runs {
    pub(super) simulator: &'static Simulator,
    /// Whose clients, if not the protocol's own.
    pub(super) workload: Option<&'static dyn Workload>,
}

impl Runs {
    fn run(&self, seed: u64, options: &Options, extras: Extras) -> anyhow::Result<Recorded> {
        match self.workload {
            Some(workload) => workload::simulate(self.simulator, workload, seed, options, extras),
            None => Ok((self.simulator.simulate_with)(seed, options, extras)),
        }
    }

    /// What comes of a seed.
    ///
    /// # Errors
    /// When a history can not be checked; so with the others.
    pub(super) fn report(&self, seed: u64, options: &Options) -> anyhow::Result<Report> {
        self.run(seed, options, Extras::default())
            .map(|recorded| recorded.report)
    }

    /// The same, with what went wrong: as it is given, or as the seed draws it.
    pub(super) fn recorded(
        &self,
        seed: u64,
        options: &Options,
        schedule: Option<&Schedule>,
    ) -> anyhow::Result<Recorded> {
        let extras = Extras {
            schedule: schedule.cloned(),
            ..Extras::default()
        };
        self.run(seed, options, extras)
    }

    /// The same, with all that happens.
    pub(super) fn traced(
        &self,
        seed: u64,
        options: &Options,
        schedule: &Schedule,
    ) -> anyhow::Result<Recorded> {
        let extras = Extras {
            schedule: Some(schedule.clone()),
            traced: true,
            ..Extras::default()
        };
        self.run(seed, options, extras)
    }
}
