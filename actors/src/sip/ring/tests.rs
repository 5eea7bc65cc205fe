use std::future::Future;
use std::pin::pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use sip::Limits;

use super::*;
use crate::sip::flow::{Flow, Undelivered};

const BOUNDS: Bounds = Bounds { outside: 2, all: 4, refused: 2 };

/// A message in short: its first line, and whether To has a tag.
fn input((first, tagged): (&str, bool)) -> Input {
    let tag = if tagged { ";tag=2" } else { "" };
    let text = format!(
        "{first}\r\nVia: SIP/2.0/UDP h;branch=z9hG4bKx\r\nFrom: <sip:a@b>;tag=1\r\nTo: <sip:c@d>{tag}\r\n\
         Call-ID: x\r\nCSeq: 1 INVITE\r\nContent-Length: 0\r\n\r\n"
    );
    let peer = "192.0.2.1:5060".parse().unwrap();
    let flow = Flow { listener: 0, transport: runtime::model::Transport::Udp, peer, connection: 0 };
    Input::Message(flow, Message::parse_datagram(text.into(), &Limits::default()).unwrap())
}

fn arrived(at: Instant, message: (&str, bool)) -> Arrived {
    Arrived { at, input: input(message) }
}

const INVITE: (&str, bool) = ("INVITE sip:c@d SIP/2.0", false);
const OPTIONS: (&str, bool) = ("OPTIONS sip:c@d SIP/2.0", false);
const BYE: (&str, bool) = ("BYE sip:c@d SIP/2.0", true);

#[test]
fn what_belongs_to_calls_has_the_last_room() {
    use Class::{Inside, NewCall, Outside};
    for (message, expected) in [
        (INVITE, NewCall),
        (("INVITE sip:c@d SIP/2.0", true), Inside),
        (("OPTIONS sip:c@d SIP/2.0", false), Outside),
        (("REGISTER sip:d SIP/2.0", false), Outside),
        (("FOO sip:c@d SIP/2.0", false), Outside),
        (("OPTIONS sip:c@d SIP/2.0", true), Inside),
        (("ACK sip:c@d SIP/2.0", false), Inside),
        (("CANCEL sip:c@d SIP/2.0", false), Inside),
        (("BYE sip:c@d SIP/2.0", false), Inside),
        (("PRACK sip:c@d SIP/2.0", true), Inside),
        (("SIP/2.0 200 OK", false), Inside),
        (("SIP/2.0 486 Busy Here", true), Inside),
    ] {
        assert_eq!(class(&input(message)), expected, "{message:?}");
    }
    let undelivered = Undelivered { sender: None, peer: "192.0.2.1:5060".parse().unwrap() };
    assert_eq!(class(&Input::Undelivered(undelivered)), Inside);
}

#[test]
fn full_is_an_answer_for_what_belongs_to_no_call() {
    let now = tokio::time::Instant::now().into_std();
    /// Batch, what is taken, what is refused, how many are dropped.
    type Line = (&'static [(&'static str, bool)], usize, usize, usize);
    let table: [Line; 7] = [
        (&[INVITE, INVITE], 2, 0, 0),
        (&[INVITE, INVITE, INVITE, OPTIONS], 2, 1, 1),
        (&[INVITE, INVITE, OPTIONS, OPTIONS, INVITE], 2, 2, 1),
        (&[INVITE, INVITE, INVITE, BYE, INVITE, BYE], 4, 2, 0),
        (&[BYE; 6], 4, 0, 2),
        (&[INVITE; 7], 2, 2, 3),
        (&[], 0, 0, 0),
    ];
    for (messages, taken, refused, dropped) in table {
        let ring = Ring::new(BOUNDS);
        let mut batch: Vec<Arrived> = messages.iter().map(|message| arrived(now, *message)).collect();
        assert_eq!(ring.extend(&mut batch), NoRoom { refused, dropped }, "{messages:?}");
        assert_eq!((ring.len(), batch.len()), (taken, 0), "{messages:?}");
        let mut to_refuse = Vec::new();
        ring.take(1, &mut Vec::new(), &mut to_refuse);
        assert_eq!(to_refuse.len(), refused, "{messages:?}");
        assert!(to_refuse.iter().all(|input| class(input) != Class::Inside), "{messages:?}");
        ring.take(1, &mut Vec::new(), &mut to_refuse);
        assert_eq!(to_refuse.len(), refused, "once: {messages:?}");
    }
}

#[test]
fn a_turn_takes_so_many_in_their_order_and_knows_the_oldest() {
    let ring = Ring::new(Bounds::default());
    let now = tokio::time::Instant::now().into_std();
    let at = |millis: u64| now + Duration::from_millis(millis);
    let texts = ["SIP/2.0 100 Trying", "SIP/2.0 180 Ringing", "SIP/2.0 200 OK"];
    let times = [at(7), at(5), at(6)];
    let mut batch = texts.iter().zip(times).map(|(text, at)| arrived(at, (text, true))).collect();
    ring.extend(&mut batch);
    ring.push_always(Arrived { at: at(1), input: input(BYE) });
    let mut into = Vec::new();
    assert_eq!(ring.take(2, &mut into, &mut Vec::new()), Some(at(5)));
    let first_lines: Vec<Option<u16>> = into
        .drain(..)
        .map(|input| {
            let Input::Message(_, message) = input else { panic!("{input:?}") };
            message.status_code()
        })
        .collect();
    assert_eq!(first_lines, [Some(100), Some(180)]);
    assert_eq!(ring.take(64, &mut into, &mut Vec::new()), Some(at(1)));
    assert_eq!((into.len(), ring.take(64, &mut into, &mut Vec::new())), (2, None));
}

/// Whether a future is done now.
fn is_done(future: std::pin::Pin<&mut impl Future<Output = ()>>) -> bool {
    future.poll(&mut Context::from_waker(Waker::noop())) == Poll::Ready(())
}

#[test]
fn only_what_belongs_to_calls_waits_for_room() {
    let ring = Ring::new(BOUNDS);
    let now = tokio::time::Instant::now().into_std();
    for (message, expected) in [
        (INVITE, "Taken"),
        (OPTIONS, "Taken"),
        (OPTIONS, "Refused"),
        (INVITE, "Refused"),
        (BYE, "Taken"),
        (INVITE, "Dropped"),
        (BYE, "Taken"),
        (BYE, "Back"),
        (OPTIONS, "Dropped"),
    ] {
        let given = match ring.try_push(arrived(now, message)) {
            Given::Taken => "Taken",
            Given::Refused => "Refused",
            Given::Dropped => "Dropped",
            Given::Back(_) => "Back",
        };
        assert_eq!(given, expected, "{message:?} after {}", ring.len());
    }
}

#[test]
fn streams_wait_in_a_row_that_nobody_overtakes() {
    let ring = Ring::new(BOUNDS);
    let now = tokio::time::Instant::now().into_std();
    let take = |count| {
        let mut into = Vec::new();
        ring.take(count, &mut into, &mut Vec::new());
        into.len()
    };
    let mut batch = (0..4).map(|_| arrived(now, BYE)).collect();
    assert_eq!(ring.extend(&mut batch), NoRoom::default());
    let mut first = Box::pin(ring.push(arrived(now, BYE)));
    let mut second = Box::pin(ring.push(arrived(now, BYE)));
    assert!(!is_done(first.as_mut()) && !is_done(second.as_mut()));
    assert_eq!(take(1), 1);
    assert!(matches!(ring.try_push(arrived(now, BYE)), Given::Back(_)), "the room is of the first");
    assert!(!is_done(second.as_mut()));
    assert!(is_done(first.as_mut()));
    assert!(!is_done(second.as_mut()), "four wait again");
    assert_eq!(take(1), 1);
    assert!(is_done(second.as_mut()));
    drop((first, second));
    assert_eq!(take(1), 1);
    assert!(matches!(ring.try_push(arrived(now, BYE)), Given::Taken), "nobody waits any more");
    assert_eq!(take(64), 4);
}

#[test]
fn whoever_goes_out_of_the_row_leaves_the_room_to_the_next() {
    let ring = Ring::new(BOUNDS);
    let now = tokio::time::Instant::now().into_std();
    let mut batch = (0..4).map(|_| arrived(now, BYE)).collect();
    ring.extend(&mut batch);
    let mut first = Box::pin(ring.push(arrived(now, BYE)));
    let mut second = Box::pin(ring.push(arrived(now, BYE)));
    assert!(!is_done(first.as_mut()) && !is_done(second.as_mut()));
    ring.take(1, &mut Vec::new(), &mut Vec::new());
    drop(first);
    assert!(is_done(second.as_mut()));
}

#[test]
fn who_waits_for_something_is_told_once() {
    let ring = Ring::new(BOUNDS);
    let mut ready = Box::pin(ring.ready());
    assert!(!is_done(ready.as_mut()));
    ring.extend(&mut vec![arrived(tokio::time::Instant::now().into_std(), BYE)]);
    assert!(is_done(ready.as_mut()));
    drop(ready);
    assert!(is_done(pin!(ring.ready()).as_mut()), "it is still there");
    ring.take(1, &mut Vec::new(), &mut Vec::new());
    assert!(!is_done(pin!(ring.ready()).as_mut()));
}
