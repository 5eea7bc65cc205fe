//! Media nodes.

use serde_json::{Value, json};

use crate::testing::{Answer, Lab, TOKEN};

const NODES: &str = "/v1/admin/media-nodes";

fn code(answer: &Answer) -> (u16, String) {
    (answer.status, answer.json()["code"].as_str().unwrap_or_default().to_owned())
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
    assert_eq!((read.status, read.json(), read.header("etag")), (200, node.clone(), made.header("etag")));

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
    assert_eq!(lab.ask(TOKEN, ("GET", &paths[0]), None).await.json(), first, "the refused ones changed it");
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
    assert_eq!(lab.ask(TOKEN, ("GET", &path), None).await.json(), made, "the refused ones changed it");
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
