//! The programs that a lab uses, and where they lie.

use std::ffi::OsStr;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// The folders in which programs are looked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SearchPath(Vec<PathBuf>);

/// Where `iptables` lies. Ordinary users often lack these folders in `PATH`.
const ADMINISTRATORS: [&str; 3] = ["/usr/sbin", "/sbin", "/usr/local/sbin"];

impl SearchPath {
    /// `PATH`, and then the administrator's folders.
    pub fn from_environment() -> Self {
        let path = std::env::var_os("PATH").unwrap_or_default();
        let folders = std::env::split_paths(&path).filter(|folder| folder.is_absolute());
        SearchPath(folders.chain(ADMINISTRATORS.map(PathBuf::from)).collect())
    }

    /// Exactly these folders.
    pub fn of(folders: impl IntoIterator<Item = PathBuf>) -> Self {
        SearchPath(folders.into_iter().collect())
    }

    /// The first executable file of this name.
    pub fn find(&self, program: &str) -> Option<PathBuf> {
        self.0.iter().map(|folder| folder.join(program)).find(|path| {
            path.metadata()
                .is_ok_and(|file| file.is_file() && file.permissions().mode() & 0o111 != 0)
        })
    }
}

/// In the order of preference. The legacy one takes 1 ms, the other tens: it waits for the kernel to let go of
/// the old rules.
const RESTORERS: [&str; 3] = [
    "iptables-legacy-restore",
    "iptables-restore",
    "iptables-nft-restore",
];

/// What a network of namespaces needs to be cut by packet filters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Tools {
    /// `iptables-restore`, of one kind or another.
    pub(crate) restore: PathBuf,
}

/// Something that is missing, and how to get it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Trouble {
    pub(crate) why: String,
    pub(crate) remedy: String,
}

/// Every set of tools found here, best first. Whether one works is for a trial to say.
pub(crate) fn find(search: &SearchPath) -> Result<Vec<Tools>, Trouble> {
    let tools: Vec<Tools> = RESTORERS
        .iter()
        .filter_map(|program| search.find(program))
        .map(|restore| Tools { restore })
        .collect();
    if tools.is_empty() {
        return Err(Trouble {
            why: "iptables is not installed".into(),
            remedy: "apt-get install iptables".into(),
        });
    }
    Ok(tools)
}

impl Tools {
    /// Replaces the chains that the rules name, and no others, at one stroke, in the calling thread's network
    /// namespace. `lock` is the file that keeps two of these from one namespace.
    pub(crate) fn restore(&self, lock: &Path, rules: &str) -> Result<(), String> {
        let mut command = Command::new(&self.restore);
        // Left to itself it would lock a file in /run, which all namespaces share and a user can't write.
        feed(
            command
                .args(["--noflush", "-w", "5"])
                .env("XTABLES_LOCKFILE", lock),
            rules,
        )
    }

    /// The program that changes rules, in short.
    pub(crate) fn restore_name(&self) -> &str {
        self.restore
            .file_name()
            .and_then(OsStr::to_str)
            .unwrap_or("iptables-restore")
    }
}

/// Runs a program to its end with a text to read. On failure says what it printed.
fn feed(command: &mut Command, input: &str) -> Result<(), String> {
    let program = command.get_program().to_string_lossy().into_owned();
    let mut run = || {
        let mut child = command
            .env("LC_ALL", "C")
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()?;
        // A program that stops reading says why on its standard error.
        let _ = child
            .stdin
            .take()
            .map(|mut pipe| pipe.write_all(input.as_bytes()));
        child.wait_with_output()
    };
    let output = run().map_err(|error| format!("{program}: {error}"))?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    Err(format!(
        "{program}: {}: {}",
        output.status,
        said.trim().replace('\n', "; ")
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder(programs: &[&str]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for program in programs {
            let path = folder.path().join(program);
            std::fs::write(&path, "").unwrap();
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
        }
        folder
    }

    fn find_in(folder: &tempfile::TempDir) -> Result<Vec<Tools>, Trouble> {
        find(&SearchPath::of([folder.path().to_owned()]))
    }

    #[test]
    fn says_which_tool_is_missing_and_which_package_has_it() {
        let trouble = find_in(&folder(&["ip"])).unwrap_err();
        assert_eq!(trouble.why, "iptables is not installed");
        assert_eq!(trouble.remedy, "apt-get install iptables");
    }

    #[test]
    fn the_legacy_kind_comes_first_and_files_that_cannot_run_do_not_count() {
        let folder = folder(&["iptables-restore", "iptables-legacy-restore"]);
        std::fs::write(folder.path().join("iptables-nft-restore"), "").unwrap();
        let found = find_in(&folder).unwrap();
        let names: Vec<&str> = found.iter().map(Tools::restore_name).collect();
        assert_eq!(names, ["iptables-legacy-restore", "iptables-restore"]);
    }
}
