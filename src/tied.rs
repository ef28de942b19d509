//! A command that does not outlive the process that started it: where a killed wrapper's locks go to another without
//! regard to its command (a server's, when the lease has run out).
//!
//! The kernel ends it (`PR_SET_PDEATHSIG`), which only the command itself can ask for; so this program is started in
//! its place, asks, and becomes the command. Only the command's own process is reached, and not one that gains
//! privileges (sudo). Elsewhere than on Linux it is started as it is.

mod standby;

use std::ffi::{OsStr, OsString};
use std::io;
use std::os::unix::process::CommandExt as _;
use std::process::Command;

pub use standby::Standby;

/// This program.
const SELF: &str = "/proc/self/exe";
/// The first argument of a program that is to become a command.
const WORD: &str = "__tied";
/// And of one that is to do so when it is told.
const STANDBY: &str = "__tied-standby";

/// What the command's environment has besides ours, or has not.
type Variables = Vec<(String, Option<String>)>;

/// The command line that ties `argv` to this process.
#[must_use]
pub fn tie(argv: &[OsString]) -> Vec<OsString> {
    if !cfg!(target_os = "linux") {
        return argv.to_vec();
    }
    command_line(WORD, argv)
}

fn command_line(word: &str, argv: &[OsString]) -> Vec<OsString> {
    let own = std::process::id().to_string();
    [&[SELF.into(), word.into(), own.into()], argv].concat()
}

/// Why a program has not become a command.
#[derive(Debug)]
pub enum Unused {
    /// The one of this name cannot be started.
    NotStarted(String, io::Error),
    /// None is wanted any more.
    NotWanted,
}

/// Becomes the command, where these are the arguments of [`tie`] or of a [`Standby`]; returns only why it has not,
/// or `None` for other arguments.
#[must_use]
pub fn become_command(arguments: &[OsString]) -> Option<Unused> {
    let [_, word, parent, program, rest @ ..] = arguments else {
        return None;
    };
    let not_started = |e| Some(Unused::NotStarted(program.to_string_lossy().into_owned(), e));
    let mut variables = Variables::new();
    match word.to_str() {
        Some(WORD) => {
            if let Err(e) = ask(parent) {
                return not_started(e);
            }
        }
        Some(STANDBY) => match ask(parent).map(|()| standby::told()) {
            Ok(Ok(Some(told))) => variables = told,
            Ok(Err(e)) => return not_started(e),
            Ok(Ok(None)) | Err(_) => return Some(Unused::NotWanted),
        },
        _ => return None,
    }
    let mut e = command(program, &variables).args(rest).exec();
    // A script without a first line: shells run it, and so does execvp.
    if e.raw_os_error() == Some(rustix::io::Errno::NOEXEC.raw_os_error()) {
        e = command(OsStr::new("/bin/sh"), &variables).arg(program).args(rest).exec();
    }
    not_started(e)
}

fn command(program: &OsStr, variables: &Variables) -> Command {
    let mut command = Command::new(program);
    for (name, value) in variables {
        match value {
            Some(value) => command.env(name, value),
            None => command.env_remove(name),
        };
    }
    command
}

#[cfg(target_os = "linux")]
fn ask(parent: &OsStr) -> io::Result<()> {
    rustix::process::set_parent_process_death_signal(Some(rustix::process::Signal::KILL))?;
    // It may have been killed before it could be asked.
    let now = rustix::process::getppid().map(|pid| pid.as_raw_nonzero().to_string());
    if now.as_deref().map(OsStr::new) == Some(parent) {
        Ok(())
    } else {
        Err(io::Error::other("the deploylock that started it is gone"))
    }
}

#[cfg(not(target_os = "linux"))]
fn ask(_parent: &OsStr) -> io::Result<()> {
    Ok(())
}
