//! Logins and keys on several nodes of one database: good on all of them, and refused by all of them within a
//! second.

use std::time::Duration;

use serde_json::{Value, json};
use tempfile::TempDir;

use super::super::process::{Database, Node, Place, Setup};
use super::super::wait;
use super::client::{Answer, Client, PASSWORD, administrator, log_in, text};

/// The promise is a second, which `bench api --propagation` measures. Here other tests take the cores meanwhile.
const EFFECT: Duration = Duration::from_secs(5);
/// Time for something that takes no time but a busy machine's.
const SOON: Duration = Duration::from_secs(10);
const WHO: &str = "GET /auth/validate";
const MARIA: &str = "maria@example.net";

/// Two nodes. They end before what they need does.
struct Pair {
    nodes: [Node; 2],
    _keys: TempDir,
    _database: Database,
}

impl Pair {
    /// Running, and each hears what the other announces.
    #[track_caller]
    fn start() -> Option<Self> {
        let database = Database::create()?;
        let sections = format!("[store]\nurl = {:?}\n", database.url());
        // What one seals in the database the other opens, the keys of access tokens among it.
        let keys = tempfile::tempdir().unwrap();
        let root_key = keys.path().join("root.key").display().to_string();
        let setup = Setup { sections, node: format!("root_key_file = {root_key:?}\n"), ..Setup::default() };
        let nodes = [(); 2].map(|()| Place::new(&setup).start());
        for node in &nodes {
            let operator = Client::bootstrap(node);
            wait::until("the node listens", SOON, || {
                let listener = operator.get("/v1/actors/announcement_listener:main:0");
                (listener["state"] == "listening").then_some(())
            });
        }
        Some(Self { nodes, _keys: keys, _database: database })
    }

    /// Who has this token, on each node; both know it already.
    #[track_caller]
    fn known(&self, token: &str) -> [Client; 2] {
        let clients = self.nodes.each_ref().map(|node| Client::with(node, token));
        clients.iter().for_each(|client| assert_eq!(client.ask(WHO, &Value::Null).status, 200));
        clients
    }

    /// A login through one node, known to both.
    #[track_caller]
    fn logged_in(&self, through: usize) -> [Client; 2] {
        self.known(&text(&log_in(&self.nodes[through], MARIA, PASSWORD), "access_token"))
    }
}

/// The node that revoked refuses at once, the other when it has heard of it.
#[track_caller]
fn assert_refused(what: &str, clients: &[Client; 2], revoked_by: usize) {
    let refused = clients[revoked_by].ask(WHO, &Value::Null);
    assert_eq!(refused.problem(), (401, "unauthorized".to_owned()), "{what}: by the node that revoked");
    let other = &clients[1 - revoked_by];
    wait::until(&format!("{what}: refused by the other node"), EFFECT, || {
        (other.ask(WHO, &Value::Null).status == 401).then_some(())
    });
}

#[test]
fn a_login_is_good_on_every_node_until_it_is_ended_on_one() {
    let Some(pair) = Pair::start() else { return };
    let [one, other] = pair.nodes.each_ref().map(Client::bootstrap);
    let user = administrator(&one, MARIA, PASSWORD);

    let clients = pair.logged_in(0);
    let who = clients[1].get("/auth/validate");
    assert_eq!((&who["name"], &who["operator"]), (&format!("user:{MARIA}").into(), &true.into()));
    clients[0].ask("POST /auth/logout", &Value::Null).expect(204);
    assert_refused("logout", &clients, 0);

    let clients = pair.logged_in(1);
    let ended = other.ask(&format!("POST {user}/revoke-sessions"), &Value::Null).expect(200).json();
    assert_eq!(ended, json!({"ended": 1}));
    assert_refused("an operator's revocation", &clients, 1);

    let clients = pair.logged_in(0);
    let off = json!({"name": "Maria Silva", "user_type": "admin", "active": false});
    other.ask(&format!("PUT {user}"), &off).expect(200);
    assert_refused("a user who is not active", &clients, 1);
    let login = json!({"email": MARIA, "password": PASSWORD});
    for node in &pair.nodes {
        let refused = Client::stranger(node).ask("POST /auth/login", &login);
        assert_eq!(refused.problem(), (401, "unauthorized".to_owned()));
    }
}

#[test]
fn a_refresh_token_that_comes_again_ends_the_session_everywhere() {
    let Some(pair) = Pair::start() else { return };
    administrator(&Client::bootstrap(&pair.nodes[0]), MARIA, PASSWORD);
    let exchange = |node: usize, token: &str| -> Answer {
        let body = json!({"refresh_token": token});
        Client::stranger(&pair.nodes[node]).ask("POST /auth/refresh", &body)
    };
    let first = log_in(&pair.nodes[0], MARIA, PASSWORD);
    let stolen = text(&first, "refresh_token");
    let second = exchange(1, &stolen).expect(200).json();
    let sessions = [&first, &second].map(|tokens| pair.known(&text(tokens, "access_token")));
    assert_eq!(exchange(0, &stolen).problem(), (401, "unauthorized".to_owned()));
    for clients in &sessions {
        assert_refused("a refresh token that came twice", clients, 0);
    }
    for node in [0, 1] {
        let rightful = exchange(node, &text(&second, "refresh_token"));
        assert_eq!(rightful.problem(), (401, "unauthorized".to_owned()), "the session has ended");
    }
    let audit = Client::bootstrap(&pair.nodes[1]).get("/v1/audit");
    let told =
        audit["items"].as_array().unwrap().iter().any(|entry| entry["action"] == "refresh_token_reused");
    assert!(told, "{audit}");
}

#[test]
fn a_key_that_is_revoked_on_one_node_is_refused_by_the_other() {
    let Some(pair) = Pair::start() else { return };
    let [one, other] = pair.nodes.each_ref().map(Client::bootstrap);
    let made = one.make("/v1/api-keys", &json!({"name": "crm", "permissions": ["customers:read"]}));
    let clients = pair.known(&text(&made, "key"));
    other.ask(&format!("DELETE /v1/api-keys/{}", text(&made, "id")), &Value::Null).expect(204);
    assert_refused("a key", &clients, 1);
}
