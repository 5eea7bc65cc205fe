//! Commands stand in the audit, with who gave them and on what; what was refused or changed nothing does not.

use std::time::Duration;

use actors::smpp::message_router;
use runtime::registry::{ActorName, to_url};
use runtime::store::audit::{self, Entry, Filter};
use runtime::store::messaging;
use runtime::supervision::{ChildSpec, Intensity, Restart, Strategy, Supervisor, SupervisorSpec};
use serde_json::{Value, json};
use uuid::Uuid;

use super::{calls, drain};
use crate::testing::{Lab, PASSWORD, TOKEN};

const EXAMPLE: &str = include_str!("../../../../config/provisioning.example.toml");
const INTENSITY: Intensity = Intensity::new(3, Duration::from_secs(10));
/// Of all commands by the API port: what one of them got is no answer to another, nor to the same again.
const KEY: (&str, &str) = ("idempotency-key", "one");

/// A token, empty by the control socket; method and path; the status; action and principal of what the audit
/// has then, none where it has nothing.
type Line<'a> = (&'a str, (&'a str, &'a str), u16, Option<(&'a str, &'a str)>);

async fn entries(lab: &Lab) -> Vec<Entry> {
    audit::recent(&lab.api.store, &Filter::default(), None, 100).await.unwrap()
}

/// Gives a command and sees what the audit has of it.
async fn give(lab: &Lab, (token, (method, path), status, noted): Line<'_>, body: &str) -> Option<Entry> {
    let known = entries(lab).await;
    let answer = if token.is_empty() {
        lab.control(method, path, body).await
    } else {
        lab.ask_with(token, (method, path), None, &[KEY]).await
    };
    assert_eq!(answer.status, status, "{method} {path}: {}", answer.body);
    let mut new = entries(lab).await;
    new.retain(|entry| !known.contains(entry));
    let resource = path.split('?').next().unwrap();
    let expected: Vec<_> = noted.into_iter().map(|(action, by)| (action, by, resource)).collect();
    let told = |entry: &Entry| (entry.action.clone(), entry.principal.clone(), entry.resource.clone());
    let told: Vec<_> = new.iter().map(told).collect();
    let told: Vec<_> = told.iter().map(|(what, by, on)| (what.as_str(), by.as_str(), on.as_str())).collect();
    assert_eq!(told, expected, "{method} {path}");
    assert!(new.iter().all(|entry| !entry.request_id.is_empty()), "{new:?}");
    new.pop()
}

#[tokio::test]
async fn commands_to_vendors_are_noted_each_time() {
    let lab = Lab::new().await;
    assert_eq!(lab.control("POST", "/v1/control/apply", EXAMPLE).await.status, 200);
    let config = messaging::load(&lab.api.store, &lab.api.root_key).await.unwrap();
    message_router::install(&lab.smpp, config);
    let binds = ActorName::new("vendor_binds", "sinch-atlanta");
    let _shown = drain::shown(&lab, &binds);
    let [drained, panicked] = ["drain", "panic"].map(|verb| format!("/v1/actors/{}/{verb}", to_url(&binds)));
    let (drained, panicked) = (("POST", drained.as_str()), ("POST", panicked.as_str()));
    let disconnect = ("POST", "/v1/smpp/vendors/sinch-atlanta/disconnect");
    let reconnect = ("POST", "/v1/smpp/vendors/sinch-atlanta/reconnect");
    let table: [(Line<'_>, &str); 5] = [
        ((TOKEN, disconnect, 200, Some(("disconnect", "bootstrap"))), "vendor_name"),
        ((TOKEN, reconnect, 200, Some(("reconnect", "bootstrap"))), "vendor_name"),
        (("", reconnect, 200, Some(("reconnect", "control"))), "vendor_name"),
        ((TOKEN, drained, 200, Some(("drain", "bootstrap"))), "name"),
        ((TOKEN, drained, 200, Some(("drain", "bootstrap"))), "name"),
    ];
    for (line, name) in table {
        let before = give(&lab, line, "").await.unwrap().before.unwrap();
        assert!(before[name].as_str().unwrap().contains("sinch-atlanta"), "{line:?}: {before}");
    }
    let refused: [Line<'_>; 4] = [
        (TOKEN, ("POST", "/v1/smpp/vendors/nobody/disconnect"), 404, None),
        (TOKEN, ("POST", "/v1/actors/vendor_binds:nobody:0/drain"), 404, None),
        // Neither is configured.
        (TOKEN, panicked, 403, None),
        (TOKEN, ("POST", "/v1/admin/trunks/sync-redis"), 501, None),
    ];
    for line in refused {
        give(&lab, line, "").await;
    }
}

#[tokio::test]
async fn an_actor_that_is_restarted_is_noted_as_it_was() {
    let lab = Lab::new().await;
    let name = ActorName::new("child_of_audit_test", "main");
    let top = ActorName::new("top_of_audit_test", "main");
    let spec = SupervisorSpec::new(top.clone(), Strategy::OneForOne, INTENSITY);
    let spec = spec.child(ChildSpec::new(name.clone(), Restart::Permanent, drain::idle()));
    let supervisor = Supervisor::spawn(spec, &lab.smpp.registry).await.unwrap();
    let restart = format!("/v1/actors/{}/restart", to_url(&name));
    let line = (TOKEN, ("POST", restart.as_str()), 200, Some(("restart", "bootstrap")));
    let before = give(&lab, line, "").await.unwrap().before.unwrap();
    assert_eq!((&before["name"], &before["parent"]), (&json!(name.to_string()), &json!(top.to_string())));
    let of_top = format!("/v1/actors/{}/restart", to_url(&top));
    give(&lab, (TOKEN, ("POST", of_top.as_str()), 409, None), "").await;
    supervisor.stop().await;
}

/// Both sessions of a user end, although both logouts have one key.
#[tokio::test]
async fn each_logout_of_a_user_is_done_and_noted() {
    let lab = Lab::new().await;
    lab.user("maria@example.net", "admin").await;
    let mut tokens = Vec::new();
    for _ in 0..2 {
        let login = json!({"email": "maria@example.net", "password": PASSWORD});
        let answer = lab.ask("", ("POST", "/auth/login"), Some(login)).await;
        tokens.push(answer.json()["access_token"].as_str().unwrap().to_owned());
    }
    let mut ended = Vec::new();
    for token in &tokens {
        let logout = ("POST", "/auth/logout");
        let line = (token.as_str(), logout, 204, Some(("logout", "user:maria@example.net")));
        let before = give(&lab, line, "").await.unwrap().before.unwrap();
        ended.push(before["session_id"].as_str().unwrap().to_owned());
        assert_eq!(lab.ask(token, ("GET", "/auth/validate"), None).await.status, 401);
    }
    assert_ne!(ended[0], ended[1]);
    give(&lab, (TOKEN, ("POST", "/auth/logout"), 404, None), "").await;
}

#[tokio::test]
async fn a_call_that_is_ended_is_noted_for_its_customer() {
    let lab = calls::lab().await;
    let customer = lab.calls.snapshot.load().trunks[0].config.customer;
    let call = format!("/v1/calls/{}", calls::begin(&lab, 1).await);
    let line = (TOKEN, ("DELETE", call.as_str()), 202, Some(("delete", "bootstrap")));
    let entry = give(&lab, line, "").await.unwrap();
    let before = entry.before.unwrap();
    assert_eq!((entry.customer, &before["trunk"]), (Some(customer), &json!("acme-east")));
    assert_eq!(before["callee"], "+155******22", "numbers are masked");
    let unknown = format!("/v1/calls/{}", Uuid::from_u128(9));
    give(&lab, (TOKEN, ("DELETE", unknown.as_str()), 404, None), "").await;
}

#[tokio::test]
async fn what_comes_by_the_control_socket_is_noted_without_its_secrets() {
    let lab = Lab::new().await;
    let moved = EXAMPLE.replace("port = 3601", "port = 3602");
    let table: [(&str, &str, u16, Option<&str>); 9] = [
        ("/v1/control/apply?dry_run=true", EXAMPLE, 200, None),
        ("/v1/control/apply", EXAMPLE, 200, Some("apply")),
        ("/v1/control/apply", EXAMPLE, 200, None),
        ("/v1/control/apply?format=text", moved.as_str(), 200, Some("apply")),
        ("/v1/control/apply", "nonsense", 422, None),
        ("/v1/control/rotate/cookie-key", "", 200, Some("rotate-cookie-key")),
        ("/v1/control/rotate/cookie-key", "", 409, None),
        ("/v1/control/rotate/access-token-key", "", 200, Some("rotate-access-token-key")),
        ("/v1/control/rotate/root-key", "", 200, Some("rotate-root-key")),
    ];
    let mut after = Vec::new();
    for (path, body, status, action) in table {
        let line = ("", ("POST", path), status, action.map(|action| (action, "control")));
        let entry = give(&lab, line, body).await;
        let text = format!("{entry:?}");
        assert!(!text.contains("secret12") && !text.contains("hidden"), "{text}");
        after.extend(entry.and_then(|entry| entry.after));
    }
    assert_eq!((&after[0]["count"], &after[0]["changes"][0]["kind"]), (&json!(5), &json!("customer")));
    let changed = json!({"kind": "sms_vendor", "key": "sinch-atlanta", "action": "update"});
    assert_eq!(after[1], json!({"count": 1, "changes": [changed]}));
    let names = |value: &Value| {
        let mut names: Vec<String> = value.as_object().unwrap().keys().cloned().collect();
        names.sort_unstable();
        names.join(" ")
    };
    let told: Vec<String> = after[2..].iter().map(names).collect();
    assert_eq!(told, ["forced key", "forced kid", "closed rewrapped"]);
}
