//! Those that come to wait: noted below the keys of their locks and not in them, so that they disturb neither each other
//! nor who hands on.

use std::collections::BTreeSet;

use super::keys::Keys;
use super::messages::Step;
use super::txn::EtcdTxn;
use super::view::{Content, LockShown, Record};
use crate::deployment::{Id, State};
use crate::model::LockName;

/// Who waits at more locks than this is not noted beside them, but in their keys.
const ARRIVALS: usize = 3;

impl EtcdTxn<'_> {
    /// Those that have come to wait by this decision, and are nested in nobody: it changes nothing for anybody before
    /// them, and whoever was in their way when they looked cannot end unseen, for their watch begins with that look.
    pub(super) fn came(&self) -> BTreeSet<Id> {
        let new = self.before.iter().filter(|(_, before)| before.is_none()).map(|(id, _)| id);
        let content = |id: &Id| self.view.as_ref()?.records.get(id)?.content.as_ref().ok();
        let waits = |c: &Content| {
            let alone = c.under.is_empty() && c.deployment.ancestors.is_empty();
            c.state == State::Waiting && alone && c.deployment.locks.len() <= ARRIVALS
        };
        new.filter(|id| content(id).is_some_and(waits)).cloned().collect()
    }

    /// Those that waited and do so no more take their arrivals with them.
    pub(super) fn gone(&self, keys: &Keys) -> Vec<Step> {
        let waiting = |r: &Record| r.content.as_ref().is_ok_and(|c| c.state == State::Waiting);
        let waited = self.before.iter().filter_map(|(id, before)| Some((id, before.as_ref()?)));
        let after = |id: &Id| self.view.as_ref().and_then(|v| v.records.get(id));
        let gone = waited.filter(|(id, before)| waiting(before) && !after(id).is_some_and(waiting));
        let locks = gone.filter_map(|(id, r)| Some((id, &r.content.as_ref().ok()?.deployment.locks)));
        let few = locks.filter(|(_, locks)| locks.len() <= ARRIVALS);
        few.flat_map(|(id, locks)| locks.iter().map(move |r| Step::Delete { key: keys.arrival(&r.lock, id) }))
            .collect()
    }

    pub(super) fn arrival_steps(&self, id: &Id) -> Vec<Step> {
        let Some(view) = &self.view else { return Vec::new() };
        let Some(content) = view.records.get(id).and_then(|r| r.content.as_ref().ok()) else {
            return Vec::new();
        };
        let step = |lock: &LockName| {
            let entry: Vec<_> = content.entry_at(lock).into_iter().collect();
            let value = serde_json::to_string(&LockShown::of(lock, &entry, view)).unwrap_or_default();
            Step::Put { key: self.store.keys.arrival(lock, id), value, lease: 0 }
        };
        content.deployment.locks.iter().map(|r| step(&r.lock)).collect()
    }
}
