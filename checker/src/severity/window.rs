//! k-atomicity by search (ALGORITHMS.md 4): a register of which reads may return any of the last k values.

use partita_history::{Operation, Value};

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
        let window = Window {
            register: scene.object.specification,
            length: missed as usize + 1,
        };
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

/// A register whose state is its last values, the newest first.
pub(super) struct Window<'a> {
    pub(super) register: &'a dyn Specification,
    pub(super) length: usize,
}

impl Specification for Window<'_> {
    fn initial(&self) -> Value {
        Value::List(vec![self.register.initial()])
    }

    fn classify(&self, operation: &Operation) -> Result<Option<Class>, String> {
        self.register.classify(operation)
    }

    fn is_observer(&self, class: &Class) -> bool {
        self.register.is_observer(class)
    }

    fn step(&self, state: &Value, class: &Class) -> Option<Value> {
        let Value::List(values) = state else { return None };
        match self.register.access(class)? {
            Access::Read(value) => values.contains(value).then(|| state.clone()),
            Access::Write(value) => {
                let kept = values.iter().take(self.length - 1);
                Some(Value::List(std::iter::once(value).chain(kept).cloned().collect()))
            }
            Access::Swap { .. } | Access::Differs(_) | Access::Never => None,
        }
    }

    fn describe(&self, operation: &Operation) -> String {
        self.register.describe(operation)
    }

    fn describe_state(&self, key: Option<&Value>, state: &Value) -> String {
        self.register.describe_state(key, state)
    }

    fn describe_need(&self, class: &Class) -> String {
        self.register.describe_need(class)
    }

    /// A write that nothing can tell of only pushes others out of the window.
    fn last_use(&self, completed: &[&Class], crashed: &[&Class]) -> Vec<Option<usize>> {
        self.register.last_use(completed, crashed)
    }
}
