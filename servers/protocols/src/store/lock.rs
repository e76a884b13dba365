//! A lock with fencing tokens.
//!
//! A holder that was stopped for a while may believe that it still holds what was meanwhile given to another.
//! So each acquisition gives a token larger than all before, and whatever the lock protects refuses a token
//! smaller than one that it has seen (Kleppmann, "How to do distributed locking", 2016). Nobody loses the lock
//! by the passing of time: state machines have no clock. Whoever knows the token may release it; so a lock
//! whose holder is dead can be freed by an operator, or by whom its refusal told the token.

use super::answer::Answer;
use super::command::NAME_BYTES_MAX;
use crate::codec::{Decode, DecodeError, Encode, Reader, put_bytes, put_optional, put_signed};

/// Who holds a lock.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hold {
    /// Who, in its own words.
    pub owner: String,
    /// The token that it was given.
    pub token: i64,
}

/// A lock.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Lock {
    /// The largest token so far.
    last: i64,
    owner: Option<String>,
}

impl Lock {
    pub(super) fn holder(&self) -> Option<Hold> {
        self.owner.clone().map(|owner| Hold {
            owner,
            token: self.last,
        })
    }

    /// It is not reentrant: who holds it can not acquire it again.
    pub(super) fn acquire(&mut self, owner: String) -> Answer {
        if let Some(hold) = self.holder() {
            return Answer::Held(hold);
        }
        self.last += 1;
        self.owner = Some(owner);
        Answer::Acquired(self.last)
    }

    pub(super) fn release(&mut self, token: i64) -> Answer {
        if self.owner.is_none() || token != self.last {
            return Answer::NotHeld(self.holder());
        }
        self.owner = None;
        Answer::Released
    }
}

fn owner(input: &mut Reader<'_>) -> Result<String, DecodeError> {
    input.string("an owner", NAME_BYTES_MAX).map(str::to_owned)
}

impl Encode for Hold {
    fn encode(&self, out: &mut Vec<u8>) {
        put_bytes(out, self.owner.as_bytes());
        put_signed(out, self.token);
    }
}

impl Decode for Hold {
    fn decode(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Hold {
            owner: owner(input)?,
            token: input.signed("a token")?,
        })
    }
}

impl Encode for Lock {
    fn encode(&self, out: &mut Vec<u8>) {
        put_signed(out, self.last);
        put_optional(out, self.owner.as_ref(), |out, owner| {
            put_bytes(out, owner.as_bytes());
        });
    }
}

impl Decode for Lock {
    fn decode(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let last = input.signed("a token")?;
        // There must always be a larger one.
        if !(0..i64::MAX / 2).contains(&last) {
            return Err(DecodeError::Impossible("a token that no lock gave"));
        }
        Ok(Lock {
            last,
            owner: input.optional("an owner", owner)?,
        })
    }
}
