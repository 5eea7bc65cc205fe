//! One connection of a node to the SMSC.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::TcpStream;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::super::pdu::{self, Bind, Pdu, RESP, Sm};
use super::super::wait;
use super::{Answer, Connection, DELIVER_WINDOW, LOOK, Owed, Shared, State};

/// A reader looks this often whether the SMSC froze or stopped.
const READ: Duration = Duration::from_millis(20);

/// Takes a connection over.
pub(super) fn start(stream: TcpStream, shared: &Arc<Shared>) {
    stream.set_nonblocking(false).unwrap();
    stream.set_nodelay(true).unwrap();
    stream.set_read_timeout(Some(READ)).unwrap();
    // A node that is frozen itself must not hold the SMSC's lock for ever.
    stream.set_write_timeout(Some(Duration::from_secs(2))).unwrap();
    let mut state = shared.state.lock();
    let number = state.next;
    state.next += 1;
    let writer = stream.try_clone().unwrap();
    let connection =
        Connection { stream: writer, system_id: String::new(), receives: false, outstanding: 0, sequence: 0 };
    state.connections.insert(number, connection);
    drop(state);
    let shared = Arc::clone(shared);
    std::thread::spawn(move || {
        read(stream, number, &shared);
        shared.state.lock().forget(number);
        shared.changed.notify_all();
    });
}

fn read(mut stream: TcpStream, number: u64, shared: &Shared) {
    let (mut buffer, mut octets) = (Vec::new(), [0; 65_536]);
    loop {
        let state = shared.state.lock();
        if state.stopped {
            return;
        }
        let frozen = state.frozen;
        drop(state);
        if frozen {
            wait::pause(LOOK);
            continue;
        }
        match stream.read(&mut octets) {
            Ok(0) => return,
            Ok(count) => buffer.extend(&octets[..count]),
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => continue,
            Err(_) => return,
        }
        let mut out = Vec::new();
        let mut state = shared.state.lock();
        while let Some(pdu) = Pdu::split(&mut buffer) {
            state.take(number, &pdu, &mut out);
        }
        drop(state);
        shared.changed.notify_all();
        if stream.write_all(&out).is_err() {
            return;
        }
    }
}

impl State {
    /// Answers one PDU of the node.
    fn take(&mut self, number: u64, pdu: &Pdu, out: &mut Vec<u8>) {
        match pdu.id {
            pdu::BIND_RECEIVER | pdu::BIND_TRANSMITTER | pdu::BIND_TRANSCEIVER => self.bind(number, pdu, out),
            pdu::SUBMIT_SM => self.submit(pdu, out),
            pdu::ENQUIRE_LINK => out.extend(pdu::response(pdu, 0, &[])),
            pdu::UNBIND => {
                self.unbinds += 1;
                out.extend(pdu::response(pdu, 0, &[]));
            }
            DELIVER_SM_RESP => self.delivered(number, pdu),
            id if id & RESP != 0 => {}
            _ => out.extend(pdu::raw(16, [pdu::GENERIC_NACK, 0x03, pdu.sequence], &[])),
        }
    }

    fn bind(&mut self, number: u64, pdu: &Pdu, out: &mut Vec<u8>) {
        let bind = Bind::read(pdu);
        if bind.password.is_empty() {
            return out.extend(pdu::response(pdu, 0x0E, &[]));
        }
        let Some(connection) = self.connections.get_mut(&number) else { return };
        connection.system_id = String::from_utf8_lossy(&bind.system_id).into_owned();
        connection.receives = bind.id != pdu::BIND_TRANSMITTER;
        self.binds += 1;
        out.extend(pdu::response(pdu, 0, b"SMSC\0"));
    }

    fn submit(&mut self, pdu: &Pdu, out: &mut Vec<u8>) {
        let sm = Sm::read(pdu);
        self.submits.push(sm.clone());
        match self.script.answer {
            Answer::Nothing => {}
            Answer::Status(status) => out.extend(pdu::response(pdu, status, &[])),
            Answer::Ok => {
                let id = format!("{:010}", self.submits.len());
                out.extend(pdu::response(pdu, 0, &[id.as_bytes(), &[0]].concat()));
                let wanted = sm.registered_delivery & 0b11 == 1;
                if let Some(after) = self.script.receipt_after.filter(|_| wanted) {
                    self.owed.push(Owed::receipt(&id, &sm, Instant::now() + after));
                }
            }
        }
    }

    /// deliver_sm_resp; a refused one is owed again.
    fn delivered(&mut self, number: u64, pdu: &Pdu) {
        let Some(owed) = self.in_flight.remove(&(number, pdu.sequence)) else { return };
        if let Some(connection) = self.connections.get_mut(&number) {
            connection.outstanding -= 1;
        }
        if pdu.status == 0 {
            self.acknowledged.push(owed.key);
        } else {
            self.owed.push(Owed { due: Instant::now() + Duration::from_millis(100), ..owed });
        }
    }

    /// Sends one due deliver_sm; false when none is due or nobody has room.
    pub(super) fn deliver_one(&mut self) -> bool {
        let now = Instant::now();
        let Some(at) = self.owed.iter().position(|owed| owed.due <= now) else { return false };
        let free = |connection: &Connection| connection.receives && connection.outstanding < DELIVER_WINDOW;
        let found = self.connections.iter_mut().find(|(_, connection)| free(connection));
        let Some((&number, connection)) = found else { return false };
        let owed = self.owed.remove(at);
        connection.sequence += 1;
        connection.outstanding += 1;
        let sequence = connection.sequence;
        let sent = connection.stream.write_all(&pdu::pdu(pdu::DELIVER_SM, sequence, &owed.sm.body()));
        self.in_flight.insert((number, sequence), owed);
        if sent.is_err() {
            self.forget(number);
        }
        sent.is_ok()
    }
}

const DELIVER_SM_RESP: u32 = pdu::DELIVER_SM | RESP;
