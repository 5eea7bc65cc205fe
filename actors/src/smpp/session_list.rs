//! Customers' sessions, as operators see them, and the end of one.
//!
//! What is shown is what sessions say of themselves in the registry; whoever lists them asks no session.

use std::sync::atomic::Ordering;

use runtime::clock::Timestamp;
use runtime::registry::ActorName;
use serde::Serialize;
use uuid::Uuid;

use super::{Smpp, esme_session, tree};

/// Body of `GET /v1/smpp/sessions`.
#[derive(Debug, Serialize)]
pub struct Page {
    /// Sessions bound on this node, those of other pages too.
    pub live: u32,
    /// By system_id and number.
    pub sessions: Vec<Listed>,
    /// The session that the next page begins behind; none on the last.
    pub next: Option<ActorName>,
}

/// One session.
#[derive(Debug, Serialize)]
pub struct Listed {
    /// Its name in the registry: `esme_session:acme:17`.
    pub name: ActorName,
    /// Its account.
    pub system_id: String,
    /// The customer, while the account is configured.
    pub customer_id: Option<Uuid>,
    /// The customer's BAN.
    pub ban: Option<String>,
    /// `bound_tx`, `bound_rx` or `bound_trx`.
    pub state: String,
    /// Where it comes from.
    pub peer: Option<String>,
    /// When it was bound.
    pub since: Timestamp,
    /// Messages that it submitted.
    pub submitted: u64,
    /// Of its requests those that were refused.
    pub refused: u64,
    /// deliver_sm that it acknowledged.
    pub delivered: u64,
    /// deliver_sm that it has not answered.
    pub unanswered: u64,
}

/// Which sessions of a list.
#[derive(Debug, Clone, Copy, Default)]
pub struct Wanted<'a> {
    /// Of this account.
    pub system_id: Option<&'a str>,
    /// Behind this one.
    pub after: Option<&'a ActorName>,
}

/// Sessions by system_id and number, at most `limit`.
pub async fn page(smpp: &Smpp, wanted: Wanted<'_>, limit: usize) -> Page {
    let mut names = tree::sessions(&smpp.registry).children().await;
    names.retain(|name| {
        wanted.system_id.is_none_or(|system_id| name.key == system_id)
            && wanted.after.is_none_or(|after| name > after)
    });
    names.sort_unstable();
    let more = names.len() > limit;
    names.truncate(limit);
    Page {
        live: smpp.sessions.load(Ordering::Relaxed),
        // One may have ended since.
        sessions: names.iter().filter_map(|name| find(smpp, name)).collect(),
        next: names.pop().filter(|_| more),
    }
}

/// One session, while it is bound.
pub fn find(smpp: &Smpp, name: &ActorName) -> Option<Listed> {
    let seen = smpp.registry.get(name).filter(|_| name.kind == esme_session::KIND)?;
    let accounts = smpp.accounts.load();
    let customer = accounts.by_system_id(&name.key).map(|account| account.settings.load().customer.clone());
    let counted = |counter: &str| {
        let found = seen.counters.iter().find(|(name, _)| *name == counter);
        found.map_or(0, |(_, count)| *count)
    };
    Some(Listed {
        name: name.clone(),
        system_id: name.key.clone(),
        customer_id: customer.as_ref().map(|customer| customer.id),
        ban: customer.map(|customer| customer.ban.to_string()),
        since: seen.since,
        submitted: counted("submitted"),
        refused: counted("refused"),
        delivered: counted("delivered"),
        unanswered: seen.queue_depth,
        state: seen.state.into_owned(),
        peer: seen.note,
    })
}

/// Ends a session in order: it gets the answers that it is owed and an unbind, and the time that an unbind has. Gives it
/// as it was, or none when there is no such session. What was on the way to it goes back to its account.
pub async fn close(smpp: &Smpp, name: &ActorName) -> Option<Listed> {
    let session = find(smpp, name)?;
    tree::sessions(&smpp.registry).remove(name).await.ok()?;
    Some(session)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use runtime::supervision::Supervisor;
    use smpp::CommandId;
    use smpp::pdu::BindMode;
    use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};

    use super::*;
    use crate::smpp::account::BoundAccount;
    use crate::smpp::connection::Connection;
    use crate::smpp::esme_session::Bound;
    use crate::smpp::testing;

    async fn bind(smpp: &Arc<Smpp>) -> DuplexStream {
        let (ours, stream) = duplex(64 * 1024);
        let account = smpp.accounts.load().by_system_id("acme").cloned().unwrap();
        let bound = Bound {
            connection: Connection::new(Box::new(ours), 65_536),
            account: BoundAccount::take(account).unwrap(),
            mode: BindMode::Transceiver,
            peer: ([127, 0, 0, 1], 1).into(),
        };
        let session = esme_session::child_spec(Arc::clone(smpp), bound);
        tree::sessions(&smpp.registry).add(session).await.unwrap();
        stream
    }

    /// Answers an unbind, and sees the end of the stream.
    async fn unbind(stream: &mut DuplexStream) {
        let mut header = [0; 16];
        stream.read_exact(&mut header).await.unwrap();
        assert_eq!(header[4..8], CommandId::UNBIND.0.to_be_bytes());
        header[4..8].copy_from_slice(&CommandId::UNBIND_RESP.0.to_be_bytes());
        stream.write_all(&header).await.unwrap();
        assert_eq!(stream.read(&mut header).await.unwrap(), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn sessions_are_listed_by_pages_and_unbound_on_request() {
        let (smpp, _disk) = testing::smpp(testing::config());
        let supervisor = Supervisor::spawn(tree::sessions_spec(), &smpp.registry).await.unwrap();
        let mut streams = Vec::new();
        for _ in 0..3 {
            streams.push(bind(&smpp).await);
        }
        let first = page(&smpp, Wanted::default(), 2).await;
        assert_eq!((first.live, first.sessions.len()), (3, 2));
        let session = &first.sessions[0];
        assert_eq!((session.system_id.as_str(), session.ban.as_deref()), ("acme", Some("TB-000000001")));
        assert_eq!((session.state.as_str(), session.peer.as_deref()), ("bound_trx", Some("127.0.0.1:1")));
        let after = first.next.as_ref();
        let last = page(&smpp, Wanted { after, ..Wanted::default() }, 2).await;
        assert_eq!((last.sessions.len(), last.next), (1, None));
        let others = page(&smpp, Wanted { system_id: Some("acm"), after: None }, 2).await;
        assert!(others.sessions.is_empty());

        let name = &session.name;
        let (closed, ()) = tokio::join!(close(&smpp, name), unbind(&mut streams[0]));
        assert_eq!(closed.unwrap().name, *name);
        assert!(close(&smpp, name).await.is_none(), "it has gone");
        assert!(close(&smpp, &ActorName::nth("sessions", "smpp", 1)).await.is_none(), "it is no session");
        assert_eq!(page(&smpp, Wanted::default(), 10).await.sessions.len(), 2);
        drop(streams);
        supervisor.stop().await;
    }
}
