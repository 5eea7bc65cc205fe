//! What a message is, and who takes it.

use std::borrow::Cow;
use std::sync::Arc;

use sip::transaction::key::{Fallback, RequestParts};
use sip::transaction::{Event, Machine, Server};
use sip::validate::{self, Core};
use sip::{HeaderId, Message, Method, NameAddr, StatusCode, Uri, Via};
use uuid::Uuid;

use super::answers::Answer;
use super::digest::may_say_who;
use super::{Hand, Turn, Worker, identity};
use crate::sip::branch;
use crate::sip::flow::Flow;
use crate::sip::snapshot::{Peer, Snapshot};
use crate::sip::transactions::{Owner, TransactionId};

/// A request, with what everybody asks of it.
#[derive(Clone, Copy)]
pub(super) struct Request<'m> {
    pub(super) message: &'m Message,
    pub(super) method: Method,
    pub(super) flow: Flow,
    /// Where responses go.
    pub(super) reply_to: Flow,
    /// What its places are of: those of another one may be of somebody else.
    pub(super) snapshot: &'m Arc<Snapshot>,
    pub(super) peer: Peer,
    /// By what its trunk has said who it is, where it had to.
    pub(super) answer: Option<Answer>,
    pub(super) core: Core<'m>,
    pub(super) parts: RequestParts<'m>,
}

/// What an unfit request is answered: status and reason; none where nothing is.
type Unfit = Option<(StatusCode, Cow<'static, str>)>;

impl Worker {
    pub(super) fn receive(&mut self, message: &Message, flow: Flow, turn: &mut Turn<'_>) {
        if message.is_request() {
            self.counters.requests.add(1);
        } else {
            self.counters.responses.add(1);
        }
        self.take(message, flow, turn);
    }

    /// Takes up a message, perhaps again.
    pub(super) fn take(&mut self, message: &Message, flow: Flow, turn: &mut Turn<'_>) {
        if message.is_request() {
            self.request(message, flow, turn);
        } else {
            self.response(message, flow, turn);
        }
    }

    fn response(&mut self, message: &Message, flow: Flow, turn: &mut Turn<'_>) {
        let Ok(core) = validate::check(message, &[]) else {
            self.counters.malformed.add(1);
            return;
        };
        let branch = core.via.branch.unwrap_or_default();
        let Some(ours) = branch::read(self.settings.seed, branch) else {
            self.counters.responses_foreign.add(1);
            return;
        };
        let Some(status) = message.status_code().and_then(StatusCode::new) else { return };
        let method = Method::from_bytes(core.cseq.method);
        let Some(id) = self.transactions.find(&self.keys.client(branch, method)) else {
            if self.is_kept_alive(ours, method) {
                return;
            }
            if self.branches.made(ours) {
                self.stray(message, flow, (status, method), turn);
            } else {
                self.orphan(message, flow, (status, method), turn);
            }
            return;
        };
        let owner = self.transactions.get(id).map_or(Owner::Nobody, |transaction| transaction.owner);
        if self.response_waits(owner, (message, flow), status, turn) {
            return;
        }
        if status.is_final() && self.is_repeat(id, message) {
            self.repeated(id);
        }
        let hand = Hand { message: Some((message, flow)), response: None };
        self.advance(id, Event::Response(status), hand, turn);
    }

    /// Whether a final response was here before. Of a vendor that forks, a 2xx with another tag is another one.
    fn is_repeat(&self, id: TransactionId, message: &Message) -> bool {
        let Some(transaction) = self.transactions.get(id) else { return false };
        match &transaction.machine {
            Machine::Client(machine) => machine.state() == sip::transaction::client::State::Completed,
            Machine::ClientInvite(machine) => match machine.state() {
                sip::transaction::client_invite::State::Completed => true,
                sip::transaction::client_invite::State::Accepted => {
                    let dialog = self.dialog_of(transaction.owner).and_then(|id| self.dialogs.get(&id));
                    let tag = to_tag(message).unwrap_or_default();
                    dialog.is_some_and(|dialog| {
                        [&dialog.callee, &dialog.caller].iter().any(|side| side.tag() == tag)
                    })
                }
                sip::transaction::client_invite::State::Calling
                | sip::transaction::client_invite::State::Proceeding
                | sip::transaction::client_invite::State::Terminated => false,
            },
            Machine::ServerInvite(_) | Machine::Server(_) => false,
        }
    }

    /// Something of a call came again: its record says how often.
    fn repeated(&mut self, id: TransactionId) {
        let owner = self.transactions.get(id).map(|transaction| transaction.owner);
        let dialog = owner.and_then(|owner| self.dialog_of(owner));
        if let Some(dialog) = dialog.and_then(|dialog| self.dialogs.get_mut(&dialog)) {
            dialog.repeats = dialog.repeats.saturating_add(1);
        }
    }

    fn dialog_of(&self, owner: Owner) -> Option<Uuid> {
        match owner {
            Owner::Caller(call) | Owner::Branch(call, _) => self.calls.get(call).map(|call| call.dialog),
            Owner::Relay(relay) => Some(relay.dialog),
            Owner::Sender(dialog) => Some(dialog),
            Owner::Nobody | Owner::Probe(_) | Owner::Register(_) | Owner::Bye(..) | Owner::Alive(..) => None,
        }
    }

    fn request(&mut self, message: &Message, flow: Flow, turn: &mut Turn<'_>) {
        let snapshot: &Arc<Snapshot> = &self.snapshot.load();
        let peer = self.settings.peer(snapshot, flow);
        let is_unknown = peer.is_stranger() && !self.is_in_dialog_of(message, flow);
        if is_unknown && !may_say_who(snapshot, message) {
            if !self.answers_keep_alive(message, flow, turn) {
                self.stranger(message, flow, turn);
            }
            return;
        }
        let (core, parts) = match self.read(message, origin(snapshot, peer, flow), flow) {
            Ok(read) => read,
            Err(unfit) => {
                self.counters.malformed.add(1);
                match unfit {
                    _ if is_unknown => self.stranger(message, flow, turn),
                    Some((status, why)) => self.reply_statelessly(message, flow, (status, Some(&why)), turn),
                    None => {}
                }
                return;
            }
        };
        let method = parts.method;
        let reply_to = reply_by(&core.via, flow);
        let request = Request { message, method, flow, reply_to, snapshot, peer, answer: None, core, parts };
        let known = self.transactions.find(&self.keys.server(&parts));
        match known {
            Some(id) if method == Method::Ack => self.ack(id, &request, turn),
            Some(id) => {
                self.counters.retransmissions_received.add(1);
                self.repeated(id);
                self.advance(id, Event::Request, Hand::default(), turn);
            }
            None if is_unknown => self.identify(&request, turn),
            None => self.new_request(&request, turn),
        }
    }

    /// What everybody asks of a request. Else it is unfit, and is answered so or not at all.
    fn read<'m>(
        &self,
        message: &'m Message,
        origin: u64,
        flow: Flow,
    ) -> Result<(Core<'m>, RequestParts<'m>), Unfit> {
        let bad = |why: &'static str| Some((StatusCode::BAD_REQUEST, Cow::Borrowed(why)));
        let core = match validate::check(message, &[identity::PRIVACY]) {
            Ok(core) => core,
            Err(fault) => {
                let status = fault.answer(message);
                return Err(status.map(|status| (status, Cow::Owned(fault.to_string()))));
            }
        };
        // Where the next message begins is anybody's guess then (18.3).
        if flow.connection != 0 && !message.has(HeaderId::ContentLength) {
            return Err(bad("Missing Content-Length Header"));
        }
        let Some(parts) = parts(message, &core, origin) else { return Err(None) };
        // A number that leaves none for a request of ours (8.1.1.5).
        if parts.cseq > CSEQ_MAX {
            return Err(bad("CSeq Too Large"));
        }
        Ok((core, parts))
    }

    fn new_request(&mut self, request: &Request<'_>, turn: &mut Turn<'_>) {
        let message = request.message;
        if request.method == Method::Cancel {
            self.cancel(request, turn);
        } else if request.core.to.tag.is_some() {
            self.in_dialog(request, turn);
        } else if !self.answers_keep_alive(message, request.flow, turn) {
            match request.method {
                Method::Ack => self.counters.acks_dropped.add(1),
                Method::Invite if request.peer.is_asked() => self.ask_who(request, turn),
                // Trunks that are known by their source alone do not register.
                Method::Register if request.peer.is_asked() || !request.snapshot.digests().is_empty() => {
                    self.ask_who(request, turn);
                }
                Method::Invite => self.invite(request, turn),
                Method::Options if self.is_for_us(message) => self.answer(request, StatusCode::OK, turn),
                Method::Bye
                | Method::Cancel
                | Method::Options
                | Method::Register
                | Method::Prack
                | Method::Update
                | Method::Info
                | Method::Subscribe
                | Method::Notify
                | Method::Refer
                | Method::Message
                | Method::Publish
                | Method::Other => self.answer(request, StatusCode::METHOD_NOT_ALLOWED, turn),
            }
        }
    }

    /// An ACK whose transaction is known: it ends the transaction of a refusal. The ACK of a 2xx has a branch of its
    /// own, but some peers use that of the INVITE again.
    fn ack(&mut self, id: TransactionId, request: &Request<'_>, turn: &mut Turn<'_>) {
        let accepted = self.transactions.get(id).is_some_and(|transaction| match &transaction.machine {
            Machine::ServerInvite(machine) => {
                machine.state() == sip::transaction::server_invite::State::Accepted
            }
            Machine::ClientInvite(_) | Machine::Client(_) | Machine::Server(_) => false,
        });
        if accepted {
            self.in_dialog(request, turn);
        } else {
            self.advance(id, Event::Ack, Hand::default(), turn);
        }
    }

    /// A CANCEL has a transaction of its own, answered at once; the INVITE is answered in its own (9.2).
    pub(super) fn cancel(&mut self, request: &Request<'_>, turn: &mut Turn<'_>) {
        let invite = self.transactions.find(&self.keys.cancelled(&request.parts));
        let status =
            if invite.is_some() { StatusCode::OK } else { StatusCode::CALL_OR_TRANSACTION_DOES_NOT_EXIST };
        self.answer(request, status, turn);
        let owner = invite.and_then(|id| self.transactions.get(id)).map(|transaction| transaction.owner);
        if let Some(Owner::Caller(call)) = owner {
            self.call_input(call, sip::proxy::Input::Cancel, Hand::default(), turn);
        }
    }

    /// Answers a request in a transaction of its own, so that it is answered the same way when it comes again.
    pub(super) fn answer(&mut self, request: &Request<'_>, status: StatusCode, turn: &mut Turn<'_>) {
        let Some(id) = self.begin_server(request, turn) else { return };
        let tag = self.tag(request.message);
        if let Some(octets) = self.own_response(request.message, request.flow, (status, None), &tag) {
            self.respond(id, status, &octets, turn);
        }
    }

    /// Begins the server transaction of a request other than INVITE; `None` when there is no room.
    pub(super) fn begin_server(
        &mut self,
        request: &Request<'_>,
        turn: &mut Turn<'_>,
    ) -> Option<TransactionId> {
        let mut actions = self.memory.actions.pop().unwrap_or_default();
        let machine = Server::start(transport(request.flow), &self.settings.timers, &mut actions);
        let key = self.keys.server(&request.parts);
        let id = self.transactions.insert(Machine::Server(machine), key, Owner::Nobody, request.reply_to);
        if let Some(transaction) = id.and_then(|id| self.transactions.get_mut(id)) {
            transaction.message = request.message.bytes().clone();
        }
        if let Some(id) = id {
            self.perform(id, actions, Hand::default(), turn);
        } else {
            self.counters.overload.add(1);
        }
        id
    }

    pub(super) fn peer(&self, flow: Flow) -> Peer {
        self.settings.peer(&self.snapshot.load(), flow)
    }

    /// Whether the request names us, and nobody behind us, as its target.
    fn is_for_us(&self, message: &Message) -> bool {
        let uri = message.request_uri().and_then(|uri| Uri::parse(uri).ok()).and_then(Uri::sip);
        !message.has(HeaderId::Route) && uri.is_some_and(|uri| self.is_ours(&uri))
    }

    /// Whether a URI leads to us.
    pub(super) fn is_ours(&self, uri: &sip::SipUri<'_>) -> bool {
        self.settings.listeners.iter().any(|listener| listener.is_named(uri.host, uri.port))
    }

    pub(super) fn stranger(&mut self, message: &Message, flow: Flow, turn: &mut Turn<'_>) {
        self.counters.strangers.add(1);
        let answered = self.settings.answer_strangers
            && message.method().is_some_and(|method| method != Method::Ack)
            && self.strangers.take_attempt(self.settings.strangers_per_second, turn.now.instant);
        if answered {
            self.reply_statelessly(message, flow, (StatusCode::FORBIDDEN, None), turn);
        } else {
            self.counters.strangers_dropped.add(1);
        }
    }
}

/// The largest CSeq that is taken: RFC 3261 allows less than 2^31, and a BYE of ours has to come after it.
const CSEQ_MAX: u32 = (1 << 31) - 10_000;

/// Whom transactions are kept apart by.
///
/// By numbers and not by places: a change of the configuration between a request and its retransmission changes nothing.
fn origin(snapshot: &Snapshot, peer: Peer, flow: Flow) -> u64 {
    let trunk = peer.trunk.or(peer.listed);
    let trunk = trunk.and_then(|place| snapshot.trunk(place)).map(|trunk| trunk.config.number);
    let vendor = peer.vendor.and_then(|place| snapshot.vendor(place)).map(|vendor| vendor.config.number);
    match (trunk, vendor) {
        (Some(trunk), _) => u64::from(trunk),
        (None, Some(vendor)) => 1 << 32 | u64::from(vendor),
        (None, None) => 1 << 33 | branch::digest_of((0, 0), [flow.peer.ip().to_string().as_bytes()]) >> 31,
    }
}

fn parts<'m>(message: &'m Message, core: &Core<'m>, origin: u64) -> Option<RequestParts<'m>> {
    let Core { via, from, to, call_id, cseq } = core;
    Some(RequestParts {
        method: message.method()?,
        branch: via.branch.unwrap_or_default(),
        sent_by: sent_by(via.octets),
        call_id,
        cseq: cseq.number,
        origin,
        fallback: Fallback {
            request_uri: message.request_uri()?,
            to_tag: to.tag.unwrap_or_default(),
            from_tag: from.tag.unwrap_or_default(),
            top_via: via.octets,
        },
    })
}

/// Where the responses to a request go (18.2.2; RFC 3581 4): back to where it came from, to the port that its Via
/// names unless it asks for the one it was sent from. What else a Via says would let a stranger aim us.
pub(super) fn reply_to(message: &Message, flow: Flow) -> Option<Flow> {
    let via = Via::parse(message.list(HeaderId::Via).next()?).ok()?;
    Some(reply_by(&via, flow))
}

/// The same, of the top Via.
const fn reply_by(via: &Via<'_>, flow: Flow) -> Flow {
    if flow.connection != 0 || via.rport.is_some() {
        return flow;
    }
    let mut peer = flow.peer;
    peer.set_port(match via.port {
        Some(port) => port,
        None => 5060,
    });
    Flow { peer, ..flow }
}

/// Host and port of a Via: the last word before its parameters.
fn sent_by(via: &[u8]) -> &[u8] {
    let before = via.split(|octet| *octet == b';').next().unwrap_or_default();
    before.trim_ascii().rsplit(u8::is_ascii_whitespace).next().unwrap_or_default()
}

pub(super) fn from_tag(message: &Message) -> Option<&[u8]> {
    NameAddr::parse(message.value(HeaderId::From)?).ok()?.tag
}

pub(super) fn to_tag(message: &Message) -> Option<&[u8]> {
    NameAddr::parse(message.value(HeaderId::To)?).ok()?.tag
}

/// How a flow delivers.
pub(super) const fn transport(flow: Flow) -> sip::transaction::Transport {
    use runtime::model::Transport::{Tcp, Tls, Udp};
    match flow.transport {
        Udp => sip::transaction::Transport::Unreliable,
        Tcp | Tls => sip::transaction::Transport::Reliable,
    }
}
