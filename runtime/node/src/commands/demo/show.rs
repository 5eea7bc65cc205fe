//! What a person sees while the demo runs and after it.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bench::ledger::Ledger;
use bench::progress;
use bench::sip::carriers::Watch;
use tokio::time::{Instant, interval};

use super::cast::GUEST;
use crate::start::Node;
use crate::terminal;

/// How often the line is renewed on a terminal, and written elsewhere.
const LIVE_EVERY: Duration = Duration::from_millis(100);
const PLAIN_EVERY: Duration = Duration::from_secs(1);

/// Keeps the progress line current; never ends.
pub(super) async fn progress(ledger: Arc<Ledger>, calls: Watch) {
    let started = Instant::now();
    let mut ticks = interval(if terminal::is_live() { LIVE_EVERY } else { PLAIN_EVERY });
    // The first tick is at once, when there is nothing to tell.
    ticks.tick().await;
    loop {
        ticks.tick().await;
        let seconds = started.elapsed().as_secs_f64();
        terminal::progress(&format!("{seconds:5.1} s  {}; {}", progress::line(ledger.live()), calls.line()));
    }
}

/// How to go on by hand.
pub(super) fn invitation(node: &Node, log: &Path) -> String {
    let ports = &node.ports;
    let smpp = ports.smpp.first().map_or_else(|| "-".to_owned(), ToString::to_string);
    let (system_id, password) = GUEST;
    let data_dir = node.data_dir.path().display();
    format!(
        "The node keeps running; Ctrl-C ends it and removes its directory.\n\
         \x20 SMPP       {smpp}   bind with system_id {system_id}, password {password}\n\
         \x20 API        http://{}   token in {}\n\
         \x20 metrics    http://{}/metrics\n\
         \x20 live tree  warp actors --watch --data-dir {data_dir}\n\
         \x20 records    warp cdrs --data-dir {data_dir}\n\
         \x20 log        {}",
        ports.api,
        node.data_dir.token().display(),
        ports.metrics,
        log.display(),
    )
}
