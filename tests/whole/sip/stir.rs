//! Who calls, signed and checked (STIR/SHAKEN, RFC 8224): libsecsipid believes what the node signs, and
//! the node reads what libsecsipid signs. Records tell what came of it.

mod fetched;
mod pki;
mod repository;
mod secsipidx;

use std::fs;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::thread;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use tempfile::TempDir;

use self::pki::{Authority, CARRIER, Carrier, UNTIL};
use self::repository::Repository;
use self::secsipidx::{Says, Secsipidx};
use super::super::certificate::Certificate;
use super::super::wait;
use super::ua::{Callee, Caller, Datagrams, Link, Recorded};
use super::wire::Message;
use super::{
    CUSTOMER, Node, SOON, Transport, customer_address, free_port, place, provision, vendor_address,
    wait_quiet,
};

/// The number that [`Caller`] calls from; [`Calling`] makes another one of it.
const PLAYED: &str = "+442079460000";
/// A number of the customer, and those of others: who calls the customer, and whom it calls.
const OWN: &str = "+442079460100";
const FOREIGN: &str = "+442079460999";
const STRANGER: &str = "+13125550142";
const CALLED: &str = "+442012345678";
const CALLED_UNSIGNED: &str = "+443012345678";
/// Where a trunk is that passes on calls of others.
const GATEWAY: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 12));
/// Where vendors are whose calls are not looked at, whose Identities are noted, and refuse the call.
const UNSEEN: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 13));
const NOTES: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 14));
const REFUSES: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 15));

const FAILED: &str = "TN-Validation-Failed";
const NONE: &str = "No-TN-Validation";

/// A call that is signed, or not.
struct Case {
    /// Its Call-ID.
    name: &'static str,
    source: IpAddr,
    number: &'static str,
    called: &'static str,
    /// The trunk, and what is said of the caller, where it is signed.
    signed: Option<(&'static str, &'static str)>,
}

const CASES: &[Case] = &[
    Case { name: "own-number", source: CUSTOMER, number: OWN, called: CALLED, signed: Some(("acme", "A")) },
    Case {
        name: "number-of-others",
        source: CUSTOMER,
        number: FOREIGN,
        called: CALLED,
        signed: Some(("acme", "B")),
    },
    Case {
        name: "from-a-gateway",
        source: GATEWAY,
        number: OWN,
        called: CALLED,
        signed: Some(("gateway", "C")),
    },
    Case {
        name: "vendor-that-wants-none",
        source: CUSTOMER,
        number: OWN,
        called: CALLED_UNSIGNED,
        signed: None,
    },
];

#[test]
fn libsecsipid_believes_what_is_signed() {
    let Some(secsipidx) = Secsipidx::find() else { return };
    let world = World::new();
    let (signed, unsigned) = (vendor_address(), vendor_address());
    let text = provision(CUSTOMER, &[]) + &outbound(signed, unsigned);
    let node = place(&[Transport::Udp], &world.section(""), text).start();
    let mut calls = Vec::new();
    for case in CASES {
        wait::progress(&format!("signed: {}", case.name));
        let began = seconds();
        let call = Call {
            id: case.name.to_owned(),
            source: case.source,
            number: case.number,
            headers: String::new(),
        };
        let vendor = if case.signed.is_some() { signed } else { unsigned };
        let invite = call.talks(&node, case.called, vendor);
        let identities: Vec<&str> = invite.headers("Identity").collect();
        match (&identities[..], case.signed) {
            ([], None) => {}
            ([identity], Some((trunk, attest))) => {
                let claims = world.claims(identity);
                let iat = claims["iat"].as_u64().unwrap_or_else(|| panic!("{claims}"));
                assert!((began..=seconds()).contains(&iat), "{claims}");
                let (orig, dest) = (json!({"tn": &case.number[1..]}), json!({"tn": [&case.called[1..]]}));
                let origid = trunk_id(&node, trunk);
                let wanted =
                    json!({"attest": attest, "dest": dest, "iat": iat, "orig": orig, "origid": origid});
                assert_eq!(claims, wanted, "{}", case.name);
                assert!(invite.header("Date").is_some(), "{}", invite.text);
                world.expect_believed(&secsipidx, identity);
            }
            _ => panic!("{}: {}", case.name, invite.text),
        }
        let attestation = case.signed.map(|(_, attest)| attest);
        expect_identity(&node, case.name, (None, None, attestation));
        calls.push((case.name.to_owned(), (None, None, attestation)));
    }
    expect_file(&node, &calls);
    assert!((node.metric("warp_sip_identities_signed_total") - 3.0).abs() < 0.5, "{}", node.metrics());
    assert!(node.metric("warp_sip_identities_unsigned_total") < 0.5, "{}", node.metrics());
}

/// An Identity that is wrong whatever its certificate says.
struct Wrong {
    /// In its Call-IDs.
    name: &'static str,
    makes: Makes,
    /// What a vendor is answered whose calls it refuses.
    status: u16,
    verstat: &'static str,
}

/// The Identity header of a call of which this is to be said.
type Makes = fn(&Secsipidx, &Says<'_>) -> String;

const WRONG: &[Wrong] = &[
    Wrong { name: "none", makes: |_, _| String::new(), status: 428, verstat: NONE },
    Wrong {
        name: "stale",
        makes: |by, says| header(&by.sign_at(says, seconds() - 120)),
        status: 403,
        verstat: FAILED,
    },
    Wrong {
        name: "of-tomorrow",
        makes: |by, says| header(&by.sign_at(says, seconds() + 86_400)),
        status: 403,
        verstat: FAILED,
    },
    Wrong {
        name: "other-caller",
        makes: |by, says| header(&by.sign(&Says { orig: "13125550143", ..*says })),
        status: 438,
        verstat: FAILED,
    },
    Wrong {
        name: "other-callee",
        makes: |by, says| header(&by.sign(&Says { dest: "442079460101", ..*says })),
        status: 438,
        verstat: FAILED,
    },
    Wrong {
        name: "other-place",
        makes: |by, says| header(&by.sign(says).replace(";info=<https://", ";info=<https://of.")),
        status: 438,
        verstat: FAILED,
    },
    Wrong {
        name: "no-letter",
        makes: |by, says| header(&by.sign(&Says { attest: "Z", ..*says })),
        status: 438,
        verstat: FAILED,
    },
    Wrong {
        name: "cut",
        makes: |by, says| {
            let identity = by.sign(says);
            let (signed, _) = identity.rsplit_once('.').unwrap();
            header(&format!("{signed};info=<{}>;alg=ES256;ppt=shaken", says.x5u))
        },
        status: 438,
        verstat: FAILED,
    },
    // All of it is right, but where its certificate is may not be asked: the address is not a public one.
    Wrong { name: "not-public", makes: |by, says| header(&by.sign(says)), status: 436, verstat: NONE },
];

#[test]
fn an_identity_of_libsecsipid_that_is_wrong_is_noted_or_refuses() {
    let Some(secsipidx) = Secsipidx::find() else { return };
    let world = World::new();
    let trunk = customer_address();
    let text = provision(CUSTOMER, &[]) + &inbound(trunk);
    let node = place(&[Transport::Udp], &world.section(""), text).start();
    let url = world.repository.publish("theirs", &world.theirs.pem);
    let mut calls = Vec::new();
    for Wrong { name, makes, status, verstat } in WRONG {
        wait::progress(&format!("wrong: {name}"));
        let call = |policy: &str, source: IpAddr| {
            let id = format!("{policy}-{name}");
            let headers = makes(&secsipidx, &world.says(&url, &id));
            Call { id, source, number: STRANGER, headers }
        };
        let refused = call("refused", REFUSES);
        refused.is_refused(&node, OWN, *status);
        expect_refused(&node, &refused.id, *status, verstat);
        let noted = call("noted", NOTES);
        noted.talks(&node, OWN, trunk);
        expect_identity(&node, &noted.id, (Some(*verstat), None, None));
        let unseen = call("unseen", UNSEEN);
        unseen.talks(&node, OWN, trunk);
        expect_identity(&node, &unseen.id, (None, None, None));
        let identified = (Some(*verstat), None, None);
        calls.extend([(refused.id, identified), (noted.id, identified), (unseen.id, (None, None, None))]);
    }
    expect_file(&node, &calls);
    assert_eq!(world.repository.asked(), Vec::<String>::new(), "nobody asks an address that is not public");
}

/// What comes from a server whose own certificate is of no authority that is known is no certificate.
#[test]
fn a_server_that_nobody_vouches_for_is_not_asked() {
    let Some(secsipidx) = Secsipidx::find() else { return };
    let world = World::new();
    let trunk = customer_address();
    let text = provision(CUSTOMER, &[]) + &inbound(trunk);
    let node = place(&[Transport::Udp], &world.section("private_addresses = true"), text).start();
    let url = world.repository.publish("theirs", &world.theirs.pem);
    let id = "unknown-server".to_owned();
    let headers = header(&secsipidx.sign(&world.says(&url, &id)));
    let call = Call { id, source: REFUSES, number: STRANGER, headers };
    call.is_refused(&node, OWN, 436);
    expect_refused(&node, &call.id, 436, NONE);
    assert!(node.metric("warp_sip_certificates_refused_total") > 0.5, "{}", node.metrics());
    assert_eq!(world.repository.asked(), Vec::<String>::new());
}

/// Authorities, carriers, and the server that has their certificates.
struct World {
    authority: Authority,
    /// The node's, and that of who calls its customer.
    own: Carrier,
    theirs: Carrier,
    repository: Repository,
    /// The authority of the server's own certificate.
    servers: PathBuf,
    folder: TempDir,
}

impl World {
    #[track_caller]
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let authority = Authority::new(folder.path(), "sti-ca");
        let [own, theirs] = ["own", "theirs"].map(|name| authority.carrier(name, Some(CARRIER), UNTIL));
        let web = folder.path().join("web");
        fs::create_dir(&web).unwrap();
        let certificate = Certificate::write(&web);
        let repository = Repository::start(&certificate);
        repository.publish("own", &own.pem);
        Self { authority, own, theirs, repository, servers: certificate.ca, folder }
    }

    /// `[stir]` with these lines more.
    fn section(&self, lines: &str) -> String {
        let files = [
            ("key_file", &self.own.key),
            ("certificate_file", &self.own.certificate),
            ("authorities_file", &self.authority.certificate),
        ];
        let files = files.map(|(key, path)| format!("{key} = {:?}\n", path.display().to_string()));
        format!(
            "[stir]\ncertificate_url = {:?}\n{}certificate_wait = \"5s\"\nfetch_timeout = \"4s\"\n{lines}\n",
            self.repository.url("own"),
            files.concat()
        )
    }

    /// What is right of a call of the stranger's to the customer's number.
    fn says<'a>(&'a self, x5u: &'a str, origid: &'a str) -> Says<'a> {
        Says { orig: &STRANGER[1..], dest: &OWN[1..], attest: "A", origid, key: &self.theirs.key, x5u }
    }

    /// What the node says of a call.
    #[track_caller]
    fn claims(&self, identity: &str) -> Value {
        let url = self.repository.url("own");
        let (token, parameters) = identity.split_once(';').unwrap_or_else(|| panic!("{identity}"));
        assert_eq!(parameters, format!("info=<{url}>;alg=ES256;ppt=shaken"));
        let parts: Vec<&str> = token.split('.').collect();
        let [head, claims, _] = parts[..] else { panic!("{identity}") };
        let [head, claims] =
            [head, claims].map(|part| serde_json::from_str::<Value>(&decoded(part)).unwrap());
        assert_eq!(head, json!({"alg": "ES256", "ppt": "shaken", "typ": "passport", "x5u": url}));
        claims
    }

    /// libsecsipid takes an Identity of the node by the certificate that it names, and nothing like it.
    #[track_caller]
    fn expect_believed(&self, secsipidx: &Secsipidx, identity: &str) {
        let url = self.repository.url("own");
        let ours = (&*self.authority.certificate, &*self.servers);
        assert_eq!(secsipidx.check(identity, &url, ours), Ok(()), "{identity}");
        let asked = self.repository.asked();
        assert!(asked.contains(&"/own.pem".to_owned()), "by what is published: {asked:?}");
        for forged in [with_other_octet(identity), with_other_caller(identity)] {
            let said = secsipidx.check(&forged, &url, ours).unwrap_err();
            assert!(said.contains("ECDSA verification failed"), "{forged}: {said}");
        }
        let said =
            secsipidx.check(identity, &self.theirs.certificate.display().to_string(), ours).unwrap_err();
        assert!(said.contains("ECDSA verification failed"), "by the key of another: {said}");
        let stranger = Authority::new(self.folder.path(), "another-ca");
        let said = secsipidx.check(identity, &url, (&stranger.certificate, &self.servers)).unwrap_err();
        assert!(said.contains("unknown authority"), "by another authority: {said}");
    }
}

/// The Identity with another character in its signature.
fn with_other_octet(identity: &str) -> String {
    let mut octets = identity.as_bytes().to_vec();
    let at = identity.find(';').unwrap() - 40;
    octets[at] = if octets[at] == b'A' { b'B' } else { b'A' };
    String::from_utf8(octets).unwrap()
}

/// The Identity with another digit in the number that calls.
fn with_other_caller(identity: &str) -> String {
    let (token, parameters) = identity.split_once(';').unwrap();
    let mut parts: Vec<String> = token.split('.').map(str::to_owned).collect();
    let claims = decoded(&parts[1]);
    let other = claims.replace("\"4420794601", "\"4420794602").replace("\"4420794609", "\"4420794608");
    assert_ne!(claims, other);
    parts[1] = URL_SAFE_NO_PAD.encode(other);
    format!("{};{parameters}", parts.join("."))
}

/// A part of a PASSporT.
#[track_caller]
fn decoded(part: &str) -> String {
    String::from_utf8(URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap()
}

fn header(identity: &str) -> String {
    format!("Identity: {identity}\r\n")
}

fn seconds() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()
}

/// The customer's number, a trunk that passes on calls of others, and two vendors: one wants calls signed.
fn outbound(signed: SocketAddr, unsigned: SocketAddr) -> String {
    format!(
        "[[trunks]]\nname = \"gateway\"\ncustomer = \"TB-000000001\"\npartition = \"all\"\n\
         acl = [\"{GATEWAY}\"]\nattestation_max = \"C\"\n{}{}{}\
         [[voice_rates]]\npartition = \"all\"\nprefix = \"4420\"\nvendor = \"signed\"\nrate = \"0.01\"\n\
         [[voice_rates]]\npartition = \"all\"\nprefix = \"4430\"\nvendor = \"unsigned\"\nrate = \"0.01\"\n",
        did(),
        vendor("signed", signed, "sign_calls = true"),
        vendor("unsigned", unsigned, "")
    )
}

/// Where the customer's number is reached, as a line of its trunk, and three vendors, by what is done
/// with their Identities.
fn inbound(trunk: SocketAddr) -> String {
    let vendors = [("off", UNSEEN), ("note", NOTES), ("refuse", REFUSES)];
    let vendors = vendors.map(|(policy, address)| {
        vendor(policy, SocketAddr::from((address, 5060)), &format!("verify_identity = \"{policy}\""))
    });
    format!("gateways = [\"sip:{trunk};transport=udp\"]\n{}{}", did(), vendors.concat())
}

fn did() -> String {
    format!("[[dids]]\nnumber = \"{OWN}\"\ncustomer = \"TB-000000001\"\ntrunk = \"acme\"\n")
}

/// An INVITE with an Identity may be too large for UDP: it comes there all the same.
fn vendor(name: &str, gateway: SocketAddr, lines: &str) -> String {
    format!(
        "[[sip_vendors]]\nname = \"{name}\"\nprobe_interval = \"0s\"\noversize = \"fragment\"\n\
         gateways = [\"sip:{gateway};transport=udp\"]\n{lines}\n"
    )
}

/// Who calls, and how.
struct Call {
    /// Its Call-ID.
    id: String,
    source: IpAddr,
    number: &'static str,
    /// More headers of its INVITE.
    headers: String,
}

impl Call {
    fn caller(&self, node: &Node) -> Caller<Calling> {
        let local = SocketAddr::from((self.source, free_port()));
        let link = Datagrams::bind(local, node.ports().sip[0]);
        let link = Calling { link, number: self.number, headers: self.headers.clone() };
        Caller::new(link, Transport::Udp, local, &self.id)
    }

    /// Until the caller hangs up; the INVITE that the callee had.
    #[track_caller]
    fn talks(&self, node: &Node, called: &str, gateway: SocketAddr) -> Message {
        let link = Recorded::new(Datagrams::bind(gateway, node.ports().sip[0]));
        let mut callee = Callee::new(link, Transport::Udp, gateway);
        let callee = thread::spawn(move || {
            callee.rings();
            callee.answers();
            callee.is_hung_up_on();
            callee.link.received
        });
        let mut caller = self.caller(node);
        caller.call(called);
        caller.hang_up();
        let received = callee.join().unwrap();
        // The next call has the same address: nothing of this one may come there.
        wait_quiet(node);
        let text = received.into_iter().find(|message| message.starts_with("INVITE ")).unwrap();
        Message { text }
    }

    #[track_caller]
    fn is_refused(&self, node: &Node, called: &str, status: u16) {
        self.caller(node).is_refused(called, status);
        wait_quiet(node);
    }
}

/// A link whose calls come from another number than [`PLAYED`], with more headers in their INVITE.
struct Calling {
    link: Datagrams,
    number: &'static str,
    headers: String,
}

impl Link for Calling {
    fn send(&mut self, message: &str) {
        let mut text = message.replace(PLAYED, self.number);
        if text.starts_with("INVITE ") {
            text = text.replacen("Max-Forwards:", &format!("{}Max-Forwards:", self.headers), 1);
        }
        self.link.send(&text);
    }

    fn receive(&mut self, within: Duration) -> Option<Message> {
        self.link.receive(within)
    }
}

/// What came of who calls, and of signing it: `verstat`, and the attestations that were received and given.
type Identified<'a> = (Option<&'a str>, Option<&'a str>, Option<&'a str>);

const IDENTIFIED: [&str; 3] = ["verstat", "attestation_received", "attestation_signed"];

/// Waits for the record of a call, which says this.
#[track_caller]
fn expect_identity(node: &Node, call_id: &str, (verstat, received, signed): Identified<'_>) -> Value {
    let record = wait::until(&format!("a record of the call {call_id}"), SOON, || {
        let page = node.get("/v1/cdrs/recent?limit=500").json();
        let records = page["cdrs"].as_array().unwrap_or_else(|| panic!("{page}"));
        records.iter().find(|record| record["call_id"] == call_id).cloned()
    });
    let wanted = [verstat, received, signed];
    assert_eq!(IDENTIFIED.map(|key| record[key].as_str()), wanted, "{record}");
    record
}

/// The file of all records says the same of these calls.
#[track_caller]
fn expect_file(node: &Node, calls: &[(String, Identified<'_>)]) {
    let csv = node.get("/v1/cdrs?format=csv");
    assert_eq!(csv.status, 200, "{}", csv.body);
    let lines: Vec<Vec<&str>> = csv.body.lines().map(|line| line.split(',').collect()).collect();
    let column = |title: &str| lines[0].iter().position(|found| *found == title).unwrap();
    let (id, places) = (column("call_id"), IDENTIFIED.map(column));
    for (call_id, (verstat, received, signed)) in calls {
        let line = lines.iter().find(|line| line[id] == call_id);
        let line = line.unwrap_or_else(|| panic!("no {call_id} in {}", csv.body));
        let wanted = [*verstat, *received, *signed].map(Option::unwrap_or_default);
        assert_eq!(places.map(|place| line[place]), wanted, "{call_id} in {}", csv.body);
    }
}

/// The same of a call that its Identity refused: nobody was called.
#[track_caller]
fn expect_refused(node: &Node, call_id: &str, status: u16, verstat: &str) {
    let record = expect_identity(node, call_id, (Some(verstat), None, None));
    let found = (&record["status"], &record["reason"], &record["attempts"]);
    assert_eq!(found, (&json!(status), &json!("not_allowed"), &json!([])), "{record}");
}

/// What `origid` is to be, by the trunk's name.
#[track_caller]
fn trunk_id(node: &Node, name: &str) -> Value {
    let page = node.get("/v1/admin/customers/TB-000000001/trunks").json();
    let trunks = page["items"].as_array().unwrap_or_else(|| panic!("{page}"));
    let trunk = trunks.iter().find(|trunk| trunk["name"] == name);
    trunk.unwrap_or_else(|| panic!("{page}"))["id"].clone()
}
