//! A customer and carriers of different conduct, for those who want to see calls rather than to measure: `warp demo`.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::Relaxed;
use std::thread::{Builder, JoinHandle};
use std::time::{Duration, Instant};

use anyhow::{Context as _, anyhow};

use super::counters::{UacCounters, UasCounters};
use super::endpoint::{Endpoint, drive, now};
use super::load::{Stage, Work};
use super::schedule::Schedule;
use super::socket::Bound;
use super::tally::{End, SAW_INVITE, Tally};
use super::templates::RunMark;
use super::uac::{Uac, UacOptions};
pub use super::uas::Conduct;
use super::uas::{Uas, UasOptions};

/// Between the threads' start and the first call.
const LEAD: Duration = Duration::from_millis(50);
const LOOK_EVERY: Duration = Duration::from_millis(20);
/// Beside what a call takes: the customer's own time to give one up, twice, and a little.
const CUT_OFF: Duration = Duration::from_secs(70);

/// The calls of one customer.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    /// How many; their numbers begin with 4420.
    pub calls: u32,
    /// So many a second.
    pub rate: f64,
    /// From a carrier's 180 to its 200.
    pub ring: Duration,
    /// From the customer's ACK to its BYE.
    pub hold: Duration,
    /// How long the customer waits for an answer once it heard something.
    pub patience: Duration,
}

/// Sockets of everybody, on the loopback interface.
#[derive(Debug)]
pub struct Carriers {
    customer: Bound,
    carriers: Vec<(Conduct, Bound)>,
}

/// Calls under way.
#[derive(Debug)]
pub struct Placing {
    uac: JoinHandle<(Uac, u64)>,
    uas: Vec<JoinHandle<(Uas, u64)>>,
    customer: Arc<UacCounters>,
    carriers: Vec<Arc<UasCounters>>,
    stop: Stop,
    cut_off: Instant,
}

/// How far they are.
#[derive(Clone, Debug)]
pub struct Watch(Arc<UacCounters>);

/// How they ended, as both ends saw it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Account {
    /// INVITEs written to the node, each once.
    pub offered: u64,
    /// Calls that got a 2xx.
    pub answered: u64,
    /// Calls that ended well after more than one carrier had seen them.
    pub failed_over: u64,
    /// Calls that did not end well at both ends.
    pub failed: u64,
    /// From the INVITE to the first response of a carrier other than 100, the median.
    pub pdd_p50_us: Option<u64>,
    /// See `pdd_p50_us`.
    pub pdd_p99_us: Option<u64>,
    /// INVITEs that each carrier saw, each once.
    pub seen: Vec<u64>,
}

/// Tells the threads to stop, at the latest when it goes.
#[derive(Debug, Default)]
struct Stop(Arc<AtomicBool>);

impl Drop for Stop {
    fn drop(&mut self) {
        self.0.store(true, Relaxed);
    }
}

impl Carriers {
    /// Binds a customer and a carrier of each conduct. Errors: no port is free.
    pub fn bind(conducts: &[Conduct]) -> io::Result<Self> {
        let free = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let carrier = |conduct: &Conduct| Ok((*conduct, Bound::bind(free)?));
        let carriers = conducts.iter().map(carrier).collect::<io::Result<_>>()?;
        Ok(Self { customer: Bound::bind(free)?, carriers })
    }

    /// Where the carriers listen, in their order.
    pub fn addrs(&self) -> Vec<SocketAddr> {
        self.carriers.iter().map(|(_, bound)| bound.addr).collect()
    }

    /// Places calls through a proxy at `target`, each thread a party. Errors: a thread cannot be started.
    pub fn place(self, target: SocketAddr, plan: &Plan) -> anyhow::Result<Placing> {
        let (run, start) = (RunMark::new(), now() + LEAD);
        let length = Duration::from_secs_f64(f64::from(plan.calls) / plan.rate.max(1.0));
        let stop = Stop::default();
        let (mut uas, mut carriers) = (Vec::new(), Vec::new());
        for (conduct, bound) in self.carriers {
            let counters = Arc::<UasCounters>::default();
            let options = UasOptions {
                run: run.clone(),
                start,
                sockets: vec![bound.addr],
                ring: plan.ring,
                trying: false,
                conduct,
            };
            uas.push(spawn("carrier", Uas::new(options, Arc::clone(&counters)), bound, &stop)?);
            carriers.push(counters);
        }
        let customer = Arc::<UacCounters>::default();
        let options = UacOptions {
            run,
            index: 0,
            of: 1,
            schedule: Arc::new(Schedule::new(&[Stage { rate: plan.rate.max(1.0), duration: length }])),
            start,
            work: Work::Calls,
            sockets: vec![self.customer.addr],
            targets: vec![target],
            hold: plan.hold,
            patience: plan.patience,
        };
        let uac = spawn("caller", Uac::new(options, Arc::clone(&customer)), self.customer, &stop)?;
        let cut_off = start + length + plan.ring + plan.hold + plan.patience + CUT_OFF;
        Ok(Placing { uac, uas, customer, carriers, stop, cut_off })
    }
}

impl Placing {
    /// To follow them.
    pub fn watch(&self) -> Watch {
        Watch(Arc::clone(&self.customer))
    }

    /// Waits until every call has ended. Errors: a thread failed.
    pub async fn finish(self) -> anyhow::Result<Account> {
        while !self.uac.is_finished() && now() < self.cut_off {
            tokio::time::sleep(LOOK_EVERY).await;
        }
        let Self { uac, uas, customer, carriers, stop, .. } = self;
        drop(stop);
        let joined = tokio::task::spawn_blocking(move || {
            let uac = uac.join().ok()?.0;
            let seen =
                uas.into_iter().map(|uas| Some(uas.join().ok()?.0.seen)).collect::<Option<Vec<_>>>()?;
            Some(Account::new(&uac, &customer, &seen))
        });
        let account = joined.await.context("the simulated parties")?;
        let account = account.ok_or_else(|| anyhow!("a thread of the simulated parties failed"))?;
        let seen = carriers.iter().map(|counters| counters.calls.load(Relaxed)).collect();
        Ok(Account { seen, ..account })
    }
}

impl Watch {
    /// One line for people.
    pub fn line(&self) -> String {
        let UacCounters { placed, live, completed, .. } = &*self.0;
        let [placed, live, completed] = [placed, live, completed].map(|counter| counter.load(Relaxed));
        format!("{placed} calls placed, {live} live, {completed} completed")
    }
}

impl Account {
    fn new(uac: &Uac, customer: &UacCounters, seen: &[Vec<u8>]) -> Self {
        let tally = Tally::new(uac.ends(), Some(seen));
        let carriers_of = |id: u32| {
            let place = usize::try_from(id).unwrap_or(usize::MAX);
            seen.iter().filter(|seen| seen.get(place).is_some_and(|flags| flags & SAW_INVITE != 0)).count()
        };
        let over = |(id, end): &(u32, End)| *end == End::Completed && carriers_of(*id) > 1;
        let offered = customer.placed.load(Relaxed);
        Self {
            offered,
            answered: customer.answer.count(),
            failed_over: uac.ends().filter(over).count() as u64,
            failed: offered.saturating_sub(tally.completed.saturating_sub(tally.half)),
            pdd_p50_us: customer.ringing.quantile_us(500),
            pdd_p99_us: customer.ringing.quantile_us(990),
            seen: Vec::new(),
        }
    }
}

fn spawn<E: Endpoint + Send + 'static>(
    name: &str,
    endpoint: E,
    socket: Bound,
    stop: &Stop,
) -> anyhow::Result<JoinHandle<(E, u64)>> {
    let stop = Arc::clone(&stop.0);
    let thread = Builder::new().name(name.to_owned());
    thread
        .spawn(move || drive(endpoint, vec![socket], Duration::ZERO, &stop))
        .context("cannot start a thread")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(calls: u32) -> Plan {
        Plan {
            calls,
            rate: 200.0,
            ring: Duration::from_millis(5),
            hold: Duration::from_millis(20),
            patience: Duration::from_secs(5),
        }
    }

    /// The parties without a proxy between: what a carrier does is what its customer gets.
    #[tokio::test]
    async fn conducts() {
        for (conduct, answered, failed) in [(Conduct::Answers, 20, 0), (Conduct::Refuses, 0, 20)] {
            let carriers = Carriers::bind(&[conduct]).unwrap();
            let target = carriers.addrs()[0];
            let placing = carriers.place(target, &plan(20)).unwrap();
            let account = placing.finish().await.unwrap();
            assert_eq!(
                (account.offered, account.answered, account.failed),
                (20, answered, failed),
                "{conduct:?}"
            );
            assert_eq!((account.failed_over, account.seen), (0, vec![20]), "{conduct:?}");
            assert_eq!(account.pdd_p50_us.is_some(), answered > 0, "{conduct:?}");
        }
    }

    #[tokio::test]
    async fn a_carrier_that_vanished_says_nothing() {
        let carriers = Carriers::bind(&[Conduct::Vanishes]).unwrap();
        let target = carriers.addrs()[0];
        let mut placing = carriers.place(target, &plan(3)).unwrap();
        let watch = placing.watch();
        while watch.0.placed.load(Relaxed) < 3 || placing.carriers[0].calls.load(Relaxed) < 3 {
            tokio::task::yield_now().await;
        }
        placing.cut_off = now();
        let account = placing.finish().await.unwrap();
        assert_eq!((account.offered, account.answered, account.failed, account.seen), (3, 0, 3, vec![3]));
    }
}
