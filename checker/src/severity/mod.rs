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
mod widen;
mod window;

#[cfg(test)]
mod tests;

pub use result::{Consistency, Extent, Holds, Level, Offender, Severity, Spread, StaleReads, Unit};

pub(crate) use graph::{shortest_cycle, shortest_cycle_through};

use crate::linearizability::entry::Object;
use crate::linearizability::search::Budget;
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
    let (stale_by, clock_error) = match (scene.muddle, Zones::new(&scene)) {
        (Some(Muddle::Repeated), _) => repeated(&origins, &stale_reads),
        (Some(Muddle::Refusals), Ok(zones)) => (at_least(zones.stale_by()), at_least(zones.clock_error())),
        (None, Ok(zones)) => (zones.stale_by(), zones.clock_error()),
        (_, Err(why)) => (Extent::Boundless(why.clone()), Extent::Boundless(why)),
    };
    let versions = if let Some(i) = origins.iter().position(|origin| *origin == Origin::Nowhere) {
        let value = scene.acts[i]
            .step
            .requires()
            .map(|value| scene.name(value).clone());
        let value = value.unwrap_or_default();
        Extent::Boundless(format!("{value} was read, and nothing had written it yet"))
    } else {
        window::versions(&scene, stale_reads.versions.max, budget)
    };
    Severity {
        unit,
        stale_by,
        clock_error,
        versions,
        levels: ladder::ladder(&scene, &origins, budget.stop),
        stale_reads: Some(stale_reads),
    }
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
