//! The command line.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};
use runtime::config::Config;

use crate::failure::Failure;

/// A wholesale messaging and voice carrier in one program.
#[derive(Debug, Parser)]
#[command(name = "warp", version)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Runs a node until SIGTERM or SIGINT.
    Serve(Place),
    /// Sends messages through a node in a temporary directory, from a simulated customer to two simulated
    /// vendors, and tells what became of each.
    Demo(Demo),
    /// Makes customers, accounts, vendors, routes and numbers what a file says.
    Apply(Apply),
    /// Shows the live actor tree of a running node.
    Actors(Actors),
    /// Explains a decision of a running node without making it.
    Explain {
        #[command(subcommand)]
        command: ExplainCommand,
    },
    /// Looks at the configuration.
    Config {
        #[command(subcommand)]
        command: ConfigCommand,
    },
    /// Brings the database to the schema of this program.
    Migrate(Place),
}

#[derive(Debug, Subcommand)]
pub(crate) enum ExplainCommand {
    /// Which way a message would go.
    Sms(ExplainSms),
}

#[derive(Debug, Subcommand)]
pub(crate) enum ConfigCommand {
    /// Tells whether a node would start with this configuration.
    Check(Place),
}

/// Which node, by its files.
#[derive(Debug, Default, Args)]
pub(crate) struct Place {
    /// Configuration file; without it every default, and the WARP_ variables of the environment.
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// Data directory, instead of node.data_dir.
    #[arg(long, value_name = "DIR")]
    pub(crate) data_dir: Option<PathBuf>,
}

/// Which node, by its files or by its address.
#[derive(Debug, Default, Args)]
pub(crate) struct Reach {
    #[command(flatten)]
    pub(crate) place: Place,
    /// API of the node, http:// or https://, instead of the control socket in the data directory.
    #[arg(long, value_name = "URL")]
    pub(crate) url: Option<String>,
    /// Token for --url.
    #[arg(long, requires = "url", conflicts_with = "token_file")]
    pub(crate) token: Option<String>,
    /// File with the token for --url.
    #[arg(long, value_name = "FILE", requires = "url")]
    pub(crate) token_file: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct Demo {
    /// End after the table instead of staying for SMPP clients of yours.
    #[arg(long)]
    pub(crate) exit: bool,
    /// Print one JSON object instead of the table.
    #[arg(long)]
    pub(crate) json: bool,
    /// Messages to send.
    #[arg(long, default_value_t = 2000, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub(crate) messages: u32,
}

#[derive(Debug, Args)]
pub(crate) struct Apply {
    /// Provisioning file (TOML), see config/provisioning.example.toml.
    pub(crate) file: PathBuf,
    /// Print the difference and change nothing.
    #[arg(long)]
    pub(crate) dry_run: bool,
    #[command(flatten)]
    pub(crate) place: Place,
}

#[derive(Debug, Args)]
pub(crate) struct Actors {
    /// Keep the tree on the screen, live, until Ctrl-C.
    #[arg(long)]
    pub(crate) watch: bool,
    #[command(flatten)]
    pub(crate) reach: Reach,
}

#[derive(Debug, Args)]
pub(crate) struct ExplainSms {
    /// ESME account that would submit it.
    #[arg(long)]
    pub(crate) system_id: String,
    /// Source address.
    #[arg(long, default_value = "")]
    pub(crate) from: String,
    /// Destination address.
    #[arg(long)]
    pub(crate) to: String,
    #[command(flatten)]
    pub(crate) reach: Reach,
}

impl Place {
    /// The configuration that these files and the environment make.
    pub(crate) fn load(&self) -> Result<Config, Failure> {
        let mut config = Config::load(self.config.as_deref()).map_err(Failure::usage)?;
        if let Some(data_dir) = &self.data_dir {
            config.node.data_dir.clone_from(data_dir);
        }
        Ok(config)
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn commands_and_their_mistakes() {
        for (line, understood) in [
            ("warp serve --config a.toml --data-dir d", true),
            ("warp serve", true),
            ("warp demo --exit --json --messages 100", true),
            ("warp demo --messages 0", false),
            ("warp apply f.toml --dry-run --config c.toml", true),
            ("warp apply", false),
            ("warp actors --watch --url http://x --token t", true),
            ("warp actors --token t", false),
            ("warp actors --url http://x --token t --token-file f", false),
            ("warp explain sms --system-id acme --from 1 --to 2", true),
            ("warp explain sms --from 1 --to 2", false),
            ("warp config check --config c.toml", true),
            ("warp migrate --config c.toml", true),
            ("warp", false),
            ("warp nonsense", false),
        ] {
            assert_eq!(Cli::try_parse_from(line.split(' ')).is_ok(), understood, "{line}");
        }
    }

    #[test]
    fn the_data_directory_of_the_command_line_wins() {
        let place = Place { config: None, data_dir: Some(PathBuf::from("elsewhere")) };
        assert_eq!(place.load().unwrap().node.data_dir, PathBuf::from("elsewhere"));
    }
}
