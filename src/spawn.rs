//! Starting a program by `posix_spawn`, which shares this process's memory until the program is there.
//!
//! The standard library's `Command` does so with some C libraries only, sorts the whole environment first, and leaves
//! a program the signals blocked that are blocked here (`src/signals.rs`).

use std::ffi::{CStr, CString, OsStr, OsString};
use std::io;
use std::os::fd::{AsRawFd as _, BorrowedFd};
use std::os::unix::ffi::OsStrExt as _;
use std::sync::OnceLock;

use nix::spawn::{PosixSpawnAttr, PosixSpawnFileActions, PosixSpawnFlags, posix_spawnp};
use nix::sys::signal::{SigSet, Signal};
use rustix::io::Errno;
use rustix::process::Pid;

/// A program that is to be started, looked for on the `PATH`.
#[derive(Debug, Clone, Copy)]
pub struct Program<'a, V> {
    /// Its name and its arguments.
    pub argv: &'a [OsString],
    /// What its environment has besides ours, or has not.
    pub variables: &'a [(&'a str, Option<V>)],
    /// What it has in the place of our standard input, output and error. Their numbers are above those.
    pub stdio: [Option<BorrowedFd<'a>>; 3],
    /// It is the first of a process group of its own.
    pub in_a_group: bool,
}

impl<V: AsRef<OsStr>> Program<'_, V> {
    /// Starts it. It has no signal blocked, and `SIGPIPE`, which every Rust program ignores, as it is by default.
    ///
    /// # Errors
    /// When it is not there or cannot be executed, no name is given, or a text has a NUL in it.
    pub fn start(&self) -> io::Result<Pid> {
        let name = self.argv.first().ok_or(io::ErrorKind::InvalidInput)?;
        match self.spawn(name, self.argv) {
            // A script without a first line: shells run it, and so does execvp.
            Err(e) if Errno::from_io_error(&e) == Some(Errno::NOEXEC) => {
                let shell = OsString::from("/bin/sh");
                self.spawn(&shell, &[std::slice::from_ref(&shell), self.argv].concat())
            }
            other => other,
        }
    }

    fn spawn(&self, name: &OsStr, argv: &[OsString]) -> io::Result<Pid> {
        let name = CString::new(name.as_bytes())?;
        let argv: Vec<CString> =
            argv.iter().map(|word| CString::new(word.as_bytes())).collect::<Result<_, _>>()?;
        let mut attributes = PosixSpawnAttr::init()?;
        let mut flags = PosixSpawnFlags::POSIX_SPAWN_SETSIGDEF | PosixSpawnFlags::POSIX_SPAWN_SETSIGMASK;
        flags.set(PosixSpawnFlags::POSIX_SPAWN_SETPGROUP, self.in_a_group);
        attributes.set_flags(flags)?;
        attributes.set_sigdefault(&SigSet::from(Signal::SIGPIPE))?;
        attributes.set_sigmask(&SigSet::empty())?;
        let mut actions = PosixSpawnFileActions::init()?;
        for (number, file) in (0..).zip(self.stdio) {
            if let Some(file) = file {
                actions.add_dup2(file.as_raw_fd(), number)?;
            }
        }
        let given = given(self.variables)?;
        let environment = environment(ours(), self.variables, &given);
        let pid = posix_spawnp(&name, &actions, &attributes, &argv, &environment)?;
        Ok(Pid::from_raw(pid.as_raw()).expect("a child has a number"))
    }
}

/// Does what of starting a program can be done before, for somebody who will have no time then.
pub fn prepare() {
    ours();
}

/// Our environment, as a program is given it.
fn ours() -> &'static [CString] {
    static OURS: OnceLock<Vec<CString>> = OnceLock::new();
    // The system had them from somebody as such texts: none has a NUL in it.
    OURS.get_or_init(|| std::env::vars_os().filter_map(|(name, value)| line(&name, &value).ok()).collect())
}

/// Those that are set.
fn given<V: AsRef<OsStr>>(variables: &[(&str, Option<V>)]) -> io::Result<Vec<CString>> {
    let set = variables.iter().filter_map(|(name, value)| Some((name, value.as_ref()?)));
    set.map(|(name, value)| line(name.as_ref(), value.as_ref())).collect()
}

/// Ours without those that are set or left out, and those that are set.
fn environment<'a, V>(
    ours: &'a [CString],
    variables: &[(&str, Option<V>)],
    given: &'a [CString],
) -> Vec<&'a CStr> {
    let is = |line: &CStr, name: &str| {
        let line = line.to_bytes();
        line.get(name.len()) == Some(&b'=') && line.starts_with(name.as_bytes())
    };
    let kept = ours.iter().filter(|line| !variables.iter().any(|(name, _)| is(line, name)));
    kept.chain(given).map(CString::as_c_str).collect()
}

fn line(name: &OsStr, value: &OsStr) -> io::Result<CString> {
    let mut line = Vec::with_capacity(name.len() + value.len() + 2);
    line.extend_from_slice(name.as_bytes());
    line.push(b'=');
    line.extend_from_slice(value.as_bytes());
    Ok(CString::new(line)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_are_set_replaced_and_left_out_and_a_nul_is_refused() {
        let (name, _) = std::env::vars_os().next().expect("tests have an environment");
        let name = name.to_str().unwrap();
        let lines = |value: Option<&str>| {
            let variables = [(name, value), ("NEW", Some("a=b"))];
            let (ours, given) = (ours(), given(&variables).unwrap());
            let environment = environment(ours, &variables, &given);
            // Nothing else is lost, nor are those that only begin alike.
            assert_eq!(environment.len(), ours.len() + usize::from(value.is_some()));
            let prefix = format!("{name}=");
            let lines = environment.into_iter().map(|line| line.to_str().unwrap().to_owned());
            lines.filter(|line| line.starts_with(&prefix) || line.starts_with("NEW=")).collect::<Vec<_>>()
        };
        assert_eq!(lines(Some("other")), [format!("{name}=other"), "NEW=a=b".to_owned()]);
        assert_eq!(lines(None), ["NEW=a=b"]);
        assert_eq!(given(&[("NEW", Some("a\0b"))]).unwrap_err().kind(), io::ErrorKind::InvalidInput);
    }

    #[test]
    fn what_is_not_there_or_no_program_is_an_error() {
        for (name, errno) in [("no-such-program", Errno::NOENT), ("/", Errno::ACCESS)] {
            let argv = [OsString::from(name)];
            let variables: &[(&str, Option<&str>)] = &[];
            let program = Program { argv: &argv, variables, stdio: [None; 3], in_a_group: false };
            let failed = program.start().unwrap_err();
            assert_eq!(failed.raw_os_error(), Some(errno.raw_os_error()), "{name}");
        }
    }
}
