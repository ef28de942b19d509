//! The command line: arguments to domain types, operations, output, exit codes. One file a command.

mod acquire;
mod cancel;
mod check;
mod clear;
#[cfg(feature = "completions")]
mod completions;
mod context;
#[cfg(feature = "etcd")]
mod etcd;
mod failure;
mod filter;
mod folders;
mod freeze;
mod history;
mod hooks;
mod init;
mod list;
#[cfg(feature = "man")]
mod man;
mod migrate;
mod missing;
mod names;
mod not_acquired;
mod opened;
mod plan;
mod progress;
mod quick;
mod release;
mod renew;
mod resume;
mod run;
mod shell_init;
mod standby;
mod target;
mod terminal;
mod under_locks;
mod wait;
#[cfg(feature = "tui")]
mod watch;

use std::ffi::OsString;
use std::io::Write as _;
use std::mem::ManuallyDrop;

use clap::error::{ContextKind, ContextValue};
use clap::{ArgMatches, Args, FromArgMatches as _};

use context::{Context, Global};
use failure::{Failure, code};

use crate::command::StartError;
use crate::tied;

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
    exec: fn(&mut ArgMatches, &Context) -> Answer,
}

const fn entry<C: Exec>(name: &'static str, about: &'static str) -> Entry {
    Entry { name, about, augment: augment::<C>, exec: exec::<C> }
}

/// The words about groups of options that a command takes in are not about the command.
fn augment<C: Exec>(command: clap::Command) -> clap::Command {
    let about = command.get_about().cloned().unwrap_or_default();
    C::augment_args(command).about(about).long_about(None)
}

fn exec<C: Exec>(matches: &mut ArgMatches, context: &Context) -> Answer {
    match C::from_arg_matches_mut(matches) {
        Ok(command) => command.exec(context),
        Err(e) => Err(Failure::new(code::USAGE, e)),
    }
}

const COMMANDS: &[Entry] = &[
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
    entry::<history::History>(
        "history",
        "Show what happened: acquired, waited, released, paused, cleared, reclaimed",
    ),
    entry::<check::Check>("check", "Check the topology file and the store"),
    entry::<migrate::Migrate>("migrate", "Carry over what is held and paused to another store"),
    entry::<init::Init>("init", "Write a commented starter deploylock.toml"),
    #[cfg(feature = "completions")]
    entry::<completions::Completions>("completions", "Print a completion script for a shell"),
    entry::<shell_init::ShellInit>(
        "shell-init",
        "Print functions for a script that cannot be wrapped in `run`: eval \"$(deploylock shell-init bash)\"",
    ),
    #[cfg(feature = "man")]
    entry::<man::Man>("man", "Print a manual page"),
];

/// The commands that this build lacks, and the cargo features that have them.
const LACKING: &[(&str, &str)] = &[
    #[cfg(not(feature = "completions"))]
    ("completions", "completions"),
    #[cfg(not(feature = "man"))]
    ("man", "man"),
];

/// What to say where a command was typed that is none because this build lacks it.
fn lacks(lacking: &[(&str, &str)], e: &clap::Error) -> Option<String> {
    let Some(ContextValue::String(typed)) = e.get(ContextKind::InvalidSubcommand) else {
        return None;
    };
    let (command, feature) = lacking.iter().find(|(command, _)| command == typed)?;
    Some(format!(
        "`{command}` needs the cargo feature `{feature}`, which this build of deploylock lacks: build it with \
         `cargo install deploylock --features {feature}`"
    ))
}

const AFTER: &str = "\
Examples:
  deploylock run --env prod --app shop -- ./deploy.sh     wait for the locks, deploy, give them back
  deploylock run -l db-migrate -- ./migrate.sh            a lock by name, no topology needed
  deploylock list                                         who holds what, who waits for whom
  deploylock clear --stale                                for cron: remove what is verifiably dead

Exit codes: 0 done, 1 failed, 2 usage, 3 no such deployment, 69 server out of reach, 75 not acquired,
76 locks lost while the command ran, 77 superseded by a newer deployment while it waited, 78 wrong topology,
126/127 command not executable/not found, else the command's own.";

/// The command line's grammar.
#[must_use]
pub fn grammar() -> clap::Command {
    grammar_of(COMMANDS.iter())
}

fn grammar_of<'a>(commands: impl Iterator<Item = &'a Entry>) -> clap::Command {
    let program = clap::Command::new("deploylock")
        .version(env!("CARGO_PKG_VERSION"))
        .after_help(AFTER)
        .max_term_width(100)
        .disable_help_subcommand(true)
        .subcommand_required(true)
        .arg_required_else_help(true);
    let program = Global::augment_args(program)
        .about("May I deploy now, and if not, who is in my way and when is it my turn?")
        .long_about(None);
    commands.fold(program, |program, entry| {
        program.subcommand(clap::Command::new(entry.name).about(entry.about).defer(entry.augment))
    })
}

/// Parses with no more grammar than the command that was probably typed; whatever that cannot parse, the whole
/// grammar explains. What it can parse means the same to both.
fn parse(arguments: &[OsString]) -> Result<ArgMatches, clap::Error> {
    let typed = arguments.iter().skip(1).take_while(|a| *a != "--").find_map(|a| {
        let name = a.to_str()?;
        COMMANDS.iter().find(|entry| entry.name == name)
    });
    // A grammar lives as long as the program: taking it apart would cost as much as a lock.
    let parse = |grammar: clap::Command| Box::leak(Box::new(grammar)).try_get_matches_from_mut(arguments);
    match typed.map(|entry| parse(grammar_of(std::iter::once(entry)))) {
        Some(Ok(matches)) => Ok(matches),
        _ => parse(grammar()),
    }
}

/// Runs the program with these arguments, the first being its name. The exit code.
pub fn run<I: IntoIterator<Item = OsString>>(arguments: I) -> u8 {
    let arguments: Vec<OsString> = arguments.into_iter().collect();
    match tied::become_command(&arguments) {
        Some(tied::Unused::NotStarted(name, e)) => return finish(Err(StartError::of(name, e).into()), None),
        // It must not look like a command that is done.
        Some(tied::Unused::NotWanted) => return code::FAILED,
        None => {}
    }
    if let Some((global, call)) = quick::parse(&arguments) {
        // The end of the process gives them back sooner than we would.
        let (context, _arguments) = (ManuallyDrop::new(Context::new(global)), ManuallyDrop::new(arguments));
        return finish(call.exec(&context), Some(&context));
    }
    by_grammar(&arguments)
}

/// Not a part of [`run()`], so that its many locals do not lie between a plain run's: each page of a stack is a fault.
#[inline(never)]
fn by_grammar(arguments: &[OsString]) -> u8 {
    if arguments.get(1).is_some_and(|word| word == names::WORD) {
        return names::complete(&arguments[2..]);
    }
    match parse(arguments) {
        Ok(matches) => dispatch(matches),
        Err(e) => {
            match lacks(LACKING, &e) {
                Some(text) => terminal::complain(&text),
                None => _ = e.print().and_then(|()| std::io::stdout().flush()),
            }
            u8::try_from(e.exit_code()).unwrap_or(code::USAGE)
        }
    }
}

fn dispatch(mut matches: ArgMatches) -> u8 {
    let (name, mut own) = matches.remove_subcommand().expect("clap asks for a command");
    match Global::from_arg_matches_mut(&mut matches) {
        Ok(global) => {
            let context = Context::new(global);
            let entry = COMMANDS.iter().find(|entry| entry.name == name).expect("clap knows no others");
            finish((entry.exec)(&mut own, &context), Some(&context))
        }
        Err(e) => finish(Err(Failure::new(code::USAGE, e)), None),
    }
}

/// Says what went wrong, and stays until the hooks have ended. The exit code.
fn finish(answer: Answer, context: Option<&Context>) -> u8 {
    let code = answer.unwrap_or_else(|failure| {
        if !failure.is_closed_pipe() {
            let text = context.map(|context| failure.with(&context.commands(Vec::new())));
            terminal::complain(&text.unwrap_or_else(|| failure.to_string()));
        }
        failure.code
    });
    if let Some(context) = context {
        context.hooks.settle();
    }
    code
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_that_the_build_lacks_names_its_feature() {
        let typed = |word: &str| grammar().try_get_matches_from(["deploylock", word, "x"]).unwrap_err();
        let said = lacks(&[("draw", "art")], &typed("draw")).unwrap();
        assert!(
            said.contains("`draw` needs the cargo feature `art`") && said.contains("--features art"),
            "{said}"
        );
        assert_eq!(lacks(&[("draw", "art")], &typed("drow")), None);
        assert_eq!(lacks(LACKING, &typed("wait")), None);
    }
}
