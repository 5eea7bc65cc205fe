//! Trunks as a customer's own programs see and change them.

use serde_json::{Value, json};

use crate::testing::{Answer, Lab, TOKEN};

const TRUNKS: &str = "/v1/customers/trunks";

/// Two customers with a key each that may read and change sources of trunks.
async fn lab() -> (Lab, [String; 2]) {
    let lab = Lab::new().await;
    let mut keys = Vec::new();
    for ban in ["AAA-1", "BBB-2"] {
        lab.customer(ban, "ACTIVE").await;
        keys.push(lab.key(Some(ban), &["trunks:read", "trunks:write"]).await);
    }
    (lab, keys.try_into().unwrap())
}

async fn trunk(lab: &Lab, key: &str, name: &str) -> Value {
    let made = lab.ask(key, ("POST", TRUNKS), Some(json!({"name": name}))).await;
    assert_eq!(made.status, 201, "{}", made.body);
    assert_eq!(made.header("location"), format!("{TRUNKS}/{}", made.json()["id"].as_str().unwrap()));
    made.json()
}

fn code(answer: &Answer) -> (u16, String) {
    (answer.status, answer.json()["code"].as_str().unwrap_or_default().to_owned())
}

#[tokio::test]
async fn a_customer_makes_a_trunk_that_may_not_call_out_until_the_platform_lets_it() {
    let (lab, [key, _]) = lab().await;
    let made = trunk(&lab, &key, "acme-east").await;
    assert_eq!((&made["customer"], &made["may_call_out"]), (&json!("AAA-1"), &json!(false)));
    for hidden in [
        "partition",
        "rate_max",
        "header_rules",
        "callee_rules",
        "trusted",
        "identity",
        "hide_topology",
        "allow",
    ] {
        assert!(made.get(hidden).is_none(), "{hidden} is shown");
    }
    let path = format!("{TRUNKS}/{}", made["id"].as_str().unwrap());
    assert_eq!(lab.ask(&key, ("GET", &path), None).await.json(), made);
    assert_eq!(lab.ask(&key, ("GET", TRUNKS), None).await.json()["items"], json!([made]));
    assert_eq!(made["media"]["path"], "anchored");
    for body in [
        json!({"name": "x", "partition": "wholesale"}),
        json!({"name": ""}),
        json!({"name": "x", "cps": 0}),
        json!({"name": "x", "media": {"path": "direct"}}),
    ] {
        assert_eq!(lab.ask(&key, ("POST", TRUNKS), Some(body.clone())).await.status, 422, "{body}");
    }
    let unnamed = lab.ask(TOKEN, ("POST", TRUNKS), Some(json!({"name": "x"}))).await;
    assert_eq!((unnamed.status, &unnamed.json()["errors"][0]["pointer"]), (422, &json!("/customer")));
    let named = lab.ask(TOKEN, ("POST", TRUNKS), Some(json!({"name": "x", "customer": "AAA-1"}))).await;
    assert_eq!(named.status, 201, "{}", named.body);

    let applied = lab.control("POST", "/v1/control/apply", "[[partitions]]\nname = \"wholesale\"\n").await;
    assert_eq!(applied.status, 200, "{}", applied.body);
    let admin = format!("/v1/admin/customers/AAA-1/trunks/{}", made["id"].as_str().unwrap());
    let full = lab.ask(TOKEN, ("GET", &admin), None).await.json();
    assert_eq!((&full["partition"], &full["cps"], &full["channels"]), (&json!(""), &json!(10), &json!(100)));
    let body = json!({"name": "acme-east", "partition": "wholesale", "media": {"security": "srtp"}});
    assert_eq!(lab.ask(TOKEN, ("PUT", &admin), Some(body)).await.status, 200);
    let shown = lab.ask(&key, ("GET", &path), None).await.json();
    assert_eq!((&shown["may_call_out"], &shown["media"]["security"]), (&json!(true), &json!("srtp")));
}

#[tokio::test]
async fn nothing_of_another_customer_is_seen_changed_or_named() {
    let (lab, [mine, theirs]) = lab().await;
    let made = trunk(&lab, &mine, "acme-east").await;
    let path = format!("{TRUNKS}/{}", made["id"].as_str().unwrap());
    let ips = format!("{path}/ips");
    let source = lab.ask(&mine, ("POST", &ips), Some(json!({"network": "198.51.100.0/24"}))).await;
    assert_eq!(source.status, 201, "{}", source.body);
    let one = source.header("location").to_owned();
    assert_eq!(one, format!("{ips}/{}", source.json()["id"].as_str().unwrap()));

    for (method, path, body) in [
        ("GET", path.as_str(), None),
        ("GET", ips.as_str(), None),
        ("POST", ips.as_str(), Some(json!({"network": "192.0.2.1"}))),
        ("DELETE", one.as_str(), None),
    ] {
        let answer = lab.ask(&theirs, (method, path), body).await;
        assert_eq!(code(&answer), (404, "not_found".to_owned()), "{method} {path} {}", answer.body);
    }
    assert_eq!(lab.ask(&theirs, ("GET", TRUNKS), None).await.json()["items"], json!([]));
    let other = lab.ask(&theirs, ("POST", TRUNKS), Some(json!({"name": "x", "customer": "AAA-1"}))).await;
    assert_eq!((other.status, &other.json()["errors"][0]["pointer"]), (422, &json!("/customer")));

    let own = trunk(&lab, &theirs, "boston").await;
    let own = format!("{TRUNKS}/{}/ips", own["id"].as_str().unwrap());
    for (network, expected) in
        [("198.51.100.0/24", "already_exists"), ("198.51.100.9", "in_use"), ("198.51.0.0/16", "in_use")]
    {
        let refused = lab.ask(&theirs, ("POST", &own), Some(json!({"network": network}))).await;
        assert_eq!(code(&refused), (409, expected.to_owned()), "{network} {}", refused.body);
        assert!(!refused.body.contains("AAA-1") && !refused.body.contains("acme"), "{}", refused.body);
    }
    let meant = format!("{own}?overlap=true");
    let refused = lab.ask(&theirs, ("POST", &meant), Some(json!({"network": "198.51.100.9"}))).await;
    assert_eq!(refused.status, 400, "customers have no such choice: {}", refused.body);
    let name = lab.ask(&theirs, ("POST", TRUNKS), Some(json!({"name": "acme-east"}))).await;
    assert_eq!(code(&name), (409, "already_exists".to_owned()));
    assert!(!name.body.contains("AAA-1"), "{}", name.body);
}

#[tokio::test]
async fn own_sources_come_and_go() {
    let (lab, [key, _]) = lab().await;
    let made = trunk(&lab, &key, "acme-east").await;
    let ips = format!("{TRUNKS}/{}/ips", made["id"].as_str().unwrap());
    let source = lab.ask(&key, ("POST", &ips), Some(json!({"network": "198.51.100.7", "port": 5060}))).await;
    let again = lab.ask(&key, ("POST", &ips), Some(json!({"network": "198.51.100.7", "port": 5060}))).await;
    assert_eq!(code(&again), (409, "already_exists".to_owned()));
    assert!(again.body.contains("acme-east"), "one's own may be named: {}", again.body);
    assert_eq!(lab.ask(&key, ("GET", &ips), None).await.json()["items"], json!([source.json()]));
    let path = source.header("location");
    assert_eq!(lab.ask(&key, ("DELETE", path), None).await.status, 204);
    assert_eq!(lab.ask(&key, ("DELETE", path), None).await.status, 404);
}

#[tokio::test]
async fn a_suspended_customer_sees_its_trunks_and_changes_nothing() {
    let lab = Lab::new().await;
    let (ban, id) = lab.customer("AAA-1", "ACTIVE").await;
    let key = lab.key(Some(&ban), &["trunks:read", "trunks:write"]).await;
    let made = trunk(&lab, &key, "acme-east").await;
    let path = format!("{TRUNKS}/{}", made["id"].as_str().unwrap());
    let ips = format!("{path}/ips");
    let source = lab.ask(&key, ("POST", &ips), Some(json!({"network": "198.51.100.7"}))).await;
    let one = source.header("location").to_owned();
    let suspended = json!({"company_name": "Acme", "status": "SUSPENDED"});
    assert_eq!(lab.ask(TOKEN, ("PUT", &format!("/v1/customers/{id}")), Some(suspended)).await.status, 200);
    for (method, path, body, status) in [
        ("GET", TRUNKS, None, 200),
        ("GET", path.as_str(), None, 200),
        ("GET", ips.as_str(), None, 200),
        ("POST", TRUNKS, Some(json!({"name": "second"})), 403),
        ("POST", ips.as_str(), Some(json!({"network": "192.0.2.1"})), 403),
        ("DELETE", one.as_str(), None, 403),
    ] {
        let answer = lab.ask(&key, (method, path), body).await;
        assert_eq!(answer.status, status, "{method} {path} {}", answer.body);
        assert!(status == 200 || answer.body.contains("customer_suspended"), "{}", answer.body);
    }
}
