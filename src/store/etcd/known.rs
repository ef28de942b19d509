//! What a decision knows when it begins, so that nothing is read twice: everything, from the look right before it;
//! or the records alone that this process has just written, or was just told of. Whatever else it asks for is read then.
//!
//! Knowing may be behind the truth: what is committed is compared against the revision it rests on all the same.

use std::cell::RefCell;
use std::time::Duration;

use super::EtcdStore;
use super::client;
use super::txn::EtcdTxn;
use super::view::{Record, View};
use crate::clock;
use crate::deployment::Id;
use crate::store::Result;

/// For how long it may be begun with: a decision follows a look, or another decision, at once or not at all.
const FRESH: Duration = Duration::from_millis(100);

/// What the next decision may begin with.
#[derive(Default)]
pub(super) struct Known {
    view: RefCell<Option<(Duration, View)>>,
    granted: RefCell<Option<Id>>,
}

impl Known {
    /// This was so a moment ago.
    pub(super) fn keep(&self, view: View) {
        *self.view.borrow_mut() = Some((clock::since_boot(), view));
    }

    /// A watch said that this one holds now.
    pub(super) fn granted(&self, id: Id) {
        *self.granted.borrow_mut() = Some(id);
    }

    /// Nothing is known.
    pub(super) fn forget(&self) {
        *self.view.borrow_mut() = None;
    }
}

impl EtcdStore {
    /// What a decision that is made now begins with. What a watch has said is not believed but looked up, for it may
    /// be old news; but only that is.
    fn known_now(&self, deadline: Duration) -> client::Result<Option<View>> {
        let known = self.known.view.take();
        if let Some(id) = self.known.granted.take() {
            return View::load_one(&self.client, &self.keys, &id, deadline);
        }
        let now = clock::since_boot();
        Ok(known.filter(|(at, _)| now <= *at + FRESH).map(|(_, view)| view))
    }
}

impl EtcdTxn<'_> {
    /// Everything, read when it is first asked for.
    pub(super) fn view(&mut self) -> Result<&View> {
        self.begin()?;
        if self.view.as_ref().is_none_or(|view| !view.whole) {
            let loaded = View::load(&self.store.client, &self.store.keys, self.deadline);
            let mut view = loaded.map_err(|e| self.store.failed(e))?;
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
    fn begin(&mut self) -> Result<()> {
        if std::mem::take(&mut self.may_know) {
            self.view = self.store.known_now(self.deadline).map_err(|e| self.store.failed(e))?;
            self.view.iter().for_each(|view| self.store.saw(view.revision));
        }
        Ok(())
    }

    /// The revision of what is known.
    pub(super) fn revision(&mut self) -> Result<i64> {
        self.begin()?;
        match &self.view {
            Some(view) => Ok(view.revision),
            None => self.view().map(|view| view.revision),
        }
    }

    pub(super) fn record(&mut self, id: &Id) -> Result<Option<&Record>> {
        self.begin()?;
        let known = self.view.as_ref().is_some_and(|view| view.records.contains_key(id));
        let view = if known { self.view.as_ref().expect("it is there") } else { self.view()? };
        Ok(view.records.get(id))
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
