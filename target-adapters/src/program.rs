//! Programs that are named by hand.

use std::ffi::OsStr;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

/// Checks that a program is there and can be executed: at its path, or on the search path if it is a bare name.
///
/// # Errors
/// What is wrong with it, in words.
pub(crate) fn check(program: &Path) -> Result<(), String> {
    check_with(program, &std::env::var_os("PATH").unwrap_or_default())
}

fn check_with(program: &Path, search: &OsStr) -> Result<(), String> {
    let name = program.display();
    if program.components().count() == 1 {
        // Nodes start in folders of their own, where a relative folder is another.
        let mut folders = std::env::split_paths(search).filter(|folder| folder.is_absolute());
        return if folders.any(|folder| state(&folder.join(program)).is_ok()) {
            Ok(())
        } else {
            Err(format!(
                "there is no program `{name}` on the search path (PATH); give a path, such as ./{name}"
            ))
        };
    }
    state(program).map_err(|wrong| format!("`{name}` {wrong}"))
}

/// Whether it is a file that can be executed. `Err` says what it is instead.
fn state(path: &Path) -> Result<(), String> {
    let file = path
        .metadata()
        .map_err(|error| format!("can't be had: {error}"))?;
    if !file.is_file() {
        return Err("is no file".into());
    }
    if file.permissions().mode() & 0o111 == 0 {
        return Err("can't be executed: it is no program, or lacks the right (chmod +x)".into());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn programs_are_found_as_nodes_would_find_them() {
        let folder = std::env::temp_dir().join(format!("partita-program-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let [program, text] = ["program", "text"].map(|name| folder.join(name));
        for (path, mode) in [(&program, 0o755), (&text, 0o644)] {
            std::fs::write(path, "#!/bin/sh\n").unwrap();
            std::fs::set_permissions(path, PermissionsExt::from_mode(mode)).unwrap();
        }
        let found = |program: &Path| check_with(program, folder.as_os_str());
        assert_eq!(found(&program), Ok(()));
        assert_eq!(found(Path::new("program")), Ok(()));
        let refused = |program: &Path| found(program).unwrap_err();
        assert!(refused(&text).contains("text` can't be executed"));
        assert!(refused(Path::new("text")).contains("no program `text` on the search path"));
        assert!(refused(&folder).contains("is no file"));
        assert!(refused(&folder.join("none")).contains("No such file"));
        assert!(
            check_with(Path::new("program"), OsStr::new("relative")).is_err(),
            "nodes start elsewhere"
        );
        std::fs::remove_dir_all(&folder).unwrap();
    }
}
