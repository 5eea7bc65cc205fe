//! Descriptions that no media node sees: what a trunk and a vendor say of codecs holds for them all the same.
//!
//! An offer of which nothing would be left is refused, or goes to the next vendor. An answer is not: it was given, and
//! is the matter of those who hear each other (RFC 3264, 6.1). What cannot be read passes as it came.

use bytes::BytesMut;
use runtime::model::MediaProfile;
use sip::sdp::{CodecRule, Filtered, Sdp};
use sip::{Message, Method, StatusCode};
use uuid::Uuid;

use super::{Anchoring, Chosen, Described, Role};
use crate::sip::anchor::{self, Profiles};
use crate::sip::dialog::End;
use crate::sip::flow::Flow;
use crate::sip::transactions::CallId;
use crate::sip::worker::call::{Setup, Way};
use crate::sip::worker::{Turn, Worker};

/// A name that no codec has: of a list of it nothing stays.
const NO_CODEC: &str = "";

/// What becomes of a description.
enum Passing {
    /// It passes as it came.
    AsItCame,
    /// It goes on with fewer codecs, or in another order.
    Filtered(Box<Message>),
    /// Nothing would be left of an offer.
    Nothing,
}

impl Worker {
    /// The INVITE of an attempt whose session no node carries.
    pub(super) fn past_nodes(&mut self, id: CallId, chosen: Chosen, profiles: &Profiles) -> Anchoring {
        let setup = self.calls.get(id).and_then(|call| call.setup.as_deref());
        let Some(setup) = setup.filter(|_| profiles.name_codecs()) else {
            return Anchoring::Goes(chosen, None);
        };
        let Way::Plan { plan, .. } = &setup.way else { return Anchoring::Goes(chosen, None) };
        let between = [End::Caller, End::Callee].map(|end| profiles.of(end, plan.direction));
        let request = setup.request.clone();
        match self.passing(&request, between, Role::Offer) {
            Passing::AsItCame => Anchoring::Goes(chosen, None),
            Passing::Filtered(request) => Anchoring::Filtered(chosen, request),
            Passing::Nothing => {
                let setup = self.calls.get_mut(id).and_then(|call| call.setup.as_deref_mut());
                if let Some(setup) = setup {
                    setup.unfit = true;
                    not_asked(setup, &chosen);
                }
                Anchoring::Unfit
            }
        }
    }

    /// Whether a response within a call that no node carries goes on with other codecs.
    pub(super) fn response_is_filtered(
        &mut self,
        (dialog, from): (Uuid, End),
        role: Role,
        (message, flow): (&Message, Flow),
        turn: &mut Turn<'_>,
    ) -> bool {
        match self.passing_within((dialog, from), message, role) {
            Passing::Filtered(message) => {
                self.go_on((flow, &message), Described::Anchored, turn);
                true
            }
            // It answers a request, and is not to be refused.
            Passing::AsItCame | Passing::Nothing => false,
        }
    }

    /// The same of a request.
    pub(super) fn request_is_filtered(
        &mut self,
        (dialog, from): (Uuid, End),
        method: Method,
        (message, flow): (&Message, Flow),
        turn: &mut Turn<'_>,
    ) -> bool {
        let offered_by = self.dialogs.get(&dialog).and_then(|dialog| dialog.offered_by);
        let role = match method {
            Method::Ack => Role::Answer,
            Method::Prack if offered_by == Some(from.other()) => Role::Answer,
            Method::Invite | Method::Update | Method::Prack => Role::Offer,
            Method::Bye
            | Method::Cancel
            | Method::Options
            | Method::Register
            | Method::Info
            | Method::Subscribe
            | Method::Notify
            | Method::Refer
            | Method::Message
            | Method::Publish
            | Method::Other => return false,
        };
        match self.passing_within((dialog, from), message, role) {
            Passing::AsItCame => false,
            Passing::Filtered(message) => {
                self.go_on((flow, &message), Described::Anchored, turn);
                true
            }
            // Its sender may offer something else, and the call goes on as it was.
            Passing::Nothing => {
                self.reply_statelessly(message, flow, (StatusCode::NOT_ACCEPTABLE_HERE, None), turn);
                true
            }
        }
    }

    fn passing_within(&mut self, (id, from): (Uuid, End), message: &Message, role: Role) -> Passing {
        if message.body().is_empty() {
            return Passing::AsItCame;
        }
        let Some(dialog) = self.dialogs.get(&id) else { return Passing::AsItCame };
        let (direction, trunk, vendor) = (dialog.direction, dialog.trunk, dialog.vendor);
        let profiles = dialog.profiles.clone().or_else(|| self.profiles_of(trunk, vendor));
        let Some(profiles) = profiles.filter(Profiles::name_codecs) else { return Passing::AsItCame };
        if let Some(dialog) = self.dialogs.get_mut(&id).filter(|_| role == Role::Offer) {
            dialog.offered_by = Some(from);
        }
        let between = [from, from.other()].map(|end| profiles.of(end, direction));
        self.passing(message, between, role)
    }

    /// What becomes of the description of a message between these.
    fn passing(&mut self, message: &Message, [sender, receiver]: [&MediaProfile; 2], role: Role) -> Passing {
        let Some(mut codecs) = anchor::agreed(sender, receiver) else { return Passing::AsItCame };
        let sdp = message.sdp().and_then(|found| Sdp::parse(found.octets).ok());
        let Some(sdp) = sdp else { return Passing::AsItCame };
        if codecs.is_empty() {
            codecs.push(NO_CODEC);
        }
        // An answer is in the order of who gives it.
        let order: &[&str] = if role == Role::Offer { &codecs } else { &[] };
        let mut out = BytesMut::new();
        match sdp.filter_codecs(&CodecRule { allowed: codecs.as_slice(), denied: &[], order }, &mut out) {
            Filtered::Unchanged => Passing::AsItCame,
            Filtered::Changed => self
                .with_sdp(message, &out)
                .map_or(Passing::AsItCame, |changed| Passing::Filtered(Box::new(changed))),
            Filtered::NothingLeft if role == Role::Offer => Passing::Nothing,
            Filtered::NothingLeft => Passing::AsItCame,
        }
    }
}

/// A vendor that gets no INVITE has not used up one of those that it takes in a second.
fn not_asked(setup: &Setup, chosen: &Chosen) {
    let Way::Plan { plan, .. } = &setup.way else { return };
    if let Some((_, vendor, _)) = plan.hop(chosen.hop).filter(|_| chosen.channel.is_some()) {
        vendor.usage.give_back_attempt(vendor.config.cps);
    }
}
