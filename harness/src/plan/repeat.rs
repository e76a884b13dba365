//! Plans from files: so that a run can be repeated, with some of its faults left out if need be.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, bail};
use partita_generator::faults::PlannedFault;
use partita_nemesis::fault;
use serde::Deserialize;

use super::{FAULTS_MAX, FORMAT, Obstacle, Plan, Request, nemesis, unknown};

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
        let plan = Plan::parse(&text).with_context(cannot)?;
        plan.check().with_context(cannot)?;
        Ok(plan)
    }

    /// Reads a plan, whatever it asks for.
    ///
    /// # Errors
    /// When it is no plan (with the line), or one of another format.
    pub(super) fn parse(text: &str) -> anyhow::Result<Plan> {
        /// What a plan of any format has.
        #[derive(Deserialize)]
        struct Head {
            format: u32,
        }
        let head: Head = toml::from_str(text)?;
        check_format(head.format)?;
        Ok(toml::from_str(text)?)
    }

    /// Is it a plan that could be asked for?
    pub(crate) fn check(&self) -> anyhow::Result<()> {
        check_format(self.format)?;
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
        if self.faults.len() > FAULTS_MAX {
            bail!(
                "a plan may have at most {FAULTS_MAX} faults, and this one has {}",
                self.faults.len()
            );
        }
        let mut ids = BTreeSet::new();
        for planned in &self.faults {
            if !ids.insert(planned.id) {
                bail!("two faults have the id {}; each must have its own", planned.id);
            }
            if let Some(late) = late(planned, self.time_limit_ms) {
                let PlannedFault { id, fault, shape, .. } = planned;
                bail!("the fault with the id {id}, `{fault}:{shape}`, {late}");
            }
            if fault::find(&planned.fault).is_none() {
                let names = fault::ALL.iter().map(|fault| fault.name());
                bail!(unknown("fault", &planned.fault, names));
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
            schedule_file: None,
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

/// Is it the format that this program reads?
fn check_format(format: u32) -> anyhow::Result<()> {
    if format != FORMAT {
        bail!("is a plan of format {format}, and this program reads {FORMAT}");
    }
    Ok(())
}

/// Why there is no time for a fault in a load that takes so many milliseconds, if there is none.
fn late(planned: &PlannedFault, load_ms: u64) -> Option<String> {
    let PlannedFault { at_ms, for_ms, .. } = *planned;
    if at_ms >= load_ms {
        return Some(format!(
            "would begin at {at_ms} ms (at_ms), and the load ends at {load_ms} ms (time_limit_ms)"
        ));
    }
    let end_ms = at_ms.saturating_add(for_ms);
    (end_ms > load_ms).then(|| {
        format!(
            "would end at {end_ms} ms (at_ms + for_ms), and the load ends at {load_ms} ms (time_limit_ms)"
        )
    })
}

#[cfg(test)]
mod tests {
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
        assert!(refused(|plan| plan.nodes[0] = "../n1".into()).contains("the nodes must be n1, "));
        let told = written("format = 1\nseed = \"x\"\n");
        assert!(told.contains("line 2"), "{told}");
    }

    /// Why a file with this text is refused.
    fn written(text: &str) -> String {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("plan.toml");
        std::fs::write(&path, text).unwrap();
        let told = format!("{:#}", Plan::read(&path).unwrap_err());
        assert!(told.contains("plan.toml`: "), "it tells the file: {told}");
        told
    }

    #[test]
    fn a_fault_for_which_there_is_no_time_is_refused_by_name() {
        let with = |at_ms: u64, for_ms: u64| {
            let mut plan = plan("kill:leader");
            plan.time_limit_ms = 8_000;
            plan.faults.truncate(1);
            (plan.faults[0].at_ms, plan.faults[0].for_ms) = (at_ms, for_ms);
            toml::to_string(&plan).unwrap()
        };
        assert_eq!(
            written(&with(8_000, 0)).split_once(": ").unwrap().1,
            "the fault with the id 0, `kill:leader`, would begin at 8000 ms (at_ms), and the load ends at 8000 ms \
             (time_limit_ms)"
        );
        let told = written(&with(2_000, 6_001));
        assert!(
            told.contains("would end at 8001 ms (at_ms + for_ms), and the load ends at 8000 ms"),
            "{told}"
        );
        let endless = written(&with(2_000, i64::MAX as u64));
        assert!(endless.contains("would end at "), "{endless}");
        toml::from_str::<Plan>(&with(2_000, 6_000))
            .unwrap()
            .check()
            .unwrap();
    }

    #[test]
    fn faults_that_cannot_be_told_apart_and_too_many_are_refused() {
        let mut twice = plan("kill");
        twice.faults[1].id = twice.faults[0].id;
        let told = written(&toml::to_string(&twice).unwrap());
        assert!(told.contains("two faults have the id 0"), "{told}");
        let mut many = plan("kill");
        many.faults = vec![many.faults[0].clone(); FAULTS_MAX + 1];
        let told = many.check().unwrap_err().to_string();
        assert_eq!(
            told,
            "a plan may have at most 100000 faults, and this one has 100001"
        );
    }

    #[test]
    fn a_misspelt_key_is_refused_with_its_line() {
        let good = toml::to_string(&plan("kill")).unwrap();
        let line =
            |text: &str, needle: &str| 1 + text.lines().position(|line| line.contains(needle)).unwrap();
        for (key, misspelt) in [("rate = ", "rates = "), ("for_ms = ", "fors_ms = ")] {
            // Beside the right one, so that nothing is missing.
            let text = good.replacen(key, &format!("{misspelt}1\n{key}"), 1);
            let told = written(&text);
            let name = misspelt.trim_end_matches(" = ");
            assert!(told.contains(&format!("unknown field `{name}`")), "{told}");
            let at = line(&text, misspelt);
            // What is wrong in a fault is told where the fault begins, or at the key itself.
            let near = (at.saturating_sub(3)..=at).any(|line| told.contains(&format!("line {line},")));
            assert!(near, "{told}");
        }
    }
}
