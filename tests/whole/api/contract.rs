//! Every endpoint of the platform's contract answers as written there, on both databases. What a request
//! needs was made by the requests before it.

mod messaging;
mod people;
mod voice;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde_json::{Value, json};

use super::super::esme::Esme;
use super::super::process::{Database, Node, Setup};
use super::super::smsc::{Script, Smsc};
use super::super::wait;
use super::client::{Answer, Client};

/// Time for something that takes no time but a busy machine's.
const SOON: Duration = Duration::from_secs(10);
/// In an expectation: something is there, nothing is there.
const ANY: &str = "*";
const NONE: &str = "-";

/// The endpoints, their parameters as `{}`; what is for people and for Prometheus is asked apart.
const CONTRACT: &[&str] = &[
    "GET /health",
    "GET /ready",
    "POST /auth/exchange",
    "POST /auth/refresh",
    "GET /auth/validate",
    "GET /v1/customers",
    "POST /v1/customers",
    "GET /v1/customers/{}",
    "PUT /v1/customers/{}",
    "GET /v1/customers/by-ban/{}",
    "GET /v1/customers/{}/notes",
    "POST /v1/customers/{}/notes",
    "POST /v1/customers/{}/dids",
    "GET /v1/admin/voice-vendors",
    "POST /v1/admin/voice-vendors",
    "GET /v1/admin/voice-vendors/{}",
    "PUT /v1/admin/voice-vendors/{}",
    "DELETE /v1/admin/voice-vendors/{}",
    "GET /v1/admin/voice-vendors/{}/rates",
    "GET /v1/admin/sms-vendors",
    "POST /v1/admin/sms-vendors",
    "GET /v1/admin/sms-vendors/{}",
    "PUT /v1/admin/sms-vendors/{}",
    "DELETE /v1/admin/sms-vendors/{}",
    "GET /v1/admin/partitions",
    "POST /v1/admin/partitions",
    "GET /v1/admin/partitions/{}/vendors",
    "GET /v1/admin/customers/{}/trunks",
    "POST /v1/admin/customers/{}/trunks",
    "GET /v1/admin/customers/{}/trunks/{}",
    "PUT /v1/admin/customers/{}/trunks/{}",
    "DELETE /v1/admin/customers/{}/trunks/{}",
    "GET /v1/admin/customers/{}/trunks/{}/ips",
    "POST /v1/admin/customers/{}/trunks/{}/ips",
    "PUT /v1/admin/customers/{}/trunks/{}/ips/{}",
    "DELETE /v1/admin/customers/{}/trunks/{}/ips/{}",
    "POST /v1/admin/trunks/sync-redis",
    "GET /v1/admin/customers/{}/dedicated-ips",
    "POST /v1/admin/customers/{}/dedicated-ips",
    "DELETE /v1/admin/customers/{}/dedicated-ips/{}",
    "PUT /v1/admin/customers/{}/tier",
    "GET /v1/customers/trunks",
    "POST /v1/customers/trunks",
    "GET /v1/customers/trunks/{}",
    "GET /v1/customers/trunks/{}/ips",
    "POST /v1/customers/trunks/{}/ips",
    "DELETE /v1/customers/trunks/{}/ips/{}",
    "GET /v1/network/vendor-ips",
    "GET /v1/network/ingress-ips",
    "GET /v1/cdrs",
    "GET /v1/mdrs",
    "POST /v1/sync/customers/{}/to-hubspot",
    "POST /v1/sync/customers/{}/queue",
    "POST /v1/sync/process-queue",
    "GET /v1/sync/hubspot/companies/search",
    "POST /webhooks/hubspot/company",
    "GET /v1/gatekeeper/my-permissions",
    "POST /v1/gatekeeper/check-access",
    "POST /v1/gatekeeper/check-access-batch",
    "GET /v1/gatekeeper/available-permissions",
    "GET /v1/dashboard/stats",
    "GET /v1/dashboard/me",
    "GET /v1/smpp/vendors",
    "POST /v1/smpp/vendors/{}/reconnect",
    "POST /v1/smpp/vendors/{}/disconnect",
    "GET /v1/smpp/stats",
    "GET /api/v1/vendors",
    "GET /api/v1/admin/stats",
    "GET /v1/users",
    "POST /v1/users",
    "GET /v1/user-types",
    "PUT /v1/users/{}/customers/{}",
    "GET /v1/invitations",
    "GET /v1/api-keys",
    "POST /v1/api-keys",
    "DELETE /v1/api-keys/{}",
    "GET /v1/actors",
    "GET /v1/actors/{}",
    "GET /v1/calls",
    "GET /v1/calls/{}",
    "GET /v1/explain/call",
    "GET /v1/explain/sms",
];

#[test]
fn every_endpoint_answers_as_written_on_sqlite() {
    walk("SQLite", "");
}

#[test]
fn every_endpoint_answers_as_written_on_postgresql() {
    let Some(database) = Database::create() else { return };
    walk("PostgreSQL", &format!("[store]\nurl = {:?}\n", database.url()));
}

fn walk(engine: &'static str, store: &str) {
    let smsc = Smsc::start(Script::default());
    let mut walk = Walk::start(engine, store);
    let operator = walk.operator.clone();
    walk.through(&operator, people::customers());
    assert!(is_ban_of_ours(&walk.known["ban"]), "{}", walk.known["ban"]);
    walk.through(&operator, voice::made());
    walk.through(&operator, messaging::made(smsc.port()));
    smsc.wait("the node binds to the vendor", SOON, |state| state.bound() == 1);
    let _esme = walk.in_force();
    walk.through(&operator, messaging::live());
    walk.through(&operator, people::made());
    let user = walk.client("access");
    walk.through(&user, people::of_user());
    let key = walk.client("key");
    walk.through(&key, voice::own());
    walk.through(&key, people::of_key());
    walk.through(&operator, people::seen());
    walk.through(&operator, voice::seen());
    pages(&walk);
    walk.through(&operator, voice::unmade());
    walk.through(&operator, messaging::unmade());
    walk.through(&operator, people::unmade());
    assert_eq!(key.ask("GET /v1/customers/trunks", &Value::Null).problem().0, 401, "the key was revoked");
    let stranger = Client::stranger(&walk.node);
    walk.through(&stranger, open());
    walk.assert_whole();
}

/// Two letters, a dash, nine digits.
fn is_ban_of_ours(ban: &str) -> bool {
    let Some((letters, digits)) = ban.split_once('-') else { return false };
    let letters_fit = letters.len() == 2 && letters.bytes().all(|letter| letter.is_ascii_uppercase());
    letters_fit && digits.len() == 9 && digits.bytes().all(|digit| digit.is_ascii_digit())
}

/// What needs no token.
fn open() -> Vec<Row> {
    vec![
        row("GET /health", Value::Null, 200, json!({"/status": "ok"})),
        row("GET /ready", Value::Null, 200, json!({"/status": "ready"})),
        // This installation knows no Google and no HubSpot.
        row("POST /auth/exchange", json!({"id_token": "of.google.com"}), 501, absent()),
        row("POST /webhooks/hubspot/company", Value::Null, 501, absent()),
    ]
}

/// The problem of what an installation does not have.
fn absent() -> Value {
    json!({"/status": 501, "/code": "not_implemented", "/type": "urn:warp:problem:not_implemented",
        "/title": ANY, "/detail": ANY})
}

/// What people and Prometheus read.
fn pages(walk: &Walk) {
    let stranger = Client::stranger(&walk.node);
    let leads = stranger.ask("GET /docs", &Value::Null).expect(302);
    assert_eq!(leads.header("location"), "/docs/index.html");
    let page = stranger.ask("GET /docs/index.html", &Value::Null).expect(200);
    assert!(page.header("content-type").starts_with("text/html"), "{page:?}");
    assert!(page.body.contains("swagger-ui"), "{}", page.body);
    let metrics = walk.node.metrics();
    for name in ["smpp_server_active_sessions_total 1", "smpp_client_connections_total{"] {
        assert!(metrics.contains(&format!("\n{name}")), "{name} in\n{metrics}");
    }
    let document = stranger.get("/openapi.json");
    let mut documented = BTreeSet::new();
    for (path, operations) in document["paths"].as_object().unwrap() {
        for method in operations.as_object().unwrap().keys() {
            documented.insert(template(&format!("{} {path}", method.to_uppercase())));
        }
    }
    let missing: Vec<_> = CONTRACT.iter().filter(|line| !documented.contains(**line)).collect();
    assert!(missing.is_empty(), "not in /openapi.json: {missing:#?}");
}

/// A request and its answer. `{name}` is what an earlier answer gave, in the path, in texts of the body and
/// of the expectation.
struct Row {
    line: &'static str,
    body: Value,
    status: u16,
    /// By JSON pointer.
    holds: Value,
    keeps: &'static [(&'static str, &'static str)],
}

fn row(line: &'static str, body: Value, status: u16, holds: Value) -> Row {
    Row { line, body, status, holds, keeps: &[] }
}

impl Row {
    /// Keeps texts of the answer: name and JSON pointer.
    fn keeps(self, keeps: &'static [(&'static str, &'static str)]) -> Self {
        Self { keeps, ..self }
    }
}

struct Walk {
    node: Node,
    operator: Client,
    known: BTreeMap<&'static str, String>,
    asked: BTreeSet<String>,
}

impl Walk {
    fn start(engine: &'static str, store: &str) -> Self {
        let sections = format!(
            "{store}\
             [sip]\nlisten = [{{ transport = \"udp\", address = \"127.0.0.1:0\" }}]\n\
             [network]\n\
             ingress = [{{ name = \"SIP\", address = \"sip.example.net\", transport = \"udp\", \
             port = 5060 }}]\n\
             egress = [{{ name = \"NAT 1\", address = \"198.51.100.7\" }}]\n"
        );
        let smpp = "reconnect_first = \"50ms\"\nreconnect_max = \"500ms\"\n".to_owned();
        let node = Node::new(&Setup { sections, smpp, ..Setup::default() });
        let operator = Client::bootstrap(&node);
        let known = BTreeMap::from([
            ("engine", engine.to_owned()),
            // One that lives as long as the node.
            ("actor", "message_router:main:0".to_owned()),
        ]);
        Self { node, operator, known, asked: BTreeSet::new() }
    }

    #[track_caller]
    fn through(&mut self, client: &Client, rows: Vec<Row>) {
        for row in rows {
            let line = self.fill_text(row.line);
            assert!(!line.contains('{'), "{line}: nothing gave this");
            let answer = client.ask(&line, &self.fill(&row.body));
            assert_eq!(answer.status, row.status, "{line}: {}", answer.body);
            self.check(&line, &row, &answer);
            self.asked.insert(template(row.line));
        }
    }

    fn check(&mut self, line: &str, row: &Row, answer: &Answer) {
        let media = match row.status {
            204 => "",
            400.. => "application/problem+json",
            _ => "application/json",
        };
        assert_eq!(answer.header("content-type"), media, "{line}");
        let json = if row.status == 204 { Value::Null } else { answer.json() };
        for (pointer, expected) in row.holds.as_object().into_iter().flatten() {
            let (pointer, expected) = (self.fill_text(pointer), self.fill(expected));
            let found = json.pointer(&pointer);
            let holds = match expected.as_str() {
                Some(ANY) => found.is_some_and(|found| !found.is_null()),
                Some(NONE) => found.is_none(),
                _ => found == Some(&expected),
            };
            assert!(holds, "{line}: {pointer} is {found:?}, not {expected}, in {json}");
        }
        for &(name, pointer) in row.keeps {
            let found = json.pointer(pointer).and_then(Value::as_str);
            let text = found.unwrap_or_else(|| panic!("{line}: no text at {pointer} in {json}"));
            self.known.insert(name, text.to_owned());
        }
    }

    fn fill_text(&self, text: &str) -> String {
        let known = self.known.iter();
        known.fold(text.to_owned(), |text, (name, value)| text.replace(&format!("{{{name}}}"), value))
    }

    fn fill(&self, value: &Value) -> Value {
        match value {
            Value::String(text) => self.fill_text(text).into(),
            Value::Array(items) => items.iter().map(|item| self.fill(item)).collect(),
            Value::Object(fields) => {
                fields.iter().map(|(name, field)| (name.clone(), self.fill(field))).collect()
            }
            Value::Null | Value::Bool(_) | Value::Number(_) => value.clone(),
        }
    }

    /// Who has a token that an answer gave.
    fn client(&self, name: &str) -> Client {
        Client::with(&self.node, &self.known[name])
    }

    /// Waits until what was made carries traffic; gives the session that the new account has.
    #[track_caller]
    fn in_force(&self) -> Esme {
        let status = self.fill_text("/vendors/{sms}/status");
        wait::until("the vendor is connected", SOON, || {
            let vendors = self.operator.get("/v1/smpp/vendors");
            (vendors.pointer(&status) == Some(&"connected".into())).then_some(())
        });
        wait::until("the trunk takes calls", SOON, || {
            let path = "/v1/explain/call?from=1&to=442012345678&source=203.0.113.5:5060";
            (self.operator.get(path)["trunk"] == "acme-east").then_some(())
        });
        let esme = wait::until("the account binds", SOON, || {
            Esme::try_bound(self.node.smpp(), "acme", &self.known["password"])
        });
        wait::until("the session is counted", SOON, || {
            let stats = self.operator.get("/v1/smpp/stats");
            (stats["data"]["smpp_server"]["active_sessions"] == 1).then_some(())
        });
        esme
    }

    #[track_caller]
    fn assert_whole(&self) {
        let left: Vec<_> = CONTRACT.iter().filter(|line| !self.asked.contains(**line)).collect();
        assert!(left.is_empty(), "nobody has asked: {left:#?}");
    }
}

/// Method and path without the query, parameters without their names.
fn template(line: &str) -> String {
    let path = line.split('?').next().unwrap_or_default();
    let parts = path.split('/').map(|part| if part.starts_with('{') { "{}" } else { part });
    parts.collect::<Vec<_>>().join("/")
}
