//! Users, their types, their passwords and the customers that they work for.

use serde_json::{Value, json};
use uuid::Uuid;

use crate::testing::{Answer, Lab, PASSWORD, TOKEN};

/// An access token of a session.
fn token(lab: &Lab, (user, session): (Uuid, Uuid)) -> String {
    lab.api.tokens.issue(user, session, lab.api.clock.now()).unwrap().0
}

fn of(answer: &Answer, key: &str) -> Vec<String> {
    let items = answer.json()["items"].as_array().unwrap().clone();
    items.iter().map(|item| item[key].as_str().unwrap().to_owned()).collect()
}

fn pointer(answer: &Answer) -> String {
    answer.json()["errors"][0]["pointer"].as_str().unwrap_or_default().to_owned()
}

#[tokio::test]
async fn a_user_is_made_found_and_changed() {
    let lab = Lab::new().await;
    let body = json!({"email": "Maria@Example.net", "name": "Maria Silva", "user_type": "admin"});
    let made = lab.ask(TOKEN, ("POST", "/v1/users"), Some(body.clone())).await;
    assert_eq!(made.status, 201, "{}", made.body);
    let user = made.json();
    assert_eq!((&user["email"], &user["has_password"]), (&json!("maria@example.net"), &json!(false)));
    let path = format!("/v1/users/{}", user["id"].as_str().unwrap());
    assert_eq!(made.header("location"), path);
    let twice = lab.ask(TOKEN, ("POST", "/v1/users"), Some(body)).await;
    assert_eq!((twice.status, &twice.json()["code"]), (409, &json!("already_exists")));
    lab.user("john_100%@example.net", "user").await;
    for (query, found) in [
        ("", vec!["john_100%@example.net", "maria@example.net"]),
        ("?limit=1", vec!["john_100%@example.net"]),
        ("?limit=1&cursor=john_100%25@example.net", vec!["maria@example.net"]),
        ("?search=SILVA", vec!["maria@example.net"]),
        ("?search=_100%25", vec!["john_100%@example.net"]),
        ("?search=__", vec![]),
        ("?user_type=user", vec!["john_100%@example.net"]),
        ("?active=false", vec![]),
    ] {
        let listed = lab.ask(TOKEN, ("GET", &format!("/v1/users{query}")), None).await;
        assert_eq!(of(&listed, "email"), found, "{query}");
    }

    let change = json!({"name": "Maria S.", "user_type": "user"});
    let stale = [("if-match", "\"old\"")];
    let stale = lab.ask_with(TOKEN, ("PUT", &path), Some(change.clone()), &stale).await;
    assert_eq!(stale.status, 412);
    let read = lab.ask(TOKEN, ("GET", &path), None).await;
    let fresh = [("if-match", read.header("etag"))];
    let changed = lab.ask_with(TOKEN, ("PUT", &path), Some(change), &fresh).await;
    assert_eq!(changed.status, 200, "{}", changed.body);
    assert_eq!(lab.ask(TOKEN, ("GET", &path), None).await.json(), changed.json());
    assert_eq!((&changed.json()["user_type"], &changed.json()["active"]), (&json!("user"), &json!(true)));
}

#[tokio::test]
async fn values_that_cannot_be_are_refused_by_pointer() {
    let lab = Lab::new().await;
    let (maria, _) = lab.user("maria@example.net", "user").await;
    let path = format!("/v1/users/{maria}");
    let password = format!("{path}/password");
    let update = json!({"name": "Maria", "user_type": "user", "email": "other@example.net"});
    for (method, path, body, place) in [
        ("POST", "/v1/users", json!({"email": "maria", "name": "M", "user_type": "user"}), "/email"),
        ("POST", "/v1/users", json!({"email": "m@example.net", "name": " ", "user_type": "user"}), "/name"),
        (
            "POST",
            "/v1/users",
            json!({"email": "m@example.net", "name": "M", "user_type": "root"}),
            "/user_type",
        ),
        ("PUT", path.as_str(), update, "/email"),
        ("PUT", password.as_str(), json!({"password": "elevenchars"}), "/password"),
        ("PUT", "/v1/user-types/user", json!({"permissions": ["calls:read", "no:thing"]}), "/permissions/1"),
    ] {
        let refused = lab.ask(TOKEN, (method, path), Some(body.clone())).await;
        assert_eq!(
            (refused.status, pointer(&refused)),
            (422, place.to_owned()),
            "{path} {body} {}",
            refused.body
        );
    }
    // So many, though all of them are one.
    let (_, customer) = lab.customer("OWN-1", "ACTIVE").await;
    let many = json!({"permissions": vec!["calls:read"; 65]});
    let key = json!({"name": "k", "permissions": vec!["calls:read"; 65]});
    for (method, path, body) in [
        ("PUT", "/v1/user-types/user".to_owned(), many.clone()),
        ("PUT", format!("{path}/customers/{customer}"), many),
        ("POST", "/v1/api-keys".to_owned(), key),
    ] {
        let refused = lab.ask(TOKEN, (method, &path), Some(body)).await;
        assert_eq!((refused.status, pointer(&refused)), (422, "/permissions".to_owned()), "{path}");
    }
    let hidden = json!({"email": "m@example.net", "name": "M", "user_type": "user", "password_hash": "x"});
    assert_eq!(lab.ask(TOKEN, ("POST", "/v1/users"), Some(hidden)).await.status, 422);
}

#[tokio::test]
async fn nobody_rises_above_himself_and_one_super_admin_stays() {
    let lab = Lab::new().await;
    let root = lab.user("root@example.net", "superAdmin").await;
    let admin = lab.user("admin@example.net", "admin").await;
    let (_, customer) = lab.customer("OWN-1", "ACTIVE").await;
    let (as_root, as_admin) = (token(&lab, root), token(&lab, admin));
    let weak = lab.key(None, &["users:manage"]).await;
    let outsider = lab.key(Some("OWN-1"), &["users:manage", "users:read"]).await;
    let new = |user_type: &str| json!({"email": "n@example.net", "name": "N", "user_type": user_type});
    let change = |user_type: &str| json!({"name": "N", "user_type": user_type});
    let user = |id: Uuid| format!("/v1/users/{id}");
    let password = json!({"password": "another long password"});
    let at_customer = format!("{}/customers/{customer}", user(root.0));
    for (who, method, path, body, status) in [
        (&as_admin, "POST", "/v1/users".to_owned(), new("superAdmin"), 403),
        (&as_admin, "PUT", user(root.0), change("superAdmin"), 403),
        (&as_admin, "PUT", user(admin.0), change("superAdmin"), 403),
        (&as_admin, "DELETE", user(root.0), json!({}), 403),
        (&as_admin, "DELETE", user(admin.0), json!({}), 403),
        (&as_admin, "PUT", format!("{}/password", user(root.0)), password.clone(), 403),
        (&as_admin, "POST", format!("{}/revoke-sessions", user(root.0)), json!({}), 403),
        (&as_admin, "PUT", "/v1/user-types/user".to_owned(), json!({"permissions": []}), 403),
        (&weak, "POST", "/v1/users".to_owned(), new("admin"), 403),
        (&weak, "POST", "/v1/users".to_owned(), new("user"), 403),
        (&weak, "DELETE", user(admin.0), json!({}), 403),
        (&outsider, "PUT", format!("{}/password", user(admin.0)), password, 403),
        (&outsider, "GET", "/v1/users".to_owned(), json!({}), 403),
        (&as_root, "PUT", "/v1/user-types/superAdmin".to_owned(), json!({"permissions": []}), 403),
        (&as_root, "PUT", "/v1/user-types/nobody".to_owned(), json!({"permissions": []}), 404),
        (&as_root, "PUT", at_customer, json!({}), 403),
        (&as_root, "DELETE", user(root.0), json!({}), 403),
        (&as_root, "PUT", user(root.0), change("admin"), 409),
        (&TOKEN.to_owned(), "DELETE", user(root.0), json!({}), 409),
    ] {
        let answer = lab.ask(who, (method, &path), Some(body.clone())).await;
        assert_eq!(answer.status, status, "{method} {path} {body}: {}", answer.body);
    }
    lab.user("second@example.net", "superAdmin").await;
    assert_eq!(lab.ask(TOKEN, ("DELETE", &user(root.0)), None).await.status, 204);
    assert_eq!(lab.ask(&as_root, ("GET", "/v1/users"), None).await.status, 401, "its sessions have ended");
    assert_eq!(lab.ask(TOKEN, ("GET", &user(root.0)), None).await.json()["active"], false);
}

#[tokio::test]
async fn what_a_type_may_is_in_force_at_once() {
    let lab = Lab::new().await;
    let maria = lab.user("maria@example.net", "user").await;
    let (_, customer) = lab.customer("OWN-1", "ACTIVE").await;
    let as_maria = token(&lab, maria);
    let customers = ("GET", "/v1/customers");
    assert_eq!(lab.ask(&as_maria, customers, None).await.status, 403, "she works for nobody");
    let at = format!("/v1/users/{}/customers", maria.0);
    let one = format!("{at}/{customer}");
    let granted = lab.ask(TOKEN, ("PUT", &one), Some(json!({}))).await;
    assert_eq!(granted.status, 200, "{}", granted.body);
    assert_eq!(of(&lab.ask(&as_maria, customers, None).await, "ban"), ["OWN-1"]);
    let types = lab.ask(TOKEN, ("GET", "/v1/user-types"), None).await;
    assert_eq!(of(&types, "name"), ["admin", "superAdmin", "user"]);
    let narrow = json!({"permissions": ["network:read", "calls:read"]});
    let narrowed = lab.ask(TOKEN, ("PUT", "/v1/user-types/user"), Some(narrow)).await;
    assert_eq!(narrowed.json()["permissions"], json!(["calls:read", "network:read"]), "{}", narrowed.body);
    assert_eq!(lab.ask(&as_maria, customers, None).await.status, 403);

    let wide = json!({"permissions": ["customers:read"]});
    assert_eq!(lab.ask(TOKEN, ("PUT", &one), Some(wide)).await.status, 200);
    assert_eq!(
        lab.ask(&as_maria, customers, None).await.status,
        200,
        "what is given for the customer counts"
    );
    let listed = lab.ask(TOKEN, ("GET", &at), None).await.json();
    let shown = json!({"customer_id": customer, "ban": "OWN-1", "permissions": ["customers:read"]});
    assert_eq!(listed, json!({"items": [shown], "next": null}));
    for (path, body, status) in [
        (&one, json!({"permissions": ["no:thing"]}), 422),
        (&format!("{at}/{}", Uuid::nil()), json!({}), 404),
    ] {
        assert_eq!(lab.ask(TOKEN, ("PUT", path), Some(body)).await.status, status, "{path}");
    }
    assert_eq!(lab.ask(TOKEN, ("DELETE", &one), None).await.status, 204);
    assert_eq!(lab.ask(TOKEN, ("DELETE", &one), None).await.status, 404);
    assert_eq!(lab.ask(&as_maria, customers, None).await.status, 403);
}

#[tokio::test]
async fn a_password_is_changed_by_who_knows_it_or_by_an_administrator() {
    let lab = Lab::new().await;
    let maria = lab.user("maria@example.net", "user").await;
    let login = |password: &str| json!({"email": "maria@example.net", "password": password});
    let tokens = lab.ask("", ("POST", "/auth/login"), Some(login(PASSWORD))).await.json();
    let other = tokens["access_token"].as_str().unwrap();
    let own = token(&lab, maria);
    let path = format!("/v1/users/{}/password", maria.0);
    let new = "another long password";
    for (body, place) in [
        (json!({"password": new}), "/current"),
        (json!({"password": new, "current": "a wrong password"}), "/current"),
        (json!({"password": "too short", "current": PASSWORD}), "/password"),
    ] {
        let refused = lab.ask(&own, ("PUT", &path), Some(body)).await;
        assert_eq!((refused.status, pointer(&refused).as_str()), (422, place), "{}", refused.body);
    }
    let change = json!({"password": new, "current": PASSWORD});
    let changed = lab.ask(&own, ("PUT", &path), Some(change)).await;
    assert_eq!(changed.status, 200, "{}", changed.body);
    assert!(!changed.body.contains("argon2") && !changed.body.contains(new));
    let who = ("GET", "/auth/validate");
    assert_eq!(lab.ask(&own, who, None).await.status, 200);
    assert_eq!(lab.ask(other, who, None).await.status, 401, "the other session has ended");
    assert_eq!(lab.ask("", ("POST", "/auth/login"), Some(login(new))).await.status, 200);

    let set = lab.ask(TOKEN, ("PUT", &path), Some(json!({"password": PASSWORD}))).await;
    assert_eq!(set.status, 200, "{}", set.body);
    assert_eq!(lab.ask(&own, who, None).await.status, 401);
    let audit = lab.ask(TOKEN, ("GET", "/v1/audit"), None).await.body;
    assert!(!audit.contains("argon2") && !audit.contains(new) && !audit.contains(PASSWORD), "{audit}");
}

#[tokio::test]
async fn sessions_are_ended_by_oneself_and_by_an_administrator() {
    let lab = Lab::new().await;
    let (maria, john) =
        (lab.user("maria@example.net", "user").await, lab.user("john@example.net", "user").await);
    let as_maria = token(&lab, maria);
    let path = |user: Uuid| format!("/v1/users/{user}/revoke-sessions");
    assert_eq!(lab.ask(&as_maria, ("POST", &path(john.0)), None).await.status, 403);
    assert_eq!(lab.ask(&as_maria, ("POST", &path(maria.0)), None).await.json(), json!({"ended": 1}));
    assert_eq!(lab.ask(&as_maria, ("GET", "/auth/validate"), None).await.status, 401);
    let as_john = token(&lab, john);
    assert_eq!(lab.ask(TOKEN, ("POST", &path(john.0)), None).await.json(), json!({"ended": 1}));
    assert_eq!(lab.ask(&as_john, ("GET", "/auth/validate"), None).await.status, 401);
    let unknown = lab.ask(TOKEN, ("POST", &path(Uuid::nil())), None).await;
    assert_eq!((unknown.status, &unknown.json()["code"]), (404, &Value::from("not_found")));
}
