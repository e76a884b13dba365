//! k-atomicity by search (ALGORITHMS.md 4): a register of which reads may return any of the last k values.

use partita_history::{Operation, Value};
use rustc_hash::FxHashMap;

use super::result::Extent;
use super::scene::Scene;
use crate::linearizability::search::{self, Budget, Finding, Order};
use crate::model::{Access, Class, Specification};

/// The most versions that a read may have missed for the search to be asked.
const MISSED_MAX: u64 = 64;
/// The most values in all states together. (There is about one state for each operation.)
const VALUES_MAX: u64 = 1_000_000;
/// How many configurations each search may visit.
const CONFIGURATIONS_MAX: u64 = 200_000;

/// How many newer versions the worst read missed; `least` is a lower bound.
pub(super) fn versions(scene: &Scene<'_>, least: u64, budget: Budget<'_>) -> Extent {
    let is_plain = |class: &Class| {
        matches!(
            scene.object.specification.access(class),
            Some(Access::Read(_) | Access::Write(_))
        )
    };
    if !scene.object.classes.iter().all(is_plain) {
        return match least {
            0 => Extent::NotKnown("compare-and-sets are no reads of old values".to_owned()),
            least => Extent::AtLeast(least),
        };
    }
    // It is not linearizable, so some read missed something.
    let least = least.max(1);
    let most = MISSED_MAX.min(VALUES_MAX / (scene.acts.len() as u64).max(1));
    let budget = Budget {
        configurations: budget.configurations.min(CONFIGURATIONS_MAX),
        ..budget
    };
    for missed in least..=most {
        let classes = &scene.object.classes;
        let window = Window::new(scene.object.specification, classes.iter(), missed as usize + 1);
        let order = Order::DepthFirst { foresight: false };
        let entries = &scene.object.entries;
        match search::search(order, entries, &scene.object.classes, &window, budget).0 {
            Finding::Linearizable(_) => return Extent::Exactly(missed),
            Finding::Violation { .. } => {}
            Finding::Spent { .. } => return Extent::AtLeast(missed),
        }
    }
    Extent::AtLeast(least.max(most + 1))
}

/// A register whose state is its last values, the newest first; of operations that only read or write.
pub(super) struct Window {
    initial: Value,
    length: usize,
    /// For each class, the value, and whether it is written.
    accesses: FxHashMap<Class, (Value, bool)>,
}

impl Window {
    /// The last `length` values of `register`, of whose classes those that do more than read or write are impossible.
    pub(super) fn new<'c>(
        register: &dyn Specification,
        classes: impl Iterator<Item = &'c Class>,
        length: usize,
    ) -> Window {
        let access = |class: &'c Class| match register.access(class)? {
            Access::Read(value) => Some((class.clone(), (value.clone(), false))),
            Access::Write(value) => Some((class.clone(), (value.clone(), true))),
            Access::Swap { .. } | Access::Differs(_) | Access::Never => None,
        };
        Window {
            initial: register.initial(),
            length,
            accesses: classes.filter_map(access).collect(),
        }
    }

    fn read<'a>(&'a self, class: &Class) -> Option<&'a Value> {
        let (value, is_written) = self.accesses.get(class)?;
        (!is_written).then_some(value)
    }
}

impl Specification for Window {
    fn initial(&self) -> Value {
        Value::List(vec![self.initial.clone()])
    }

    fn classify(&self, _: &Operation) -> Result<Option<Class>, String> {
        Err("a window judges what the register has classified".to_owned())
    }

    fn is_observer(&self, class: &Class) -> bool {
        self.read(class).is_some()
    }

    fn step(&self, state: &Value, class: &Class) -> Option<Value> {
        let Value::List(values) = state else { return None };
        let (value, is_written) = self.accesses.get(class)?;
        if !is_written {
            return values.contains(value).then(|| state.clone());
        }
        let kept = values.iter().take(self.length - 1);
        Some(Value::List(std::iter::once(value).chain(kept).cloned().collect()))
    }

    /// A write that nothing can tell of only pushes others out of the window.
    fn last_use(&self, completed: &[&Class], crashed: &[&Class]) -> Vec<Option<usize>> {
        let mut last_read = FxHashMap::default();
        for (i, class) in completed.iter().enumerate() {
            if let Some(value) = self.read(class) {
                last_read.insert(value, i);
            }
        }
        let use_of = |class: &&Class| last_read.get(&self.accesses.get(*class)?.0).copied();
        crashed.iter().map(use_of).collect()
    }
}
