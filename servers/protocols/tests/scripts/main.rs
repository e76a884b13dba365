//! Golden scripts: what a cluster does, step by step, in files that can be read.
//!
//! A script is a transcript. Lines that begin with `> ` are commands, `#` begins a comment, and what stands
//! between is what the commands print. The test runs every file in `testscripts/<protocol>/` and compares.
//! `UPDATE_SCRIPTS=1 cargo test -p partita-protocols --test scripts` writes what they print now; look at the
//! difference before it is committed.
//!
//! | command | what it does |
//! |---|---|
//! | `cluster 3 [joining=n4,n5] [snapshot-entries=N] [defect=NAME] [leases]` | new nodes n1, n2, n3 |
//! | `tick NODE [N]` | N ticks at a node (1) |
//! | `campaign NODE` | ticks until the node sends or writes something |
//! | `propose NODE WORD...` | one batch of commands; `KEY=VALUE` where the protocol decides by key |
//! | `read NODE [KEY]` | a linearizable read |
//! | `admin NODE add\|remove\|transfer NODE`, `admin NODE snapshot` | administration |
//! | `sync NODE...` | what these nodes have written becomes durable |
//! | `deliver [FROM] [TO]` | all messages under way between these (`*`: any), and not what they lead to |
//! | `drop [FROM] [TO]` | loses them |
//! | `again FROM TO` | delivers the last message from one to the other once more |
//! | `crash NODE...` | what is not durable is lost; the node is down |
//! | `restart NODE...` | starts from the disk |
//! | `cut NODE...` / `heal` | between these and the others everything is lost from now on / nothing |
//! | `stabilize` | syncs and delivers until nothing is left to do |
//! | `status [NODE...]`, `under-way` | what nodes show of themselves; the messages on their way |
//!
//! A command that begins with `quiet ` prints nothing.

mod cluster;
mod language;

use std::path::{Path, PathBuf};

use partita_protocols::{Protocol, ProtocolKind, ProtocolVisitor};

/// Runs a script against one protocol, and gives the whole transcript.
struct Run<'a>(&'a str);

impl ProtocolVisitor for Run<'_> {
    type Output = String;

    fn visit<P>(self) -> String
    where
        P: Protocol<Message: Send> + Send + 'static,
    {
        language::transcript::<P>(self.0)
    }
}

fn scripts(protocol: &str) -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("testscripts")
        .join(protocol);
    let mut found: Vec<_> = std::fs::read_dir(&folder)
        .map(|files| files.flatten().map(|file| file.path()).collect())
        .unwrap_or_default();
    found.sort();
    found
}

#[test]
fn every_script_prints_what_it_says() {
    let update = std::env::var_os("UPDATE_SCRIPTS").is_some();
    let mut wrong = Vec::new();
    for kind in ProtocolKind::ALL {
        let scripts = scripts(kind.name());
        assert!(!scripts.is_empty(), "there is no script for {}", kind.name());
        for path in scripts {
            let before = std::fs::read_to_string(&path).expect("a script");
            let now = kind.visit(Run(&before));
            if now != before && update {
                std::fs::write(&path, now).expect("the script can be written");
            } else if now != before {
                wrong.push(language::difference(&path, &before, &now));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
