//! Client sessions: a command that is tried again applies once.
//!
//! A client that hears nothing must ask again, and then the command may come twice to the log. Each session
//! therefore numbers its commands, and the state machine remembers, per session, the last number and its
//! answer (Ongaro's thesis, section 6.3). The table is part of the replicated state: whether a command is new
//! is decided at its place in the log, alike on every node.
//!
//! The table is bounded. When it is full, the session that has been silent for longest, counted in commands
//! and not in time, is forgotten: a clock would differ from node to node. Once a session has been forgotten,
//! an unknown session that does not begin at sequence 1 may be that one, coming back: it is told that it has
//! expired, since applying might be applying twice.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::answer::Answer;
use super::command::{NAME_BYTES_MAX, SessionSequence};
use super::shards::Shards;
use crate::codec::{Decode, DecodeError, Encode, Reader, put_bytes, put_unsigned};

/// How many sessions are remembered.
const SESSIONS_MAX: usize = 65_536;
/// What the answers that are remembered may weigh together.
const ANSWERS_WEIGHT_MAX: usize = 64 * 1024 * 1024;

/// The sessions.
#[derive(Clone, Debug)]
pub(super) struct Sessions {
    sessions_max: usize,
    weight_max: usize,
    remembered: Remembered,
    /// Sessions by the time of their last command, oldest first.
    by_age: BTreeMap<u64, Arc<str>>,
    /// Counts commands: the only clock that all nodes share.
    commands: u64,
    /// What all answers weigh.
    weight: usize,
}

/// What there is to remember.
#[derive(Clone, Debug, Default)]
pub(super) struct Remembered {
    sessions: Shards<Session>,
    any_expired: bool,
}

#[derive(Clone, Debug)]
struct Session {
    sequence: u64,
    answer: Answer,
    last_command: u64,
}

impl Default for Sessions {
    fn default() -> Self {
        Sessions::new(SESSIONS_MAX, ANSWERS_WEIGHT_MAX)
    }
}

impl Sessions {
    fn new(sessions_max: usize, weight_max: usize) -> Sessions {
        Sessions {
            sessions_max,
            weight_max,
            remembered: Remembered::default(),
            by_age: BTreeMap::new(),
            commands: 0,
            weight: 0,
        }
    }

    /// A copy of what there is to remember, made in no time.
    pub(super) fn remembered(&self) -> Remembered {
        self.remembered.clone()
    }

    /// The answer to a command that must not be applied, or nothing if it is new.
    pub(super) fn settled(&self, command: &SessionSequence) -> Option<Answer> {
        match self.remembered.sessions.get(&command.session) {
            Some(session) if command.sequence == session.sequence => Some(session.answer.clone()),
            Some(session) if command.sequence < session.sequence => Some(Answer::Superseded),
            Some(_) => None,
            None if self.remembered.any_expired && command.sequence > 1 => Some(Answer::SessionExpired),
            None => None,
        }
    }

    /// Remembers the answer to a command that was applied.
    pub(super) fn remember(&mut self, command: &SessionSequence, answer: &Answer) {
        self.commands += 1;
        self.weight += answer.weight();
        let now = Session {
            sequence: command.sequence,
            answer: answer.clone(),
            last_command: self.commands,
        };
        let name = match self.remembered.sessions.get_mut(&command.session) {
            Some(session) => {
                let before = std::mem::replace(session, now);
                self.weight -= before.answer.weight();
                self.by_age.remove(&before.last_command)
            }
            None => {
                let name: Arc<str> = command.session.as_str().into();
                self.remembered.sessions.insert(Arc::clone(&name), now);
                Some(name)
            }
        };
        self.by_age.extend(name.map(|name| (self.commands, name)));
        while self.remembered.sessions.len() > self.sessions_max || self.weight > self.weight_max {
            let Some((_, oldest)) = self.by_age.pop_first() else {
                break;
            };
            let sessions = &mut self.remembered.sessions;
            self.weight -= sessions.get(&oldest).map_or(0, |session| session.answer.weight());
            sessions.remove(&oldest);
            self.remembered.any_expired = true;
        }
    }
}

/// Oldest first, which says again what the ages were.
impl Encode for Remembered {
    fn encode(&self, out: &mut Vec<u8>) {
        out.push(u8::from(self.any_expired));
        let mut sessions: Vec<_> = self.sessions.iter().collect();
        sessions.sort_unstable_by_key(|(_, session)| session.last_command);
        put_unsigned(out, sessions.len() as u64);
        for (name, session) in sessions {
            put_bytes(out, name.as_bytes());
            put_unsigned(out, session.sequence);
            session.answer.encode(out);
        }
    }
}

impl Decode for Sessions {
    fn decode(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let mut sessions = Sessions::default();
        sessions.remembered.any_expired = input.boolean("whether sessions expired")?;
        for _ in 0..input.unsigned("a number of sessions")? {
            let session = SessionSequence {
                session: input.string("a session", NAME_BYTES_MAX)?.to_owned(),
                sequence: input.word("a sequence number")?,
            };
            let answer = Answer::decode(input)?;
            sessions.remember(&session, &answer);
        }
        Ok(sessions)
    }
}

#[cfg(test)]
mod tests {
    use super::super::value::Value;
    use super::*;

    fn command(session: &str, sequence: u64) -> SessionSequence {
        SessionSequence {
            session: session.into(),
            sequence,
        }
    }

    #[test]
    fn the_session_silent_for_longest_is_forgotten_and_told_so() {
        let mut sessions = Sessions::new(2, usize::MAX);
        sessions.remember(&command("a", 1), &Answer::Done);
        sessions.remember(&command("b", 1), &Answer::Done);
        sessions.remember(&command("a", 2), &Answer::Swapped);
        assert_eq!(
            sessions.settled(&command("new", 5)),
            None,
            "nothing was forgotten yet"
        );

        sessions.remember(&command("c", 1), &Answer::Done);
        assert_eq!(sessions.settled(&command("a", 2)), Some(Answer::Swapped));
        assert_eq!(sessions.settled(&command("a", 1)), Some(Answer::Superseded));
        assert_eq!(sessions.settled(&command("a", 3)), None);
        assert_eq!(sessions.settled(&command("b", 2)), Some(Answer::SessionExpired));
        assert_eq!(sessions.settled(&command("new", 1)), None);
        assert_eq!(
            (sessions.remembered.sessions.len(), sessions.by_age.len()),
            (2, 2)
        );
    }

    #[test]
    fn answers_are_remembered_as_long_as_they_do_not_weigh_too_much() {
        let mut sessions = Sessions::new(100, 1_000);
        let large = Answer::Value(Value::Str("x".repeat(400)));
        for name in ["a", "b", "c"] {
            sessions.remember(&command(name, 1), &large);
        }
        assert_eq!(sessions.settled(&command("a", 2)), Some(Answer::SessionExpired));
        assert_eq!(sessions.settled(&command("b", 1)), Some(large.clone()));
        sessions.remember(&command("b", 2), &Answer::Done);
        sessions.remember(&command("d", 1), &large);
        assert_eq!(
            sessions.settled(&command("c", 1)),
            Some(large),
            "there was room again"
        );
        let weights = sessions
            .remembered
            .sessions
            .iter()
            .map(|(_, session)| session.answer.weight());
        assert_eq!(sessions.weight, weights.sum::<usize>());
    }
}
