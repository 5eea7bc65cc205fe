//! Customers and notes, by a program that may do everything.

use std::collections::BTreeSet;

use runtime::store::audit;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::openapi::describe;
use crate::permission::Permission;
use crate::routes::customers::NewCustomer;
use crate::testing::{Lab, TOKEN};
use crate::write::REMEMBERED_FOR;

#[tokio::test]
async fn a_customer_is_made_read_changed_and_found() {
    let lab = Lab::new().await;
    let made = lab.ask(TOKEN, ("POST", "/v1/customers"), Some(json!({"company_name": "Acme Telecom"}))).await;
    assert_eq!(made.status, 201, "{}", made.body);
    let customer = made.json();
    let id = customer["id"].as_str().unwrap();
    assert_eq!(made.header("location"), format!("/v1/customers/{id}"));
    let ban = customer["ban"].as_str().unwrap();
    assert_eq!((ban.len(), &ban[2..3]), (12, "-"));
    let path = format!("/v1/customers/{id}");
    let read = lab.ask(TOKEN, ("GET", &path), None).await;
    assert_eq!((read.status, read.json(), read.header("etag")), (200, customer.clone(), made.header("etag")));

    let change = json!({"company_name": "Acme Voice", "status": "SUSPENDED", "credit_limit": "12.5"});
    let stale = lab.ask_with(TOKEN, ("PUT", &path), Some(change.clone()), &[("if-match", "\"old\"")]).await;
    assert_eq!((stale.status, stale.json()["code"].as_str()), (412, Some("changed")));
    let headers = [("if-match", read.header("etag"))];
    let changed = lab.ask_with(TOKEN, ("PUT", &path), Some(change), &headers).await;
    assert_eq!(changed.status, 200, "{}", changed.body);
    let changed = changed.json();
    assert_eq!(changed["credit_limit"], "12.5");
    assert_eq!((&changed["ban"], &changed["created_at"]), (&customer["ban"], &customer["created_at"]));
    for path in [path.clone(), format!("/v1/customers/by-ban/{ban}")] {
        assert_eq!(lab.ask(TOKEN, ("GET", &path), None).await.json(), changed, "{path}");
    }
    let missing = lab.ask(TOKEN, ("GET", "/v1/customers/by-ban/NOBODY"), None).await;
    assert_eq!((missing.status, missing.json()["code"].as_str()), (404, Some("unknown_customer")));
}

#[tokio::test]
async fn a_customer_with_values_that_cannot_be_is_refused_by_pointer() {
    let lab = Lab::new().await;
    for (body, status, pointer) in [
        (json!({}), 422, ""),
        (json!({"company_name": ""}), 422, "/company_name"),
        (json!({"company_name": "a\u{7}"}), 422, "/company_name"),
        (json!({"company_name": 7}), 422, "/company_name"),
        (json!({"company_name": "Acme", "current_balance": "1000000"}), 422, "/current_balance"),
        (json!({"company_name": "Acme", "id": "0190f7c2-8f3e-7bb1-9d5e-3f0b6a0f1c11"}), 422, "/id"),
        (json!({"company_name": "Acme", "credit_limit": "-1"}), 422, "/credit_limit"),
        (json!({"company_name": "Acme", "currency": "usd"}), 422, "/currency"),
        (json!({"company_name": "Acme", "ban": "a b"}), 422, "/ban"),
    ] {
        let answer = lab.ask(TOKEN, ("POST", "/v1/customers"), Some(body.clone())).await;
        assert_eq!(answer.status, status, "{body} {}", answer.body);
        assert_eq!(answer.json()["errors"][0]["pointer"], pointer, "{body} {}", answer.body);
    }
    assert_eq!(lab.ask(TOKEN, ("GET", "/v1/customers"), None).await.json()["items"], json!([]));
}

#[tokio::test]
async fn a_ban_is_taken_once_and_a_repeated_request_is_done_once() {
    let lab = Lab::new().await;
    let body = json!({"company_name": "Acme", "ban": "DEMO-002"});
    let key = [("idempotency-key", "one")];
    let first = lab.ask_with(TOKEN, ("POST", "/v1/customers"), Some(body.clone()), &key).await;
    let again = lab.ask_with(TOKEN, ("POST", "/v1/customers"), Some(body.clone()), &key).await;
    assert_eq!((first.status, again.status), (201, 201), "{}", again.body);
    assert_eq!((&first.body, first.header("location")), (&again.body, again.header("location")));
    let other = json!({"company_name": "Other"});
    let other = lab.ask_with(TOKEN, ("POST", "/v1/customers"), Some(other), &key).await;
    assert_eq!((other.status, other.json()["code"].as_str()), (409, Some("idempotency_conflict")));
    // The digest of the request is keyed: a node that goes on knows it after a rotation of the root key.
    assert_eq!(lab.control("POST", "/v1/control/rotate/root-key", "").await.status, 200);
    let again = lab.ask_with(TOKEN, ("POST", "/v1/customers"), Some(body.clone()), &key).await;
    assert_eq!((again.status, &again.body), (201, &first.body));
    let taken = lab.ask(TOKEN, ("POST", "/v1/customers"), Some(body)).await;
    assert_eq!((taken.status, taken.json()["code"].as_str()), (409, Some("already_exists")));
}

/// Who reads the database must not learn of a password by trying those that are likely.
#[tokio::test]
async fn what_is_kept_of_a_request_is_no_plain_digest() {
    let lab = Lab::new().await;
    let body = json!({"company_name": "Acme"});
    let key = [("idempotency-key", "one")];
    assert_eq!(lab.ask_with(TOKEN, ("POST", "/v1/customers"), Some(body.clone()), &key).await.status, 201);
    let since = lab.api.clock.now().minus(REMEMBERED_FOR);
    let kept = audit::remembered(&lab.api.store, ("bootstrap", "one"), since).await.unwrap().unwrap();
    let mut plain = Sha256::new();
    for part in ["POST", "/v1/customers", &body.to_string()] {
        plain.update(u64::try_from(part.len()).unwrap().to_be_bytes());
        plain.update(part);
    }
    assert_eq!(kept.request_hash.len(), 32);
    assert_ne!(kept.request_hash, plain.finalize().to_vec());
}

/// Two forms that refuse unknown fields, put together, would accept nothing.
#[tokio::test]
async fn the_form_of_a_new_customer_has_all_that_one_may_have() {
    let lab = Lab::new().await;
    let body = json!({"ban": "ACME-1", "invite": "maria@example.net", "company_name": "Acme",
        "status": "TRIAL", "type": "PREPAID", "services": ["Voice"], "credit_limit": "10", "currency": "EUR", "tier": "PREMIUM",
        "hubspot_company_id": "1"});
    let mut schemas = Vec::new();
    let name = describe::<NewCustomer>(&mut schemas);
    let (_, form) = schemas.iter().find(|(known, _)| *known == name).unwrap();
    let form = serde_json::to_value(form).unwrap();
    assert_eq!((&form["type"], &form["additionalProperties"]), (&json!("object"), &json!(false)), "{form}");
    let fields =
        |object: &Value| -> BTreeSet<String> { object.as_object().unwrap().keys().cloned().collect() };
    assert_eq!(fields(&form["properties"]), fields(&body));
    let made = lab.ask(TOKEN, ("POST", "/v1/customers"), Some(body.clone())).await;
    assert_eq!(made.status, 201, "{}", made.body);
    for (field, value) in body.as_object().unwrap().iter().filter(|(field, _)| *field != "invite") {
        assert_eq!(made.json()[field], *value, "{field}");
    }
}

/// Mass assignment: neither the form of a customer nor a field too many in another form gives a customer credit.
#[tokio::test]
async fn a_customer_changes_nothing_of_itself_whatever_it_is_granted() {
    let lab = Lab::new().await;
    let (ban, id) = lab.customer("TB-1", "TRIAL").await;
    let path = format!("/v1/customers/{id}");
    let all: Vec<&str> = Permission::ALL.iter().map(|permission| permission.name()).collect();
    let key = lab.key(Some(&ban), &all).await;
    let (maria, session) = lab.user("maria@example.net", "user").await;
    let access = format!("/v1/users/{maria}/customers/{id}");
    let granted = lab.ask(TOKEN, ("PUT", &access), Some(json!({"permissions": all}))).await;
    assert_eq!(granted.status, 200, "{}", granted.body);
    let (maria, _) = lab.api.tokens.issue(maria, session, lab.api.clock.now()).unwrap();
    let before = lab.ask(TOKEN, ("GET", &path), None).await.json();
    let wanted = [
        ("credit_limit", json!("1000000")),
        ("tier", json!("PREMIUM")),
        ("status", json!("ACTIVE")),
        ("type", json!("PREPAID")),
        ("current_balance", json!("1000000")),
    ];
    for who in [&key, &maria] {
        assert_eq!(lab.ask(who, ("GET", &path), None).await.json(), before, "it sees itself");
        for (field, value) in &wanted {
            assert_ne!(before[field], *value);
            let mut body = json!({"company_name": before["company_name"]});
            body[field] = value.clone();
            let refused = lab.ask(who, ("PUT", &path), Some(body)).await;
            assert_eq!((refused.status, &refused.json()["code"]), (403, &json!("forbidden")), "{field}");
            let tier = ("PUT", "/v1/admin/customers/TB-1/tier");
            assert_eq!(lab.ask(who, tier, Some(json!({"tier": "PREMIUM"}))).await.status, 403);
            for (path, mut body) in [
                ("/v1/customers/trunks", json!({"name": "acme-east"})),
                ("/v1/api-keys", json!({"name": "crm", "permissions": []})),
            ] {
                body[field] = value.clone();
                let refused = lab.ask(who, ("POST", path), Some(body)).await;
                assert_eq!(refused.status, 422, "{path} {field} {}", refused.body);
                assert_eq!(refused.json()["errors"][0]["pointer"], format!("/{field}"), "{path}");
            }
        }
    }
    assert_eq!(lab.ask(TOKEN, ("GET", &path), None).await.json(), before);

    // The platform's own people may, but for the balance: that is what was paid and used.
    for (field, value) in &wanted {
        let mut body = json!({"company_name": before["company_name"]});
        body[field] = value.clone();
        let changed = lab.ask(TOKEN, ("PUT", &path), Some(body)).await;
        if *field == "current_balance" {
            assert_eq!((changed.status, changed.body.contains("/current_balance")), (422, true));
        } else {
            assert_eq!((changed.status, &changed.json()[field]), (200, value), "{}", changed.body);
        }
    }
    let after = lab.ask(TOKEN, ("GET", &path), None).await.json();
    assert_eq!(after["current_balance"], before["current_balance"]);
}

#[tokio::test]
async fn lists_are_paged_and_searched() {
    let lab = Lab::new().await;
    for (ban, name) in [("AAA", "First"), ("BBB", "Second"), ("CCC", "Third one"), ("DDD", "Fourth")] {
        let body = json!({"company_name": name, "ban": ban});
        assert_eq!(lab.ask(TOKEN, ("POST", "/v1/customers"), Some(body)).await.status, 201);
    }
    let bans = |answer: &crate::testing::Answer| -> Vec<String> {
        let items = answer.json()["items"].as_array().unwrap().clone();
        items.iter().map(|item| item["ban"].as_str().unwrap().to_owned()).collect()
    };
    for (query, found, next) in [
        ("", vec!["AAA", "BBB", "CCC", "DDD"], None),
        ("?limit=2", vec!["AAA", "BBB"], Some("BBB")),
        ("?limit=2&cursor=BBB", vec!["CCC", "DDD"], None),
        ("?search=ir", vec!["AAA", "CCC"], None),
        ("?search=bb", vec!["BBB"], None),
        ("?status=SUSPENDED", vec![], None),
    ] {
        let answer = lab.ask(TOKEN, ("GET", &format!("/v1/customers{query}")), None).await;
        assert_eq!(bans(&answer), found, "{query}");
        assert_eq!(answer.json()["next"].as_str(), next, "{query}");
    }
}

#[tokio::test]
async fn notes_come_the_newest_first_and_go() {
    let lab = Lab::new().await;
    let made = lab.ask(TOKEN, ("POST", "/v1/customers"), Some(json!({"company_name": "Acme"}))).await;
    let notes = format!("/v1/customers/{}/notes", made.json()["id"].as_str().unwrap());
    for text in ["first", "second\nline"] {
        let made = lab.ask(TOKEN, ("POST", &notes), Some(json!({"text": text}))).await;
        assert_eq!(made.status, 201, "{}", made.body);
        assert_eq!(made.json()["author"], "bootstrap");
    }
    let listed = lab.ask(TOKEN, ("GET", &notes), None).await.json();
    assert_eq!(listed["items"].as_array().unwrap().len(), 2);
    let one = format!("{notes}/{}", listed["items"][0]["id"].as_str().unwrap());
    assert_eq!(lab.ask(TOKEN, ("DELETE", &one), None).await.status, 204);
    assert_eq!(lab.ask(TOKEN, ("DELETE", &one), None).await.status, 404);
    assert_eq!(lab.ask(TOKEN, ("GET", &notes), None).await.json()["items"].as_array().unwrap().len(), 1);
}
