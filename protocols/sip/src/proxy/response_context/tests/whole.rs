//! A context with its client transactions and its server transaction, between a caller and vendors that do
//! anything at any time.

mod expected;

use std::collections::VecDeque;

use super::*;
use crate::transaction::client_invite::State;
use crate::transaction::{
    Action, ClientInvite, Event, Machine, ServerInvite, Timer, TimerOptions, Transport,
};

#[derive(Clone, Copy, Debug, PartialEq)]
enum Owner {
    Server,
    Client(usize),
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Armed {
    Transaction(Owner, Timer),
    Proxy(ProxyTimer, BranchId),
}

#[derive(Clone, Copy, Debug)]
enum Job {
    Input(Input),
    Event(Owner, Event),
}

#[derive(Clone, Copy, Debug)]
struct Vendor {
    transport: Transport,
    pdd: Option<Duration>,
    /// Every message to it comes back as a transport error.
    unreachable: bool,
}

struct World {
    now: Duration,
    options: Options,
    timers: TimerOptions,
    context: ResponseContext,
    server: Machine,
    clients: Vec<Machine>,
    vendors: Vec<Vendor>,
    /// The choice that is not made yet.
    choice: Option<BranchId>,
    armed: Vec<(Duration, Armed)>,
    queue: VecDeque<Job>,
    steps: Vec<Step>,
    cancelled_at: Option<usize>,
    /// Branches whose 2xx reached the context, with the To tag: one for each call at a vendor that forks.
    answered: Vec<(BranchId, u8)>,
    /// Those of them that were relayed, and those that were ended.
    relayed: Vec<(BranchId, u8)>,
    ended: Vec<(BranchId, u8)>,
    /// Whether the response in hand has a session description.
    sdp: bool,
    /// Of the response in hand.
    to_tag: u8,
    in_hand: Option<StatusCode>,
    /// The response that the context wants kept.
    kept: Option<(BranchId, StatusCode)>,
    /// Branches to which a CANCEL was sent.
    cancels: Vec<usize>,
    expected: expected::Expected,
}

impl World {
    fn new(caller: Transport, options: Options, vendors: Vec<Vendor>) -> Self {
        let (mut steps, mut actions, timers) = (Vec::new(), Vec::new(), TimerOptions::default());
        let server = Machine::ServerInvite(ServerInvite::start(caller, &timers, &mut actions));
        let mut world = Self {
            now: Duration::ZERO,
            options,
            timers,
            context: ResponseContext::start(&mut steps),
            server,
            clients: Vec::new(),
            vendors,
            choice: None,
            armed: Vec::new(),
            queue: VecDeque::new(),
            steps: Vec::new(),
            cancelled_at: None,
            answered: Vec::new(),
            relayed: Vec::new(),
            ended: Vec::new(),
            sdp: false,
            to_tag: 0,
            in_hand: None,
            kept: None,
            cancels: Vec::new(),
            expected: expected::Expected::default(),
        };
        world.act(Owner::Server, actions);
        world.perform(steps);
        world
    }

    fn choose(&mut self, gap: Gap) {
        let Some(branch) = self.choice.take() else { return };
        let vendor = self.vendors.get(branch.index()).copied();
        let Some(vendor) = vendor.filter(|_| !self.context.is_done()) else {
            self.push(Job::Input(Input::NoVendor(status(404))));
            return;
        };
        let mut actions = Vec::new();
        let client = ClientInvite::start(vendor.transport, &self.timers, &mut actions);
        assert_eq!(self.clients.len(), branch.index());
        self.clients.push(Machine::ClientInvite(client));
        let (owner, started) =
            (Owner::Client(branch.index()), Job::Input(Input::Started { branch, pdd: vendor.pdd }));
        if gap == Gap::Bounce {
            // Its transaction is over before the context hears of it.
            self.act(owner, actions);
            self.push(Job::Event(owner, Event::TransportError));
            if !self.context.is_finished() {
                self.push(started);
            }
            return;
        }
        if gap == Gap::Cancel {
            self.cancel();
        }
        self.queue.push_back(started);
        self.act(owner, actions);
        self.run();
    }

    fn cancel(&mut self) {
        if self.cancelled_at.is_none() {
            self.cancelled_at = Some(self.steps.len());
        }
        self.push(Job::Input(Input::Cancel));
    }

    fn push(&mut self, job: Job) {
        self.queue.push_back(job);
        self.run();
    }

    fn run(&mut self) {
        let mut jobs = 0;
        while let Some(job) = self.queue.pop_front() {
            jobs += 1;
            assert!(jobs < 1000, "no end of it");
            match job {
                Job::Input(input) => {
                    assert!(!self.context.is_finished(), "{input:?} after the end");
                    self.in_hand =
                        if let Input::Response { status, .. } = input { Some(status) } else { None };
                    if let Input::Response { branch, status, .. } = input
                        && status.is_success()
                    {
                        self.answered.push((branch, self.to_tag));
                    }
                    self.expected.told(input);
                    let mut out = Vec::new();
                    self.context.handle(input, &self.options, &mut out);
                    self.perform(out);
                }
                Job::Event(owner, event) => {
                    let mut out = Vec::new();
                    let machine = match owner {
                        Owner::Server => &mut self.server,
                        Owner::Client(index) => &mut self.clients[index],
                    };
                    machine.handle(event, &self.timers, &mut out);
                    self.check_cancel(owner, event, &out);
                    self.act(owner, out);
                }
            }
        }
    }

    /// A branch that was cancelled gets its CANCEL as soon as it has given a provisional response.
    fn check_cancel(&mut self, owner: Owner, event: Event, out: &[Action]) {
        let Owner::Client(index) = owner else { return };
        let Machine::ClientInvite(client) = &self.clients[index] else { return };
        if out.contains(&Action::SendCancel) {
            self.cancels.push(index);
        }
        let (state, cancelled) = (client.state(), client.is_cancelled());
        let open = matches!(state, State::Calling | State::Proceeding);
        assert!(cancelled || !open || event != Event::Cancel, "{client:?}");
        let sent = self.cancels.contains(&index);
        assert!(!cancelled || state != State::Proceeding || sent, "no CANCEL: {client:?}");
    }

    fn perform(&mut self, out: Vec<Step>) {
        for step in out {
            self.steps.push(step);
            if let Step::ForwardKept(..) | Step::Respond(_) = step {
                self.expected.check(step, self.in_hand, self.options.pass_503);
            }
            match step {
                Step::NextVendor(branch) => assert_eq!(self.choice.replace(branch), None),
                Step::Forward(branch, status) if status.is_success() => {
                    self.relayed.push((branch, self.to_tag));
                    self.queue.push_back(Job::Event(Owner::Server, Event::Respond(status)));
                }
                Step::ForwardKept(branch, status) => {
                    assert_eq!(self.kept, Some((branch, status)), "dropped before: {:?}", self.steps);
                    self.queue.push_back(Job::Event(Owner::Server, Event::Respond(status)));
                }
                Step::Forward(_, status) | Step::Respond(status) => {
                    self.queue.push_back(Job::Event(Owner::Server, Event::Respond(status)));
                }
                Step::Cancel(branch) => {
                    self.expected.cancels(branch);
                    self.queue.push_back(Job::Event(Owner::Client(branch.index()), Event::Cancel));
                }
                Step::Arm(timer, branch, after) => {
                    self.disarm_proxy(timer);
                    self.armed.push((self.now + after, Armed::Proxy(timer, branch)));
                }
                Step::Disarm(timer) => self.disarm_proxy(timer),
                Step::DisarmOf(..) => panic!("only one branch is tried: {:?}", self.steps),
                Step::EndAtVendor(branch) => self.ended.push((branch, self.to_tag)),
                Step::Keep(branch) => self.keep(branch),
                Step::Finished => {}
            }
        }
    }

    /// As the step's documentation says.
    fn keep(&mut self, branch: BranchId) {
        let response = self.in_hand.expect("a response is in hand");
        self.kept = Some((branch, response));
    }

    fn disarm_proxy(&mut self, timer: ProxyTimer) {
        self.armed.retain(|(_, armed)| !matches!(armed, Armed::Proxy(other, _) if *other == timer));
    }

    fn act(&mut self, owner: Owner, actions: Vec<Action>) {
        for action in actions {
            if let Some(input) = self.input(owner, action) {
                self.queue.push_back(Job::Input(input));
            } else if let Action::Arm(timer, after) = action {
                self.armed.push((self.now + after, Armed::Transaction(owner, timer)));
            } else if let Action::Disarm(timer) = action {
                self.armed.retain(|(_, armed)| *armed != Armed::Transaction(owner, timer));
            } else if let Action::SendRequest | Action::ResendRequest | Action::SendAck = action
                && let Owner::Client(index) = owner
                && self.vendors[index].unreachable
            {
                self.queue.push_back(Job::Event(owner, Event::TransportError));
            }
        }
    }

    fn input(&self, owner: Owner, action: Action) -> Option<Input> {
        let Owner::Client(index) = owner else { return None };
        let branch = BranchId::new(u8::try_from(index).unwrap());
        if let Action::Pass(status) | Action::PassLate(status) = action {
            Some(Input::Response { branch, status, sdp: self.sdp })
        } else if let Action::Fail(failure) = action {
            Some(Input::Failed { branch, failure })
        } else {
            matches!(action, Action::Terminated(_)).then_some(Input::Terminated(branch))
        }
    }

    fn fire(&mut self) -> bool {
        let Some(first) = (0..self.armed.len()).min_by_key(|index| self.armed[*index].0) else {
            return false;
        };
        let (at, armed) = self.armed.swap_remove(first);
        self.now = at;
        self.push(match armed {
            Armed::Transaction(owner, timer) => Job::Event(owner, Event::Timer(timer)),
            Armed::Proxy(timer, branch) => Job::Input(Input::Timer(timer, branch)),
        });
        true
    }

    fn step(&mut self, step: Happening) {
        match step {
            Happening::Vendor(..) | Happening::Bounce(_) if self.clients.is_empty() => {}
            Happening::Vendor(back, code, sdp, to_tag) => {
                (self.sdp, self.to_tag) = (sdp, to_tag);
                let owner = Owner::Client((self.clients.len() - 1).saturating_sub(back));
                self.push(Job::Event(owner, Event::Response(code)));
            }
            Happening::Bounce(index) => {
                self.push(Job::Event(Owner::Client(index % self.clients.len()), Event::TransportError));
            }
            Happening::Cancel if !self.context.is_finished() => self.cancel(),
            Happening::Cancel => {}
            Happening::Caller(event) => self.push(Job::Event(Owner::Server, event)),
            Happening::Choose(gap) => self.choose(gap),
            Happening::Fire => {
                self.fire();
            }
        }
    }

    fn run_out(&mut self) {
        let mut turns = 0;
        while self.choice.is_some() || self.fire() {
            self.choose(Gap::None);
            turns += 1;
            assert!(turns < 5000, "no end: {:?}", self.steps);
        }
    }
}

#[derive(Clone, Copy, Debug)]
enum Happening {
    Vendor(usize, StatusCode, bool, u8),
    Bounce(usize),
    Cancel,
    Caller(Event),
    Choose(Gap),
    Fire,
}

/// What comes between the choice of a vendor and its beginning.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Gap {
    None,
    Cancel,
    Bounce,
}

/// After which another vendor may be tried.
const CODES: [u16; 10] = [302, 401, 404, 407, 408, 415, 420, 484, 500, 503];
const REFUSALS: [u16; 13] = [302, 401, 404, 407, 408, 415, 420, 484, 486, 487, 500, 503, 603];

fn happening() -> impl Strategy<Value = Happening> {
    let code = prop_oneof![
        3 => prop_oneof![Just(100_u16), Just(180), Just(183)],
        2 => Just(200_u16),
        4 => prop::sample::select(REFUSALS.to_vec()),
        1 => 100_u16..700,
    ];
    // Mostly the latest vendor; the others are to answer late.
    let back = prop_oneof![2 => Just(0_usize), 1 => 0_usize..4];
    prop_oneof![
        8 => (back, code.prop_map(status), any::<bool>(), 0_u8..3)
            .prop_map(|(branch, code, sdp, to_tag)| Happening::Vendor(branch, code, sdp, to_tag)),
        1 => (0_usize..8).prop_map(Happening::Bounce),
        1 => Just(Happening::Cancel),
        1 => prop_oneof![Just(Event::Request), Just(Event::Ack), Just(Event::TransportError)]
            .prop_map(Happening::Caller),
        5 => prop_oneof![6 => Just(Gap::None), 1 => Just(Gap::Cancel), 2 => Just(Gap::Bounce)]
            .prop_map(Happening::Choose),
        4 => Just(Happening::Fire),
    ]
}

fn vendor() -> impl Strategy<Value = Vendor> {
    let pdd = prop_oneof![Just(None), Just(Some(secs(2))), Just(Some(secs(60)))];
    (transport(), pdd, prop::bool::weighted(0.2)).prop_map(|(transport, pdd, unreachable)| Vendor {
        transport,
        pdd,
        unreachable,
    })
}

fn transport() -> impl Strategy<Value = Transport> {
    prop_oneof![Just(Transport::Unreliable), Just(Transport::Reliable)]
}

proptest! {
    #[test]
    fn one_final_response_and_no_call_forgotten(
        caller in transport(),
        vendors in proptest::collection::vec(vendor(), 0..6),
        attempts_max in 0_u8..6,
        after_early_media in any::<bool>(),
        pass_503 in any::<bool>(),
        codes in proptest::sample::subsequence(CODES.to_vec(), 0..=CODES.len()),
        happenings in proptest::collection::vec(happening(), 0..60),
    ) {
        let failover = FailoverOptions {
            attempts_max,
            after_early_media,
            codes: codes.into_iter().map(status).collect(),
        };
        let mut world = World::new(caller, Options { pass_503, failover, ..Options::default() }, vendors);
        for happening in happenings {
            world.step(happening);
        }
        world.run_out();
        holds(&world);
    }
}

fn holds(world: &World) {
    let steps = &world.steps;
    let position = |wanted: &dyn Fn(&Step) -> bool| steps.iter().position(wanted);
    let count = |wanted: &dyn Fn(&Step) -> bool| steps.iter().filter(|step| wanted(step)).count();
    assert!(world.server.is_terminated() && world.clients.iter().all(Machine::is_terminated));
    assert!(world.context.is_finished() && world.armed.is_empty() && world.choice.is_none());
    assert_eq!((count(&|step| *step == Step::Finished), steps.last()), (1, Some(&Step::Finished)));

    let refusal = |step: &Step| matches!(step, Step::ForwardKept(..) | Step::Respond(_));
    let relayed: Vec<BranchId> = steps.iter().filter_map(relayed_2xx).collect();
    let refused = count(&refusal);
    assert!(refused + usize::from(!relayed.is_empty()) == 1, "one outcome upstream: {steps:?}");
    assert!(relayed.iter().all(|branch| *branch == relayed[0]), "of one vendor: {steps:?}");
    for call in &world.answered {
        assert!(world.ended.contains(call) != world.relayed.contains(call), "{call:?} is up: {steps:?}");
    }

    let outcome = position(&|step| refusal(step) || relayed_2xx(step).is_some()).unwrap();
    let after = &steps[outcome + 1..];
    let quiet = after.iter().all(|step| !matches!(step, Step::NextVendor(_) | Step::Arm(..)));
    assert!(quiet, "nothing begins after the outcome: {steps:?}");
    let cancelled = |index: usize| {
        let wanted = |step: &Step| matches!(step, Step::Cancel(branch) if branch.index() == index);
        steps.iter().any(wanted)
    };
    assert!(world.cancels.iter().all(|index| cancelled(*index)), "only those given up: {steps:?}");
    let attempts = count(&|step| matches!(step, Step::NextVendor(_)));
    assert!(attempts <= usize::from(world.options.failover.attempts_max).max(1), "{steps:?}");
    if let Some(at) = world.cancelled_at {
        assert!(!steps[at..].iter().any(|step| matches!(step, Step::NextVendor(_))), "{steps:?}");
    }
}

fn relayed_2xx(step: &Step) -> Option<BranchId> {
    if let Step::Forward(branch, status) = step { status.is_success().then_some(*branch) } else { None }
}
