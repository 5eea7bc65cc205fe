//! Dialogs of an earlier process that left no record: rebuilt of their cookie and of the request that brings it, and told
//! as calls that were up.

use std::net::SocketAddr;
use std::sync::Arc;

use runtime::clock::Timestamp;
use runtime::model::NumberRule;
use sip::{HeaderId, NameAddr, StatusCode, Uri};

use super::in_dialog::Located;
use super::receive::Request;
use super::{Turn, Worker, admit, identity};
use crate::sip::anchor::Anchor;
use crate::sip::cookie::Cookie;
use crate::sip::dialog::{Asked, Dialog, End, Seen, Side};
use crate::sip::event::{Answered, Attempted, CallEvent, Started, What};
use crate::sip::hiding;
use crate::sip::number::dialled;
use crate::sip::routing::{self, Direction};
use crate::sip::snapshot::{Peer, Snapshot};
use crate::sip::transactions::Now;

impl Worker {
    /// A dialog of an earlier process that left no record: its cookie says between whom it is, and the request where
    /// both are. A request to a vendor goes only to that vendor, whatever it says.
    pub(super) fn rebuilt(&self, request: &Request<'_>, located: &Located<'_>, now: Now) -> Option<Dialog> {
        let Located { cookie, from, own_routes, key, .. } = *located;
        let message = request.message;
        let snapshot = self.snapshot.load();
        let known = self.known_by(request.parts.call_id, (&cookie, from), key)?;
        let hidden = known.hides.is_from(from);
        let target = hiding::target_of(&self.settings, message, hidden)?;
        let uri_of = |route| NameAddr::parse(route).ok().map(|route| route.uri);
        let next = message.list(HeaderId::Route).nth(own_routes).and_then(uri_of).unwrap_or(&target);
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
        far.target = Box::from(&*target);
        let [own, far] = sides;
        let (caller, callee) = if from == End::Caller { (own, far) } else { (far, own) };
        let direction = if cookie.inbound { Direction::Inbound } else { Direction::Outbound };
        // What the callee was shown is lost with the record; the rules make the same of the same name.
        let trunk = snapshot.trunks.iter().find(|trunk| trunk.config.number == cookie.trunk);
        let shown = match (from, trunk.zip(vendor)) {
            _ if cookie.withheld => identity::anonymous(&caller.name),
            (End::Caller, Some(between)) => {
                let host = self.sent_by(other);
                let ours = known.hides.callee.then_some((&*self.settings, host));
                identity::again(message, host, (direction, between), &snapshot, ours)
            }
            _ => Box::default(),
        };
        Some(Dialog {
            id: cookie.dialog,
            direction,
            trunk: cookie.trunk,
            vendor: cookie.vendor,
            call_id: known.call_id,
            call_id_shown: known.call_id_shown,
            hides: known.hides,
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
            asked: Asked::after(cookie.answers.into()),
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
