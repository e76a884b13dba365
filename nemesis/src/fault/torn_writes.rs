//! Machines lose their power in the middle of a write, of which the disk keeps the first sectors.

use std::time::Duration;

use partita_history::FaultOutcome;

use super::power_cut::{lose, victims};
use super::{BoxFuture, Context, Fault, Injected, Shape, selection};
use crate::disk::Extent;

/// See the module's text.
pub(super) struct TornWrites;

impl Fault for TornWrites {
    fn name(&self) -> &'static str {
        "torn-writes"
    }

    fn summary(&self) -> &'static str {
        "Kills nodes in the middle of a write, of which the disk keeps the first sectors; healing restarts them."
    }

    fn shapes(&self) -> &'static [Shape] {
        selection::PROCESS_SHAPES
    }

    fn needs_disks(&self) -> bool {
        true
    }

    fn inject<'a>(
        &'a self,
        context: &'a Context,
        _: u64,
        shape: &'a str,
        seed: u64,
    ) -> BoxFuture<'a, Injected> {
        Box::pin(inject(context, shape, seed))
    }
}

/// How long to wait for a write that is long enough to be torn.
const PATIENCE: Duration = Duration::from_secs(1);

async fn inject(context: &Context, shape: &str, seed: u64) -> Injected {
    let (victims, roles) = match victims(context, shape, seed).await {
        Ok(found) => found,
        Err(reason) => return Injected::skipped(shape, reason),
    };
    let disks = || {
        victims
            .iter()
            .filter_map(|&node| context.cluster.host(node).disk())
    };
    let armed: Vec<_> = disks().map(|disk| disk.cut_in_write()).collect();
    let deadline = tokio::time::Instant::now() + PATIENCE;
    for cut in armed {
        // A node that writes nothing, or only what is too short, loses its power between two writes.
        let _ = tokio::time::timeout_at(deadline, cut).await;
    }
    disks().for_each(|disk| disk.cut());
    let lost = lose(context, &victims, |node| {
        Extent::Tail(seed.wrapping_add(node as u64))
    })
    .await;
    let torn = lost.losses.iter().any(|loss| loss.torn.is_some());
    let mut injected = lost.injected(context, victims, &roles);
    if !torn && injected.outcome == FaultOutcome::Took {
        injected.outcome = FaultOutcome::Uncertain;
    }
    injected
}
