//! How a seed is run: with the protocol's own clients, or with those of a workload.

use partita_simulator::{Extras, Options, Recorded, Report, Scenario, Simulator, Violation};
use partita_workloads::Workload;

use super::workload::{self, Judged};

/// Runs of one protocol, with the same clients.
#[derive(Clone, Copy)]
pub(in crate::cli) struct Runs {
    pub(in crate::cli) simulator: &'static Simulator,
    /// Whose clients, if not the protocol's own.
    pub(in crate::cli) workload: Option<&'static dyn Workload>,
}

impl Runs {
    fn judged(&self, seed: u64, options: &Options, extras: Extras) -> anyhow::Result<Judged> {
        match self.workload {
            Some(workload) => workload::simulate(self.simulator, workload, seed, options, extras),
            None => Ok(Judged {
                recorded: (self.simulator.simulate_with)(seed, options, extras),
                operations: Vec::new(),
                analysis: None,
            }),
        }
    }

    fn run(&self, seed: u64, options: &Options, extras: Extras) -> anyhow::Result<Recorded> {
        let judged = self.judged(seed, options, extras)?;
        Ok(judged.recorded)
    }

    /// What comes of a seed.
    ///
    /// # Errors
    /// When a history can not be checked; so with the others.
    pub(super) fn report(&self, seed: u64, options: &Options) -> anyhow::Result<Report> {
        self.run(seed, options, Extras::default())
            .map(|recorded| recorded.report)
    }

    /// The run of this seed as a scenario, with what it draws to go wrong.
    pub(in crate::cli) fn drawn(&self, seed: u64, options: Options) -> anyhow::Result<Scenario> {
        let recorded = self.run(seed, &options, Extras::default())?;
        Ok(Scenario {
            protocol: self.simulator.name.to_owned(),
            seed,
            workload: self.workload.map(|workload| workload.name().to_owned()),
            options,
            schedule: recorded.schedule,
            turns: None,
            independent_turns: false,
        })
    }

    /// A smaller scenario that fails alike, found within so many runs; nothing if this one does not fail.
    pub(in crate::cli) fn minimize(
        &self,
        scenario: &Scenario,
        runs_max: u64,
    ) -> anyhow::Result<Option<(Scenario, Violation)>> {
        let run = |seed: u64, options: &Options, extras: Extras| self.run(seed, options, extras);
        partita_simulator::minimize(scenario, runs_max, &run)
    }

    /// A scenario.
    pub(super) fn again(&self, scenario: &Scenario) -> anyhow::Result<Recorded> {
        self.run(scenario.seed, &scenario.options, scenario.extras())
    }

    /// A scenario, with all that happens in it.
    pub(super) fn traced(&self, scenario: &Scenario) -> anyhow::Result<Judged> {
        let extras = Extras {
            traced: true,
            ..scenario.extras()
        };
        self.judged(scenario.seed, &scenario.options, extras)
    }
}
