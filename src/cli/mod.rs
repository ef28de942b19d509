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

use clap::{ArgMatches, Args, FromArgMatches as _};

use context::{Context, Global};
use failure::{Failure, code};

/// What a command's work comes to: an exit code, or what went wrong.
type Answer = std::result::Result<u8, Failure>;

/// A command: its options are its fields.
trait Exec: Args {
    fn exec(self, context: &Context) -> Answer;
}

/// A command in the table: its options are declared only if it is the one that was typed.
struct Entry {
    name: &'static str,
    about: &'static str,
    augment: fn(clap::Command) -> clap::Command,
    exec: fn(&ArgMatches, &Context) -> Answer,
}

const fn entry<C: Exec>(name: &'static str, about: &'static str) -> Entry {
    Entry { name, about, augment: C::augment_args, exec: exec::<C> }
}

fn exec<C: Exec>(matches: &ArgMatches, context: &Context) -> Answer {
    match C::from_arg_matches(matches) {
        Ok(command) => command.exec(context),
        Err(e) => Err(Failure::new(code::USAGE, e)),
    }
}

const COMMANDS: [Entry; 12] = [
    entry::<run::Run>("run", "Take the locks, run a command, give them back"),
    entry::<acquire::Acquire>(
        "acquire",
        "Take the locks and print the deployment's id; they stay until released",
    ),
    entry::<release::Release>(
        "release",
        "Give the locks of a deployment back, or withdraw one that waits or is paused",
    ),
    entry::<renew::Renew>("renew", "Start a deployment's time to live again, or set a new one"),
    entry::<wait::Wait>(
        "wait",
        "Wait until a deployment holds its locks, or until a target could be had; takes nothing",
    ),
    entry::<list::List>("list", "Show what is held, by whom, why and until when, and who waits"),
    entry::<clear::Clear>(
        "clear",
        "Remove deployments by hand: those that are stale, or others after asking",
    ),
    entry::<cancel::Cancel>(
        "cancel",
        "Ask a deployment to end: a waiter gives up, a run's command gets SIGTERM",
    ),
    entry::<plan::Plan>(
        "plan",
        "Show which locks a target takes, why, and what stands in the way; takes nothing",
    ),
    entry::<check::Check>("check", "Check the topology file and the lock directory"),
    entry::<init::Init>("init", "Write a commented starter deploylock.toml"),
    entry::<completions::Completions>("completions", "Print a completion script for a shell"),
];

const AFTER: &str = "\
Examples:
  deploylock run --env prod --app shop -- ./deploy.sh     wait for the locks, deploy, give them back
  deploylock run -l db-migrate -- ./migrate.sh            a lock by name, no topology needed
  deploylock list                                         who holds what, who waits for whom
  deploylock clear --stale                                for cron: remove what is verifiably dead

Exit codes: 0 done, 1 failed, 2 usage, 3 no such deployment, 75 not acquired, 76 locks lost while the
command ran, 78 wrong topology, 126/127 command not executable/not found, else the command's own.";

/// The command line's grammar.
#[must_use]
pub fn grammar() -> clap::Command {
    let program = clap::Command::new("deploylock")
        .version(env!("CARGO_PKG_VERSION"))
        .about("May I deploy now, and if not, who is in my way and when is it my turn?")
        .after_help(AFTER)
        .max_term_width(100)
        .disable_help_subcommand(true)
        .subcommand_required(true)
        .arg_required_else_help(true);
    let program = Global::augment_args(program);
    COMMANDS.iter().fold(program, |program, entry| {
        program.subcommand(clap::Command::new(entry.name).about(entry.about).defer(entry.augment))
    })
}

/// Runs the program with these arguments, the first being its name. The exit code.
pub fn run<I: IntoIterator<Item = OsString>>(arguments: I) -> u8 {
    // The grammar lives as long as the program: taking it apart would cost as much as a lock.
    let grammar = Box::leak(Box::new(grammar()));
    let matches = match grammar.try_get_matches_from_mut(arguments) {
        Ok(matches) => Box::leak(Box::new(matches)),
        Err(e) => {
            let _ = e.print();
            return u8::try_from(e.exit_code()).unwrap_or(code::USAGE);
        }
    };
    dispatch(matches).unwrap_or_else(|failure| {
        if !failure.is_closed_pipe() {
            terminal::complain(&failure.to_string());
        }
        failure.code
    })
}

fn dispatch(matches: &ArgMatches) -> Answer {
    let global = Global::from_arg_matches(matches).map_err(|e| Failure::new(code::USAGE, e))?;
    let context = Context::new(global);
    let (name, matches) = matches.subcommand().expect("clap asks for a command");
    let entry = COMMANDS.iter().find(|entry| entry.name == name).expect("clap knows no others");
    (entry.exec)(matches, &context)
}
