//! The deliberate bugs that are not shown beside the rule that they break.

use super::*;

fn append(previous: Position, entries: Vec<Entry>, commit: u64) -> Body {
    Body::Append {
        previous,
        entries,
        commit,
    }
}

#[test]
fn forgotten_votes_are_given_twice() {
    for (defect, kept) in [(None, Some(2)), (Some(&defects::FORGOTTEN_VOTES), None)] {
        let mut raft = recovered(3, 1, &[1], defect);
        let ask = Body::RequestVote {
            last: at(1, 1),
            handover: false,
        };
        let written = step(&mut raft, receive(2, 2, ask));
        assert_eq!(written, [persist_state(1, 2, kept)], "{defect:?}");
    }
}

#[test]
fn recycled_votes_elect_by_answers_to_something_else() {
    for (defect, role) in [
        (None, Role::Candidate),
        (Some(&defects::RECYCLED_VOTES), Role::Leader),
    ] {
        let mut raft = recovered(3, 1, &[1], defect);
        lose_patience(&mut raft);
        step(&mut raft, receive(2, 1, Body::PreVoteReply { granted: true }));
        persist_all(&mut raft);
        step(&mut raft, receive(3, 1, Body::PreVoteReply { granted: true }));
        assert_eq!(raft.status().role, role, "{defect:?}");
    }
}

/// Figure 8 (c), with a leader that counts.
#[test]
fn old_term_commits_by_counting() {
    for (defect, commit) in [(None, 0), (Some(&defects::OLD_TERM_COMMITS), 2)] {
        let mut raft = node(1, 5, 3, &[1, 2], defect);
        elect(&mut raft);
        persist_all(&mut raft);
        for peer in [2, 3] {
            step(&mut raft, receive(peer, 4, Body::Appended { matched: 2 }));
        }
        assert_eq!(raft.commit, commit, "{defect:?}");
    }
}

#[test]
fn eager_truncation_loses_what_was_acknowledged() {
    for (defect, last) in [(None, 3), (Some(&defects::EAGER_TRUNCATION), 1)] {
        let mut raft = recovered(3, 1, &[1, 1, 1], defect);
        step(&mut raft, receive(2, 1, append(at(0, 0), entries(&[1]), 0)));
        assert_eq!(raft.log().last().index, last, "{defect:?}");
    }
}

#[test]
fn hasty_acks_do_not_wait_for_the_disk() {
    for (defect, count) in [(None, 1), (Some(&defects::HASTY_ACKS), 2)] {
        let mut raft = recovered(3, 1, &[], defect);
        let effects = step(&mut raft, receive(2, 1, append(at(0, 0), entries(&[1]), 0)));
        assert_eq!(effects.len(), count, "{defect:?}: {effects:?}");
    }
}

#[test]
fn early_apply_does_not_wait_for_the_commit() {
    for (defect, applied) in [(None, 0), (Some(&defects::EARLY_APPLY), 1)] {
        let mut raft = recovered(3, 1, &[], defect);
        step(&mut raft, receive(2, 1, append(at(0, 0), entries(&[1]), 0)));
        assert_eq!(raft.status().applied, applied, "{defect:?}");
    }
}

#[test]
fn commit_beyond_match_tells_of_entries_that_a_peer_may_not_have() {
    for (defect, commit) in [(None, 0), (Some(&defects::COMMIT_BEYOND_MATCH), 1)] {
        let mut raft = recovered(3, 1, &[], defect);
        elect(&mut raft);
        persist_all(&mut raft);
        step(&mut raft, receive(2, 2, Body::Appended { matched: 1 }));
        let effects = step(&mut raft, query(RequestId(1)));
        let told = send(3, 2, Body::Heartbeat { round: 1, commit });
        assert!(effects.contains(&told), "{defect:?}: {effects:?}");
    }
}

#[test]
fn hasty_reads_do_not_wait_for_an_entry_of_the_term() {
    for (defect, count) in [(None, 0), (Some(&defects::HASTY_READS), 2)] {
        let mut raft = recovered(3, 1, &[1], defect);
        elect(&mut raft);
        let effects = step(&mut raft, query(RequestId(1)));
        assert_eq!(effects.len(), count, "{defect:?}: {effects:?}");
    }
}
