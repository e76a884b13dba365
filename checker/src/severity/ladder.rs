//! Which weaker guarantees the operations on a register keep to (ALGORITHMS.md 9).

use super::causal::{self, Unknown};
use super::guarantees;
use super::origin::Origin;
use super::reading;
use super::result::{Consistency, Holds, Level};
use super::scene::Scene;
use super::sequential::sequential;
use super::sessions::{Breach, Sessions};
use crate::linearizability::words::client_via;
use crate::monitor::register::NONE;

/// All levels, the strongest first.
pub(super) fn ladder(scene: &Scene<'_>, origins: &[Origin], stop: &dyn Fn() -> bool) -> Vec<Level> {
    let sessions = match scene.muddle {
        Some(muddle) => Err(muddle.why()),
        None => Ok(Sessions::new(scene)),
    };
    let judge = |consistency| {
        if stop() {
            return not_known("the time for it was up");
        }
        match consistency {
            Consistency::Regular => return reading::regular(scene, origins),
            Consistency::Safe => return reading::safe(scene, origins),
            Consistency::Eventual => return reading::eventual(scene),
            _ => {}
        }
        let sessions = match &sessions {
            Ok(sessions) => sessions,
            Err(why) => return not_known(why),
        };
        let breach = match consistency {
            Consistency::Causal => match causal::causal(scene, sessions, stop) {
                Ok(breach) => breach,
                Err(Unknown::TooManyClients) => return not_known("there are too many clients"),
                Err(Unknown::Stopped) => return not_known("the time for it was up"),
            },
            Consistency::Pram => guarantees::pram(sessions, &scene.writers),
            Consistency::MonotonicReads => guarantees::monotonic_reads(sessions),
            Consistency::ReadYourWrites => guarantees::read_your_writes(sessions),
            Consistency::MonotonicWrites => guarantees::monotonic_writes(sessions),
            Consistency::WritesFollowReads => guarantees::writes_follow_reads(sessions, &scene.writers),
            _ => return sequential(scene),
        };
        breach.map_or(Holds::Yes, |breach| told(scene, &breach))
    };
    Consistency::OF_A_KEY
        .into_iter()
        .map(|consistency| Level {
            consistency,
            holds: judge(consistency),
        })
        .collect()
}

fn not_known(why: &str) -> Holds {
    Holds::NotKnown { why: why.to_owned() }
}

fn told(scene: &Scene<'_>, breach: &Breach) -> Holds {
    let act = &scene.acts[breach.at as usize];
    let who = client_via(scene.recorded(act));
    let value = scene.name(breach.value);
    let did = match act.step.produces() == Some(breach.value) {
        true => "wrote",
        false => "found",
    };
    let why = match scene.acts.get(breach.earlier as usize) {
        _ if scene.is_from_nowhere(breach.value) => {
            format!("{who} {did} {value}, which nothing had written")
        }
        Some(earlier) if breach.earlier != NONE => {
            let before = match (earlier.step.produces(), earlier.step.requires()) {
                (Some(written), _) => format!("had itself written {}", scene.name(written)),
                (None, Some(read)) => format!("had itself read {}", scene.name(read)),
                (None, None) => "had gone further".to_owned(),
            };
            format!("{who} {did} {value} after it {before}")
        }
        _ => format!("{who} {did} {value} before that can have been there"),
    };
    Holds::No {
        operations: scene.ids(breach.operations()),
        why,
    }
}
