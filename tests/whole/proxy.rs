//! A TCP relay that can go bad: silence without an end, octets one by one.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use parking_lot::Mutex;

use super::wait::pause;

/// What it does to octets, in both directions, from now on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    Pass,
    /// Takes and forgets them; neither end hears of the other's close. A half-open connection.
    Swallow,
    /// One octet at a time with this pause.
    Drip(Duration),
}

/// Relays every connection to one address.
pub(crate) struct Proxy {
    address: SocketAddr,
    shared: Arc<Shared>,
}

struct Shared {
    target: SocketAddr,
    mode: Mutex<Mode>,
    stopped: AtomicBool,
}

/// Time between two looks at the mode.
const LOOK: Duration = Duration::from_millis(20);

impl Proxy {
    pub(crate) fn to(target: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let address = listener.local_addr().unwrap();
        let shared = Shared { target, mode: Mutex::new(Mode::Pass), stopped: AtomicBool::new(false) };
        let shared = Arc::new(shared);
        let accepting = Arc::clone(&shared);
        std::thread::spawn(move || accept(&listener, &accepting));
        Self { address, shared }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    pub(crate) fn set(&self, mode: Mode) {
        *self.shared.mode.lock() = mode;
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.shared.stopped.store(true, Ordering::Relaxed);
    }
}

fn accept(listener: &TcpListener, shared: &Arc<Shared>) {
    while !shared.stopped.load(Ordering::Relaxed) {
        match listener.accept() {
            Ok((near, _)) => relay(near, shared),
            Err(_) => pause(LOOK),
        }
    }
}

fn relay(near: TcpStream, shared: &Arc<Shared>) {
    let Ok(far) = TcpStream::connect(shared.target) else { return };
    for stream in [&near, &far] {
        stream.set_nonblocking(false).unwrap();
        stream.set_nodelay(true).unwrap();
        stream.set_read_timeout(Some(LOOK)).unwrap();
    }
    for (from, to) in [(near.try_clone().unwrap(), far.try_clone().unwrap()), (far, near)] {
        let shared = Arc::clone(shared);
        std::thread::spawn(move || copy(from, to, &shared));
    }
}

fn copy(mut from: TcpStream, mut to: TcpStream, shared: &Shared) {
    let mut octets = [0; 16_384];
    while !shared.stopped.load(Ordering::Relaxed) {
        let count = match from.read(&mut octets) {
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => continue,
            Ok(count) => count,
            Err(_) => 0,
        };
        let mode = *shared.mode.lock();
        if mode == Mode::Swallow {
            // The end of a stream is swallowed too: it reads as 0 again and again.
            pause(LOOK);
            continue;
        }
        if count == 0 || write(&mut to, &octets[..count], mode).is_err() {
            let _ = to.shutdown(std::net::Shutdown::Both);
            return;
        }
    }
}

fn write(to: &mut TcpStream, octets: &[u8], mode: Mode) -> std::io::Result<()> {
    let Mode::Drip(wait) = mode else { return to.write_all(octets) };
    for octet in octets {
        to.write_all(&[*octet])?;
        pause(wait);
    }
    Ok(())
}
