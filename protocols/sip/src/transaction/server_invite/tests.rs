use std::time::Duration;

use super::*;
use crate::transaction::tests::{Driven, Row, check, ms, status};
use crate::transaction::{Ended, Machine};

const UDP: Transport = Transport::Unreliable;
const TCP: Transport = Transport::Reliable;
const STATES: [State; 5] =
    [State::Proceeding, State::Completed, State::Confirmed, State::Accepted, State::Terminated];

fn timers() -> TimerOptions {
    TimerOptions::default()
}

fn run(machine: &mut ServerInvite, events: &[Event]) -> Vec<Action> {
    let mut out = Vec::new();
    for event in events {
        out.clear();
        machine.handle(*event, &timers(), &mut out);
    }
    out
}

/// A 180 was sent before.
fn in_state(transport: Transport, state: State) -> ServerInvite {
    let mut machine = ServerInvite::start(transport, &timers(), &mut Vec::new());
    run(&mut machine, &[Event::Respond(status(180))]);
    match state {
        State::Proceeding => {}
        State::Completed => drop(run(&mut machine, &[Event::Respond(status(486))])),
        // Over a reliable transport there is no such state to rest in.
        State::Confirmed => machine.state = State::Confirmed,
        State::Accepted => drop(run(&mut machine, &[Event::Respond(status(200))])),
        State::Terminated => drop(run(&mut machine, &[Event::Respond(status(486)), Event::Timer(Timer::H)])),
    }
    assert_eq!(machine.state(), state);
    machine
}

fn table(transport: Transport, rows: &[Row<State>]) {
    check(&STATES, rows, |state, event| {
        let mut machine = in_state(transport, state);
        (run(&mut machine, &[event]), machine.state())
    });
}

#[test]
fn unreliable() {
    use Action::{Arm, Disarm, PassAck, ResendResponse, SendResponse, Terminated, Undelivered};
    use Event::{Ack, Request, Respond, Timer as Fired, TransportError};
    use State::{Accepted, Completed, Confirmed, Proceeding};
    let over = State::Terminated;
    let [s180, s200, s486] = [180, 200, 486].map(status);
    let (g, h) = (Arm(Timer::G, ms(500)), Arm(Timer::H, ms(32_000)));
    table(
        UDP,
        &[
            (Proceeding, Request, vec![ResendResponse], Proceeding),
            (Proceeding, Respond(s180), vec![SendResponse(s180)], Proceeding),
            (Proceeding, Respond(s200), vec![SendResponse(s200), Arm(Timer::L, ms(32_000))], Accepted),
            (Proceeding, Respond(s486), vec![SendResponse(s486), g, h], Completed),
            (Proceeding, TransportError, vec![Undelivered], Proceeding),
            (Completed, Request, vec![ResendResponse], Completed),
            (Completed, Fired(Timer::G), vec![ResendResponse, Arm(Timer::G, ms(1000))], Completed),
            (Completed, Fired(Timer::H), vec![Disarm(Timer::G), Terminated(Ended::Timeout)], over),
            (Completed, Ack, vec![Disarm(Timer::G), Disarm(Timer::H), Arm(Timer::I, ms(5000))], Confirmed),
            (Completed, TransportError, vec![Undelivered], Completed),
            (Confirmed, Fired(Timer::I), vec![Terminated(Ended::Done)], over),
            (Accepted, Ack, vec![PassAck], Accepted),
            (Accepted, Respond(s200), vec![SendResponse(s200)], Accepted),
            (Accepted, TransportError, vec![Undelivered], Accepted),
            (Accepted, Fired(Timer::L), vec![Terminated(Ended::Done)], over),
        ],
    );
}

#[test]
fn reliable() {
    use Action::{Arm, Disarm, SendResponse, Terminated};
    let h = Arm(Timer::H, ms(32_000));
    for code in [300, 404, 487, 503, 603].map(status) {
        let mut machine = in_state(TCP, State::Proceeding);
        assert_eq!(
            run(&mut machine, &[Event::Respond(code)]),
            [SendResponse(code), h],
            "timer G is not used"
        );
        let out = run(&mut machine, &[Event::Ack]);
        assert_eq!(out, [Disarm(Timer::H), Terminated(Ended::Done)], "timer I is zero");
    }
    let mut machine = in_state(TCP, State::Proceeding);
    let l = Arm(Timer::L, ms(32_000));
    assert_eq!(run(&mut machine, &[Event::Respond(status(200))]), [SendResponse(status(200)), l]);
}

#[test]
fn a_100_within_200_ms() {
    use Action::{Arm, Disarm, SendResponse, SendTrying};
    let start = |timers: TimerOptions| {
        let mut out = Vec::new();
        (ServerInvite::start(UDP, &timers, &mut out), out)
    };
    let (mut machine, out) = start(timers());
    assert_eq!(out, [Arm(Timer::Trying, ms(200))]);
    assert_eq!(run(&mut machine, &[Event::Timer(Timer::Trying)]), [SendTrying]);
    assert_eq!(run(&mut machine, &[Event::Timer(Timer::Trying)]), []);
    assert_eq!(run(&mut machine, &[Event::Respond(status(100))]), [], "it was said");
    assert_eq!(run(&mut machine, &[Event::Request]), [Action::ResendResponse]);

    let (mut machine, _) = start(timers());
    let out = run(&mut machine, &[Event::Request]);
    assert_eq!(out, [Disarm(Timer::Trying), SendTrying], "the client repeats itself: it is late");
    for code in [100, 183, 200, 404].map(status) {
        let (mut machine, _) = start(timers());
        let out = run(&mut machine, &[Event::Respond(code)]);
        assert_eq!(out[..2], [Disarm(Timer::Trying), SendResponse(code)]);
    }
    let (mut machine, out) = start(TimerOptions { trying: Duration::ZERO, ..timers() });
    assert_eq!(out, [SendTrying]);
    assert_eq!(run(&mut machine, &[Event::Request]), [Action::ResendResponse]);
}

#[test]
fn only_the_first_final_response_is_sent() {
    for first in [486, 603].map(status) {
        let mut machine = in_state(UDP, State::Proceeding);
        run(&mut machine, &[Event::Respond(first)]);
        for code in (100..700).map(status) {
            assert_eq!(run(&mut machine, &[Event::Respond(code)]), [], "{code} after {first}");
        }
    }
    let mut machine = in_state(UDP, State::Accepted);
    for code in (100..700).map(status).filter(|code| !code.is_success()) {
        assert_eq!(run(&mut machine, &[Event::Respond(code)]), [], "{code} after 200");
    }
}

#[test]
fn an_ack_that_never_comes() {
    let mut driven =
        Driven::new(timers(), |timers, out| Machine::ServerInvite(ServerInvite::start(UDP, timers, out)));
    driven.event(Event::Respond(status(486)));
    driven.run_out();
    let sent = driven.said.iter().filter(|(_, action)| *action == Action::ResendResponse);
    let at: Vec<_> = sent.map(|(at, _)| *at).collect();
    let expected = [500, 1500, 3500, 7500, 11_500, 15_500, 19_500, 23_500, 27_500, 31_500];
    assert_eq!(at, expected.map(ms));
    assert_eq!(driven.said.last(), Some(&(ms(32_000), Action::Terminated(Ended::Timeout))));
}
