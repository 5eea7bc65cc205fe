//! `warp`: one program, a wholesale messaging and voice carrier as one supervised actor tree.
//!
//! What happens is in `commands`, one file each; [`start`] is the checklist of a node's start.

mod certificates;
mod cli;
mod client;
mod commands;
mod data_dir;
mod databases;
mod failure;
mod start;
mod telemetry;
mod terminal;

use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use clap::error::ErrorKind;

use self::cli::{Cli, Command, ConfigCommand, ExplainCommand, RotateCommand};
use self::failure::Failure;

/// Messages are made on one thread and freed on another, which is what it is good at.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Time for blocking work that is left when a command has ended.
const LEFT_OVER: Duration = Duration::from_secs(1);

fn main() -> ExitCode {
    let outcome = match Cli::try_parse() {
        Ok(cli) => run(cli.command),
        Err(help) if help.kind() == ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => {
            terminal::note(&help.to_string());
            return Failure::usage("").exit_code();
        }
        Err(error) if error.use_stderr() => Err(Failure::usage(terminal::first_line(&error))),
        Err(help) => {
            terminal::out(&help.to_string());
            Ok(ExitCode::SUCCESS)
        }
    };
    outcome.unwrap_or_else(|failure| {
        terminal::error(&failure);
        failure.exit_code()
    })
}

fn run(command: Command) -> Result<ExitCode, Failure> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .thread_name("warp")
        .build()
        .map_err(|error| Failure::run(format!("the runtime cannot start: {error}")))?;
    let outcome = runtime.block_on(dispatch(command));
    runtime.shutdown_timeout(LEFT_OVER);
    outcome
}

async fn dispatch(command: Command) -> Result<ExitCode, Failure> {
    match command {
        Command::Serve(arguments) => Box::pin(commands::serve::run(arguments)).await,
        Command::Demo(arguments) => Box::pin(commands::demo::run(arguments)).await,
        Command::Apply(arguments) => commands::apply::run(arguments).await,
        Command::Actors(arguments) => commands::actors::run(arguments).await,
        Command::Calls(arguments) => commands::calls::live(arguments).await,
        Command::Cdrs(arguments) => commands::calls::ended(arguments).await,
        Command::Explain { command: ExplainCommand::Sms(arguments) } => {
            commands::explain::sms(arguments).await
        }
        Command::Explain { command: ExplainCommand::Call(arguments) } => {
            commands::explain::call(arguments).await
        }
        Command::Config { command: ConfigCommand::Check(arguments) } => commands::config::check(&arguments),
        Command::Migrate(arguments) => commands::migrate::run(arguments).await,
        Command::Openapi => {
            terminal::out(&api::openapi::text());
            Ok(ExitCode::SUCCESS)
        }
        Command::Rotate { command: RotateCommand::Cookie(arguments) } => {
            commands::rotate::cookie_key(arguments).await
        }
        Command::Rotate { command: RotateCommand::AccessToken(arguments) } => {
            commands::rotate::access_token_key(arguments).await
        }
        Command::Rotate { command: RotateCommand::Root(arguments) } => {
            commands::rotate::root_key(arguments).await
        }
    }
}
