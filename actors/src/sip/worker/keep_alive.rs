//! What keeps the way to telephones open: OPTIONS of ours to those behind a NAT, and answers to theirs (RFC 3261, 11).
//!
//! Both without state: who hears nothing asks again soon anyway.

use bytes::Bytes;
use sip::{HeaderId, Message, Method, NameAddr, Request, StatusCode, Uri};

use super::{Turn, Worker};
use crate::sip::bindings::Binding;
use crate::sip::branch::{self, Ours};
use crate::sip::flow::{Flow, Outbound};

/// What marks the branch of an OPTIONS of which nobody waits for the answer, where others say their way.
const MARK: u32 = 0x6B61;

impl Worker {
    /// Asks a contact behind a NAT something, from the address that it registered at: the answer is what keeps the NAT
    /// open, whatever it says.
    pub(super) fn keep_alive(&mut self, binding: &Binding, turn: &mut Turn<'_>) {
        if !binding.stored.lives(turn.now.wall) {
            return;
        }
        let (listener, transport, peer) =
            (binding.stored.listener, binding.stored.transport, binding.stored.source);
        let Some(flow) = self.flow_to_contact(binding, Flow { listener, transport, peer, connection: 0 })
        else {
            return;
        };
        let Some((octets, _)) = self.options(&binding.stored.contact, flow, MARK) else { return };
        self.counters.keep_alives.add(1);
        turn.out.messages.push(Outbound { flow, octets, sender: Outbound::NOBODY });
    }

    /// Whether a response that no transaction waits for is the answer to such a question.
    pub(super) fn is_kept_alive(&self, ours: Ours, method: Method) -> bool {
        let is_answer = method == Method::Options && ours.way == MARK;
        self.counters.keep_alives_answered.add(u64::from(is_answer));
        is_answer
    }

    /// An OPTIONS about a URI, and the branch that it has.
    pub(super) fn options(&mut self, uri: &str, flow: Flow, way: u32) -> Option<(Bytes, [u8; branch::LEN])> {
        let branch = self.branches.make(way);
        let (mut tag, mut id) = ([0; 16], [0; 16]);
        branch::hex(self.random.u64(), &mut tag);
        branch::hex(self.random.u64(), &mut id);
        let text = |octets: &[u8]| String::from_utf8_lossy(octets).into_owned();
        let listener = self.settings.listeners.get(usize::from(flow.listener))?;
        let via =
            format!("SIP/2.0/{} {};branch={}", listener.via_transport(), listener.sent_by, text(&branch));
        let from = format!("<sip:{}>;tag={}", listener.sent_by, text(&tag));
        let to = format!("<{uri}>");
        let call_id = text(&id);
        let request = Request {
            method: Method::Options,
            uri: uri.as_bytes(),
            via: via.as_bytes(),
            from: from.as_bytes(),
            to: to.as_bytes(),
            call_id: call_id.as_bytes(),
            cseq: 1,
            routes: &[],
            headers: &[],
            body: None,
        };
        let octets = self.written(|out| request.write(out).is_ok())?;
        Some((octets, branch))
    }

    /// Answers an OPTIONS from where something registered, about nobody behind us: so equipment sees whether we are
    /// there, and keeps its NAT open. False of every other request.
    pub(super) fn answers_keep_alive(&mut self, message: &Message, flow: Flow, turn: &mut Turn<'_>) -> bool {
        let answers = message.method() == Some(Method::Options)
            && is_about_us(message)
            && self.bindings.has_source(flow.peer, flow.transport, turn.now.wall);
        if answers {
            self.counters.keep_alives_received.add(1);
            self.reply_statelessly(message, flow, (StatusCode::OK, None), turn);
        }
        answers
    }
}

/// Whether a request names nobody: equipment calls us by the name of its domain, whatever our addresses are.
fn is_about_us(message: &Message) -> bool {
    let uri = message.request_uri().and_then(|uri| Uri::parse(uri).ok()).and_then(Uri::sip);
    let to = message.value(HeaderId::To).and_then(|to| NameAddr::parse(to).ok());
    !message.has(HeaderId::Route)
        && uri.is_some_and(|uri| uri.user.is_none())
        && to.is_some_and(|to| to.tag.is_none())
}
