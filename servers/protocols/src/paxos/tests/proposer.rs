//! Which value may be proposed; duelling proposers.

use super::super::defects;
use super::*;

#[test]
fn a_proposal_takes_two_phases_and_each_counts_a_majority() {
    let mut paxos = node(1, 3, None);
    // The first ballot waits until its round is reserved.
    assert_eq!(said(&step(&mut paxos, propose(1, 7))), []);
    let asked = persist_all(&mut paxos);
    assert_eq!(said(&asked), to(&[2, 3], &prepare(ballot(1, 1))));
    // Its own promise was durable with the same write, so one more is a majority.
    let issued = step(&mut paxos, hear(3, promise(ballot(1, 1), None)));
    assert_eq!(said(&issued), to(&[2, 3], &accept(ballot(1, 1), 7)));
    let alone = persist_all(&mut paxos);
    assert_eq!(told(&alone), [], "its own acceptance is no majority");
    let chosen = step(&mut paxos, hear(2, accepted(ballot(1, 1))));
    assert_eq!(told(&chosen), [applied(1, 7, Some(1))]);
    assert_eq!(said(&chosen), to(&[2, 3], &decided(7)));
    assert_eq!(paxos.instances().count(), 0, "the decision is all that is kept");
    let status = paxos.status();
    assert_eq!((status.leader, status.term, status.applied), (None, 1, 1));
}

/// P2c (paper 2.2): of what a majority has accepted, the value of the highest ballot.
#[test]
fn the_value_of_the_highest_ballot_is_adopted() {
    let promises = [
        promise(ballot(1, 1), Some(numbered(ballot(3, 4), 34))),
        promise(ballot(1, 1), Some(numbered(ballot(2, 5), 25))),
    ];
    let issued = |defect: Option<&'static Defect>| {
        let mut paxos = node(1, 5, defect);
        step(&mut paxos, propose(1, 7));
        persist_all(&mut paxos);
        step(&mut paxos, hear(2, promises[0].clone()));
        said(&step(&mut paxos, hear(3, promises[1].clone())))
    };
    assert_eq!(issued(None), to(&[2, 3, 4, 5], &accept(ballot(1, 1), 34)));
    assert_eq!(
        issued(Some(&defects::ADOPT_ANY)),
        to(&[2, 3, 4, 5], &accept(ballot(1, 1), 25))
    );
    assert_eq!(
        issued(Some(&defects::OWN_VALUE)),
        to(&[2, 3, 4, 5], &accept(ballot(1, 1), 7))
    );
}

/// A proposer whose value lost learns what was decided, by applying its own command after it.
#[test]
fn who_loses_is_answered_after_the_decision() {
    let mut paxos = node(1, 3, None);
    step(&mut paxos, propose(1, 7));
    step(&mut paxos, propose(2, 8));
    let effects = step(&mut paxos, hear(2, decided(9)));
    assert_eq!(told(&effects), [applied(1, 9, Some(1)), applied(2, 8, Some(2))]);
    assert_eq!(told(&step(&mut paxos, propose(3, 10))), [applied(3, 10, Some(3))]);
}

/// "It's easy to construct a scenario in which two proposers each keep issuing a sequence of proposals with
/// increasing numbers, none of which are ever chosen" (paper 2.4): p finishes phase 1 with n1, q with n2 > n1,
/// p's phase 2 is ignored, p finishes phase 1 with n3 > n2, q's phase 2 is ignored, and so on.
#[test]
fn duelling_proposers_preempt_each_other_and_then_wait() {
    let (mut p, mut q, mut acceptor) = (node(1, 3, None), node(2, 3, None), node(3, 3, None));
    // The third node is all the majority that either has: p and q do not hear each other.
    let ask = |acceptor: &mut Paxos, from: usize, bodies: Vec<(NodeId, Body)>| -> Vec<Body> {
        let to_acceptor = bodies.into_iter().filter(|(to, _)| *to == n(3));
        let mut answers = Vec::new();
        for (_, body) in to_acceptor {
            answers.extend(said(&step(acceptor, hear(from, body))));
            answers.extend(said(&persist_all(acceptor)));
        }
        answers.into_iter().map(|(_, body)| body).collect()
    };
    step(&mut p, propose(1, 1));
    step(&mut q, propose(1, 2));
    let (of_p, of_q) = (said(&persist_all(&mut p)), said(&persist_all(&mut q)));
    let n1 = ask(&mut acceptor, 1, of_p);
    assert_eq!(n1, [promise(ballot(1, 1), None)]);
    let n2 = ask(&mut acceptor, 2, of_q);
    assert_eq!(n2, [promise(ballot(1, 2), None)]);
    // p's phase 2 comes too late.
    let accept_of_p = said(&step(&mut p, hear(3, n1[0].clone())));
    let refused = ask(&mut acceptor, 1, accept_of_p);
    assert_eq!(refused, [preempted(ballot(1, 1), ballot(1, 2))]);
    assert_eq!(
        said(&step(&mut p, hear(3, refused[0].clone()))),
        [],
        "one other may still accept"
    );
    assert_eq!(
        said(&step(&mut p, hear(2, refused[0].clone()))),
        [],
        "it waits: no majority is left"
    );
    // After a random time p tries again, above what preempted it.
    let again = said(&tick(&mut p, 3));
    assert_eq!(again, to(&[2, 3], &prepare(ballot(2, 1))));
    persist_all(&mut p);
    let n3 = ask(&mut acceptor, 1, again);
    assert_eq!(n3, [promise(ballot(2, 1), None)]);
    // Now q's phase 2 comes too late.
    let accept_of_q = said(&step(&mut q, hear(3, n2[0].clone())));
    let refused = ask(&mut acceptor, 2, accept_of_q);
    assert_eq!(refused, [preempted(ballot(1, 2), ballot(2, 1))]);
    // It waits, and p has its time.
    let accept_of_p = said(&step(&mut p, hear(3, n3[0].clone())));
    assert_eq!(ask(&mut acceptor, 1, accept_of_p), [accepted(ballot(2, 1))]);
}

#[test]
fn any_number_of_duelling_proposers_come_to_one_decision() {
    let mut cluster = Cluster::new(5);
    for number in 1..=5 {
        cluster.step_alone(number, propose(1, number as i64));
    }
    // All messages of all proposers are under way at the same time.
    cluster.tick(200);
    let first = cluster.nodes[0].decision("x").cloned().expect("a decision");
    assert_eq!(cluster.decisions("x"), [Some(&first); 5]);
    let answered = cluster
        .told
        .iter()
        .filter(|(_, effect)| matches!(effect, Effect::Apply { request: Some(_), .. }));
    assert_eq!(answered.count(), 5);
}

#[test]
fn what_is_lost_is_said_again_to_those_that_have_not_answered() {
    let mut paxos = node(1, 5, None);
    step(&mut paxos, propose(1, 7));
    persist_all(&mut paxos);
    step(&mut paxos, hear(4, promise(ballot(1, 1), None)));
    let again = said(&tick(&mut paxos, 2 * HEARTBEAT_TICKS));
    assert_eq!(again, to(&[2, 3, 5], &prepare(ballot(1, 1))));
    step(&mut paxos, hear(2, promise(ballot(1, 1), None)));
    persist_all(&mut paxos);
    step(&mut paxos, hear(4, accepted(ballot(1, 1))));
    let again = said(&tick(&mut paxos, 64));
    assert!(
        again.starts_with(&to(&[2, 3, 5], &accept(ballot(1, 1), 7))),
        "{again:?}"
    );
}

/// While a slow disk still reserves the rounds, the requests for promises are repeated; other writes come
/// between. What was repeated must not leave after phase 2 has begun.
#[test]
fn no_promise_is_asked_for_after_the_proposal() {
    let mut paxos = node(1, 3, None);
    step(&mut paxos, propose(1, 7));
    let of_another = Body::Prepare {
        key: Key::from("y"),
        ballot: ballot(1, 2),
    };
    step(&mut paxos, hear(2, of_another));
    assert_eq!(said(&tick(&mut paxos, 2 * HEARTBEAT_TICKS)), []);
    // The first write holds the rounds, the second the promise to n2.
    let asked = said(&step(&mut paxos, Input::Persisted(WriteId(1))));
    let once = to(&[2, 3], &prepare(ballot(1, 1)));
    assert_eq!(asked, [once.clone(), once].concat());
    let issued = step(&mut paxos, hear(3, promise(ballot(1, 1), None)));
    assert_eq!(said(&issued), to(&[2, 3], &accept(ballot(1, 1), 7)));
    let later = said(&step(&mut paxos, Input::Persisted(WriteId(2))));
    let promised = Body::Promise {
        key: Key::from("y"),
        ballot: ballot(1, 2),
        accepted: None,
    };
    assert_eq!(later, [(n(2), promised)]);
}

/// Without a majority a request ends, in the way that its issuing allows.
#[test]
fn a_hopeless_proposal_is_refused_if_it_was_never_issued() {
    let mut paxos = node(1, 3, None);
    step(&mut paxos, propose(1, 7));
    persist_all(&mut paxos);
    let request = RequestId(1);
    let ended = told(&tick(&mut paxos, 8 * ELECTION_TICKS));
    assert_eq!(
        ended,
        [Effect::Refuse {
            request,
            leader: None
        }]
    );

    let mut paxos = node(1, 3, None);
    step(&mut paxos, propose(1, 7));
    persist_all(&mut paxos);
    step(&mut paxos, hear(2, promise(ballot(1, 1), None)));
    persist_all(&mut paxos);
    assert_eq!(
        told(&tick(&mut paxos, 8 * ELECTION_TICKS)),
        [Effect::Unknown(request)]
    );
}

#[test]
fn acceptances_of_an_earlier_ballot_do_not_count() {
    let decides = |defect| {
        let mut paxos = node(1, 5, defect);
        step(&mut paxos, propose(1, 7));
        persist_all(&mut paxos);
        for other in [2, 3] {
            step(&mut paxos, hear(other, promise(ballot(1, 1), None)));
        }
        persist_all(&mut paxos);
        step(&mut paxos, hear(2, accepted(ballot(1, 1))));
        for other in [3, 4, 5] {
            step(&mut paxos, hear(other, preempted(ballot(1, 1), ballot(1, 5))));
        }
        tick(&mut paxos, 3);
        persist_all(&mut paxos);
        for other in [3, 4] {
            step(&mut paxos, hear(other, promise(ballot(2, 1), None)));
        }
        let effects = [
            persist_all(&mut paxos),
            step(&mut paxos, hear(3, accepted(ballot(2, 1)))),
        ];
        !told(&effects.concat()).is_empty()
    };
    assert!(!decides(None));
    assert!(decides(Some(&defects::ACCEPTS_ACROSS_BALLOTS)));
}

#[test]
fn minority_learning_takes_one_acceptance_too_few() {
    let mut paxos = node(1, 3, Some(&defects::MINORITY_LEARNING));
    step(&mut paxos, propose(1, 7));
    persist_all(&mut paxos);
    step(&mut paxos, hear(2, promise(ballot(1, 1), None)));
    assert_eq!(told(&persist_all(&mut paxos)), [applied(1, 7, Some(1))]);
}
