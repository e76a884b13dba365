//! The reports, held against made-up runs.

mod browser;
mod files;
mod hands;
mod hostile;
mod sample;
mod size;
mod snapshots;

use std::path::PathBuf;

use sample::{Course, Sample};

/// A run directory that goes away with the test.
struct Written {
    _temporary: tempfile::TempDir,
    directory: PathBuf,
}

/// Writes a sample into a temporary directory.
fn written(sample: &Sample) -> Written {
    let temporary = tempfile::tempdir().unwrap();
    let directory = temporary.path().join("run");
    sample.write(&directory);
    Written {
        _temporary: temporary,
        directory,
    }
}

/// A run that is short enough for a snapshot.
fn brief() -> Course {
    Course {
        seconds: 5,
        rate: 20,
        ..Course::default()
    }
}

/// The data that a page holds for its script, as it stands there.
fn data(page: &str) -> &str {
    let (_, after) = page
        .split_once(r#"<script type="application/json" id="data">"#)
        .unwrap();
    after.split_once("</script>").unwrap().0
}
