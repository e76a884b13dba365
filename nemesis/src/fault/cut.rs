//! What the faults have in common that cut links for good: which links, how that is proved, and how it is undone.

use std::collections::BTreeSet;
use std::time::Duration;

use partita_history::FaultOutcome;

use super::flapping::Flapping;
use super::{BoxFuture, Context, Fault, Healed, Injected, Shape, grudge, lag, links, roles_of};
use crate::cluster::Cluster;
use crate::network::{Evidence, Interference, Link, Period};

/// Something by which links are cut.
pub(super) struct CutFault {
    pub(super) name: &'static str,
    pub(super) summary: &'static str,
    pub(super) interference: Interference,
}

impl Fault for CutFault {
    fn name(&self) -> &'static str {
        self.name
    }

    fn summary(&self) -> &'static str {
        self.summary
    }

    fn shapes(&self) -> &'static [Shape] {
        links::CUT_SHAPES
    }

    fn takes_grudges(&self) -> bool {
        true
    }

    fn overlaps_itself(&self) -> bool {
        true
    }

    fn inject<'a>(
        &'a self,
        context: &'a Context,
        id: u64,
        shape: &'a str,
        seed: u64,
    ) -> BoxFuture<'a, Injected> {
        Box::pin(inject(context, id, shape, seed, self.interference))
    }
}

async fn inject(context: &Context, id: u64, shape: &str, seed: u64, interference: Interference) -> Injected {
    let cluster = &context.cluster;
    let (cut, roles, leaders) = match grudge::whom(context, shape, seed, links::cut).await {
        Ok(whom) => whom,
        Err(reason) => return Injected::skipped(shape, reason),
    };
    let prelude = match links::handover(cluster.len(), &leaders, seed) {
        Ok((lag, _)) if shape == "handover" => Some(prelude(cluster, id, lag.links).await),
        _ => None,
    };
    let imposed = cluster.impose(id, interference, cut.links.clone()).await;
    let lifted = match &prelude {
        Some(_) => cluster.lift(id | PRELUDE).await.map(drop),
        None => Ok(()),
    };
    cluster.remember_hit(&cut.nodes);
    let nodes: Vec<String> = cut
        .nodes
        .iter()
        .map(|&node| cluster.name(node).to_owned())
        .collect();
    let (mut evidence, period) = cluster.network().probe_cut(cluster.len(), &cut.links).await;
    if interference == Interference::Reset
        && let Some(refusal) = cluster.network().probe_refusal(&cut.links).await
    {
        evidence = evidence.and(refusal);
    }
    if let Some(first) = prelude {
        evidence.text = format!("first {}; then {}", first.text, evidence.text);
        if first.outcome != FaultOutcome::Took {
            evidence.outcome = FaultOutcome::Uncertain;
        }
    }
    let (outcome, evidence) = match imposed.and(lifted) {
        Ok(()) => (evidence.outcome, evidence.text),
        Err(error) => (FaultOutcome::Uncertain, format!("{error}; {}", evidence.text)),
    };
    let what = describe(context, shape, &nodes, &cut.links);
    let links = cut.links.iter().map(|link| cluster.link_name(*link)).collect();
    let course = match shape {
        "flapping" => Course::Flapping(Flapping::begin(context, id, seed, interference, cut.links)),
        "until-snapshot" => Course::UntilSnapshot(cut.nodes),
        _ => Course::Steady,
    };
    Injected {
        what,
        roles: roles_of(&roles, &nodes),
        nodes,
        links,
        outcome,
        evidence,
        undo: Some(Box::new(move |context| {
            Box::pin(heal(context, id, course, period))
        })),
    }
}

/// What becomes of a cut between its beginning and its healing.
enum Course {
    Steady,
    Flapping(Flapping),
    /// It is not healed before these nodes need a snapshot.
    UntilSnapshot(Vec<usize>),
}

/// How long nodes are cut off so that they lag.
const LAG: Duration = Duration::from_secs(1);

/// Cuts links for long enough that whoever is behind them lags. They stay cut: the cut that follows is to come
/// with no moment in between.
async fn prelude(cluster: &Cluster, id: u64, links: BTreeSet<Link>) -> Evidence {
    let began = tokio::time::Instant::now();
    let imposed = cluster
        .impose(id | PRELUDE, Interference::Stall, links.clone())
        .await;
    let (evidence, _) = cluster.network().probe_cut(cluster.len(), &links).await;
    tokio::time::sleep_until(began + LAG).await;
    match imposed {
        Ok(()) => evidence,
        Err(error) => Evidence {
            outcome: FaultOutcome::Uncertain,
            text: format!("{error}; {}", evidence.text),
        },
    }
}

/// Tells the first of a fault's two cuts from the second; the numbers of a schedule never get there.
const PRELUDE: u64 = 1 << 63;

async fn heal(context: Context, id: u64, course: Course, period: Period) -> Healed {
    let story = match course {
        Course::Steady => String::new(),
        Course::Flapping(flapping) => format!("cut {} times; ", flapping.end().await),
        Course::UntilSnapshot(nodes) => format!("{}; ", lag::until_snapshot(&context, &nodes).await),
    };
    let lifted = context.cluster.lift(id).await;
    let mut evidence = context
        .cluster
        .network()
        .probe_healed(context.cluster.len(), &period)
        .await;
    evidence.text.insert_str(0, &story);
    match lifted {
        Ok(_) => evidence.into(),
        Err(error) => Healed {
            outcome: FaultOutcome::Uncertain,
            evidence: format!("{error}; {}", evidence.text),
        },
    }
}

fn describe(context: &Context, shape: &str, hit: &[String], links: &BTreeSet<Link>) -> String {
    let hit_names = hit.join(", ");
    let all = (0..context.cluster.len()).map(|node| context.cluster.name(node));
    let others: Vec<&str> = all.filter(|name| !hit.iter().any(|hit| hit == name)).collect();
    let others = others.join(", ");
    match shape {
        "majorities-ring" => format!(
            "cut {} links so that each node sees another majority",
            links.len()
        ),
        "bridge" => format!("two halves of {hit_names} that only {others} connects"),
        _ if grudge::is_grudge(shape) => shape.to_owned(),
        "random-links" => format!("{} links drawn by lot", links.len()),
        "flapping" => format!("{hit_names} | {others}, again and again"),
        "until-snapshot" => format!("{hit_names} | {others}, until it needs a snapshot"),
        "one-way-in" => format!("what {others} send to {hit_names}"),
        "one-way-out" => format!("what {hit_names} sends to {others}"),
        "clients" => format!("clients | {hit_names}"),
        "handover" => format!("a minority of {others} until it lagged, then {hit_names} | {others}"),
        _ => format!("{hit_names} | {others}"),
    }
}
