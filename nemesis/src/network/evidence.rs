//! Whether links really are cut, or really carry again.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use partita_history::FaultOutcome;

use super::link::{Interference, Link, all_links};
use super::netns::Netns;
use super::proxy::{Proxy, Traffic};
use super::switch::Tally;
use super::{Network, echo};

/// What a probe found, and in words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Evidence {
    pub(crate) outcome: FaultOutcome,
    pub(crate) text: String,
}

impl Evidence {
    pub(crate) fn new(certain: bool, text: String) -> Evidence {
        Evidence {
            outcome: if certain {
                FaultOutcome::Took
            } else {
                FaultOutcome::Uncertain
            },
            text,
        }
    }

    /// Certain if both are.
    pub(crate) fn and(self, other: Evidence) -> Evidence {
        let certain = self.outcome == FaultOutcome::Took && other.outcome == FaultOutcome::Took;
        Evidence::new(certain, format!("{}; {}", self.text, other.text))
    }
}

/// The traffic of the links of a fault when it began, for comparison when it ends.
#[derive(Clone, Debug)]
pub(crate) struct Period {
    begun: Instant,
    traffic: BTreeMap<Link, Traffic>,
    /// What the switch had counted on these links, if there is one.
    counted: Option<(BTreeSet<Link>, Tally)>,
}

/// The forwarder may be in the middle of a write when a gate closes.
const SETTLING: Duration = Duration::from_millis(5);
/// How long the forwarder watches links. Not every pair of nodes talks; that some do is enough.
const WATCH: Duration = Duration::from_millis(250);
/// How long it waits for anything to try to cross.
const PATIENCE: Duration = Duration::from_millis(1_000);
const LOOK_EVERY: Duration = Duration::from_millis(10);
/// How often a probe of datagrams is repeated if other faults disturb it, which one does that comes and goes.
const PROBES: usize = 8;

impl Network {
    /// Notes how things stand just before links are interfered with.
    pub(crate) fn begin_period(&self, links: &BTreeSet<Link>) -> Period {
        let (traffic, counted) = match self {
            Network::Netns(netns) => (
                BTreeMap::new(),
                netns.tally(links).map(|tally| (links.clone(), tally)),
            ),
            Network::Proxy(proxy) => (proxy.traffic(links), None),
        };
        Period {
            begun: Instant::now(),
            traffic,
            counted,
        }
    }

    /// Probes whether these links are cut, just after they were.
    pub(crate) async fn probe_cut(&self, nodes: usize, links: &BTreeSet<Link>) -> (Evidence, Period) {
        match self {
            Network::Netns(netns) => {
                let period = self.begin_period(links);
                (probe_by_datagrams(netns, nodes).await, period)
            }
            Network::Proxy(proxy) => {
                tokio::time::sleep(SETTLING).await;
                let period = self.begin_period(links);
                (watch_cut(proxy, &period).await, period)
            }
        }
    }

    /// Probes whether connections over these links, which are cut, are refused. A forwarder breaks them, which
    /// the probe of the cut has seen.
    pub(crate) async fn probe_refusal(&self, links: &BTreeSet<Link>) -> Option<Evidence> {
        match self {
            Network::Netns(netns) => Some(echo::probe_refusal(netns, links).await),
            Network::Proxy(_) => None,
        }
    }

    /// Probes whether these links do what they are to do, just after that began.
    pub(crate) async fn probe_interference(
        &self,
        fault: u64,
        interference: Interference,
        period: &Period,
        links: &BTreeSet<Link>,
    ) -> Evidence {
        match self {
            Network::Netns(netns) => echo::probe(netns, fault, interference, links).await,
            Network::Proxy(proxy) if interference.is_cut() => {
                tokio::time::sleep(SETTLING).await;
                watch_cut(proxy, &self.begin_period(links)).await
            }
            Network::Proxy(proxy) => watch_slowed(proxy, period).await,
        }
    }

    /// Probes whether these links carry again, as far as no other fault cuts them.
    pub(crate) async fn probe_healed(&self, nodes: usize, period: &Period) -> Evidence {
        let mut evidence = match self {
            Network::Netns(netns) => probe_by_datagrams(netns, nodes).await,
            Network::Proxy(proxy) => watch_healed(proxy, period).await,
        };
        if let (Network::Netns(netns), Some((links, before))) = (self, &period.counted) {
            let counted = netns.tally(links).unwrap_or_default() - *before;
            evidence.text = format!("{}; since it began: {counted}", evidence.text);
        }
        evidence
    }

    /// Probes whether nothing is done to these links any more, as far as other faults let them be.
    pub(crate) async fn probe_cleared(
        &self,
        nodes: usize,
        period: &Period,
        links: &BTreeSet<Link>,
    ) -> Evidence {
        let carried = self.probe_healed(nodes, period).await;
        let Network::Netns(netns) = self else {
            return carried;
        };
        let clear = echo::probe_clear(netns, links).await;
        carried.and(clear)
    }
}

impl Network {
    /// What is amiss though no fault is in force.
    pub(crate) async fn leftovers(&self, nodes: usize) -> Option<String> {
        let Network::Netns(netns) = self else { return None };
        let evidence = probe_by_datagrams(netns, nodes).await;
        (evidence.outcome != FaultOutcome::Took).then_some(evidence.text)
    }
}

/// Every link, cut or not, is tried: a fault that cuts too much is as wrong as one that cuts too little.
async fn probe_by_datagrams(netns: &Netns, nodes: usize) -> Evidence {
    for _ in 0..PROBES {
        let cut = netns.cut();
        let carried = match netns.carried().await {
            Ok(carried) => carried,
            Err(error) => return Evidence::new(false, format!("the probe failed: {error}")),
        };
        // Another fault may have begun or ended in the meantime.
        if cut == netns.cut() {
            return judge(&all_links(nodes), &cut, &carried);
        }
    }
    Evidence::new(
        false,
        "other faults changed the network during every probe".into(),
    )
}

fn judge(all: &BTreeSet<Link>, cut: &BTreeSet<Link>, carried: &BTreeSet<Link>) -> Evidence {
    let others = all.len() - cut.len();
    let leaks = cut.intersection(carried).count();
    let carrying = carried.difference(cut).count();
    let text = if cut.is_empty() {
        format!("{carrying} of {others} links carried probe datagrams")
    } else {
        let dropped = cut.len() - leaks;
        let cut = cut.len();
        format!(
            "{dropped} of {cut} cut links dropped probe datagrams, {carrying} of {others} others carried them"
        )
    };
    Evidence::new(leaks == 0 && carrying == others, text)
}

async fn watch_cut(proxy: &Proxy, period: &Period) -> Evidence {
    let links: BTreeSet<Link> = period.traffic.keys().copied().collect();
    let count = links.len();
    loop {
        tokio::time::sleep(LOOK_EVERY).await;
        let traffic = since(proxy, period);
        let total = sum(&traffic);
        let waited = period.begun.elapsed();
        if total.forwarded > 0 {
            let text = format!("{} bytes got through {count} cut links", total.forwarded);
            return Evidence::new(false, text);
        }
        let held_by = traffic.values().filter(|traffic| traffic.was_held()).count();
        if waited >= WATCH && (held_by > 0 || waited >= PATIENCE) {
            let Traffic {
                held,
                held_connections,
                ..
            } = total;
            let text = if held_by == 0 {
                format!(
                    "nothing tried to cross the {count} cut links in {} ms",
                    waited.as_millis()
                )
            } else {
                format!(
                    "in {} ms no byte crossed the {count} cut links; {held} bytes and {held_connections} new \
                     connections were held on {held_by} of them",
                    waited.as_millis()
                )
            };
            return Evidence::new(held_by > 0, text);
        }
    }
}

/// A delay or a limit is felt as soon as anything crosses.
async fn watch_slowed(proxy: &Proxy, period: &Period) -> Evidence {
    loop {
        tokio::time::sleep(LOOK_EVERY).await;
        let traffic = since(proxy, period);
        let slowed: u64 = traffic.values().map(|traffic| traffic.slowed).sum();
        let by = traffic.values().filter(|traffic| traffic.slowed > 0).count();
        let waited = period.begun.elapsed();
        if waited >= WATCH && (by > 0 || waited >= PATIENCE) {
            let text = format!(
                "in {} ms {slowed} bytes were made to wait on {by} of {} links",
                waited.as_millis(),
                traffic.len()
            );
            return Evidence::new(by > 0, text);
        }
    }
}

async fn watch_healed(proxy: &Proxy, period: &Period) -> Evidence {
    let lasted = period.begun.elapsed();
    let held = sum(&since(proxy, period));
    let still_cut = proxy.cut();
    let open: BTreeSet<Link> = period
        .traffic
        .keys()
        .filter(|link| !still_cut.contains(link))
        .copied()
        .collect();
    let healed = Instant::now();
    let story = format!(
        "{} bytes and {} new connections were held in {:.1} s",
        held.held,
        held.held_connections,
        lasted.as_secs_f64()
    );
    if open.is_empty() {
        return Evidence::new(true, format!("{story}; other faults still cut all of the links"));
    }
    loop {
        tokio::time::sleep(LOOK_EVERY).await;
        let traffic = since(proxy, period);
        let flowing = open.iter().filter(|link| traffic[link].forwarded > 0).count();
        let waited = healed.elapsed();
        if flowing == open.len() || waited >= WATCH && (flowing > 0 || waited >= PATIENCE) {
            let text = format!(
                "{story}; bytes flow again over {flowing} of {} healed links",
                open.len()
            );
            return Evidence::new(flowing > 0, text);
        }
    }
}

fn since(proxy: &Proxy, period: &Period) -> BTreeMap<Link, Traffic> {
    let links = period.traffic.keys().copied().collect();
    let now = proxy.traffic(&links);
    now.into_iter()
        .map(|(link, traffic)| (link, traffic.since(period.traffic[&link])))
        .collect()
}

fn sum(traffic: &BTreeMap<Link, Traffic>) -> Traffic {
    traffic.values().fold(Traffic::default(), |sum, traffic| Traffic {
        forwarded: sum.forwarded + traffic.forwarded,
        slowed: sum.slowed + traffic.slowed,
        held: sum.held + traffic.held,
        held_connections: sum.held_connections + traffic.held_connections,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_leak_and_a_dead_link_both_make_a_cut_uncertain() {
        let all = all_links(2);
        let cut = BTreeSet::from([Link::between(0, 1)]);
        let open: BTreeSet<Link> = all.difference(&cut).copied().collect();
        let good = judge(&all, &cut, &open);
        assert_eq!(good.outcome, FaultOutcome::Took);
        assert_eq!(
            good.text,
            "1 of 1 cut links dropped probe datagrams, 5 of 5 others carried them"
        );
        assert_eq!(judge(&all, &cut, &all).outcome, FaultOutcome::Uncertain);
        let dead: BTreeSet<Link> = open.iter().skip(1).copied().collect();
        let bad = judge(&all, &cut, &dead);
        assert_eq!(bad.outcome, FaultOutcome::Uncertain);
        assert_eq!(
            bad.text,
            "1 of 1 cut links dropped probe datagrams, 4 of 5 others carried them"
        );
        assert_eq!(
            judge(&all, &BTreeSet::new(), &all).text,
            "6 of 6 links carried probe datagrams"
        );
    }
}
