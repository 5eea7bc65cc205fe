//! A vendor's SMSC as the node meets it: takes binds and submit_sm, answers with message ids after a delay,
//! sends delivery receipts on any receiving bind of the system_id, misbehaves on request. Every message that
//! it takes is written into the [`Ledger`] by the marker in its text.

use std::collections::HashMap;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::net::TcpListener;
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::Instant;

use crate::hash::mix;
use crate::ledger::Ledger;
use crate::net;
use crate::wire::Wire;

pub use self::id::IdFormat;
pub use self::mo::MoOptions;

mod id;
mod mo;
mod outbox;
mod receipt;
mod session;

use self::mo::Mo;
use self::outbox::Outbox;
use self::session::Session;

/// How a simulated SMSC behaves. The default is a vendor at its best.
#[derive(Clone, Debug)]
pub struct SmscOptions {
    /// Where it listens; port 0 picks one.
    pub listen: SocketAddr,
    /// The system_id and password that may bind; `None` lets any pair in.
    pub credentials: Option<(String, String)>,
    /// From submit_sm to submit_sm_resp.
    pub answer_delay: Duration,
    /// How message ids are written in submit_sm_resp.
    pub answer_id: IdFormat,
    /// How the same id is written in receipts.
    pub receipt_id: IdFormat,
    /// From the answer to the receipt.
    pub receipt_delay: Duration,
    /// Counts `receipt_delay` from the submit_sm instead, so that receipts may overtake answers.
    pub receipts_early: bool,
    /// Adds receipted_message_id and message_state to the text of a receipt.
    pub receipt_tlvs: bool,
    /// The share of wanted receipts that is ever sent, 0 to 1.
    pub receipt_share: f64,
    /// The share of messages reported UNDELIV instead of DELIVRD, 0 to 1.
    pub failed_share: f64,
    /// The share of submit_sm answered with ESME_RTHROTTLED, 0 to 1.
    pub throttled_share: f64,
    /// submit_sm a second per bind beyond which it answers ESME_RTHROTTLED, as real vendors do; 0 is no limit.
    pub throughput_max: u64,
    /// Loses the connection at every Nth submit_sm of a bind, which it takes but leaves unanswered; 0 is never.
    pub drop_every: u64,
    /// Receipts and MO messages outstanding per bind.
    pub deliver_window: usize,
    /// Acknowledges every TCP segment at once.
    pub quick_ack: bool,
    /// MO messages to send.
    pub mo: Option<MoOptions>,
}

impl Default for SmscOptions {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            credentials: None,
            answer_delay: Duration::ZERO,
            answer_id: IdFormat::Hex,
            receipt_id: IdFormat::Hex,
            receipt_delay: Duration::ZERO,
            receipts_early: false,
            receipt_tlvs: true,
            receipt_share: 1.0,
            failed_share: 0.0,
            throttled_share: 0.0,
            throughput_max: 0,
            drop_every: 0,
            deliver_window: 1000,
            quick_ack: true,
            mo: None,
        }
    }
}

/// A running SMSC; dropping it closes every connection at once.
#[derive(Debug)]
pub struct Smsc {
    /// Where it listens.
    pub addr: SocketAddr,
    /// What it did so far.
    pub counters: Arc<Counters>,
    accepting: JoinHandle<()>,
}

/// What an SMSC did, live.
#[derive(Debug, Default)]
pub struct Counters {
    /// Connections that are bound now.
    pub bound: AtomicU64,
    /// Binds accepted since the start.
    pub binds: AtomicU64,
    /// Binds refused.
    pub binds_refused: AtomicU64,
    /// submit_sm received, refused ones included.
    pub submits: AtomicU64,
    /// submit_sm taken.
    pub taken: AtomicU64,
    /// submit_sm answered with ESME_RTHROTTLED.
    pub throttled: AtomicU64,
    /// Receipts written; one that is written again after a lost connection counts twice.
    pub receipts_sent: AtomicU64,
    /// Receipts answered with ESME_ROK.
    pub receipts_answered: AtomicU64,
    /// deliver_sm answered with another status; sent again after a second.
    pub delivers_refused: AtomicU64,
    /// MO messages written.
    pub mo_sent: AtomicU64,
    /// Connections that it dropped on purpose.
    pub drops: AtomicU64,
    /// Texts without a marker of this run.
    pub unmarked: AtomicU64,
    /// Texts that are not the ones their marker was made for.
    pub corrupt: AtomicU64,
    /// PDUs that could not be read.
    pub malformed: AtomicU64,
}

/// What all connections of one SMSC share.
#[derive(Debug)]
struct Shared {
    options: SmscOptions,
    ledger: Arc<Ledger>,
    counters: Arc<Counters>,
    outboxes: Mutex<HashMap<Vec<u8>, Arc<Outbox>>>,
    /// The number behind the last message id given out.
    last_number: AtomicU64,
    mo: Option<Mo>,
}

impl Smsc {
    /// Listens and serves until dropped. Errors: the address cannot be bound.
    pub async fn start(options: SmscOptions, ledger: Arc<Ledger>) -> io::Result<Self> {
        let listener = net::listen(options.listen).await?;
        let addr = listener.local_addr()?;
        let counters = Arc::new(Counters::default());
        // Numbers of different SMSCs start far apart, as those of real vendors do.
        let first_number = mix(u64::from(addr.port())) >> 24;
        let shared = Shared {
            mo: options.mo.clone().map(|mo| Mo::new(mo, Instant::now())),
            options,
            ledger,
            counters: Arc::clone(&counters),
            outboxes: Mutex::default(),
            last_number: AtomicU64::new(first_number),
        };
        let accepting = tokio::spawn(accept(listener, Arc::new(shared)));
        Ok(Self { addr, counters, accepting })
    }
}

impl Drop for Smsc {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

async fn accept(listener: TcpListener, shared: Arc<Shared>) {
    // Aborted with this task, so that dropping the SMSC drops every connection.
    let mut sessions = JoinSet::new();
    loop {
        let Ok((stream, _)) = listener.accept().await else { return };
        let Ok(wire) = Wire::new(stream, shared.options.quick_ack) else { continue };
        sessions.spawn(Session::new(Arc::clone(&shared), wire).run());
        while sessions.try_join_next().is_some() {}
    }
}

impl Shared {
    fn outbox(&self, system_id: &[u8]) -> Arc<Outbox> {
        Arc::clone(self.outboxes.lock().entry(system_id.to_vec()).or_default())
    }

    fn next_number(&self) -> u64 {
        self.last_number.fetch_add(1, Ordering::Relaxed) + 1
    }
}

/// Whether a thing that happens to `share` of all messages happens to this one; always the same answer for
/// the same message, so that a copy meets the same fate.
fn falls_to(share: f64, id: u64, salt: u64) -> bool {
    if share <= 0.0 {
        return false;
    }
    let draw = mix(mix(id ^ (salt << 48)).wrapping_add(salt)) >> 11;
    (draw as f64) < share * (1_u64 << 53) as f64
}

#[cfg(test)]
mod tests;
