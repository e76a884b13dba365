//! Which ends of processes nobody caused, and which have an excuse.

use super::Cluster;
use crate::host::{Excuse, Host, UnexpectedExit};

/// In the place of a fault's number, of which there are never so many.
const OPERATOR: u64 = u64::MAX;

impl Cluster {
    /// Every exit so far that we did not cause.
    pub fn unexpected_exits(&self) -> Vec<UnexpectedExit> {
        let hosts = self.hosts.iter();
        hosts
            .flat_map(|host| host.process.unexpected_exits(&host.name))
            .collect()
    }

    /// From now on a node may end by itself, whoever starts it, because of what its operator did; or no more.
    pub fn excuse(&self, node: usize, why: Option<&str>) {
        let excuse = why.map(|why| Excuse::Lasting(why.to_owned()));
        self.hosts[node].process.excuse(OPERATOR, excuse);
    }

    /// What ended by itself because of what a fault did to it, in words.
    pub fn excused_exits(&self) -> Vec<String> {
        let of_host = |host: &Host| {
            let name = host.name.clone();
            let excused = host.process.excused().into_iter();
            excused.map(move |text| format!("{name} ({text})"))
        };
        self.hosts.iter().flat_map(of_host).collect()
    }
}
