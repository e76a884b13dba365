//! The report of a recorded history that was checked by itself, without a run around it.

use std::path::Path;

use partita_checker::Analysis;
use partita_history::History;

use crate::load::Run;
use crate::recover;

impl Run {
    /// What can be shown of a history from `file` and what a checker said of it: the anomalies, the operations around
    /// them, the counts. `command` is what checks it again; `notes` are shown with the verdict.
    pub fn of_history(
        file: &Path,
        history: History,
        analysis: Analysis,
        command: String,
        notes: Vec<String>,
    ) -> Run {
        let mut summary = recover::summary(file, &history);
        summary.verdict = analysis.verdict;
        summary.exit_code = analysis.verdict.exit_code();
        summary.reason.clone_from(&analysis.reason);
        summary.ended = String::new();
        summary.command = command;
        summary.checks = vec![analysis];
        Run {
            directory: file.to_owned(),
            summary,
            history,
            notes,
            ..Run::default()
        }
    }
}
