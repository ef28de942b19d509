//! What there is: every deployment with its verdict, every lock with its queue. Looks, and changes nothing.

use super::Result;
use super::acquire::waiters_ahead;
use crate::clock::Now;
use crate::deployment::{Deployment, Id, State, Stored, Verdict};
use crate::engine::{self, Assessment, Block, Entry, Standing, Who};
use crate::model::{LockName, LockRequest};
use crate::store::{self, Store, Txn};

/// A deployment as `list` shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shown {
    /// What is stored.
    pub stored: Stored,
    /// What the evidence says.
    pub verdict: Verdict,
    /// A waiter's place: 1 is next.
    pub position: Option<usize>,
    /// Who is in its way.
    pub waiting_for: Vec<Id>,
    /// At which locks it stands.
    pub queued_at: Vec<LockName>,
}

impl Shown {
    /// Why it is stale; `None` where it is not.
    #[must_use]
    pub fn stale(&self) -> Option<&str> {
        match &self.verdict {
            Verdict::Dead(why) => Some(why),
            _ => None,
        }
    }
}

/// A lock as `list` shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LockShown {
    /// Which lock.
    pub lock: LockName,
    /// The lines that count, in order of arrival, with whether they hold.
    pub entries: Vec<(Entry, bool)>,
}

/// Everything at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Survey {
    /// The moment.
    pub now: Now,
    /// In order of arrival.
    pub deployments: Vec<Shown>,
    /// In order of their names.
    pub locks: Vec<LockShown>,
}

/// Looks at everything.
///
/// # Errors
/// When the store cannot be looked at. An unreadable record is shown, not an error.
pub fn survey(store: &dyn Store) -> Result<Survey> {
    let seen = store::look(store, |txn| look(txn))?;
    Ok(seen.unwrap_or_else(|| Survey {
        now: crate::clock::now(),
        deployments: Vec::new(),
        locks: Vec::new(),
    }))
}

fn look(txn: &mut dyn Txn) -> Result<Survey> {
    let mut deployments = Vec::new();
    for stored in txn.all()? {
        deployments.push(show(txn, stored)?);
    }
    deployments.sort_by_key(|s| s.stored.deployment().map_or(u64::MAX, |d| d.arrival));
    let mut names: Vec<LockName> = deployments.iter().flat_map(|s: &Shown| s.queued_at.clone()).collect();
    names.sort();
    names.dedup();
    let locks = names.into_iter().map(|lock| show_lock(txn, lock)).collect::<Result<_>>()?;
    Ok(Survey { now: txn.now(), deployments, locks })
}

/// What its record says, or where there is no reading it, what the queues say.
fn queued_at(txn: &mut dyn Txn, stored: &Stored) -> Result<Vec<LockName>> {
    match stored {
        Stored::Readable(State::Paused, _) => Ok(Vec::new()),
        Stored::Readable(_, d) => Ok(super::hand_off::names(d)),
        Stored::Unreadable(u) => txn.locks_naming(&u.id),
    }
}

fn show(txn: &mut dyn Txn, stored: Stored) -> Result<Shown> {
    let verdict = txn.verdict(&stored)?;
    let (position, waiting_for) = place(txn, &stored)?;
    let queued_at = queued_at(txn, &stored)?;
    Ok(Shown { stored, verdict, position, waiting_for, queued_at })
}

/// A waiter's place, 1 being next, and who is in its way, or in that of a paused one.
///
/// # Errors
/// When the queues cannot be looked at.
pub fn place(txn: &mut dyn Txn, stored: &Stored) -> Result<(Option<usize>, Vec<Id>)> {
    let (mut position, mut waiting_for) = (None, Vec::new());
    if let Stored::Readable(state @ (State::Waiting | State::Paused), d) = stored {
        let id = (*state == State::Waiting).then_some(&d.id);
        let blocks = blocks(txn, d, id)?;
        if *state == State::Waiting {
            position = Some(1 + blocks.iter().map(waiters_ahead).max().unwrap_or(0));
        }
        for blocker in blocks.into_iter().flat_map(|b| b.by) {
            if !waiting_for.contains(&blocker.id) {
                waiting_for.push(blocker.id);
            }
        }
    }
    Ok((position, waiting_for))
}

fn blocks(txn: &mut dyn Txn, d: &Deployment, id: Option<&Id>) -> Result<Vec<Block>> {
    let who = Who { id, ancestors: &d.ancestors, thorough: true };
    Ok(engine::assess(txn, who, &d.locks)?.blocks)
}

fn show_lock(txn: &mut dyn Txn, lock: LockName) -> Result<LockShown> {
    let mut entries = Vec::new();
    for entry in txn.queue(&lock)? {
        // The dead are shown where they stand: they are somebody's to look at.
        let holds = match txn.standing(&entry.id)? {
            Standing::Holds => true,
            Standing::Waits => false,
            Standing::Dead => txn.find(&entry.id)?.is_some_and(|s| s.state().holds()),
            Standing::Gone => continue,
        };
        entries.push((entry, holds));
    }
    Ok(LockShown { lock, entries })
}

/// What stands in the way of `locks` now, for one that would ask for them; takes nothing.
///
/// # Errors
/// As [`survey`].
pub fn assess(
    store: &dyn Store,
    locks: &[LockRequest],
    parent: Option<&Id>,
) -> Result<(Assessment, Vec<Shown>)> {
    let seen = store::look(store, |txn| {
        let ancestors = match parent {
            Some(parent) => super::acquire::ancestors_of(txn, parent)?,
            None => Vec::new(),
        };
        let who = Who { id: None, ancestors: &ancestors, thorough: true };
        let found = engine::assess(txn, who, locks)?;
        let mut shown: Vec<Shown> = Vec::new();
        for blocker in found.blocks.iter().flat_map(|b| &b.by) {
            if !shown.iter().any(|s| *s.stored.id() == blocker.id)
                && let Some(stored) = txn.find(&blocker.id)?
            {
                shown.push(show(txn, stored)?);
            }
        }
        Ok((found, shown))
    })?;
    Ok(seen.unwrap_or_default())
}

/// One deployment, and what the evidence says of its life; `None` where there is none of this id.
///
/// # Errors
/// When the store cannot be looked at.
pub fn judged(store: &dyn Store, id: &Id) -> Result<Option<(Stored, Verdict)>> {
    let found = store::look(store, |txn| {
        let Some(stored) = txn.find(id)? else { return Ok(None) };
        let verdict = txn.verdict(&stored)?;
        Ok(Some((stored, verdict)))
    })?;
    Ok(found.flatten())
}
