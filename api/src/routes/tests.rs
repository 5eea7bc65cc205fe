#![expect(clippy::string_slice, reason = "a slice that cannot be is a failure of the test")]

use std::sync::Arc;
use std::sync::atomic::Ordering;

use actors::smpp::message_router;
use bytes::Bytes;
use http_body_util::Full;
use runtime::registry::{ActorName, Observation};
use runtime::store::{cookie_key, messaging};
use serde_json::json;
use warp::http::Request;

use crate::table::Surface::{self, Api, Control, Metrics};
use crate::testing::{BODY_OCTETS_MAX, Lab, TOKEN};

mod audit;
mod audit_of_commands;
mod auth;
mod calls;
mod customers;
mod dids;
mod drain;
mod esme_accounts;
mod high_cost;
mod invitations;
mod live;
mod locations;
mod matrix;
mod media_nodes;
mod messages;
mod own_trunks;
mod partitions;
mod records;
mod registrations;
mod sms_vendors;
mod strangers;
mod trunks;
mod users;
mod voice_vendors;

/// Surface, method, path, authorization, expected status, expected code of the problem.
type Line<'a> = (Surface, &'a str, &'a str, Option<&'a str>, u16, &'a str);

fn request(method: &str, path: &str, authorization: Option<&str>) -> Request<Full<Bytes>> {
    let mut request = Request::builder().method(method).uri(path);
    if let Some(authorization) = authorization {
        request = request.header("Authorization", authorization);
    }
    request.body(Full::default()).unwrap()
}

#[tokio::test]
async fn every_route_answers_as_documented() {
    let lab = Lab::new().await;
    lab.smpp.recovered.send_replace(true);
    let valid = format!("Bearer {TOKEN}");
    let (none, valid) = (None, Some(valid.as_str()));
    let table: [Line<'_>; 48] = [
        (Api, "GET", "/health", none, 200, ""),
        (Api, "HEAD", "/health", none, 200, ""),
        (Api, "GET", "/ready", none, 200, ""),
        (Api, "GET", "/metrics", none, 404, "not_found"),
        (Metrics, "GET", "/metrics", none, 200, ""),
        (Metrics, "GET", "/health", none, 404, "not_found"),
        (Metrics, "GET", "/v1/smpp/vendors", valid, 404, "not_found"),
        (Api, "GET", "/v1/smpp/vendors", none, 401, "unauthorized"),
        (Api, "GET", "/v1/smpp/vendors", Some("Bearer wrong"), 401, "unauthorized"),
        (Api, "GET", "/v1/smpp/vendors", Some("Basic YTpi"), 401, "unauthorized"),
        (Api, "GET", "/v1/smpp/vendors", valid, 200, ""),
        (Control, "GET", "/v1/smpp/vendors", none, 200, ""),
        (Api, "GET", "/api/v1/vendors", valid, 200, ""),
        (Api, "GET", "/v1/smpp/stats", valid, 200, ""),
        (Api, "GET", "/api/v1/admin/stats", valid, 200, ""),
        (Api, "GET", "/v1/smpp/stats", none, 401, "unauthorized"),
        (Api, "POST", "/v1/smpp/vendors/nobody/reconnect", valid, 404, "unknown_vendor"),
        (Api, "POST", "/v1/smpp/vendors/nobody/disconnect", valid, 404, "unknown_vendor"),
        (Api, "POST", "/v1/smpp/vendors/nobody/disconnect", none, 401, "unauthorized"),
        (Api, "POST", "/v1/smpp/vendors/%zz/disconnect", valid, 400, "bad_request"),
        (Api, "GET", "/v1/smpp/vendors/nobody/reconnect", valid, 405, "method_not_allowed"),
        (Api, "DELETE", "/v1/smpp/vendors", valid, 405, "method_not_allowed"),
        (Api, "GET", "/v1/actors", valid, 200, ""),
        (Api, "GET", "/v1/actors?format=text", valid, 200, ""),
        (Api, "GET", "/v1/actors?format=xml", valid, 400, "bad_request"),
        (Api, "GET", "/v1/actors?from=1", valid, 400, "bad_request"),
        (Api, "GET", "/v1/actors/router_of_test:a:0", valid, 404, "unknown_actor"),
        (Api, "POST", "/v1/actors/router_of_test:a:0/restart", valid, 404, "unknown_actor"),
        (Api, "GET", "/v1/actors/nonsense", valid, 404, "unknown_actor"),
        (Api, "GET", "/v1/explain/sms", valid, 400, "bad_request"),
        (Api, "GET", "/v1/explain/sms?system_id=acme&to=1", none, 401, "unauthorized"),
        (Api, "GET", "/v1/explain/sms?system_id=acme&to=1", valid, 422, "explain_refused"),
        (Api, "GET", "/v1/calls", valid, 200, ""),
        (Api, "GET", "/v1/calls", none, 401, "unauthorized"),
        (Api, "DELETE", "/v1/calls/01890a5d-ac96-774b-bcce-b302099a8057", valid, 404, "unknown_call"),
        (Api, "DELETE", "/v1/calls/nonsense", valid, 404, "unknown_call"),
        (Api, "POST", "/v1/calls", valid, 405, "method_not_allowed"),
        (Api, "GET", "/v1/cdrs/recent", valid, 200, ""),
        (Api, "GET", "/v1/cdrs/recent", none, 401, "unauthorized"),
        (Api, "GET", "/v1/explain/call?to=1&source=192.0.2.1", valid, 200, ""),
        (Api, "GET", "/v1/explain/call?to=1&source=192.0.2.1", none, 401, "unauthorized"),
        (Api, "POST", "/v1/control/apply", valid, 404, "not_found"),
        (Control, "GET", "/v1/control/apply", none, 405, "method_not_allowed"),
        (Control, "POST", "/v1/control/apply?dry_run=perhaps", none, 400, "bad_request"),
        (Control, "POST", "/v1/control/apply?dryrun=true", none, 400, "bad_request"),
        (Api, "GET", "/", none, 404, "not_found"),
        (Api, "GET", "/v1/smpp/vendors/", valid, 404, "not_found"),
        (Api, "BREW", "/health", none, 405, "method_not_allowed"),
    ];
    expect(&lab, &table).await;
}

#[tokio::test]
async fn keys_are_rotated_on_the_machine_only_and_not_by_mistake() {
    let lab = Lab::new().await;
    let valid = format!("Bearer {TOKEN}");
    let (none, valid) = (None, Some(valid.as_str()));
    let table: [Line<'_>; 5] = [
        (Api, "POST", "/v1/control/rotate/cookie-key", valid, 404, "not_found"),
        (Control, "GET", "/v1/control/rotate/cookie-key", none, 405, "method_not_allowed"),
        (Control, "POST", "/v1/control/rotate/cookie-key", none, 200, ""),
        (Control, "POST", "/v1/control/rotate/cookie-key", none, 409, "too_soon"),
        // The key before the youngest seals yet.
        (Control, "POST", "/v1/control/rotate/cookie-key?force=true", none, 409, "too_soon"),
    ];
    expect(&lab, &table).await;
    let lab = Lab::new().await;
    let before = lab.smpp.clock.now().minus(2 * cookie_key::FORCED_MIN);
    cookie_key::rotate(&lab.api.store, &lab.api.root_key, before, false).await.unwrap();
    let table: [Line<'_>; 6] = [
        (Api, "POST", "/v1/control/rotate/root-key", valid, 404, "not_found"),
        (Control, "POST", "/v1/control/rotate/root-key", none, 200, ""),
        (Control, "POST", "/v1/control/rotate/root-key?format=text", none, 200, ""),
        // The key of this node is in a file.
        (Control, "POST", "/v1/control/rotate/root-key?new_key_env=NAME", none, 500, "internal"),
        (Control, "POST", "/v1/control/rotate/cookie-key", none, 409, "too_soon"),
        (Control, "POST", "/v1/control/rotate/cookie-key?force=true", none, 200, ""),
    ];
    expect(&lab, &table).await;
}

/// Sends requests one after the other, and sees what becomes of each.
async fn expect(lab: &Lab, lines: &[Line<'_>]) {
    for (surface, method, path, authorization, status, code) in lines.iter().copied() {
        let answer = lab.send(surface, request(method, path, authorization)).await;
        assert_eq!(answer.status, status, "{surface:?} {method} {path}: {}", answer.body);
        assert_eq!(answer.header("cache-control"), "no-store");
        if code.is_empty() {
            continue;
        }
        let problem = answer.json();
        assert_eq!(answer.header("content-type"), "application/problem+json");
        assert_eq!(problem["code"], code, "{method} {path}");
        assert_eq!(problem["status"], status);
        assert_eq!(problem["type"], format!("urn:warp:problem:{code}"));
        assert!(problem["detail"].as_str().is_some_and(|detail| !detail.is_empty()), "{problem}");
        assert_eq!(answer.header("www-authenticate"), if status == 401 { "Bearer" } else { "" });
    }
}

#[tokio::test]
async fn a_method_that_is_not_there_is_told_which_are() {
    let lab = Lab::new().await;
    for (path, method, allow) in [
        ("/health", "POST", "GET, HEAD"),
        ("/v1/smpp/vendors/x/reconnect", "PUT", "POST"),
        ("/v1/actors/x", "POST", "GET, HEAD"),
    ] {
        let answer = lab.send(Api, request(method, path, None)).await;
        assert_eq!((answer.status, answer.header("allow")), (405, allow), "{method} {path}");
    }
}

#[tokio::test]
async fn readiness_says_what_is_missing() {
    let lab = Lab::new().await;
    let answer = lab.send(Api, request("GET", "/ready", None)).await;
    assert_eq!((answer.status, &answer.json()["code"]), (503, &json!("not_ready")));
    assert!(answer.body.contains("recovered"), "{}", answer.body);
    lab.smpp.recovered.send_replace(true);
    assert_eq!(lab.send(Api, request("GET", "/ready", None)).await.json(), json!({"status": "ready"}));
    lab.smpp.draining.store(true, Ordering::Release);
    assert_eq!(lab.send(Api, request("GET", "/ready", None)).await.status, 503);
}

#[tokio::test]
async fn bodies_of_vendors_and_stats_are_those_of_the_contract() {
    let lab = Lab::new().await;
    let vendors = lab.control("GET", "/v1/smpp/vendors", "").await.json();
    assert_eq!(vendors, json!({"success": true, "count": 0, "vendors": {}}));
    let stats = lab.control("GET", "/v1/smpp/stats", "").await.json();
    assert_eq!(stats["success"], true);
    for (section, keys) in [
        ("smpp_server", ["active_sessions", "total_binds", "total_submit_sm", "total_deliver_sm"].as_slice()),
        ("vendors", &["total_sent", "total_success", "total_failed"]),
    ] {
        for key in keys {
            assert_eq!(stats["data"][section][key], 0, "{section}.{key} in {stats}");
        }
    }
    assert!(stats["data"]["timestamp"].is_string());
}

/// A dashboard joins the list with the metrics by `vendor_name`, and a command's answer with the list by id.
#[tokio::test]
async fn a_vendor_is_the_same_in_list_command_and_metrics() {
    let lab = Lab::new().await;
    let example = include_str!("../../../config/provisioning.example.toml");
    assert_eq!(lab.control("POST", "/v1/control/apply", example).await.status, 200);
    let config = messaging::load(&lab.api.store, &lab.api.root_key).await.unwrap();
    message_router::install(&lab.smpp, config);
    let list = lab.control("GET", "/v1/smpp/vendors", "").await.json();
    let (id, vendor) = list["vendors"].as_object().unwrap().iter().next().unwrap();
    assert_eq!((&vendor["vendor_id"], &vendor["vendor_name"]), (&json!(id), &json!("sinch-atlanta")));
    for asked in [id.as_str(), "sinch-atlanta"] {
        let answer = lab.control("POST", &format!("/v1/smpp/vendors/{asked}/reconnect"), "").await.json();
        assert_eq!(answer, json!({"success": true, "vendor_id": id, "vendor_name": "sinch-atlanta"}));
    }
    let metrics = lab.send(Metrics, request("GET", "/metrics", None)).await.body;
    let labelled = "smpp_client_connections_total{status=\"down\",vendor_id=\"sinch-atlanta\"} 2";
    assert!(metrics.lines().any(|line| line == labelled), "{metrics}");
}

#[tokio::test]
async fn the_metrics_page_has_the_names_of_the_contract() {
    let lab = Lab::new().await;
    lab.send(Api, request("GET", "/v1/smpp/vendors/x/reconnect", None)).await;
    let answer = lab.send(Metrics, request("GET", "/metrics", None)).await;
    assert_eq!(answer.header("content-type"), "text/plain; version=0.0.4; charset=utf-8");
    for line in [
        "smpp_server_active_sessions_total 0",
        "dlr_tracking_hits_total 0",
        "warp_log_healthy 1",
        "warp_api_requests_total{method=\"GET\",route=\"unmatched\",status=\"405\"} 1",
    ] {
        assert!(answer.body.lines().any(|found| found == line), "{line} is not in\n{}", answer.body);
    }
}

#[tokio::test]
async fn actors_are_shown_as_list_as_text_and_by_name() {
    let lab = Lab::new().await;
    let registry = &lab.smpp.registry;
    let top = ActorName::new("router_of_test", "main");
    let below = ActorName::nth("bind_of_test", "sinch/atlanta 1", 2);
    let observe = || Observation { state: "bound".into(), queue_depth: 7, ..Observation::default() };
    let _top = registry.register(top.clone(), None, Arc::new(observe)).unwrap();
    let _below = registry.register(below.clone(), Some(top), Arc::new(observe)).unwrap();
    let list = lab.control("GET", "/v1/actors", "").await.json();
    let names: Vec<&str> = list.as_array().unwrap().iter().map(|one| one["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["router_of_test:main:0", "bind_of_test:sinch/atlanta 1:2"]);
    assert_eq!((&list[1]["depth"], &list[1]["parent"]), (&json!(1), &json!("router_of_test:main:0")));
    let text = lab.control("GET", "/v1/actors?format=text", "").await;
    assert_eq!(text.header("content-type"), "text/plain; charset=utf-8");
    assert!(text.body.contains("\n  bind_of_test:sinch/atlanta 1:2  bound"), "{}", text.body);
    let path = format!("/v1/actors/{}", runtime::registry::to_url(&below));
    assert!(path.contains("sinch%2Fatlanta%201"), "{path}");
    let one = lab.control("GET", &path, "").await.json();
    assert_eq!((&one["state"], &one["queue_depth"]), (&json!("bound"), &json!(7)));
    let refused = lab.control("POST", "/v1/actors/router_of_test:main:0/restart", "").await;
    assert_eq!((refused.status, &refused.json()["code"]), (409, &json!("not_restartable")));
}

#[tokio::test]
async fn a_provisioning_document_is_planned_applied_and_then_true() {
    let lab = Lab::new().await;
    let example = include_str!("../../../config/provisioning.example.toml");
    let planned = lab.control("POST", "/v1/control/apply?dry_run=true", example).await.json();
    assert_eq!(planned["dry_run"], true);
    let kinds = |answer: &serde_json::Value| -> Vec<String> {
        answer["changes"].as_array().unwrap().iter().map(|one| one["kind"].to_string()).collect()
    };
    let all = ["\"customer\"", "\"esme_account\"", "\"sms_vendor\"", "\"sms_route\"", "\"did\""];
    assert_eq!(kinds(&planned), all);
    let mut announced = lab.smpp.announcements.subscribe();
    let applied = lab.control("POST", "/v1/control/apply", example).await.json();
    assert_eq!((kinds(&applied), &applied["dry_run"]), (kinds(&planned), &json!(false)));
    assert!(announced.has_changed().unwrap());
    announced.mark_unchanged();
    let again = lab.control("POST", "/v1/control/apply", example).await.json();
    assert_eq!(again["changes"], json!([]));
    assert!(!announced.has_changed().unwrap());
    let changed = example.replace("port = 3601", "port = 3602");
    let text = lab.control("POST", "/v1/control/apply?dry_run&format=text", &changed).await.body;
    assert_eq!(text, "~ sms_vendor sinch-atlanta\n    port: 3601 -> 3602\n1 change, not applied (dry run)\n");
    assert!(!format!("{applied}{planned}{text}").contains("secret12"));
}

#[tokio::test]
async fn voice_is_provisioned_beside_messaging() {
    let lab = Lab::new().await;
    let messaging = include_str!("../../../config/provisioning.example.toml");
    assert_eq!(lab.control("POST", "/v1/control/apply", messaging).await.status, 200);
    let example = include_str!("../../../config/voice.example.toml");
    let planned = lab.control("POST", "/v1/control/apply?dry_run=true", example).await.json();
    let changes = planned["changes"].as_array().unwrap();
    let one = |change: &serde_json::Value| format!("{} {}", change["kind"], change["key"]).replace('"', "");
    let all = [
        "customer TB-071161709",
        "partition wholesale",
        "sip_vendor atlantic",
        "sip_vendor pacific",
        "trunk acme-east",
        "voice_rate wholesale/1/atlantic",
        "voice_rate wholesale/1/pacific",
        "voice_rate wholesale//pacific",
        "high_cost list",
        "dedicated_address 198.51.100.200",
        "did 15550002222",
    ];
    assert_eq!(changes.iter().map(one).collect::<Vec<_>>(), all);
    assert_eq!(lab.control("POST", "/v1/control/apply", example).await.json()["changes"], planned["changes"]);
    let again = lab.control("POST", "/v1/control/apply", example).await.json();
    assert_eq!(again["changes"], json!([]));
    let moved =
        example.replace("203.0.113.77:5060/udp", "203.0.113.78:5060/udp").replace("cps = 50", "cps = 60");
    let text = lab.control("POST", "/v1/control/apply?dry_run&format=text", &moved).await.body;
    let expected = "~ trunk acme-east\n    cps: 50 -> 60\n    \
         acl: 4 -> 4: +203.0.113.78:5060/udp -203.0.113.77:5060/udp\n1 change, not applied (dry run)\n";
    assert_eq!(text, expected);
}

#[tokio::test]
async fn a_document_that_cannot_be_meant_is_refused_whole() {
    let lab = Lab::new().await;
    let example = include_str!("../../../config/provisioning.example.toml");
    let wrong = example.replace("vendor = \"sinch-atlanta\"", "vendor = \"boston\"");
    let refused = lab.control("POST", "/v1/control/apply", &wrong).await;
    assert_eq!((refused.status, &refused.json()["code"]), (422, &json!("provisioning_refused")));
    assert!(refused.body.contains("boston"), "{}", refused.body);
    let nothing = lab.control("POST", "/v1/control/apply?dry_run", example).await.json();
    assert_eq!(nothing["changes"].as_array().unwrap().len(), 5, "something was written");
    let too_long = "#".repeat(BODY_OCTETS_MAX + 1);
    let refused = lab.control("POST", "/v1/control/apply", &too_long).await;
    assert_eq!((refused.status, &refused.json()["code"]), (413, &json!("body_too_large")));
}
