//! Who should lead.

use super::*;

fn notify(to: usize, message: Message) -> Effect<Message> {
    Effect::Send { to: n(to), message }
}

#[test]
fn a_more_recent_history_is_voted_for_and_then_the_greater_name() {
    let mut zab = node(2, 3, &[(1, 1), (1, 2)], None);
    let looking = |of| notification(1, of, Standing::Looking);
    // A later current epoch counts for more than a longer history, and that for more than a name.
    assert_eq!(step(&mut zab, from(3, looking((1, z(1, 1), 3)))), []);
    let better = (1, z(1, 3), 1);
    let told = [notify(1, looking(better)), notify(3, looking(better))];
    assert_eq!(step(&mut zab, from(1, looking(better))), told);
    let best = (2, z(1, 1), 3);
    let told = [notify(1, looking(best)), notify(3, looking(best))];
    assert_eq!(step(&mut zab, from(3, looking(best))), told);
    // A quorum agrees; a better vote is waited for, and does not come.
    assert_eq!(ticks(&mut zab, 2), []);
    assert_eq!(ticks(&mut zab, 1), [notify(3, current_epoch(1, None))]);
    assert_eq!(zab.status().role, Role::Follower);
    assert_eq!(zab.leader(), None, "not before a quorum goes by its history");
}

#[test]
fn when_all_agree_nothing_is_waited_for() {
    let mut zab = node(3, 3, &[(1, 1)], None);
    let vote = notification(1, (1, z(1, 1), 3), Standing::Looking);
    step(&mut zab, from(1, vote.clone()));
    assert_eq!(zab.standing(), Standing::Looking);
    step(&mut zab, from(2, vote));
    assert_eq!(zab.standing(), Standing::Leading);
    assert_eq!(zab.status().role, Role::Candidate, "elected, not established");
}

#[test]
fn who_comes_late_joins_the_leader_of_a_quorum() {
    let mut zab = node(1, 5, &[(1, 1)], None);
    let says = |standing| notification(7, (1, z(1, 1), 5), standing);
    assert_eq!(step(&mut zab, from(2, says(Standing::Following))), []);
    assert_eq!(step(&mut zab, from(3, says(Standing::Following))), []);
    // A third follows it: but does it lead? It may have crashed, and its followers not know.
    assert_eq!(step(&mut zab, from(4, says(Standing::Following))), []);
    assert_eq!(
        step(&mut zab, from(5, says(Standing::Leading))),
        [notify(5, current_epoch(1, None))]
    );
    assert_eq!(zab.round, 7);
}

#[test]
fn a_leader_that_a_quorum_does_not_answer_gives_up_and_so_does_a_follower_without_leader() {
    let mut zab = leader(&[(1, 1)], None);
    ticks(&mut zab, 2 * ELECTION_TICKS);
    assert_eq!(zab.standing(), Standing::Looking);

    let mut zab = follower(&[(1, 1)], 2, None);
    ticks(&mut zab, ELECTION_TICKS - 1);
    assert_eq!(zab.standing(), Standing::Following);
    ticks(&mut zab, 1);
    assert_eq!(zab.standing(), Standing::Looking);
}

#[test]
fn a_node_that_is_no_member_does_not_stand_for_election() {
    let peers = (1..=3).map(n);
    let config = Config::new(n(4), peers, HEARTBEAT_TICKS, ELECTION_TICKS).expect("a good configuration");
    let mut zab = recover(config.joining(), None, &[]);
    assert_eq!(ticks(&mut zab, 10 * ELECTION_TICKS), []);
    assert_eq!(zab.status().role, Role::Learner);
    let ping = |established| Body::Ping {
        round: 0,
        commit: Zxid::ZERO,
        established,
    };
    assert_eq!(step(&mut zab, receive(2, 5, ping(false))), []);
    assert_eq!(
        step(&mut zab, receive(2, 5, ping(true))),
        [notify(2, current_epoch(0, None))],
        "an established leader contacts it"
    );
}

#[test]
fn who_is_behind_joins_a_leader_that_is_ahead_without_a_quorum_of_its_own() {
    // It takes n1 to n3 for the members; n4 has become one, and some of the others may be gone.
    let mut zab = node(1, 3, &[(1, 1)], None);
    let vote = |standing| notification(2, (1, z(1, 2), 4), standing);
    let effects = step(&mut zab, from(4, vote(Standing::Looking)));
    assert!(
        effects.contains(&notify(4, vote(Standing::Looking))),
        "it has the vote, and is told: {effects:?}"
    );
    assert_eq!(
        step(&mut zab, from(2, vote(Standing::Following))),
        [],
        "that another takes it for the leader is not enough"
    );
    assert_eq!(
        step(&mut zab, from(4, vote(Standing::Leading))),
        [notify(4, current_epoch(1, None))]
    );
}

#[test]
fn who_is_asked_by_one_that_is_ahead_votes_though_it_knows_of_no_membership() {
    let asked = |recency: (u64, u64)| {
        let config = Config::new(n(4), (1..=3).map(n), HEARTBEAT_TICKS, ELECTION_TICKS);
        let config = config.expect("a good configuration").joining();
        let records = [
            epochs(3, 2, 3).to_bytes(),
            history(0, Zxid::ZERO, &[(3, 1)]).to_bytes(),
        ];
        let mut zab = recover(config, None, &records);
        let vote = notification(5, (3, z(recency.0, recency.1), 2), Standing::Looking);
        let effects = step(&mut zab, from(2, vote.clone()));
        effects.contains(&notify(2, vote))
    };
    assert!(
        asked((3, 2)),
        "the reconfiguration that makes it a member is pending"
    );
    assert!(!asked((3, 1)), "who knows no more than it has no reason to ask");
}

#[test]
fn a_vote_that_was_lost_counts_when_its_sender_follows_already() {
    let mut zab = node(3, 3, &[(1, 1)], None);
    let vote = notification(1, (1, z(1, 1), 3), Standing::Following);
    step(&mut zab, from(1, vote));
    ticks(&mut zab, 3);
    assert_eq!(zab.standing(), Standing::Leading);
}
