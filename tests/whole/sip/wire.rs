//! SIP by hand, for what SIPp cannot send.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::task::Poll;
use std::time::{Duration, Instant};

use super::super::wait;
use super::SOON;

/// A message that came.
#[derive(Clone, Debug)]
pub(in super::super) struct Message {
    pub(in super::super) text: String,
}

impl Message {
    /// Of a response.
    #[track_caller]
    pub(in super::super) fn status(&self) -> u16 {
        let status = self.text.strip_prefix("SIP/2.0 ").and_then(|rest| rest.split(' ').next());
        status.and_then(|status| status.parse().ok()).unwrap_or_else(|| panic!("a response: {}", self.text))
    }

    /// The first line of this header.
    pub(in super::super) fn header<'a>(&'a self, name: &'a str) -> Option<&'a str> {
        self.headers(name).next()
    }

    /// The value of each line of this header.
    pub(in super::super) fn headers<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        let named = move |line: &'a str| {
            let (found, value) = line.split_once(':')?;
            found.trim().eq_ignore_ascii_case(name).then(|| value.trim())
        };
        self.text.split("\r\n").take_while(|line| !line.is_empty()).filter_map(named)
    }
}

/// A request without a body to a number; the head can be changed before it is sent.
pub(in super::super) fn request(method: &str, number: &str, via: &str, id: &str) -> String {
    format!(
        "{method} sip:{number}@127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/{via};rport;branch=z9hG4bK{id}\r\n\
         Max-Forwards: 70\r\nFrom: <sip:+442079460000@127.0.0.1>;tag=f{id}\r\nTo: <sip:{number}@127.0.0.1>\r\n\
         Call-ID: {id}\r\nCSeq: 1 {method}\r\nContact: <sip:test@127.0.0.1>\r\nContent-Length: 0\r\n\r\n"
    )
}

/// Sends one datagram and gives the status of what comes back, if anything does.
pub(in super::super) fn exchange(
    socket: &UdpSocket,
    to: SocketAddr,
    octets: &[u8],
    within: Duration,
) -> Option<u16> {
    socket.send_to(octets, to).unwrap();
    socket.set_read_timeout(Some(within)).unwrap();
    let mut buffer = vec![0; 65_536];
    let read = socket.recv(&mut buffer).ok()?;
    Some(Message { text: String::from_utf8_lossy(&buffer[..read]).into_owned() }.status())
}

/// Messages on a stream.
pub(in super::super) struct Messages<S> {
    stream: S,
    read: Vec<u8>,
}

impl<S: Read + Write> Messages<S> {
    /// Reads of the stream must have a timeout.
    pub(in super::super) const fn new(stream: S) -> Self {
        Self { stream, read: Vec::new() }
    }

    #[track_caller]
    pub(in super::super) fn send(&mut self, message: &str) {
        self.stream.write_all(message.as_bytes()).unwrap();
        self.stream.flush().unwrap();
    }

    /// The next message; none once the stream has ended.
    #[track_caller]
    pub(in super::super) fn receive(&mut self, within: Duration) -> Option<Message> {
        let deadline = Instant::now() + within;
        loop {
            if let Poll::Ready(message) = self.poll() {
                return message;
            }
            assert!(Instant::now() < deadline, "not within {within:?}: a message on a stream");
        }
    }

    /// The next message if it comes within one read; none once the stream has ended.
    pub(in super::super) fn poll(&mut self) -> Poll<Option<Message>> {
        if let Some(message) = self.framed() {
            return Poll::Ready(Some(message));
        }
        let mut buffer = [0; 4096];
        match self.stream.read(&mut buffer) {
            Ok(0) => return Poll::Ready(None),
            Ok(read) => self.read.extend(&buffer[..read]),
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {}
            Err(_) => return Poll::Ready(None),
        }
        self.framed().map_or(Poll::Pending, |message| Poll::Ready(Some(message)))
    }

    /// The next response with this status; those before it are skipped while they are provisional.
    #[track_caller]
    pub(in super::super) fn expect(&mut self, status: u16, within: Duration) -> Message {
        loop {
            let message = self.receive(within).unwrap_or_else(|| panic!("the stream ended before {status}"));
            if message.status() == status {
                return message;
            }
            assert!(message.status() < 200, "{status} is wanted: {}", message.text);
        }
    }

    fn framed(&mut self) -> Option<Message> {
        let head = self.read.windows(4).position(|octets| octets == b"\r\n\r\n")? + 4;
        let text = String::from_utf8_lossy(&self.read[..head]).into_owned();
        let length =
            Message { text }.header("Content-Length").and_then(|value| value.parse().ok()).unwrap_or(0);
        let end: usize = head + length;
        if self.read.len() < end {
            return None;
        }
        let octets: Vec<u8> = self.read.drain(..end).collect();
        Some(Message { text: String::from_utf8_lossy(&octets).into_owned() })
    }
}

/// A connection whose reads end soon when nothing comes.
#[track_caller]
pub(in super::super) fn connect(to: SocketAddr) -> TcpStream {
    prompt(TcpStream::connect(to).unwrap())
}

/// The next connection to a listener, of the same kind.
#[track_caller]
pub(in super::super) fn accept(listener: &TcpListener) -> TcpStream {
    listener.set_nonblocking(true).unwrap();
    let stream = wait::until("a connection of the node", SOON, || listener.accept().ok()).0;
    prompt(stream)
}

/// Whose reads end soon when nothing comes, and whose writes leave at once.
pub(in super::super) fn prompt(stream: TcpStream) -> TcpStream {
    stream.set_read_timeout(Some(Duration::from_millis(100))).unwrap();
    stream.set_nodelay(true).unwrap();
    stream
}
