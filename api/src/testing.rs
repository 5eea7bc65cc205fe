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
use runtime::config::{
    ApiOptions, AuthOptions, EgressAddress, IngressAddress, MailOptions, NetworkOptions, SmppOptions,
    WebhookOptions,
};
use runtime::log::{Disk, Limits as LogLimits, MessageLog, SimLog};
use runtime::model::{Messaging, Transport, Voice};
use runtime::net::OsNet;
use runtime::password;
use runtime::random::Random;
use runtime::registry::{ActorName, Registry};
use runtime::seal::RootKey;
use runtime::store::announce::Announcements;
use runtime::store::auth::session::{self, Session};
use runtime::store::auth::user::{self, User};
use runtime::store::group::{self, Announce};
use runtime::store::{self, Db, Location, Part, messaging, voice};
use runtime::supervision::{Intensity, Strategy, Supervisor, SupervisorHandle, SupervisorSpec};
use runtime::telemetry::metrics::Metrics;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::sync::Mutex;
use uuid::Uuid;
use warp::http::{HeaderMap, Request};

use crate::context::{Api, Parts};
use crate::dispatch::{self, Dispatch, Limits};
use crate::mailer;
use crate::routes;
use crate::table::{Surface, Table};
use crate::token::TokenHash;

pub(crate) const PASSWORD: &str = "correct horse battery staple";
pub(crate) const TOKEN: &str = "the token of the tests, long enough";
const INTENSITY: Intensity = Intensity::new(3, Duration::from_secs(10));
pub(crate) const BODY_OCTETS_MAX: usize = 16_384;

/// A node without actors.
pub(crate) struct Lab {
    pub(crate) api: Arc<Api>,
    pub(crate) smpp: Arc<Smpp>,
    pub(crate) calls: Arc<Calls>,
    _writer: SupervisorHandle,
    directory: TempDir,
    /// What a node would have in memory that reads only the parts that changed.
    known: Mutex<(Messaging, Voice)>,
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
            announcements: Announcements::default(),
        });
        let root_key = Arc::new(RootKey::load_or_create(&directory.path().join("root.key")).unwrap());
        let calls = calls(&smpp, &metrics);
        let token = TokenHash::of(TOKEN.as_bytes());
        let parts = Parts {
            smpp: Arc::clone(&smpp),
            calls: Some(Arc::clone(&calls)),
            metrics,
            store,
            root_key,
            token,
            options: ApiOptions::default(),
            auth: AuthOptions::default(),
            mail: MailOptions::default(),
            network: network(),
            webhooks: WebhookOptions::default(),
        };
        let api = Api::new(parts, directory.path());
        let queue = api.queue.lock().take().unwrap();
        let announced = Arc::clone(&api);
        let announce: Announce = Arc::new(move |touched| announced.announce(touched));
        let spec = SupervisorSpec::new(ActorName::new("api", "main"), Strategy::OneForOne, INTENSITY);
        let spec = spec.child(group::child_spec(api.store.clone(), queue, announce));
        let spec = spec.child(mailer::child_spec(Arc::clone(&api)));
        api.tokens.load(&api.store, &api.root_key, api.clock.now()).await.unwrap();
        let writer =
            Supervisor::spawn(spec, &Registry::new(Arc::clone(&api.clock), Random::seeded(1))).await.unwrap();
        Self { api, smpp, calls, _writer: writer, directory, known: Mutex::default() }
    }

    /// The newest of so many mails, once there are as many.
    pub(crate) async fn mail(&self, count: usize) -> String {
        let directory = self.directory.path().join("mail");
        loop {
            let files = std::fs::read_dir(&directory).into_iter().flatten().map(|file| file.unwrap().path());
            let mut mails: Vec<_> = files.filter(|path| path.extension() == Some("eml".as_ref())).collect();
            mails.sort();
            assert!(mails.len() <= count, "more mails than were asked for: {mails:?}");
            if mails.len() == count {
                return std::fs::read_to_string(mails.pop().unwrap()).unwrap();
            }
            tokio::task::yield_now().await;
        }
    }

    /// Makes a customer; gives its BAN and id.
    pub(crate) async fn customer(&self, ban: &str, status: &str) -> (String, String) {
        let body = json!({"company_name": format!("Company of {}", ban.len()), "ban": ban, "status": status});
        let made = self.ask(TOKEN, ("POST", "/v1/customers"), Some(body)).await;
        assert_eq!(made.status, 201, "{}", made.body);
        (ban.to_owned(), made.json()["id"].as_str().unwrap().to_owned())
    }

    /// Makes an API key.
    pub(crate) async fn key(&self, customer: Option<&str>, permissions: &[&str]) -> String {
        let body = json!({"name": "of a test", "customer": customer, "permissions": permissions});
        let made = self.ask(TOKEN, ("POST", "/v1/api-keys"), Some(body)).await;
        assert_eq!(made.status, 201, "{}", made.body);
        made.json()["key"].as_str().unwrap().to_owned()
    }

    /// Makes a user with [`PASSWORD`] and a session of it; gives both ids.
    pub(crate) async fn user(&self, email: &str, user_type: &str) -> (Uuid, Uuid) {
        let now = self.api.clock.now();
        let user = User {
            id: Uuid::new_v4(),
            email: email.to_owned(),
            name: "Maria".to_owned(),
            user_type: user_type.to_owned(),
            active: true,
            password: Some(password::hash(PASSWORD)),
            google_subject: None,
            last_login_at: None,
            created_at: now,
            updated_at: now,
        };
        let session = Session {
            id: Uuid::new_v4(),
            user: user.id,
            refresh_hash: Uuid::new_v4().as_bytes().to_vec(),
            address: String::new(),
            expires_at: now.plus(Duration::from_secs(3600)),
            revoked_at: None,
            created_at: now,
        };
        let mut tx = self.api.store.begin().await.unwrap();
        user::insert(&mut tx, &user).await.unwrap();
        session::insert(&mut tx, &session).await.unwrap();
        tx.commit().await.unwrap();
        (user.id, session.id)
    }

    /// A request with a token by the API port.
    pub(crate) async fn ask(&self, token: &str, (method, path): (&str, &str), body: Option<Value>) -> Answer {
        self.ask_with(token, (method, path), body, &[]).await
    }

    /// With more headers.
    pub(crate) async fn ask_with(
        &self,
        token: &str,
        (method, path): (&str, &str),
        body: Option<Value>,
        headers: &[(&str, &str)],
    ) -> Answer {
        let mut request = Request::builder().method(method).uri(path);
        if !token.is_empty() {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        if body.is_some() {
            request = request.header("content-type", "application/json");
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let body = body.map(|body| Bytes::from(body.to_string())).unwrap_or_default();
        let answer = self.send(Surface::Api, request.body(Full::new(body)).unwrap()).await;
        if method != "GET" {
            self.follow().await;
        }
        answer
    }

    /// Reads what changed as nodes do, and compares that with the whole: a write that marks too few parts is found.
    async fn follow(&self) {
        let (store, key) = (&self.api.store, &*self.api.root_key);
        let mut known = self.known.lock().await;
        loop {
            let messaging = messaging::reload(store, key, known.0.clone()).await.unwrap();
            let voice = voice::reload(store, known.1.clone()).await.unwrap();
            let whole = (messaging::load(store, key).await.unwrap(), voice::load(store).await.unwrap());
            // Another request of the test may have changed something in between.
            if messaging.version == whole.1.version {
                *known = (messaging, voice);
                assert_eq!(
                    format!("{known:?}"),
                    format!("{whole:?}"),
                    "a write marks every part that it changes"
                );
                assert_eq!(secrets(&known.0), secrets(&whole.0), "a write marks every part that it changes");
                return;
            }
        }
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

/// What is not shown of the configuration.
fn secrets(messaging: &Messaging) -> Vec<&str> {
    let vendors = messaging.vendors.iter().map(|vendor| vendor.password.expose());
    let accounts = messaging.accounts.iter().map(|account| account.password.as_str());
    let webhooks = messaging.webhooks.iter().filter_map(|webhook| Some(webhook.secret.as_ref()?.expose()));
    vendors.chain(accounts).chain(webhooks).collect()
}

/// What peers are told of our addresses.
fn network() -> NetworkOptions {
    let ingress = IngressAddress {
        name: "SIP".to_owned(),
        address: "sip.example.net".to_owned(),
        transport: Transport::Udp,
        port: 5060,
    };
    let egress = EgressAddress { name: "NAT 1".to_owned(), address: "198.51.100.7".parse().unwrap() };
    NetworkOptions { ingress: vec![ingress], egress: vec![egress] }
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
        digests: Vec::new(),
        transactions_max: 10,
        dialogs_max: 10,
        queue_age_max: Duration::from_millis(100),
        call_max: Duration::ZERO,
        shared: false,
        dead_call_probe: Duration::ZERO,
        media_leftovers: Duration::from_secs(900),
        session_timers: true,
        toll_fraud_factor: 8,
        flood_per_source: 0,
        registrations: Default::default(),
        limits: Default::default(),
        identities: Default::default(),
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
