//! Faults of disks, on real servers.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;

use crate::support::{json, one_at_a_time, run, skip_without, told};

fn disks_can_fail() -> bool {
    let device = std::fs::File::options().read(true).write(true).open("/dev/fuse");
    device.is_ok() && nix::unistd::geteuid().is_root()
}

#[test]
fn a_sound_server_survives_power_cuts_and_an_unsound_one_is_found() {
    let _turn = one_at_a_time();
    if skip_without("root and /dev/fuse", disks_can_fail()) {
        return;
    }
    let runs = tempfile::tempdir().unwrap();
    let load = ["--time-limit", "15s", "--rate", "200", "--seed", "1"];
    let sound = run(
        runs.path(),
        &[&["--nemesis", "power-cut:all"], &load[..]].concat(),
    );
    let sound_told = json(&sound);
    assert_eq!(sound_told["verdict"], "valid", "{}", told(&sound));
    assert!(
        sound_told["faults"]["power-cut"]["took"].as_u64() > Some(0),
        "{}",
        told(&sound)
    );
    let unsound = ["--nemesis", "power-cut:all", "--defect", "unsynced-acks"];
    let unsound = run(runs.path(), &[&unsound[..], &load[..]].concat());
    assert_eq!(json(&unsound)["verdict"], "invalid", "{}", told(&unsound));
}

#[test]
fn what_this_machine_cannot_do_is_refused_before_the_run() {
    let setpriv = Command::new("setpriv").arg("--version").output().is_ok();
    let only_root =
        std::fs::metadata("/dev/fuse").is_ok_and(|device| device.permissions().mode() & 0o006 == 0);
    let here = nix::unistd::geteuid().is_root() && setpriv && only_root;
    if skip_without("root, setpriv, and a /dev/fuse that is root's alone", here) {
        return;
    }
    let home = tempfile::tempdir().unwrap();
    std::fs::set_permissions(home.path(), std::fs::Permissions::from_mode(0o777)).unwrap();
    let program = home.path().join("partita");
    std::fs::copy(Path::new(env!("CARGO_BIN_EXE_partita")), &program).unwrap();
    let output = Command::new("setpriv")
        .args(["--reuid=65534", "--regid=65534", "--clear-groups"])
        .arg(&program)
        .args(["run", "--nemesis", "kill,power-cut", "--runs-dir"])
        .arg(home.path().join("runs"))
        .output()
        .unwrap();
    let text = told(&output);
    assert_eq!(output.status.code(), Some(254), "{text}");
    assert!(
        text.contains("power-cut: not possible here") && text.contains("chmod 666 /dev/fuse"),
        "{text}"
    );
    assert!(!home.path().join("runs").exists(), "something was written");
}
