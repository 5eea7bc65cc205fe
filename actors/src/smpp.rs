//! SMPP: customers' sessions, vendors' binds, and the path of a message between them.
//!
//! MT: [`listener`] -> [`esme_session`] -> [`accept`] (limits, [`routing`]) -> message log -> `submit_sm_resp`
//! -> [`vendor_bind`] -> receipt -> [`receipts`] -> [`outbox`] -> [`esme_session`]. MO: [`vendor_bind`] ->
//! [`mo`] -> [`outbox`] -> [`esme_session`]. What these share is [`Smpp`]: data, not an actor.

pub mod accept;
pub mod account;
pub mod bind_request;
pub mod classify;
pub mod compose;
pub mod connection;
pub mod dlr_tracker;
pub mod drain;
pub mod esme_session;
pub mod explain;
pub mod listener;
pub mod manage;
pub mod message;
pub mod message_log;
pub mod message_router;
pub mod metrics;
pub mod mo;
pub mod outbox;
pub mod outbox_loader;
pub mod prepare;
pub mod queue;
pub mod receipt_form;
pub mod receipt_index;
pub mod receipts;
pub mod recovery;
pub mod retention;
pub mod routing;
pub mod session_list;
pub mod stats;
pub mod throttle;
pub mod tree;
pub mod vendor;
pub mod vendor_bind;
pub mod webhook;

#[cfg(test)]
mod simulation;
#[cfg(test)]
mod testing;

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU32, AtomicU64};
use std::time::Duration;

use arc_swap::ArcSwap;
use parking_lot::Mutex;
use runtime::clock::{SharedClock, Timestamp};
use runtime::config::SmppOptions;
use runtime::log::MessageLog;
use runtime::model::{IdGenerator, MessageId, Messaging};
use runtime::net::Net;
use runtime::random::Random;
use runtime::registry::Registry;
use runtime::store::announce::Announcements;
use runtime::supervision::Intensity;
use tokio::sync::watch;
use uuid::Uuid;

use self::account::{Account, Accounts};
use self::metrics::Metrics;
use self::receipt_index::ReceiptIndex;
use self::routing::Table;
use self::vendor::{Vendor, Vendors};

/// Restarts in a supervisor of long-lived children. Reached, under the pauses between restarts, by one child that
/// cannot live, after minutes.
const INTENSITY: Intensity = Intensity { restarts: 20, within: Duration::from_secs(300) };

/// What all SMPP actors of one node share.
pub struct Smpp {
    /// Configuration of the node.
    pub options: SmppOptions,
    /// Wall time.
    pub clock: SharedClock,
    /// Randomness.
    pub random: Random,
    /// The network.
    pub net: Arc<dyn Net>,
    /// Names and the live tree.
    pub registry: Registry,
    /// The message log.
    pub log: MessageLog,
    /// Message ids.
    pub ids: IdGenerator,
    /// Metrics.
    pub metrics: Metrics,
    /// Customers, numbers and the rest of the configuration, swapped whole.
    pub config: ArcSwap<Messaging>,
    /// Routes, swapped whole.
    pub routes: ArcSwap<Table>,
    /// Numbers of ours and the accounts that get their messages, swapped whole.
    pub dids: ArcSwap<HashMap<String, Uuid>>,
    /// Accounts, swapped whole; each lives on.
    pub accounts: ArcSwap<Accounts>,
    /// Vendors, swapped whole; each lives on.
    pub vendors: ArcSwap<Vendors>,
    /// Vendors that left the configuration and may still have messages in their queue.
    pub gone: Mutex<Vec<Arc<Vendor>>>,
    /// Messages whose receipt is awaited.
    pub receipts: ReceiptIndex,
    /// To the DLR tracker.
    pub tracker: dlr_tracker::Handle,
    /// To the outbox loader.
    pub loader: outbox_loader::Handle,
    /// Sessions bound now.
    pub sessions: AtomicU32,
    /// Number of the next session.
    pub session_numbers: AtomicU32,
    /// submit_sm accepted since start.
    pub submitted: AtomicU64,
    /// deliver_sm written to customers since start.
    pub delivered: AtomicU64,
    /// Binds since start.
    pub binds: AtomicU64,
    /// Taken by whoever changes a message after reading its row, so that two do not finish one message.
    pub off_path: tokio::sync::Mutex<()>,
    /// True once everything that waited before the start is in memory.
    pub loaded: AtomicBool,
    /// Messages from before the start have been read back up to this id.
    pub read_back_to: AtomicI64,
    /// Messages with a lower id are from before the start.
    pub recovered_below: AtomicI64,
    /// True once recovery is done and binds may submit.
    pub recovered: watch::Sender<bool>,
    /// True when the node drains: no new session, no new message.
    pub draining: AtomicBool,
    /// Says that the configuration has changed.
    pub announcements: Announcements,
}

/// What [`Smpp::new`] needs.
pub struct Parts {
    /// Configuration of the node.
    pub options: SmppOptions,
    /// Number of the node.
    pub node: u16,
    /// Wall time.
    pub clock: SharedClock,
    /// Randomness.
    pub random: Random,
    /// The network.
    pub net: Arc<dyn Net>,
    /// Names and the live tree.
    pub registry: Registry,
    /// The message log.
    pub log: MessageLog,
    /// Metrics.
    pub metrics: Metrics,
    /// Says that the configuration has changed.
    pub announcements: Announcements,
}

impl Smpp {
    /// The shared side of a node that knows no customer and no vendor yet.
    #[must_use]
    pub fn new(parts: Parts) -> Arc<Self> {
        let in_memory_max = usize::try_from(parts.options.receipts_in_memory_max).unwrap_or(usize::MAX);
        Arc::new(Self {
            receipts: ReceiptIndex::new(in_memory_max),
            options: parts.options,
            clock: parts.clock,
            random: parts.random,
            net: parts.net,
            registry: parts.registry,
            log: parts.log,
            ids: IdGenerator::new(parts.node),
            metrics: parts.metrics,
            config: ArcSwap::from_pointee(Messaging::default()),
            routes: ArcSwap::from_pointee(Table::default()),
            dids: ArcSwap::from_pointee(HashMap::new()),
            accounts: ArcSwap::from_pointee(Accounts::default()),
            vendors: ArcSwap::from_pointee(Vendors::new()),
            gone: Mutex::default(),
            tracker: dlr_tracker::Handle::default(),
            loader: outbox_loader::Handle::default(),
            sessions: AtomicU32::new(0),
            session_numbers: AtomicU32::new(0),
            submitted: AtomicU64::new(0),
            delivered: AtomicU64::new(0),
            binds: AtomicU64::new(0),
            off_path: tokio::sync::Mutex::new(()),
            loaded: AtomicBool::new(false),
            read_back_to: AtomicI64::new(0),
            recovered_below: AtomicI64::new(0),
            recovered: watch::Sender::new(false),
            draining: AtomicBool::new(false),
            announcements: parts.announcements,
        })
    }

    /// Wall time now.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// The next id.
    #[must_use]
    pub fn next_id(&self, now: Timestamp) -> MessageId {
        self.ids.next(now)
    }

    /// An account by its key.
    #[must_use]
    pub fn account(&self, id: Uuid) -> Option<Arc<Account>> {
        self.accounts.load().get(id).cloned()
    }

    /// A vendor by its key.
    #[must_use]
    pub fn vendor(&self, id: Uuid) -> Option<Arc<Vendor>> {
        self.vendors.load().get(&id).cloned()
    }
}
