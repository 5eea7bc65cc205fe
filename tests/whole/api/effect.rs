//! What the interface changes is in force at once, without a restart, on both stores.

mod line;
mod nodes;

use std::net::{IpAddr, Ipv4Addr, SocketAddr, SocketAddrV4, UdpSocket};
use std::time::Duration;

use serde_json::{Value, json};

use self::line::{BUSY, Line};
use super::super::esme::Esme;
use super::super::process::{Node, Setup, Store};
use super::super::sip::{Callee, Caller, Datagrams, Transport};
use super::super::wait;

/// The promise is a second, which `bench api --propagation` measures. Here other tests take the cores meanwhile.
const EFFECT: Duration = Duration::from_secs(5);
const CUSTOMER: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 2));
/// Where calls to our numbers come from.
const VENDOR: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 9));
/// Where gateways are, on whatever port.
const ANY_GATEWAY: SocketAddr = SocketAddr::V4(SocketAddrV4::new(Ipv4Addr::LOCALHOST, 0));
/// The number that is called.
const NUMBER: &str = "+442012345678";

fn node(store: &Store) -> Node {
    Node::new(&Setup { sections: sections(&store.section()), ..Setup::default() })
}

/// Of a node that speaks SIP, with those of its store. Nothing but an announcement brings a change in time.
fn sections(store: &str) -> String {
    let listen = "[{ transport = \"udp\", address = \"127.0.0.1:0\" }]";
    let store = if store.is_empty() { "[store]\n" } else { store };
    format!("[sip]\nlisten = {listen}\nqueue_age_max = \"5s\"\n{store}poll = \"60s\"\n")
}

/// Makes something; gives it.
#[track_caller]
fn make(node: &Node, path: &str, body: Value) -> Value {
    let made = node.send("POST", path, Some(&body));
    assert_eq!(made.status, 201, "POST {path}: {}", made.body);
    serde_json::from_str(&made.body).unwrap()
}

/// Changes something that is there.
#[track_caller]
fn put(node: &Node, path: &str, body: Value) -> String {
    let changed = node.send("PUT", path, Some(&body));
    assert_eq!(changed.status, 200, "PUT {path}: {}", changed.body);
    changed.body
}

/// Takes something away.
#[track_caller]
fn gone(node: &Node, path: &str) {
    let gone = node.send("DELETE", path, None);
    assert_eq!(gone.status, 204, "DELETE {path}: {}", gone.body);
}

fn id(made: &Value) -> &str {
    made["id"].as_str().unwrap()
}

#[track_caller]
fn customer(node: &Node) -> Value {
    make(node, "/v1/customers", json!({"company_name": "Acme"}))
}

fn ban(customer: &Value) -> String {
    customer["ban"].as_str().unwrap().to_owned()
}

/// A trunk that calls to +44 by a vendor with this gateway; gives its path.
#[track_caller]
fn trunk(node: &Node, ban: &str, gateway: SocketAddr) -> String {
    make(node, "/v1/admin/partitions", json!({"name": "all"}));
    let vendor =
        json!({"name": "v", "probe_interval": "0s", "gateways": [format!("sip:{gateway};transport=udp")]});
    let vendor = make(node, "/v1/admin/voice-vendors", vendor);
    let rates = format!("/v1/admin/voice-vendors/{}/rates", id(&vendor));
    let rate = json!({"partition": "all", "prefix": "44", "rate": "0.01"});
    let rated = node.send("PUT", &rates, Some(&rate));
    assert!(rated.status < 300, "{}", rated.body);
    let trunks = format!("/v1/admin/customers/{ban}/trunks");
    let trunk = make(node, &trunks, json!({"name": "acme", "partition": "all"}));
    format!("{trunks}/{}", id(&trunk))
}

/// Where the customer calls from.
fn source() -> Value {
    json!({"network": format!("{CUSTOMER}/32")})
}

#[test]
fn a_source_of_a_trunk_calls_at_once_and_no_more_without_source_or_trunk() {
    for store in Store::each() {
        let node = node(&store);
        let mut line = Line::new(CUSTOMER, ANY_GATEWAY);
        let gateway = line.gateway();
        let trunk = trunk(&node, &ban(&customer(&node)), gateway);
        let ips = format!("{trunk}/ips");

        assert_eq!(line.call(&node), 403, "nobody knows the source yet");
        let added = make(&node, &ips, source());
        line.wait(&node, BUSY, "the source is admitted");
        // The gateway is to answer now.
        drop(line);
        call(&node, gateway);

        let mut line = Line::new(CUSTOMER, gateway);
        gone(&node, &format!("{ips}/{}", id(&added)));
        line.wait(&node, 403, "the source is refused");

        make(&node, &ips, source());
        line.wait(&node, BUSY, "the source is admitted again");
        gone(&node, &format!("{trunk}?drain=true"));
        line.wait(&node, 403, "a source without a trunk is refused");
    }
}

/// A call from the customer's address, which the gateway answers and the customer ends.
pub(super) fn call(node: &Node, gateway: SocketAddr) {
    call_from(CUSTOMER, node, gateway);
}

fn call_from(source: IpAddr, node: &Node, gateway: SocketAddr) {
    let local = UdpSocket::bind((source, 0)).unwrap().local_addr().unwrap();
    let at = node.ports().sip[0];
    let mut caller = Caller::new(Datagrams::bind(local, at), Transport::Udp, local, "effect");
    let mut callee = Callee::new(Datagrams::bind(gateway, at), Transport::Udp, gateway);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            callee.rings();
            callee.answers();
        });
        caller.call(NUMBER);
    });
    std::thread::scope(|scope| {
        scope.spawn(|| callee.is_hung_up_on());
        caller.hang_up();
    });
}

/// Whether the account of these tests binds now.
fn binds(node: &Node) -> bool {
    Esme::try_bound(node.smpp(), "acme", "secret12").is_some()
}

#[test]
fn an_account_binds_at_once_and_one_that_is_off_or_gone_no_more() {
    for store in Store::each() {
        let node = node(&store);
        let accounts = format!("/v1/admin/customers/{}/esme-accounts", ban(&customer(&node)));
        let account = make(&node, &accounts, json!({"system_id": "acme", "password": "secret12"}));
        wait::until("the account binds", EFFECT, || binds(&node).then_some(()));
        let path = format!("{accounts}/{}", id(&account));
        let changed = put(&node, &path, json!({"system_id": "acme", "active": false}));
        assert!(!changed.contains("secret12"), "{changed}");
        wait::until("the account is refused", EFFECT, || (!binds(&node)).then_some(()));
        put(&node, &path, json!({"system_id": "acme", "active": true}));
        wait::until("the account binds again", EFFECT, || binds(&node).then_some(()));
        gone(&node, &format!("{path}?drain=true"));
        wait::until("an account that is gone is refused", EFFECT, || (!binds(&node)).then_some(()));
    }
}

#[test]
fn a_call_to_a_number_reaches_the_trunk_that_has_it() {
    for store in Store::each() {
        let node = node(&store);
        let mut line = Line::new(VENDOR, ANY_GATEWAY);
        let (ban, gateway) = (ban(&customer(&node)), line.gateway());
        let did = make(&node, "/v1/admin/dids", json!({"number": NUMBER}));
        let trunk = json!({"name": "acme", "gateways": [format!("sip:{gateway};transport=udp")]});
        make(&node, &format!("/v1/admin/customers/{ban}/trunks"), trunk);
        assert_eq!(line.call(&node), 403, "nobody knows the vendor yet");
        let vendor = json!({"name": "v", "probe_interval": "0s", "networks": [format!("{VENDOR}/32")]});
        make(&node, "/v1/admin/voice-vendors", vendor);
        line.wait(&node, 404, "the vendor is known, and the number is nobody's");

        let number = NUMBER.trim_start_matches('+');
        let asked = format!("/v1/explain/call?from=1&to={number}&source={VENDOR}:5060");
        let explained = || node.get(&asked).body;
        assert!(!explained().contains("acme"), "{}", explained());
        let assignment = format!("/v1/admin/dids/{}/assignment", id(&did));
        put(&node, &assignment, json!({"customer": ban, "trunk": "acme"}));
        line.wait(&node, BUSY, "the number leads to the trunk");
        assert!(explained().contains("acme"), "{}", explained());
        // The gateway is to answer now.
        drop(line);
        call_from(VENDOR, &node, gateway);

        let mut line = Line::new(VENDOR, gateway);
        gone(&node, &assignment);
        line.wait(&node, 404, "the number leads nowhere");
        assert!(!explained().contains("acme"), "{}", explained());
    }
}

#[test]
fn a_suspended_customer_neither_calls_nor_binds_until_it_is_active_again() {
    for store in Store::each() {
        let node = node(&store);
        let mut line = Line::new(CUSTOMER, ANY_GATEWAY);
        let customer = customer(&node);
        let (path, ban) = (format!("/v1/customers/{}", id(&customer)), ban(&customer));
        let trunk = trunk(&node, &ban, line.gateway());
        make(&node, &format!("{trunk}/ips"), source());
        let account = json!({"system_id": "acme", "password": "secret12"});
        make(&node, &format!("/v1/admin/customers/{ban}/esme-accounts"), account);
        let mut comes_to = |what: &str, wanted: (u16, bool)| {
            wait::until(what, EFFECT, || ((line.call(&node), binds(&node)) == wanted).then_some(()));
        };
        comes_to("what was made is in force", (BUSY, true));
        for (status, wanted) in [("SUSPENDED", (403, false)), ("ACTIVE", (BUSY, true))] {
            put(&node, &path, json!({"company_name": "Acme", "status": status}));
            comes_to(status, wanted);
        }
    }
}
