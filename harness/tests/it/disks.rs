//! Faults of disks, on real servers.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;

use crate::defects::found;
use crate::support::{json, one_at_a_time, run, skip_unpromised, told};

pub(crate) fn disks_can_fail() -> bool {
    let device = std::fs::File::options().read(true).write(true).open("/dev/fuse");
    device.is_ok() && nix::unistd::geteuid().is_root()
}

#[test]
fn a_sound_server_keeps_its_promises_through_power_cuts() {
    let _turn = one_at_a_time();
    if skip_unpromised("root and /dev/fuse", disks_can_fail()) {
        return;
    }
    let runs = tempfile::tempdir().unwrap();
    let arguments = [
        "--nemesis",
        "power-cut,torn-writes",
        "--time-limit",
        "15s",
        "--seed",
        "1",
    ];
    let output = run(runs.path(), &arguments);
    // A slow machine may do too little; it must not lose anything.
    assert!(matches!(output.status.code(), Some(0 | 3)), "{}", told(&output));
    let took = json(&output)["faults"]["power-cut"]["took"].as_u64();
    assert!(took > Some(0), "{}", told(&output));
}

#[test]
fn a_power_cut_finds_unsynced_acks() {
    if skip_unpromised("root and /dev/fuse", disks_can_fail()) {
        return;
    }
    found("unsynced-acks", "power-cut");
}

#[test]
fn what_this_machine_cannot_do_is_refused_before_the_run() {
    let setpriv = Command::new("setpriv").arg("--version").output().is_ok();
    let only_root =
        std::fs::metadata("/dev/fuse").is_ok_and(|device| device.permissions().mode() & 0o006 == 0);
    let here = nix::unistd::geteuid().is_root() && setpriv && only_root;
    if skip_unpromised("root, setpriv, and a /dev/fuse that is root's alone", here) {
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
        text.contains("fault `power-cut` can't be had here") && text.contains("chmod 666 /dev/fuse"),
        "{text}"
    );
    assert!(!home.path().join("runs").exists(), "something was written");
}
