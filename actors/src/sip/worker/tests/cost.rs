//! What a call costs a worker, without sockets.

use bytes::Bytes;
use runtime::model::Transport;
use sip::{Limits, Message};
use tokio::time::Instant;

use super::*;
use crate::sip::flow::Flow;
use crate::sip::worker::{Input, Output};

/// Calls whose transactions live at one time.
const TOGETHER: usize = 100;
const ROUNDS: usize = 100;

/// The seven messages of a call, as they come in, made from what the node answers to one.
struct Script {
    node: Node,
    out: Output,
    spent: Duration,
}

impl Script {
    /// One message in; what went out.
    fn step(&mut self, from: &str, octets: impl Into<Bytes>) -> Vec<Sent> {
        let octets = octets.into();
        let peer = from.parse().unwrap();
        let flow = Flow { listener: 0, transport: Transport::Udp, peer, connection: 0 };
        let start = Instant::now();
        let message = Message::parse_datagram(octets, &Limits::default()).unwrap();
        let mut inputs = vec![Input::Message(flow, message)];
        self.node.worker.handle(&mut inputs, self.node.now, &mut self.out);
        self.spent += start.elapsed();
        self.out.events.clear();
        let sent = |outbound: crate::sip::flow::Outbound| Sent {
            to: outbound.flow.peer,
            transport: outbound.flow.transport,
            message: Message::parse_datagram(outbound.octets, &Limits::default()).unwrap(),
            sender: outbound.sender,
        };
        self.out.messages.drain(..).map(sent).collect()
    }

    fn call(&mut self, name: &str) {
        let sent = self.step(CUSTOMER, invite(name, "+15551234"));
        let invite = &sent[1];
        self.step(VENDORS[0], response(invite, 180, "callee"));
        let ok = self.step(VENDORS[0], response(invite, 200, "callee")).remove(0);
        let ack = Within { method: "ACK", cseq: 1, branch: &format!("{name}-ack") }.caller(&ok);
        self.step(CUSTOMER, ack);
        let bye = Within { method: "BYE", cseq: 2, branch: &format!("{name}-bye") }.caller(&ok);
        let bye = self.step(CUSTOMER, bye).remove(0);
        assert_eq!(words(&self.step(VENDORS[0], response(&bye, 200, "x"))), ["200>192.0.2.10:5060"]);
    }
}

/// Prints microseconds of a call: INVITE, 180, 200, ACK, BYE, 200, and the timers that follow.
#[test]
#[ignore = "a measurement: run alone, with --release"]
fn cost_of_a_call() {
    let mut script = Script { node: Node::new(), out: Output::default(), spent: Duration::ZERO };
    for round in 0..ROUNDS {
        for call in 0..TOGETHER {
            script.call(&format!("{round}-{call}"));
        }
        let start = Instant::now();
        script.node.pass(60 * SECOND);
        script.spent += start.elapsed();
    }
    let calls = u32::try_from(ROUNDS * TOGETHER).unwrap();
    println!("{:.1} us", (script.spent / calls).as_secs_f64() * 1e6);
}

/// Prints the longest that one message takes a worker whose tables fill up, and how much they hold by then.
#[test]
#[ignore = "a measurement: run alone, with --release"]
fn longest_turn() {
    let mut node = Node::roomy((1_000_000, 100_000));
    let mut longest = Vec::new();
    for call in 0..60_000 {
        let message =
            Message::parse_datagram(invite(&call.to_string(), "+15551234").into(), &Limits::default());
        let flow =
            Flow { listener: 0, transport: Transport::Udp, peer: CUSTOMER.parse().unwrap(), connection: 0 };
        let mut inputs = vec![Input::Message(flow, message.unwrap())];
        let mut out = Output::default();
        let start = Instant::now();
        node.worker.handle(&mut inputs, node.now, &mut out);
        longest.push((start.elapsed(), call));
    }
    longest.sort_unstable();
    longest.reverse();
    let (transactions, dialogs) = (node.worker.transactions(), node.worker.dialogs());
    println!("{transactions} transactions, {dialogs} dialogs, {:?}", &longest[..10]);
    println!(
        "{} octets a transaction, {} a dialog",
        size_of::<crate::sip::transactions::Transaction>(),
        size_of::<crate::sip::dialog::Dialog>()
    );
}
