//! What a fault waits for when its time has come.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::PathBuf;
use std::time::Duration;

use partita_generator::faults::When;

use crate::fault::{Context, LEADER};

/// How long it is waited for.
const PATIENCE: Duration = Duration::from_secs(10);
const LOOK_EVERY: Duration = Duration::from_millis(5);

/// Returns as soon as it holds. `Err` says that it did not come to hold in time.
pub(crate) async fn wait(when: &When, context: &Context) -> Result<(), String> {
    let waited = tokio::time::timeout(PATIENCE, hold(when, context)).await;
    waited.map_err(|_| format!("it did not hold within {} s", PATIENCE.as_secs()))
}

async fn hold(when: &When, context: &Context) {
    let mut logs = match when {
        When::Log(text) => Some(Logs::from_now_on(context, text)),
        When::Leader | When::NoLeader => None,
    };
    loop {
        let holds = match &mut logs {
            Some(logs) => logs.have_it(),
            None => {
                let roles = context.observer.roles().await;
                roles.values().any(|role| role == LEADER) == (*when == When::Leader)
            }
        };
        if holds {
            return;
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

/// What nodes write to their logs from a moment on.
struct Logs<'a> {
    text: &'a str,
    /// Each log, how far it was read, and the line that it is in the middle of.
    logs: Vec<(PathBuf, u64, Vec<u8>)>,
}

impl<'a> Logs<'a> {
    fn from_now_on(context: &Context, text: &'a str) -> Self {
        let cluster = &context.cluster;
        let log = |node| {
            let path = cluster.folder(node).join("node.log");
            let length = std::fs::metadata(&path).map_or(0, |log| log.len());
            (path, length, Vec::new())
        };
        let logs = (0..cluster.len()).map(log).collect();
        Logs { text, logs }
    }

    fn have_it(&mut self) -> bool {
        let mut found = false;
        for (path, read, line) in &mut self.logs {
            // One that can't be read says nothing.
            if let Ok(new) = rest(path, *read) {
                *read += new.len() as u64;
                line.extend(new);
                found |= String::from_utf8_lossy(line).contains(self.text);
                let begins = line
                    .iter()
                    .rposition(|&byte| byte == b'\n')
                    .map_or(0, |end| end + 1);
                line.drain(..begins);
            }
        }
        found
    }
}

fn rest(path: &PathBuf, from: u64) -> io::Result<Vec<u8>> {
    let mut file = File::open(path)?;
    file.seek(SeekFrom::Start(from))?;
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    #[test]
    fn a_line_counts_once_it_is_written_after_the_beginning_even_in_pieces() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("node.log");
        let mut file = File::create(&path).unwrap();
        writeln!(file, "took a snapshot").unwrap();
        let length = file.metadata().unwrap().len();
        let mut logs = Logs {
            text: "snapshot",
            logs: vec![(path, length, Vec::new())],
        };
        assert!(!logs.have_it(), "that was before");
        write!(file, "begins a snap").unwrap();
        assert!(!logs.have_it());
        writeln!(file, "shot").unwrap();
        assert!(logs.have_it());
        assert!(!logs.have_it(), "it is told once");
    }
}
