//! From the path of a request to a file.

use std::fs;
use std::path::{Component, Path, PathBuf};

/// What a decoded path, without its first slash, stands for below the root; none if it is nothing below it, or is not
/// there. No part of it may be a link: not even one that leads back inside.
pub(super) fn below(root: &Path, path: &str) -> Option<PathBuf> {
    if path.contains(['\\', '\0']) {
        return None;
    }
    let mut found = root.to_owned();
    for part in Path::new(path).components() {
        let Component::Normal(name) = part else {
            return None;
        };
        found.push(name);
        if fs::symlink_metadata(&found).ok()?.file_type().is_symlink() {
            return None;
        }
    }
    // Whatever else a file system may know as a way out.
    let inside = found.canonicalize().ok()?.starts_with(root.canonicalize().ok()?);
    inside.then_some(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_outside_can_be_reached() {
        let home = tempfile::tempdir().unwrap();
        let root = home.path().join("runs");
        fs::create_dir_all(root.join("a/nodes")).unwrap();
        fs::write(root.join("a/plan.toml"), "").unwrap();
        fs::write(home.path().join("secret"), "").unwrap();
        std::os::unix::fs::symlink(home.path().join("secret"), root.join("a/link")).unwrap();
        std::os::unix::fs::symlink("..", root.join("a/up")).unwrap();
        assert_eq!(below(&root, "a/plan.toml"), Some(root.join("a/plan.toml")));
        assert_eq!(below(&root, "a/nodes/"), Some(root.join("a/nodes")));
        for bad in [
            "../secret",
            "a/../../secret",
            "a/../a/plan.toml",
            "/etc/passwd",
            "//etc/passwd",
            "a/link",
            "a/up/a/plan.toml",
            "a\\..\\secret",
            "a/\0",
            "missing",
            "%2e%2e/secret",
        ] {
            assert_eq!(below(&root, bad), None, "{bad}");
        }
    }
}
