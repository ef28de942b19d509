//! Giving locks back, keeping them for a person, renewing their time.

use std::sync::Arc;
use std::time::Duration;

use super::events::{self, Aside, What};
use super::hand_off::{self, names};
use super::{Result, readable};
use crate::deployment::{Command, Deployment, Expiry, Id, Process, State, Stored, Verdict};
use crate::store::{self, Store};

/// How a release ended.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use]
pub enum Released {
    /// The locks are free; the deployment as it was.
    Done(Arc<Deployment>),
    /// A waiting or paused one was withdrawn.
    Withdrawn(Arc<Deployment>),
    /// There is no such deployment.
    NotThere,
    /// It belongs to a `run` that lives.
    RunsOn(Arc<Deployment>),
    /// Its record cannot be read: it is for `clear`.
    Unreadable(String),
}

/// Gives back the locks of `id`, or withdraws it. Only the full id releases.
///
/// # Errors
/// When the store fails; then they are still held.
pub fn release(store: &dyn Store, id: &Id, outcome: &str, by: &str) -> Result<Released> {
    let released = store::look(store, |txn| txn.find(id))?;
    if released.flatten().is_none() {
        return Ok(Released::NotThere);
    }
    store::decide(store, |txn| {
        let Some(stored) = txn.find(id)? else {
            return Ok(Released::NotThere);
        };
        let (state, d) = match &stored {
            Stored::Readable(state, d) => (*state, d.clone()),
            Stored::Unreadable(u) => return Ok(Released::Unreadable(u.path.clone())),
        };
        if state == State::Attached && matches!(txn.verdict(&stored)?, Verdict::Alive(_)) {
            return Ok(Released::RunsOn(d));
        }
        if txn.remove(id)?.is_none() {
            return Ok(Released::NotThere);
        }
        let aside = Aside { outcome: Some(outcome), by: Some(by), ..Aside::default() };
        events::log_stored(txn, What::Released, &stored, aside);
        hand_off::ended(txn, &stored)?;
        Ok(if state.holds() { Released::Done(d) } else { Released::Withdrawn(d) })
    })
}

/// Gives back what the caller itself holds; `false` where it was taken away before.
///
/// # Errors
/// When the store fails. The end of the process gives it back then.
pub fn give_back(store: &dyn Store, d: &Deployment, outcome: &str) -> Result<bool> {
    store::decide(store, |txn| {
        let removed = txn.remove(&d.id)?;
        match &removed {
            Some(stored) => {
                let aside = Aside { outcome: Some(outcome), ..Aside::default() };
                // Before somebody is granted, who looks at once and then need not wait for us.
                events::log(txn, What::Released, d, aside);
                hand_off::ended(txn, stored)?;
            }
            None => hand_off::hand_off(txn, &names(d))?,
        }
        Ok(removed.is_some())
    })
}

/// Keeps the locks of a failed command for a person; `false` where they were taken away before.
///
/// # Errors
/// When that cannot be promised.
pub fn keep_failed(store: &dyn Store, d: &Deployment, status: i32) -> Result<bool> {
    store::decide(store, |txn| {
        let Some((_, now)) = txn.find(&d.id)?.map(readable).transpose()? else {
            return Ok(false);
        };
        let kept = Deployment {
            failed: Some(status),
            command: Command::None,
            since: txn.now().wall,
            expires: None,
            ..Arc::unwrap_or_clone(now)
        };
        txn.settle_down(&kept, State::Detached)?;
        let took = txn.now().wall.duration_since(d.since).ok();
        let why = format!("exit status {status}");
        let aside = Aside { outcome: Some("failed"), why: Some(&why), took, ..Aside::default() };
        events::log(txn, What::Failed, &kept, aside);
        Ok(true)
    })
}

/// Makes sure that what is about to be reported outlasts a power failure.
///
/// # Errors
/// When that cannot be promised.
pub fn promise(store: &dyn Store, id: &Id) -> Result<()> {
    store::decide(store, |txn| txn.make_durable(id))
}

/// Lets an acquired deployment outlast its process, unless somebody has asked it to end by then: it is given back.
///
/// # Errors
/// When that cannot be promised.
pub fn detach(store: &dyn Store, d: &Deployment) -> Result<()> {
    store::decide(store, |txn| match txn.find(&d.id)?.map(readable).transpose()? {
        Some((state, now)) if now.cancelled => {
            txn.remove_paused(&d.id)?;
            let aside = Aside { outcome: Some("aborted"), ..Aside::default() };
            hand_off::end(txn, &Stored::Readable(state, now), What::Released, aside)
        }
        Some((State::Attached, now)) => {
            if let Some(Stored::Readable(_, parent)) =
                d.parent.as_ref().map(|p| txn.find(p)).transpose()?.flatten()
            {
                txn.amend(&Deployment { has_nested: true, ..Arc::unwrap_or_clone(parent) })?;
            }
            txn.settle_down(&now, State::Detached)?;
            // Until here a resumed one was paused beside that, and is again if it was killed.
            txn.remove_paused(&d.id)
        }
        // Whoever read the id has released it already.
        _ => Ok(()),
    })
}

/// Takes away the paused record of a `run` that was resumed: until its command has started it is paused beside that,
/// and is again if it was killed.
///
/// # Errors
/// When it cannot be removed.
pub fn no_longer_paused(store: &dyn Store, id: &Id) -> Result<()> {
    store::decide(store, |txn| txn.remove_paused(id))
}

/// Notes the process of a command that was started.
///
/// # Errors
/// When it cannot be written.
pub fn note_command(store: &dyn Store, id: &Id, process: Process) -> Result<()> {
    store::decide(store, |txn| {
        let Some((_, d)) = txn.find(id)?.map(readable).transpose()? else {
            return Ok(());
        };
        txn.amend(&Deployment { command: Command::Running(process.clone()), ..Arc::unwrap_or_clone(d) })
    })
}

/// What became of a deployment that was to be renewed.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use]
pub enum Renewed {
    /// Its time runs anew.
    Until(Arc<Deployment>),
    /// It holds without a time to live, and none was given.
    NoTtl(Arc<Deployment>),
    /// It is not there, or holds nothing.
    NotThere,
}

/// Starts the time to live of `id` again, or sets a new one.
///
/// # Errors
/// When the store fails; then the old time runs on.
pub fn renew(store: &dyn Store, id: &Id, ttl: Option<Duration>, by: &str) -> Result<Renewed> {
    let renewed = store::look(store, |txn| txn.find(id))?;
    if renewed.flatten().is_none() {
        return Ok(Renewed::NotThere);
    }
    store::decide(store, |txn| {
        let Some((state, d)) = txn.find(id)?.map(readable).transpose()? else {
            return Ok(Renewed::NotThere);
        };
        if !state.holds() {
            return Ok(Renewed::NotThere);
        }
        let Some(ttl) = ttl.or(d.ttl) else {
            return Ok(Renewed::NoTtl(d));
        };
        let now = txn.now();
        let expires = Some(Expiry { wall: now.wall + ttl, boot: now.boot + ttl });
        let renewed = Deployment { ttl: Some(ttl), expires, ..Arc::unwrap_or_clone(d) };
        txn.amend(&renewed)?;
        if state == State::Detached {
            // It outlasts a power failure, and so must what its owner was told.
            txn.make_durable(id)?;
        }
        events::log(txn, What::Renewed, &renewed, Aside { by: Some(by), ..Aside::default() });
        Ok(Renewed::Until(Arc::new(renewed)))
    })
}
