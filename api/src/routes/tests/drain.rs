//! Actors that are drained by an operator, and those that cannot be.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use actors::smpp::{listener, message_router};
use runtime::registry::{ActorName, Observation, Registration, to_url};
use runtime::store::messaging;
use runtime::supervision::{
    BoxError, ChildSpec, Intensity, Restart, Seat, ShardedSupervisor, Start, Strategy, Supervisor,
    SupervisorHandle, SupervisorSpec,
};
use serde_json::json;
use tokio::sync::watch;
use tokio::time::Instant;

use crate::testing::{Answer, Lab, TOKEN};

const INTENSITY: Intensity = Intensity::new(3, Duration::from_secs(10));
/// As in the tree of a node.
const SESSION_SHARDS: u32 = 4;

fn observe() -> Observation {
    Observation { state: "bound_trx".into(), ..Observation::default() }
}

/// What does nothing until it is stopped.
pub(super) fn idle() -> Start {
    Start::task(|seat: Seat| async move {
        let _registration = seat.register(Arc::new(observe));
        seat.shutdown.requested().await;
        Ok::<(), BoxError>(())
    })
}

/// An actor that is only seen.
pub(super) fn shown(lab: &Lab, name: &ActorName) -> Registration {
    lab.smpp.registry.register(name.clone(), None, Arc::new(observe)).unwrap()
}

async fn ask(lab: &Lab, verb: &str, name: &ActorName) -> Answer {
    lab.ask(TOKEN, ("POST", &format!("/v1/actors/{}/{verb}", to_url(name))), None).await
}

async fn drains(lab: &Lab, name: &ActorName) {
    let answer = ask(lab, "drain", name).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    assert_eq!(answer.json(), json!({"success": true, "name": name.to_string()}));
}

async fn state(lab: &Lab, name: &ActorName) -> String {
    let shown = lab.ask(TOKEN, ("GET", &format!("/v1/actors/{}", to_url(name))), None).await;
    assert_eq!(shown.status, 200, "{}", shown.body);
    shown.json()["state"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn what_has_nothing_to_finish_is_not_drained() {
    let lab = Lab::new().await;
    let weak = lab.key(None, &["actors:read"]).await;
    // Of the last three nothing runs that could be told.
    for name in [
        ActorName::new("router_of_test", "main"),
        ActorName::new("api_server", "127.0.0.1:8080"),
        ActorName::nth("esme_session", "acme", 7),
        ActorName::nth("vendor_bind", "nobody", 0),
        ActorName::new("listener", "127.0.0.1:2775"),
    ] {
        let unknown = ask(&lab, "drain", &name).await;
        assert_eq!((unknown.status, &unknown.json()["code"]), (404, &json!("unknown_actor")), "{name}");
        let _shown = shown(&lab, &name);
        let refused = ask(&lab, "drain", &name).await;
        assert_eq!((refused.status, &refused.json()["code"]), (409, &json!("not_drainable")), "{name}");
        assert!(
            refused.json()["detail"].as_str().unwrap().starts_with(&name.to_string()),
            "{}",
            refused.body
        );
        let path = format!("/v1/actors/{}/drain", to_url(&name));
        assert_eq!(lab.ask(&weak, ("POST", &path), None).await.status, 403, "{name}");
    }
    let audit = lab.ask(TOKEN, ("GET", "/v1/audit"), None).await.body;
    assert!(!audit.contains("\"action\":\"drain\""), "{audit}");
}

#[tokio::test]
async fn one_bind_or_all_of_a_vendor_stay_away_until_it_is_called_back() {
    let lab = Lab::new().await;
    let example = include_str!("../../../../config/provisioning.example.toml");
    assert_eq!(lab.control("POST", "/v1/control/apply", example).await.status, 200);
    let config = messaging::load(&lab.api.store, &lab.api.root_key).await.unwrap();
    message_router::install(&lab.smpp, config);
    let vendor = lab.smpp.vendors.load().values().next().unwrap().clone();
    let slots = [0, 1].map(|n| vendor.slot(n, Instant::now()));
    let away = || {
        let slots = slots.each_ref().map(|slot| slot.held_off.load(Ordering::Acquire));
        (vendor.held_off.load(Ordering::Acquire), slots)
    };
    let [one, other] = [0, 1].map(|n| ActorName::nth("vendor_bind", vendor.name(), n));
    let all = ActorName::new("vendor_binds", vendor.name());
    let _shown = [&one, &other, &all].map(|name| shown(&lab, name));
    for (drained, expected) in
        [(&other, (false, [false, true])), (&one, (false, [true, true])), (&all, (true, [true, true]))]
    {
        drains(&lab, drained).await;
        assert_eq!(away(), expected, "{drained}");
    }
    let reconnect = format!("/v1/smpp/vendors/{}/reconnect", vendor.name());
    assert_eq!(lab.control("POST", &reconnect, "").await.status, 200);
    assert_eq!(away(), (false, [false, false]));
}

#[tokio::test]
async fn a_session_is_ended_and_the_audit_tells_who_did_it() {
    let lab = Lab::new().await;
    let registry = &lab.smpp.registry;
    let sessions = ActorName::new("sessions", "smpp");
    let shutdown = Duration::from_secs(5);
    let spec = ShardedSupervisor::spec(sessions.clone(), SESSION_SHARDS, INTENSITY, shutdown);
    let supervisor = Supervisor::spawn(spec, registry).await.unwrap();
    let [name, other] = [7, 8].map(|n| ActorName::nth("esme_session", "acme", n));
    for name in [&name, &other] {
        let child = ChildSpec::new(name.clone(), Restart::Temporary, idle());
        ShardedSupervisor::handle(registry, sessions.clone(), SESSION_SHARDS).add(child).await.unwrap();
    }
    drains(&lab, &name).await;
    let gone = ask(&lab, "drain", &name).await;
    assert_eq!((gone.status, &gone.json()["code"]), (404, &json!("unknown_actor")));
    assert!(registry.get(&other).is_some(), "the other session goes on");
    let kick = format!("/v1/smpp/sessions/{}", to_url(&other));
    assert_eq!(lab.ask(TOKEN, ("DELETE", &kick), None).await.status, 204);
    assert!(registry.get(&other).is_none(), "the other session is ended too");
    let audit = lab.ask(TOKEN, ("GET", "/v1/audit"), None).await.json();
    let drain = format!("/v1/actors/{}/drain", to_url(&name));
    for (action, resource, ended) in [("drain", drain, &name), ("delete", kick, &other)] {
        let entries = audit["items"].as_array().unwrap();
        let entry = entries.iter().find(|entry| entry["action"] == action).unwrap();
        assert_eq!((&entry["principal"], &entry["resource"]), (&json!("bootstrap"), &json!(resource)));
        assert_eq!(entry["before"]["name"], ended.to_string());
    }
    supervisor.stop().await;
}

/// A listener of a node, on a free port; gives its name and where it listens.
async fn listen(lab: &Lab) -> (SupervisorHandle, ActorName, SocketAddr) {
    lab.smpp.recovered.send_replace(true);
    let registry = &lab.smpp.registry;
    let address = SocketAddr::from(([127, 0, 0, 1], 0));
    let (bound, mut told) = watch::channel(None);
    let sessions = ShardedSupervisor::handle(registry, ActorName::new("sessions", "smpp"), SESSION_SHARDS);
    let options =
        listener::Options { smpp: Arc::clone(&lab.smpp), address, n: 0, tls: None, sessions, bound };
    let spec = SupervisorSpec::new(ActorName::new("listeners", "smpp"), Strategy::OneForOne, INTENSITY);
    let supervisor = Supervisor::spawn(spec.child(listener::child_spec(options)), registry).await.unwrap();
    let bound = told.wait_for(Option::is_some).await.unwrap().unwrap();
    (supervisor, ActorName::nth("listener", address.to_string(), 0), bound)
}

#[tokio::test]
async fn a_listener_takes_no_more_connections_until_it_is_restarted() {
    let lab = Lab::new().await;
    let (supervisor, name, bound) = listen(&lab).await;
    let connect = || lab.smpp.net.connect("127.0.0.1", bound.port());
    let waiting = connect().await.unwrap();
    assert_eq!(state(&lab, &name).await, "listening");
    drains(&lab, &name).await;
    while state(&lab, &name).await != "drained" {
        tokio::task::yield_now().await;
    }
    while connect().await.is_ok() {
        tokio::task::yield_now().await;
    }
    drains(&lab, &name).await;
    assert_eq!(state(&lab, &name).await, "drained", "it does not end, nor is it restarted by itself");
    assert_eq!(ask(&lab, "restart", &name).await.status, 200);
    while state(&lab, &name).await != "listening" {
        tokio::task::yield_now().await;
    }
    while connect().await.is_err() {
        tokio::task::yield_now().await;
    }
    drop(waiting);
    supervisor.stop().await;
}
