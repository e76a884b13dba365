//! How wrong is a key that is not linearizable? By how much, in time and versions, and which weaker guarantees it
//! still keeps (ALGORITHMS.md 4 and 9).
//!
//! Nothing is guessed: a size is exact, or a bound; a guarantee holds for certain, or certainly not, or it is
//! said why nobody can tell. For registers that write every value once all of it takes near-linear time. With
//! repeated values the certainly stale reads, and what can be said of single reads, remain; for other objects
//! the clock error does, if a monitor judges them.

mod across;
mod causal;
mod graph;
mod guarantees;
mod ladder;
pub(crate) mod origin;
mod reading;
mod result;
pub(crate) mod scene;
mod sequential;
mod sessions;
mod shift;
mod stale;
mod summary;
mod waits;
mod widen;
mod window;

#[cfg(test)]
mod tests;

pub use result::{Consistency, Extent, Holds, Level, Offender, Severity, Spread, StaleReads, Unit};

pub(crate) use graph::{shortest_cycle, shortest_cycle_through};

use crate::linearizability::entry::Object;
use crate::linearizability::search::Budget;
use crate::monitor::register::Step;
use origin::Origin;
use scene::{Muddle, Scene};
use shift::Zones;

/// Measures a key that is not linearizable. Takes near-linear time; when `budget.stop` says so, what is not yet
/// known stays so.
pub(crate) fn measure(object: &Object<'_>, budget: Budget<'_>) -> Severity {
    let unit = scene::unit_of(object);
    let Some(scene) = Scene::new(object, &object.entries) else {
        let why = "it is no register that holds one value at a time";
        return Severity {
            unit,
            stale_by: Extent::NotKnown(why.to_owned()),
            clock_error: widen::clock_error(object, unit, budget.stop),
            versions: Extent::NotKnown(why.to_owned()),
            stale_reads: None,
            levels: Vec::new(),
        };
    };
    let origins = origin::origins(&scene);
    let stale_reads = stale::stale_reads(&scene, &origins);
    let (stale_by, clock_error) = match (budget.stop)() {
        true => (late(), late()),
        false => times(&scene, &origins, &stale_reads),
    };
    let versions = versions(&scene, &origins, &stale_reads, budget);
    Severity {
        unit,
        stale_by,
        clock_error,
        versions,
        levels: ladder::ladder(&scene, &origins, budget.stop),
        stale_reads: Some(stale_reads),
    }
}

/// What was not found out in time.
fn late() -> Extent {
    Extent::NotKnown("the time for it was up".to_owned())
}

/// Δ and Γ.
fn times(scene: &Scene<'_>, origins: &[Origin], stale_reads: &StaleReads) -> (Extent, Extent) {
    let boundless = |why: &str| {
        (
            Extent::Boundless(why.to_owned()),
            Extent::Boundless(why.to_owned()),
        )
    };
    if scene.acts.iter().any(|act| act.step == Step::Never) {
        return boundless("a refusal contradicts itself");
    }
    if scene.has_repeated() {
        return repeated(origins, stale_reads);
    }
    match Zones::new(scene) {
        // What was refused for an unknown value may ask for more.
        Ok(zones) if scene.muddle.is_some() => (at_least(zones.stale_by()), at_least(zones.clock_error())),
        Ok(zones) => (zones.stale_by(), zones.clock_error()),
        Err(why) => boundless(&why),
    }
}

/// How many versions the worst read missed.
fn versions(scene: &Scene<'_>, origins: &[Origin], stale_reads: &StaleReads, budget: Budget<'_>) -> Extent {
    let nowhere = origins.iter().position(|origin| *origin == Origin::Nowhere);
    if let Some(value) = nowhere.and_then(|i| scene.acts[i].step.requires()) {
        let value = scene.name(value);
        return Extent::Boundless(format!("{value} was read, and nothing had written it yet"));
    }
    window::versions(scene, stale_reads.versions.max, budget)
}

/// What all keys together keep to; none if there is only one, or if some object is no register.
pub(crate) fn measure_together(objects: &[Object<'_>], budget: Budget<'_>) -> Option<Level> {
    if objects.len() < 2 {
        return None;
    }
    Some(Level {
        consistency: Consistency::CausalAcrossKeys,
        holds: across::across(objects, budget.stop)?,
    })
}

/// What the certainly stale reads alone say of Δ and Γ: each read must begin before its value was overwritten.
fn repeated(origins: &[Origin], stale: &StaleReads) -> (Extent, Extent) {
    let why = Muddle::Repeated.why();
    if origins.contains(&Origin::Nowhere) {
        return (
            Extent::Boundless("a value was read before anything had written it".to_owned()),
            Extent::NotKnown(why),
        );
    }
    if stale.stale == 0 {
        return (Extent::NotKnown(why.clone()), Extent::NotKnown(why));
    }
    (Extent::AtLeast(stale.time.max), Extent::NotKnown(why))
}

fn at_least(extent: Extent) -> Extent {
    match extent {
        Extent::Exactly(least) => Extent::AtLeast(least),
        other => other,
    }
}
