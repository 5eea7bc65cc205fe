//! Where trunks have registered, as the platform's own people and their customers see it.

use std::time::Duration;

use runtime::model::Transport;
use runtime::store::registration::{self, StoredRegistration};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::testing::{Answer, Lab, TOKEN};

/// A customer's trunk: its id, and a key of the customer's.
async fn trunk(lab: &Lab, ban: &str, name: &str) -> (Uuid, String) {
    lab.customer(ban, "ACTIVE").await;
    let key = lab.key(Some(ban), &["trunks:read", "trunks:write"]).await;
    let made = lab.ask(&key, ("POST", "/v1/customers/trunks"), Some(json!({"name": name}))).await;
    assert_eq!(made.status, 201, "{}", made.body);
    (made.json()["id"].as_str().unwrap().parse().unwrap(), key)
}

/// Registers contacts, an hour each.
async fn register(lab: &Lab, trunk: Uuid, ids: &[u128]) {
    let now = lab.api.clock.now();
    let mut tx = lab.api.store.begin().await.unwrap();
    let version = registration::raise(&mut tx).await.unwrap();
    for id in ids {
        let one = StoredRegistration {
            id: Uuid::from_u128(*id),
            trunk,
            contact: format!("sip:acme@10.0.0.{id}:5060"),
            source: "203.0.113.9:40112".parse().unwrap(),
            transport: Transport::Tcp,
            path: "<sip:edge.example;lr>".to_owned(),
            q: 700,
            node: 3,
            listener: 1,
            call_id: "private".to_owned(),
            cseq: 4,
            user_agent: "phone".to_owned(),
            registered_at: now,
            expires_at: now.plus(Duration::from_secs(3600)),
            version,
        };
        registration::put(&mut tx, &one, version).await.unwrap();
    }
    tx.commit().await.unwrap();
}

fn contacts(answer: &Answer) -> Vec<String> {
    assert_eq!(answer.status, 200, "{}", answer.body);
    let page = answer.json();
    let items = page["items"].as_array().unwrap().iter();
    items.map(|item| item["contact"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn registrations_are_listed_shown_and_taken_back() {
    let lab = Lab::new().await;
    let (trunk, key) = trunk(&lab, "AAA-1", "acme-east").await;
    register(&lab, trunk, &[1, 2, 3]).await;
    let admin = format!("/v1/admin/customers/AAA-1/trunks/{trunk}/registrations");
    let own = format!("/v1/customers/trunks/{trunk}/registrations");
    for (who, list) in [(TOKEN, &admin), (key.as_str(), &own), (TOKEN, &own)] {
        let all = lab.ask(who, ("GET", list), None).await;
        assert_eq!(contacts(&all).len(), 3, "{list}");
        let first = lab.ask(who, ("GET", &format!("{list}?limit=2")), None).await;
        assert_eq!(contacts(&first), ["sip:acme@10.0.0.1:5060", "sip:acme@10.0.0.2:5060"]);
        let next = first.json()["next"].as_str().unwrap().to_owned();
        let rest = lab.ask(who, ("GET", &format!("{list}?limit=2&cursor={next}")), None).await;
        assert_eq!(
            (contacts(&rest), rest.json()["next"].clone()),
            (vec!["sip:acme@10.0.0.3:5060".into()], Value::Null)
        );
    }
    let one = format!("{admin}/{}", Uuid::from_u128(2));
    let shown = lab.ask(TOKEN, ("GET", &one), None).await;
    let body = shown.json();
    for (field, value) in [
        ("source", json!("203.0.113.9:40112")),
        ("transport", json!("tcp")),
        ("path", json!("<sip:edge.example;lr>")),
        ("q", json!(700)),
        ("node", json!(3)),
        ("user_agent", json!("phone")),
    ] {
        assert_eq!(body[field], value, "{body}");
    }
    assert!(!shown.body.contains("private"), "{body}");

    let stale = lab.ask_with(TOKEN, ("DELETE", &one), None, &[("if-match", "\"old\"")]).await;
    assert_eq!((stale.status, &stale.json()["code"]), (412, &json!("changed")));
    let taken = lab.ask_with(TOKEN, ("DELETE", &one), None, &[("if-match", shown.header("etag"))]).await;
    assert_eq!(taken.status, 204, "{}", taken.body);
    assert_eq!(lab.ask(TOKEN, ("GET", &one), None).await.status, 404);
    assert_eq!(lab.ask(TOKEN, ("DELETE", &one), None).await.status, 404);
    let mine = format!("{own}/{}", Uuid::from_u128(3));
    assert_eq!(lab.ask(&key, ("GET", &mine), None).await.status, 200);
    assert_eq!(lab.ask(&key, ("DELETE", &mine), None).await.status, 204);
    assert_eq!(contacts(&lab.ask(&key, ("GET", &own), None).await), ["sip:acme@10.0.0.1:5060"]);
    // Other nodes read that it went.
    let gone = registration::since(&lab.api.store, (1, Uuid::max()), 9).await.unwrap();
    let gone: Vec<_> = gone.iter().map(|one| (one.id.as_u128(), one.lives(lab.api.clock.now()))).collect();
    assert_eq!(gone, [(2, false), (3, false)]);
}

#[tokio::test]
async fn nothing_of_another_customer_is_seen_or_taken() {
    let lab = Lab::new().await;
    let (trunk_id, _) = trunk(&lab, "AAA-1", "acme-east").await;
    let (other, theirs) = trunk(&lab, "BBB-2", "boston").await;
    register(&lab, trunk_id, &[1]).await;
    let id = Uuid::from_u128(1);
    for path in [
        format!("/v1/customers/trunks/{trunk_id}/registrations"),
        format!("/v1/customers/trunks/{trunk_id}/registrations/{id}"),
        format!("/v1/customers/trunks/{other}/registrations/{id}"),
    ] {
        for method in ["GET", "DELETE"] {
            if method == "DELETE" && !path.ends_with(&id.to_string()) {
                continue;
            }
            let answer = lab.ask(&theirs, (method, &path), None).await;
            assert_eq!(answer.status, 404, "{method} {path} {}", answer.body);
            assert!(!answer.body.contains("AAA-1") && !answer.body.contains("10.0.0."), "{}", answer.body);
        }
    }
    let crossed = format!("/v1/admin/customers/BBB-2/trunks/{trunk_id}/registrations");
    assert_eq!(lab.ask(TOKEN, ("GET", &crossed), None).await.status, 404);
    let kept = format!("/v1/admin/customers/AAA-1/trunks/{trunk_id}/registrations");
    assert_eq!(contacts(&lab.ask(TOKEN, ("GET", &kept), None).await).len(), 1);
}
