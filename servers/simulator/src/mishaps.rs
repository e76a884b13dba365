//! What goes wrong, carried out: each fault as it begins and as it ends.

use partita_protocols::{Administration, NodeId};

use crate::invariants::Simulated;
use crate::node::AtSync;
use crate::report::Violation;
use crate::schedule::{Edge, Fault};
use crate::simulation::Simulation;
use crate::trace::Happened;

impl<P: Simulated> Simulation<P> {
    /// A fault begins or ends.
    pub(crate) fn follow_agenda(&mut self) -> Result<(), Violation> {
        let Some((number, fault, edge)) = self.agenda.next() else {
            return Ok(());
        };
        self.world.fingerprint.text(&format!("{fault:?} {edge:?}"));
        match edge {
            Edge::Begins => {
                let happened = fault.clone();
                self.note(None, || Happened::FaultBegan {
                    number,
                    fault: happened,
                });
                self.begin(fault)
            }
            Edge::Ends => {
                let happened = fault.clone();
                self.note(None, || Happened::FaultEnded {
                    number,
                    fault: happened,
                });
                self.end(fault)
            }
        }
    }

    fn begin(&mut self, fault: Fault) -> Result<(), Violation> {
        match fault {
            Fault::Crash(nodes) => nodes.into_iter().for_each(|node| self.world.crash(node)),
            Fault::CrashAtSync(node) => self.world.at_sync(node, Some(AtSync::Crash)),
            Fault::TornWrite(node) => self.world.at_sync(node, Some(AtSync::Tear)),
            Fault::Pause(node) => self.world.pause(node),
            Fault::Partition { one, other, one_way } => {
                self.world.counts.partitions += 1;
                self.world.network.cut(&one, &other);
                if !one_way {
                    self.world.network.cut(&other, &one);
                }
            }
            Fault::Storm => self.world.network.stormy = true,
            Fault::Clock { node, percent } => self.world.set_clock(node, Some(percent)),
            // Leases assume that it does not happen.
            Fault::ClockJump { .. } if self.settings.lease_reads && !self.settings.jumps_under_leases => {}
            Fault::ClockJump { node, by_ms } => self.world.jump_clock(node, by_ms, &mut self.ahead)?,
            // It was to be a member when this was planned, and has gone since.
            Fault::AddMember(node) if self.world.is_retired(node) => {}
            Fault::AddMember(node) => {
                self.join(node)?;
                self.ask_leader(Administration::AddMember(node));
            }
            // Who has a broken node replaces that one first.
            Fault::RemoveMember(node) if self.world.rotten().is_none_or(|rotten| rotten == node) => {
                self.ask_leader(Administration::RemoveMember(node));
            }
            Fault::RemoveMember(_) => {}
            Fault::SlowDisk(node) => self.world.set_slow(node, true),
            Fault::Rot(node) => self.rot(node),
            Fault::Transfer(to) => self.ask_leader(Administration::Transfer { to }),
            Fault::Snapshot(node) => self.administer(node, Administration::Snapshot),
        }
        Ok(())
    }

    fn end(&mut self, fault: Fault) -> Result<(), Violation> {
        match fault {
            Fault::Crash(nodes) => {
                for node in nodes {
                    self.world.start(node, &mut self.ahead)?;
                }
            }
            Fault::CrashAtSync(node) | Fault::TornWrite(node) => {
                self.world.at_sync(node, None);
                self.world.start(node, &mut self.ahead)?;
            }
            Fault::Pause(node) => self.world.resume(node, &mut self.ahead),
            Fault::Partition { one, other, one_way } => {
                self.world.network.mend(&one, &other);
                if !one_way {
                    self.world.network.mend(&other, &one);
                }
            }
            Fault::Storm => self.world.network.stormy = false,
            Fault::Clock { node, .. } => self.world.set_clock(node, None),
            Fault::SlowDisk(node) => self.world.set_slow(node, false),
            Fault::Rot(node) => self.replace_disk(node)?,
            Fault::ClockJump { .. }
            | Fault::AddMember(_)
            | Fault::RemoveMember(_)
            | Fault::Transfer(_)
            | Fault::Snapshot(_) => {}
        }
        Ok(())
    }

    /// A bit rots, unless a majority could then be gone for good: because another has rotted, or because the
    /// members are few, or becoming fewer.
    fn rot(&mut self, node: NodeId) {
        let members = self
            .world
            .leader()
            .map_or_else(Vec::new, |leader| self.world.members(leader));
        if members.len() >= 3 && self.world.rotten().is_none() && !self.operator.may_remove(&members) {
            self.world.rot(node);
        }
    }

    /// Where the protocol has a way back for a member that has forgotten everything, it is given an empty disk.
    fn replace_disk(&mut self, node: NodeId) -> Result<(), Violation> {
        let members = |leader| self.world.members(leader);
        let is_member = self
            .world
            .leader()
            .is_some_and(|leader| members(leader).contains(&node));
        if P::RECOVERS_LOST_DISKS && is_member {
            self.world.replace_disk(node, &mut self.ahead)?;
        }
        Ok(())
    }

    /// Starts a node that is to become a member, unless it is there.
    fn join(&mut self, node: NodeId) -> Result<(), Violation> {
        if self.world.names().contains(&node) {
            return Ok(());
        }
        let Some(config) = self.settings.config(node) else {
            return Ok(());
        };
        self.world.insert(config.joining());
        self.clients.nodes = self.world.names();
        self.world.start(node, &mut self.ahead)
    }

    /// Ends all faults. Members stay who they are.
    pub(crate) fn heal(&mut self) -> Result<(), Violation> {
        self.calm_from = Some((self.clients.writes, self.clients.reads));
        self.agenda.end();
        self.world.fingerprint.text("healed");
        self.note(None, || Happened::Healed);
        self.world.network.heal();
        self.world.network.stormy = false;
        self.world.set_clocks_going();
        for node in self.world.names() {
            self.world.resume(node, &mut self.ahead);
            self.world.at_sync(node, None);
            self.world.set_slow(node, false);
            self.world.start(node, &mut self.ahead)?;
        }
        Ok(())
    }
}
