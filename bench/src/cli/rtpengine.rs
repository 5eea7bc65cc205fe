//! `bench rtpengine`: a simulated media node in a process of its own, so that its processor time is not the
//! generator's and that it can be stopped.

use std::io::BufRead as _;
use std::net::SocketAddr;
use std::ops::RangeInclusive;
use std::thread::Builder;

use anyhow::Context as _;
use clap::Args;
use tokio::sync::oneshot;

use crate::media::nodes::Listening;
use crate::print;
use crate::rtpengine::{self, RtpengineOptions};

#[derive(Debug, Args)]
pub(super) struct Rtpengine {
    /// Where it takes commands; port 0 picks one.
    #[arg(long, default_value = "127.0.0.1:2223")]
    listen: SocketAddr,
    /// Ports that it hands out, FIRST-LAST.
    #[arg(long, default_value = "30000-39999", value_parser = ports)]
    ports: RangeInclusive<u16>,
    /// Answers each line of its input with what it did so far, and ends when its input does.
    #[arg(long)]
    tell: bool,
}

impl Rtpengine {
    /// Runs until it is killed.
    pub(super) async fn run(self) -> anyhow::Result<()> {
        let Self { listen, ports, tell } = self;
        let options = RtpengineOptions { listen, ports, ..RtpengineOptions::default() };
        let node = rtpengine::Rtpengine::start(options);
        let node = node.with_context(|| format!("cannot listen on {listen}"))?;
        print::line(&serde_json::to_string(&Listening { address: node.address() })?);
        if !tell {
            return std::future::pending().await;
        }
        let (over, is_over) = oneshot::channel();
        // Reading input blocks, and nothing can end it: a thread of the runtime would be waited for.
        let teller = Builder::new().name("tell".to_owned()).spawn(move || {
            for _line in std::io::stdin().lock().lines().map_while(Result::ok) {
                // Counters are numbers with names.
                print::line(&serde_json::to_string(&node.counters()).unwrap_or_default());
            }
            // Nobody waits when the process ends in another way.
            let _ = over.send(());
        });
        teller.context("cannot start a thread")?;
        is_over.await.context("the thread that reads the input failed")
    }
}

fn ports(text: &str) -> Result<RangeInclusive<u16>, String> {
    let ends = text.split_once('-');
    let range = ends.and_then(|(first, last)| Some(first.parse::<u16>().ok()?..=last.parse().ok()?));
    let range = range.filter(|range| !range.is_empty());
    range.ok_or_else(|| "ports are FIRST-LAST, as in 30000-39999".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_of_ports() {
        assert_eq!(ports("1024-65535"), Ok(1_024..=65_535));
        assert_eq!(ports("7-7"), Ok(7..=7));
        for refused in ["", "7", "7-", "-7", "8-7", "1-65536", "a-b", "1-2-3"] {
            assert!(ports(refused).is_err(), "{refused}");
        }
    }
}
