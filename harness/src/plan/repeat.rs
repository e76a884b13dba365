//! Plans from files: so that a run can be repeated, with some of its faults left out if need be.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, bail};
use partita_nemesis::fault;

use super::{FORMAT, Obstacle, Plan, Request, nemesis, unknown};

/// What this machine can't do.
const HERE: Obstacle = |fault| fault.impossible();

impl Plan {
    /// Reads a plan from a file. It may hold other faults than its seed draws, but none that it could not.
    ///
    /// # Errors
    /// When the file can't be read, is no plan (with the line), or asks for what there is not.
    pub(crate) fn read(path: &Path) -> anyhow::Result<Plan> {
        let cannot = || format!("`{}`", path.display());
        let text = std::fs::read_to_string(path).with_context(cannot)?;
        let plan: Plan = toml::from_str(&text).with_context(cannot)?;
        plan.check().with_context(cannot)?;
        Ok(plan)
    }

    /// Is it a plan that could be asked for?
    pub(crate) fn check(&self) -> anyhow::Result<()> {
        if self.format != FORMAT {
            bail!(
                "is a plan of format {}, and this program reads {FORMAT}",
                self.format
            );
        }
        // All that the command line could not ask for is refused here as well.
        let drawn = Plan::new(self.request())?;
        if self.nodes != drawn.nodes {
            bail!("the nodes must be {}", drawn.nodes.join(", "));
        }
        let target = partita_targets::find(&self.target).context("the target is not there")?;
        let ground = nemesis::Ground {
            nodes: &self.nodes,
            target,
            network: &self.network,
            has_other_program: self.binary_b.is_some(),
            obstacle: HERE,
        };
        for planned in &self.faults {
            let Some(fault) = fault::find(&planned.fault) else {
                let names = fault::ALL.iter().map(|fault| fault.name());
                bail!(unknown("fault", &planned.fault, names));
            };
            if let Err(wrong) = fault::check(fault, &planned.settings) {
                bail!("fault number {}: settings: {wrong}", planned.id);
            }
            let asked = format!("{}:{}", planned.fault, planned.shape);
            ground.kinds(&[asked])?;
        }
        Ok(())
    }

    /// Are the faults those that the seed draws? Then a command line says all.
    pub(crate) fn is_as_drawn(&self) -> bool {
        Plan::new(self.request()).is_ok_and(|drawn| drawn == *self)
    }

    /// What was asked for to get this plan.
    pub(crate) fn request(&self) -> Request {
        Request {
            target: self.target.clone(),
            binary: self.binary.clone(),
            binary_b: self.binary_b.clone(),
            defect: self.defect.clone(),
            snapshot_entries: self.snapshot_entries,
            lease_reads: self.lease_reads,
            workload: Some(self.workload.clone()),
            reads: self.reads,
            nodes: self.nodes.len(),
            network: self.network.clone(),
            tcp: self.tcp,
            nemesis: match self.nemesis.as_slice() {
                [] => vec!["none".to_owned()],
                names => names.to_vec(),
            },
            schedule: self.schedule.clone(),
            obstacle: HERE,
            concurrency: self.concurrency,
            rate: self.rate,
            time_limit: self.time_limit(),
            operation_timeout: Duration::from_millis(self.operation_timeout_ms),
            checker_time: Duration::from_millis(self.checker_time_ms),
            checker_memory_bytes: self.checker_memory_bytes,
            on_violation: self.on_violation,
            seed: self.seed,
        }
    }
}

#[cfg(test)]
mod tests {
    use partita_generator::settings::Value;

    use super::super::tests::plan;
    use super::*;

    fn read(plan: &Plan) -> anyhow::Result<Plan> {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("plan.toml");
        std::fs::write(&path, toml::to_string(plan).unwrap()).unwrap();
        Plan::read(&path)
    }

    #[test]
    fn a_plan_is_read_back_with_the_faults_that_are_left_in_it() {
        let whole = plan("kill");
        assert!(whole.is_as_drawn());
        assert_eq!(read(&whole).unwrap(), whole);
        let mut fewer = whole;
        fewer.faults.truncate(1);
        assert!(!fewer.is_as_drawn());
        assert_eq!(read(&fewer).unwrap(), fewer);
        let calm = plan("none");
        assert!(calm.is_as_drawn() && read(&calm).unwrap() == calm);
    }

    #[test]
    fn what_can_not_be_is_refused_with_the_reason() {
        let refused = |change: fn(&mut Plan)| {
            let mut wrong = plan("kill");
            change(&mut wrong);
            format!("{:#}", read(&wrong).unwrap_err())
        };
        assert!(refused(|plan| plan.format = 9).contains("is a plan of format 9"));
        assert!(refused(|plan| plan.target = "x".into()).contains("unknown target `x`"));
        assert!(refused(|plan| plan.faults[0].fault = "x".into()).contains("unknown fault `x`"));
        assert!(refused(|plan| plan.faults[0].shape = "x".into()).contains("unknown shape of `kill`"));
        let of_settings = refused(|plan| {
            let settings = [("percent", Value::Whole(20))];
            plan.faults[0].settings = settings.into_iter().collect();
        });
        let expected = "fault number 0: settings: fault `kill` has no setting `percent`; it has none";
        assert!(of_settings.contains(expected), "{of_settings}");
        assert!(refused(|plan| plan.nodes[0] = "../n1".into()).contains("the nodes must be n1, "));
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("plan.toml");
        std::fs::write(&path, "format = 1\nseed = \"x\"\n").unwrap();
        let told = format!("{:#}", Plan::read(&path).unwrap_err());
        assert!(told.contains("line 2"), "{told}");
    }
}
