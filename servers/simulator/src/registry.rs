//! Which protocols can be simulated, by name. One line here is all that another needs.

use partita_protocols::multi_paxos::MultiPaxos;
use partita_protocols::paxos::Paxos;
use partita_protocols::raft::Raft;
use partita_protocols::viewstamped::Viewstamped;
use partita_protocols::zab::Zab;

use crate::invariants::Simulated;
use crate::report::{Options, Report};
use crate::simulation::{Extras, Recorded, simulate, simulate_with};

/// What can be done with a protocol in virtual time.
#[derive(Clone, Copy, Debug)]
pub struct Simulator {
    /// The protocol's name.
    pub name: &'static str,
    /// [`simulate`].
    pub simulate: fn(u64, &Options) -> Report,
    /// [`simulate_with`].
    pub simulate_with: fn(u64, &Options, Extras) -> Recorded,
}

impl Simulator {
    const fn of<P: Simulated>() -> Simulator {
        Simulator {
            name: P::NAME,
            simulate: simulate::<P>,
            simulate_with: simulate_with::<P>,
        }
    }

    /// Every protocol that can be simulated, in the order they are listed.
    pub const ALL: &[Simulator] = &[
        Simulator::of::<Raft>(),
        Simulator::of::<Paxos>(),
        Simulator::of::<MultiPaxos>(),
        Simulator::of::<Viewstamped>(),
        Simulator::of::<Zab>(),
    ];

    /// The one of this name.
    pub fn by_name(name: &str) -> Option<&'static Simulator> {
        Self::ALL.iter().find(|simulator| simulator.name == name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use partita_protocols::{Protocol, ProtocolKind};

    #[test]
    fn every_protocol_can_be_simulated() {
        let names: Vec<_> = Simulator::ALL.iter().map(|simulator| simulator.name).collect();
        let all: Vec<_> = ProtocolKind::ALL.iter().map(|kind| kind.name()).collect();
        assert_eq!(names, all);
        assert!(Simulator::by_name(Raft::NAME).is_some() && Simulator::by_name("no-such").is_none());
    }
}
