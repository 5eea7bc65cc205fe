//! A scripted SMSC for the node to bind to. It keeps every submit_sm, owes receipts and MO messages until they
//! are acknowledged, over as many connections as it takes, and can fall silent.

mod connection;

use std::collections::HashMap;
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex, MutexGuard};

use super::pdu::{self, Sm};
use super::wait;

/// deliver_sm outstanding on one connection.
const DELIVER_WINDOW: usize = 20;
/// Pause of the threads that have nothing to do.
const LOOK: Duration = Duration::from_millis(2);

/// What the SMSC does with submit_sm.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Script {
    pub(crate) answer: Answer,
    /// From the answer to the receipt; `None` sends none.
    pub(crate) receipt_after: Option<Duration>,
}

/// The submit_sm_resp.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    Ok,
    /// Refuses with this command_status.
    Status(u32),
    /// Takes the message and never answers.
    Nothing,
}

impl Default for Script {
    fn default() -> Self {
        Self { answer: Answer::Ok, receipt_after: Some(Duration::from_millis(50)) }
    }
}

/// A listening SMSC; it takes any system_id whose password is not empty.
pub(crate) struct Smsc {
    address: SocketAddr,
    shared: Arc<Shared>,
}

struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

/// Everything that happened, and what is still owed.
pub(crate) struct State {
    script: Script,
    frozen: bool,
    stopped: bool,
    next: u64,
    connections: HashMap<u64, Connection>,
    /// Every submit_sm, in order of arrival, refused ones too.
    pub(crate) submits: Vec<Sm>,
    /// Binds accepted since start.
    pub(crate) binds: usize,
    /// unbind received since start.
    pub(crate) unbinds: usize,
    owed: Vec<Owed>,
    in_flight: HashMap<(u64, u32), Owed>,
    /// Keys of receipts (the text of their message) and MO messages that the node acknowledged.
    pub(crate) acknowledged: Vec<String>,
}

struct Owed {
    due: Instant,
    key: String,
    sm: Sm,
}

struct Connection {
    stream: TcpStream,
    system_id: String,
    receives: bool,
    outstanding: usize,
    sequence: u32,
}

impl Smsc {
    /// On a free port.
    pub(crate) fn start(script: Script) -> Self {
        Self::on(SocketAddr::from(([127, 0, 0, 1], 0)), script)
    }

    /// On this address.
    pub(crate) fn on(address: SocketAddr, script: Script) -> Self {
        let listener = TcpListener::bind(address).unwrap();
        listener.set_nonblocking(true).unwrap();
        let state = State {
            script,
            frozen: false,
            stopped: false,
            next: 1,
            connections: HashMap::new(),
            submits: Vec::new(),
            binds: 0,
            unbinds: 0,
            owed: Vec::new(),
            in_flight: HashMap::new(),
            acknowledged: Vec::new(),
        };
        let shared = Arc::new(Shared { state: Mutex::new(state), changed: Condvar::new() });
        let address = listener.local_addr().unwrap();
        let (accepting, delivering) = (Arc::clone(&shared), Arc::clone(&shared));
        std::thread::spawn(move || accept(&listener, &accepting));
        std::thread::spawn(move || deliver(&delivering));
        Self { address, shared }
    }

    pub(crate) fn port(&self) -> u16 {
        self.address.port()
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.shared.state.lock()
    }

    pub(crate) fn set_script(&self, script: Script) {
        self.state().script = script;
    }

    /// Stops reading and writing; connections stay open, as those of a stopped process do.
    pub(crate) fn freeze(&self) {
        self.state().frozen = true;
    }

    pub(crate) fn thaw(&self) {
        self.state().frozen = false;
    }

    /// Owes the node an MO message.
    pub(crate) fn send_mo(&self, key: &str, sm: Sm) {
        self.state().owed.push(Owed { due: Instant::now(), key: key.to_owned(), sm });
    }

    /// Waits until what happened satisfies `test`.
    #[track_caller]
    pub(crate) fn wait(&self, what: &str, within: Duration, test: impl Fn(&State) -> bool) {
        let deadline = Instant::now() + within;
        let mut state = self.state();
        while !test(&state) {
            let late = self.shared.changed.wait_until(&mut state, deadline).timed_out();
            if late && !test(&state) {
                let heard = (state.submits.len(), state.binds, state.unbinds, state.owed());
                drop(state);
                panic!("not within {within:?}: {what}; submits, binds, unbinds, owed: {heard:?}");
            }
        }
    }
}

impl Drop for Smsc {
    fn drop(&mut self) {
        let mut state = self.state();
        state.stopped = true;
        state.connections.values().for_each(|connection| {
            let _ = connection.stream.shutdown(Shutdown::Both);
        });
        drop(state);
        self.shared.changed.notify_all();
    }
}

impl State {
    /// Texts of the messages, in order.
    pub(crate) fn texts(&self) -> Vec<String> {
        self.submits.iter().map(Sm::words).collect()
    }

    /// Sessions bound now.
    pub(crate) fn bound(&self) -> usize {
        self.connections.values().filter(|connection| !connection.system_id.is_empty()).count()
    }

    /// deliver_sm that the node has not acknowledged.
    pub(crate) fn owed(&self) -> usize {
        self.owed.len() + self.in_flight.len()
    }

    /// What a lost connection had in flight is owed again.
    fn forget(&mut self, number: u64) {
        self.connections.remove(&number);
        let lost = self.in_flight.extract_if(|(connection, _), _| *connection == number);
        let lost: Vec<Owed> = lost.map(|(_, owed)| owed).collect();
        self.owed.extend(lost);
    }
}

impl Owed {
    /// The receipt of a message (Appendix B), with the TLVs of 5.3.2.
    fn receipt(id: &str, submit: &Sm, due: Instant) -> Self {
        let text = format!(
            "id:{id} sub:001 dlvrd:001 submit date:2601010000 done date:2601010001 stat:DELIVRD err:000 text:"
        );
        let receipted = [id.as_bytes(), &[0]].concat();
        let length = u16::try_from(receipted.len()).unwrap();
        let tlvs = [pdu::tlv(0x001E, length, &receipted), pdu::tlv(0x0427, 1, &[2])].concat();
        let sm = Sm {
            source_kind: submit.destination_kind,
            source: submit.destination.clone(),
            destination_kind: submit.source_kind,
            destination: submit.source.clone(),
            esm_class: 4,
            text: text.into_bytes(),
            tlvs,
            ..Sm::default()
        };
        Self { due, key: submit.words(), sm }
    }
}

fn accept(listener: &TcpListener, shared: &Arc<Shared>) {
    loop {
        {
            let state = shared.state.lock();
            if state.stopped {
                return;
            }
            if state.frozen {
                drop(state);
                wait::pause(LOOK);
                continue;
            }
        }
        match listener.accept() {
            Ok((stream, _)) => connection::start(stream, shared),
            Err(_) => wait::pause(LOOK),
        }
    }
}

/// Sends what is owed and due, wherever a receiver has room.
fn deliver(shared: &Shared) {
    loop {
        {
            let mut state = shared.state.lock();
            if state.stopped {
                return;
            }
            if !state.frozen {
                while state.deliver_one() {}
            }
        }
        wait::pause(LOOK);
    }
}
