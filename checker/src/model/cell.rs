//! What the register models have in common: a cell that holds one value at a time.

use partita_history::{Operation, Outcome, Value};
use rustc_hash::FxHashMap;

use super::words::{Name, Quoted, class};
use super::{Access, Class, FailMeaning, NilReads, Options, Specification};

const READ: &str = "read";
const WRITE: &str = "write";
const CAS: &str = "cas";
/// A refused compare-and-set of which only the refusal is known.
const DIFFERS: &str = "differs";
/// A refused compare-and-set that says it saw the very value it expected.
const NEVER: &str = "never";

/// A cell with some of the functions that this file knows.
pub(super) struct Cell {
    model: &'static str,
    functions: &'static [&'static str],
    options: Options,
}

impl Cell {
    pub(super) fn new(model: &'static str, functions: &'static [&'static str], options: &Options) -> Cell {
        Cell {
            model,
            functions,
            options: options.clone(),
        }
    }

    /// The model that it is of.
    pub(super) fn model(&self) -> &'static str {
        self.model
    }
}

impl Specification for Cell {
    fn initial(&self) -> Value {
        self.options.initial.clone()
    }

    fn classify(&self, operation: &Operation) -> Result<Option<Class>, String> {
        match operation.f {
            f if !self.functions.contains(&f) => Err(format!(
                "the model `{}` knows {}",
                self.model,
                self.functions.join(", ")
            )),
            READ => Ok(classify_read(operation, &self.options)),
            WRITE => Ok(classify_write(operation)),
            _ => classify_cas(operation, &self.options),
        }
    }

    fn is_observer(&self, class: &Class) -> bool {
        access(class).produces().is_none()
    }

    fn step(&self, state: &Value, class: &Class) -> Option<Value> {
        match access(class) {
            Access::Read(value) => (state == value).then(|| state.clone()),
            Access::Write(value) => Some(value.clone()),
            Access::Swap { from, to } => (state == from).then(|| to.clone()),
            Access::Differs(value) => (state != value).then(|| state.clone()),
            Access::Never => None,
        }
    }

    fn describe(&self, operation: &Operation) -> String {
        describe(operation)
    }

    fn describe_state(&self, key: Option<&Value>, state: &Value) -> String {
        format!("{} = {}", Name("register", key), Quoted(state))
    }

    fn describe_need(&self, class: &Class) -> String {
        match access(class) {
            Access::Read(value) => format!("it saw {}", Quoted(value)),
            Access::Write(value) => format!("it writes {}", Quoted(value)),
            Access::Swap { from, .. } => format!("it found {}", Quoted(from)),
            Access::Differs(value) => format!("it found something other than {}", Quoted(value)),
            Access::Never => "it was refused for not finding the value it expected, yet says that it saw \
                              that very value"
                .to_owned(),
        }
    }

    fn access<'a>(&self, class: &'a Class) -> Option<Access<'a>> {
        Some(access(class))
    }

    fn blind(&self, given: &Class) -> Option<Class> {
        match access(given) {
            Access::Swap { to, .. } => Some(class(WRITE, to.clone(), Value::Null)),
            _ => None,
        }
    }

    fn last_use(&self, completed: &[&Class], crashed: &[&Class]) -> Vec<Option<usize>> {
        last_use(completed, crashed)
    }
}

/// A read by its outcome.
fn classify_read(operation: &Operation, options: &Options) -> Option<Class> {
    let says_nothing = options.nil_reads == NilReads::Any && operation.output.is_null();
    (operation.outcome == Outcome::Ok && !says_nothing)
        .then(|| class(READ, Value::Null, operation.output.clone()))
}

/// A write by its outcome.
fn classify_write(operation: &Operation) -> Option<Class> {
    (operation.outcome != Outcome::Fail).then(|| class(WRITE, operation.input.clone(), Value::Null))
}

/// A compare-and-set by its outcome.
fn classify_cas(operation: &Operation, options: &Options) -> Result<Option<Class>, String> {
    let (from, to) = operation.input.as_pair().ok_or_else(|| {
        format!(
            "a cas carries a list of two values, [from, to], and not {}",
            operation.input.kind()
        )
    })?;
    Ok(match operation.outcome {
        Outcome::Ok if from == to => Some(class(READ, Value::Null, from.clone())),
        Outcome::Info if from == to => None,
        Outcome::Ok | Outcome::Info => Some(class(CAS, operation.input.clone(), Value::Null)),
        Outcome::Fail => match operation.observed {
            Some(seen) if seen == from => Some(class(NEVER, from.clone(), seen.clone())),
            Some(seen) => Some(class(READ, Value::Null, seen.clone())),
            None if options.fail == FailMeaning::Observed => Some(class(DIFFERS, from.clone(), Value::Null)),
            None => None,
        },
    })
}

fn access(class: &Class) -> Access<'_> {
    match class.action {
        READ => Access::Read(&class.result),
        WRITE => Access::Write(&class.argument),
        DIFFERS => Access::Differs(&class.argument),
        CAS => match class.argument.as_pair() {
            Some((from, to)) => Access::Swap { from, to },
            None => Access::Never,
        },
        _ => Access::Never,
    }
}

fn describe(operation: &Operation) -> String {
    let key = Name("register", operation.key);
    let Operation { input, output, .. } = *operation;
    let known = match operation.outcome {
        Outcome::Info => ", outcome unknown",
        Outcome::Fail => ", refused",
        Outcome::Ok => "",
    };
    match (operation.f, input.as_pair()) {
        (READ, _) if operation.outcome == Outcome::Ok => format!("read {key} = {}", Quoted(output)),
        (READ, _) => format!("read {key}{known}"),
        (WRITE, _) => format!("write {key} = {}{known}", Quoted(input)),
        (CAS, Some((from, to))) => {
            let seen = match operation.observed {
                Some(seen) if operation.outcome == Outcome::Fail => format!(" (saw {})", Quoted(seen)),
                _ => String::new(),
            };
            format!("cas {key} from {} to {}{known}{seen}", Quoted(from), Quoted(to))
        }
        (f, _) => format!("{f} {key} {}{known}", Quoted(input)),
    }
}

/// A crashed operation that produces v matters as long as some operation that requires v is to come: a
/// completed one, or a crashed compare-and-set that itself matters. An operation that says "not v" may be
/// helped by any change whatever.
fn last_use(completed: &[&Class], crashed: &[&Class]) -> Vec<Option<usize>> {
    let mut last: FxHashMap<&Value, usize> = FxHashMap::default();
    let mut last_differs = None;
    for (i, class) in completed.iter().enumerate() {
        match access(class) {
            Access::Differs(_) => last_differs = Some(i),
            access => {
                if let Some(value) = access.requires() {
                    last.insert(value, i);
                }
            }
        }
    }
    let mut producers: FxHashMap<&Value, Vec<usize>> = FxHashMap::default();
    for (i, class) in crashed.iter().enumerate() {
        if let Some(value) = access(class).produces() {
            producers.entry(value).or_default().push(i);
        }
    }
    let mut uses = vec![last_differs; crashed.len()];
    // Values whose last use became later, and whose crashed producers are to be told so.
    let mut work: Vec<(&Value, usize)> = last.into_iter().collect();
    while let Some((value, at)) = work.pop() {
        for &i in producers.get(value).into_iter().flatten() {
            if uses[i] < Some(at) {
                uses[i] = Some(at);
                work.extend(access(crashed[i]).requires().map(|from| (from, at)));
            }
        }
    }
    // Under a "not v", whatever a crashed operation needs in order to happen matters as well, and it does: all
    // have that use already.
    uses
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(v: i64) -> Class {
        class(READ, Value::Null, v.into())
    }
    fn write(v: i64) -> Class {
        class(WRITE, v.into(), Value::Null)
    }
    fn cas(from: i64, to: i64) -> Class {
        class(CAS, Value::pair(from.into(), to.into()), Value::Null)
    }

    #[test]
    fn a_crashed_chain_matters_until_its_last_reader() {
        let completed = [read(1), read(3), write(9)];
        let crashed = [write(1), cas(1, 2), cas(2, 3), write(4), cas(4, 5)];
        let uses = last_use(
            &completed.iter().collect::<Vec<_>>(),
            &crashed.iter().collect::<Vec<_>>(),
        );
        assert_eq!(uses, [Some(1), Some(1), Some(1), None, None]);
    }

    #[test]
    fn a_negative_observation_keeps_everything_until_then() {
        let differs = class(DIFFERS, 1.into(), Value::Null);
        let completed = [read(4), differs, read(3)];
        let crashed = [write(4), cas(8, 9), write(3)];
        let uses = last_use(
            &completed.iter().collect::<Vec<_>>(),
            &crashed.iter().collect::<Vec<_>>(),
        );
        assert_eq!(uses, [Some(1), Some(1), Some(2)]);
    }
}
