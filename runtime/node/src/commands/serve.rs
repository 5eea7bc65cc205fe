//! `warp serve`: a node, until it is told to stop.

use std::process::ExitCode;

use super::signals::Signals;
use crate::cli::Place;
use crate::failure::Failure;
use crate::start::Node;
use crate::telemetry;

pub(crate) async fn run(place: Place) -> Result<ExitCode, Failure> {
    let config = place.load()?;
    telemetry::start(&config.telemetry)?;
    refuse_huge_pages();
    let mut signals = Signals::catch()?;
    let node = tokio::select! {
        started = Box::pin(Node::start(config)) => started?,
        signal = signals.next() => {
            tracing::info!(signal, "stopped while starting");
            return Ok(ExitCode::SUCCESS);
        }
    };
    let failure = tokio::select! {
        signal = signals.next() => {
            tracing::info!(signal, "stopping");
            None
        }
        failure = node.ended() => {
            tracing::error!(%failure, "stopping");
            Some(failure)
        }
    };
    tokio::select! {
        () = Box::pin(node.stop()) => {}
        signal = signals.next() => {
            return Err(Failure::run(format!("ended by a second {signal} before everything was finished")));
        }
    }
    failure.map_or(Ok(ExitCode::SUCCESS), Err)
}

/// Has the kernel give memory by the page. The allocator asks for huge pages, and the first touch of one clears 2 MiB: in
/// a virtual machine that took 9 ms, during which a worker served no call. Nothing here gains from them.
fn refuse_huge_pages() {
    if let Err(error) = nix::sys::prctl::set_thp_disable(true) {
        tracing::warn!(%error, "huge pages cannot be refused (prctl): calls may wait some milliseconds for memory now and then");
    }
}
