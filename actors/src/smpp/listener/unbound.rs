//! A connection until it has bound: deadlines, TLS handshake, bind request, and the hand-over to a session.

use std::net::SocketAddr;
use std::sync::atomic::Ordering;

use bytes::BytesMut;
use runtime::net::Stream;
use smpp::pdu::{Bind, BindMode, BindResp, encode_resp_header};
use smpp::session::{Session, Side, State as SessionState, TimerOptions, Verdict};
use smpp::{CommandId, CommandStatus, Frame, Tag, TlvBuf};
use tokio::time::{Instant, timeout};

use super::Door;
use crate::smpp::account::BoundAccount;
use crate::smpp::connection::{Connection, Event};
use crate::smpp::esme_session::{self, Bound};

/// interface_version of our bind responses (5.3.2.25).
const INTERFACE_VERSION: u8 = 0x34;

/// Speaks with a connection until it is bound, refused, or out of time.
pub(super) async fn greet(door: &Door, stream: Stream, peer: SocketAddr) {
    let session_init = door.options.smpp.options.session_init.get();
    let begun = Instant::now();
    let Ok(greeted) = timeout(session_init, secure_and_bind(door, stream, peer)).await else {
        tracing::debug!(%peer, "no bind in time, closed");
        return;
    };
    let Some(bound) = greeted else { return };
    let spec = esme_session::child_spec(door.options.smpp.clone(), bound);
    if let Err(error) = door.options.sessions.add(spec).await {
        tracing::warn!(%peer, %error, "a session could not be started");
    }
    tracing::debug!(%peer, took_ms = begun.elapsed().as_millis(), "bound");
}

async fn secure_and_bind(door: &Door, stream: Stream, peer: SocketAddr) -> Option<Bound> {
    let stream: Stream = match &door.options.tls {
        None => stream,
        Some(tls) => match tls.acceptor().accept(stream).await {
            Ok(stream) => Box::new(stream),
            Err(error) => {
                tracing::debug!(%peer, %error, "TLS handshake failed");
                return None;
            }
        },
    };
    let command_length_max = door.options.smpp.options.command_length_max;
    let mut connection = Connection::new(stream, command_length_max);
    loop {
        match connection.next_frame() {
            Ok(Some(frame)) => match answer(door, &frame, peer, &mut connection.output).await {
                Answer::Bound(account, mode) => return Some(Bound { connection, account, mode, peer }),
                Answer::GoOn => {}
                Answer::Close => {
                    let _ = connection.flush().await;
                    connection.close().await;
                    return None;
                }
            },
            Ok(None) => {
                if matches!(connection.ready(true).await, Ok(Event::Closed) | Err(_)) {
                    return None;
                }
            }
            Err(error) => {
                refuse_stream(door, &error, connection).await;
                return None;
            }
        }
    }
}

/// A command_length that no PDU can have: generic_nack, then the end, for the stream is lost (3.2).
async fn refuse_stream(door: &Door, error: &smpp::FrameError, mut connection: Connection) {
    let status = error.command_status();
    door.options.smpp.metrics.malformed.with_label_values(&[&status.to_string()]).inc();
    let sequence_number = smpp::frame::sequence_number_of(connection.partial());
    encode_resp_header(CommandId::GENERIC_NACK, status, sequence_number, &mut connection.output);
    let _ = connection.flush().await;
    connection.close().await;
}

enum Answer {
    Bound(BoundAccount, BindMode),
    GoOn,
    Close,
}

async fn answer(door: &Door, frame: &Frame, peer: SocketAddr, output: &mut BytesMut) -> Answer {
    let header = frame.header();
    let smpp = &door.options.smpp;
    let machine = Session::new(Side::Smsc, TimerOptions::default(), Instant::now().into_std());
    debug_assert_eq!(machine.state(), SessionState::Open);
    match machine.judge(&header) {
        Verdict::Accept => {}
        Verdict::Refuse { command_id, command_status } => {
            encode_resp_header(command_id, command_status, header.sequence_number, output);
            return Answer::GoOn;
        }
        Verdict::Nack(status) => {
            encode_resp_header(CommandId::GENERIC_NACK, status, header.sequence_number, output);
            return Answer::GoOn;
        }
        Verdict::Ignore => return Answer::GoOn,
    }
    let Some(mode) = BindMode::of(header.command_id) else { return without_bind(frame, output) };
    let refused = |status: CommandStatus, output: &mut BytesMut| {
        smpp.metrics.bind_requests.with_label_values(&["refused"]).inc();
        encode_resp_header(header.command_id.response(), status, header.sequence_number, output);
        Answer::Close
    };
    let bind = match Bind::decode(header.command_id, frame.body()) {
        Ok(bind) => bind,
        Err(error) => return refused(error.command_status, output),
    };
    if smpp.draining.load(Ordering::Relaxed)
        || smpp.sessions.load(Ordering::Relaxed) >= smpp.options.sessions_max
    {
        return refused(CommandStatus::ESME_RSYSERR, output);
    }
    match door.gate.admit(smpp, &bind, peer.ip()).await {
        Err(status) => {
            tracing::info!(%peer, %status, "bind refused");
            refused(status, output)
        }
        Ok(account) => {
            smpp.metrics.bind_requests.with_label_values(&["ok"]).inc();
            let mut tlvs = TlvBuf::new();
            tlvs.push_u8(Tag::SC_INTERFACE_VERSION, INTERFACE_VERSION);
            let resp = BindResp { mode, system_id: smpp.options.system_id.as_bytes(), tlvs: tlvs.as_tlvs() };
            // The configuration was checked to hold a system_id that fits.
            let _ = resp.encode(CommandStatus::ESME_ROK, header.sequence_number, output);
            Answer::Bound(account, mode)
        }
    }
}

/// What may be said before a bind: unbind is answered and ends the connection.
fn without_bind(frame: &Frame, output: &mut BytesMut) -> Answer {
    let header = frame.header();
    encode_resp_header(header.command_id.response(), CommandStatus::ESME_ROK, header.sequence_number, output);
    if header.command_id == CommandId::UNBIND { Answer::Close } else { Answer::GoOn }
}
