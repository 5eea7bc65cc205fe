//! Vendors, customers and routes that change while the node runs: within a second, without a restart.

use std::time::{Duration, Instant};

use super::super::esme::{ANSWER, Esme};
use super::super::pdu::{Bind, Sm};
use super::super::process::{Database, Node, Place, Setup};
use super::super::smsc::{Script, Smsc};
use super::super::wait;
use super::{CUSTOMER, node, vendor};

/// The promise; the command's own time is not part of it.
const EFFECT: Duration = Duration::from_secs(1);

#[test]
fn a_new_vendor_and_route_carry_messages_at_once() {
    let smsc = Smsc::start(Script::default());
    let node = node(CUSTOMER);
    let (mut esme, mut delivered) = (Esme::bound(node.smpp(), "acme", "secret12"), Vec::new());
    let no_route = esme.request(&Sm::new("15551234567", "too early").submit(1));
    assert_eq!(no_route.status, 0x0B, "no route: ESME_RINVDSTADR");

    node.place().apply(&vendor("new", smsc.port(), "1", true)).assert_success();
    smsc.wait("the new vendor is bound", EFFECT, |state| state.bound() == 1);
    wait::until("the new route is in force", EFFECT, || {
        let explained = node.get("/v1/explain/sms?from=15550001111&to=15551234567&system_id=acme");
        (explained.status == 200 && explained.body.contains("to new")).then_some(())
    });
    esme.submit(&Sm::new("15551234567", "now"), &mut delivered);
    esme.collect(&mut delivered, 1, ANSWER);
    let explained = node.place().warp(&["explain", "sms", "--to", "15551234567", "--system-id", "acme"]);
    explained.assert_success();
    assert!(explained.stdout.contains("to new"), "{}", explained.stdout);
}

#[test]
fn a_deactivated_vendor_unbinds_and_an_activated_one_binds() {
    let smsc = Smsc::start(Script::default());
    let node = node(&(CUSTOMER.to_owned() + &vendor("v", smsc.port(), "", true)));
    smsc.wait("the node binds", ANSWER, |state| state.bound() == 1);
    node.place().apply(&vendor("v", smsc.port(), "", false)).assert_success();
    smsc.wait("the node unbinds", EFFECT, |state| state.unbinds == 1);
    smsc.wait("and leaves", ANSWER, |state| state.bound() == 0);
    node.place().apply(&vendor("v", smsc.port(), "", true)).assert_success();
    smsc.wait("the node binds again", EFFECT, |state| state.bound() == 1);
}

#[test]
fn a_changed_vendor_reconnects_to_its_new_address() {
    let (old, new) = (Smsc::start(Script::default()), Smsc::start(Script::default()));
    let node = node(&(CUSTOMER.to_owned() + &vendor("v", old.port(), "", true)));
    old.wait("the node binds", ANSWER, |state| state.bound() == 1);
    node.place().apply(&vendor("v", new.port(), "", true)).assert_success();
    new.wait("the node binds to the new address", EFFECT, |state| state.bound() == 1);
    old.wait("the old bind is gone", ANSWER, |state| state.bound() == 0);
    assert_eq!(old.state().unbinds, 1, "it went in order");
}

#[test]
fn applying_the_same_again_changes_nothing() {
    let smsc = Smsc::start(Script::default());
    let all = CUSTOMER.to_owned() + &vendor("v", smsc.port(), "", true);
    let node = node(&all);
    smsc.wait("the node binds", ANSWER, |state| state.bound() == 1);
    let file = node.place().path().join("changed.toml");
    std::fs::write(&file, all.replace("Acme", "Acme Corporation")).unwrap();
    let dry = node.place().warp(&["apply", file.to_str().unwrap(), "--dry-run"]);
    dry.assert_success();
    assert!(dry.stdout.contains("Acme Corporation"), "the difference is shown: {}", dry.stdout);
    assert!(!dry.stdout.contains("secret12"), "passwords are not: {}", dry.stdout);
    let mut esme = Esme::bound(node.smpp(), "acme", "secret12");
    for _ in 0..3 {
        node.place().apply(&all).assert_success();
    }
    wait::pause(EFFECT);
    esme.assert_alive("the same applied again");
    let state = smsc.state();
    assert_eq!((state.binds, state.unbinds), (1, 0), "the bind was left alone");
}

#[test]
fn a_customer_that_is_suspended_or_new() {
    let node = node(CUSTOMER);
    let mut esme = Esme::bound(node.smpp(), "acme", "secret12");
    let second =
        "[[esme_accounts]]\nsystem_id = \"second\"\ncustomer = \"TB-000000001\"\npassword = \"other123\"\n";
    node.place().apply(second).assert_success();
    let applied = Instant::now();
    wait::until("the new account may bind", EFFECT, || Esme::try_bound(node.smpp(), "second", "other123"));
    esme.assert_alive("another account added");
    let renewed = CUSTOMER.replace("secret12", "renewed1");
    node.place().apply(&renewed).assert_success();
    wait::until("the new password is in force", ANSWER, || Esme::try_bound(node.smpp(), "acme", "renewed1"));
    let mut old = Esme::connect(node.smpp());
    assert_eq!(
        old.request(&Bind::transceiver("acme", "secret12").octets(1)).status,
        0x0E,
        "the old one is not"
    );
    node.place().apply(&renewed.replace("ACTIVE", "SUSPENDED")).assert_success();
    wait::until("a suspended customer may not bind", EFFECT, || {
        Esme::try_bound(node.smpp(), "acme", "renewed1").is_none().then_some(())
    });
    assert!(applied.elapsed() < Duration::from_secs(60));
}

#[test]
fn an_operator_disconnects_and_reconnects_a_vendor() {
    let smsc = Smsc::start(Script::default());
    let node = node(&(CUSTOMER.to_owned() + &vendor("v", smsc.port(), "", true)));
    smsc.wait("the node binds", ANSWER, |state| state.bound() == 1);
    let vendors = node.get("/v1/smpp/vendors").json();
    let id = vendors["vendors"].as_object().and_then(|all| all.keys().next()).expect("a vendor").clone();
    assert!(node.post(&format!("/v1/smpp/vendors/{id}/disconnect")).status < 300);
    smsc.wait("the node unbinds", ANSWER, |state| state.unbinds == 1 && state.bound() == 0);
    wait::pause(EFFECT);
    assert_eq!(smsc.state().bound(), 0, "and stays away until it is told");
    assert!(node.post(&format!("/v1/smpp/vendors/{id}/reconnect")).status < 300);
    smsc.wait("the node binds again", ANSWER, |state| state.bound() == 1);
    assert!(node.post(&format!("/v1/smpp/vendors/{id}/reconnect")).status < 300);
    smsc.wait("a bound vendor binds anew", ANSWER, |state| state.binds == 3 && state.bound() == 1);
    assert_eq!(node.post("/v1/smpp/vendors/00000000-0000-4000-8000-000000000000/reconnect").status, 404);
}

#[test]
fn a_drained_bind_unbinds_and_its_sibling_carries_on() {
    let smsc = Smsc::start(Script::default());
    let two = vendor("v", smsc.port(), "", true).replace("active = true\n", "active = true\nbinds = 2\n");
    let node = node(&(CUSTOMER.to_owned() + &two));
    smsc.wait("the node binds twice", ANSWER, |state| state.bound() == 2);
    assert_eq!(node.post("/v1/actors/vendor_bind:v:0/drain").status, 200);
    smsc.wait("one of them unbinds", ANSWER, |state| state.unbinds == 1 && state.bound() == 1);
    let (mut esme, mut delivered) = (Esme::bound(node.smpp(), "acme", "secret12"), Vec::new());
    for n in 0..20 {
        esme.submit(&Sm::new("15551234567", &format!("by the other {n}")), &mut delivered);
    }
    esme.collect(&mut delivered, 20, ANSWER);
    wait::pause(EFFECT);
    assert_eq!(smsc.state().bound(), 1, "and stays away until it is told");
    let state = |n| node.get(&format!("/v1/actors/vendor_bind:v:{n}")).json()["state"].clone();
    assert_eq!((state(0), state(1)), ("held_off".into(), "bound_trx".into()));
    assert!(node.post("/v1/smpp/vendors/v/reconnect").status < 300);
    smsc.wait("both are back", ANSWER, |state| state.bound() == 2);
    assert_eq!(node.post("/v1/actors/vendor_binds:v:0/drain").status, 200);
    smsc.wait("both unbind", ANSWER, |state| state.bound() == 0);
}

/// Two processes on one PostgreSQL whose poll would take ten seconds: the change is announced.
#[test]
fn a_change_through_one_node_is_in_force_on_the_other() {
    let Some(database) = Database::create() else { return };
    let sections = format!("[store]\nurl = {:?}\npoll = \"10s\"\n", database.url());
    // What one seals in the database the other opens.
    let keys = tempfile::tempdir().unwrap();
    let node = format!("root_key_file = {:?}\n", keys.path().join("root.key").display().to_string());
    let setup = Setup { sections, node, ..Setup::default() };
    let [one, other] = [(); 2].map(|()| Place::new(&setup).start());
    let accounts =
        |node: &Node| node.get("/v1/actors/message_router:main:0").json()["counters"]["accounts"].as_u64();
    let listening = |node: &Node| {
        let state = node.get("/v1/actors/announcement_listener:main:0").json()["state"].clone();
        (state == "listening").then_some(())
    };
    for node in [&one, &other] {
        wait::until("the node listens", ANSWER, || listening(node));
        // Since it listens it has looked once more.
        wait::pause(EFFECT);
        assert_eq!(accounts(node), Some(0));
    }
    one.place().apply(CUSTOMER).assert_success();
    for node in [&one, &other] {
        wait::until("the account is in force", EFFECT, || (accounts(node) == Some(1)).then_some(()));
    }
    Esme::bound(other.smpp(), "acme", "secret12").assert_alive("it is served by the other node");
}
