use std::collections::BTreeMap;
use std::fmt::Debug;

use proptest::prelude::*;

use super::*;

/// Every timer.
pub(super) const TIMERS: [Timer; 14] = [
    Timer::A,
    Timer::B,
    Timer::D,
    Timer::E,
    Timer::F,
    Timer::G,
    Timer::H,
    Timer::I,
    Timer::J,
    Timer::K,
    Timer::L,
    Timer::M,
    Timer::Cancelled,
    Timer::Trying,
];

pub(super) const fn status(code: u16) -> StatusCode {
    StatusCode::new(code).unwrap()
}

pub(super) const fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

/// One event of each kind; statuses 100, 180, 200 and 486 stand for their classes.
pub(super) fn events() -> Vec<Event> {
    let mut events = vec![Event::Request, Event::Ack, Event::Cancel, Event::Abandon, Event::TransportError];
    for code in [100, 180, 200, 486] {
        events.extend([Event::Response(status(code)), Event::Respond(status(code))]);
    }
    events.extend(TIMERS.map(Event::Timer));
    events
}

/// A row of a table: in this state, on this event, these actions and that state.
pub(super) type Row<S> = (S, Event, Vec<Action>, S);

/// Every pair of state and event does what its row says, and nothing where there is none.
pub(super) fn check<S: Copy + Debug + PartialEq>(
    states: &[S],
    rows: &[Row<S>],
    mut run: impl FnMut(S, Event) -> (Vec<Action>, S),
) {
    let mut met = 0;
    for &state in states {
        for event in events() {
            let row = rows.iter().find(|row| (row.0, row.1) == (state, event));
            met += usize::from(row.is_some());
            let expected = row.map_or((vec![], state), |row| (row.2.clone(), row.3));
            assert_eq!(run(state, event), expected, "{state:?} {event:?}");
        }
    }
    assert_eq!(met, rows.len(), "a row twice, or of no state or event");
}

/// A machine among timers: armed ones fire when nothing else happens.
pub(super) struct Driven {
    pub(super) machine: Machine,
    timers: TimerOptions,
    now: Duration,
    armed: BTreeMap<usize, (Timer, Duration)>,
    /// Everything it ever said, and when.
    pub(super) said: Vec<(Duration, Action)>,
    queue: Vec<Action>,
    /// Whether every message that is sent comes back as a transport error.
    pub(super) broken: bool,
}

impl Driven {
    pub(super) fn new(
        timers: TimerOptions,
        start: impl FnOnce(&TimerOptions, &mut Vec<Action>) -> Machine,
    ) -> Self {
        let mut queue = Vec::new();
        let machine = start(&timers, &mut queue);
        let (armed, said) = (BTreeMap::new(), Vec::new());
        let mut driven = Self { machine, timers, now: Duration::ZERO, armed, said, queue, broken: false };
        driven.perform(true);
        driven
    }

    pub(super) fn event(&mut self, event: Event) {
        let needed = self.machine.needs_message();
        self.machine.handle(event, &self.timers, &mut self.queue);
        self.perform(needed);
    }

    /// Fires the earliest timer; false when none is armed.
    pub(super) fn fire(&mut self) -> bool {
        let Some((slot, (timer, at))) =
            self.armed.iter().map(|(slot, armed)| (*slot, *armed)).min_by_key(|(_, (_, at))| *at)
        else {
            return false;
        };
        self.armed.remove(&slot);
        self.now = at;
        self.event(Event::Timer(timer));
        true
    }

    pub(super) fn run_out(&mut self) {
        let mut fired = 0;
        while self.fire() {
            fired += 1;
            assert!(fired < 1000, "timers never end: {:?}", self.said);
        }
    }

    pub(super) fn count(&self, wanted: impl Fn(&Action) -> bool) -> usize {
        self.said.iter().filter(|(_, action)| wanted(action)).count()
    }

    fn perform(&mut self, needed: bool) {
        let mut errors = 0;
        for action in std::mem::take(&mut self.queue) {
            assert!(!self.is_over(), "nothing follows Terminated: {action:?}");
            self.said.push((self.now, action));
            let stored = matches!(
                action,
                Action::ResendRequest | Action::SendAck | Action::SendCancel | Action::ResendResponse
            );
            // The last message is still there while the actions of its event are performed.
            assert!(!stored || needed || self.machine.needs_message(), "{action:?} needs a message");
            match action {
                Action::Arm(timer, after) => {
                    let before = self.armed.insert(timer.slot(), (timer, self.now + after));
                    assert_eq!(before, None, "the slot of {timer:?} is free");
                }
                Action::Disarm(timer) => {
                    if let Some((armed, at)) = self.armed.remove(&timer.slot()) {
                        // One that has fired already is not armed; another timer must not be hit.
                        assert_eq!(armed, timer, "armed for {at:?}");
                    }
                }
                Action::Terminated(_) => assert!(self.armed.is_empty(), "armed: {:?}", self.armed),
                Action::SendRequest
                | Action::ResendRequest
                | Action::SendAck
                | Action::SendResponse(_)
                | Action::SendTrying
                | Action::ResendResponse => errors += usize::from(self.broken),
                Action::SendCancel
                | Action::Pass(_)
                | Action::PassLate(_)
                | Action::PassAck
                | Action::Fail(_)
                | Action::Undelivered => {}
            }
        }
        for _ in 0..errors {
            self.event(Event::TransportError);
        }
    }

    fn is_over(&self) -> bool {
        matches!(self.said.last(), Some((_, Action::Terminated(_))))
    }
}

type Start = fn(Transport, &TimerOptions, &mut Vec<Action>) -> Machine;

fn machines() -> [Start; 4] {
    [
        |transport, timers, out| Machine::ClientInvite(ClientInvite::start(transport, timers, out)),
        |transport, timers, out| Machine::Client(Client::start(transport, timers, out)),
        |transport, timers, out| Machine::ServerInvite(ServerInvite::start(transport, timers, out)),
        |transport, timers, out| Machine::Server(Server::start(transport, timers, out)),
    ]
}

/// What a user owes: the proxy's timer C cancels, an INVITE is answered, another request answered or abandoned.
fn finish(driven: &mut Driven) {
    driven.run_out();
    driven.event(Event::Cancel);
    driven.event(Event::Respond(status(500)));
    driven.event(Event::Abandon);
    driven.run_out();
}

#[test]
fn a_machine_is_small() {
    assert!(size_of::<Machine>() <= 8, "{} octets", size_of::<Machine>());
}

#[test]
fn a_message_is_dropped_when_it_cannot_be_sent_again() {
    let [client_invite, client, server_invite, server] = machines();
    let (received, sent) = (|code| Event::Response(status(code)), |code| Event::Respond(status(code)));
    let cases: [(Start, Vec<Event>, bool); 12] = [
        (client_invite, vec![received(180)], true),
        (client_invite, vec![received(486)], true),
        (client_invite, vec![received(200)], false),
        (client, vec![received(100)], true),
        (client, vec![received(200)], false),
        (server_invite, vec![sent(180)], true),
        (server_invite, vec![sent(486)], true),
        (server_invite, vec![sent(486), Event::Ack], false),
        (server_invite, vec![sent(200)], false),
        (server, vec![], true),
        (server, vec![sent(200)], true),
        (server, vec![Event::Abandon], false),
    ];
    for (start, events, needed) in cases {
        let options = TimerOptions::default();
        let mut driven = Driven::new(options, |timers, out| start(Transport::Unreliable, timers, out));
        events.iter().for_each(|event| driven.event(*event));
        assert_eq!(driven.machine.needs_message(), needed, "{:?} {events:?}", driven.machine);
    }
}

#[test]
fn a_send_that_always_fails_ends_in_bounds() {
    for start in machines() {
        for transport in [Transport::Unreliable, Transport::Reliable] {
            let mut driven =
                Driven::new(TimerOptions::default(), |timers, out| start(transport, timers, out));
            driven.broken = true;
            driven.event(Event::Request);
            driven.event(Event::TransportError);
            finish(&mut driven);
            assert!(driven.machine.is_terminated(), "{:?}", driven.said);
            assert!(driven.said.len() < 60, "{:?}", driven.said);
        }
    }
}

#[derive(Clone, Debug)]
enum Step {
    Event(Event),
    Fire,
    /// A timer that the wheel had let go before it was disarmed.
    Stale(Timer),
    Broken(bool),
}

fn step() -> impl Strategy<Value = Step> {
    let code = prop_oneof![
        (100_u16..700),
        prop_oneof![Just(100_u16), Just(180), Just(200), Just(486), Just(487), Just(503)]
    ]
    .prop_map(status);
    let event = prop_oneof![
        2 => Just(Event::Request),
        2 => Just(Event::Ack),
        1 => Just(Event::Cancel),
        1 => Just(Event::Abandon),
        1 => Just(Event::TransportError),
        4 => code.clone().prop_map(Event::Response),
        4 => code.prop_map(Event::Respond),
    ];
    prop_oneof![
        6 => event.prop_map(Step::Event),
        4 => Just(Step::Fire),
        1 => (0..TIMERS.len()).prop_map(|index| Step::Stale(TIMERS[index])),
        1 => any::<bool>().prop_map(Step::Broken),
    ]
}

proptest! {
    #[test]
    fn any_history_ends(
        kind in 0_usize..4,
        reliable in any::<bool>(),
        steps in proptest::collection::vec(step(), 0..60),
    ) {
        let transport = if reliable { Transport::Reliable } else { Transport::Unreliable };
        let start = machines()[kind];
        let mut driven = Driven::new(TimerOptions::default(), |timers, out| start(transport, timers, out));
        for step in steps {
            match step {
                Step::Event(event) => driven.event(event),
                Step::Fire => { driven.fire(); }
                Step::Stale(timer) => {
                    let armed = driven.armed.get(&timer.slot()).is_some_and(|(armed, _)| *armed == timer);
                    let before = driven.count(|action| matches!(action, Action::Arm(armed, _) if *armed == timer));
                    if !armed && before > 0 {
                        driven.event(Event::Timer(timer));
                    }
                }
                Step::Broken(broken) => driven.broken = broken,
            }
        }
        let before = driven.said.len();
        finish(&mut driven);
        prop_assert!(driven.machine.is_terminated());
        prop_assert!(driven.armed.is_empty());
        prop_assert_eq!(driven.count(|action| matches!(action, Action::Terminated(_))), 1);
        holds(&driven);
        // What is left to say once nothing arrives any more: the retransmissions of 32 s at most.
        let after = driven.said.len() - before;
        prop_assert!(after <= 40, "{} actions: {:?}", after, &driven.said[before..]);
    }
}

/// What no history may break.
fn holds(driven: &Driven) {
    let carried = |action: &Action| {
        if let Action::Pass(status) | Action::SendResponse(status) = action {
            Some(*status)
        } else if let Action::Fail(failure) = action {
            Some(failure.status())
        } else {
            (*action == Action::SendTrying).then_some(StatusCode::TRYING)
        }
    };
    let finals = |action: &Action| carried(action).filter(|status| status.is_final());
    let said: Vec<StatusCode> = driven.said.iter().filter_map(|(_, action)| finals(action)).collect();
    // INVITE alone has more than one 2xx, and nothing else beside them.
    let invite = matches!(driven.machine, Machine::ClientInvite(_) | Machine::ServerInvite(_));
    let one = said.len() <= 1 || (invite && said.iter().all(|status| status.is_success()));
    assert!(one, "two final responses: {said:?}");
    let failed = driven.count(|action| matches!(action, Action::Fail(_)));
    let trying = driven.count(|action| matches!(action, Action::SendTrying));
    assert!(failed <= 1 && trying <= 1);
    if let Some(at) = driven.said.iter().position(|(_, action)| finals(action).is_some()) {
        let provisional = |action| carried(action).is_some_and(StatusCode::is_provisional);
        let late = driven.said[at..].iter().any(|(_, action)| provisional(action));
        assert!(!late, "a provisional response after the final one: {:?}", driven.said);
    }
    assert!(driven.count(|action| *action == Action::SendCancel) <= 1);
    let retransmitted = driven.count(|action| *action == Action::ResendRequest);
    assert!(retransmitted <= 11, "{retransmitted} retransmissions of a request");
}
