//! Posts what is owed to an ESME account to its webhook: receipts and messages, signed.
//!
//! Owns: the posts under way and those that wait for another try. Its key is the account's system_id
//! (`webhook:acme:0`), its parent the `webhooks` supervisor, its restart policy permanent. A crash loses nothing: what
//! was under way goes back to the account's outbox, whose rows stay in the log until the customer has answered 2xx or
//! they expire. A post whose answer was lost comes again with the same id.
//!
//! An account with a webhook gets everything there, whatever sessions of it are bound.

mod payload;
mod serve;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use ractor::{Actor, ActorProcessingErr, ActorRef};
use runtime::config::WebhookOptions;
use runtime::http_client::{HttpClient, Limits};
use runtime::registry::{ActorName, Observation, Observe, Registration};
use runtime::supervision::{ChildSpec, Restart, Seat, Start};
use runtime::tls::{ClientTls, Error as TlsError};

use self::serve::Serve;
use super::Smpp;
use super::account::Account;

/// Kind of a sender's name.
pub const KIND: &str = "webhook";

/// What a sender is told.
#[derive(Clone)]
pub struct Options {
    /// The SMPP side of the node.
    pub smpp: Arc<Smpp>,
    /// Whose webhook it is; where and what signs stands in its settings.
    pub account: Arc<Account>,
    /// Posts.
    pub client: HttpClient,
}

/// The client that posts.
///
/// # Errors
/// When the authorities of TLS cannot be loaded.
pub fn client(options: &WebhookOptions) -> Result<HttpClient, TlsError> {
    let limits = Limits { whole: options.timeout.get(), body_octets_max: 0, ..Limits::default() };
    Ok(HttpClient::new(ClientTls::new(None)?, options.policy()).with_limits(limits))
}

/// The actor.
pub struct Webhook;

/// What a running sender holds; the data path is [`Serve`].
pub struct State {
    _registration: Registration,
}

/// Nothing is said to a sender: its account wakes it.
#[derive(Debug)]
pub enum Message {}

const _: () = assert!(size_of::<Message>() == 0);

/// What operators see of a sender.
#[derive(Debug, Default)]
pub(super) struct Counters {
    posted: AtomicU64,
    failed: AtomicU64,
    waiting: AtomicUsize,
    /// The last failure is younger than the last success.
    failing: std::sync::atomic::AtomicBool,
}

impl Actor for Webhook {
    type Msg = Message;
    type State = State;
    type Arguments = (Seat, Options);

    async fn pre_start(
        &self,
        myself: ActorRef<Message>,
        (seat, options): (Seat, Options),
    ) -> Result<State, ActorProcessingErr> {
        let counters = Arc::new(Counters::default());
        let registration = seat.register(observe(&counters));
        let serve = Serve::new(options, counters);
        seat.attach(myself.get_cell(), serve.run(seat.shutdown.clone()));
        Ok(State { _registration: registration })
    }
}

fn observe(counters: &Arc<Counters>) -> Observe {
    let counters = Arc::clone(counters);
    Arc::new(move || Observation {
        state: if counters.failing.load(Ordering::Relaxed) { "failing" } else { "working" }.into(),
        queue_depth: counters.waiting.load(Ordering::Relaxed) as u64,
        counters: vec![
            ("posted", counters.posted.load(Ordering::Relaxed)),
            ("failed", counters.failed.load(Ordering::Relaxed)),
        ],
        note: None,
    })
}

/// The name of an account's sender.
#[must_use]
pub fn name(account: &Account) -> ActorName {
    ActorName::new(KIND, account.settings.load().account.system_id.to_string())
}

/// The sender as a child of the `webhooks` supervisor.
#[must_use]
pub fn child_spec(options: Options) -> ChildSpec {
    let (name, shutdown) = (name(&options.account), options.smpp.options.unbind.get());
    let start = Start::actor(move |seat: Seat| {
        let options = options.clone();
        async move { Ok(seat.spawn(Webhook, (seat.clone(), options)).await?.get_cell()) }
    });
    ChildSpec::new(name, Restart::Permanent, start).shutdown(shutdown)
}

#[cfg(test)]
mod tests;
