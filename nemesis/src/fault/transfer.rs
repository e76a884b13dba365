//! A leader is told to hand over to another node, as an operator does before maintenance. Nothing is broken by
//! it, and what clients asked of the old leader must not be lost on the way.

use std::time::Duration;

use partita_history::FaultOutcome;
use tokio::time::Instant;

use super::administrator::{Changed, Need, acknowledged_leader};
use super::{BoxFuture, Context, Fault, Injected, Shape, roles_and_leaders, roles_of, selection};

/// See the module's text.
pub(super) struct Transfer;

impl Fault for Transfer {
    fn name(&self) -> &'static str {
        "transfer"
    }

    fn summary(&self) -> &'static str {
        "Tells the leader to hand over to another node; there is nothing to heal."
    }

    fn shapes(&self) -> &'static [Shape] {
        selection::TRANSFER_SHAPES
    }

    fn least_nodes(&self, _: &str) -> usize {
        2
    }

    fn needs(&self) -> Option<Need> {
        Some(Need::Leadership)
    }

    fn lasts(&self) -> bool {
        false
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

/// How long the nodes may take to know the new leader.
const PATIENCE: Duration = Duration::from_secs(3);
const ASK_EVERY: Duration = Duration::from_millis(50);

async fn inject(context: &Context, shape: &str, seed: u64) -> Injected {
    let Some(administrator) = &context.administrator else {
        return Injected::skipped(shape, "the target has no call for it");
    };
    let cluster = &context.cluster;
    let (roles, leaders) = roles_and_leaders(context, true).await;
    let (from, to) = match selection::successor(shape, cluster.len(), &leaders, seed) {
        Ok(chosen) => chosen,
        Err(reason) => return Injected::skipped(shape, reason),
    };
    let from = cluster.name(from).to_owned();
    let before = acknowledged_leader(&context.observer.look().await);
    let began = Instant::now();
    let answer = match administrator.transfer(to).await {
        Changed::Done => "done".to_owned(),
        Changed::Rejected(why) => return Injected::skipped(shape, why),
        Changed::Unknown(why) => format!("unknown ({why})"),
    };
    let wanted = to.map(|to| cluster.name(to).to_owned());
    let (outcome, seen) = loop {
        match acknowledged_leader(&context.observer.look().await) {
            Some((leader, term)) if leader != from => {
                let as_wanted = wanted.as_ref().is_none_or(|wanted| *wanted == leader);
                let outcome = if as_wanted {
                    FaultOutcome::Took
                } else {
                    FaultOutcome::Uncertain
                };
                let after = began.elapsed().as_millis();
                break (
                    outcome,
                    format!("after {after} ms a majority named {leader}, term {term}"),
                );
            }
            _ if began.elapsed() >= PATIENCE => {
                let seen = format!("no majority named another leader within {} s", PATIENCE.as_secs());
                break (FaultOutcome::Uncertain, seen);
            }
            _ => tokio::time::sleep(ASK_EVERY).await,
        }
    };
    let before = before.map_or("nobody".into(), |(leader, term)| format!("{leader}, term {term}"));
    let nodes = vec![from.clone()];
    Injected {
        what: format!("{from} to {}", wanted.as_deref().unwrap_or("whichever it chose")),
        roles: roles_of(&roles, &nodes),
        nodes,
        links: Vec::new(),
        outcome,
        evidence: format!("before, a majority named {before}; the answer was: {answer}; {seen}"),
        undo: Some(super::nothing_to_undo()),
    }
}
