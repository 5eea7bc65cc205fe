//! Programs that were not written here: smpplib, npm smpp and Kannel as customers, npm smpp as a vendor,
//! stunnel between us and it.

mod esme;
mod kannel;
mod vendor;

use super::process::{Node, Setup};
use super::smsc::Smsc;

/// A GSM 03.38 text with characters of the extension table, a UCS2 text with a surrogate pair, and a text that
/// needs three parts: what every customer's program sends.
const GSM7: &str = "price: 5 € {net} [ok]";
const UCS2: &str = "zażółć 你好 🙂";
const LONG_CHARACTERS: usize = 400;

/// A customer's account `acme` / `secret12`, one route, and the vendor at this address.
fn provision(port: u16, more: &str) -> String {
    format!(
        "[[customers]]\nban = \"TB-000000001\"\ncompany_name = \"Acme\"\nstatus = \"ACTIVE\"\ntype = \"POSTPAID\"\n\
         [[esme_accounts]]\nsystem_id = \"acme\"\ncustomer = \"TB-000000001\"\npassword = \"secret12\"\n\
         [[sms_routes]]\nname = \"all\"\nvendor = \"v\"\n\
         [[sms_vendors]]\ninstance_name = \"v\"\nhost = \"127.0.0.1\"\nport = {port}\nsystem_id = \"warp\"\n\
         password = \"secret\"\n{more}\n"
    )
}

/// A node whose vendor is the scripted SMSC.
#[track_caller]
fn node(smsc: &Smsc, smpp: &str) -> Node {
    let setup = Setup {
        smpp: format!("reconnect_first = \"50ms\"\nreconnect_max = \"500ms\"\n{smpp}"),
        provision: provision(smsc.port(), ""),
        ..Setup::default()
    };
    let node = Node::new(&setup);
    smsc.wait("the node binds", super::esme::ANSWER, |state| state.bound() == 1);
    node
}

/// Compares what reached the vendor with what a customer's program was asked to send: one GSM7 message, one
/// UCS2 message, and the parts of a long one under one concatenation reference.
#[track_caller]
fn assert_texts(smsc: &Smsc) {
    let state = smsc.state();
    let (long, short): (Vec<_>, Vec<_>) =
        state.submits.iter().partition(|submit| submit.esm_class & 0x40 != 0);
    let of_coding = |coding: u8| short.iter().filter(move |submit| submit.data_coding == coding);
    let gsm7 = of_coding(0).map(|submit| submit.text.clone()).collect::<Vec<_>>();
    // € { } [ ] are escape pairs in the default alphabet (3GPP TS 23.038, 6.2.1.1).
    assert_eq!(gsm7, [b"price: 5 \x1be \x1b(net\x1b) \x1b<ok\x1b>".to_vec()], "the GSM7 message");
    let ucs2: Vec<u8> = UCS2.encode_utf16().flat_map(u16::to_be_bytes).collect();
    assert_eq!(
        of_coding(8).map(|submit| submit.text.clone()).collect::<Vec<_>>(),
        [ucs2],
        "the UCS2 message"
    );
    let mut parts: Vec<Vec<u8>> = long.iter().map(|submit| submit.text.clone()).collect();
    parts.sort_unstable();
    let reference = parts.first().expect("a part")[3];
    let mut whole: Vec<u8> = Vec::new();
    for (at, part) in parts.iter().enumerate() {
        let (total, number) = (u8::try_from(parts.len()).unwrap(), u8::try_from(at + 1).unwrap());
        assert_eq!(part[..6], [5, 0, 3, reference, total, number], "user data header of part {number}");
        whole.extend(&part[6..]);
    }
    assert_eq!(whole, "x".repeat(LONG_CHARACTERS).into_bytes(), "the long message");
}
