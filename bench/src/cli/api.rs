//! `bench api`.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context as _;
use clap::Args;

use crate::api::load::{self, Load};
use crate::api::propagation;
use crate::print;
use crate::subject::NodeOptions;

#[derive(Debug, Args)]
pub(super) struct Api {
    /// Connections, each with one request under way.
    #[arg(long, default_value_t = 32)]
    connections: u32,
    /// Requests a second over all of them; 0 is as fast as they are answered.
    #[arg(long, default_value_t = 0.0)]
    rate: f64,
    /// For how long.
    #[arg(long, default_value_t = 10.0)]
    seconds: f64,
    /// Writes in a hundred requests.
    #[arg(long, default_value_t = 0, value_parser = clap::value_parser!(u32).range(0..=100))]
    writes: u32,
    /// Customers that the node has.
    #[arg(long, default_value_t = 1_000)]
    customers: u32,
    /// Measures how long so many changes take to be in force, instead of load.
    #[arg(long)]
    propagation: Option<u32>,
    /// With --propagation: sources that the node has.
    #[arg(long, default_value_t = 100_000)]
    acl: u32,
    /// With --propagation: routes of messages that the node has.
    #[arg(long, default_value_t = 10_000)]
    routes: u32,
    /// Messages a second through the same node meanwhile.
    #[arg(long, default_value_t = 0.0)]
    messages: f64,
    /// One JSON object on stdout.
    #[arg(long)]
    json: bool,
    /// The node's program; otherwise the `warp` beside this program.
    #[arg(long)]
    warp: Option<PathBuf>,
    /// Where the node's data goes; otherwise beside this program.
    #[arg(long)]
    dir: Option<PathBuf>,
    /// The node's database, postgres://…; otherwise the embedded one.
    #[arg(long, default_value = "")]
    store_url: String,
}

impl Api {
    pub(super) async fn run(self) -> anyhow::Result<()> {
        let options = NodeOptions { program: self.warp, directory: self.dir, store_url: self.store_url };
        let outcome = match self.propagation {
            Some(changes) => {
                let scale = (self.acl, self.routes, self.messages);
                propagation::measure(changes, scale, &options).await?
            }
            None => {
                let load = Load {
                    connections: self.connections.max(1),
                    rate: self.rate.max(0.0),
                    duration: Duration::try_from_secs_f64(self.seconds)
                        .context("--seconds is no duration")?,
                    writes_percent: self.writes,
                    customers: self.customers.max(1),
                    messages: self.messages,
                };
                load::measure(&load, &options).await?
            }
        };
        if self.json {
            print::json(&outcome)
        } else {
            print::table(&outcome)
        }
        Ok(())
    }
}
