//! What the log does not say, however much it is asked for: texts, full numbers, passwords, tokens.

use std::time::Duration;

use super::super::esme::Esme;
use super::super::pdu::Sm;
use super::super::process::{Node, Setup};
use super::super::smsc::{Answer, Script, Smsc};
use super::{provision, wait_bound};

const WITHIN: Duration = Duration::from_secs(20);
const NUMBER: &str = "15550107788";
const DID: &str = "15550109977";

#[test]
fn no_text_no_number_and_no_secret_is_logged() {
    let smsc = Smsc::start(Script::default());
    let did = format!("[[dids]]\nnumber = \"{DID}\"\ncustomer = \"TB-000000001\"\nsystem_id = \"acme\"\n");
    let node = Node::new(&Setup {
        sections: "[telemetry]\nfilter = \"info,warp=trace,actors=trace,api=trace,runtime=trace\"\n"
            .to_owned(),
        provision: provision(&[smsc.port()]).replace("\"secret\"", "\"pwvendor\"") + &did,
        ..Setup::default()
    });
    wait_bound(&smsc);
    assert!(Esme::try_bound(node.smpp(), "acme", "wrong-pw").is_none());
    let (mut esme, mut delivered) = (Esme::bound(node.smpp(), "acme", "secret12"), Vec::new());
    esme.submit(&Sm::new(NUMBER, "a text for nobody else"), &mut delivered);
    smsc.send_mo("answer", Sm { registered_delivery: 0, ..Sm::new(DID, "an answer for nobody else") });
    esme.collect(&mut delivered, 2, WITHIN);
    // What goes wrong is logged most.
    smsc.set_script(Script { answer: Answer::Status(0x0B), ..Script::default() });
    esme.submit(&Sm::new(NUMBER, "a text for nobody at all"), &mut delivered);
    esme.collect(&mut delivered, 3, WITHIN);
    smsc.freeze();
    esme.submit(&Sm::new(NUMBER, "a text that waits for nobody"), &mut delivered);
    let token = std::fs::read_to_string(node.place().data().join("bootstrap.token")).unwrap();
    node.get("/v1/smpp/vendors");
    // The token is shown once, on standard error, by the process and not by its log.
    let log: String = node.place().log().lines().filter(|line| line.starts_with("20")).collect();
    assert!(log.contains("vendor bound"), "{log}");
    for hidden in ["for nobody", NUMBER, DID, "secret12", "pwvendor", "wrong-pw", token.trim()] {
        assert!(!log.contains(hidden), "{hidden} stands in the log");
    }
}
