//! What there is: the guard, the records, the lock files, the processes; and what must be true of it.

use std::num::NonZeroU32;
use std::sync::LazyLock;

use deploylock::deployment::Id;
use deploylock::engine::{self, Asker, Assessment, Entry, Standing, View, Who};
use deploylock::model::{Kind as LockKind, LockName, LockRequest, Mode};

use super::process::{Pc, Process};

/// How many processes there are.
pub const COUNT: usize = 3;
/// How many share a shared lock at most.
const LIMIT: u32 = 2;

static IDS: LazyLock<[Id; COUNT]> = LazyLock::new(|| [0, 1, 2].map(|p| Id::new(p + 1, 7)));
static LOCKS: LazyLock<[LockName; 2]> =
    LazyLock::new(|| ["a", "b"].map(|n| LockName::new(LockKind::Name, n)));

/// What a process does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// `run --wait`; may give up.
    Run,
    /// `run --no-wait`
    TryOnce,
    /// `acquire --wait`, and `release` some time later.
    Acquire,
    /// `acquire --wait --ttl`, which nobody need release.
    Lease,
    /// `clear --stale`, again and again.
    Sweep,
}

/// Which locks it asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Want {
    /// A bit for each.
    pub locks: u8,
    /// Shared, up to the limit; else exclusive.
    pub shared: bool,
}

/// What is left out of the protocol, or done wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Broken {
    Nothing,
    /// `arm` sleeps without evaluating again once the watch stands.
    NoSecondLook,
    /// `arm` evaluates again with what it remembers of the records.
    NothingForgotten,
    /// Who finds its way free as it arms sleeps all the same (so it was until this model found it).
    SleepsThoughFree,
    /// Neither who ends nor who wakes grants anybody.
    NoHandOff,
    /// A waiter watches its own record only.
    WatchesItself,
    /// A waiter watches the first in its way only.
    WatchesOne,
    /// A sweeper opens the record before it has the guard, and believes what the open file said.
    JudgesOutside,
    /// The guard keeps nobody out.
    NoGuard,
}

/// Three processes and their locks.
#[derive(Debug, Clone, Copy)]
pub struct Protocol {
    pub wants: [(Kind, Want); COUNT],
    pub broken: Broken,
}

/// What happens next.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Action {
    /// This process does its next step.
    Step(usize),
    /// It is killed.
    Crash(usize),
    /// It stops waiting: its time is over, or a signal came.
    GiveUp(usize),
    /// Its time to live is over.
    Expire(usize),
    /// This sweeper turns to that one.
    Sweep(usize, usize),
}

/// Where a record lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Record {
    #[default]
    None,
    /// In `waiting/`, made but not written.
    Empty,
    Waiting,
    Attached,
    Detached,
}

/// Everything at one moment.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct World {
    pub guard: Option<usize>,
    pub lines: [Vec<usize>; 2],
    pub records: [Record; COUNT],
    pub expired: [bool; COUNT],
    pub processes: [Process; COUNT],
}

/// What a decision remembers of the records it has looked at (`Files::standings`).
pub type Seen = [Option<Remembered>; COUNT];

/// An [`engine::Standing`] that can be hashed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Remembered {
    Holds,
    Waits,
    Gone,
    Dead,
}

impl World {
    pub fn standing(&self, p: usize) -> Remembered {
        let locked = self.processes[p].keeps_its_record_locked();
        match self.records[p] {
            Record::None => Remembered::Gone,
            Record::Detached if self.expired[p] => Remembered::Dead,
            Record::Detached => Remembered::Holds,
            _ if !locked => Remembered::Dead,
            Record::Attached => Remembered::Holds,
            Record::Empty | Record::Waiting => Remembered::Waits,
        }
    }

    /// A watched record was renamed, unlinked or closed, its process ended, or its time passed.
    pub fn wake_watchers_of(&mut self, p: usize) {
        for other in &mut self.processes {
            if other.watch & (1 << p) != 0 {
                other.woken = true;
            }
        }
    }

    pub fn waited_and_holds(&self) -> bool {
        self.processes.iter().any(|p| p.pc == Pc::Holding && p.waited)
    }

    pub fn all_done(&self) -> bool {
        self.processes.iter().all(|p| matches!(p.pc, Pc::Done | Pc::Out))
            && self.records == [Record::None; COUNT]
    }

    /// Nothing moves any more unless somebody ends, dies, expires or begins.
    fn is_at_rest(&self) -> bool {
        let rests = |p: &Process| match p.pc {
            Pc::Out | Pc::Holding | Pc::Kept | Pc::Done => true,
            Pc::Sleep => !p.woken && !p.gives_up,
            _ => false,
        };
        self.processes.iter().all(rests)
    }
}

impl Protocol {
    pub fn requests(&self, p: usize) -> Vec<LockRequest> {
        let want = self.wants[p].1;
        let wanted = (0..LOCKS.len()).filter(|lock| want.locks & (1 << lock) != 0);
        let mode = if want.shared { Mode::Shared } else { Mode::Exclusive };
        let limit = want.shared.then_some(NonZeroU32::new(LIMIT)).flatten();
        wanted.map(|lock| LockRequest { lock: LOCKS[lock].clone(), mode, limit }).collect()
    }

    /// The engine's word on whether `p` may hold: as one that waits, or as a newcomer.
    pub fn assess(&self, world: &World, seen: &mut Seen, p: usize, queued: bool) -> Assessment {
        let who = Who { id: queued.then(|| &IDS[p]), ancestors: &[], thorough: false };
        let mut eyes = Eyes { protocol: self, world, seen };
        engine::assess(&mut eyes, who, &self.requests(p)).unwrap_or_else(|never| match never {})
    }

    /// The engine's word on who is next on these locks, and who is dead: as bits.
    pub fn grantable(&self, world: &World, seen: &mut Seen, locks: u8) -> (u8, u8) {
        let wanted = (0..LOCKS.len()).filter(|lock| locks & (1 << lock) != 0);
        let locks: Vec<LockName> = wanted.map(|lock| LOCKS[lock].clone()).collect();
        let mut eyes = Eyes { protocol: self, world, seen };
        let (ready, dead) = engine::grantable(&mut eyes, &locks).unwrap_or_else(|never| match never {});
        (bits(&ready), bits(&dead))
    }

    /// Whoever acts as a holder, and whose locks exclude each other.
    pub fn nobody_holds_beside(&self, world: &World) -> bool {
        let holding: Vec<usize> = (0..COUNT).filter(|p| world.processes[*p].acts_as_holder()).collect();
        (0..LOCKS.len()).all(|lock| {
            let here = || holding.iter().filter(|p| self.wants[**p].1.locks & (1 << lock) != 0);
            let alone = here().any(|p| !self.wants[*p].1.shared);
            here().count() <= if alone { 1 } else { LIMIT as usize }
        })
    }

    /// Who holds has a line in each of its lock files, and who waits too, once it sleeps.
    pub fn all_or_none(&self, world: &World) -> bool {
        (0..COUNT)
            .filter(|p| world.processes[*p].acts_as_holder() || world.processes[*p].pc == Pc::Sleep)
            .all(|p| {
                let locks = self.wants[p].1.locks;
                let gone = world.records[p] == Record::None;
                gone || (0..LOCKS.len())
                    .all(|lock| locks & (1 << lock) == 0 || world.lines[lock].contains(&p))
            })
    }

    /// Who lives and holds has its record in `attached/`; what `acquire` reported lies in `detached/`.
    pub fn reports_are_true(&self, world: &World) -> bool {
        (0..COUNT).all(|p| match world.processes[p].pc {
            Pc::Holding => world.records[p] == Record::Attached,
            Pc::Kept => world.records[p] == Record::Detached || world.expired[p],
            _ => true,
        })
    }

    /// When all have come to rest, every live waiter has somebody in its way.
    pub fn nobody_is_forgotten(&self, world: &World) -> bool {
        !world.is_at_rest()
            || (0..COUNT)
                .filter(|p| world.processes[*p].pc == Pc::Sleep)
                .all(|p| !self.assess(world, &mut Seen::default(), p, true).blocks.is_empty())
    }
}

/// These deployments as bits.
pub fn bits(ids: &[Id]) -> u8 {
    ids.iter().map(|id| 1 << IDS.iter().position(|x| x == id).expect("one of ours")).sum()
}

/// The store as the engine sees it in the middle of a decision.
struct Eyes<'a> {
    protocol: &'a Protocol,
    world: &'a World,
    seen: &'a mut Seen,
}

impl View for Eyes<'_> {
    type Error = std::convert::Infallible;

    fn queue(&mut self, lock: &LockName) -> Result<Vec<Entry>, Self::Error> {
        let lock = LOCKS.iter().position(|l| l == lock).expect("one of ours");
        let entry = |p: &usize| {
            let want = self.protocol.wants[*p].1;
            let mode = if want.shared { Mode::Shared } else { Mode::Exclusive };
            let limit = want.shared.then_some(NonZeroU32::new(LIMIT)).flatten();
            Entry { id: IDS[*p].clone(), mode, limit, under: None }
        };
        Ok(self.world.lines[lock].iter().map(entry).collect())
    }

    fn standing(&mut self, id: &Id) -> Result<Standing, Self::Error> {
        let p = IDS.iter().position(|x| x == id).expect("one of ours");
        let world = self.world;
        Ok(match self.seen[p].get_or_insert_with(|| world.standing(p)) {
            Remembered::Holds => Standing::Holds,
            Remembered::Waits => Standing::Waits,
            Remembered::Gone => Standing::Gone,
            Remembered::Dead => Standing::Dead,
        })
    }

    fn asker(&mut self, id: &Id) -> Result<Option<Asker>, Self::Error> {
        let p = IDS.iter().position(|x| x == id).expect("one of ours");
        let readable = !matches!(self.world.records[p], Record::None | Record::Empty);
        Ok(readable.then(|| Asker { locks: self.protocol.requests(p), ancestors: Vec::new() }))
    }

    fn waiting_inside(&mut self, _id: &Id) -> Result<Vec<Id>, Self::Error> {
        Ok(Vec::new())
    }
}
