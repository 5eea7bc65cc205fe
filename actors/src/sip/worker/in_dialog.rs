//! Requests within dialogs: whose they are by the sealed cookie, whether their sender may, and where they go.

mod sender;
mod ways;

use sip::proxy::forward::NonInvite;
use sip::{HeaderId, Message, Method, NameAddr, StatusCode, Uri};

use super::call::{Kind, Setup, Way};
use super::forward::Leave;
use super::media::Described;
use super::orphan::RINGS_MAX;
use super::rebuilt::began;
use super::receive::Request;
use super::{Turn, Worker, perform};
use crate::sip::branch;
use crate::sip::cookie::{self, Cookie};
use crate::sip::dialog::End;
use crate::sip::flow::{Flow, Outbound};
use crate::sip::session_timer;
use crate::sip::transactions::{Owner, Relay};

/// What the Route of a request says of its dialog.
#[derive(Clone, Copy)]
pub(super) struct Located<'m> {
    pub(super) cookie: Cookie,
    /// Who sends.
    pub(super) from: End,
    /// The callee's tag: which of a vendor's forks it is about.
    callee_tag: &'m [u8],
    /// Route elements that name us.
    pub(super) own_routes: usize,
    /// The number of the key that sealed it.
    pub(super) key: Option<u8>,
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
        let admitted = self.admitted(request, turn);
        // What waits is counted when it is taken up again.
        let counts = turn.described == Described::Raw && !matches!(admitted, Ok(None));
        self.counters.in_dialog.add(u64::from(counts));
        match admitted {
            Ok(None) => {}
            Ok(Some(located)) => {
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
        let call = self.call_name(message);
        let (from, to) = (from.unwrap_or_default(), to.unwrap_or_default());
        let call_id = message.value(HeaderId::CallId).unwrap_or_default();
        let open = |caller_tag: &[u8]| self.opened(sealed, (&call, call_id), caller_tag);
        let (cookie, from, callee_tag) = match open(from) {
            Some(cookie) => (cookie, End::Caller, to),
            None => (open(to)?, End::Callee, from),
        };
        let key = cookie::key_number(sealed);
        Some(Located { cookie, from, callee_tag, own_routes, key, own_tags: true, passing: false })
    }

    /// The dialog of a request, of which its sender may be; `None` where the request waits for that to be found.
    fn admitted<'m>(
        &mut self,
        request: &Request<'m>,
        turn: &mut Turn<'_>,
    ) -> Result<Option<Located<'m>>, Refused> {
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
            None if self.has_ended(cookie.dialog, turn.now.instant) => return Err(GONE),
            None => match self.unknown(request, located, turn)? {
                Some(known) => located = known,
                None => return Ok(None),
            },
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
        Ok(Some(located))
    }

    /// A request of a dialog that another process has served: the last one of this node, or another node. What ends
    /// the call passes by its cookie; what could begin another, or move this one, does not, and waits for the record
    /// where another node may have written one.
    fn unknown<'m>(
        &mut self,
        request: &Request<'m>,
        mut located: Located<'m>,
        turn: &mut Turn<'_>,
    ) -> Result<Option<Located<'m>>, Refused> {
        let id = located.cookie.dialog;
        if !matches!(request.method, Method::Ack | Method::Bye) {
            self.wait_for_record(request, id, turn)?;
            return Ok(None);
        }
        let Some(dialog) = self.rebuilt(request, &located, turn.now) else {
            // What was too long to be sealed is in the record alone.
            let waits = request.method == Method::Bye && self.wait_for_record(request, id, turn).is_ok();
            return if waits { Ok(None) } else { Err(GONE) };
        };
        if request.method == Method::Ack {
            located.own_tags = false;
            // Its call may have ended long ago: nothing stays of it.
            located.passing = true;
        } else if !self.look_for_passed(&dialog, request.flow.peer, turn) {
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
        }
        self.keep_dialog(dialog);
        Ok(Some(located))
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
        let (caller, withheld) = (dialog.caller_for(from, from.other()), dialog.is_withheld());
        let hides = dialog.hides.is_from(from.other());
        // Its Call-ID as both sides know it: here and there.
        let ids = [from, from.other()].map(|end| dialog.call_id_of(end));
        let ids = dialog.hides.is_any().then(|| ids.map(Box::<[u8]>::from));
        let names = ids.as_ref().map(|[own, other]| (&**own, &**other));
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
            withheld: withheld && from == End::Caller,
            caller: caller.as_ref().map(|(id, name)| (*id, &**name)),
            names,
            hides,
            session_asked,
        };
        let within = self.request_within(request.message, (&leave, (cookie.dialog, from)), &to);
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
            number: perform::cseq(request.message),
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
