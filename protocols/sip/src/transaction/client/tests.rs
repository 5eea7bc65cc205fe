use super::*;
use crate::transaction::tests::{Driven, Row, check, ms, status};
use crate::transaction::{Ended, Machine};

const STATES: [State; 4] = [State::Trying, State::Proceeding, State::Completed, State::Terminated];

fn timers() -> TimerOptions {
    TimerOptions::default()
}

fn run(machine: &mut Client, event: Event) -> Vec<Action> {
    let mut out = Vec::new();
    machine.handle(event, &timers(), &mut out);
    out
}

fn in_state(transport: Transport, state: State) -> Client {
    let mut machine = Client::start(transport, &timers(), &mut Vec::new());
    match state {
        State::Trying => {}
        State::Proceeding => drop(run(&mut machine, Event::Response(status(100)))),
        // Over a reliable transport there is no such state to rest in.
        State::Completed => machine.state = State::Completed,
        State::Terminated => drop(run(&mut machine, Event::Timer(Timer::F))),
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
fn start() {
    let mut out = Vec::new();
    Client::start(Transport::Unreliable, &timers(), &mut out);
    let (e, f) = (Action::Arm(Timer::E, ms(500)), Action::Arm(Timer::F, ms(32_000)));
    assert_eq!(out, [Action::SendRequest, e, f]);
    out.clear();
    Client::start(Transport::Reliable, &timers(), &mut out);
    assert_eq!(out, [Action::SendRequest, f]);
}

#[test]
fn unreliable() {
    use Action::{Arm, Disarm, Fail, Pass, ResendRequest, Terminated};
    use Event::{Response, Timer as Fired, TransportError};
    use State::{Completed, Proceeding, Trying};
    let (no_e, no_f, k) = (Disarm(Timer::E), Disarm(Timer::F), Arm(Timer::K, ms(5000)));
    let over = State::Terminated;
    let [s100, s180, s200, s486] = [100, 180, 200, 486].map(status);
    let timeout = vec![no_e, Fail(Failure::Timeout), Terminated(Ended::Timeout)];
    let broken = vec![no_e, no_f, Fail(Failure::Transport), Terminated(Ended::Transport)];
    table(
        Transport::Unreliable,
        &[
            (Trying, Fired(Timer::E), vec![ResendRequest, Arm(Timer::E, ms(1000))], Trying),
            (Trying, Fired(Timer::F), timeout.clone(), over),
            (Trying, TransportError, broken.clone(), over),
            (Trying, Response(s100), vec![Pass(s100)], Proceeding),
            (Trying, Response(s180), vec![Pass(s180)], Proceeding),
            (Trying, Response(s200), vec![no_e, no_f, Pass(s200), k], Completed),
            (Trying, Response(s486), vec![no_e, no_f, Pass(s486), k], Completed),
            (Proceeding, Fired(Timer::E), vec![ResendRequest, Arm(Timer::E, ms(4000))], Proceeding),
            (Proceeding, Fired(Timer::F), timeout, over),
            (Proceeding, TransportError, broken, over),
            (Proceeding, Response(s100), vec![Pass(s100)], Proceeding),
            (Proceeding, Response(s180), vec![Pass(s180)], Proceeding),
            (Proceeding, Response(s200), vec![no_e, no_f, Pass(s200), k], Completed),
            (Proceeding, Response(s486), vec![no_e, no_f, Pass(s486), k], Completed),
            (Completed, Fired(Timer::K), vec![Terminated(Ended::Done)], over),
        ],
    );
}

#[test]
fn reliable() {
    use Action::{Disarm, Fail, Pass, Terminated};
    for state in [State::Trying, State::Proceeding] {
        for code in [200, 302, 486, 503, 603].map(status) {
            let mut machine = in_state(Transport::Reliable, state);
            let out = run(&mut machine, Event::Response(code));
            assert_eq!(out, [Disarm(Timer::F), Pass(code), Terminated(Ended::Done)], "timer K is zero");
        }
        let mut machine = in_state(Transport::Reliable, state);
        let out = run(&mut machine, Event::Timer(Timer::F));
        assert_eq!(out, [Fail(Failure::Timeout), Terminated(Ended::Timeout)]);
    }
}

#[test]
fn retransmissions_are_those_of_the_rfc() {
    let mut driven = Driven::new(timers(), |timers, out| {
        Machine::Client(Client::start(Transport::Unreliable, timers, out))
    });
    driven.run_out();
    let sent = driven.said.iter().filter(|(_, action)| *action == Action::ResendRequest);
    let at: Vec<_> = sent.map(|(at, _)| *at).collect();
    let expected = [500, 1500, 3500, 7500, 11_500, 15_500, 19_500, 23_500, 27_500, 31_500];
    assert_eq!(at, expected.map(ms), "17.1.2.2");
    assert_eq!(driven.said.last(), Some(&(ms(32_000), Action::Terminated(Ended::Timeout))));
}
