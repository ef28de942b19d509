//! What a process remembers of its own records, so that it need not look at them again.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::os::fd::{AsFd as _, OwnedFd};
use std::sync::{Arc, Weak};
use std::time::Duration;

use super::folder::{Folder, Opened, Top};
use super::record;
use super::txn::{Files, Spent};
use crate::deployment::{Deployment, Id, Place, Process, State};
use crate::process;

/// Of how many decisions is kept what they had collected: a run takes and gives back.
const MOST_SPENT: usize = 2;

/// What a record said, and how that was written.
struct Text {
    bytes: Vec<u8>,
    says: Arc<Deployment>,
}

impl Text {
    /// What these bytes of a record of this id say, as far as they need not be read for that.
    fn says_again(&self, bytes: &[u8], id: &Id) -> Option<Arc<Deployment>> {
        if self.says.id != *id {
            return None;
        }
        if record::are_same(&self.bytes, bytes) {
            return Some(self.says.clone());
        }
        record::read_again(bytes, (&self.bytes, &self.says)).map(Arc::new)
    }
}

/// What was entered.
struct Entered {
    text: Text,
    /// It waits, as far as was seen.
    waits: bool,
    /// Its record, open as long as its lease keeps it so.
    record: Weak<Opened>,
}

/// What is remembered from one decision to the next.
#[derive(Default)]
pub(super) struct Own {
    /// What was last made durable: whose record, and its bytes.
    synced: RefCell<Option<(Id, Vec<u8>)>>,
    /// What was last entered.
    entered: RefCell<Option<Entered>>,
    /// Whose record was last read while our own waits: it is in the way, and read again when that has changed.
    other: RefCell<Option<Text>>,
    /// Processes on which we keep an eye, and what tells of their ends: to be asked when it matters, as that has to be quick
    /// then.
    eyes: RefCell<Vec<(Process, OwnedFd)>>,
    /// The record that was last removed, still open: the last to close it waits until the file system has put it away.
    removed: RefCell<Option<Opened>>,
    /// What decisions had collected: it is given back while the process sleeps, or by its end.
    spent: RefCell<VecDeque<Spent>>,
}

impl Own {
    /// What was last entered, if anything.
    pub(super) fn entered<T>(&self, of: impl FnOnce(&Deployment) -> T) -> Option<T> {
        self.entered.borrow().as_ref().map(|entered| of(&entered.text.says))
    }

    /// Whether it is the one that this process has entered last.
    pub(super) fn is(&self, id: &Id) -> bool {
        self.entered(|d| d.id == *id) == Some(true)
    }

    /// The record of this id was found in this state.
    pub(super) fn is_in(&self, state: State, id: &Id) {
        if let Some(entered) =
            self.entered.borrow_mut().as_mut().filter(|entered| entered.text.says.id == *id)
        {
            entered.waits = state == State::Waiting;
        }
    }

    /// Whether what was last entered waits, as far as was seen.
    fn waits(&self) -> bool {
        self.entered.borrow().as_ref().is_some_and(|entered| entered.waits)
    }

    /// The record of this one as our lease has it open, if it is the one that this process has entered last.
    pub(super) fn record(&self, top: &Top, id: &Id) -> Option<Arc<Opened>> {
        // Elsewhere it is opening a file that shows what another host has made of it.
        let entered = self.entered.borrow();
        let own = entered.as_ref().filter(|own| top.local && own.text.says.id == *id);
        own.and_then(|own| own.record.upgrade())
    }

    /// What these bytes of its record say.
    pub(super) fn read(&self, bytes: Vec<u8>, id: &Id) -> Result<Arc<Deployment>, String> {
        if let Some(known) = self.known(&bytes, id) {
            return Ok(known);
        }
        let says = Arc::new(record::read(&bytes, id)?);
        // A line that stands twice, say, is not seen where only what has changed is read.
        if self.waits() && record::write(&says).as_bytes() == bytes {
            *self.other.borrow_mut() = Some(Text { bytes, says: says.clone() });
        }
        Ok(says)
    }

    /// What these bytes of its record say, if that is known without reading them.
    fn known(&self, bytes: &[u8], id: &Id) -> Option<Arc<Deployment>> {
        let (entered, other) = (self.entered.borrow(), self.other.borrow());
        let mut texts = entered.iter().map(|entered| &entered.text).chain(other.iter());
        let known = texts.find_map(|text| text.says_again(bytes, id))?;
        debug_assert_eq!(record::read(bytes, id).as_ref(), Ok(&*known));
        Some(known)
    }

    /// Whether these bytes of its record are durable.
    pub(super) fn is_synced(&self, id: &Id, bytes: &[u8]) -> bool {
        self.synced.borrow().as_ref().is_some_and(|(of, synced)| of == id && synced == bytes)
    }

    /// These bytes of its record are durable from now on.
    pub(super) fn has_synced(&self, id: &Id, bytes: Vec<u8>) {
        *self.synced.borrow_mut() = Some((id.clone(), bytes));
    }

    /// Keeps an eye on these processes, and on these only.
    pub(super) fn keeps_an_eye_on(&self, processes: &[Process]) {
        let mut eyes = self.eyes.borrow_mut();
        eyes.retain(|(of, _)| processes.contains(of));
        for process in processes {
            if !eyes.iter().any(|(of, _)| of == process) {
                eyes.extend(process::watch(process).map(|end| (process.clone(), end)));
            }
        }
    }

    /// Keeps what tells of the end of this process. To close it would take a while now.
    pub(super) fn keep_eye(&self, on: Process, end: OwnedFd) {
        self.eyes.borrow_mut().push((on, end));
    }

    /// Whether this very process has ended, or does so within this time; `None` where no eye is kept on it. If another had
    /// its number by the time we began to look, it had ended before that one did.
    pub(super) fn sees_end_of(&self, process: &Process, bound: Duration) -> Option<bool> {
        let eyes = self.eyes.borrow();
        let (_, end) = eyes.iter().find(|(of, _)| of == process && of.start != 0)?;
        Some(process::ended(&[end.as_fd()], bound).contains(&true))
    }

    /// The record that was removed last, to be closed when there is time.
    pub(super) fn take_removed(&self) -> Option<Opened> {
        self.removed.take()
    }

    /// Keeps open what has been removed.
    pub(super) fn keep_removed(&self, opened: Option<Opened>) {
        *self.removed.borrow_mut() = opened;
    }

    /// Keeps what a decision had collected, to be given back when there is time.
    pub(super) fn keep_spent(&self, what: Spent) {
        let mut spent = self.spent.borrow_mut();
        spent.push_back(what);
        if spent.len() > MOST_SPENT {
            spent.pop_front();
        }
    }

    /// What decisions had collected.
    pub(super) fn take_spent(&self) -> VecDeque<Spent> {
        self.spent.take()
    }
}

impl Files<'_> {
    /// Keeps what was written of one that is entered in this state, for when it is read again.
    pub(super) fn remember(&self, d: &Deployment, text: String, state: State, record: &Arc<Opened>) {
        let place = Place { device: self.top.device, ..d.place.clone() };
        let says = Arc::new(Deployment { place, ..d.clone() });
        let text = Text { bytes: text.into_bytes(), says };
        *self.own.entered.borrow_mut() =
            Some(Entered { text, waits: state == State::Waiting, record: Arc::downgrade(record) });
    }

    /// Whether it is the one that this process has entered last.
    pub(super) fn is_own(&self, id: &Id) -> bool {
        self.own.is(id)
    }

    /// Whether it is our own, and was waiting when it was seen last.
    pub(super) fn is_own_that_waits(&self, id: &Id) -> bool {
        self.is_own(id) && self.own.waits()
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_end_is_seen_of_the_very_process_only() {
        let own = Own::default();
        let mut child = std::process::Command::new("sleep").arg("600").spawn().unwrap();
        let watched = process::child(child.id());
        assert_ne!(watched.start, 0);
        let sees_end_of = |process: &Process| own.sees_end_of(process, Duration::ZERO);
        assert_eq!(sees_end_of(&watched), None);
        own.keeps_an_eye_on(std::slice::from_ref(&watched));
        assert_eq!(sees_end_of(&watched), Some(false));
        child.kill().unwrap();
        child.wait().unwrap();
        assert_eq!(sees_end_of(&watched), Some(true));
        // The number may be another's by now.
        for start in [0, watched.start + 1] {
            assert_eq!(sees_end_of(&Process { start, ..watched.clone() }), None);
        }
        own.keeps_an_eye_on(&[]);
        assert_eq!(sees_end_of(&watched), None);
    }
}
