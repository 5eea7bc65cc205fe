//! A media node that answers at once: what its actor makes of its calls, in time that the test moves.

use std::collections::{BTreeMap, BTreeSet};

use ng::command::Name;
use ng::reply::{Call, Current, Statistics, Totals, write};
use parking_lot::Mutex;

use super::*;
use crate::media::asking::Wants;

const SECOND: Duration = Duration::from_secs(1);
const LIST_EVERY: Duration = Duration::from_secs(30);
/// More than a list has room for.
const CALLS: u128 = 1_500;

/// The name of a call there.
fn call_id(call: u128) -> String {
    format!("warp-7-{}", Uuid::from_u128(call))
}

/// What is asked of the calls that our side has.
fn questions() -> Vec<Question> {
    let question = |call: u128| {
        let mut body = Vec::new();
        ng::Command::Query(Part::whole(call_id(call).as_bytes())).encode(&mut body);
        Question { call: Uuid::from_u128(call), body: body.into(), wants: Wants::Presence }
    };
    (0..CALLS).map(question).collect()
}

/// It does what RTPEngine does, as far as its actor asks it for anything.
struct Media {
    socket: StdSocket,
    calls: BTreeSet<String>,
    timed_out: u64,
    began: Instant,
    /// Calls that it was asked for.
    queried: Vec<String>,
}

impl Media {
    fn new(calls: u128) -> Self {
        let socket = StdSocket::bind("127.0.0.1:0").unwrap();
        socket.set_nonblocking(true).unwrap();
        let calls = (0..calls).map(call_id).collect();
        Self { socket, calls, timed_out: 0, began: Instant::now(), queried: Vec::new() }
    }

    /// Answers all that has come.
    fn answer(&mut self) {
        let mut datagram = [0; 2_048];
        while let Ok((length, from)) = self.socket.recv_from(&mut datagram) {
            let reply = self.reply(&datagram[..length]);
            self.socket.send_to(&reply, from).unwrap();
        }
    }

    fn reply(&mut self, datagram: &[u8]) -> Vec<u8> {
        let (cookie, body) = ng::cookie::split(datagram).unwrap();
        let request = ng::Request::parse(body).unwrap();
        let name = request.name.unwrap();
        let mut reply = [cookie, b" "].concat();
        if matches!(name, Name::Ping) {
            write::pong(&mut reply);
        } else if matches!(name, Name::List) {
            let limit = usize::try_from(request.limit().unwrap()).unwrap();
            write::calls(&mut reply, self.calls.iter().take(limit).map(String::as_bytes));
        } else if matches!(name, Name::Statistics) {
            write::statistics(&mut reply, &self.statistics());
        } else if matches!(name, Name::Query) {
            let call = String::from_utf8(request.call_id().unwrap().to_vec()).unwrap();
            if self.calls.contains(&call) {
                write::call(&mut reply, &Call::default());
            } else {
                write::error(&mut reply, "Unknown call-id");
            }
            self.queried.push(call);
        } else {
            write::ok(&mut reply);
        }
        reply
    }

    fn statistics(&self) -> Statistics {
        let sessions_total = self.calls.len() as u64;
        Statistics {
            current: Current { sessions_total, ..Current::default() },
            totals: Totals { timeout_sessions: self.timed_out, ..Totals::default() },
            uptime: self.began.elapsed(),
            ..Statistics::default()
        }
    }

    /// It ends a call by itself.
    fn lose(&mut self, call: u128) {
        assert!(self.calls.remove(&call_id(call)));
    }
}

/// What the actor has said.
type Heard = Arc<Mutex<Vec<News>>>;

/// The options of an actor, and what it says. Whoever compares lists has it ask for all calls where one is cut.
fn options(media: &Media) -> (Options, Heard) {
    let node = MediaNode {
        id: Uuid::nil(),
        number: NUMBER,
        name: "media-1".to_owned(),
        address: media.socket.local_addr().unwrap(),
        weight: 50,
        state: MediaNodeState::Active,
    };
    let pool = Pool::default();
    pool.configure(&[node], Instant::now().into_std());
    let node = pool.node(NUMBER).unwrap();
    let heard = Heard::default();
    let (told, asked) = (Arc::clone(&heard), Arc::clone(&node));
    let options = Options {
        node,
        deliver: Arc::new(move |news| {
            if matches!(news, News::Calls { all: false, .. }) {
                asked.ask_about(questions());
            }
            told.lock().push(news);
        }),
        random: Random::seeded(3),
        metrics: Metrics::new(&runtime::telemetry::metrics::Metrics::new()),
        list_every: LIST_EVERY,
    };
    (options, heard)
}

/// The actor's loop, with a node that answers before time goes on.
struct Loop<'a> {
    serving: Serving<'a>,
    media: Media,
    heard: Heard,
}

impl<'a> Loop<'a> {
    async fn new(options: &'a Options, media: Media, heard: Heard) -> Self {
        let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        socket.connect(options.node.address).await.unwrap();
        // What it does not take is sent again when that is due, and no time goes on while an answer is awaited.
        socket.writable().await.unwrap();
        Self { serving: Serving::begin(options, socket), media, heard }
    }

    async fn run(&mut self, time: Duration) {
        let until = Instant::now() + time;
        let mut datagram = vec![0; DATAGRAM_MAX];
        while Instant::now() < until {
            self.serving.clocks();
            self.serving.act();
            while !self.serving.exchange.is_empty() {
                self.media.answer();
                self.serving.socket.readable().await.unwrap();
                self.serving.read(&mut datagram);
                self.serving.act();
            }
            sleep_until(self.serving.next_clock().min(until)).await;
        }
    }

    /// Until a list of calls was seen; the next one comes half a minute later.
    async fn list(&mut self) {
        self.news();
        while self.heard.lock().is_empty() {
            self.run(SECOND).await;
        }
    }

    /// What was said since this was asked last.
    fn news(&self) -> Vec<News> {
        std::mem::take(&mut *self.heard.lock())
    }

    /// The calls of these that are gone, each with when that was seen first.
    fn gone(&self) -> BTreeMap<u128, std::time::Instant> {
        let mut gone = BTreeMap::new();
        for news in self.news() {
            if let News::Gone { node: NUMBER, call, since } = news {
                gone.entry(call.as_u128()).or_insert(since);
            }
        }
        gone
    }
}

#[tokio::test(start_paused = true)]
async fn calls_that_a_list_has_no_room_for_are_found_to_be_gone() {
    let media = Media::new(CALLS);
    let (options, heard) = options(&media);
    let mut actor = Loop::new(&options, media, heard).await;
    // The first list comes within this time, and each call is asked for within the next.
    actor.run(LIST_EVERY * 2).await;
    let lists = actor.news();
    let is_cut = |news: &News| matches!(news, News::Calls { names, all: false, .. } if names.len() == 1_000);
    assert!(!lists.is_empty() && lists.iter().all(is_cut), "{} of news", lists.len());
    let queried: BTreeSet<String> = std::mem::take(&mut actor.media.queried).into_iter().collect();
    assert_eq!(queried, actor.media.calls, "each of them, and nobody else");

    // No media came for these, which it counts.
    actor.list().await;
    let lost_at = Instant::now();
    for call in [0, 1_200, CALLS - 1] {
        actor.media.lose(call);
    }
    actor.media.timed_out += 3;
    actor.run(SECOND * 6).await;
    let gone = actor.gone();
    assert_eq!(gone.keys().copied().collect::<Vec<_>>(), [0, 1_200, CALLS - 1]);
    for (call, since) in gone {
        let after = since.duration_since(lost_at.into_std());
        assert!(after <= SECOND * 3, "call {call} costs for another {after:?}");
    }

    // Nor for this one, which it does not count.
    actor.media.lose(1_300);
    actor.run(LIST_EVERY + SECOND * 6).await;
    let gone: BTreeSet<u128> = actor.gone().into_keys().collect();
    assert!(gone.contains(&1_300), "{gone:?}");
    assert!(gone.is_subset(&[0, 1_200, 1_300, CALLS - 1].into()), "{gone:?}");
}

/// A second has no more questions than its share.
#[tokio::test(start_paused = true)]
async fn a_media_node_is_not_asked_for_all_of_its_calls_at_once() {
    let media = Media::new(CALLS);
    let (options, heard) = options(&media);
    let mut actor = Loop::new(&options, media, heard).await;
    let mut most = 0;
    for _ in 0..90 {
        actor.run(SECOND).await;
        most = most.max(std::mem::take(&mut actor.media.queried).len());
    }
    assert!((50..=100).contains(&most), "{most} in one second");
}

/// It is there each time that it is asked.
#[tokio::test(start_paused = true)]
async fn a_node_that_was_begun_anew_between_two_questions_has_lost_its_calls() {
    let media = Media::new(10);
    let (options, heard) = options(&media);
    let mut actor = Loop::new(&options, media, heard).await;
    let is_of_no_loss = |news: &News| matches!(news, News::Calls { all: true, heard: None, .. });
    actor.list().await;
    assert!(actor.news().iter().all(is_of_no_loss));

    actor.run(SECOND / 2).await;
    let began = Instant::now();
    (actor.media.began, actor.media.calls) = (began, BTreeSet::new());
    actor.run(SECOND * 5).await;
    let lost = |news: News| {
        let News::Calls { names, all: true, heard: Some(heard), .. } = news else { panic!("{news:?}") };
        assert!(names.is_empty(), "{names:?}");
        heard
    };
    let heard: Vec<_> = actor.news().into_iter().map(lost).collect();
    assert_eq!(heard.len(), 2, "two lists are compared");
    for heard in heard {
        let before = began.into_std().saturating_duration_since(heard);
        assert!(heard <= began.into_std() && before <= SECOND * 2, "{before:?} before it ended");
    }
    assert_eq!(actor.serving.health().downs(), 0);
    // Whatever it does not have later it has lost later.
    actor.run(LIST_EVERY * 2).await;
    let later = actor.news();
    assert!(!later.is_empty() && later.iter().all(is_of_no_loss), "{later:?}");
}
