//! `bench`: see `bench --help`.

use std::process::ExitCode;

use bench::cli::Cli;
use bench::print;
use clap::Parser as _;
use tokio::signal::unix::{SignalKind, signal};

#[tokio::main]
async fn main() -> ExitCode {
    let cli = Cli::parse();
    let run = tokio::select! {
        run = cli.run() => run,
        // Dropping the run ends every process that it started.
        _ = tokio::signal::ctrl_c() => Err(anyhow::anyhow!("interrupted")),
        () = terminated() => Err(anyhow::anyhow!("terminated")),
    };
    match run {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            print::note(&format!("{error:#}"));
            ExitCode::FAILURE
        }
    }
}

async fn terminated() {
    match signal(SignalKind::terminate()) {
        Ok(mut signals) => drop(signals.recv().await),
        Err(_) => std::future::pending().await,
    }
}
