//! A command that does not outlive the process that started it: where a killed wrapper's locks go to another without
//! regard to its command (a server's, when the lease has run out).
//!
//! The kernel ends it (`PR_SET_PDEATHSIG`), which only the command itself can ask for; so this program is started in
//! its place, asks, and becomes the command. Only the command's own process is reached, and not one that gains
//! privileges (sudo). Elsewhere than on Linux it is started as it is.

use std::ffi::{OsStr, OsString};
use std::io;
use std::os::unix::process::CommandExt as _;
use std::process::Command;

/// The first argument of a program that is to become a command.
const WORD: &str = "__tied";

/// The command line that ties `argv` to this process.
#[must_use]
pub fn tie(argv: &[OsString]) -> Vec<OsString> {
    if !cfg!(target_os = "linux") {
        return argv.to_vec();
    }
    let own = std::process::id().to_string();
    let mut tied: Vec<OsString> = ["/proc/self/exe", WORD, &own].map(OsString::from).to_vec();
    tied.extend(argv.iter().cloned());
    tied
}

/// Becomes the command, where these are the arguments of [`tie`]; returns only the name of one that cannot be
/// started and why, or `None` for other arguments.
#[must_use]
pub fn become_command(arguments: &[OsString]) -> Option<(String, io::Error)> {
    let [_, word, parent, program, rest @ ..] = arguments else {
        return None;
    };
    if word != WORD {
        return None;
    }
    let name = program.to_string_lossy().into_owned();
    if let Err(e) = ask(parent) {
        return Some((name, e));
    }
    let mut e = Command::new(program).args(rest).exec();
    // A script without a first line: shells run it, and so does execvp.
    if e.raw_os_error() == Some(rustix::io::Errno::NOEXEC.raw_os_error()) {
        e = Command::new(OsStr::new("/bin/sh")).arg(program).args(rest).exec();
    }
    Some((name, e))
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
