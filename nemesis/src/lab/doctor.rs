//! What this machine allows, and how to get more.

use std::path::Path;

use super::tools::{SearchPath, Trouble};
use super::{namespace, trial};
use crate::clock;

/// One thing that was looked into.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// What, in a few words.
    pub name: &'static str,
    /// Whether all is well.
    pub ok: bool,
    /// What was found, or what its lack costs.
    pub detail: String,
    /// How to mend it; empty if all is well.
    pub remedy: String,
}

impl Finding {
    fn well(name: &'static str, detail: impl Into<String>) -> Self {
        Finding {
            name,
            ok: true,
            detail: detail.into(),
            remedy: String::new(),
        }
    }

    fn lacking(name: &'static str, detail: impl Into<String>, remedy: impl Into<String>) -> Self {
        Finding {
            name,
            ok: false,
            detail: detail.into(),
            remedy: remedy.into(),
        }
    }
}

/// Looks into everything that decides how a run can be done here. It tries namespaces in child processes, so
/// it has to be called before threads are started.
pub fn probe(search: &SearchPath) -> Vec<Finding> {
    namespace::hear_of_children();
    if !trial::is_possible() {
        return vec![Finding::lacking(
            "namespaces",
            "can't be tried once threads run",
            "a fault of the caller's",
        )];
    }
    vec![
        namespaces(),
        program(search, "iptables-restore", "iptables", "netns needs it"),
        network(search),
        switch(),
        process_namespace(),
        back_off(search),
        other_processes(),
        disks(),
        clocks(),
    ]
}

fn namespaces() -> Finding {
    const NAME: &str = "network namespaces";
    match trial::isolation(true) {
        Ok(isolation) if isolation.user => Finding::well(NAME, "without root, in a user namespace"),
        Ok(_) => Finding::well(NAME, "as root"),
        Err(Trouble { why, remedy }) => Finding::lacking(NAME, format!("{why}: runs use a proxy"), remedy),
    }
}

fn program(search: &SearchPath, name: &'static str, package: &str, use_of_it: &str) -> Finding {
    match search.find(name) {
        Some(path) => Finding::well(name, path.display().to_string()),
        None => Finding::lacking(
            name,
            format!("not installed; {use_of_it}"),
            format!("apt-get install {package}"),
        ),
    }
}

fn network(search: &SearchPath) -> Finding {
    const NAME: &str = "a network that can be cut";
    let attempt = trial::isolation(true).and_then(|isolation| trial::network(isolation, search));
    match attempt {
        Ok(tools) => Finding::well(NAME, format!("bridge, veth and {} work", tools.restore_name())),
        Err(Trouble { why, remedy }) => Finding::lacking(
            NAME,
            format!("{why}: runs use the switch, or else nodes share loopback with a forwarder in between"),
            remedy,
        ),
    }
}

fn switch() -> Finding {
    const NAME: &str = "a switch of our own";
    const CAN: &str = "packets can be lost, delayed, doubled, overtaken, corrupted and held";
    let attempt = trial::isolation(true)
        .and_then(|isolation| trial::switch(isolation).map(|()| trial::fast_path(isolation)));
    match attempt {
        Ok(Ok(())) => Finding::well(
            NAME,
            format!("{CAN}; links without a fault cost what a bridge costs"),
        ),
        Ok(Err(Trouble { why, remedy })) => Finding::lacking(
            NAME,
            format!(
                "{CAN}; but the kernel takes no links without a fault over, which costs some throughput: {why}"
            ),
            remedy,
        ),
        Err(Trouble { why, remedy }) => Finding::lacking(
            NAME,
            format!("{why}: faults that act upon single packets can't be had"),
            remedy,
        ),
    }
}

fn process_namespace() -> Finding {
    const NAME: &str = "process namespace";
    match trial::isolation(false) {
        Ok(_) => Finding::well(NAME, "nothing can outlive a run"),
        Err(Trouble { why, remedy }) => Finding::lacking(
            NAME,
            format!("{why}: a process that detaches itself may outlive a run until `partita clean`"),
            remedy,
        ),
    }
}

/// The kernel's setting that bounds how long TCP waits before it tries again.
pub(crate) const BACK_OFF: &str = "/proc/sys/net/ipv4/tcp_rto_max_ms";

fn back_off(search: &SearchPath) -> Finding {
    const NAME: &str = "recovery of TCP after a cut";
    if Path::new(BACK_OFF).exists() {
        Finding::well(NAME, "within a second (tcp_rto_max_ms)")
    } else if search.find("ss").is_some() {
        Finding::well(
            NAME,
            "connections over healed links are reset (ss -K), for want of tcp_rto_max_ms",
        )
    } else {
        Finding::lacking(
            NAME,
            "connections may stay silent for as long again as they were cut",
            "apt-get install iproute2, or Linux 6.15",
        )
    }
}

fn disks() -> Finding {
    const NAME: &str = "disks that can be made to fail";
    let own_mounts = trial::isolation(false).is_ok();
    match crate::disk::reach_with(own_mounts) {
        (_, None) => Finding::well(
            NAME,
            "a file system of ours can lie under the nodes' data (/dev/fuse)",
        ),
        (reach, Some((why, remedy))) => {
            let syncs = match reach {
                Some(reach) => format!(", and by {} slow-fsync, stuck-fsync and io-errors", reach.means()),
                None => String::new(),
            };
            let detail = format!("{why}: of the disk faults only bit-rot and lost-disk{syncs}");
            Finding::lacking(NAME, detail, remedy)
        }
    }
}

/// The proxy tells who dialled from the descriptors of the nodes' processes.
fn other_processes() -> Finding {
    const NAME: &str = "/proc";
    let readable = |path: &str| std::fs::read_to_string(path).is_ok();
    if readable("/proc/self/net/tcp") && std::fs::read_dir("/proc/self/fd").is_ok() {
        Finding::well(NAME, "shows sockets and who holds them")
    } else {
        Finding::lacking(
            NAME,
            "does not show sockets: the proxy can't tell nodes apart",
            "mount -t proc proc /proc",
        )
    }
}

fn clocks() -> Finding {
    const NAME: &str = "clocks of single processes";
    match clock::means() {
        Ok(clock::Means::Vdso) => {
            Finding::well(NAME, "can be bent and put right, without touching the host's")
        }
        Ok(means) => Finding::well(NAME, format!("can be bent by {means}")),
        Err(Trouble { why, remedy }) => {
            Finding::lacking(NAME, format!("{why}: clock faults are skipped"), remedy)
        }
    }
}
