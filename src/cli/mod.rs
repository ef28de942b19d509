//! The command line: arguments to domain types, operations, output, exit codes. One file a command.

mod acquire;
mod cancel;
mod check;
mod clear;
mod completions;
mod context;
mod failure;
mod filter;
mod init;
mod list;
mod plan;
mod progress;
mod release;
mod renew;
mod run;
mod target;
mod terminal;
mod wait;

use std::ffi::OsString;

use clap::{CommandFactory as _, Parser, Subcommand};

use context::{Context, Global};
use failure::{Failure, code};

/// What a command's work comes to: an exit code, or what went wrong.
type Answer = std::result::Result<u8, Failure>;

/// May I deploy now, and if not, who is in my way and when is it my turn?
#[derive(Parser)]
#[command(name = "deploylock", version, max_term_width = 100, disable_help_subcommand = true, after_help = AFTER)]
pub struct Cli {
    #[command(flatten)]
    global: Global,
    #[command(subcommand)]
    command: Command,
}

const AFTER: &str = "\
Examples:
  deploylock run --env prod --app shop -- ./deploy.sh     wait for the locks, deploy, give them back
  deploylock run -l db-migrate -- ./migrate.sh            a lock by name, no topology needed
  deploylock list                                         who holds what, who waits for whom
  deploylock clear --stale                                for cron: remove what is verifiably dead

Exit codes: 0 done, 1 failed, 2 usage, 3 no such deployment, 75 not acquired, 76 locks lost while the
command ran, 78 wrong topology, 126/127 command not executable/not found, else the command's own.";

#[derive(Subcommand)]
enum Command {
    /// Take the locks, run a command, give them back
    Run(run::Run),
    /// Take the locks and print the deployment's id; they stay until released
    Acquire(acquire::Acquire),
    /// Give the locks of a deployment back, or withdraw one that waits or is paused
    Release(release::Release),
    /// Start a deployment's time to live again, or set a new one
    Renew(renew::Renew),
    /// Wait until a deployment holds its locks, or until a target could be had; takes nothing
    Wait(wait::Wait),
    /// Show what is held, by whom, why and until when, and who waits
    List(list::List),
    /// Remove deployments by hand: those that are stale, or others after asking
    Clear(clear::Clear),
    /// Ask a deployment to end: a waiter gives up, a run's command gets SIGTERM
    Cancel(cancel::Cancel),
    /// Show which locks a target takes, why, and what stands in the way; takes nothing
    Plan(plan::Plan),
    /// Check the topology file and the lock directory
    Check(check::Check),
    /// Write a commented starter deploylock.toml
    Init(init::Init),
    /// Print a completion script for a shell
    Completions(completions::Completions),
}

/// The command line's grammar, for completions and documents.
#[must_use]
pub fn grammar() -> clap::Command {
    Cli::command()
}

/// Runs the program with these arguments, the first being its name. The exit code.
pub fn run<I: IntoIterator<Item = OsString>>(arguments: I) -> u8 {
    let cli = match Cli::try_parse_from(arguments) {
        Ok(cli) => cli,
        Err(e) => {
            let _ = e.print();
            return u8::try_from(e.exit_code()).unwrap_or(code::USAGE);
        }
    };
    let context = Context::new(cli.global);
    let answer = match cli.command {
        Command::Run(c) => c.exec(&context),
        Command::Acquire(c) => c.exec(&context),
        Command::Release(c) => c.exec(&context),
        Command::Renew(c) => c.exec(&context),
        Command::Wait(c) => c.exec(&context),
        Command::List(c) => c.exec(&context),
        Command::Clear(c) => c.exec(&context),
        Command::Cancel(c) => c.exec(&context),
        Command::Plan(c) => c.exec(&context),
        Command::Check(c) => c.exec(&context),
        Command::Init(c) => c.exec(&context),
        Command::Completions(c) => c.exec(),
    };
    answer.unwrap_or_else(|failure| {
        if !failure.is_closed_pipe() {
            terminal::complain(&failure.to_string());
        }
        failure.code
    })
}
