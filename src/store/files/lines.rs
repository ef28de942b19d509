//! The lines of the lock files: read once a decision, written in place.

use std::rc::Rc;

use super::folder::{Folder, Opened};
use super::names::{self, Stem};
use super::queue::{self, Line, Queue};
use super::rebuild;
use super::txn::Files;
use crate::deployment::{Deployment, Id, Stored};
use crate::engine::{Standing, View as _};
use crate::model::{LockName, LockRequest};
use crate::store::{Result, Txn as _};

/// Void lines a lock file may have before it is written anew, if there are also more of them than others.
const MANY_VOID: usize = 64;

/// How many lock files one decision keeps open without asking how many files a process may open.
const KEPT_OPEN: usize = 64;
/// How many of those that a process may open are left to others.
const LEFT_OPEN: u64 = 128;

/// How often the lines of the queues are searched for an id before they are put in order by it.
const SEARCHES: usize = 16;

impl Files<'_> {
    /// The lock's file, open for what this decision may do with it; `None` where there is none.
    fn lock_file(&mut self, lock: &LockName) -> Result<Option<Rc<Opened>>> {
        if let Some(opened) = self.lock_files.get(lock) {
            return Ok(Some(opened.clone()));
        }
        let (folder, path) = (Folder::Locks(lock.kind), names::lock_path(&lock.name));
        let opened = self.top.open_file(folder, &path, self.writes)?.map(Rc::new);
        // One that is only looked at is read once.
        if let Some(opened) = opened.as_ref().filter(|_| self.writes)
            && self.may_keep_one_more()
        {
            self.lock_files.insert(lock.clone(), opened.clone());
        }
        Ok(opened)
    }

    /// A deployment may take more locks than a process may open files.
    fn may_keep_one_more(&mut self) -> bool {
        let open = self.lock_files.len();
        if open >= KEPT_OPEN && self.keeps_open.is_none() {
            let most = rustix::process::getrlimit(rustix::process::Resource::Nofile).current;
            self.keeps_open = Some(most.map_or(usize::MAX, |most| most.saturating_sub(LEFT_OPEN) as usize));
        }
        open < self.keeps_open.unwrap_or(KEPT_OPEN).max(KEPT_OPEN)
    }

    /// The lock's lines, all of them.
    pub(super) fn queue_mut(&mut self, lock: &LockName) -> Result<&mut Queue> {
        if !self.queues.get(lock).is_some_and(Queue::is_whole) {
            let queue = self.head_mut(lock)?;
            queue.read_on();
            if queue.garbled {
                let queue = self.mended(lock)?;
                self.queues.insert(lock.clone(), queue);
            }
        }
        Ok(self.queues.get_mut(lock).expect("it was read"))
    }

    /// The lock's lines, as far as they were read.
    pub(super) fn head_mut(&mut self, lock: &LockName) -> Result<&mut Queue> {
        if !self.queues.contains_key(lock) {
            let queue = self.read_queue(lock)?;
            let queue = if queue.garbled { self.mended(lock)? } else { queue };
            self.queues.insert(lock.clone(), queue);
        }
        Ok(self.queues.get_mut(lock).expect("it was inserted"))
    }

    /// The records are the truth: what a lock file says without sense is said anew from them.
    fn mended(&mut self, lock: &LockName) -> Result<Queue> {
        rebuild::rebuild(self)?;
        if self.forgotten.is_some() {
            self.distrust_lines()?;
        }
        let mut queue = self.read_queue(lock)?;
        queue.read_on();
        Ok(queue)
    }

    fn read_queue(&mut self, lock: &LockName) -> Result<Queue> {
        let Some(opened) = self.lock_file(lock)? else {
            return Ok(Queue::default());
        };
        let queue = queue::read_head(self.top.read(&opened)?);
        self.unindexed.push(lock.clone());
        Ok(queue)
    }

    /// What the lines that were read say. Of a long queue few are looked at; to know them all by name pays later.
    pub(super) fn stem_in_lines(&mut self, id: &Id) -> Option<Stem> {
        if let Some(stem) = self.stems.get(id) {
            return Some(stem.clone());
        }
        // It is the one that is asked for most.
        if let Some(own) = self.own.entered(|d| (d.id == *id).then(|| Files::stem_of(d))).flatten() {
            return Some(own);
        }
        if self.unindexed.is_empty() {
            return None;
        }
        if self.searches < SEARCHES {
            self.searches += 1;
            let mut lines =
                self.unindexed.iter().filter_map(|lock| self.queues.get(lock)).flat_map(|q| &q.lines);
            return lines.find(|line| line.entry.id == *id).map(|line| line.stem.clone());
        }
        for lock in std::mem::take(&mut self.unindexed) {
            let lines = self.queues.get(&lock).into_iter().flat_map(|q| &q.lines);
            self.stems.extend(lines.map(|line| (line.entry.id.clone(), line.stem.clone())));
        }
        self.stems.get(id).cloned()
    }

    /// Appends a line, after cutting what a crash left behind the last whole one.
    pub(super) fn append(
        &mut self,
        stem: &Stem,
        request: &LockRequest,
        under: Option<&Id>,
        of: usize,
    ) -> Result<()> {
        let lock = &request.lock;
        self.void_left_out_of(lock)?;
        // Read before the file is opened for it: one without sense is made anew, with another inode.
        self.queue_mut(lock)?;
        // On other file systems one that is there may not be seen yet.
        if self.top.local {
            self.drop_gone_tail(lock)?;
        }
        let opened = match self.lock_file(lock)? {
            Some(opened) => opened,
            None => Rc::new(self.top.create(Folder::Locks(lock.kind), &names::lock_path(&lock.name))?),
        };
        // Read again where writing fails.
        let (name, mut queue) =
            self.queues.remove_entry(lock).unwrap_or_else(|| (lock.clone(), Queue::default()));
        let gone = self.known_gone();
        let is_gone = |line: &Line| gone.contains(&line.entry.id);
        for line in queue.lines.iter().filter(|line| is_gone(line)) {
            self.top.write(&opened, &[queue::VOID], line.offset)?;
        }
        if queue.is_ragged() {
            self.top.cut(&opened, queue.end())?;
        }
        let line = queue::line(stem, request, under, of);
        self.top.write(&opened, line.as_bytes(), queue.end())?;
        let before = queue.lines.len();
        queue.lines.retain(|line| !is_gone(line));
        queue.void += before - queue.lines.len();
        queue.push(line.len() as u64, stem, request, under, of);
        self.queues.insert(name, queue);
        Ok(())
    }

    /// A new line takes the place of those at the end that are gone: of a lock that comes and goes, the only ones.
    fn drop_gone_tail(&mut self, lock: &LockName) -> Result<()> {
        // Between those that live they are marked where they have become many.
        let place = self.queue_mut(lock)?.end() / queue::WIDTH;
        if place >= MANY_VOID as u64 && place.is_power_of_two() {
            self.strike_void(lock)?;
        }
        while let Some(last) = self.queue_mut(lock)?.lines.last().map(|line| line.entry.id.clone()) {
            if self.standing(&last)? != Standing::Gone {
                break;
            }
            let queue = self.queue_mut(lock)?;
            queue.lines.pop();
            queue.void += 1;
        }
        Ok(())
    }

    /// Those of which this decision has seen that they have no record: few, where the lines may be many.
    fn known_gone(&self) -> Vec<Id> {
        let gone = self.standings.iter().filter(|(_, standing)| **standing == Standing::Gone);
        gone.map(|(id, _)| id.clone()).collect()
    }

    /// Voids the lines of `id`.
    pub(super) fn strike(&mut self, lock: &LockName, id: &Id) -> Result<()> {
        self.leave_out(lock, id)?;
        self.void_left_out_of(lock)
    }

    /// Takes the lines of `id` for void; they are made so before another is written there, or when the decision is over.
    pub(super) fn leave_out(&mut self, lock: &LockName, id: &Id) -> Result<()> {
        if !self.head_mut(lock)?.lines.iter().any(|line| line.entry.id == *id) {
            self.queue_mut(lock)?;
        }
        let gone = self.known_gone();
        let queue = self.head_mut(lock)?;
        let mut offsets = Vec::new();
        queue.lines.retain(|line| {
            let strike = line.entry.id == *id || gone.contains(&line.entry.id);
            if strike {
                offsets.push(line.offset);
            }
            !strike
        });
        queue.void += offsets.len();
        self.left_out.extend(offsets.into_iter().map(|offset| (lock.clone(), offset)));
        Ok(())
    }

    /// Voids what was left out of this lock's lines.
    pub(super) fn void_left_out_of(&mut self, lock: &LockName) -> Result<()> {
        let offsets: Vec<u64> =
            self.left_out.extract_if(.., |(of, _)| of == lock).map(|(_, at)| at).collect();
        if offsets.is_empty() { Ok(()) } else { self.void(lock, &offsets) }
    }

    /// Voids all that was left out. Tidying that fails leaves lines without a record, which everybody skips.
    pub(super) fn void_left_out(&mut self) {
        // One lock after the other: where a lock file without sense is found, all are made anew, and nothing is left to be
        // voided.
        self.left_out.sort_by(|(one, _), (other, _)| one.cmp(other));
        while let Some((lock, offset)) = self.left_out.pop() {
            let mut offsets = vec![offset];
            while let Some((_, offset)) = self.left_out.pop_if(|(of, _)| *of == lock) {
                offsets.push(offset);
            }
            let _ = self.void(&lock, &offsets);
        }
    }

    fn void(&mut self, lock: &LockName, offsets: &[u64]) -> Result<()> {
        if self.queues.get(lock).is_some_and(|q| q.void > MANY_VOID && q.void > q.len()) {
            let text: String = self.queue_mut(lock)?.lines.iter().map(queue::again).collect();
            self.queues.remove(lock);
            self.lock_files.remove(lock);
            let path = names::lock_path(&lock.name);
            return rebuild::replace(self.top, Folder::Locks(lock.kind), &path, &text);
        }
        // Read again where writing fails.
        let queue = self.queues.remove_entry(lock);
        if let Some(opened) = self.lock_file(lock)? {
            offsets.iter().try_for_each(|offset| self.top.write(&opened, &[queue::VOID], *offset))?;
        }
        self.queues.extend(queue);
        Ok(())
    }

    /// Voids the lines that a resumed deployment had before it was paused, if a crash has left some: one of its id must
    /// not stand at two places, of which the first would be its turn.
    pub(super) fn strike_former(&mut self, d: &Deployment) -> Result<()> {
        if d.id.number() == Some(d.arrival) {
            return Ok(());
        }
        let before = self.find(&d.id)?;
        let before = before.as_ref().and_then(Stored::deployment).map_or(&[][..], |before| &before.locks);
        for request in d.locks.iter().chain(before) {
            self.queue_mut(&request.lock)?;
            self.strike(&request.lock, &d.id)?;
        }
        Ok(())
    }

    /// Voids the lines whose records are gone: what was killed between giving back and tidying has left them.
    pub(super) fn strike_void(&mut self, lock: &LockName) -> Result<()> {
        for entry in self.queue(lock)? {
            if self.standing(&entry.id)? == Standing::Gone {
                self.strike(lock, &entry.id)?;
            }
        }
        Ok(())
    }

    /// The locks whose files name `id`: for a record that cannot say it itself.
    pub(super) fn locks_with_lines_of(&mut self, id: &Id) -> Result<Vec<LockName>> {
        let mut locks = Vec::new();
        for lock in rebuild::all_locks(self.top)? {
            if self.queue_mut(&lock)?.lines.iter().any(|l| l.entry.id == *id) {
                locks.push(lock);
            }
        }
        Ok(locks)
    }
}
