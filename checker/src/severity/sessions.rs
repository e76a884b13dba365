//! What each client saw, in its own order: the ground on which session guarantees are judged.

use super::scene::Scene;
use crate::monitor::register::{INITIAL, NONE};

/// One thing that a client saw or did; a compare-and-set is a read and then a write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Sight {
    pub(super) act: u32,
    pub(super) value: u32,
    pub(super) writes: bool,
}

/// Where a value was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Source {
    /// It was there before all clients.
    Initial,
    /// By a client's completed write, after so many completed ones of it.
    Completed { session: u32, index: u32 },
    /// By a write of unknown outcome, after so many completed ones. Nothing need come after it.
    Pending { session: u32, after: u32 },
    /// Nowhere.
    Nowhere,
}

/// Values are unique; see [`Scene::muddle`].
pub(super) struct Sessions {
    /// For each client, in its own order. Writes of unknown outcome are not among them.
    pub(super) all: Vec<Vec<Sight>>,
    /// For each value.
    pub(super) sources: Vec<Source>,
}

impl Sessions {
    pub(super) fn new(scene: &Scene<'_>) -> Sessions {
        let mut all = vec![Vec::new(); scene.sessions as usize];
        let mut sources = vec![Source::Nowhere; scene.values() as usize];
        sources[INITIAL as usize] = Source::Initial;
        let mut written = vec![0; scene.sessions as usize];
        for (i, act) in (0..).zip(&scene.acts) {
            let Some(value) = act.step.produces() else {
                let read = act.step.requires().map(|value| Sight {
                    act: i,
                    value,
                    writes: false,
                });
                all[act.session as usize].extend(read);
                continue;
            };
            let count = &mut written[act.session as usize];
            if act.is_pending() {
                sources[value as usize] = Source::Pending {
                    session: act.session,
                    after: *count,
                };
                continue;
            }
            sources[value as usize] = Source::Completed {
                session: act.session,
                index: *count,
            };
            *count += 1;
            let found = act.step.requires().map(|value| (value, false));
            let sights = found.into_iter().chain([(value, true)]);
            all[act.session as usize].extend(sights.map(|(value, writes)| Sight {
                act: i,
                value,
                writes,
            }));
        }
        Sessions { all, sources }
    }

    pub(super) fn source(&self, value: u32) -> Source {
        self.sources[value as usize]
    }
}

/// Operations that show that a guarantee does not hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Breach {
    /// At which operation it shows.
    pub(super) at: u32,
    /// The value found there.
    pub(super) value: u32,
    /// The earlier operation of the same client that it contradicts; [`NONE`] if there is no such.
    pub(super) earlier: u32,
    /// Others that show why.
    pub(super) others: Vec<u32>,
}

impl Breach {
    pub(super) fn operations(&self) -> impl Iterator<Item = u32> {
        let all = [self.at, self.earlier]
            .into_iter()
            .chain(self.others.iter().copied());
        all.filter(|&i| i != NONE)
    }
}
