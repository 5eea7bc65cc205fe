//! Ways to media nodes between real sockets, in time that the test moves.

use std::io::ErrorKind;
use std::sync::atomic::Ordering;

use runtime::model::{MediaNode, MediaNodeState};
use tokio::time::Instant as Clock;
use uuid::Uuid;

use super::*;
use crate::media::health::State;
use crate::media::pool::{Over, Waiter};

const MS: Duration = Duration::from_millis(1);

const NUMBER: u8 = 3;

const PING: &[u8] = b"d7:command4:pinge";
const PONG: &[u8] = b"d6:result4:ponge";

const WAITS: Ticket = Ticket::Worker(Waiter { worker: 0, incarnation: 7, id: 1 });
const RECORD: Ticket = Ticket::Record(Over { worker: 0, owner: 7, dialog: Uuid::nil() });

/// A media node's socket.
struct Media(StdSocket);

impl Media {
    fn new() -> Self {
        let socket = StdSocket::bind("127.0.0.1:0").unwrap();
        socket.set_nonblocking(true).unwrap();
        Self(socket)
    }

    fn node(&self, number: u8) -> MediaNode {
        MediaNode {
            id: Uuid::nil(),
            number,
            name: format!("media-{number}"),
            address: self.0.local_addr().unwrap(),
            weight: 50,
            state: MediaNodeState::Active,
        }
    }

    /// What it is asked next, and by whom; nothing when that takes long.
    fn asked(&self) -> Option<(Vec<u8>, SocketAddr)> {
        let mut buffer = vec![0; DATAGRAM_MAX];
        for _ in 0..1_000 {
            match self.0.recv_from(&mut buffer) {
                Ok((length, by)) => return Some((buffer[..length].to_vec(), by)),
                Err(error) => assert_eq!(error.kind(), ErrorKind::WouldBlock),
            }
            std::thread::yield_now();
        }
        None
    }

    /// Answers the next command.
    fn answer(&self) {
        self.answer_with(PONG);
    }

    fn answer_with(&self, answer: &[u8]) {
        let (asked, by) = self.asked().unwrap();
        let (cookie, body) = ng::cookie::split(&asked).unwrap();
        assert_eq!(body, PING);
        self.0.send_to(&[cookie, b" ", answer].concat(), by).unwrap();
    }
}

struct Scene {
    pool: Arc<Pool>,
    media: Media,
    lines: Lines,
    news: Vec<News>,
}

impl Scene {
    /// With a node that is up.
    fn new() -> Self {
        let (media, pool) = (Media::new(), Arc::new(Pool::default()));
        let now = Clock::now().into_std();
        pool.configure(&[media.node(NUMBER)], now);
        pool.node(NUMBER).unwrap().health.heard(MS, now);
        let lines = Lines::new(Options {
            pool: Arc::clone(&pool),
            metrics: Metrics::new(&runtime::telemetry::metrics::Metrics::new()),
            random: Random::seeded(5),
            most: 2,
        });
        Self { pool, media, lines, news: Vec::new() }
    }

    fn submit(&mut self, node: u8, ticket: Ticket, patience: Patience) {
        let command = Command { ticket, body: Bytes::from_static(PING), patience };
        self.lines.submit(ToMedia { node, command }, Clock::now().into_std(), &mut self.news);
    }

    fn read(&mut self) -> Vec<News> {
        self.lines.read(Clock::now().into_std(), &mut self.news);
        std::mem::take(&mut self.news)
    }

    /// Reads until there is something to tell.
    async fn heard(&mut self) -> Vec<News> {
        loop {
            self.lines.ready().await;
            let news = self.read();
            if !news.is_empty() {
                return news;
            }
        }
    }

    fn node(&self) -> Arc<Node> {
        self.pool.node(NUMBER).unwrap()
    }

    /// Commands that are over, those of them without an answer, those under way.
    fn tally(&self) -> [u64; 3] {
        let node = self.node();
        let tally = node.tally();
        [&tally.commands, &tally.silent, &tally.waiting].map(|count| count.load(Ordering::Relaxed))
    }
}

fn is_answered(news: &News) -> bool {
    matches!(news, News::Answer(answer) if matches!(answer.outcome, Outcome::Answered(_)))
}

/// What became of the only command that waited.
#[track_caller]
fn outcome(news: &[News]) -> &Outcome {
    let [News::Answer(answer)] = news else { panic!("{news:?}") };
    assert_eq!(Ticket::Worker(answer.waiter), WAITS);
    &answer.outcome
}

#[tokio::test(start_paused = true)]
async fn an_answer_comes_to_who_asked() {
    let mut scene = Scene::new();
    assert_eq!(scene.lines.next_deadline(), None);
    scene.submit(NUMBER, WAITS, Patience::BRIEF);
    assert_eq!(scene.tally(), [0, 0, 1]);
    assert!(scene.lines.next_deadline().is_some());
    scene.media.answer();
    let news = scene.heard().await;
    assert_eq!(*outcome(&news), Outcome::Answered(Bytes::from_static(PONG)));
    assert_eq!((scene.tally(), scene.lines.next_deadline()), ([1, 0, 0], None));
    // The end of a call goes the same way, and it is its record that is told.
    scene.submit(NUMBER, RECORD, Patience::PATIENT);
    scene.media.answer();
    let news = scene.heard().await;
    let [News::Deleted { node: NUMBER, outcome: Outcome::Answered(_), .. }] = &news[..] else {
        panic!("{news:?}")
    };
}

/// A worker that is always busy does not ask the runtime whether something has come.
#[tokio::test(start_paused = true)]
async fn an_answer_is_found_without_being_told_of_it() {
    let mut scene = Scene::new();
    scene.submit(NUMBER, WAITS, Patience::PINNED);
    scene.media.answer();
    let at = Clock::now().into_std() + LOOK_EVERY;
    let mut news = Vec::new();
    for _ in 0..1_000 {
        scene.lines.lines[0].looked_at = at - LOOK_EVERY;
        scene.lines.read(at, &mut news);
        if !news.is_empty() {
            break;
        }
        std::thread::yield_now();
    }
    assert!(matches!(outcome(&news), Outcome::Answered(_)));
}

/// A line that was at rest is not looked at for an answer that can hardly be there yet.
#[tokio::test(start_paused = true)]
async fn an_answer_is_not_looked_for_at_once() {
    let mut scene = Scene::new();
    scene.submit(NUMBER, WAITS, Patience::PINNED);
    scene.media.answer();
    assert!(is_answered(&scene.heard().await[0]));
    tokio::time::advance(LOOK_EVERY * 5).await;
    scene.submit(NUMBER, WAITS, Patience::PINNED);
    scene.media.answer();
    assert!(scene.read().is_empty(), "the runtime has not told of it");
    tokio::time::advance(LOOK_EVERY).await;
    assert!(is_answered(&scene.heard().await[0]));
}

/// What comes twice or late answers nothing: nobody is woken for it, and it stands in the way of nothing.
#[tokio::test(start_paused = true)]
async fn what_answers_nothing_wakes_nobody() {
    let mut scene = Scene::new();
    scene.submit(NUMBER, WAITS, Patience::PINNED);
    let (asked, by) = scene.media.asked().unwrap();
    let (cookie, _) = ng::cookie::split(&asked).unwrap();
    let answer = [cookie, b" ", PONG].concat();
    for _ in 0..2 {
        scene.media.0.send_to(&answer, by).unwrap();
    }
    assert!(is_answered(&scene.heard().await[0]));
    scene.media.0.send_to(&answer, by).unwrap();
    assert!(tokio::time::timeout(MS, scene.lines.ready()).await.is_err(), "nothing is under way");
    scene.submit(NUMBER, WAITS, Patience::PINNED);
    scene.media.answer();
    assert!(is_answered(&scene.heard().await[0]));
    assert_eq!((scene.tally(), scene.lines.next_deadline()), ([2, 0, 0], None));
    let left = scene.lines.lines[0].socket.get_ref().recv(&mut [0; 64]);
    assert_eq!(left.unwrap_err().kind(), ErrorKind::WouldBlock, "it was read by the way");
}

/// A burst of calls, and a worker that comes to their answers when all have come: none of them is sent again.
#[tokio::test(start_paused = true)]
async fn answers_wait_for_a_worker_that_is_busy() {
    const BURST: usize = 150;
    let mut scene = Scene::new();
    scene.lines.options.most = BURST;
    (0..BURST).for_each(|_| scene.submit(NUMBER, WAITS, Patience::BRIEF));
    // As long as an answer with a description.
    (0..BURST).for_each(|_| scene.media.answer_with(&[b'x'; 1_000]));
    let mut answered = 0;
    // For less time than that after which they are sent again.
    for _ in 0..20 {
        let _ = tokio::time::timeout(MS, scene.lines.ready()).await;
        answered += scene.read().iter().filter(|news| is_answered(news)).count();
    }
    assert_eq!((answered, scene.tally()), (BURST, [150, 0, 0]));
}

/// The machine stood still, or the turn before took long: the answers have come in time all the same.
#[tokio::test(start_paused = true)]
async fn a_worker_that_comes_late_finds_its_answers_first() {
    const BURST: usize = 80;
    let mut scene = Scene::new();
    scene.lines.options.most = BURST;
    (0..BURST).for_each(|_| scene.submit(NUMBER, WAITS, Patience::BRIEF));
    (0..BURST).for_each(|_| scene.media.answer());
    tokio::time::advance(Duration::from_secs(1)).await;
    assert_eq!(scene.read().iter().filter(|news| is_answered(news)).count(), BURST);
    assert_eq!(scene.tally(), [80, 0, 0]);
}

#[tokio::test(start_paused = true)]
async fn who_is_silent_is_asked_again_and_given_up_in_time() {
    let mut scene = Scene::new();
    scene.submit(NUMBER, WAITS, Patience::BRIEF);
    let first = scene.media.asked().unwrap();
    for (later, again) in [(49, false), (1, true), (99, false), (1, true)] {
        tokio::time::advance(MS * later).await;
        assert!(scene.read().is_empty());
        assert_eq!(scene.media.asked(), again.then(|| first.clone()), "{later} ms later");
    }
    assert_eq!(scene.node().health.state(), State::Up);
    tokio::time::advance(MS * 30).await;
    assert_eq!(*outcome(&scene.read()), Outcome::Silent);
    assert_eq!((scene.node().health.state(), scene.tally()), (State::Suspect, [1, 1, 0]));
}

#[tokio::test(start_paused = true)]
async fn where_nobody_is_all_that_waits_is_told_at_once() {
    let mut scene = Scene::new();
    scene.media = Media::new();
    scene.submit(NUMBER, WAITS, Patience::PINNED);
    assert_eq!(*outcome(&scene.heard().await), Outcome::Silent);
    let node = scene.node();
    assert_eq!((node.health.state(), node.health.downs()), (State::Down, 1));
    assert_eq!((scene.tally(), scene.lines.next_deadline()), ([1, 1, 0], None));
}

#[tokio::test(start_paused = true)]
async fn what_is_too_much_or_for_nobody_is_not_sent() {
    let mut scene = Scene::new();
    scene.submit(9, WAITS, Patience::BRIEF);
    assert_eq!(*outcome(&std::mem::take(&mut scene.news)), Outcome::Unsent);
    for _ in 0..2 {
        scene.submit(NUMBER, Ticket::Nobody, Patience::PATIENT);
    }
    assert!(scene.news.is_empty());
    scene.submit(NUMBER, WAITS, Patience::BRIEF);
    assert_eq!(*outcome(&std::mem::take(&mut scene.news)), Outcome::Unsent);
    let disabled = MediaNode { state: MediaNodeState::Disabled, ..scene.media.node(NUMBER) };
    scene.pool.configure(&[disabled], Clock::now().into_std());
    scene.submit(NUMBER, WAITS, Patience::BRIEF);
    assert_eq!(*outcome(&std::mem::take(&mut scene.news)), Outcome::Unsent);
}

/// A call that is over is deleted though its worker ends first.
#[tokio::test(start_paused = true)]
async fn the_actor_takes_over_what_ends_calls() {
    let mut scene = Scene::new();
    scene.lines.options.most = 3;
    for ticket in [WAITS, Ticket::Nobody, RECORD] {
        scene.submit(NUMBER, ticket, Patience::PATIENT);
    }
    assert_eq!(scene.tally(), [0, 0, 3]);
    let way = scene.node().way();
    let mut queue = way.receiver.lock().await;
    assert!(queue.try_recv().is_err(), "the actor has nothing to do with it until then");
    scene.lines.lines.clear();
    let left: Vec<_> = std::iter::from_fn(|| queue.try_recv().ok()).collect();
    assert!(left.iter().all(|command| command.body == PING && command.patience == Patience::PATIENT));
    let tickets: Vec<_> = left.iter().map(|command| command.ticket).collect();
    assert!(tickets.len() == 2 && tickets.contains(&Ticket::Nobody) && tickets.contains(&RECORD));
    assert_eq!(scene.tally(), [0, 0, 0]);
}

#[tokio::test(start_paused = true)]
async fn a_node_that_moves_is_asked_where_it_is() {
    let mut scene = Scene::new();
    let now = Clock::now().into_std();
    scene.submit(NUMBER, WAITS, Patience::PINNED);
    let (there, last) = (Media::new(), Media::new());
    scene.pool.configure(&[there.node(NUMBER)], now);
    scene.submit(NUMBER, WAITS, Patience::PINNED);
    assert_eq!(scene.lines.lines.len(), 2);
    for media in [&scene.media.0, &there.0].map(|socket| Media(socket.try_clone().unwrap())) {
        media.answer();
        assert!(matches!(outcome(&scene.heard().await), Outcome::Answered(_)), "the first is not forgotten");
    }
    scene.pool.configure(&[last.node(NUMBER)], now);
    scene.submit(NUMBER, WAITS, Patience::PINNED);
    assert_eq!(scene.lines.lines.len(), 1, "ways that lead nowhere are closed");
    assert!(last.asked().is_some());
}
