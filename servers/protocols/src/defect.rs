//! The catalogue of deliberate bugs.
//!
//! A tester that never saw a bug proves nothing. Each defect is one that real systems have had, is one
//! decision in the code (look for the name of its constant), and must be found by a run with faults. A
//! protocol's defects stand in its own folder, in `defects.rs`; here are those that any protocol can have.

use std::fmt;

use crate::kind::ProtocolKind;
use crate::paxos::Paxos;
use crate::protocol::Protocol as _;
use crate::store::{RETRIES_APPLY_TWICE, SESSIONS_LOST_IN_SNAPSHOT};

/// A deliberate bug.
#[derive(Debug, PartialEq, Eq)]
pub struct Defect {
    /// Its name on the command line.
    pub name: &'static str,
    /// The protocol that has it, or nothing if any can.
    pub protocol: Option<&'static str>,
    /// What is wrong, in one sentence without its full stop.
    pub summary: &'static str,
    /// The property that it breaks, by its name in the paper, and where that stands.
    pub breaks: &'static str,
    /// Where it, or its like, was seen: a paper, an issue, a report.
    pub seen: &'static str,
    /// The workload that should expose it.
    pub workload: &'static str,
    /// The faults that should expose it, of which one is enough.
    pub faults: &'static [&'static str],
    /// The anomalies to expect, as the verdict on what clients saw names them: any of these. None if clients
    /// see nothing but that they are not served.
    pub anomalies: &'static [&'static str],
    /// The property that whoever looks at the nodes themselves sees broken, if that is how it shows first.
    pub invariant: Option<&'static str>,
}

/// How it shows in a register that reads are of the past. Which name it is depends on whether somebody else saw
/// the newer value.
pub(crate) const READS: &[&str] = &["stale read", "new/old inversion", "lost write"];

/// How it shows in a register that a write is gone, or that nodes differ in what they applied: as reads of the
/// past, too, when they had been seen; or as two compare-and-sets of which only one could succeed.
pub(crate) const FORKS: &[&str] = &[
    "lost write",
    "stale read",
    "new/old inversion",
    "two compare-and-sets from one value",
    "replicas disagree",
    "two leaders in one term",
];

/// How it shows in a register that is written once that nodes differ in what was decided, or whether.
pub(crate) const DECISIONS: &[&str] = &["two decisions", "stale read"];

/// Writes are reported durable while they are still only in the memory of the process. It is the disk that
/// lies, not the protocol: so it is the drivers (`replica`, `simulator`) that have this defect.
pub const UNSYNCED_ACKS: Defect = Defect {
    name: "unsynced-acks",
    protocol: None,
    summary: "a node acknowledges a write that is still only in its memory, so that a crash loses it",
    breaks: "persistent state is updated on stable storage before responding (Raft, figure 2)",
    seen: "Redis, Elasticsearch and others with fsync off by default; Alagappan et al., OSDI 2016",
    workload: "register",
    faults: &["kill", "power-cut"],
    anomalies: FORKS,
    invariant: None,
};

impl Defect {
    /// Every defect, in the order they are listed.
    pub fn all() -> impl Iterator<Item = &'static Defect> {
        let of_any = [&UNSYNCED_ACKS, &SESSIONS_LOST_IN_SNAPSHOT, &RETRIES_APPLY_TWICE];
        let of_one = ProtocolKind::ALL.iter().flat_map(|kind| kind.defects());
        of_any.into_iter().chain(of_one.copied())
    }

    /// The defect of this name.
    pub fn by_name(name: &str) -> Result<&'static Defect, UnknownDefect> {
        Self::all()
            .find(|defect| defect.name == name)
            .ok_or_else(|| UnknownDefect(name.to_owned()))
    }

    /// Does it show only where reads rest on leases (`Config::lease_reads`)?
    pub fn needs_leases(&self) -> bool {
        crate::raft::LEASE_DEFECTS.contains(&self)
    }

    /// Can nodes of this protocol have it?
    pub fn fits(&self, protocol: &str) -> bool {
        match self.protocol {
            Some(its) => its == protocol,
            // Single-decree Paxos serves no sessions, whose bugs these are.
            None => protocol != Paxos::NAME || *self == UNSYNCED_ACKS,
        }
    }
}

impl fmt::Display for Defect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name)
    }
}

/// No defect has this name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnknownDefect(pub String);

impl fmt::Display for UnknownDefect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<_> = Defect::all().map(|defect| defect.name).collect();
        write!(f, "{:?} is no defect; there are: {}", self.0, names.join(", "))
    }
}

impl std::error::Error for UnknownDefect {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_defect_is_found_by_its_name_and_explained() {
        for defect in Defect::all() {
            assert_eq!(Defect::by_name(defect.name), Ok(defect));
            assert!(
                defect
                    .name
                    .bytes()
                    .all(|byte| byte.is_ascii_lowercase() || byte == b'-')
            );
            for text in [defect.summary, defect.breaks, defect.seen] {
                assert!(text.len() > 15 && !text.ends_with('.'), "{defect}: {text}");
            }
            assert!(
                !defect.faults.is_empty() && (!defect.anomalies.is_empty() || defect.invariant.is_some()),
                "{defect}"
            );
            assert!(
                ProtocolKind::ALL.iter().any(|kind| defect.fits(kind.name())),
                "{defect} is a bug of no protocol"
            );
        }
        let names: std::collections::BTreeSet<_> = Defect::all().map(|defect| defect.name).collect();
        assert_eq!(names.len(), Defect::all().count(), "no name stands for two");
        let complaint = UnknownDefect("no-such".into());
        assert_eq!(Defect::by_name("no-such"), Err(complaint.clone()));
        assert!(complaint.to_string().contains("unsynced-acks, "), "{complaint}");
    }
}
