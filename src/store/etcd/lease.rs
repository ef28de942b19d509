//! A lease, kept alive on a thread: what says that a deployment's process lives. And until when, by this host's
//! own clock, that is sure: whoever holds under it must have ended before the server can have let it go.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::client::{self, Client};
use super::glimpse;
use super::keys::Keys;
use super::settings::Settings;
use super::view::View;
use crate::clock;
use crate::deployment::Id;
use crate::model::LockName;
use crate::store::{Deadline, HandedDown, Lease, Result, StoreError};

/// A lease is kept alive this many times while it lasts.
const BEATS: u32 = 10;
/// How long the end of a lease that is of no more use may take.
const FAREWELL: Duration = Duration::from_secs(2);
/// How long what is read ahead may take.
const AHEAD: Duration = Duration::from_secs(1);
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

#[derive(Default)]
struct Life {
    /// When the last keepalive that was answered was sent, by the boot clock.
    sent: Duration,
    /// The server has let it go.
    gone: bool,
    /// Nobody needs it any more.
    over: bool,
    /// Nothing is bound to it any more: it may run out by itself.
    bare: bool,
    /// Entries of the history that nobody waits for, and when to write the first of them.
    entries: VecDeque<(String, String)>,
    write_at: Duration,
    /// They are to be written now.
    stirred: bool,
    /// The thread is there.
    hears: bool,
    ahead: Ahead,
}

/// What is read while a command is being started, to be known when it has ended.
#[derive(Default)]
enum Ahead {
    #[default]
    No,
    /// It holds these locks, and others waited behind it.
    Holds(Vec<LockName>),
    Wanted(Vec<LockName>),
    Reading,
    /// Read at this time.
    There(Duration, Vec<LockName>, View),
}

/// What the thread has to do.
enum Task {
    Beat,
    Write(String, String),
    Ahead(Vec<LockName>),
    End,
}

impl Keeper {
    /// A new lease, kept alive from now on.
    pub(super) fn begin(client: &Client, deadline: Duration) -> client::Result<Keeper> {
        let settings = client.settings().clone();
        let sent = clock::since_boot();
        let lease = client.grant_lease(settings.lease, deadline)?;
        let life = Mutex::new(Life { sent, hears: true, ..Life::default() });
        let shared = Arc::new(Shared { settings, lease, life, wake: Condvar::new() });
        let kept = shared.clone();
        // Without a thread the deadline passes, and the hold is given up in time.
        if std::thread::Builder::new().name("lease".into()).spawn(move || kept.keep()).is_err() {
            shared.life().hears = false;
        }
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

    /// Leaves an entry of the history to the thread; `false` where that writes none any more. It is not woken: what
    /// comes next is the start of a command, and not to be disturbed.
    pub(super) fn write(&self, key: String, entry: String) -> bool {
        let mut life = self.0.life();
        if life.hears {
            life.entries.push_back((key, entry));
        }
        life.hears
    }

    /// It has been granted these locks after a wait.
    pub(super) fn holds(&self, locks: Vec<LockName>) {
        self.0.life().ahead = Ahead::Holds(locks);
    }

    /// Has the thread read who is next, where others may wait.
    fn look_ahead(&self) {
        let mut life = self.0.life();
        if !life.hears {
            return;
        }
        life.ahead = match std::mem::take(&mut life.ahead) {
            Ahead::Holds(locks) => Ahead::Wanted(locks),
            other => other,
        };
        self.0.wake.notify_all();
    }

    /// What the thread has read of these locks, and since when it is known.
    pub(super) fn ahead(&self, locks: &[LockName]) -> Option<(Duration, View)> {
        let mut life = self.0.life();
        let until = clock::since_boot() + AHEAD;
        while life.hears && matches!(life.ahead, Ahead::Reading) && clock::since_boot() < until {
            life = self.0.wake.wait_timeout(life, AHEAD).unwrap_or_else(PoisonError::into_inner).0;
        }
        match std::mem::take(&mut life.ahead) {
            Ahead::There(at, of, view) if of == locks => Some((at, view)),
            _ => None,
        }
    }

    /// What was left to the thread and is not written yet.
    pub(super) fn left(&self) -> Vec<(String, String)> {
        self.0.life().entries.drain(..).collect()
    }

    /// Has the thread write what was left to it.
    pub(super) fn stir(&self) {
        let mut life = self.0.life();
        if !life.entries.is_empty() {
            life.stirred = true;
            self.0.wake.notify_all();
        }
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
        let mut next = clock::since_boot() + beat;
        loop {
            match self.next_task(next) {
                Task::End => break,
                Task::Write(key, entry) => self.write(&client, &key, &entry),
                Task::Ahead(locks) => self.read_ahead(&client, locks),
                Task::Beat => {
                    let sent = clock::since_boot();
                    let pause = match client.keep_lease(self.lease, sent + beat) {
                        Ok(true) => {
                            self.life().sent = sent;
                            beat
                        }
                        Ok(false) => {
                            self.life().gone = true;
                            break;
                        }
                        Err(_) => beat / BEATS,
                    };
                    next = clock::since_boot() + pause;
                }
            }
        }
        // Nobody waits for what is written no more.
        let mut life = self.life();
        life.hears = false;
        life.entries.clear();
        self.wake.notify_all();
    }

    /// Writes an entry, which may be there already; what cannot be written is tried again as long as there is time.
    fn write(&self, client: &Client, key: &str, entry: &str) {
        let over = self.life().over;
        let time = if over { FAREWELL } else { self.settings.lease / BEATS };
        let written = client.put(key, entry, clock::since_boot() + time).is_ok();
        let mut life = self.life();
        // Another may have taken it to write it meanwhile.
        let still = life.entries.front().is_some_and(|(front, _)| front == key);
        if still && (written || over) {
            life.entries.pop_front();
        } else if still {
            life.write_at = clock::since_boot() + time;
        }
        self.wake.notify_all();
    }

    fn read_ahead(&self, client: &Client, mut locks: Vec<LockName>) {
        locks.sort();
        let (at, keys) = (clock::since_boot(), Keys::below(&self.settings.prefix));
        let view = glimpse::look_ahead(client, &keys, &locks, at + AHEAD);
        let mut life = self.life();
        if matches!(life.ahead, Ahead::Reading) {
            life.ahead = view.map_or(Ahead::No, |view| Ahead::There(at, locks, view));
        }
        self.wake.notify_all();
    }

    /// Rests until there is something to do: at the latest when the next keepalive is due.
    fn next_task(&self, beat: Duration) -> Task {
        let mut life = self.life();
        loop {
            let now = clock::since_boot();
            life.stirred &= !life.entries.is_empty();
            let due = life.over || (life.stirred && now >= life.write_at);
            let entry = life.entries.front().filter(|_| due);
            if let Some((key, entry)) = entry {
                return Task::Write(key.clone(), entry.clone());
            }
            if life.over {
                return Task::End;
            }
            if let Ahead::Wanted(locks) = &life.ahead {
                let locks = locks.clone();
                life.ahead = Ahead::Reading;
                return Task::Ahead(locks);
            }
            let left = beat.saturating_sub(now);
            if left.is_zero() {
                life.stirred = true;
                return Task::Beat;
            }
            life = self.wake.wait_timeout(life, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        let mut life = self.0.life();
        life.over = true;
        self.0.wake.notify_all();
        // What the history is still to be told takes a moment, if anything.
        let until = clock::since_boot() + FAREWELL;
        while life.hears && !life.entries.is_empty() && clock::since_boot() < until {
            life = self.0.wake.wait_timeout(life, FAREWELL).unwrap_or_else(PoisonError::into_inner).0;
        }
        let bound = !life.gone && !life.bare;
        drop(life);
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
    fn hand_down(&self) -> Result<Option<HandedDown<'_>>> {
        match self.deadline() {
            Some(deadline) if clock::since_boot() >= deadline.give_up => {
                Err(StoreError::Lapsed(self.id.clone()))
            }
            _ => Ok(None),
        }
    }

    fn command_started(&self) {
        self.keeper.iter().for_each(|keeper| keeper.look_ahead());
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
