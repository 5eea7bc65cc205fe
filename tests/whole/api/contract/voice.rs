//! Vendors, rates, trunks, sources and numbers of calls.

use serde_json::{Value, json};

use super::{ANY, NONE, Row, absent, row};

const NOTHING: Value = Value::Null;

pub(super) fn made() -> Vec<Row> {
    [vendors(), trunks(), sources(), numbers()].into_iter().flatten().collect()
}

/// A partition, and a vendor with rates in it.
fn vendors() -> Vec<Row> {
    let vendor = json!({"name": "atlantic", "probe_interval": "0s", "networks": ["127.0.0.9/32"]});
    let changed =
        json!({"name": "atlantic", "probe_interval": "0s", "gateways": ["sip:127.0.0.1:5090"], "cps": 200});
    let rate = json!({"partition": "wholesale", "prefix": "+44", "rate": "0.01"});
    vec![
        row("POST /v1/admin/partitions", json!({"name": "wholesale"}), 201, json!({"/name": "wholesale"}))
            .keeps(&[("partition", "/id")]),
        row("GET /v1/admin/partitions", NOTHING, 200, json!({"/items/0/id": "{partition}", "/next": null})),
        row(
            "POST /v1/admin/voice-vendors",
            vendor,
            201,
            json!({"/name": "atlantic", "/status": "ACTIVE", "/networks": ["127.0.0.9/32"], "/cps": 0}),
        )
        .keeps(&[("voice", "/id")]),
        row("GET /v1/admin/voice-vendors", NOTHING, 200, json!({"/items/0/id": "{voice}", "/next": null})),
        row("PUT /v1/admin/voice-vendors/{voice}", changed, 200, json!({"/cps": 200, "/networks": []})),
        row("GET /v1/admin/voice-vendors/{voice}", NOTHING, 200, json!({"/cps": 200, "/gateways/0": ANY})),
        row(
            "PUT /v1/admin/voice-vendors/{voice}/rates",
            rate,
            200,
            json!({"/partition": "wholesale", "/prefix": "44", "/vendor": "atlantic", "/rate": "0.01"}),
        )
        .keeps(&[("rate", "/id")]),
        row(
            "PUT /v1/admin/partitions/{partition}/vendors/{voice}",
            json!({"prefix": "1", "rate": "0.0042"}),
            200,
            json!({"/prefix": "1", "/rate": "0.0042"}),
        ),
        row(
            "GET /v1/admin/voice-vendors/{voice}/rates",
            NOTHING,
            200,
            json!({"/items/0/prefix": "1", "/items/1/prefix": "44", "/next": null}),
        ),
        row(
            "GET /v1/admin/partitions/{partition}/vendors",
            NOTHING,
            200,
            json!({"/items/0/vendor_id": "{voice}", "/items/0/vendor": "atlantic", "/items/0/prefixes": 2,
                "/items/0/lowest_rate": "0.0042"}),
        ),
    ]
}

/// A trunk of either customer.
fn trunks() -> Vec<Row> {
    vec![
        row(
            "POST /v1/admin/customers/{ban}/trunks",
            json!({"name": "acme-east", "partition": "wholesale"}),
            201,
            json!({"/name": "acme-east", "/auth_type": "IP_ACL", "/active": true, "/partition": "wholesale"}),
        )
        .keeps(&[("trunk", "/id")]),
        row(
            "POST /v1/admin/customers/DEMO-002/trunks",
            json!({"name": "demo"}),
            201,
            json!({"/name": "demo"}),
        )
        .keeps(&[("theirs", "/id")]),
        row(
            "GET /v1/admin/customers/{ban}/trunks",
            NOTHING,
            200,
            json!({"/items/0/id": "{trunk}", "/items/1": NONE, "/next": null}),
        ),
        row(
            "PUT /v1/admin/customers/{ban}/trunks/{trunk}",
            json!({"name": "acme-east", "partition": "wholesale", "cps": 50, "channels": 500}),
            200,
            json!({"/id": "{trunk}", "/cps": 50, "/channels": 500}),
        ),
        row("GET /v1/admin/customers/{ban}/trunks/{trunk}", NOTHING, 200, json!({"/cps": 50})),
        row("GET /v1/admin/customers/{ban}/trunks/{theirs}", NOTHING, 404, json!({"/code": "not_found"})),
        row("POST /v1/admin/trunks/sync-redis", NOTHING, 501, absent()),
    ]
}

/// The source of the trunk, and the address that is the customer's own.
fn sources() -> Vec<Row> {
    let changed = json!({"network": "203.0.113.0/28", "note": "SBC in Atlanta"});
    vec![
        row(
            "POST /v1/admin/customers/{ban}/trunks/{trunk}/ips",
            json!({"network": "203.0.113.0/28", "port": 5060, "transport": "udp"}),
            201,
            json!({"/network": "203.0.113.0/28", "/port": 5060, "/transport": "udp", "/note": ""}),
        )
        .keeps(&[("ip", "/id")]),
        row(
            "PUT /v1/admin/customers/{ban}/trunks/{trunk}/ips/{ip}",
            changed,
            200,
            json!({"/id": "{ip}", "/port": null, "/transport": null, "/note": "SBC in Atlanta"}),
        ),
        row(
            "GET /v1/admin/customers/{ban}/trunks/{trunk}/ips",
            NOTHING,
            200,
            json!({"/items/0/id": "{ip}", "/items/0/network": "203.0.113.0/28", "/items/1": NONE,
                "/next": null}),
        ),
        row(
            "POST /v1/admin/customers/{ban}/dedicated-ips",
            json!({"address": "198.51.100.200"}),
            409,
            json!({"/code": "wrong_tier"}),
        ),
        row(
            "PUT /v1/admin/customers/{ban}/tier",
            json!({"tier": "PREMIUM"}),
            200,
            json!({"/id": "{customer}", "/tier": "PREMIUM"}),
        ),
        row(
            "POST /v1/admin/customers/{ban}/dedicated-ips",
            json!({"address": "198.51.100.200"}),
            201,
            json!({"/address": "198.51.100.200"}),
        )
        .keeps(&[("address", "/id")]),
        row(
            "GET /v1/admin/customers/{ban}/dedicated-ips",
            NOTHING,
            200,
            json!({"/items/0/id": "{address}", "/items/1": NONE, "/next": null}),
        ),
    ]
}

/// A number out of stock that is the customer's.
fn numbers() -> Vec<Row> {
    vec![
        row(
            "POST /v1/admin/dids",
            json!({"number": "+15550002222"}),
            201,
            json!({"/number": "15550002222", "/customer": null}),
        )
        .keeps(&[("did", "/id")]),
        row(
            "POST /v1/customers/{customer}/dids",
            json!({"numbers": ["+15550002222"]}),
            200,
            json!({"/items/0/id": "{did}", "/items/0/customer": "{ban}"}),
        ),
        row("GET /v1/customers/{customer}/dids", NOTHING, 200, json!({"/items/0/number": "15550002222"})),
    ]
}

/// What a customer does for itself: the literal of the path is no customer's id.
pub(super) fn own() -> Vec<Row> {
    vec![
        row(
            "GET /v1/customers/trunks",
            NOTHING,
            200,
            json!({"/items/0/id": "{trunk}", "/items/0/name": "acme-east", "/items/1": NONE, "/next": null,
                "/ban": NONE, "/items/0/partition": NONE}),
        ),
        row(
            "POST /v1/customers/trunks",
            json!({"name": "acme-own"}),
            201,
            json!({"/name": "acme-own", "/customer": "{ban}", "/may_call_out": false, "/partition": NONE}),
        )
        .keeps(&[("own", "/id")]),
        row("GET /v1/customers/trunks/{own}", NOTHING, 200, json!({"/id": "{own}", "/may_call_out": false})),
        row("GET /v1/customers/trunks/{theirs}", NOTHING, 404, json!({"/code": "not_found"})),
        row(
            "POST /v1/customers/trunks/{own}/ips",
            json!({"network": "203.0.113.99", "note": "office"}),
            201,
            json!({"/network": "203.0.113.99/32", "/note": "office"}),
        )
        .keeps(&[("own_ip", "/id")]),
        row("POST /v1/customers/trunks/{theirs}/ips", json!({"network": "192.0.2.1"}), 404, NOTHING),
        row(
            "GET /v1/customers/trunks/{own}/ips",
            NOTHING,
            200,
            json!({"/items/0/id": "{own_ip}", "/items/1": NONE, "/next": null}),
        ),
        row("DELETE /v1/customers/trunks/{own}/ips/{own_ip}", NOTHING, 204, NOTHING),
        row("GET /v1/customers/trunks/{own}/ips", NOTHING, 200, json!({"/items": []})),
        row("GET /v1/admin/customers/{ban}/trunks", NOTHING, 403, json!({"/code": "forbidden"})),
    ]
}

/// What lives, and what would.
pub(super) fn seen() -> Vec<Row> {
    vec![
        row("GET /v1/calls", NOTHING, 200, json!({"/live": 0, "/calls": [], "/next": null})),
        row("GET /v1/calls/{customer}", NOTHING, 404, json!({"/code": "unknown_call"})),
        row("GET /v1/cdrs", NOTHING, 200, json!({"/items": [], "/next": null})),
        row(
            "GET /v1/explain/call?from=1&to=442012345678&source=203.0.113.5:5060",
            NOTHING,
            200,
            json!({"/question/to": "442012345678", "/trunk": "acme-east", "/outcome": ANY,
                "/candidates/0/vendor": "atlantic"}),
        ),
        row("GET /v1/actors", NOTHING, 200, json!({"/0/name": ANY, "/0/state": ANY})),
        row(
            "GET /v1/actors/{actor}",
            NOTHING,
            200,
            json!({"/name": "{actor}", "/state": ANY, "/since": ANY, "/restarts": 0, "/counters": ANY}),
        ),
    ]
}

/// Everything goes again, in an order in which nothing needs what goes.
pub(super) fn unmade() -> Vec<Row> {
    let in_use = || json!({"/code": "in_use"});
    vec![
        row("DELETE /v1/admin/dids/{did}", NOTHING, 409, in_use()),
        row("DELETE /v1/admin/dids/{did}/assignment", NOTHING, 204, NOTHING),
        row("DELETE /v1/admin/dids/{did}", NOTHING, 204, NOTHING),
        row("DELETE /v1/admin/customers/{ban}/dedicated-ips/{address}", NOTHING, 204, NOTHING),
        row("DELETE /v1/admin/customers/{ban}/trunks/{trunk}/ips/{ip}", NOTHING, 204, NOTHING),
        row("DELETE /v1/admin/customers/{ban}/trunks/{trunk}", NOTHING, 409, in_use()),
        row("DELETE /v1/admin/customers/{ban}/trunks/{trunk}?drain=true", NOTHING, 204, NOTHING),
        row("GET /v1/admin/customers/{ban}/trunks/{trunk}", NOTHING, 404, json!({"/code": "not_found"})),
        row("DELETE /v1/admin/voice-vendors/{voice}/rates/{rate}", NOTHING, 204, NOTHING),
        row("DELETE /v1/admin/partitions/{partition}/vendors/{voice}", NOTHING, 204, NOTHING),
        row("DELETE /v1/admin/voice-vendors/{voice}", NOTHING, 409, in_use()),
        row("DELETE /v1/admin/voice-vendors/{voice}?drain=true", NOTHING, 204, NOTHING),
        row("GET /v1/admin/voice-vendors/{voice}", NOTHING, 404, json!({"/code": "unknown_vendor"})),
        row("DELETE /v1/admin/partitions/{partition}", NOTHING, 204, NOTHING),
    ]
}
