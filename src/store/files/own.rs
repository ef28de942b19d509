//! What a process remembers of its own records, so that it need not look at them again.

use std::cell::RefCell;

use super::folder::{Folder, Opened};
use super::record;
use super::txn::Files;
use crate::deployment::{Deployment, Id, Place, State};

/// What is remembered from one decision to the next.
#[derive(Default)]
pub(super) struct Own {
    /// What was last made durable: whose record, and its bytes.
    synced: RefCell<Option<(Id, Vec<u8>)>>,
    /// What was last entered: the record's bytes, and what they say.
    entered: RefCell<Option<Box<(String, Deployment)>>>,
    /// The record that was last removed, still open: the last to close it waits until the file system has put it away.
    removed: RefCell<Option<Box<Opened>>>,
}

impl Own {
    /// What was last entered, if anything.
    pub(super) fn entered<T>(&self, of: impl FnOnce(&Deployment) -> T) -> Option<T> {
        self.entered.borrow().as_deref().map(|(_, d)| of(d))
    }

    /// Whether these bytes of its record are durable.
    pub(super) fn is_synced(&self, id: &Id, bytes: &[u8]) -> bool {
        self.synced.borrow().as_ref().is_some_and(|(of, synced)| of == id && synced == bytes)
    }

    /// These bytes of its record are durable from now on.
    pub(super) fn has_synced(&self, id: &Id, bytes: Vec<u8>) {
        *self.synced.borrow_mut() = Some((id.clone(), bytes));
    }

    /// The record that was removed last, to be closed when there is time.
    pub(super) fn take_removed(&self) -> Option<Box<Opened>> {
        self.removed.take()
    }

    /// Keeps open what has been removed.
    pub(super) fn keep_removed(&self, opened: Option<Opened>) {
        *self.removed.borrow_mut() = opened.map(Box::new);
    }
}

impl Files<'_> {
    /// Keeps what was written, for when it is read again.
    pub(super) fn remember(&self, d: &Deployment, text: String) {
        let place = Place { device: self.top.device, ..d.place.clone() };
        *self.own.entered.borrow_mut() = Some(Box::new((text, Deployment { place, ..d.clone() })));
    }

    /// Whether it is the one that this process has entered last.
    pub(super) fn is_own(&self, id: &Id) -> bool {
        self.own.entered(|d| d.id == *id) == Some(true)
    }

    /// What these bytes of its record say, if it is our own and nobody has written to it.
    pub(super) fn as_entered(&self, bytes: &[u8], id: &Id) -> Option<Deployment> {
        let entered = self.own.entered.borrow();
        let (text, d) = entered.as_deref()?;
        if d.id != *id || text.as_bytes() != bytes {
            return None;
        }
        debug_assert_eq!(record::read(bytes, id).as_ref(), Ok(d));
        Some(d.clone())
    }

    /// The record that is about to be removed, open: who removes a name that nobody has open waits until the file system has
    /// put away what it named, and whoever is next with him.
    pub(super) fn kept_open(&mut self, id: &Id, state: State, name: &str) -> Option<Opened> {
        match self.last.take() {
            Some(last) if last.id == *id && last.state == state => Some(last.opened),
            _ if self.is_own(id) => None,
            _ => self.top.open_file(Folder::Deployments(state), name, false).ok().flatten(),
        }
    }
}
