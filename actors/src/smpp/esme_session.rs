//! A customer's session: we are the SMSC.
//!
//! Owns: the socket after the bind, the window of `deliver_sm` that the customer has not answered, and the
//! responses that wait for the message log. Its key is system_id and number (`esme_session:acme:17`), its
//! parent one of the session shards, its restart policy temporary: a dead socket is not revived, the customer
//! binds again. A crash loses nothing acknowledged: accepted messages are in the log, deliveries that were
//! under way go back to the account's outbox.

mod deliver;
mod serve;
mod submit;

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use ractor::{Actor, ActorProcessingErr, ActorRef};
use runtime::registry::{ActorName, Observation, Observe, Registration};
use runtime::supervision::{ChildSpec, Restart, Seat, Start};
use smpp::pdu::BindMode;

use self::serve::Serve;
use super::Smpp;
use super::account::BoundAccount;
use super::connection::Connection;

/// Kind of a session's name.
pub const KIND: &str = "esme_session";

/// A connection that has bound.
pub struct Bound {
    /// The socket, the bind response in its output.
    pub connection: Connection,
    /// The account, one bind taken.
    pub account: BoundAccount,
    /// What the customer may do.
    pub mode: BindMode,
    /// Where it comes from.
    pub peer: SocketAddr,
}

/// The actor.
pub struct EsmeSession;

/// What a running session holds; the data path is [`Serve`].
pub struct State {
    _registration: Registration,
}

/// Nothing is said to a session: its supervisor asks it to end, its socket and its account wake it.
#[derive(Debug)]
pub enum Message {}

const _: () = assert!(size_of::<Message>() == 0);

/// What operators see of a session.
#[derive(Debug, Default)]
pub(super) struct Counters {
    submitted: AtomicU64,
    refused: AtomicU64,
    delivered: AtomicU64,
    unanswered: AtomicUsize,
}

impl Actor for EsmeSession {
    type Msg = Message;
    type State = State;
    type Arguments = (Seat, Arc<Smpp>, Bound);

    async fn pre_start(
        &self,
        myself: ActorRef<Message>,
        (seat, smpp, bound): (Seat, Arc<Smpp>, Bound),
    ) -> Result<State, ActorProcessingErr> {
        let counters = Arc::new(Counters::default());
        let registration = seat.register(observe(&bound, &counters));
        let serve = Serve::new(smpp, bound, counters);
        seat.attach(myself.get_cell(), serve.run(seat.shutdown.clone()));
        Ok(State { _registration: registration })
    }
}

fn observe(bound: &Bound, counters: &Arc<Counters>) -> Observe {
    let state = match bound.mode {
        BindMode::Transmitter => "bound_tx",
        BindMode::Receiver => "bound_rx",
        BindMode::Transceiver => "bound_trx",
    };
    let (counters, peer) = (Arc::clone(counters), bound.peer);
    Arc::new(move || Observation {
        state: state.into(),
        queue_depth: counters.unanswered.load(Ordering::Relaxed) as u64,
        counters: vec![
            ("submitted", counters.submitted.load(Ordering::Relaxed)),
            ("refused", counters.refused.load(Ordering::Relaxed)),
            ("delivered", counters.delivered.load(Ordering::Relaxed)),
        ],
        note: Some(peer.to_string()),
    })
}

/// The session as a child of a session shard.
#[must_use]
pub fn child_spec(smpp: Arc<Smpp>, bound: Bound) -> ChildSpec {
    let number = smpp.session_numbers.fetch_add(1, Ordering::Relaxed);
    let name = ActorName::nth(KIND, bound.account.system_id(), number);
    let shutdown = smpp.options.unbind.get();
    let start = Start::actor_once(move |seat: Seat| async move {
        Ok(seat.spawn(EsmeSession, (seat.clone(), smpp, bound)).await?.get_cell())
    });
    ChildSpec::new(name, Restart::Temporary, start).shutdown(shutdown)
}

#[cfg(test)]
mod tests;
