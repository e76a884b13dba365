//! Why a counterexample to a register is one, as a cycle: each operation had to come before the next.
//!
//! The vertices are the counterexample's operations. One comes before another if it ended before the other began,
//! if the other found what it left, or if the value of the one was there before that of the other. The last
//! follows where values are unique: nothing can come between the operations on a value (and on what was swapped
//! in after it), so if one operation on a value ended before one on another value began, all of them came before
//! all of those (ALGORITHMS.md 3.2 and 3.3).

use partita_history::{OpId, Operation};
use petgraph::graph::{DiGraph, NodeIndex};

use super::entry::{Entry, Object};
use super::words::{Words, client_via};
use crate::monitor::register::versions::Versions;
use crate::monitor::register::{Failure, INITIAL, NONE};
use crate::severity::origin::{self, Origin};
use crate::severity::scene::{Act, Scene};
use crate::severity::{shortest_cycle, shortest_cycle_through};
use crate::verdict::{Edge, EdgeKind};

/// The largest counterexample of which all pairs are looked at.
const OPERATIONS_MAX: usize = 256;

/// Why one operation comes before another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reason {
    /// It ended before the other began.
    RealTime,
    /// The other found what it left.
    ReadsFrom,
    /// It found what the other replaced.
    Replaced,
    /// It found the initial value, and the other is on another one.
    WasFirst,
    /// The first of these, on the same value as the one, ended before the second, on that of the other, began.
    Shown(u32, u32),
    /// All that left the value it found was over before the other began.
    Over,
}

/// The shortest cycle among the operations of a counterexample; empty if it is not of that kind (a value from
/// nowhere, a refusal, an object that is no register).
///
/// It goes through `culprit`, if one does, and ends there: that is where the contradiction became certain.
pub(super) fn cycle(object: &Object<'_>, core: &[Entry], culprit: OpId) -> Vec<Edge> {
    if core.len() > OPERATIONS_MAX {
        return Vec::new();
    }
    let Some(scene) = Scene::new(object, core) else {
        return Vec::new();
    };
    let mut constraints = Constraints {
        graph: DiGraph::new(),
        scene: &scene,
    };
    for i in 0..scene.acts.len() as u32 {
        constraints.graph.add_node(i);
    }
    constraints.real_time();
    if scene.has_repeated() {
        constraints.orphans();
    } else {
        constraints.reads_from();
        constraints.version_order();
    }
    let last = scene.acts.iter().position(|act| act.id == culprit);
    let through = last.and_then(|last| shortest_cycle_through(&constraints.graph, NodeIndex::new(last)));
    let Some(cycle) = through.or_else(|| shortest_cycle(&constraints.graph)) else {
        return Vec::new();
    };
    let words = Words::new(object.history);
    cycle
        .into_iter()
        .filter_map(|edge| {
            let (before, after) = constraints.graph.edge_endpoints(edge)?;
            let reason = *constraints.graph.edge_weight(edge)?;
            Some(constraints.told(words, before, after, reason))
        })
        .collect()
}

struct Constraints<'a> {
    graph: DiGraph<u32, Reason>,
    scene: &'a Scene<'a>,
}

impl Constraints<'_> {
    /// Adds an edge, unless there is one already: the plainest reasons come first.
    fn add(&mut self, before: u32, after: u32, reason: Reason) {
        let (before, after) = (NodeIndex::new(before as usize), NodeIndex::new(after as usize));
        if before != after && self.graph.find_edge(before, after).is_none() {
            self.graph.add_edge(before, after, reason);
        }
    }

    fn real_time(&mut self) {
        let acts = self.scene.acts.iter().enumerate();
        for (a, act) in acts {
            for (b, other) in self.scene.acts.iter().enumerate() {
                if act.deadline < other.invoked {
                    self.add(a as u32, b as u32, Reason::RealTime);
                }
            }
        }
    }

    /// With repeated values: reads of what had certainly been overwritten.
    fn orphans(&mut self) {
        for (reader, origin) in (0..).zip(origin::origins(self.scene)) {
            if let Origin::Overwritten { overwriter, .. } = origin {
                self.add(reader, overwriter, Reason::Over);
            }
        }
    }

    fn reads_from(&mut self) {
        let scene = self.scene;
        for (i, act) in (0..).zip(&scene.acts) {
            let Some(value) = act.step.requires() else {
                continue;
            };
            let writer = scene.writers[value as usize];
            if writer != NONE {
                self.add(writer, i, Reason::ReadsFrom);
            }
            for (j, other) in (0..).zip(&scene.acts) {
                if other.step.produces().is_some() && other.step.requires() == Some(value) {
                    self.add(i, j, Reason::Replaced);
                }
            }
        }
    }

    fn version_order(&mut self) {
        let scene = self.scene;
        let versions = match Versions::new(&scene.operations(), scene.values()) {
            Ok(versions) => versions,
            // What contradicts itself already: its reasons are among those above.
            Err((_, Failure::Violation(_) | Failure::NotApplicable(_))) => return,
        };
        let root = |act: &Act| {
            let mut value = act.step.produces().or(act.step.requires())?;
            for _ in 0..versions.len() {
                if !versions.happened(value) {
                    return None;
                }
                match versions.get(value).predecessor {
                    NONE => return Some(value),
                    predecessor => value = predecessor,
                }
            }
            None
        };
        let roots: Vec<Option<u32>> = scene.acts.iter().map(root).collect();
        let mut chains: Vec<u32> = roots.iter().flatten().copied().collect();
        chains.sort_unstable();
        chains.dedup();
        let on = |chain: &u32| -> Vec<(u32, Act)> {
            let numbered = (0..).zip(scene.acts.iter().copied());
            numbered
                .filter(|&(i, _): &(u32, Act)| roots[i as usize] == Some(*chain))
                .collect()
        };
        let members: Vec<Vec<(u32, Act)>> = chains.iter().map(on).collect();
        for (a, one) in members.iter().enumerate() {
            for (_, other) in members.iter().enumerate().filter(|&(b, _)| b != a) {
                let first = one.iter().min_by_key(|(_, act)| act.deadline);
                let last = other.iter().max_by_key(|(_, act)| act.invoked);
                let reason = match (first, last) {
                    _ if chains[a] == INITIAL => Reason::WasFirst,
                    (Some((x, ended)), Some((y, began))) if ended.deadline < began.invoked => {
                        Reason::Shown(*x, *y)
                    }
                    _ => continue,
                };
                for (i, _) in one {
                    for (j, _) in other {
                        self.add(*i, *j, reason);
                    }
                }
            }
        }
    }

    fn told(&self, words: Words, before: NodeIndex, after: NodeIndex, reason: Reason) -> Edge {
        let acts = &self.scene.acts;
        let (one, other) = (&acts[before.index()], &acts[after.index()]);
        let (kind, why) = match reason {
            Reason::RealTime => (
                EdgeKind::RealTime,
                words.before(self.scene.recorded(one), self.scene.recorded(other)),
            ),
            Reason::ReadsFrom => (
                EdgeKind::ReadsFrom,
                format!("left {}, which the other found", self.left(one)),
            ),
            Reason::Replaced => (
                EdgeKind::VersionOrder,
                format!(
                    "{}, which the other replaced by {}",
                    self.did(one),
                    self.left(other)
                ),
            ),
            Reason::WasFirst => (
                EdgeKind::VersionOrder,
                format!(
                    "{}, which was there first of all, before the other's {}",
                    self.did(one),
                    self.left(other)
                ),
            ),
            Reason::Shown(x, y) => {
                let (x, y) = (&acts[x as usize], &acts[y as usize]);
                let (first, second) = (self.scene.recorded(x), self.scene.recorded(y));
                let gap = words
                    .gap(first, second)
                    .map_or_else(String::new, |gap| format!(" {gap}"));
                let why = format!(
                    "{}, which came before the other's {}: {} finished{gap} before {} began",
                    self.did(one),
                    self.left(other),
                    self.named(x, first),
                    self.named(y, second),
                );
                (EdgeKind::VersionOrder, why)
            }
            Reason::Over => (
                EdgeKind::VersionOrder,
                format!(
                    "{}, and whatever had left that was over before the other began",
                    self.did(one)
                ),
            ),
        };
        Edge {
            before: one.id,
            after: other.id,
            why,
            kind,
        }
    }

    /// The value that was there after an operation.
    fn left(&self, act: &Act) -> String {
        let value = act.step.produces().or(act.step.requires());
        value.map_or_else(String::new, |value| self.scene.name(value).to_string())
    }

    /// `found 7`, `wrote 7`
    fn did(&self, act: &Act) -> String {
        match (act.step.requires(), act.step.produces()) {
            (Some(found), _) => format!("found {}", self.scene.name(found)),
            (None, Some(left)) => format!("wrote {}", self.scene.name(left)),
            (None, None) => "did nothing".to_owned(),
        }
    }

    /// `the write of 7 by client 3 (via n1)`
    fn named(&self, act: &Act, operation: Operation<'_>) -> String {
        format!(
            "the {} of {} by {}",
            operation.f,
            self.left(act),
            client_via(operation)
        )
    }
}
