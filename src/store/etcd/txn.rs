//! A decision in etcd: everything as it was at one revision, and in memory what the decision makes of it. What was
//! looked at and what was changed is noted for the commit; nothing is written here.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

use super::EtcdStore;
use super::keys::Part;
use super::lease::{EtcdLease, Keeper};
use super::life::Again;
use super::messages::Range;
use super::view::{Content, Record, View};
use crate::clock::{self, Now};
use crate::deployment::{Deployment, Expiry, Happening, Id, State, Stored, Unreadable, Verdict};
use crate::engine::{Asker, Entry, Standing};
use crate::model::{LockName, LockRequest};
use crate::store::{Lease, Result, StoreError, Txn};

/// How many may be granted by one commit. The others see the change, look, and are granted then.
const GRANTS: usize = 40;

/// A decision in progress.
pub(super) struct EtcdTxn<'a> {
    pub(super) store: &'a EtcdStore,
    pub(super) deadline: Duration,
    /// What is known so far: see `known`.
    pub(super) view: Option<View>,
    /// It may begin with what was known before.
    pub(super) may_know: bool,
    pub(super) now: Now,
    queues: Option<HashMap<LockName, Vec<Entry>>>,
    pub(super) again: &'a mut Again,
    pub(super) entered: usize,
    granted: usize,
    /// The locks whose queues were looked at.
    pub(super) locks_seen: BTreeSet<LockName>,
    /// Every deployment was looked at.
    pub(super) all_seen: bool,
    /// What was changed, as it was before.
    pub(super) before: BTreeMap<Id, Option<Record>>,
    /// Who keeps whom alive from this commit on.
    pub(super) keepers: Vec<(Id, Arc<Keeper>)>,
    /// Lines for the history.
    pub(super) lines: Vec<String>,
    pub(super) ledgers: BTreeMap<LockName, Ledger>,
    /// For the listener.
    pub(super) happened: Vec<Happening>,
    pub(super) tidy: bool,
}

/// The lines of an application.
#[derive(Default)]
pub(super) struct Ledger {
    pub(super) lines: Vec<String>,
    /// How many of them are stored.
    pub(super) stored: usize,
}

impl<'a> EtcdTxn<'a> {
    pub(super) fn new(
        store: &'a EtcdStore,
        deadline: Duration,
        view: Option<View>,
        again: &'a mut Again,
    ) -> Self {
        if let Some(view) = &view {
            store.saw(view.revision);
        }
        EtcdTxn {
            store,
            deadline,
            view,
            may_know: false,
            now: clock::now(),
            queues: None,
            again,
            entered: 0,
            granted: 0,
            locks_seen: BTreeSet::new(),
            all_seen: false,
            before: BTreeMap::new(),
            keepers: Vec::new(),
            lines: Vec::new(),
            ledgers: BTreeMap::new(),
            happened: Vec::new(),
            tidy: false,
        }
    }

    /// Changes a record; what it was is kept for the commit.
    fn change(&mut self, id: &Id, record: Option<Record>) -> Result<()> {
        self.record(id)?;
        let view = self.view.as_mut().expect("its record was looked at");
        let before = match record {
            Some(record) => view.records.insert(id.clone(), record),
            None => view.records.remove(id),
        };
        self.before.entry(id.clone()).or_insert(before);
        self.queues = None;
        Ok(())
    }

    /// Changes a record that is there and can be read.
    fn edit(&mut self, id: &Id, edit: impl FnOnce(&mut Record, &mut Content)) -> Result<()> {
        let Some(mut record) = self.record(id)?.cloned() else {
            return Ok(());
        };
        let mut content = match &record.content {
            Ok(content) => content.clone(),
            Err(why) => return Err(self.unreadable(id, why.clone())),
        };
        edit(&mut record, &mut content);
        record.content = Ok(content);
        self.change(id, Some(record))
    }

    fn path(&self, id: &Id) -> String {
        format!("{} in etcd", self.store.keys.deployment(id, Part::Record))
    }

    fn unreadable(&self, id: &Id, why: String) -> StoreError {
        StoreError::Unreadable { id: id.clone(), path: self.path(id), why }
    }

    fn stored(&self, id: &Id, record: &Record) -> Stored {
        match &record.content {
            Ok(content) => Stored::Readable(content.state, Arc::new(content.deployment.clone())),
            Err(why) => Stored::Unreadable(Unreadable {
                id: id.clone(),
                // What cannot be read may well hold.
                state: State::Attached,
                path: self.path(id),
                why: why.clone(),
            }),
        }
    }

    /// The queue of a lock as the changes so far leave it.
    pub(super) fn queue_now(&mut self, lock: &LockName) -> Result<Vec<Entry>> {
        if let Some(queue) = self.glimpse(lock)? {
            return Ok(queue);
        }
        if self.queues.is_none() {
            self.queues = Some(self.view()?.queues());
        }
        let queues = self.queues.as_ref().expect("made above");
        Ok(queues.get(lock).cloned().unwrap_or_default())
    }

    fn open_ledger(&mut self, name: &LockName) -> Result<&mut Ledger> {
        if !self.ledgers.contains_key(name) {
            // Read as it is now: the commit makes sure that it was so at the view's revision, which may be compacted.
            let range = Range::prefix(self.store.keys.ledger(name));
            let read = self.store.client.range(&range, self.deadline);
            let kvs = read.map_err(|e| self.store.failed(e))?.kvs;
            let lines: Vec<String> = kvs.iter().map(super::messages::KeyValue::text).collect();
            let stored = lines.len();
            self.ledgers.insert(name.clone(), Ledger { lines, stored });
        }
        Ok(self.ledgers.get_mut(name).expect("opened above"))
    }
}

impl crate::engine::View for EtcdTxn<'_> {
    type Error = StoreError;

    fn queue(&mut self, lock: &LockName) -> Result<Vec<Entry>> {
        if !self.locks_seen.contains(lock) {
            self.locks_seen.insert(lock.clone());
        }
        self.queue_now(lock)
    }

    fn standing(&mut self, id: &Id) -> Result<Standing> {
        let Some(record) = self.record(id)?.cloned() else {
            return Ok(Standing::Gone);
        };
        let Ok(content) = &record.content else {
            return Ok(Standing::Holds);
        };
        if content.state == State::Paused {
            return Ok(Standing::Gone);
        }
        Ok(match (content.state, self.judge(&record, content)?) {
            (_, Verdict::Dead(_)) => Standing::Dead,
            (State::Waiting, _) => Standing::Waits,
            _ => Standing::Holds,
        })
    }

    fn asker(&mut self, id: &Id) -> Result<Option<Asker>> {
        let content = self.record(id)?.and_then(|r| r.content.as_ref().ok());
        Ok(content
            .map(|c| Asker { locks: c.deployment.locks.clone(), ancestors: c.deployment.ancestors.clone() }))
    }

    fn waiting_inside(&mut self, id: &Id) -> Result<Vec<Id>> {
        self.all_seen = true;
        let contents = self.view()?.records.values().filter_map(|r| r.content.as_ref().ok());
        let inside = contents.filter(|c| c.state == State::Waiting && c.deployment.ancestors.contains(id));
        Ok(inside.map(|c| c.deployment.id.clone()).collect())
    }
}

impl Txn for EtcdTxn<'_> {
    fn now(&self) -> Now {
        self.now
    }

    /// The first revision at which this decision can come to be: above the revision of every decision on which it
    /// rests. The same for all that it decides.
    fn next_number(&mut self) -> Result<u64> {
        self.begin();
        let view = match &self.view {
            Some(view) if view.glimpse.is_some() => view,
            _ => self.view()?,
        };
        Ok(view.base + view.revision.unsigned_abs() + 1)
    }

    fn about(&mut self, locks: &[LockRequest]) -> Result<()> {
        self.look_first(locks)
    }

    fn find(&mut self, id: &Id) -> Result<Option<Stored>> {
        let record = self.record(id)?.cloned().filter(|record| !self.is_anothers(id, record));
        let stored = record.map(|record| self.stored(id, &record));
        if stored.as_ref().is_some_and(|s| s.state().holds()) {
            self.store.holds(id);
        }
        Ok(stored)
    }

    fn all(&mut self) -> Result<Vec<Stored>> {
        self.all_seen = true;
        self.view()?;
        let view = self.view.as_ref().expect("loaded above");
        Ok(view.records.iter().map(|(id, record)| self.stored(id, record)).collect())
    }

    fn verdict(&mut self, stored: &Stored) -> Result<Verdict> {
        let record = self.record(stored.id())?.cloned();
        match record.as_ref().map(|r| (r, &r.content)) {
            Some((record, Ok(content))) => self.judge(record, content),
            Some((_, Err(why))) => Ok(Verdict::Unknown(format!("its record cannot be read: {why}"))),
            None => Ok(Verdict::Dead("it is gone".to_owned())),
        }
    }

    fn enter(&mut self, d: &Deployment, state: State, under: &[(LockName, Id)]) -> Result<Box<dyn Lease>> {
        let old = self.record(&d.id)?.cloned();
        let mut record = Record::new(Content { state, under: under.to_vec(), deployment: d.clone() });
        if let Some(old) = &old {
            record.written = old.written;
            // A resumed one is paused again if it is killed while it waits.
            record.paused =
                old.content.as_ref().ok().filter(|c| c.state == State::Paused).map(Content::write);
        }
        let lease: Box<dyn Lease> = match state {
            State::Waiting | State::Attached => self.attach(&d.id, &mut record)?,
            State::Detached | State::Paused => Box::new(EtcdLease { id: d.id.clone(), keeper: None }),
        };
        if state == State::Detached {
            record.until = self.time(d)?;
        }
        self.change(&d.id, Some(record))?;
        Ok(lease)
    }

    fn grant(&mut self, id: &Id, token: u64) -> Result<()> {
        let now = self.now;
        let waits = self.record(id)?.and_then(|r| r.content.as_ref().ok());
        if waits.is_none_or(|c| c.state != State::Waiting) || self.granted >= GRANTS {
            return Ok(());
        }
        self.granted += 1;
        self.edit(id, |_, content| {
            let d = &mut content.deployment;
            content.state = State::Attached;
            d.token = Some(token);
            d.since = now.wall;
            d.expires = d.ttl.map(|ttl| Expiry { wall: now.wall + ttl, boot: now.boot + ttl });
        })
    }

    fn settle_down(&mut self, d: &Deployment, to: State) -> Result<()> {
        let until = if to == State::Detached { self.time(d)? } else { None };
        self.edit(&d.id, |record, content| {
            content.state = to;
            content.deployment = d.clone();
            record.alive = None;
            record.until = until;
            record.paused = None;
        })
    }

    fn remove(&mut self, id: &Id) -> Result<Option<Stored>> {
        let Some(record) = self.record(id)?.cloned().filter(|record| !self.is_anothers(id, record)) else {
            return Ok(None);
        };
        let stored = self.stored(id, &record);
        let was =
            record.paused.as_ref().filter(|_| stored.state() == State::Waiting && record.alive.is_none());
        let back = was.and_then(|text| Content::read(text, id).ok());
        let back = back.map(|content| Record { written: record.written, ..Record::new(content) });
        self.change(id, back)?;
        Ok(Some(stored))
    }

    fn remove_paused(&mut self, id: &Id) -> Result<()> {
        self.edit(id, |record, _| record.paused = None)
    }

    fn amend(&mut self, d: &Deployment) -> Result<()> {
        let Some(record) = self.record(&d.id)? else {
            return Ok(());
        };
        let old = record.content.as_ref().ok();
        let same_time = old.is_some_and(|c| c.deployment.expires == d.expires);
        let unbound = old.is_some_and(|c| c.state == State::Detached) && !same_time;
        let until = if unbound { self.time(d)? } else { None };
        self.edit(&d.id, |record, content| {
            content.deployment = d.clone();
            if unbound {
                record.until = until;
            }
        })
    }

    fn locks_naming(&mut self, id: &Id) -> Result<Vec<LockName>> {
        let view = self.view()?;
        let content = view.records.get(id).and_then(|r| r.content.as_ref().ok());
        Ok(match content {
            Some(content) => content.deployment.locks.iter().map(|r| r.lock.clone()).collect(),
            None => view.stray_locks(id),
        })
    }

    /// What is committed is on the disks of a majority. But what a stopped process was granted may be another's by now.
    fn make_durable(&mut self, id: &Id) -> Result<()> {
        if self.store.keeper_of(id).is_some_and(|keeper| clock::since_boot() >= keeper.deadline().give_up) {
            return Err(StoreError::Lapsed(id.clone()));
        }
        Ok(())
    }

    fn log(&mut self, line: &str) {
        self.lines.push(line.to_owned());
    }

    fn tidy(&mut self) -> Result<()> {
        self.tidy = true;
        Ok(())
    }

    fn is_heard(&self) -> bool {
        self.store.listener.is_some()
    }

    fn tell(&mut self, happening: Happening) {
        self.happened.push(happening);
    }

    /// What changed since the view's revision makes the commit fail, or wakes who is armed.
    fn forget(&mut self) {}

    fn take_over(&mut self, d: &Deployment) -> Result<Box<dyn Lease>> {
        let Some(mut record) = self.record(&d.id)?.cloned() else {
            return Err(StoreError::Gone(d.id.clone()));
        };
        let under = record.content.as_ref().map(|c| c.under.clone()).unwrap_or_default();
        record.content = Ok(Content { state: State::Attached, under, deployment: d.clone() });
        record.until = None;
        let lease = self.attach(&d.id, &mut record)?;
        self.change(&d.id, Some(record))?;
        Ok(lease)
    }

    fn ledgers(&mut self) -> Result<Vec<LockName>> {
        self.store.ledger_names(self.deadline).map_err(|e| self.store.failed(e))
    }

    fn ledger(&mut self, name: &LockName) -> Result<Vec<String>> {
        Ok(self.open_ledger(name)?.lines.clone())
    }

    fn note(&mut self, name: &LockName, line: &str) -> Result<()> {
        self.open_ledger(name)?.lines.push(line.to_owned());
        Ok(())
    }
}
