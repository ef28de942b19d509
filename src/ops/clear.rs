//! The operator's hand: taking away what others hold, and asking others to end.

use std::os::fd::AsFd as _;
use std::sync::Arc;
use std::time::Duration;

use super::events::{self, Aside, What};
use super::hand_off;
use super::{Result, readable};
use crate::clock;
use crate::deployment::{Command, Deployment, Id, Process, State, Stored, Verdict};
use crate::store::{self, Store};
use crate::{poll, process};

/// How often a process is looked at where the system cannot tell of its end.
const TICK: Duration = Duration::from_millis(50);

/// How the clearing of one deployment ended.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use]
pub enum Cleared {
    /// It is gone.
    Done(Stored, Verdict),
    /// It is verifiably alive, and force was not given.
    Alive(Stored, Option<String>),
    /// It is no longer stale, and only the stale were to be cleared.
    NotStale(Stored),
    /// It was gone already.
    NotThere(Id),
}

/// How far clearing may go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reach {
    /// Only what is verifiably dead.
    Stale,
    /// Whatever is not verifiably alive.
    NotAlive,
    /// Everything.
    Force,
}

/// Whether one with this verdict may be cleared.
#[must_use]
pub fn allowed(reach: Reach, verdict: &Verdict) -> bool {
    match reach {
        Reach::Stale => matches!(verdict, Verdict::Dead(_)),
        Reach::NotAlive => !matches!(verdict, Verdict::Alive(_)),
        Reach::Force => true,
    }
}

/// Clears one deployment, judging it anew at the moment of clearing.
///
/// # Errors
/// When the store fails; then it still holds.
pub fn clear(store: &dyn Store, id: &Id, reach: Reach, why: &str, by: &str) -> Result<Cleared> {
    store::decide(store, |txn| {
        let Some(stored) = txn.find(id)? else {
            return Ok(Cleared::NotThere(id.clone()));
        };
        let verdict = txn.verdict(&stored)?;
        if !allowed(reach, &verdict) {
            return Ok(match verdict {
                Verdict::Alive(how) if reach == Reach::NotAlive => Cleared::Alive(stored, how),
                _ => Cleared::NotStale(stored),
            });
        }
        let stale = match &verdict {
            Verdict::Dead(proof) => Some(proof.as_str()),
            _ => None,
        };
        let aside = Aside { why: stale.or(Some(why)), stale, by: Some(by), ..Aside::default() };
        hand_off::end(txn, &stored, What::Cleared, aside)?;
        Ok(Cleared::Done(stored, verdict))
    })
}

/// Takes away what locks out of use have left behind.
///
/// # Errors
/// When it cannot be removed.
pub fn tidy(store: &dyn Store) -> Result<()> {
    if store::look(store, |_| Ok(()))?.is_some() {
        store.decide(&mut |txn| txn.tidy())?;
    }
    Ok(())
}

/// How a cancellation ended.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use]
pub enum Cancelled {
    /// It waited or was paused, and is gone; or it held without a process of its own, and is cleared.
    Ended(Stored),
    /// Its command was asked to end; its locks go when it has. What is known of its life.
    Asked(Arc<Deployment>, Verdict),
    /// There is no such deployment.
    NotThere,
}

/// Asks a deployment to end.
///
/// # Errors
/// When the store fails; then nothing has happened to it.
pub fn cancel(store: &dyn Store, id: &Id, kill_after: Option<Duration>, by: &str) -> Result<Cancelled> {
    if store::look(store, |txn| txn.find(id))?.flatten().is_none() {
        return Ok(Cancelled::NotThere);
    }
    store::decide(store, |txn| {
        let Some(stored) = txn.find(id)? else {
            return Ok(Cancelled::NotThere);
        };
        // What it is cannot be said: whether to end it is for `clear`.
        readable(stored.clone())?;
        let verdict = txn.verdict(&stored)?;
        let aside = Aside { by: Some(by), ..Aside::default() };
        // What cannot be seen from here may live on another host: its wrapper will see that it was asked.
        if let (Stored::Readable(State::Attached, d), Verdict::Alive(_) | Verdict::Unknown(_)) =
            (&stored, &verdict)
        {
            let kill_after = kill_after.or(d.kill_after);
            let asked = Deployment { cancelled: true, kill_after, ..(**d).clone() };
            txn.amend(&asked)?;
            let why = Some("its command was asked to end");
            events::log(txn, What::Cancelled, &asked, Aside { why, ..aside });
            return Ok(Cancelled::Asked(Arc::new(asked), verdict));
        }
        hand_off::end(txn, &stored, What::Cancelled, Aside { outcome: Some("aborted"), ..aside })?;
        Ok(Cancelled::Ended(stored))
    })
}

/// The command's process, where the wrapper that would pass a cancellation on is gone.
#[must_use]
pub fn orphaned_command(d: &Deployment) -> Option<Process> {
    let here = process::here();
    let ours = d.place.boot == here.boot && d.place.pid_ns == here.pid_ns;
    let alone = ours && process::presence(&d.process) == process::Presence::Gone;
    match &d.command {
        Command::Running(p) if alone && process::presence(p) == process::Presence::Exists => Some(p.clone()),
        _ => None,
    }
}

/// Waits at most this long for a process to end; whether it has.
#[must_use]
pub fn ends_within(process: &Process, bound: Duration) -> bool {
    let until = clock::since_boot().saturating_add(bound);
    while process::presence(process) == process::Presence::Exists {
        let left = until.saturating_sub(clock::since_boot());
        if left.is_zero() {
            return false;
        }
        let fd = process::watch(process);
        let bound = if fd.is_some() { left } else { left.min(TICK) };
        let fds: Vec<_> = fd.iter().map(|fd| fd.as_fd()).collect();
        let _ = poll::readable(&fds, Some(bound));
    }
    true
}
