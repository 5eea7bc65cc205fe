//! A scripted ESME: sends any octets, reads PDUs, holds no opinion.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use super::pdu::{self, BIND_TRANSCEIVER, Bind, ENQUIRE_LINK, Pdu, RESP, Sm};

/// Time for an answer that must come.
pub(crate) const ANSWER: Duration = Duration::from_secs(10);

/// One connection to a node.
pub(crate) struct Esme {
    stream: TcpStream,
    buffer: Vec<u8>,
    sequence: u32,
}

/// What came within a time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Received {
    Pdu(Pdu),
    /// The node closed or reset the connection.
    Closed,
    Nothing,
}

impl Esme {
    /// Connects; nothing is sent.
    pub(crate) fn connect(node: SocketAddr) -> Self {
        Self::try_connect(node).unwrap_or_else(|error| panic!("cannot connect to {node}: {error}"))
    }

    pub(crate) fn try_connect(node: SocketAddr) -> std::io::Result<Self> {
        let stream = TcpStream::connect_timeout(&node, Duration::from_secs(5))?;
        stream.set_nodelay(true)?;
        stream.set_write_timeout(Some(ANSWER))?;
        Ok(Self { stream, buffer: Vec::new(), sequence: 1000 })
    }

    /// Connects and binds as a transceiver.
    #[track_caller]
    pub(crate) fn bound(node: SocketAddr, system_id: &str, password: &str) -> Self {
        Self::bound_as(node, &Bind::transceiver(system_id, password))
    }

    #[track_caller]
    pub(crate) fn bound_as(node: SocketAddr, bind: &Bind) -> Self {
        let mut esme = Self::connect(node);
        let answer = esme.request(&bind.octets(1));
        assert_eq!((answer.id, answer.status), (bind.id | RESP, 0), "bind is accepted");
        esme
    }

    /// Connects and binds as a transceiver, if the node is there and willing.
    pub(crate) fn try_bound(node: SocketAddr, system_id: &str, password: &str) -> Option<Self> {
        let mut esme = Self::try_connect(node).ok()?;
        esme.try_send(&Bind::transceiver(system_id, password).octets(1)).ok()?;
        match esme.receive(Duration::from_secs(5)) {
            Received::Pdu(answer) if answer.id == BIND_TRANSCEIVER | RESP && answer.status == 0 => Some(esme),
            _ => None,
        }
    }

    /// A sequence_number that this session has not used.
    pub(crate) fn sequence(&mut self) -> u32 {
        self.sequence += 1;
        self.sequence
    }

    #[track_caller]
    pub(crate) fn send(&mut self, octets: &[u8]) {
        self.try_send(octets).expect("the node takes octets");
    }

    pub(crate) fn try_send(&mut self, octets: &[u8]) -> std::io::Result<()> {
        self.stream.write_all(octets)
    }

    /// The next PDU, whatever it is.
    pub(crate) fn receive(&mut self, within: Duration) -> Received {
        let deadline = Instant::now() + within;
        loop {
            if let Some(pdu) = Pdu::split(&mut self.buffer) {
                return Received::Pdu(pdu);
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Received::Nothing;
            }
            match self.fill(left) {
                Fill::Some => {}
                Fill::Closed => return Received::Closed,
                Fill::Nothing => return Received::Nothing,
            }
        }
    }

    fn fill(&mut self, within: Duration) -> Fill {
        let mut octets = [0; 16_384];
        self.stream.set_read_timeout(Some(within.max(Duration::from_micros(1)))).unwrap();
        match self.stream.read(&mut octets) {
            Ok(0) => Fill::Closed,
            Ok(count) => {
                self.buffer.extend(&octets[..count]);
                Fill::Some
            }
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                Fill::Nothing
            }
            Err(error) if error.kind() == ErrorKind::Interrupted => Fill::Some,
            Err(_) => Fill::Closed,
        }
    }

    /// The next PDU that must come.
    #[track_caller]
    pub(crate) fn expect(&mut self) -> Pdu {
        match self.receive(ANSWER) {
            Received::Pdu(pdu) => pdu,
            other => panic!("a PDU was to come, but {other:?}"),
        }
    }

    /// Sends and returns the next PDU.
    #[track_caller]
    pub(crate) fn request(&mut self, octets: &[u8]) -> Pdu {
        self.send(octets);
        self.expect()
    }

    /// Submits and returns the node's message id; deliver_sm on the way are acknowledged and handed out.
    #[track_caller]
    pub(crate) fn submit(&mut self, sm: &Sm, delivered: &mut Vec<Sm>) -> String {
        let sequence = self.sequence();
        self.send(&sm.submit(sequence));
        loop {
            let pdu = self.expect();
            if pdu.id == pdu::SUBMIT_SM | RESP && pdu.sequence == sequence {
                assert_eq!(pdu.status, 0, "submit_sm is accepted");
                return pdu.text();
            }
            delivered.extend(self.acknowledge(&pdu));
        }
    }

    /// Answers a request of the node; a deliver_sm is returned.
    #[track_caller]
    pub(crate) fn acknowledge(&mut self, pdu: &Pdu) -> Option<Sm> {
        match pdu.id {
            pdu::DELIVER_SM => {
                self.send(&pdu::response(pdu, 0, &[0]));
                Some(Sm::read(pdu))
            }
            ENQUIRE_LINK => {
                self.send(&pdu::response(pdu, 0, &[]));
                None
            }
            other => panic!("unexpected command_id {other:#010x}, status {:#x}", pdu.status),
        }
    }

    /// Reads and acknowledges until `count` deliver_sm are together.
    #[track_caller]
    pub(crate) fn collect(&mut self, delivered: &mut Vec<Sm>, count: usize, within: Duration) {
        let deadline = Instant::now() + within;
        while delivered.len() < count {
            match self.receive(deadline.saturating_duration_since(Instant::now())) {
                Received::Pdu(pdu) => delivered.extend(self.acknowledge(&pdu)),
                other => panic!("{} of {count} deliver_sm came, then {other:?}", delivered.len()),
            }
        }
    }

    /// Fails unless the session answers enquire_link as the next thing it says.
    #[track_caller]
    pub(crate) fn assert_alive(&mut self, after: &str) {
        let sequence = self.sequence();
        if let Err(error) = self.try_send(&pdu::pdu(ENQUIRE_LINK, sequence, &[])) {
            panic!("{after}: the session is gone: {error}");
        }
        let alive = Pdu { id: ENQUIRE_LINK | RESP, status: 0, sequence, body: Vec::new() };
        assert_eq!(self.receive(ANSWER), Received::Pdu(alive), "{after}: the session lives");
    }

    /// Fails unless the node closes the connection without another word.
    #[track_caller]
    pub(crate) fn assert_closed(&mut self, after: &str, within: Duration) {
        assert_eq!(self.receive(within), Received::Closed, "{after}: the connection is closed");
    }

    /// Sends no more, but still reads.
    pub(crate) fn finish_sending(&self) {
        self.stream.shutdown(Shutdown::Write).unwrap();
    }
}

enum Fill {
    Some,
    Closed,
    Nothing,
}
