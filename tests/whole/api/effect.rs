//! What the interface changes is in force within a second, without a restart.

use std::net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket};
use std::time::Duration;

use serde_json::{Value, json};

use super::super::esme::Esme;
use super::super::process::{Node, Setup};
use super::super::sip::{Callee, Caller, Datagrams, Transport, exchange, request};
use super::super::wait;

/// The promise.
const EFFECT: Duration = Duration::from_secs(1);
const CUSTOMER: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 2));
const HERE: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

fn node() -> Node {
    let sections =
        "[sip]\nlisten = [{ transport = \"udp\", address = \"127.0.0.1:0\" }]\nqueue_age_max = \"5s\"\n"
            .to_owned();
    Node::new(&Setup { sections, ..Setup::default() })
}

/// Makes something; gives it.
#[track_caller]
fn make(node: &Node, path: &str, body: Value) -> Value {
    let made = node.send("POST", path, Some(&body));
    assert_eq!(made.status, 201, "POST {path}: {}", made.body);
    serde_json::from_str(&made.body).unwrap()
}

fn id(made: &Value) -> &str {
    made["id"].as_str().unwrap()
}

/// A customer; gives its BAN.
fn customer(node: &Node) -> String {
    make(node, "/v1/customers", json!({"company_name": "Acme"}))["ban"].as_str().unwrap().to_owned()
}

fn options(socket: &UdpSocket, node: &Node, number: u32) -> Option<u16> {
    let via = format!("UDP {}", socket.local_addr().unwrap());
    // By its own address the proxy itself is asked.
    let at = node.ports().sip[0];
    let text =
        request("OPTIONS", "", &via, &format!("o{number}")).replace("sip:@127.0.0.1", &format!("sip:{at}"));
    exchange(socket, at, text.as_bytes(), EFFECT)
}

#[test]
fn a_trunk_and_its_source_admit_the_next_call_and_a_removed_source_no_more() {
    let node = node();
    let gateway = UdpSocket::bind((HERE, 0)).unwrap().local_addr().unwrap();
    let ban = customer(&node);
    make(&node, "/v1/admin/partitions", json!({"name": "all"}));
    let vendor =
        json!({"name": "v", "probe_interval": "0s", "gateways": [format!("sip:{gateway};transport=udp")]});
    let vendor = make(&node, "/v1/admin/voice-vendors", vendor);
    let rates = format!("/v1/admin/voice-vendors/{}/rates", id(&vendor));
    let rate = json!({"partition": "all", "prefix": "44", "rate": "0.01"});
    let rated = node.send("PUT", &rates, Some(&rate));
    assert!(rated.status < 300, "{}", rated.body);
    let trunks = format!("/v1/admin/customers/{ban}/trunks");
    let trunk = make(&node, &trunks, json!({"name": "acme", "partition": "all"}));
    let ips = format!("{trunks}/{}/ips", id(&trunk));

    let asker = UdpSocket::bind((CUSTOMER, 0)).unwrap();
    assert_eq!(options(&asker, &node, 0), Some(403), "nobody knows the source yet");
    let source = make(&node, &ips, json!({"network": format!("{CUSTOMER}/32")}));
    let mut number = 0;
    wait::until("the source is admitted", EFFECT, || {
        number += 1;
        (options(&asker, &node, number) == Some(200)).then_some(())
    });
    call(&node, gateway);

    let gone = node.send("DELETE", &format!("{ips}/{}", id(&source)), None);
    assert_eq!(gone.status, 204, "{}", gone.body);
    wait::until("the source is refused", EFFECT, || {
        number += 1;
        (options(&asker, &node, number) == Some(403)).then_some(())
    });
}

/// A call to +442012345678 from the customer's address, which the gateway answers and the customer ends.
pub(super) fn call(node: &Node, gateway: SocketAddr) {
    let local = UdpSocket::bind((CUSTOMER, 0)).unwrap().local_addr().unwrap();
    let at = node.ports().sip[0];
    let mut caller = Caller::new(Datagrams::bind(local, at), Transport::Udp, local, "effect");
    let mut callee = Callee::new(Datagrams::bind(gateway, at), Transport::Udp, gateway);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            callee.rings();
            callee.answers();
        });
        caller.call("+442012345678");
    });
    std::thread::scope(|scope| {
        scope.spawn(|| callee.is_hung_up_on());
        caller.hang_up();
    });
}

#[test]
fn an_account_binds_at_once_and_a_deleted_one_no_more() {
    let node = node();
    let accounts = format!("/v1/admin/customers/{}/esme-accounts", customer(&node));
    let account = make(&node, &accounts, json!({"system_id": "acme", "password": "secret12"}));
    wait::until("the account binds", EFFECT, || Esme::try_bound(node.smpp(), "acme", "secret12"));
    let path = format!("{accounts}/{}", id(&account));
    let off = json!({"system_id": "acme", "active": false});
    let changed = node.send("PUT", &path, Some(&off));
    assert_eq!(changed.status, 200, "{}", changed.body);
    assert!(!changed.body.contains("secret12"), "{}", changed.body);
    wait::until("the account is refused", EFFECT, || {
        Esme::try_bound(node.smpp(), "acme", "secret12").is_none().then_some(())
    });
    let gone = node.send("DELETE", &path, None);
    assert_eq!(gone.status, 204, "{}", gone.body);
}

#[test]
fn a_number_that_is_assigned_leads_to_its_trunk() {
    let node = node();
    let ban = customer(&node);
    let vendor = json!({"name": "v", "probe_interval": "0s", "networks": ["127.0.0.9/32"]});
    make(&node, "/v1/admin/voice-vendors", vendor);
    let trunk = json!({"name": "acme", "gateways": ["sip:127.0.0.1:5090;transport=udp"]});
    make(&node, &format!("/v1/admin/customers/{ban}/trunks"), trunk);
    let did = make(&node, "/v1/admin/dids", json!({"number": "15550001111"}));
    let assignment = format!("/v1/admin/dids/{}/assignment", id(&did));
    let explained = || node.get("/v1/explain/call?from=1&to=15550001111&source=127.0.0.9:5060").body;
    assert!(!explained().contains("\"acme\""), "{}", explained());
    let given = node.send("PUT", &assignment, Some(&json!({"customer": ban, "trunk": "acme"})));
    assert_eq!(given.status, 200, "{}", given.body);
    wait::until("the number leads to the trunk", EFFECT, || explained().contains("acme").then_some(()));
    assert_eq!(node.send("DELETE", &assignment, None).status, 204);
    wait::until("the number leads nowhere", EFFECT, || (!explained().contains("\"acme\"")).then_some(()));
}
