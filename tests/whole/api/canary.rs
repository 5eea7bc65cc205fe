//! Secrets that come in are seen by nobody: not in answers, logs, metrics and what commands print, and in no
//! file that is not there for them. Each is made for one test and looked for everywhere.

mod needles;
mod search;

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use serde_json::{Value, json};

use super::super::esme::Esme;
use super::super::pdu::Sm;
use super::super::process::{Database, Node, Place, Setup, free_port};
use super::super::smsc::{Script, Smsc};
use super::super::{peer, wait};
use super::client::{Client, PASSWORD, administrator, text};
use search::Search;

/// Time for something that takes no time but a busy machine's.
const SOON: Duration = Duration::from_secs(10);
/// A node that says all it can.
const TRACE: &str = "[telemetry]\nfilter = \"trace\"\n";
const SIP: &str = "[sip]\nlisten = [{ transport = \"udp\", address = \"127.0.0.1:0\" }]\n";
const MARIA: &str = "maria@example.net";

fn node(sections: &str) -> Node {
    Node::new(&Setup {
        sections: format!("{TRACE}{SIP}{sections}"),
        smpp: "reconnect_first = \"50ms\"\nreconnect_max = \"500ms\"\n".to_owned(),
        ..Setup::default()
    })
}

/// Secrets of the node itself.
#[track_caller]
fn of_node(search: &mut Search, node: &Node) {
    search.known("bootstrap token", &node.token());
    let root_key = fs::read_to_string(node.place().data().join("root.key")).unwrap();
    search.known("root key", root_key.trim());
}

/// Everything that is said and kept at the end of a test.
#[track_caller]
fn finish(mut search: Search, mut node: Node) {
    search.look("the metrics", node.metrics().as_bytes());
    let data = node.place().data().to_owned();
    search.look_at_files("of the running node", &data);
    assert!(node.terminate().success(), "the node ends in order");
    search.look_at_files("of the node that ended", &data);
    search.look_at_log(&node);
    search.assert_finds(&data.join("bootstrap.token"));
    search.assert_finds(&data.join("root.key"));
    search.finish();
}

#[test]
fn no_secret_that_comes_in_is_seen_again() {
    let smsc = Smsc::start(Script::default());
    let mut search = Search::new();
    let node = node("");
    of_node(&mut search, &node);
    let operator = Client::bootstrap(&node);
    let customer = operator.make("/v1/customers", &json!({"company_name": "Acme"}));
    let ban = text(&customer, "ban");
    let mut ids = vec![("customers", text(&customer, "id"))];
    accounts(&mut search, &node, &ban, &mut ids);
    vendors(&mut search, &node, &smsc, &mut ids);
    people(&mut search, &node, &mut ids);
    programs(&mut search, &node);
    commands(&mut search, &node, &ban);
    search.read_everything(&operator, &ban, &ids);
    search.assert_finds(&mail(node.place().data()).expect("a mail"));
    finish(search, node);
}

type Ids = Vec<(&'static str, String)>;

/// Passwords of ESME accounts: given, made, changed, wrong.
fn accounts(search: &mut Search, node: &Node, ban: &str, ids: &mut Ids) {
    let operator = Client::bootstrap(node);
    let path = format!("/v1/admin/customers/{ban}/esme-accounts");
    let given = search.secret("password of an ESME account", 8);
    let body = json!({"system_id": "given", "password": given});
    let key = [("Idempotency-Key", "account-1")];
    let account = search.send(&operator, &format!("POST {path}"), &key, &body).expect(201);
    search.send(&operator, &format!("POST {path}"), &key, &body).expect(201);
    let made = operator.make(&path, &json!({"system_id": "made"}));
    let made = search.shown("password that was made for an ESME account", &made, "password");

    let changed = search.secret("changed password of an ESME account", 8);
    let id = text(&account.json(), "id");
    let body = json!({"system_id": "given", "password": changed});
    search.ask(&operator, &format!("PUT {path}/{id}"), &body).expect(200);
    wait::until("the changed password binds", SOON, || Esme::try_bound(node.smpp(), "given", &changed));
    drop(Esme::bound(node.smpp(), "made", &made));
    let wrong = search.secret("wrong password of a bind", 8);
    assert!(Esme::try_bound(node.smpp(), "given", &wrong).is_none());
    assert!(Esme::try_bound(node.smpp(), "given", &given).is_none());
    ids.push(("esme-accounts", id));
    webhooks(search, &operator, ids);
}

/// What signs the posts to a customer: given, too short, made.
fn webhooks(search: &mut Search, operator: &Client, ids: &Ids) {
    let [(_, customer), (_, account)] = &ids[..] else { panic!("a customer and an account: {ids:?}") };
    let path = format!("/v1/customers/{customer}/esme-accounts/{account}/webhook");
    let put = format!("PUT {path}");
    let form = |secret: &str| json!({"url": "https://sms.customer.example/warp", "secret": secret});
    let short = search.secret("secret of a webhook that is too short", 15);
    search.ask(operator, &put, &form(&short)).expect(422);
    let given = search.secret("secret of a webhook", 32);
    search.ask(operator, &put, &form(&given)).expect(200);
    search.ask(operator, &format!("DELETE {path}"), &Value::Null).expect(204);
    let unnamed = json!({"url": "https://sms.customer.example/warp"});
    let made = operator.ask(&put, &unnamed).expect(200).json();
    search.shown("secret that was made for a webhook", &made, "secret");
    search.ask(operator, &put, &unnamed).expect(200);
}

/// Passwords that the node binds to vendors with.
fn vendors(search: &mut Search, node: &Node, smsc: &Smsc, ids: &mut Ids) {
    let operator = Client::bootstrap(node);
    let vendor = |password: &str| {
        json!({"instance_name": "v", "host": "127.0.0.1", "port": smsc.port(), "system_id": "warp",
            "password": password})
    };
    let first = search.secret("password of an SMS vendor", 8);
    let made = search.ask(&operator, "POST /v1/admin/sms-vendors", &vendor(&first)).expect(201);
    smsc.wait("the node binds", SOON, |state| state.bound() == 1);
    let second = search.secret("changed password of an SMS vendor", 8);
    let id = text(&made.json(), "id");
    search.ask(&operator, &format!("PUT /v1/admin/sms-vendors/{id}"), &vendor(&second)).expect(200);
    smsc.wait("the node binds anew", SOON, |state| state.binds == 2 && state.bound() == 1);
    let route = json!({"name": "all", "vendor": "v"});
    let route = search.ask(&operator, "POST /v1/admin/sms-routes", &route).expect(201);
    ids.push(("sms-vendors", id));
    ids.push(("sms-routes", text(&route.json(), "id")));
}

/// Passwords of users, tokens of their sessions, the secret of an invitation.
fn people(search: &mut Search, node: &Node, ids: &mut Ids) {
    let (operator, stranger) = (Client::bootstrap(node), Client::stranger(node));
    let user = json!({"email": MARIA, "name": "Maria Silva", "user_type": "admin"});
    let user = text(&search.ask(&operator, "POST /v1/users", &user).expect(201).json(), "id");
    let password = search.secret("password of a user", 20);
    let set = format!("PUT /v1/users/{user}/password");
    search.ask(&operator, &set, &json!({"password": password})).expect(200);

    let login = json!({"email": MARIA, "password": password});
    let tokens = stranger.ask("POST /auth/login", &login).expect(200).json();
    let access = search.shown("access token", &tokens, "access_token");
    let refresh = json!({"refresh_token": search.shown("refresh token", &tokens, "refresh_token")});
    let session = Client::with(node, &access);
    search.ask(&session, "GET /auth/validate", &Value::Null).expect(200);
    let tokens = stranger.ask("POST /auth/refresh", &refresh).expect(200).json();
    search.shown("second access token", &tokens, "access_token");
    search.shown("second refresh token", &tokens, "refresh_token");
    let changed = search.secret("changed password of a user", 20);
    search.ask(&session, &set, &json!({"password": changed, "current": password})).expect(200);
    let wrong = json!({"email": MARIA, "password": search.secret("wrong password of a login", 20)});
    search.ask(&stranger, "POST /auth/login", &wrong).expect(401);
    search.ask(&stranger, "POST /auth/refresh", &refresh).expect(401);

    let invited = json!({"email": "john@example.net", "user_type": "admin"});
    let invited = search.ask(&operator, "POST /v1/invitations", &invited).expect(201);
    let path = wait::until("the mail is written", SOON, || mail(node.place().data()));
    let mail = fs::read_to_string(path).unwrap();
    let token = mail.split("/invitation#").nth(1).expect("a link")[..43].to_owned();
    search.known("secret of an invitation", &token);
    let chosen = search.secret("password of who was invited", 20);
    let accepted = json!({"token": token, "name": "John", "password": chosen});
    search.ask(&stranger, "POST /auth/invitations/accept", &accepted).expect(201);
    ids.push(("users", user));
    ids.push(("invitations", text(&invited.json(), "id")));
}

/// The file of a mail, when one has its name.
fn mail(data: &Path) -> Option<std::path::PathBuf> {
    let files = fs::read_dir(data.join("mail")).ok()?;
    files.map(|file| file.unwrap().path()).find(|path| path.extension().is_some_and(|kind| kind == "eml"))
}

/// Keys of programs, and headers that are no token.
fn programs(search: &mut Search, node: &Node) {
    let (operator, stranger) = (Client::bootstrap(node), Client::stranger(node));
    let made = json!({"name": "crm", "permissions": ["customers:read", "audit:read"]});
    let made = operator.make("/v1/api-keys", &made);
    let program = Client::with(node, &search.shown("API key", &made, "key"));
    search.ask(&program, "GET /v1/customers", &Value::Null).expect(200);
    let revoke = format!("DELETE /v1/api-keys/{}", text(&made, "id"));
    search.ask(&operator, &revoke, &Value::Null).expect(204);
    search.ask(&program, "GET /v1/customers", &Value::Null).expect(401);
    let garbage = search.secret("garbage in Authorization", 43);
    for header in [
        format!("Bearer {garbage}"),
        format!("Bearer warp_abcdefgh_{garbage}"),
        format!("Bearer {garbage}.{garbage}.{garbage}"),
        format!("Basic {garbage}"),
        garbage,
    ] {
        let headers = [("Authorization", header.as_str())];
        search.send(&stranger, "GET /v1/customers", &headers, &Value::Null).expect(401);
    }
    let query = search.secret("token in a query", 40);
    let answer = operator.ask(&format!("GET /v1/customers?access_token={query}"), &Value::Null).expect(400);
    // The line of the request has it, of course.
    search.look("the answer to a token in a query", answer.body.as_bytes());
}

/// Passwords in files that are provisioned, and all that commands print.
fn commands(search: &mut Search, node: &Node, ban: &str) {
    let place = node.place();
    let file = |key: &str, password: &str| {
        format!("[[esme_accounts]]\nsystem_id = \"filed\"\ncustomer = \"{ban}\"\n{key} = {password}\n")
    };
    let first = search.secret("password of a provisioning file", 8);
    let second = search.secret("changed password of a provisioning file", 8);
    for password in [&first, &second] {
        let applied = place.apply(&file("password", &format!("{password:?}")));
        applied.assert_success();
        search.printed("warp apply", &applied);
    }
    let misspelt = search.secret("password under a misspelt key", 8);
    let long = search.secret("password that is too long", 9);
    let number = search.number("password that is a number", 8);
    for text in [
        file("pasword", &format!("{misspelt:?}")),
        file("password", &format!("{long:?}")),
        file("password", &number),
        file("password", &format!("\"{long}")),
    ] {
        let refused = place.apply(&text);
        assert!(!refused.status.success(), "{}", refused.stdout);
        search.printed("warp apply of what is refused", &refused);
    }
    let explain = ["explain", "sms", "--system-id", "given", "--to", "15551234567"];
    for command in [&["actors"][..], &["calls"], &["cdrs"], &["config", "check"], &explain] {
        let finished = place.warp(command);
        finished.assert_success();
        search.printed(&command.join(" "), &finished);
    }
    // What is on the way to a vendor is traced too.
    let password = search.secret("last password of an ESME account", 8);
    place.apply(&file("password", &format!("{password:?}"))).assert_success();
    let bound = || Esme::try_bound(node.smpp(), "filed", &password);
    wait::until("the last password binds", SOON, bound)
        .submit(&Sm::new("15551234567", "hello"), &mut Vec::new());
}

/// An answer that says what is wrong with a request must not say its secret again: answers are kept where
/// requests are not.
#[test]
fn what_is_refused_is_not_repeated() {
    let mut search = Search::new();
    let node = node("");
    of_node(&mut search, &node);
    let operator = Client::bootstrap(&node);
    let ban = text(&operator.make("/v1/customers", &json!({"company_name": "Acme"})), "ban");
    let password = format!("PUT {}/password", administrator(&operator, MARIA, PASSWORD));
    let account = format!("POST /v1/admin/customers/{ban}/esme-accounts");
    let (password, account) = (password.as_str(), account.as_str());
    let (login, refresh) = ("POST /auth/login", "POST /auth/refresh");
    let accept = "POST /auth/invitations/accept";
    for (line, body) in [
        (login, "{\"email\":\"maria@example.net\",\"password\":\"TEXT\"}"),
        (login, "{\"email\":\"maria@example.net\",\"password\":NUMBER}"),
        (login, "{\"email\":\"maria@example.net\",\"password\":[\"TEXT\"]}"),
        (login, "{\"email\":\"maria@example.net\",\"pasword\":\"TEXT\"}"),
        (login, "{\"email\":\"maria@example.net\",\"password\":\"TEXT\""),
        (login, "\"TEXT\""),
        (refresh, "{\"refresh_token\":\"TEXT\"}"),
        (refresh, "{\"refresh_token\":NUMBER}"),
        (refresh, "\"TEXT\""),
        ("POST /auth/exchange", "{\"id_token\":\"TEXT\"}"),
        ("POST /auth/exchange", "{\"id_token\":NUMBER}"),
        (accept, "{\"token\":\"TEXT\",\"name\":\"John\",\"password\":\"TEXT\"}"),
        (accept, "{\"token\":NUMBER,\"name\":\"John\",\"password\":\"TEXT\"}"),
        (accept, "{\"token\":\"x\",\"name\":\"\",\"password\":\"TEXT\"}"),
        (password, "{\"password\":NUMBER}"),
        (password, "{\"password\":\"TEXT"),
        (password, "{\"password\":{\"is\":\"TEXT\"}}"),
        (password, "\"TEXT\""),
        (account, "{\"system_id\":\"acme\",\"password\":\"TEXT\"}"),
        (account, "{\"system_id\":\"acme\",\"password\":NUMBER}"),
        (account, "{\"system_id\":\"acme\",\"pasword\":\"TEXT\"}"),
        (account, "\"TEXT\""),
        ("POST /v1/admin/sms-vendors", "{\"instance_name\":\"v\",\"password\":\"TEXT\"}"),
        ("POST /v1/admin/sms-vendors", "\"TEXT\""),
    ] {
        let kind = format!("what stands in {body} of {line}");
        let secret = search.secret(&kind, 16);
        let number = search.number(&kind, 16);
        let sent = body.replace("TEXT", &secret).replace("NUMBER", &number);
        let answer = search.raw(&operator, line, &sent);
        assert!(matches!(answer.status, 400..=499 | 501), "{line} {body}: {} {}", answer.status, answer.body);
    }
    finish(search, node);
}

#[test]
fn the_secrets_of_a_configuration_stay_in_it() {
    configured(Search::new(), "");
}

#[test]
fn the_password_of_the_database_stays_in_the_configuration() {
    let Some(database) = Database::create() else { return };
    let mut search = Search::new();
    let password = search.secret("password of the database", 24);
    let url = database.url();
    let parts = url.split_once('@').filter(|(front, _)| !front["postgres://".len()..].contains(':'));
    let Some((front, rest)) = parts else {
        peer::absent("a PostgreSQL that trusts a user without a password");
        return;
    };
    configured(search, &format!("[store]\nurl = \"{front}:{password}@{rest}\"\n"));
}

/// A node with a relay of mails that is not there, and a Redis that lets nobody in.
fn configured(mut search: Search, store: &str) {
    let mail = search.secret("password of the mail relay", 24);
    let password = search.secret("password of Redis", 24);
    let redis = Redis::start(&password);
    let node = node(&format!(
        "[mail]\nsmtp_host = \"127.0.0.1\"\nsmtp_port = {}\nsmtp_user = \"warp\"\nsmtp_password = {mail:?}\n\
         [redis]\nurl = \"redis://:{password}@{}\"\n{store}",
        free_port(),
        redis.address,
    ));
    of_node(&mut search, &node);
    let operator = Client::bootstrap(&node);
    wait::until("Redis is told the password", SOON, || redis.told.load(Ordering::Acquire).then_some(()));
    let invited = json!({"email": "john@example.net", "user_type": "admin"});
    search.ask(&operator, "POST /v1/invitations", &invited).expect(201);
    wait::until("the mail could not be sent", SOON, || {
        let log = node.place().log();
        ["a mail could not be sent", "a mail is not sent"].iter().any(|line| log.contains(line)).then_some(())
    });
    search.ask(&operator, "POST /v1/admin/trunks/sync-redis", &Value::Null).expect(503);
    for actor in ["acl_publisher", "mailer"] {
        search.ask(&operator, &format!("GET /v1/actors/{actor}:main:0"), &Value::Null).expect(200);
    }
    search.read_everything(&operator, "NOBODY-1", &[]);
    for command in [&["config", "check"][..], &["actors"]] {
        let finished = node.place().warp(command);
        finished.assert_success();
        search.printed(&command.join(" "), &finished);
    }
    finish(search, node);
}

/// A Redis that refuses everybody and notes whether it was told a password.
struct Redis {
    address: SocketAddr,
    told: Arc<AtomicBool>,
}

impl Redis {
    fn start(password: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let told = Arc::new(AtomicBool::new(false));
        let (password, noted) = (password.to_owned(), Arc::clone(&told));
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                if is_told(stream, &password) {
                    noted.store(true, Ordering::Release);
                }
            }
        });
        Self { address, told }
    }
}

/// Refuses all that comes on a connection; whether the password was in it.
fn is_told(mut stream: TcpStream, password: &str) -> bool {
    let mut told = false;
    let mut octets = [0; 4096];
    stream.set_read_timeout(Some(Duration::from_secs(1))).unwrap();
    while let Ok(count @ 1..) = stream.read(&mut octets) {
        told |= String::from_utf8_lossy(&octets[..count]).contains(password);
        let refusal = b"-WRONGPASS invalid username-password pair or user is disabled.\r\n";
        if stream.write_all(refusal).is_err() {
            break;
        }
    }
    told
}

#[test]
fn a_configuration_that_is_wrong_is_refused_without_its_secrets() {
    let mut search = Search::new();
    for section in [
        "[mail]\nsmtp_pasword = \"TEXT\"\n",
        "[mail]\nsmtp_password = \"TEXT\"\n",
        "[mail]\nsmtp_user = \"warp\"\nsmtp_password = \"TEXT\n",
        "[mail]\nsmtp_user = \"warp\"\nsmtp_password = [\"TEXT\"]\n",
        "[mail]\nsmtp_user = \"warp\"\nsmtp_password = NUMBER\n",
        "[redis]\nurl = \"TEXT\"\n",
        "[sip]\nlisten = [{ transport = \"udp\", address = \"127.0.0.1:0\" }]\n\
         [redis]\nurl = \"redis://:TEXT@127.0.0.1:port\"\n",
        "[store]\nurl = \"TEXT\"\n",
        "[store]\nurl = [\"TEXT\"]\n",
        "[store]\nurl = \"postgres://warp:TEXT@127.0.0.1:port/warp\"\n",
        // Nobody listens on port 9.
        "[store]\nurl = \"postgres://warp:TEXT@127.0.0.1:9/warp\"\n",
        "[store]\nurl = \"postgres://warp@127.0.0.1:9/warp?password=TEXT\"\n",
        "[store]\nurl = \"postgres://warp@127.0.0.1:9/warp?sslpassword=TEXT\"\n",
    ] {
        let kind = format!("what stands in {section:?}");
        let secret = search.secret(&kind, 16);
        let number = search.number(&kind, 16);
        let sections = section.replace("TEXT", &secret).replace("NUMBER", &number);
        let place = Place::unprovisioned(&Setup { sections, ..Setup::default() });
        search.printed(&format!("config check with {section:?}"), &place.warp(&["config", "check"]));
        let refused = place.warp(&["serve"]);
        assert!(!refused.status.success(), "a node starts with {section:?}");
        search.printed(&format!("serve with {section:?}"), &refused);
    }
    search.finish();
}
