//! What is kept beside the locks: the history, bounded, and lock keys that nobody needs any more.

use std::sync::Arc;
use std::time::Duration;

use super::EtcdStore;
use super::client::{self, Repeat};
use super::commit::{Transaction, entry};
use super::lease::Keeper;
use super::messages::{Compare, DeleteRangeRequest, KeyValue, Range, Step};
use super::view::{LockShown, View};
use crate::deployment::Id;
use crate::model::LockName;
use crate::store::Result;
use crate::store::files::names;

/// How many commits the history remembers at least.
pub const REMEMBERED: i64 = 10_000;
/// One commit in so many looks whether the history is too long.
const SELDOM: i64 = 128;
/// How many keys are read at once.
const PAGE: i64 = 5_000;
/// How many lock keys are tidied by one transaction.
const CHUNK: usize = 60;

impl EtcdStore {
    /// The lines, oldest first.
    pub(super) fn read_history(&self) -> client::Result<Vec<String>> {
        let deadline = self.deadline();
        let mut range = Range { limit: PAGE, ..Range::prefix(self.keys.histories()) };
        let mut lines = Vec::new();
        loop {
            let answer = self.client.range(&range, deadline)?;
            // All pages are of one moment.
            range.revision = range.revision.max(answer.header.revision);
            let Some(last) = answer.kvs.last() else { break };
            range.from = format!("{}\0", String::from_utf8_lossy(&last.key));
            for kv in &answer.kvs {
                lines.extend(kv.text().lines().filter(|l| !l.is_empty()).map(str::to_owned));
            }
            if answer.count <= answer.kvs.len() as i64 {
                break;
            }
        }
        Ok(lines)
    }

    /// Once in a while forgets what is older than the last [`REMEMBERED`] commits.
    pub(super) fn prune(&self, at: i64) {
        if at % SELDOM != 0 {
            return;
        }
        let all = Range::prefix(self.keys.histories());
        let count = Range { count_only: true, ..all.clone() };
        let deadline = self.deadline();
        let Ok(counted) = self.client.range(&count, deadline) else { return };
        let surplus = counted.count - REMEMBERED;
        if surplus <= 0 {
            return;
        }
        let old = Range { keys_only: true, limit: surplus.min(PAGE), ..all };
        let Ok(old) = self.client.range(&old, deadline) else { return };
        let Some(end) = old.kvs.last() else { return };
        let from = self.keys.histories().into_bytes();
        let request = DeleteRangeRequest { key: from, range_end: end.key.clone() };
        // Should it fail, another one does it.
        let _ = self.client.call::<()>(client::DELETE, &request, Repeat::Harmless, deadline);
    }

    /// Every lock with a ledger.
    pub(super) fn ledger_names(&self, deadline: Duration) -> client::Result<Vec<LockName>> {
        let prefix = self.keys.ledgers();
        let range = Range { keys_only: true, ..Range::prefix(&prefix) };
        let answer = self.client.range(&range, deadline)?;
        let keys = answer.kvs.iter().filter_map(|kv| kv.below(&prefix));
        let mut names: Vec<LockName> = keys.filter_map(|key| lock_of(key.rsplit_once('/')?.0)).collect();
        names.dedup();
        Ok(names)
    }

    /// Makes the lock keys say what the records say, and removes those of locks that are free: under the guard, so
    /// that nobody takes a key that went and came back for one that never changed.
    pub(super) fn tidy(&self, deadline: Duration) -> Result<()> {
        let view = View::load(&self.client, &self.keys, 0, deadline).map_err(|e| self.failed(e))?;
        let range = Range { revision: view.revision, ..Range::prefix(self.keys.locks()) };
        let found = self.client.range(&range, deadline).map_err(|e| self.failed(e))?.kvs;
        let steps = self.tidying(&view, &found);
        let mut guard = Compare::unwritten_since(&self.keys.guard(), view.revision);
        for chunk in steps.chunks(CHUNK) {
            let mut transaction = Transaction { compares: vec![guard], steps: Vec::new() };
            for (key, step) in chunk {
                transaction.compares.push(Compare::unwritten_since(key, view.revision));
                transaction.steps.push(step.clone());
            }
            let key = self.keys.guard();
            transaction.steps.push(Step::Put { key: key.clone(), value: String::new(), lease: 0 });
            let sent = transaction.send(&self.client, &[], Repeat::Harmless, deadline);
            let answer = sent.map_err(|e| self.failed(e))?;
            if !answer.succeeded {
                // Somebody is at it: another time.
                break;
            }
            guard = Compare::written_at(&key, answer.header.revision);
        }
        Ok(())
    }

    fn tidying(&self, view: &View, found: &[KeyValue]) -> Vec<(String, Step)> {
        let queues = view.queues();
        let (mut steps, prefix) = (Vec::new(), self.keys.locks());
        for kv in found {
            let Some(path) = kv.below(&prefix) else { continue };
            let waits = |id: &str| id.parse().is_ok_and(|id: Id| view.records.contains_key(&id));
            // One that came to wait, and is gone.
            if let Some((_, id)) = path.rsplit_once('/').filter(|(lock, _)| lock.contains('/')) {
                if !waits(id) {
                    let key = format!("{prefix}{path}");
                    steps.push((key.clone(), Step::Delete { key }));
                }
                continue;
            }
            let Some(lock) = lock_of(path) else { continue };
            let key = self.keys.lock(&lock);
            match queues.get(&lock) {
                None => steps.push((key.clone(), Step::Delete { key })),
                Some(queue) => {
                    let shown = LockShown::of(&lock, queue, view);
                    let value = serde_json::to_string(&shown).unwrap_or_default();
                    if value != kv.text() {
                        steps.push((key.clone(), Step::Put { key, value, lease: 0 }));
                    }
                }
            }
        }
        steps
    }

    /// Leaves an entry of the history, on which nothing else depends, to the thread that keeps a deployment of this
    /// process alive: a command need not wait for it. `false` where there is none.
    pub(super) fn leave(&self, key: String, lines: &[String]) -> bool {
        let keepers = self.keepers.borrow();
        let keeper = keepers.iter().find_map(|kept| kept.keeper.upgrade());
        keeper.is_some_and(|keeper| keeper.write(key, entry(lines)))
    }

    /// Entries that were left, at most so many, to be written by a transaction; the keeper writes them no more.
    pub(super) fn left(&self, most: usize) -> Vec<(Arc<Keeper>, String, String)> {
        let keepers: Vec<_> = self.keepers.borrow().iter().filter_map(|kept| kept.keeper.upgrade()).collect();
        let entries = |keeper: Arc<Keeper>| {
            keeper.left().into_iter().map(move |(key, entry)| (keeper.clone(), key, entry))
        };
        let mut left: Vec<_> = keepers.into_iter().flat_map(entries).collect();
        let more = left.split_off(most.min(left.len()));
        for (keeper, key, entry) in more {
            keeper.write(key, entry);
        }
        left
    }

    /// What is added to revisions from now on, so that numbers stay above those of another store.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn rise_above(&self, number: u64) -> Result<()> {
        self.known.forget();
        let put = self.client.put(&self.keys.base(), &number.to_string(), self.deadline());
        put.map_err(|e| self.failed(e))
    }
}

/// The lock whose key ends like this.
fn lock_of(path: &str) -> Option<LockName> {
    let (kind, name) = path.split_once('/')?;
    let kind = crate::model::Kind::ALL.into_iter().find(|k| k.as_str() == kind)?;
    Some(LockName::new(kind, names::lock_name(name)?))
}
