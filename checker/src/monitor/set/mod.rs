//! A set whose elements come and go: each element is a switch (ALGORITHMS.md 3.5).
//!
//! An `add` or `remove` of which it is not known whether it changed the set is either an observer or a change. Where
//! the element can go one way only that is exact all the same. Where it can come and go, a linearization that the
//! sweep finds is one; otherwise a few such operations are tried as both (`doubtful`).
//!
//! A set that is only added to, and read as a whole, is judged as a grow-only set. With other operations, a read of
//! the whole set connects the elements: then only violations without it are found.

mod doubtful;

use partita_history::Value;
use rustc_hash::FxHashMap;

use super::stream::Stream;
use super::sweep::{self, NEVER, Operation, Order, Sweep, Violation};
use super::switch::{Step, Switch};
use super::whole;
use super::{Classes, Entry, Finding, Monitor};
use crate::model::set::{ABSENT, ADD, ADDED, FOUND, READ, REMOVE, REMOVED};
use crate::model::{Class, Specification};

const WHOLE: &str = "the whole set is read, and not only added to";
const UNKNOWN: &str = "it is not known which additions and removals changed the set";

/// What an operation on an element does; none for a read of the whole set.
fn step(class: &Class) -> Option<Step> {
    match class.action {
        ADDED => Some(Step::Turn(true)),
        REMOVED => Some(Step::Turn(false)),
        ADD => Some(Step::Ensure(true)),
        REMOVE => Some(Step::Ensure(false)),
        FOUND => Some(Step::Saw(true)),
        ABSENT => Some(Step::Saw(false)),
        _ => None,
    }
}

/// What the set has at first.
fn contents(specification: &dyn Specification) -> Vec<Value> {
    match specification.initial() {
        Value::List(elements) => elements,
        _ => Vec::new(),
    }
}

pub(super) fn make(classes: &Classes, specification: &dyn Specification) -> Box<dyn Monitor> {
    if classes.iter().all(|class| matches!(class.action, ADD | READ))
        && classes.iter().any(|class| class.action == READ)
    {
        return whole::grow_only_set(classes, specification);
    }
    let mut names: FxHashMap<&Value, u32> = FxHashMap::default();
    let mut name = |element| {
        let next = names.len() as u32;
        *names.entry(element).or_insert(next)
    };
    let steps = classes
        .iter()
        .map(|class| Some((name(&class.argument), step(class)?)))
        .collect();
    let mut initial = vec![false; names.len()];
    for element in contents(specification) {
        if let Some(&name) = names.get(&element) {
            initial[name as usize] = true;
        }
    }
    Box::new(Set { steps, initial })
}

/// The classes as steps of numbered elements.
struct Set {
    steps: Vec<Option<(u32, Step)>>,
    /// For each element, whether it is there at first.
    initial: Vec<bool>,
}

/// An operation on an element.
type OnElement = Operation<(u32, Step)>;

impl Monitor for Set {
    fn judge(&self, entries: &[Entry]) -> Finding {
        let is_read = |entry: &Entry| self.steps[entry.class as usize].is_none();
        let has_reads = entries.iter().any(is_read);
        let operations = (0..)
            .zip(entries)
            .filter_map(|(index, entry): (u32, &Entry)| {
                Some(Operation {
                    index,
                    step: self.steps[entry.class as usize]?,
                    invoked: entry.invoked,
                    deadline: entry.deadline.unwrap_or(NEVER),
                })
            })
            .collect();
        match self.judge_elements(operations) {
            Finding::Pass(_) if has_reads => Finding::NotApplicable(WHOLE),
            finding => finding,
        }
    }
}

impl Set {
    fn judge_elements(&self, mut operations: Vec<OnElement>) -> Finding {
        let initial = renumbered(&mut operations, &self.initial);
        let mut sweep = Elements::new(&operations, &initial);
        let swept = sweep::run(&mut sweep, &operations);
        if let Some((_, culprit)) = swept.violation {
            let (element, _) = operations[culprit].step;
            return sweep::judge(
                Switch::new(initial[element as usize]),
                &of_element(&operations, element),
            );
        }
        if sweep.troubled.is_empty() {
            return Finding::Pass(swept.into_sequence());
        }
        let mut is_known = true;
        for &element in &sweep.troubled {
            let of_it = of_element(&operations, element);
            match doubtful::resolve(initial[element as usize], &of_it) {
                doubtful::Resolution::Resolved(resolved) => {
                    let mut resolved = resolved.iter();
                    for operation in &mut operations {
                        if operation.step.0 == element
                            && let Some(resolved) = resolved.next()
                        {
                            operation.step.1 = resolved.step;
                        }
                    }
                }
                doubtful::Resolution::Violation(core) => return Finding::Fail(core),
                doubtful::Resolution::Unknown => is_known = false,
            }
        }
        if !is_known {
            return Finding::NotApplicable(UNKNOWN);
        }
        let mut sweep = Elements::new(&operations, &initial);
        Finding::Pass(sweep::run(&mut sweep, &operations).into_sequence())
    }
}

/// If few of the elements occur, numbers these only. Gives whether they are there at first.
fn renumbered(operations: &mut [OnElement], initial: &[bool]) -> Vec<bool> {
    if operations.len() >= initial.len() / 16 {
        return initial.to_vec();
    }
    let mut names: FxHashMap<u32, u32> = FxHashMap::default();
    let mut kept = Vec::new();
    for operation in operations {
        let element = &mut operation.step.0;
        let before = *element as usize;
        *element = *names.entry(*element).or_insert_with(|| {
            kept.push(initial[before]);
            kept.len() as u32 - 1
        });
    }
    kept
}

fn of_element(operations: &[OnElement], element: u32) -> Vec<Operation<Step>> {
    operations
        .iter()
        .filter(|operation| operation.step.0 == element)
        .map(|operation| operation.with(operation.step.1))
        .collect()
}

/// What is done to an element, with unknown results counted.
#[derive(Clone, Copy, Debug, Default)]
struct Uses {
    /// Something may have turned it off, or on.
    turned: [bool; 2],
    /// Something completed that left it off, or on, and may have turned it.
    ensured: [bool; 2],
}

impl Uses {
    fn add<S>(&mut self, operation: &Operation<S>, step: Step) {
        let to = usize::from(step.leaves());
        self.turned[to] |= !matches!(step, Step::Saw(_));
        self.ensured[to] |= matches!(step, Step::Ensure(_)) && !operation.is_pending();
    }

    /// Whether a violation that the sweep finds may be none.
    fn is_doubtful(self) -> bool {
        (0..2).any(|to| self.ensured[to] && self.turned[1 - to])
    }
}

/// All elements at once, so that the order of all is known.
struct Elements {
    switches: Vec<Switch>,
    uses: Vec<Uses>,
    /// Doubtful elements for which the sweep found nothing; they are swept no further.
    troubled: Vec<u32>,
}

impl Elements {
    fn new(operations: &[OnElement], initial: &[bool]) -> Elements {
        let mut uses = vec![Uses::default(); initial.len()];
        for operation in operations {
            let (element, step) = operation.step;
            uses[element as usize].add(operation, step);
        }
        Elements {
            switches: initial.iter().map(|&is_on| Switch::new(is_on)).collect(),
            uses,
            troubled: Vec::new(),
        }
    }
}

impl Sweep for Elements {
    type Step = (u32, Step);

    fn is_observer((_, step): (u32, Step)) -> bool {
        Switch::is_observer(step)
    }

    fn begin(&mut self, operation: &OnElement, order: &mut Order) {
        let (element, step) = operation.step;
        self.switches[element as usize].begin(&operation.with(step), order);
    }

    fn end(&mut self, operation: &OnElement, order: &mut Order) -> Result<(), Violation> {
        let (element, step) = operation.step;
        if self.troubled.contains(&element) {
            return Ok(());
        }
        let ended = self.switches[element as usize].end(&operation.with(step), order);
        if ended.is_err() && self.uses[element as usize].is_doubtful() {
            self.troubled.push(element);
            return Ok(());
        }
        ended
    }
}

/// A set during a run: it knows the elements that are there, and those on which operations are open.
pub(super) struct Streamed {
    initial: Vec<Value>,
    elements: FxHashMap<Value, Element>,
    doubt: Option<&'static str>,
}

/// An element during a run.
struct Element {
    switch: Switch,
    uses: Uses,
    /// How many completed operations on it are open.
    open: u32,
    /// Nothing is known of it any more.
    is_lost: bool,
}

impl Streamed {
    pub(super) fn new(specification: &dyn Specification) -> Streamed {
        Streamed {
            initial: contents(specification),
            elements: FxHashMap::default(),
            doubt: None,
        }
    }
}

impl Stream for Streamed {
    fn begin(&mut self, operation: &Operation<&Class>, order: &mut Order) -> Result<(), &'static str> {
        let Some(step) = step(operation.step) else {
            self.doubt = Some(WHOLE);
            return Ok(());
        };
        let name = &operation.step.argument;
        if !self.elements.contains_key(name) {
            let element = Element {
                switch: Switch::new(self.initial.binary_search(name).is_ok()),
                uses: Uses::default(),
                open: 0,
                is_lost: false,
            };
            self.elements.insert(name.clone(), element);
        }
        if let Some(element) = self.elements.get_mut(name) {
            element.uses.add(operation, step);
            element.open += u32::from(!operation.is_pending());
            element.switch.begin(&operation.with(step), order);
        }
        Ok(())
    }

    fn end(&mut self, operation: &Operation<&Class>, order: &mut Order) -> Result<(), Violation> {
        let (Some(step), Some(element)) = (
            step(operation.step),
            self.elements.get_mut(&operation.step.argument),
        ) else {
            return Ok(());
        };
        element.open -= 1;
        if !element.is_lost && element.switch.end(&operation.with(step), order).is_err() {
            if !element.uses.is_doubtful() {
                return Err(Violation);
            }
            element.is_lost = true;
            self.doubt = Some(UNKNOWN);
        }
        // What is doubtful may be otherwise than the sweep has it.
        let is_certain = !element.is_lost && !element.uses.is_doubtful();
        if element.open == 0 && element.switch.is_idle() && is_certain {
            // It is as if nobody had ever touched it.
            self.elements.remove(&operation.step.argument);
        }
        Ok(())
    }

    fn doubt(&self) -> Option<&'static str> {
        self.doubt
    }
}
