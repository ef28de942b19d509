//! What the kernel says of processes: who we are, where we run, whether another still exists.
//!
//! Evidence only; what follows from it is judged in `liveness`.

use std::borrow::Cow;
use std::fs;
use std::io::{self, ErrorKind};
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};
use std::path::PathBuf;
use std::sync::OnceLock;
use std::time::Duration;

use rustix::fs::{CWD, Mode, OFlags, open, readlinkat_raw};
use rustix::io::{Errno, retry_on_intr};

use crate::deployment::{Id, Place, Process};
use crate::poll;

/// What the environment of a hook has, and that of a wrapped command has not.
pub const HOOK_VARIABLE: &str = "DEPLOYLOCK_EVENT";

/// Whether a process exists.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Presence {
    /// It does.
    Exists,
    /// It does not any more.
    Gone,
    /// That cannot be seen from here.
    Unknown,
}

/// Where this process runs. Read once.
pub fn here() -> &'static Place {
    &seen().0
}

/// Why that is not known: where this is so nobody may be judged, for of another boot or pid namespace it is the
/// living who seem dead. What a system does not have at all is no reason.
pub fn doubt() -> Option<(PathBuf, io::Error)> {
    let (path, errno) = seen().1.as_ref()?;
    Some((path.into(), (*errno).into()))
}

/// What could not be read, and why.
type Doubt = (String, rustix::io::Errno);

fn seen() -> &'static (Place, Option<Doubt>) {
    static SEEN: OnceLock<(Place, Option<Doubt>)> = OnceLock::new();
    SEEN.get_or_init(|| {
        let mut doubt = None;
        let place = Place {
            host: rustix::system::uname().nodename().to_string_lossy().into_owned(),
            boot: known(BOOT_ID, boot_id(), &mut doubt),
            pid_ns: namespace("/proc/self/ns/pid", &mut doubt),
            time_ns: namespace("/proc/self/ns/time", &mut doubt),
            device: 0,
        };
        (place, doubt)
    })
}

fn known<T: Default>(path: &str, read: io::Result<T>, doubt: &mut Option<Doubt>) -> T {
    read.unwrap_or_else(|e| {
        if e.kind() != ErrorKind::NotFound {
            let errno = Errno::from_io_error(&e).unwrap_or(Errno::IO);
            *doubt = Some((path.to_owned(), errno));
        }
        T::default()
    })
}

const BOOT_ID: &str = "/proc/sys/kernel/random/boot_id";

fn boot_id() -> io::Result<String> {
    let mut bytes = [0; 64];
    Ok(String::from_utf8_lossy(read_once(BOOT_ID, &mut bytes)?).trim().to_owned())
}

/// As much of a file as there is room for, in one read: one of the kernel's says its length to nobody.
fn read_once<'a>(path: &str, bytes: &'a mut [u8]) -> io::Result<&'a [u8]> {
    let file = retry_on_intr(|| open(path, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty()))?;
    let length = retry_on_intr(|| rustix::io::read(&file, &mut *bytes))?;
    Ok(&bytes[..length])
}

fn namespace(path: &str, doubt: &mut Option<Doubt>) -> u64 {
    let mut bytes = [0; 64];
    let read = readlinkat_raw(CWD, path, &mut bytes).map_err(io::Error::from);
    let text = std::str::from_utf8(&bytes[..known(path, read, doubt)]).unwrap_or_default();
    let digits = text.split_once('[').and_then(|(_, rest)| rest.strip_suffix(']'));
    digits.and_then(|d| d.parse().ok()).unwrap_or(0)
}

/// This process, and the signals that its parent told it to ignore (bit 0 is signal 1); where those are not known,
/// `SIGCHLD`, which would cost the most.
pub fn myself() -> &'static (Process, u64) {
    static MYSELF: OnceLock<(Process, u64)> = OnceLock::new();
    MYSELF.get_or_init(|| {
        let stat = Stat::read("self");
        let start = stat.as_ref().map_or(0, |s| s.start);
        let ignored = stat.map_or(1 << (rustix::process::Signal::CHILD.as_raw() - 1), |s| s.ignored);
        (Process { pid: std::process::id(), start }, ignored)
    })
}

/// The number of a process.
#[must_use]
pub fn number(pid: rustix::process::Pid) -> u32 {
    pid.as_raw_nonzero().get().unsigned_abs()
}

/// A child that has not been waited for, so that its number is its own.
#[must_use]
pub fn child(pid: u32) -> Process {
    Process { pid, start: Stat::read(&pid.to_string()).map_or(0, |s| s.start) }
}

/// The process with this number as it is now.
#[must_use]
pub fn by_pid(pid: u32) -> Option<Process> {
    if presence(&Process { pid, start: 0 }) == Presence::Gone {
        return None;
    }
    Some(child(pid))
}

/// What of `/proc/PID/stat` matters here; proc_pid_stat(5).
#[derive(Debug, PartialEq, Eq)]
struct Stat {
    state: u8,
    threads: u64,
    start: u64,
    ignored: u64,
    flags: u64,
    memory: u64,
}

/// Of a process's flags: it is the kernel's own.
const OF_THE_KERNEL: u64 = 0x0020_0000;

impl Stat {
    fn read(pid: &str) -> Option<Stat> {
        // All of it: the name is short, and so are the numbers.
        let mut bytes = [0; 1024];
        Stat::parse(read_once(&format!("/proc/{pid}/stat"), &mut bytes).ok()?)
    }

    /// The command's name may hold anything, so fields are counted after the last `)`.
    fn parse(bytes: &[u8]) -> Option<Stat> {
        let name = bytes.iter().rposition(|b| *b == b')')?;
        let mut fields = std::str::from_utf8(&bytes[name + 1..]).ok()?.split_ascii_whitespace().zip(3..);
        let mut field = |number| fields.find(|(_, n)| *n == number).map(|(text, _)| text);
        Some(Stat {
            state: *field(3)?.as_bytes().first()?,
            flags: field(9)?.parse().ok()?,
            threads: field(20)?.parse().ok()?,
            start: field(22)?.parse().ok()?,
            memory: field(23)?.parse().ok()?,
            ignored: field(33)?.parse().ok()?,
        })
    }

    /// It is ending, or dead.
    fn has_lost_its_memory(&self) -> bool {
        self.memory == 0 && self.flags & OF_THE_KERNEL == 0
    }

    /// A leader that called `pthread_exit` is in state Z while its other threads live. One that only exits (`PF_EXITING`)
    /// may still have files and ports open, its advisory locks among them, which go in no order.
    fn is_dead(&self) -> bool {
        matches!(self.state, b'Z' | b'X') && self.threads <= 1
    }
}

/// Whether this very process still exists, by number and start time. Only of use in its own pid namespace.
#[must_use]
pub fn presence(process: &Process) -> Presence {
    presence_after(process, Duration::ZERO)
}

/// The same, of one that may be about to end, which is waited for; for this long at most.
#[must_use]
pub fn presence_after(process: &Process, bound: Duration) -> Presence {
    let Some(pid) = i32::try_from(process.pid).ok().and_then(rustix::process::Pid::from_raw) else {
        return Presence::Unknown;
    };
    match exists(pid, bound) {
        Presence::Exists => {}
        other => return other,
    }
    let Some(stat) = Stat::read(&process.pid.to_string()) else {
        return Presence::Exists;
    };
    let another = process.start != 0 && stat.start != 0 && process.start != stat.start;
    if another || stat.is_dead() { Presence::Gone } else { Presence::Exists }
}

/// Something to poll: readable when the process has ended. `None` where there is nothing to wait for.
#[cfg(target_os = "linux")]
#[must_use]
pub fn watch(process: &Process) -> Option<OwnedFd> {
    let pid = i32::try_from(process.pid).ok().and_then(rustix::process::Pid::from_raw)?;
    rustix::process::pidfd_open(pid, rustix::process::PidfdFlags::empty()).ok()
}

/// There is nothing to poll here.
#[cfg(not(target_os = "linux"))]
#[must_use]
pub fn watch(_process: &Process) -> Option<OwnedFd> {
    None
}

/// Which of those that are [watched](watch) by these have ended, waiting at most for so long until one has.
#[must_use]
pub fn ended(watched: &[BorrowedFd<'_>], bound: Duration) -> Vec<bool> {
    poll::readable(watched, Some(bound))
}

#[cfg(target_os = "linux")]
fn exists(pid: rustix::process::Pid, bound: Duration) -> Presence {
    match rustix::process::pidfd_open(pid, rustix::process::PidfdFlags::empty()) {
        Ok(fd) => {
            let ended = ended(&[fd.as_fd()], bound).contains(&true);
            if ended { Presence::Gone } else { Presence::Exists }
        }
        // A number that now belongs to a thread is no process either.
        Err(Errno::SRCH | Errno::INVAL | Errno::NOENT) => Presence::Gone,
        Err(Errno::NOSYS | Errno::PERM) => signalable(pid),
        Err(_) => Presence::Unknown,
    }
}

#[cfg(not(target_os = "linux"))]
fn exists(pid: rustix::process::Pid, _bound: Duration) -> Presence {
    signalable(pid)
}

fn signalable(pid: rustix::process::Pid) -> Presence {
    match rustix::process::test_kill_process(pid) {
        Ok(()) | Err(Errno::PERM) => Presence::Exists,
        Err(Errno::SRCH) => Presence::Gone,
        Err(_) => Presence::Unknown,
    }
}

/// Whether any process was started for this deployment, by the variable in its environment. For the moment
/// between a command's start and the note of its number, if the wrapper was killed in it.
///
/// A process whose environment cannot be read, for whatever reason, counts as one if it might be: it started no
/// earlier than `since` (clock ticks since boot).
#[must_use]
pub fn any_carries(id: &Id, since: u64) -> Presence {
    let Ok(pids) = numbers_in("/proc") else {
        return Presence::Unknown;
    };
    if fs::metadata("/proc/1").is_err() {
        return Presence::Unknown; // mounted so that others' processes are hidden
    }
    let wanted = format!("DEPLOYLOCK_ID={id}");
    let mut answer = Presence::Gone;
    for pid in pids {
        let may_be = match fs::read(format!("/proc/{pid}/environ")) {
            Ok(all) if is_command_of(&wanted, &all) => return Presence::Exists,
            Ok(all) => all.is_empty() && is_ending(pid, since),
            Err(e) if e.kind() == ErrorKind::NotFound => false,
            Err(e) if Errno::from_io_error(&e) == Some(Errno::SRCH) => is_ending(pid, since),
            Err(_) => !is_older(pid, since) && !is_gone(pid),
        };
        if may_be {
            answer = Presence::Unknown;
        }
    }
    answer
}

/// How long to wait for a process that is about to end.
const ENDING: Duration = Duration::from_millis(50);

/// Its memory is gone, and what is not told by that any more, but not all that it has open. As that does not take long, it
/// is waited for.
fn is_ending(pid: u32, since: u64) -> bool {
    let ending = || {
        let stat = Stat::read(&pid.to_string());
        stat.is_some_and(|stat| stat.has_lost_its_memory() && stat.start >= since && !stat.is_dead())
    };
    if !ending() {
        return false;
    }
    if let Some(end) = watch(&Process { pid, start: 0 }) {
        let _ = ended(&[end.as_fd()], ENDING);
    }
    ending()
}

fn is_older(pid: u32, since: u64) -> bool {
    Stat::read(&pid.to_string()).is_some_and(|stat| stat.start < since)
}

fn is_gone(pid: u32) -> bool {
    fs::metadata(format!("/proc/{pid}")).is_err_and(|e| e.kind() == ErrorKind::NotFound)
}

/// The names in a folder that are numbers: all of them, or an error.
fn numbers_in(path: &str) -> rustix::io::Result<Vec<u32>> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let mut numbers = Vec::new();
    for entry in rustix::fs::Dir::new(open(path, flags, Mode::empty())?)? {
        numbers.extend(entry?.file_name().to_str().ok().and_then(|name| name.parse::<u32>().ok()));
    }
    Ok(numbers)
}

/// Whether an environment has this variable, and is not that of a hook: a hook holds nothing.
fn is_command_of(wanted: &str, environment: &[u8]) -> bool {
    let variables = || environment.split(|b| *b == 0);
    let hook = format!("{HOOK_VARIABLE}=");
    variables().any(|v| v == wanted.as_bytes()) && !variables().any(|v| v.starts_with(hook.as_bytes()))
}

/// A process that has a file of this path open, as far as we may look.
#[must_use]
pub fn with_open(path: &std::path::Path) -> Option<u32> {
    let path = fs::canonicalize(path).ok()?;
    let holds = |pid: &u32| {
        let folder = format!("/proc/{pid}/fd");
        let open = numbers_in(&folder).unwrap_or_default();
        open.iter().any(|fd| fs::read_link(format!("{folder}/{fd}")).is_ok_and(|l| l == path))
    };
    numbers_in("/proc").ok()?.into_iter().filter(|pid| *pid != std::process::id()).find(holds)
}

/// `user@host`: who does what this process does.
#[must_use]
pub fn who() -> String {
    static WHO: OnceLock<String> = OnceLock::new();
    WHO.get_or_init(|| format!("{}@{}", user(), here().host)).clone()
}

/// Who this user is, for people: `$USER`, else the name in `/etc/passwd`, else the number.
#[must_use]
pub fn user() -> String {
    let named = ["USER", "LOGNAME"].into_iter().find_map(|v| std::env::var(v).ok().filter(|v| !v.is_empty()));
    named.or_else(|| in_passwd(0)).unwrap_or_else(|| rustix::process::getuid().as_raw().to_string())
}

/// This user's home folder: `$HOME`, else what `/etc/passwd` says (a service of the system may have no `$HOME`).
#[must_use]
pub fn home() -> Option<PathBuf> {
    let named = std::env::var_os("HOME").filter(|home| !home.is_empty()).map(PathBuf::from);
    named.or_else(|| in_passwd(5).map(PathBuf::from))
}

const PASSWD: &str = "/etc/passwd";

/// This user's field of `/etc/passwd`, where there is one and it says something.
fn in_passwd(field: usize) -> Option<String> {
    let uid = rustix::process::getuid().as_raw().to_string();
    let mut bytes = [0; 2048];
    let first = read_once(PASSWD, &mut bytes).ok()?;
    let passwd = match first.len() < 2048 {
        // A read that is shorter than the room for it was the whole file.
        true => Cow::Borrowed(std::str::from_utf8(first).ok()?),
        false => Cow::Owned(fs::read_to_string(PASSWD).ok()?),
    };
    let own = passwd.lines().find(|line| line.split(':').nth(2) == Some(&uid))?;
    own.split(':').nth(field).filter(|text| !text.is_empty()).map(str::to_owned)
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn fields_are_counted_after_the_last_parenthesis() {
        let mut fields = vec!["0"; 50];
        fields[0] = "S";
        fields[17] = "3"; // threads, field 20
        fields[6] = "2097216"; // flags, field 9
        fields[19] = "777"; // start, field 22
        fields[20] = "8192"; // memory, field 23
        fields[30] = "4096"; // ignored, field 33
        let text = format!("12 (a) b (c)) {}", fields.join(" "));
        let stat = Stat::parse(text.as_bytes()).unwrap();
        let told = Stat { state: b'S', threads: 3, start: 777, ignored: 4096, flags: 2097216, memory: 8192 };
        assert_eq!(stat, told);
        assert_eq!(Stat::parse(b"12 (no end"), None);
    }

    #[test]
    fn a_zombie_leader_with_threads_is_not_dead() {
        let stat = |threads| Stat { state: b'Z', threads, start: 1, ignored: 0, flags: 0, memory: 0 };
        assert!(stat(1).is_dead());
        assert!(!stat(2).is_dead());
    }

    #[test]
    fn a_hook_is_not_the_command_of_its_deployment() {
        let wanted = "DEPLOYLOCK_ID=1-abcdef";
        assert!(is_command_of(wanted, b"A=b\0DEPLOYLOCK_ID=1-abcdef\0"));
        assert!(!is_command_of(wanted, b"DEPLOYLOCK_ID=1-abcdef\0DEPLOYLOCK_EVENT=grant\0"));
        assert!(!is_command_of(wanted, b"DEPLOYLOCK_ID=1-abcdefg\0"));
    }

    #[test]
    fn we_exist_and_a_reused_number_is_somebody_else() {
        let me = myself().0.clone();
        assert_eq!(presence(&me), Presence::Exists);
        assert_eq!(presence(&Process { pid: me.pid, start: me.start + 1 }), Presence::Gone);
        assert_eq!(by_pid(me.pid), Some(me));
    }

    #[test]
    fn one_that_is_about_to_end_is_waited_for() {
        let mut child =
            std::process::Command::new("cat").stdin(std::process::Stdio::piped()).spawn().unwrap();
        let process = self::child(child.id());
        assert_eq!(presence_after(&process, Duration::from_millis(1)), Presence::Exists);
        drop(child.stdin.take());
        assert_eq!(presence_after(&process, Duration::from_secs(60)), Presence::Gone);
        child.wait().unwrap();
    }

    #[test]
    fn a_child_that_was_killed_is_gone_before_it_is_reaped() {
        let mut child = std::process::Command::new("sleep").arg("1000").spawn().unwrap();
        let process = by_pid(child.id()).unwrap();
        assert_eq!(presence(&process), Presence::Exists);
        let fd = watch(&process).unwrap();
        child.kill().unwrap();
        let mut fds = [rustix::event::PollFd::new(&fd, rustix::event::PollFlags::IN)];
        rustix::event::poll(&mut fds, None).unwrap();
        assert_eq!(presence(&process), Presence::Gone);
        child.wait().unwrap();
    }
}
