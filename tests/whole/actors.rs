//! What operators see of a running node, and what they change while it runs.

mod change;

use std::time::Duration;

use serde_json::Value;

use super::esme::{ANSWER, Esme};
use super::pdu::Sm;
use super::process::{Node, Setup};
use super::smsc::{Script, Smsc};
use super::wait;

const CUSTOMER: &str = r#"
[[customers]]
ban = "TB-000000001"
company_name = "Acme"
status = "ACTIVE"
type = "POSTPAID"

[[esme_accounts]]
system_id = "acme"
customer = "TB-000000001"
password = "secret12"
"#;

/// A vendor and the route of a prefix to it.
fn vendor(name: &str, port: u16, prefix: &str, active: bool) -> String {
    format!(
        "[[sms_vendors]]\ninstance_name = \"{name}\"\nhost = \"127.0.0.1\"\nport = {port}\nsystem_id = \"warp\"\n\
         password = \"secret\"\nactive = {active}\n\
         [[sms_routes]]\nname = \"to {name}\"\nprefix = \"{prefix}\"\nvendor = \"{name}\"\n"
    )
}

#[track_caller]
fn node(provision: &str) -> Node {
    let smpp = "reconnect_first = \"50ms\"\nreconnect_max = \"500ms\"\n".to_owned();
    Node::new(&Setup { smpp, provision: provision.to_owned(), ..Setup::default() })
}

/// The entries of GET /v1/actors.
#[track_caller]
fn tree(node: &Node) -> Vec<Value> {
    let json = node.get("/v1/actors").json();
    let list = json.as_array().or_else(|| json["actors"].as_array());
    list.unwrap_or_else(|| panic!("a list of actors: {json}")).clone()
}

fn names(tree: &[Value]) -> Vec<String> {
    tree.iter().map(|actor| actor["name"].as_str().unwrap_or_default().to_owned()).collect()
}

#[test]
fn the_tree_shows_everything_that_lives() {
    let smsc = Smsc::start(Script::default());
    let node = node(&(CUSTOMER.to_owned() + &vendor("sinch-atlanta", smsc.port(), "", true)));
    smsc.wait("the node binds", ANSWER, |state| state.bound() == 1);
    let mut esme = Esme::bound(node.smpp(), "acme", "secret12");
    let kinds = [
        "listener:",
        "esme_session:acme:",
        "vendor_bind:sinch-atlanta:",
        "message_log:",
        "message_router:",
        "dlr_tracker:",
    ];
    let tree = wait::until("every kind is in the tree", ANSWER, || {
        let tree = tree(&node);
        let there = names(&tree);
        kinds.iter().all(|kind| there.iter().any(|name| name.starts_with(kind))).then_some(tree)
    });
    let there = names(&tree);
    for actor in &tree {
        for key in ["name", "parent", "state", "since", "restarts", "queue_depth", "counters"] {
            assert!(actor.get(key).is_some(), "{key} in {actor}");
        }
        if let Some(parent) = actor["parent"].as_str() {
            assert!(
                there.iter().any(|name| name == parent),
                "{parent}, the parent of {actor}, is in the tree"
            );
        }
    }
    one_by_one(&node, &there);
    let printed = node.place().warp(&["actors"]);
    printed.assert_success();
    for kind in kinds {
        assert!(printed.stdout.contains(kind), "{kind} in what `warp actors` prints:\n{}", printed.stdout);
    }
    esme.assert_alive("being looked at");
}

/// GET /v1/actors/{name}, percent-encoded.
#[track_caller]
fn one_by_one(node: &Node, names: &[String]) {
    for name in names {
        let encoded = name.replace('%', "%25").replace(':', "%3A").replace('/', "%2F").replace('[', "%5B");
        let one = node.get(&format!("/v1/actors/{}", encoded.replace(']', "%5D"))).json();
        let shown = if one["name"].is_string() { &one["name"] } else { &one["actor"]["name"] };
        assert_eq!(shown, name, "{one}");
    }
    assert_eq!(node.get("/v1/actors/esme_session%3Anobody%3A99").status, 404);
}

#[test]
fn the_api_is_for_holders_of_the_token() {
    let node = node(CUSTOMER);
    let paths = ["/v1/actors", "/v1/smpp/vendors", "/v1/smpp/stats", "/v1/explain/sms?to=15551234567"];
    for path in paths {
        for token in [None, Some(""), Some("wrong"), Some(&node.token()[1..])] {
            assert_eq!(node.get_unauthorised(path, token).status, 401, "{path} with {token:?}");
        }
        assert_eq!(node.post(path).status, 405, "POST {path}");
    }
    assert_eq!(node.get_unauthorised("/health", None).status, 200);
    assert_eq!(node.get_unauthorised("/ready", None).status, 200);
    assert_eq!(node.get("/v1/nothing").status, 404);
    let log = node.place().log();
    assert_eq!(log.matches(&node.token()).count(), 1, "the token is shown once, at the first start");
}

#[test]
fn the_token_survives_a_restart_and_is_not_shown_again() {
    let mut node = node(CUSTOMER);
    let token = node.token();
    assert!(node.terminate().success());
    let node = node.place().start();
    assert_eq!(node.token(), token);
    assert_eq!(node.get("/v1/smpp/stats").status, 200);
    assert_eq!(node.place().log().matches(&token).count(), 1);
}

#[test]
fn statistics_have_the_shape_of_the_contract() {
    let smsc = Smsc::start(Script::default());
    let node = node(&(CUSTOMER.to_owned() + &vendor("sinch-atlanta", smsc.port(), "", true)));
    smsc.wait("the node binds", ANSWER, |state| state.bound() == 1);
    let (mut esme, mut delivered) = (Esme::bound(node.smpp(), "acme", "secret12"), Vec::new());
    for n in 0..10 {
        esme.submit(&Sm::new("15551234567", &format!("count {n}")), &mut delivered);
    }
    esme.collect(&mut delivered, 10, Duration::from_secs(20));
    let vendors = node.get("/v1/smpp/vendors").json();
    assert_eq!((&vendors["success"], vendors["count"].as_u64()), (&Value::Bool(true), Some(1)), "{vendors}");
    let (id, vendor) = vendors["vendors"].as_object().and_then(|all| all.iter().next()).expect("a vendor");
    assert_eq!(
        (&vendor["vendor_id"], &vendor["vendor_name"]),
        (&id.as_str().into(), &"sinch-atlanta".into())
    );
    assert!(vendor["connected_at"].is_string() && vendor["status"].is_string(), "{vendor}");
    for (key, count) in
        [("messages_sent", 10), ("messages_success", 10), ("messages_failed", 0), ("dlrs_received", 10)]
    {
        assert_eq!(vendor[key].as_u64(), Some(count), "{key} in {vendor}");
    }
    let stats = node.get("/v1/smpp/stats").json();
    assert_eq!(stats["success"], true, "{stats}");
    for key in ["active_sessions", "total_binds", "total_submit_sm", "total_deliver_sm"] {
        assert!(
            stats["data"]["smpp_server"][key].as_u64().is_some_and(|count| count > 0),
            "{key} in {stats}"
        );
    }
    for (key, count) in [("total_sent", 10), ("total_success", 10), ("total_failed", 0)] {
        assert_eq!(stats["data"]["vendors"][key].as_u64(), Some(count), "{key} in {stats}");
    }
    assert!(stats["data"]["timestamp"].is_string(), "{stats}");
    metrics_agree(&node);
}

/// The exact names that dashboards use.
#[track_caller]
fn metrics_agree(node: &Node) {
    for (name, count) in [
        ("smpp_server_active_sessions_total", 1.0),
        ("smpp_server_submit_sm_total", 10.0),
        ("smpp_client_submit_sm_total", 10.0),
        ("smpp_client_dlr_received_total", 10.0),
        ("smpp_client_connections_total", 1.0),
        ("dlr_tracking_hits_total", 10.0),
        ("message_routing_duration_seconds_count", 10.0),
        ("message_queue_depth", 0.0),
    ] {
        let found = node.metric(name);
        assert!((found - count).abs() < 0.5, "{name} is {found}, not {count}");
    }
}
