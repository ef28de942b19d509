//! Moving to another store: what is held without a process, what is paused, the versions of applications, the history.

use std::collections::HashSet;
use std::sync::Arc;

use super::Result;
use crate::deployment::{Deployment, Id, State, Stored, Verdict};
use crate::model::LockName;
use crate::store::{self, Store, Txn};

/// How many are carried over by one decision of the new store.
const AT_ONCE: usize = 20;
/// How many lines of the history at once.
const LINES: usize = 100;
/// How many lines of the history at most: a server keeps no more either.
const MOST: usize = 10_000;

/// How moving ended.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use]
pub enum Migrated {
    /// Carried over: so many that hold, so many paused, the versions of so many applications, so many events.
    Done {
        /// Those that hold.
        held: usize,
        /// Those that are paused.
        paused: usize,
        /// Applications with versions.
        ledgers: usize,
        /// Lines of the history.
        events: usize,
    },
    /// These wait, or hold by a process or for a person, or cannot be read: nothing was moved.
    Busy(Vec<Stored>),
    /// There are others in the new store already: nothing was moved.
    NotEmpty(Vec<Id>),
    /// There is no old store.
    Nothing,
}

/// What is carried over of one deployment.
struct Load {
    deployment: Deployment,
    state: State,
    under: Vec<(LockName, Id)>,
}

/// Moves from one store to another while nobody can decide in the old one. `raise` makes the new store's numbers
/// begin above this one. Broken off anywhere, it can be done again.
///
/// # Errors
/// When either store fails; then the old one has lost nothing that the new one does not have.
pub fn migrate(
    from: &dyn Store,
    to: &dyn Store,
    raise: &mut dyn FnMut(u64) -> Result<()>,
) -> Result<Migrated> {
    if store::look(from, |_| Ok(()))?.is_none() {
        return Ok(Migrated::Nothing);
    }
    store::decide(from, |old| {
        let loads = match loads(old)? {
            Ok(loads) => loads,
            Err(busy) => return Ok(Migrated::Busy(busy)),
        };
        let there = store::look(to, |new| new.all())?.unwrap_or_default();
        let strangers: Vec<Id> = there.iter().map(|s| s.id().clone()).collect();
        let strangers: Vec<Id> =
            strangers.into_iter().filter(|id| !loads.iter().any(|l| l.deployment.id == *id)).collect();
        if !strangers.is_empty() {
            return Ok(Migrated::NotEmpty(strangers));
        }
        raise(old.next_number()?)?;
        let ledgers = carry_ledgers(old, to)?;
        let events = carry_history(from, to)?;
        for some in loads.chunks(AT_ONCE) {
            store::decide(to, |new| some.iter().try_for_each(|load| enter(new, load)))?;
        }
        // It is there: only now it may go from here.
        for load in &loads {
            old.remove(&load.deployment.id)?;
        }
        let held = loads.iter().filter(|l| l.state == State::Detached).count();
        Ok(Migrated::Done { held, paused: loads.len() - held, ledgers, events })
    })
}

/// What there is to carry, in order of arrival, or who is in the way of that. The dead are left behind.
fn loads(old: &mut dyn Txn) -> Result<std::result::Result<Vec<Load>, Vec<Stored>>> {
    let (mut loads, mut busy) = (Vec::new(), Vec::new());
    for stored in old.all()? {
        if matches!(old.verdict(&stored)?, Verdict::Dead(_)) {
            continue;
        }
        match stored {
            Stored::Readable(state @ (State::Detached | State::Paused), d) => {
                let under = under(old, &d)?;
                loads.push(Load { deployment: Arc::unwrap_or_clone(d), state, under });
            }
            other => busy.push(other),
        }
    }
    loads.sort_by_key(|l| l.deployment.arrival);
    Ok(if busy.is_empty() { Ok(loads) } else { Err(busy) })
}

/// Lock by lock the ancestor whose hold counts.
fn under(old: &mut dyn Txn, d: &Deployment) -> Result<Vec<(LockName, Id)>> {
    let mut under = Vec::new();
    for request in d.locks.iter().filter(|_| !d.ancestors.is_empty()) {
        let queue = old.queue(&request.lock)?;
        let own = queue.into_iter().find(|entry| entry.id == d.id).and_then(|entry| entry.under);
        under.extend(own.map(|id| (request.lock.clone(), id)));
    }
    Ok(under)
}

fn enter(new: &mut dyn Txn, load: &Load) -> Result<()> {
    // Where it was broken off, some are there already.
    if new.find(&load.deployment.id)?.is_none() {
        drop(new.enter(&load.deployment, load.state, &load.under)?);
    }
    Ok(())
}

/// The last lines of the history, before whatever happens in the new store; those that are there already are not
/// carried twice. How many there are of them in all.
fn carry_history(from: &dyn Store, to: &dyn Store) -> Result<usize> {
    let mut lines = from.history()?;
    // The last may be torn.
    lines.retain(|line| serde_json::from_str::<serde_json::Value>(line).is_ok());
    lines.drain(..lines.len().saturating_sub(MOST));
    let there: HashSet<String> = to.history()?.into_iter().collect();
    let missing: Vec<&String> = lines.iter().filter(|line| !there.contains(*line)).collect();
    for some in missing.chunks(LINES) {
        store::decide(to, |new| {
            some.iter().for_each(|line| new.log(line));
            new.write_history()
        })?;
    }
    Ok(lines.len())
}

fn carry_ledgers(old: &mut dyn Txn, to: &dyn Store) -> Result<usize> {
    let names = old.ledgers()?;
    for name in &names {
        let lines = old.ledger(name)?;
        store::decide(to, |new| {
            let there = new.ledger(name)?.len();
            lines.iter().skip(there).try_for_each(|line| new.note(name, line))
        })?;
    }
    Ok(names.len())
}
