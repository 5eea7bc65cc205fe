use socket2::SockRef;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::{Net, OsNet, UNACKNOWLEDGED_MAX, connect_one};

#[tokio::test]
async fn bytes_pass_both_ways() {
    let mut listener = OsNet.listen("127.0.0.1:0".parse().unwrap()).await.unwrap();
    let addr = listener.local_addr().unwrap();
    let (accepted, connected) = tokio::join!(listener.accept(), OsNet.connect("localhost", addr.port()));
    let ((mut here, peer), mut there) = (accepted.unwrap(), connected.unwrap());
    assert!(peer.ip().is_loopback());
    there.write_all(b"ping").await.unwrap();
    let mut bytes = [0; 4];
    here.read_exact(&mut bytes).await.unwrap();
    assert_eq!(&bytes, b"ping");
    here.write_all(b"pong").await.unwrap();
    here.shutdown().await.unwrap();
    let mut rest = Vec::new();
    there.read_to_end(&mut rest).await.unwrap();
    assert_eq!(rest, b"pong");
}

#[tokio::test]
async fn every_socket_is_tuned() {
    let listener = OsNet.listen("127.0.0.1:0".parse().unwrap()).await.unwrap();
    let stream = connect_one(listener.local_addr().unwrap()).await.unwrap();
    assert!(stream.nodelay().unwrap());
    let socket = SockRef::from(&stream);
    assert!(socket.keepalive().unwrap());
    assert_eq!(socket.tcp_user_timeout().unwrap(), Some(UNACKNOWLEDGED_MAX));
}

#[tokio::test]
async fn a_closed_port_and_a_taken_port_are_errors() {
    let listener = OsNet.listen("127.0.0.1:0".parse().unwrap()).await.unwrap();
    let addr = listener.local_addr().unwrap();
    let taken = OsNet.listen(addr).await.err().unwrap();
    assert_eq!(taken.kind(), std::io::ErrorKind::AddrInUse);
    drop(listener);
    let refused = OsNet.connect("127.0.0.1", addr.port()).await.err().unwrap();
    assert_eq!(refused.kind(), std::io::ErrorKind::ConnectionRefused);
    assert!(OsNet.connect("no such name.invalid", 1).await.is_err());
}
