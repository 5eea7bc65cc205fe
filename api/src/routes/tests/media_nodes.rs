//! Media nodes.

use std::net::SocketAddr;
use std::time::Duration;

use actors::media::discovery::table::Found;
use actors::media::load::Load;
use actors::media::release::Release;
use runtime::model::{self, MediaNodeState};
use serde_json::{Value, json};
use tokio::time::Instant;
use uuid::Uuid;

use crate::testing::{Answer, Lab, TOKEN};

const NODES: &str = "/v1/admin/media-nodes";

fn code(answer: &Answer) -> (u16, String) {
    (answer.status, answer.json()["code"].as_str().unwrap_or_default().to_owned())
}

/// What is kept of a node that is shown: without where it comes from, and how it is.
fn kept(shown: &Answer) -> Value {
    let mut node = shown.json();
    let fields = node.as_object_mut().unwrap();
    assert_eq!(fields.remove("origin"), Some(json!("configuration")), "{}", shown.body);
    assert_eq!(fields.remove("live"), Some(Value::Null), "no node of ours knows it here");
    node
}

async fn node(lab: &Lab, name: &str, address: &str) -> Value {
    let body = json!({"name": name, "address": address});
    let made = lab.ask(TOKEN, ("POST", NODES), Some(body)).await;
    assert_eq!(made.status, 201, "{}", made.body);
    made.json()
}

#[tokio::test]
async fn a_media_node_is_made_read_changed_and_taken_away() {
    let lab = Lab::new().await;
    let body = json!({"name": "media-1", "address": "192.0.2.20:2223"});
    let made = lab.ask(TOKEN, ("POST", NODES), Some(body)).await;
    assert_eq!(made.status, 201, "{}", made.body);
    let node = made.json();
    let path = format!("{NODES}/{}", node["id"].as_str().unwrap());
    assert_eq!(made.header("location"), path);
    let shown = json!({"id": node["id"], "number": 1, "name": "media-1", "address": "192.0.2.20:2223",
        "weight": 50, "state": "ACTIVE", "created_at": node["created_at"], "updated_at": node["created_at"]});
    assert_eq!(node, shown);
    let read = lab.ask(TOKEN, ("GET", &path), None).await;
    assert_eq!((read.status, kept(&read), read.header("etag")), (200, node.clone(), made.header("etag")));

    let renamed = json!({"name": "media-2", "address": "192.0.2.20:2223"});
    let renamed = lab.ask(TOKEN, ("PUT", &path), Some(renamed)).await;
    assert_eq!((renamed.status, &renamed.json()["errors"][0]["pointer"]), (422, &json!("/name")));
    let change =
        json!({"name": "media-1", "address": "[2001:db8::20]:2223", "weight": 0, "state": "DRAINING"});
    let stale = lab.ask_with(TOKEN, ("PUT", &path), Some(change.clone()), &[("if-match", "\"old\"")]).await;
    assert_eq!(code(&stale), (412, "changed".to_owned()));
    let fresh = [("if-match", read.header("etag"))];
    let changed = lab.ask_with(TOKEN, ("PUT", &path), Some(change), &fresh).await;
    assert_eq!(changed.status, 200, "{}", changed.body);
    let changed = changed.json();
    for (field, value) in [
        ("id", &node["id"]),
        ("number", &json!(1)),
        ("created_at", &node["created_at"]),
        ("address", &json!("[2001:db8::20]:2223")),
        ("weight", &json!(0)),
        ("state", &json!("DRAINING")),
    ] {
        assert_eq!(&changed[field], value, "{field}");
    }

    assert_eq!(code(&lab.ask(TOKEN, ("DELETE", &path), None).await), (409, "in_use".to_owned()));
    let disabled = json!({"name": "media-1", "address": "[2001:db8::20]:2223", "state": "DISABLED"});
    let disabled = lab.ask(TOKEN, ("PUT", &path), Some(disabled)).await;
    assert_eq!((disabled.status, &disabled.json()["weight"]), (200, &json!(50)), "the default comes back");
    let stale = lab.ask_with(TOKEN, ("DELETE", &path), None, &[("if-match", "\"old\"")]).await;
    assert_eq!(code(&stale), (412, "changed".to_owned()));
    assert_eq!(lab.ask(TOKEN, ("DELETE", &path), None).await.status, 204);
    for (method, body) in [
        ("GET", None),
        ("DELETE", None),
        ("PUT", Some(json!({"name": "media-1", "address": "192.0.2.20:2223"}))),
    ] {
        let answer = lab.ask(TOKEN, (method, &path), body).await;
        assert_eq!(code(&answer), (404, "not_found".to_owned()), "{method} {}", answer.body);
    }
}

#[tokio::test]
async fn a_node_that_has_calls_goes_when_it_is_meant() {
    let lab = Lab::new().await;
    let made = node(&lab, "media-1", "192.0.2.20:2223").await;
    let path = format!("{NODES}/{}", made["id"].as_str().unwrap());
    let in_use = lab.ask(TOKEN, ("DELETE", &path), None).await;
    assert_eq!((code(&in_use), in_use.body.contains("ACTIVE")), ((409, "in_use".to_owned()), true));
    assert_eq!(lab.ask(TOKEN, ("DELETE", &format!("{path}?drain=true")), None).await.status, 204);
}

#[tokio::test]
async fn a_media_node_with_values_that_cannot_be_is_refused_by_pointer() {
    let lab = Lab::new().await;
    for (body, pointer) in [
        (json!({"name": "a"}), ""),
        (json!({"name": "", "address": "192.0.2.20:2223"}), "/name"),
        (json!({"name": "a", "address": "192.0.2.20"}), "/address"),
        (json!({"name": "a", "address": "media.example:2223"}), "/address"),
        (json!({"name": "a", "address": "192.0.2.20:0"}), "/address"),
        (json!({"name": "a", "address": "0.0.0.0:2223"}), "/address"),
        (json!({"name": "a", "address": "[::ffff:192.0.2.20]:2223"}), "/address"),
        (json!({"name": "a", "address": 2223}), "/address"),
        (json!({"name": "a", "address": "192.0.2.20:2223", "weight": 10_001}), "/weight"),
        (json!({"name": "a", "address": "192.0.2.20:2223", "weight": -1}), "/weight"),
        (json!({"name": "a", "address": "192.0.2.20:2223", "state": "active"}), "/state"),
        (json!({"name": "a", "address": "192.0.2.20:2223", "number": 7}), "/number"),
    ] {
        let refused = lab.ask(TOKEN, ("POST", NODES), Some(body.clone())).await;
        assert_eq!(refused.status, 422, "{body} {}", refused.body);
        assert_eq!(refused.json()["errors"][0]["pointer"], pointer, "{body} {}", refused.body);
    }
    assert_eq!(lab.ask(TOKEN, ("GET", NODES), None).await.json()["items"], json!([]));
}

#[tokio::test]
async fn a_name_and_an_address_are_one_nodes_and_a_number_is_not_given_again_soon() {
    let lab = Lab::new().await;
    let first = node(&lab, "media-1", "192.0.2.1:2223").await;
    let second = node(&lab, "media-2", "192.0.2.2:2223").await;
    assert_eq!((&first["number"], &second["number"]), (&json!(1), &json!(2)));
    let paths = [&first, &second].map(|node| format!("{NODES}/{}", node["id"].as_str().unwrap()));
    for (method, path, body) in [
        ("POST", NODES, json!({"name": "media-1", "address": "192.0.2.3:2223"})),
        ("POST", NODES, json!({"name": "media-3", "address": "192.0.2.2:2223"})),
        ("PUT", paths[0].as_str(), json!({"name": "media-1", "address": "192.0.2.2:2223"})),
    ] {
        let refused = lab.ask(TOKEN, (method, path), Some(body.clone())).await;
        assert_eq!(code(&refused), (409, "already_exists".to_owned()), "{body} {}", refused.body);
    }
    assert_eq!(kept(&lab.ask(TOKEN, ("GET", &paths[0]), None).await), first, "the refused ones changed it");
    assert_eq!(lab.ask(TOKEN, ("DELETE", &format!("{}?drain=true", paths[0])), None).await.status, 204);
    assert_eq!(node(&lab, "media-3", "192.0.2.1:2223").await["number"], 3);
}

#[tokio::test]
async fn media_nodes_are_paged_and_searched() {
    let lab = Lab::new().await;
    for (name, address) in
        [("east-1", "192.0.2.1:2223"), ("east-2", "192.0.2.2:2223"), ("west_1", "192.0.2.3:2223")]
    {
        node(&lab, name, address).await;
    }
    for (query, found, next) in [
        ("", vec!["east-1", "east-2", "west_1"], None),
        ("?limit=2", vec!["east-1", "east-2"], Some("east-2")),
        ("?limit=2&cursor=east-2", vec!["west_1"], None),
        ("?search=EAST", vec!["east-1", "east-2"], None),
        ("?search=_", vec!["west_1"], None),
        ("?state=DRAINING", vec![], None),
    ] {
        let answer = lab.ask(TOKEN, ("GET", &format!("{NODES}{query}")), None).await.json();
        let items = answer["items"].as_array().unwrap();
        let names: Vec<&str> = items.iter().map(|item| item["name"].as_str().unwrap()).collect();
        assert_eq!((names, answer["next"].as_str()), (found, next), "{query}");
    }
    for query in ["?state=GONE", "?colour=red"] {
        let answer = lab.ask(TOKEN, ("GET", &format!("{NODES}{query}")), None).await;
        assert!(matches!(answer.status, 400 | 422), "{query} {}", answer.body);
    }
}

/// A node of ours that knows the first of two nodes of the configuration, and two that were found, of which one answers.
/// Gives the first one.
async fn discovered(lab: &Lab) -> Value {
    let made = node(lab, "media-1", "192.0.2.1:2223").await;
    node(lab, "spare", "192.0.2.9:2223").await;
    let address = |last: u8| SocketAddr::from(([192, 0, 2, last], 2223));
    let configured = model::MediaNode {
        id: made["id"].as_str().unwrap().parse::<Uuid>().unwrap(),
        number: 1,
        name: "media-1".to_owned(),
        address: address(1),
        weight: 50,
        state: MediaNodeState::Active,
    };
    let found = |number, last, drains| Found { number, address: address(last), weight: 7, drains };
    let now = Instant::now().into_std();
    lab.calls.media.configure(&[configured], now);
    lab.calls.media.find(&[found(128, 2, false), found(129, 3, true)], now);
    let answers = lab.calls.media.node(128).unwrap();
    answers.health.heard(Duration::from_millis(1), now);
    answers.health.set_sessions(7);
    let load = Load {
        packets_per_second: 700,
        bytes_per_second: 120_400,
        transcoded_media: 1,
        rejected_sessions: 2,
        uptime: Duration::from_secs(86_400),
    };
    answers.health.set_load(load, now);
    answers.health.set_release(&Release::of_description(b"v=0\r\ns=rtpengine-13-4-1-1\r\n").unwrap());
    made
}

const FOUND: &str = "redis-192.0.2.2:2223";

#[tokio::test]
async fn media_nodes_that_were_found_stand_beside_those_of_the_configuration() {
    let lab = Lab::new().await;
    let made = discovered(&lab).await;
    let listed = lab.ask(TOKEN, ("GET", NODES), None).await.json();
    let items = listed["items"].as_array().unwrap();
    let live = |state: &str| json!({"state": state, "sessions": 0, "release": null, "load": null});
    let mut first = made.clone();
    first["origin"] = json!("configuration");
    first["live"] = live("down");
    let found = json!({"id": FOUND, "number": 128, "name": FOUND, "address": "192.0.2.2:2223", "weight": 7,
        "state": "ACTIVE", "origin": "redis", "created_at": null, "updated_at": null,
        "live": {"state": "up", "sessions": 7, "release": "13.4.1.1", "load": {"packets_per_second": 700,
            "bytes_per_second": 120_400, "transcoded_media": 1, "rejected_sessions": 2,
            "uptime_seconds": 86_400}}});
    assert_eq!((&items[0], &items[1]), (&first, &found));
    assert_eq!((&items[2]["state"], &items[2]["live"]), (&json!("DRAINING"), &live("down")));
    assert_eq!((&items[3]["name"], &items[3]["live"]), (&json!("spare"), &Value::Null), "not known yet");

    let other = "redis-192.0.2.3:2223";
    let paged = format!("?limit=2&cursor={FOUND}");
    for (query, names, next) in [
        ("", vec!["media-1", FOUND, other, "spare"], None),
        ("?limit=2", vec!["media-1", FOUND], Some(FOUND)),
        (paged.as_str(), vec![other, "spare"], None),
        ("?search=REDIS", vec![FOUND, other], None),
        ("?search=2.3:", vec![other], None),
        ("?state=ACTIVE", vec!["media-1", FOUND, "spare"], None),
        ("?state=DRAINING", vec![other], None),
        ("?state=DISABLED", vec![], None),
    ] {
        let answer = lab.ask(TOKEN, ("GET", &format!("{NODES}{query}")), None).await.json();
        let items = answer["items"].as_array().unwrap();
        let listed: Vec<&str> = items.iter().map(|item| item["name"].as_str().unwrap()).collect();
        assert_eq!((listed, answer["next"].as_str()), (names, next), "{query}");
    }

    // How a node is changes nothing of what is kept of it.
    let path = format!("{NODES}/{}", made["id"].as_str().unwrap());
    let before = lab.ask(TOKEN, ("GET", &path), None).await;
    lab.calls.media.node(1).unwrap().health.set_sessions(9);
    let after = lab.ask(TOKEN, ("GET", &path), None).await;
    assert_eq!((&before.json()["live"], &after.json()["live"]["sessions"]), (&live("down"), &json!(9)));
    assert_eq!(before.header("etag"), after.header("etag"));
}

#[tokio::test]
async fn a_media_node_that_was_found_is_changed_where_it_was_found() {
    let lab = Lab::new().await;
    discovered(&lab).await;
    let path = format!("{NODES}/{FOUND}");
    let shown = lab.ask(TOKEN, ("GET", &path), None).await;
    assert_eq!((shown.status, &shown.json()["origin"]), (200, &json!("redis")), "{}", shown.body);
    let body = json!({"name": FOUND, "address": "192.0.2.2:2223", "weight": 1});
    for (method, query, body) in
        [("PUT", "", Some(body.clone())), ("DELETE", "", None), ("DELETE", "?drain=true", None)]
    {
        let refused = lab.ask(TOKEN, (method, &format!("{path}{query}")), body).await;
        assert_eq!(code(&refused), (409, "in_use".to_owned()), "{method} {}", refused.body);
        assert!(refused.body.contains("Redis"), "{}", refused.body);
    }
    for (method, body) in [("GET", None), ("PUT", Some(body)), ("DELETE", None)] {
        for nobody in ["redis-192.0.2.8:2223", "media-1", "%zz"] {
            let answer = lab.ask(TOKEN, (method, &format!("{NODES}/{nobody}")), body.clone()).await;
            assert_eq!(code(&answer), (404, "not_found".to_owned()), "{method} {nobody} {}", answer.body);
        }
    }
    let reader = lab.key(None, &["media:read"]).await;
    assert_eq!(lab.ask(&reader, ("GET", &path), None).await.status, 200);
    lab.customer("AAA-1", "ACTIVE").await;
    let customer = lab.key(Some("AAA-1"), &["media:read", "media:manage"]).await;
    for (who, method) in [(&customer, "GET"), (&customer, "DELETE"), (&reader, "DELETE")] {
        let refused = lab.ask(who, (method, &path), None).await;
        assert_eq!((refused.status, refused.body.contains("Redis")), (403, false), "{}", refused.body);
    }

    // One that is configured by its address is the configuration's, whatever is known of it.
    node(&lab, "taken", "192.0.2.2:2223").await;
    let listed = lab.ask(TOKEN, ("GET", NODES), None).await.json();
    let names: Vec<&Value> = listed["items"].as_array().unwrap().iter().map(|item| &item["name"]).collect();
    assert_eq!(names, ["media-1", "redis-192.0.2.3:2223", "spare", "taken"]);
}

/// What may be asked by whom: nodes are the platform's own.
#[tokio::test]
async fn media_nodes_are_for_the_platforms_own_people_who_may() {
    let lab = Lab::new().await;
    let made = node(&lab, "media-1", "192.0.2.20:2223").await;
    let path = format!("{NODES}/{}", made["id"].as_str().unwrap());
    lab.customer("AAA-1", "ACTIVE").await;
    let customer = lab.key(Some("AAA-1"), &["media:read", "media:manage"]).await;
    let reader = lab.key(None, &["media:read"]).await;
    let vendors = lab.key(None, &["vendors:read", "vendors:manage"]).await;
    let one = path.as_str();
    for (method, path) in [("GET", NODES), ("POST", NODES), ("GET", one), ("PUT", one), ("DELETE", one)] {
        let body = (method == "POST" || method == "PUT")
            .then(|| json!({"name": "media-1", "address": "192.0.2.21:2223"}));
        for (who, may) in [(&customer, false), (&vendors, false), (&reader, method == "GET")] {
            let answer = lab.ask(who, (method, path), body.clone()).await;
            assert_eq!(answer.status, if may { 200 } else { 403 }, "{method} {path} {}", answer.body);
            assert!(may || !answer.body.contains("192.0.2.2"), "{}", answer.body);
        }
    }
    assert_eq!(kept(&lab.ask(TOKEN, ("GET", &path), None).await), made, "the refused ones changed it");
    let manager = lab.key(None, &["media:manage"]).await;
    assert_eq!(lab.ask(&manager, ("DELETE", &format!("{path}?drain=true")), None).await.status, 204);
}

#[tokio::test]
async fn what_is_made_of_a_node_stands_in_the_audit() {
    let lab = Lab::new().await;
    let made = node(&lab, "media-1", "192.0.2.20:2223").await;
    let path = format!("{NODES}/{}", made["id"].as_str().unwrap());
    let change = json!({"name": "media-1", "address": "192.0.2.20:2223", "state": "DISABLED"});
    let changed = lab.ask(TOKEN, ("PUT", &path), Some(change)).await.json();
    assert_eq!(lab.ask(TOKEN, ("DELETE", &path), None).await.status, 204);
    let audit = lab.ask(TOKEN, ("GET", "/v1/audit"), None).await.json();
    let mut told: Vec<_> = audit["items"].as_array().unwrap().iter().collect();
    told.retain(|entry| entry["resource"] == path.as_str());
    let mut told: Vec<_> =
        told.iter().map(|entry| (&entry["action"], &entry["before"], &entry["after"])).collect();
    told.sort_by_key(|(action, ..)| action.to_string());
    let nothing = Value::Null;
    let (create, update, delete) = (json!("create"), json!("update"), json!("delete"));
    let expected = [(&create, &nothing, &made), (&delete, &changed, &nothing), (&update, &made, &changed)];
    assert_eq!(told, expected);
}
