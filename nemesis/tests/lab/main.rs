//! Labs, clusters and faults as they really are: namespaces, processes, packets. Without arguments it is the test
//! suite; with them it is one of the processes that the suite needs.
#![expect(clippy::print_stdout, reason = "what a test sees belongs on its output")]

mod actor;
mod clocks;
mod disks;
mod links;
mod node;
mod processes;
mod scenes;
mod settings;
mod stage;
mod suite;
mod twins;

use std::path::Path;

use partita_nemesis::fault;
use partita_nemesis::lab::{self, NetworkChoice, SearchPath, TcpChoice, Wishes};

fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    match args.first().map(String::as_str) {
        Some("doctor") => doctor(),
        Some("node") => node::main(&args[1..]),
        Some(actor::WITHOUT_TRACING) => actor::without_tracing(&args[1..]),
        Some("scene") => scene(&args[1], &args[2], Path::new(&args[3])),
        _ => suite::run(&args),
    }
}

/// One finding a line, and one fault; exit code 1 if anything is lacking.
fn doctor() {
    let findings = lab::probe(&search_path());
    for finding in &findings {
        println!(
            "{}: {} {} {}",
            finding.name, finding.ok, finding.detail, finding.remedy
        );
        assert_eq!(finding.ok, finding.remedy.is_empty());
    }
    for fault in fault::ALL {
        let (why, means) = (fault.impossible(), fault.means());
        assert!(why.is_none() || means.is_none(), "{}", fault.name());
        println!("fault {}: {why:?} by {means:?}", fault.name());
    }
    std::process::exit(i32::from(findings.iter().any(|finding| !finding.ok)));
}

fn search_path() -> SearchPath {
    match std::env::var_os("SEARCH_PATH") {
        Some(path) => SearchPath::of(std::env::split_paths(&path)),
        None => SearchPath::from_environment(),
    }
}

/// `scene <name> <network> <run directory>`, in a process of its own, because a lab is entered only once.
fn scene(name: &str, network: &str, run_dir: &Path) {
    let wishes = Wishes {
        tcp: match name {
            "tcp-default" => TcpChoice::Default,
            _ => TcpChoice::Prompt,
        },
        ..Wishes::from(network.parse::<NetworkChoice>().expect("a network"))
    };
    let lab = match lab::enter_with(wishes, &search_path()) {
        Ok(lab) => lab,
        Err(error) => {
            println!("{error}");
            std::process::exit(254);
        }
    };
    println!("  {}: {}", lab.kind(), lab.why());
    if name == "exit" {
        std::process::exit(7);
    }
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build();
    let runtime = runtime.expect("a runtime");
    runtime.block_on(async {
        match name {
            "play" => scenes::play(&lab, run_dir).await,
            "spoil-links" => links::spoil(&lab, run_dir).await,
            "cut-links" => links::cut(&lab, run_dir).await,
            "tcp-default" => links::tcp_default(&lab, run_dir).await,
            "clocks" => clocks::play(&lab, run_dir).await,
            "processes" => processes::play(&lab, run_dir).await,
            "freeze" => processes::freeze(&lab, run_dir).await,
            "stay-frozen" => processes::stay_frozen(&lab, run_dir).await,
            "stay-in-fault" => scenes::stay_in_fault(&lab, run_dir).await,
            "set-links" => settings::links(&lab, run_dir).await,
            "set-processes" => settings::processes(&lab, run_dir).await,
            "set-clocks" => settings::clocks(&lab, run_dir).await,
            "set-disks" => settings::disks(&lab, run_dir).await,
            "disks" => disks::play(&lab, run_dir).await,
            "stay-in-disk-fault" => disks::stay_in_fault(&lab, run_dir).await,
            "old-kernel" => scenes::old_kernel(&lab, run_dir).await,
            "wait" => std::future::pending().await,
            "handle" => handle_signals().await,
            _ => panic!("no scene {name}"),
        }
    });
}

/// Ends with exit code 9 when asked to end.
async fn handle_signals() {
    use tokio::signal::unix::{SignalKind, signal};
    let mut terminate = signal(SignalKind::terminate()).expect("a handler");
    let mut interrupt = signal(SignalKind::interrupt()).expect("a handler");
    println!("handlers are set");
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    std::process::exit(9);
}
