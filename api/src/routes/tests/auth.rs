//! Logins, their tokens and what ends them.

use serde_json::json;

use crate::testing::{Lab, PASSWORD};

#[tokio::test]
async fn a_login_gives_tokens_that_end_with_it() {
    let lab = Lab::new().await;
    lab.user("maria@example.net", "admin").await;
    let login = json!({"email": "Maria@Example.net", "password": PASSWORD});
    let tokens = lab.ask("", ("POST", "/auth/login"), Some(login)).await;
    assert_eq!(tokens.status, 200, "{}", tokens.body);
    let tokens = tokens.json();
    let access = tokens["access_token"].as_str().unwrap();
    let who = lab.ask(access, ("GET", "/auth/validate"), None).await.json();
    assert_eq!(
        (who["name"].as_str(), who["operator"].as_bool()),
        (Some("user:maria@example.net"), Some(true))
    );
    assert_eq!(lab.ask(access, ("GET", "/v1/customers"), None).await.status, 200);
    assert_eq!(lab.ask(access, ("POST", "/auth/logout"), None).await.status, 204);
    assert_eq!(lab.ask(access, ("GET", "/v1/customers"), None).await.status, 401);
    let refresh = json!({"refresh_token": tokens["refresh_token"]});
    assert_eq!(lab.ask("", ("POST", "/auth/refresh"), Some(refresh)).await.status, 401);
}

#[tokio::test]
async fn a_refresh_token_that_comes_twice_ends_the_session() {
    let lab = Lab::new().await;
    lab.user("maria@example.net", "admin").await;
    let login = json!({"email": "maria@example.net", "password": PASSWORD});
    let first = lab.ask("", ("POST", "/auth/login"), Some(login)).await.json();
    let exchange = |token: &serde_json::Value| json!({"refresh_token": token});
    let second = lab.ask("", ("POST", "/auth/refresh"), Some(exchange(&first["refresh_token"]))).await;
    assert_eq!(second.status, 200, "{}", second.body);
    let second = second.json();
    let access = second["access_token"].as_str().unwrap();
    assert_eq!(lab.ask(access, ("GET", "/auth/validate"), None).await.status, 200);
    let stolen = lab.ask("", ("POST", "/auth/refresh"), Some(exchange(&first["refresh_token"]))).await;
    assert_eq!(stolen.status, 401);
    assert_eq!(lab.ask(access, ("GET", "/auth/validate"), None).await.status, 401);
    let rightful = lab.ask("", ("POST", "/auth/refresh"), Some(exchange(&second["refresh_token"]))).await;
    assert_eq!(rightful.status, 401);
}

#[tokio::test]
async fn logins_are_refused_in_one_way_and_only_so_often() {
    let lab = Lab::new().await;
    lab.user("maria@example.net", "admin").await;
    let mut answers = Vec::new();
    for (email, password) in [("maria@example.net", "wrong"), ("nobody@example.net", PASSWORD)] {
        let login = json!({"email": email, "password": password});
        let answer = lab.ask("", ("POST", "/auth/login"), Some(login)).await;
        let mut body = answer.json();
        body["instance"] = "".into();
        answers.push((answer.status, body));
    }
    assert_eq!(answers[0], answers[1]);
    assert_eq!(answers[0].0, 401);
    let mut last = 0;
    for _ in 0..6 {
        let login = json!({"email": "maria@example.net", "password": "wrong"});
        last = lab.ask("", ("POST", "/auth/login"), Some(login)).await.status;
    }
    assert_eq!(last, 429);
    // The account is not shut for others than those who guess: an hour of guesses is 300.
    let login = json!({"email": "maria@example.net", "password": PASSWORD});
    assert_eq!(lab.ask("", ("POST", "/auth/login"), Some(login)).await.status, 429);
}

#[tokio::test]
async fn nobody_gives_a_key_more_than_he_has() {
    let lab = Lab::new().await;
    lab.customer("OWN-1", "ACTIVE").await;
    let key = lab.key(Some("OWN-1"), &["api_keys:manage", "calls:read"]).await;
    for (permissions, customer, status) in [
        (json!(["calls:read"]), json!(null), 201),
        (json!(["calls:read", "vendors:manage"]), json!(null), 403),
        (json!(["calls:listen"]), json!(null), 422),
        (json!(["calls:read"]), json!("NOBODY"), 422),
    ] {
        let body = json!({"name": "mine", "permissions": permissions, "customer": customer});
        let answer = lab.ask(&key, ("POST", "/v1/api-keys"), Some(body.clone())).await;
        assert_eq!(answer.status, status, "{body} {}", answer.body);
    }
}

#[tokio::test]
async fn the_gatekeeper_says_what_the_gate_does() {
    let lab = Lab::new().await;
    let (_, id) = lab.customer("OWN-1", "ACTIVE").await;
    let key = lab.key(Some("OWN-1"), &["calls:read"]).await;
    let mine = lab.ask(&key, ("GET", "/v1/gatekeeper/my-permissions"), None).await.json();
    assert_eq!(mine["global"], json!([]));
    assert_eq!(
        mine["customers"][0],
        json!({"customer_id": id, "ban": "OWN-1", "permissions": ["calls:read"]})
    );
    let checks = json!({"checks": [
        {"permission": "calls:read", "customer_id": id},
        {"permission": "calls:read"},
        {"permission": "calls:manage", "customer_id": id},
        {"permission": "no:thing", "customer_id": id},
    ]});
    let verdicts = lab.ask(&key, ("POST", "/v1/gatekeeper/check-access-batch"), Some(checks)).await.json();
    let allowed: Vec<bool> =
        verdicts["results"].as_array().unwrap().iter().map(|one| one["allowed"].as_bool().unwrap()).collect();
    assert_eq!(allowed, [true, false, false, false]);
}
