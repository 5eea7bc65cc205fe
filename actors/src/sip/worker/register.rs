//! REGISTER of a trunk that has said who it is (RFC 3261, 10.3): handed to the registrar, and answered when
//! that says what came of it.
//!
//! A trunk has one address of record: its username, at whatever host its equipment knows us by. The
//! transaction waits meanwhile, and absorbs what comes again.

use bytes::Bytes;
use runtime::clock::Timestamp;
use sip::register::{Error, Listed, Registration};
use sip::transaction::Event;
use sip::{HeaderId, Message, NameAddr, Response, SipUri, StatusCode, Uri};
use slotmap::{Key, KeyData};
use uuid::Uuid;

use super::receive::Request;
use super::{FULL, Hand, Turn, Worker};
use crate::sip::bindings::Ask;
use crate::sip::flow::{Flow, Outbound};
use crate::sip::registrar::{Asker, Outcome, ToRegistrar, Told};
use crate::sip::snapshot::Snapshot;
use crate::sip::transactions::TransactionId;

/// The extension of REGISTER that is known here (RFC 3327).
const PATH: &[u8] = b"path";
/// Characters of what a peer calls itself that are kept.
const USER_AGENT_MAX: usize = 128;

/// REGISTERs of a trunk that are taken in a second, for each contact that it may have: more is no equipment that renews
/// them, and would take the room of other trunks.
const PER_CONTACT: usize = 2;
/// After so many seconds a trunk may try again that has sent more.
const RETRY_AFTER: &[u8] = b"5";

/// What a REGISTER is answered.
struct Reply {
    status: StatusCode,
    /// Another reason phrase than the usual one.
    reason: Option<String>,
    headers: Vec<(&'static str, Vec<u8>)>,
}

impl Reply {
    const fn plain(status: StatusCode) -> Self {
        Self { status, reason: None, headers: Vec::new() }
    }

    fn too_many() -> Self {
        let reason = Some("Too Many Registrations Per Second".to_owned());
        Self { reason, headers: vec![("Retry-After", RETRY_AFTER.to_vec())], ..Self::plain(FULL) }
    }

    fn refused(error: Error, expires_min: u32) -> Self {
        let brief = error.status() == StatusCode::INTERVAL_TOO_BRIEF;
        let headers =
            if brief { vec![("Min-Expires", expires_min.to_string().into_bytes())] } else { Vec::new() };
        Self { status: error.status(), reason: Some(error.to_string()), headers }
    }

    /// 200 with all that is bound (10.3 step 8), and the Path that the request came by (RFC 3327, 5.3).
    fn bound(request: &Message, bound: &[Listed], now: Timestamp) -> Self {
        let contact = |listed: &Listed| ("Contact", listed.to_string().into_bytes());
        let mut headers: Vec<_> = bound.iter().map(contact).collect();
        headers.extend(request.list(HeaderId::Path).map(|path| ("Path", path.to_vec())));
        let date = now.utc().format("%a, %d %b %Y %H:%M:%S GMT").to_string();
        headers.push(("Date", date.into_bytes()));
        Self { headers, ..Self::plain(StatusCode::OK) }
    }
}

impl Worker {
    /// A REGISTER of the trunk at this place.
    pub(super) fn register(&mut self, request: &Request<'_>, trunk: u32, turn: &mut Turn<'_>) {
        self.counters.registers.add(1);
        // As much room is left as for calls: what is taken already goes on.
        if !(self.open && self.transactions.has_room()) {
            self.counters.overload.add(1);
            self.refuse_register(request, &Reply::plain(FULL), turn);
            return;
        }
        if !self.is_within_rate(request, trunk, turn) {
            self.refuse_register(request, &Reply::too_many(), turn);
            return;
        }
        let Some(id) = self.begin_server(request, turn) else {
            self.refuse_register(request, &Reply::plain(FULL), turn);
            return;
        };
        if !self.counts(request, turn) {
            let full = Reply::plain(FULL);
            self.reply_to_register(id, (request.message, request.flow), &full, turn);
            return;
        }
        match self.asked(request, trunk) {
            Ok(ask) => {
                let (worker, incarnation) = (self.number, self.incarnation);
                let asker = Asker { worker, incarnation, transaction: id.data().as_ffi() };
                turn.out.registers.push(ToRegistrar { asker, ask, came: turn.now.instant });
            }
            Err(reply) => self.reply_to_register(id, (request.message, request.flow), &reply, turn),
        }
    }

    fn is_within_rate(&self, request: &Request<'_>, trunk: u32, turn: &Turn<'_>) -> bool {
        let rate = self.settings.registrations.bindings_max.saturating_mul(PER_CONTACT);
        let rate = u32::try_from(rate).unwrap_or(u32::MAX);
        let trunk = request.snapshot.trunk(trunk);
        trunk.is_none_or(|trunk| trunk.usage.take_register(rate, turn.now.instant))
    }

    /// Refuses a REGISTER without state.
    fn refuse_register(&mut self, request: &Request<'_>, reply: &Reply, turn: &mut Turn<'_>) {
        self.counters.registers_refused.add(1);
        if let Some(octets) = self.register_reply((request.message, request.flow), reply) {
            let flow = request.reply_to;
            turn.out.messages.push(Outbound { flow, octets, sender: Outbound::NOBODY });
        }
    }

    /// The registrar says what came of a REGISTER.
    pub(super) fn registered(&mut self, told: Told, turn: &mut Turn<'_>) {
        let Told { asker, outcome } = told;
        if asker.incarnation != self.incarnation {
            return;
        }
        let id = TransactionId::from(KeyData::from_ffi(asker.transaction));
        let Some((flow, request)) = self.stored_request(id) else {
            // It would wait for ever.
            self.advance(id, Event::Abandon, Hand::default(), turn);
            return;
        };
        if !request.is_request() {
            // It was answered already: the answer is stored.
            return;
        }
        let reply = match outcome {
            Outcome::Bound(bound) => Reply::bound(&request, &bound, turn.now.wall),
            Outcome::Refused(error) => self.refusal(error),
            Outcome::Failed => Reply::plain(FULL),
        };
        self.reply_to_register(id, (&request, flow), &reply, turn);
    }

    /// What a REGISTER asks the registrar for, where it may (10.3 steps 2 to 5).
    fn asked(&self, request: &Request<'_>, trunk: u32) -> Result<Ask, Reply> {
        let message = request.message;
        let unknown = |tag: &&[u8]| !tag.eq_ignore_ascii_case(PATH);
        let unknown: Vec<&[u8]> = message.list(HeaderId::Require).filter(unknown).collect();
        if !unknown.is_empty() {
            let headers = vec![("Unsupported", unknown.join(&b", "[..]))];
            return Err(Reply { headers, ..Reply::plain(StatusCode::BAD_EXTENSION) });
        }
        if request.snapshot.trunk(trunk).is_none_or(|trunk| !trunk.served) {
            return Err(Reply::plain(StatusCode::FORBIDDEN));
        }
        let own = address_of_record(request.snapshot, trunk)
            .filter(|(_, username)| is_of(&request.core.to, username));
        let (trunk, _) = own.ok_or_else(|| Reply::plain(StatusCode::FORBIDDEN))?;
        let registration = Registration::read(message).map_err(|error| self.refusal(error))?;
        let user_agent = message.value(HeaderId::UserAgent).map(shown).unwrap_or_default();
        Ok(Ask { trunk, registration, flow: request.flow, user_agent })
    }

    fn refusal(&self, error: Error) -> Reply {
        Reply::refused(error, self.settings.registrations.expires_min)
    }

    fn reply_to_register(
        &mut self,
        id: TransactionId,
        (request, flow): (&Message, Flow),
        reply: &Reply,
        turn: &mut Turn<'_>,
    ) {
        self.counters.registers_refused.add(u64::from(!reply.status.is_success()));
        match self.register_reply((request, flow), reply) {
            Some(octets) => self.respond(id, reply.status, &octets, turn),
            // It would wait for ever.
            None => self.advance(id, Event::Abandon, Hand::default(), turn),
        }
    }

    fn register_reply(&mut self, (request, flow): (&Message, Flow), reply: &Reply) -> Option<Bytes> {
        let tag = self.tag(request);
        let headers: Vec<(&str, &[u8])> =
            reply.headers.iter().map(|(name, value)| (*name, value.as_slice())).collect();
        let response = Response {
            reason: reply.reason.as_deref(),
            to_tag: Some(&tag),
            source: Some(flow.peer),
            headers: &headers,
            ..Response::new(reply.status)
        };
        self.written(|out| response.write(request, out).is_ok())
    }
}

/// The key of the trunk at a place, and the username that its address of record has.
fn address_of_record(snapshot: &Snapshot, trunk: u32) -> Option<(Uuid, String)> {
    let config = &snapshot.trunk(trunk)?.config;
    Some((config.id, config.digest.as_ref()?.username.clone()))
}

/// Whether a To is the address of record of a username; hosts are rewritten on the way.
fn is_of(to: &NameAddr<'_>, username: &str) -> bool {
    let Some(own) = to.uri().ok().and_then(Uri::sip) else { return false };
    // The one character of usernames that a URI has to escape.
    let user = username.replace('@', "%40");
    SipUri { user: Some(user.as_bytes()), ..own }.is_equivalent(&own)
}

/// Text of a peer, for people.
fn shown(text: &[u8]) -> String {
    String::from_utf8_lossy(text).chars().filter(|shown| !shown.is_control()).take(USER_AGENT_MAX).collect()
}
