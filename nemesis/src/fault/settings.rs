//! What of a fault can be set, and to what. Everything else, and what is not set, is drawn from the fault's seed.

use std::fmt;

use partita_generator::settings::{Settings, Value};

use super::Fault;

/// Something of a fault that can be set.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Setting {
    /// Its name, in snake case; it ends with the unit where there is one that the name does not imply.
    pub name: &'static str,
    /// What it is, with its unit, in words that follow the name.
    pub summary: &'static str,
    /// What it can be set to.
    pub allowed: Allowed,
}

/// What a setting can be set to.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Allowed {
    /// A whole number, of these.
    Whole {
        /// The smallest.
        least: i64,
        /// The greatest.
        most: i64,
    },
    /// A number, of these.
    Number {
        /// The smallest.
        least: f64,
        /// The greatest.
        most: f64,
    },
    /// One of these words.
    Word(&'static [&'static str]),
    /// Paths, by a pattern in which `*` stands for any text and `?` for any one character.
    Paths,
}

impl Allowed {
    fn has(self, value: &Value) -> bool {
        match (self, value) {
            (Allowed::Whole { least, most }, Value::Whole(number)) => (least..=most).contains(number),
            (Allowed::Number { least, most }, value) => value
                .number()
                .is_some_and(|number| (least..=most).contains(&number)),
            (Allowed::Word(words), Value::Text(text)) => words.contains(&text.as_str()),
            (Allowed::Paths, Value::Text(text)) => !text.is_empty() && !text.starts_with('/'),
            _ => false,
        }
    }
}

/// In words that follow "must be".
impl fmt::Display for Allowed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Allowed::Whole { least, most } => write!(f, "a whole number between {least} and {most}"),
            Allowed::Number { least, most } => write!(f, "a number between {least} and {most}"),
            Allowed::Word(words) => {
                let quoted: Vec<String> = words.iter().map(|word| format!("\"{word}\"")).collect();
                write!(f, "one of {}", quoted.join(", "))
            }
            Allowed::Paths => f.write_str(
                "paths below the node's data directory, such as \"*.wal\": * is any text, ? any character",
            ),
        }
    }
}

/// Whether a fault can be had with these settings. The error says what can't be, and what could.
///
/// # Errors
/// When the fault has no such setting, it can't be set to that, or two do not go together.
pub fn check(fault: &dyn Fault, settings: &Settings) -> Result<(), String> {
    let (name, known) = (fault.name(), fault.settings());
    for (set, value) in settings.iter() {
        let Some(setting) = known.iter().find(|setting| setting.name == set) else {
            let names: Vec<&str> = known.iter().map(|setting| setting.name).collect();
            let there_are = match names.as_slice() {
                [] => "it has none".to_owned(),
                names => format!("it has: {}", names.join(", ")),
            };
            return Err(format!("fault `{name}` has no setting `{set}`; {there_are}"));
        };
        if !setting.allowed.has(value) {
            return Err(format!("{set} = {value}: it must be {}", setting.allowed));
        }
    }
    fault.go_together(settings)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::fault::{ALL, find};

    fn text(text: &str) -> Value {
        Value::Text(text.into())
    }

    fn set(settings: &[(&str, Value)]) -> Settings {
        settings.iter().cloned().collect()
    }

    fn asked(fault: &str, settings: &[(&str, Value)]) -> Result<(), String> {
        check(find(fault).unwrap(), &set(settings))
    }

    #[test]
    fn every_setting_says_what_it_is_and_allows_something() {
        for fault in ALL {
            let names: BTreeSet<_> = fault.settings().iter().map(|setting| setting.name).collect();
            assert_eq!(names.len(), fault.settings().len(), "{}", fault.name());
            for setting in fault.settings() {
                let is_snake_case = setting.name.bytes().all(|b| b.is_ascii_lowercase() || b == b'_');
                assert!(
                    is_snake_case && !setting.summary.is_empty(),
                    "{}: {}",
                    fault.name(),
                    setting.name
                );
                match setting.allowed {
                    Allowed::Whole { least, most } => assert!(least < most),
                    Allowed::Number { least, most } => assert!(least < most),
                    Allowed::Word(words) => assert!(words.len() > 1),
                    Allowed::Paths => {}
                }
            }
        }
    }

    #[test]
    fn what_is_in_range_is_allowed() {
        for (fault, settings) in [
            ("loss", vec![("percent", Value::Whole(1))]),
            ("loss", vec![("percent", Value::Whole(100))]),
            (
                "delay",
                vec![("delay_ms", Value::Whole(20)), ("jitter_ms", Value::Whole(0))],
            ),
            (
                "slow-fsync",
                vec![("ms", Value::Whole(7)), ("files", text("*.wal"))],
            ),
            ("io-errors", vec![("on", text("read"))]),
            ("kill", vec![]),
        ] {
            assert_eq!(asked(fault, &settings), Ok(()), "{fault}");
        }
    }

    #[test]
    fn what_is_unknown_of_another_type_or_out_of_range_is_refused_with_what_there_is() {
        for (fault, name, value, expected) in [
            (
                "loss",
                "percent",
                Value::Whole(200),
                "percent = 200: it must be a whole number between 1 and 100",
            ),
            ("loss", "percent", Value::Whole(0), "percent = 0: it must be"),
            (
                "loss",
                "percent",
                Value::Fraction(2.5),
                "percent = 2.5: it must be a whole number",
            ),
            (
                "loss",
                "percent",
                text("many"),
                "percent = \"many\": it must be a whole number",
            ),
            (
                "loss",
                "ms",
                Value::Whole(1),
                "fault `loss` has no setting `ms`; it has: percent",
            ),
            (
                "kill",
                "percent",
                Value::Whole(1),
                "fault `kill` has no setting `percent`; it has none",
            ),
            (
                "io-errors",
                "on",
                text("sync"),
                "on = \"sync\": it must be one of \"read\", \"write\", \"fsync\", \"all\"",
            ),
            ("io-errors", "on", Value::Whole(1), "on = 1: it must be one of"),
            (
                "disk-full",
                "files",
                text(""),
                "files = \"\": it must be paths below",
            ),
            (
                "disk-full",
                "files",
                text("/var/*"),
                "files = \"/var/*\": it must be paths below",
            ),
            (
                "disk-full",
                "files",
                Value::Whole(1),
                "files = 1: it must be paths below",
            ),
        ] {
            let error = asked(fault, &[(name, value)]).unwrap_err();
            assert!(error.starts_with(expected), "{fault}: {error}");
        }
    }
}
