//! What clusters do.

use super::*;

#[test]
fn the_first_start_needs_every_member_once() {
    let mut cluster = Cluster::new(3);
    cluster.start(1);
    cluster.start(2);
    cluster.run(300);
    assert_eq!(
        cluster.leader(),
        None,
        "n3 may have been wiped, for all they know"
    );
    cluster.start(3);
    cluster.run(20);
    assert_eq!(cluster.leader(), Some(n(1)));
    cluster.crash(3);
    let request = cluster.propose(1, "a");
    assert_eq!(
        cluster.how(request),
        Some("applied"),
        "from now on two of three do"
    );
}

#[test]
fn who_is_down_in_the_midst_of_the_first_start_is_no_stranger_afterwards() {
    for crash_after in 0..30 {
        let mut cluster = Cluster::new(3);
        (1..=3).for_each(|node| {
            cluster.lives += 1;
            let config = cluster.nodes[&n(node)].config.clone();
            let mut effects = Vec::new();
            let random = Random::seed_from_u64(cluster.lives);
            let core = Viewstamped::recover(config, OnDisk::default(), random, &mut effects);
            cluster.nodes.get_mut(&n(node)).expect("a node").core = core.ok();
            cluster.carry_out(n(node), effects);
        });
        for _ in 0..crash_after {
            if let Some((from, to, message)) = cluster.under_way.pop_front() {
                cluster.step(to, Input::Receive { from, message });
            }
        }
        cluster.crash(2);
        cluster.crash(3);
        cluster.under_way.clear();
        cluster.run(20);
        cluster.start(2);
        cluster.start(3);
        cluster.run(400);
        let leader = cluster.leader().expect("a primary");
        assert_eq!(
            cluster.nodes[&leader].core.as_ref().map(|core| core.view.epoch),
            Some(0)
        );
        let number = leader.as_str()[1..].parse().expect("a number");
        let request = cluster.propose(number, "a");
        assert_eq!(
            cluster.how(request),
            Some("applied"),
            "after {crash_after} messages"
        );
    }
}

#[test]
fn a_replica_that_lost_its_disk_has_no_vote_before_an_epoch_gives_it_one() {
    let mut cluster = Cluster::running(3);
    for op in 0..30 {
        cluster.propose(1, &format!("op {op}"));
    }
    cluster.cut.insert(n(3));
    cluster.wipe(2);
    cluster.start(2);
    let request = cluster.propose(1, "alone");
    cluster.run(30);
    assert_eq!(
        cluster.how(request),
        None,
        "n2 is no second copy, as it has forgotten what it promised"
    );
    assert!(!cluster.core(2).has_vote());

    cluster.cut.clear();
    cluster.run(60);
    assert_eq!(cluster.core(1).group.epoch, 1, "the group has readmitted it");
    assert!(cluster.core(2).has_vote());
    assert_eq!(cluster.applied(2).len(), 31);
    cluster.crash(3);
    cluster.run(20);
    let leader = cluster
        .leader()
        .map_or(1, |leader| if leader == n(1) { 1 } else { 2 });
    let request = cluster.propose(leader, "together");
    assert_eq!(cluster.how(request), Some("applied"));
}

#[test]
fn a_second_loss_needs_a_second_epoch() {
    let mut cluster = Cluster::running(3);
    cluster.propose(1, "a");
    for epoch in 1..=2 {
        cluster.wipe(3);
        cluster.start(3);
        cluster.run(60);
        assert_eq!(cluster.core(3).group.epoch, epoch);
        assert!(cluster.core(3).has_vote());
    }
}

#[test]
fn one_that_comes_back_from_a_partition_deposes_nobody() {
    let mut cluster = Cluster::running(3);
    cluster.cut.insert(n(3));
    cluster.run(1000);
    cluster.propose(1, "a");
    cluster.cut.clear();
    cluster.run(200);
    assert_eq!((cluster.leader(), cluster.core(3).view.number), (Some(n(1)), 0));
    assert_eq!(cluster.applied(3), ["a"]);
}

#[test]
fn the_next_member_leads_when_the_primary_is_silent_and_nothing_is_lost() {
    let mut cluster = Cluster::running(5);
    let request = cluster.propose(1, "a");
    assert_eq!(cluster.how(request), Some("applied"));
    cluster.cut.insert(n(1));
    let lost = cluster.propose(1, "lost");
    cluster.run(150);
    assert_eq!(
        cluster.how(lost),
        Some("unknown"),
        "a primary that is alone gives up"
    );
    assert_eq!(cluster.leader(), Some(n(2)));
    let read = cluster.read(2);
    assert_eq!(cluster.how(read), Some("ready"));
    cluster.propose(2, "b");
    cluster.cut.clear();
    cluster.run(20);
    for node in 1..=5 {
        assert_eq!(cluster.applied(node), ["a", "b"]);
    }
}

#[test]
fn whoever_is_far_behind_is_sent_a_snapshot() {
    let mut cluster = Cluster::running(3);
    cluster.cut.insert(n(3));
    for op in 0..100 {
        cluster.propose(1, &format!("op {op}"));
    }
    assert!(cluster.core(1).log().base().op > 50);
    cluster.cut.clear();
    cluster.run(20);
    assert_eq!(cluster.applied(3), cluster.applied(1));
    assert!(cluster.core(3).status().snapshot_index >= 80);
    for node in 1..=3 {
        cluster.crash(node);
    }
    for node in 1..=3 {
        cluster.start(node);
    }
    cluster.run(200);
    assert_eq!(cluster.applied(1).len(), 100, "from snapshots and logs");
}

#[test]
fn members_come_and_go_by_epochs() {
    let mut cluster = Cluster::running(3);
    for op in 0..50 {
        cluster.propose(1, &format!("op {op}"));
    }
    for _ in 0..5 {
        let read = cluster.read(1);
        assert_eq!(cluster.how(read), Some("ready"));
    }
    let peers = (1..=3).map(n);
    let config = Config::new(n(4), peers, HEARTBEAT_TICKS, ELECTION_TICKS).expect("good");
    cluster.add(config.joining());
    cluster.start(4);
    let refused = cluster.administer(2, Administration::AddMember(n(4)));
    assert_eq!(cluster.how(refused), Some("refused"));
    let added = cluster.administer(1, Administration::AddMember(n(4)));
    cluster.run(60);
    assert_eq!(cluster.how(added), Some("done"));
    assert_eq!(cluster.core(4).members(), [n(1), n(2), n(3), n(4)]);
    assert!(cluster.core(4).has_vote());
    assert_eq!(cluster.applied(4).len(), 50);

    let leader = cluster.leader().expect("a primary");
    assert_eq!(leader, n(1), "view 0 of the new epoch");
    cluster.cut.insert(n(1));
    let read = cluster.read(1);
    assert_eq!(cluster.how(read), None, "rounds of the epoch before do not count");
    cluster.cut.clear();
    cluster.run(5);
    assert_eq!(cluster.how(read), Some("ready"));
    let twice = cluster.administer(1, Administration::AddMember(n(4)));
    assert_eq!(cluster.how(twice), Some("the node is a member already"));
    let removed = cluster.administer(1, Administration::RemoveMember(n(1)));
    cluster.run(60);
    assert_eq!(cluster.how(removed), Some("done"), "even the primary");
    assert_eq!(
        (cluster.leader(), cluster.core(1).status().role),
        (Some(n(2)), Role::Learner)
    );
    cluster.crash(1);
    cluster.crash(3);
    let request = cluster.propose(2, "without n1 and n3");
    assert_eq!(cluster.how(request), Some("applied"));
}

#[test]
fn a_removed_member_that_was_cut_off_learns_it_and_disturbs_nobody() {
    let mut cluster = Cluster::running(3);
    cluster.cut.insert(n(3));
    let removed = cluster.administer(1, Administration::RemoveMember(n(3)));
    assert_eq!(cluster.how(removed), Some("done"));
    cluster.run(300);
    let view = cluster.core(1).view;
    cluster.cut.clear();
    cluster.run(300);
    assert_eq!(cluster.core(1).view, view);
    assert_eq!(cluster.core(3).status().role, Role::Learner);
    assert_eq!(cluster.core(3).members(), [n(1), n(2)]);
}

#[test]
fn the_primary_hands_over() {
    let mut cluster = Cluster::running(5);
    let asked = cluster.administer(1, Administration::Transfer { to: Some(n(4)) });
    cluster.run(1);
    assert_eq!((cluster.how(asked), cluster.leader()), (Some("done"), Some(n(4))));
    assert_eq!(cluster.core(4).view.number, 3);
    let stranger = cluster.administer(4, Administration::Transfer { to: Some(n(9)) });
    assert_eq!(cluster.how(stranger), Some("the node is no member"));
}

#[test]
fn with_a_lease_reads_ask_nobody_until_it_ends() {
    let mut cluster = Cluster::new(3);
    for node in cluster.nodes.values_mut() {
        node.config.lease_reads = true;
    }
    (1..=3).for_each(|node| cluster.start(node));
    cluster.run(100);
    assert_eq!(cluster.leader(), Some(n(1)));
    cluster.cut.insert(n(1));
    let leased = cluster.read(1);
    assert_eq!(cluster.how(leased), Some("ready"));
    cluster.run(46);
    assert_eq!(
        cluster.leader(),
        Some(n(1)),
        "nobody leads before the lease has ended"
    );
    let late = cluster.read(1);
    assert_eq!(cluster.how(late), None);
    cluster.run(200);
    assert_eq!(
        (cluster.how(late), cluster.leader()),
        (Some("refused"), Some(n(2)))
    );
}
