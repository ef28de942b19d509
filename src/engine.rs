//! The lock decisions: who may hold, who must wait behind whom, who is next when something goes.
//!
//! Pure: everything it knows comes through [`View`]; no clock, no I/O, no store of its own. The rules are those
//! of INTERFACE.md: all or none; first come, first served on each lock; a waiter is never overtaken by a later
//! one that conflicts with it and never blocks one that does not; of different limits the smallest counts.

use std::collections::{BTreeSet, VecDeque};
use std::num::NonZeroU32;

use crate::deployment::Id;
use crate::model::{LockName, LockRequest, Mode};

#[cfg(test)]
mod tests;

/// One line of a lock's queue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The deployment.
    pub id: Id,
    /// How it holds or asks.
    pub mode: Mode,
    /// The limit it knows of.
    pub limit: Option<NonZeroU32>,
    /// The ancestor whose own hold of this lock counts for this entry too.
    pub under: Option<Id>,
}

/// The first lines of a lock. Those that are left out come after them, ask exclusively, and are nested in nobody: so
/// none of them holds as long as anybody here does or waits, nor is in the way of anybody here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Head {
    /// The lines, in order of arrival.
    pub entries: Vec<Entry>,
    /// There are no more.
    pub whole: bool,
}

/// Where the deployment of an [`Entry`] stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// It holds its locks.
    Holds,
    /// It waits for them.
    Waits,
    /// Neither: the entry is void.
    Gone,
    /// Verifiably dead and not to be kept: as good as gone, and to be reclaimed.
    Dead,
}

/// A deployment as the engine needs it to decide on its grant, or on what it shares with others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asker {
    /// Every lock it asks for.
    pub locks: Vec<LockRequest>,
    /// The deployments it is nested in, nearest first.
    pub ancestors: Vec<Id>,
}

/// What the engine sees of a store, in one consistent moment.
pub trait View {
    /// What a failed look is.
    type Error;
    /// The lines of a lock in order of arrival, void ones among them; nobody who holds behind one that waits and
    /// conflicts with it.
    fn queue(&mut self, lock: &LockName) -> Result<Vec<Entry>, Self::Error>;
    /// The beginning of such a queue, where its end is of no interest: see [`Head`].
    ///
    /// # Errors
    /// As [`View::queue`].
    fn head(&mut self, lock: &LockName) -> Result<Head, Self::Error> {
        Ok(Head { entries: self.queue(lock)?, whole: true })
    }
    /// Where a deployment stands.
    fn standing(&mut self, id: &Id) -> Result<Standing, Self::Error>;
    /// What a deployment asks for or holds; `None` where its record cannot be read.
    fn asker(&mut self, id: &Id) -> Result<Option<Asker>, Self::Error>;
    /// The waiting deployments that are nested, directly or not, in this one.
    fn waiting_inside(&mut self, id: &Id) -> Result<Vec<Id>, Self::Error>;
}

/// Why a lock cannot be had now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cause {
    /// Somebody has or awaits it exclusively, or it is asked for exclusively.
    Conflict,
    /// All share it, and it is full.
    Full(NonZeroU32),
}

/// A deployment in somebody's way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Blocker {
    /// Which.
    pub id: Id,
    /// How it holds or asks.
    pub mode: Mode,
    /// It holds the lock; else it is an earlier waiter.
    pub holds: bool,
}

/// A lock at which a deployment is blocked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Block {
    /// The lock.
    pub lock: LockName,
    /// Why.
    pub cause: Cause,
    /// Who: enough of them to prove that there is no room (all of them after a thorough look).
    pub by: Vec<Blocker>,
    /// Where earlier waiters alone leave no room: the nearest ones that are enough to prove it.
    pub behind: Vec<Id>,
}

/// An assessment: may it hold, and whom did we find dead on the way.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Assessment {
    /// Where it is blocked; empty means that it may hold.
    pub blocks: Vec<Block>,
    /// Dead ones found: to be reclaimed, then to be assessed again for whoever they were in the way of.
    pub dead: Vec<Id>,
    /// Locks an ancestor holds, which count as held (by lock, the ancestor), those at which another one nested in
    /// it is in the way among them.
    pub covered: Vec<(LockName, Id)>,
    /// It would have to wait for its own ancestor: never a wait, always a refusal.
    pub refused: Option<Refusal>,
}

/// A wait that could never end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// An ancestor holds the lock shared, and it is asked for exclusively.
    Upgrade {
        /// The lock.
        lock: LockName,
        /// The ancestor.
        ancestor: Id,
    },
    /// A chain of deployments each waiting for the next, the last for the first.
    Cycle(Vec<Id>),
}

/// Who asks: a newcomer (no id yet, behind everybody) or one that waits in the queues already.
#[derive(Debug, Clone, Copy)]
pub struct Who<'a> {
    /// Its id, when it has lines in the queues.
    pub id: Option<&'a Id>,
    /// Its ancestors.
    pub ancestors: &'a [Id],
    /// Name everybody in the way, not just enough of them.
    pub thorough: bool,
}

/// Whether `who` may hold all of `locks` now.
///
/// # Errors
/// Only what the view fails with.
pub fn assess<V: View + ?Sized>(
    view: &mut V,
    who: Who<'_>,
    locks: &[LockRequest],
) -> Result<Assessment, V::Error> {
    let mut found = Assessment::default();
    for request in locks {
        let queue = lines_for(view, who, &request.lock)?;
        let mut look = Look { view, who, request, dead: &mut found.dead };
        match look.at(&queue)? {
            Outcome::Settled(cover, block) => {
                let lock = &request.lock;
                found.covered.extend(cover.map(|ancestor| (lock.clone(), ancestor)));
                found.blocks.extend(block);
            }
            Outcome::Upgrade(ancestor) => {
                let lock = request.lock.clone();
                found.refused.get_or_insert(Refusal::Upgrade { lock, ancestor });
            }
        }
    }
    Ok(found)
}

/// The lines of a lock that count for this one: those behind it that do not are not asked for.
fn lines_for<V: View + ?Sized>(view: &mut V, who: Who<'_>, lock: &LockName) -> Result<Vec<Entry>, V::Error> {
    if let Some(id) = who.id.filter(|_| who.ancestors.is_empty()) {
        let head = view.head(lock)?;
        if head.whole || head.entries.iter().any(|entry| entry.id == *id) {
            return Ok(head.entries);
        }
    }
    view.queue(lock)
}

/// The waiters on `locks` that may hold now, in the order of their arrival at each lock, and the dead found.
///
/// Granting one never changes the verdict on another: a granted waiter counts as much as a waiting one for
/// everybody behind it, and those before it were asked first. One that is nested needs no slot under its ancestor's
/// hold and yet brings its limit, so those before it at any of its locks are asked first, too.
///
/// # Errors
/// Only what the view fails with.
pub fn grantable<V: View + ?Sized>(view: &mut V, locks: &[LockName]) -> Result<(Vec<Id>, Vec<Id>), V::Error> {
    let mut found = Ready::default();
    for lock in locks {
        let head = view.head(lock)?;
        if !found.walk(view, &head.entries)? && !head.whole {
            // Nobody of these stands any more.
            let queue = view.queue(lock)?;
            found.walk(view, &queue)?;
        }
    }
    Ok((found.ready, found.dead))
}

/// Who may hold, and who is dead, of those that were asked.
#[derive(Default)]
struct Ready {
    ready: Vec<Id>,
    dead: Vec<Id>,
    asked: BTreeSet<Id>,
}

impl Ready {
    /// Asks along a queue, until nobody further back can hold; `false` where its end came first.
    fn walk<V: View + ?Sized>(&mut self, view: &mut V, queue: &[Entry]) -> Result<bool, V::Error> {
        let nested = queue.iter().any(|e| e.under.is_some());
        let mut room = Room::new(Mode::Shared, None);
        for entry in queue {
            match view.standing(&entry.id)? {
                Standing::Gone => continue,
                Standing::Dead => {
                    note(&mut self.dead, &entry.id);
                    continue;
                }
                Standing::Holds => {}
                Standing::Waits => self.ask(view, &entry.id)?,
            }
            room.add(entry, true);
            // But for those nested in a holder.
            if room.cause().is_some() && !nested {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Asks this waiter, unless it was.
    fn ask<V: View + ?Sized>(&mut self, view: &mut V, id: &Id) -> Result<(), V::Error> {
        if !self.asked.insert(id.clone()) {
            return Ok(());
        }
        let Some(asker) = view.asker(id)? else { return Ok(()) };
        let who = Who { id: Some(id), ancestors: &asker.ancestors, thorough: false };
        let found = assess(view, who, &asker.locks)?;
        found.dead.iter().for_each(|id| note(&mut self.dead, id));
        if !found.blocks.is_empty() || found.refused.is_some() {
            return Ok(());
        }
        if !asker.ancestors.is_empty() {
            for request in &asker.locks {
                let queue = view.queue(&request.lock)?;
                let before = queue.iter().position(|entry| entry.id == *id).unwrap_or(queue.len());
                self.walk(view, &queue[..before])?;
            }
        }
        self.ready.push(id.clone());
        Ok(())
    }
}

/// The chain of waits from `who`, which is blocked at some of `locks`, back to one of its ancestors: a wait that
/// never ends, whoever else comes to an end.
///
/// Everybody waits for earlier arrivals and for holders, and a holder waits only through what is nested in it. So
/// a circle is closed by the arrival of a nested deployment, or by the end of an ancestor whose hold counted for
/// one that waits, and never without a nested one in it. Ask when one would wait, and ask again for every nested
/// waiter when a deployment with others nested in it has ended.
///
/// Everybody ends who can: holders in whom nobody waits, then those who may hold after that, and so on. A lock
/// that is full by its limit is thus no circle as long as any one of its holders can end.
///
/// # Errors
/// Only what the view fails with.
pub fn cycle<V: View + ?Sized>(
    view: &mut V,
    who: Who<'_>,
    locks: &[LockRequest],
) -> Result<Option<Vec<Id>>, V::Error> {
    if who.ancestors.is_empty() {
        return Ok(None);
    }
    let who = Who { thorough: true, ..who };
    let mut view = Ending { view, ended: BTreeSet::new() };
    let mut known: Vec<Id> = Vec::new();
    let mut blocks = assess(&mut view, who, locks)?.blocks;
    let mut news = true;
    while std::mem::take(&mut news) {
        // Those that shared somebody's slot are in the way when that one has ended.
        in_the_way(&blocks).for_each(|id| note(&mut known, &id));
        let mut at = 0;
        while let Some(id) = known.get(at).cloned() {
            at += 1;
            // An ancestor does not end before the one nested in it.
            if view.ended.contains(&id) || who.ancestors.contains(&id) {
                continue;
            }
            let needs = waits_for(&mut view, &id)?;
            if needs.is_empty() {
                view.ended.insert(id);
                news = true;
            }
            needs.iter().for_each(|id| note(&mut known, id));
        }
        blocks = assess(&mut view, who, locks)?.blocks;
    }
    chain(&mut view, who.ancestors, &blocks)
}

/// The shortest chain of waits from `blocks` to one of `ancestors`.
fn chain<V: View + ?Sized>(
    view: &mut V,
    ancestors: &[Id],
    blocks: &[Block],
) -> Result<Option<Vec<Id>>, V::Error> {
    let mut seen = BTreeSet::new();
    let mut todo: VecDeque<Vec<Id>> = in_the_way(blocks).map(|id| vec![id]).collect();
    while let Some(path) = todo.pop_front() {
        let Some(last) = path.last().cloned() else {
            continue;
        };
        if ancestors.contains(&last) {
            return Ok(Some(path));
        }
        if !seen.insert(last.clone()) {
            continue;
        }
        for next in waits_for(view, &last)? {
            let mut longer = path.clone();
            longer.push(next);
            todo.push_back(longer);
        }
    }
    Ok(None)
}

/// Whom this one waits for, itself or through what is nested in it.
fn waits_for<V: View + ?Sized>(view: &mut V, id: &Id) -> Result<Vec<Id>, V::Error> {
    if view.standing(id)? != Standing::Waits {
        let mut waiting = Vec::new();
        for inside in view.waiting_inside(id)? {
            if view.standing(&inside)? == Standing::Waits {
                waiting.push(inside);
            }
        }
        return Ok(waiting);
    }
    let Some(asker) = view.asker(id)? else {
        return Ok(Vec::new());
    };
    let who = Who { id: Some(id), ancestors: &asker.ancestors, thorough: true };
    Ok(in_the_way(&assess(view, who, &asker.locks)?.blocks).collect())
}

/// A view in which some have ended.
struct Ending<'a, V: ?Sized> {
    view: &'a mut V,
    ended: BTreeSet<Id>,
}

impl<V: View + ?Sized> View for Ending<'_, V> {
    type Error = V::Error;

    fn queue(&mut self, lock: &LockName) -> Result<Vec<Entry>, V::Error> {
        self.view.queue(lock)
    }

    fn standing(&mut self, id: &Id) -> Result<Standing, V::Error> {
        if self.ended.contains(id) {
            return Ok(Standing::Gone);
        }
        self.view.standing(id)
    }

    fn asker(&mut self, id: &Id) -> Result<Option<Asker>, V::Error> {
        self.view.asker(id)
    }

    fn waiting_inside(&mut self, id: &Id) -> Result<Vec<Id>, V::Error> {
        self.view.waiting_inside(id)
    }
}

/// Everybody that these blocks name.
fn in_the_way(blocks: &[Block]) -> impl Iterator<Item = Id> + '_ {
    blocks.iter().flat_map(|b| b.by.iter().map(|x| x.id.clone()).chain(b.behind.clone()))
}

/// Whom one that is blocked has to keep an eye on: as long as all of these live, it stays blocked, so a change
/// in one of them is the only news it needs. The waiters just ahead rather than the holders, so that one
/// release does not wake a whole queue (DESIGN.md, trap "lost wake-ups").
#[must_use]
pub fn watch_list(blocks: &[Block]) -> Vec<Id> {
    if let Some(block) = blocks.iter().find(|b| !b.behind.is_empty()) {
        return block.behind.clone();
    }
    blocks.first().map(|b| b.by.iter().map(|x| x.id.clone()).collect()).unwrap_or_default()
}

fn note(ids: &mut Vec<Id>, id: &Id) {
    if !ids.contains(id) {
        ids.push(id.clone());
    }
}

enum Outcome {
    /// With the ancestor whose hold counts, and who is in the way.
    Settled(Option<Id>, Option<Block>),
    /// An ancestor holds it, but only shared.
    Upgrade(Id),
}

/// One look at one lock.
struct Look<'a, V: ?Sized> {
    view: &'a mut V,
    who: Who<'a>,
    request: &'a LockRequest,
    dead: &'a mut Vec<Id>,
}

impl<V: View + ?Sized> Look<'_, V> {
    fn at(&mut self, queue: &[Entry]) -> Result<Outcome, V::Error> {
        let me = self.who.id;
        let mine = queue.iter().position(|e| Some(&e.id) == me).unwrap_or(queue.len());
        let over = self.over(queue)?;
        let cover = over.iter().find(|e| e.mode >= self.request.mode);
        if let (None, Some(less)) = (cover, over.last()) {
            return Ok(Outcome::Upgrade(less.id.clone()));
        }
        let rivals: Vec<(usize, &Entry)> = queue.iter().enumerate().filter(|(_, e)| self.rival(e)).collect();
        if over.is_empty() && self.fits_even_if_all_live(&rivals) {
            return Ok(Outcome::Settled(None, None));
        }
        let cover = cover.map(|e| e.id.clone());
        Ok(Outcome::Settled(cover, self.blocked(&rivals, mine, &over)?))
    }

    fn rival(&self, entry: &Entry) -> bool {
        Some(&entry.id) != self.who.id && !self.who.ancestors.contains(&entry.id)
    }

    /// The lines of the ancestors that hold this lock, the farthest first.
    fn over<'q>(&mut self, queue: &'q [Entry]) -> Result<Vec<&'q Entry>, V::Error> {
        let mut over = Vec::new();
        for entry in queue.iter().filter(|e| self.who.ancestors.contains(&e.id)) {
            if self.view.standing(&entry.id)? == Standing::Holds {
                over.push(entry);
            }
        }
        Ok(over)
    }

    /// The quick way out: no look at any record where even all lines together would be no obstacle.
    fn fits_even_if_all_live(&self, rivals: &[(usize, &Entry)]) -> bool {
        let mut room = Room::new(self.request.mode, self.request.limit);
        rivals.iter().for_each(|(_, entry)| room.add(entry, true));
        room.cause().is_none()
    }

    /// Where the rivals that live and count leave no room: the block. `over` are the ancestors' lines under which
    /// it is asked for.
    fn blocked(
        &mut self,
        rivals: &[(usize, &Entry)],
        mine: usize,
        over: &[&Entry],
    ) -> Result<Option<Block>, V::Error> {
        let covered = !over.is_empty();
        // Of those with whom it could be shared; one conflict is proof enough without any counting.
        let mut room = Room::new(self.request.mode, self.request.limit);
        let mut counted: Vec<(Blocker, bool)> = Vec::new();
        let mut conflict = false;
        for (place, entry) in rivals {
            let conflicts = self.conflicts(entry);
            if *place > mine && conflicts && self.waits_behind(entry) {
                continue;
            }
            // Under an ancestor's hold no slot is needed; and where all are taken, only a conflict is still news.
            if !conflicts && (covered || (room.cause().is_some() && !self.who.thorough)) {
                continue;
            }
            let holds = match self.standing(entry)? {
                Standing::Holds => true,
                Standing::Waits if *place < mine => false,
                _ => continue,
            };
            if !holds && self.waits_for_mine(over, entry)? {
                continue;
            }
            if !conflicts {
                let own_slot = !self.shares_a_slot(entry, &counted)?;
                room.add(entry, own_slot);
            }
            conflict |= conflicts;
            let blocker = Blocker { id: entry.id.clone(), mode: entry.mode, holds };
            counted.push((blocker, conflicts));
            if conflict && !self.who.thorough {
                break;
            }
        }
        let full = room.cause();
        let Some(cause) = (if conflict { Some(Cause::Conflict) } else { full }) else {
            return Ok(None);
        };
        let all = full.is_some() && (self.who.thorough || !conflict);
        let by = counted.into_iter().filter(|(_, conflicts)| *conflicts || all);
        let by = by.map(|(b, _)| b).collect();
        let behind = self.behind(rivals, mine, over)?;
        Ok(Some(Block { lock: self.request.lock.clone(), cause, by, behind }))
    }

    /// Whether this later line, which conflicts with the asker's, cannot hold: nobody who conflicts with a waiter is
    /// let past it, but who is nested in a holder, which its line says. So of a long queue only the head is looked at.
    fn waits_behind(&self, entry: &Entry) -> bool {
        entry.under.is_none() && self.who.ancestors.is_empty()
    }

    /// Whether this earlier waiter waits for one of the asker's own ancestors: then that one has its turn first,
    /// and with it whatever is nested in it; to wait for each other would never end.
    fn waits_for_mine(&mut self, over: &[&Entry], entry: &Entry) -> Result<bool, V::Error> {
        let clash = |e: &Entry| entry.mode == Mode::Exclusive || e.mode == Mode::Exclusive;
        if !over.iter().any(|e| clash(e)) {
            return Ok(false);
        }
        // What a common ancestor holds is not in its way.
        let theirs = self.ancestors(entry)?;
        Ok(over.iter().any(|e| clash(e) && !theirs.contains(&e.id)))
    }

    /// A nested one shares the slot of an ancestor as long as that one holds.
    fn shares_a_slot(&mut self, entry: &Entry, counted: &[(Blocker, bool)]) -> Result<bool, V::Error> {
        let ancestors = self.ancestors(entry)?;
        Ok(counted.iter().any(|(b, _)| b.holds && ancestors.contains(&b.id)))
    }

    /// The ancestors of another one whose holds may count at this lock. All of them, since the one its line names
    /// may have ended while one between the two goes on.
    fn ancestors(&mut self, entry: &Entry) -> Result<Vec<Id>, V::Error> {
        let Some(under) = &entry.under else {
            return Ok(Vec::new());
        };
        let asker = self.view.asker(&entry.id)?;
        Ok(asker.map_or_else(|| vec![under.clone()], |a| a.ancestors))
    }

    /// Where earlier waiters alone leave no room: the nearest that are enough.
    fn behind(
        &mut self,
        rivals: &[(usize, &Entry)],
        mine: usize,
        over: &[&Entry],
    ) -> Result<Vec<Id>, V::Error> {
        let limited = self.request.limit.is_some() || rivals.iter().any(|(_, e)| e.limit.is_some());
        let mut room = Room::new(self.request.mode, self.request.limit);
        let mut nearest = Vec::new();
        for (_, entry) in rivals.iter().rev().filter(|(place, _)| *place < mine) {
            let conflicts = self.conflicts(entry);
            // A nested one may take no slot of its own, so it proves nothing of them.
            let counts = conflicts || (limited && over.is_empty() && entry.under.is_none());
            if !counts || self.standing(entry)? != Standing::Waits || self.waits_for_mine(over, entry)? {
                continue;
            }
            if conflicts {
                return Ok(vec![entry.id.clone()]);
            }
            nearest.push(entry.id.clone());
            room.add(entry, true);
            if room.cause().is_some() {
                return Ok(nearest);
            }
        }
        Ok(Vec::new())
    }

    fn conflicts(&self, entry: &Entry) -> bool {
        self.request.mode == Mode::Exclusive || entry.mode == Mode::Exclusive
    }

    fn standing(&mut self, entry: &Entry) -> Result<Standing, V::Error> {
        let standing = self.view.standing(&entry.id)?;
        if standing == Standing::Dead {
            note(self.dead, &entry.id);
        }
        Ok(standing)
    }
}

/// How much of a lock is left for one more.
struct Room {
    /// The one more wants it alone, or somebody has it alone.
    exclusive: bool,
    anyone: bool,
    taken: u32,
    limit: Option<NonZeroU32>,
}

impl Room {
    fn new(mode: Mode, limit: Option<NonZeroU32>) -> Self {
        Room { exclusive: mode == Mode::Exclusive, anyone: false, taken: 0, limit }
    }

    fn add(&mut self, entry: &Entry, takes_a_slot: bool) {
        self.exclusive |= entry.mode == Mode::Exclusive;
        self.anyone = true;
        self.taken += u32::from(takes_a_slot);
        self.limit = [self.limit, entry.limit].into_iter().flatten().min();
    }

    /// Why one more does not fit.
    fn cause(&self) -> Option<Cause> {
        if self.exclusive && self.anyone {
            Some(Cause::Conflict)
        } else {
            self.limit.filter(|n| self.taken >= n.get()).map(Cause::Full)
        }
    }
}
