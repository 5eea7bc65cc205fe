//! The actor of a media node that says nothing, in time that the test moves.

use std::net::UdpSocket as StdSocket;
use std::sync::atomic::AtomicUsize;

use runtime::clock::SystemClock;
use runtime::model::{MediaNode, MediaNodeState};
use runtime::registry::Registry;
use runtime::supervision::{Intensity, Strategy, Supervisor, SupervisorSpec};
use uuid::Uuid;

use super::*;
use crate::media::pool::Pool;

mod answering;

const MS: Duration = Duration::from_millis(1);

const NUMBER: u8 = 1;

struct Scene {
    options: Options,
    /// How often the node was said to be lost.
    losses: Arc<AtomicUsize>,
    /// It takes what comes, so that the system says of nothing that nobody is there.
    _media: StdSocket,
}

impl Scene {
    /// With a node that is up.
    fn new() -> Self {
        let media = StdSocket::bind("127.0.0.1:0").unwrap();
        let node = MediaNode {
            id: Uuid::nil(),
            number: NUMBER,
            name: "media-1".to_owned(),
            address: media.local_addr().unwrap(),
            weight: 50,
            state: MediaNodeState::Active,
        };
        let (pool, now) = (Pool::default(), Instant::now().into_std());
        pool.configure(&[node], now);
        let node = pool.node(NUMBER).unwrap();
        assert!(node.health.heard(MS, now + MS));
        let losses = Arc::new(AtomicUsize::new(0));
        let told = Arc::clone(&losses);
        let options = Options {
            node,
            deliver: Arc::new(move |news| {
                if matches!(news, News::Lost { .. }) {
                    told.fetch_add(1, Ordering::Relaxed);
                }
            }),
            random: Random::seeded(3),
            metrics: Metrics::new(&runtime::telemetry::metrics::Metrics::new()),
            list_every: Duration::from_secs(30),
        };
        Self { options, losses, _media: media }
    }

    fn health(&self) -> &Health {
        &self.options.node.health
    }

    /// One incarnation, which ends after this time without being asked to, as by a panic.
    async fn serve_for(&self, time: Duration) {
        tokio::select! {
            biased;
            served = serve(&self.options) => panic!("{served:?}"),
            () = sleep(time) => {}
        }
    }
}

/// Workers ask the node themselves, and it answers them.
#[tokio::test(start_paused = true)]
async fn a_crash_takes_no_node_out_of_service() {
    let scene = Scene::new();
    scene.serve_for(MS * 10).await;
    assert_eq!((scene.health().state(), scene.health().downs()), (State::Up, 0));
}

/// A node that was disabled, or whose actor could not be started for a while, has its calls still.
#[tokio::test(start_paused = true)]
async fn calls_are_not_lost_by_the_time_in_which_nobody_asked() {
    let scene = Scene::new();
    scene.health().gone(Instant::now().into_std() + MS * 2);
    sleep(Duration::from_secs(60)).await;
    scene.serve_for(Duration::from_secs(9)).await;
    assert_eq!(scene.losses.load(Ordering::Relaxed), 0);
    scene.serve_for(Duration::from_secs(11)).await;
    assert_eq!(scene.losses.load(Ordering::Relaxed), 1, "it was asked, and said nothing");
}

#[tokio::test(start_paused = true)]
async fn who_is_not_asked_any_more_is_to_answer_before_it_takes_calls() {
    let scene = Scene::new();
    let intensity = Intensity::new(1, Duration::from_secs(10));
    let spec = SupervisorSpec::new(ActorName::new("media", "tested"), Strategy::OneForOne, intensity)
        .child(child_spec(scene.options.clone()));
    let registry = Registry::new(Arc::new(SystemClock), Random::seeded(4));
    let supervisor = Supervisor::spawn(spec, &registry).await.unwrap();
    sleep(MS * 10).await;
    assert_eq!(scene.health().state(), State::Up);
    supervisor.stop().await;
    assert_eq!(scene.health().state(), State::Down);
}
