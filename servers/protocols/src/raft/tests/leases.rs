//! Reads by lease.

use super::*;

/// Ticks for which a lease holds after its round was sent: 49 by the other's clock at least, which may be
/// faster by a tenth; less one that may be almost over.
const LEASE_TICKS: u32 = 43;

/// The first of three, leading term 2 with leases, its first entry committed.
fn leading(defect: Option<&'static Defect>) -> Raft {
    let mut raft = recovered(3, 1, &[], defect);
    raft.config.lease_reads = true;
    elect(&mut raft);
    persist_all(&mut raft);
    step(&mut raft, receive(2, 2, Body::Appended { matched: 1 }));
    raft
}

/// Ticks until a round of heartbeats is sent: gives it.
fn next_round(raft: &mut Raft) -> u64 {
    loop {
        for effect in step(raft, Input::Tick) {
            if let Effect::Send {
                message:
                    Message {
                        body: Body::Heartbeat { round, .. },
                        ..
                    },
                ..
            } = effect
            {
                return round;
            }
        }
    }
}

fn answer(raft: &mut Raft, round: u64) {
    step(raft, receive(2, 2, Body::HeartbeatReply { round }));
}

fn serves(raft: &mut Raft) -> bool {
    step(raft, query(RequestId(7))).contains(&Effect::ReadReady(RequestId(7)))
}

#[test]
fn a_lease_holds_for_as_long_as_the_others_are_bound_by_the_fastest_clock() {
    let mut raft = leading(None);
    assert!(!serves(&mut raft), "no round was answered");
    let mut raft = leading(None);
    let round = next_round(&mut raft);
    answer(&mut raft, round);
    for ticks in 0..=LEASE_TICKS {
        assert!(serves(&mut raft), "after {ticks} ticks");
        step(&mut raft, Input::Tick);
    }
    assert!(!serves(&mut raft));
}

#[test]
fn a_lease_counts_from_when_its_round_was_sent() {
    let mut raft = leading(None);
    let round = next_round(&mut raft);
    for _ in 0..LEASE_TICKS {
        step(&mut raft, Input::Tick);
    }
    answer(&mut raft, round);
    assert!(serves(&mut raft), "just in time");
    step(&mut raft, Input::Tick);
    assert!(!serves(&mut raft));
}

#[test]
fn a_lease_is_as_long_as_the_shortest_patience_and_rests_on_answers_unless_planted() {
    for (defect, answers, served) in [
        (None, true, false),
        (Some(&defects::LEASE_BY_OWN_PATIENCE), true, true),
        (None, false, false),
        (Some(&defects::UNANSWERED_LEASES), false, true),
    ] {
        let mut raft = leading(defect);
        let round = next_round(&mut raft);
        if answers {
            answer(&mut raft, round);
        }
        for _ in 0..LEASE_TICKS + 1 {
            step(&mut raft, Input::Tick);
        }
        assert_eq!(serves(&mut raft), served, "{defect:?}");
    }
}

#[test]
fn a_leader_that_told_another_to_stand_has_no_lease_even_if_nothing_comes_of_it() {
    let mut raft = leading(None);
    step(
        &mut raft,
        Input::Administer {
            request: RequestId(1),
            what: Administration::Transfer { to: Some(n(2)) },
        },
    );
    for _ in 0..2 * ELECTION_TICKS / HEARTBEAT_TICKS {
        let round = next_round(&mut raft);
        answer(&mut raft, round);
    }
    assert_eq!(raft.status().role, Role::Leader, "it has given up handing over");
    assert!(!serves(&mut raft));
}

#[test]
fn a_node_that_heard_a_leader_is_bound_in_later_terms_and_one_that_restarts_from_its_start() {
    for (leases, bound) in [(false, false), (true, true)] {
        let mut raft = recovered(3, 1, &[1], None);
        raft.config.lease_reads = leases;
        step(&mut raft, receive(2, 1, Body::Heartbeat { round: 0, commit: 0 }));
        // A late answer to what it asked before brings it into a later term.
        step(&mut raft, receive(3, 4, Body::PreVoteReply { granted: false }));
        assert_eq!(raft.term, 4);
        assert_eq!(raft.has_live_leader(), bound);
        (0..ELECTION_TICKS).for_each(|_| {
            step(&mut raft, Input::Tick);
        });
        assert!(!raft.has_live_leader());

        let config = Config::new(n(1), [n(2), n(3)], HEARTBEAT_TICKS, ELECTION_TICKS);
        let mut config = config.expect("a configuration");
        config.lease_reads = leases;
        let raft = recover(config, &[]).expect("nothing is a good log");
        assert_eq!(raft.has_live_leader(), bound);
    }
}
