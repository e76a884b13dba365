//! Schedules that were thought out to show one bug in real processes, where faults drawn by lot seldom do:
//! `harness/schedules/PROTOCOL/DEFECT.toml`. Each begins by telling why these faults in this order show it, and with the
//! command of the run.

/// A schedule for a deliberate bug.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Aimed {
    pub(crate) protocol: &'static str,
    pub(crate) defect: &'static str,
    /// What `--schedule` reads.
    pub(crate) text: &'static str,
}

macro_rules! aimed {
    ($($protocol:literal: [$($defect:literal),* $(,)?],)*) => {
        &[$($(Aimed {
            protocol: $protocol,
            defect: $defect,
            text: include_str!(concat!("../../schedules/", $protocol, "/", $defect, ".toml")),
        },)*)*]
    };
}

pub(crate) const ALL: &[Aimed] = aimed! {
    "raft": [
        "commit-beyond-match",
        "eager-truncation",
        "forgotten-votes",
        "memberless-snapshots",
        "recycled-votes",
        "voting-learners",
    ],
    "paxos": [
        "adopt-any",
        "ballot-reuse",
        "hasty-accepts",
        "snapshot-forgets-accepted",
        "volatile-promises",
    ],
    "multi-paxos": [
        "accepts-cut-off",
        "ballot-led-twice",
        "chosen-mark-trusted",
        "lease-not-honoured",
        "phase-one-from-last",
        "promises-forgotten",
        "promises-ignored",
    ],
    "viewstamped": [
        "commit-on-prepare",
        "epoch-before-state",
        "forgotten-view",
        "longest-log-wins",
        "old-epoch-counts",
        "prepare-ok-with-gaps",
        "primary-resumes",
        "recovery-without-nonce",
    ],
    "zab": [
        "commit-before-sync",
        "early-broadcast",
        "gaps-in-proposals",
        "snapshot-ahead-of-state",
        "sync-without-truncation",
        "unsaved-accepted-epoch",
    ],
};

/// How the line begins that has the command.
const COMMAND: &str = "# partita run ";
/// What the command says that calibration says itself.
const OWN: [&str; 5] = [
    "--defect",
    "--schedule",
    "--seed",
    "--time-limit",
    "--on-violation",
];

impl Aimed {
    /// The schedule for this bug of this protocol, if there is one.
    pub(crate) fn at(protocol: &str, defect: &str) -> Option<Aimed> {
        let mut all = ALL.iter().copied();
        all.find(|aimed| aimed.protocol == protocol && aimed.defect == defect)
    }

    /// The words of the command after `partita run`.
    fn words(self) -> Vec<&'static str> {
        let command = self.text.lines().find_map(|line| line.strip_prefix(COMMAND));
        command.unwrap_or_default().split_whitespace().collect()
    }

    /// The first seed to try: some schedules leave to the seed what shows the bug.
    pub(crate) fn seed(self) -> Option<u64> {
        let mut words = self.words().into_iter().skip_while(|word| *word != "--seed");
        words.nth(1)?.parse().ok()
    }

    /// What must be said of the run besides its target, its schedule, its seed and how long it may take: how many nodes, which
    /// workload, ...
    pub(crate) fn options(self) -> Vec<&'static str> {
        let mut words = self.words().into_iter().skip(1);
        let mut options = Vec::new();
        while let Some(word) = words.next() {
            if OWN.contains(&word) {
                words.next();
            } else {
                options.push(word);
            }
        }
        options
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::path::Path;

    use partita_protocols::Defect;

    use super::*;

    #[test]
    fn every_file_is_registered_and_names_a_bug_of_its_protocol() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("schedules");
        let mut there = BTreeSet::new();
        for protocol in std::fs::read_dir(folder).unwrap() {
            let protocol = protocol.unwrap();
            for file in std::fs::read_dir(protocol.path()).unwrap() {
                let name = file.unwrap().file_name().into_string().unwrap();
                there.insert((
                    protocol.file_name().into_string().unwrap(),
                    name.replace(".toml", ""),
                ));
            }
        }
        let registered = ALL
            .iter()
            .map(|aimed| (aimed.protocol.to_owned(), aimed.defect.to_owned()));
        assert_eq!(registered.collect::<BTreeSet<_>>(), there);
        for aimed in ALL {
            let defect = Defect::by_name(aimed.defect).unwrap();
            assert!(defect.fits(aimed.protocol), "{aimed:?}");
            let words = aimed.words();
            let file = format!("harness/schedules/{}/{}.toml", aimed.protocol, aimed.defect);
            assert_eq!(words[..3], [aimed.protocol, "--defect", aimed.defect], "{file}");
            assert!(words.ends_with(&["--schedule", &file]), "{file}: {words:?}");
        }
    }

    #[test]
    fn options_are_those_that_the_command_adds() {
        let aimed = Aimed {
            protocol: "raft",
            defect: "stale-reads",
            text: "# Why.\n#\n# partita run raft --defect stale-reads --nodes 3 --seed 40 --time-limit 40s --schedule x.toml\n",
        };
        assert_eq!(aimed.options(), ["--nodes", "3"]);
        assert_eq!(aimed.seed(), Some(40));
    }
}
