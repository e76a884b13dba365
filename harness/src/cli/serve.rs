//! `partita serve [DIR]`: browse runs and nights.

use std::fs::File;
use std::net::SocketAddr;
use std::path::PathBuf;

use anyhow::{Context, anyhow};
use partita_checker::Verdict;

use super::{Failure, print, say};
use crate::serve::server;

/// Arguments of `serve`.
#[derive(clap::Args)]
pub(super) struct Arguments {
    /// The directory with runs and nights
    #[arg(default_value = "runs")]
    dir: PathBuf,
    /// Where to listen; anything but loopback lets others read all runs
    #[arg(long, default_value = "127.0.0.1:8642")]
    listen: SocketAddr,
}

pub(super) fn main(arguments: &Arguments) -> Result<Verdict, Failure> {
    let root = Some(&arguments.dir).filter(|dir| dir.is_dir());
    let root = root.and_then(|dir| File::open(dir).ok()).ok_or_else(|| {
        let dir = arguments.dir.display();
        Failure::usage(anyhow!("`{dir}` is not a directory that can be read"))
    })?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .context("the server's threads can't be made")?;
    runtime.block_on(async {
        let listener = server::listen(arguments.listen)
            .await
            .with_context(|| format!("{} can't be listened at", arguments.listen))
            .map_err(Failure::Usage)?;
        let address = listener.local_addr().context("nobody can say where")?;
        if !address.ip().is_loopback() {
            say("warning: this is no loopback address: whoever reaches it reads all runs");
        }
        print(&format!("http://{address}/\n"));
        tokio::select! {
            () = server::serve(listener, root) => {}
            interrupted = tokio::signal::ctrl_c() => interrupted.context("signals can't be listened for")?,
        }
        Ok(Verdict::Valid)
    })
}
