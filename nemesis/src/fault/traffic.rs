//! What the faults have in common that spoil the traffic over links without cutting them for good: which links, how
//! that is proved, and how it is undone.

use std::collections::BTreeSet;

use partita_generator::{Random, random};
use partita_history::FaultOutcome;

use super::{BoxFuture, Context, Fault, Healed, Injected, Shape, grudge, links, roles_of};
use crate::lab::{self, NetworkKind};
use crate::network::{Interference, Link, Period};

/// Something that can be done to the traffic over links.
pub(super) struct TrafficFault {
    pub(super) name: &'static str,
    pub(super) summary: &'static str,
    /// The networks that can do it.
    pub(super) networks: &'static [NetworkKind],
    /// Draws how much of it is done.
    pub(super) draw: fn(&mut Random) -> Interference,
}

/// For what is done to single packets.
pub(super) const PACKETS: &[NetworkKind] = &[NetworkKind::Switch];
/// For what can be done to a stream of bytes as well.
pub(super) const STREAMS: &[NetworkKind] = &[NetworkKind::Switch, NetworkKind::Proxy];

impl Fault for TrafficFault {
    fn name(&self) -> &'static str {
        self.name
    }

    fn summary(&self) -> &'static str {
        self.summary
    }

    fn shapes(&self) -> &'static [Shape] {
        links::TRAFFIC_SHAPES
    }

    fn least_nodes(&self, shape: &str) -> usize {
        // All others are links among nodes.
        if shape == "all-clients" { 1 } else { 2 }
    }

    fn networks(&self) -> &'static [NetworkKind] {
        self.networks
    }

    fn takes_grudges(&self) -> bool {
        true
    }

    fn overlaps_itself(&self) -> bool {
        true
    }

    fn impossible(&self) -> Option<String> {
        let by_switch_only = self.networks == PACKETS;
        by_switch_only.then(lab::switch_obstacle).flatten()
    }

    fn inject<'a>(
        &'a self,
        context: &'a Context,
        id: u64,
        shape: &'a str,
        seed: u64,
    ) -> BoxFuture<'a, Injected> {
        Box::pin(self.begin(context, id, shape, seed))
    }
}

impl TrafficFault {
    async fn begin(&self, context: &Context, id: u64, shape: &str, seed: u64) -> Injected {
        let cluster = &context.cluster;
        if !self.networks.contains(&cluster.kind()) {
            return Injected::skipped(shape, super::not_over(self, cluster.kind()));
        }
        let (hit, roles, _) = match grudge::whom(context, shape, seed, links::traffic).await {
            Ok(whom) => whom,
            Err(reason) => return Injected::skipped(shape, reason),
        };
        let interference = (self.draw)(&mut random(seed, self.name));
        let period = cluster.network().begin_period(&hit.links);
        let imposed = cluster
            .impose_seeded(id, seed, interference, hit.links.clone())
            .await;
        let evidence = cluster
            .network()
            .probe_interference(id, interference, &period, &hit.links)
            .await;
        let (outcome, evidence) = match imposed {
            Ok(()) => (evidence.outcome, evidence.text),
            Err(error) => (FaultOutcome::Uncertain, format!("{error}; {}", evidence.text)),
        };
        cluster.remember_hit(&hit.nodes);
        let nodes: Vec<String> = hit
            .nodes
            .iter()
            .map(|&node| cluster.name(node).to_owned())
            .collect();
        Injected {
            what: format!(
                "{interference}, on {} links: {}",
                hit.links.len(),
                whose(shape, &nodes)
            ),
            roles: roles_of(&roles, &nodes),
            nodes,
            links: hit.links.iter().map(|link| cluster.link_name(*link)).collect(),
            outcome,
            evidence,
            undo: Some(Box::new(move |context| {
                Box::pin(heal(context, id, period, hit.links))
            })),
        }
    }
}

async fn heal(context: Context, id: u64, period: Period, links: BTreeSet<Link>) -> Healed {
    let cluster = &context.cluster;
    let lifted = cluster.lift(id).await;
    let evidence = cluster
        .network()
        .probe_cleared(cluster.len(), &period, &links)
        .await;
    match lifted {
        Ok(_) => evidence.into(),
        Err(error) => Healed {
            outcome: FaultOutcome::Uncertain,
            evidence: format!("{error}; {}", evidence.text),
        },
    }
}

fn whose(shape: &str, nodes: &[String]) -> String {
    let names = nodes.join(", ");
    match shape {
        _ if grudge::is_grudge(shape) => shape.to_owned(),
        "all" => "all among nodes".to_owned(),
        "one-way" => format!("from {names}"),
        "all-clients" => "between clients and nodes".to_owned(),
        _ => format!("to and from {names}"),
    }
}
