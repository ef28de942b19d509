//! Waiting without taking anything.

use std::time::Duration;

use super::acquire::{Conflict, Patience, ancestors_of, in_the_way, waiters_ahead};
use super::{Interrupt, Progress, Queueing, Result, freeze, manual};
use crate::clock;
use crate::deployment::{Id, Stored};
use crate::engine::{self, Who};
use crate::freeze::{Gate, Stop};
use crate::model::LockRequest;
use crate::store::{self, Sleeper, Store, Txn, Wake};

/// What is waited for.
#[derive(Debug, Clone, Copy)]
pub enum For<'a> {
    /// That this deployment holds its locks or is gone.
    Deployment(&'a Id),
    /// That these locks could be had, and that no freeze window is open.
    Locks {
        /// Which.
        locks: &'a [LockRequest],
        /// Where a person holds one, the wait is over.
        refuse_manual: bool,
        /// The freeze windows of the environment.
        gate: Option<&'a Gate>,
    },
}

/// How a wait ended.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use]
pub enum Waited {
    /// What was waited for has come.
    Done,
    /// The deployment is gone.
    Gone,
    /// There never was such a deployment.
    NotThere,
    /// The time ran out.
    Conflict(Conflict),
    /// A freeze that does not end in time.
    Frozen(Box<Stop>),
    /// A signal.
    Interrupted(i32),
}

enum Look {
    Over(Waited),
    Not(Box<Queueing>),
}

/// Blocks until what is waited for has come, or for `bound` (`None`: for ever; zero: only looks).
///
/// # Errors
/// When the store cannot be looked at.
pub fn wait(
    store: &dyn Store,
    what: For<'_>,
    parent: Option<&Id>,
    bound: Option<Duration>,
    retry: Duration,
    progress: &mut dyn Progress,
    interrupt: &mut dyn Interrupt,
) -> Result<Waited> {
    let began = clock::since_boot();
    let until = bound.map(|d| began.saturating_add(d));
    let mut sleeper = store.sleeper(retry)?;
    let mut told: Option<Duration> = None;
    let mut seen: Option<Box<Queueing>> = None;
    let gate = match what {
        For::Locks { gate, .. } => gate,
        For::Deployment(_) => None,
    };
    let patience = bound.map_or(Patience::Forever, Patience::AtMost);
    loop {
        let now = clock::now();
        if let Some(stop) = gate.and_then(|gate| gate.stop(now.wall)) {
            if !freeze::outlasts(patience, began, &stop, now) {
                return Ok(Waited::Frozen(Box::new(stop)));
            }
            if let Some(signal) = freeze::sit_out(store, &stop, retry, began, progress, interrupt)? {
                return Ok(Waited::Interrupted(signal));
            }
            continue;
        }
        let opening = gate.and_then(|gate| gate.opening(now.wall)).map(|at| freeze::by_boot(at, now));
        let known = seen.is_some();
        let look = store::look(store, |txn| look(txn, what, parent, sleeper.as_mut(), known))?;
        let queueing = match look {
            None if known => return Ok(Waited::Gone),
            None => return Ok(nothing_there(what)),
            Some(Look::Over(waited)) => return Ok(waited),
            Some(Look::Not(queueing)) => queueing,
        };
        if until.is_some_and(|at| clock::since_boot() >= at) {
            return gave_up(store, &queueing, began).map(Waited::Conflict);
        }
        let changed = seen.as_ref().is_none_or(|old| old.blocks != queueing.blocks);
        if changed {
            progress.waiting(&queueing);
            told = Some(clock::since_boot());
        }
        let mut queueing = queueing;
        loop {
            let next = progress.every().zip(told).map(|(every, at)| at + every);
            let interrupts: Vec<_> = interrupt.fd().into_iter().collect();
            let wake = sleeper.sleep([until, opening, next].into_iter().flatten().min(), &interrupts)?;
            let now = clock::since_boot();
            if wake == Wake::Interrupt {
                if let Some(signal) = interrupt.take() {
                    return Ok(Waited::Interrupted(signal));
                }
            } else if matches!(wake, Wake::Look | Wake::End)
                || [until, opening].into_iter().flatten().any(|at| now >= at)
            {
                break;
            } else {
                queueing.waited = now.saturating_sub(began);
                progress.waiting(&queueing);
                told = Some(now);
            }
        }
        seen = Some(queueing);
    }
}

fn nothing_there(what: For<'_>) -> Waited {
    match what {
        For::Deployment(_) => Waited::NotThere,
        For::Locks { .. } => Waited::Done,
    }
}

fn look(
    txn: &mut dyn Txn,
    what: For<'_>,
    parent: Option<&Id>,
    sleeper: &mut dyn Sleeper,
    known: bool,
) -> Result<Look> {
    match what {
        For::Deployment(id) => look_at_one(txn, id, sleeper, known),
        For::Locks { locks, refuse_manual, .. } => look_at_locks(txn, locks, refuse_manual, parent, sleeper),
    }
}

fn look_at_one(txn: &mut dyn Txn, id: &Id, sleeper: &mut dyn Sleeper, known: bool) -> Result<Look> {
    sleeper.arm(std::slice::from_ref(id), txn)?;
    let Some(stored) = txn.find(id)? else {
        return Ok(Look::Over(if known { Waited::Gone } else { Waited::NotThere }));
    };
    if stored.state().holds() {
        return Ok(Look::Over(Waited::Done));
    }
    // A waiter that died never will hold.
    if matches!(txn.verdict(&stored)?, crate::deployment::Verdict::Dead(_)) {
        return Ok(Look::Over(Waited::Gone));
    }
    let Stored::Readable(_, d) = stored else {
        return queueing(txn, Some(id.clone()), Vec::new());
    };
    let who = Who { id: Some(&d.id), ancestors: &d.ancestors, thorough: true };
    let blocks = engine::assess(txn, who, &d.locks)?.blocks;
    queueing(txn, Some(id.clone()), blocks)
}

fn look_at_locks(
    txn: &mut dyn Txn,
    locks: &[LockRequest],
    refuse_manual: bool,
    parent: Option<&Id>,
    sleeper: &mut dyn Sleeper,
) -> Result<Look> {
    let ancestors = parent.map(|id| ancestors_of(txn, id)).transpose()?.unwrap_or_default();
    let who = Who { id: None, ancestors: &ancestors, thorough: true };
    loop {
        let blocks = engine::assess(txn, who, locks)?.blocks;
        if blocks.is_empty() {
            return Ok(Look::Over(Waited::Done));
        }
        if refuse_manual && let Some(id) = manual::holder(txn, &blocks)? {
            let in_the_way = in_the_way(txn, &blocks)?;
            let (waited, paused) = (Duration::ZERO, None);
            let conflict = Conflict { blocks, in_the_way, waited, paused, manual: Some(id) };
            return Ok(Look::Over(Waited::Conflict(conflict)));
        }
        sleeper.arm(&engine::watch_list(&blocks), txn)?;
        txn.forget();
        // What ended before the watch stood is seen now.
        if engine::assess(txn, who, locks)?.blocks == blocks {
            return queueing(txn, None, blocks);
        }
    }
}

fn queueing(txn: &mut dyn Txn, id: Option<Id>, blocks: Vec<engine::Block>) -> Result<Look> {
    let first = in_the_way(txn, &blocks)?.into_iter().next();
    let place = 1 + blocks.iter().map(waiters_ahead).max().unwrap_or(0);
    Ok(Look::Not(Box::new(Queueing { id, blocks, first, place, waited: Duration::ZERO })))
}

fn gave_up(store: &dyn Store, queueing: &Queueing, began: Duration) -> Result<Conflict> {
    let blocks = queueing.blocks.clone();
    let in_the_way = store::look(store, |txn| in_the_way(txn, &blocks))?.unwrap_or_default();
    let waited = clock::since_boot().saturating_sub(began);
    Ok(Conflict { blocks, in_the_way, waited, paused: None, manual: None })
}
