//! What the commands do, without how they are typed or shown: the loop of look, decide, commit, sleep.

pub mod acquire;
pub mod clear;
pub mod events;
mod freeze;
pub mod hand_off;
mod manual;
pub mod migrate;
pub mod release;
mod request;
pub mod statistics;
mod supersede;
pub mod survey;
pub mod takeover;
pub mod versions;
pub mod wait;
mod waiter;

use std::os::fd::BorrowedFd;
use std::sync::Arc;
use std::time::Duration;

use crate::deployment::{Deployment, Id, State, Stored, Verdict};
use crate::engine::Block;
use crate::freeze::Stop;
use crate::store::StoreError;

/// A result of an operation: what did not work. That a lock is held by another is an outcome, not an error.
pub type Result<T> = std::result::Result<T, StoreError>;

/// What a record says. One that cannot be read is never taken for one that is gone.
///
/// # Errors
/// [`StoreError::Unreadable`].
pub fn readable(stored: Stored) -> Result<(State, Arc<Deployment>)> {
    match stored {
        Stored::Readable(state, d) => Ok((state, d)),
        Stored::Unreadable(u) => Err(StoreError::Unreadable { id: u.id, path: u.path, why: u.why }),
    }
}

/// So much memory is written to before a long sleep, in bytes.
const TOUCHED: usize = 16 << 10;

/// Memory for the decision that follows a long sleep: then somebody waits for what comes after it, and to be given a page
/// takes ten times as long as before.
pub fn touch_memory() {
    drop(std::hint::black_box(vec![1u8; TOUCHED]));
}

/// Something that may cut a wait short.
pub trait Interrupt {
    /// Readable when there is something to [`Interrupt::take`].
    fn fd(&self) -> Option<BorrowedFd<'_>>;
    /// The signal that asks to stop; `None` where there was only noise.
    fn take(&mut self) -> Option<i32>;
}

/// Nothing cuts the wait short.
pub struct Never;

impl Interrupt for Never {
    fn fd(&self) -> Option<BorrowedFd<'_>> {
        None
    }

    fn take(&mut self) -> Option<i32> {
        None
    }
}

/// Somebody in the way, as far as it could be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InTheWay {
    /// Which deployment.
    pub id: Id,
    /// It holds; else it waits ahead.
    pub holds: bool,
    /// Its record, where that can be read.
    pub record: Option<Deployment>,
    /// What is known of its life; `None` where nobody asked.
    pub life: Option<Verdict>,
}

/// Where one that waits stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Queueing {
    /// Its own id; `None` for one that only watches.
    pub id: Option<Id>,
    /// The locks at which it is blocked, and by whom.
    pub blocks: Vec<Block>,
    /// The first of those in the way.
    pub first: Option<InTheWay>,
    /// Its place: 1 is next.
    pub place: usize,
    /// How long it has waited.
    pub waited: Duration,
}

/// Somebody to be told how a wait goes.
pub trait Progress {
    /// The place in the queue, or who is in the way, has changed; or [`Progress::every`] has passed.
    fn waiting(&mut self, queueing: &Queueing);
    /// A freeze is to be over first; so is told who has waited this long, and again when [`Progress::every`] has
    /// passed.
    fn frozen(&mut self, stop: &Stop, waited: Duration);
    /// How often to tell when nothing changes; `None`: never.
    fn every(&self) -> Option<Duration>;
    /// Whether it wants to know at all: the place costs a look at the whole queue.
    fn wanted(&self) -> bool;
    /// It is in the queue and goes to sleep: what takes little, and need not be done when it wakes up, can be done now.
    fn goes_to_sleep(&mut self) {}
    /// It has waited for a moment in the queue, and now only sleeps: what its end will need can be prepared. Told where
    /// the hold will have a deadline, for there it takes more than elsewhere to start a command.
    fn settled(&mut self) {}
}

/// Nobody wants to know.
pub struct Silent;

impl Progress for Silent {
    fn waiting(&mut self, _queueing: &Queueing) {}

    fn frozen(&mut self, _stop: &Stop, _waited: Duration) {}

    fn every(&self) -> Option<Duration> {
        None
    }

    fn wanted(&self) -> bool {
        false
    }
}
