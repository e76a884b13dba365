//! What the faults of clocks have in common: whom they hit, how that is proved, and how it is undone.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use partita_generator::settings::Settings;
use partita_generator::{Random, random};
use partita_history::FaultOutcome;
use rand::RngExt;

use super::node_fault::Hit;
use super::{Allowed, Context, Healed, Injected, Setting};
use crate::clock::{self, Change, ClockError, Kind, Means, NodeClock, Reading, Standstill, UNIT, aside};
use crate::network::Evidence;

/// Draws what becomes of one clock, as far as that is not set. What is set is drawn as well, so that it changes nothing
/// else that is drawn.
pub(super) type Draw = fn(Kind, &mut Random, &Settings) -> Change;

/// Which clocks are bent.
pub(super) const CLOCK: Setting = Setting {
    name: "clock",
    summary: "which clock goes wrong; \"both\" is each by itself",
    allowed: Allowed::Word(&[WALL, MONOTONIC, "both"]),
};
pub(super) const WALL: &str = "wall";
const MONOTONIC: &str = "monotonic";

/// The clocks that are asked for; `None` if that is left to the seed.
fn asked_for(settings: &Settings) -> Option<&'static [Kind]> {
    let [wall, monotonic] = &Kind::ALL;
    Some(match settings.text(CLOCK.name)? {
        WALL => std::slice::from_ref(wall),
        MONOTONIC => std::slice::from_ref(monotonic),
        _ => &Kind::ALL,
    })
}

/// What becomes of each clock of a node that is hit.
type Changes = BTreeMap<Kind, Change>;

/// A clock is read so often to see that it is as it ought to be, or until it is certainly not ours.
const READINGS_MIN: usize = 4;
const READINGS_MAX: usize = 60;
const BETWEEN_READINGS: Duration = Duration::from_millis(15);

/// Why no clock can be bent on this machine, and what to do about it.
pub(super) fn impossible() -> Option<String> {
    let trouble = clock::means().err()?;
    Some(format!("{}: {}", trouble.why, trouble.remedy))
}

/// Why the clocks that are asked for can't be bent on this machine where others can, and what to do about it.
pub(super) fn impossible_with(settings: &Settings) -> Option<String> {
    let asked_for = asked_for(settings)?;
    let means = clock::means().ok()?;
    let is_out_of_reach = matches!(means, Means::Preload(_)) && asked_for.contains(&Kind::Monotonic);
    is_out_of_reach.then(|| {
        format!(
            "the monotonic clock can't be bent by {means}: set clock = \"{WALL}\", or let processes be traced (see `partita \
             doctor`)"
        )
    })
}

/// By which means clocks are bent on this machine.
pub(super) fn means() -> Option<String> {
    clock::means().ok().map(|means| means.to_string())
}

/// Why the clocks of nodes that run can't be bent. A node that has no library can't be given one.
async fn out_of_reach(hit: &Hit<'_>) -> Option<String> {
    let cluster = &hit.context.cluster;
    let needs_library = matches!(aside(clock::means).await, Ok(Ok(Means::Preload(_))));
    for (node, leader) in hit.running() {
        let clock = Arc::clone(cluster.clock(node));
        let why = if needs_library && !clock.is_preloaded() {
            Some("it was started without libfaketime".to_owned())
        } else {
            aside(move || clock.out_of_reach(leader)).await.ok().flatten()
        };
        if let Some(why) = why {
            return Some(format!(
                "the clock of {} can't be bent: {why}",
                cluster.name(node)
            ));
        }
    }
    None
}

/// Bends the clocks of those that are hit.
pub(super) async fn inject(hit: Hit<'_>, draw: Draw) -> Injected {
    let (context, id) = (hit.context, hit.id);
    if let Ok(Some(impossible)) = aside(impossible).await {
        return hit.skipped(impossible);
    }
    let cluster = &context.cluster;
    if hit.running().is_empty() {
        return hit.nobody_ran();
    }
    if let Some(why) = out_of_reach(&hit).await {
        return hit.skipped(why);
    }
    let victim = |&node: &usize| Victim {
        node,
        name: cluster.name(node),
        possible: cluster.clock(node).kinds(),
    };
    let victims: Vec<Victim<'_>> = hit.victims.iter().map(victim).collect();
    let changed = match draw_for(hit.seed, hit.settings, &victims, draw) {
        Ok(changed) => changed,
        Err(why) => return hit.skipped(why),
    };
    let mut begun = Vec::new();
    for (&node, changes) in &changed {
        let (clock, leader, changes) = (
            Arc::clone(cluster.clock(node)),
            cluster.status(node).pid(),
            changes.clone(),
        );
        begun.push((node, aside(move || clock.begin(leader, id, &changes))));
    }
    let mut words = Vec::new();
    let mut certain = true;
    for (node, began) in begun {
        let name = cluster.name(node);
        match began.await {
            Ok(Ok(Standstill { processes: 0, .. })) => {
                words.push(format!("{name} does not run: it is for when it does"))
            }
            Ok(Ok(standstill)) => {
                let evidence = probe(context, node, changed[&node].keys().copied()).await;
                certain &= evidence.outcome == FaultOutcome::Took;
                let mut text = evidence.text;
                if !standstill.longest.is_zero() {
                    text += &format!(" (it stood still for {} us)", standstill.longest.as_micros());
                }
                words.push(text);
            }
            Ok(Err(error)) => {
                certain = false;
                words.push(format!("{name}: {error}"));
            }
            Err(_) => {
                certain = false;
                words.push(format!("{name}: there is no thread to be had"));
            }
        }
    }
    let evidence = Evidence::new(certain, words.join("; "));
    let what: Vec<String> = changed
        .iter()
        .map(|(&node, changes)| format!("{}: {}", cluster.name(node), describe(changes)))
        .collect();
    let undo = Box::new(move |context| Box::pin(heal(context, id, changed)) as _);
    Injected {
        what: what.join("; "),
        ..hit.injected(&hit.victims, evidence, undo)
    }
}

/// A node whose clocks are to be bent.
struct Victim<'a> {
    node: usize,
    name: &'a str,
    /// Those of its clocks that can be.
    possible: &'static [Kind],
}

/// Each node draws for itself, so that clocks also drift from one another where all are hit. `Err` says why a clock that
/// is asked for can't be had.
fn draw_for(
    seed: u64,
    settings: &Settings,
    victims: &[Victim<'_>],
    draw: Draw,
) -> Result<BTreeMap<usize, Changes>, String> {
    let asked_for = asked_for(settings);
    let mut rng = random(seed, "clocks");
    let mut drawn = |possible: &'static [Kind]| -> Changes {
        // In a machine both go wrong together, as they count the same crystal; but either may be set alone.
        let kinds: &[Kind] = match (rng.random_range(0..4), possible) {
            (0, _) => &[Kind::Wall],
            (1, [_, monotonic]) => std::slice::from_ref(monotonic),
            (_, possible) => possible,
        };
        let draw = |&kind: &Kind| (kind, draw(kind, &mut rng, settings));
        kinds.iter().map(draw).collect()
    };
    let changes = |victim: &Victim<'_>| -> Result<(usize, Changes), String> {
        let &Victim { node, name, possible } = victim;
        let drawn = drawn(possible);
        let Some(asked_for) = asked_for else {
            return Ok((node, drawn));
        };
        if let Some(other) = asked_for.iter().find(|kind| !possible.contains(kind)) {
            return Err(format!("the {} clock of {name} can't be bent here", other.name()));
        }
        // By lots of its own: the next node is to draw what it would have drawn.
        let mut rng = random(seed, &format!("clocks of {name}"));
        let mut change = |&kind: &Kind| {
            let change = drawn.get(&kind).copied();
            (kind, change.unwrap_or_else(|| draw(kind, &mut rng, settings)))
        };
        Ok((node, asked_for.iter().map(&mut change).collect()))
    };
    victims.iter().map(changes).collect()
}

async fn heal(context: Context, id: u64, hit: BTreeMap<usize, Changes>) -> Healed {
    let cluster = &context.cluster;
    let mut words = Vec::new();
    let mut certain = true;
    // How far it had come, for the record: a rate shows only with time.
    for (&node, changes) in &hit {
        if let Some(leader) = cluster.status(node).pid() {
            for &kind in changes.keys() {
                match compare(cluster.clock(node), leader, kind).await {
                    Ok(reading) => {
                        certain &= reading.is_as_wanted();
                        words.push(format!("{} had its {}", cluster.name(node), tell(kind, &reading)));
                    }
                    Err(ClockError::Gone) => {}
                    Err(error) => words.push(format!("{}: {error}", cluster.name(node))),
                }
            }
        }
    }
    let mut ended = Vec::new();
    for &node in hit.keys() {
        let (clock, leader) = (Arc::clone(cluster.clock(node)), cluster.status(node).pid());
        ended.push((node, aside(move || clock.end(leader, id))));
    }
    let mut creeping = Duration::ZERO;
    for (node, ended) in ended {
        match ended.await {
            Ok(Ok(time)) => creeping = creeping.max(time),
            Ok(Err(error)) => words.push(format!("{}: {error}", cluster.name(node))),
            Err(_) => words.push(format!("{}: there is no thread to be had", cluster.name(node))),
        }
    }
    // A monotonic clock does not go back: the true time has to come up with it.
    tokio::time::sleep(creeping).await;
    for &node in hit.keys() {
        let (clock, leader) = (Arc::clone(cluster.clock(node)), cluster.status(node).pid());
        if let Ok(Err(error)) = aside(move || clock.settle(leader)).await {
            words.push(format!("{}: {error}", cluster.name(node)));
        }
        let evidence = healed(&context, node).await;
        certain &= evidence.outcome == FaultOutcome::Took;
        words.push(evidence.text);
    }
    if !creeping.is_zero() {
        words.push(format!("coming back took {} ms", creeping.as_millis()));
    }
    Evidence::new(certain, words.join("; ")).into()
}

/// Reads clocks inside the node until it is certain that they go wrong as they ought to.
async fn probe(context: &Context, node: usize, kinds: impl Iterator<Item = Kind>) -> Evidence {
    let name = context.cluster.name(node);
    let Some(leader) = context.cluster.status(node).pid() else {
        return Evidence::new(false, format!("{name} is gone"));
    };
    let mut certain = true;
    let mut words = Vec::new();
    for kind in kinds {
        let mut off = false;
        let mut last = None;
        for number in 0..READINGS_MAX {
            if off && number >= READINGS_MIN {
                break;
            }
            tokio::time::sleep(BETWEEN_READINGS).await;
            match compare(context.cluster.clock(node), leader, kind).await {
                Ok(reading) => {
                    certain &= reading.is_as_wanted();
                    off |= reading.is_off();
                    // What is shown is the farthest: a strobe is right half of the time.
                    if last.is_none_or(|last: Reading| last.ahead.abs() <= reading.ahead.abs()) {
                        last = Some(reading);
                    }
                }
                Err(error) => {
                    certain = false;
                    words.push(format!("{name}: {error}"));
                    break;
                }
            }
        }
        certain &= off;
        words.extend(last.map(|reading| format!("{name} has its {}", tell(kind, &reading))));
    }
    Evidence::new(certain, words.join("; "))
}

/// Reads both clocks inside the node, and looks at the code that reads them.
async fn healed(context: &Context, node: usize) -> Evidence {
    let name = context.cluster.name(node);
    let clock = context.cluster.clock(node);
    let Some(leader) = context.cluster.status(node).pid() else {
        return Evidence::new(true, format!("{name} does not run"));
    };
    let mut certain = true;
    let mut still = false;
    for &kind in clock.kinds() {
        match compare(clock, leader, kind).await {
            Ok(reading) => {
                certain &= reading.is_as_wanted();
                still |= reading.wanted != (0, 0);
            }
            Err(ClockError::Gone) => return Evidence::new(true, format!("{name} was killed meanwhile")),
            Err(error) => return Evidence::new(false, format!("{name}: {error}")),
        }
    }
    let bent = {
        let clock = Arc::clone(clock);
        aside(move || clock.bent(leader)).await.unwrap_or_default()
    };
    // Another fault may have begun, or ended, in between.
    if clock.is_true() && !still {
        certain &= bent.is_empty();
        let told = match (clock.is_preloaded(), bent.is_empty()) {
            (false, true) => "the code that reads it is again its own",
            (false, false) => "the code that reads it is not yet again its own",
            (true, true) => "libfaketime is told to add nothing",
            (true, false) => "libfaketime is not yet told to add nothing",
        };
        return Evidence::new(certain, format!("{name} shows our time, and {told}"));
    }
    Evidence::new(
        certain,
        format!("{name} shows what other faults make of its clocks"),
    )
}

async fn compare(clock: &Arc<NodeClock>, leader: i32, kind: Kind) -> Result<Reading, ClockError> {
    let clock = Arc::clone(clock);
    let compared = aside(move || clock.compare(leader, kind)).await;
    compared.unwrap_or_else(|_| Err(ClockError::Odd("there is no thread to be had".into())))
}

fn tell(kind: Kind, reading: &Reading) -> String {
    let seconds = reading.ahead.unsigned_abs() as f64 / 1e9;
    let side = if reading.ahead < 0 { "behind" } else { "ahead of" };
    let verdict = if reading.is_as_wanted() {
        ""
    } else {
        ", which is not what it ought to be"
    };
    format!("{} clock {seconds:.3} s {side} ours{verdict}", kind.name())
}

fn describe(changes: &Changes) -> String {
    let of_one = |(kind, change): (&Kind, &Change)| {
        let seconds = |by: i64| {
            let side = if by < 0 { "behind" } else { "ahead" };
            format!("{:.3} s {side}", by.unsigned_abs() as f64 / 1e9)
        };
        let millis = |half: i64| half / 1_000_000;
        let change = match *change {
            Change::Jump(by) => seconds(by),
            Change::Skew(gain) => format!("{:.3} times as fast", (UNIT + gain) as f64 / UNIT as f64),
            Change::Strobe { by, half } => format!("{} every other {} ms", seconds(by), millis(half)),
            Change::Stutter { half } => format!("rushing and creeping by turns, {} ms each", millis(half)),
        };
        format!("{} clock {change}", kind.name())
    };
    changes.iter().map(of_one).collect::<Vec<_>>().join(", ")
}

/// Draws a length of time from as far apart as these, in nanoseconds: every order of magnitude is as likely.
pub(super) fn span(rng: &mut Random, least: f64, most: f64) -> i64 {
    let power = rng.random_range(least.ln()..most.ln());
    power.exp() as i64
}

/// Draws whether it is ahead or behind.
pub(super) fn either_way(rng: &mut Random, length: i64) -> i64 {
    if rng.random_bool(0.5) { length } else { -length }
}

#[cfg(test)]
mod tests {
    use partita_generator::settings::Value;

    use super::*;

    fn draw_any(_: Kind, rng: &mut Random, _: &Settings) -> Change {
        Change::Jump(rng.random_range(1..1_000_000_000))
    }

    fn victims(possible: &'static [Kind]) -> Vec<Victim<'static>> {
        let victim = |(node, name)| Victim { node, name, possible };
        ["n1", "n2", "n3"].into_iter().enumerate().map(victim).collect()
    }

    fn clock(name: &str) -> Settings {
        [(CLOCK.name, Value::Text(name.into()))].into_iter().collect()
    }

    #[test]
    fn which_clock_can_be_asked_for_and_changes_nothing_else_that_is_drawn() {
        let mut seen = std::collections::BTreeSet::new();
        for seed in 0..40 {
            let drawn = draw_for(seed, &Settings::default(), &victims(&Kind::ALL), draw_any).unwrap();
            for (name, kinds) in [
                ("wall", vec![Kind::Wall]),
                ("monotonic", vec![Kind::Monotonic]),
                ("both", Kind::ALL.to_vec()),
            ] {
                let asked_for = draw_for(seed, &clock(name), &victims(&Kind::ALL), draw_any).unwrap();
                for (node, changes) in asked_for {
                    assert_eq!(
                        changes.keys().copied().collect::<Vec<_>>(),
                        kinds,
                        "seed {seed}: {name}"
                    );
                    for (kind, change) in changes {
                        let as_drawn = drawn[&node].get(&kind);
                        assert!(
                            as_drawn.is_none_or(|drawn| *drawn == change),
                            "seed {seed}: {name}"
                        );
                        seen.insert(as_drawn.is_none());
                    }
                }
            }
        }
        assert_eq!(seen.len(), 2, "some are drawn anyway, and some are not");
    }

    #[test]
    fn a_clock_that_cannot_be_bent_is_not_promised() {
        let victims = || victims(&[Kind::Wall]);
        assert!(draw_for(1, &clock("wall"), &victims(), draw_any).is_ok());
        for name in ["monotonic", "both"] {
            let why = draw_for(1, &clock(name), &victims(), draw_any).unwrap_err();
            assert_eq!(why, "the monotonic clock of n1 can't be bent here", "{name}");
        }
    }
}
