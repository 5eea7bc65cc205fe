//! A node for tests of this crate: no actor runs, the log forgets, the store is SQLite in a directory that
//! goes with the test.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use actors::sip::call_metrics::CallMetrics;
use actors::sip::calls::{self, Calls};
use actors::sip::cookie::{Keys, Secret};
use actors::sip::settings::{Listener, Settings};
use actors::sip::snapshot::Snapshot;
use actors::smpp::metrics::Metrics as SmppMetrics;
use actors::smpp::{self, Smpp};
use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::service::Service as _;
use hyper_util::service::TowerToHyperService;
use runtime::clock::{SystemClock, Timestamp};
use runtime::config::SmppOptions;
use runtime::log::{Disk, Limits as LogLimits, MessageLog, SimLog};
use runtime::model::Transport;
use runtime::net::OsNet;
use runtime::random::Random;
use runtime::registry::Registry;
use runtime::seal::RootKey;
use runtime::store::{self, Db, Location, Part};
use runtime::telemetry::metrics::Metrics;
use serde_json::Value;
use tempfile::TempDir;
use warp::http::{HeaderMap, Request};

use crate::context::{Api, Parts};
use crate::dispatch::{self, Dispatch, Limits};
use crate::routes;
use crate::table::{Surface, Table};
use crate::token::TokenHash;

pub(crate) const TOKEN: &str = "the token of the tests, long enough";
pub(crate) const BODY_OCTETS_MAX: usize = 16_384;

/// A node without actors.
pub(crate) struct Lab {
    pub(crate) api: Arc<Api>,
    pub(crate) smpp: Arc<Smpp>,
    pub(crate) calls: Arc<Calls>,
    _directory: TempDir,
}

/// What a request got.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: String,
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.body))
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }
}

impl Lab {
    pub(crate) async fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let location = Location { url: "", data_dir: directory.path() };
        let store = Db::open_store(&location).await.unwrap();
        store::migrate(&store, Part::Store).await.unwrap();
        let metrics = Metrics::new();
        let random = Random::seeded(1);
        let clock = Arc::new(SystemClock);
        let log = Arc::new(SimLog::new(Disk::default(), random.clone()));
        let smpp = Smpp::new(smpp::Parts {
            options: SmppOptions::default(),
            node: 0,
            clock: Arc::clone(&clock) as _,
            random: random.clone(),
            net: Arc::new(OsNet),
            registry: Registry::new(clock, random),
            log: MessageLog::new(log, LogLimits::default()),
            metrics: SmppMetrics::new(&metrics),
        });
        let root_key = Arc::new(RootKey::load_or_create(&directory.path().join("root.key")).unwrap());
        let calls = calls(&smpp, &metrics);
        let token = TokenHash::of(TOKEN.as_bytes());
        let api = Api::new(Parts {
            smpp: Arc::clone(&smpp),
            calls: Some(Arc::clone(&calls)),
            metrics,
            store,
            root_key,
            token,
            fault_injection: false,
        });
        Self { api, smpp, calls, _directory: directory }
    }

    pub(crate) fn dispatch(&self, surface: Surface) -> Arc<Dispatch> {
        Arc::new(Dispatch {
            api: Arc::clone(&self.api),
            surface,
            table: Table::new(surface, routes::all()).unwrap(),
            limits: Limits { body_octets_max: BODY_OCTETS_MAX, body_timeout: Duration::from_secs(5) },
            requests: AtomicU64::new(0),
        })
    }

    /// Sends one request through the filter, without a socket.
    pub(crate) async fn send(&self, surface: Surface, request: Request<Full<Bytes>>) -> Answer {
        let dispatch = self.dispatch(surface);
        let service = TowerToHyperService::new(warp::service(dispatch::filter(Arc::clone(&dispatch))));
        let response = service.call(request).await.unwrap();
        assert_eq!(dispatch.requests.load(Ordering::Relaxed), 1);
        let (head, body) = response.into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        Answer {
            status: head.status.as_u16(),
            headers: head.headers,
            body: String::from_utf8(body.to_vec()).unwrap(),
        }
    }

    /// By the control socket, where no token is needed.
    pub(crate) async fn control(&self, method: &str, path: &str, body: &str) -> Answer {
        let body = Full::new(Bytes::from(body.to_owned()));
        let request = Request::builder().method(method).uri(path).body(body).unwrap();
        self.send(Surface::Control, request).await
    }
}

/// The side of calls, without workers and without configuration.
fn calls(smpp: &Smpp, metrics: &Metrics) -> Arc<Calls> {
    let address = "127.0.0.1:5060".parse().unwrap();
    let settings = Settings {
        node: 0,
        listeners: vec![Listener::new(Transport::Udp, address, "").unwrap()],
        timers: Default::default(),
        timer_c: Duration::from_secs(180),
        seed: (1, 2),
        workers: 1,
        cookies: Keys::new(Secret { number: 1, key: [7; 16] }, None),
        started_at: Timestamp::from_micros(0),
        process: 1,
        answer_strangers: true,
        strangers_per_second: 10,
        transactions_max: 10,
        dialogs_max: 10,
        queue_age_max: Duration::from_millis(100),
        call_max: Duration::ZERO,
        dead_call_probe: Duration::ZERO,
        session_timers: true,
        toll_fraud_factor: 8,
        flood_per_source: 0,
        limits: Default::default(),
    };
    Calls::new(calls::Parts {
        settings,
        snapshot: Snapshot::default(),
        metrics: CallMetrics::new(metrics),
        log: smpp.log.clone(),
        registry: smpp.registry.clone(),
        clock: Arc::clone(&smpp.clock),
        random: smpp.random.clone(),
    })
}
