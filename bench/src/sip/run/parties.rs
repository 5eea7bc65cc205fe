//! The threads of both parties.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::Relaxed;
use std::thread::{Builder, JoinHandle};
use std::time::{Duration, Instant};

use anyhow::{Context as _, anyhow};

use super::super::counters::{UacCounters, UasCounters};
use super::super::endpoint::{Endpoint, drive};
use super::super::load::{Load, Work};
use super::super::schedule::Schedule;
use super::super::socket::Bound;
use super::super::subject::Target;
use super::super::tally::{Second, Tally};
use super::super::templates::RunMark;
use super::super::uac::{Uac, UacOptions};
use super::super::uas::{Conduct, Uas, UasOptions};
use super::Stop;

/// Sockets of both parties, by thread.
pub(super) struct Parties {
    uac: Vec<Vec<Bound>>,
    uas: Vec<Vec<Bound>>,
}

/// Parties at work.
pub(super) struct Running {
    uac: Vec<JoinHandle<(Uac, u64)>>,
    uas: Vec<JoinHandle<(Uas, u64)>>,
    uac_counters: Arc<UacCounters>,
    uas_counters: Arc<UasCounters>,
    work: Work,
}

/// What is left of them.
pub(super) struct Gone {
    pub(super) uac: Arc<UacCounters>,
    pub(super) uas: Arc<UasCounters>,
    pub(super) tally: Tally,
    pub(super) seconds: Vec<Second>,
    /// Datagrams that the kernel did not take.
    pub(super) unsent: u64,
}

impl Parties {
    pub(super) fn bind(load: &Load, target: &Target) -> io::Result<Self> {
        let customer = target.customer_addr();
        let uac = (0..load.uac_sockets.max(1)).map(|_| Bound::bind(customer));
        let uas = (0..load.uas_sockets.max(1))
            .map(|place| Bound::bind(target.vendor_addr(u16::try_from(place).unwrap_or(u16::MAX))));
        Ok(Self {
            uac: dealt(uac.collect::<io::Result<_>>()?, load.uac_threads),
            uas: dealt(uas.collect::<io::Result<_>>()?, load.uas_threads),
        })
    }

    /// Where the vendor listens.
    pub(super) fn vendors(&self) -> Vec<SocketAddr> {
        self.uas.iter().flatten().map(|socket| socket.addr).collect()
    }

    pub(super) fn ports(&self) -> Vec<u16> {
        self.uac.iter().chain(&self.uas).flatten().map(|socket| socket.addr.port()).collect()
    }

    /// Starts all threads; calls begin at `start`, without a proxy between when `direct`.
    pub(super) fn start(
        self,
        load: &Load,
        targets: &[SocketAddr],
        (start, direct): (Instant, bool),
        stop: &Stop,
    ) -> anyhow::Result<Running> {
        let run = RunMark::new();
        let schedule = Arc::new(Schedule::new(&load.stages));
        let mut running = Running {
            uac: Vec::new(),
            uas: Vec::new(),
            uac_counters: Arc::default(),
            uas_counters: Arc::default(),
            work: load.work,
        };
        for sockets in self.uas {
            let options = UasOptions {
                run: run.clone(),
                start,
                sockets: addrs(&sockets),
                ring: load.ring,
                trying: direct,
                conduct: Conduct::Answers,
            };
            let uas = Uas::new(options, Arc::clone(&running.uas_counters));
            running.uas.push(spawn("uas", uas, (sockets, load.coalesce), Arc::clone(&stop.uas))?);
        }
        let of = self.uac.len() as u64;
        for (index, sockets) in (0..).zip(self.uac) {
            let options = UacOptions {
                run: run.clone(),
                index,
                of,
                schedule: Arc::clone(&schedule),
                start,
                work: load.work,
                sockets: addrs(&sockets),
                targets: targets.to_vec(),
                hold: load.hold,
                patience: load.patience + load.ring,
            };
            let uac = Uac::new(options, Arc::clone(&running.uac_counters));
            running.uac.push(spawn("uac", uac, (sockets, load.coalesce), Arc::clone(&stop.uac))?);
        }
        Ok(running)
    }
}

impl Running {
    /// Whether no customer has anything left to do.
    pub(super) fn is_over(&self) -> bool {
        self.uac.iter().all(JoinHandle::is_finished)
    }

    pub(super) fn customer(&self) -> &UacCounters {
        &self.uac_counters
    }

    pub(super) fn line(&self, title: &str) -> String {
        let UacCounters { placed, completed, live, again_sent, .. } = &*self.uac_counters;
        let [placed, completed, live, again] =
            [placed, completed, live, again_sent].map(|counter| counter.load(Relaxed));
        format!("{title}: {placed} placed, {live} live, {completed} completed, {again} sent again")
    }

    /// Waits for the threads, which have been told to stop.
    pub(super) async fn join(self) -> anyhow::Result<Gone> {
        let joined = tokio::task::spawn_blocking(move || self.join_threads());
        joined.await.context("the threads of the generator")?
    }

    fn join_threads(self) -> anyhow::Result<Gone> {
        let mut unsent = 0;
        let (mut uac, mut seen) = (Vec::new(), Vec::new());
        for handle in self.uac {
            let (party, refused) = handle.join().map_err(|_| anyhow!("a thread of the customer failed"))?;
            unsent += refused;
            uac.push(party);
        }
        for handle in self.uas {
            let (party, refused) = handle.join().map_err(|_| anyhow!("a thread of the vendor failed"))?;
            unsent += refused;
            seen.push(party.seen);
        }
        let seen = (self.work == Work::Calls).then_some(seen.as_slice());
        let tally = Tally::new(uac.iter().flat_map(Uac::ends), seen);
        let mut seconds: Vec<Second> = Vec::new();
        for party in &uac {
            seconds.resize(seconds.len().max(party.seconds.len()), Second::default());
            seconds.iter_mut().zip(&party.seconds).for_each(|(sum, second)| sum.add(*second));
        }
        Ok(Gone { uac: self.uac_counters, uas: self.uas_counters, tally, seconds, unsent })
    }
}

/// Sockets to so many threads, in turn.
fn dealt(sockets: Vec<Bound>, threads: usize) -> Vec<Vec<Bound>> {
    let threads = threads.clamp(1, sockets.len().max(1));
    let mut dealt: Vec<Vec<Bound>> = (0..threads).map(|_| Vec::new()).collect();
    for (place, socket) in sockets.into_iter().enumerate() {
        if let Some(share) = dealt.get_mut(place % threads) {
            share.push(socket);
        }
    }
    dealt
}

fn addrs(sockets: &[Bound]) -> Vec<SocketAddr> {
    sockets.iter().map(|socket| socket.addr).collect()
}

fn spawn<E: Endpoint + Send + 'static>(
    name: &str,
    endpoint: E,
    (sockets, coalesce): (Vec<Bound>, Duration),
    stop: Arc<AtomicBool>,
) -> anyhow::Result<JoinHandle<(E, u64)>> {
    let thread = Builder::new().name(name.to_owned());
    thread.spawn(move || drive(endpoint, sockets, coalesce, &stop)).context("cannot start a thread")
}
