//! Responses of our own.

use bytes::Bytes;
use sip::{Message, Method, Response, StatusCode};

use super::{TAG_LEN, Turn, Worker, receive};
use crate::sip::flow::{Flow, Outbound};
use crate::sip::session_timer;

/// What a request may be here, as 405 and 200 to OPTIONS tell (20.5).
const ALLOW: &[u8] = b"INVITE, ACK, CANCEL, BYE, OPTIONS, UPDATE, PRACK, INFO, REFER, NOTIFY, MESSAGE";

impl Worker {
    /// A response that is forgotten once it is sent. A request that comes again is answered again.
    pub(super) fn reply_statelessly(
        &mut self,
        message: &Message,
        flow: Flow,
        answer: (StatusCode, Option<&str>),
        turn: &mut Turn<'_>,
    ) {
        if message.method() == Some(Method::Ack) {
            return;
        }
        let Some(reply_to) = receive::reply_to(message, flow).or(Some(flow)) else { return };
        let tag = self.tag(message);
        if let Some(octets) = self.own_response(message, flow, answer, &tag) {
            turn.out.messages.push(Outbound { flow: reply_to, octets, sender: Outbound::NOBODY });
        }
    }

    /// Writes a response: its status, and another reason phrase than the usual one.
    pub(super) fn own_response(
        &mut self,
        request: &Message,
        flow: Flow,
        (status, reason): (StatusCode, Option<&str>),
        tag: &[u8; TAG_LEN],
    ) -> Option<Bytes> {
        let allow: &[(&str, &[u8])] = &[("Allow", ALLOW)];
        let tells = status == StatusCode::METHOD_NOT_ALLOWED
            || (status == StatusCode::OK && request.method() == Some(Method::Options));
        let headers = match status {
            StatusCode::SESSION_INTERVAL_TOO_SMALL => &[("Min-SE", session_timer::LEAST_TEXT)],
            _ if tells => allow,
            _ => &[],
        };
        let response =
            Response { reason, to_tag: Some(tag), source: Some(flow.peer), headers, ..Response::new(status) };
        self.written(|out| response.write(request, out).is_ok())
    }
}
