//! Sides that are not shown the other one, and whose media goes through a media node: what each is sent leads
//! to the media node alone, and tells of nobody else.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use super::super::super::peer;
use super::super::{Message, customer_address, records};
use super::rtp::{Described, body, converse};
use super::side::{Side, hang_up};
use super::{CALLED, CUSTOMER, PREFIX, Stage, VENDOR_MEDIA};

/// The number of the customer.
const OWN: &str = "+442079469999";
const HIDES: &str = "hide_topology = true";

#[test]
fn a_hidden_customer_and_a_hidden_vendor_hear_each_other_and_see_the_media_node() {
    play((HIDES, HIDES));
}

#[test]
fn a_hidden_vendor_hears_a_customer_that_is_not_hidden() {
    play(("", HIDES));
}

#[test]
fn a_hidden_customer_hears_a_vendor_that_is_not_hidden() {
    play((HIDES, ""));
}

/// Calls to the vendor and from it, each of which both sides end once.
fn play((trunk, vendor): (&str, &str)) {
    let Some(sqlite) = peer::program("sqlite3") else { return };
    let local = customer_address();
    let lines = format!("{trunk}\ngateways = [\"sip:{local};transport=udp\"]");
    let own = format!("[[dids]]\nnumber = \"{OWN}\"\ncustomer = \"TB-000000001\"\ntrunk = \"acme\"\n");
    let Some(stage) = Stage::provisioned("", &own, (lines.as_str(), vendor)) else { return };
    let mut customer = Side::new(local, CUSTOMER, stage.node.ports().sip[0]);
    let mut carrier = stage.callee(0);
    let of_customer = Tells { hidden: !vendor.is_empty(), ip: CUSTOMER, at: local };
    let of_carrier = Tells { hidden: !trunk.is_empty(), ip: VENDOR_MEDIA, at: stage.vendors[0] };
    for caller_ends in [true, false] {
        let outbound = Calls { stage: &stage, caller: &of_customer, called: &of_carrier };
        outbound.talk((&mut customer, &mut carrier), CALLED, caller_ends);
        let inbound = Calls { stage: &stage, caller: &of_carrier, called: &of_customer };
        inbound.talk((&mut carrier, &mut customer), OWN, caller_ends);
    }
    let cdrs = records::wait_cdrs(&sqlite, &stage.node, PREFIX, 4);
    let mut ends: Vec<_> = cdrs.iter().map(|cdr| (cdr.status, cdr.reason, cdr.ended_by)).collect();
    ends.sort_unstable();
    let [by_callee, by_caller] = ["callee", "caller"].map(|side| (200, "answered", side));
    assert_eq!(ends, [by_callee, by_callee, by_caller, by_caller], "{cdrs:?}");
    assert!(cdrs.iter().all(|cdr| cdr.media.is_some()), "a media node carried all of them: {cdrs:?}");
}

/// What tells of a side, and whether the other one is not to see it.
struct Tells {
    hidden: bool,
    /// Where it takes media; its signalling may share an address with the node.
    ip: IpAddr,
    at: SocketAddr,
}

impl Tells {
    #[track_caller]
    fn expect_hidden(&self, message: &Message) {
        if !self.hidden {
            return;
        }
        for tells in [self.ip.to_string(), format!(":{}", self.at.port())] {
            assert!(!message.text.contains(&tells), "{tells} shows: {}", message.text);
        }
    }
}

/// Calls from one side to the other.
struct Calls<'a> {
    stage: &'a Stage,
    caller: &'a Tells,
    called: &'a Tells,
}

impl Calls<'_> {
    #[track_caller]
    fn talk(&self, (caller, called): (&mut Side, &mut Side), number: &str, caller_ends: bool) {
        caller.call(number, &caller.sdp("sendrecv"));
        let invite = called.expect("INVITE");
        let of_called = self.leads(&invite, self.caller);
        called.reply(&invite, "180 Ringing", "", "");
        self.called.expect_hidden(&caller.expect("180 INVITE"));
        called.reply(&invite, "200 OK", "", &called.sdp("sendrecv"));
        let of_caller = self.leads(&caller.expect("200 INVITE"), self.called);
        caller.request("ACK", "");
        self.caller.expect_hidden(&called.expect("ACK"));
        assert_eq!(of_caller.at.ip(), of_called.at.ip(), "one media node carries it");
        converse((&caller.media, &of_caller), (&called.media, &of_called));
        assert_eq!(carried(self.stage), 100, "50 packets each way");

        for direction in ["sendonly", "sendrecv"] {
            self.change((&mut *caller, self.caller), (&mut *called, self.called), direction);
        }
        let [of_called, of_caller] =
            self.change((&mut *called, self.called), (&mut *caller, self.caller), "sendrecv");
        converse((&caller.media, &of_caller), (&called.media, &of_called));
        if caller_ends {
            hang_up(caller, called);
        } else {
            hang_up(called, caller);
        }
        self.stage.wait_empty();
    }

    /// A re-INVITE of one side, and where both were told to send.
    #[track_caller]
    fn change(
        &self,
        (asks, of_asks): (&mut Side, &Tells),
        (answers, of_answers): (&mut Side, &Tells),
        direction: &str,
    ) -> [Described; 2] {
        asks.request("INVITE", &asks.sdp(direction));
        let request = answers.expect("INVITE");
        let offer = self.leads(&request, of_asks);
        let answered = if direction == "sendonly" { "recvonly" } else { direction };
        answers.reply(&request, "200 OK", "", &answers.sdp(answered));
        let answer = self.leads(&asks.expect("200 INVITE"), of_answers);
        asks.request("ACK", "");
        of_asks.expect_hidden(&answers.expect("ACK"));
        assert_eq!([offer.direction.as_str(), answer.direction.as_str()], [direction, answered]);
        [answer, offer]
    }

    /// Where a description leads that one side has sent: no address of it is other than the media node's.
    #[track_caller]
    fn leads(&self, message: &Message, sender: &Tells) -> Described {
        sender.expect_hidden(message);
        let described = self.stage.leads(message);
        let words = body(message).split(|one: char| !(one.is_ascii_digit() || one == '.'));
        let addresses: Vec<IpAddr> =
            words.filter_map(|word| word.parse::<Ipv4Addr>().ok()).map(IpAddr::V4).collect();
        let own = addresses.iter().all(|address| *address == described.at.ip());
        assert!(own && !addresses.is_empty(), "not of the media node alone: {}", message.text);
        described
    }
}

/// Packets of the one call that media nodes have.
#[track_caller]
fn carried(stage: &Stage) -> u64 {
    let calls = stage.carried();
    let [call] = &calls[..] else { panic!("one call is up: {calls:?}") };
    let carries = stage.media.iter().find(|media| media.calls().contains(call));
    carries.unwrap().packets(call)
}
