//! The attempts of a call: which hop is next, its INVITE, and the client transaction of that.

use std::collections::VecDeque;
use std::time::Duration;

use bytes::Bytes;
use runtime::model::{Oversize, Transport};
use sip::proxy::{self, BranchId, Input};
use sip::transaction::{ClientInvite, Key, Machine};
use sip::{Message, Method, StatusCode};
use uuid::Uuid;

use super::call::{Attempt, Call, Kind, Setup, Way};
use super::forward::Leave;
use super::media::{Anchoring, Late};
use super::outgoing::{self, Outgoing};
use super::passport::Certified;
use super::{Hand, Turn, Worker, contact, receive};
use crate::sip::anchor::{Anchor, Profiles};
use crate::sip::dialog::{Asked, CREDENTIALS_LEN, Side};
use crate::sip::flow::Flow;
use crate::sip::identity;
use crate::sip::routing::Direction;
use crate::sip::snapshot::Vendor;
use crate::sip::transactions::{CallId, Now, Owner};
use crate::sip::usage::Channel;

/// The largest request that goes by UDP, where the next hop has TCP (18.1.1).
pub(super) const UDP_MAX: usize = 1300;

/// A request that is ready to go: the attempt, its octets, its key, and the vendor's patience.
pub(super) type Made = (Attempt, Bytes, Key, Option<Duration>);

/// A hop that has room for a call, before its INVITE is written.
#[derive(Debug)]
pub(super) struct Chosen {
    /// Its place in the plan.
    pub(super) hop: usize,
    pub(super) flow: Flow,
    /// The vendor's, of a call that goes to one.
    pub(super) channel: Option<Channel>,
    pub(super) branch: [u8; crate::sip::branch::LEN],
}

/// What the INVITE of an attempt has for a body.
#[derive(Debug, Clone, Copy)]
pub(super) enum Body<'a> {
    /// The caller's.
    Own,
    /// That of this copy of the caller's INVITE.
    Copied(&'a Message),
    /// The caller's, with this description of the session.
    Described(&'a [u8]),
}

impl<'a> Body<'a> {
    /// The INVITE that has it, and the description that takes the place of the one in there.
    fn within(self, own: &'a Message) -> (&'a Message, Option<&'a [u8]>) {
        match self {
            Self::Own => (own, None),
            Self::Copied(request) => (request, None),
            Self::Described(sdp) => (own, Some(sdp)),
        }
    }
}

impl Worker {
    /// The next vendor that takes calls, and the client transaction of its INVITE.
    pub(super) fn next_vendor(
        &mut self,
        id: CallId,
        branch: BranchId,
        inputs: &mut VecDeque<Input>,
        turn: &mut Turn<'_>,
    ) {
        let Some(call) = self.calls.get(id) else { return };
        if call.context.is_closed() || !self.transactions.has_room_within() {
            inputs.push_back(Input::NoVendor(super::FULL));
            return;
        }
        match call.setup.as_deref().map(|setup| &setup.way) {
            Some(Way::Plan { .. }) => match self.certified(id, branch, turn) {
                Certified::Goes => self.next_of_plan(id, branch, inputs, turn),
                Certified::Waits => {}
                Certified::Refused(status) => inputs.push_back(Input::NoVendor(status)),
            },
            Some(Way::Dialog { octets, flow, branch: name, session }) if branch.index() == 0 => {
                let key = self.keys.client(name, Method::Invite);
                let pinned = match call.kind {
                    Kind::Initial => false,
                    Kind::Refresh(from) => self.is_side_pinned(call.dialog, from.other()),
                };
                let attempt = Attempt { session: *session, pinned, ..Attempt::new(0, *flow, turn.now) };
                let made = (attempt, octets.clone(), key, None);
                self.begin_attempt((id, branch), made, inputs, turn);
            }
            _ => inputs.push_back(Input::NoVendor(none_left(call))),
        }
    }

    /// The INVITE to the next hop of the plan; where its session is carried by a media node, once that has given an
    /// answer.
    pub(super) fn next_of_plan(
        &mut self,
        id: CallId,
        branch: BranchId,
        inputs: &mut VecDeque<Input>,
        turn: &mut Turn<'_>,
    ) {
        while let Some(chosen) = self.choose(id, turn.now) {
            let made = match self.anchor(id, branch, chosen, turn) {
                Anchoring::Waits => return,
                Anchoring::Refused(status) => {
                    inputs.push_back(Input::NoVendor(status));
                    return;
                }
                Anchoring::Goes(chosen, anchor) => self.compose(id, chosen, (Body::Own, anchor), turn.now),
                Anchoring::Filtered(chosen, request) => {
                    self.compose(id, chosen, (Body::Copied(&request), None), turn.now)
                }
                Anchoring::Unfit => None,
            };
            if let Some(made) = made {
                self.begin_attempt((id, branch), made, inputs, turn);
                return;
            }
        }
        let none_left = self.calls.get(id).map_or(super::FULL, none_left);
        inputs.push_back(Input::NoVendor(none_left));
    }

    /// The client transaction of an attempt.
    pub(super) fn begin_attempt(
        &mut self,
        (id, branch): (CallId, BranchId),
        (mut attempt, octets, key, pdd): Made,
        inputs: &mut VecDeque<Input>,
        turn: &mut Turn<'_>,
    ) {
        if !self.calls.contains_key(id) {
            return;
        }
        let mut actions = self.memory.actions.pop().unwrap_or_default();
        let transport = receive::transport(attempt.flow);
        let machine = ClientInvite::start(transport, &self.settings.timers, &mut actions);
        let owner = Owner::Branch(id, branch);
        let Some(transaction) =
            self.transactions.insert(Machine::ClientInvite(machine), key, owner, attempt.flow)
        else {
            self.give_up(id, attempt.anchor, turn);
            inputs.push_back(Input::NoVendor(super::FULL));
            return;
        };
        if let Some(stored) = self.transactions.get_mut(transaction) {
            stored.message = octets;
        }
        attempt.transaction = Some(transaction);
        if let Some(call) = self.calls.get_mut(id) {
            if call.kind == Kind::Initial {
                self.counters.attempts.add(1);
                let follows = branch.index() > 0 && !call.context.is_opening();
                self.counters.failovers.add(u64::from(follows));
            }
            call.attempts.push(attempt);
        }
        inputs.push_back(Input::Started { branch, pdd });
        self.perform(transaction, actions, Hand::default(), turn);
    }

    /// The next hop of a call's plan that has room for it; `None` when there is none.
    pub(super) fn choose(&mut self, id: CallId, now: Now) -> Option<Chosen> {
        let call = self.calls.get_mut(id)?;
        let opening = call.context.is_opening();
        let mut setup = call.setup.take()?;
        let chosen = self.choose_hop(&mut setup, opening, now);
        self.calls.get_mut(id)?.setup = Some(setup);
        chosen
    }

    fn choose_hop(&mut self, setup: &mut Setup, opening: bool, now: Now) -> Option<Chosen> {
        loop {
            if let Way::Plan { next, .. } = &mut setup.way {
                *next += 1;
            }
            let Way::Plan { plan, next } = &setup.way else { return None };
            let hop = next.checked_sub(1)?;
            // What follows the contacts that are called at once is not tried beside them.
            if opening && setup.tried && !plan.is_forked(hop) {
                if let Way::Plan { next, .. } = &mut setup.way {
                    *next = hop;
                }
                return None;
            }
            let (_, vendor, target) = plan.hop(hop)?;
            let passes = |hop| plan.hop(hop).is_some_and(|(_, _, target)| target.lets_pass(now.instant));
            // The last one is tried whatever its health: there is nothing better.
            let last = !setup.tried && !(hop + 1..plan.hops.len()).any(passes);
            if !passes(hop) || !(last || target.health.may_try(now.instant)) {
                setup.passed_over = true;
                continue;
            }
            let outbound = plan.direction == Direction::Outbound;
            let channel = if outbound {
                let Some(channel) = self.vendor_channel(vendor, now) else {
                    setup.passed_over = true;
                    continue;
                };
                Some(channel)
            } else {
                None
            };
            let Some(flow) = self.flow_to_hop(plan, hop, setup.source) else {
                setup.passed_over = true;
                continue;
            };
            let branch = self.branches.make(self.way(&setup.request));
            return Some(Chosen { hop, flow, channel, branch });
        }
    }

    /// The INVITE for a hop, and the node that carries its session; `None` when it cannot be written.
    pub(super) fn compose(
        &mut self,
        id: CallId,
        chosen: Chosen,
        (body, anchor): (Body<'_>, Option<Anchor>),
        now: Now,
    ) -> Option<Made> {
        let call = self.calls.get_mut(id)?;
        let (dialog, opening) = (call.dialog, call.context.is_opening());
        let mut setup = call.setup.take()?;
        // What the dialog knows of those that are tried at the same time stands then.
        let beside = opening && setup.tried;
        let made = self.compose_for((dialog, beside, &mut setup), chosen, (body, anchor), now);
        let call = self.calls.get_mut(id)?;
        call.setup = Some(setup);
        let (made, options) = made?;
        call.options = options;
        Some(made)
    }

    fn compose_for(
        &mut self,
        (dialog, beside, setup): (Uuid, bool, &mut Setup),
        chosen: Chosen,
        (body, anchor): (Body<'_>, Option<Anchor>),
        now: Now,
    ) -> Option<(Made, proxy::Options)> {
        let Chosen { hop, mut flow, channel, branch } = chosen;
        let Way::Plan { plan, .. } = &setup.way else { return None };
        let (_, vendor, target) = plan.hop(hop)?;
        let outbound = plan.direction == Direction::Outbound;
        let options = if outbound { vendor.proxy } else { self.options_of_hop(plan, hop) };
        let pdd = outbound.then_some(vendor.config.pdd_timeout).filter(|pdd| !pdd.is_zero());
        let pdd = pdd.or_else(|| contact::patience(plan, hop));
        let trusted = vendor.config.trusted && plan.trunk()?.config.trusted;
        let hides = plan.hides(hop)?;
        let leave = Leave {
            source: setup.source,
            listener: flow.listener,
            branch: &branch,
            own_routes: 0,
            trusted,
            identities: true,
            withheld: false,
            caller: None,
            names: None,
            hides: hides.callee,
            session_asked: None,
        };
        let (request, sdp) = body.within(&setup.request);
        let media = anchor.as_ref().map_or(0, |anchor| anchor.node);
        let (identified, stamp) = (&setup.identified, None);
        let mut outgoing =
            Outgoing { request, sdp, plan, hop, dialog, media, leave, hides, identified, stamp, now };
        let mut invite = outgoing::invite(&outgoing, &self.settings, &mut self.memory)?;
        if outbound && vendor.config.sign_calls {
            self.count_signed(invite.signed.is_some());
        }
        let large = outbound && flow.transport == Transport::Udp && invite.octets.len() > udp_max(vendor);
        let over_tcp = large && vendor.config.oversize == Oversize::Tcp && !setup.tcp_failed;
        let tcp = over_tcp.then(|| self.flow_over(Transport::Tcp, target, setup.source)).flatten();
        if let Some(tcp) = tcp {
            let signed = invite.signed.take();
            (outgoing.leave.listener, outgoing.stamp) = (tcp.listener, signed.as_ref());
            // All else of it is another: a key may have come between the two.
            (flow, invite) = (tcp, outgoing::invite(&outgoing, &self.settings, &mut self.memory)?);
            self.counters.oversize_tcp.add(1);
        } else if large && invite.octets.len() > UDP_MAX {
            self.counters.oversize_fragmented.add(1);
        }
        let outgoing::Invite { octets, callee, shown, call_id_shown, session_asked, session, signed } =
            invite;
        let identities = identity::pass_within(plan.direction, (plan.trunk()?, vendor));
        let pinned = plan.contact(hop).is_some();
        if let Some(dialog) = self.dialogs.get_mut(&dialog).filter(|_| !beside) {
            dialog.vendor = vendor.config.number;
            dialog.trusted = trusted;
            dialog.identities = identities;
            dialog.callee = Side { pinned, ..Side::unknown(flow) };
            dialog.forks.clear();
            dialog.shown = shown;
            dialog.call_id_shown = call_id_shown;
            dialog.hides = hides;
            dialog.session_asked = session_asked;
            let trunk = plan.trunk().filter(|_| anchor.is_none());
            dialog.profiles = trunk.map(|trunk| Profiles::between(trunk, vendor));
            dialog.media.clone_from(&anchor);
            dialog.asked = Asked::default();
        }
        let mut attempt = Attempt::new(hop, flow, now);
        (attempt.vendor, attempt.channel) = (outbound.then_some(vendor.config.number), channel);
        attempt.callee = callee;
        attempt.moved_to_tcp = tcp.is_some();
        attempt.session = session;
        (attempt.anchor, attempt.pinned, attempt.late) = (anchor, pinned, Late::of(body, media));
        attempt.signed = signed.map(|stamp| stamp.attested);
        setup.tried = true;
        Some(((attempt, octets, self.keys.client(&branch, Method::Invite), pdd), options))
    }

    fn vendor_channel(&self, vendor: &Vendor, now: Now) -> Option<Channel> {
        let channel = vendor.usage.take_channel(vendor.config.channels)?;
        vendor.usage.take_attempt(vendor.config.cps, now.instant).then_some(channel)
    }
}

/// The largest INVITE to a vendor that goes by UDP. One that asks who calls has it once more, with credentials, by the
/// same flow.
const fn udp_max(vendor: &Vendor) -> usize {
    if vendor.account.is_some() { UDP_MAX - CREDENTIALS_LEN } else { UDP_MAX }
}

/// What the caller is told where no attempt is left and none was made.
fn none_left(call: &Call) -> StatusCode {
    call.setup.as_ref().map_or(super::FULL, |setup| setup.none_left())
}
