//! Messages that are passed on: what a proxy changes in them, and what it keeps to itself (RFC 3261 16.6, 16.7).

use std::io::Write;
use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use runtime::log::Reason;
use runtime::model::Transport;
use sip::proxy::{self, BranchId};
use sip::{Edits, HeaderId, List, Message, NameAddr, StatusCode, Uri, Via};
use uuid::Uuid;

use super::call::{Attempt, Kind};
use super::challenged::{restore_number, restore_unknown};
use super::hide::Back;
use super::media::Described;
use super::receive::{from_tag, reply_to, to_tag};
use super::{Hand, Turn, Worker, identity};
use crate::sip::cookie::Cookie;
use crate::sip::dialog::{self, Dialog, End, Side};
use crate::sip::event::{Answered, CallEvent, What};
use crate::sip::flow::Flow;
use crate::sip::hiding::{self, Sender, Veil};
use crate::sip::session_timer;
use crate::sip::snapshot::Target;
use crate::sip::transactions::CallId;

/// Headers that say who somebody is: they pass between trusted parties only, as do all that begin with `X-`.
const IDENTITY: [&[u8]; 13] = [
    b"P-Asserted-Identity",
    b"P-Preferred-Identity",
    b"P-Asserted-Service",
    b"P-Preferred-Service",
    b"P-Charging-Vector",
    b"P-Charging-Function-Addresses",
    b"P-Access-Network-Info",
    b"P-Charge-Info",
    b"P-Served-User",
    b"P-Associated-URI",
    b"Remote-Party-ID",
    b"Diversion",
    b"History-Info",
];

/// What a peer proves to us who it is with is nobody else's to see.
const CREDENTIALS: [&[u8]; 2] = [b"Authorization", b"Proxy-Authorization"];

/// Hops of a request that does not say (16.6 step 3), and of one that says more than there are.
const MAX_FORWARDS: u8 = 70;

/// How a request leaves.
#[derive(Clone, Copy)]
pub(super) struct Leave<'a> {
    /// Where it came from.
    pub(super) source: Flow,
    /// The listener that it leaves by.
    pub(super) listener: u16,
    /// Our branch.
    pub(super) branch: &'a [u8],
    /// Route elements at the top that name us.
    pub(super) own_routes: usize,
    /// Whether identities pass.
    pub(super) trusted: bool,
    /// Whether they then pass as they came.
    pub(super) identities: bool,
    /// Whether its sender is not to be known to whom it goes to.
    pub(super) withheld: bool,
    /// The caller's name as the next hop knows it, and the header that it stands in, where the sender knows another.
    pub(super) caller: Option<(HeaderId, &'a [u8])>,
    /// The Call-ID as each side of its dialog knows it, the sender's first, where one of them is not shown the other.
    pub(super) names: Option<hiding::Ids<'a>>,
    /// Whether the next hop is not shown where it comes from.
    pub(super) hides: bool,
    /// Seconds that are asked for in what refreshes a call.
    pub(super) session_asked: Option<u32>,
}

impl Worker {
    /// How an INVITE is served that has no vendor's settings.
    pub(super) fn own_options(&self) -> proxy::Options {
        proxy::Options { timer_c: self.settings.timer_c, ..proxy::Options::default() }
    }

    /// The way to a target: by the listener that the call came on where that can send there, else by the first that
    /// can.
    pub(super) fn flow_out(&self, target: &Target, source: Flow) -> Option<Flow> {
        self.flow_over(target.transport, target, source)
    }

    pub(super) fn flow_over(&self, transport: Transport, target: &Target, source: Flow) -> Option<Flow> {
        self.flow_by(transport, target.address, source)
    }

    /// The same to any address.
    pub(super) fn flow_by(&self, transport: Transport, peer: SocketAddr, source: Flow) -> Option<Flow> {
        let fits = |place: usize| {
            self.settings.listeners.get(place).is_some_and(|listener| {
                listener.transport == transport && listener.address.is_ipv4() == peer.is_ipv4()
            })
        };
        let own = usize::from(source.listener);
        let place = Some(own).filter(|own| fits(*own));
        let place = place.or_else(|| (0..self.settings.listeners.len()).find(|place| fits(*place)))?;
        let listener = u16::try_from(place).ok()?;
        Some(Flow { listener, transport, peer, connection: 0 })
    }

    /// A request within a dialog, as it goes to the other side.
    ///
    /// Its Request-URI and Route are what the dialog knows them to be, whatever the sender wrote: they decide where a
    /// vendor sends it on to. With it come the seconds that its sender is told to refresh the call within, where the
    /// answer says nothing.
    pub(super) fn request_within(
        &mut self,
        message: &Message,
        (leave, sender): (&Leave<'_>, (Uuid, End)),
        to: &Side,
    ) -> Option<(Bytes, Option<u32>)> {
        let mut edits = Edits::new(message);
        pass_on(&mut edits, leave, &self.settings, &mut self.memory.text)?;
        if leave.withheld {
            identity::hide(&mut edits)?;
        }
        if let Some((id, name)) = leave.caller
            && message.value(id) != Some(name)
        {
            edits.set(id, name).ok()?;
        }
        if leave.hides {
            self.hide_names(&mut edits, leave)?;
        }
        if let Some((_, call_id)) = leave.names
            && message.value(HeaderId::CallId) != Some(call_id)
        {
            edits.set(HeaderId::CallId, call_id).ok()?;
        }
        let session =
            leave.session_asked.map_or(Some(None), |asked| session_timer::ask(&mut edits, asked))?;
        // A strict router put us in the place of the target, and that at the end of the route (16.4).
        let strict = message.request_uri().and_then(|uri| Uri::parse(uri).ok()).and_then(Uri::sip);
        let strict = strict.is_some_and(|uri| self.is_ours(&uri) && uri.params.get(b"w").is_some());
        let last = message.list(HeaderId::Route).last();
        let target = match last.filter(|_| strict) {
            Some(last) => NameAddr::parse(last).ok()?.uri,
            None => message.request_uri()?,
        };
        // Where a Contact is not known, a hidden side may have it.
        let dialog = self.dialogs.get(&sender.0).filter(|dialog| dialog.hides.is_from(sender.1));
        let opened = dialog.filter(|_| to.target.is_empty());
        let opened = opened.and_then(|_| hiding::sealed_target(&self.settings, message));
        let target = if to.target.is_empty() { target } else { &to.target };
        let target = opened.as_deref().unwrap_or(target);
        let next = dialog::strict(target, List::new(&to.routes));
        let next = next.map(|(uri, routes)| (uri, routes.join(&b", "[..])));
        let (target, routes) = match &next {
            Some((uri, routes)) => (*uri, routes.as_slice()),
            None => (target, &*to.routes),
        };
        if strict || target != message.request_uri()? {
            edits.set_request_uri(target).ok()?;
        }
        let rest = message.list(HeaderId::Route).skip(leave.own_routes);
        if !strict && rest.eq(List::new(routes)) {
            if leave.own_routes > 0 {
                edits.pop_routes(leave.own_routes).ok()?;
            }
        } else {
            edits.remove(HeaderId::Route).ok()?;
            if !routes.is_empty() {
                edits.push_route(routes).ok()?;
            }
        }
        if leave.names.is_some() {
            hiding::name_calls(&mut edits, leave.names)?;
        }
        let octets = self.edited(&edits)?;
        if !leave.hides {
            return Some((octets, session));
        }
        let sender = Sender { dialog: sender.0, end: sender.1, name: b"" };
        Some((Veil::new(&self.settings, leave.listener)?.by(sender).request(octets)?, session))
    }

    /// From and To of a request within a dialog of a side that is not shown the other one: either may be written anew
    /// with each of them (RFC 4916).
    fn hide_names(&self, edits: &mut Edits<'_>, leave: &Leave<'_>) -> Option<()> {
        let host = &self.settings.listeners.get(usize::from(leave.listener))?.sent_by;
        let known = leave.caller.map(|(id, _)| id);
        for id in [HeaderId::From, HeaderId::To].into_iter().filter(|id| Some(*id) != known) {
            let value = edits.message().value(id)?;
            if let Some(name) = hiding::with_host(&self.settings, value, host) {
                edits.set(id, &name).ok()?;
            }
        }
        Some(())
    }

    /// A vendor's response goes to the caller.
    pub(super) fn forward_response(
        &mut self,
        id: CallId,
        (branch, status): (BranchId, StatusCode),
        hand: Hand<'_>,
        turn: &mut Turn<'_>,
    ) {
        let Some((message, flow)) = hand.message else { return };
        let Some(call) = self.calls.get(id) else { return };
        let (server, kind, dialog, number) = (call.server, call.kind, call.dialog, call.number);
        let attempt = call.attempts.get(branch.index());
        let asked = attempt.and_then(|attempt| attempt.session).filter(|_| status.is_success());
        let carried = attempt.and_then(Attempt::carried_elsewhere);
        // A fork that answers after the call of another one has ended is nobody's.
        let known = self.dialogs.contains_key(&dialog);
        if kind == Kind::Initial && status.is_success() && !known {
            self.end_at_vendor(id, branch, hand, turn);
            return;
        }
        // At its node a call has one callee: another one that answers too would take its place.
        if kind == Kind::Initial && status.is_success() && self.is_further(dialog, message) {
            self.end_at_vendor(id, branch, hand, turn);
            return;
        }
        // An answer that nobody could hear.
        if kind == Kind::Initial && status.is_success() && turn.described == Described::Lost {
            self.end_at_vendor(id, branch, hand, turn);
            if let Some(call) = self.calls.get_mut(id) {
                call.hung_up.get_or_insert(Reason::MediaFailed);
            }
            self.respond_to_caller(id, super::FULL, turn);
            return;
        }
        let initial = kind == Kind::Initial;
        let back = Back { dialog, from: kind.sender(), server, number, initial, carried };
        let answer =
            |edits: &mut Edits<'_>| asked.map_or(Some(()), |asked| session_timer::answer(edits, asked));
        let Some(octets) = self.response_back(message, back, answer) else {
            if kind == Kind::Initial && status.is_success() {
                self.end_at_vendor(id, branch, hand, turn);
            }
            if status.is_final() {
                self.respond_to_caller(id, StatusCode::SERVER_INTERNAL_ERROR, turn);
            }
            return;
        };
        match kind {
            Kind::Initial => {
                self.learn_callee(id, (branch, status), (message, flow), turn);
                if status.is_success() {
                    let media = self.dialogs.get(&dialog).and_then(|dialog| dialog.media.as_ref());
                    self.delete_stale(id, media.map(|anchor| anchor.node), turn);
                }
            }
            Kind::Refresh(from) if status.is_success() => {
                let request = self.calls.get(id).and_then(|call| call.setup.as_ref());
                // Sent again, it says nothing new, and what came after it stands.
                if let Some(request) = request.map(|setup| (setup.request.clone(), setup.source)) {
                    self.refresh((dialog, from), Some(request), (message, flow, asked), turn);
                }
            }
            Kind::Refresh(_) => {}
        }
        self.respond(server, status, &octets, turn);
        // It was answered while we ended it.
        let hung_up = self.calls.get(id).and_then(|call| call.hung_up);
        if let Some(reason) = hung_up.filter(|_| kind == Kind::Initial && status.is_success()) {
            self.end_call(dialog, (reason, turn.now), turn);
        }
    }

    /// What every response loses and gets back on its way to the side that sent the request, with this number where that is
    /// known; `None` when it cannot.
    pub(super) fn towards_sender(
        &self,
        edits: &mut Edits<'_>,
        dialog: Uuid,
        from: End,
        number: Option<u32>,
    ) -> Option<()> {
        let dialog = self.dialogs.get(&dialog);
        match dialog.filter(|dialog| dialog.trusted) {
            None => strip(edits)?,
            Some(dialog) if !dialog.identities => identity::strip(edits)?,
            Some(_) => {}
        }
        // Of a call that is over nobody knows any more whether its caller may be known.
        if from == End::Callee && dialog.is_none_or(|dialog| dialog.is_withheld()) {
            identity::hide(edits)?;
        }
        edits.pop_via().ok()?;
        edits.ensure_content_length().ok()?;
        restore_number(edits, (dialog, from), number)?;
        let Some(dialog) = dialog else { return Some(()) };
        let own = dialog.call_id_of(from);
        if edits.message().value(HeaderId::CallId) != Some(own) {
            edits.set(HeaderId::CallId, own).ok()?;
        }
        restore_caller(edits, dialog, from)?;
        if from == End::Callee { restore_callee(edits, dialog) } else { Some(()) }
    }

    /// What a response loses on its way to somebody of whose call nothing is known.
    pub(super) fn towards_unknown(edits: &mut Edits<'_>, given: Option<&Cookie>) -> Option<()> {
        strip(edits)?;
        restore_unknown(edits, given)?;
        edits.pop_via().ok()?;
        edits.ensure_content_length().ok()
    }

    /// What a response to the first INVITE tells of the callee.
    fn learn_callee(
        &mut self,
        id: CallId,
        (branch, status): (BranchId, StatusCode),
        (message, flow): (&Message, Flow),
        turn: &mut Turn<'_>,
    ) {
        let Some(call) = self.calls.get_mut(id) else { return };
        let number = call.dialog;
        let attempt = call.attempts.get_mut(branch.index());
        // Others ring at the same time: what is known of this one is its attempt's alone.
        let own = attempt.as_ref().filter(|_| call.context.is_parallel());
        let own = own.map(|attempt| (attempt.flow, attempt.pinned, attempt.anchor.clone()));
        let attempt = attempt.filter(|_| status.is_success());
        let anchor = attempt.as_ref().and_then(|attempt| attempt.anchor.clone());
        let (channel, asked) =
            attempt.map(|attempt| (attempt.channel.take(), attempt.session)).unwrap_or_default();
        // It may have been given up, and answers before the next one is asked.
        if let (Some(anchor), Some(setup)) = (&anchor, &mut call.setup) {
            setup.stale.retain(|stale| stale.branch != anchor.branch);
        }
        let routes = self.routes_within(message, Some(number));
        let Some(dialog) = self.dialogs.get_mut(&number) else { return };
        let tag = to_tag(message).unwrap_or_default();
        // A further 2xx of a vendor that forks: the caller acknowledges and ends what it does not want.
        let further = dialog.confirmed;
        if further && (!status.is_success() || dialog.callee.tag() == tag) {
            return;
        }
        let answers = status.is_success() && !further;
        let side =
            if answers { Some(dialog.callee_answers(tag, flow)) } else { dialog.callee_heard(tag, flow) };
        if let Some(side) = side {
            if let Some((flow, pinned, media)) = own {
                if side.tag().is_empty() {
                    (side.flow, side.pinned) = (flow, pinned);
                }
                side.media = media.filter(|_| !answers);
            }
            side.learn_routes(routes.iter().rev().copied());
            side.learn_response(message, flow);
        }
        if answers {
            dialog.session = session_timer::agreed(message, asked);
            dialog.media = anchor;
            // The caller is taken for heard too: the call was not up before.
            dialog.seen.hear(End::Callee, turn.now);
            dialog.seen.hear(End::Caller, turn.now);
            let answered = Answered { dialog: Arc::new(Dialog::clone(dialog)), channel };
            self.counters.answers.add(1);
            let what = What::Answered(Box::new(answered));
            turn.out.events.push(CallEvent { dialog: number, at: turn.now, what });
        }
    }

    /// Record-Routes of those between us and who answers, as they stand in its response: the far end first.
    pub(super) fn routes_to_callee<'m>(&self, response: &'m Message) -> Vec<&'m [u8]> {
        self.routes_within(response, None)
    }

    /// The same of a dialog that is known: where the call came round through us, ours of a later round are among them.
    pub(super) fn routes_within<'m>(&self, response: &'m Message, dialog: Option<Uuid>) -> Vec<&'m [u8]> {
        let own = hiding::own_route(&self.settings, response, dialog);
        response.list(HeaderId::RecordRoute).take(own.unwrap_or(usize::MAX)).collect()
    }

    /// A 2xx to a target refresh of one side: both may have a new target.
    pub(super) fn refresh(
        &mut self,
        (dialog, from): (Uuid, End),
        request: Option<(Message, Flow)>,
        (response, flow, asked): (&Message, Flow, Option<u32>),
        turn: &mut Turn<'_>,
    ) {
        let Some(found) = self.dialogs.get_mut(&dialog) else { return };
        let tag = callee_tag(response, from);
        if let (Some((request, source)), Some(side)) = (request, found.party_mut(from, tag)) {
            let back = reply_to(&request, source).filter(|_| side.pinned);
            side.learn_target(&request, back.unwrap_or(source));
        }
        if let Some(side) = found.party_mut(from.other(), tag) {
            side.learn_target(response, flow);
        }
        if !found.confirmed || found.callee.tag() != tag {
            return;
        }
        found.session = session_timer::agreed(response, asked);
        found.seen.hear(from.other(), turn.now);
        let what = What::Refreshed(Arc::new(Dialog::clone(found)));
        turn.out.events.push(CallEvent { dialog, at: turn.now, what });
    }

    pub(super) fn edited(&mut self, edits: &Edits<'_>) -> Option<Bytes> {
        self.written(|out| {
            edits.write(out);
            true
        })
    }
}

/// The caller's name as the sender of the request wrote it, where the other side was shown another.
fn restore_caller(edits: &mut Edits<'_>, dialog: &Dialog, from: End) -> Option<()> {
    let (id, name) = match from {
        // Whatever the callee made of it.
        End::Caller => (HeaderId::From, &*dialog.caller.name),
        // Where it was shown nothing else, what it wrote there is its matter.
        End::Callee => match dialog.caller_for(from, from) {
            Some(known) => known,
            None => return Some(()),
        },
    };
    let value = edits.message().value(id)?;
    let same_tag = NameAddr::parse(value).ok().and_then(|value| value.tag) == Some(dialog.caller.tag());
    if name.is_empty() || !same_tag || *value == *name {
        return Some(());
    }
    edits.set(id, name).ok()
}

/// The callee's name as it writes itself in a response to its request, where the caller was shown another.
fn restore_callee(edits: &mut Edits<'_>, dialog: &Dialog) -> Option<()> {
    let value = edits.message().value(HeaderId::From)?;
    let tag = NameAddr::parse(value).ok().and_then(|value| value.tag).unwrap_or_default();
    let known = dialog.party(End::Callee, tag).filter(|_| dialog.hides.caller && !tag.is_empty());
    match known.map(|side| &*side.name) {
        Some(name) if name != value => edits.set(HeaderId::From, name).ok(),
        _ => Some(()),
    }
}

/// The callee's tag in a request of one side, or in a response to it.
pub(super) fn callee_tag(message: &Message, from: End) -> &[u8] {
    let tag = match from {
        End::Caller => to_tag(message),
        End::Callee => from_tag(message),
    };
    tag.unwrap_or_default()
}

/// What every request that is passed on gets: Via stamped and one more, Max-Forwards, identities taken off.
pub(super) fn pass_on(
    edits: &mut Edits<'_>,
    leave: &Leave<'_>,
    settings: &crate::sip::settings::Settings,
    text: &mut Vec<u8>,
) -> Option<()> {
    let message = edits.message();
    let top = Via::parse(message.list(HeaderId::Via).next()?).ok()?;
    edits.stamp_via(&top, leave.source.peer).ok()?;
    let listener = settings.listeners.get(usize::from(leave.listener))?;
    text.clear();
    write!(text, "SIP/2.0/{} {};branch=", listener.via_transport(), listener.sent_by).ok()?;
    text.extend_from_slice(leave.branch);
    edits.push_via(text).ok()?;
    edits.set_max_forwards(hops_left(message)).ok()?;
    // A stream has no other end of a message: without it a body would be read as the next request.
    edits.ensure_content_length().ok()?;
    for name in CREDENTIALS {
        edits.remove_named(name).ok()?;
    }
    if !leave.trusted {
        strip(edits)
    } else if !leave.identities {
        identity::strip(edits)
    } else {
        Some(())
    }
}

/// Max-Forwards of a request that is passed on; 0 was refused before.
fn hops_left(message: &Message) -> u8 {
    let value = message.value(HeaderId::MaxForwards).and_then(|value| std::str::from_utf8(value).ok());
    let hops = value.and_then(|value| value.trim().parse::<u8>().ok());
    hops.map_or(MAX_FORWARDS, |hops| hops.saturating_sub(1))
}

/// Takes identities off.
fn strip(edits: &mut Edits<'_>) -> Option<()> {
    edits.remove_where(|header| is_identity(header.name)).ok()
}

fn is_identity(name: &[u8]) -> bool {
    let is = |known: &[u8]| known.len() == name.len() && known.eq_ignore_ascii_case(name);
    name.get(..2).is_some_and(|start| start.eq_ignore_ascii_case(b"X-")) || IDENTITY.into_iter().any(is)
}
