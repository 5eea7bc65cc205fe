//! A customer that submits and listens without a rest, and binds again whenever the node is gone.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::super::esme::{Esme, Received};
use super::super::pdu::{self, Pdu, RESP, Sm};
use super::super::wait;
use super::ledger::{Ledger, Outgoing};

/// submit_sm outstanding on one session.
const WINDOW: usize = 50;
/// Between two submit_sm of one session: 1,000 a second for two.
const PACE: Duration = Duration::from_millis(2);

/// One session of it, on a thread.
pub(super) struct Customer {
    orders: Arc<Orders>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Default)]
struct Orders {
    quiet: AtomicBool,
    stop: AtomicBool,
}

impl Customer {
    pub(super) fn start(n: usize, node: SocketAddr, ledger: &Arc<Ledger>) -> Self {
        let orders = Arc::new(Orders::default());
        let (heard, ledger) = (Arc::clone(&orders), Arc::clone(ledger));
        let body = move || {
            while !heard.stop.load(Ordering::Relaxed) {
                match Esme::try_bound(node, "load", "secret12") {
                    Some(esme) => Session::new(esme, &ledger, &heard).run(),
                    None => wait::pause(Duration::from_millis(20)),
                }
            }
        };
        let thread = std::thread::Builder::new().name(format!("customer {n}")).spawn(body).unwrap();
        Self { orders, thread: Some(thread) }
    }

    /// From now on it only listens.
    pub(super) fn stop_submitting(&self) {
        self.orders.quiet.store(true, Ordering::Relaxed);
    }
}

impl Drop for Customer {
    fn drop(&mut self) {
        self.orders.stop.store(true, Ordering::Relaxed);
        let ended = self.thread.take().map(JoinHandle::join);
        // Its assertions are the test's.
        if let (Some(Err(panic)), false) = (ended, std::thread::panicking()) {
            std::panic::resume_unwind(panic);
        }
    }
}

struct Session<'a> {
    esme: Esme,
    ledger: &'a Ledger,
    orders: &'a Orders,
    outstanding: HashMap<u32, Outgoing>,
    next: Instant,
}

impl<'a> Session<'a> {
    fn new(esme: Esme, ledger: &'a Ledger, orders: &'a Orders) -> Self {
        Self { esme, ledger, orders, outstanding: HashMap::new(), next: Instant::now() }
    }

    /// Until the connection ends.
    fn run(&mut self) {
        while !self.orders.stop.load(Ordering::Relaxed) {
            if !self.orders.quiet.load(Ordering::Relaxed) && !self.submit_due() {
                return;
            }
            match self.esme.receive(Duration::from_millis(1)) {
                Received::Pdu(pdu) => {
                    if !self.take(&pdu) {
                        return;
                    }
                }
                Received::Closed => return,
                Received::Nothing => {}
            }
        }
    }

    /// False when the connection is gone.
    fn submit_due(&mut self) -> bool {
        let now = Instant::now();
        while self.outstanding.len() < WINDOW && self.next <= now {
            self.next += PACE;
            let (sequence, message) = (self.esme.sequence(), self.ledger.next());
            let sm = Sm::new(&message.destination, &message.text);
            self.outstanding.insert(sequence, message);
            if self.esme.try_send(&sm.submit(sequence)).is_err() {
                return false;
            }
        }
        // Time that could not be used is not made up for later.
        self.next = self.next.max(now);
        true
    }

    /// False when the connection is gone.
    fn take(&mut self, pdu: &Pdu) -> bool {
        match pdu.id {
            SUBMIT_SM_RESP => {
                let message =
                    self.outstanding.remove(&pdu.sequence).expect("a response to a request of ours");
                if pdu.status == 0 {
                    self.ledger.acknowledged(pdu.text(), message);
                } else {
                    self.ledger.refused();
                }
                true
            }
            pdu::DELIVER_SM => {
                self.ledger.delivered(&Sm::read(pdu));
                self.esme.try_send(&pdu::response(pdu, 0, &[0])).is_ok()
            }
            pdu::ENQUIRE_LINK => self.esme.try_send(&pdu::response(pdu, 0, &[])).is_ok(),
            // A node that stops its sessions in order; what is outstanding was not promised.
            pdu::UNBIND => {
                let _ = self.esme.try_send(&pdu::response(pdu, 0, &[]));
                false
            }
            other => panic!("unexpected command_id {other:#010x}"),
        }
    }
}

const SUBMIT_SM_RESP: u32 = pdu::SUBMIT_SM | RESP;
