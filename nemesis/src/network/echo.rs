//! Whether links really do to what crosses them what a fault has them do.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::PoisonError;
use std::time::{Duration, Instant};

use super::evidence::Evidence;
use super::link::{Interference, Link};
use super::netns::Netns;
use super::prober::Echo;
use super::switch::Tally;

/// Datagrams at a time.
const COUNT: u32 = 24;
/// Long enough ones for a limited rate to be felt.
const LONG: usize = 1_400;
/// Batches are repeated for so long, until one shows what is to be seen.
const PATIENCE: Duration = Duration::from_millis(1_500);
/// And at least so often: on a busy machine one batch may take that long.
const BATCHES_MIN: usize = 3;
/// What is not delayed arrives within this, on a machine that is busy.
const DRAIN: Duration = Duration::from_millis(120);
/// No echo is as quick as that over a link whose rate is used up.
const SLOW: Duration = Duration::from_millis(8);

/// How often it has been tried.
struct Trials {
    begun: Instant,
    batches: usize,
}

impl Trials {
    fn begin() -> Trials {
        Trials {
            begun: Instant::now(),
            batches: 0,
        }
    }

    /// Whether the batch that has just been looked at was the last.
    fn are_over(&mut self) -> bool {
        self.batches += 1;
        self.batches >= BATCHES_MIN && self.begun.elapsed() >= PATIENCE
    }
}

/// Sends probe datagrams over links, as often as it needs to see that the interference takes.
pub(super) async fn probe(
    netns: &Netns,
    fault: u64,
    interference: Interference,
    links: &BTreeSet<Link>,
) -> Evidence {
    let mut trials = Trials::begin();
    let before = tally(netns, links);
    loop {
        let others = cut_by_others(netns, fault);
        let open: BTreeSet<Link> = links.difference(&others).copied().collect();
        if open.is_empty() {
            if trials.are_over() {
                return Evidence::new(false, "other faults cut all of the links".into());
            }
            tokio::time::sleep(DRAIN).await;
            continue;
        }
        let echoes = match echoes(netns, open, interference).await {
            Ok(echoes) => echoes,
            Err(error) => return Evidence::new(false, format!("the probe failed: {error}")),
        };
        let counted = tally(netns, links) - before;
        let (shows, text) = judge(interference, &echoes);
        let certain = shows && counts(interference, counted);
        if certain || trials.are_over() {
            return Evidence::new(certain, format!("{text}; the switch: {counted}"));
        }
    }
}

/// Whether links that nothing is done to any more let everything pass.
pub(super) async fn probe_clear(netns: &Netns, links: &BTreeSet<Link>) -> Evidence {
    let mut trials = Trials::begin();
    loop {
        let busy: BTreeSet<Link> = netns.in_force().into_keys().collect();
        let clear: BTreeSet<Link> = links.difference(&busy).copied().collect();
        if clear.is_empty() {
            return Evidence::new(true, "other faults hold all of the links".into());
        }
        let before = tally(netns, &clear);
        let echoes = match echoes(netns, clear.clone(), Interference::Stall).await {
            Ok(echoes) => echoes,
            Err(error) => return Evidence::new(false, format!("the probe failed: {error}")),
        };
        let counted = tally(netns, &clear) - before;
        let arrived: usize = echoes.values().map(|echo| echo.took.len()).sum();
        let all_pass = Tally {
            bytes: counted.bytes,
            arrived: counted.arrived,
            forwarded: counted.arrived,
            ..Tally::default()
        };
        let certain = echoes.values().all(|echo| !echo.took.is_empty()) && counted == all_pass;
        // If not, another fault may have begun in the meantime: then its links are left out the next time.
        if certain || trials.are_over() {
            let by = if netns.leaves(&clear) {
                "the kernel serves them again".to_owned()
            } else {
                format!("the switch: {counted}")
            };
            let text = format!("{arrived} probe datagrams came over {} links; {by}", clear.len());
            return Evidence::new(certain, text);
        }
    }
}

fn tally(netns: &Netns, links: &BTreeSet<Link>) -> Tally {
    netns.tally(links).unwrap_or_default()
}

fn cut_by_others(netns: &Netns, fault: u64) -> BTreeSet<Link> {
    let in_force = netns.in_force().into_iter();
    in_force
        .filter(|(_, forces)| {
            forces
                .iter()
                .any(|force| force.fault != fault && force.interference.is_cut())
        })
        .map(|(link, _)| link)
        .collect()
}

async fn echoes(
    netns: &Netns,
    links: BTreeSet<Link>,
    interference: Interference,
) -> Result<BTreeMap<Link, Echo>, String> {
    let prober = netns.prober();
    let (length, drain) = match interference {
        Interference::Rate(_) => (LONG, 4 * DRAIN),
        Interference::Delay { least, .. } => (0, least + 2 * DRAIN),
        Interference::Reorder { by, .. } => (0, by + DRAIN),
        _ => (0, DRAIN),
    };
    let probe = move || {
        let mut prober = prober.lock().unwrap_or_else(PoisonError::into_inner);
        prober.echoes(&links, COUNT, length, drain)
    };
    let probed = tokio::task::spawn_blocking(probe).await;
    probed.map_err(|error| error.to_string())
}

/// Whether the switch counted what the interference is.
fn counts(interference: Interference, tally: Tally) -> bool {
    let count = match interference {
        Interference::Delay { .. } => tally.delayed,
        Interference::Rate(_) => tally.throttled,
        Interference::Reorder { .. } => tally.reordered,
        Interference::Duplicate(_) => tally.duplicated,
        Interference::Corrupt(_) => tally.corrupted,
        Interference::Loss(_) => tally.lost,
        Interference::Hold => tally.held,
        Interference::Stall => tally.cut,
        Interference::Reset => tally.refused,
    };
    count > 0
}

/// Whether the echoes show the interference, and what they show, in words.
fn judge(interference: Interference, echoes: &BTreeMap<Link, Echo>) -> (bool, String) {
    let links = echoes.len();
    let sum = |what: fn(&Echo) -> u32| echoes.values().map(what).sum::<u32>();
    let sent = sum(|echo| echo.sent);
    let missing = sum(Echo::missing);
    let told = |count: u32, what: &str| {
        (
            count > 0,
            format!("of {sent} probe datagrams over {links} links {count} {what}"),
        )
    };
    let took = || echoes.values().flat_map(|echo| &echo.took);
    let (quickest, slowest) = (took().min().copied(), took().max().copied());
    let span = format!(
        "probe datagrams took {} to {} ms over {links} links",
        quickest.unwrap_or_default().as_millis(),
        slowest.unwrap_or_default().as_millis()
    );
    let every = |shows: &dyn Fn(&Echo) -> bool| echoes.values().all(shows);
    match interference {
        Interference::Delay { least, .. } => (
            every(&|echo| !echo.took.is_empty()) && quickest.is_some_and(|quickest| quickest >= least),
            span,
        ),
        Interference::Rate(_) => (
            every(&|echo| echo.missing() > 0 || echo.took.iter().any(|took| *took >= SLOW)),
            format!("{span}, {missing} of {sent} did not arrive in time"),
        ),
        Interference::Reorder { .. } => told(sum(|echo| echo.overtaken), "were overtaken"),
        Interference::Duplicate(_) => told(sum(|echo| echo.twice), "arrived twice"),
        Interference::Corrupt(_) | Interference::Loss(_) => told(missing, "did not arrive"),
        Interference::Hold | Interference::Stall | Interference::Reset => (
            missing == sent,
            format!("of {sent} probe datagrams over {links} links {missing} did not arrive"),
        ),
    }
}

/// Knocks on the doors at the ends of links, and says on how many of them it was refused. Somebody is at home at
/// every end, so only a link can refuse.
pub(super) async fn probe_refusal(netns: &Netns, links: &BTreeSet<Link>) -> Evidence {
    let begun: Vec<_> = links.iter().map(|link| netns.start_knock(*link)).collect();
    let mut refused = 0;
    for knocked in begun {
        refused += usize::from(knocked.await == Ok(true));
    }
    let prober = netns.prober();
    // Another probe may hold it for seconds.
    let show_out = move || {
        let prober = prober.lock().unwrap_or_else(PoisonError::into_inner);
        prober.show_out();
    };
    let shown_out = tokio::task::spawn_blocking(show_out).await.is_ok();
    let count = links.len();
    Evidence::new(
        refused == count && shown_out,
        format!("on {refused} of {count} links a new connection was refused at once"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::network::link::Share;

    fn echo(sent: u32, took_ms: &[u64]) -> Echo {
        let mut echo = Echo::default();
        echo.sent = sent;
        echo.took = took_ms.iter().map(|ms| Duration::from_millis(*ms)).collect();
        echo
    }

    #[test]
    fn a_delay_has_to_show_on_every_link() {
        let delay = Interference::delay(Duration::from_millis(20));
        let on = |second: Echo| {
            judge(
                delay,
                &BTreeMap::from([
                    (Link::between(0, 1), echo(2, &[21, 25])),
                    (Link::between(1, 0), second),
                ]),
            )
        };
        let (shows, text) = on(echo(2, &[30]));
        assert!(shows);
        assert_eq!(text, "probe datagrams took 21 to 30 ms over 2 links");
        assert!(!on(echo(2, &[3, 40])).0, "one was too quick");
        assert!(!on(echo(2, &[])).0, "nothing came");
    }

    #[test]
    fn losses_are_counted_over_all_links() {
        let loss = Interference::Loss(Share::percent(10));
        let links = BTreeMap::from([
            (Link::between(0, 1), echo(3, &[0, 0])),
            (Link::between(1, 0), echo(3, &[0, 0, 0])),
        ]);
        let (shows, text) = judge(loss, &links);
        assert!(shows);
        assert_eq!(text, "of 6 probe datagrams over 2 links 1 did not arrive");
        assert!(!judge(Interference::Hold, &links).0);
        assert!(!judge(Interference::Rate(1_000), &links).0, "one link was quick");
    }
}
