//! The database goes away while the node runs, and comes back: reads go on, nothing is promised that is not
//! kept, and nobody has to help.

use std::collections::BTreeMap;
use std::io;
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream, ToSocketAddrs as _};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use serde_json::{Value, json};

use super::super::esme::{Esme, Received};
use super::super::pdu::{RESP, SUBMIT_SM, Sm};
use super::super::process::{Database, Node, Setup, free_port};
use super::super::smsc::{Script, Smsc};
use super::super::wait;
use super::client::{Client, PASSWORD, administrator, log_in, text};

/// Time for something that takes no time but a busy machine's.
const SOON: Duration = Duration::from_secs(10);
/// Time for a refusal: `store.acquire_timeout` is a second below.
const REFUSED: Duration = Duration::from_secs(8);
/// Time for everything to work again by itself.
const BACK: Duration = Duration::from_secs(20);
const BAN: &str = "TB-000000001";
const NUMBER: &str = "15551234567";

#[test]
fn a_database_that_goes_away_stops_promises_and_nothing_else() {
    let Some(database) = Database::create() else { return };
    let way = Way::to(server(&database.url()));
    let smsc = Smsc::start(Script { receipt_after: None, ..Script::default() });
    let node = Node::new(&setup(&through(&database.url(), way.address), smsc.port()));
    smsc.wait("the node binds", SOON, |state| state.bound() == 1);
    let mut esme = Esme::bound(node.smpp(), "acme", "secret12");
    esme.submit(&Sm::new(NUMBER, "before"), &mut Vec::new());
    let people = People::new(&node);
    people.operator.make("/v1/customers", &json!({"company_name": "Before"}));
    people.settle();
    people.assert_reads("before the outage");

    way.set(false);
    people.assert_reads("as the database goes away");
    let mut sent = Sent::default();
    wait::until("a message is refused", SOON, || {
        sent.submit(&mut esme);
        sent.hear(&mut esme);
        sent.is_refused().then_some(())
    });
    wait::until("readiness goes off", SOON, || (!node.ready()).then_some(()));
    people.assert_not_ready();
    people.assert_refused();
    people.assert_reads("while the database is away");
    drop(Esme::bound(node.smpp(), "acme", "secret12"));
    sent.hear(&mut esme);
    assert!(sent.acknowledged().is_empty(), "acknowledged without a database: {sent:?}");

    way.set(true);
    wait::until("every message is answered", BACK, || {
        sent.hear(&mut esme);
        sent.is_answered().then_some(())
    });
    wait::until("readiness comes back", BACK, || node.ready().then_some(()));
    wait::until("writes succeed again", BACK, || {
        let answer = people.operator.ask("POST /v1/customers", &json!({"company_name": "After"}));
        (answer.status == 201).then_some(())
    });
    esme.submit(&Sm::new(NUMBER, "after"), &mut Vec::new());
    let mut promised = sent.acknowledged();
    promised.extend(["before".to_owned(), "after".to_owned()]);
    smsc.wait("what was acknowledged arrives", BACK, |state| {
        let arrived = state.texts();
        promised.iter().all(|text| arrived.contains(text))
    });
    for (name, count) in [("Before", "1"), ("Never", "0"), ("After", "1")] {
        let counted = format!("SELECT COUNT(*) FROM accounts.customers WHERE company_name = '{name}'");
        assert_eq!(database.value(&counted), count, "customers of the name {name}");
        let shown = people.operator.get(&format!("/v1/customers?search={name}"));
        assert_eq!(shown["items"].as_array().map_or(0, Vec::len).to_string(), count, "{shown}");
    }
}

fn setup(url: &str, vendor: u16) -> Setup {
    let provision = format!(
        "[[customers]]\nban = \"{BAN}\"\ncompany_name = \"Acme\"\nstatus = \"ACTIVE\"\ntype = \"POSTPAID\"\n\
         [[esme_accounts]]\nsystem_id = \"acme\"\ncustomer = \"{BAN}\"\npassword = \"secret12\"\n\
         [[sms_vendors]]\ninstance_name = \"v\"\nhost = \"127.0.0.1\"\nport = {vendor}\n\
         system_id = \"warp\"\npassword = \"secret\"\n\
         [[sms_routes]]\nname = \"all\"\nvendor = \"v\"\nuncertain = \"retry\"\n"
    );
    Setup {
        sections: format!("[store]\nurl = {url:?}\nacquire_timeout = \"1s\"\n"),
        smpp: "reconnect_first = \"50ms\"\nreconnect_max = \"500ms\"\n".to_owned(),
        provision,
        ..Setup::default()
    }
}

/// Who asks, and what for. The tokens of all are known to the node.
struct People {
    operator: Client,
    everybody: [(&'static str, Client); 3],
    /// Of the customer.
    path: String,
}

impl People {
    #[track_caller]
    fn new(node: &Node) -> Self {
        let operator = Client::bootstrap(node);
        let path =
            format!("/v1/customers/{}", text(&operator.get(&format!("/v1/customers/by-ban/{BAN}")), "id"));
        administrator(&operator, "maria@example.net", PASSWORD);
        let access = text(&log_in(node, "maria@example.net", PASSWORD), "access_token");
        let key = json!({"name": "crm", "permissions": ["customers:read"]});
        let key = text(&operator.make("/v1/api-keys", &key), "key");
        let (user, program) = (Client::with(node, &access), Client::with(node, &key));
        let everybody = [("operator", operator.clone()), ("user", user), ("program", program)];
        Self { operator, everybody, path }
    }

    /// Has the node look at its configuration twice: the second look begins after all that was done before,
    /// so that none forgets the tokens that are presented from then on.
    #[track_caller]
    fn settle(&self) {
        for throughput in [1000, 2000] {
            let line = format!("PUT /v1/admin/customers/{BAN}/messaging-config");
            self.operator.ask(&line, &json!({"throughput": throughput})).expect(200);
            let version = self.operator.get("/v1/dashboard/stats")["versions"]["configuration"].clone();
            wait::until("the interface has read the configuration", SOON, || {
                let follower = self.operator.get("/v1/actors/api_follower:main:0");
                (follower["counters"]["version"] == version).then_some(())
            });
        }
    }

    /// What is in memory is shown to whoever is known.
    #[track_caller]
    fn assert_reads(&self, when: &str) {
        for (who, client) in &self.everybody {
            let begun = Instant::now();
            let customer = client.ask(&format!("GET {}", self.path), &Value::Null);
            assert_eq!(customer.status, 200, "{who}, {when}: {}", customer.body);
            let found = client.ask("GET /v1/customers?search=acme", &Value::Null);
            assert_eq!(found.status, 200, "{who}, {when}: {}", found.body);
            assert_eq!(found.json()["items"][0]["ban"], BAN);
            assert!(begun.elapsed() < REFUSED, "{who}, {when}: {:?}", begun.elapsed());
        }
        self.operator.get("/health");
        self.operator.get("/v1/smpp/stats");
    }

    #[track_caller]
    fn assert_not_ready(&self) {
        let refused = self.operator.ask("GET /ready", &Value::Null);
        assert_eq!(refused.problem(), (503, "not_ready".to_owned()));
        assert!(refused.body.contains("log"), "it says why: {}", refused.body);
    }

    /// What needs the database is refused as something to try again, and soon.
    #[track_caller]
    fn assert_refused(&self) {
        let config = format!("PUT /v1/admin/customers/{BAN}/messaging-config");
        for (line, body) in [
            ("POST /v1/customers", json!({"company_name": "Never"})),
            (config.as_str(), json!({"throughput": 1})),
            ("GET /v1/admin/dids", Value::Null),
        ] {
            let begun = Instant::now();
            let refused = self.operator.ask(line, &body);
            assert_eq!(refused.problem(), (503, "store_unavailable".to_owned()), "{line}: {}", refused.body);
            assert_ne!(refused.header("retry-after"), "", "{line}");
            assert!(begun.elapsed() < REFUSED, "{line}: {:?}", begun.elapsed());
        }
    }
}

/// Messages by sequence_number: their texts, and what they were answered.
#[derive(Debug, Default)]
struct Sent(BTreeMap<u32, (String, Option<u32>)>);

impl Sent {
    fn submit(&mut self, esme: &mut Esme) {
        let sequence = esme.sequence();
        let text = format!("away {sequence}");
        esme.send(&Sm::new(NUMBER, &text).submit(sequence));
        self.0.insert(sequence, (text, None));
    }

    /// Takes the next answer, if one comes soon. The session lives all the time.
    #[track_caller]
    fn hear(&mut self, esme: &mut Esme) {
        match esme.receive(Duration::from_millis(200)) {
            Received::Pdu(pdu) if pdu.id == SUBMIT_SM | RESP => {
                self.0.get_mut(&pdu.sequence).expect("an answer to a message").1 = Some(pdu.status);
            }
            Received::Pdu(pdu) => assert!(esme.acknowledge(&pdu).is_none(), "nothing was to be delivered"),
            Received::Nothing => {}
            Received::Closed => panic!("the session was closed"),
        }
    }

    fn is_refused(&self) -> bool {
        self.0.values().any(|(_, status)| status.is_some_and(|status| status != 0))
    }

    fn is_answered(&self) -> bool {
        self.0.values().all(|(_, status)| status.is_some())
    }

    fn acknowledged(&self) -> Vec<String> {
        let acknowledged = self.0.values().filter(|(_, status)| *status == Some(0));
        acknowledged.map(|(text, _)| text.clone()).collect()
    }
}

/// Where a URL leads to, and what stands before and after that.
fn parts(url: &str) -> (&str, &str, &str) {
    let (server, name) = url.rsplit_once('/').expect("postgres://host/database");
    let at = server.rfind(['@', '/']).expect("postgres://host/database") + 1;
    (&server[..at], &server[at..], name)
}

fn server(url: &str) -> SocketAddr {
    let (_, host, _) = parts(url);
    let host = if host.contains(':') { host.to_owned() } else { format!("{host}:5432") };
    host.to_socket_addrs().unwrap().next().expect("the server has an address")
}

/// The same database by another address.
fn through(url: &str, address: SocketAddr) -> String {
    let (front, _, name) = parts(url);
    format!("{front}{address}/{name}")
}

/// The way to the database: nothing passes and nobody answers while it is closed.
struct Way {
    address: SocketAddr,
    shared: Arc<Shared>,
}

struct Shared {
    target: SocketAddr,
    wanted: AtomicBool,
    open: AtomicBool,
    stopped: AtomicBool,
    /// Both ends of every connection since it was opened.
    ends: Mutex<Vec<TcpStream>>,
}

/// Time between two looks at what is wanted.
const LOOK: Duration = Duration::from_millis(5);

impl Way {
    /// Open.
    #[track_caller]
    fn to(target: SocketAddr) -> Self {
        let address = SocketAddr::from(([127, 0, 0, 1], free_port()));
        let closed = || AtomicBool::new(false);
        let shared =
            Shared { target, wanted: closed(), open: closed(), stopped: closed(), ends: Mutex::default() };
        let shared = Arc::new(shared);
        let kept = Arc::clone(&shared);
        std::thread::spawn(move || keep(address, &kept));
        let way = Self { address, shared };
        way.set(true);
        way
    }

    /// Opens or closes it; it is so when this returns.
    #[track_caller]
    fn set(&self, open: bool) {
        self.shared.wanted.store(open, Ordering::Release);
        wait::until("the way to the database is opened or closed", SOON, || {
            (self.shared.open.load(Ordering::Acquire) == open).then_some(())
        });
    }
}

impl Drop for Way {
    fn drop(&mut self) {
        self.shared.stopped.store(true, Ordering::Release);
    }
}

fn keep(address: SocketAddr, shared: &Shared) {
    let mut listener: Option<TcpListener> = None;
    while !shared.stopped.load(Ordering::Acquire) {
        let wanted = shared.wanted.load(Ordering::Acquire);
        if wanted && listener.is_none() {
            let opened = TcpListener::bind(address).expect("the port of the way is still free");
            opened.set_nonblocking(true).unwrap();
            listener = Some(opened);
        }
        if !wanted && listener.take().is_some() {
            shared.cut();
        }
        shared.open.store(listener.is_some(), Ordering::Release);
        match listener.as_ref().and_then(|listener| listener.accept().ok()) {
            Some((near, _)) => shared.relay(near),
            None => wait::pause(LOOK),
        }
    }
    shared.cut();
}

impl Shared {
    fn cut(&self) {
        for end in self.ends.lock().drain(..) {
            let _ = end.shutdown(Shutdown::Both);
        }
    }

    fn relay(&self, near: TcpStream) {
        let Ok(far) = TcpStream::connect(self.target) else { return };
        for end in [&near, &far] {
            end.set_nonblocking(false).unwrap();
            end.set_nodelay(true).unwrap();
            self.ends.lock().push(end.try_clone().unwrap());
        }
        for (from, to) in [(near.try_clone().unwrap(), far.try_clone().unwrap()), (far, near)] {
            std::thread::spawn(move || {
                let _ = io::copy(&mut &from, &mut &to);
                for end in [&from, &to] {
                    let _ = end.shutdown(Shutdown::Both);
                }
            });
        }
    }
}
