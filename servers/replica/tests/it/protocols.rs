//! The same story of every protocol that serves the store: real processes, kills, snapshots.

use partita_protocols::ProtocolKind;
use serde_json::json;

use crate::cluster::{Cluster, Setup};

fn append(cluster: &Cluster, numbers: std::ops::RangeInclusive<u64>) {
    for number in numbers {
        let op = json!({"f": "append", "key": "l", "value": number});
        let body = json!({"session": "c", "sequence": number, "op": op});
        assert_eq!(cluster.perform(&body), json!({}));
    }
}

#[test]
fn what_was_acknowledged_outlives_the_leader_and_then_everybody() {
    // Registers that are written once have no lists.
    let serve_the_store = |protocol: &&ProtocolKind| protocol.name() != "paxos";
    for &protocol in ProtocolKind::ALL.iter().filter(serve_the_store) {
        let name = protocol.name();
        let mut cluster = Cluster::start_with(Setup {
            protocol,
            snapshot_entries: 10,
            ..Setup::new(3)
        });
        append(&cluster, 1..=30);
        let leader = cluster.leader();
        cluster.kill(&leader);
        append(&cluster, 30..=40);
        cluster.start_node(&leader);
        cluster.wait_for("the one that was killed to follow", || {
            let (back, leader) = (cluster.status(&leader)?, cluster.status(&cluster.leader())?);
            (back["applied"] == leader["applied"]).then_some(())
        });
        let snapshots = cluster
            .names()
            .into_iter()
            .filter_map(|name| cluster.status(&name));
        let with = snapshots.filter(|status| status["snapshot_bytes"].as_u64() > Some(0));
        assert!(with.count() > 0, "{name}: no node has a snapshot");
        cluster.kill_all();
        cluster.start_all();
        append(&cluster, 40..=41);
        let all: Vec<u64> = (1..=41).collect();
        assert_eq!(cluster.read("l"), json!(all), "{name}");
    }
}
