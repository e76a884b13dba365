//! Plans with a little less in them.

use crate::plan::Plan;

/// Fewer operations a second than this say nothing.
pub(super) const RATE_MIN: f64 = 20.0;
/// How long after its violation a run may still go on, in milliseconds: where chance has a part, it may come later.
const AFTERWARDS_MS: u64 = 2_000;

/// Has the load end soon after this time, without the faults that would come later.
pub(super) fn end_after(plan: &mut Plan, violated_ms: u64) {
    plan.time_limit_ms = plan.time_limit_ms.min(violated_ms + AFTERWARDS_MS);
    let end = plan.time_limit_ms;
    plan.faults.retain(|fault| fault.at_ms < end);
    for fault in &mut plan.faults {
        fault.for_ms = fault.for_ms.min(end - fault.at_ms);
    }
}

/// Has fewer nodes.
pub(super) fn with_nodes(plan: &mut Plan, nodes: usize) {
    plan.nodes.truncate(nodes);
}

/// Asks for those faults that are left, so that no other counts as never exercised.
pub(super) fn name_faults(plan: &mut Plan) {
    let mut names: Vec<String> = plan
        .faults
        .iter()
        .map(|fault| format!("{}:{}", fault.fault, fault.shape))
        .collect();
    names.sort();
    names.dedup();
    plan.nemesis = names;
    plan.schedule.clear();
    plan.left_out.clear();
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::tests::plan;

    #[test]
    fn what_is_left_is_a_plan_that_can_be_run() {
        let mut small = plan("kill");
        end_after(&mut small, 8_000);
        with_nodes(&mut small, 3);
        small.faults.truncate(1);
        name_faults(&mut small);
        small.check().unwrap();
        assert_eq!(
            (small.time_limit_ms, small.nodes.len(), small.nemesis.len()),
            (10_000, 3, 1)
        );
        assert!(
            small
                .faults
                .iter()
                .all(|fault| fault.at_ms + fault.for_ms <= 10_000)
        );
        small.faults.clear();
        name_faults(&mut small);
        small.check().unwrap();
    }
}
