//! What is asked for when locks are to be taken, and how that may end: plain data.

use std::time::Duration;

use super::InTheWay;
use crate::deployment::{Deployment, Id, Process};
use crate::engine::{Block, Refusal};
use crate::freeze::{Gate, Stop};
use crate::model::{Keep, LockRequest, Operation};
use crate::store::Lease;

/// What is asked for.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Draft {
    /// The environment.
    pub environment: Option<String>,
    /// The application.
    pub application: Option<String>,
    /// Its version.
    pub version: Option<String>,
    /// What is done.
    pub operation: Operation,
    /// The containers touched.
    pub containers: Vec<String>,
    /// Every lock.
    pub locks: Vec<LockRequest>,
    /// Who asks.
    pub owner: String,
    /// Why.
    pub reason: Option<String>,
    /// The pipeline's page.
    pub url: Option<String>,
    /// How long it may hold without being renewed.
    pub ttl: Option<Duration>,
    /// The process that the locks are tied to instead of the caller.
    pub owner_process: Option<Process>,
    /// The deployment that `DEPLOYLOCK_ID` names; checked in the store.
    pub parent: Option<Id>,
    /// What a crash does.
    pub on_crash: Keep,
    /// What a failure does.
    pub on_failure: Keep,
    /// A command follows at once.
    pub command: bool,
    /// A paused deployment that is tried again under its own id.
    pub resume: Option<Id>,
    /// It replaces older ones of the same application that still wait.
    pub supersede: bool,
    /// What a person holds is not waited for.
    pub refuse_manual: bool,
    /// The freeze windows of the environment, where it has any.
    pub gate: Option<Gate>,
}

/// What a conflict does (INTERFACE.md, "What a conflict does").
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Patience {
    /// `--no-wait`
    None,
    /// `--wait`
    Forever,
    /// `--wait=D`
    AtMost(Duration),
    /// Nothing was said: the topology decides.
    Policy {
        /// Interval × attempts, where the environment has `enable_lock_retry`.
        retry: Option<Duration>,
        /// How long to queue where the locks in the way are of the queueing kind.
        queue: Duration,
        /// Whether what cannot even queue leaves a paused record.
        pause: bool,
    },
}

/// A grant: what the caller holds now, as long as it keeps this.
pub struct Grant {
    /// The deployment as it is recorded.
    pub deployment: Deployment,
    /// What keeps it alive.
    pub lease: Box<dyn Lease>,
    /// How long it waited.
    pub waited: Duration,
    /// What the wait left, to be dropped when there is time.
    pub leftovers: Option<Box<dyn std::any::Any + Send>>,
}

/// Why it was not had.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Conflict {
    /// Where it is blocked.
    pub blocks: Vec<Block>,
    /// Who is in the way: the holders first.
    pub in_the_way: Vec<InTheWay>,
    /// How long it waited.
    pub waited: Duration,
    /// The paused record it left.
    pub paused: Option<Id>,
    /// The one that a person holds and that was therefore not waited for.
    pub manual: Option<Id>,
}

/// How an attempt ended.
#[must_use]
pub enum Outcome {
    /// The locks are held.
    Granted(Box<Grant>),
    /// They are not: nobody waited, or the wait ran out, or it is paused.
    Conflict(Conflict),
    /// The wait could never have ended.
    Refused(Refusal),
    /// Somebody ended the wait: the record was gone. Whose, and who did it, where that is known.
    Cancelled(Id, Option<String>),
    /// A newer deployment took its place in the queue: whose, and which did.
    Superseded(Id, Option<String>),
    /// A signal ended the wait.
    Interrupted(i32),
    /// A freeze window is open.
    Frozen(Box<Stop>),
    /// `--resume`: there is no paused deployment of this id.
    NotPaused(Id),
}
