//! What every core is told when it starts.

use std::cmp::Ordering;
use std::fmt;

use crate::codec::{Decode, DecodeError, Encode, Reader, put_bytes};
use crate::defect::Defect;

/// How many entries are applied after a snapshot before the next, if nothing else is said.
const SNAPSHOT_ENTRIES: u64 = 100_000;
/// How many bytes of records are written after a snapshot before the next, if nothing else is said.
const SNAPSHOT_LOG_BYTES: u64 = 64 << 20;
/// How far a leader of Multi-Paxos proposes beyond what is chosen, if nothing else is said.
const WINDOW: u64 = 1024;
/// By how much the fastest clock may outrun the slowest, where reads rest on leases.
pub const CLOCK_DRIFT_PERCENT_MAX: u32 = 10;
/// The longest name of a node, in bytes.
const NAME_BYTES_MAX: usize = 15;

/// A member of the cluster, by its name.
///
/// The name itself is the identity, on disk and on the wire, so that no numbering has to be agreed on, and so
/// that a log or a trace can be read. It is held in line: a node's id is copied as cheaply as a number.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct NodeId {
    /// The name, padded with zeros, and its length in the last byte.
    bytes: [u8; NAME_BYTES_MAX + 1],
}

impl Ord for NodeId {
    /// By name. As one number, since maps by node are on the path of every message.
    fn cmp(&self, other: &NodeId) -> Ordering {
        u128::from_be_bytes(self.bytes).cmp(&u128::from_be_bytes(other.bytes))
    }
}

impl PartialOrd for NodeId {
    fn partial_cmp(&self, other: &NodeId) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl NodeId {
    /// A node by its name: 1 to 15 of `a-z`, `A-Z`, `0-9`, `-`, `_` and `.`.
    pub fn new(name: &str) -> Result<NodeId, ConfigError> {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
        if name.is_empty() || name.len() > NAME_BYTES_MAX || !name.bytes().all(plain) {
            return Err(ConfigError::BadName(name.to_owned()));
        }
        let mut bytes = [0; NAME_BYTES_MAX + 1];
        bytes[..name.len()].copy_from_slice(name.as_bytes());
        bytes[NAME_BYTES_MAX] = name.len() as u8;
        Ok(NodeId { bytes })
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        // Only ever made from ASCII.
        std::str::from_utf8(self.as_bytes()).unwrap_or_default()
    }

    /// The name, as bytes.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes[..usize::from(self.bytes[NAME_BYTES_MAX])]
    }
}

impl fmt::Display for NodeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl fmt::Debug for NodeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Encode for NodeId {
    fn encode(&self, out: &mut Vec<u8>) {
        put_bytes(out, self.as_bytes());
    }
}

impl Decode for NodeId {
    fn decode(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let name = input.string("a node's name", NAME_BYTES_MAX)?;
        NodeId::new(name)
            .map_err(|_| DecodeError::Impossible("a node's name has characters that none may have"))
    }
}

/// What a core is told when it starts. Time is in ticks, whose length is the driver's business.
#[derive(Clone, Debug)]
pub struct Config {
    /// This node.
    pub me: NodeId,
    /// Every member of the cluster when it began, in order of name.
    members: Vec<NodeId>,
    /// How often a leader shows that it lives.
    pub heartbeat_ticks: u32,
    /// The shortest silence after which a follower takes the leader for lost; each waits for a random time
    /// between this and its double.
    pub election_ticks: u32,
    /// How many entries are applied after a snapshot before the next is taken, and the log cut.
    pub snapshot_entries: u64,
    /// How many bytes of records are written after a snapshot before the next is taken, and the log cut,
    /// however few entries they hold. It bounds the log in memory, too. After a snapshot that is longer than
    /// this, as many bytes as that has.
    pub snapshot_log_bytes: u64,
    /// May a leader answer reads without asking a majority each time, for as long as a majority has lately
    /// promised not to help elect another? That is safe only while no node's clock runs faster than another's
    /// by more than [`CLOCK_DRIFT_PERCENT_MAX`].
    pub lease_reads: bool,
    /// How many slots a leader of Multi-Paxos proposes for beyond those that are chosen, and after how many a
    /// change of members takes effect: alpha. At least 1, and the same for all nodes, always.
    pub window: u64,
    /// The deliberate bug to have, if any.
    pub defect: Option<&'static Defect>,
}

/// Why a configuration can not be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    /// A node's name has a character that none may have, is empty, or too long.
    #[error("{0:?} is no name for a node: 1 to 15 letters, digits, '-', '_' or '.' are wanted")]
    BadName(String),
    /// Two members of one name.
    #[error("{0} is a member twice")]
    MemberTwice(NodeId),
    /// A heartbeat comes too seldom to keep followers quiet.
    #[error(
        "the election timeout ({election} ticks) must be at least twice the heartbeat ({heartbeat} ticks, at least 1)"
    )]
    Timing {
        /// Ticks between heartbeats.
        heartbeat: u32,
        /// Ticks of the shortest election timeout.
        election: u32,
    },
}

impl Config {
    /// A cluster of `me` and its `peers`.
    pub fn new(
        me: NodeId,
        peers: impl IntoIterator<Item = NodeId>,
        heartbeat_ticks: u32,
        election_ticks: u32,
    ) -> Result<Config, ConfigError> {
        if heartbeat_ticks == 0 || election_ticks < heartbeat_ticks.saturating_mul(2) {
            return Err(ConfigError::Timing {
                heartbeat: heartbeat_ticks,
                election: election_ticks,
            });
        }
        let mut members: Vec<NodeId> = peers.into_iter().chain([me]).collect();
        members.sort_unstable();
        if let Some(pair) = members.windows(2).find(|pair| pair[0] == pair[1]) {
            return Err(ConfigError::MemberTwice(pair[0]));
        }
        Ok(Config {
            me,
            members,
            heartbeat_ticks,
            election_ticks,
            snapshot_entries: SNAPSHOT_ENTRIES,
            snapshot_log_bytes: SNAPSHOT_LOG_BYTES,
            lease_reads: false,
            window: WINDOW,
            defect: None,
        })
    }

    /// A node that is no member yet, and waits until these make it one.
    pub fn joining(self) -> Config {
        let me = self.me;
        let members = self.members.into_iter().filter(|&member| member != me).collect();
        Config { members, ..self }
    }

    /// The same, with a deliberate bug.
    pub fn with_defect(self, defect: Option<&'static Defect>) -> Config {
        Config { defect, ..self }
    }

    /// Every member of the cluster when it began, in order of name. What a log or a snapshot says of later
    /// changes holds in its stead. This node is among them, unless it was started to join.
    pub fn members(&self) -> &[NodeId] {
        &self.members
    }

    /// Every member but this node, in order of name.
    pub fn peers(&self) -> impl Iterator<Item = NodeId> + '_ {
        self.members.iter().copied().filter(|&member| member != self.me)
    }

    /// How many members are a majority. Any two majorities share a member, on which every proof rests.
    pub fn quorum(&self) -> usize {
        self.members.len() / 2 + 1
    }

    /// Is this the deliberate bug to have?
    pub(crate) fn has(&self, defect: &Defect) -> bool {
        self.defect.is_some_and(|its| its.name == defect.name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_checked_and_kept() {
        let id = NodeId::new("n1").expect("a good name");
        assert_eq!((id.as_str(), id.to_string().as_str()), ("n1", "n1"));
        assert_eq!(NodeId::from_bytes(&id.to_bytes()), Ok(id));
        let ids: Vec<_> = ["n1", "n10", "n2", "na", "fifteen-letters"]
            .map(|name| NodeId::new(name).expect("a good name"))
            .into();
        for (one, other) in ids
            .iter()
            .flat_map(|one| ids.iter().map(move |other| (one, other)))
        {
            assert_eq!(
                one.cmp(other),
                one.as_str().cmp(other.as_str()),
                "{one} and {other}"
            );
        }
        for bad in ["", "sixteen-letters-", "n 1", "n/1", "é"] {
            assert!(NodeId::new(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn a_majority_is_more_than_half() {
        let node = |number: usize| NodeId::new(&format!("n{number}")).expect("a good name");
        for (size, quorum) in [(1, 1), (2, 2), (3, 2), (4, 3), (5, 3)] {
            let config = Config::new(node(0), (1..size).map(node), 5, 50).expect("a good configuration");
            assert_eq!(config.quorum(), quorum, "of {size}");
        }
        assert_eq!(
            Config::new(node(1), [node(1)], 5, 50).map(|_| ()),
            Err(ConfigError::MemberTwice(node(1)))
        );
        assert!(Config::new(node(1), [node(2)], 5, 9).is_err());
    }
}
