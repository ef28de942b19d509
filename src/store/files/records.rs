//! Where a record lies and what it says: found by what the lines of a queue tell of its name, else in the folders.

use std::sync::Arc;

use super::boot_tag;
use super::evidence::is_locked;
use super::folder::{Folder, Opened};
use super::names::Stem;
use super::txn::Files;
use crate::deployment::{Id, State, Stored, Unreadable, Verdict};
use crate::engine::Standing;
use crate::model::Keep;
use crate::store::{Result, Txn as _};

/// How many records one decision keeps.
const MANY_KNOWN: usize = 16;

/// A record that was opened to be looked at, under the name it had then.
pub(super) struct Seen {
    pub(super) id: Id,
    pub(super) state: State,
    pub(super) name: String,
    pub(super) opened: Opened,
    /// That nobody keeps it locked: only who enters it or takes it over ever locks it.
    pub(super) free: bool,
}

/// A record that was found and read, as it was then.
pub(super) struct Known {
    pub(super) state: State,
    pub(super) name: String,
    pub(super) stored: Stored,
    /// That it is dead, which does not change, and why.
    pub(super) dead: Option<Verdict>,
}

/// Places where a record may be, one after the other: it is found at the first as a rule.
pub(super) enum Places {
    /// It was seen there.
    Seen(Option<(State, String)>),
    /// Under these names, or its bare id.
    Possible { stems: Vec<Stem>, likeliest: [State; 2], id: Id, next: usize },
}

impl Iterator for Places {
    type Item = (State, String);

    fn next(&mut self) -> Option<(State, String)> {
        let (stems, likeliest, id, next) = match self {
            Places::Seen(place) => return place.take(),
            Places::Possible { stems, likeliest, id, next } => (stems, likeliest, id, next),
        };
        let at = *next;
        *next += 1;
        if let Some(stem) = stems.get(at / 2) {
            return Some((likeliest[at % 2], stem.name()));
        }
        let state = [State::Detached, State::Paused].into_iter().nth(at - 2 * stems.len())?;
        Some((state, id.as_str().to_owned()))
    }
}

impl Files<'_> {
    /// Keeps the record that was looked at last at hand.
    fn saw(&mut self, seen: Seen) {
        self.lay_last_aside();
        self.last = Some(seen);
    }

    /// The record that was looked at last is of no more use to this decision.
    pub(super) fn lay_last_aside(&mut self) {
        // Who only looks looks at all of them, once.
        if let Some(last) = self.last.take().filter(|_| self.writes) {
            self.top.lay_aside(last.opened);
        }
    }

    /// This one's record is about to be another.
    pub(super) fn changes(&mut self, id: &Id) {
        self.lay_last_aside();
        if self.is_own(id) {
            self.open = None;
        }
        self.known.retain(|known| known.stored.id() != id);
    }

    /// What is known of this one's record.
    pub(super) fn known(&self, id: &Id) -> Option<&Known> {
        self.known.iter().find(|known| known.stored.id() == id)
    }

    /// The same, for what is found out of it.
    pub(super) fn known_mut(&mut self, id: &Id) -> Option<&mut Known> {
        self.known.iter_mut().find(|known| known.stored.id() == id)
    }

    /// Every place where the record may be, likeliest first.
    pub(super) fn places(&mut self, id: &Id) -> Result<Places> {
        if let Some(last) = self.last_of(id) {
            return Ok(Places::Seen(Some((last.state, last.name.clone()))));
        }
        if let Some(known) = self.known(id) {
            return Ok(Places::Seen(Some((known.state, known.name.clone()))));
        }
        let stems = match self.stem_in_lines(id) {
            Some(stem) => vec![stem],
            None => self.search(id)?,
        };
        let likeliest = if self.is_own_that_waits(id) {
            [State::Waiting, State::Attached]
        } else {
            [State::Attached, State::Waiting]
        };
        Ok(Places::Possible { stems, likeliest, id: id.clone(), next: 0 })
    }

    fn last_of(&self, id: &Id) -> Option<&Seen> {
        self.last.as_ref().filter(|last| last.id == *id)
    }

    /// The record of this name, if it was the last to be looked at.
    pub(super) fn last_opened(&self, id: &Id, state: State, name: &str) -> Option<&Seen> {
        self.last_of(id).filter(|last| last.state == state && last.name == name)
    }

    /// Without a line that says it, the file name is guessed, and else found in the folders.
    pub(super) fn search(&mut self, id: &Id) -> Result<Vec<Stem>> {
        for on_crash in [Keep::Release, Keep::Hold] {
            let stem = Stem { id: id.clone(), boot: boot_tag(), on_crash };
            for state in [State::Attached, State::Waiting] {
                if self.top.exists(Folder::Deployments(state), &stem.name())? {
                    return Ok(vec![stem]);
                }
            }
        }
        for state in [State::Detached, State::Paused] {
            if self.top.exists(Folder::Deployments(state), id.as_str())? {
                return Ok(Vec::new());
            }
        }
        let mut found = Vec::new();
        for state in [State::Attached, State::Waiting] {
            for name in self.top.names(Folder::Deployments(state))? {
                if let Some(stem) = Stem::parse(&name).filter(|s| s.id == *id && s.to_string() == name) {
                    found.push(stem);
                }
            }
        }
        found.dedup();
        Ok(found)
    }

    pub(super) fn locate(&mut self, id: &Id, write: bool) -> Result<Option<(State, String, Arc<Opened>)>> {
        for (state, name) in self.places(id)? {
            // Who waits for one that holds is told that it was written by its being closed.
            if !(write && state.holds())
                && let Some(opened) = self.open_own(state, &name, id)
            {
                return Ok(Some((state, name, opened)));
            }
            if let Some(opened) = self.top.open_file(Folder::Deployments(state), &name, write)? {
                return Ok(Some((state, name, Arc::new(opened))));
            }
        }
        Ok(None)
    }

    /// Our own record as our lease has it open, if it lies there under this name; looked for once a decision.
    fn open_own(&mut self, state: State, name: &str, id: &Id) -> Option<Arc<Opened>> {
        if state == State::Waiting && !self.is_own_that_waits(id) || !self.is_own(id) {
            return None;
        }
        if self.open.is_none() {
            let record = self.own.record(self.top, id);
            let lies_there = |own: &Arc<Opened>| self.top.is_named(Folder::Deployments(state), name, own);
            self.open = record.filter(lies_there).map(|own| (state, own));
        }
        // Its name is the one with which it was made.
        let is = |(of, own): &&(State, Arc<Opened>)| {
            *of == state && own.was_called(Folder::Deployments(State::Waiting), name)
        };
        self.open.as_ref().filter(is).map(|(_, own)| own.clone())
    }

    /// Reads a record. What cannot be opened or understood is an answer, not an error.
    pub(super) fn load(&mut self, state: State, name: &str, stem: &Stem) -> Result<Option<Stored>> {
        let folder = Folder::Deployments(state);
        if let Some(known) = self.known(&stem.id).filter(|known| known.state == state && known.name == name) {
            return Ok(Some(known.stored.clone()));
        }
        if let Some(last) = self.last_opened(&stem.id, state, name) {
            return Ok(Some(self.understood(state, name, stem, self.top.read(&last.opened))));
        }
        if let Some(opened) = self.open_own(state, name, &stem.id) {
            return Ok(Some(self.understood(state, name, stem, self.top.read(&opened))));
        }
        let bytes = match self.top.open_file(folder, name, false) {
            Ok(None) => return Ok(None),
            Ok(Some(opened)) => self.top.read(&opened),
            // Of all the places where it may be, only the one where it is has an unreadable record.
            Err(_) if matches!(self.top.exists(folder, name), Ok(false)) => return Ok(None),
            Err(e) => Err(e),
        };
        Ok(Some(self.understood(state, name, stem, bytes)))
    }

    pub(super) fn understood(&self, state: State, name: &str, stem: &Stem, bytes: Result<Vec<u8>>) -> Stored {
        let bytes = bytes.map_err(|e| e.to_string());
        match bytes.and_then(|bytes| self.own.read(bytes, &stem.id)) {
            Ok(d) => Stored::Readable(state, d),
            Err(why) => {
                let path = self.top.show(Folder::Deployments(state), name).display().to_string();
                Stored::Unreadable(Unreadable { id: stem.id.clone(), state, path, why })
            }
        }
    }

    pub(super) fn find_by(&mut self, places: Places) -> Result<Option<Stored>> {
        for (state, name) in places {
            let Some(stem) = Stem::parse(&name) else { continue };
            if let Some(stored) = self.load(state, &name, &stem)? {
                self.know(state, name, stored.clone());
                return Ok(Some(stored));
            }
        }
        Ok(None)
    }

    /// Keeps it for whoever asks for it again in this decision.
    pub(super) fn know(&mut self, state: State, name: String, stored: Stored) {
        if self.known.len() >= MANY_KNOWN {
            self.known.clear();
        }
        self.own.is_in(state, stored.id());
        self.known.retain(|known| known.stored.id() != stored.id());
        self.known.push(Known { state, name, stored, dead: None });
    }

    pub(super) fn fresh_standing(&mut self, id: &Id) -> Result<Standing> {
        // One's own, found to wait still: that it lives is known here.
        if self.is_own(id) && self.known(id).is_some_and(|known| known.state == State::Waiting) {
            return Ok(Standing::Waits);
        }
        let Some(stored) = self.peek(id)? else {
            return Ok(Standing::Gone);
        };
        Ok(match stored {
            Peek::Locked(state) => standing_of(state, &Verdict::Alive(None)),
            Peek::Record(stored) => standing_of(stored.state(), &self.verdict(&stored)?),
        })
    }

    /// Whether it is seen at once that its record is among those that wait, and locked. Else it is looked for as usual.
    fn waits_alive(&mut self, id: &Id) -> bool {
        let Some(name) = self.stem_in_lines(id).map(|stem| stem.name()) else { return false };
        let Ok(Some(opened)) = self.top.open_file(Folder::Deployments(State::Waiting), &name, false) else {
            return false;
        };
        let locked = matches!(is_locked(&opened), Ok(true));
        if locked {
            self.saw(Seen { id: id.clone(), state: State::Waiting, name, opened, free: false });
        }
        locked
    }

    /// The quick look: a record that somebody keeps locked needs no reading.
    fn peek(&mut self, id: &Id) -> Result<Option<Peek>> {
        if self.vacated && self.waits_alive(id) {
            return Ok(Some(Peek::Locked(State::Waiting)));
        }
        for (state, name) in self.places(id)? {
            let folder = Folder::Deployments(state);
            if matches!(state, State::Attached | State::Waiting) {
                match self.top.open_file(folder, &name, false) {
                    Ok(None) => continue,
                    Ok(Some(opened)) => {
                        let locked = is_locked(&opened)?;
                        let free = !locked;
                        self.saw(Seen { id: id.clone(), state, name: name.clone(), opened, free });
                        if locked {
                            return Ok(Some(Peek::Locked(state)));
                        }
                    }
                    // Free, or not to be opened: the long look says what follows.
                    Err(_) => {}
                }
            }
            let Some(stem) = Stem::parse(&name) else { continue };
            if let Some(stored) = self.load(state, &name, &stem)? {
                self.know(state, name, stored.clone());
                return Ok(Some(Peek::Record(stored)));
            }
        }
        Ok(None)
    }
}

enum Peek {
    Locked(State),
    Record(Stored),
}

/// What the engine makes of a verdict on a record in this state.
pub(super) fn standing_of(state: State, verdict: &Verdict) -> Standing {
    match (state, verdict) {
        (State::Paused, _) => Standing::Gone,
        (_, Verdict::Dead(_)) => Standing::Dead,
        (State::Waiting, _) => Standing::Waits,
        (State::Attached | State::Detached, _) => Standing::Holds,
    }
}
