use ng::command::{Delete, Leg, MediaOptions, Part, Replace, WithSdp};
use ng::reply::Call as Told;
use ng::{Command, Cookies, Meaning, Reply};

use super::*;

const START: Duration = Duration::from_secs(1_700_000_000);
const SDP: &[u8] = b"v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\n\
    m=audio 40000 RTP/AVP 0\r\na=sendrecv\r\n";
const NO_MEDIA: &[u8] = b"v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\nt=0 0\r\n";

/// Bodies of commands, and what is said to them.
const ERRORS: [(&[u8], &str); 16] = [
    (b"d7:command7:unknowne", "Unrecognized command"),
    (b"d3:foo3:bare", "Dictionary contains no key \"command\""),
    (b"d7:command5:offere", "No SDP body in message"),
    (b"d7:command5:offer3:sdp1:xe", "No call-id in message"),
    (b"d7:command5:offer3:sdp1:x7:call-id1:ce", "No from-tag in message"),
    (b"d7:command6:answer3:sdp1:x7:call-id1:c8:from-tag1:ae", "No to-tag in message"),
    (b"d7:command5:offer3:sdp1:x7:call-id1:c8:from-tag1:ae", "Failed to parse SDP"),
    (b"d7:command5:query7:call-id1:ce", "Unknown call-id"),
    (b"d7:command5:querye", "No call-id in message"),
    (b"d7:command11:block media7:call-id1:ce", "Unknown call-id"),
    (b"d7:command6:delete7:call-id1:c5:flagsl5:fatalee", NOT_FOUND),
    (b"d7:command4:list5:limiti-1ee", "invalid limit, must be >= 0"),
    (b"i42e", "Invalid NG data format"),
    (b"{\"command\":\"ping\"}", "Invalid NG data format"),
    (b"d7:command4:pin", "Could not decode bencode dictionary"),
    (b"", "Invalid data (no payload)"),
];

/// A node and one who asks it.
struct Bench {
    state: State,
    cookies: Cookies,
    now: Duration,
}

impl Bench {
    fn new(ports: RangeInclusive<u16>, sessions_max: Option<usize>) -> Self {
        let address = [198, 51, 100, 7].into();
        let state = State::new(Setup { address, ports, sessions_max, relays: true, now: START });
        Self { state, cookies: Cookies::new(1), now: START }
    }

    /// The reply to the body of a command, under a cookie of its own.
    fn ask(&mut self, body: &[u8]) -> Vec<u8> {
        let cookie = self.cookies.fresh();
        let mut datagram = Vec::new();
        cookie.frame(body, &mut datagram);
        let reply = self.state.handle(&datagram, self.now).expect("a reply");
        let (answered, body) = ng::cookie::split(&reply).unwrap();
        assert_eq!(answered, cookie.as_bytes());
        body.to_vec()
    }

    fn command(&mut self, command: &Command<'_>) -> Vec<u8> {
        let mut body = Vec::new();
        command.encode(&mut body);
        self.ask(&body)
    }

    fn offer(
        &mut self,
        call: &str,
        (from, to, branch): (&str, &str, &str),
        sdp: &[u8],
    ) -> Result<u16, String> {
        let options = MediaOptions { replace: &[Replace::Origin], ..MediaOptions::default() };
        let leg = leg(call, (from, to, branch));
        port(&self.command(&Command::Offer(WithSdp { leg, sdp, options: &options })))
    }

    fn answer(&mut self, call: &str, ends: (&str, &str, &str)) -> Result<u16, String> {
        let options = MediaOptions::default();
        port(&self.command(&Command::Answer(WithSdp { leg: leg(call, ends), sdp: SDP, options: &options })))
    }

    /// True when there was something to delete.
    fn delete(&mut self, call: &str, from: &str, branch: &str) -> bool {
        let from_tag = Some(from.as_bytes()).filter(|tag| !tag.is_empty());
        let via_branch = Some(branch.as_bytes()).filter(|branch| !branch.is_empty());
        let part = Part { call_id: call.as_bytes(), from_tag, to_tag: None, via_branch };
        let reply = self.command(&Command::Delete(Delete { part, ..Delete::default() }));
        let reply = Reply::parse(&reply).unwrap();
        let done = reply.done().expect("a delete is never an error");
        assert_eq!(done.call().is_some(), !reply.is_unknown_call());
        !reply.is_unknown_call()
    }

    fn with_call<T>(&mut self, call: &str, look: impl FnOnce(Told<'_>) -> T) -> T {
        let reply = self.command(&Command::Query(Part::whole(call.as_bytes())));
        let reply = Reply::parse(&reply).unwrap();
        look(reply.done().and_then(ng::reply::Done::call).expect("a call"))
    }

    fn calls(&self) -> Vec<String> {
        self.state.call_ids().map(|call_id| String::from_utf8_lossy(call_id).into_owned()).collect()
    }
}

fn leg<'a>(call: &'a str, (from, to, branch): (&'a str, &'a str, &'a str)) -> Leg<'a> {
    let set = |text: &'a str| Some(text.as_bytes()).filter(|text| !text.is_empty());
    Leg { call_id: call.as_bytes(), from_tag: from.as_bytes(), to_tag: set(to), via_branch: set(branch) }
}

/// The port of the first media of a reply's SDP, or the error.
fn port(reply: &[u8]) -> Result<u16, String> {
    match Reply::parse(reply).unwrap() {
        Reply::Ok(done) => {
            let sdp = String::from_utf8(done.sdp().expect("an SDP").to_vec()).unwrap();
            assert!(
                sdp.contains("c=IN IP4 198.51.100.7\r\n") && !sdp.contains("c=IN IP4 192.0.2.1"),
                "{sdp}"
            );
            let media = sdp.split("m=audio ").nth(1).unwrap();
            let port = media.split(' ').next().unwrap().parse().unwrap();
            assert!(sdp.contains(&format!("a=rtcp:{}\r\n", port + 1)), "{sdp}");
            Ok(port)
        }
        Reply::Failed { reason, .. } => Err(String::from_utf8(reason.to_vec()).unwrap()),
        Reply::Pong => panic!("a pong"),
    }
}

#[test]
fn an_offer_its_answer_and_their_end() {
    let mut bench = Bench::new(21_000..=21_099, None);
    let callee = bench.offer("c", ("a", "", "z1"), SDP).unwrap();
    let caller = bench.answer("c", ("a", "b", "z1")).unwrap();
    assert!(
        callee != caller
            && [callee, caller].iter().all(|port| port % 2 == 0 && (21_000..21_099).contains(port))
    );
    bench.now += Duration::from_secs(5);
    // Offered again, by either side: the ports stay.
    assert_eq!(bench.offer("c", ("a", "b", "z1"), SDP), Ok(callee));
    assert_eq!(bench.offer("c", ("a", "", "z1"), SDP), Ok(callee));
    assert_eq!(bench.offer("c", ("b", "a", "z1"), SDP), Ok(caller));
    assert_eq!(bench.answer("c", ("b", "a", "")), Ok(callee));
    bench.with_call("c", |call| {
        let start = START.as_secs();
        assert_eq!((call.created, call.last_signal), (Some(start), Some(start + 5)));
        let ports: Vec<_> =
            call.sides.iter().map(|side| (side.tag, side.medias[0].streams[0].local_port)).collect();
        assert_eq!(ports, [(b"a".as_slice(), Some(caller)), (b"b".as_slice(), Some(callee))]);
        let b = call.side(b"b").unwrap();
        assert_eq!((b.via_branch, b.subscribers[0].tag), (Some(b"z1".as_slice()), b"a".as_slice()));
        let stream = &b.medias[0].streams[0];
        assert_eq!(stream.endpoint, Some(([192, 0, 2, 1], 40_000).into()));
        assert!(stream.is_rtp() && !b.medias[0].streams[1].is_rtp());
    });
    assert_eq!(bench.calls(), ["c"]);
    assert!(bench.delete("c", "a", ""));
    assert!(!bench.delete("c", "a", ""), "which is gone");
    assert!(bench.calls().is_empty());
    assert_eq!(bench.state.ports.left(), 50);
    let counters = bench.state.counters;
    assert_eq!((counters.offers, counters.answers, counters.deletes, counters.unknown), (4, 2, 1, 1));
}

#[test]
fn attempts_have_their_own_ports_and_ends() {
    let mut bench = Bench::new(21_000..=21_099, None);
    let one = bench.offer("c", ("a", "", "z1"), SDP).unwrap();
    let two = bench.offer("c", ("a", "", "z2"), SDP).unwrap();
    assert_ne!(one, two);
    assert_eq!(bench.state.ports.left(), 47, "the caller's side is one");
    assert!(bench.delete("c", "a", "z1"));
    assert_eq!((bench.state.ports.left(), bench.calls().len()), (48, 1));
    let caller = bench.answer("c", ("a", "b", "z2")).unwrap();
    assert_eq!(bench.offer("c", ("b", "a", "z2"), SDP), Ok(caller));
    // The last attempt is the call.
    assert!(bench.delete("c", "a", "z2"));
    assert!(bench.calls().is_empty() && bench.state.ports.left() == 50);
    // One that is not known is passed over, and what stays is a delete of the caller's side.
    bench.offer("d", ("a", "", "z1"), SDP).unwrap();
    assert!(bench.delete("d", "a", "z9"));
    assert!(bench.calls().is_empty());
    // Without any tag it is the whole call; with one that is not known it is nothing.
    bench.offer("e", ("a", "", "z1"), SDP).unwrap();
    assert!(!bench.delete("e", "x", "") && !bench.delete("f", "a", ""));
    assert!(bench.delete("e", "", ""));
    assert_eq!(bench.state.ports.left(), 50);
}

#[test]
fn who_answers_twice_is_two_and_an_offer_in_a_response_is_one_call() {
    let mut bench = Bench::new(21_000..=21_099, None);
    bench.offer("c", ("a", "", "z1"), SDP).unwrap();
    let caller = bench.answer("c", ("a", "b1", "z1")).unwrap();
    assert_eq!(bench.answer("c", ("a", "b2", "z1")), Ok(caller), "a fork behind the vendor");
    bench.with_call("c", |call| assert_eq!(call.sides.len(), 3));
    bench.offer("d", ("b", "a", "z1"), SDP).unwrap();
    bench.answer("d", ("b", "a", "z1")).unwrap();
    bench.with_call("d", |call| assert_eq!(call.sides.len(), 2));
    assert!(bench.delete("c", "a", "") && bench.delete("d", "a", ""));
    assert_eq!(bench.state.ports.left(), 50);
}

#[test]
fn there_is_room_for_so_many() {
    // Six ports hold one call, as of the real one.
    let mut bench = Bench::new(21_000..=21_005, None);
    bench.offer("c", ("a", "", "z1"), SDP).unwrap();
    assert_eq!(bench.offer("d", ("a", "", "z1"), SDP), Err(NO_PORTS.to_owned()));
    assert_eq!(bench.calls(), ["c"], "what failed is not kept");
    assert!(bench.delete("c", "a", ""));
    bench.offer("d", ("a", "", "z1"), SDP).unwrap();

    let mut bench = Bench::new(21_000..=21_099, Some(1));
    bench.offer("c", ("a", "", "z1"), SDP).unwrap();
    assert_eq!(bench.offer("d", ("a", "", "z1"), SDP), Err(NO_SESSIONS.to_owned()));
    bench.offer("c", ("a", "", "z2"), SDP).unwrap();
    let reply = bench.ask(b"d8:supportsl10:load limite7:command5:offer3:sdp0:7:call-id1:d8:from-tag1:ae");
    assert!(matches!(Reply::parse(&reply), Ok(Reply::Failed { reason: b"Failed to parse SDP", .. })));
    let mut limited = b"d8:supportsl10:load limite7:command5:offer3:sdp".to_vec();
    limited.extend_from_slice(format!("{}:", SDP.len()).as_bytes());
    limited.extend_from_slice(SDP);
    limited.extend_from_slice(b"7:call-id1:d8:from-tag1:ae");
    assert!(bench.ask(&limited).starts_with(b"d6:result10:load limit7:message"));

    let mut bench = Bench::new(21_000..=21_099, None);
    let port = bench.offer("c", ("a", "", "z1"), SDP).unwrap();
    bench.state.full = true;
    assert_eq!(bench.offer("d", ("a", "", "z1"), SDP), Err(NO_PORTS.to_owned()));
    assert_eq!(bench.offer("c", ("a", "", "z1"), SDP), Ok(port), "what it has it keeps");
}

#[test]
fn errors_have_the_texts_of_the_real_one() {
    for (body, text) in ERRORS {
        let mut bench = Bench::new(21_000..=21_099, None);
        let reply = bench.ask(body);
        let Ok(Reply::Failed { reason, meaning }) = Reply::parse(&reply) else { panic!("{text}") };
        assert_eq!(reason, text.as_bytes());
        assert_ne!(meaning, Meaning::Other, "{text}");
        assert_eq!((bench.state.counters.errors, bench.calls().len()), (1, 0), "{text}");
    }
    let mut bench = Bench::new(21_000..=21_099, None);
    assert_eq!(bench.answer("c", ("a", "b", "z1")), Err(NO_CALL.to_owned()));
    assert_eq!(bench.offer("c", ("a", "", "z1"), NO_MEDIA), Err("Error rewriting SDP".to_owned()));
    assert_eq!(bench.calls(), ["c"], "which the real one keeps as well");
    assert!(bench.delete("c", "a", "z1"));
    assert_eq!(bench.answer("c", ("a", "b", "z1")), Err(NO_CALL.to_owned()));
    assert_eq!(bench.state.handle(b"d7:command4:pinge", START), None);
    assert_eq!(bench.state.counters.malformed, 1);
}

#[test]
fn a_cookie_is_answered_again_and_not_obeyed_again() {
    let mut bench = Bench::new(21_000..=21_099, None);
    bench.offer("c", ("a", "", "z1"), SDP).unwrap();
    let delete = b"again d7:command6:delete7:call-id1:c8:from-tag1:ae";
    let first = bench.state.handle(delete, bench.now).unwrap();
    bench.now += Duration::from_secs(17);
    assert_eq!(bench.state.handle(delete, bench.now).as_ref(), Some(&first), "no warning");
    assert_eq!(bench.state.handle(b"again d7:command4:pinge", bench.now), Some(first), "whatever is asked");
    let counters = bench.state.counters;
    assert_eq!((counters.deletes, counters.unknown, counters.repeats), (1, 0, 2));
}

#[test]
fn lists_and_figures() {
    let mut bench = Bench::new(21_000..=21_999, None);
    for call in 0..40 {
        bench.offer(&format!("c{call:02}"), ("a", "", "z1"), SDP).unwrap();
    }
    bench.now += Duration::from_secs(10);
    assert!(bench.delete("c07", "a", ""));
    let listed = |bench: &mut Bench, limit| {
        let reply = bench.command(&Command::List { limit });
        let reply = Reply::parse(&reply).unwrap();
        reply.done().and_then(ng::reply::Done::calls).unwrap().len()
    };
    assert_eq!(
        (listed(&mut bench, None), listed(&mut bench, Some(100)), listed(&mut bench, Some(3))),
        (32, 39, 3)
    );
    let reply = bench.command(&Command::Statistics);
    let reply = Reply::parse(&reply).unwrap();
    let statistics = reply.done().and_then(ng::reply::Done::statistics).unwrap();
    assert_eq!((statistics.current.sessions_own, statistics.current.sessions_total), (39, 39));
    assert_eq!((statistics.totals.managed_sessions, statistics.totals.regular_terminated_sessions), (40, 1));
    assert_eq!(statistics.uptime, Duration::from_secs(10));
    assert_eq!(statistics.average_call_duration, Duration::from_secs(10));
    assert!(matches!(Reply::parse(&bench.command(&Command::Ping)), Ok(Reply::Pong)));
}

#[test]
fn what_is_refused_in_an_sdp_takes_no_ports() {
    let two = b"v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\n\
        m=audio 40000 RTP/AVP 0\r\nm=video 0 RTP/AVP 31\r\n";
    let mut bench = Bench::new(21_000..=21_099, None);
    bench.offer("c", ("a", "", "z1"), two).unwrap();
    assert_eq!(bench.state.ports.left(), 48);
    let video = String::from_utf8(two.to_vec()).unwrap().replace("video 0", "video 40002");
    bench.offer("c", ("a", "", "z1"), video.as_bytes()).unwrap();
    assert_eq!(bench.state.ports.left(), 46);
    assert!(bench.delete("c", "a", ""));
    assert_eq!(bench.state.ports.left(), 50);
}

#[test]
fn ways_of_media_are_told() {
    let mut bench = Bench::new(21_000..=21_099, None);
    let callee = bench.offer("c", ("a", "", "z1"), SDP).unwrap();
    let peer = |port: u16| SocketAddr::from(([192, 0, 2, 1], port));
    let changes = std::mem::take(&mut bench.state.changes);
    let caller = callee ^ 2;
    // Towards the caller, whose address is known; nobody has answered yet.
    for (port, to) in [
        (callee, vec![(caller, peer(40_000))]),
        (callee + 1, vec![(caller + 1, peer(40_001))]),
        (caller, vec![]),
        (caller + 1, vec![]),
    ] {
        assert!(
            changes.contains(&Change::Routed(Route { port, to: to.clone() })),
            "{port}: {to:?} in {changes:?}"
        );
    }
    assert_eq!(changes.len(), 4);
    bench.answer("c", ("a", "b", "z1")).unwrap();
    let way = Route { port: caller, to: vec![(callee, peer(40_000))] };
    assert!(std::mem::take(&mut bench.state.changes).contains(&Change::Routed(way)));
    assert!(bench.delete("c", "a", ""));
    let mut closed: Vec<u16> = std::mem::take(&mut bench.state.changes)
        .into_iter()
        .map(|change| match change {
            Change::Closed(port) => port,
            Change::Routed(route) => panic!("{route:?}"),
        })
        .collect();
    closed.sort_unstable();
    assert_eq!(closed, [21_000, 21_001, 21_002, 21_003]);
}
