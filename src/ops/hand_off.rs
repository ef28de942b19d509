//! Giving locks to whoever is next: after every release, withdrawal and reclaim, and before every refusal, so that
//! a hand-off that a crash swallowed is made up for by the next who looks.

use std::borrow::Cow;
use std::io::ErrorKind;

use super::Result;
use super::events::{self, Aside, What};
use crate::deployment::{Deployment, Id, State, Stored, Verdict};
use crate::engine::{self, Assessment, Who};
use crate::model::{LockName, LockRequest};
use crate::process;
use crate::store::{StoreError, Txn};

/// Grants every waiter on `locks` that may hold, reclaiming the dead in their way.
///
/// # Errors
/// When the store fails; what was granted until then is granted.
pub fn hand_off(txn: &mut dyn Txn, locks: &[LockName]) -> Result<()> {
    give(txn, locks).map(drop)
}

/// [`hand_off`]; whether anybody dead was in the way.
fn give(txn: &mut dyn Txn, locks: &[LockName]) -> Result<bool> {
    let mut todo = Cow::Borrowed(locks);
    let mut reclaimed = false;
    while !todo.is_empty() {
        let (ready, dead) = engine::grantable(txn, &todo)?;
        reclaimed |= !dead.is_empty();
        let mut more = Vec::new();
        for id in dead {
            more.extend(reclaim(txn, &id)?);
        }
        // The dead did not count: with them away nobody of these is less ready.
        for id in ready {
            match grant(txn, &id) {
                // In a sticky folder only its owner may rename it: it looks for itself when this is over.
                Err(StoreError::Io { source, .. }) if source.kind() == ErrorKind::PermissionDenied => {}
                done => done?,
            }
        }
        // Others may wait for what else the dead had.
        more.retain(|lock| !todo.contains(lock));
        todo = Cow::Owned(more);
    }
    Ok(reclaimed)
}

/// [`hand_off`] after this deployment has been removed. What was acquired inside its command ends with it; and its
/// hold may have counted for waiters nested in it, whose wait can be hopeless from now on: they are made to look.
///
/// # Errors
/// As [`hand_off`].
pub fn ended(txn: &mut dyn Txn, gone: &Stored) -> Result<()> {
    let mut locks = locks_of(gone);
    if gone.deployment().is_some_and(|d| d.has_nested) {
        locks.extend(end_nested(txn, gone.id())?);
    }
    settle(txn, &locks)
}

/// Removes this deployment, notes what that was, and lets in whoever is next.
///
/// # Errors
/// As [`hand_off`].
pub fn end(txn: &mut dyn Txn, was: &Stored, what: What, aside: Aside<'_>) -> Result<()> {
    txn.remove(was.id())?;
    events::log_stored(txn, what, was, aside);
    ended(txn, was)
}

/// Removes what was acquired inside the command of `parent`, and inside that; the locks that are free now.
fn end_nested(txn: &mut dyn Txn, parent: &Id) -> Result<Vec<LockName>> {
    let mut locks = Vec::new();
    for stored in txn.all()? {
        // What failed and is kept for a person stays.
        let ends = |d: &Deployment| d.ancestors.contains(parent) && d.failed.is_none();
        let nested = stored.deployment().is_some_and(ends);
        if nested && stored.state() == State::Detached && txn.remove(stored.id())?.is_some() {
            let why = Some("the deployment it was acquired in has ended");
            events::log_stored(txn, What::Released, &stored, Aside { why, ..Aside::default() });
            locks.extend(locks_of(&stored));
        }
    }
    Ok(locks)
}

fn settle(txn: &mut dyn Txn, locks: &[LockName]) -> Result<()> {
    if !txn.awaited(locks) {
        return Ok(());
    }
    hand_off(txn, locks)?;
    nudge_nested(txn, locks)
}

/// Has those look who wait inside others' commands, if any wait for these: writing a waiter's record wakes it.
fn nudge_nested(txn: &mut dyn Txn, locks: &[LockName]) -> Result<()> {
    let mut nested = false;
    for lock in locks {
        nested |= txn.head(lock)?.entries.iter().any(|entry| entry.under.is_some());
    }
    if !nested {
        return Ok(());
    }
    for stored in txn.all()? {
        if let Stored::Readable(State::Waiting, d) = &stored
            && !d.ancestors.is_empty()
        {
            txn.amend(d)?;
        }
    }
    Ok(())
}

fn grant(txn: &mut dyn Txn, id: &Id) -> Result<()> {
    let token = txn.next_number()?;
    txn.grant(id, token)
}

/// Takes this one away if it is verifiably dead, and hands on what it held.
///
/// # Errors
/// As [`hand_off`].
pub fn bury_if_dead(txn: &mut dyn Txn, id: &Id) -> Result<()> {
    let Some(stored) = txn.find(id)? else { return Ok(()) };
    if !matches!(txn.verdict(&stored)?, Verdict::Dead(_)) {
        return Ok(());
    }
    let locks = reclaim(txn, id)?;
    settle(txn, &locks)
}

/// Takes away one that is verifiably dead; the locks that are free now.
fn reclaim(txn: &mut dyn Txn, id: &Id) -> Result<Vec<LockName>> {
    let Some(stored) = txn.find(id)? else {
        return Ok(Vec::new());
    };
    let why = match txn.verdict(&stored)? {
        Verdict::Dead(why) => why,
        _ => String::new(),
    };
    txn.remove(id)?;
    let by = process::who();
    let aside = Aside { why: Some(&why), stale: Some(&why), by: Some(&by), ..Aside::default() };
    events::log_stored(txn, What::Reclaimed, &stored, aside);
    Ok(locks_of(&stored))
}

/// The locks of a record, where it can be read.
#[must_use]
pub fn locks_of(stored: &Stored) -> Vec<LockName> {
    stored.deployment().map(names).unwrap_or_default()
}

/// The names of a deployment's locks.
#[must_use]
pub fn names(d: &Deployment) -> Vec<LockName> {
    d.locks.iter().map(|r| r.lock.clone()).collect()
}

/// Whether `who` may hold `locks`, after everybody before it has got what can be had. With nobody in the way
/// this costs nothing more than the assessment; but one that is nested may come to be in the way of somebody before it.
///
/// # Errors
/// As [`hand_off`].
pub fn assess(txn: &mut dyn Txn, who: Who<'_>, locks: &[LockRequest]) -> Result<Assessment> {
    let mut found = engine::assess(txn, who, locks)?;
    if found.blocks.is_empty() && found.dead.is_empty() && who.ancestors.is_empty() {
        return Ok(found);
    }
    loop {
        let mut touched: Vec<LockName> = locks.iter().map(|r| r.lock.clone()).collect();
        for id in &found.dead {
            touched.extend(reclaim(txn, id)?);
        }
        // Only an end is news for those who are nested: they assess as well when they look, and would wake us in turn.
        if txn.awaited(&touched) && give(txn, &touched)? | !found.dead.is_empty() {
            nudge_nested(txn, &touched)?;
        }
        found = engine::assess(txn, who, locks)?;
        if found.dead.is_empty() {
            return Ok(found);
        }
    }
}
