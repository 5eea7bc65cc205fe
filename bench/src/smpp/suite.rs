//! The runs behind the figures in the project's documentation, in order.

use std::time::Duration;

use super::load::Load;

/// One run of the suite.
#[derive(Clone, Debug)]
pub enum Scenario {
    /// Messages.
    Load(Load),
    /// Bound and silent sessions, watched for so long.
    Idle(usize, Duration),
    /// A restart with so many live messages.
    Restart(u32),
}

impl Scenario {
    /// Its name in results.
    pub fn name(&self) -> String {
        match self {
            Self::Load(load) => load.scenario.clone(),
            Self::Idle(0, _) => "smpp-idle/node".to_owned(),
            Self::Idle(..) => "smpp-idle/sessions".to_owned(),
            Self::Restart(_) => "smpp-restart".to_owned(),
        }
    }
}

/// All runs. The first is the headline figure; the receipt delays and quick ACKs must not move it.
pub fn scenarios() -> Vec<Scenario> {
    let mut all = vec![Scenario::Load(named("smpp/sustained"))];
    for quick_ack in [true, false] {
        for millis in [2, 20, 100, 1000] {
            let acks = if quick_ack { "on" } else { "off" };
            all.push(Scenario::Load(Load {
                receipt_delay: Duration::from_millis(millis),
                quick_ack,
                duration: Duration::from_secs(15),
                ..named(&format!("smpp/receipt-delay-{millis}ms/quick-ack-{acks}"))
            }));
        }
    }
    all.push(Scenario::Load(Load {
        answer_delay: Duration::from_millis(50),
        vendor_binds: 1,
        vendor_window: 10,
        // A little more than one bind can carry: 10 messages every 50 ms.
        rate: 210.0,
        duration: Duration::from_secs(15),
        ..named("smpp/one-bind-window-10-answer-50ms")
    }));
    all.push(Scenario::Load(Load { rate: 5_000.0, ..named("smpp/latency-at-5000") }));
    all.push(Scenario::Idle(1000, Duration::from_secs(10)));
    all.push(Scenario::Idle(0, Duration::from_secs(30)));
    all.push(Scenario::Restart(1_000_000));
    all.push(Scenario::Load(Load {
        rate: 5_000.0,
        duration: Duration::from_secs(600),
        receipts: 0.95,
        // Most of the run has both: messages that come and messages that are deleted.
        retention: Some(Duration::from_secs(120)),
        ..named("smpp/long")
    }));
    all
}

fn named(scenario: &str) -> Load {
    Load { scenario: scenario.to_owned(), ..Load::default() }
}
