//! A few locks' queues as the locks' own keys have them, and the records that are asked for, one by one, all of one
//! revision: so that who hands on in a long queue reads the head of it and not everything.
//!
//! A lock's key is written with each change of its queue, in the same step. Only after a coarse commit it follows a
//! moment later: a key that is older than the guard is not believed, and everything is read instead.

use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

use super::EtcdStore;
use super::client::{self, CallError, Client, Repeat};
use super::commit::Transaction;
use super::keys::{Keys, Part};
use super::messages::{Range, RangeAnswer, Step, TxnAnswer, tree_end};
use super::txn::EtcdTxn;
use super::view::{Content, LineShown, LockShown, View};
use crate::deployment::{Id, State};
use crate::engine::Entry;
use crate::model::{LockName, LockRequest};
use crate::store::{Result, StoreError};

/// How many locks are looked at like this at most.
const LOCKS: usize = 16;
/// How many records are asked for one by one before everything is read.
const RECORDS: usize = 3;
/// So many keys of deployments are read beside the locks, for one that knows nothing: where there are no more, it
/// knows everything.
const FEW: i64 = 32;
/// etcd's code for a revision that was compacted away.
const COMPACTED: i64 = 11;

/// What is known of queues beside the records.
#[derive(Debug, Clone, Default)]
pub(super) struct Glimpse {
    queues: HashMap<LockName, Vec<Line>>,
    /// Looked up, and not there.
    absent: BTreeSet<Id>,
    asked: usize,
}

/// One that stands at a lock.
#[derive(Debug, Clone)]
struct Line {
    arrival: Option<u64>,
    entry: Entry,
    shown: LineShown,
    waits: bool,
}

impl Line {
    /// As [`Content::place`].
    fn place(&self) -> (bool, Option<u64>) {
        (self.waits, self.arrival)
    }
}

impl Glimpse {
    /// What a lock's key says of one whose record was not read: whether it waits, and its line.
    pub(super) fn line(&self, lock: &LockName, id: &Id) -> Option<(bool, LineShown)> {
        let line = self.queues.get(lock)?.iter().find(|line| line.entry.id == *id)?;
        Some((line.waits, line.shown.clone()))
    }

    pub(super) fn misses(&self, id: &Id) -> bool {
        self.absent.contains(id)
    }

    /// The locks that were looked at.
    pub(super) fn locks(&self) -> Vec<LockName> {
        self.queues.keys().cloned().collect()
    }
}

/// What to read for these locks, and for these records of which some are known to be needed.
pub(super) fn ranges(keys: &Keys, locks: &[LockName], ids: &[Id]) -> Vec<Range> {
    let fixed = [Range::one(keys.guard()), Range::one(keys.base())];
    let locks =
        locks.iter().flat_map(|lock| [Range::one(keys.lock(lock)), Range::prefix(keys.arrivals(lock))]);
    fixed.into_iter().chain(locks).chain(ids.iter().map(|id| tree(keys, id))).collect()
}

/// All of these, of one revision.
fn look(
    client: &Client,
    ranges: impl IntoIterator<Item = Range>,
    deadline: Duration,
) -> client::Result<TxnAnswer> {
    let steps = ranges.into_iter().map(Step::Look).collect();
    Transaction { compares: Vec::new(), steps }.send(client, &[], Repeat::Harmless, deadline)
}

fn tree(keys: &Keys, id: &Id) -> Range {
    let key = keys.deployment(id, Part::Record);
    Range { to: Some(tree_end(&key)), from: key, ..Range::default() }
}

/// The view that the answers to [`ranges`] give; `None` where the locks' keys may be behind.
pub(super) fn read(answer: TxnAnswer, keys: &Keys, locks: &[LockName], ids: &[Id]) -> Option<View> {
    let mut answers = answer.responses.into_iter().map(|r| r.response_range.unwrap_or_default());
    let guard = answers.next()?.kvs.first().map_or(0, |kv| kv.mod_revision);
    let mut all = answers.next()?;
    let mut glimpse = Glimpse::default();
    for lock in locks {
        let queue = queue_of(&answers.next()?, &answers.next()?, guard)?;
        glimpse.queues.insert(lock.clone(), queue);
    }
    all.kvs.extend(answers.flat_map(|a| a.kvs));
    let (base, records) = super::view::read_all(&all, keys);
    glimpse.absent.extend(ids.iter().filter(|id| !records.contains_key(id)).cloned());
    let mut view = View::part(answer.header.revision, base, records);
    view.glimpse = Some(glimpse);
    Some(view)
}

/// The queue that a lock's key says, and those who came since it was written; `None` where it may be behind, or says
/// something else.
fn queue_of(answer: &RangeAnswer, arrivals: &RangeAnswer, guard: i64) -> Option<Vec<Line>> {
    let mut shown = match answer.kvs.first() {
        Some(kv) if kv.mod_revision > guard => serde_json::from_slice::<LockShown>(&kv.value).ok()?,
        None if guard == 0 => LockShown::default(),
        _ => return None,
    };
    for kv in &arrivals.kvs {
        let came: LockShown = serde_json::from_slice(&kv.value).ok()?;
        for line in came.waiters {
            let mut known = shown.holders.iter().chain(&shown.waiters);
            if known.all(|known| known.id != line.id) {
                shown.waiters.push(line);
            }
        }
    }
    let line = |waits| {
        move |shown: LineShown| Some(Line { arrival: shown.arrival, entry: shown.entry()?, shown, waits })
    };
    let holders = shown.holders.into_iter().map(line(false));
    let mut queue: Vec<Line> =
        holders.chain(shown.waiters.into_iter().map(line(true))).collect::<Option<_>>()?;
    queue.sort_by(|a, b| (a.place(), &a.entry.id).cmp(&(b.place(), &b.entry.id)));
    Some(queue)
}

impl EtcdTxn<'_> {
    /// A lock's queue as the changes so far leave it, where only that is to be read; `None`: everything is known, or to
    /// be read.
    pub(super) fn glimpse(&mut self, lock: &LockName) -> Result<Option<Vec<Entry>>> {
        self.begin();
        // One that knows nothing reads everything at once.
        if self.view.as_ref().is_none_or(|view| view.whole) || !self.seen_at(lock)? {
            return Ok(None);
        }
        let Some(view) = &self.view else { return Ok(None) };
        let Some(lines) = view.glimpse.as_ref().and_then(|g| g.queues.get(lock)) else { return Ok(None) };
        let stored = lines.iter().filter(|line| !self.before.contains_key(&line.entry.id));
        let mut queue: Vec<_> = stored.map(|l| (l.place(), l.entry.clone())).collect();
        let changed = self.before.keys().filter_map(|id| view.records.get(id)?.content.as_ref().ok());
        queue.extend(changed.filter_map(|content| Some((content.place(), content.entry_at(lock)?))));
        queue.sort_by(|(a, x), (b, y)| (a, &x.id).cmp(&(b, &y.id)));
        Ok(Some(queue.into_iter().map(|(_, entry)| entry).collect()))
    }

    /// Makes sure that the lock's key was read, if it is to be; `false`: everything was, or is to be.
    fn seen_at(&mut self, lock: &LockName) -> Result<bool> {
        let Some(view) = &self.view else { return Ok(false) };
        let known = view.glimpse.as_ref();
        if known.is_some_and(|g| g.queues.contains_key(lock)) {
            return Ok(true);
        }
        // The others of the same deployment are asked for next.
        let changed = self.before.keys().filter_map(|id| view.records.get(id).or(self.before[id].as_ref()));
        let of_changed = changed.filter_map(|r| r.content.as_ref().ok()).flat_map(|c| &c.deployment.locks);
        let mut locks: BTreeSet<LockName> = of_changed.map(|r| r.lock.clone()).collect();
        locks.insert(lock.clone());
        if known.is_some() || locks.len() > LOCKS {
            return Ok(false);
        }
        let locks: Vec<LockName> = locks.into_iter().collect();
        let ahead = self.store.ahead(&locks);
        let read = match ahead {
            Some(view) => Some(view),
            None => self.look_at(&locks)?,
        };
        let Some(mut fresh) = read else { return Ok(false) };
        let whole = fresh.whole;
        // What was changed stays changed; was it not what it seemed, the commit will find out.
        let part = self.view.take();
        for id in self.before.keys() {
            match part.as_ref().and_then(|p| p.records.get(id)) {
                Some(record) => drop(fresh.records.insert(id.clone(), record.clone())),
                None => drop(fresh.records.remove(id)),
            }
        }
        self.store.saw(fresh.revision);
        self.view = Some(fresh);
        Ok(!whole)
    }

    /// The first look of a decision about these locks.
    pub(super) fn look_first(&mut self, requests: &[LockRequest]) -> Result<()> {
        self.begin();
        if self.view.is_some() || requests.len() > LOCKS {
            return Ok(());
        }
        let locks: Vec<LockName> = requests.iter().map(|r| r.lock.clone()).collect();
        self.view = self.look_at(&locks)?;
        self.view.iter().for_each(|view| self.store.saw(view.revision));
        Ok(())
    }

    /// These locks, and everything where that is little.
    fn look_at(&self, locks: &[LockName]) -> Result<Option<View>> {
        let EtcdStore { client, keys, .. } = self.store;
        let few = Range { limit: FEW, ..Range::prefix(keys.deployments()) };
        let wanted = ranges(keys, locks, &[]).into_iter().chain([few]);
        let mut answer = look(client, wanted, self.deadline).map_err(|e| self.store.failed(e))?;
        let few = answer.responses.pop().and_then(|r| r.response_range).unwrap_or_default();
        if few.count > few.kvs.len() as i64 {
            return Ok(read(answer, keys, locks, &[]));
        }
        let all = RangeAnswer { header: answer.header, ..few };
        View::of(all, client, keys, self.deadline).map(Some).map_err(|e| self.store.failed(e))
    }

    /// Reads one record, of the revision of what is known; `false` where everything is better read.
    pub(super) fn look_up(&mut self, id: &Id) -> Result<bool> {
        let Some(view) = &mut self.view else { return Ok(false) };
        let Some(glimpse) = &mut view.glimpse else { return Ok(false) };
        glimpse.asked += 1;
        if glimpse.asked > RECORDS {
            return Ok(false);
        }
        let range = Range { revision: view.revision, ..tree(&self.store.keys, id) };
        let answer = match self.store.client.range(&range, self.deadline) {
            Ok(answer) => answer,
            Err(e) => return Err(self.outdated(e)),
        };
        let (_, mut records) = super::view::read_all(&answer, &self.store.keys);
        match records.remove(id) {
            Some(record) => drop(view.records.insert(id.clone(), record)),
            None => drop(glimpse.absent.insert(id.clone())),
        }
        Ok(true)
    }

    /// Why something could not be read; where its revision is no more to be had, the decision is made afresh.
    pub(super) fn outdated(&self, e: CallError) -> StoreError {
        if matches!(e, CallError::Refused { code: COMPACTED, .. }) {
            self.store.outdated.set(true);
        }
        self.store.failed(e)
    }
}

impl Content {
    /// What sorts it into a queue. The numbers of arrival alone do not: one that comes to wait changes nothing for
    /// those who decide meanwhile, so a later number may have been granted before the earlier one was there.
    pub(super) fn place(&self) -> (bool, Option<u64>) {
        (self.state == State::Waiting, Some(self.deployment.arrival))
    }

    /// How it stands at a lock.
    pub(super) fn entry_at(&self, lock: &LockName) -> Option<Entry> {
        let request =
            self.deployment.locks.iter().find(|r| r.lock == *lock && self.state != State::Paused)?;
        let under = self.under.iter().find(|(at, _)| at == lock);
        Some(Entry {
            id: self.deployment.id.clone(),
            mode: request.mode,
            limit: request.limit,
            under: under.map(|(_, id)| id.clone()),
        })
    }
}

/// The queues of these locks and the records of those who wait first there: what who holds them needs to know to give
/// them back and hand them on. `None` where everything is better read.
pub(super) fn look_ahead(
    client: &Client,
    keys: &Keys,
    locks: &[LockName],
    deadline: Duration,
) -> Option<View> {
    let answer = look(client, ranges(keys, locks, &[]), deadline).ok()?;
    let mut view = read(answer, keys, locks, &[])?;
    let queues = &view.glimpse.as_ref()?.queues;
    let first = queues.values().filter_map(|queue| queue.iter().find(|line| line.waits));
    let first: BTreeSet<Id> = first.map(|line| line.entry.id.clone()).take(RECORDS).collect();
    for id in first {
        let range = Range { revision: view.revision, ..tree(keys, &id) };
        let answer = client.range(&range, deadline).ok()?;
        let (_, mut records) = super::view::read_all(&answer, keys);
        view.records.extend(records.remove_entry(&id));
    }
    Some(view)
}
