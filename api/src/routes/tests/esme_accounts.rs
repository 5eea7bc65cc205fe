//! ESME accounts and what a customer's messaging is limited to.

use runtime::password::verify;
use runtime::store::messaging;
use serde_json::{Value, json};

use crate::testing::{Answer, Lab, TOKEN};

const ACCOUNTS: &str = "/v1/admin/customers/TB-1/esme-accounts";

fn code(answer: &Answer) -> (u16, String) {
    (answer.status, answer.json()["code"].as_str().unwrap_or_default().to_owned())
}

/// Whether the account may bind with this password.
async fn binds(lab: &Lab, system_id: &str, password: &str) -> bool {
    let messaging = messaging::load(&lab.api.store, &lab.api.root_key).await.unwrap();
    let account = messaging.accounts.iter().find(|account| account.system_id.as_str() == system_id).unwrap();
    verify(Some(&account.password), password.as_bytes())
}

#[tokio::test]
async fn an_account_is_made_changed_and_taken_away_and_its_password_is_shown_once() {
    let lab = Lab::new().await;
    lab.customer("TB-1", "ACTIVE").await;
    let made = lab.ask(TOKEN, ("POST", ACCOUNTS), Some(json!({"system_id": "acme", "window": 20}))).await;
    assert_eq!(made.status, 201, "{}", made.body);
    let account = made.json();
    let password = account["password"].as_str().unwrap().to_owned();
    assert_eq!((password.len(), &account["customer"], &account["window"]), (8, &json!("TB-1"), &json!(20)));
    assert!(binds(&lab, "acme", &password).await);
    let path = format!("{ACCOUNTS}/{}", account["id"].as_str().unwrap());
    assert_eq!(made.header("location"), path);
    for shown in
        [lab.ask(TOKEN, ("GET", &path), None).await, lab.ask(TOKEN, ("GET", "/v1/audit"), None).await]
    {
        assert!(shown.status == 200 && !shown.body.contains(&password), "{}", shown.body);
        assert!(!shown.body.contains("argon2"), "{}", shown.body);
    }

    let change = json!({"system_id": "acme", "bind_modes": ["TX"], "ip_whitelist": ["192.0.2.0/24"]});
    let changed = lab.ask(TOKEN, ("PUT", &path), Some(change.clone())).await;
    assert_eq!((changed.status, &changed.json()["window"]), (200, &json!(100)), "{}", changed.body);
    assert!(binds(&lab, "acme", &password).await, "it stays when it is not given");
    let mut with_password = change;
    with_password["password"] = json!("secret12");
    with_password["active"] = json!(false);
    assert_eq!(
        code(&lab.ask(TOKEN, ("DELETE", &path), None).await),
        (409, "in_use".to_owned()),
        "it is active"
    );
    let changed = lab.ask(TOKEN, ("PUT", &path), Some(with_password)).await;
    assert_eq!((changed.status, changed.body.contains("secret12")), (200, false));
    assert!(binds(&lab, "acme", "secret12").await && !binds(&lab, "acme", &password).await);
    assert_eq!(lab.ask(TOKEN, ("DELETE", &path), None).await.status, 204);
    assert_eq!(lab.ask(TOKEN, ("GET", &path), None).await.status, 404);
}

#[tokio::test]
async fn a_password_that_is_given_is_not_shown_and_a_repeated_request_shows_none() {
    let lab = Lab::new().await;
    lab.customer("TB-1", "ACTIVE").await;
    let body = json!({"system_id": "given", "password": "secret12"});
    let made = lab.ask(TOKEN, ("POST", ACCOUNTS), Some(body)).await;
    assert_eq!((made.status, made.body.contains("secret12")), (201, false), "{}", made.body);
    assert!(binds(&lab, "given", "secret12").await);
    let key = [("idempotency-key", "one")];
    let body = json!({"system_id": "made"});
    let first = lab.ask_with(TOKEN, ("POST", ACCOUNTS), Some(body.clone()), &key).await;
    let again = lab.ask_with(TOKEN, ("POST", ACCOUNTS), Some(body), &key).await;
    assert_eq!((first.status, again.status), (201, 201), "{}", again.body);
    assert_eq!(again.json()["id"], first.json()["id"]);
    assert_eq!((first.json()["password"].is_string(), again.json().get("password")), (true, None));
}

#[tokio::test]
async fn an_account_with_values_that_cannot_be_is_refused_by_pointer() {
    let lab = Lab::new().await;
    lab.customer("TB-1", "ACTIVE").await;
    lab.customer("TB-2", "ACTIVE").await;
    assert_eq!(lab.ask(TOKEN, ("POST", ACCOUNTS), Some(json!({"system_id": "acme"}))).await.status, 201);
    let elsewhere = ACCOUNTS.replace("TB-1", "TB-2");
    let taken = lab.ask(TOKEN, ("POST", &elsewhere), Some(json!({"system_id": "acme"}))).await;
    assert_eq!((code(&taken), taken.body.contains("TB-1")), ((409, "already_exists".to_owned()), false));
    for (field, value) in [
        ("system_id", json!("sixteen-letters-")),
        ("customer", json!("TB-2")),
        ("password", json!("")),
        ("password", json!("nine char")),
        ("binds_max", json!(0)),
        ("window", json!(10_001)),
        ("bind_modes", json!(["RTX"])),
        ("ip_whitelist", json!(["300.0.0.0/8"])),
        ("message_id_format", json!("octal")),
    ] {
        let mut body = json!({"system_id": "other"});
        body[field] = value.clone();
        let refused = lab.ask(TOKEN, ("POST", ACCOUNTS), Some(body)).await;
        let pointer = refused.json()["errors"][0]["pointer"].as_str().unwrap().to_owned();
        assert_eq!(refused.status, 422, "{field} {value} {}", refused.body);
        assert!(pointer.starts_with(&format!("/{field}")), "{value} {}", refused.body);
    }
}

#[tokio::test]
async fn a_customer_sees_its_own_accounts_and_no_others() {
    let lab = Lab::new().await;
    let mut keys = Vec::new();
    for (ban, system_id) in [("TB-1", "acme"), ("TB-2", "beta")] {
        let (_, id) = lab.customer(ban, "ACTIVE").await;
        let path = format!("/v1/admin/customers/{ban}/esme-accounts");
        let made = lab.ask(TOKEN, ("POST", &path), Some(json!({"system_id": system_id}))).await;
        assert_eq!(made.status, 201, "{}", made.body);
        let key = lab.key(Some(ban), &["accounts:read", "accounts:manage"]).await;
        keys.push((key, format!("/v1/customers/{id}/esme-accounts"), made.header("location").to_owned()));
    }
    let system_ids = |answer: Answer| -> Vec<Value> {
        answer.json()["items"].as_array().unwrap().iter().map(|item| item["system_id"].clone()).collect()
    };
    assert_eq!(system_ids(lab.ask(&keys[0].0, ("GET", &keys[0].1), None).await), [json!("acme")]);
    assert_eq!(system_ids(lab.ask(&keys[1].0, ("GET", &keys[1].1), None).await), [json!("beta")]);
    assert_eq!(lab.ask(&keys[1].0, ("GET", &keys[0].1), None).await.status, 404);
    for method in ["GET", "DELETE"] {
        assert_eq!(lab.ask(&keys[1].0, (method, &keys[0].2), None).await.status, 403, "{method}");
    }
    // By the path of another customer there is no such account.
    let crossed = keys[0].2.replace("TB-1", "TB-2");
    assert_eq!(lab.ask(TOKEN, ("GET", &crossed), None).await.status, 404);
}

#[tokio::test]
async fn the_limits_of_a_customer_are_read_and_changed() {
    let lab = Lab::new().await;
    lab.customer("TB-1", "ACTIVE").await;
    let path = "/v1/admin/customers/TB-1/messaging-config";
    let read = lab.ask(TOKEN, ("GET", path), None).await;
    assert_eq!((read.status, read.json()), (200, json!({"throughput": 0, "outbox_max": 1_000_000})));
    let body = json!({"throughput": 500, "outbox_max": 10});
    let headers = [("if-match", read.header("etag"))];
    let changed = lab.ask_with(TOKEN, ("PUT", path), Some(body.clone()), &headers).await;
    assert_eq!((changed.status, changed.json()), (200, body.clone()), "{}", changed.body);
    assert_eq!(lab.ask(TOKEN, ("GET", path), None).await.json(), body);
    let stale = lab.ask_with(TOKEN, ("PUT", path), Some(body), &headers).await;
    assert_eq!(code(&stale), (412, "changed".to_owned()));
    for (body, pointer) in [
        (json!({"outbox_max": 0}), "/outbox_max"),
        (json!({"throughput": -1}), "/throughput"),
        (json!({"window": 1}), "/window"),
    ] {
        let refused = lab.ask(TOKEN, ("PUT", path), Some(body)).await;
        assert_eq!((refused.status, &refused.json()["errors"][0]["pointer"]), (422, &json!(pointer)));
    }
    assert_eq!(
        lab.ask(TOKEN, ("GET", "/v1/admin/customers/NOBODY/messaging-config"), None).await.status,
        404
    );
}
