//! Messages of dialogs that have a description: which wait for their node, and what they ask of it.
//!
//! Of a call that a node carries nothing passes that leads past the node: what cannot be rewritten is refused, or goes
//! on without its body. To a side that is not shown the other one nothing passes either that describes no session.

use std::collections::VecDeque;

use sip::sdp::{MediaKind, Sdp, SdpBody};
use sip::{HeaderId, Message, Method, StatusCode};
use uuid::Uuid;

use super::late::Of;
use super::said::Said;
use super::{BEHIND_MAX, Described, Held, Waiting, Waits};
use crate::sip::anchor::{self, Anchor, Description, Name, Profiles};
use crate::sip::dialog::End;
use crate::sip::flow::Flow;
use crate::sip::transactions::Owner;
use crate::sip::worker::call::{Call, Kind};
use crate::sip::worker::forward::callee_tag;
use crate::sip::worker::receive::{from_tag, to_tag};
use crate::sip::worker::{Turn, Worker};
use runtime::model::T38;

/// The longest description that a node is asked about: with all else it has to fit into a datagram.
const SDP_MAX: usize = 32 * 1024;

/// What a description is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::sip::worker) enum Role {
    Offer,
    Answer,
}

/// Whose description it is, in which call, and what it is.
#[derive(Debug, Clone, Copy)]
pub(in crate::sip::worker) struct Subject<'a> {
    pub(in crate::sip::worker) dialog: Uuid,
    pub(in crate::sip::worker) from: End,
    pub(in crate::sip::worker) anchor: &'a Anchor,
    pub(in crate::sip::worker) role: Role,
    /// It is an answer that was passed on before.
    pub(in crate::sip::worker) again: bool,
    /// The attempt of which it is the first: any node may take it.
    pub(in crate::sip::worker) first_of: Option<Of>,
}

impl Worker {
    /// Whether a response waits from now on: for its node, or behind another message that does.
    pub(in crate::sip::worker) fn response_waits(
        &mut self,
        owner: Owner,
        (message, flow): (&Message, Flow),
        status: StatusCode,
        turn: &mut Turn<'_>,
    ) -> bool {
        if turn.described != Described::Raw {
            return false;
        }
        let (dialog, from, anchor, role) = match owner {
            Owner::Branch(id, branch) => {
                let Some(call) = self.calls.get(id) else { return false };
                let own = call.attempts.get(branch.index()).and_then(|attempt| attempt.anchor.as_ref());
                let known = || self.dialogs.get(&call.dialog).and_then(|dialog| dialog.media.as_ref());
                let anchor = if call.kind == Kind::Initial { own } else { known() };
                let role = if call.offers { Role::Answer } else { Role::Offer };
                (call.dialog, call.kind.sender().other(), anchor, Some(role))
            }
            Owner::Relay(relay) => {
                let tag = callee_tag(message, relay.from);
                let anchor = self.dialogs.get(&relay.dialog).and_then(|dialog| dialog.media_with(tag));
                // What others have in their answers describes no session.
                let role = matches!(relay.method, Method::Update | Method::Prack).then_some(Role::Answer);
                (relay.dialog, relay.from.other(), anchor, role)
            }
            Owner::Nobody
            | Owner::Caller(_)
            | Owner::Sender(_)
            | Owner::Probe(_)
            | Owner::Register(_)
            | Owner::Bye(..)
            | Owner::Alive(..) => return false,
        };
        let describes = status != StatusCode::TRYING && (status.is_provisional() || status.is_success());
        let Some(anchor) = anchor.cloned() else {
            let Some(role) = role.filter(|_| describes) else { return false };
            return self.response_is_filtered((dialog, from), role, (message, flow), turn);
        };
        if self.waits_behind(dialog, (message, flow)) {
            return true;
        }
        let (initial, ends_here) = self.of_first_invite(owner, (message, status));
        let Some(role) = role.filter(|_| describes) else {
            return self.goes_bare((dialog, from), (message, flow), turn);
        };
        if ends_here {
            return false;
        }
        let confirmed = self.dialogs.get(&dialog).is_some_and(|dialog| dialog.confirmed);
        let again = initial && confirmed;
        let first_of = self.free_attempt(owner).filter(|_| !again);
        let subject = Subject { dialog, from, anchor: &anchor, role, again, first_of };
        self.describe(&subject, (message, flow), turn)
    }

    /// The same of a request within a dialog.
    pub(in crate::sip::worker) fn request_waits(
        &mut self,
        (dialog, from): (Uuid, End),
        method: Method,
        (message, flow): (&Message, Flow),
        turn: &mut Turn<'_>,
    ) -> bool {
        if turn.described != Described::Raw {
            return false;
        }
        let Some(known) = self.dialogs.get(&dialog) else { return false };
        let anchor = known.media_with(callee_tag(message, from)).cloned();
        let offered_by = known.offered_by;
        let Some(anchor) = anchor else {
            return self.request_is_filtered((dialog, from), method, (message, flow), turn);
        };
        if self.waits_behind(dialog, (message, flow)) {
            return true;
        }
        let answers = offered_by == Some(from.other());
        let role = match method {
            Method::Ack | Method::Prack if answers => Role::Answer,
            Method::Invite | Method::Update | Method::Prack => Role::Offer,
            // It answers nothing.
            Method::Ack if may_describe(message) => {
                if let Some(bare) = self.without_body(message) {
                    self.go_on((flow, &bare), Described::Anchored, turn);
                }
                return true;
            }
            Method::Ack
            | Method::Bye
            | Method::Cancel
            | Method::Options
            | Method::Register
            | Method::Info
            | Method::Subscribe
            | Method::Notify
            | Method::Refer
            | Method::Message
            | Method::Publish
            | Method::Other => return self.goes_bare((dialog, from), (message, flow), turn),
        };
        let subject = Subject { dialog, from, anchor: &anchor, role, again: false, first_of: None };
        self.describe(&subject, (message, flow), turn)
    }

    /// Whether a message that no node is asked about goes on without its body: it has a description, with the addresses of
    /// its sender, and goes to a side that is not shown them.
    fn goes_bare(
        &mut self,
        (dialog, from): (Uuid, End),
        (message, flow): (&Message, Flow),
        turn: &mut Turn<'_>,
    ) -> bool {
        let hides = self.dialogs.get(&dialog).is_none_or(|dialog| dialog.hides.is_from(from.other()));
        if !hides || !may_describe(message) {
            return false;
        }
        if let Some(bare) = self.without_body(message) {
            self.go_on((flow, &bare), Described::Anchored, turn);
        }
        true
    }

    /// Whether a response is one to a first INVITE; and whether it goes no further than to us: it is ended where it comes
    /// from, or says nothing. The node then hears nothing of it, which would join the caller to who has sent it.
    fn of_first_invite(&self, owner: Owner, (message, status): (&Message, StatusCode)) -> (bool, bool) {
        let Owner::Branch(id, branch) = owner else { return (false, false) };
        let call = self.calls.get(id).filter(|call| call.kind == Kind::Initial);
        let ends_here =
            |call: &Call| !call.context.passes(branch, status) || self.is_further(call.dialog, message);
        (call.is_some(), call.is_some_and(ends_here))
    }

    /// Whether somebody else answers a call that is up and that a node carries.
    pub(in crate::sip::worker) fn is_further(&self, dialog: Uuid, message: &Message) -> bool {
        let tag = to_tag(message).unwrap_or_default();
        let up = self.dialogs.get(&dialog).filter(|dialog| dialog.confirmed && dialog.media.is_some());
        up.is_some_and(|dialog| dialog.callee.tag() != tag)
    }

    /// Puts a message behind another one of its dialog that waits.
    fn waits_behind(&mut self, dialog: Uuid, (message, flow): (&Message, Flow)) -> bool {
        let Some(held) = self.held.get_mut(&dialog) else { return false };
        // What comes again says nothing new, and is not to be done when the first was refused.
        let mut known =
            std::iter::once(&held.first).chain(held.behind.iter().map(|(_, message)| message.bytes()));
        let again = known.any(|known| known == message.bytes());
        if !again && held.behind.len() < BEHIND_MAX {
            held.behind.push_back((flow, message.clone()));
        }
        true
    }

    /// Gives a message's description to the node of its call; false when there is none to give.
    pub(in crate::sip::worker) fn describe(
        &mut self,
        subject: &Subject<'_>,
        (message, flow): (&Message, Flow),
        turn: &mut Turn<'_>,
    ) -> bool {
        let Subject { dialog: id, from, anchor, role, again, first_of } = *subject;
        let Some(dialog) = self.dialogs.get(&id) else { return false };
        let (direction, trunk, vendor) = (dialog.direction, dialog.trunk, dialog.vendor);
        let profiles =
            anchor.profiles.clone().or_else(|| self.profiles_of(trunk, vendor)).unwrap_or_default();
        let sdp = match found(message, &profiles) {
            Ok(Some(sdp)) => sdp,
            Ok(None) => return false,
            Err(status) => {
                if !again {
                    self.described((id, anchor.node), (flow, message), Said::Never(status), turn);
                }
                return true;
            }
        };
        let Some(dialog) = self.dialogs.get_mut(&id) else { return false };
        let (own, other) = tags(message);
        let (offers, offerer, answerer) = match role {
            Role::Offer => (from, own, other),
            Role::Answer => (from.other(), other, own),
        };
        if role == Role::Offer {
            dialog.offered_by = Some(from);
        }
        let description = Description {
            name: Name { owner: anchor.owner, dialog: id },
            branch: &anchor.branch,
            offers,
            offerer,
            answerer: Some(answerer),
            sdp: sdp.octets,
            sender: profiles.of(from, direction),
            receiver: profiles.of(from.other(), direction),
        };
        let body = match role {
            Role::Offer => anchor::offer(&description),
            Role::Answer => anchor::answer(&description),
        };
        self.held.insert(id, Held { first: message.bytes().clone(), behind: VecDeque::new(), offer: None });
        let node = first_of.map_or(anchor.node, |of| self.node_by_now((id, of), anchor.node, turn));
        let (free, patience) = self.free(first_of, node, &body);
        let waits = Waits::Message(Box::new(Waiting { flow, message: message.clone(), again, free }));
        self.ask((id, node), waits, (body, patience), turn);
        true
    }

    /// Of a call of an earlier process.
    pub(super) fn profiles_of(&self, trunk: u32, vendor: u32) -> Option<Profiles> {
        let snapshot = self.snapshot.load();
        let trunk = snapshot.trunks.iter().find(|known| known.config.number == trunk)?;
        let vendor = snapshot.vendors.iter().find(|known| known.config.number == vendor)?;
        Some(Profiles::between(trunk, vendor))
    }
}

/// The description of a message.
///
/// Errors: the status of one that is not for a node: too long, or not to be read by us though perhaps by others, or fax
/// where that is refused.
pub(super) fn found<'m>(
    message: &'m Message,
    profiles: &Profiles,
) -> Result<Option<SdpBody<'m>>, StatusCode> {
    let Some(sdp) = message.sdp() else {
        return if may_describe(message) { Err(StatusCode::NOT_ACCEPTABLE_HERE) } else { Ok(None) };
    };
    let refuses_fax = [&profiles.trunk, &profiles.vendor].iter().any(|profile| profile.t38 == T38::Refuse);
    let fax = refuses_fax
        && Sdp::parse(sdp.octets).is_ok_and(|sdp| {
            sdp.media().iter().any(|media| media.kind == MediaKind::Image && !media.is_rejected())
        });
    if sdp.octets.len() > SDP_MAX || fax { Err(StatusCode::NOT_ACCEPTABLE_HERE) } else { Ok(Some(sdp)) }
}

/// Whether a body is a description, or has one, for somebody who reads more than we do.
pub(in crate::sip::worker) fn may_describe(message: &Message) -> bool {
    const SDP: &[u8] = b"application/sdp";
    let begins = |value: &[u8], with: &[u8]| {
        value.get(..with.len()).is_some_and(|start| start.eq_ignore_ascii_case(with))
    };
    let body = message.body();
    let mut types = message.values(HeaderId::ContentType);
    !body.is_empty()
        && types.any(|value| {
            let value = value.trim_ascii();
            let within = || body.windows(SDP.len()).any(|octets| octets.eq_ignore_ascii_case(SDP));
            begins(value, SDP) || (begins(value, b"multipart/") && within())
        })
}

/// The tag of the side that a message comes from, and that of the other one, as the message has them.
fn tags(message: &Message) -> (&[u8], &[u8]) {
    let (from, to) = (from_tag(message).unwrap_or_default(), to_tag(message).unwrap_or_default());
    // From is who sent the request, and stands in the response too.
    if message.is_request() { (from, to) } else { (to, from) }
}
