//! Starting a program by `posix_spawn`, which shares this process's memory until the program is there.
//!
//! The standard library's `Command` does so with some C libraries only, and sorts the whole environment first.

use std::ffi::{CString, OsStr, OsString};
use std::io;
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};

use nix::spawn::{PosixSpawnAttr, PosixSpawnFileActions, PosixSpawnFlags, posix_spawnp};
use nix::sys::signal::{SigSet, Signal};
use rustix::process::Pid;

/// Starts a program, looked for on the `PATH`, with our environment but for these variables. It has no signal blocked,
/// and `SIGPIPE`, which every Rust program ignores, as it is by default.
///
/// # Errors
/// When it is not there or cannot be executed, or a text has a NUL in it.
pub(super) fn spawn(
    program: &OsStr,
    arguments: &[OsString],
    variables: &[(&str, Option<String>)],
) -> io::Result<Pid> {
    let program = CString::new(program.as_bytes())?;
    let mut argv = Vec::with_capacity(arguments.len() + 1);
    argv.push(program.clone());
    for argument in arguments {
        argv.push(CString::new(argument.as_bytes())?);
    }
    let mut attributes = PosixSpawnAttr::init()?;
    attributes.set_flags(PosixSpawnFlags::POSIX_SPAWN_SETSIGDEF | PosixSpawnFlags::POSIX_SPAWN_SETSIGMASK)?;
    attributes.set_sigdefault(&SigSet::from(Signal::SIGPIPE))?;
    attributes.set_sigmask(&SigSet::empty())?;
    let pid = posix_spawnp(
        &program,
        &PosixSpawnFileActions::init()?,
        &attributes,
        &argv,
        &environment(variables)?,
    )?;
    Ok(Pid::from_raw(pid.as_raw()).expect("a child has a number"))
}

/// Ours, with these set or left out.
fn environment(variables: &[(&str, Option<String>)]) -> io::Result<Vec<CString>> {
    let ours = std::env::vars_os().filter(|(name, _)| variables.iter().all(|(n, _)| name != *n));
    let ours = ours.map(|(name, value)| line(name, &value));
    let given = variables.iter().filter_map(|(name, value)| Some((name, value.as_ref()?)));
    let given = given.map(|(name, value)| line(OsString::from(name), OsStr::new(value)));
    ours.chain(given).collect()
}

fn line(name: OsString, value: &OsStr) -> io::Result<CString> {
    let mut line = name.into_vec();
    line.reserve_exact(value.len() + 2);
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
            let environment = environment(&[(name, value.map(str::to_owned)), ("NEW", Some("a=b".into()))]);
            let prefix = format!("{name}=");
            let lines = environment.unwrap().into_iter().map(|line| line.into_string().unwrap());
            lines.filter(|line| line.starts_with(&prefix) || line.starts_with("NEW=")).collect::<Vec<_>>()
        };
        assert_eq!(lines(Some("other")), [format!("{name}=other"), "NEW=a=b".to_owned()]);
        assert_eq!(lines(None), ["NEW=a=b"]);
        assert_eq!(
            environment(&[("NEW", Some("a\0b".into()))]).unwrap_err().kind(),
            io::ErrorKind::InvalidInput
        );
    }

    #[test]
    fn what_is_not_there_or_no_program_is_an_error() {
        for (program, errno) in
            [("no-such-program", rustix::io::Errno::NOENT), ("/", rustix::io::Errno::ACCESS)]
        {
            let failed = spawn(OsStr::new(program), &[], &[]).unwrap_err();
            assert_eq!(failed.raw_os_error(), Some(errno.raw_os_error()), "{program}");
        }
    }
}
