//! Runs a program in a folder, and the same in a folder on a disk that can be made to fail: what passing through
//! costs.
//!
//! `cargo run -p partita-nemesis --example on_disk -- FOLDER PROGRAM [ARGUMENT]...`
//!
//! The program is copied into both folders, beneath FOLDER, and started there, in turn.
#![expect(clippy::print_stdout, reason = "it tells which of the two runs")]

use std::error::Error;
use std::path::{Path, PathBuf};
use std::process::Command;

use partita_nemesis::lab::{self, NetworkChoice};
use partita_nemesis::{Cluster, disk};

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let (Some(folder), Some(program)) = (arguments.next(), arguments.next()) else {
        return Err("FOLDER and PROGRAM are needed".into());
    };
    let (folder, program) = (PathBuf::from(folder), PathBuf::from(program));
    let arguments: Vec<String> = arguments.collect();
    let lab = lab::enter(NetworkChoice::Proxy)?;
    if let Some(obstacle) = disk::obstacle(&lab) {
        return Err(obstacle.into());
    }
    tokio::runtime::Runtime::new()?.block_on(async {
        let cluster = Cluster::start_network(&lab, &["n1".to_owned()], &folder).await?;
        cluster.mount_disks(disk::Options::default())?;
        let plain = folder.join("plain");
        std::fs::create_dir_all(&plain)?;
        for place in [plain, cluster.folder(0).join("data")] {
            println!("in {}", place.display());
            run(&place, &program, &arguments)?;
        }
        Ok(())
    })
}

fn run(place: &Path, program: &Path, arguments: &[String]) -> Result<(), Box<dyn Error>> {
    let copy = place.join("program");
    std::fs::copy(program, &copy)?;
    let status = Command::new(&copy).args(arguments).current_dir(place).status()?;
    if status.success() {
        Ok(())
    } else {
        Err(status.to_string().into())
    }
}
