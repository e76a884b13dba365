//! Times, clients and gaps in words.

use std::fmt;

use partita_history::{History, Moment, Operation};

/// Speaks of moments by the clock, or by their place in the history where there is none.
#[derive(Clone, Copy)]
pub(crate) struct Words {
    has_times: bool,
}

impl Words {
    pub(crate) fn new(history: &History) -> Self {
        Words {
            has_times: history.operations().any(|operation| {
                operation.invoked.time > 0 || operation.completed.is_some_and(|m| m.time > 0)
            }),
        }
    }

    /// `12.402 s` or `event 15`.
    pub(crate) fn moment(self, moment: Moment) -> String {
        if self.has_times {
            format!(
                "{}.{:03} s",
                moment.time / 1_000_000_000,
                moment.time / 1_000_000 % 1000
            )
        } else {
            format!("event {}", moment.position)
        }
    }

    /// `at 12.402 s` or `at event 15`.
    pub(crate) fn at(self, moment: Moment) -> String {
        format!("at {}", self.moment(moment))
    }

    /// When the operation ended, as far as its end is known.
    pub(crate) fn ended(self, operation: Operation<'_>) -> String {
        operation
            .completed
            .map_or("at a moment not recorded".to_owned(), |moment| self.at(moment))
    }

    /// How long the first operation had been over when the second began: `379 ms`, or none without a clock.
    pub(crate) fn gap(self, first: Operation<'_>, second: Operation<'_>) -> Option<Span> {
        let end = first.completed?.time;
        self.has_times
            .then(|| Span(second.invoked.time.saturating_sub(end)))
    }

    /// Why one operation had to come before another.
    pub(crate) fn before(self, first: Operation<'_>, second: Operation<'_>) -> String {
        match (self.gap(first, second), first.completed) {
            (Some(gap), _) => format!("finished {gap} before the other began"),
            (None, Some(end)) => format!(
                "finished (event {}) before the other began (event {})",
                end.position, second.invoked.position
            ),
            (None, None) => "finished before the other began".to_owned(),
        }
    }
}

/// A length of time, in nanoseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Span(pub(crate) u64);

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            0..1_000 => write!(f, "less than 1 µs"),
            1_000..1_000_000 => write!(f, "{} µs", self.0 / 1_000),
            1_000_000..10_000_000 => write!(f, "{:.1} ms", self.0 as f64 / 1e6),
            10_000_000..1_000_000_000 => write!(f, "{} ms", self.0 / 1_000_000),
            _ => write!(f, "{:.2} s", self.0 as f64 / 1e9),
        }
    }
}

/// `client 4`.
pub(crate) fn client(operation: Operation<'_>) -> String {
    format!("client {}", operation.process)
}

/// `client 4 (via n1)`.
pub(crate) fn client_via(operation: Operation<'_>) -> String {
    match operation.node {
        Some(node) => format!("client {} (via {node})", operation.process),
        None => client(operation),
    }
}

/// The first letter made large.
pub(crate) fn sentence(text: &str) -> String {
    let mut letters = text.chars();
    match letters.next() {
        Some(first) => first.to_uppercase().chain(letters).collect(),
        None => String::new(),
    }
}

/// `a`, `a and b`, `a, b and c`.
pub(crate) fn list(items: &[String]) -> String {
    match items.split_last() {
        Some((last, rest)) if !rest.is_empty() => format!("{} and {last}", rest.join(", ")),
        _ => items.concat(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_keep_the_digits_that_matter() {
        let words = [0, 4_200, 640_999, 4_250_000, 379_400_000, 2_412_000_000].map(|ns| Span(ns).to_string());
        assert_eq!(
            words,
            ["less than 1 µs", "4 µs", "640 µs", "4.2 ms", "379 ms", "2.41 s"]
        );
    }

    #[test]
    fn lists_read_as_prose() {
        let list = |items: &[&str]| list(&items.iter().map(|s| (*s).to_owned()).collect::<Vec<_>>());
        assert_eq!(
            [list(&[]), list(&["a"]), list(&["a", "b"]), list(&["a", "b", "c"])],
            ["", "a", "a and b", "a, b and c"]
        );
        assert_eq!(sentence("at last"), "At last");
    }
}
