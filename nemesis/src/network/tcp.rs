//! How TCP is brought to use a healed link soon. Left to itself it waits as long again as the cut lasted, up to
//! two minutes.

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use super::link::Endpoint;
use super::netns::address;
use crate::lab::{BACK_OFF, TcpChoice};

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Recovery {
    /// It is never to wait longer than a second.
    BoundedBackOff,
    /// Connections over the healed link are ended; whoever cares makes new ones.
    ResetConnections(PathBuf),
    /// By nothing: neither way is to be had here.
    Patience,
    /// By nothing: that is what was asked for.
    KernelsOwn,
}

impl Recovery {
    /// What is to be had here, where `ss` may lie.
    pub(super) fn choose(tcp: TcpChoice, ss: Option<PathBuf>) -> Recovery {
        match (tcp, ss) {
            (TcpChoice::Default, _) => Recovery::KernelsOwn,
            _ if fs::exists(BACK_OFF).unwrap_or(false) => Recovery::BoundedBackOff,
            (_, Some(ss)) => Recovery::ResetConnections(ss),
            (_, None) => Recovery::Patience,
        }
    }

    /// Sets up the calling thread's network namespace for it.
    pub(super) fn set_up(&self) -> Result<(), String> {
        if *self == Recovery::BoundedBackOff {
            // With a short back-off 15 retries are over in seconds, and the connection would be given up.
            for (file, value) in [(BACK_OFF, "1000"), ("/proc/sys/net/ipv4/tcp_retries2", "255")] {
                write_setting(file, value)?;
            }
        }
        Ok(())
    }

    /// What a report says of it.
    pub(super) fn fact(&self) -> String {
        match self {
            Recovery::BoundedBackOff => {
                "tcp_rto_max_ms=1000, tcp_retries2=255: connections survive a cut and go on within a second"
                    .into()
            }
            Recovery::ResetConnections(ss) => {
                format!("connections over a healed link are reset ({} -K)", ss.display())
            }
            Recovery::Patience => {
                "neither tcp_rto_max_ms nor ss is to be had: connections may stay silent after a cut".into()
            }
            Recovery::KernelsOwn => {
                "as the kernel does by default: connections may stay silent after a cut for as long again"
                    .into()
            }
        }
    }
}

pub(super) fn write_setting(file: &str, value: &str) -> Result<(), String> {
    fs::write(file, value).map_err(|error| format!("write {file}: {error}"))
}

/// `ss` ends those connections that match (`SOCK_DESTROY`). That it says "Invalid argument" is of no account:
/// some sockets can't be ended.
pub(super) fn reset_connections(ss: &std::path::Path, peers: &BTreeSet<Endpoint>) -> Result<(), String> {
    for peer in peers {
        let address = address(*peer).to_string();
        Command::new(ss)
            .args(["-K", "-t", "-n", "dst", &address])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()
            .map_err(|error| format!("{}: {error}", ss.display()))?;
    }
    Ok(())
}
