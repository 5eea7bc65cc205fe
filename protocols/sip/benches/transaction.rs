//! Nanoseconds per timer and per transaction, beside a wheel of 1 million timers.

#![expect(clippy::unwrap_used, clippy::disallowed_methods, reason = "a benchmark's time begins somewhere")]

use std::hint::black_box;
use std::time::{Duration, Instant};

use criterion::{Criterion, criterion_group, criterion_main};
use sip::timer_wheel::{TICK, TimerId, TimerWheel};
use sip::transaction::key::Fallback;
use sip::transaction::{
    Action, ClientInvite, Event, KeyMap, Keys, Machine, RequestParts, Server, ServerInvite, Timer,
    TimerOptions, Transport,
};
use sip::{Method, StatusCode};

const TIMERS: u32 = 1_000_000;

fn full_wheel(now: Instant) -> TimerWheel<(u32, Timer)> {
    let mut wheel = TimerWheel::new(TIMERS as usize + 16, now);
    for number in 0..TIMERS {
        let after = number.wrapping_mul(2_654_435_761) % 32_000;
        wheel.arm(now + Duration::from_millis(after.into()), (number, Timer::M)).unwrap();
    }
    wheel
}

fn timer_wheel(c: &mut Criterion) {
    let now = Instant::now();
    let mut wheel = full_wheel(now);
    c.bench_function("arm and cancel a timer", |b| {
        b.iter(|| {
            let id = wheel.arm(black_box(now + Duration::from_secs(32)), (0, Timer::B)).unwrap();
            black_box(wheel.cancel(id));
        });
    });
    // Each that fires is armed again 32 s later: 1 million stay armed and all move down the levels.
    let mut time = now;
    c.bench_function("a timer of 32 s, armed to fired", |b| {
        b.iter(|| {
            loop {
                if let Some(value) = wheel.pop_expired(time) {
                    wheel.arm(time + Duration::from_secs(32), black_box(value)).unwrap();
                    break;
                }
                time += TICK;
            }
        });
    });
}

/// A transaction, its timers and its actions, as a worker holds them.
struct Worker {
    now: Instant,
    options: TimerOptions,
    wheel: TimerWheel<(u32, Timer)>,
    armed: [Option<TimerId>; 2],
    actions: Vec<Action>,
}

impl Worker {
    fn perform(&mut self) {
        for action in self.actions.drain(..) {
            if let Action::Arm(timer, after) = action {
                let armed = self.armed.get_mut(timer.slot()).unwrap();
                *armed = self.wheel.arm(self.now + after, (0, timer)).ok();
            } else if let Action::Disarm(timer) = action {
                if let Some(id) = self.armed.get_mut(timer.slot()).unwrap().take() {
                    self.wheel.cancel(id);
                }
            } else {
                black_box(action);
            }
        }
    }

    fn run(&mut self, mut machine: Machine, events: &[Event]) {
        self.perform();
        for event in events {
            machine.handle(black_box(*event), &self.options, &mut self.actions);
            self.perform();
        }
        assert!(machine.is_terminated());
        // The last timer is the one that was fired by hand.
        for id in self.armed.iter_mut().filter_map(Option::take) {
            self.wheel.cancel(id);
        }
    }
}

fn transactions(c: &mut Criterion) {
    let now = Instant::now();
    let (options, wheel) = (TimerOptions::default(), full_wheel(now));
    let mut worker = Worker { now, options, wheel, armed: [None; 2], actions: Vec::with_capacity(16) };
    let answered = [
        Event::Response(StatusCode::TRYING),
        Event::Response(StatusCode::RINGING),
        Event::Response(StatusCode::OK),
        Event::Timer(Timer::M),
    ];
    c.bench_function("INVITE client: 100 180 200 M", |b| {
        b.iter(|| {
            let machine = ClientInvite::start(Transport::Unreliable, &options, &mut worker.actions);
            worker.run(Machine::ClientInvite(machine), &answered);
        });
    });
    let refused = [Event::Respond(StatusCode::TRYING), Event::Respond(StatusCode::BUSY_HERE), Event::Ack];
    let refused = [refused.as_slice(), &[Event::Timer(Timer::I)]].concat();
    c.bench_function("INVITE server: 100 486 ACK I", |b| {
        b.iter(|| {
            let machine = ServerInvite::start(Transport::Unreliable, &options, &mut worker.actions);
            worker.run(Machine::ServerInvite(machine), &refused);
        });
    });
    let bye = [Event::Respond(StatusCode::OK), Event::Timer(Timer::J)];
    c.bench_function("BYE server: 200 J", |b| {
        b.iter(|| {
            let machine = Server::start(Transport::Unreliable, &options, &mut worker.actions);
            worker.run(Machine::Server(machine), &bye);
        });
    });
}

fn keys(c: &mut Criterion) {
    let keys = Keys::new((1, 2));
    let mut parts = RequestParts {
        method: Method::Invite,
        branch: b"z9hG4bK-524287-1---a8f0c1d2e3b4f5a6",
        sent_by: b"192.0.2.101:5060",
        call_id: b"a84b4c76e66710@192.0.2.101",
        cseq: 1,
        origin: 1,
        fallback: Fallback {
            request_uri: b"sip:+491701234567@192.0.2.1:5060;user=phone",
            from_tag: b"1928301774",
            top_via: b"SIP/2.0/UDP 192.0.2.101:5060;rport",
            ..Fallback::default()
        },
    };
    c.bench_function("server key", |b| b.iter(|| keys.server(black_box(&parts))));
    let mut table = KeyMap::default();
    for number in 0..100_000_u32 {
        table.insert(keys.client(&number.to_be_bytes(), Method::Invite), number);
    }
    c.bench_function("client key, found among 100,000", |b| {
        b.iter(|| table.get(&keys.client(black_box(&77_777_u32.to_be_bytes()), Method::Invite)).copied());
    });
    parts.branch = b"";
    c.bench_function("server key, RFC 2543", |b| b.iter(|| keys.server(black_box(&parts))));
}

criterion_group!(benches, timer_wheel, transactions, keys);
criterion_main!(benches);
