//! Reads back deliveries that memory does not hold.
//!
//! Owns: the reads of the outbox. Its key is `outbox_loader:main:0`, its parent the `log` supervisor, its
//! restart policy permanent. A crash loses the page that was being read; its account asks again.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use ractor::{Actor, ActorProcessingErr, ActorRef};
use runtime::registry::{ActorName, Observation, Observe, Registration};
use runtime::supervision::{ChildSpec, Restart, Seat, Start};
use tokio::sync::Notify;
use tokio::time::sleep;

use super::Smpp;
use super::account::Account;
use super::outbox::BACKLOG_MAX;
use super::receipts::shed;

/// Wait after a read that failed.
const RETRY: Duration = Duration::from_secs(1);

/// A page that an account asks for.
struct Page {
    account: Arc<Account>,
    after: i64,
    up_to: i64,
}

/// How others reach the loader. An account asks for one page at a time, so the line is as long as there are
/// accounts at most.
#[derive(Default)]
pub struct Handle {
    pages: Mutex<VecDeque<Page>>,
    wake: Notify,
    loaded: AtomicU64,
}

impl Handle {
    /// Asks for a page of an account's deliveries: rows with ids above `after`; there are some up to `up_to`.
    pub fn load(&self, account: Arc<Account>, after: i64, up_to: i64) {
        self.pages.lock().push_back(Page { account, after, up_to });
        self.wake.notify_one();
    }
}

/// The actor.
pub struct OutboxLoader;

/// What the running loader holds.
pub struct State {
    _registration: Registration,
}

/// Nothing is said to the loader: it is reached through its [`Handle`].
#[derive(Debug)]
pub enum Message {}

const _: () = assert!(size_of::<Message>() == 0);

impl Actor for OutboxLoader {
    type Msg = Message;
    type State = State;
    type Arguments = (Seat, Arc<Smpp>);

    async fn pre_start(
        &self,
        myself: ActorRef<Message>,
        (seat, smpp): (Seat, Arc<Smpp>),
    ) -> Result<State, ActorProcessingErr> {
        let registration = seat.register(observe(&smpp));
        seat.attach(myself.get_cell(), load(smpp));
        Ok(State { _registration: registration })
    }
}

pub(super) async fn load(smpp: Arc<Smpp>) -> Result<(), std::convert::Infallible> {
    loop {
        let page = smpp.loader.pages.lock().pop_front();
        match page {
            Some(page) => on_page(&smpp, page).await,
            None => smpp.loader.wake.notified().await,
        }
    }
}

async fn on_page(smpp: &Smpp, page: Page) {
    let asked = Asked(Some(&page.account));
    // What was spilled a moment ago must be there to be read.
    smpp.log.barrier().await;
    let limit = u32::try_from(BACKLOG_MAX).unwrap_or(u32::MAX);
    match smpp.log.store().outbox(page.account.id, page.after, limit).await {
        Ok(rows) => {
            smpp.loader.loaded.fetch_add(rows.len() as u64, Ordering::Relaxed);
            asked.answered();
            page.account.outbox.loaded(rows, page.up_to, BACKLOG_MAX);
            shed(smpp, &page.account);
        }
        Err(error) => {
            tracing::warn!(%error, "deliveries could not be read back");
            sleep(RETRY).await;
        }
    }
}

/// An account that asked; told that it must ask again when the loader fails on the way.
struct Asked<'a>(Option<&'a Account>);

impl Asked<'_> {
    fn answered(mut self) {
        self.0 = None;
    }
}

impl Drop for Asked<'_> {
    fn drop(&mut self) {
        if let Some(account) = self.0 {
            account.outbox.load_failed();
        }
    }
}

fn observe(smpp: &Arc<Smpp>) -> Observe {
    let smpp = Arc::clone(smpp);
    Arc::new(move || Observation {
        state: "working".into(),
        queue_depth: smpp.loader.pages.lock().len() as u64,
        counters: vec![("loaded", smpp.loader.loaded.load(Ordering::Relaxed))],
        note: None,
    })
}

/// The loader as a child of the `log` supervisor.
#[must_use]
pub fn child_spec(smpp: Arc<Smpp>) -> ChildSpec {
    let start = Start::actor(move |seat: Seat| {
        let smpp = Arc::clone(&smpp);
        async move { Ok(seat.spawn(OutboxLoader, (seat.clone(), smpp)).await?.get_cell()) }
    });
    ChildSpec::new(ActorName::new("outbox_loader", "main"), Restart::Permanent, start)
}
