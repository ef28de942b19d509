//! The store as everything above it sees it: run one decision atomically; sleep until it is worth looking again.
//!
//! What a decision decides is not known here (see `engine`, `ops`), nor is anything printed.

#[cfg(feature = "etcd")]
pub mod etcd;
pub mod files;
pub mod memory;

use std::os::fd::{AsFd, BorrowedFd};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use rustix::io::{FdFlags, fcntl_setfd};

use crate::clock::Now;
use crate::deployment::{Deployment, Happening, Id, State, Stored, Verdict};
use crate::engine::View;
use crate::model::{LockName, LockRequest};

/// Why a store could not do what was asked. Nothing is half done: the decision took place whole or not at all.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The system said no.
    #[error("cannot {what} {}: {source}{}", path.display(), hint(source))]
    Io {
        /// What was tried, as a verb.
        what: &'static str,
        /// On what.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// Advisory locks do not exclude there.
    #[error(
        "advisory locks do not work on the file system of {}: two processes got the same exclusive lock. \
         Choose a lock directory on a local file system (--lock-dir)", .0.display()
    )]
    NoLocking(PathBuf),
    /// What boot and namespaces these are cannot be read: nobody can be told dead from alive.
    #[error(
        "cannot tell who lives: {} cannot be read: {source}. Nothing was changed; try again, and if it stays so, see \
         that /proc is mounted and may be read", path.display()
    )]
    Blind {
        /// Which file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// Somebody has been inside a decision for too long.
    #[error("the store in {} is busy for {waited:?}: {holder}", path.display())]
    Busy {
        /// The lock directory.
        path: PathBuf,
        /// How long was waited.
        waited: Duration,
        /// Who is inside, and what to do.
        holder: String,
    },
    /// The lock directory was removed while it was in use.
    #[error(
        "the lock directory {} was removed while it was in use: what was held or waited for there is lost. \
         Start again", .0.display()
    )]
    Removed(PathBuf),
    /// Something lies where a file of the store belongs and is none.
    #[error("{} is {what}, not a file that deploylock wrote; remove it, or choose another lock directory (--lock-dir)", path.display())]
    Foreign {
        /// Where.
        path: PathBuf,
        /// What it is.
        what: &'static str,
    },
    /// A record cannot be read where reading it is needed.
    #[error("the record {path} cannot be read: {why}. Look at it; `deploylock clear {id}` removes it")]
    Unreadable {
        /// Of which deployment.
        id: Id,
        /// Where.
        path: String,
        /// What is wrong.
        why: String,
    },
    /// A record cannot be read, and neither do the lock files say any more which locks it holds.
    #[error(
        "the record {path} cannot be read: {why}; and the lines that said which locks it holds are lost, so nothing \
         new is granted until it is cleared. Look at it; `deploylock clear {id}` removes it"
    )]
    Forgotten {
        /// Of which deployment.
        id: Id,
        /// Where.
        path: String,
        /// What is wrong.
        why: String,
    },
    /// What was to be taken over was released or cleared meanwhile.
    #[error("{0} is gone: it was released or cleared meanwhile")]
    Gone(Id),
    /// Another version's store.
    #[error("{} was written by a newer deploylock (format {format}); upgrade this one, or choose another lock directory (--lock-dir)", path.display())]
    TooNew {
        /// Where.
        path: PathBuf,
        /// The format it says.
        format: u64,
    },
    /// A store that is a server does not answer.
    #[error(
        "{store} cannot be reached for {waited:?}: {why}. What is held stays held; see whether a majority of its \
         members runs (deploylock check)"
    )]
    Unreachable {
        /// Which store.
        store: String,
        /// How long it was tried.
        waited: Duration,
        /// What came of the last try.
        why: String,
    },
    /// A store that is a server says no.
    #[error("{store}: {why}")]
    Refused {
        /// Which store.
        store: String,
        /// In its words, and what to do.
        why: String,
    },
    /// The hold could not be confirmed for so long that it may be another's by now.
    #[error("{0} could not be kept alive in time, so its locks may be another's by now; nothing was started")]
    Lapsed(Id),
}

fn hint(source: &std::io::Error) -> &'static str {
    match source.kind() {
        std::io::ErrorKind::PermissionDenied => {
            " (ask for access to the lock directory, or choose another with --lock-dir)"
        }
        std::io::ErrorKind::NotADirectory => " (name a folder with --lock-dir)",
        std::io::ErrorKind::StorageFull => " (free some space; what is held stays held)",
        _ => "",
    }
}

/// A result of the store.
pub type Result<T> = std::result::Result<T, StoreError>;

/// Until when a hold that has to be confirmed again and again is sure, by the boot clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Deadline {
    /// Not confirmed until then, it must be given up.
    pub give_up: Duration,
    /// And what runs under it must have ended.
    pub over: Duration,
}

/// A descriptor that whatever is started inherits, as long as this is kept.
pub struct HandedDown<'a>(BorrowedFd<'a>);

impl<'a> HandedDown<'a> {
    /// Lets it be inherited.
    ///
    /// # Errors
    /// When the system refuses.
    pub fn new(fd: BorrowedFd<'a>) -> std::io::Result<Self> {
        fcntl_setfd(fd, FdFlags::empty())?;
        Ok(HandedDown(fd))
    }
}

impl AsFd for HandedDown<'_> {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0
    }
}

impl Drop for HandedDown<'_> {
    fn drop(&mut self) {
        // Of a descriptor that is open this does not fail.
        let _ = fcntl_setfd(self.0, FdFlags::CLOEXEC);
    }
}

/// What keeps an attached or waiting deployment alive; dropped, it is dead.
pub trait Lease: Send {
    /// The deployment.
    fn id(&self) -> &Id;
    /// What the command inherits that is started while this is kept, so that the locks stay as long as any of its
    /// processes lives; `None` where there is nothing to inherit.
    ///
    /// # Errors
    /// When it cannot be inherited.
    fn hand_down(&self) -> Result<Option<HandedDown<'_>>>;
    /// The command has been started: what can be done beside it may begin.
    fn command_started(&self) {}
    /// Until when the hold is sure; later with each confirmation. `None`: as long as the process lives.
    fn deadline(&self) -> Option<Deadline> {
        None
    }
}

/// One decision in progress: a consistent view, and the steps that change it. Each step is atomic; a crash
/// between two of them leaves either the state before or the state after, as the files store's notes say.
pub trait Txn: View<Error = StoreError> {
    /// The time of this decision.
    fn now(&self) -> Now;
    /// A number larger than any before, for ids, places in the order of arrival and tokens.
    ///
    /// # Errors
    /// When it cannot be made to last.
    fn next_number(&mut self) -> Result<u64>;
    /// The decision will be about these locks, and perhaps no more: what a store may read first.
    ///
    /// # Errors
    /// When the store cannot be looked at.
    fn about(&mut self, _locks: &[LockRequest]) -> Result<()> {
        Ok(())
    }
    /// The deployment with this id.
    ///
    /// # Errors
    /// When the store cannot be looked at. An unreadable record is no error but an answer.
    fn find(&mut self, id: &Id) -> Result<Option<Stored>>;
    /// Every deployment.
    ///
    /// # Errors
    /// As [`Txn::find`].
    fn all(&mut self) -> Result<Vec<Stored>>;
    /// What the evidence says of a deployment's life.
    ///
    /// # Errors
    /// When the evidence cannot be gathered.
    fn verdict(&mut self, stored: &Stored) -> Result<Verdict>;
    /// Enters a deployment whose process is the caller: its lines, then its record. `under` names, lock by
    /// lock, the ancestor whose hold counts.
    ///
    /// # Errors
    /// When it cannot be written; then it is not there.
    fn enter(
        &mut self,
        deployment: &Deployment,
        state: State,
        under: &[(LockName, Id)],
    ) -> Result<Box<dyn Lease>>;
    /// Lets a waiting deployment hold.
    ///
    /// # Errors
    /// When it cannot be written; then it still waits.
    fn grant(&mut self, id: &Id, token: u64) -> Result<()>;
    /// Moves an attached deployment to [`State::Detached`], or a waiting one to [`State::Paused`], with what
    /// `deployment` says now, so that it outlasts its process and a power failure.
    ///
    /// # Errors
    /// When that cannot be promised.
    fn settle_down(&mut self, deployment: &Deployment, to: State) -> Result<()>;
    /// Lets a deployment that holds and that no process keeps alive go on under the calling process, as
    /// `deployment` says from now on: a failed one, or one that crashed and was kept.
    ///
    /// # Errors
    /// When it cannot be written; then it holds as before. Also where it is not there.
    fn take_over(&mut self, deployment: &Deployment) -> Result<Box<dyn Lease>>;
    /// Takes a deployment away: its locks are free with this step. What it was; `None` where it was not there.
    ///
    /// # Errors
    /// When it cannot be removed; then it is still there.
    fn remove(&mut self, id: &Id) -> Result<Option<Stored>>;
    /// Takes away the paused record of one that was entered again under its old id, and has come to hold for good.
    ///
    /// # Errors
    /// When it cannot be removed.
    fn remove_paused(&mut self, id: &Id) -> Result<()>;
    /// Whether anybody may wait for one of these: if not, there is nobody to hand them on to.
    fn awaited(&mut self, _locks: &[LockName]) -> bool {
        true
    }
    /// Writes the fields of a deployment that may change while it lives: token, command, times, marks.
    ///
    /// # Errors
    /// When it cannot be written.
    fn amend(&mut self, deployment: &Deployment) -> Result<()>;
    /// The locks at whose queues `id` stands: for a record that cannot say it itself.
    ///
    /// # Errors
    /// When the queues cannot be looked at.
    fn locks_naming(&mut self, id: &Id) -> Result<Vec<LockName>>;
    /// Makes what the record of `id` says survive a power failure.
    ///
    /// # Errors
    /// When that cannot be promised.
    fn make_durable(&mut self, id: &Id) -> Result<()>;
    /// Adds a line to the history, at the latest when the decision is over.
    fn log(&mut self, line: &str);
    /// Adds to the history now what was [logged](Txn::log).
    ///
    /// # Errors
    /// When it cannot be written. Nobody else is told of that.
    fn write_history(&mut self) -> Result<()> {
        Ok(())
    }
    /// The lines of a lock's ledger, oldest first; the last may be torn.
    ///
    /// # Errors
    /// When it cannot be read.
    fn ledger(&mut self, lock: &LockName) -> Result<Vec<String>>;
    /// Adds a line to a lock's ledger, so that it outlasts a power failure from here on.
    ///
    /// # Errors
    /// When that cannot be promised.
    fn note(&mut self, lock: &LockName, line: &str) -> Result<()>;
    /// Every lock that has a ledger.
    ///
    /// # Errors
    /// When they cannot be listed.
    fn ledgers(&mut self) -> Result<Vec<LockName>>;
    /// Takes away what locks that nobody holds or awaits any more have left behind.
    ///
    /// # Errors
    /// When it cannot be removed.
    fn tidy(&mut self) -> Result<()> {
        Ok(())
    }
    /// Looks at everything afresh from here on.
    fn forget(&mut self);
    /// Whether somebody wants to be told what happens: only then is it worth collecting.
    fn is_heard(&self) -> bool {
        false
    }
    /// Keeps something for the [`Listener`], who hears it when the decision is over and the store is everybody's again.
    fn tell(&mut self, _happening: Happening) {}
}

/// Somebody who is told what the decisions of this process brought about, each time after one is over: others may
/// decide meanwhile, and nothing that is done now changes it any more.
pub trait Listener: Send + Sync {
    /// What one decision brought about, in order; never nothing.
    fn hear(&self, happenings: Vec<Happening>);
}

/// What ended a sleep.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wake {
    /// Something changed, or may have.
    Look,
    /// Somebody who is watched has ended, or may have; nothing was done to the record of the one that sleeps.
    End,
    /// The time is over.
    Time,
    /// An interrupting descriptor became readable.
    Interrupt,
}

/// Something to sleep on. Armed inside a decision, right after the evaluation it is armed for.
pub trait Sleeper {
    /// Watches these deployments from now on, and these only.
    ///
    /// # Errors
    /// When watching is impossible for another reason than that events are not to be had.
    fn arm(&mut self, ids: &[Id], txn: &mut dyn Txn) -> Result<()>;
    /// Watches for any deployment that comes, goes or changes its state.
    ///
    /// # Errors
    /// As [`Sleeper::arm`].
    fn arm_all(&mut self) -> Result<()>;
    /// From now on only what may be the end of somebody after the first of those that are watched is worth a look, not
    /// that it is granted: for one whose place in the queue nobody wants to know.
    fn only_ends(&mut self) {}
    /// What takes the system a while to take down (an inotify instance: some milliseconds), for the caller to drop
    /// when there is time. It sleeps no more afterwards.
    fn leftovers(&mut self) -> Option<Box<dyn std::any::Any + Send>> {
        None
    }
    /// Sleeps until something watched changes, `until` (by the boot clock) has come, or one of `interrupts` can be read.
    ///
    /// # Errors
    /// When sleeping fails.
    fn sleep(&mut self, until: Option<Duration>, interrupts: &[BorrowedFd<'_>]) -> Result<Wake>;
}

/// A decision: called with the store to itself, perhaps more than once where a store has to try again.
pub type Decision<'a> = dyn FnMut(&mut dyn Txn) -> Result<()> + 'a;

/// A store of deployments and their locks.
pub trait Store {
    /// Runs a decision with nobody else changing anything meanwhile, creating the store where there is none.
    ///
    /// # Errors
    /// What the decision returns, or that the store cannot be had.
    fn decide(&self, decision: &mut Decision<'_>) -> Result<()>;
    /// Runs a look that changes nothing; `false` where there is no store yet, and then nothing was run.
    ///
    /// # Errors
    /// As [`Store::decide`].
    fn look(&self, look: &mut Decision<'_>) -> Result<bool>;
    /// Whether this one, which waited and which the caller keeps alive, holds by now, seen without a decision; what it
    /// is then. `None`: it may all the same, and a decision tells.
    ///
    /// # Errors
    /// When the store cannot be looked at.
    fn granted(&self, waited: &Deployment) -> Result<Option<Arc<Deployment>>>;
    /// Adds a line to the history, outside of any decision.
    ///
    /// # Errors
    /// When it cannot be written.
    fn log(&self, line: &str) -> Result<()> {
        log_deciding(self, line)
    }
    /// Something to sleep on. `retry` bounds how late it may notice what no event can tell.
    ///
    /// # Errors
    /// When there is nothing to sleep on.
    fn sleeper(&self, retry: Duration) -> Result<Box<dyn Sleeper + '_>>;
    /// The lines of the history, oldest first; the last may be torn.
    ///
    /// # Errors
    /// When it cannot be read.
    fn history(&self) -> Result<Vec<String>>;
    /// What to call it in a message.
    fn describe(&self) -> String;
}

/// [`Store::decide`] for a decision that has an answer.
///
/// # Errors
/// As [`Store::decide`].
pub fn decide<T>(store: &dyn Store, mut decision: impl FnMut(&mut dyn Txn) -> Result<T>) -> Result<T> {
    let mut answer = None;
    store.decide(&mut |txn| {
        answer = Some(decision(txn)?);
        Ok(())
    })?;
    Ok(answer.expect("a decision that succeeded was run"))
}

/// [`Store::log`] in a decision of its own.
///
/// # Errors
/// When the line cannot be written.
pub fn log_deciding<S: Store + ?Sized>(store: &S, line: &str) -> Result<()> {
    store.decide(&mut |txn| {
        txn.log(line);
        txn.write_history()
    })
}

/// [`Store::look`] for a look that has an answer; `None` where there is no store yet.
///
/// # Errors
/// As [`Store::look`].
pub fn look<T>(store: &dyn Store, mut look: impl FnMut(&mut dyn Txn) -> Result<T>) -> Result<Option<T>> {
    let mut answer = None;
    store.look(&mut |txn| {
        answer = Some(look(txn)?);
        Ok(())
    })?;
    Ok(answer)
}
