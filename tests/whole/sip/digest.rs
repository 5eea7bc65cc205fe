//! Trunks that say by digest who they are: SIPp and Linphone answer the challenges of the node. Vendors are at an
//! address of their own: calls that come from a vendor's are not challenged.

use std::fmt::Write as _;
use std::fs;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};

use super::super::peer;
use super::super::process::Node;
use super::linphone::{IDLE, Linphone, TALKING, account};
use super::sipp::{Part, Sipp};
use super::wire::Message;
use super::{
    Route, Transport, VENDOR_ANSWERS, free_port, place, programs, provision, records, scenario, wait_quiet,
};

/// A source that nobody has.
pub(super) const UNLISTED: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 4));
/// The source that `both` has, and the one that `roaming` has and does not need.
const OF_BOTH: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 5));
const OF_ROAMING: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 6));
/// The source of the trunk that needs no digest, where nobody is.
pub(super) const ANOTHER: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 7));
/// Where vendors are.
const VENDORS: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 8));
/// What both trunks say, and what neither does.
pub(super) const PASSWORD: &str = "correct-horse-battery";
const WRONG: &str = "another-horse-battery";
/// SIPp and baresip give up at a challenge by anything else.
pub(super) const MD5: &str = "digest_algorithms = [\"MD5\"]";

/// A trunk of the customer of [`provision`] that says by digest who it is, with more lines; its name is its username.
pub(super) fn trunk(name: &str, auth_type: &str, more: &str) -> String {
    format!(
        "[[trunks]]\nname = \"{name}\"\ncustomer = \"TB-000000001\"\npartition = \"all\"\n\
         auth_type = \"{auth_type}\"\n{more}\ndigest = {{ username = \"{name}\", password = \"{PASSWORD}\" }}\n"
    )
}

pub(super) fn vendor_address() -> SocketAddr {
    (VENDORS, free_port()).into()
}

/// Who calls, and whether it may.
struct Case {
    name: &'static str,
    source: IpAddr,
    username: &'static str,
    password: &'static str,
    may: bool,
}

const CASES: &[Case] = &[
    Case {
        name: "a digest from anywhere",
        source: UNLISTED,
        username: "roaming",
        password: PASSWORD,
        may: true,
    },
    Case {
        name: "a digest from a source in the list",
        source: OF_ROAMING,
        username: "roaming",
        password: PASSWORD,
        may: true,
    },
    Case { name: "source and digest", source: OF_BOTH, username: "both", password: PASSWORD, may: true },
    Case {
        name: "a digest without its source",
        source: UNLISTED,
        username: "both",
        password: PASSWORD,
        may: false,
    },
    Case {
        name: "a source without its digest",
        source: OF_BOTH,
        username: "both",
        password: WRONG,
        may: false,
    },
    Case { name: "a wrong password", source: UNLISTED, username: "roaming", password: WRONG, may: false },
    Case { name: "an unknown name", source: UNLISTED, username: "nobody", password: PASSWORD, may: false },
    Case {
        name: "the name of a trunk without a digest",
        source: UNLISTED,
        username: "acme",
        password: PASSWORD,
        may: false,
    },
];

/// Up to the second INVITE, which answers the challenge of the first.
const ASKED: &[&str] = &["INVITE sdp once", "expect 407", "ACK refused", "INVITE sdp authorized"];
const TALKS: &[&str] = &["expect 180", "expect 200 sdp", "ACK", "pause 200", "BYE", "expect 200"];
const IS_REFUSED: &[&str] = &["expect 403", "ACK refused"];

#[test]
fn sipp_calls_with_a_digest() {
    let Some((sipp, sqlite)) = programs() else { return };
    let stages: Vec<Stage> = (10..).zip(CASES).map(|(number, case)| Stage::new(number, case)).collect();
    let routes: Vec<Route> = stages.iter().map(Stage::route).collect();
    let mut text = provision(ANOTHER, &routes);
    text += &trunk("both", "BOTH", &format!("acl = [\"{OF_BOTH}\"]"));
    text += &trunk("roaming", "DIGEST", &format!("acl = [\"{OF_ROAMING}\"]"));
    let node = place(&[Transport::Udp], MD5, text).start();
    let folder = tempfile::tempdir().unwrap();
    let run = Run { sipp, folder: folder.path().to_owned(), node: node.ports().sip[0] };
    let vendors: Vec<Sipp> = stages.iter().filter_map(|stage| stage.start_vendor(&run)).collect();
    let callers: Vec<Sipp> = stages.iter().map(|stage| stage.start_caller(&run)).collect();
    let failures: Vec<String> =
        callers.into_iter().chain(vendors).filter_map(|sipp| sipp.finish().err()).collect();
    assert!(failures.is_empty(), "{} failed\n{}", failures.len(), failures.join("\n"));

    wait_quiet(&node);
    stages.iter().for_each(|stage| stage.expect_records(&sqlite, &node));
    let of_calls = |may: bool| CASES.iter().filter(|case| case.may == may).count();
    assert!(counted(&node, "right", of_calls(true)), "{}", node.metrics());
    assert!(counted(&node, "wrong", of_calls(false)), "{}", node.metrics());
    // Who guesses learns nothing: neither that there is such a name, nor that only the source is missing.
    let refused = stages.iter().filter(|stage| !stage.case.may);
    let refusals: Vec<(&str, String)> =
        refused.map(|stage| (stage.case.name, without_ids(&stage.refusal(&run)))).collect();
    for (name, refusal) in &refusals {
        assert_eq!(refusal, &refusals[0].1, "{name} is told something else than {}", refusals[0].0);
    }
}

/// Whether the node counted at least so many answers to challenges: what comes again is counted again.
fn counted(node: &Node, which: &str, at_least: usize) -> bool {
    let found = node.metric(&format!("warp_sip_digests_{which}_total"));
    found + 0.5 > f64::from(u32::try_from(at_least).unwrap())
}

struct Run {
    sipp: PathBuf,
    folder: PathBuf,
    node: SocketAddr,
}

/// A case with its numbers and its vendor.
struct Stage {
    case: &'static Case,
    number: u32,
    vendor: SocketAddr,
}

impl Stage {
    fn new(number: u32, case: &'static Case) -> Self {
        Self { case, number, vendor: vendor_address() }
    }

    fn prefix(&self) -> String {
        format!("44{}", self.number)
    }

    fn route(&self) -> Route {
        Route { prefix: self.prefix(), gateways: vec![(self.vendor, Transport::Udp)] }
    }

    fn part<'a>(&self, side: &str, scenario: String, local: SocketAddr, run: &'a Run) -> Part<'a> {
        Part {
            name: self.file(side),
            scenario,
            transport: Transport::Udp,
            local,
            calls: None,
            count: (1, 1),
            folder: &run.folder,
        }
    }

    fn file(&self, side: &str) -> String {
        format!("{} {side}", self.case.name).replace(' ', "-")
    }

    fn start_vendor(&self, run: &Run) -> Option<Sipp> {
        let scenario = scenario::vendor(Transport::Udp, VENDOR_ANSWERS);
        let part = self.part("vendor", scenario, self.vendor, run);
        self.case.may.then(|| Sipp::start(&run.sipp, part))
    }

    fn start_caller(&self, run: &Run) -> Sipp {
        let lines = [ASKED, if self.case.may { TALKS } else { IS_REFUSED }].concat();
        let scenario = scenario::customer(&self.prefix(), Transport::Udp, &lines);
        let local = SocketAddr::from((self.case.source, free_port()));
        let part = self.part("caller", scenario, local, run);
        // By itself it makes a digest about the node instead of the number.
        let about = format!("+{}1@{}", self.prefix(), run.node);
        let said = ["-au", self.case.username, "-ap", self.case.password, "-auth_uri", about.as_str()];
        let said = said.map(str::to_owned);
        Sipp::start_with(&run.sipp, Part { calls: Some(run.node), ..part }, &said)
    }

    /// Who may not call leaves no record.
    fn expect_records(&self, sqlite: &Path, node: &Node) {
        if self.case.may {
            let attempt = (self.vendor, Some(200), "answered");
            records::expect_one(sqlite, node, &self.prefix(), (200, "answered", "caller", &[attempt]));
        } else {
            let found = records::cdrs(sqlite, node, &self.prefix());
            assert!(found.is_empty(), "{}: {found:?}", self.case.name);
        }
    }

    /// The 403, as SIPp noted it.
    fn refusal(&self, run: &Run) -> Message {
        let octets = fs::read(run.folder.join(format!("{}.messages", self.file("caller")))).unwrap();
        let text = String::from_utf8_lossy(&octets);
        let from = text.find("SIP/2.0 403").unwrap_or_else(|| panic!("{}: no 403 in {text}", self.case.name));
        let (head, _) = text[from..].split_once("\r\n\r\n").unwrap();
        Message { text: format!("{head}\r\n\r\n") }
    }
}

/// A response but for what belongs to its request, and for the tag, which is one of a kind.
fn without_ids(message: &Message) -> String {
    let mut text = String::new();
    for line in message.text.split("\r\n") {
        let name = line.split(':').next().unwrap();
        let is_id = ["Via", "From", "To", "Call-ID"].contains(&name);
        let kept = if is_id { name } else { line };
        let _ = writeln!(text, "{kept}");
    }
    let tagged = message.header("To").is_some_and(|to| to.contains(";tag="));
    let _ = writeln!(text, "tagged: {tagged}");
    text
}

/// Linphone takes the first challenge that it knows, and gives up where the first of all is by SHA-512-256.
#[test]
fn linphone_calls_with_a_digest() {
    let Some((sipp, sqlite)) = programs() else { return };
    let Some(program) = peer::program("linphone-daemon") else { return };
    for algorithms in ["", "digest_algorithms = [\"SHA-256\"]", MD5] {
        let vendor = vendor_address();
        let routes = [Route { prefix: "44".to_owned(), gateways: vec![(vendor, Transport::Udp)] }];
        let text = provision(ANOTHER, &routes) + &trunk("roaming", "DIGEST", "");
        let node = place(&[Transport::Udp], algorithms, text).start();
        let at = node.ports().sip[0];
        let folder = tempfile::tempdir().unwrap();
        let part = Part {
            name: "vendor".to_owned(),
            scenario: scenario::vendor(Transport::Udp, VENDOR_ANSWERS),
            transport: Transport::Udp,
            local: vendor,
            calls: None,
            count: (1, 1),
            folder: folder.path(),
        };
        let answering = Sipp::start(&sipp, part);
        let local = SocketAddr::from((UNLISTED, free_port()));
        let telephone = Linphone::start(&program, local, &account("roaming", PASSWORD, at, ""));
        telephone.command(&format!("call sip:+4420@{at}"));
        telephone.wait_for("call-status", TALKING);
        telephone.command("terminate");
        telephone.wait_for("call-status", IDLE);
        assert_eq!(answering.finish(), Ok(()), "{algorithms}");
        let attempt = (vendor, Some(200), "answered");
        records::expect_one(&sqlite, &node, "44", (200, "answered", "caller", &[attempt]));
        assert!(counted(&node, "right", 1), "{algorithms}: {}", node.metrics());
    }
}

/// A trunk's digest by another password of Linphone, which then asks nobody and tells its user.
#[test]
fn linphone_is_refused_with_a_wrong_password() {
    let Some(program) = peer::program("linphone-daemon") else { return };
    let routes = [Route { prefix: "44".to_owned(), gateways: vec![(vendor_address(), Transport::Udp)] }];
    let text = provision(ANOTHER, &routes) + &trunk("roaming", "DIGEST", "");
    let node = place(&[Transport::Udp], "", text).start();
    let at = node.ports().sip[0];
    let local = SocketAddr::from((UNLISTED, free_port()));
    let telephone = Linphone::start(&program, local, &account("roaming", WRONG, at, ""));
    telephone.command(&format!("call sip:+4420@{at}"));
    telephone.wait("LinphoneCallError");
    assert!(counted(&node, "wrong", 1), "{}", node.metrics());
    wait_quiet(&node);
}
