//! Identities of libsecsipid whose certificate the node fetches: those that are right, and those whose
//! certificate or signature is not.

use std::net::SocketAddr;

use super::super::super::wait;
use super::super::{CUSTOMER, Node, Transport, customer_address, place, provision};
use super::pki::{Authority, CARRIER, Carrier, UNTIL};
use super::secsipidx::{Says, Secsipidx};
use super::{
    Call, FAILED, NONE, NOTES, OWN, REFUSES, STRANGER, World, expect_file, expect_identity, expect_refused,
    header, inbound,
};

const PASSED: &str = "TN-Validation-Passed";
/// What certificates may speak for: the stranger's number, and another one alone.
const ITS_NUMBER: &[u8] = b"\x30\x0F\xA2\x0D\x16\x0B13125550142";
const OTHER_NUMBER: &[u8] = b"\x30\x0F\xA2\x0D\x16\x0B13125550199";

#[test]
fn an_identity_of_libsecsipid_that_is_right_is_taken() {
    let Some(secsipidx) = Secsipidx::find() else { return };
    let world = World::new();
    let (node, trunk) = start(&world);
    let its_number = world.authority.carrier("its-number", Some(ITS_NUMBER), UNTIL);
    let mut calls = Vec::new();
    for carrier in [&world.theirs, &its_number] {
        let name = carrier.certificate.file_stem().unwrap().to_str().unwrap();
        let url = world.repository.publish(name, &carrier.pem);
        for (policy, source) in [("noted", NOTES), ("asked", REFUSES)] {
            for attest in ["A", "B", "C"] {
                let id = format!("{name}-{policy}-{attest}");
                wait::progress(&format!("right: {id}"));
                let says = Says { attest, key: &carrier.key, ..world.says(&url, &id) };
                let headers = header(&secsipidx.sign(&says));
                let call = Call { id, source, number: STRANGER, headers };
                // The first one waits for the certificate.
                call.talks(&node, OWN, trunk);
                let identified = (Some(PASSED), Some(attest), None);
                expect_identity(&node, &call.id, identified);
                calls.push((call.id, identified));
            }
        }
    }
    expect_file(&node, &calls);
    assert_eq!(world.repository.asked(), ["/theirs.pem", "/its-number.pem"], "each is fetched once");
    assert!((node.metric("warp_sip_certificates_fetched_total") - 2.0).abs() < 0.5, "{}", node.metrics());
    assert!((node.metric("warp_sip_identities_passed_total") - 12.0).abs() < 0.5, "{}", node.metrics());
}

/// Who signs, where its certificate is said to be, and what comes of it.
struct Wrong {
    signer: Carrier,
    name: &'static str,
    url: String,
    status: u16,
    verstat: &'static str,
}

#[test]
fn an_identity_of_libsecsipid_whose_certificate_or_signature_is_wrong() {
    let Some(secsipidx) = Secsipidx::find() else { return };
    let world = World::new();
    let (node, trunk) = start(&world);
    let mut calls = Vec::new();
    for Wrong { signer, name, url, status, verstat } in wrong(&world) {
        wait::progress(&format!("wrong: {name}"));
        let call = |policy: &str, source| {
            let id = format!("{policy}-{name}");
            let says = Says { key: &signer.key, ..world.says(&url, &id) };
            let headers = header(&secsipidx.sign(&says));
            Call { id, source, number: STRANGER, headers }
        };
        let refused = call("refused", REFUSES);
        refused.is_refused(&node, OWN, status);
        expect_refused(&node, &refused.id, status, verstat);
        let noted = call("noted", NOTES);
        noted.talks(&node, OWN, trunk);
        let identified = (Some(verstat), None, None);
        expect_identity(&node, &noted.id, identified);
        calls.extend([(refused.id, identified), (noted.id, identified)]);
    }
    expect_file(&node, &calls);
    let asked = world.repository.asked();
    let times = |name: &str| asked.iter().filter(|path| **path == format!("/{name}.pem")).count();
    assert_eq!(
        ["absent", "expired", "theirs"].map(times),
        [1, 1, 1],
        "what is refused is known too: {asked:?}"
    );
    assert_eq!(times("other-host"), 0, "{asked:?}");
}

fn wrong(world: &World) -> Vec<Wrong> {
    let other = Authority::new(world.folder.path(), "another-ca");
    let of = |authority: &Authority, name, list, until, (status, verstat)| {
        let signer = authority.carrier(name, list, until);
        let url = world.repository.publish(name, &signer.pem);
        Wrong { signer, name, url, status, verstat }
    };
    let theirs = world.repository.publish("theirs", &world.theirs.pem);
    let own = &world.authority;
    let other_key = of(own, "other-key", Some(CARRIER), UNTIL, (438, FAILED));
    let absent = own.carrier("absent", Some(CARRIER), UNTIL);
    let other_host = of(own, "other-host", Some(CARRIER), UNTIL, (436, NONE));
    vec![
        Wrong { url: theirs, ..other_key },
        of(&other, "other-authority", Some(CARRIER), UNTIL, (437, FAILED)),
        of(own, "expired", Some(CARRIER), 2021, (437, FAILED)),
        of(own, "for-another-number", Some(OTHER_NUMBER), UNTIL, (437, FAILED)),
        of(own, "for-no-number", None, UNTIL, (437, FAILED)),
        Wrong {
            signer: absent,
            name: "absent",
            url: world.repository.url("absent"),
            status: 436,
            verstat: NONE,
        },
        // The same server by a name that is not among `certificate_hosts`.
        Wrong { url: other_host.url.replace("127.0.0.1", "localhost"), ..other_host },
    ]
}

/// Who overhears an Identity makes few calls with it.
#[test]
fn an_identity_of_libsecsipid_that_is_used_again_and_again() {
    let Some(secsipidx) = Secsipidx::find() else { return };
    let world = World::new();
    let (node, trunk) = start(&world);
    let url = world.repository.publish("theirs", &world.theirs.pem);
    let headers = header(&secsipidx.sign(&world.says(&url, "again")));
    let call = |number: u32| {
        let id = format!("again-{number}");
        Call { id, source: REFUSES, number: STRANGER, headers: headers.clone() }
    };
    for call in (1..=4).map(call) {
        call.talks(&node, OWN, trunk);
        expect_identity(&node, &call.id, (Some(PASSED), Some("A"), None));
    }
    let fifth = call(5);
    fifth.is_refused(&node, OWN, 438);
    expect_refused(&node, &fifth.id, 438, FAILED);
}

/// A node that fetches certificates from the server of this world, and where its trunk is.
#[track_caller]
fn start(world: &World) -> (Node, SocketAddr) {
    let trunk = customer_address();
    let text = provision(CUSTOMER, &[]) + &inbound(trunk);
    let servers = world.servers.display().to_string();
    let lines =
        format!("private_addresses = true\ncertificate_hosts = [\"127.0.0.1\"]\nfetch_ca = {servers:?}");
    (place(&[Transport::Udp], &world.section(&lines), text).start(), trunk)
}
