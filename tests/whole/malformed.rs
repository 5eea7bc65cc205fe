//! What a running node answers to octets that it should not have got.

mod baseline;
mod bind;
mod fields;
mod length;
mod state;

use std::time::Duration;

use super::esme::{Esme, Received};
use super::pdu::Pdu;
use super::process::{Node, Setup};

/// Shorter than the defaults, so that the tests need not wait for them.
const PARTIAL_PDU: Duration = Duration::from_secs(1);

const PROVISION: &str = r#"
[[customers]]
ban = "TB-000000001"
company_name = "Peers that err"
status = "ACTIVE"
type = "POSTPAID"

[[esme_accounts]]
system_id = "acme"
customer = "TB-000000001"
password = "secret12"
binds_max = 100

[[esme_accounts]]
system_id = "fenced"
customer = "TB-000000001"
password = "secret12"
ip_whitelist = ["10.254.254.0/24"]

# Nobody listens there: messages wait.
[[sms_vendors]]
instance_name = "nowhere"
host = "127.0.0.1"
port = 9
system_id = "u"
password = "p"

[[sms_routes]]
name = "all"
prefix = ""
vendor = "nowhere"
"#;

/// A node with the account `acme` / `secret12`, a route, and no vendor that answers.
#[track_caller]
fn node() -> Node {
    Node::new(&Setup {
        smpp: "partial_pdu = \"1s\"\nsession_init = \"20s\"\nunbound_per_ip_max = 1000\n".to_owned(),
        provision: PROVISION.to_owned(),
        ..Setup::default()
    })
}

/// A session on which everything is allowed.
#[track_caller]
fn session(node: &Node) -> Esme {
    Esme::bound(node.smpp(), "acme", "secret12")
}

/// What an answer must be: command_id, any of these statuses, sequence_number.
struct Answer {
    id: u32,
    statuses: &'static [u32],
    sequence: u32,
}

const fn answer(id: u32, statuses: &'static [u32], sequence: u32) -> Answer {
    Answer { id, statuses, sequence }
}

impl Answer {
    #[track_caller]
    fn check(&self, case: &str, pdu: &Pdu) {
        assert_eq!((pdu.id, pdu.sequence), (self.id, self.sequence), "{case}: {pdu:?}");
        assert!(
            self.statuses.contains(&pdu.status),
            "{case}: {pdu:?}, expected one of {:#x?}",
            self.statuses
        );
    }
}

/// Sends, compares every answer, and demands that the session lives on.
#[track_caller]
fn answered(esme: &mut Esme, case: &str, octets: &[u8], answers: &[Answer]) {
    esme.send(octets);
    for answer in answers {
        match esme.receive(super::esme::ANSWER) {
            Received::Pdu(pdu) => answer.check(case, &pdu),
            other => panic!("{case}: {:#x} was to come, but {other:?}", answer.id),
        }
    }
    esme.assert_alive(case);
}
