//! `warp demo`: a node, customers, vendors, carriers and a media node in one process, over real sockets. Every message
//! and every call is accounted for by the simulators; the node's word is taken for what is uncertain and for its call
//! records.

mod calls;
mod cast;
mod figures;
mod media;
mod show;

use std::fs::File;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use bench::ledger::Ledger;
use bench::sip::carriers::Account;
use bench::smpp::esme::Esme;
use runtime::telemetry::logs::{self, LogFormat};
use tempfile::TempDir;
use tokio::time::{Instant, sleep};

use self::cast::Vendors;
use self::figures::Figures;
use self::media::MediaNode;
use super::signals::Signals;
use crate::cli::Demo;
use crate::client::Endpoint;
use crate::data_dir::DataDir;
use crate::failure::Failure;
use crate::start::Node;
use crate::terminal;

/// Time for the node to bind to both vendors.
const VENDORS_WITHIN: Duration = Duration::from_secs(20);
const LOOK_EVERY: Duration = Duration::from_millis(10);
/// Marks the messages of this run; there is one run in a ledger.
const RUN: u16 = 1;

/// What stays on when the messages are through.
struct Stage {
    vendors: Vendors,
    node: Node,
    esme: Esme,
    figures: Figures,
    account: Account,
    _media: MediaNode,
}

pub(crate) async fn run(arguments: Demo) -> Result<ExitCode, Failure> {
    let mut signals = Signals::catch()?;
    let directory = directory()?;
    let log = directory.path().join("node.log");
    let file = File::create(&log).map_err(|error| Failure::run(format!("{}: {error}", log.display())))?;
    logs::init_file(LogFormat::Human, "info", file).map_err(Failure::run)?;
    let data_dir = DataDir::new(&directory.path().join("data"));
    let stage = tokio::select! {
        played = Box::pin(play(&data_dir, &arguments)) => played?,
        signal = signals.next() => return Err(Failure::run(format!("ended by {signal}"))),
    };
    let figures = &stage.figures;
    terminal::out(&if arguments.json {
        figures.json()
    } else {
        figures.table(&stage.vendors, &stage.account)
    });
    let calls = &figures.calls;
    let well = figures.messages.lost == 0
        && calls.failed == 0
        && calls.cdrs == calls.offered
        && figures.media.is_well(calls);
    if !arguments.exit {
        let invitation = show::invitation(&stage.node, &log);
        if arguments.json {
            terminal::note(&invitation)
        } else {
            terminal::out(&format!("\n{invitation}\n"))
        }
        tokio::select! {
            _ = signals.next() => {}
            failure = stage.node.ended() => return Err(failure),
        }
    }
    stage.esme.stop().await;
    stage.node.stop().await;
    Ok(if well { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Starts everybody, sends the messages and places the calls, waits for their ends.
async fn play(data_dir: &DataDir, arguments: &Demo) -> Result<Stage, Failure> {
    let ledger = Arc::new(Ledger::new(RUN, true));
    let (vendors, carriers) = (Vendors::start(&ledger).await?, calls::carriers()?);
    let media = MediaNode::start(arguments.rtpengine.as_deref()).await?;
    let node = Box::pin(Node::start(cast::config(data_dir))).await?;
    // The same way that `warp apply` goes.
    let control = Endpoint::Control(data_dir.control_socket());
    let provisioning = cast::provisioning(&vendors) + &media.provisioning() + &calls::provisioning(&carriers);
    control.post("/v1/control/apply", provisioning).await?;
    vendors_bound(&vendors).await?;
    media.up(&node).await?;

    let options = cast::esme(&node, arguments.messages)?;
    let placing = calls::place(&node, carriers, arguments.calls).await?;
    let started = Instant::now();
    let esme = Esme::start(options, Arc::clone(&ledger)).await.map_err(Failure::run)?;
    let watching = tokio::spawn(show::progress(Arc::clone(&ledger), placing.watch()));
    let (report, settled) = tokio::join!(esme.finish(), calls::settle(placing, node.calls()));
    let elapsed = started.elapsed();
    watching.abort();
    terminal::progress_over();
    let uncertain = node.smpp.metrics.uncertain.get();
    let (account, cdrs) = settled?;
    let carried = media.settle().await?;
    let sent = (&ledger.tally(), &*esme.counters, &report);
    let figures = Figures::new(sent, uncertain, (&account, cdrs), carried, elapsed);
    Ok(Stage { vendors, node, esme, figures, account, _media: media })
}

fn directory() -> Result<TempDir, Failure> {
    let made = tempfile::Builder::new().prefix("warp-demo-").tempdir();
    made.map_err(|error| Failure::run(format!("a temporary directory cannot be made: {error}")))
}

async fn vendors_bound(vendors: &Vendors) -> Result<(), Failure> {
    let deadline = Instant::now() + VENDORS_WITHIN;
    let bound = |smsc: &bench::smpp::smsc::Smsc| smsc.counters.bound.load(Ordering::Relaxed) >= cast::BINDS;
    while !(bound(&vendors.steady) && bound(&vendors.flaky)) {
        if Instant::now() >= deadline {
            let reason = format!("the node did not bind to the simulated vendors within {VENDORS_WITHIN:?}");
            return Err(Failure::run(reason));
        }
        sleep(LOOK_EVERY).await;
    }
    Ok(())
}
