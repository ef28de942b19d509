//! The lines of the lock files: read once a decision, written in place.

use std::rc::Rc;

use super::folder::{Folder, Opened};
use super::names::{self, Stem};
use super::queue::{self, Line, Queue};
use super::rebuild;
use super::txn::Files;
use crate::deployment::Id;
use crate::engine::{Standing, View as _};
use crate::model::LockName;
use crate::store::Result;

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

    pub(super) fn queue_mut(&mut self, lock: &LockName) -> Result<&mut Queue> {
        if !self.queues.contains_key(lock) {
            let queue = self.read_queue(lock)?;
            self.queues.insert(lock.clone(), queue);
        }
        Ok(self.queues.get_mut(lock).expect("it was inserted"))
    }

    fn read_queue(&mut self, lock: &LockName) -> Result<Queue> {
        let queue = self.queue_as_it_is(lock)?;
        if !queue.garbled {
            return Ok(queue);
        }
        // The records are the truth: what a lock file says without sense is said anew from them.
        rebuild::rebuild(self)?;
        if self.forgotten.is_some() {
            self.distrust_lines()?;
        }
        self.queue_as_it_is(lock)
    }

    fn queue_as_it_is(&mut self, lock: &LockName) -> Result<Queue> {
        let Some(opened) = self.lock_file(lock)? else {
            return Ok(Queue::default());
        };
        let queue = queue::read(&self.top.read(&opened)?);
        self.unindexed.push(lock.clone());
        Ok(queue)
    }

    /// What the lines that were read say. Of a long queue few are looked at; to know them all by name pays later.
    pub(super) fn stem_in_lines(&mut self, id: &Id) -> Option<Stem> {
        if let Some(stem) = self.stems.get(id) {
            return Some(stem.clone());
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
    pub(super) fn append(&mut self, lock: &LockName, line: &str) -> Result<()> {
        // Read before the file is opened for it: one without sense is made anew, with another inode.
        self.queue_mut(lock)?;
        let opened = match self.lock_file(lock)? {
            Some(opened) => opened,
            None => Rc::new(self.top.create(Folder::Locks(lock.kind), &names::lock_path(&lock.name))?),
        };
        // Read again where writing fails.
        let (name, mut queue) =
            self.queues.remove_entry(lock).unwrap_or_else(|| (lock.clone(), Queue::default()));
        for line in queue.lines.iter().filter(|line| self.is_known_gone(line)) {
            self.top.write(&opened, &[queue::VOID], line.offset)?;
        }
        if queue.is_ragged() {
            self.top.cut(&opened, queue.end())?;
        }
        self.top.write(&opened, line.as_bytes(), queue.end())?;
        let before = queue.lines.len();
        queue.lines.retain(|line| !self.is_known_gone(line));
        queue.void += before - queue.lines.len();
        queue.push(line);
        self.queues.insert(name, queue);
        Ok(())
    }

    /// A line of which this decision has seen that it has no record.
    fn is_known_gone(&self, line: &Line) -> bool {
        self.standings.get(&line.entry.id) == Some(&Standing::Gone)
    }

    /// Voids the lines of `id`.
    pub(super) fn strike(&mut self, lock: &LockName, id: &Id) -> Result<()> {
        // Read again where writing fails.
        self.queue_mut(lock)?;
        let (name, mut queue) =
            self.queues.remove_entry(lock).unwrap_or_else(|| (lock.clone(), Queue::default()));
        let (mine, others): (Vec<_>, Vec<_>) =
            queue.lines.drain(..).partition(|l| l.entry.id == *id || self.is_known_gone(l));
        queue.void += mine.len();
        if queue.void > MANY_VOID && queue.void > others.len() {
            let text: String = others.iter().map(queue::again).collect();
            self.lock_files.remove(lock);
            return rebuild::replace(
                self.top,
                Folder::Locks(lock.kind),
                &names::lock_path(&lock.name),
                &text,
            );
        }
        if let Some(opened) = self.lock_file(lock)? {
            mine.iter().try_for_each(|line| self.top.write(&opened, &[queue::VOID], line.offset))?;
        }
        queue.lines = others;
        self.queues.insert(name, queue);
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
