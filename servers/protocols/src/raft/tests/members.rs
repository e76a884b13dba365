//! Changes of members.

use super::*;
use crate::raft::membership::Membership;

fn administer(request: u64, what: Administration) -> Input<Message> {
    Input::Administer {
        request: RequestId(request),
        what,
    }
}

fn members(term: u64, membership: &Membership) -> Entry {
    Entry {
        term,
        payload: Payload::Members(Arc::new(membership.clone())),
    }
}

fn of(numbers: &[usize]) -> Membership {
    Membership::new(numbers.iter().map(|&number| n(number)))
}

fn joint(old: &[usize], new: &[usize]) -> Membership {
    of(old).joint(new.iter().map(|&number| n(number)))
}

/// The first of three, leading term 2, with its first entry committed.
fn leading(defect: Option<&'static Defect>) -> Raft {
    let mut raft = recovered(3, 1, &[], defect);
    elect(&mut raft);
    persist_all(&mut raft);
    appended(&mut raft, 2, 1);
    appended(&mut raft, 3, 1);
    raft
}

fn appended(raft: &mut Raft, from: usize, matched: u64) -> Vec<Effect<Message>> {
    let effects = step(raft, receive(from, raft.term, Body::Appended { matched }));
    let now = persist_all(raft);
    [effects, now].concat()
}

fn reject(request: u64, why: &'static str) -> Effect<Message> {
    Effect::Reject {
        request: RequestId(request),
        why,
    }
}

#[test]
fn a_node_is_added_when_it_has_caught_up_and_both_majorities_agree() {
    let mut raft = leading(None);
    let probe = Body::Append {
        previous: at(0, 0),
        entries: vec![noop(2)],
        commit: 1,
    };
    assert_eq!(
        step(&mut raft, administer(7, Administration::AddMember(n(4)))),
        [send(4, 2, probe)],
        "a learner at first"
    );
    assert_eq!(raft.members(), [n(1), n(2), n(3)]);
    // It has all there is: the joint membership holds from when it is in the log.
    let effects = appended(&mut raft, 4, 1);
    let both = joint(&[1, 2, 3], &[1, 2, 3, 4]);
    assert_eq!(effects[0], persist_entries(3, 2, vec![members(2, &both)]));
    assert_eq!(effects.len(), 4, "and goes to three: {effects:?}");
    assert_eq!(raft.membership(), &both);

    // Two of three, and three of four.
    appended(&mut raft, 2, 2);
    assert_eq!(raft.commit, 1, "half of the new ones");
    let effects = appended(&mut raft, 4, 2);
    let after = of(&[1, 2, 3, 4]);
    assert!(
        effects.contains(&persist_entries(4, 3, vec![members(2, &after)])),
        "{effects:?}"
    );
    assert_eq!((raft.commit, raft.membership()), (2, &after));
    appended(&mut raft, 4, 3);
    let effects = appended(&mut raft, 2, 3);
    assert!(effects.contains(&Effect::Done(RequestId(7))), "{effects:?}");
}

#[test]
fn a_leader_that_is_removed_counts_without_itself_and_names_a_successor() {
    let mut raft = leading(None);
    step(&mut raft, propose(8, "x"));
    let change = Administration::RemoveMember(n(1));
    let effects = step(&mut raft, administer(7, change));
    assert_eq!(
        effects[0],
        persist_entries(4, 3, vec![members(2, &joint(&[1, 2, 3], &[2, 3]))])
    );
    persist_all(&mut raft);
    appended(&mut raft, 2, 3);
    assert_eq!(raft.commit, 1, "of the new ones only n2");
    appended(&mut raft, 3, 3);
    assert_eq!((raft.commit, raft.membership()), (3, &of(&[2, 3])));
    appended(&mut raft, 2, 4);
    assert_eq!(
        (raft.commit, raft.status().role),
        (3, Role::Leader),
        "its own copy does not count"
    );
    let effects = appended(&mut raft, 3, 4);
    assert!(effects.contains(&Effect::Done(RequestId(7))), "{effects:?}");
    assert!(effects.contains(&send(3, 2, Body::TimeoutNow)), "{effects:?}");
    assert_eq!(raft.status().role, Role::Learner);
    // It never stands again.
    for _ in 0..ELECTION_TICKS * 5 {
        assert_eq!(step(&mut raft, Input::Tick), []);
    }
}

#[test]
fn whoever_leads_goes_on_with_a_change() {
    let log = [members(1, &joint(&[1, 2, 3], &[1, 2, 4]))];
    let record = Record::Entries {
        first_index: 1,
        entries: log.to_vec(),
    };
    let config = Config::new(n(1), [n(2), n(3)], HEARTBEAT_TICKS, ELECTION_TICKS).expect("a configuration");
    let mut raft = recover(config, &[record.to_bytes()]).expect("a good log");
    let asked = lose_patience(&mut raft);
    assert_eq!(asked.len(), 3, "everybody is asked: {asked:?}");
    let grant = |from| receive(from, 0, Body::PreVoteReply { granted: true });
    step(&mut raft, grant(3));
    assert_eq!(raft.term, 0, "one and three are no majority of the new ones");
    step(&mut raft, grant(4));
    assert_eq!(raft.term, 1, "one and four are");
    persist_all(&mut raft);
    let vote = |from| receive(from, 1, Body::Vote { granted: true });
    step(&mut raft, vote(4));
    assert_eq!(raft.status().role, Role::Candidate);
    step(&mut raft, vote(2));
    assert_eq!(raft.status().role, Role::Leader);
    persist_all(&mut raft);
    appended(&mut raft, 2, 2);
    assert_eq!(raft.membership(), &of(&[1, 2, 4]), "two are a majority of either");
}

#[test]
fn only_what_can_be_is_done_and_one_at_a_time() {
    let mut raft = leading(None);
    let mut ask = |request, what| step(&mut raft, administer(request, what));
    use Administration::{AddMember, RemoveMember};
    assert_eq!(ask(1, AddMember(n(2))), [reject(1, "it is a member already")]);
    assert_eq!(ask(2, RemoveMember(n(9))), [reject(2, "it is no member")]);
    ask(3, RemoveMember(n(3)));
    for what in [AddMember(n(4)), RemoveMember(n(2))] {
        assert_eq!(
            ask(4, what),
            [reject(4, "another change of members is under way")]
        );
    }
    let mut alone = recovered(1, 1, &[], None);
    elect(&mut alone);
    persist_all(&mut alone);
    let last = step(&mut alone, administer(5, RemoveMember(n(1))));
    assert_eq!(last, [reject(5, "it is the last member")]);
    let mut follower = node(2, 3, 1, &[], None);
    step(
        &mut follower,
        receive(1, 1, Body::Heartbeat { round: 1, commit: 0 }),
    );
    let refused = Effect::Refuse {
        request: RequestId(6),
        leader: Some(n(1)),
    };
    assert_eq!(step(&mut follower, administer(6, RemoveMember(n(1)))), [refused]);
}

#[test]
fn a_node_that_does_not_catch_up_is_no_member() {
    let mut raft = leading(None);
    step(&mut raft, administer(7, Administration::AddMember(n(4))));
    let mut told = Vec::new();
    for _ in 0..5 * ELECTION_TICKS {
        told.extend(step(&mut raft, Input::Tick));
        step(&mut raft, receive(2, 2, Body::HeartbeatReply { round: 0 }));
    }
    assert!(told.contains(&reject(7, "the new node does not catch up")));
    told = step(&mut raft, administer(8, Administration::AddMember(n(5))));
    assert_eq!(told.len(), 1, "another may be tried: {told:?}");
}

#[test]
fn a_membership_goes_with_its_entry_unless_planted() {
    for (defect, expected) in [
        (None, of(&[1, 2, 3])),
        (Some(&defects::STUCK_MEMBERS), joint(&[1, 2, 3], &[1, 2])),
    ] {
        let mut raft = recovered(3, 1, &[1], defect);
        let append = |entries| Body::Append {
            previous: at(1, 1),
            entries,
            commit: 0,
        };
        step(
            &mut raft,
            receive(2, 2, append(vec![members(2, &joint(&[1, 2, 3], &[1, 2]))])),
        );
        assert!(raft.membership().is_joint());
        step(&mut raft, receive(3, 3, append(vec![noop(3)])));
        assert_eq!(raft.membership(), &expected, "{defect:?}");
    }
}

#[test]
fn a_node_that_nobody_has_welcomed_waits_and_elects_nobody() {
    let config =
        Config::new(n(4), [n(1), n(2), n(3)], HEARTBEAT_TICKS, ELECTION_TICKS).expect("a configuration");
    let mut raft = recover(config.joining(), &[]).expect("nothing is a good log");
    assert_eq!(raft.status().role, Role::Learner);
    for _ in 0..ELECTION_TICKS * 3 {
        assert_eq!(step(&mut raft, Input::Tick), []);
    }
    let ask = Body::RequestVote {
        last: at(9, 9),
        handover: false,
    };
    step(&mut raft, receive(1, 9, ask));
    assert_eq!(
        persist_all(&mut raft),
        [send(1, 9, Body::Vote { granted: false })]
    );
}

/// It holds the one copy of a membership in which it has no vote, and without it nobody can win.
#[test]
fn a_node_stands_while_its_removal_is_not_committed() {
    let mut raft = recovered(3, 1, &[1], None);
    let append = |commit| Body::Append {
        previous: at(1, 1),
        entries: vec![members(2, &joint(&[1, 2, 3], &[2, 3])), members(2, &of(&[2, 3]))],
        commit,
    };
    step(&mut raft, receive(2, 2, append(2)));
    assert_eq!(
        lose_patience(&mut raft).len(),
        2,
        "the two who have a vote are asked"
    );
    step(&mut raft, receive(2, 2, append(3)));
    for _ in 0..ELECTION_TICKS * 3 {
        assert_eq!(step(&mut raft, Input::Tick), []);
    }
}

#[test]
fn a_learner_does_not_count_unless_planted() {
    for (defect, commit) in [(None, 1), (Some(&defects::VOTING_LEARNERS), 2)] {
        let mut raft = leading(defect);
        step(&mut raft, administer(7, Administration::AddMember(n(4))));
        step(&mut raft, propose(8, "x"));
        // It takes too long for a round: it is a learner yet.
        for _ in 0..ELECTION_TICKS + 1 {
            step(&mut raft, Input::Tick);
        }
        appended(&mut raft, 4, 2);
        assert_eq!(raft.commit, commit, "{defect:?}");
        assert_eq!(raft.members().len(), 3, "{defect:?}");
    }
}

#[test]
fn the_old_majority_counts_while_joint_unless_planted() {
    for (defect, committed) in [(None, false), (Some(&defects::NEW_MAJORITY_ALONE), true)] {
        let mut raft = leading(defect);
        step(&mut raft, administer(7, Administration::RemoveMember(n(3))));
        persist_all(&mut raft);
        assert_eq!(raft.commit, 1);
        appended(&mut raft, 2, 2);
        assert_eq!(raft.commit, 2, "two of three, and two of two");
        let mut raft = leading(defect);
        step(&mut raft, administer(8, Administration::AddMember(n(4))));
        appended(&mut raft, 4, 1);
        assert!(raft.membership().is_joint());
        // By changes of one such a pair is not to be had, but what is counted is the same.
        raft.members.append(9, Arc::new(joint(&[1, 2, 3], &[1, 4, 5])));
        let counted = raft
            .members
            .deciding(&raft.config)
            .is_majority(|node| node == n(4) || node == n(5));
        assert_eq!(counted, committed, "{defect:?}");
    }
}
