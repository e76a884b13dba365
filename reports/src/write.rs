//! Puts the reports of a run into its directory.

use std::fs::{self, File};
use std::io::Write as _;
use std::path::{Path, PathBuf};

use crate::load::{LoadError, Run, load};

/// Reads a run directory, and writes its reports into it: see [`write_loaded`].
///
/// # Errors
/// Those of [`load`], and when a file can't be written.
pub fn write(directory: &Path) -> Result<PathBuf, LoadError> {
    write_loaded(&load(directory)?)
}

/// Writes `report.html`, `junit.xml` and, of a violation, `anomaly.svg` into the directory of a run that was read
/// before. Gives the path of the first.
///
/// # Errors
/// When a file can't be written.
pub fn write_loaded(run: &Run) -> Result<PathBuf, LoadError> {
    let directory = &run.directory;
    replace(&directory.join("junit.xml"), &crate::junit(run))?;
    if let Some(picture) = crate::svg(run) {
        replace(&directory.join("anomaly.svg"), &picture)?;
    }
    let path = directory.join("report.html");
    replace(&path, &crate::html(run))?;
    Ok(path)
}

/// Writes a file such that readers see either what was there before or all of the new text.
fn replace(path: &Path, text: &str) -> Result<(), LoadError> {
    let mut unfinished = path.as_os_str().to_owned();
    unfinished.push(".tmp");
    let unfinished = PathBuf::from(unfinished);
    File::create(&unfinished)
        .and_then(|mut file| file.write_all(text.as_bytes()))
        .and_then(|()| fs::rename(&unfinished, path))
        .map_err(|source| LoadError::Io {
            path: path.to_owned(),
            source,
        })
}
