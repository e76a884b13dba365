//! Decisions that were missed, and instances left half done.

use super::*;

fn decided_for(key: &str, number: i64) -> Input<Message> {
    let value = value_of(key, number);
    hear(
        2,
        Body::Decided {
            key: key.into(),
            value,
        },
    )
}

#[test]
fn a_node_that_was_away_learns_what_it_missed() {
    let mut cluster = Cluster::new(3);
    cluster.cut_off = vec![3];
    for number in 0..3_000 {
        let key = format!("k{number:04}");
        cluster.step_alone(1, decided_for(&key, number));
        cluster.step_alone(2, decided_for(&key, number));
    }
    assert_eq!(cluster.nodes[2].status().applied, 0);
    cluster.cut_off.clear();
    cluster.tick(4 * ELECTION_TICKS);
    assert_eq!(cluster.nodes[2].status().applied, 3_000);
    // Where nothing is missing, nothing is sent but the question.
    cluster.told.clear();
    cluster.tick(4 * ELECTION_TICKS);
    assert_eq!(cluster.told, []);
}

#[test]
fn what_was_accepted_is_brought_to_a_decision_though_its_proposer_is_gone() {
    let mut cluster = Cluster::new(3);
    cluster.step_alone(2, hear(1, accept(ballot(1, 1), 7)));
    cluster.under_way.clear();
    cluster.cut_off = vec![1];
    cluster.tick(4 * ELECTION_TICKS);
    let decision = value(7);
    assert_eq!(cluster.decisions("x"), [None, Some(&decision), Some(&decision)]);
    cluster.cut_off.clear();
    cluster.tick(4 * ELECTION_TICKS);
    assert_eq!(cluster.decisions("x"), [Some(&decision); 3]);
}
