//! Guarantees that speak of each read by itself, or of the last ones: regular, safe, eventual. They are decided
//! whether or not values are repeated.

use std::collections::BTreeMap;

use super::origin::Origin;
use super::result::Holds;
use super::scene::{Act, Scene};
use crate::linearizability::words::{client_via, list};

/// No operation found what had certainly been overwritten before it began, or what nothing can have left yet.
pub(super) fn regular(scene: &Scene<'_>, origins: &[Origin]) -> Holds {
    first_wrong(scene, origins, |_| true)
}

/// The same, for operations that overlap no other write.
pub(super) fn safe(scene: &Scene<'_>, origins: &[Origin]) -> Holds {
    let mutators = || scene.acts.iter().filter(|act| act.step.produces().is_some());
    let mut begins: Vec<u32> = mutators().map(|act| act.invoked).collect();
    let mut ends: Vec<u32> = mutators().map(|act| act.deadline).collect();
    begins.sort_unstable();
    ends.sort_unstable();
    first_wrong(scene, origins, |act| {
        let begun = begins.partition_point(|&begin| begin < act.deadline);
        let over = ends.partition_point(|&end| end < act.invoked);
        // A compare-and-set overlaps itself.
        begun - over == usize::from(act.step.produces().is_some())
    })
}

fn first_wrong(scene: &Scene<'_>, origins: &[Origin], counts: impl Fn(&Act) -> bool) -> Holds {
    for (i, (act, origin)) in (0..).zip(scene.acts.iter().zip(origins)) {
        let Some(value) = act
            .step
            .requires()
            .filter(|_| *origin != Origin::Possible && counts(act))
        else {
            continue;
        };
        let found = format!("{} found {}", client_via(scene.recorded(act)), scene.name(value));
        return match *origin {
            Origin::Overwritten {
                writer, overwriter, ..
            } => Holds::No {
                operations: scene.ids(writer.into_iter().chain([overwriter, i])),
                why: format!(
                    "{found}, which {} had certainly overwritten",
                    client_via(scene.recorded(&scene.acts[overwriter as usize]))
                ),
            },
            Origin::Nowhere | Origin::Possible => Holds::No {
                operations: scene.ids([i]),
                why: format!("{found}, which nothing had written yet"),
            },
        };
    }
    Holds::Yes
}

/// The last reads of all clients after the last write was over agree.
pub(super) fn eventual(scene: &Scene<'_>) -> Holds {
    let mutators = || scene.acts.iter().filter(|act| act.step.produces().is_some());
    let quiet = mutators()
        .filter(|act| !act.is_pending())
        .map(|act| act.deadline)
        .max();
    let mut last: BTreeMap<u32, u32> = BTreeMap::new();
    for (i, act) in (0..).zip(&scene.acts) {
        let is_read = act.step.requires().is_some() && !act.is_pending();
        if is_read && quiet.is_none_or(|quiet| act.invoked > quiet) {
            last.insert(act.session, i);
        }
    }
    let value = |i: u32| scene.acts[i as usize].step.requires();
    let mut reads = last.values().copied();
    let Some(first) = reads.next().filter(|_| last.len() > 1) else {
        return Holds::NotKnown {
            why: "fewer than two clients read after the last write had ended".to_owned(),
        };
    };
    let Some(other) = reads.find(|&read| value(read) != value(first)) else {
        return Holds::Yes;
    };
    if mutators().any(Act::is_pending) {
        return Holds::NotKnown {
            why: "the last reads differ, but a write of unknown outcome may have taken effect between them"
                .to_owned(),
        };
    }
    let told: Vec<String> = [first, other]
        .into_iter()
        .map(|read| {
            let seen = value(read)
                .map(|value| scene.name(value).to_string())
                .unwrap_or_default();
            format!(
                "{} last read {seen}",
                client_via(scene.recorded(&scene.acts[read as usize]))
            )
        })
        .collect();
    Holds::No {
        operations: scene.ids([first, other]),
        why: format!("after all writes had ended, {}", list(&told)),
    }
}
