//! Which protocols there are. One line here is all that a new one needs to be served and simulated.

use std::str::FromStr;

use crate::defect::Defect;
use crate::protocol::Protocol;

macro_rules! protocols {
    ($($(#[$doc:meta])* $kind:ident => $module:ident::$protocol:ident,)*) => {
        /// A protocol, by its name.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum ProtocolKind {
            $($(#[$doc])* $kind,)*
        }

        impl ProtocolKind {
            /// Every protocol, in the order they are listed.
            pub const ALL: &[ProtocolKind] = &[$(ProtocolKind::$kind),*];

            /// Its name on the command line.
            pub fn name(self) -> &'static str {
                match self {
                    $(ProtocolKind::$kind => <crate::$module::$protocol as Protocol>::NAME,)*
                }
            }

            /// The deliberate bugs that are its own.
            pub fn defects(self) -> &'static [&'static Defect] {
                match self {
                    $(ProtocolKind::$kind => crate::$module::DEFECTS,)*
                }
            }

            /// Has the visitor visit the type that implements the protocol.
            pub fn visit<V: ProtocolVisitor>(self, visitor: V) -> V::Output {
                match self {
                    $(ProtocolKind::$kind => visitor.visit::<crate::$module::$protocol>(),)*
                }
            }
        }
    };
}

/// Something that can be done with any protocol: how a name on a command line becomes a type.
pub trait ProtocolVisitor {
    /// What comes of it.
    type Output;

    /// Does it with this one.
    fn visit<P>(self) -> Self::Output
    where
        P: Protocol<Message: Send> + Send + 'static;
}

protocols! {
    /// Raft (Ongaro and Ousterhout 2014).
    Raft => raft::Raft,
    /// Single-decree Paxos (Lamport 2001).
    Paxos => paxos::Paxos,
    /// Multi-Paxos (Lamport 2001, section 3; van Renesse and Altinbuken 2015).
    MultiPaxos => multi_paxos::MultiPaxos,
    /// Viewstamped Replication (Liskov and Cowling 2012).
    Viewstamped => viewstamped::Viewstamped,
    /// Zab (Junqueira, Reed and Serafini 2011).
    Zab => zab::Zab,
}

/// No protocol has this name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnknownProtocol(pub String);

impl std::fmt::Display for UnknownProtocol {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let names: Vec<_> = ProtocolKind::ALL.iter().map(|kind| kind.name()).collect();
        write!(
            f,
            "{:?} is no protocol of ours; there are: {}",
            self.0,
            names.join(", ")
        )
    }
}

impl std::error::Error for UnknownProtocol {}

impl FromStr for ProtocolKind {
    type Err = UnknownProtocol;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        let found = Self::ALL.iter().find(|kind| kind.name() == name);
        found.copied().ok_or_else(|| UnknownProtocol(name.to_owned()))
    }
}
