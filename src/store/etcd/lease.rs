//! A lease, kept alive on a thread: what says that a deployment's process lives. And until when, by this host's
//! own clock, that is sure: whoever holds under it must have ended before the server can have let it go.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::client::{self, Client};
use super::settings::Settings;
use crate::clock;
use crate::deployment::Id;
use crate::store::{Deadline, Lease, Result, StoreError};

/// A lease is kept alive this many times while it lasts.
const BEATS: u32 = 10;
/// How long the end of a lease that is of no more use may take.
const FAREWELL: Duration = Duration::from_secs(2);
/// The longest that a command which was told to end may take before it is killed.
const GRACE: Duration = Duration::from_secs(10);

/// A lease and the thread that keeps it alive; it ends when this is dropped.
pub(super) struct Keeper(Arc<Shared>);

struct Shared {
    settings: Arc<Settings>,
    lease: i64,
    life: Mutex<Life>,
    wake: Condvar,
}

struct Life {
    /// When the last keepalive that was answered was sent, by the boot clock.
    sent: Duration,
    /// The server has let it go.
    gone: bool,
    /// Nobody needs it any more.
    over: bool,
    /// Nothing is bound to it any more: it may run out by itself.
    bare: bool,
}

impl Keeper {
    /// A new lease, kept alive from now on.
    pub(super) fn begin(client: &Client, deadline: Duration) -> client::Result<Keeper> {
        let settings = client.settings().clone();
        let sent = clock::since_boot();
        let lease = client.grant_lease(settings.lease, deadline)?;
        let life = Mutex::new(Life { sent, gone: false, over: false, bare: false });
        let shared = Arc::new(Shared { settings, lease, life, wake: Condvar::new() });
        let kept = shared.clone();
        // Without a thread the deadline passes, and the hold is given up in time.
        let _ = std::thread::Builder::new().name("lease".into()).spawn(move || kept.keep());
        Ok(Keeper(shared))
    }

    /// etcd's name for it.
    pub(super) fn lease(&self) -> i64 {
        self.0.lease
    }

    /// Nothing is bound to it any more.
    pub(super) fn bare(&self) {
        self.0.life().bare = true;
    }

    /// Until when it is sure.
    pub(super) fn deadline(&self) -> Deadline {
        let life = self.0.life();
        if life.gone {
            return Deadline { give_up: Duration::ZERO, over: Duration::ZERO };
        }
        deadline(life.sent, self.0.settings.lease)
    }
}

/// A third of the lease, but no more than is any use, is left for the command to end; a tenth for clocks and for
/// the kill.
fn deadline(sent: Duration, lease: Duration) -> Deadline {
    let over = sent + lease - lease / BEATS;
    Deadline { give_up: over - GRACE.min(lease / 3), over }
}

impl Shared {
    fn life(&self) -> MutexGuard<'_, Life> {
        self.life.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn keep(&self) {
        let client = Client::new(self.settings.clone());
        let beat = self.settings.lease / BEATS;
        let mut pause = beat;
        while self.rest(pause) {
            let sent = clock::since_boot();
            pause = match client.keep_lease(self.lease, sent + beat) {
                Ok(true) => {
                    self.life().sent = sent;
                    beat
                }
                Ok(false) => {
                    self.life().gone = true;
                    return;
                }
                Err(_) => beat / BEATS,
            };
        }
    }

    /// Rests; whether to go on.
    fn rest(&self, time: Duration) -> bool {
        let until = clock::since_boot() + time;
        let mut life = self.life();
        while !life.over {
            let left = until.saturating_sub(clock::since_boot());
            if left.is_zero() {
                return true;
            }
            life = self.wake.wait_timeout(life, left).unwrap_or_else(PoisonError::into_inner).0;
        }
        false
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        let bound = {
            let mut life = self.0.life();
            life.over = true;
            !life.gone && !life.bare
        };
        self.0.wake.notify_all();
        if bound {
            // What is bound to it is dead from now on. Unheard, it is dead when the lease has run out.
            let client = Client::new(self.0.settings.clone());
            let _ = client.revoke_lease(self.0.lease, clock::since_boot() + FAREWELL);
        }
    }
}

/// What keeps a deployment alive in etcd.
pub(super) struct EtcdLease {
    pub(super) id: Id,
    /// `None` for one that needs nothing to live.
    pub(super) keeper: Option<Arc<Keeper>>,
}

impl Lease for EtcdLease {
    fn id(&self) -> &Id {
        &self.id
    }

    /// There is nothing to inherit; but a process that was stopped for long must not start a command now.
    fn hand_down(&self) -> Result<Option<std::os::fd::OwnedFd>> {
        match self.deadline() {
            Some(deadline) if clock::since_boot() >= deadline.give_up => {
                Err(StoreError::Lapsed(self.id.clone()))
            }
            _ => Ok(None),
        }
    }

    fn deadline(&self) -> Option<Deadline> {
        self.keeper.as_ref().map(|keeper| keeper.deadline())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hold_is_given_up_and_over_before_its_lease_can_be() {
        for seconds in [6, 10, 30, 60, 600] {
            let (sent, lease) = (Duration::from_secs(1000), Duration::from_secs(seconds));
            let Deadline { give_up, over } = deadline(sent, lease);
            assert!(give_up < over && over < sent + lease);
            assert!(give_up >= sent + lease / 2, "{seconds}");
            assert!(over - give_up >= Duration::from_secs(2));
        }
    }
}
