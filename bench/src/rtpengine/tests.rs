use ng::command::{Leg, MediaOptions, Part, WithSdp};
use ng::{Command, Cookies, Reply};
use tokio::time::timeout;

use super::*;

/// Longer than anything on the loopback interface takes.
const SOON: Duration = Duration::from_secs(5);
/// For what must not come.
const NEVER: Duration = Duration::from_millis(100);

/// One who asks a node.
struct Peer {
    socket: UdpSocket,
    cookies: Cookies,
}

impl Peer {
    async fn of(node: &Rtpengine) -> Self {
        let socket = bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).unwrap();
        socket.connect(node.address()).await.unwrap();
        Self { socket, cookies: Cookies::new(fastrand::u64(..)) }
    }

    /// Sends a command; its cookie.
    async fn send(&mut self, command: &Command<'_>) -> Vec<u8> {
        let (mut body, mut datagram) = (Vec::new(), Vec::new());
        command.encode(&mut body);
        let cookie = self.cookies.fresh();
        cookie.frame(&body, &mut datagram);
        self.socket.send(&datagram).await.unwrap();
        cookie.as_bytes().to_vec()
    }

    /// The next reply: cookie and body.
    async fn next(&self) -> (Vec<u8>, Vec<u8>) {
        let mut buffer = vec![0; DATAGRAM_MAX];
        let length = timeout(SOON, self.socket.recv(&mut buffer)).await.expect("a reply").unwrap();
        let (cookie, body) = ng::cookie::split(&buffer[..length]).unwrap();
        (cookie.to_vec(), body.to_vec())
    }

    async fn ask(&mut self, command: &Command<'_>) -> Vec<u8> {
        let cookie = self.send(command).await;
        let (answered, body) = self.next().await;
        assert_eq!(answered, cookie);
        body
    }

    /// Offers, or answers with a to-tag; the port in place of `own`.
    async fn describe(&mut self, to_tag: Option<&[u8]>, own: SocketAddr) -> u16 {
        let sdp = format!(
            "v=0\r\no=- 1 1 IN IP4 {ip}\r\ns=-\r\nc=IN IP4 {ip}\r\nt=0 0\r\nm=audio {port} RTP/AVP 0\r\n",
            ip = own.ip(),
            port = own.port()
        );
        let options = MediaOptions::default();
        let leg = Leg { call_id: b"call", from_tag: b"a", to_tag, via_branch: Some(b"z1") };
        let with_sdp = WithSdp { leg, sdp: sdp.as_bytes(), options: &options };
        let command = if to_tag.is_some() { Command::Answer(with_sdp) } else { Command::Offer(with_sdp) };
        let reply = self.ask(&command).await;
        let reply = Reply::parse(&reply).unwrap();
        let sdp = reply.done().and_then(|done| done.sdp()).expect("an SDP");
        let sdp = std::str::from_utf8(sdp).unwrap();
        sdp.split("m=audio ").nth(1).and_then(|media| media.split(' ').next()).unwrap().parse().unwrap()
    }
}

fn start(options: RtpengineOptions) -> Rtpengine {
    Rtpengine::start(options).unwrap()
}

async fn party() -> UdpSocket {
    bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).unwrap()
}

/// What comes next, and from where.
async fn heard(party: &UdpSocket) -> (Vec<u8>, u16) {
    let mut buffer = vec![0; 2_048];
    let (length, from) = timeout(SOON, party.recv_from(&mut buffer)).await.expect("a packet").unwrap();
    (buffer[..length].to_vec(), from.port())
}

#[tokio::test]
async fn a_call_is_listed_until_it_is_deleted() {
    let node = start(RtpengineOptions::default());
    let mut peer = Peer::of(&node).await;
    let own = SocketAddr::from(([192, 0, 2, 1], 40_000));
    let port = peer.describe(None, own).await;
    assert!(RtpengineOptions::default().ports.contains(&port));
    assert_eq!(node.calls(), ["call"]);
    assert_eq!(list(node.address()).await.unwrap(), ["call"]);
    let delete = ng::command::Delete { part: Part::whole(b"call"), ..Default::default() };
    peer.ask(&Command::Delete(delete)).await;
    assert!(node.calls().is_empty() && list(node.address()).await.unwrap().is_empty());
    let expected = Counters { offers: 1, deletes: 1, ..Counters::default() };
    assert_eq!(node.counters(), expected);
}

#[tokio::test]
async fn a_node_that_is_not_there_lists_nothing() {
    let gone = party().await.local_addr().unwrap();
    assert!(list(gone).await.is_err());
}

#[tokio::test]
async fn silence_is_that_of_a_stopped_process() {
    let node = start(RtpengineOptions { silent: true, ..RtpengineOptions::default() });
    let mut peer = Peer::of(&node).await;
    let cookie = peer.send(&Command::Ping).await;
    assert!(timeout(NEVER, peer.next()).await.is_err());
    node.faults.set_silent(false);
    assert_eq!(peer.next().await.0, cookie, "it waited in the socket");
    node.faults.set_silent(true);
    peer.send(&Command::Ping).await;
    assert!(timeout(NEVER, peer.next()).await.is_err());
}

#[tokio::test]
async fn every_second_datagram_is_lost_each_way() {
    let node = start(RtpengineOptions { drop_every: 2, ..RtpengineOptions::default() });
    let mut peer = Peer::of(&node).await;
    let mut sent = Vec::new();
    for _ in 0..5 {
        sent.push(peer.send(&Command::Ping).await);
    }
    // The second and fourth are not read, of the others the second reply is not sent.
    assert_eq!((peer.next().await.0, peer.next().await.0), (sent.remove(0), sent.remove(3)));
    node.faults.set_drop_every(0);
    peer.ask(&Command::Ping).await;
}

#[tokio::test]
async fn replies_come_late() {
    let delay = Duration::from_millis(60);
    let node = start(RtpengineOptions { answer_delay: delay, ..RtpengineOptions::default() });
    let mut peer = Peer::of(&node).await;
    let begun = Instant::now();
    peer.ask(&Command::Ping).await;
    assert!(begun.elapsed() >= delay);
    node.faults.set_answer_delay(Duration::ZERO);
    node.faults.set_full(true);
    let own =
        b"v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\nm=audio 9 RTP/AVP 0\r\n";
    let leg = Leg { call_id: b"call", from_tag: b"a", to_tag: None, via_branch: None };
    let offer = WithSdp { leg, sdp: own, options: &MediaOptions::default() };
    let reply = peer.ask(&Command::Offer(offer)).await;
    assert!(matches!(Reply::parse(&reply), Ok(Reply::Failed { reason: b"Ran out of ports", .. })));
}

#[tokio::test]
async fn media_goes_both_ways_and_is_counted() {
    let node = start(RtpengineOptions { relay: true, ports: 27_100..=27_199, ..RtpengineOptions::default() });
    let mut peer = Peer::of(&node).await;
    let (caller, callee) = (party().await, party().await);
    let for_callee = peer.describe(None, caller.local_addr().unwrap()).await;
    let for_caller = peer.describe(Some(b"b"), callee.local_addr().unwrap()).await;
    assert_eq!(node.counters().unopened, 0);
    let at = |port: u16| SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    for number in 0..3_u8 {
        caller.send_to(&[number; 172], at(for_caller)).await.unwrap();
        assert_eq!(heard(&callee).await, (vec![number; 172], for_callee));
        callee.send_to(&[number; 100], at(for_callee)).await.unwrap();
        assert_eq!(heard(&caller).await, (vec![number; 100], for_caller));
    }
    let delete = ng::command::Delete { part: Part::whole(b"call"), ..Default::default() };
    let reply = peer.ask(&Command::Delete(delete)).await;
    let reply = Reply::parse(&reply).unwrap();
    let call = reply.done().and_then(ng::reply::Done::call).unwrap();
    let came = ng::reply::Counters { packets: 6, bytes: 3 * 272, errors: 0 };
    assert_eq!((call.rtp, call.rtcp), (came, ng::reply::Counters::default()));
    assert_eq!(call.side(b"a").unwrap().medias[0].streams[0].stats.bytes, 3 * 172);
    // Nothing is passed on any more.
    let _ = caller.send_to(&[9; 172], at(for_caller)).await;
    let mut buffer = [0; 64];
    assert!(timeout(NEVER, callee.recv_from(&mut buffer)).await.is_err());
}
