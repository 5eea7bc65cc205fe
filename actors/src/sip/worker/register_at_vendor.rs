//! REGISTER to vendors that want to know where we are (RFC 3261, 10.2).

use std::fmt::Write;

use sip::{HeaderId, Message, Method, NameAddr, Request, StatusCode, Uri};

use super::{Hand, Turn, Worker};
use crate::sip::branch;
use crate::sip::flow::Flow;
use crate::sip::registration::{Changed, DRAWN, Said};
use crate::sip::snapshot::{Target, Vendor};
use crate::sip::transactions::{Owner, Register};

/// What a REGISTER says of whom it registers.
struct Registered {
    /// As it may stand in a URI.
    user: String,
    domain: String,
    /// The registrar's Request-URI.
    uri: String,
}

impl Worker {
    /// Sends a REGISTER to one address of a vendor.
    pub(super) fn register_at_vendor(&mut self, register: Register, turn: &mut Turn<'_>) {
        let snapshot = self.snapshot.load_full();
        let Some((vendor, target)) = register.find(&snapshot) else { return };
        let Some(Registered { user, domain, uri }) = registered(vendor, target) else { return };
        let nowhere = Flow { listener: 0, transport: target.transport, peer: target.address, connection: 0 };
        let sent = self.flow_out(target, nowhere).and_then(|flow| {
            let listener = self.settings.listeners.get(usize::from(flow.listener))?;
            let branch = self.branches.make(0);
            let text = |octets: &[u8]| String::from_utf8_lossy(octets).into_owned();
            let via =
                format!("SIP/2.0/{} {};branch={}", listener.via_transport(), listener.sent_by, text(&branch));
            let contact = format!("<sip:{user}@{}{}>", listener.sent_by, listener.uri_transport());
            let (call_id, tag) = self.names_of(register, &user, &domain);
            let to = format!("<sip:{user}@{domain}>");
            let from = format!("{to};tag={tag}");
            let expires = register.due.seconds.to_string();
            let request = Request {
                method: Method::Register,
                uri: uri.as_bytes(),
                via: via.as_bytes(),
                from: from.as_bytes(),
                to: to.as_bytes(),
                call_id: call_id.as_bytes(),
                cseq: register.due.cseq,
                routes: &[],
                headers: &[("Contact", contact.as_bytes()), ("Expires", expires.as_bytes())],
                body: None,
            };
            let octets = self.written(|out| request.write(out).is_ok())?;
            let key = self.keys.client(&branch, Method::Register);
            self.begin_client(key, (flow, octets), Owner::Register(register), turn)
        });
        // That we cannot send says nothing of the vendor.
        if sent.is_none() {
            self.settle_registration(register, Said::Silent, turn);
        }
    }

    /// Call-ID and tag of a registration: the same for all of its requests (10.2.4), and others in another process, whose
    /// numbers begin anew.
    fn names_of(&self, register: Register, user: &str, domain: &str) -> (String, String) {
        let name = |purpose: &[u8]| {
            let (vendor, process) = (register.vendor.to_be_bytes(), self.settings.process.to_be_bytes());
            let address = register.address.to_string();
            let parts: [&[u8]; 6] =
                [purpose, &vendor, &process, address.as_bytes(), user.as_bytes(), domain.as_bytes()];
            let mut digits = [0; 16];
            branch::hex(branch::digest_of(self.settings.seed, parts), &mut digits);
            String::from_utf8_lossy(&digits).into_owned()
        };
        (name(b"call-id of a registration"), name(b"tag of a registration"))
    }

    /// What came of a REGISTER; without a status nothing.
    pub(super) fn registered_at_vendor(
        &self,
        register: Register,
        status: Option<StatusCode>,
        hand: Hand<'_>,
        turn: &Turn<'_>,
    ) {
        let snapshot = self.snapshot.load_full();
        let Some((vendor, target)) = register.find(&snapshot) else { return };
        // The same as of an OPTIONS.
        if status.is_some_and(|status| status != StatusCode::SERVICE_UNAVAILABLE) {
            target.health.answered();
        } else {
            target.health.silent(turn.now.instant);
        }
        let said = match (status, hand.message) {
            (Some(status), Some((response, _))) => {
                self.said_by(response, status, register.due.seconds, (vendor, target))
            }
            _ => Said::Silent,
        };
        self.settle_registration(register, said, turn);
    }

    fn settle_registration(&self, register: Register, said: Said, turn: &Turn<'_>) {
        let snapshot = self.snapshot.load_full();
        let Some((vendor, target)) = register.find(&snapshot) else { return };
        let Some(registration) = &target.registration else { return };
        let drawn = u32::try_from(self.random.below(u64::from(DRAWN) + 1)).unwrap_or_default();
        let (vendor, gateway) = (vendor.config.name.as_str(), target.address);
        match registration.settle(register.due.cseq, said, turn.now.instant, drawn) {
            Some(Changed::Registered) => tracing::info!(vendor, %gateway, "registered at a vendor"),
            Some(Changed::Failed) => {
                let reason = said.text();
                tracing::warn!(vendor, %gateway, reason, "a registration at a vendor fails, it is tried again");
            }
            None => {}
        }
    }

    fn said_by(
        &self,
        response: &Message,
        status: StatusCode,
        asked: u32,
        (vendor, target): (&Vendor, &Target),
    ) -> Said {
        let told = |id| response.value(id).and_then(seconds);
        match status.as_u16() {
            200..300 if asked == 0 => Said::Gone,
            200..300 => {
                let own = registered(vendor, target);
                if self.is_displaced(response) {
                    return Said::Displaced;
                }
                let granted = own.and_then(|own| self.granted(response, &own.user));
                let granted = granted.or_else(|| told(HeaderId::Expires)).unwrap_or(asked);
                // A registrar gives no more than was asked for (10.3).
                match granted.min(asked) {
                    0 => Said::Refused(status.as_u16()),
                    granted => Said::Granted(granted),
                }
            }
            423 => told(HeaderId::MinExpires).map_or(Said::Refused(423), Said::TooBrief),
            refused => Said::Refused(refused),
        }
    }

    /// Whether an answer lists contacts, and none of them is at an address of ours. Who lists none has said nothing.
    fn is_displaced(&self, response: &Message) -> bool {
        let mut contacts = response.list(HeaderId::Contact).peekable();
        let is_own = |value: &[u8]| {
            let contact = NameAddr::parse(value).ok();
            let uri = contact.and_then(|contact| contact.uri().ok()).and_then(Uri::sip);
            uri.is_some_and(|uri| self.is_ours(&uri))
        };
        contacts.peek().is_some() && !contacts.any(is_own)
    }

    /// Seconds that the registrar has our Contact for, where its answer lists that with a time.
    fn granted(&self, response: &Message, user: &str) -> Option<u32> {
        let contacts = response.list(HeaderId::Contact).filter_map(|value| NameAddr::parse(value).ok());
        let mut own = contacts.filter(|contact| {
            let uri = contact.uri().ok().and_then(Uri::sip);
            uri.is_some_and(|uri| uri.user == Some(user.as_bytes()) && self.is_ours(&uri))
        });
        own.find_map(|contact| seconds(contact.params.get(b"expires")?.value?))
    }
}

/// Whom we register at a vendor's address; `None` where nobody is.
fn registered(vendor: &Vendor, target: &Target) -> Option<Registered> {
    let (user, domain) = target.registered(&vendor.config)?;
    let is_named =
        vendor.config.account.as_ref()?.register.as_ref().is_some_and(|own| !own.domain.is_empty());
    // The port is the registrar's, and no part of who we are there.
    let registrar = if is_named { domain } else { target.host_port.split(';').next().unwrap_or_default() };
    Some(Registered { user: escaped(user), domain: domain.to_owned(), uri: format!("sip:{registrar}") })
}

/// A name as the user part of a URI has it (25.1).
fn escaped(user: &str) -> String {
    let mut text = String::with_capacity(user.len());
    for octet in user.bytes() {
        if octet.is_ascii_alphanumeric() || b"-_.!~*'()+".contains(&octet) {
            text.push(char::from(octet));
        } else {
            // Text grows as it needs: nothing to fail.
            let _ = write!(text, "%{octet:02X}");
        }
    }
    text
}

/// A number of seconds.
fn seconds(value: &[u8]) -> Option<u32> {
    std::str::from_utf8(value).ok()?.trim().parse().ok()
}
