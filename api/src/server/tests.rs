use std::io;
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt as _;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use runtime::net::{Listener, Stream};
use runtime::registry::ActorName;
use runtime::supervision::{Intensity, Strategy, Supervisor, SupervisorHandle, SupervisorSpec};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, DuplexStream, duplex};
use tokio::net::UnixStream;
use tokio::sync::{Mutex, mpsc};
use tokio::time::{Instant, timeout};

use super::{Figures, Places, Server, Times, child_spec};
use crate::socket::{self, Socket};
use crate::table::Surface;
use crate::testing::Lab;

mod loopback;

/// A listener of connections in memory, so that the clock of the test is the only one.
struct Memory(mpsc::Receiver<DuplexStream>);

impl Listener for Memory {
    fn accept(&mut self) -> BoxFuture<'_, io::Result<(Stream, SocketAddr)>> {
        Box::pin(async move {
            let stream = self.0.recv().await.ok_or(io::ErrorKind::BrokenPipe)?;
            Ok((Box::new(stream) as Stream, SocketAddr::from(([127, 0, 0, 1], 1))))
        })
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        Ok(SocketAddr::from(([127, 0, 0, 1], 1)))
    }
}

struct Running {
    lab: Lab,
    supervisor: SupervisorHandle,
    connect: mpsc::Sender<DuplexStream>,
}

const NAME: &str = "memory";
const HEADER_TIMEOUT: Duration = Duration::from_secs(10);
const IDLE_TIMEOUT: Duration = Duration::from_secs(60);

impl Running {
    async fn new(connections_max: u32) -> Self {
        let (connect, accept) = mpsc::channel(16);
        let lab = Lab::new().await;
        let supervisor =
            supervise(&lab, Surface::Api, Socket::Tcp(Box::new(Memory(accept))), connections_max).await;
        Self { lab, supervisor, connect }
    }

    async fn open(&self) -> DuplexStream {
        let (ours, theirs) = duplex(64 * 1024);
        self.connect.send(theirs).await.unwrap();
        ours
    }
}

async fn supervise(lab: &Lab, surface: Surface, socket: Socket, connections_max: u32) -> SupervisorHandle {
    let server = Server {
        name: ActorName::new("api_server", NAME),
        dispatch: lab.dispatch(surface),
        socket: Mutex::new(socket),
        tls: None,
        places: Places::new(connections_max, 100, &[]),
        times: Times { header: HEADER_TIMEOUT, idle: IDLE_TIMEOUT },
        figures: Arc::new(Figures::default()),
    };
    let intensity = Intensity::new(3, Duration::from_secs(60));
    let spec = SupervisorSpec::new(ActorName::new("supervisor", "api"), Strategy::OneForOne, intensity)
        .child(child_spec(Arc::new(server)));
    Supervisor::spawn(spec, &lab.smpp.registry).await.unwrap()
}

async fn exchange(stream: &mut (impl AsyncRead + AsyncWrite + Unpin), request: &str) -> String {
    stream.write_all(request.as_bytes()).await.unwrap();
    head(stream).await
}

/// The answer's first read: status line and header at least.
async fn head(stream: &mut (impl AsyncRead + Unpin)) -> String {
    let mut octets = vec![0; 16 * 1024];
    let count = timeout(Duration::from_secs(30), stream.read(&mut octets)).await.expect("no answer").unwrap();
    String::from_utf8_lossy(&octets[..count]).into_owned()
}

const HEALTH: &str = "GET /health HTTP/1.1\r\nHost: x\r\n\r\n";

#[tokio::test]
async fn requests_that_no_filter_expects_get_an_answer() {
    let running = Running::new(8).await;
    for (request, status) in [
        ("OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n", "404"),
        ("CONNECT example.com:80 HTTP/1.1\r\nHost: x\r\n\r\n", "404"),
        ("GET http://example.com HTTP/1.1\r\nHost: x\r\n\r\n", "404"),
        ("GET http://example.com/health HTTP/1.1\r\nHost: x\r\n\r\n", "200"),
        ("GET /health HTTP/1.0\r\n\r\n", "200"),
        ("GET /health?% HTTP/1.1\r\nHost: x\r\n\r\n", "400"),
        ("POST /health HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc", "405"),
        ("GET /%ff%00 HTTP/1.1\r\nHost: x\r\n\r\n", "404"),
        ("nonsense\r\n\r\n", "400"),
    ] {
        let answer = exchange(&mut running.open().await, request).await;
        assert_eq!(answer.get(9..12), Some(status), "{request:?}: {answer}");
    }
    let restarts = running.lab.smpp.registry.get(&ActorName::new("api_server", NAME)).unwrap().restarts;
    assert_eq!(restarts, 0);
}

#[tokio::test]
async fn too_much_header_is_refused() {
    let running = Running::new(8).await;
    let long = format!("GET /health HTTP/1.1\r\nHost: x\r\nA: {}\r\n\r\n", "a".repeat(20_000));
    let many = format!("GET /health HTTP/1.1\r\nHost: x\r\n{}\r\n", "A: a\r\n".repeat(100));
    for request in [long, many] {
        let answer = exchange(&mut running.open().await, &request).await;
        assert_eq!(answer.get(9..12), Some("431"), "{answer}");
    }
}

#[tokio::test]
async fn a_header_that_drips_is_cut_at_its_deadline() {
    let running = Running::new(8).await;
    let mut slow = running.open().await;
    slow.write_all(b"GET /health HT").await.unwrap();
    tokio::time::pause();
    let begun = Instant::now();
    assert_eq!(slow.read(&mut [0; 16]).await.unwrap(), 0);
    let waited = begun.elapsed();
    assert!(waited >= HEADER_TIMEOUT && waited < HEADER_TIMEOUT * 2, "{waited:?}");
}

/// Waiting for the next request is not dripping, and ends too.
#[tokio::test]
async fn a_connection_without_requests_is_closed_after_its_time() {
    let running = Running::new(8).await;
    for (more, timeout) in [("", IDLE_TIMEOUT), ("GET /health HT", HEADER_TIMEOUT)] {
        let mut stream = running.open().await;
        assert!(exchange(&mut stream, HEALTH).await.starts_with("HTTP/1.1 200"));
        stream.write_all(more.as_bytes()).await.unwrap();
        tokio::time::pause();
        let begun = Instant::now();
        assert_eq!(stream.read(&mut [0; 16]).await.unwrap(), 0);
        let waited = begun.elapsed();
        assert!(
            waited >= timeout - Duration::from_secs(1) && waited < timeout + HEADER_TIMEOUT,
            "{waited:?}"
        );
        tokio::time::resume();
    }
}

#[tokio::test]
async fn connections_over_the_limit_wait_for_a_place() {
    let running = Running::new(1).await;
    let mut first = running.open().await;
    assert!(exchange(&mut first, HEALTH).await.starts_with("HTTP/1.1 200"));
    let mut second = running.open().await;
    second.write_all(HEALTH.as_bytes()).await.unwrap();
    tokio::time::pause();
    let waiting = timeout(Duration::from_secs(1), second.read(&mut [0; 16])).await;
    assert!(waiting.is_err(), "a second connection was served");
    drop(first);
    assert!(head(&mut second).await.starts_with("HTTP/1.1 200"));
}

#[tokio::test]
async fn a_stopping_server_closes_idle_connections_and_finishes() {
    let running = Running::new(8).await;
    let mut idle = running.open().await;
    assert!(exchange(&mut idle, HEALTH).await.starts_with("HTTP/1.1 200"));
    running.supervisor.stop().await;
    assert_eq!(idle.read(&mut [0; 16]).await.unwrap(), 0);
    assert!(running.lab.smpp.registry.is_empty());
}

#[tokio::test]
async fn a_restarted_server_takes_up_the_same_socket() {
    let running = Running::new(8).await;
    let name = ActorName::new("api_server", NAME);
    running.supervisor.restart(&name).await.unwrap();
    assert!(exchange(&mut running.open().await, HEALTH).await.starts_with("HTTP/1.1 200"));
    assert_eq!(running.lab.smpp.registry.get(&name).unwrap().restarts, 1);
}

#[tokio::test]
async fn the_control_socket_is_its_owners_and_replaces_a_stale_one() {
    let lab = Lab::new().await;
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("control.sock");
    drop(socket::control(&path).unwrap());
    assert!(path.exists(), "a node that was killed leaves its socket");
    let supervisor = supervise(&lab, Surface::Control, socket::control(&path).unwrap(), 8).await;
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    let mut stream = UnixStream::connect(&path).await.unwrap();
    let answer = exchange(&mut stream, "GET /v1/actors HTTP/1.1\r\nHost: x\r\n\r\n").await;
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    assert!(answer.contains("api_server:memory:0"), "{answer}");
    drop(stream);
    supervisor.stop().await;
}
