//! How things are called and written, the same in every format.

use partita_checker::Verdict;
use partita_history::{Operation, Outcome, Value};

use crate::run::FaultCount;

/// The longest value that is written out, in characters.
const VALUE_CHARS_MAX: usize = 60;
/// The longest key by which operations are looked up, in characters.
const KEY_CHARS_MAX: usize = 120;
/// The longest story of an anomaly, in characters: values in it may have any size.
const STORY_CHARS_MAX: usize = 4_000;
/// The longest reason, in characters: it may end with the ends of logs.
const REASON_CHARS_MAX: usize = 16_000;
/// The longest explanation of a detail, in characters.
pub(crate) const WHY_CHARS_MAX: usize = 400;

/// The name of a verdict in data: `not-exercised`.
pub(crate) fn verdict_id(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Valid => "valid",
        Verdict::NotExercised => "not-exercised",
        Verdict::Unknown => "unknown",
        Verdict::Invalid => "invalid",
        Verdict::HarnessFailure => "harness-failure",
    }
}

/// What an operation did, in a few words: `write x=9 ok`, `cas x 1→2 failed, saw 5`.
pub(crate) fn operation(operation: &Operation) -> String {
    let on_key = operation
        .key
        .as_ref()
        .map_or(String::new(), |key| format!(" {}", value(key)));
    let becomes = if on_key.is_empty() { " " } else { "=" };
    let act = match (operation.f, operation.input.as_pair()) {
        ("read", _) if operation.outcome == Outcome::Ok => {
            format!("read{on_key}{becomes}{}", value(operation.output))
        }
        ("read", _) => format!("read{on_key}"),
        ("write", _) => format!("write{on_key}{becomes}{}", value(operation.input)),
        ("cas", Some((from, to))) => format!("cas{on_key} {}→{}", value(from), value(to)),
        _ => other(operation, &on_key),
    };
    let observed = operation
        .observed
        .as_ref()
        .map(|seen| format!(", saw {}", value(seen)));
    let (act, observed) = (clip(&act, VALUE_CHARS_MAX * 2), observed.unwrap_or_default());
    format!("{act} {}{observed}", outcome(operation.outcome))
}

/// The same without its key: `write 9`, `read 7`, `cas 1→2 ✗`, `write 9 ?`.
pub(crate) fn operation_briefly(operation: &Operation) -> String {
    let what = match (operation.f, operation.input.as_pair()) {
        ("read", _) if operation.outcome == Outcome::Ok => value(operation.output),
        ("cas", Some((from, to))) => format!("{}→{}", value(from), value(to)),
        _ if operation.input.is_null() => String::new(),
        _ => value(operation.input),
    };
    let mark = match operation.outcome {
        Outcome::Ok => "",
        Outcome::Fail => "✗",
        Outcome::Info => "?",
    };
    let words = [operation.f, &what, mark];
    words
        .into_iter()
        .filter(|word| !word.is_empty())
        .collect::<Vec<_>>()
        .join(" ")
}

fn other(operation: &Operation, on_key: &str) -> String {
    let mut text = format!("{}{on_key}", operation.f);
    if !operation.input.is_null() {
        text.push_str(&format!(" {}", value(operation.input)));
    }
    if operation.outcome == Outcome::Ok && !operation.output.is_null() && operation.output != operation.input
    {
        text.push_str(&format!(" → {}", value(operation.output)));
    }
    text
}

/// An outcome, for people.
pub(crate) fn outcome(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Ok => "ok",
        Outcome::Fail => "failed",
        Outcome::Info => "unknown",
    }
}

/// A value, clipped.
pub(crate) fn value(value: &Value) -> String {
    clip(&value.to_string(), VALUE_CHARS_MAX)
}

/// A key, the same wherever operations are looked up by it.
pub(crate) fn key(key: &Value) -> String {
    clip(&key.to_string(), KEY_CHARS_MAX)
}

/// The story of an anomaly, clipped.
pub(crate) fn story(story: &str) -> String {
    clip(story, STORY_CHARS_MAX)
}

/// The reason of a verdict, clipped.
pub(crate) fn reason(reason: &str) -> String {
    clip(reason, REASON_CHARS_MAX)
}

/// At most `chars_max` characters, with an ellipsis for what was left out.
pub(crate) fn clip(text: &str, chars_max: usize) -> String {
    match text.char_indices().nth(chars_max) {
        None => text.to_owned(),
        Some((end, _)) => format!("{}…", &text[..end]),
    }
}

/// `12,345`.
pub(crate) fn thousands(count: u64) -> String {
    let digits = count.to_string();
    let mut out = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// How many snapshots were installed, in words.
pub(crate) fn installed(snapshots: u64) -> String {
    format!("{} installed by nodes that lagged", thousands(snapshots))
}

/// `1 fault`, `2 faults`.
pub(crate) fn counted(count: u64, noun: &str) -> String {
    format!("{} {noun}{}", thousands(count), if count == 1 { "" } else { "s" })
}

/// The roles that a fault hit: `leader 2, follower 3 of 4`, where it was tried on four and is known to have taken on
/// three.
pub(crate) fn roles(count: &FaultCount) -> String {
    let told = |(role, took): (&String, &u64)| format!("{role} {took}");
    if count.coverage.is_empty() {
        // An older run.
        return count.roles.iter().map(told).collect::<Vec<_>>().join(", ");
    }
    let parts = count.coverage.iter().map(|(role, of)| match of.uncertain {
        0 => told((role, &of.took)),
        uncertain => format!("{role} {} of {}", of.took, of.took + uncertain),
    });
    parts.collect::<Vec<_>>().join(", ")
}

/// `30.0 s`, `12 min 5 s`.
pub(crate) fn duration(ms: u64) -> String {
    if ms < 120_000 {
        format!("{}.{} s", ms / 1000, ms % 1000 / 100)
    } else {
        format!("{} min {} s", ms / 60_000, ms / 1000 % 60)
    }
}

/// `398/s`, `0.4/s`.
pub(crate) fn rate(per_second: f64) -> String {
    if per_second >= 10.0 {
        format!("{}/s", thousands(per_second.round() as u64))
    } else {
        format!("{per_second:.1}/s")
    }
}

/// What the load came to, beside what was asked for.
pub(crate) fn rates(rate_of: &crate::run::Rate) -> String {
    let asked = if rate_of.asked > 0.0 {
        format!(
            " of {} asked ({:.0} %)",
            rate(rate_of.asked),
            100.0 * rate_of.invoked / rate_of.asked
        )
    } else {
        String::new()
    };
    format!(
        "{} invoked{asked}, {} ok",
        rate(rate_of.invoked),
        rate(rate_of.ok)
    )
}

/// The text without terminal escape sequences, and other control characters made visible.
pub(crate) fn printable(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars().peekable();
    while let Some(char) = chars.next() {
        if char == '\u{1b}' && chars.peek() == Some(&'[') {
            chars.next();
            // A control sequence ends with a byte from 0x40 on (ECMA-48, 5.4).
            while chars
                .next()
                .is_some_and(|parameter| !('@'..='~').contains(&parameter))
            {}
        } else if hidden(char) {
            out.push_str(&format!("\\u{{{:x}}}", u32::from(char)));
        } else {
            out.push(char);
        }
    }
    out
}

/// Characters that show as nothing, or change how others show: controls, line separators and bidirectional overrides.
fn hidden(char: char) -> bool {
    (char.is_control() && char != '\t')
        || matches!(char, '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{fffe}' | '\u{ffff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn done<'a>(f: &'a str, input: &'a Value, outcome: Outcome, output: &'a Value) -> Operation<'a> {
        let moment = partita_history::Moment { position: 0, time: 0 };
        Operation {
            process: 0,
            f,
            key: None,
            input,
            outcome,
            output,
            observed: None,
            invoked: moment,
            completed: Some(moment),
            node: None,
            error: None,
        }
    }

    #[test]
    fn operations_are_called_what_they_did() {
        let null = &Value::Null;
        let [three, five, seven, nine] = [3, 5, 7, 9].map(Value::Int);
        let pair = Value::pair(1.into(), 2.into());
        let refused = Operation {
            observed: Some(&five),
            ..done("cas", &pair, Outcome::Fail, &pair)
        };
        let cases = [
            (
                done("write", &nine, Outcome::Ok, &nine),
                "write x=9 ok",
                "write 9",
            ),
            (done("read", null, Outcome::Ok, &seven), "read x=7 ok", "read 7"),
            (
                done("read", null, Outcome::Info, null),
                "read x unknown",
                "read ?",
            ),
            (refused, "cas x 1→2 failed, saw 5", "cas 1→2 ✗"),
            (
                done("enqueue", &three, Outcome::Ok, &three),
                "enqueue x 3 ok",
                "enqueue 3",
            ),
            (
                done("dequeue", null, Outcome::Ok, &three),
                "dequeue x → 3 ok",
                "dequeue",
            ),
        ];
        let key = Value::from("x");
        for (keyless, words, few) in cases {
            let operation = Operation {
                key: Some(&key),
                ..keyless
            };
            assert_eq!(
                (super::operation(&operation), operation_briefly(&operation)),
                (words.into(), few.into())
            );
        }
        let keyless = done("read", null, Outcome::Ok, &seven);
        assert_eq!(super::operation(&keyless), "read 7 ok");
    }

    #[test]
    fn numbers_are_grouped_and_counted() {
        assert_eq!(
            [0, 999, 1000, 1_234_567].map(thousands),
            ["0", "999", "1,000", "1,234,567"]
        );
        assert_eq!(
            (counted(1, "fault"), counted(0, "fault")),
            ("1 fault".into(), "0 faults".into())
        );
        assert_eq!(
            (duration(30_040), duration(125_000)),
            ("30.0 s".into(), "2 min 5 s".into())
        );
        assert_eq!((rate(398.6), rate(0.42)), ("399/s".into(), "0.4/s".into()));
    }

    #[test]
    fn clipping_never_cuts_a_character() {
        assert_eq!((clip("äöü", 3), clip("äöü", 2)), ("äöü".into(), "äö…".into()));
    }

    #[test]
    fn what_a_terminal_would_obey_is_made_harmless() {
        assert_eq!(printable("a\u{1b}[31;1mred\u{1b}[0m\u{7}"), "ared\\u{7}");
        assert_eq!(printable("\u{1b}]0;title"), "\\u{1b}]0;title");
        assert_eq!(printable("x\u{202e}y\tz\u{1b}["), "x\\u{202e}y\tz");
    }
}
