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

use super::command::{Answer, NAME_BYTES_MAX, SessionSequence};
use crate::codec::{Decode, DecodeError, Encode, Reader, put_bytes, put_unsigned};

/// How many sessions are remembered.
pub(super) const SESSIONS_MAX: usize = 65_536;

/// The sessions.
#[derive(Clone, Debug)]
pub(super) struct Sessions {
    limit: usize,
    sessions: BTreeMap<String, Session>,
    /// Sessions by the time of their last command, oldest first.
    by_age: BTreeMap<u64, String>,
    /// Counts commands: the only clock that all nodes share.
    commands: u64,
    any_expired: bool,
}

#[derive(Clone, Debug)]
struct Session {
    sequence: u64,
    answer: Answer,
    last_command: u64,
}

impl Sessions {
    pub(super) fn new(limit: usize) -> Sessions {
        Sessions {
            limit,
            sessions: BTreeMap::new(),
            by_age: BTreeMap::new(),
            commands: 0,
            any_expired: false,
        }
    }

    /// The answer to a command that must not be applied, or nothing if it is new.
    pub(super) fn settled(&self, command: &SessionSequence) -> Option<Answer> {
        match self.sessions.get(&command.session) {
            Some(session) if command.sequence == session.sequence => Some(session.answer.clone()),
            Some(session) if command.sequence < session.sequence => Some(Answer::Superseded),
            Some(_) => None,
            None if self.any_expired && command.sequence > 1 => Some(Answer::SessionExpired),
            None => None,
        }
    }

    /// Remembers the answer to a command that was applied.
    pub(super) fn remember(&mut self, command: &SessionSequence, answer: &Answer) {
        self.commands += 1;
        let session = Session {
            sequence: command.sequence,
            answer: answer.clone(),
            last_command: self.commands,
        };
        if let Some(earlier) = self.sessions.insert(command.session.clone(), session) {
            self.by_age.remove(&earlier.last_command);
        }
        self.by_age.insert(self.commands, command.session.clone());
        if self.sessions.len() > self.limit
            && let Some((_, oldest)) = self.by_age.pop_first()
        {
            self.sessions.remove(&oldest);
            self.any_expired = true;
        }
    }
}

/// Oldest first, which says again what the ages were.
impl Encode for Sessions {
    fn encode(&self, out: &mut Vec<u8>) {
        out.push(u8::from(self.any_expired));
        put_unsigned(out, self.by_age.len() as u64);
        for name in self.by_age.values() {
            let session = &self.sessions[name];
            put_bytes(out, name.as_bytes());
            put_unsigned(out, session.sequence);
            session.answer.encode(out);
        }
    }
}

impl Decode for Sessions {
    fn decode(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let mut sessions = Sessions::new(SESSIONS_MAX);
        sessions.any_expired = input.boolean("whether sessions expired")?;
        for _ in 0..input.unsigned("a number of sessions")? {
            let session = SessionSequence {
                session: input.string("a session", NAME_BYTES_MAX)?.to_owned(),
                sequence: input.unsigned("a sequence number")?,
            };
            let answer = Answer::decode(input)?;
            sessions.remember(&session, &answer);
        }
        Ok(sessions)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn command(session: &str, sequence: u64) -> SessionSequence {
        SessionSequence {
            session: session.into(),
            sequence,
        }
    }

    #[test]
    fn the_session_silent_for_longest_is_forgotten_and_told_so() {
        let mut sessions = Sessions::new(2);
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
        assert_eq!((sessions.sessions.len(), sessions.by_age.len()), (2, 2));
    }
}
