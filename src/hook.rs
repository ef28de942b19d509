//! Hooks: programs that are told what has happened, one after the other, beside whatever else is done, each bounded
//! in time.
//!
//! What they are told, and which of them, is not known here. Nothing here holds a lock, and no descriptor that keeps
//! one reaches a hook: all are closed by exec but the one for a wrapped command, which is made under [`alone`].

use std::ffi::OsString;
use std::fs::File;
use std::io::{self, PipeWriter, Read as _, Write as _};
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::os::unix::process::ExitStatusExt as _;
use std::process::ExitStatus;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rustix::io::retry_on_intr;
use rustix::process::{Pid, Signal, WaitOptions, kill_process_group, waitpid};

use crate::clock;
use crate::ops::Interrupt;
use crate::poll::readable;
use crate::process;
use crate::spawn::Program;

/// How often to look where the end of a process is no event.
const TICK: Duration = Duration::from_millis(20);
/// How long a hook that was killed may take to be gone.
const LAST: Duration = Duration::from_secs(1);

/// A hook to run.
pub struct Job {
    /// Its key in the topology, for messages.
    pub key: &'static str,
    /// Program and arguments.
    pub argv: Vec<OsString>,
    /// What its environment has besides ours, or has not.
    pub variables: Vec<(&'static str, Option<OsString>)>,
    /// Its standard input.
    pub input: String,
    /// Where its standard output goes; `None`: that is dropped, and its standard error as well.
    pub output: Option<OwnedFd>,
    /// How long it may take.
    pub timeout: Duration,
}

/// Why a hook was of no use.
#[derive(Debug, thiserror::Error)]
pub enum Failed {
    /// It could not be started.
    #[error("cannot be started: {0}")]
    NotStarted(io::Error),
    /// It said so.
    #[error("failed with exit status {0}")]
    Status(i32),
    /// It died of a signal.
    #[error("died of signal {0}")]
    Signal(i32),
    /// It took too long.
    #[error("took longer than {0:?} and was killed")]
    TooLong(Duration),
}

static SPAWNING: Mutex<()> = Mutex::new(());

/// As long as this is kept no hook is started: for whoever has a descriptor open that exec does not close.
pub fn alone() -> MutexGuard<'static, ()> {
    SPAWNING.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Runs hooks in a thread of its own, in the order in which they are added.
pub struct Worker {
    jobs: Sender<Job>,
    /// A byte for each that has ended.
    ended: UnixStream,
    open: AtomicUsize,
}

impl Worker {
    /// One with nothing to do. `tell` is told, in its thread, of each hook that fails.
    ///
    /// # Errors
    /// When the system refuses a thread.
    pub fn start(tell: fn(&Job, &Failed)) -> io::Result<Worker> {
        let (jobs, queue) = mpsc::channel();
        let (ended, done) = UnixStream::pair()?;
        std::thread::Builder::new().spawn(move || work(&queue, done, tell))?;
        Ok(Worker { jobs, ended, open: AtomicUsize::new(0) })
    }

    /// Runs this one after those before it.
    pub fn add(&self, job: Job) {
        if self.jobs.send(job).is_ok() {
            self.open.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// How many have not ended yet.
    fn open(&self) -> usize {
        self.open.load(Ordering::Relaxed)
    }

    /// Waits until all have ended, for at most `bound`. The signal that cut it short, if one did.
    pub fn settle(&self, bound: Option<Duration>, interrupt: &mut dyn Interrupt) -> Option<i32> {
        let until = bound.map(|d| clock::since_boot().saturating_add(d));
        while self.open() > 0 {
            let left = until.map(|at| at.saturating_sub(clock::since_boot()));
            if left.is_some_and(|left| left.is_zero()) {
                return None;
            }
            let fds: Vec<BorrowedFd<'_>> = interrupt.fd().into_iter().chain([self.ended.as_fd()]).collect();
            let readable = readable(&fds, left);
            if readable.len() > 1
                && readable[0]
                && let Some(signal) = interrupt.take()
            {
                return Some(signal);
            }
            if readable.last() == Some(&true) {
                let mut bytes = [0; 64];
                // Nothing more to read: the thread is gone, and with it whatever it had to do.
                let count = (&self.ended).read(&mut bytes).ok().filter(|n| *n > 0);
                self.open.store(count.map_or(0, |n| self.open().saturating_sub(n)), Ordering::Relaxed);
            }
        }
        None
    }
}

fn work(queue: &Receiver<Job>, mut done: UnixStream, tell: fn(&Job, &Failed)) {
    for job in queue {
        if let Err(failed) = run(&job) {
            tell(&job, &failed);
        }
        if done.write_all(b"x").is_err() {
            return;
        }
    }
}

fn run(job: &Job) -> Result<(), Failed> {
    let (child, input) = spawn(job).map_err(Failed::NotStarted)?;
    feed(input, job.input.clone());
    match wait(child, job.timeout).map_err(Failed::NotStarted)? {
        Some(status) if status.success() => Ok(()),
        Some(status) => Err(match status.signal() {
            Some(signal) => Failed::Signal(signal),
            None => Failed::Status(status.code().unwrap_or(-1)),
        }),
        None => {
            // It has not been waited for, so the number of its group is still its own.
            let _ = kill_process_group(child, Signal::KILL);
            let _ = wait(child, LAST);
            Err(Failed::TooLong(job.timeout))
        }
    }
}

/// In a process group of its own, so that it can be ended with all it has started. And where it is told.
fn spawn(job: &Job) -> io::Result<(Pid, PipeWriter)> {
    let (its, ours) = io::pipe()?;
    let null = File::options().read(true).write(true).open("/dev/null")?;
    let output = job.output.as_ref().map(OwnedFd::as_fd);
    let error = output.is_none().then_some(null.as_fd());
    let stdio = [Some(its.as_fd()), output.or(error), error];
    let program = Program { argv: &job.argv, variables: &job.variables, stdio, in_a_group: true };
    let _alone = alone();
    Ok((program.start()?, ours))
}

/// A hook need not read what it is told, and a pipe takes only so much: that must stop nobody.
fn feed(mut stdin: PipeWriter, input: String) {
    let write = move || drop(stdin.write_all(input.as_bytes()));
    drop(std::thread::Builder::new().spawn(write));
}

/// How it ended; `None` where it has not ended in time.
fn wait(child: Pid, bound: Duration) -> io::Result<Option<ExitStatus>> {
    let until = clock::since_boot().saturating_add(bound);
    let end = process::watch(&process::child(process::number(child)));
    loop {
        if let Some((_, status)) = retry_on_intr(|| waitpid(Some(child), WaitOptions::NOHANG))? {
            return Ok(Some(ExitStatus::from_raw(status.as_raw())));
        }
        let left = until.saturating_sub(clock::since_boot());
        if left.is_zero() {
            return Ok(None);
        }
        let _ = match &end {
            Some(end) => readable(&[end.as_fd()], Some(left)),
            None => readable(&[], Some(left.min(TICK))),
        };
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;
    use crate::ops::Never;

    fn job(script: &str, output: Option<OwnedFd>, timeout: Duration) -> Job {
        let argv = ["sh", "-c", script].map(OsString::from).to_vec();
        Job { key: "on_wait", argv, variables: Vec::new(), input: "told\n".to_owned(), output, timeout }
    }

    fn worker() -> Worker {
        Worker::start(|_, _| {}).unwrap()
    }

    const LONG: Duration = Duration::from_secs(60);

    #[test]
    fn hooks_run_one_after_the_other_and_settling_waits_for_all() {
        let (mut read, write) = io::pipe().unwrap();
        let worker = worker();
        for script in ["sleep 0.05; cat", "echo second"] {
            worker.add(job(script, Some(write.try_clone().unwrap().into()), LONG));
        }
        assert_eq!(worker.settle(None, &mut Never), None);
        drop((worker, write));
        let mut text = String::new();
        read.read_to_string(&mut text).unwrap();
        assert_eq!(text, "told\nsecond\n");
    }

    #[test]
    fn settling_has_a_bound_and_nothing_to_settle_takes_no_time() {
        let worker = worker();
        assert_eq!(worker.settle(None, &mut Never), None);
        worker.add(job("exec sleep 1000", None, Duration::from_secs(3)));
        let began = clock::since_boot();
        assert_eq!(worker.settle(Some(Duration::from_millis(20)), &mut Never), None);
        assert!(worker.open() == 1, "it gave up: {:?}", clock::since_boot() - began);
        assert_eq!(worker.settle(None, &mut Never), None);
        assert_eq!(worker.open(), 0);
    }

    #[test]
    fn no_hook_starts_while_somebody_is_alone() {
        let worker = worker();
        let (mut read, write) = io::pipe().unwrap();
        let open = alone();
        // What a command would inherit.
        let inherited = rustix::io::fcntl_dupfd_cloexec(&write, 300).unwrap();
        rustix::io::fcntl_setfd(&inherited, rustix::io::FdFlags::empty()).unwrap();
        worker.add(job("ls /proc/self/fd", Some(write.try_clone().unwrap().into()), LONG));
        worker.settle(Some(Duration::from_millis(100)), &mut Never);
        assert_eq!(worker.open(), 1, "it waits");
        let number = std::os::fd::AsRawFd::as_raw_fd(&inherited).to_string();
        drop(inherited);
        drop(open);
        worker.settle(None, &mut Never);
        drop((worker, write));
        let mut listed = String::new();
        read.read_to_string(&mut listed).unwrap();
        assert!(!listed.is_empty() && listed.lines().all(|fd| fd != number), "{listed}");
    }

    #[test]
    fn how_a_hook_failed() {
        for (script, timeout, what) in [
            ("exit 3", LONG, "failed with exit status 3"),
            ("kill -TERM $$", LONG, "died of signal 15"),
            ("exec sleep 1000", Duration::from_millis(50), "took longer than 50ms and was killed"),
        ] {
            assert_eq!(run(&job(script, None, timeout)).unwrap_err().to_string(), what);
        }
        let none = Job { argv: vec!["no-such-program".into()], ..job("", None, LONG) };
        assert!(run(&none).unwrap_err().to_string().starts_with("cannot be started"));
        assert!(run(&job("true", None, LONG)).is_ok());
    }
}
