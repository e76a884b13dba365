//! A cut that comes and goes, as with a loose plug.

use std::collections::BTreeSet;
use std::time::Duration;

use partita_generator::random;
use rand::RngExt;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::Context;
use crate::network::{Interference, Link};

/// How long it is cut, or open, in milliseconds: about an election timeout, now below and now above it.
const TURN_MS: std::ops::RangeInclusive<u64> = 200..=700;

/// Cuts and opens links by turns until it is ended, or dropped. It begins with links that are cut.
pub(super) struct Flapping {
    stop: watch::Sender<bool>,
    task: Option<JoinHandle<u32>>,
}

impl Flapping {
    pub(super) fn begin(
        context: &Context,
        id: u64,
        seed: u64,
        interference: Interference,
        links: BTreeSet<Link>,
    ) -> Flapping {
        let (stop, mut stopped) = watch::channel(false);
        let cluster = context.cluster.clone();
        let mut rng = random(seed, "flapping");
        let task = tokio::spawn(async move {
            let mut cuts = 1;
            let mut is_cut = true;
            loop {
                let turn = Duration::from_millis(rng.random_range(TURN_MS));
                if tokio::time::timeout(turn, stopped.changed()).await.is_ok() {
                    return cuts;
                }
                let changed = if is_cut {
                    cluster.lift(id).await.map(drop)
                } else {
                    cuts += 1;
                    cluster.impose(id, interference, links.clone()).await
                };
                if let Err(error) = changed {
                    // The probe that follows the healing sees what came of it.
                    tracing::warn!("flapping: {error}");
                }
                is_cut = !is_cut;
            }
        });
        Flapping {
            stop,
            task: Some(task),
        }
    }

    /// Cuts no more; how often it has cut. What is cut just now stays so.
    pub(super) async fn end(mut self) -> u32 {
        self.stop.send_replace(true);
        match self.task.take() {
            Some(task) => task.await.unwrap_or_default(),
            None => 0,
        }
    }
}

impl Drop for Flapping {
    fn drop(&mut self) {
        if let Some(task) = &self.task {
            task.abort();
        }
    }
}
