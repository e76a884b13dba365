//! What to say of a whole check.

use super::entry::Object;
use super::judge::{Judgement, Outcome};
use crate::verdict::{Anomaly, KeyResult, Verdict};

/// How many keys are named before "and N more".
const NAMED_MAX: usize = 5;

/// The result for one key.
pub(crate) fn key_result((object, judgement): (&Object<'_>, &Judgement)) -> KeyResult {
    KeyResult {
        key: object.key.cloned(),
        verdict: match judgement.outcome {
            Outcome::Linearizable(_) => Verdict::Valid,
            Outcome::Violated(_) => Verdict::Invalid,
            Outcome::Unknown | Outcome::NotApplicable(_) => Verdict::Unknown,
        },
        operations: object.entries.len(),
        verified_events: judgement.verified_events,
        configurations: judgement.configurations,
    }
}

/// Why the verdict is what it is, in one sentence. `inapplicable` is why a monitor could not decide, if no search was
/// allowed.
pub(crate) fn reason(
    verdict: Verdict,
    keys: &[KeyResult],
    anomalies: &[Anomaly],
    inapplicable: Option<&str>,
) -> String {
    let operations: usize = keys.iter().map(|key| key.operations).sum();
    match verdict {
        Verdict::NotExercised => "No operation completed ok, so nothing could be judged.".to_owned(),
        Verdict::Invalid => invalid(keys, anomalies),
        Verdict::Unknown => {
            let open: Vec<_> = of(keys, Verdict::Unknown).collect();
            let verified = open.iter().map(|key| key.verified_events).min().unwrap_or(0);
            let rest = match keys.len() - open.len() {
                0 => String::new(),
                1 => ", and the other key is linearizable throughout".to_owned(),
                others => format!(", and the other {others} keys are linearizable throughout"),
            };
            let on = match names(&open) {
                names if names.is_empty() => String::new(),
                names => format!(" on {names}"),
            };
            if let Some(why) = inapplicable {
                return format!("No monitor applies{on}, because {why}, and no search was allowed{rest}.");
            }
            format!(
                "The budget was spent{on}: there is no violation in the first {verified} events of the history{rest}."
            )
        }
        _ if keys.len() > 1 => {
            format!(
                "All {operations} operations on {} keys are linearizable.",
                keys.len()
            )
        }
        _ => format!("All {operations} operations are linearizable."),
    }
}

fn of(keys: &[KeyResult], verdict: Verdict) -> impl Iterator<Item = &KeyResult> {
    keys.iter().filter(move |key| key.verdict == verdict)
}

fn invalid(keys: &[KeyResult], anomalies: &[Anomaly]) -> String {
    let violated: Vec<_> = of(keys, Verdict::Invalid).collect();
    let what = match anomalies.first() {
        Some(Anomaly {
            name, key: Some(key), ..
        }) if violated.len() > 1 => {
            format!(" (the clearest: {name} on key {key})")
        }
        Some(Anomaly { name, .. }) => format!(" ({name})"),
        None => String::new(),
    };
    let explained = anomalies.len();
    let only = if explained < violated.len() {
        format!("; {explained} of them are explained")
    } else {
        String::new()
    };
    match &violated[..] {
        [one] if one.key.is_some() => {
            format!("The operations on {} are not linearizable{what}.", names(&[*one]))
        }
        [_] => format!("The history is not linearizable{what}."),
        several => format!(
            "The operations on {} of {} keys are not linearizable: {}{what}{only}.",
            several.len(),
            keys.len(),
            names(several)
        ),
    }
}

fn names(keys: &[&KeyResult]) -> String {
    let mut names: Vec<String> = keys
        .iter()
        .take(NAMED_MAX)
        .filter_map(|key| key.key.as_ref().map(|key| format!("key {key}")))
        .collect();
    if keys.len() > NAMED_MAX {
        names.push(format!("{} more", keys.len() - NAMED_MAX));
    }
    match names.split_last() {
        Some((last, rest)) if !rest.is_empty() => format!("{} and {last}", rest.join(", ")),
        _ => names.concat(),
    }
}
