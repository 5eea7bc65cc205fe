//! Every route against everybody who must not use it. The cases are made from the route table: a new route is in them.

use std::time::Duration;

use serde_json::json;
use warp::http::Method;

use crate::openapi::names;
use crate::permission::Permission;
use crate::table::{Access, Reach, Route, Surface};
use crate::testing::{Lab, TOKEN};

struct Fixture {
    lab: Lab,
    /// Customers: the one whose things are asked for, another, one that is suspended.
    own: (String, String),
    suspended: (String, String),
    /// Keys with every permission, of the other customer and of the suspended one.
    other_key: String,
    suspended_key: String,
    /// A key of the platform that may do nothing.
    powerless: String,
    expired: String,
}

impl Fixture {
    async fn new() -> Self {
        let lab = Lab::new().await;
        let own = lab.customer("OWN-1", "ACTIVE").await;
        lab.customer("OTHER-2", "ACTIVE").await;
        let suspended = lab.customer("GONE-3", "SUSPENDED").await;
        let all: Vec<&str> = Permission::ALL.iter().map(|permission| permission.name()).collect();
        let other_key = lab.key(Some("OTHER-2"), &all).await;
        let suspended_key = lab.key(Some("GONE-3"), &all).await;
        let powerless = lab.key(None, &[]).await;
        let past = lab.api.clock.now().minus(Duration::from_secs(86_400));
        let (user, session) = lab.user("maria@example.net", "superAdmin").await;
        let (expired, _) = lab.api.tokens.issue(user, session, past).unwrap();
        Self { lab, own, suspended, other_key, suspended_key, powerless, expired }
    }

    /// The path of a route for a customer; what else it names does not exist.
    fn path(route: &Route, (ban, id): &(String, String)) -> String {
        let mut path = route.path.to_owned();
        for name in names(route.path) {
            let value = match (name, route.access) {
                ("ban", _) => ban.as_str(),
                ("id", Access::May(_, Reach::Customer)) => id.as_str(),
                _ => "00000000-0000-7000-8000-000000000000",
            };
            path = path.replace(&format!("{{{name}}}"), value);
        }
        let needed = route.query.iter().filter(|param| param.needed).map(|param| format!("{}=1", param.name));
        let query: Vec<String> = needed.collect();
        if query.is_empty() { path } else { format!("{path}?{}", query.join("&")) }
    }

    async fn ask(&self, token: &str, route: &Route, of: &(String, String)) -> (u16, String) {
        let body = (route.method != Method::GET).then(|| json!({}));
        let path = Self::path(route, of);
        let answer = self.lab.ask(token, (route.method.as_str(), &path), body).await;
        (answer.status, answer.body)
    }
}

fn routes() -> impl Iterator<Item = &'static Route> {
    crate::routes::all().filter(|route| Surface::Api.serves(route.access))
}

#[tokio::test]
async fn nobody_gets_in_without_a_token_that_is_good() {
    let fixture = Fixture::new().await;
    for route in routes().filter(|route| route.access != Access::Open) {
        for token in ["", "nonsense", &fixture.expired] {
            let (status, body) = fixture.ask(token, route, &fixture.own).await;
            assert_eq!(status, 401, "{} {} {token:?}: {body}", route.method, route.path);
            assert!(body.contains("\"code\":\"unauthorized\""), "{body}");
        }
    }
}

#[tokio::test]
async fn who_may_nothing_is_told_so_everywhere() {
    let fixture = Fixture::new().await;
    for route in routes().filter(|route| matches!(route.access, Access::May(..))) {
        let (status, body) = fixture.ask(&fixture.powerless, route, &fixture.own).await;
        assert_eq!(status, 403, "{} {}: {body}", route.method, route.path);
        assert!(body.contains("\"code\":\"forbidden\""), "{body}");
    }
}

#[tokio::test]
async fn a_customer_sees_and_changes_nothing_of_another_or_of_the_platform() {
    let fixture = Fixture::new().await;
    for route in routes() {
        let Access::May(_, reach) = route.access else { continue };
        let (status, body) = fixture.ask(&fixture.other_key, route, &fixture.own).await;
        let (ban, id) = &fixture.own;
        assert!(
            !body.contains(ban) && !body.contains(id),
            "{} {} shows it: {body}",
            route.method,
            route.path
        );
        match reach {
            Reach::Platform | Reach::OperatorOf => {
                assert_eq!(status, 403, "{} {}: {body}", route.method, route.path);
            }
            Reach::Customer => assert_eq!(status, 404, "{} {}: {body}", route.method, route.path),
            Reach::Own if route.path.contains('{') => {
                assert_eq!(status, 404, "{} {}: {body}", route.method, route.path);
            }
            Reach::Own => assert!(status < 500, "{} {}: {body}", route.method, route.path),
        }
    }
}

/// What the platform decides about a customer and writes about it is not the customer's own, whatever it was granted.
#[tokio::test]
async fn a_customer_does_not_decide_about_itself() {
    let fixture = Fixture::new().await;
    let all: Vec<&str> = Permission::ALL.iter().map(|permission| permission.name()).collect();
    let own_key = fixture.lab.key(Some(&fixture.own.0), &all).await;
    let mut asked = 0;
    for route in routes() {
        let Access::May(permission, reach) = route.access else { continue };
        let is_platforms = match reach {
            Reach::Platform | Reach::OperatorOf => true,
            Reach::Customer => matches!(permission, Permission::CustomersManage | Permission::DidsManage),
            Reach::Own => false,
        };
        if !is_platforms {
            continue;
        }
        let (status, body) = fixture.ask(&own_key, route, &fixture.own).await;
        assert_eq!(status, 403, "{} {}: {body}", route.method, route.path);
        assert!(body.contains("\"code\":\"forbidden\""), "{} {}: {body}", route.method, route.path);
        asked += usize::from(reach == Reach::Customer);
    }
    assert!(asked >= 6, "the customer, its notes and the numbers that it is given: {asked}");
}

#[tokio::test]
async fn a_suspended_customer_changes_nothing() {
    let fixture = Fixture::new().await;
    for route in routes().filter(|route| route.method != Method::GET) {
        let Access::May(_, reach) = route.access else { continue };
        let (status, body) = fixture.ask(&fixture.suspended_key, route, &fixture.suspended).await;
        assert!(!(200..300).contains(&status), "{} {}: {status} {body}", route.method, route.path);
        if matches!(reach, Reach::Customer | Reach::Own) {
            assert!(body.contains("customer_suspended"), "{} {}: {body}", route.method, route.path);
        }
    }
}

#[tokio::test]
async fn a_key_does_not_outlive_its_revocation() {
    let fixture = Fixture::new().await;
    let lab = &fixture.lab;
    let keys = lab.ask(TOKEN, ("GET", "/v1/api-keys"), None).await.json();
    let prefix = &fixture.other_key[5..13];
    let items = keys["items"].as_array().unwrap();
    let key = items.iter().find(|key| key["prefix"] == prefix).unwrap();
    assert!(!keys.to_string().contains(&fixture.other_key[14..]), "the list shows a secret");
    let asked = lab.ask(&fixture.other_key, ("GET", "/v1/customers"), None).await;
    assert_eq!(asked.status, 200);
    let path = format!("/v1/api-keys/{}", key["id"].as_str().unwrap());
    let stranger = lab.key(Some("OWN-1"), &["api_keys:manage"]).await;
    assert_eq!(lab.ask(&stranger, ("DELETE", &path), None).await.status, 404, "it is another's");
    assert_eq!(lab.ask(TOKEN, ("DELETE", &path), None).await.status, 204);
    assert_eq!(lab.ask(&fixture.other_key, ("GET", "/v1/customers"), None).await.status, 401);
}
