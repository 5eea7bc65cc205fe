//! SMS vendors and the routes that lead to them.

use runtime::store::messaging;
use serde_json::{Value, json};

use crate::testing::{Answer, Lab, TOKEN};

const VENDORS: &str = "/v1/admin/sms-vendors";
const ROUTES: &str = "/v1/admin/sms-routes";

fn body(name: &str) -> Value {
    json!({"instance_name": name, "host": "smpp.vendor.example", "port": 3601, "system_id": "warp",
        "password": "hidden77"})
}

fn code(answer: &Answer) -> (u16, String) {
    (answer.status, answer.json()["code"].as_str().unwrap_or_default().to_owned())
}

async fn vendor(lab: &Lab, name: &str) -> String {
    let made = lab.ask(TOKEN, ("POST", VENDORS), Some(body(name))).await;
    assert_eq!(made.status, 201, "{}", made.body);
    format!("{VENDORS}/{}", made.json()["id"].as_str().unwrap())
}

/// The passwords as those who bind get them.
async fn passwords(lab: &Lab) -> Vec<String> {
    let messaging = messaging::load(&lab.api.store, &lab.api.root_key).await.unwrap();
    messaging.vendors.iter().map(|vendor| vendor.password.expose().to_owned()).collect()
}

#[tokio::test]
async fn a_vendor_is_made_changed_and_taken_away_and_its_password_is_never_shown() {
    let lab = Lab::new().await;
    let path = vendor(&lab, "sinch-atlanta").await;
    let read = lab.ask(TOKEN, ("GET", &path), None).await;
    assert_eq!((read.status, read.body.contains("hidden77")), (200, false), "{}", read.body);
    let read = read.json();
    assert_eq!((&read["display_name"], &read["health_status"]), (&json!("sinch-atlanta"), &json!("unknown")));
    assert_eq!((read.get("password"), &read["last_health_check"]), (None, &Value::Null));

    let mut change = body("sinch-atlanta");
    change.as_object_mut().unwrap().remove("password");
    change["port"] = json!(3602);
    let changed = lab.ask(TOKEN, ("PUT", &path), Some(change.clone())).await;
    assert_eq!((changed.status, &changed.json()["port"]), (200, &json!(3602)), "{}", changed.body);
    assert_eq!(passwords(&lab).await, ["hidden77"], "it stays when it is not given");
    change["password"] = json!("other");
    change["active"] = json!(false);
    assert_eq!(
        code(&lab.ask(TOKEN, ("DELETE", &path), None).await),
        (409, "in_use".to_owned()),
        "it is active"
    );
    assert_eq!(lab.ask(TOKEN, ("PUT", &path), Some(change)).await.status, 200);
    assert_eq!(passwords(&lab).await, ["other"]);
    assert_eq!(lab.ask(TOKEN, ("DELETE", &path), None).await.status, 204);
    assert_eq!(code(&lab.ask(TOKEN, ("GET", &path), None).await), (404, "unknown_vendor".to_owned()));

    let audit = lab.ask(TOKEN, ("GET", "/v1/audit"), None).await;
    assert!(audit.body.contains("sinch-atlanta") && !audit.body.contains("hidden77"), "{}", audit.body);
}

#[tokio::test]
async fn a_vendor_with_values_that_cannot_be_is_refused_by_pointer() {
    let lab = Lab::new().await;
    vendor(&lab, "one").await;
    assert_eq!(
        code(&lab.ask(TOKEN, ("POST", VENDORS), Some(body("one"))).await),
        (409, "already_exists".to_owned())
    );
    for (field, value) in [
        ("instance_name", json!("")),
        ("host", json!("smsc example")),
        ("port", json!(0)),
        ("password", json!("nine char")),
        ("password", Value::Null),
        ("password", json!(12345678)),
        ("system_id", json!("sixteen-letters-")),
        ("system_type", json!("thirteen-char")),
        ("binds", json!(101)),
        ("window", json!(0)),
        ("queue_depth_max", json!(0)),
        ("retryable_statuses", json!([0])),
        ("bind_type", json!("both")),
        ("default_alphabet", json!("gsm8")),
    ] {
        let mut wanted = body("two");
        wanted[field] = value.clone();
        let refused = lab.ask(TOKEN, ("POST", VENDORS), Some(wanted)).await;
        let pointer = refused.json()["errors"][0]["pointer"].as_str().unwrap().to_owned();
        let found = pointer.starts_with(&format!("/{field}"));
        assert_eq!((refused.status, found), (422, true), "{value} {}", refused.body);
        assert!(
            !refused.body.contains("nine char") && !refused.body.contains("12345678"),
            "{}",
            refused.body
        );
    }
}

#[tokio::test]
async fn a_vendor_that_routes_lead_to_stays() {
    let lab = Lab::new().await;
    let path = vendor(&lab, "atlanta").await;
    let route = json!({"name": "us", "prefix": "+1", "vendor": "atlanta", "cost": "0.0035"});
    let made = lab.ask(TOKEN, ("POST", ROUTES), Some(route)).await;
    assert_eq!(made.status, 201, "{}", made.body);
    let in_use = lab.ask(TOKEN, ("DELETE", &format!("{path}?drain=true")), None).await;
    assert_eq!((code(&in_use), in_use.body.contains("\\\"us\\\"")), ((409, "in_use".to_owned()), true));
    let route = format!("{ROUTES}/{}", made.json()["id"].as_str().unwrap());
    assert_eq!(lab.ask(TOKEN, ("DELETE", &route), None).await.status, 204);
    assert_eq!(lab.ask(TOKEN, ("DELETE", &route), None).await.status, 404);
    assert_eq!(lab.ask(TOKEN, ("DELETE", &format!("{path}?drain=true")), None).await.status, 204);
}

#[tokio::test]
async fn routes_are_made_changed_and_found() {
    let lab = Lab::new().await;
    lab.customer("TB-1", "ACTIVE").await;
    for name in ["atlanta", "chicago"] {
        vendor(&lab, name).await;
    }
    let mut paths = Vec::new();
    for (name, prefix, vendor, customer) in
        [("a-us", "+1", "atlanta", ""), ("b-ny", "1212", "chicago", "TB-1"), ("c-uk", "44", "atlanta", "")]
    {
        let body = json!({"name": name, "prefix": prefix, "vendor": vendor, "customer": customer});
        let made = lab.ask(TOKEN, ("POST", ROUTES), Some(body)).await;
        assert_eq!((made.status, &made.json()["customer"]), (201, &json!(customer)), "{}", made.body);
        paths.push(made.header("location").to_owned());
    }
    for (query, found) in [
        ("", vec!["a-us", "b-ny", "c-uk"]),
        ("?limit=1&cursor=a-us", vec!["b-ny"]),
        ("?search=NY", vec!["b-ny"]),
        ("?vendor=atlanta", vec!["a-us", "c-uk"]),
        ("?customer=TB-1", vec!["b-ny"]),
        ("?prefix=%2B12", vec!["b-ny"]),
        ("?prefix=1", vec!["a-us", "b-ny"]),
    ] {
        let list = lab.ask(TOKEN, ("GET", &format!("{ROUTES}{query}")), None).await.json();
        let names: Vec<&str> =
            list["items"].as_array().unwrap().iter().map(|item| item["name"].as_str().unwrap()).collect();
        assert_eq!(names, found, "{query}");
    }
    let change =
        json!({"name": "a-us", "prefix": "1", "vendor": "chicago", "uncertain": "retry", "active": false});
    let changed = lab.ask(TOKEN, ("PUT", &paths[0]), Some(change)).await;
    assert_eq!((changed.status, &changed.json()["vendor"]), (200, &json!("chicago")), "{}", changed.body);
    assert_eq!(lab.ask(TOKEN, ("GET", &paths[0]), None).await.json(), changed.json());
    for (body, pointer) in [
        (json!({"name": "a-us", "vendor": "boston"}), "/vendor"),
        (json!({"name": "a-us", "vendor": "chicago", "customer": "NOBODY"}), "/customer"),
        (json!({"name": "other", "vendor": "chicago"}), "/name"),
        (json!({"name": "a-us", "vendor": "chicago", "prefix": "1x"}), "/prefix"),
        (json!({"name": "a-us", "vendor": "chicago", "cost": "-1"}), "/cost"),
    ] {
        let refused = lab.ask(TOKEN, ("PUT", &paths[0]), Some(body.clone())).await;
        let found = &refused.json()["errors"][0]["pointer"];
        assert_eq!((refused.status, found), (422, &json!(pointer)), "{body} {}", refused.body);
    }
    let taken = lab.ask(TOKEN, ("POST", ROUTES), Some(json!({"name": "a-us", "vendor": "chicago"}))).await;
    assert_eq!(code(&taken), (409, "already_exists".to_owned()));
}
