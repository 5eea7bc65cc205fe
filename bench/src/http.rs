//! As much HTTP/1.1 as the harness needs: a keep-alive client, and a server that answers every GET with 200.

use std::io;
use std::net::SocketAddr;

use bytes::{Buf as _, BytesMut};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

use crate::net;

const HEAD_MAX: usize = 64 * 1024;

/// A connection that carries one request after the other.
#[derive(Debug)]
pub(crate) struct Client {
    stream: TcpStream,
    input: BytesMut,
    out: Vec<u8>,
    host: String,
}

/// An answer.
#[derive(Debug)]
pub(crate) struct Response {
    pub(crate) status: u16,
    pub(crate) body: Vec<u8>,
}

/// How long a body is.
enum Length {
    Known(usize),
    Chunked,
    UntilClosed,
}

/// Sends one GET on a connection of its own.
pub(crate) async fn get(addr: SocketAddr, target: &str) -> io::Result<Response> {
    Client::connect(addr).await?.get(target).await
}

impl Client {
    pub(crate) async fn connect(addr: SocketAddr) -> io::Result<Self> {
        let stream = net::connect(addr).await?;
        Ok(Self { stream, input: BytesMut::new(), out: Vec::new(), host: addr.to_string() })
    }

    /// Sends a GET and reads the whole answer.
    pub(crate) async fn get(&mut self, target: &str) -> io::Result<Response> {
        self.request("GET", target, ("", b"")).await
    }

    /// Sends a request with more header lines, each with its CRLF, and a body, and reads the whole answer.
    pub(crate) async fn request(
        &mut self,
        method: &str,
        target: &str,
        (header, body): (&str, &[u8]),
    ) -> io::Result<Response> {
        self.out.clear();
        for part in [method, " ", target, " HTTP/1.1\r\nHost: ", &self.host, "\r\n", header] {
            self.out.extend_from_slice(part.as_bytes());
        }
        if !body.is_empty() {
            self.out.extend_from_slice(format!("Content-Length: {}\r\n", body.len()).as_bytes());
        }
        self.out.extend_from_slice(b"\r\n");
        self.out.extend_from_slice(body);
        self.stream.write_all(&self.out).await?;
        let (status, length) = self.head().await?;
        let body = match length {
            // RFC 9110, 6.4.1.
            _ if status == 204 => Vec::new(),
            Length::Known(octets) => self.take(octets).await?,
            Length::Chunked => self.chunks().await?,
            Length::UntilClosed => {
                while self.stream.read_buf(&mut self.input).await? > 0 {}
                self.input.split().to_vec()
            }
        };
        Ok(Response { status, body })
    }

    async fn head(&mut self) -> io::Result<(u16, Length)> {
        let head = read_head(&mut self.stream, &mut self.input).await?.ok_or(io::ErrorKind::UnexpectedEof)?;
        let mut lines = head.lines();
        let status = lines.next().and_then(|line| line.split(' ').nth(1)).and_then(|code| code.parse().ok());
        let mut length = Length::UntilClosed;
        for (name, value) in lines.filter_map(|line| line.split_once(':')) {
            if name.eq_ignore_ascii_case("content-length") {
                length = Length::Known(value.trim().parse().map_err(io::Error::other)?);
            } else if name.eq_ignore_ascii_case("transfer-encoding") {
                length = Length::Chunked;
            }
        }
        Ok((status.ok_or_else(|| io::Error::other("no status line"))?, length))
    }

    async fn chunks(&mut self) -> io::Result<Vec<u8>> {
        let mut body = Vec::new();
        loop {
            let line = self.line().await?;
            let digits = line.split(';').next().unwrap_or_default().trim();
            let octets = usize::from_str_radix(digits, 16).map_err(io::Error::other)?;
            if octets == 0 {
                while !self.line().await?.is_empty() {}
                return Ok(body);
            }
            body.extend_from_slice(&self.take(octets).await?);
            self.line().await?;
        }
    }

    async fn line(&mut self) -> io::Result<String> {
        loop {
            if let Some(end) = find(&self.input, b"\r\n") {
                let line = self.input.split_to(end);
                self.input.advance(2);
                return Ok(String::from_utf8_lossy(&line).into_owned());
            }
            self.more().await?;
        }
    }

    async fn take(&mut self, octets: usize) -> io::Result<Vec<u8>> {
        while self.input.len() < octets {
            self.more().await?;
        }
        Ok(self.input.split_to(octets).to_vec())
    }

    async fn more(&mut self) -> io::Result<()> {
        match self.stream.read_buf(&mut self.input).await? {
            0 => Err(io::ErrorKind::UnexpectedEof.into()),
            _ => Ok(()),
        }
    }
}

/// Answers every request with an empty 200 after `handle` has seen its target. Runs until dropped.
pub(crate) async fn serve(listener: TcpListener, handle: impl Fn(&str) + Clone + Send + Sync + 'static) {
    let mut connections = JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        // A peer that breaks its connection makes another.
        let handle = handle.clone();
        connections.spawn(async move { serve_one(stream, &handle).await.unwrap_or_default() });
        while connections.try_join_next().is_some() {}
    }
}

async fn serve_one(mut stream: TcpStream, handle: &impl Fn(&str)) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let mut input = BytesMut::new();
    while let Some(head) = read_head(&mut stream, &mut input).await? {
        // Kernels without quick ACKs answer as they please.
        let _ = socket2::SockRef::from(&stream).set_tcp_quickack(true);
        handle(head.split(' ').nth(1).unwrap_or_default());
        stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").await?;
    }
    Ok(())
}

/// Everything up to the empty line; `None` when the peer closed between messages.
async fn read_head(stream: &mut TcpStream, input: &mut BytesMut) -> io::Result<Option<String>> {
    loop {
        if let Some(end) = find(input, b"\r\n\r\n") {
            let head = input.split_to(end);
            input.advance(4);
            return Ok(Some(String::from_utf8_lossy(&head).into_owned()));
        }
        if input.len() > HEAD_MAX {
            return Err(io::Error::other("head too long"));
        }
        if stream.read_buf(input).await? == 0 {
            return if input.is_empty() { Ok(None) } else { Err(io::ErrorKind::UnexpectedEof.into()) };
        }
    }
}

fn find(octets: &[u8], wanted: &[u8]) -> Option<usize> {
    octets.windows(wanted.len()).position(|window| window == wanted)
}

/// A query value with everything but letters and digits escaped.
pub(crate) fn escape(value: &[u8]) -> String {
    use std::fmt::Write as _;
    let mut escaped = String::with_capacity(value.len() * 2);
    for octet in value {
        if octet.is_ascii_alphanumeric() {
            escaped.push(char::from(*octet));
        } else {
            // Writing to a String cannot fail.
            let _ = write!(escaped, "%{octet:02X}");
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use parking_lot::Mutex;

    use super::*;

    #[tokio::test]
    async fn requests_follow_each_other_on_one_connection() {
        let listener = net::listen(([127, 0, 0, 1], 0).into()).await.unwrap();
        let addr = listener.local_addr().unwrap();
        let seen = Arc::new(Mutex::new(Vec::new()));
        let into = Arc::clone(&seen);
        tokio::spawn(serve(listener, move |target| into.lock().push(target.to_owned())));
        let mut client = Client::connect(addr).await.unwrap();
        for target in ["/a?x=1", "/b"] {
            assert_eq!(client.get(target).await.unwrap().status, 200);
        }
        assert_eq!(*seen.lock(), ["/a?x=1", "/b"]);
    }

    #[tokio::test]
    async fn bodies_of_all_kinds() {
        for (answer, body) in [
            ("HTTP/1.1 202 X\r\nContent-Length: 3\r\n\r\nabc", "abc"),
            ("HTTP/1.1 202 X\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n1;e=f\r\nc\r\n0\r\n\r\n", "abc"),
            ("HTTP/1.0 202 X\r\n\r\nabc", "abc"),
        ] {
            let listener = net::listen(([127, 0, 0, 1], 0).into()).await.unwrap();
            let addr = listener.local_addr().unwrap();
            tokio::spawn(async move {
                let (mut stream, _) = listener.accept().await.unwrap();
                read_head(&mut stream, &mut BytesMut::new()).await.unwrap();
                stream.write_all(answer.as_bytes()).await.unwrap();
            });
            let response = get(addr, "/").await.unwrap();
            assert_eq!((response.status, response.body), (202, body.as_bytes().to_vec()));
        }
    }

    #[test]
    fn escapes() {
        assert_eq!(escape(b"a b&c=/"), "a%20b%26c%3D%2F");
    }
}
