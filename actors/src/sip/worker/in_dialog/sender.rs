//! Whether the sender of a request or response is who stands at its end of the call.
//!
//! By the configuration, or by the address that was seen in the dialog. A trunk with `DIGEST` may be anywhere: of a call
//! whose record was lost nothing tells where. The cookie, which is bound to Call-ID and caller's tag, is proof enough
//! then for what answers a call or ends it.

use runtime::model::AuthType;
use sip::{HeaderId, Message, Method, NameAddr};

use super::Located;
use crate::sip::cookie::Cookie;
use crate::sip::dialog::End;
use crate::sip::flow::Flow;
use crate::sip::worker::Worker;
use crate::sip::worker::receive::to_tag;

impl Worker {
    /// Whether a request from an address that no trunk or vendor has belongs to a dialog that was seen at it, or ends one
    /// of a trunk that may be anywhere.
    pub(in crate::sip::worker) fn is_in_dialog_of(&self, message: &Message, flow: Flow) -> bool {
        let from = message.value(HeaderId::From).and_then(|value| NameAddr::parse(value).ok());
        let tags = (from.and_then(|from| from.tag), to_tag(message));
        let located = self.locate(message, tags);
        located.is_some_and(|located| {
            message.method().is_some_and(|method| self.is_seen(&located, method, flow))
        })
    }

    /// Whether a request may be passed on within its dialog, as far as its sender goes.
    pub(super) fn is_sender(&self, located: &Located<'_>, method: Method, flow: Flow) -> bool {
        self.is_party(flow, &located.cookie, located.from) || self.is_seen(located, method, flow)
    }

    fn is_seen(&self, located: &Located<'_>, method: Method, flow: Flow) -> bool {
        let Located { cookie, from, callee_tag, .. } = *located;
        let Some(dialog) = self.dialogs.get(&cookie.dialog) else {
            // What waits for its record is looked at again when that tells where they are.
            let passes = self.settings.shared || matches!(method, Method::Ack | Method::Bye);
            return passes && self.is_roaming(&cookie, from);
        };
        dialog.party(from, callee_tag).is_some_and(|side| side.is_at(flow.peer.ip()))
    }

    /// Whether the other side of a flow is the trunk or vendor that stands at this end of the call.
    pub(in crate::sip::worker) fn is_party(&self, flow: Flow, cookie: &Cookie, end: End) -> bool {
        let snapshot = self.snapshot.load();
        let peer = self.settings.peer(&snapshot, flow);
        // Who it is was said when the dialog began.
        let trunk = peer.trunk.or(peer.listed);
        let trunk = trunk.and_then(|place| snapshot.trunk(place)).map(|trunk| trunk.config.number);
        let vendor = peer.vendor.and_then(|place| snapshot.vendor(place)).map(|vendor| vendor.config.number);
        if (end == End::Caller) == cookie.inbound {
            vendor == Some(cookie.vendor)
        } else {
            trunk == Some(cookie.trunk)
        }
    }

    /// The same of who answers, or is answered: it may be a trunk that may be anywhere.
    pub(in crate::sip::worker) fn may_be_party(&self, flow: Flow, cookie: &Cookie, end: End) -> bool {
        self.is_party(flow, cookie, end) || self.is_roaming(cookie, end)
    }

    /// Whether anybody known is at the other side of a flow: a trunk or vendor by its address, or a trunk that may be
    /// anywhere and stands at this end of the call.
    pub(in crate::sip::worker) fn is_somebody(&self, flow: Flow, cookie: Option<&Cookie>, end: End) -> bool {
        !self.peer(flow).is_stranger() || cookie.is_some_and(|cookie| self.is_roaming(cookie, end))
    }

    /// Whether a trunk stands at this end of the call that is known by what it says, and not by where it is.
    fn is_roaming(&self, cookie: &Cookie, end: End) -> bool {
        let snapshot = self.snapshot.load();
        let trunk = snapshot.trunks.iter().find(|trunk| trunk.config.number == cookie.trunk);
        let roams =
            trunk.is_some_and(|trunk| trunk.config.active && trunk.config.auth_type == AuthType::Digest);
        roams && (end == End::Caller) != cookie.inbound
    }
}
