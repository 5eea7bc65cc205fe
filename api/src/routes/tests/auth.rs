//! Logins, their tokens and what ends them.

use runtime::store::auth::signing_key::SETTLED_MIN;
use serde_json::json;

use crate::testing::{Lab, PASSWORD, TOKEN};

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

/// Names of the published keys, the youngest first.
async fn published(lab: &Lab) -> Vec<String> {
    let set = lab.ask("", ("GET", "/.well-known/jwks.json"), None).await.json();
    let keys = set["keys"].as_array().unwrap().iter();
    keys.map(|key| key["kid"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn a_new_key_of_access_tokens_is_published_before_it_signs() {
    let lab = Lab::new().await;
    let path = "/v1/control/rotate/access-token-key";
    let (user, session) = lab.user("maria@example.net", "admin").await;
    let [old] = published(&lab).await.try_into().unwrap();
    let mut announced = lab.smpp.announcements.subscribe();
    assert_eq!(lab.ask(TOKEN, ("POST", path), None).await.status, 404, "it is for the machine alone");
    let made = lab.control("POST", path, "").await;
    assert_eq!(made.status, 200, "{}", made.body);
    let new = made.json()["kid"].as_str().unwrap().to_owned();
    assert!(announced.has_changed().unwrap());
    announced.mark_unchanged();
    // As followers do on every node.
    lab.api.load().await.unwrap();
    assert_eq!(published(&lab).await, [new.as_str(), old.as_str()]);

    let now = lab.api.clock.now();
    for (at, signs) in [(now, &old), (now.plus(SETTLED_MIN), &new)] {
        let (token, _) = lab.api.tokens.issue(user, session, at).unwrap();
        assert_eq!(jsonwebtoken::decode_header(&token).unwrap().kid.as_ref(), Some(signs));
        let known = lab.ask(&token, ("GET", "/auth/validate"), None).await;
        assert_eq!(known.status, 200, "{}", known.body);
    }

    // Tokens of the first key are good yet, and it signs yet.
    for again in [path.to_owned(), format!("{path}?force=true")] {
        let refused = lab.control("POST", &again, "").await;
        assert_eq!((refused.status, &refused.json()["code"]), (409, &json!("too_soon")), "{again}");
    }
    assert!(!announced.has_changed().unwrap());
    assert_eq!(lab.control("POST", &format!("{path}?force=perhaps"), "").await.status, 400);
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
