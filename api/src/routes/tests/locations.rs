//! What a POST says that it made is where it says, and obeys `If-Match` by the tag that it is shown with.

use serde_json::json;

use crate::openapi::document;
use crate::permission::Permission;
use crate::routes;
use crate::table::Surface;
use crate::testing::{Lab, TOKEN};

#[tokio::test]
async fn what_was_made_is_at_its_location_for_whom_its_list_is() {
    let lab = Lab::new().await;
    let (_, id) = lab.customer("AAA-1", "ACTIVE").await;
    let (_, other_id) = lab.customer("BBB-2", "ACTIVE").await;
    let all: Vec<&str> = Permission::ALL.iter().map(|permission| permission.name()).collect();
    let (own, other) = (lab.key(Some("AAA-1"), &all).await, lab.key(Some("BBB-2"), &all).await);
    let admin = "/v1/admin/customers/AAA-1";
    let premium = lab.ask(TOKEN, ("PUT", &format!("{admin}/tier")), Some(json!({"tier": "PREMIUM"}))).await;
    assert_eq!(premium.status, 200, "{}", premium.body);
    let trunk = lab.ask(&own, ("POST", "/v1/customers/trunks"), Some(json!({"name": "acme-east"}))).await;
    assert_eq!(trunk.status, 201, "{}", trunk.body);
    let trunk = trunk.json()["id"].as_str().unwrap().to_owned();
    // Who makes it where, what the customer and another customer get of it, and who asks after it is gone. A key that
    // was taken back is shown as such.
    for (who, list, body, own_gets, other_gets, gone) in [
        (TOKEN, format!("/v1/customers/{id}/notes"), json!({"text": "Wants a second trunk."}), 403, 404, 404),
        (TOKEN, format!("{admin}/trunks/{trunk}/ips"), json!({"network": "198.51.100.7"}), 403, 403, 404),
        (
            own.as_str(),
            format!("/v1/customers/trunks/{trunk}/ips"),
            json!({"network": "198.51.100.8", "port": 5060, "transport": "udp", "note": "second"}),
            200,
            404,
            404,
        ),
        (TOKEN, format!("{admin}/dedicated-ips"), json!({"address": "198.51.100.200"}), 403, 403, 404),
        (
            own.as_str(),
            "/v1/api-keys".to_owned(),
            json!({"name": "crm", "permissions": ["calls:read"]}),
            200,
            404,
            200,
        ),
    ] {
        let made = lab.ask(who, ("POST", &list), Some(body)).await;
        assert_eq!(made.status, 201, "{list} {}", made.body);
        let one = made.header("location").to_owned();
        let mut shown = made.json();
        // A secret is shown once.
        shown.as_object_mut().unwrap().remove("key");
        assert_eq!(one, format!("{list}/{}", shown["id"].as_str().unwrap()));
        let read = lab.ask(TOKEN, ("GET", &one), None).await;
        assert_eq!((read.status, read.json()), (200, shown.clone()), "{one}");
        for (who, status) in [(&own, own_gets), (&other, other_gets)] {
            let answer = lab.ask(who, ("GET", &one), None).await;
            assert_eq!(answer.status, status, "{one} {}", answer.body);
            assert!(status != 200 || answer.json() == shown, "{}", answer.body);
        }
        let crossed = one.replace("AAA-1", "BBB-2").replace(&id, &other_id);
        if crossed != one {
            assert_eq!(lab.ask(TOKEN, ("GET", &crossed), None).await.status, 404, "{crossed}");
        }
        let nowhere = format!("{list}/00000000-0000-7000-8000-000000000000");
        assert_eq!(lab.ask(TOKEN, ("GET", &nowhere), None).await.status, 404, "{nowhere}");

        let stale = lab.ask_with(TOKEN, ("DELETE", &one), None, &[("if-match", "\"old\"")]).await;
        assert_eq!((stale.status, &stale.json()["code"]), (412, &json!("changed")), "{one}");
        assert_eq!(lab.ask(TOKEN, ("GET", &one), None).await.json(), shown, "the refused one took it away");
        let fresh = [("if-match", read.header("etag"))];
        let taken = lab.ask_with(TOKEN, ("DELETE", &one), None, &fresh).await;
        assert_eq!(taken.status, 204, "{one} {}", taken.body);
        let answer = lab.ask(TOKEN, ("GET", &one), None).await;
        assert_eq!(answer.status, gone, "{one} {}", answer.body);
        assert!(gone != 200 || answer.json()["revoked_at"].is_string(), "{}", answer.body);
    }
}

/// What has no entity tag is not said to obey one.
#[test]
fn the_document_offers_if_match_where_it_is_obeyed() {
    let document = document(routes::all());
    let mut unconditional = Vec::new();
    for (path, methods) in document["paths"].as_object().unwrap() {
        for (method, operation) in methods.as_object().unwrap() {
            let parameters = operation["parameters"].as_array().into_iter().flatten();
            let offered = parameters.filter(|parameter| parameter["name"] == "If-Match").count() == 1;
            let refused = operation["responses"].get("412").is_some();
            assert!(!offered || refused, "{method} {path} has no answer where the tag is another");
            let needs = operation["description"].as_str().is_some_and(|text| text.starts_with("Needs"));
            if matches!(method.as_str(), "put" | "delete") && needs && !offered {
                assert!(!refused, "{method} {path}");
                unconditional.push(format!("{method} {path}"));
            }
        }
    }
    let expected = [
        "delete /v1/admin/partitions/{id}/vendors/{vendor_id}",
        "delete /v1/calls/{id}",
        "delete /v1/smpp/sessions/{name}",
    ];
    unconditional.sort_unstable();
    assert_eq!(unconditional, expected);
    let told = routes::all().filter(|route| Surface::Api.serves(route.access) && !route.conditional);
    assert_eq!(told.count(), expected.len());
}
