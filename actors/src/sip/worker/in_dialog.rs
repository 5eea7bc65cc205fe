//! Requests within dialogs: whose they are by the sealed cookie, whether their sender may, and where they go.

mod sender;
mod ways;

use std::net::SocketAddr;
use std::sync::Arc;

use runtime::clock::Timestamp;
use runtime::model::NumberRule;
use sip::proxy::forward::NonInvite;
use sip::{HeaderId, Message, Method, NameAddr, StatusCode, Uri};

use super::call::{Kind, Setup, Way};
use super::forward::Leave;
use super::media::Described;
use super::orphan::RINGS_MAX;
use super::receive::Request;
use super::{Turn, Worker, admit, identity, perform};
use crate::sip::anchor::Anchor;
use crate::sip::branch;
use crate::sip::cookie::{self, Cookie};
use crate::sip::dialog::{Dialog, End, Seen, Side};
use crate::sip::event::{Answered, Attempted, CallEvent, Started, What};
use crate::sip::flow::{Flow, Outbound};
use crate::sip::number::dialled;
use crate::sip::routing::{self, Direction};
use crate::sip::session_timer;
use crate::sip::snapshot::{Peer, Snapshot};
use crate::sip::transactions::{Now, Owner, Relay};

/// What the Route of a request says of its dialog.
#[derive(Clone, Copy)]
struct Located<'m> {
    cookie: Cookie,
    /// Who sends.
    from: End,
    /// The callee's tag: which of a vendor's forks it is about.
    callee_tag: &'m [u8],
    /// Route elements that name us.
    own_routes: usize,
    /// Whether the tags are the dialog's own.
    own_tags: bool,
    /// Whether the dialog is known for this request alone.
    passing: bool,
}

/// Why a request within a dialog is refused.
type Refused = StatusCode;

const GONE: Refused = StatusCode::CALL_OR_TRANSACTION_DOES_NOT_EXIST;

impl Worker {
    pub(super) fn in_dialog(&mut self, request: &Request<'_>, turn: &mut Turn<'_>) {
        self.counters.in_dialog.add(u64::from(turn.described == Described::Raw));
        match self.admitted(request, turn) {
            Ok(located) => {
                self.pass_within(request, located, turn);
                if located.passing
                    && let Some(dialog) = self.dialogs.remove(&located.cookie.dialog)
                    && request.method == Method::Bye
                {
                    // It leaves no record.
                    self.release(&dialog, turn);
                }
            }
            Err(_) if request.method == Method::Ack => {
                self.counters.in_dialog_refused.add(1);
                self.counters.acks_dropped.add(1);
            }
            Err(status) => {
                self.counters.in_dialog_refused.add(1);
                self.reply_statelessly(request.message, request.flow, (status, None), turn);
            }
        }
    }

    /// Opens the cookie that our Record-Route gave to both sides; `from` and `to` are the tags of the message.
    fn locate<'m>(
        &self,
        message: &'m Message,
        (from, to): (Option<&'m [u8]>, Option<&'m [u8]>),
    ) -> Option<Located<'m>> {
        let own = message.list(HeaderId::Route).map_while(|element| {
            let uri = NameAddr::parse(element).ok()?.uri().ok()?.sip()?;
            self.is_ours(&uri).then(|| uri.params.get(b"w").and_then(|param| param.value))
        });
        let (mut own_routes, mut sealed) = (0, None);
        for found in own {
            own_routes += 1;
            sealed = sealed.or(found);
        }
        if sealed.is_none() {
            // A strict router sends to us as if we were the target.
            let uri = message.request_uri().and_then(|uri| Uri::parse(uri).ok()).and_then(Uri::sip)?;
            sealed = uri.params.get(b"w").and_then(|param| param.value).filter(|_| self.is_ours(&uri));
        }
        let sealed = sealed?;
        let call_id = message.value(HeaderId::CallId)?;
        let (from, to) = (from.unwrap_or_default(), to.unwrap_or_default());
        let open = |caller_tag| self.settings.cookies.open(sealed, &cookie::Call { call_id, caller_tag });
        let (cookie, from, callee_tag) = match open(from) {
            Ok(cookie) => (cookie, End::Caller, to),
            Err(_) => (open(to).ok()?, End::Callee, from),
        };
        Some(Located { cookie, from, callee_tag, own_routes, own_tags: true, passing: false })
    }

    fn admitted<'m>(&mut self, request: &Request<'m>, turn: &mut Turn<'_>) -> Result<Located<'m>, Refused> {
        let message = request.message;
        let tags = (request.core.from.tag, request.core.to.tag);
        let mut located = self.locate(message, tags).ok_or(GONE)?;
        let Located { cookie, from, callee_tag, .. } = located;
        if !self.is_sender(&located, request.method, request.flow) {
            return Err(StatusCode::FORBIDDEN);
        }
        match self.dialogs.get(&cookie.dialog) {
            // A transfer is a new call that nobody was asked for.
            Some(dialog) if request.method == Method::Refer && !dialog.trusted => {
                return Err(StatusCode::FORBIDDEN);
            }
            // An attempt that failed, or was given up, took its early dialogs with it.
            Some(dialog) if dialog.vendor != cookie.vendor => return Err(GONE),
            // The caller's tag is bound by the cookie.
            Some(dialog) => {
                dialog.party(End::Callee, callee_tag).ok_or(GONE)?;
                located.own_tags = dialog.callee.tag() == callee_tag;
                // A vendor that forks may have answered more than once. The caller acknowledges what it does not want,
                // and ends it; nothing else is done there.
                let ends = matches!(request.method, Method::Ack | Method::Bye);
                if dialog.confirmed && !located.own_tags && !ends {
                    return Err(GONE);
                }
            }
            // It has ended in this process.
            None if self.is_own(cookie.dialog) || self.over.has(&cookie.dialog, turn.now.instant) => {
                return Err(GONE);
            }
            // The record of the last process was lost with it. What ends the call passes; what could begin another, or
            // move this one, does not.
            None if request.method == Method::Ack => {
                located.own_tags = false;
                // Its call may have ended long ago: nothing stays of it.
                located.passing = true;
                let dialog = self.rebuilt(request, &located, turn.now).ok_or(GONE)?;
                self.dialogs.insert(dialog.id, Box::new(dialog));
            }
            None if request.method != Method::Bye => return Err(StatusCode::SERVER_INTERNAL_ERROR),
            None => {
                let dialog = self.rebuilt(request, &located, turn.now).ok_or(GONE)?;
                // It was answered right before the last process ended: an earlier answer would have left its record.
                // One that rang too long before cannot have been: what ends it passes, and is no call.
                let rang = began(&dialog).plus(RINGS_MAX);
                located.passing = rang < self.settings.started_at;
                if located.passing {
                    self.counters.byes_unrecorded.add(1);
                } else {
                    let began = began(&dialog).max(self.settings.started_at);
                    self.tell_rebuilt(&dialog, request.flow.peer, (began, began), turn);
                }
                self.dialogs.insert(dialog.id, Box::new(dialog));
            }
        }
        if let Some(dialog) = self.dialogs.get_mut(&cookie.dialog)
            && (located.own_tags || !dialog.confirmed)
            && let Some(number) = perform::cseq(message)
        {
            dialog.seen.hear(from, turn.now);
            if let Some(side) = dialog.party_mut(from, callee_tag) {
                side.cseq = side.cseq.max(number);
                side.source = request.flow.peer;
            }
        }
        Ok(located)
    }

    /// A dialog of an earlier process that left no record: its cookie says between whom it is, and the request where
    /// both are. A request to a vendor goes only to that vendor, whatever it says.
    fn rebuilt(&self, request: &Request<'_>, located: &Located<'_>, now: Now) -> Option<Dialog> {
        let Located { cookie, from, own_routes, .. } = *located;
        let message = request.message;
        let snapshot = self.snapshot.load();
        let uri_of = |route| NameAddr::parse(route).ok().map(|route| route.uri);
        let next = message.list(HeaderId::Route).nth(own_routes).and_then(uri_of);
        let next = next.or_else(|| message.request_uri())?;
        // A strict router sends as if we were the target, which is the last Route then (16.4).
        let for_us = Uri::parse(message.request_uri()?).ok().and_then(Uri::sip);
        let for_us = for_us.is_some_and(|uri| self.is_ours(&uri));
        let last = message.list(HeaderId::Route).last().filter(|_| for_us).and_then(uri_of);
        let target = last.or_else(|| message.request_uri())?;
        let other = self.flow_to_party(next, (&cookie, from.other()), (request.flow, now))?;
        let vendor = snapshot.vendors.iter().find(|vendor| vendor.config.number == cookie.vendor);
        let mut sides = [Side::unknown(request.reply_to), Side::unknown(other)];
        let [own, far] = &mut sides;
        for (side, end) in [(&mut *own, from), (&mut *far, from.other())] {
            let of_trunk = (end == End::Caller) != cookie.inbound;
            side.pinned = of_trunk && self.is_pinned(cookie.trunk, side.source);
        }
        let back = if own.pinned { request.reply_to } else { request.flow };
        own.learn_request(message, back);
        far.name = Box::from(message.value(HeaderId::To)?);
        far.target = Box::from(target);
        let [own, far] = sides;
        let (caller, callee) = if from == End::Caller { (own, far) } else { (far, own) };
        let direction = if cookie.inbound { Direction::Inbound } else { Direction::Outbound };
        // What the callee was shown is lost with the record; the rules make the same of the same name.
        let trunk = snapshot.trunks.iter().find(|trunk| trunk.config.number == cookie.trunk);
        let shown = match (from, trunk.zip(vendor)) {
            _ if cookie.withheld => identity::anonymous(&caller.name),
            (End::Caller, Some(between)) => {
                identity::again(message, self.sent_by(request.flow), (direction, between), &snapshot)
            }
            _ => Box::default(),
        };
        Some(Dialog {
            id: cookie.dialog,
            direction,
            trunk: cookie.trunk,
            vendor: cookie.vendor,
            call_id: Box::from(request.parts.call_id),
            caller,
            callee,
            forks: Vec::new(),
            shown,
            confirmed: true,
            session: None,
            session_asked: self.session_asked(&cookie),
            repeats: 0,
            trusted: false,
            identities: false,
            media: anchor_of(&cookie),
            profiles: None,
            asked: self.asked_before(&cookie),
            offered_by: None,
            seen: Seen::default(),
            unseen: 0,
        })
    }

    /// The record of the last process was lost with it: the call gets another one, by when it began and was answered.
    pub(super) fn tell_rebuilt(
        &self,
        dialog: &Dialog,
        source: SocketAddr,
        (began, answered_at): (Timestamp, Timestamp),
        turn: &mut Turn<'_>,
    ) {
        let snapshot = self.snapshot.load_full();
        let place = snapshot.trunks.iter().position(|trunk| trunk.config.number == dialog.trunk);
        let Some(trunk) = place.and_then(|place| u32::try_from(place).ok()) else { return };
        let number = |side: &Side| {
            let user = NameAddr::parse(&side.name).ok().and_then(|name| name.uri().ok()).and_then(Uri::user);
            String::from_utf8_lossy(user.unwrap_or_default()).into_owned()
        };
        let at = |wall| Now { wall, ..turn.now };
        let started = Started {
            trunk,
            direction: dialog.direction,
            source,
            call_id: String::from_utf8_lossy(&dialog.call_id).into_owned(),
            caller: number(&dialog.caller),
            callee: number(&dialog.callee),
            channel: None,
            recovered: true,
            snapshot: Arc::clone(&snapshot),
        };
        let attempted = attempt_before(dialog, (&snapshot, trunk), at(began));
        let answered = Answered { dialog: Arc::new(dialog.clone()), channel: None };
        let started = What::Started(Box::new(started));
        turn.out.events.push(CallEvent { dialog: dialog.id, at: at(began), what: started });
        let attempted = attempted.map(|attempted| What::Attempted(Box::new(attempted)));
        let answered = What::Answered(Box::new(answered));
        for what in attempted.into_iter().chain([answered]) {
            turn.out.events.push(CallEvent { dialog: dialog.id, at: at(answered_at), what });
        }
    }

    fn pass_within(&mut self, request: &Request<'_>, located: Located<'_>, turn: &mut Turn<'_>) {
        let Located { cookie, from, callee_tag, own_routes, .. } = located;
        let found = (request.message, request.flow);
        if self.request_waits((cookie.dialog, from), request.method, found, turn) {
            return;
        }
        let Some(dialog) = self.dialogs.get(&cookie.dialog) else { return };
        let Some(to) = dialog.party(from.other(), callee_tag).cloned() else { return };
        let (trusted, identities, trunk) = (dialog.trusted, dialog.identities, dialog.trunk);
        let (caller, hides) = (dialog.caller_for(from, from.other()), dialog.is_withheld());
        let refreshes = matches!(request.method, Method::Invite | Method::Update);
        let session_asked = dialog.session_asked.filter(|_| refreshes);
        let caller = caller.map(|(id, name)| (id, Box::<[u8]>::from(name)));
        if session_asked.is_some() && session_timer::is_too_small(request.message) {
            self.refuse_session(request, turn);
            return;
        }
        let flow = self.flow_to_side(&to, (trunk, turn.now));
        let branch = self.branches.make(self.way(request.message));
        let leave = Leave {
            source: request.flow,
            listener: flow.listener,
            branch: &branch,
            own_routes,
            trusted,
            identities,
            hides: hides && from == End::Caller,
            caller: caller.as_ref().map(|(id, name)| (*id, &**name)),
            session_asked,
        };
        let within = self.request_within(request.message, &leave, &to);
        let within = within.and_then(|made| self.for_vendor(made, (cookie.dialog, from), flow));
        let Some((octets, session)) = within else {
            self.reply_statelessly(request.message, request.flow, (StatusCode::BAD_REQUEST, None), turn);
            return;
        };
        let method = request.method;
        match method {
            Method::Ack => {
                turn.out.messages.push(Outbound { flow, octets, sender: Outbound::NOBODY });
            }
            Method::Invite => {
                let Some(server) = self.begin_server_invite(request, turn) else { return };
                let tag = self.tag(request.message);
                let way = Way::Dialog { octets, flow, branch, session };
                let setup = Setup::new(request.message.clone(), request.flow, tag, way);
                let of = (cookie.dialog, Kind::Refresh(from));
                self.start_call(of, server, setup, turn);
            }
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
            | Method::Other => {
                self.relay(request, (located, session), (flow, octets, branch), turn);
            }
        }
    }

    /// Its sender will ask for a longer session.
    fn refuse_session(&mut self, request: &Request<'_>, turn: &mut Turn<'_>) {
        let status = StatusCode::SESSION_INTERVAL_TOO_SMALL;
        if request.method != Method::Invite {
            self.answer(request, status, turn);
            return;
        }
        let Some(server) = self.begin_server_invite(request, turn) else { return };
        let tag = self.tag(request.message);
        if let Some(octets) = self.own_response(request.message, request.flow, (status, None), &tag) {
            self.respond(server, status, &octets, turn);
        }
    }

    /// Passes a request on in a transaction of its own. Without room for one the call stays up, and the sender may try
    /// again; who sent a BYE gives up, and is asked whether it has.
    fn relay(
        &mut self,
        request: &Request<'_>,
        (located, session): (Located<'_>, Option<u32>),
        (flow, octets, branch): (Flow, bytes::Bytes, [u8; branch::LEN]),
        turn: &mut Turn<'_>,
    ) {
        let (method, dialog) = (request.method, located.cookie.dialog);
        let is_up = self.dialogs.get(&dialog).is_some_and(|dialog| dialog.confirmed);
        let own = located.own_tags && is_up;
        let Some(server) = self.begin_server(request, turn) else {
            self.reply_statelessly(request.message, request.flow, (super::FULL, None), turn);
            if method == Method::Bye && own {
                self.check_after_bye(dialog, turn.now);
            }
            return;
        };
        let relay = Relay {
            server,
            dialog,
            from: located.from,
            method,
            own,
            at: turn.now,
            session,
            q850_cause: perform::q850_cause(request.message).filter(|_| method == Method::Bye),
        };
        if let Some(sender) = self.transactions.get_mut(server) {
            sender.owner = Owner::Sender(dialog);
        }
        // The key of an unknown method is by the name that our response's CSeq will have.
        let key = self.keys.client(&branch, method);
        if self.begin_client(key, (flow, octets), Owner::Relay(relay), turn).is_none() {
            self.relay_outcome(server, NonInvite::Respond(super::FULL), turn);
            if method == Method::Bye && own {
                self.check_after_bye(dialog, turn.now);
            }
        }
    }
}

/// What carries a call of which only the cookie is known.
pub(super) fn anchor_of(cookie: &Cookie) -> Option<Anchor> {
    (cookie.media != 0).then(|| Anchor {
        node: cookie.media,
        owner: cookie.owner,
        branch: Box::default(),
        profiles: None,
    })
}

/// When a dialog began.
pub(super) fn began(dialog: &Dialog) -> Timestamp {
    Timestamp::from_micros(admit::began_millis(dialog.id).saturating_mul(1000))
}

/// The attempt that an earlier process made and left no record of: its vendor, and the rate that the number in To has
/// by now.
fn attempt_before(
    dialog: &Dialog,
    (snapshot, trunk): (&Arc<Snapshot>, u32),
    started: Now,
) -> Option<Attempted> {
    let place = snapshot.vendors.iter().position(|vendor| vendor.config.number == dialog.vendor)?;
    let vendor = snapshot.vendors.get(place).filter(|_| dialog.direction == Direction::Outbound)?;
    let place = u32::try_from(place).ok()?;
    let number = dialled(NameAddr::parse(&dialog.callee.name).ok()?.uri().ok()?.user()?)?.number;
    let peer = Peer { trunk: Some(trunk), ..Peer::default() };
    let plan = routing::plan(snapshot, peer, &number, |_| 0, &mut Vec::new()).ok();
    let hop = plan.as_ref().and_then(|plan| plan.hops.iter().find(|hop| hop.vendor == place));
    let number = plan.as_ref().map_or(number, |plan| plan.number.clone());
    let prefix = hop.map(|hop| routing::prefix(&number, hop.prefix_len)).unwrap_or_default();
    Some(Attempted {
        attempt: 0,
        vendor: place,
        vendor_id: Some(vendor.config.id),
        address: dialog.callee.flow.peer,
        callee: NumberRule::rewrite(&vendor.config.callee_rules, &number).unwrap_or(number),
        rate: hop.map(|hop| hop.rate).unwrap_or_default(),
        prefix,
        high_cost: plan.as_ref().is_some_and(|plan| plan.high_cost),
        started,
        ringing: None,
        status: StatusCode::OK,
        received: true,
        identity: runtime::log::CallIdentity::default(),
    })
}
