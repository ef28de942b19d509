//! The wrapped command: started with the record's lock in its hands, told every signal once, waited for.

use std::ffi::OsString;
use std::io;
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};
use std::os::unix::process::ExitStatusExt as _;
use std::process::ExitStatus;
use std::time::Duration;

use rustix::io::retry_on_intr;
use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, WaitOptions, kill_process, waitid, waitpid};

use crate::clock;
use crate::deployment::{Id, Process, Stored};
use crate::ops;
use crate::poll::readable;
use crate::process;
use crate::signals::{Came, Signals};
use crate::spawn::Program;
use crate::store::{self, Deadline, HandedDown, Lease, Store, StoreError, Wake};

/// How long a command may run before its process is noted: until then its record says that it is being started, and
/// it is known by its environment.
const UNNOTED: Duration = Duration::from_millis(2);
/// How long a command may run before its record is watched: short ones are spared the watch.
const UNWATCHED: Duration = Duration::from_millis(100);
/// And where the hold has to be confirmed: there who holds hears by its watch who waits, and hands on sooner for that.
const UNHEARD: Duration = Duration::from_millis(20);
/// How often to look where a command's end is no event.
const TICK: Duration = Duration::from_millis(20);
/// And how often its record, where that tells of no change either.
const GLANCE: Duration = Duration::from_secs(1);
/// How long a command that was told to end may take before it is killed.
const GRACE: Duration = Duration::from_secs(10);

/// Who renews a time to live while a command runs, for the history.
pub const BY_ITS_RUN: &str = "its run";

/// How a command ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ended {
    /// Its own exit code, or 128 and the signal it died of.
    pub code: u8,
    /// It died of SIGINT that the terminal sent.
    pub interrupted: bool,
    /// Its locks were taken away while it ran.
    pub lost: bool,
    /// Somebody asked it to end.
    pub cancelled: bool,
}

/// What happens to a command whose locks were taken away.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum OnLost {
    /// It is ended.
    #[default]
    End,
    /// It goes on without them.
    Keep,
}

/// Why a command could not be started.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// There is none of that name.
    #[error("{0}: command not found; name a program that is on the PATH, or its path")]
    NotFound(String),
    /// It is there and cannot be executed.
    #[error("{0}: cannot be executed: {1}; is it a program, and marked executable (chmod +x)?")]
    NotExecutable(String, io::Error),
}

impl StartError {
    /// The program of this name could not be started.
    #[must_use]
    pub fn of(name: String, e: io::Error) -> Self {
        match e.kind() {
            io::ErrorKind::NotFound => StartError::NotFound(name),
            _ => StartError::NotExecutable(name, e),
        }
    }

    /// The exit code that shells use.
    #[must_use]
    pub fn code(&self) -> u8 {
        match self {
            StartError::NotFound(_) => 127,
            StartError::NotExecutable(..) => 126,
        }
    }
}

/// A command that runs, or has run. When this is dropped, nothing is left of one that has ended: till then it has its
/// number. To clear away what it was takes the system a while, which whoever waits for its locks need not wait for.
pub struct Running {
    pid: Pid,
    /// Readable when it has ended. `None` where that cannot be had.
    end: Option<OwnedFd>,
}

impl From<Pid> for Running {
    /// A child of ours that nobody else waits for.
    fn from(pid: Pid) -> Running {
        let end = process::watch(&Process { pid: process::number(pid), start: 0 });
        Running { pid, end }
    }
}

/// Starts a command. `held` is inherited: as long as any process of the command has it, the locks stay.
///
/// # Errors
/// When it cannot be started.
pub fn start(
    argv: &[OsString],
    variables: &[(&str, Option<String>)],
    held: Option<HandedDown<'_>>,
) -> Result<Running, StartError> {
    let child = Program { argv, variables, stdio: [None; 3], in_a_group: false }.start();
    // It may have to wait for the processor that we are on, and nothing that we do next is as urgent.
    std::thread::yield_now();
    // Nobody else is to inherit it.
    drop(held);
    let name = || argv[0].to_string_lossy().into_owned();
    let child = child.map_err(|e| StartError::of(name(), e))?;
    Ok(child.into())
}

/// What the deployment of a running command was found to be.
enum Record {
    /// And how often its time to live is to be renewed from now on.
    Held(Option<Duration>),
    /// And after how long it is to be killed.
    Cancelled(Option<Duration>),
    Lost,
}

/// How often a time to live is started again while a command runs.
#[must_use]
pub fn renewed_every(ttl: Duration) -> Duration {
    ttl / 3
}

/// Somebody to be told what happens to a running command.
pub trait Witness {
    /// It has not ended at once: its process.
    fn runs_on(&mut self, pid: u32);
    /// Its locks were taken away; it is being ended, or not.
    fn lost(&mut self, then: OnLost);
    /// Somebody asked it to end.
    fn cancelled(&mut self);
    /// Something did not work that the command is better not bothered with.
    fn warn(&mut self, error: &StoreError);
}

/// One that waits for a command's end.
pub struct Supervisor<'a> {
    /// Where its deployment is.
    pub store: &'a dyn Store,
    /// Its deployment.
    pub id: &'a Id,
    /// How often its time to live is renewed.
    pub renew: Option<Duration>,
    /// How late a change of another host may be noticed.
    pub retry: Duration,
    /// What happens when the locks are taken away.
    pub on_lost: OnLost,
    /// What keeps the deployment alive, where its hold has to be confirmed again and again.
    pub lease: Option<&'a dyn Lease>,
    /// Who is told.
    pub witness: &'a mut dyn Witness,
}

impl Running {
    /// Its number.
    #[must_use]
    pub fn pid(&self) -> u32 {
        process::number(self.pid)
    }

    /// What there is to wait for: its end, and signals for it.
    fn events<'a>(&'a self, signals: &'a Signals) -> [BorrowedFd<'a>; 2] {
        let signals = signals.readable();
        [signals, self.end.as_ref().map_or(signals, OwnedFd::as_fd)]
    }

    fn tell(&self, signal: i32) {
        if let Some(signal) = Signal::from_named_raw(signal) {
            // It has not been waited for, so the number is still its own.
            let _ = kill_process(self.pid, signal);
        }
    }

    /// How it ended, if it has. Nobody is to be told anything of it afterwards.
    fn ended(&mut self) -> io::Result<Option<ExitStatus>> {
        let mut status = self.status()?;
        if status.is_none() && self.has_been_told() {
            status = self.status()?;
            // Who traces it is told first, and lets go of it when he likes: till then it would wake us for nothing.
            self.end.take_if(|_| status.is_none());
        }
        Ok(status)
    }

    fn has_been_told(&self) -> bool {
        let end = self.end.as_ref().map(OwnedFd::as_fd);
        end.is_some_and(|end| readable(&[end], Some(Duration::ZERO)).contains(&true))
    }

    /// How it ended, if it has; it can be asked again.
    fn status(&self) -> io::Result<Option<ExitStatus>> {
        let options = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
        let ended = retry_on_intr(|| waitid(WaitId::Pid(self.pid), options))?;
        // As wait(2) puts it into one number.
        let raw =
            ended.map(|e| e.exit_status().map_or(e.terminating_signal().unwrap_or(0), |code| code << 8));
        Ok(raw.map(ExitStatus::from_raw))
    }

    /// The time until which to wait for its events at most.
    fn at_most(&self, until: Option<Duration>) -> Option<Duration> {
        if self.end.is_some() {
            return until;
        }
        let tick = clock::since_boot() + TICK;
        Some(until.map_or(tick, |at| at.min(tick)))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = retry_on_intr(|| waitpid(Some(self.pid), WaitOptions::NOHANG));
    }
}

impl Supervisor<'_> {
    /// Waits for the end, passing signals on, renewing the time to live, watching that the locks stay ours.
    ///
    /// # Errors
    /// When the child cannot be waited for.
    pub fn wait(mut self, running: &mut Running, signals: &mut Signals) -> io::Result<Ended> {
        let mut interrupted = false;
        // Most commands of a deployment's steps end before a note or a watch would have paid.
        if let Some(status) = wait_briefly(UNNOTED, running, signals, &mut interrupted)? {
            return Ok(ended(status, interrupted));
        }
        self.witness.runs_on(running.pid());
        let unwatched = if self.deadline().is_some() { UNHEARD } else { UNWATCHED };
        if let Some(status) = wait_briefly(unwatched, running, signals, &mut interrupted)? {
            return Ok(ended(status, interrupted));
        }
        ops::touch_memory();
        let mut sleeper = match self.store.sleeper(self.retry) {
            Ok(sleeper) => Some(sleeper),
            Err(e) => {
                self.witness.warn(&e);
                None
            }
        };
        let (mut ending, mut lost, mut asked, mut killed) = (None, false, false, false);
        let mut renewal = self.renew.map(|every| clock::since_boot() + every);
        // When to look without having been told, where every wait is cut short.
        let mut glance = Duration::ZERO;
        loop {
            let now = clock::since_boot();
            if !lost && now >= glance {
                glance = now + self.retry.min(GLANCE);
                let found = if self.lapsed() { Ok(Record::Lost) } else { self.look(sleeper.as_deref_mut()) };
                match found {
                    Ok(Record::Held(every)) if every == self.renew => {}
                    // Somebody gave it another time to live.
                    Ok(Record::Held(every)) => {
                        self.renew = every;
                        renewal = every.map(|every| clock::since_boot() + every);
                    }
                    Ok(Record::Cancelled(kill_after)) => {
                        if !asked {
                            self.witness.cancelled();
                            running.tell(signal_hook::consts::SIGTERM);
                        }
                        asked = true;
                        // Said again, and sooner: the sooner counts.
                        let at = kill_after.map(|after| clock::since_boot().saturating_add(after));
                        ending = [ending, at].into_iter().flatten().min().filter(|_| !killed);
                    }
                    Ok(Record::Lost) => {
                        lost = true;
                        renewal = None;
                        self.witness.lost(self.on_lost);
                        if self.on_lost == OnLost::End {
                            running.tell(signal_hook::consts::SIGTERM);
                            let grace = clock::since_boot() + GRACE;
                            ending = Some(self.deadline().map_or(grace, |d| grace.min(d.over)));
                        }
                    }
                    Err(e) => self.witness.warn(&e),
                }
            }
            let give_up = self.deadline().map(|d| d.give_up).filter(|_| !lost);
            let until = [ending, renewal, give_up].into_iter().flatten().min();
            let wake = sleep(sleeper.as_deref_mut(), running.at_most(until), &running.events(signals));
            let now = clock::since_boot();
            let ticked = wake == Wake::Time && running.end.is_none() && until.is_none_or(|at| now < at);
            if !ticked {
                glance = Duration::ZERO;
            }
            if let Some(status) = running.ended()? {
                let interrupted = interrupted || was_interrupted(status, signals);
                // Taking the watch down would delay the release, here or at a server: the end of the process does it
                // as well.
                std::mem::forget(sleeper);
                return Ok(Ended { lost, cancelled: asked, ..ended(status, interrupted) });
            }
            pass_on(running, signals.pending(), &mut interrupted);
            let now = clock::since_boot();
            if ending.is_some_and(|at| now >= at) {
                running.tell(signal_hook::consts::SIGKILL);
                (ending, killed) = (None, true);
            }
            if renewal.is_some_and(|at| now >= at) {
                renewal = self.renew.map(|every| now + every);
                if let Err(e) = ops::release::renew(self.store, self.id, None, BY_ITS_RUN).map(drop) {
                    self.witness.warn(&e);
                }
            }
        }
    }

    fn deadline(&self) -> Option<Deadline> {
        self.lease.and_then(Lease::deadline)
    }

    /// Not confirmed for so long that it may soon be another's.
    fn lapsed(&self) -> bool {
        self.deadline().is_some_and(|d| clock::since_boot() >= d.give_up)
    }

    fn look(&self, sleeper: Option<&mut (dyn store::Sleeper + '_)>) -> Result<Record, StoreError> {
        let mut sleeper = sleeper;
        let found = store::look(self.store, |txn| {
            if let Some(sleeper) = sleeper.as_deref_mut() {
                sleeper.arm(std::slice::from_ref(self.id), txn)?;
            }
            txn.find(self.id)
        })?;
        Ok(match found.flatten() {
            Some(Stored::Readable(state, d)) if state.holds() && d.cancelled => {
                Record::Cancelled(d.kill_after)
            }
            Some(stored) if stored.state().holds() => {
                Record::Held(stored.deployment().map_or(self.renew, |d| d.ttl.map(renewed_every)))
            }
            _ => Record::Lost,
        })
    }
}

/// Waits at most this long for the end.
fn wait_briefly(
    bound: Duration,
    running: &mut Running,
    signals: &mut Signals,
    interrupted: &mut bool,
) -> io::Result<Option<ExitStatus>> {
    let until = clock::since_boot() + bound;
    loop {
        let came = wait_for(&running.events(signals), running.at_most(Some(until)));
        if let Some(status) = running.ended()? {
            *interrupted |= was_interrupted(status, signals);
            return Ok(Some(status));
        }
        if came == Wake::Interrupt {
            pass_on(running, signals.pending(), interrupted);
        }
        if clock::since_boot() >= until {
            return Ok(None);
        }
    }
}

fn sleep(
    sleeper: Option<&mut (dyn store::Sleeper + '_)>,
    until: Option<Duration>,
    events: &[BorrowedFd<'_>],
) -> Wake {
    match sleeper.map(|s| s.sleep(until, events)) {
        Some(Ok(wake)) => wake,
        Some(Err(_)) | None => wait_for(events, until),
    }
}

fn wait_for(events: &[BorrowedFd<'_>], until: Option<Duration>) -> Wake {
    let left = until.map(|at| at.saturating_sub(clock::since_boot()));
    if readable(events, left).contains(&true) { Wake::Interrupt } else { Wake::Time }
}

/// The terminal's Ctrl-C, of which the command has died before we came to it.
fn was_interrupted(status: ExitStatus, signals: &mut Signals) -> bool {
    let died_of_it = status.signal() == Some(signal_hook::consts::SIGINT);
    died_of_it && signals.pending().into_iter().any(Came::is_interrupt)
}

fn pass_on(running: &Running, came: Vec<Came>, interrupted: &mut bool) {
    for came in came {
        *interrupted |= came.is_interrupt();
        // The terminal has told the whole foreground group, the command included.
        if !came.from_terminal {
            running.tell(came.signal);
        }
    }
}

fn ended(status: ExitStatus, interrupted: bool) -> Ended {
    let signal = status.signal();
    let code = status.code().or(signal.map(|s| 128 + s)).unwrap_or(1);
    let died_of_it = interrupted && signal == Some(signal_hook::consts::SIGINT);
    Ended { code: code as u8, interrupted: died_of_it, lost: false, cancelled: false }
}
