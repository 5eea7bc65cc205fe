//! Customers, users, keys and what they see.

use serde_json::{Value, json};

use super::{ANY, NONE, Row, absent, row};

const NOTHING: Value = Value::Null;

/// Two customers: one with a BAN of ours and a first user, one that brings its BAN.
pub(super) fn customers() -> Vec<Row> {
    let acme = json!({"company_name": "Acme Telecom", "status": "TRIAL", "type": "PREPAID",
        "services": ["Voice", "Messaging", "Telecom Data"], "credit_limit": "100.5",
        "invite": "first@example.net"});
    let shown = json!({"/company_name": "Acme Telecom", "/status": "TRIAL", "/type": "PREPAID",
        "/services": ["Voice", "Messaging", "Telecom Data"], "/credit_limit": "100.5",
        "/current_balance": "0", "/hubspot_company_id": null, "/ban": ANY, "/created_at": ANY});
    let changed = json!({"company_name": "Acme Telecom Ltd", "status": "TRIAL", "type": "POSTPAID",
        "services": ["Voice", "Messaging"], "hubspot_company_id": "8812776201"});
    vec![
        row("POST /v1/customers", acme, 201, shown).keeps(&[("customer", "/id"), ("ban", "/ban")]),
        row(
            "POST /v1/customers",
            json!({"company_name": "Demo", "ban": "DEMO-002"}),
            201,
            json!({"/ban": "DEMO-002", "/status": "ACTIVE", "/type": "POSTPAID", "/tier": "STANDARD"}),
        )
        .keeps(&[("demo", "/id")]),
        row(
            "GET /v1/customers?limit=1",
            NOTHING,
            200,
            json!({"/items/0/id": ANY, "/items/1": NONE, "/next": ANY}),
        ),
        row(
            "GET /v1/customers?search=ACME&status=TRIAL",
            NOTHING,
            200,
            json!({"/items/0/id": "{customer}", "/items/1": NONE, "/next": null}),
        ),
        row("GET /v1/customers/{customer}", NOTHING, 200, json!({"/id": "{customer}", "/ban": "{ban}"})),
        row("GET /v1/customers/by-ban/{ban}", NOTHING, 200, json!({"/id": "{customer}"})),
        row("GET /v1/customers/by-ban/NOBODY-1", NOTHING, 404, json!({"/code": "unknown_customer"})),
        row(
            "PUT /v1/customers/{customer}",
            changed,
            200,
            json!({"/ban": "{ban}", "/company_name": "Acme Telecom Ltd", "/type": "POSTPAID",
                "/services": ["Voice", "Messaging"], "/hubspot_company_id": "8812776201"}),
        ),
        row(
            "POST /v1/customers/{customer}/notes",
            json!({"text": "Wants a second trunk."}),
            201,
            json!({"/text": "Wants a second trunk.", "/author": "bootstrap", "/created_at": ANY}),
        ),
        row(
            "GET /v1/customers/{customer}/notes",
            NOTHING,
            200,
            json!({"/items/0/text": "Wants a second trunk.", "/next": null}),
        ),
    ]
}

/// A user who has logged in, and a key of the customer's own.
pub(super) fn made() -> Vec<Row> {
    let maria = json!({"email": "maria@example.net", "name": "Maria Silva", "user_type": "admin"});
    let login = json!({"email": "maria@example.net", "password": "correct horse battery staple"});
    let tokens =
        || json!({"/token_type": "Bearer", "/expires_in": 900, "/access_token": ANY, "/refresh_token": ANY});
    let key = json!({"name": "portal", "customer": "{ban}", "permissions": ["customers:read",
        "dashboard:read", "dids:read", "network:read", "trunks:read", "trunks:write"]});
    vec![
        row("POST /v1/users", maria, 201, json!({"/email": "maria@example.net", "/active": true}))
            .keeps(&[("user", "/id")]),
        row(
            "PUT /v1/users/{user}/password",
            json!({"password": "correct horse battery staple"}),
            200,
            json!({"/id": "{user}", "/has_password": true, "/password": NONE}),
        ),
        row("POST /auth/login", login, 200, tokens()).keeps(&[("refresh", "/refresh_token")]),
        row("POST /auth/refresh", json!({"refresh_token": "{refresh}"}), 200, tokens())
            .keeps(&[("access", "/access_token")]),
        row(
            "POST /v1/api-keys",
            key,
            201,
            json!({"/name": "portal", "/customer_id": "{customer}", "/prefix": ANY}),
        )
        .keeps(&[("key", "/key"), ("key_id", "/id")]),
    ]
}

/// As the user sees it.
pub(super) fn of_user() -> Vec<Row> {
    vec![
        row(
            "GET /auth/validate",
            NOTHING,
            200,
            json!({"/name": "user:maria@example.net", "/user_id": "{user}", "/user_type": "admin",
                "/operator": true}),
        ),
        row(
            "GET /v1/gatekeeper/my-permissions",
            NOTHING,
            200,
            json!({"/user_type": "admin", "/global/0": "accounts:manage", "/customers": []}),
        ),
    ]
}

/// As the customer's own program sees it: what is its own, and nothing else.
pub(super) fn of_key() -> Vec<Row> {
    let checks = json!({"checks": [{"permission": "trunks:write", "customer_id": "{customer}"},
        {"permission": "trunks:write", "customer_id": "{demo}"}, {"permission": "trunks:write"}]});
    vec![
        row("GET /v1/customers", NOTHING, 200, json!({"/items/0/id": "{customer}", "/items/1": NONE})),
        row("GET /v1/customers/{demo}", NOTHING, 404, json!({"/code": "unknown_customer"})),
        row("GET /v1/users", NOTHING, 403, json!({"/code": "forbidden"})),
        row(
            "GET /v1/gatekeeper/my-permissions",
            NOTHING,
            200,
            json!({"/user_type": "key", "/global": [], "/customers/0/ban": "{ban}", "/customers/1": NONE,
                "/customers/0/permissions/0": "customers:read"}),
        ),
        row(
            "POST /v1/gatekeeper/check-access",
            json!({"permission": "trunks:read", "customer_id": "{customer}"}),
            200,
            json!({"/permission": "trunks:read", "/customer_id": "{customer}", "/allowed": true}),
        ),
        row(
            "POST /v1/gatekeeper/check-access-batch",
            checks,
            200,
            json!({"/results/0/allowed": true, "/results/1/allowed": false, "/results/2/allowed": false,
                "/results/3": NONE}),
        ),
        row(
            "GET /v1/gatekeeper/available-permissions",
            NOTHING,
            200,
            json!({"/permissions/0/permission": "accounts:manage", "/permissions/0/description": ANY}),
        ),
        row(
            "GET /v1/dashboard/me",
            NOTHING,
            200,
            json!({"/items/0/ban": "{ban}", "/items/0/trunks": 2, "/items/0/accounts": 1, "/items/0/dids": 1,
                "/items/1": NONE, "/next": null}),
        ),
        row("GET /v1/network/vendor-ips", NOTHING, 200, json!({"/items/0/address": "198.51.100.7/32"})),
        row(
            "GET /v1/network/ingress-ips",
            NOTHING,
            200,
            json!({"/items/0/address": "sip.example.net", "/items/0/transport": "udp",
                "/items/0/port": 5060, "/items/1/address": "198.51.100.200",
                "/items/1/customer_id": "{customer}", "/items/2": NONE}),
        ),
    ]
}

/// What the platform's own people see of all this, and the CRM that this installation does not have.
pub(super) fn seen() -> Vec<Row> {
    vec![
        row(
            "GET /v1/users?search=silva",
            NOTHING,
            200,
            json!({"/items/0/id": "{user}", "/items/0/last_login_at": ANY, "/items/1": NONE}),
        ),
        row(
            "GET /v1/user-types",
            NOTHING,
            200,
            json!({"/items/0/name": "admin", "/items/1/name": "superAdmin", "/items/2/name": "user"}),
        ),
        row(
            "PUT /v1/users/{user}/customers/{customer}",
            json!({"permissions": ["calls:read"]}),
            200,
            json!({"/customer_id": "{customer}", "/ban": "{ban}", "/permissions": ["calls:read"]}),
        ),
        row(
            "GET /v1/invitations",
            NOTHING,
            200,
            json!({"/items/0/email": "first@example.net", "/items/0/customer_id": "{customer}",
                "/items/0/user_type": "user", "/items/1": NONE}),
        ),
        row(
            "GET /v1/api-keys",
            NOTHING,
            200,
            json!({"/items/0/id": "{key_id}", "/items/0/key": NONE, "/items/0/customer_id": "{customer}"}),
        ),
        row(
            "GET /v1/dashboard/stats",
            NOTHING,
            200,
            json!({"/customers/active": 1, "/customers/trial": 1, "/customers/suspended": 0,
                "/trunks/active": 3, "/live/smpp_sessions": 1, "/versions/database": "{engine}",
                "/timestamp": ANY}),
        ),
        row("POST /v1/sync/customers/{customer}/to-hubspot", NOTHING, 501, absent()),
        row("POST /v1/sync/customers/{customer}/queue", NOTHING, 501, absent()),
        row("POST /v1/sync/process-queue", NOTHING, 501, absent()),
        row("GET /v1/sync/hubspot/companies/search?q=acme", NOTHING, 501, absent()),
    ]
}

pub(super) fn unmade() -> Vec<Row> {
    vec![row("DELETE /v1/api-keys/{key_id}", NOTHING, 204, NOTHING)]
}
