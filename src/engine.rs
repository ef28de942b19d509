//! The lock decisions: who may hold, who must wait behind whom, who is next when something goes.
//!
//! Pure: everything it knows comes through [`View`]; no clock, no I/O, no store of its own. The rules are those
//! of INTERFACE.md: all or none; first come, first served on each lock; a waiter is never overtaken by a later
//! one that conflicts with it and never blocks one that does not; of different limits the smallest counts.

use std::collections::HashSet;
use std::num::NonZeroU32;

use crate::deployment::Id;
use crate::model::{LockName, LockRequest, Mode};

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

/// A queued deployment as the engine needs it to decide on its grant.
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
    /// The lines of a lock in order of arrival, void ones among them.
    fn queue(&mut self, lock: &LockName) -> Result<Vec<Entry>, Self::Error>;
    /// Where a deployment stands.
    fn standing(&mut self, id: &Id) -> Result<Standing, Self::Error>;
    /// What a waiting deployment asks for; `None` where its record cannot be read.
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
    /// Locks an ancestor holds, which count as held (by lock, the ancestor).
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
        let queue = view.queue(&request.lock)?;
        let mut look = Look {
            view,
            who,
            request,
            dead: &mut found.dead,
        };
        match look.at(&queue)? {
            Outcome::Free(None) => {}
            Outcome::Free(Some(ancestor)) => found.covered.push((request.lock.clone(), ancestor)),
            Outcome::Blocked(block) => found.blocks.push(block),
            Outcome::Upgrade(ancestor) => {
                let lock = request.lock.clone();
                found.refused.get_or_insert(Refusal::Upgrade { lock, ancestor });
            }
        }
    }
    Ok(found)
}

/// The waiters on `locks` that may hold now, in the order of their arrival at each lock, and the dead found.
///
/// Granting one never changes the verdict on another: a granted waiter counts as much as a waiting one for
/// everybody behind it, and those before it were asked first.
///
/// # Errors
/// Only what the view fails with.
pub fn grantable<V: View + ?Sized>(view: &mut V, locks: &[LockName]) -> Result<(Vec<Id>, Vec<Id>), V::Error> {
    let (mut ready, mut dead) = (Vec::new(), Vec::new());
    let mut asked = HashSet::new();
    for lock in locks {
        let queue = view.queue(lock)?;
        let nested = queue.iter().any(|e| e.under.is_some());
        let mut room = Room::new(Mode::Shared, None);
        for entry in &queue {
            match view.standing(&entry.id)? {
                Standing::Gone => continue,
                Standing::Dead => {
                    note(&mut dead, &entry.id);
                    continue;
                }
                Standing::Holds => {}
                Standing::Waits => {
                    if asked.insert(entry.id.clone()) && may_hold(view, &entry.id, &mut dead)? {
                        ready.push(entry.id.clone());
                    }
                }
            }
            room.add(entry, true);
            // Nobody further back can hold, but for those nested in a holder.
            if room.cause(false).is_some() && !nested {
                break;
            }
        }
    }
    Ok((ready, dead))
}

fn may_hold<V: View + ?Sized>(view: &mut V, id: &Id, dead: &mut Vec<Id>) -> Result<bool, V::Error> {
    let Some(asker) = view.asker(id)? else {
        return Ok(false);
    };
    let who = Who {
        id: Some(id),
        ancestors: &asker.ancestors,
        thorough: false,
    };
    let found = assess(view, who, &asker.locks)?;
    for id in &found.dead {
        note(dead, id);
    }
    Ok(found.blocks.is_empty() && found.refused.is_none())
}

/// The chain of waits from `blocks` back to `ancestors`, where there is one.
///
/// Only the arrival of a nested deployment can close a circle: everybody waits for earlier arrivals and for
/// holders, and a holder waits only through what is nested in it. So it is asked once, when one would wait.
///
/// # Errors
/// Only what the view fails with.
pub fn cycle<V: View + ?Sized>(
    view: &mut V,
    ancestors: &[Id],
    blocks: &[Block],
) -> Result<Option<Vec<Id>>, V::Error> {
    let mut seen = HashSet::new();
    let mut todo: Vec<Vec<Id>> = in_the_way(blocks).map(|id| vec![id]).collect();
    while let Some(path) = todo.pop() {
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
            todo.push(longer);
        }
    }
    Ok(None)
}

fn waits_for<V: View + ?Sized>(view: &mut V, id: &Id) -> Result<Vec<Id>, V::Error> {
    if view.standing(id)? != Standing::Waits {
        return view.waiting_inside(id);
    }
    let Some(asker) = view.asker(id)? else {
        return Ok(Vec::new());
    };
    let who = Who {
        id: Some(id),
        ancestors: &asker.ancestors,
        thorough: false,
    };
    Ok(in_the_way(&assess(view, who, &asker.locks)?.blocks).collect())
}

/// Everybody that these blocks name.
fn in_the_way(blocks: &[Block]) -> impl Iterator<Item = Id> + '_ {
    blocks
        .iter()
        .flat_map(|b| b.by.iter().map(|x| x.id.clone()).chain(b.behind.clone()))
}

/// Whom one that is blocked has to keep an eye on: as long as all of these live, it stays blocked, so a change
/// in one of them is the only news it needs. The waiters just ahead rather than the holders, so that one
/// release does not wake a whole queue (DESIGN.md, trap "lost wake-ups").
#[must_use]
pub fn watch_list(blocks: &[Block]) -> Vec<Id> {
    if let Some(block) = blocks.iter().find(|b| !b.behind.is_empty()) {
        return block.behind.clone();
    }
    blocks
        .first()
        .map(|b| b.by.iter().map(|x| x.id.clone()).collect())
        .unwrap_or_default()
}

fn note(ids: &mut Vec<Id>, id: &Id) {
    if !ids.contains(id) {
        ids.push(id.clone());
    }
}

enum Outcome {
    /// May hold it; with the ancestor whose hold counts.
    Free(Option<Id>),
    Blocked(Block),
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
        let mine = queue
            .iter()
            .position(|e| Some(&e.id) == me)
            .unwrap_or(queue.len());
        let cover = match self.cover(queue)? {
            Cover::None => None,
            Cover::Held(ancestor) => Some(ancestor),
            Cover::Less(ancestor) => return Ok(Outcome::Upgrade(ancestor)),
        };
        let rivals: Vec<(usize, &Entry)> = queue.iter().enumerate().filter(|(_, e)| self.rival(e)).collect();
        if cover.is_none() && self.fits_even_if_all_live(&rivals) {
            return Ok(Outcome::Free(None));
        }
        match self.blocked(&rivals, mine, cover.is_some())? {
            Some(block) => Ok(Outcome::Blocked(block)),
            None => Ok(Outcome::Free(cover)),
        }
    }

    fn rival(&self, entry: &Entry) -> bool {
        Some(&entry.id) != self.who.id && !self.who.ancestors.contains(&entry.id)
    }

    /// Whether an ancestor holds this lock, and enough of it.
    fn cover(&mut self, queue: &[Entry]) -> Result<Cover, V::Error> {
        let mut less = None;
        for entry in queue.iter().filter(|e| self.who.ancestors.contains(&e.id)) {
            if self.view.standing(&entry.id)? != Standing::Holds {
                continue;
            }
            if entry.mode >= self.request.mode {
                return Ok(Cover::Held(entry.id.clone()));
            }
            less = Some(entry.id.clone());
        }
        Ok(less.map_or(Cover::None, Cover::Less))
    }

    /// The quick way out: no look at any record where even all lines together would be no obstacle.
    fn fits_even_if_all_live(&self, rivals: &[(usize, &Entry)]) -> bool {
        let mut room = Room::new(self.request.mode, self.request.limit);
        rivals.iter().for_each(|(_, entry)| room.add(entry, true));
        room.cause(false).is_none()
    }

    /// Where the rivals that live and count leave no room: the block.
    fn blocked(
        &mut self,
        rivals: &[(usize, &Entry)],
        mine: usize,
        covered: bool,
    ) -> Result<Option<Block>, V::Error> {
        let mut room = Room::new(self.request.mode, self.request.limit);
        let mut counted: Vec<(Blocker, bool)> = Vec::new();
        for (place, entry) in rivals {
            let holds = match self.standing(entry)? {
                Standing::Holds => true,
                Standing::Waits if *place < mine => false,
                _ => continue,
            };
            // Under an ancestor's hold only the family is in the way: others wait for the ancestor anyway.
            if covered && !holds && entry.under.is_none() {
                continue;
            }
            // A nested holder shares its ancestor's slot.
            let same_slot = entry
                .under
                .as_ref()
                .is_some_and(|a| counted.iter().any(|(b, _)| b.id == *a));
            room.add(entry, !same_slot && !covered);
            let blocker = Blocker {
                id: entry.id.clone(),
                mode: entry.mode,
                holds,
            };
            counted.push((blocker, self.conflicts(entry)));
            if room.cause(covered).is_some() && !self.who.thorough {
                break;
            }
        }
        let Some(cause) = room.cause(covered) else {
            return Ok(None);
        };
        // One conflict is proof enough; a full lock takes all who fill it.
        let only_conflicts = cause == Cause::Conflict && counted.iter().any(|(_, conflict)| *conflict);
        let by = counted
            .into_iter()
            .filter(|(_, conflict)| *conflict || !only_conflicts)
            .map(|(b, _)| b);
        let by = by.collect();
        let behind = self.behind(rivals, mine, covered)?;
        Ok(Some(Block {
            lock: self.request.lock.clone(),
            cause,
            by,
            behind,
        }))
    }

    /// Where earlier waiters alone leave no room: the nearest that are enough.
    fn behind(
        &mut self,
        rivals: &[(usize, &Entry)],
        mine: usize,
        covered: bool,
    ) -> Result<Vec<Id>, V::Error> {
        let limited = self.request.limit.is_some() || rivals.iter().any(|(_, e)| e.limit.is_some());
        let mut room = Room::new(self.request.mode, self.request.limit);
        let mut nearest = Vec::new();
        for (_, entry) in rivals.iter().rev().filter(|(place, _)| *place < mine) {
            let conflicts = self.conflicts(entry);
            let counts = (conflicts || limited) && (!covered || entry.under.is_some());
            if !counts || self.standing(entry)? != Standing::Waits {
                continue;
            }
            if conflicts {
                return Ok(vec![entry.id.clone()]);
            }
            nearest.push(entry.id.clone());
            room.add(entry, !covered);
            if room.cause(covered).is_some() {
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

enum Cover {
    None,
    Held(Id),
    /// An ancestor holds it, but only shared.
    Less(Id),
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
        Room {
            exclusive: mode == Mode::Exclusive,
            anyone: false,
            taken: 0,
            limit,
        }
    }

    fn add(&mut self, entry: &Entry, takes_a_slot: bool) {
        self.exclusive |= entry.mode == Mode::Exclusive;
        self.anyone = true;
        self.taken += u32::from(takes_a_slot);
        self.limit = [self.limit, entry.limit].into_iter().flatten().min();
    }

    /// Why one more does not fit; under an ancestor's hold no slot is needed.
    fn cause(&self, covered: bool) -> Option<Cause> {
        if self.exclusive && self.anyone {
            Some(Cause::Conflict)
        } else if covered {
            None
        } else {
            self.limit.filter(|n| self.taken >= n.get()).map(Cause::Full)
        }
    }
}
