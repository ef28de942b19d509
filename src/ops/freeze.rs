//! Freeze windows on the way to the locks: who is stopped, and waiting until a freeze is over.
//!
//! When a window is open is `freeze`'s.

use std::time::{Duration, SystemTime};

use super::acquire::{Attempt, Draft, Outcome, Patience, attempt};
use super::{Interrupt, Progress, Result};
use crate::clock::{self, Now};
use crate::freeze::Stop;
use crate::store::{Store, Wake};

/// Whether a freeze keeps it from starting at this moment.
pub(super) fn stops(draft: &Draft, now: Now) -> bool {
    draft.gate.as_ref().is_some_and(|gate| gate.is_shut(now.wall))
}

/// What its override passes at this moment, for the history.
pub(super) fn passed(draft: &Draft, now: Now) -> Option<String> {
    draft.gate.as_ref()?.passed(now.wall)
}

/// When the next window opens, by the boot clock.
pub(super) fn opening(draft: &Draft, now: Now) -> Option<Duration> {
    Some(by_boot(draft.gate.as_ref()?.opening(now.wall)?, now))
}

/// A moment of the wall clock by the boot clock, as far as nobody sets the wall clock meanwhile.
pub(super) fn by_boot(at: SystemTime, now: Now) -> Duration {
    now.boot.saturating_add(at.duration_since(now.wall).unwrap_or_default())
}

/// What a patience that began at `began` leaves now.
fn left(patience: Patience, began: Duration, now: Duration) -> Patience {
    match patience {
        Patience::AtMost(d) => Patience::AtMost(began.saturating_add(d).saturating_sub(now)),
        other => other,
    }
}

/// Whether this patience outlasts the freeze. What the topology says of conflicts says nothing of a freeze.
pub(super) fn outlasts(patience: Patience, began: Duration, stop: &Stop, now: Now) -> bool {
    let Some(end) = stop.end else {
        return false;
    };
    match patience {
        Patience::Forever => true,
        Patience::AtMost(d) => by_boot(end, now) <= began.saturating_add(d),
        Patience::None | Patience::Policy { .. } => false,
    }
}

/// Attempts again after each freeze that the patience outlasts.
pub(super) fn between_windows(
    store: &dyn Store,
    draft: &Draft,
    patience: Patience,
    retry: Duration,
    progress: &mut dyn Progress,
    interrupt: &mut dyn Interrupt,
) -> Result<Outcome> {
    let began = clock::since_boot();
    let mut remaining = patience;
    let mut frozen = false;
    loop {
        match attempt(store, draft, remaining, retry, progress, interrupt)? {
            Attempt::Over(outcome) if frozen => return Ok(waited_since(outcome, began)),
            Attempt::Over(outcome) => return Ok(outcome),
            Attempt::Frozen => frozen = true,
        }
        // What takes a while to find out is found out here, where nobody waits for us. It may be over already.
        let now = clock::now();
        if let Some(stop) = draft.gate.as_ref().and_then(|gate| gate.stop(now.wall)) {
            if !outlasts(patience, began, &stop, now) {
                return Ok(Outcome::Frozen(Box::new(stop)));
            }
            if let Some(signal) = sit_out(store, &stop, retry, began, progress, interrupt)? {
                return Ok(Outcome::Interrupted(signal));
            }
        }
        remaining = left(patience, began, clock::since_boot());
    }
}

/// Sleeps until the freeze is over; the signal that ended that.
pub(super) fn sit_out(
    store: &dyn Store,
    stop: &Stop,
    retry: Duration,
    began: Duration,
    progress: &mut dyn Progress,
    interrupt: &mut dyn Interrupt,
) -> Result<Option<i32>> {
    let mut sleeper = store.sleeper(retry)?;
    let mut told: Option<Duration> = None;
    loop {
        let now = clock::now();
        // Looked at each time: the wall clock may have been set.
        let until = by_boot(stop.end.unwrap_or(now.wall), now);
        if until <= now.boot {
            return Ok(None);
        }
        let next = |told| progress.every().map(|every| told + every);
        let mut tell = told.map_or(Some(now.boot), next);
        if tell.is_some_and(|at| at <= now.boot) {
            tell = next(now.boot);
            told = Some(now.boot);
            progress.frozen(stop, now.boot.saturating_sub(began));
        }
        let interrupts: Vec<_> = interrupt.fd().into_iter().collect();
        if sleeper.sleep([Some(until), tell].into_iter().flatten().min(), &interrupts)? == Wake::Interrupt
            && let Some(signal) = interrupt.take()
        {
            return Ok(Some(signal));
        }
    }
}

/// An outcome after a freeze that was sat out: it waited since `began`.
fn waited_since(outcome: Outcome, began: Duration) -> Outcome {
    let waited = clock::since_boot().saturating_sub(began);
    match outcome {
        Outcome::Granted(mut grant) => {
            grant.waited = waited;
            Outcome::Granted(grant)
        }
        Outcome::Conflict(mut conflict) => {
            conflict.waited = waited;
            Outcome::Conflict(conflict)
        }
        other => other,
    }
}
