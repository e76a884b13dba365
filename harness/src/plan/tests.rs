//! Plans: what is refused, and what repeats them.

use super::*;
use crate::formats::assert_documented;

pub(crate) fn request() -> Request {
    Request {
        target: "raft".into(),
        binary: None,
        binary_b: None,
        defect: None,
        snapshot_entries: None,
        lease_reads: false,
        workload: None,
        reads: Reads::Linearizable,
        nodes: 5,
        network: "auto".into(),
        tcp: Tcp::Prompt,
        nemesis: vec!["all".into()],
        schedule: Vec::new(),
        schedule_file: None,
        obstacle: |_| None,
        concurrency: 10,
        rate: 500.0,
        time_limit: Duration::from_secs(30),
        operation_timeout: Duration::from_secs(1),
        checker_time: Duration::from_secs(60),
        checker_memory_bytes: 1 << 32,
        on_violation: OnViolation::Continue,
        seed: 7,
    }
}

/// A plan of thirty seconds with these faults.
pub(crate) fn plan(nemesis: &str) -> Plan {
    Plan::new(Request {
        nemesis: vec![nemesis.into()],
        ..request()
    })
    .unwrap()
}

#[test]
fn plans_are_read_back_from_toml() {
    let plan = plan("all");
    assert!(!plan.faults.is_empty());
    assert_documented("plan.toml", &serde_json::to_value(&plan).unwrap());
    assert_eq!(
        toml::from_str::<Plan>(&toml::to_string(&plan).unwrap()).unwrap(),
        plan
    );
}

#[test]
fn what_is_unknown_is_answered_with_what_there_is() {
    let refused = |request: Request| Plan::new(request).unwrap_err().to_string();
    let error = refused(Request {
        target: "raaft".into(),
        ..request()
    });
    assert!(
        error.starts_with("unknown target `raaft`; there are: raft, "),
        "{error}"
    );
    let error = refused(Request {
        workload: Some("x".into()),
        ..request()
    });
    assert!(
        error.starts_with("unknown workload `x`; there are: register"),
        "{error}"
    );
    let error = refused(Request {
        nemesis: vec!["flood".into()],
        ..request()
    });
    assert!(
        error.starts_with("unknown fault `flood`; there are: ") && error.contains("partition"),
        "{error}"
    );
    let error = refused(Request {
        defect: Some("x".into()),
        ..request()
    });
    assert!(
        error.starts_with("unknown defect `x`; there are: ") && error.contains("stale-reads"),
        "{error}"
    );
    let error = refused(Request {
        target: "etcd".into(),
        defect: Some("stale-reads".into()),
        ..request()
    });
    assert!(error.contains("our own servers"), "{error}");
    let error = refused(Request {
        target: "etcd".into(),
        snapshot_entries: Some(10),
        ..request()
    });
    assert!(
        error.contains("`--snapshot-entries` is for our own servers"),
        "{error}"
    );
    let error = refused(Request {
        target: "etcd".into(),
        workload: Some("queue".into()),
        ..request()
    });
    assert!(error.contains("needs `enqueue` on a queue"), "{error}");
    let error = refused(Request {
        target: "etcd".into(),
        reads: Reads::Local,
        ..request()
    });
    assert!(error.contains("--reads local is not for it"), "{error}");
}

#[test]
fn a_shape_can_be_asked_for_by_name() {
    let plan = Plan::new(Request {
        nemesis: vec!["kill:all".into(), "kill:leader".into()],
        ..request()
    })
    .unwrap();
    let shapes: std::collections::BTreeSet<_> =
        plan.faults.iter().map(|fault| fault.shape.as_str()).collect();
    assert_eq!(shapes, ["all", "leader"].into());
}

#[test]
fn bounds_are_kept() {
    for bad in [
        Request {
            nodes: 0,
            ..request()
        },
        Request {
            nodes: 10,
            ..request()
        },
        Request {
            concurrency: 0,
            ..request()
        },
        Request {
            rate: f64::NAN,
            ..request()
        },
        Request {
            rate: 0.0,
            ..request()
        },
        Request {
            time_limit: Duration::ZERO,
            ..request()
        },
    ] {
        assert!(Plan::new(bad).is_err());
    }
}

#[test]
fn the_command_repeats_the_plan() {
    let defaults = plan("all");
    assert_eq!(defaults.command(&defaults), "partita run raft --seed 7");
    let other = Plan::new(Request {
        defect: Some("stale-reads".into()),
        binary: Some("/tmp/a b".into()),
        binary_b: Some("/tmp/b".into()),
        snapshot_entries: Some(50),
        reads: Reads::Local,
        nemesis: vec!["none".into()],
        rate: 99.5,
        time_limit: Duration::from_secs(20),
        operation_timeout: Duration::from_millis(250),
        on_violation: OnViolation::Stop,
        lease_reads: true,
        ..request()
    })
    .unwrap();
    assert_eq!(
        other.command(&defaults),
        "partita run raft --binary '/tmp/a b' --binary-b /tmp/b --defect stale-reads --lease-reads --snapshot-entries 50 --reads local --nemesis none \
         --rate 99.5 --time-limit 20s --operation-timeout 250ms --on-violation stop --seed 7"
    );
}
