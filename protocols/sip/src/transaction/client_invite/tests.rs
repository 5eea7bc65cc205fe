use super::*;
use crate::transaction::tests::{Driven, Row, check, ms, status};
use crate::transaction::{Ended, Machine};

const UDP: Transport = Transport::Unreliable;
const TCP: Transport = Transport::Reliable;
const STATES: [State; 5] =
    [State::Calling, State::Proceeding, State::Completed, State::Accepted, State::Terminated];

fn timers() -> TimerOptions {
    TimerOptions::default()
}

fn run(machine: &mut ClientInvite, events: &[Event]) -> Vec<Action> {
    let mut out = Vec::new();
    for event in events {
        out.clear();
        machine.handle(*event, &timers(), &mut out);
    }
    out
}

fn in_state(transport: Transport, state: State) -> ClientInvite {
    let mut machine = ClientInvite::start(transport, &timers(), &mut Vec::new());
    match state {
        State::Calling => {}
        State::Proceeding => drop(run(&mut machine, &[Event::Response(status(180))])),
        // Over a reliable transport there is no such state to rest in.
        State::Completed => machine.state = State::Completed,
        State::Accepted => drop(run(&mut machine, &[Event::Response(status(200))])),
        State::Terminated => drop(run(&mut machine, &[Event::Timer(Timer::B)])),
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
fn start() {
    let mut out = Vec::new();
    ClientInvite::start(UDP, &timers(), &mut out);
    assert_eq!(out, [Action::SendRequest, Action::Arm(Timer::A, ms(500)), Action::Arm(Timer::B, ms(32_000))]);
    out.clear();
    ClientInvite::start(TCP, &timers(), &mut out);
    assert_eq!(out, [Action::SendRequest, Action::Arm(Timer::B, ms(32_000))]);
}

#[test]
fn unreliable() {
    use Action::{Arm, Disarm, Fail, Pass, PassLate, ResendRequest, SendAck, SendCancel, Terminated};
    use Event::{Response, Timer as Fired, TransportError};
    use State::{Accepted, Calling, Completed, Proceeding};
    let (d, m) = (Arm(Timer::D, ms(32_000)), Arm(Timer::M, ms(32_000)));
    let (no_a, no_b) = (Disarm(Timer::A), Disarm(Timer::B));
    let over = State::Terminated;
    let [s100, s180, s200, s486] = [100, 180, 200, 486].map(status);
    table(
        UDP,
        &[
            (Calling, Fired(Timer::A), vec![ResendRequest, Arm(Timer::A, ms(1000))], Calling),
            (Calling, Fired(Timer::B), vec![no_a, Fail(Failure::Timeout), Terminated(Ended::Timeout)], over),
            (
                Calling,
                TransportError,
                vec![no_a, no_b, Fail(Failure::Transport), Terminated(Ended::Transport)],
                over,
            ),
            (Calling, Event::Cancel, vec![no_a], Calling),
            (Calling, Response(s100), vec![no_a, no_b, Pass(s100)], Proceeding),
            (Calling, Response(s180), vec![no_a, no_b, Pass(s180)], Proceeding),
            (Calling, Response(s200), vec![no_a, no_b, Pass(s200), m], Accepted),
            (Calling, Response(s486), vec![no_a, no_b, SendAck, Pass(s486), d], Completed),
            (Proceeding, Response(s100), vec![Pass(s100)], Proceeding),
            (Proceeding, Response(s180), vec![Pass(s180)], Proceeding),
            (Proceeding, Response(s200), vec![Pass(s200), m], Accepted),
            (Proceeding, Response(s486), vec![SendAck, Pass(s486), d], Completed),
            (Proceeding, Event::Cancel, vec![SendCancel, Arm(Timer::Cancelled, ms(32_000))], Proceeding),
            // Fires only after a CANCEL.
            (
                Proceeding,
                Fired(Timer::Cancelled),
                vec![Fail(Failure::Cancelled), Terminated(Ended::Cancelled)],
                over,
            ),
            (Completed, Response(s486), vec![SendAck], Completed),
            (Completed, Response(s200), vec![PassLate(s200)], Completed),
            (Completed, TransportError, vec![Disarm(Timer::D), Terminated(Ended::Transport)], over),
            (Completed, Fired(Timer::D), vec![Terminated(Ended::Done)], over),
            (Accepted, Response(s200), vec![Pass(s200)], Accepted),
            (Accepted, Fired(Timer::M), vec![Terminated(Ended::Done)], over),
        ],
    );
}

#[test]
fn reliable() {
    let s486 = status(486);
    let disarm = Action::Disarm(Timer::B);
    let ended = Action::Terminated(Ended::Done);
    let mut machine = in_state(TCP, State::Calling);
    let out = run(&mut machine, &[Event::Response(s486)]);
    assert_eq!(out, [disarm, Action::SendAck, Action::Pass(s486), ended], "timer D is zero");
    let mut machine = in_state(TCP, State::Calling);
    let out = run(&mut machine, &[Event::Response(status(200))]);
    assert_eq!(out, [disarm, Action::Pass(status(200)), Action::Arm(Timer::M, ms(32_000))]);
    let mut machine = in_state(TCP, State::Calling);
    let failed = [Action::Fail(Failure::Timeout), Action::Terminated(Ended::Timeout)];
    assert_eq!(run(&mut machine, &[Event::Timer(Timer::B)]), failed);
}

#[test]
fn every_final_code_goes_its_class_way() {
    for code in (200..700).map(status) {
        let mut machine = in_state(UDP, State::Proceeding);
        let out = run(&mut machine, &[Event::Response(code)]);
        assert!(out.contains(&Action::Pass(code)));
        assert_eq!(out.contains(&Action::SendAck), !code.is_success(), "{code}");
        assert_eq!(machine.state() == State::Accepted, code.is_success(), "{code}");
    }
}

fn driven() -> Driven {
    Driven::new(timers(), |timers, out| Machine::ClientInvite(ClientInvite::start(UDP, timers, out)))
}

#[test]
fn a_dead_peer_gets_seven_invites_in_32_seconds() {
    let mut driven = driven();
    driven.run_out();
    let sent: Vec<_> = driven.said.iter().filter(|(_, action)| *action == Action::ResendRequest).collect();
    let at: Vec<_> = sent.iter().map(|(at, _)| *at).collect();
    assert_eq!(at, [500, 1500, 3500, 7500, 15_500, 31_500].map(ms));
    assert_eq!(driven.said.last(), Some(&(ms(32_000), Action::Terminated(Ended::Timeout))));
}

#[test]
fn a_cancel_waits_for_a_provisional_response() {
    let mut machine = in_state(UDP, State::Calling);
    assert_eq!(run(&mut machine, &[Event::Cancel, Event::Cancel]), []);
    assert!(machine.is_cancelled());
    let out = run(&mut machine, &[Event::Response(status(100))]);
    let cancel = [Action::SendCancel, Action::Arm(Timer::Cancelled, ms(32_000))];
    assert_eq!(out, [Action::Disarm(Timer::B), Action::Pass(status(100)), cancel[0], cancel[1]]);
    assert_eq!(run(&mut machine, &[Event::Cancel]), [], "one CANCEL");
}

#[test]
fn an_invite_that_is_not_wanted_is_not_sent_again() {
    let mut driven = driven();
    driven.event(Event::Cancel);
    driven.event(Event::Timer(Timer::A));
    assert_eq!(driven.count(|action| *action == Action::ResendRequest), 0, "A fired just before");
    driven.run_out();
    assert_eq!(driven.count(|action| *action == Action::ResendRequest), 0);
    assert_eq!(driven.said.last(), Some(&(ms(32_000), Action::Terminated(Ended::Timeout))));
}

#[test]
fn a_487_after_a_cancel_is_acknowledged() {
    let mut machine = in_state(UDP, State::Proceeding);
    let out = run(&mut machine, &[Event::Cancel, Event::Response(status(487))]);
    let (disarm, d) = (Action::Disarm(Timer::Cancelled), Action::Arm(Timer::D, ms(32_000)));
    assert_eq!(out, [disarm, Action::SendAck, Action::Pass(status(487)), d]);
    assert_eq!(run(&mut machine, &[Event::Response(status(487))]), [Action::SendAck]);
}

#[test]
fn a_200_after_a_cancel_is_passed() {
    let mut machine = in_state(UDP, State::Proceeding);
    let out = run(&mut machine, &[Event::Cancel, Event::Response(status(200))]);
    let m = Action::Arm(Timer::M, ms(32_000));
    assert_eq!(out, [Action::Disarm(Timer::Cancelled), Action::Pass(status(200)), m]);
}

#[test]
fn a_cancel_that_nobody_answers_ends() {
    let mut driven = driven();
    driven.event(Event::Response(status(180)));
    driven.event(Event::Cancel);
    driven.run_out();
    let end = [Action::Fail(Failure::Cancelled), Action::Terminated(Ended::Cancelled)];
    assert_eq!(driven.said[driven.said.len() - 2..], end.map(|action| (ms(32_000), action)));
}
