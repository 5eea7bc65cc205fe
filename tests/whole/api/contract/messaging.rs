//! Vendors and accounts of messages, and how they live.

use serde_json::{Value, json};

use super::{ANY, NONE, Row, row};

const NOTHING: Value = Value::Null;

/// A vendor that listens on this port, the route to it, and an account whose password the node makes.
pub(super) fn made(port: u16) -> Vec<Row> {
    let vendor = json!({"instance_name": "sinch-atlanta", "display_name": "Sinch Atlanta",
        "host": "127.0.0.1", "port": port, "system_id": "warp", "password": "secret",
        "throughput_limit": 100});
    let shown = json!({"/instance_name": "sinch-atlanta", "/display_name": "Sinch Atlanta",
        "/provider_type": "SMPP", "/host": "127.0.0.1", "/port": port, "/tls": false,
        "/bind_type": "transceiver", "/system_id": "warp", "/throughput_limit": 100, "/priority": 0,
        "/active": true, "/health_status": ANY, "/password": NONE});
    let changed = json!({"instance_name": "sinch-atlanta", "host": "127.0.0.1", "port": port,
        "system_id": "warp", "throughput_limit": 100, "priority": 5});
    let route = json!({"name": "us", "prefix": "+1", "vendor": "sinch-atlanta", "cost": "0.0035"});
    vec![
        row("POST /v1/admin/sms-vendors", vendor, 201, shown).keeps(&[("sms", "/id")]),
        row("GET /v1/admin/sms-vendors", NOTHING, 200, json!({"/items/0/id": "{sms}", "/next": null})),
        row(
            "PUT /v1/admin/sms-vendors/{sms}",
            changed,
            200,
            json!({"/id": "{sms}", "/priority": 5, "/password": NONE}),
        ),
        row("GET /v1/admin/sms-vendors/{sms}", NOTHING, 200, json!({"/priority": 5, "/password": NONE})),
        row("POST /v1/admin/sms-routes", route, 201, json!({"/prefix": "1", "/cost": "0.0035"}))
            .keeps(&[("route", "/id")]),
        row(
            "POST /v1/admin/customers/{ban}/esme-accounts",
            json!({"system_id": "acme"}),
            201,
            json!({"/system_id": "acme", "/customer": "{ban}", "/active": true}),
        )
        .keeps(&[("account", "/id"), ("password", "/password")]),
        row(
            "GET /v1/admin/customers/{ban}/esme-accounts/{account}",
            NOTHING,
            200,
            json!({"/system_id": "acme", "/password": NONE}),
        ),
    ]
}

/// The account is bound, the vendor connected.
pub(super) fn live() -> Vec<Row> {
    let vendors = || {
        json!({"/success": true, "/count": 1, "/vendors/{sms}/vendor_id": "{sms}",
            "/vendors/{sms}/vendor_name": "sinch-atlanta", "/vendors/{sms}/status": "connected",
            "/vendors/{sms}/connected_at": ANY, "/vendors/{sms}/messages_sent": 0,
            "/vendors/{sms}/messages_success": 0, "/vendors/{sms}/messages_failed": 0,
            "/vendors/{sms}/dlrs_received": 0})
    };
    let stats = || {
        json!({"/success": true, "/data/smpp_server/active_sessions": 1, "/data/smpp_server/total_binds": 1,
            "/data/smpp_server/total_submit_sm": 0, "/data/smpp_server/total_deliver_sm": 0,
            "/data/vendors/total_sent": 0, "/data/vendors/total_success": 0, "/data/vendors/total_failed": 0,
            "/data/timestamp": ANY})
    };
    let commanded = || json!({"/success": true, "/vendor_id": "{sms}", "/vendor_name": "sinch-atlanta"});
    vec![
        row("GET /v1/smpp/vendors", NOTHING, 200, vendors()),
        row("GET /api/v1/vendors", NOTHING, 200, vendors()),
        row("GET /v1/smpp/stats", NOTHING, 200, stats()),
        row("GET /api/v1/admin/stats", NOTHING, 200, stats()),
        row("POST /v1/smpp/vendors/{sms}/disconnect", NOTHING, 200, commanded()),
        row("POST /v1/smpp/vendors/{sms}/reconnect", NOTHING, 200, commanded()),
        row(
            "POST /v1/smpp/vendors/00000000-0000-7000-8000-000000000000/reconnect",
            NOTHING,
            404,
            json!({"/code": "unknown_vendor"}),
        ),
        row(
            "GET /v1/explain/sms?system_id=acme&from=WARP&to=15551234567",
            NOTHING,
            200,
            json!({"/question/to": "15551234567", "/customer": "{ban}", "/outcome": ANY,
                "/candidates/0/vendor": "sinch-atlanta", "/candidates/0/route": "us"}),
        ),
        // Nobody has sent anything.
        row("GET /v1/mdrs", NOTHING, 200, json!({"/items": [], "/next": null})),
        row(
            "POST /v1/messages/sms",
            json!({"account": "acme", "from": "WARP", "to": "+15551234567", "text": "hello"}),
            202,
            json!({"/message_id": ANY, "/segments": 1}),
        )
        .keeps(&[("message", "/message_id")]),
        row(
            "GET /v1/messages/{message}",
            NOTHING,
            200,
            json!({"/message_id": "{message}", "/account": "acme", "/to": "15551234567", "/state": ANY}),
        ),
        row("GET /v1/smpp/sessions", NOTHING, 200, json!({"/live": 1, "/sessions/0/ban": "{ban}"})),
    ]
}

pub(super) fn unmade() -> Vec<Row> {
    let in_use = json!({"/code": "in_use"});
    vec![
        row("DELETE /v1/admin/sms-vendors/{sms}", NOTHING, 409, in_use),
        row("DELETE /v1/admin/sms-routes/{route}", NOTHING, 204, NOTHING),
        row("DELETE /v1/admin/sms-vendors/{sms}?drain=true", NOTHING, 204, NOTHING),
        row("GET /v1/admin/sms-vendors/{sms}", NOTHING, 404, json!({"/code": "unknown_vendor"})),
    ]
}
