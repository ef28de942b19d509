//! Sleeping until a record changes or a process ends: inotify and pidfds in one poll, with a timer that counts
//! suspended time. Where events are not to be had, the timer alone.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;

use super::FilesStore;
use super::bell::Bell;
use super::events::Events;
use super::evidence::{DYING, is_locked};
use super::folder::{Folder, failed};
use super::glance::{self, Glance};
use super::names::Stem;
use super::timer;
use crate::clock;
use crate::deployment::{Command, Deployment, Id, Process, State, Stored};
use crate::process;
use crate::store::{Result, Sleeper, Txn, Wake};

/// How soon to look again after an event without visible effect: closing a record is told a moment before its
/// lock is gone.
const LOOK_AGAIN: [Duration; 5] = [
    Duration::from_millis(1),
    Duration::from_millis(4),
    Duration::from_millis(16),
    Duration::from_millis(64),
    Duration::from_millis(256),
];
/// How long to let others go first after an event that is not about one's own record: a release removes its record
/// a moment before it grants, and whoever is granted should find the guard free.
const AFTER_YOU: Duration = Duration::from_millis(5);

pub(super) struct FilesSleeper<'a> {
    store: &'a FilesStore,
    /// How late may be noticed what no event tells.
    retry: Duration,
    /// No other host can make changes.
    local: bool,
    events: Option<Events>,
    /// In place of events.
    glance: Glance,
    /// And in place of those about our own record.
    bell: Option<Bell>,
    /// A watched process has ended, or never could be watched: then only a look tells more.
    unseen: bool,
    /// An end may go unseen: of an unreadable record, an unnoted command, a process that the system will not watch.
    blind: bool,
    ends: Vec<(Process, OwnedFd)>,
    ended: Vec<(u32, u64)>,
    /// The first time to live to pass among the watched, by the boot clock.
    expiry: Option<Duration>,
    looks: usize,
    /// The watched after the first, where each is in the way exactly as long as its record is kept locked.
    others: Option<Vec<Stem>>,
    only_ends: bool,
}

impl<'a> FilesSleeper<'a> {
    pub(super) fn new(store: &'a FilesStore, retry: Duration) -> Result<Self> {
        let local = store.is_local()?.unwrap_or(false);
        let events = Events::new();
        let (glance, bell, ends, ended) = Default::default();
        let (unseen, blind, expiry, looks) = (false, false, None, LOOK_AGAIN.len());
        let (others, only_ends) = (None, false);
        Ok(FilesSleeper {
            store,
            retry,
            local,
            events,
            glance,
            bell,
            unseen,
            blind,
            ends,
            ended,
            expiry,
            looks,
            others,
            only_ends,
        })
    }

    fn path(&self, state: State, d: &Deployment) -> PathBuf {
        let name = match state {
            State::Waiting | State::Attached => {
                Stem::new(d.id.clone(), &d.place.boot, d.on_crash).to_string()
            }
            State::Detached | State::Paused => d.id.to_string(),
        };
        self.store.directory().join(&*Folder::Deployments(state).path()).join(name)
    }

    fn has_ended(&self, p: &Process) -> bool {
        self.ended.contains(&(p.pid, p.start))
    }

    /// What was written or renamed is still in the way: seen without the guard, so that a grant does not make the whole
    /// queue behind it ask for that. A record is locked before anybody can see it, so a try from here meets no owner.
    fn others_stand(&self) -> bool {
        let (Some(others), Some(open)) = (&self.others, self.store.remembered()) else { return false };
        let stands = |stem: &Stem| {
            let name = stem.name();
            let found = [State::Attached, State::Waiting]
                .into_iter()
                .find_map(|state| open.top.open_file(Folder::Deployments(state), &name, false).transpose());
            let Some(Ok(opened)) = found else { return false };
            let locked = matches!(is_locked(&opened), Ok(true));
            open.top.lay_aside(opened);
            locked
        };
        others.iter().all(stands)
    }

    fn watch_processes(&mut self, watched: &[Arc<Deployment>]) {
        let here = process::here();
        let ours = watched.iter().filter(|d| d.place.boot == here.boot && d.place.pid_ns == here.pid_ns);
        let (mut wanted, mut commands) = (Vec::new(), Vec::new());
        for d in ours {
            for p in d.owner_process.iter().chain([&d.process]) {
                self.watch_end(p);
                wanted.push(p.clone());
            }
            // While the wrapper lives, its command's end is for it to deal with. It may be dying: then that takes a while.
            let dying = self.looks < LOOK_AGAIN.len();
            if let Command::Running(p) = &d.command {
                if dying || self.has_ended(&d.process) {
                    self.watch_end(p);
                    wanted.push(p.clone());
                } else {
                    commands.push(p.clone());
                }
            }
            self.blind |= d.command == Command::Starting && self.has_ended(&d.process);
        }
        self.ends.retain(|(p, _)| wanted.contains(p));
        self.store.own.keeps_an_eye_on(&commands);
        let seen = |d: &Deployment| self.ends.iter().any(|(p, _)| *p == d.process);
        let own = |place: usize, d: &Deployment| place == 0 && d.process.pid == std::process::id();
        self.unseen = watched.iter().enumerate().any(|(place, d)| !seen(d) && !own(place, d));
    }

    fn watch_end(&mut self, p: &Process) {
        let known = self.has_ended(p) || self.ends.iter().any(|(x, _)| x == p);
        if known || p.pid == std::process::id() {
            return;
        }
        match process::watch(p) {
            Some(fd) => self.ends.push((p.clone(), fd)),
            None if process::presence(p) != process::Presence::Gone => self.blind = true,
            None => self.ended.push((p.pid, p.start)),
        }
    }

    /// Whether any of those that are watched has ended, which is noted. It says so for ever: once is enough.
    fn note_ends(&mut self, over: &[bool]) -> bool {
        if !over.contains(&true) {
            return false;
        }
        self.looks = 0;
        let mut over = over.iter();
        for (p, end) in std::mem::take(&mut self.ends) {
            if over.next() == Some(&true) {
                self.ended.push((p.pid, p.start));
                self.store.own.keep_eye(p, end);
            } else {
                self.ends.push((p, end));
            }
        }
        true
    }

    fn deadline(&self, until: Option<Duration>) -> Option<(Duration, Wake)> {
        let now = clock::since_boot();
        let look_again = LOOK_AGAIN.get(self.looks).map(|d| (now + *d, Wake::Look));
        let wanted = !self.local || self.events.is_none() || self.blind;
        let retry = if self.blind { self.retry.min(glance::EVERY) } else { self.retry };
        let retry = wanted.then_some((now + retry, Wake::Look));
        let expiry = self.expiry.map(|at| (at, Wake::Look));
        [until.map(|at| (at, Wake::Time)), look_again, retry, expiry]
            .into_iter()
            .flatten()
            .min_by_key(|(at, _)| *at)
    }

    /// Sleeps without events in short pieces, until a glance shows that something has changed.
    fn sleep_glancing(&mut self, until: Option<Duration>, interrupts: &[BorrowedFd<'_>]) -> Result<Wake> {
        let due = self.deadline(until);
        loop {
            let next = clock::since_boot() + glance::EVERY;
            let (at, last) = due.filter(|(at, _)| *at <= next).map_or((next, None), |(at, w)| (at, Some(w)));
            match (self.sleep_until(Some((at, last.unwrap_or(Wake::Time))), interrupts)?, last) {
                (Some(Wake::Time), None) if self.unseen || !self.glance.unchanged() => return Ok(Wake::Look),
                (Some(Wake::Time) | None, None) => {}
                (wake, _) => return Ok(wake.unwrap_or(Wake::Look)),
            }
        }
    }
}

impl Sleeper for FilesSleeper<'_> {
    fn only_ends(&mut self) {
        self.only_ends = true;
    }

    fn arm(&mut self, ids: &[Id], txn: &mut dyn Txn) -> Result<()> {
        let (mut paths, mut watched) = (Vec::new(), Vec::new());
        let mut others = Some(Vec::new());
        self.blind = false;
        // In the order given: the first is the own record.
        let mut todo: std::collections::VecDeque<Id> = ids.iter().cloned().collect();
        while let Some(id) = todo.pop_front() {
            let id = &id;
            match txn.find(id)? {
                Some(Stored::Readable(state, d)) => {
                    paths.push(self.path(state, &d));
                    match (state, d.ttl, &mut others) {
                        _ if watched.is_empty() => {}
                        (State::Waiting | State::Attached, None, Some(others)) => {
                            others.push(Stem::new(d.id.clone(), &d.place.boot, d.on_crash));
                        }
                        _ => others = None,
                    }
                    // What was acquired inside another's command ends with that one.
                    if state == State::Detached {
                        todo.extend(d.parent.clone());
                    }
                    watched.push(d);
                }
                Some(Stored::Unreadable(u)) => {
                    paths.push(u.path.into());
                    self.blind = true;
                    others = None;
                }
                None => {}
            }
        }
        self.others = others;
        let now = txn.now();
        self.expiry = watched
            .iter()
            .filter_map(|d| {
                let expiry = d.expires?;
                let same_boot = d.place.boot == process::here().boot;
                let left = expiry.wall.duration_since(now.wall).unwrap_or_default();
                Some(if same_boot { expiry.boot } else { now.boot + left })
            })
            // What has passed and still stands is held by a process that lives.
            .filter(|at| *at > now.boot)
            .min();
        if self.events.as_mut().is_some_and(|events| !events.watch(&paths)) {
            // This user has no more watches, or may not read what to watch.
            self.events = None;
        }
        if self.events.is_none() {
            self.glance.watch(&paths);
            let own = ids.first().filter(|id| self.store.own.is(id));
            self.bell = self.bell.take().or_else(|| own.and_then(Bell::hang));
        }
        self.watch_processes(&watched);
        Ok(())
    }

    fn arm_all(&mut self) -> Result<()> {
        let folders = State::ALL.map(|s| self.store.directory().join(&*Folder::Deployments(s).path()));
        if self.events.as_mut().is_some_and(|events| !events.watch_folders(&folders)) {
            self.events = None;
        }
        Ok(())
    }

    fn leftovers(&mut self) -> Option<Box<dyn std::any::Any + Send>> {
        for (p, end) in std::mem::take(&mut self.ends) {
            self.store.own.keep_eye(p, end);
        }
        let own = &self.store.own;
        Some(Box::new((self.events.take(), own.take_removed(), own.take_spent())))
    }

    fn sleep(&mut self, until: Option<Duration>, interrupts: &[BorrowedFd<'_>]) -> Result<Wake> {
        drop(self.store.own.take_spent());
        if self.events.is_none() {
            return self.sleep_glancing(until, interrupts);
        }
        loop {
            let deadline = self.deadline(until);
            if let Some(wake) = self.sleep_until(deadline, interrupts)? {
                return Ok(wake);
            }
        }
    }
}

impl FilesSleeper<'_> {
    /// Sleeps once; `None` where what has happened is no news.
    fn sleep_until(
        &mut self,
        deadline: Option<(Duration, Wake)>,
        interrupts: &[BorrowedFd<'_>],
    ) -> Result<Option<Wake>> {
        let timer = deadline.map(|(at, _)| timer::Timer::at(at));
        let wrong = |e| failed("wait for a change in", self.store.directory(), e);
        let timer = timer.transpose().map_err(wrong)?;
        let events = self.events.as_ref().map(|e| e.as_fd());
        let alarm = timer.as_ref().and_then(timer::Timer::as_fd);
        let ends = self.ends.iter().map(|(_, fd)| fd.as_fd());
        let bell = self.bell.as_ref().map(Bell::as_fd);
        let all = interrupts.iter().copied().chain(events).chain(ends).chain(alarm).chain(bell);
        let mut fds: Vec<PollFd<'_>> = all.map(|fd| PollFd::from_borrowed_fd(fd, PollFlags::IN)).collect();
        let timeout = timer.as_ref().and_then(timer::Timer::timeout);
        loop {
            match poll(&mut fds, timeout.as_ref()) {
                Ok(_) => break,
                // A handler has run: what it wrote is seen by the next poll.
                Err(Errno::INTR) => {}
                Err(e) => return Err(wrong(e)),
            }
        }
        let ready: Vec<bool> = fds.iter().map(|fd| !fd.revents().is_empty()).collect();
        drop(fds);
        let (interrupted, rest) = ready.split_at(interrupts.len());
        if interrupted.contains(&true) {
            return Ok(Some(Wake::Interrupt));
        }
        let (changed, rest) = rest.split_at(usize::from(self.events.is_some()));
        if self.note_ends(&rest[..self.ends.len()]) {
            let told = self.events.as_mut().map(Events::drain);
            return Ok(Some(if told.is_some_and(|told| !told.own) { Wake::End } else { Wake::Look }));
        }
        if changed.contains(&true) {
            return Ok(self.news());
        }
        if let Some(bell) = self.bell.as_ref().filter(|_| rest.last() == Some(&true)) {
            bell.silence();
            return Ok(Some(Wake::Look));
        }
        Ok(Some(match deadline {
            Some((_, Wake::Look)) => {
                self.looks = (self.looks + 1).min(LOOK_AGAIN.len());
                Wake::Look
            }
            Some((_, wake)) => wake,
            None => Wake::Look,
        }))
    }

    /// Whether a watched process ends now: what it had open is closed a moment before, its record first.
    fn end_follows(&mut self) -> bool {
        if self.others.is_some() && !self.others_stand() {
            self.looks = 0;
            return true;
        }
        let ends: Vec<_> = self.ends.iter().map(|(_, fd)| fd.as_fd()).collect();
        let over = process::ended(&ends, DYING);
        self.note_ends(&over)
    }

    /// Takes the events, and says what they call for.
    fn news(&mut self) -> Option<Wake> {
        let Some(told) = self.events.as_mut().map(Events::drain) else { return Some(Wake::Look) };
        // Who grants or gives back renames or removes: this may be the end of a process.
        if told.closed && !told.moved && !told.own && self.end_follows() {
            return Some(Wake::End);
        }
        let stand = !told.own && self.others_stand();
        // While all their processes are watched, nobody's end goes unnoticed.
        let settled = stand && !self.unseen;
        self.looks = if settled { LOOK_AGAIN.len() } else { 0 };
        if settled && self.only_ends {
            return None;
        }
        if let Some(events) = self.events.as_mut().filter(|_| !told.own && (stand || !told.closed)) {
            events.linger(AFTER_YOU);
        }
        Some(Wake::Look)
    }
}
