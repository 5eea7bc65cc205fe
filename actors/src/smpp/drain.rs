//! One actor drained by an operator: it takes nothing new, finishes what is under way, and rests.
//!
//! A session is unbound, and has gone then. A bind, or all those of a vendor, awaits the answers to what it
//! sent, unbinds and stays away until the vendor is told to reconnect. A listener closes its socket until it
//! is restarted. No other actor has something of its own to finish: what it does for others ends when it is
//! restarted or the node stops.

use runtime::registry::ActorName;

use super::session_list::{self, Listed};
use super::{Smpp, esme_session, listener, stats, vendor_bind};

/// Kind of the supervisor of one vendor's binds; its key is the vendor's, as theirs is.
const VENDOR_BINDS: &str = "vendor_binds";

/// Why an actor is not drained.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// It is of another kind.
    #[error(
        "{0} has nothing of its own to finish; an esme_session, a vendor_bind, vendor_binds and a listener have"
    )]
    Kind(ActorName),
    /// It is between two incarnations, or has ended.
    #[error("{0} does not run now")]
    NotRunning(ActorName),
}

/// Drains an actor. Returns when a session has ended, and gives it as it was; others are told, and show what
/// becomes of it in the live tree: `held_off`, `drained`.
///
/// # Errors
/// When it is of a kind that has no drain, or does not run.
pub async fn drain(smpp: &Smpp, name: &ActorName) -> Result<Option<Listed>, Error> {
    let told = match name.kind {
        esme_session::KIND => {
            let closed = session_list::close(smpp, name).await;
            return closed.map(Some).ok_or_else(|| Error::NotRunning(name.clone()));
        }
        vendor_bind::KIND => stats::disconnect_bind(smpp, &name.key, name.n),
        VENDOR_BINDS => stats::disconnect(smpp, &name.key),
        listener::KIND => listener::drain(&smpp.registry, name),
        _ => return Err(Error::Kind(name.clone())),
    };
    if told { Ok(None) } else { Err(Error::NotRunning(name.clone())) }
}
