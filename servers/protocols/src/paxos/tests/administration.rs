//! What is not served, and who is no member.

use super::*;
use crate::protocol::{Administration, Role};

#[test]
fn members_are_fixed_and_there_is_no_leader_to_hand_over() {
    let mut paxos = node(1, 3, None);
    for what in [
        Administration::AddMember(n(4)),
        Administration::RemoveMember(n(2)),
        Administration::Transfer { to: None },
    ] {
        let request = RequestId(1);
        let effects = step(&mut paxos, Input::Administer { request, what });
        assert!(matches!(effects[..], [Effect::Reject { .. }]), "{effects:?}");
    }
}

#[test]
fn operations_other_than_proposals_and_reads_are_rejected() {
    let mut paxos = node(1, 3, None);
    let (key, value) = ("x".to_owned(), Value::Int(1));
    for operation in [
        Operation::Write {
            key: key.clone(),
            value,
        },
        Operation::Read { key: key.clone() },
        Operation::Propose {
            key,
            value: Value::Null,
        },
    ] {
        let effects = step(&mut paxos, apply_command(1, None, operation));
        assert!(matches!(effects[..], [Effect::Reject { .. }]), "{effects:?}");
    }
    let command = Command::from(&b"noise"[..]);
    let request = RequestId(1);
    let effects = step(&mut paxos, Input::Read(vec![Query { request, command }]));
    assert!(matches!(effects[..], [Effect::Reject { .. }]), "{effects:?}");
}

#[test]
fn a_node_that_is_no_member_has_no_vote_and_serves_nobody() {
    let (mut paxos, _) = recover(config(4, 4).joining(), None, &[]);
    assert_eq!(paxos.status().role, Role::Learner);
    for input in [propose(1, 7), read(1)] {
        let effects = step(&mut paxos, input);
        assert!(matches!(effects[..], [Effect::Refuse { .. }]), "{effects:?}");
    }
    let mut member = node(1, 3, None);
    assert_eq!(step(&mut member, hear(4, prepare(ballot(9, 4)))), []);
}
