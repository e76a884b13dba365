//! Cutting the log, and sending a snapshot to who needs what is gone.

use rand::RngExt;

use super::*;
use crate::raft::membership::Membership;
use crate::raft::snapshot::Snapshot;
use crate::transfer::{CHUNK_BYTES_MAX, Chunk, chunk};

/// Node `me` of three, which takes a snapshot every four entries, with a log of eight of term 1, all applied
/// and asked for in a snapshot.
fn with_eight(me: usize, defect: Option<&'static Defect>) -> Raft {
    let mut raft = node(me, 3, 1, &[1; 8], defect);
    raft.config.snapshot_entries = 4;
    let effects = step(&mut raft, receive(3, 1, heartbeat(8)));
    assert_eq!(effects[8], Effect::TakeSnapshot, "after what it holds is applied");
    raft
}

fn heartbeat(commit: u64) -> Body {
    Body::Heartbeat { round: 1, commit }
}

fn three() -> Arc<Membership> {
    Arc::new(Membership::new([n(1), n(2), n(3)]))
}

fn snapshot(term: u64, index: u64, state: &[u8]) -> Snapshot {
    Snapshot::new(at(term, index), three(), state)
}

fn taken(raft: &mut Raft, index: u64, state: &[u8]) -> Vec<Effect<Message>> {
    let state = state.into();
    step(raft, Input::SnapshotTaken { index, state })
}

fn state(term: u64) -> Record {
    Record::State {
        term,
        voted_for: None,
    }
}

#[test]
fn a_snapshot_takes_the_place_of_the_log_but_for_a_tail() {
    let mut raft = with_eight(1, None);
    step(
        &mut raft,
        receive(
            3,
            1,
            Body::Append {
                previous: at(1, 8),
                entries: vec![entry(1, "nine")],
                commit: 8,
            },
        ),
    );
    let taken = taken(&mut raft, 8, b"state");
    let nine = Record::Entries {
        first_index: 9,
        entries: vec![entry(1, "nine")],
    };
    let compact = Effect::Compact {
        write: WriteId(2),
        snapshot: snapshot(1, 8, b"state").bytes,
        records: vec![state(1).to_bytes(), nine.to_bytes()],
    };
    assert_eq!(taken, [compact]);
    assert_eq!(
        (raft.log().base(), raft.log().last()),
        (at(1, 7), at(1, 9)),
        "a quarter of four stays"
    );
    assert_eq!(raft.status().snapshot_index, 8);

    // After a crash in the middle the records stand after those from before, and change nothing.
    let all = Record::Entries {
        first_index: 1,
        entries: entries(&[1; 8]),
    };
    let records: Vec<_> = [state(1), all, nine.clone(), state(1), nine.clone()]
        .map(|record| record.to_bytes())
        .into();
    let old = recover(raft.config.clone(), &records).expect("a good log");
    assert_eq!((old.log().base(), old.log().last()), (at(0, 0), at(1, 9)));

    let (taken, records) = (snapshot(1, 8, b"state"), [state(1).to_bytes(), nine.to_bytes()]);
    let disk = OnDisk::new(Some(&taken.bytes), &records);
    let mut effects = Vec::new();
    let new =
        Raft::recover(raft.config.clone(), disk, Random::seed_from_u64(1), &mut effects).expect("a good log");
    let restore = Effect::Restore {
        index: 8,
        state: b"state"[..].into(),
    };
    assert_eq!(effects, [restore]);
    assert_eq!(
        (new.log().base(), new.log().last(), new.status().applied),
        (at(1, 8), at(1, 9), 8)
    );
}

#[test]
fn an_operator_is_told_when_the_snapshot_is_durable() {
    let mut raft = with_eight(1, None);
    let ask = |request| Input::Administer {
        request: RequestId(request),
        what: Administration::Snapshot,
    };
    assert_eq!(step(&mut raft, ask(1)), [], "one is being taken");
    assert_eq!(taken(&mut raft, 8, b"state").len(), 1, "and written");
    assert_eq!(persist_all(&mut raft), [Effect::Done(RequestId(1))]);
    assert_eq!(
        step(&mut raft, ask(2)),
        [Effect::Done(RequestId(2))],
        "there is nothing new"
    );
}

#[test]
fn what_is_gone_was_the_leaders_too() {
    let mut raft = with_eight(1, None);
    taken(&mut raft, 8, b"state");
    persist_all(&mut raft);
    let append = |previous, count: usize| Body::Append {
        previous: at(1, previous),
        entries: entries(&[1; 12])[previous as usize..][..count].to_vec(),
        commit: 8,
    };
    let acknowledged = |matched| send(3, 1, Body::Appended { matched });
    assert_eq!(step(&mut raft, receive(3, 1, append(2, 3))), [acknowledged(5)]);
    assert_eq!(
        step(&mut raft, receive(3, 1, append(2, 7))),
        [persist_entries(2, 9, entries(&[1; 9])[8..].to_vec())]
    );
    assert_eq!(persist_all(&mut raft), [acknowledged(9)]);
}

/// Has a leader with a compacted log, and the follower n2 with none, talk. Every write is durable at once.
/// Each message is lost that `loses` wants lost.
fn talk(
    leader: &mut Raft,
    follower: &mut Raft,
    mut effects: Vec<Effect<Message>>,
    mut loses: impl FnMut(&Body) -> bool,
) -> Vec<Effect<Message>> {
    let mut seen = Vec::new();
    for _ in 0..500 {
        let mut answers = Vec::new();
        for effect in effects.drain(..) {
            if let Effect::Send { to, message } = &effect
                && *to == follower.config.me
                && !loses(&message.body)
            {
                answers.extend(step(
                    follower,
                    Input::Receive {
                        from: leader.config.me,
                        message: message.clone(),
                    },
                ));
            }
        }
        answers.extend(persist_all(follower));
        for answer in answers {
            match &answer {
                Effect::Send { message, .. } if !loses(&message.body) => {
                    effects.extend(step(
                        leader,
                        Input::Receive {
                            from: follower.config.me,
                            message: message.clone(),
                        },
                    ));
                }
                _ => seen.push(answer),
            }
        }
        effects.extend(persist_all(leader));
        effects.extend(step(leader, Input::Tick));
        if follower.log().last() == leader.log().last() {
            return seen;
        }
    }
    panic!(
        "the follower has {:?} of {:?}",
        follower.log().last(),
        leader.log().last()
    );
}

#[test]
fn who_needs_what_is_gone_is_sent_the_snapshot_whatever_is_lost() {
    let large: Vec<u8> = (0..CHUNK_BYTES_MAX * 2 + 9).map(|byte| byte as u8).collect();
    for lost_share in [0.0, 0.1, 0.3, 0.5] {
        let mut leader = with_eight(1, None);
        taken(&mut leader, 8, &large);
        persist_all(&mut leader);
        elect(&mut leader);
        // It goes on meanwhile, with n3.
        let effects = persist_all(&mut leader);
        step(&mut leader, receive(3, 2, Body::Appended { matched: 9 }));
        let mut follower = node(2, 3, 1, &[], None);
        let mut random = Random::seed_from_u64(2);
        let seen = talk(&mut leader, &mut follower, effects, |_| {
            random.random_bool(lost_share)
        });
        let restore = Effect::Restore {
            index: 8,
            state: large[..].into(),
        };
        assert_eq!(
            seen.iter().filter(|effect| **effect == restore).count(),
            1,
            "a share of {lost_share} is lost"
        );
        assert_eq!(
            (follower.status().snapshot_index, follower.log().base()),
            (8, at(1, 8))
        );
    }
}

#[test]
fn a_snapshot_that_came_is_acknowledged_when_durable() {
    let mut raft = node(2, 3, 1, &[1, 1], None);
    let whole = snapshot(1, 8, b"state");
    let effects = step(&mut raft, receive(1, 1, Body::Chunk(chunk(&whole.bytes, 8, 0))));
    assert_eq!(
        effects,
        [
            Effect::Restore {
                index: 8,
                state: b"state"[..].into()
            },
            Effect::Compact {
                write: WriteId(1),
                snapshot: whole.bytes,
                records: vec![state(1).to_bytes()]
            },
        ]
    );
    assert_eq!(raft.log().last(), at(1, 8));
    assert_eq!(
        persist_all(&mut raft),
        [send(1, 1, Body::Appended { matched: 8 })]
    );
}

/// Figure 13, step 6.
#[test]
fn what_follows_a_snapshot_in_the_log_stays() {
    let mut raft = node(2, 3, 1, &[1; 9], None);
    let whole = snapshot(1, 7, b"state");
    step(&mut raft, receive(1, 1, Body::Chunk(chunk(&whole.bytes, 7, 0))));
    assert_eq!((raft.log().base(), raft.log().last()), (at(1, 7), at(1, 9)));
    let mut raft = node(2, 3, 2, &[1; 9], None);
    let whole = snapshot(2, 7, b"state");
    step(&mut raft, receive(1, 2, Body::Chunk(chunk(&whole.bytes, 7, 0))));
    assert_eq!(
        (raft.log().base(), raft.log().last()),
        (at(2, 7), at(2, 7)),
        "another entry: all of it goes"
    );
}

#[test]
fn an_older_snapshot_does_not_take_back_what_was_applied_unless_planted() {
    for (defect, applied) in [(None, 8), (Some(&defects::OLD_SNAPSHOTS), 5)] {
        let mut raft = with_eight(2, defect);
        let whole = snapshot(1, 5, b"old");
        let effects = step(&mut raft, receive(3, 1, Body::Chunk(chunk(&whole.bytes, 5, 0))));
        assert_eq!(raft.status().applied, applied);
        if defect.is_none() {
            assert_eq!(effects, [send(3, 1, Body::Appended { matched: 8 })]);
        }
    }
}

#[test]
fn a_chunk_that_comes_late_is_not_answered_by_another() {
    let mut leader = with_eight(1, None);
    taken(&mut leader, 8, &vec![7; CHUNK_BYTES_MAX * 3]);
    persist_all(&mut leader);
    elect(&mut leader);
    persist_all(&mut leader);
    let conflict = Body::Conflict {
        previous: 8,
        hint: at(0, 1),
    };
    let sent = |effects: Vec<Effect<Message>>| match &effects[..] {
        [] => None,
        [
            Effect::Send {
                message:
                    Message {
                        body: Body::Chunk(Chunk { offset, .. }),
                        ..
                    },
                ..
            },
        ] => Some(*offset),
        other => panic!("{other:?}"),
    };
    assert_eq!(sent(step(&mut leader, receive(2, 2, conflict))), Some(0));
    let wanted = |offset| receive(2, 2, Body::ChunkWanted { index: 8, offset });
    let next = CHUNK_BYTES_MAX as u64;
    assert_eq!(sent(step(&mut leader, wanted(next))), Some(next));
    assert_eq!(sent(step(&mut leader, wanted(next))), None);
    assert_eq!(sent(step(&mut leader, wanted(0))), None);
}
