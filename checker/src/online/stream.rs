//! A register with reads, writes and compare-and-sets of unique values, judged event by event (ALGORITHMS.md 5).
//!
//! The theory is that of `crate::monitor::register`: values made from each other by compare-and-sets form chains,
//! and two chains must not each have to precede the other. Here chains grow as operations end, and a violation is
//! known at the very event that makes it one. What no operation to come can be a part of any more is forgotten:
//! a chain that has to precede one that is certainly there or gone ([`Zones::forget`]), and the beginning of a
//! chain, once something that came after it in the chain ended before all that is now open began. Therefore a
//! value that is not known is a violation: nobody can have found it there.
//!
//! A value that is written again after it was forgotten is a new version: whoever finds it from then on can't have
//! found the old one. Pending writes that nobody saw are kept, as they may still take effect.

use std::collections::VecDeque;

use partita_history::Value;
use rustc_hash::FxHashMap;
use slab::Slab;

use super::zones::Zones;
use super::{End, Halt, NEVER, Thrift, Time};
use crate::model::{Access, Class, Specification};

/// No version.
pub(super) const NONE: u32 = u32::MAX;

const NOT_YET: End = End {
    time: NEVER,
    operation: NONE,
};

/// How an operation ended.
pub(super) enum Ending {
    /// It did this. (A refused compare-and-set that says what it saw has read.)
    Known(Class),
    /// It said nothing.
    Nothing,
    /// Nobody knows; it may have done this, or still do it.
    Unknown(Option<Class>),
}

/// Why something is not followed here that does more than reading and writing one value.
const NO_REGISTER: &str = "it is more than a register";

/// A value that was written, or may be.
#[derive(Debug)]
struct Version {
    value: Value,
    /// When its write began.
    began: Time,
    /// What it was made from, by a compare-and-set.
    from: Option<Value>,
    /// What its write does, if that crashed.
    crashed: Option<Box<Class>>,
    /// The chain that it is a part of; none if nothing shows that it was written.
    chain: u32,
    /// The versions before and after it in the chain, as far as they are known.
    previous: u32,
    next: u32,
    /// When the first of its own operations ended.
    first_end: End,
    /// When the first operation of the versions after it ended.
    later_end: End,
}

/// Versions that follow each other.
#[derive(Debug)]
struct Chain {
    /// Its place among the zones.
    place: usize,
    /// The first version that is not forgotten.
    first: u32,
    last: u32,
}

/// The operations that are open, by when they began.
#[derive(Debug, Default)]
struct Open {
    /// From the first that is open: when each began, and whether it is.
    all: VecDeque<(Time, bool)>,
}

impl Open {
    fn push(&mut self, began: Time) {
        self.all.push_back((began, true));
    }

    fn remove(&mut self, began: Time) {
        if let Ok(at) = self.all.binary_search_by_key(&began, |&(began, _)| began) {
            self.all[at].1 = false;
        }
        while self.all.front().is_some_and(|&(_, is_open)| !is_open) {
            self.all.pop_front();
        }
    }

    /// When the first began; never, if there is none.
    fn first(&self) -> Time {
        self.all.front().map_or(NEVER, |&(began, _)| began)
    }
}

/// A register as far as operations to come can tell.
#[derive(Debug)]
pub(super) struct Stream {
    versions: Slab<Version>,
    by_value: FxHashMap<Value, u32>,
    chains: Slab<Chain>,
    zones: Zones,
    open: Open,
    thrift: Thrift,
}

impl Stream {
    /// A register that holds this value.
    pub(super) fn new(initial: Value, thrift: Thrift) -> Stream {
        let mut this = Stream {
            versions: Slab::new(),
            by_value: FxHashMap::default(),
            chains: Slab::new(),
            zones: Zones::new(),
            open: Open::default(),
            thrift,
        };
        let dawn = End {
            time: 0,
            operation: NONE,
        };
        let version = this.add(initial, 0, None);
        this.begin_chain(version, dawn);
        this.versions[version as usize].first_end = dawn;
        this
    }

    /// Whether no operation is open.
    pub(super) fn is_quiet(&self) -> bool {
        self.open.all.is_empty()
    }

    /// How many versions are remembered.
    pub(super) fn len(&self) -> usize {
        self.versions.len()
    }

    /// An operation began that, if it takes effect, does this. Gives the version that it may write.
    ///
    /// # Errors
    /// When the value may be met already.
    pub(super) fn begin(&mut self, began: Time, access: Option<Access<'_>>) -> Result<u32, Halt> {
        let (from, to) = match access {
            Some(Access::Write(to)) => (None, to),
            Some(Access::Swap { from, to }) => (Some(from), to),
            _ => {
                self.open.push(began);
                return Ok(NONE);
            }
        };
        if self.by_value.contains_key(to) {
            self.forget();
            if self.by_value.contains_key(to) {
                return Err(Halt::NotApplicable(
                    "a value is written again while it may be met",
                ));
            }
        }
        self.open.push(began);
        Ok(self.add(to.clone(), began, from.cloned()))
    }

    /// The operation that began then, and may have written that version, ended.
    ///
    /// # Errors
    /// When that makes a violation, or it did what this is not made for.
    pub(super) fn end(
        &mut self,
        began: Time,
        version: u32,
        end: End,
        ending: &Ending,
        specification: &dyn Specification,
    ) -> Result<(), Halt> {
        self.open.remove(began);
        let writes = |class| {
            let access = specification.access(class);
            access.and_then(Access::produces).is_some()
        };
        match ending {
            Ending::Unknown(None) => return Ok(()),
            Ending::Unknown(Some(class)) => match self.versions.get_mut(version as usize) {
                Some(version) if writes(class) => {
                    version.crashed = Some(Box::new(class.clone()));
                    return Ok(());
                }
                _ if specification.is_observer(class) => return Ok(()),
                _ => return Err(Halt::NotApplicable(NO_REGISTER)),
            },
            Ending::Known(class) if writes(class) => {
                if version == NONE {
                    return Err(Halt::NotApplicable(NO_REGISTER));
                }
                self.touch(version, began, end)?;
            }
            Ending::Known(_) | Ending::Nothing => self.withdraw(version)?,
        }
        if let Ending::Known(class) = ending {
            match specification.access(class) {
                Some(Access::Read(value)) => {
                    let version = *self.by_value.get(value).ok_or(Halt::Violation(end))?;
                    self.touch(version, began, end)?;
                }
                Some(Access::Write(_) | Access::Swap { .. }) => {}
                Some(Access::Never) => return Err(Halt::Violation(end)),
                Some(Access::Differs(_)) => {
                    return Err(Halt::NotApplicable(
                        "a compare-and-set was refused and did not say what it saw",
                    ));
                }
                None => return Err(Halt::NotApplicable(NO_REGISTER)),
            }
        }
        if self.thrift.is_due(self.versions.len()) || self.is_quiet() && self.versions.len() > 2 {
            self.forget();
        }
        Ok(())
    }

    /// When it is known that the operation of this version did not write: the moment at which the version was first
    /// needed, if it was.
    pub(super) fn first_needed(&self, version: u32) -> Option<End> {
        let version = self.versions.get(version as usize)?;
        let first = version.first_end.min(version.later_end);
        (first != NOT_YET).then_some(first)
    }

    /// The values that may be there, and the pending writes that may still take effect, when nothing is open.
    pub(super) fn snapshot(&mut self) -> (Vec<Value>, Vec<Class>) {
        self.forget();
        let last = |&chain: &u32| self.chains[chain as usize].last;
        let values = self.zones.chains().iter().map(last);
        let values = values.map(|version| self.versions[version as usize].value.clone());
        let unseen = self.versions.iter().filter(|(_, version)| version.chain == NONE);
        let pending = unseen.filter_map(|(_, version)| version.crashed.as_deref().cloned());
        (values.collect(), pending.collect())
    }

    fn add(&mut self, value: Value, began: Time, from: Option<Value>) -> u32 {
        let version = self.versions.insert(Version {
            value: value.clone(),
            began,
            from,
            crashed: None,
            chain: NONE,
            previous: NONE,
            next: NONE,
            first_end: NOT_YET,
            later_end: NOT_YET,
        }) as u32;
        self.by_value.insert(value, version);
        version
    }

    /// The version was not written after all.
    fn withdraw(&mut self, version: u32) -> Result<(), Halt> {
        if version == NONE {
            return Ok(());
        }
        if let Some(first) = self.first_needed(version) {
            return Err(Halt::Violation(first));
        }
        self.remove(version);
        Ok(())
    }

    fn remove(&mut self, version: u32) {
        let version = self.versions.remove(version as usize);
        self.by_value.remove(&version.value);
    }

    fn begin_chain(&mut self, version: u32, end: End) {
        let chain = self.chains.insert(Chain {
            place: 0,
            first: version,
            last: version,
        }) as u32;
        let this = &mut self.versions[version as usize];
        this.chain = chain;
        self.chains[chain as usize].place = self.zones.push(chain, end.time, this.began);
    }

    /// An operation on this version, which began then, ended.
    fn touch(&mut self, version: u32, began: Time, end: End) -> Result<(), Halt> {
        self.include(version, end)?;
        let this = &mut self.versions[version as usize];
        if this.later_end.time < began {
            return Err(Halt::Violation(end));
        }
        if this.first_end == NOT_YET {
            this.first_end = end;
            let mut before = this.previous;
            while let Some(earlier) = self.versions.get_mut(before as usize)
                && earlier.later_end == NOT_YET
            {
                earlier.later_end = end;
                before = earlier.previous;
            }
        }
        self.raise(version, began, end)
    }

    fn raise(&mut self, version: u32, began: Time, end: End) -> Result<(), Halt> {
        let chain = self.versions[version as usize].chain;
        match self.zones.raise(self.chains[chain as usize].place, began) {
            true => Ok(()),
            false => Err(Halt::Violation(end)),
        }
    }

    /// The version, and all that it was made from, was written.
    fn include(&mut self, version: u32, end: End) -> Result<(), Halt> {
        let mut path = Vec::new();
        let mut at = version;
        while self.versions[at as usize].chain == NONE {
            // Versions made from each other in a circle never were.
            if path.len() > self.versions.len() {
                return Err(Halt::Violation(end));
            }
            path.push(at);
            let Some(from) = &self.versions[at as usize].from else {
                break;
            };
            at = *self.by_value.get(from).ok_or(Halt::Violation(end))?;
        }
        for version in path.into_iter().rev() {
            if self.versions[version as usize].from.is_none() {
                self.begin_chain(version, end);
                continue;
            }
            self.append(at, version, end)?;
            at = version;
        }
        Ok(())
    }

    /// A compare-and-set made `version` from `from`.
    fn append(&mut self, from: u32, version: u32, end: End) -> Result<(), Halt> {
        let before = &mut self.versions[from as usize];
        if before.next != NONE {
            return Err(Halt::Violation(end));
        }
        before.next = version;
        let chain = before.chain;
        self.chains[chain as usize].last = version;
        let this = &mut self.versions[version as usize];
        (this.chain, this.previous) = (chain, from);
        let began = this.began;
        self.raise(version, began, end)
    }

    /// Forgets what no operation that ends from now on can be a part of.
    fn forget(&mut self) {
        let horizon = self.open.first();
        let chains = &mut self.chains;
        let dead = self
            .zones
            .forget(horizon, |chain, place| chains[chain as usize].place = place);
        for chain in dead {
            let mut version = self.chains.remove(chain as usize).first;
            while version != NONE {
                let next = self.versions[version as usize].next;
                self.remove(version);
                version = next;
            }
        }
        for &chain in self.zones.chains() {
            let chain = &mut self.chains[chain as usize];
            while self.versions[chain.first as usize].later_end.time < horizon {
                let version = self.versions.remove(chain.first as usize);
                self.by_value.remove(&version.value);
                chain.first = version.next;
                self.versions[chain.first as usize].previous = NONE;
            }
        }
        self.thrift.done(self.versions.len());
    }
}
