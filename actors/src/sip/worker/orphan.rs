//! Responses whose INVITE or other request an earlier process passed on, and that found its end before they came.
//!
//! Their branch is ours, so that they are no forgery; what is left is a proxy without state (RFC 3261 16.11): one Via
//! less, to the address that the next one names, if that is of somebody we know. A call that is answered so gets its
//! dialog and its record by the cookie in the answer.

use std::net::SocketAddr;
use std::time::Duration;

use runtime::clock::Timestamp;
use runtime::model::Transport;
use sip::{CSeq, HeaderId, Message, Method, NameAddr, Request, StatusCode, Uri, Via};
use uuid::Uuid;

use super::media::{Described, Role, Subject, may_describe};
use super::rebuilt::{anchor_of, began};
use super::receive::{from_tag, to_tag};
use super::{Turn, Worker, admit};
use crate::sip::cookie::Cookie;
use crate::sip::dialog::{Asked, Dialog, End, Seen, Side, session_of, unfolded};
use crate::sip::flow::{Flow, Outbound};
use crate::sip::hiding::{self, Restored};
use crate::sip::routing::Direction;
use crate::sip::session_timer;
use crate::sip::settings::default_port;
use crate::sip::transactions::Now;

/// The longest that a call rings, whatever vendors are allowed.
pub(crate) const RINGS_MAX: Duration = Duration::from_secs(900);

impl Worker {
    /// A response to a request of ours whose transaction has ended. An answer that comes so late is a call that the
    /// vendor has and nobody else: it is ended there, if the cookie that we gave says so.
    pub(super) fn stray(
        &mut self,
        message: &Message,
        flow: Flow,
        (status, method): (StatusCode, Method),
        turn: &mut Turn<'_>,
    ) {
        let answer = method == Method::Invite && status.is_success();
        let cookie = answer.then(|| self.cookie_of_answer(message, flow)).flatten();
        let cookie = cookie.filter(|cookie| self.may_be_party(flow, cookie, End::Callee));
        let tag = to_tag(message).unwrap_or_default();
        let has_it = |dialog: &Dialog, cookie: &Cookie| {
            dialog.vendor == cookie.vendor && dialog.party(End::Callee, tag).is_some()
        };
        // What another node serves is not ended here.
        let cookie = cookie.filter(|cookie| !self.given.has(&cookie.dialog, turn.now.instant));
        match cookie {
            Some(cookie) if !self.dialogs.get(&cookie.dialog).is_some_and(|known| has_it(known, &cookie)) => {
                self.end_orphan(message, flow, vendor_of(&cookie), turn);
            }
            _ => self.counters.responses_stray.add(1),
        }
    }

    /// A response to a request of an earlier process, or of an earlier incarnation of the worker.
    pub(super) fn orphan(
        &mut self,
        message: &Message,
        flow: Flow,
        (status, method): (StatusCode, Method),
        turn: &mut Turn<'_>,
    ) {
        let given = self.cookie_of_answer(message, flow);
        // A branch is known to whoever was sent it; nothing is waited for that long.
        let late = turn.now.instant.saturating_duration_since(self.began.instant) > RINGS_MAX;
        if late || !self.is_somebody(flow, given.as_ref(), End::Callee) {
            self.counters.responses_stray.add(1);
            return;
        }
        let restored = hiding::restored(&self.settings, message);
        let to = restored
            .as_ref()
            .and_then(|restored| Some((self.next_via(&restored.whole, flow, given.as_ref())?, restored)));
        let answer = method == Method::Invite && status.is_success();
        let cookie = given.filter(|_| answer);
        // Nobody could be billed for it, or hear of it.
        if answer && (cookie.is_none() || to.is_none()) && !self.is_of_known_call(message) {
            self.end_orphan(message, flow, cookie.as_ref().and_then(vendor_of), turn);
            return;
        }
        let Some((to, restored)) = to else {
            let vendor = cookie.as_ref().and_then(vendor_of);
            self.passed_to_nobody((message, flow), (status, method, vendor), turn);
            return;
        };
        // A 100 is for one hop.
        if status == StatusCode::TRYING {
            return;
        }
        if let Some(cookie) = cookie {
            if !self.is_awaited(&cookie, (flow, to), turn.now) {
                self.counters.responses_stray.add(1);
                return;
            }
            // The worker began anew, and not the process: the record of the call says already that it failed. Or the call
            // was answered here, and has ended. Or another one has answered, whose place it would take at the node.
            let over = self.is_own(cookie.dialog) || self.over.has(&cookie.dialog, turn.now.instant);
            if over || self.is_further(cookie.dialog, &restored.whole) {
                self.end_orphan(message, flow, vendor_of(&cookie), turn);
                return;
            }
        }
        // Whether a node carries it is known by its answer only: until then it rings.
        let bare = !answer && method == Method::Invite && !self.media.is_empty() && may_describe(message);
        let by = (given.as_ref(), status, method);
        let Some(octets) = self.orphan_back(restored, (flow, to), by, bare) else {
            let vendor = cookie.as_ref().and_then(vendor_of);
            self.passed_to_nobody((message, flow), (status, method, vendor), turn);
            return;
        };
        if self.orphan_waits((message, restored), flow, (cookie.as_ref(), to), turn) {
            return;
        }
        self.counters.responses_stateless.add(1);
        turn.out.messages.push(Outbound { flow: to, octets, sender: Outbound::NOBODY });
        match cookie {
            Some(cookie) => self.adopt_answered(restored, flow, (&cookie, to), turn),
            None if method == Method::Invite && status.is_final() && !answer => {
                self.acknowledge_refusal(message, flow, turn);
            }
            None => {}
        }
    }

    /// A response that nobody can be given: a call that was answered is ended where it is, and a refusal acknowledged.
    fn passed_to_nobody(
        &mut self,
        (message, flow): (&Message, Flow),
        (status, method, vendor): (StatusCode, Method, Option<u32>),
        turn: &mut Turn<'_>,
    ) {
        self.counters.responses_stray.add(1);
        if method != Method::Invite || !status.is_final() {
            return;
        }
        if !status.is_success() {
            self.acknowledge_refusal(message, flow, turn);
        } else if !self.is_of_known_call(message) {
            self.end_orphan(message, flow, vendor, turn);
        }
    }

    /// Whether somebody may wait for an answer, that came by one flow and goes by the other. That of a call that has ended
    /// long ago, sent again, is none; nor is one to a call that another vendor has, or that this process takes care of.
    fn is_awaited(&self, cookie: &Cookie, (flow, to): (Flow, Flow), now: Now) -> bool {
        let parties = [(flow, End::Callee), (to, End::Caller)];
        let parties = parties.iter().all(|(flow, end)| self.may_be_party(*flow, cookie, *end));
        let began = Timestamp::from_micros(admit::began_millis(cookie.dialog).saturating_mul(1000));
        let known = self.dialogs.get(&cookie.dialog);
        let old = known.is_none() && now.wall.since(began) > RINGS_MAX;
        let other = known.is_some_and(|dialog| self.is_own(cookie.dialog) || dialog.vendor != cookie.vendor);
        parties && !old && !other
    }

    /// Whether an answer waits for the media node of its call, which it is taken on for.
    fn orphan_waits(
        &mut self,
        (message, restored): (&Message, &Restored<'_>),
        flow: Flow,
        (cookie, to): (Option<&Cookie>, Flow),
        turn: &mut Turn<'_>,
    ) -> bool {
        let Some(cookie) = cookie.filter(|_| turn.described == Described::Raw) else { return false };
        let Some(mut anchor) = anchor_of(cookie) else { return false };
        // It comes back by the branch of its attempt. A node knows that of a challenged one by its first
        // branch, which is forgotten: it is asked by the tags.
        let via = message.list(HeaderId::Via).next().and_then(|value| Via::parse(value).ok());
        let via = via.filter(|_| cookie.answers == 0);
        anchor.branch = via.and_then(|via| via.branch).map(Box::from).unwrap_or_default();
        self.adopt_answered(restored, flow, (cookie, to), turn);
        let subject = Subject {
            dialog: cookie.dialog,
            from: End::Callee,
            anchor: &anchor,
            role: Role::Answer,
            again: false,
            first_of: None,
        };
        self.describe(&subject, (message, flow), turn)
    }

    /// Seconds that are asked of a call of which only the cookie is known, as the configuration has it by now.
    pub(super) fn session_asked(&self, cookie: &Cookie) -> Option<u32> {
        let snapshot = self.snapshot.load();
        let trunk = snapshot.trunks.iter().find(|trunk| trunk.config.number == cookie.trunk)?;
        let vendor = snapshot.vendors.iter().find(|vendor| vendor.config.number == cookie.vendor)?;
        session_timer::wanted(trunk.config.session_expires, vendor.config.session_expires)
    }

    /// A call that is over. One of an earlier process has no other sign that it was here.
    pub(super) fn forget(&mut self, dialog: Uuid, now: Now) -> Option<Dialog> {
        let found = *self.dialogs.remove(&dialog)?;
        if !self.is_own(dialog) || self.may_be_given(dialog, now.instant) {
            self.over.note(dialog, now.instant);
        }
        Some(found)
    }

    /// Where the next Via says, when that is the address of a trunk or vendor, or the cookie is of a trunk that may be
    /// anywhere: nobody else is sent anything.
    fn next_via(&self, message: &Message, flow: Flow, given: Option<&Cookie>) -> Option<Flow> {
        let via = Via::parse(message.list(HeaderId::Via).nth(1)?).ok()?;
        let transport = match via.transport {
            name if name.eq_ignore_ascii_case(b"UDP") => Transport::Udp,
            name if name.eq_ignore_ascii_case(b"TCP") => Transport::Tcp,
            name if name.eq_ignore_ascii_case(b"TLS") => Transport::Tls,
            _ => return None,
        };
        let ip = via.received_host().unwrap_or(via.host).ip()?;
        let sent_by = via.port.unwrap_or_else(|| default_port(transport));
        // What connection there was is gone with the process: a new one goes to where the peer listens (18.2.2).
        let port = via.rport_number().filter(|_| transport == Transport::Udp).unwrap_or(sent_by);
        let peer = SocketAddr::new(ip, port);
        let to = self.flow_by(transport, peer, flow)?;
        (port != 0 && self.is_somebody(to, given, End::Caller)).then_some(to)
    }

    /// The cookie that we gave with the INVITE, in its 2xx, or in what comes before.
    fn cookie_of_answer(&self, message: &Message, flow: Flow) -> Option<Cookie> {
        let call = self.call_name(message);
        let call_id = message.value(HeaderId::CallId).unwrap_or_default();
        let caller_tag = from_tag(message).unwrap_or_default();
        let sealed = |element: &[u8]| {
            let uri = NameAddr::parse(element).ok()?.uri().ok()?.sip()?;
            let param = self.is_ours(&uri).then(|| uri.params.get(b"w"))??;
            self.opened(param.value?, (&call, call_id), caller_tag)
        };
        // A call that came back to us has one for each round. This is of the one that it was sent by.
        let opened: Vec<Cookie> = message.list(HeaderId::RecordRoute).filter_map(sealed).collect();
        let own = opened.iter().find(|cookie| self.is_party(flow, cookie, End::Callee));
        own.or_else(|| opened.first()).copied()
    }

    /// A call that was answered while nobody was here to see it, or by one fork more.
    fn adopt_answered(
        &mut self,
        Restored { whole: message, sent }: &Restored<'_>,
        flow: Flow,
        (cookie, to): (&Cookie, Flow),
        turn: &mut Turn<'_>,
    ) {
        let message: &Message = message;
        let call_id = message.value(HeaderId::CallId).unwrap_or_default();
        let Some(names) = self.known_by(call_id, (cookie, End::Callee), None) else { return };
        let tag = to_tag(message).unwrap_or_default();
        let known = self.dialogs.contains_key(&cookie.dialog);
        // As many workers as before find the same call; else its ACK and BYE go by their cookie, at another worker.
        let own = self.settings.worker_of_call(call_id) == usize::from(self.number);
        if !known && (!own || self.dialogs.len() >= self.settings.dialogs_max) {
            return;
        }
        let routes = self.routes_to_callee(message);
        let ours = |element: &&[u8]| {
            let uri = NameAddr::parse(element).ok().and_then(|route| route.uri().ok()).and_then(Uri::sip);
            uri.is_some_and(|uri| self.is_ours(&uri))
        };
        let to_caller = message.list(HeaderId::RecordRoute).skip(routes.len()).skip_while(ours);
        if !known {
            let mut caller = Side::unknown(to);
            caller.learn_routes(to_caller);
            // What the caller calls itself a hidden side brings back; else it is not known any more. The callee shall not
            // learn it.
            let shown = unfolded(message.value(HeaderId::From).unwrap_or_default());
            let name = sent.as_ref().map(|sent| &sent.name).filter(|name| !name.is_empty());
            caller.name.clone_from(name.unwrap_or(&shown));
            let answers = u32::from(cookie.answers);
            caller.cseq = super::perform::cseq(message).unwrap_or_default().saturating_sub(answers);
            let direction = if cookie.inbound { Direction::Inbound } else { Direction::Outbound };
            let mut dialog = Dialog {
                id: cookie.dialog,
                direction,
                trunk: cookie.trunk,
                vendor: cookie.vendor,
                call_id: names.call_id,
                call_id_shown: names.call_id_shown,
                hides: names.hides,
                caller,
                callee: Side::unknown(flow),
                forks: Vec::new(),
                shown,
                trusted: false,
                identities: false,
                confirmed: false,
                session: session_of(message),
                session_asked: self.session_asked(cookie),
                media: anchor_of(cookie),
                profiles: None,
                asked: Asked::after(answers),
                offered_by: None,
                repeats: 0,
                seen: Seen::default(),
                unseen: 0,
            };
            self.pin(&mut dialog);
            self.keep_dialog(dialog);
        }
        let Some(dialog) = self.dialogs.get_mut(&cookie.dialog) else { return };
        let side =
            if known { dialog.callee_heard(tag, flow) } else { Some(dialog.callee_answers(tag, flow)) };
        // What the dialog knows of who answered first stands: this may be the same answer again.
        if let Some(side) = side.filter(|side| side.target.is_empty()) {
            side.learn_routes(routes.iter().rev().copied());
            side.learn_response(message, flow);
        }
        if !known {
            let dialog = dialog.clone();
            self.tell_rebuilt(&dialog, to.peer, (began(&dialog), turn.now.wall), turn);
        }
    }

    /// The refusal is acknowledged for the process that is gone; else it would be sent again for half a minute.
    fn acknowledge_refusal(&mut self, message: &Message, flow: Flow, turn: &mut Turn<'_>) {
        let Some(octets) = self.ack_of_refusal(message, flow) else { return };
        turn.out.messages.push(Outbound { flow, octets, sender: Outbound::NOBODY });
    }

    /// Its Request-URI is not known any more; its transaction is found by the Via (17.2.3).
    fn ack_of_refusal(&mut self, message: &Message, flow: Flow) -> Option<bytes::Bytes> {
        let uri = format!("sip:{}", flow.peer);
        let request = Request {
            method: Method::Ack,
            uri: uri.as_bytes(),
            via: message.list(HeaderId::Via).next()?,
            from: message.value(HeaderId::From)?,
            to: message.value(HeaderId::To)?,
            call_id: message.value(HeaderId::CallId)?,
            cseq: CSeq::parse(message.value(HeaderId::CSeq)?).ok()?.number,
            routes: &[],
            headers: &[],
            body: None,
        };
        self.written(|out| request.write(out).is_ok())
    }
}

/// The vendor that answers a call by its cookie; `None` where a trunk does.
fn vendor_of(cookie: &Cookie) -> Option<u32> {
    (!cookie.inbound).then_some(cookie.vendor)
}
