//! A store in memory: the plainest thing that keeps the store's promises, to hold the others against.

use std::collections::{BTreeMap, HashMap};
use std::os::fd::BorrowedFd;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use super::{Decision, HandedDown, Lease, Result, Sleeper, Store, StoreError, Txn, Wake};
use crate::clock::{self, Now};
use crate::deployment::{Deployment, Expiry, Id, State, Stored, Verdict};
use crate::engine::{Asker, Entry, Standing, View};
use crate::liveness::{self, Evidence, Kernel};
use crate::model::LockName;
use crate::process::Presence;

/// How often an interrupting descriptor is looked at.
const TICK: Duration = Duration::from_millis(5);

#[derive(Default)]
struct Content {
    number: u64,
    deployments: BTreeMap<Id, (State, Deployment, Weak<()>)>,
    queues: HashMap<LockName, Vec<Entry>>,
    history: Vec<String>,
    ledgers: BTreeMap<LockName, Vec<String>>,
}

#[derive(Default)]
struct Shared {
    content: Mutex<Content>,
    /// Grows with every change. Apart from the content: a lease may end while a decision has that.
    version: AtomicU64,
    changed: Condvar,
}

/// A store in memory. Its clones are the same store.
#[derive(Clone, Default)]
pub struct MemoryStore(Arc<Shared>);

impl MemoryStore {
    /// An empty store.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    fn touch(&self) {
        self.0.version.fetch_add(1, Ordering::SeqCst);
        self.0.changed.notify_all();
    }

    fn version(&self) -> u64 {
        self.0.version.load(Ordering::SeqCst)
    }

    fn content(&self) -> MutexGuard<'_, Content> {
        self.0.content.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

struct MemoryLease {
    id: Id,
    alive: Option<Arc<()>>,
    store: MemoryStore,
}

impl Lease for MemoryLease {
    fn id(&self) -> &Id {
        &self.id
    }

    fn hand_down(&self) -> Result<Option<HandedDown<'_>>> {
        Ok(None)
    }
}

impl Drop for MemoryLease {
    fn drop(&mut self) {
        self.alive = None;
        self.store.touch();
    }
}

struct MemoryTxn<'a> {
    store: &'a MemoryStore,
    content: MutexGuard<'a, Content>,
    now: Now,
}

impl View for MemoryTxn<'_> {
    type Error = StoreError;

    fn queue(&mut self, lock: &LockName) -> Result<Vec<Entry>> {
        Ok(self.content.queues.get(lock).cloned().unwrap_or_default())
    }

    fn standing(&mut self, id: &Id) -> Result<Standing> {
        let Some(stored) = self.find(id)? else {
            return Ok(Standing::Gone);
        };
        Ok(match (stored.state(), self.verdict(&stored)?) {
            (State::Paused, _) => Standing::Gone,
            (_, Verdict::Dead(_)) => Standing::Dead,
            (State::Waiting, _) => Standing::Waits,
            (State::Attached | State::Detached, _) => Standing::Holds,
        })
    }

    fn asker(&mut self, id: &Id) -> Result<Option<Asker>> {
        Ok(self
            .content
            .deployments
            .get(id)
            .map(|(_, d, _)| Asker { locks: d.locks.clone(), ancestors: d.ancestors.clone() }))
    }

    fn waiting_inside(&mut self, id: &Id) -> Result<Vec<Id>> {
        let all = self.content.deployments.values();
        let inside = all.filter(|(state, d, _)| *state == State::Waiting && d.ancestors.contains(id));
        Ok(inside.map(|(_, d, _)| d.id.clone()).collect())
    }
}

impl Txn for MemoryTxn<'_> {
    fn now(&self) -> Now {
        self.now
    }

    fn next_number(&mut self) -> Result<u64> {
        self.content.number += 1;
        Ok(self.content.number)
    }

    fn find(&mut self, id: &Id) -> Result<Option<Stored>> {
        let found = self.content.deployments.get(id);
        Ok(found.map(|(state, d, _)| Stored::Readable(*state, Arc::new(d.clone()))))
    }

    fn all(&mut self) -> Result<Vec<Stored>> {
        let all = self.content.deployments.values();
        Ok(all.map(|(state, d, _)| Stored::Readable(*state, Arc::new(d.clone()))).collect())
    }

    fn verdict(&mut self, stored: &Stored) -> Result<Verdict> {
        let Some(d) = stored.deployment() else {
            return Ok(Verdict::Unknown(String::new()));
        };
        let alive = self.content.deployments.get(&d.id).is_some_and(|(_, _, a)| a.strong_count() > 0);
        let parent_ended = match &d.parent {
            Some(parent) if stored.state() == State::Detached => self.standing(parent)? != Standing::Holds,
            _ => false,
        };
        let evidence = Evidence {
            lock_visible: true,
            locked: alive,
            kernel: Kernel::Ours,
            same_numbers: true,
            process: Presence::Unknown,
            command: Presence::Gone,
            owner: Presence::Unknown,
            expired: d.expires.is_some_and(|e| self.now.boot >= e.boot),
            parent_ended,
            descendant: None,
        };
        Ok(liveness::judge(stored.state(), d, &evidence))
    }

    fn enter(&mut self, d: &Deployment, state: State, under: &[(LockName, Id)]) -> Result<Box<dyn Lease>> {
        let alive = Arc::new(());
        let entry = (state, d.clone(), Arc::downgrade(&alive));
        self.content.deployments.insert(d.id.clone(), entry);
        if state != State::Paused {
            for request in &d.locks {
                let over = under.iter().find(|(lock, _)| *lock == request.lock).map(|(_, id)| id.clone());
                let entry = Entry { id: d.id.clone(), mode: request.mode, limit: request.limit, under: over };
                self.content.queues.entry(request.lock.clone()).or_default().push(entry);
            }
        }
        self.store.touch();
        Ok(Box::new(MemoryLease { id: d.id.clone(), alive: Some(alive), store: self.store.clone() }))
    }

    fn grant(&mut self, id: &Id, token: u64) -> Result<()> {
        let now = self.now;
        if let Some((state, d, _)) = self.content.deployments.get_mut(id) {
            *state = State::Attached;
            d.token = Some(token);
            d.since = now.wall;
            d.expires = d.ttl.map(|ttl| Expiry { wall: now.wall + ttl, boot: now.boot + ttl });
        }
        self.store.touch();
        Ok(())
    }

    fn settle_down(&mut self, d: &Deployment, to: State) -> Result<()> {
        if let Some((state, old, _)) = self.content.deployments.get_mut(&d.id) {
            *state = to;
            *old = d.clone();
        }
        if to == State::Paused {
            self.content.queues.values_mut().for_each(|q| q.retain(|e| e.id != d.id));
        }
        self.store.touch();
        Ok(())
    }

    fn take_over(&mut self, d: &Deployment) -> Result<Box<dyn Lease>> {
        let alive = Arc::new(());
        let taken = self.content.deployments.get_mut(&d.id).ok_or_else(|| StoreError::Gone(d.id.clone()))?;
        *taken = (State::Attached, d.clone(), Arc::downgrade(&alive));
        self.store.touch();
        Ok(Box::new(MemoryLease { id: d.id.clone(), alive: Some(alive), store: self.store.clone() }))
    }

    fn remove(&mut self, id: &Id) -> Result<Option<Stored>> {
        let removed = self.content.deployments.remove(id);
        self.content.queues.values_mut().for_each(|q| q.retain(|e| e.id != *id));
        self.content.queues.retain(|_, q| !q.is_empty());
        self.store.touch();
        Ok(removed.map(|(state, d, _)| Stored::Readable(state, Arc::new(d))))
    }

    fn remove_paused(&mut self, _id: &Id) -> Result<()> {
        Ok(()) // one place an id: entering it again has replaced the old record
    }

    fn amend(&mut self, d: &Deployment) -> Result<()> {
        if let Some((_, old, _)) = self.content.deployments.get_mut(&d.id) {
            *old = d.clone();
        }
        self.store.touch();
        Ok(())
    }

    fn locks_naming(&mut self, id: &Id) -> Result<Vec<LockName>> {
        let queues = self.content.queues.iter();
        Ok(queues.filter(|(_, q)| q.iter().any(|e| e.id == *id)).map(|(lock, _)| lock.clone()).collect())
    }

    fn make_durable(&mut self, _id: &Id) -> Result<()> {
        Ok(())
    }

    fn log(&mut self, line: &str) {
        self.content.history.push(line.to_owned());
    }

    fn ledger(&mut self, lock: &LockName) -> Result<Vec<String>> {
        Ok(self.content.ledgers.get(lock).cloned().unwrap_or_default())
    }

    fn note(&mut self, lock: &LockName, line: &str) -> Result<()> {
        self.content.ledgers.entry(lock.clone()).or_default().push(line.to_owned());
        Ok(())
    }

    fn ledgers(&mut self) -> Result<Vec<LockName>> {
        Ok(self.content.ledgers.keys().cloned().collect())
    }

    fn forget(&mut self) {}
}

struct MemorySleeper<'a> {
    store: &'a MemoryStore,
    seen: u64,
}

impl Sleeper for MemorySleeper<'_> {
    fn arm(&mut self, _ids: &[Id], _txn: &mut dyn Txn) -> Result<()> {
        Ok(())
    }

    fn arm_all(&mut self) -> Result<()> {
        self.seen = self.store.version();
        Ok(())
    }

    fn sleep(&mut self, until: Option<Duration>, _interrupts: &[BorrowedFd<'_>]) -> Result<Wake> {
        let mut content = self.store.content();
        loop {
            let version = self.store.version();
            if version != self.seen {
                self.seen = version;
                return Ok(Wake::Look);
            }
            if until.is_some_and(|at| clock::since_boot() >= at) {
                return Ok(Wake::Time);
            }
            let waited = self.store.0.changed.wait_timeout(content, TICK);
            content = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }
}

impl Store for MemoryStore {
    fn decide(&self, decision: &mut Decision<'_>) -> Result<()> {
        let done = decision(&mut MemoryTxn { store: self, content: self.content(), now: clock::now() });
        self.0.changed.notify_all();
        done
    }

    fn look(&self, look: &mut Decision<'_>) -> Result<bool> {
        self.decide(look).map(|()| true)
    }

    /// Only a decision tells.
    fn granted(&self, _waited: &Deployment) -> Result<Option<Arc<Deployment>>> {
        Ok(None)
    }

    fn sleeper(&self, _retry: Duration) -> Result<Box<dyn Sleeper + '_>> {
        Ok(Box::new(MemorySleeper { store: self, seen: 0 }))
    }

    fn history(&self) -> Result<Vec<String>> {
        Ok(self.content().history.clone())
    }

    fn describe(&self) -> String {
        "memory".to_owned()
    }
}
