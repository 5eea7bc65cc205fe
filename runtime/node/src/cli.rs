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
    /// Sends messages and places calls through a node in a temporary directory, between simulated customers and
    /// simulated vendors and carriers with a simulated RTPEngine, and tells what became of each.
    Demo(Demo),
    /// Makes customers, accounts, vendors, routes and numbers what a file says.
    Apply(Apply),
    /// Shows the live actor tree of a running node.
    Actors(Actors),
    /// Shows the calls that live, or ends one.
    Calls(Calls),
    /// Shows the records of calls that ended last.
    Cdrs(Cdrs),
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
    /// Prints the OpenAPI document of the REST interface.
    Openapi,
    /// Replaces a secret of the node by a new one.
    Rotate {
        #[command(subcommand)]
        command: RotateCommand,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum RotateCommand {
    /// The key that seals the routing truth of calls; the one before it goes on opening.
    #[command(name = "cookie-key")]
    Cookie(RotateCookieKey),
    /// The key that signs access tokens; the one before it goes on verifying.
    #[command(name = "access-token-key")]
    AccessToken(RotateAccessTokenKey),
    /// The root key, which everything that is sealed comes under; the node goes on meanwhile.
    #[command(name = "root-key")]
    Root(RotateRootKey),
}

#[derive(Debug, Subcommand)]
pub(crate) enum ExplainCommand {
    /// Which way a message would go.
    Sms(ExplainSms),
    /// Which way a call would go.
    Call(ExplainCall),
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
    /// Calls to place.
    #[arg(long, default_value_t = 500, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub(crate) calls: u32,
    /// A real RTPEngine, by its ng port, for the media of the calls instead of a simulated one.
    #[arg(long, value_name = "HOST:PORT")]
    pub(crate) rtpengine: Option<String>,
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
pub(crate) struct RotateCookieKey {
    /// Drop the last key but one within 24 hours too: calls that it sealed can then not be ended. Calls older than the
    /// last rotation lose their key in any case. Refused within two minutes of the last key.
    #[arg(long)]
    pub(crate) force: bool,
    #[command(flatten)]
    pub(crate) place: Place,
}

#[derive(Debug, Args)]
pub(crate) struct RotateAccessTokenKey {
    /// Drop the last key but one although access tokens that it signed may be good: their users refresh them.
    /// Refused within two minutes of the last key.
    #[arg(long)]
    pub(crate) force: bool,
    #[command(flatten)]
    pub(crate) place: Place,
}

#[derive(Debug, Args)]
pub(crate) struct RotateRootKey {
    /// With node.root_key_env: the variable of the environment that holds the new key. A running node reads it in its
    /// own environment.
    #[arg(long, value_name = "NAME")]
    pub(crate) new_key_env: Option<String>,
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
pub(crate) struct Calls {
    /// Keep the list on the screen, live, until Ctrl-C.
    #[arg(long, conflicts_with = "hang_up")]
    pub(crate) watch: bool,
    /// Calls to show.
    #[arg(long, default_value_t = 100, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub(crate) limit: u32,
    /// Show the calls that began after this one.
    #[arg(long, value_name = "ID")]
    pub(crate) after: Option<String>,
    /// End this call instead.
    #[arg(long, value_name = "ID")]
    pub(crate) hang_up: Option<String>,
    #[command(flatten)]
    pub(crate) reach: Reach,
}

#[derive(Debug, Args)]
pub(crate) struct Cdrs {
    /// Records to show, the newest first.
    #[arg(long, default_value_t = 20, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=500))]
    pub(crate) limit: u32,
    /// Show the calls that began before this one.
    #[arg(long, value_name = "ID")]
    pub(crate) before: Option<String>,
    #[command(flatten)]
    pub(crate) reach: Reach,
}

#[derive(Debug, Args)]
pub(crate) struct ExplainCall {
    /// Calling number.
    #[arg(long, default_value = "")]
    pub(crate) from: String,
    /// Called number.
    #[arg(long)]
    pub(crate) to: String,
    /// Where the INVITE would come from: ADDRESS or ADDRESS:PORT.
    #[arg(long)]
    pub(crate) source: String,
    /// How: udp, tcp or tls.
    #[arg(long, default_value = "udp")]
    pub(crate) transport: String,
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
            ("warp demo --calls 0", false),
            ("warp demo --rtpengine 127.0.0.1:2223", true),
            ("warp demo --rtpengine", false),
            ("warp calls", true),
            ("warp calls --limit 5 --after x --watch", true),
            ("warp calls --limit 0", false),
            ("warp calls --hang-up x", true),
            ("warp calls --hang-up x --watch", false),
            ("warp cdrs --limit 500 --before x", true),
            ("warp cdrs --limit 501", false),
            ("warp explain call --from 1 --to 2 --source 192.0.2.1", true),
            ("warp explain call --to 2 --source 192.0.2.1 --transport tls", true),
            ("warp explain call --to 2", false),
            ("warp apply f.toml --dry-run --config c.toml", true),
            ("warp apply", false),
            ("warp actors --watch --url http://x --token t", true),
            ("warp actors --token t", false),
            ("warp actors --url http://x --token t --token-file f", false),
            ("warp explain sms --system-id acme --from 1 --to 2", true),
            ("warp explain sms --from 1 --to 2", false),
            ("warp config check --config c.toml", true),
            ("warp migrate --config c.toml", true),
            ("warp rotate cookie-key --config c.toml --force", true),
            ("warp rotate access-token-key --config c.toml --force", true),
            ("warp rotate access-token-key --new-key-env NAME", false),
            ("warp rotate root-key --config c.toml", true),
            ("warp rotate root-key --new-key-env NAME", true),
            ("warp rotate root-key --force", false),
            ("warp rotate", false),
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
