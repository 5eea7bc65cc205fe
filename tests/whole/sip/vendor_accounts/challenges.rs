//! SIPp as a vendor that asks who calls, at the beginning of a call and at its end.

use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;

use super::super::super::peer;
use super::super::super::process::{Node, run};
use super::super::sipp::Sipp;
use super::super::{Route, SOON, Transport, digest, place, records};
use super::{PASSWORD, REALM, Stage, USERNAME, filled, finish, patient, recorded, with_account};

const CHALLENGING: &str = include_str!("challenging.xml");
const REFUSING: &str = include_str!("refusing.xml");

/// How a vendor asks.
struct Case {
    name: &'static str,
    status: &'static str,
    /// Whether it offers `qop` (RFC 7616), or knows nothing of it (RFC 2069).
    qop: bool,
}

const CASES: &[Case] = &[
    Case { name: "401", status: "401", qop: true },
    Case { name: "401-without-qop", status: "401", qop: false },
    Case { name: "407", status: "407", qop: true },
];

/// INVITE and BYE are asked for once each.
const CHALLENGES: usize = 2;

#[test]
fn sipp_asks_who_calls() {
    play(Transport::Udp);
}

#[test]
fn sipp_asks_who_calls_over_tcp() {
    play(Transport::Tcp);
}

fn play(transport: Transport) {
    let Some(stage) = Stage::new() else { return };
    let Some(md5sum) = peer::program("md5sum") else { return };
    let asking: Vec<Asking> =
        (10..).zip(CASES).map(|(number, case)| Asking::new(number, case, transport)).collect();
    let routes: Vec<Route> = asking.iter().map(Asking::route).collect();
    let text = asking.iter().fold(patient(&routes), |text, one| with_account(&text, &one.vendor(), ""));
    let mut listeners = vec![Transport::Udp, transport];
    listeners.dedup();
    let node = place(&listeners, "", text).start();
    let vendors: Vec<Sipp> = asking.iter().map(|one| one.start(&stage)).collect();
    let customers: Vec<Sipp> = asking.iter().map(|one| stage.customer(&one.prefix, &node)).collect();
    finish(customers.into_iter().chain(vendors));

    for one in &asking {
        let attempt = (one.gateway, Some(200), "answered");
        records::expect_one(&stage.sqlite, &node, &one.prefix, (200, "answered", "caller", &[attempt]));
        assert_eq!(recorded(&node, &one.prefix), ("outbound".to_owned(), one.vendor()));
        stage.expect_unaware(&one.prefix);
    }
    // SIPp verifies Authorization, and no Proxy-Authorization.
    let of_proxy = asking.iter().filter(|one| one.case.status == "407");
    of_proxy.for_each(|one| verify(&md5sum, &stage, one.case.name));
    let answered = f64::from(u32::try_from(CHALLENGES * CASES.len()).unwrap());
    assert!(counted(&node, "answered") > answered - 0.5, "{}", node.metrics());
    assert!(counted(&node, "unanswered") < 0.5, "{}", node.metrics());
    assert!(!node.place().log().contains(PASSWORD), "{}", node.place().log());
}

/// A vendor that refuses the answer has failed: no credentials go to the next one, which has the call.
#[test]
fn sipp_refuses_the_answer() {
    let Some(stage) = Stage::new() else { return };
    let gateways = [(); 2].map(|()| digest::vendor_address());
    let [refusing, other] = gateways;
    let gateways = gateways.map(|gateway| (gateway, Transport::Udp)).to_vec();
    let text = patient(&[Route { prefix: "44".to_owned(), gateways }]);
    let node = place(&[Transport::Udp], "", with_account(&text, "44-1", "")).start();
    let words = [("username", USERNAME), ("password", "another-horse-battery"), ("realm", REALM)];
    let vendors =
        [stage.play("refusing", filled(REFUSING, &words), refusing, None), stage.takes_call("other", other)];
    let customer = stage.customer("44", &node);
    finish([customer].into_iter().chain(vendors));

    let attempts = [(refusing, Some(401), "rejected"), (other, Some(200), "answered")];
    records::expect_one(&stage.sqlite, &node, "44", (200, "answered", "caller", &attempts));
    assert_eq!(recorded(&node, "44"), ("outbound".to_owned(), "44-2".to_owned()));
    stage.expect_unaware("44");
    let seen = stage.messages("other");
    assert!(seen.contains("INVITE") && !seen.contains("uthorization:"), "{seen}");
    assert!(counted(&node, "answered") > 0.5, "{}", node.metrics());
    assert!(counted(&node, "unanswered") > 0.5, "{}", node.metrics());
}

/// How many challenges were answered, or not.
fn counted(node: &Node, which: &str) -> f64 {
    node.metric(&format!("warp_sip_challenges_{which}_total"))
}

/// A case with its numbers and its vendor.
struct Asking {
    case: &'static Case,
    prefix: String,
    gateway: SocketAddr,
    transport: Transport,
}

impl Asking {
    fn new(number: u32, case: &'static Case, transport: Transport) -> Self {
        Self { case, prefix: format!("44{number}"), gateway: digest::vendor_address(), transport }
    }

    fn route(&self) -> Route {
        Route { prefix: self.prefix.clone(), gateways: vec![(self.gateway, self.transport)] }
    }

    /// Its name in what is provisioned.
    fn vendor(&self) -> String {
        format!("{}-1", self.prefix)
    }

    #[track_caller]
    fn start(&self, stage: &Stage) -> Sipp {
        let Case { name, status, qop } = *self.case;
        let proxy = status == "407";
        let (asks, answers) = if proxy {
            ("Proxy-Authenticate", "Proxy-Authorization")
        } else {
            ("WWW-Authenticate", "Authorization")
        };
        let username = format!("username=.{USERNAME}.");
        let verify = if proxy {
            format!(
                "<ereg regexp=\"{username}\" search_in=\"hdr\" header=\"{answers}:\" assign_to=\"right\"/>"
            )
        } else {
            format!("<verifyauth assign_to=\"right\" username=\"{USERNAME}\" password=\"{PASSWORD}\"/>")
        };
        let [first, again] = if qop { ["nc=00000001", "nc=00000002"] } else { ["response="; 2] };
        let words = [
            ("status", status),
            ("asks", asks),
            ("answers", answers),
            ("qop", if qop { ",qop=\"auth\"" } else { "" }),
            ("first", first),
            ("again", again),
            ("verify", verify.as_str()),
            ("realm", REALM),
        ];
        stage.vendor(self.transport, name, filled(CHALLENGING, &words), self.gateway)
    }
}

/// Demands that the credentials for the proxy, in each request that a process of SIPp has noted, are by our password as
/// `md5sum` has it (RFC 7616, 3.4.1).
#[track_caller]
fn verify(md5sum: &Path, stage: &Stage, name: &str) {
    let file = stage.folder.path().join("digested");
    let md5 = |text: &str| {
        fs::write(&file, text).unwrap();
        let answered = run(Command::new(md5sum).arg(&file), SOON);
        answered.assert_success();
        answered.stdout.split(' ').next().unwrap_or_default().to_owned()
    };
    let seen = stage.messages(name);
    let (mut method, mut uri) = ("", "");
    let mut verified = Vec::new();
    for line in seen.lines() {
        if let Some(request) = line.trim_end().strip_suffix(" SIP/2.0") {
            (method, uri) = request.split_once(' ').unwrap();
        }
        let said = line.strip_prefix("Proxy-Authorization: Digest ");
        // Those of an ACK are its INVITE's (RFC 3261, 22.1).
        let Some(said) = said.filter(|_| method != "ACK") else { continue };
        let of = |name| parameter(said, name);
        assert_eq!([of("username"), of("realm"), of("uri")], [USERNAME, REALM, uri], "{said}");
        let secret = md5(&format!("{USERNAME}:{REALM}:{PASSWORD}"));
        let request = md5(&format!("{method}:{uri}"));
        let parts = [secret.as_str(), of("nonce"), of("nc"), of("cnonce"), of("qop"), request.as_str()];
        assert_eq!(md5(&parts.join(":")), of("response"), "{method}: {said}");
        verified.push(method);
    }
    // What was sent again stands here again.
    verified.dedup();
    assert_eq!(verified, ["INVITE", "BYE"], "{seen}");
}

/// The value of a parameter of credentials, without quotes.
#[track_caller]
fn parameter<'a>(credentials: &'a str, name: &str) -> &'a str {
    let pairs = credentials.split(',').filter_map(|pair| pair.trim().split_once('='));
    let value = pairs.filter(|(key, _)| *key == name).map(|(_, value)| value.trim_matches('"')).next();
    value.unwrap_or_else(|| panic!("no {name} in {credentials}"))
}
