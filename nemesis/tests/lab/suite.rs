//! The tests, one after another: they start processes by the dozen and measure times.

mod clocks;
mod disks;
mod links;
mod processes;
mod settings;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::Command;
use std::time::Duration;

use nix::sys::signal::Signal;
use partita_nemesis::clean;
use partita_nemesis::lab::{NetworkChoice, SearchPath};

use crate::actor::{Theatre, Who, eventually, is_root, known, marked, namespaces_of, still_there, tree};

/// `Err` is a reason to skip.
type Test = fn() -> Result<(), String>;

const TESTS: &[(&str, Test)] = &[
    (
        "everything_holds_in_namespaces_as_root",
        everything_in_namespaces_as_root,
    ),
    (
        "everything_holds_in_namespaces_as_an_ordinary_user",
        everything_in_namespaces_as_user,
    ),
    ("everything_holds_behind_a_proxy", everything_behind_a_proxy),
    (
        "everything_holds_where_no_namespace_is_to_be_had",
        everything_without_namespaces,
    ),
    ("links_are_spoilt_and_cut_by_the_switch", links::as_root),
    (
        "links_are_spoilt_and_cut_by_the_switch_of_an_ordinary_user",
        links::as_user,
    ),
    ("streams_are_spoilt_by_a_proxy", links::behind_a_proxy),
    ("packet_filters_refuse_what_they_cannot_do", links::by_filters),
    ("tcp_is_left_alone_if_asked", links::tcp_default),
    ("what_is_set_is_what_links_do", settings::links),
    ("what_is_set_is_what_processes_do", settings::processes),
    ("what_is_set_is_what_clocks_do", settings::clocks),
    ("what_is_set_is_what_disks_do", settings::disks),
    (
        "what_is_set_is_what_disks_do_where_only_syncs_can_fail",
        settings::disks_without_fuse,
    ),
    ("clocks_are_bent_and_put_right", clocks::as_root),
    (
        "clocks_are_bent_and_put_right_by_an_ordinary_user",
        clocks::as_user,
    ),
    (
        "clocks_are_bent_by_a_library_where_none_may_be_traced",
        clocks::without_tracing,
    ),
    ("without_a_bound_on_back_off_connections_are_reset", old_kernel),
    ("processes_are_troubled_as_root", processes::as_root),
    ("processes_are_troubled_by_an_ordinary_user", processes::as_user),
    (
        "control_groups_of_version_1_freeze_where_there_are_no_others",
        processes::on_cgroup_v1,
    ),
    ("disks_fail_as_root", disks::as_root),
    ("disks_fail_for_an_ordinary_user", disks::as_user),
    (
        "syncs_fail_where_no_file_system_of_ours_can_be_mounted",
        disks::without_fuse,
    ),
    (
        "a_killed_controller_leaves_no_disk",
        disks::a_killed_controller_leaves_none,
    ),
    (
        "a_killed_controller_leaves_nothing",
        a_killed_controller_leaves_nothing,
    ),
    ("runs_side_by_side_do_not_disturb_each_other", side_by_side),
    (
        "clean_kills_what_a_dead_run_left_and_nothing_else",
        clean_kills_only_the_abandoned,
    ),
    (
        "clean_kills_a_leftover_controller",
        clean_kills_a_leftover_controller,
    ),
    ("signals_and_exit_codes_pass_through", signals_and_exit_codes),
    ("auto_falls_back_and_says_why", auto_falls_back),
    ("the_doctor_finds_this_machine_well", the_doctor),
];

/// How a reason to skip begins that no package can remedy.
const KERNEL: &str = "this kernel does not allow it: ";

/// Runs those tests whose names contain one of the arguments, or all.
pub(crate) fn run(args: &[String]) {
    // The numbers belong to options of the usual test runner, such as `--test-threads 1`.
    let is_filter = |arg: &&String| !arg.starts_with('-') && arg.parse::<u32>().is_err();
    let filters: Vec<&String> = args.iter().filter(is_filter).collect();
    let required = std::env::var_os("PARTITA_REQUIRE_TOOLS").is_some();
    let mut failed = false;
    for (name, test) in TESTS {
        if !filters.is_empty() && !filters.iter().any(|filter| name.contains(filter.as_str())) {
            continue;
        }
        println!("test {name} ...");
        match catch_unwind(AssertUnwindSafe(test)) {
            Ok(Ok(())) => println!("test {name} ... ok"),
            Ok(Err(reason)) if !required || reason.starts_with(KERNEL) => {
                println!("\n*** SKIPPED: {name}: {reason} ***\n")
            }
            Ok(Err(reason)) => {
                println!("test {name} ... FAILED: it must not be skipped here: {reason}");
                failed = true;
            }
            Err(_) => {
                println!("test {name} ... FAILED");
                failed = true;
            }
        }
    }
    std::process::exit(i32::from(failed) * 101);
}

const PLAY: Duration = Duration::from_secs(150);

/// What a netns lab and these tests of it need.
fn need_tools() -> Result<(), String> {
    let search = SearchPath::from_environment();
    let packages = [("iptables-restore", "iptables"), ("lsns", "util-linux")];
    packages.into_iter().try_for_each(|(program, package)| {
        search
            .find(program)
            .map(drop)
            .ok_or_else(|| format!("{program} is missing (apt-get install {package})"))
    })
}

fn need_root() -> Result<(), String> {
    if is_root() {
        Ok(())
    } else {
        Err("it needs root".into())
    }
}

fn everything_in_namespaces_as_root() -> Result<(), String> {
    need_root()?;
    need_tools()?;
    need_netns()?;
    Theatre::open().scene(Who::Self_, "play", "netns").succeed(PLAY);
    Ok(())
}

fn everything_in_namespaces_as_user() -> Result<(), String> {
    need_tools()?;
    let who = if is_root() { Who::Nobody } else { Who::Self_ };
    need_user_namespaces(who)?;
    let theatre = Theatre::open();
    let mut scene = theatre.scene(who, "play", "netns");
    scene.succeed(PLAY);
    assert!(scene.output().contains("without root, in a user namespace"));
    Ok(())
}

/// Not every machine has namespaces, even for root.
fn need_netns() -> Result<(), String> {
    need_user_namespaces(Who::Self_)
}

/// Not every machine lets ordinary users have them.
fn need_user_namespaces(who: Who) -> Result<(), String> {
    let theatre = Theatre::open();
    let mut scene = theatre.scene(who, "exit", "auto");
    scene.wait(PLAY);
    if scene.output().contains("a namespace for each node works here") {
        Ok(())
    } else {
        Err(scene.output().trim().to_owned())
    }
}

fn everything_behind_a_proxy() -> Result<(), String> {
    let who = if is_root() { Who::Nobody } else { Who::Self_ };
    Theatre::open().scene(who, "play", "proxy").succeed(PLAY);
    Ok(())
}

fn old_kernel() -> Result<(), String> {
    need_tools()?;
    need_user_namespaces(Who::Self_)?;
    Theatre::open()
        .scene(Who::Self_, "old-kernel", "netns")
        .succeed(PLAY);
    Ok(())
}

/// Namespaces that allow no further ones stand in for a machine that allows none.
fn need_cage() -> Result<(), String> {
    let script = "echo 0 >/proc/sys/user/max_user_namespaces";
    let caged = Command::new("unshare")
        .args(["--user", "--map-root-user", "sh", "-c", script])
        .output();
    match caged {
        Ok(output) if output.status.success() => Ok(()),
        Ok(output) => Err(format!(
            "unshare --user: {}",
            String::from_utf8_lossy(&output.stderr).trim()
        )),
        Err(error) => Err(format!("unshare (util-linux): {error}")),
    }
}

fn everything_without_namespaces() -> Result<(), String> {
    need_cage()?;
    let theatre = Theatre::open();
    let mut scene = theatre.scene(Who::Caged, "play", "auto");
    scene.succeed(PLAY);
    let output = scene.output();
    assert!(output.contains("proxy: root may not make namespaces here") && output.contains("no namespaces"));
    Ok(())
}

fn a_killed_controller_leaves_nothing() -> Result<(), String> {
    need_tools()?;
    need_netns()?;
    let mut who: Vec<(Who, &str)> = ["netns", "switch", "proxy"]
        .map(|network| (Who::Self_, network))
        .into();
    if is_root() {
        who.extend(["netns", "switch", "proxy"].map(|network| (Who::Nobody, network)));
    }
    if need_cage().is_ok() {
        who.push((Who::Caged, "auto"));
    }
    for (who, network) in who {
        for kill_inner in [false, true] {
            if kill_inner && who == Who::Caged {
                continue;
            }
            killed(who, network, kill_inner);
        }
    }
    Ok(())
}

fn killed(who: Who, network: &str, kill_inner: bool) {
    let theatre = Theatre::open();
    let mut scene = theatre.scene(who, "stay-in-fault", network);
    scene.wait_for("in fault");
    let processes = tree(scene.pid());
    assert!(
        marked(scene.pid()).len() >= 4,
        "one of five is killed:\n{}",
        scene.output()
    );
    let namespaces = namespaces_of(&processes);
    let last = *processes.iter().max_by_key(|known| known.pid).unwrap();
    println!(
        "  {who:?} {network}: {} processes, {} namespaces",
        processes.len(),
        namespaces.len()
    );
    if ["netns", "switch"].contains(&network) {
        let networks = namespaces.iter().filter(|name| name.starts_with("net:"));
        // One for each node and one for the controller; the switch has a hub, too.
        assert_eq!(networks.count(), 6 + usize::from(network == "switch"));
    }
    if kill_inner {
        let inner = processes
            .iter()
            .find(|known| known.pid != scene.pid())
            .expect("the controller");
        let controller = tree(inner.pid);
        assert!(controller.len() >= 5, "it is the nodes' parent");
        nix::sys::signal::kill(nix::unistd::Pid::from_raw(inner.pid), Signal::SIGKILL).unwrap();
        assert_eq!(scene.wait(Duration::from_secs(5)).code(), Some(128 + 9));
    } else {
        scene.signal(Signal::SIGKILL);
        scene.wait(Duration::from_secs(5));
    }
    eventually("every process ends", || {
        marked(scene.pid()).is_empty() && processes.iter().all(|process| !process.lives())
    });
    eventually("every namespace vanishes", || {
        still_there(&namespaces, last).is_empty()
    });
    // Groups outlive what was in them, until the next start.
    clean::clean_groups();
    assert_eq!(processes::groups_of(scene.pid()), Vec::<String>::new());
}

fn side_by_side() -> Result<(), String> {
    need_tools()?;
    let (first, second) = (Theatre::open(), Theatre::open());
    let networks = if need_netns().is_ok() {
        ["netns", "proxy"]
    } else {
        ["proxy"; 2]
    };
    for network in networks {
        let mut ours = first.scene(Who::Self_, "stay-in-fault", network);
        let mut theirs = second.scene(Who::Self_, "stay-in-fault", network);
        ours.wait_for("in fault");
        theirs.wait_for("in fault");
        let before = marked(theirs.pid());
        ours.signal(Signal::SIGKILL);
        ours.wait(Duration::from_secs(5));
        eventually("ours end", || marked(ours.pid()).is_empty());
        clean::clean();
        let mut third = first.scene(Who::Self_, "exit", network);
        assert_eq!(third.wait(Duration::from_secs(20)).code(), Some(7));
        assert_eq!(marked(theirs.pid()), before);
        assert!(before.len() >= 4 && before.iter().all(|process| process.lives()));
    }
    Ok(())
}

/// The pid of a process that has ended, and the number of this PID namespace.
fn dead_controller() -> (u32, String) {
    let mut dead = Command::new("true").spawn().unwrap();
    let pid = dead.id();
    dead.wait().unwrap();
    let namespace = std::fs::read_link("/proc/self/ns/pid").unwrap();
    (
        pid,
        namespace
            .to_string_lossy()
            .chars()
            .filter(char::is_ascii_digit)
            .collect(),
    )
}

/// What happens if the kernel's own means fail: the first process of a lab's PID namespace bears no mark, but its
/// children do.
fn clean_kills_a_leftover_controller() -> Result<(), String> {
    need_cage()?;
    let (pid, namespace) = dead_controller();
    let script = format!("PARTITA_RUN=r:{pid}:1:{namespace} sleep 1000 & wait");
    let mut outer = Command::new("unshare")
        .args([
            "--user",
            "--map-root-user",
            "--pid",
            "--fork",
            "sh",
            "-c",
            &script,
        ])
        .spawn()
        .unwrap();
    let outer_pid = outer.id().cast_signed();
    eventually("the sleeper sleeps", || {
        tree(outer_pid).len() == 3 && marked(pid.cast_signed()).len() == 1
    });
    let processes = tree(outer_pid);
    let removed: Vec<i32> = clean::clean().into_iter().map(|removed| removed.pid).collect();
    let inner: Vec<_> = processes
        .into_iter()
        .filter(|known| known.pid != outer_pid)
        .collect();
    assert!(
        inner.iter().all(|known| removed.contains(&known.pid)),
        "{removed:?} {inner:?}"
    );
    assert!(
        !removed.contains(&outer_pid),
        "it is neither marked nor in the namespace"
    );
    eventually("they end", || inner.iter().all(|known| !known.lives()));
    outer.wait().unwrap();
    Ok(())
}

fn clean_kills_only_the_abandoned() -> Result<(), String> {
    let own = std::process::id().cast_signed();
    let (dead_pid, namespace) = dead_controller();
    let started = std::fs::read_to_string("/proc/self/stat").unwrap();
    let started = started[started.rfind(')').unwrap() + 1..]
        .split_whitespace()
        .nth(19)
        .unwrap()
        .to_owned();
    let sleeper = |mark: &str| {
        Command::new("sleep")
            .arg("1000")
            .env("PARTITA_RUN", mark)
            .spawn()
            .unwrap()
    };
    let other_namespace = format!("r:{dead_pid}:1:1");
    let marks = [
        format!("r:{dead_pid}:1:{namespace}"),
        // A later process that has got the controller's pid is not the controller.
        format!("r:{own}:1:{namespace}"),
        format!("r:{own}:{started}:{namespace}"),
        other_namespace,
        "anything else".to_owned(),
    ];
    let mut sleepers: Vec<_> = marks.iter().map(|mark| sleeper(mark)).collect();
    // Stopped ones are removed as well.
    let first = nix::unistd::Pid::from_raw(sleepers[0].id().cast_signed());
    nix::sys::signal::kill(first, Signal::SIGSTOP).unwrap();
    let pids: Vec<i32> = sleepers
        .iter()
        .map(|sleeper| sleeper.id().cast_signed())
        .collect();
    let removed: Vec<_> = clean::clean()
        .into_iter()
        .filter(|removed| pids.contains(&removed.pid))
        .collect();
    let removed_pids: Vec<i32> = removed.iter().map(|removed| removed.pid).collect();
    assert_eq!(removed_pids, pids[..2]);
    assert_eq!(
        (removed[0].command.as_str(), removed[0].run.as_str()),
        ("sleep 1000", "r")
    );
    eventually("they end", || {
        pids[..2]
            .iter()
            .all(|pid| !known(*pid).is_some_and(|known| known.lives()))
    });
    assert!(pids[2..].iter().all(|pid| known(*pid).unwrap().lives()));

    // Every start sweeps too.
    let mut swept = sleeper(&marks[0]);
    let theatre = Theatre::open();
    let mut scene = theatre.scene(Who::Self_, "exit", "auto");
    assert_eq!(scene.wait(Duration::from_secs(20)).code(), Some(7));
    eventually("it is swept", || swept.try_wait().unwrap().is_some());
    for sleeper in &mut sleepers {
        let _ = sleeper.kill();
        sleeper.wait().unwrap();
    }
    Ok(())
}

fn signals_and_exit_codes() -> Result<(), String> {
    need_netns()?;
    let theatre = Theatre::open();
    for network in ["auto", "proxy"] {
        assert_eq!(
            theatre.scene(Who::Self_, "exit", network).wait(PLAY).code(),
            Some(7)
        );
        // Before the controller has handlers of its own.
        for signal in [Signal::SIGTERM, Signal::SIGINT] {
            let mut scene = theatre.scene(Who::Self_, "wait", network);
            scene.wait_for(if network == "auto" { "netns" } else { "proxy" });
            let processes = tree(scene.pid());
            scene.signal(signal);
            // Ended by the outer process's own default, or by what it makes of the inner one's end.
            let status = scene.wait(Duration::from_secs(5));
            assert!(!status.success(), "{status}");
            eventually("both end", || processes.iter().all(|process| !process.lives()));
        }
        // Once it has, it is asked and not killed.
        for signal in [Signal::SIGTERM, Signal::SIGINT] {
            let mut scene = theatre.scene(Who::Self_, "handle", network);
            scene.wait_for("handlers are set");
            // To the whole group, as the terminal and `timeout` do: it must still come only once.
            scene.signal_group(signal);
            assert_eq!(
                scene.wait(Duration::from_secs(5)).code(),
                Some(9),
                "{}",
                scene.output()
            );
        }
    }
    Ok(())
}

fn auto_falls_back() -> Result<(), String> {
    let theatre = Theatre::open();
    let tools = theatre.path("tools");
    std::fs::create_dir(&tools).unwrap();
    let run_dir = theatre.path("run");
    let begin = |network: &str| {
        theatre.begin(
            Who::Self_,
            "exit",
            &["scene", "exit", network, run_dir.to_str().unwrap()],
            Some(&tools),
        )
    };
    let mut auto = begin("auto");
    assert_eq!(auto.wait(PLAY).code(), Some(7));
    need_user_namespaces(Who::Self_)?;
    assert!(
        auto.output()
            .contains("joined by our own switch; iptables is not installed (apt-get install iptables)"),
        "{}",
        auto.output()
    );
    let mut by_name = begin("netns");
    assert_eq!(by_name.wait(PLAY).code(), Some(254));
    assert!(
        by_name
            .output()
            .contains("iptables is not installed; apt-get install iptables; or use --network proxy")
    );
    assert!(
        "nets"
            .parse::<NetworkChoice>()
            .unwrap_err()
            .contains("auto, netns, switch or proxy")
    );
    // Something that is there but does not work is tried, and found out.
    let broken = tools.join("iptables-restore");
    std::fs::write(&broken, "#!/bin/sh\necho 'no such table' >&2; exit 3\n").unwrap();
    std::fs::set_permissions(&broken, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let mut auto = begin("auto");
    assert_eq!(auto.wait(PLAY).code(), Some(7));
    assert!(auto.output().contains("no such table"), "{}", auto.output());
    Ok(())
}

fn the_doctor() -> Result<(), String> {
    need_tools()?;
    let theatre = Theatre::open();
    if need_cage().is_ok() {
        let mut caged = theatre.begin(Who::Caged, "doctor-caged", &["doctor"], None);
        assert_eq!(caged.wait(PLAY).code(), Some(1));
        assert!(
            caged.output().contains("network namespaces: false"),
            "{}",
            caged.output()
        );
        assert!(
            caged.output().contains("user.max_user_namespaces"),
            "{}",
            caged.output()
        );
    }
    need_user_namespaces(Who::Self_)?;
    let mut doctor = theatre.begin(Who::Self_, "doctor", &["doctor"], None);
    doctor.succeed(PLAY);
    let output = doctor.output();
    if is_root() {
        assert!(output.contains("fault other-boot: None"), "{output}");
        assert!(output.contains("fault slow-fsync: None by Some(\"a file system of ours"));
    }
    Ok(())
}
