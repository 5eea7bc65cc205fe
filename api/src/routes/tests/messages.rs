//! Messages written as text, and the webhooks of ESME accounts.

use actors::smpp::message_router::install;
use runtime::store::messaging;
use serde_json::{Value, json};

use crate::testing::{Answer, Lab, TOKEN};

const SMS: &str = "/v1/messages/sms";

/// A customer with the account `acme`, and one with `other`; a vendor that is not bound has every route.
struct Fixture {
    lab: Lab,
    own: String,
    own_key: String,
    other_key: String,
}

impl Fixture {
    async fn new() -> Self {
        let lab = Lab::new().await;
        let log = lab.smpp.log.clone();
        tokio::spawn(async move { log.run(|_| {}).await });
        let (_, own) = lab.customer("OWN-1", "ACTIVE").await;
        lab.customer("OTHER-2", "ACTIVE").await;
        let may = ["messages:send", "messages:read", "webhooks:manage", "webhooks:read", "accounts:read"];
        let own_key = lab.key(Some("OWN-1"), &may).await;
        let other_key = lab.key(Some("OTHER-2"), &may).await;
        let vendor = json!({"instance_name": "v", "host": "smpp.vendor.example", "port": 3601, "system_id": "w",
            "password": "hidden77"});
        let route = json!({"name": "all", "vendor": "v", "prefix": "1"});
        let fixture = Self { lab, own, own_key, other_key };
        fixture.made("/v1/admin/sms-vendors", vendor).await;
        fixture.made("/v1/admin/sms-routes", route).await;
        fixture.account("OWN-1", "acme").await;
        fixture.account("OTHER-2", "other").await;
        fixture
    }

    async fn made(&self, path: &str, body: Value) -> Value {
        let made = self.lab.ask(TOKEN, ("POST", path), Some(body)).await;
        assert_eq!(made.status, 201, "{}", made.body);
        self.in_force().await;
        made.json()
    }

    async fn account(&self, ban: &str, system_id: &str) -> String {
        let path = format!("/v1/admin/customers/{ban}/esme-accounts");
        self.made(&path, json!({"system_id": system_id})).await["id"].as_str().unwrap().to_owned()
    }

    /// What the router of a running node does.
    async fn in_force(&self) {
        install(&self.lab.smpp, messaging::load(&self.lab.api.store, &self.lab.api.root_key).await.unwrap());
    }

    async fn send(&self, body: Value) -> Answer {
        self.lab.ask(&self.own_key, ("POST", SMS), Some(body)).await
    }

    async fn send_with(&self, key: &str, body: Value) -> Answer {
        self.lab.ask_with(&self.own_key, ("POST", SMS), Some(body), &[("idempotency-key", key)]).await
    }

    async fn messages(&self) -> usize {
        let listed = self.lab.ask(TOKEN, ("GET", "/v1/mdrs"), None).await;
        listed.json()["items"].as_array().unwrap().len()
    }

    async fn webhook(&self) -> String {
        let accounts = format!("/v1/customers/{}/esme-accounts", self.own);
        let accounts = self.lab.ask(&self.own_key, ("GET", &accounts), None).await.json();
        let id = accounts["items"][0]["id"].as_str().unwrap().to_owned();
        format!("/v1/customers/{}/esme-accounts/{id}/webhook", self.own)
    }
}

fn sms(to: &str) -> Value {
    json!({"from": "WARP", "to": to, "text": "hello"})
}

fn code(answer: &Answer) -> (u16, String) {
    (answer.status, answer.json()["code"].as_str().unwrap_or_default().to_owned())
}

#[tokio::test]
async fn a_message_is_taken_and_its_state_is_told_to_its_customer_alone() {
    let fixture = Fixture::new().await;
    let sent = fixture.send(sms("+15550002222")).await;
    assert_eq!((sent.status, &sent.json()["segments"]), (202, &json!(1)), "{}", sent.body);
    let path = format!("/v1/messages/{}", sent.json()["message_id"].as_str().unwrap());
    let told = fixture.lab.ask(&fixture.own_key, ("GET", &path), None).await.json();
    assert_eq!((&told["state"], &told["account"]), (&json!("queued"), &json!("acme")));
    assert_eq!((&told["from"], &told["to"]), (&json!("WARP"), &json!("15550002222")));
    assert_eq!(fixture.lab.ask(TOKEN, ("GET", &path), None).await.status, 200);
    assert_eq!(fixture.lab.ask(&fixture.other_key, ("GET", &path), None).await.status, 404);
    for id in ["0", "zzzzzzzzzzzzzzzz", "0000000000000001", "0000000000000000001", "%ff"] {
        let path = format!("/v1/messages/{id}");
        assert_eq!(fixture.lab.ask(&fixture.own_key, ("GET", &path), None).await.status, 404, "{id}");
    }
    let long =
        fixture.send(json!({"from": "+15550001111", "to": "15550002222", "text": "x".repeat(161)})).await;
    assert_eq!((long.status, &long.json()["segments"]), (202, &json!(2)), "{}", long.body);
}

#[tokio::test]
async fn a_message_that_cannot_be_is_refused_by_pointer() {
    let fixture = Fixture::new().await;
    for (field, value) in [
        ("from", json!("=cmd|' /C calc'!A0")),
        ("from", json!("")),
        ("to", json!("+")),
        ("to", json!("WARP")),
        ("to", json!("4915550002222")),
        ("text", json!("")),
        ("priority", json!(4)),
        ("validity_seconds", json!(0)),
        ("validity_seconds", json!(2_592_001)),
        ("deliver_at", json!("tomorrow")),
        ("deliver_at", json!("2099-01-01T00:00:00Z")),
        ("callback_url", json!("https://sms.customer.example/")),
        ("callback_url", json!("ftp://sms.customer.example/")),
        ("account", json!("other")),
        ("account", json!("nobody")),
        ("segments", json!(1)),
    ] {
        let mut body = sms("15550002222");
        body[field] = value;
        let refused = fixture.send(body).await;
        assert_eq!(code(&refused), (422, "invalid".to_owned()), "{field}: {}", refused.body);
        assert_eq!(refused.json()["errors"][0]["pointer"], format!("/{field}"), "{}", refused.body);
    }
    assert_eq!(fixture.messages().await, 0);
}

#[tokio::test]
async fn many_messages_have_an_answer_each() {
    let fixture = Fixture::new().await;
    let mut bad = sms("15550002222");
    bad["text"] = json!("");
    let sent = fixture.send(json!({"items": [sms("15550001111"), bad, sms("15550003333")]})).await;
    assert_eq!(sent.status, 202, "{}", sent.body);
    let items = sent.json()["items"].clone();
    let statuses: Vec<&Value> = items.as_array().unwrap().iter().map(|item| &item["status"]).collect();
    assert_eq!(statuses, [202, 422, 202]);
    assert_eq!(items[1]["problem"]["errors"][0]["pointer"], "/text");
    assert_ne!(items[0]["message"]["message_id"], items[2]["message"]["message_id"]);
    assert_eq!(fixture.messages().await, 2);
    assert_eq!(code(&fixture.send(json!({"items": []})).await), (422, "invalid".to_owned()));
    let unknown = json!({"items": [sms("15550001111")], "account": "acme"});
    assert_eq!(code(&fixture.send(unknown).await), (422, "invalid".to_owned()));
}

#[tokio::test]
async fn a_repetition_sends_nothing_twice_and_what_was_not_taken_again() {
    let fixture = Fixture::new().await;
    let first = fixture.send_with("one", sms("15550002222")).await;
    let again = fixture.send_with("one", sms("15550002222")).await;
    assert_eq!((first.status, again.status), (202, 202), "{}", again.body);
    assert_eq!(first.json()["message_id"], again.json()["message_id"]);
    assert_eq!(fixture.messages().await, 1);
    let other = fixture.send_with("one", sms("15550003333")).await;
    assert_eq!(code(&other), (409, "idempotency_conflict".to_owned()));
    // Keys of one mean nothing to another.
    let key = [("idempotency-key", "one")];
    let foreign =
        fixture.lab.ask_with(&fixture.other_key, ("POST", SMS), Some(sms("15550002222")), &key).await;
    assert_eq!(foreign.status, 202, "{}", foreign.body);
    assert_ne!(foreign.json()["message_id"], first.json()["message_id"]);

    let many = json!({"items": [sms("15550001111"), sms("4915550002222")]});
    let first = fixture.send_with("two", many.clone()).await.json();
    assert_eq!((&first["items"][0]["status"], &first["items"][1]["status"]), (&json!(202), &json!(422)));
    let route = json!({"name": "germany", "vendor": "v", "prefix": "49"});
    fixture.made("/v1/admin/sms-routes", route).await;
    let again = fixture.send_with("two", many).await.json();
    assert_eq!(again["items"][0]["message"]["message_id"], first["items"][0]["message"]["message_id"]);
    assert_eq!(again["items"][1]["status"], 202);
    assert_eq!(fixture.messages().await, 4);
}

#[tokio::test]
async fn who_sends_is_known_or_named() {
    let fixture = Fixture::new().await;
    // An operator works for all customers.
    let unnamed = fixture.lab.ask(TOKEN, ("POST", SMS), Some(sms("15550002222"))).await;
    assert_eq!(unnamed.json()["errors"][0]["pointer"], "/account", "{}", unnamed.body);
    let mut named = sms("15550002222");
    named["account"] = json!("other");
    assert_eq!(fixture.lab.ask(TOKEN, ("POST", SMS), Some(named)).await.status, 202);
    fixture.account("OWN-1", "acme-2").await;
    let several = fixture.send(sms("15550002222")).await;
    assert_eq!(several.json()["errors"][0]["pointer"], "/account", "{}", several.body);
    let mut named = sms("15550002222");
    named["account"] = json!("acme-2");
    assert_eq!(fixture.send(named.clone()).await.status, 202);
    let path = format!("/v1/customers/{}", fixture.own);
    let suspended = json!({"company_name": "Acme", "status": "SUSPENDED"});
    assert_eq!(fixture.lab.ask(TOKEN, ("PUT", &path), Some(suspended)).await.status, 200);
    assert_eq!(code(&fixture.send(named).await), (403, "customer_suspended".to_owned()));
}

#[tokio::test]
async fn a_webhook_is_its_customer_s_and_its_secret_is_shown_once() {
    let fixture = Fixture::new().await;
    let path = fixture.webhook().await;
    let ask = async |method: &str, body: Option<Value>| {
        let answer = fixture.lab.ask(&fixture.own_key, (method, &path), body).await;
        fixture.in_force().await;
        answer
    };
    assert_eq!(ask("GET", None).await.status, 404);
    let made = ask("PUT", Some(json!({"url": "https://sms.customer.example/a"}))).await;
    assert_eq!(made.status, 200, "{}", made.body);
    let secret = made.json()["secret"].as_str().unwrap().to_owned();
    assert!(secret.starts_with("whsec_"), "{secret}");
    let in_force = || {
        let account = fixture.lab.smpp.accounts.load().by_system_id("acme").cloned().unwrap();
        let webhook = account.settings.load().webhook.clone();
        webhook.map(|webhook| (webhook.url.to_string(), webhook.secret.clone().unwrap().expose().to_owned()))
    };
    assert_eq!(in_force(), Some(("https://sms.customer.example/a".to_owned(), secret.clone())));
    // The secret stays when none is given.
    let moved = ask("PUT", Some(json!({"url": "https://sms.customer.example/b"}))).await;
    assert_eq!((moved.status, moved.json().get("secret")), (200, None), "{}", moved.body);
    assert_eq!(in_force(), Some(("https://sms.customer.example/b".to_owned(), secret.clone())));
    let given = json!({"url": "https://sms.customer.example/b", "secret": "a-secret-of-the-customer"});
    assert_eq!(ask("PUT", Some(given)).await.status, 200);
    assert_eq!(in_force().unwrap().1, "a-secret-of-the-customer");
    for shown in [ask("GET", None).await, fixture.lab.ask(TOKEN, ("GET", "/v1/audit"), None).await] {
        assert!(shown.status == 200 && !shown.body.contains(&secret), "{}", shown.body);
        assert!(!shown.body.contains("a-secret-of-the-customer"), "{}", shown.body);
    }
    assert_eq!(fixture.lab.ask(&fixture.other_key, ("GET", &path), None).await.status, 404);
    for (field, value) in [
        ("url", json!("sms.customer.example")),
        ("url", json!("file:///etc/passwd")),
        ("url", json!("https://user:word@sms.customer.example/")),
        ("url", json!("http://127.0.0.1/")),
        ("url", json!("http://[::ffff:10.0.0.1]/")),
        ("url", json!("http://2852039166/latest/meta-data")),
        ("secret", json!("short")),
    ] {
        let mut body = json!({"url": "https://sms.customer.example/b"});
        body[field] = value;
        let refused = ask("PUT", Some(body)).await;
        assert_eq!(refused.json()["errors"][0]["pointer"], format!("/{field}"), "{}", refused.body);
    }
    let mut callback = sms("15550002222");
    callback["callback_url"] = json!("https://sms.customer.example/c");
    let sent = fixture.send(callback.clone()).await;
    assert_eq!(sent.status, 202, "{}", sent.body);
    assert_eq!(ask("DELETE", None).await.status, 204);
    assert_eq!((in_force(), ask("DELETE", None).await.status), (None, 404));
    assert_eq!(fixture.send(callback).await.json()["errors"][0]["pointer"], "/callback_url");
}
