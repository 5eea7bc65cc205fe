use super::*;
use crate::transaction::Ended;
use crate::transaction::tests::{Row, check, ms, status};

const STATES: [State; 5] =
    [State::Trying, State::Proceeding, State::Completed, State::Silent, State::Terminated];

fn timers() -> TimerOptions {
    TimerOptions::default()
}

fn run(machine: &mut Server, event: Event) -> Vec<Action> {
    let mut out = Vec::new();
    machine.handle(event, &timers(), &mut out);
    out
}

fn in_state(transport: Transport, state: State) -> Server {
    let mut machine = Server::start(transport, &timers(), &mut Vec::new());
    match state {
        State::Trying => {}
        State::Proceeding => drop(run(&mut machine, Event::Timer(Timer::Trying))),
        // Over a reliable transport there is no such state to rest in.
        State::Completed => machine.state = State::Completed,
        State::Silent => machine.state = State::Silent,
        State::Terminated => machine.state = State::Terminated,
    }
    assert_eq!(machine.state(), state);
    machine
}

fn table(transport: Transport, rows: &[Row<State>]) {
    check(&STATES, rows, |state, event| {
        let mut machine = in_state(transport, state);
        (run(&mut machine, event), machine.state())
    });
}

#[test]
fn unreliable() {
    use Action::{Arm, Disarm, ResendResponse, SendResponse, SendTrying, Terminated, Undelivered};
    use Event::{Abandon, Request, Respond, Timer as Fired, TransportError};
    use State::{Completed, Proceeding, Silent, Trying};
    let over = State::Terminated;
    let (no_100, j) = (Disarm(Timer::Trying), Arm(Timer::J, ms(32_000)));
    let [s200, s486] = [200, 486].map(status);
    table(
        Transport::Unreliable,
        &[
            // Request: absorbed.
            (Trying, Fired(Timer::Trying), vec![SendTrying], Proceeding),
            // Respond 100: too early. Respond 180: never.
            (Trying, Respond(s200), vec![no_100, SendResponse(s200), j], Completed),
            (Trying, Respond(s486), vec![no_100, SendResponse(s486), j], Completed),
            (Trying, Abandon, vec![no_100, j], Silent),
            (Proceeding, Request, vec![ResendResponse], Proceeding),
            (Proceeding, Respond(s200), vec![SendResponse(s200), j], Completed),
            (Proceeding, Respond(s486), vec![SendResponse(s486), j], Completed),
            (Proceeding, Abandon, vec![j], Silent),
            (Proceeding, TransportError, vec![Undelivered], Proceeding),
            (Completed, Request, vec![ResendResponse], Completed),
            (Completed, TransportError, vec![Undelivered], Completed),
            (Completed, Fired(Timer::J), vec![Terminated(Ended::Done)], over),
            // Request: absorbed. A late answer: nobody waits for it.
            (Silent, Fired(Timer::J), vec![Terminated(Ended::Abandoned)], over),
        ],
    );
}

#[test]
fn reliable() {
    for code in [200, 302, 481, 500, 603].map(status) {
        let mut machine = in_state(Transport::Reliable, State::Trying);
        let out = run(&mut machine, Event::Respond(code));
        let sent = Action::SendResponse(code);
        assert_eq!(out[1..], [sent, Action::Terminated(Ended::Done)], "timer J is zero");
    }
}

#[test]
fn a_408_is_silence() {
    for state in [State::Trying, State::Proceeding] {
        let mut machine = in_state(Transport::Unreliable, state);
        let out = run(&mut machine, Event::Respond(status(408)));
        assert_eq!((out.last(), machine.state()), (Some(&Action::Arm(Timer::J, ms(32_000))), State::Silent));
        assert!(!out.contains(&Action::SendResponse(status(408))), "RFC 4320 4.2");
        assert_eq!(run(&mut machine, Event::Request), []);
    }
}

#[test]
fn no_provisional_response_but_100() {
    for code in (101..200).map(status) {
        for (transport, state) in
            [(Transport::Reliable, State::Trying), (Transport::Unreliable, State::Proceeding)]
        {
            assert_eq!(run(&mut in_state(transport, state), Event::Respond(code)), [], "{code}");
        }
    }
    let mut machine = in_state(Transport::Reliable, State::Trying);
    let out = run(&mut machine, Event::Respond(status(100)));
    assert_eq!(out, [Action::Disarm(Timer::Trying), Action::SendResponse(status(100))], "at any time");
    assert_eq!(run(&mut machine, Event::Respond(status(100))), [], "says nothing new");
}

#[test]
fn over_a_reliable_transport_nothing_comes_again() {
    for state in [State::Trying, State::Proceeding] {
        let mut machine = in_state(Transport::Reliable, state);
        let out = run(&mut machine, Event::Abandon);
        assert_eq!(out.last(), Some(&Action::Terminated(Ended::Abandoned)));
        assert!(!out.iter().any(|action| matches!(action, Action::Arm(..))));
    }
}

#[test]
fn a_100_only_once_the_client_repeats_every_t2() {
    let mut out = Vec::new();
    Server::start(Transport::Unreliable, &timers(), &mut out);
    assert_eq!(out, [Action::Arm(Timer::Trying, ms(3500))], "RFC 4320 4.1");
}

/// One user's answer, whatever the client repeats.
#[test]
fn a_retransmitted_cancel_is_absorbed() {
    let mut machine = Server::start(Transport::Unreliable, &timers(), &mut Vec::new());
    run(&mut machine, Event::Respond(status(200)));
    for _ in 0..10 {
        assert_eq!(run(&mut machine, Event::Request), [Action::ResendResponse]);
    }
}
