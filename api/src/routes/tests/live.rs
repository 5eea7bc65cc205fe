//! The dashboard, our addresses, sessions, and what the CRM will do.

use serde_json::{Value, json};

use crate::testing::{Lab, TOKEN};

#[tokio::test]
async fn the_dashboard_counts_what_there_is() {
    let lab = Lab::new().await;
    let (_, own) = lab.customer("OWN-1", "ACTIVE").await;
    lab.customer("OTHER-2", "SUSPENDED").await;
    let document = "[[esme_accounts]]\nsystem_id = \"own\"\ncustomer = \"OWN-1\"\npassword = \"secret12\"\n\
                    [[dids]]\nnumber = \"15550001111\"\ncustomer = \"OWN-1\"\nsystem_id = \"own\"\n";
    let applied = lab.control("POST", "/v1/control/apply", document).await;
    assert_eq!(applied.status, 200, "{}", applied.body);
    let stats = lab.ask(TOKEN, ("GET", "/v1/dashboard/stats"), None).await.json();
    assert_eq!(stats["customers"], json!({"active": 1, "trial": 0, "suspended": 1}));
    assert_eq!(stats["trunks"], json!({"active": 0, "inactive": 0}));
    let none = json!({"up": 0, "partial": 0, "down": 0, "inactive": 0});
    assert_eq!((&stats["sip_vendors"], &stats["sms_vendors"]), (&none, &none));
    assert_eq!(stats["live"], json!({"calls": 0, "smpp_sessions": 0}));
    assert_eq!((&stats["last_hour"]["calls"], &stats["versions"]["database"]), (&json!(0), &json!("SQLite")));

    let key = lab.key(Some("OWN-1"), &["dashboard:read"]).await;
    assert_eq!(lab.ask(&key, ("GET", "/v1/dashboard/stats"), None).await.status, 403);
    let mine = lab.ask(&key, ("GET", "/v1/dashboard/me"), None).await.json();
    let shown = json!({"id": own, "ban": "OWN-1", "company_name": "Company of 5", "status": "ACTIVE",
        "trunks": 0, "accounts": 1, "dids": 1, "live_calls": 0});
    assert_eq!(mine, json!({"items": [shown], "next": null}));
    let all = lab.ask(TOKEN, ("GET", "/v1/dashboard/me?limit=1"), None).await.json();
    assert_eq!((&all["items"][0]["ban"], &all["next"]), (&json!("OTHER-2"), &json!("OTHER-2")));
}

#[tokio::test]
async fn dedicated_addresses_are_told_to_their_customer_alone() {
    let lab = Lab::new().await;
    let (_, own) = lab.customer("OWN-1", "ACTIVE").await;
    let (_, other) = lab.customer("OTHER-2", "ACTIVE").await;
    let document = "[[dedicated_addresses]]\naddress = \"198.51.100.200\"\ncustomer = \"OWN-1\"\n";
    let applied = lab.control("POST", "/v1/control/apply", document).await;
    assert_eq!(applied.status, 200, "{}", applied.body);
    let own_key = lab.key(Some("OWN-1"), &["network:read"]).await;
    let other_key = lab.key(Some("OTHER-2"), &["network:read"]).await;
    let shared = json!({"name": "SIP", "address": "sip.example.net", "transport": "udp", "port": 5060,
        "customer_id": null});
    let dedicated = json!({"name": "dedicated", "address": "198.51.100.200", "transport": null, "port": null,
        "customer_id": own});
    let path = "/v1/network/ingress-ips";
    let of_own = format!("{path}?customer_id={own}");
    let of_other = format!("{path}?customer_id={other}");
    for (who, path, items) in [
        (own_key.as_str(), path, json!([shared, dedicated])),
        (own_key.as_str(), of_own.as_str(), json!([shared, dedicated])),
        (other_key.as_str(), path, json!([shared])),
        (TOKEN, path, json!([shared])),
        (TOKEN, of_own.as_str(), json!([shared, dedicated])),
        (TOKEN, of_other.as_str(), json!([shared])),
    ] {
        let told = lab.ask(who, ("GET", path), None).await;
        assert_eq!(told.json()["items"], items, "{path} {}", told.body);
    }
    let hidden = lab.ask(&other_key, ("GET", &of_own), None).await;
    assert_eq!((hidden.status, &hidden.json()["code"]), (404, &json!("unknown_customer")));
    let egress = lab.ask(&other_key, ("GET", "/v1/network/vendor-ips"), None).await.json();
    assert_eq!(egress["items"], json!([{"name": "NAT 1", "address": "198.51.100.7/32"}]));
}

#[tokio::test]
async fn the_routes_of_the_crm_say_that_there_is_none() {
    let lab = Lab::new().await;
    let (_, own) = lab.customer("OWN-1", "ACTIVE").await;
    for (token, method, path, status) in [
        (TOKEN, "POST", format!("/v1/sync/customers/{own}/to-hubspot"), 501),
        (TOKEN, "POST", format!("/v1/sync/customers/{own}/queue"), 501),
        (TOKEN, "POST", "/v1/sync/customers/nobody/queue".to_owned(), 404),
        (TOKEN, "POST", "/v1/sync/process-queue".to_owned(), 501),
        (TOKEN, "GET", "/v1/sync/hubspot/companies/search?q=acme".to_owned(), 501),
        (TOKEN, "GET", "/v1/sync/hubspot/companies/search".to_owned(), 400),
        ("", "POST", "/webhooks/hubspot/company".to_owned(), 501),
        ("", "POST", "/v1/sync/process-queue".to_owned(), 401),
    ] {
        let answer = lab.ask(token, (method, &path), None).await;
        assert_eq!(answer.status, status, "{method} {path}: {}", answer.body);
        if status == 501 {
            assert_eq!(answer.json()["code"], "not_implemented");
            assert_eq!(answer.header("content-type"), "application/problem+json");
        }
    }
}

#[tokio::test]
async fn sessions_that_are_not_bound_are_not_ended() {
    let lab = Lab::new().await;
    let listed = lab.ask(TOKEN, ("GET", "/v1/smpp/sessions"), None).await.json();
    assert_eq!(listed, json!({"live": 0, "sessions": [], "next": Value::Null}));
    for (method, path, status) in [
        ("GET", "/v1/smpp/sessions?system_id=acme&limit=1000", 200),
        ("GET", "/v1/smpp/sessions?cursor=nonsense", 422),
        ("DELETE", "/v1/smpp/sessions/esme_session:acme:1", 404),
        ("DELETE", "/v1/smpp/sessions/store_writer:main:0", 404),
        ("DELETE", "/v1/smpp/sessions/%zz", 404),
    ] {
        let answer = lab.ask(TOKEN, (method, path), None).await;
        assert_eq!(answer.status, status, "{method} {path}: {}", answer.body);
    }
}

/// Of answers that the document describes by what they look like.
#[tokio::test]
async fn answers_have_the_fields_that_the_document_shows() {
    let lab = Lab::new().await;
    lab.smpp.recovered.send_replace(true);
    let fields = |value: &Value| -> Vec<String> {
        let object = value.as_object().or_else(|| value[0].as_object());
        let mut names: Vec<String> = object.into_iter().flatten().map(|(name, _)| name.clone()).collect();
        names.sort_unstable();
        names
    };
    for (path, asked) in [
        ("/health", ""),
        ("/ready", ""),
        ("/.well-known/jwks.json", ""),
        ("/v1/smpp/stats", ""),
        ("/v1/smpp/vendors", ""),
        ("/v1/smpp/sessions", ""),
        ("/v1/calls", ""),
        ("/v1/cdrs/recent", ""),
        ("/v1/explain/call", "?to=15550001111&source=192.0.2.1"),
    ] {
        let route = crate::routes::all().find(|route| route.path == path).unwrap();
        let shown: Value = serde_json::from_str(route.example.unwrap()).unwrap();
        let answer = lab.ask(TOKEN, ("GET", &format!("{path}{asked}")), None).await;
        assert_eq!(answer.status, 200, "{path}: {}", answer.body);
        assert_eq!(fields(&answer.json()), fields(&shown), "{path}");
    }
}
