//! What a decision knows when it begins, so that nothing is read twice: everything, from a look before it; or the
//! records alone that this process has just written, or was just told of. Whatever else it asks for is read then.
//!
//! Knowing may be behind the truth: what is committed is compared against the revision it rests on all the same.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::time::Duration;

use super::EtcdStore;
use super::txn::EtcdTxn;
use super::view::{Content, Record, View};
use crate::clock;
use crate::deployment::Id;
use crate::model::LockName;
use crate::store::Result;

/// For how long it may be begun with: a decision follows a look, or another decision, at once or not at all.
const FRESH: Duration = Duration::from_millis(100);

/// What the next decision may begin with.
#[derive(Default)]
pub(super) struct Known {
    view: RefCell<Option<(Duration, View)>>,
    /// A watch stands on all that the end of the own hold depends on: what is known stays so until that says otherwise.
    watched: Cell<bool>,
}

impl Known {
    /// This was so a moment ago.
    pub(super) fn keep(&self, view: View) {
        *self.view.borrow_mut() = Some((clock::since_boot(), view));
    }

    /// Whether anything is known.
    pub(super) fn is_something(&self) -> bool {
        self.view.borrow().is_some()
    }

    /// Whether a watch stands from now on.
    pub(super) fn watch(&self, stands: bool) {
        self.watched.set(stands);
    }

    /// Nothing is known, but for what is watched.
    pub(super) fn sleep(&self) {
        if !self.watched.get() {
            self.forget();
        }
    }

    /// Nothing is known.
    pub(super) fn forget(&self) {
        self.watched.set(false);
        *self.view.borrow_mut() = None;
    }

    fn now(&self) -> Option<View> {
        let (at, view) = self.view.take()?;
        let holds = self.watched.take() || clock::since_boot() <= at + FRESH;
        holds.then_some(view)
    }
}

impl EtcdStore {
    /// A watch has said that a deployment of this process, which waited, holds since this revision. That it does so
    /// still is its lease's word, which is asked right before a command starts, and what the command is watched for.
    pub(super) fn was_granted(&self, id: &Id, content: Content, at: i64) {
        let alive = self.lease_of(id);
        if let Some(keeper) = self.keeper_of(id) {
            keeper.holds(content.deployment.locks.iter().map(|r| r.lock.clone()).collect());
        }
        let record = Record { written: at, alive, ..Record::new(content) };
        self.known.keep(View::part(at, 0, BTreeMap::from([(id.clone(), record)])));
    }
}

impl EtcdStore {
    /// What was read ahead of these locks a moment ago, while a command was being started.
    pub(super) fn ahead(&self, locks: &[LockName]) -> Option<View> {
        let keepers: Vec<_> = self.keepers.borrow().iter().filter_map(|kept| kept.keeper.upgrade()).collect();
        let (at, view) = keepers.iter().find_map(|keeper| keeper.ahead(locks))?;
        (clock::since_boot() <= at + FRESH).then_some(view)
    }
}

impl EtcdTxn<'_> {
    /// Everything, read when it is first asked for.
    pub(super) fn view(&mut self) -> Result<&View> {
        self.begin();
        if self.view.as_ref().is_none_or(|view| !view.whole) {
            // What was looked at already was of one revision, and so must the rest be.
            let at = self.view.as_ref().filter(|view| view.glimpse.is_some()).map_or(0, |view| view.revision);
            let loaded = View::load(&self.store.client, &self.store.keys, at, self.deadline);
            let mut view = loaded.map_err(|e| self.outdated(e))?;
            if let Some(part) = self.view.take() {
                // What was changed stays changed; was it not what it seemed, the commit will find out.
                self.before.keys().for_each(|id| match part.records.get(id) {
                    Some(record) => drop(view.records.insert(id.clone(), record.clone())),
                    None => drop(view.records.remove(id)),
                });
            }
            self.store.saw(view.revision);
            self.view = Some(view);
        }
        Ok(self.view.as_ref().expect("loaded above"))
    }

    /// The first time that something is asked: what is known already.
    pub(super) fn begin(&mut self) {
        if std::mem::take(&mut self.may_know) {
            self.view = self.store.known.now();
            self.view.iter().for_each(|view| self.store.saw(view.revision));
        }
    }

    /// The revision of what is known.
    pub(super) fn revision(&mut self) -> Result<i64> {
        self.begin();
        match &self.view {
            Some(view) => Ok(view.revision),
            None => self.view().map(|view| view.revision),
        }
    }

    pub(super) fn record(&mut self, id: &Id) -> Result<Option<&Record>> {
        self.begin();
        let misses = |view: &View| view.glimpse.as_ref().is_some_and(|g| g.misses(id));
        let knows = |view: &View| view.whole || view.records.contains_key(id) || misses(view);
        let known = self.before.contains_key(id) || self.view.as_ref().is_some_and(knows);
        if !known && !self.look_up(id)? {
            self.view()?;
        }
        Ok(self.view.as_ref().and_then(|view| view.records.get(id)))
    }

    /// What it has just written is known to the next decision.
    pub(super) fn remember(&mut self, at: i64) {
        let Some(view) = self.view.take() else { return };
        let View { base, mut records, .. } = view;
        records.retain(|id, _| self.before.contains_key(id));
        records.values_mut().for_each(|record| record.written = at);
        self.store.known.keep(View::part(at, base, records));
    }
}
