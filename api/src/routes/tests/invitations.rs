//! Invitations: by mail, good once, and never more than who invites.

use serde_json::{Value, json};

use crate::testing::{Answer, Lab, PASSWORD, TOKEN};

/// The secret of a mail.
fn secret(mail: &str) -> String {
    mail.split("http://localhost:8080/invitation#").nth(1).unwrap()[..43].to_owned()
}

async fn invite(lab: &Lab, email: &str, customer: &str) -> Answer {
    let body = json!({"email": email, "user_type": "user", "customer": customer});
    lab.ask(TOKEN, ("POST", "/v1/invitations"), Some(body)).await
}

async fn accept(lab: &Lab, token: &str) -> Answer {
    let body = json!({"token": token, "name": "Maria Silva", "password": PASSWORD});
    lab.ask("", ("POST", "/auth/invitations/accept"), Some(body)).await
}

fn path(made: &Answer) -> String {
    format!("/v1/invitations/{}", made.json()["id"].as_str().unwrap())
}

#[tokio::test]
async fn who_is_invited_becomes_a_user_of_one_customer() {
    let lab = Lab::new().await;
    let (_, customer) = lab.customer("OWN-1", "ACTIVE").await;
    lab.customer("OTHER-2", "ACTIVE").await;
    let made = invite(&lab, "Maria@example.net", "OWN-1").await;
    assert_eq!(made.status, 201, "{}", made.body);
    let shown = made.json();
    assert_eq!((&shown["email"], &shown["customer_id"]), (&json!("maria@example.net"), &json!(customer)));
    assert_eq!(made.header("location"), path(&made));
    let mail = lab.mail(1).await;
    assert!(mail.contains("\r\nTo: maria@example.net\r\n") && mail.contains(" for Company of 5."), "{mail}");
    let token = secret(&mail);
    while lab.ask(TOKEN, ("GET", &path(&made)), None).await.json()["sent_at"].is_null() {
        tokio::task::yield_now().await;
    }

    let accepted = accept(&lab, &token).await;
    assert_eq!(accepted.status, 201, "{}", accepted.body);
    let again = accept(&lab, &token).await;
    assert_eq!((again.status, &again.json()["errors"][0]["pointer"]), (422, &json!("/token")));
    let login = json!({"email": "maria@example.net", "password": PASSWORD});
    let tokens = lab.ask("", ("POST", "/auth/login"), Some(login)).await.json();
    let access = tokens["access_token"].as_str().unwrap();
    let seen = lab.ask(access, ("GET", "/v1/customers"), None).await.json();
    let bans: Vec<&Value> = seen["items"].as_array().unwrap().iter().map(|one| &one["ban"]).collect();
    assert_eq!(bans, ["OWN-1"]);
    assert_eq!(lab.ask(access, ("GET", "/v1/invitations"), None).await.status, 403);

    let audit = lab.ask(TOKEN, ("GET", "/v1/audit"), None).await.body;
    assert!(audit.contains("\"action\":\"accept\""), "{audit}");
    for text in [&audit, &made.body, &accepted.body] {
        assert!(!text.contains(&token) && !text.contains(PASSWORD), "a secret is shown: {text}");
    }
    for (method, place, status) in [("DELETE", path(&made), 409), ("POST", path(&made) + "/send", 409)] {
        assert_eq!(lab.ask(TOKEN, (method, &place), None).await.status, status, "{method} {place}");
    }
}

#[tokio::test]
async fn another_mail_makes_the_one_before_useless() {
    let lab = Lab::new().await;
    lab.customer("OWN-1", "ACTIVE").await;
    let made = invite(&lab, "maria@example.net", "OWN-1").await;
    let first = secret(&lab.mail(1).await);
    let twice = invite(&lab, "maria@example.net", "OWN-1").await;
    assert_eq!((twice.status, &twice.json()["code"]), (409, &json!("already_exists")));
    let sent = lab.ask(TOKEN, ("POST", &(path(&made) + "/send")), None).await;
    assert_eq!(sent.status, 200, "{}", sent.body);
    lab.mail(2).await;
    assert_eq!(accept(&lab, &first).await.status, 422);
    let open = lab.ask(TOKEN, ("GET", "/v1/invitations?open"), None).await.json();
    assert_eq!(open["items"].as_array().unwrap().len(), 1);
    assert_eq!(lab.ask(TOKEN, ("DELETE", &path(&made)), None).await.status, 204);
    for place in [path(&made), path(&made) + "/send"] {
        let method = if place.ends_with("send") { "POST" } else { "GET" };
        assert_eq!(lab.ask(TOKEN, (method, &place), None).await.status, 404, "{place}");
    }
    assert_eq!(invite(&lab, "maria@example.net", "OWN-1").await.status, 201);
}

#[tokio::test]
async fn a_new_customer_brings_its_first_user() {
    let lab = Lab::new().await;
    let body = json!({"company_name": "Acme", "ban": "ACME-1", "invite": "maria@example.net"});
    let made = lab.ask(TOKEN, ("POST", "/v1/customers"), Some(body)).await;
    assert_eq!(made.status, 201, "{}", made.body);
    let token = secret(&lab.mail(1).await);
    assert_eq!(accept(&lab, &token).await.json()["user_type"], "user");
    let users = lab.ask(TOKEN, ("GET", "/v1/users"), None).await.json();
    let customers = format!("/v1/users/{}/customers", users["items"][0]["id"].as_str().unwrap());
    let customers = lab.ask(TOKEN, ("GET", &customers), None).await.json();
    assert_eq!(customers["items"][0]["customer_id"], made.json()["id"]);

    // The customer and the invitation are one write: there is no half of it.
    let body = json!({"company_name": "Other", "ban": "OTHER-2", "invite": "maria@example.net"});
    let refused = lab.ask(TOKEN, ("POST", "/v1/customers"), Some(body)).await;
    assert_eq!((refused.status, &refused.json()["code"]), (409, &json!("already_exists")));
    assert_eq!(lab.ask(TOKEN, ("GET", "/v1/customers/by-ban/OTHER-2"), None).await.status, 404);
    let without = lab.key(None, &["customers:manage"]).await;
    let body = json!({"company_name": "Other", "invite": "john@example.net"});
    assert_eq!(lab.ask(&without, ("POST", "/v1/customers"), Some(body)).await.status, 403);
}

#[tokio::test]
async fn invitations_that_cannot_be_are_refused() {
    let lab = Lab::new().await;
    lab.customer("OWN-1", "ACTIVE").await;
    lab.user("known@example.net", "user").await;
    let weak = lab.key(None, &["users:manage"]).await;
    let body = |email: &str, user_type: &str, customer: Value| json!({"email": email, "user_type": user_type, "customer": customer});
    let good = "maria@example.net";
    for (who, body, status, place) in [
        (TOKEN, body("maria", "admin", Value::Null), 422, json!("/email")),
        (TOKEN, body(good, "root", Value::Null), 422, json!("/user_type")),
        (TOKEN, body(good, "user", Value::Null), 422, json!("/customer")),
        (TOKEN, body(good, "user", json!("NOBODY-9")), 422, json!("/customer")),
        (TOKEN, body(good, "superAdmin", json!("OWN-1")), 422, json!("/customer")),
        (TOKEN, body("Known@example.net", "user", json!("OWN-1")), 409, Value::Null),
        (weak.as_str(), body(good, "admin", Value::Null), 403, Value::Null),
    ] {
        let refused = lab.ask(who, ("POST", "/v1/invitations"), Some(body.clone())).await;
        assert_eq!(refused.status, status, "{body} {}", refused.body);
        assert_eq!(refused.json()["errors"][0]["pointer"], place, "{body}");
    }
    let token = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8";
    for (token, name, password, place) in [
        (token, "Maria", PASSWORD, "/token"),
        ("nonsense", "Maria", PASSWORD, "/token"),
        (token, "", PASSWORD, "/name"),
        (token, "Maria", "elevenchars", "/password"),
    ] {
        let body = json!({"token": token, "name": name, "password": password});
        let refused = lab.ask("", ("POST", "/auth/invitations/accept"), Some(body)).await;
        assert_eq!((refused.status, &refused.json()["errors"][0]["pointer"]), (422, &json!(place)));
    }
    assert_eq!(lab.ask(TOKEN, ("GET", "/v1/invitations"), None).await.json()["items"], json!([]));
}
