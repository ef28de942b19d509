//! What a process does, step by step. Between any two steps it may die and others may move.

use super::world::{Action, Broken, COUNT, Kind, Protocol, Record, Remembered, Seen, World, bits};
use deploylock::engine::{self, Block};

/// What it does next. From `First` to `Again` it has the guard.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Pc {
    /// Not begun.
    #[default]
    Out,
    /// Waits for the guard, and then does this.
    Lock(Job),
    First,
    Create,
    Write,
    Line,
    Attach,
    HandOff,
    Unlink,
    Strike,
    Head,
    Rename,
    Arm,
    Watch,
    Again,
    Sleep,
    /// Its command runs.
    Holding,
    /// `acquire` has ended; its locks are held.
    Kept,
    Done,
}

/// Why the guard is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Job {
    First,
    Look,
    Detach,
    Release,
    /// To clear this one if it is dead.
    Judge(usize),
    /// To clear this one, which was found dead before.
    Clear(usize),
}

/// What follows a hand-off.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Then {
    #[default]
    First,
    Arm,
    Settled,
    Sleep,
    Leave,
}

/// A process. What belongs to a decision is forgotten when it is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Process {
    pub pc: Pc,
    /// It has the descriptor that keeps its record locked.
    lease: bool,
    pub waited: bool,
    pub gives_up: bool,
    pub woken: bool,
    /// The deployments it watches, as bits.
    pub watch: u8,
    then: Then,
    /// Whom it grants or removes.
    target: usize,
    /// Locks whose lines are to be written or struck; deployments to be granted, removed; locks to hand off.
    todo: u8,
    ready: u8,
    dead: u8,
    touched: u8,
    seen: Seen,
    blocks: [u8; 2],
    next_watch: u8,
}

impl Process {
    pub fn keeps_its_record_locked(&self) -> bool {
        self.lease
    }

    pub fn acts_as_holder(&self) -> bool {
        matches!(self.pc, Pc::Holding | Pc::Lock(Job::Detach))
    }

    fn has_begun(&self) -> bool {
        !matches!(self.pc, Pc::Out | Pc::Done | Pc::Kept)
    }
}

fn shape(blocks: &[Block]) -> [u8; 2] {
    let mut shape = [0; 2];
    for block in blocks {
        let by: Vec<_> = block.by.iter().map(|b| b.id.clone()).collect();
        shape[usize::from(*block.lock.name != *"a")] = bits(&by) | bits(&block.behind) << 4 | 1 << 7;
    }
    shape
}

impl Protocol {
    pub fn possible(&self, world: &World, actions: &mut Vec<Action>) {
        for (p, process) in world.processes.iter().enumerate() {
            let kind = self.wants[p].0;
            let can_step = match process.pc {
                Pc::Done => false,
                Pc::Lock(_) => world.guard.is_none() || self.broken == Broken::NoGuard,
                Pc::Sleep => process.woken || process.gives_up,
                Pc::Out => kind != Kind::Sweep,
                _ => true,
            };
            if can_step {
                actions.push(Action::Step(p));
            }
            if process.pc == Pc::Out && kind == Kind::Sweep {
                actions.extend((0..COUNT).filter(|other| *other != p).map(|other| Action::Sweep(p, other)));
            }
            if process.has_begun() {
                actions.push(Action::Crash(p));
            }
            if process.pc == Pc::Sleep && !process.gives_up {
                actions.push(Action::GiveUp(p));
            }
            if kind == Kind::Lease && world.records[p] == Record::Detached && !world.expired[p] {
                actions.push(Action::Expire(p));
            }
        }
    }

    pub fn act(&self, world: &mut World, action: Action) {
        match action {
            Action::Step(p) => self.step(world, p),
            Action::Crash(p) => self.crash(world, p),
            Action::GiveUp(p) => world.processes[p].gives_up = true,
            Action::Expire(p) => {
                world.expired[p] = true;
                world.wake_watchers_of(p);
            }
            Action::Sweep(p, target) => {
                let looks_dead = world.records[target] == Record::Attached;
                world.processes[p].pc = match self.broken {
                    // It has `attached/X` open now; its lock will be free once the owner has detached and ended.
                    Broken::JudgesOutside if looks_dead => Pc::Lock(Job::Clear(target)),
                    Broken::JudgesOutside => Pc::Out,
                    _ => Pc::Lock(Job::Judge(target)),
                };
            }
        }
    }

    fn crash(&self, world: &mut World, p: usize) {
        if world.guard == Some(p) {
            world.guard = None;
        }
        // What is detached outlasts whoever worked on it; the command can be given again.
        let kept =
            world.records[p] == Record::Detached && matches!(self.wants[p].0, Kind::Acquire | Kind::Lease);
        world.processes[p] = Process { pc: if kept { Pc::Kept } else { Pc::Done }, ..Process::default() };
        world.wake_watchers_of(p);
    }

    /// The decision is over.
    fn unlock(&self, world: &mut World, p: usize, pc: Pc) {
        if world.guard == Some(p) {
            world.guard = None;
        }
        let Process { lease, waited, gives_up, woken, watch, .. } = world.processes[p];
        let ended = matches!(pc, Pc::Done | Pc::Kept | Pc::Out);
        let kept = Process { pc, lease, waited, gives_up, woken, watch, ..Process::default() };
        world.processes[p] = if ended { Process { pc, ..Process::default() } } else { kept };
        if ended {
            // Its descriptors are closed with it.
            world.wake_watchers_of(p);
        }
    }

    fn hand_off(&self, world: &mut World, p: usize, locks: u8, then: Then) {
        let me = &mut world.processes[p];
        (me.touched, me.then, me.pc) = (me.touched | locks, then, Pc::HandOff);
        if self.broken == Broken::NoHandOff {
            self.after_hand_off(world, p);
        }
    }

    fn remove(&self, world: &mut World, p: usize, target: usize, then: Then) {
        let me = &mut world.processes[p];
        (me.dead, me.target, me.then, me.pc) = (1 << target, target, then, Pc::Unlink);
    }

    fn own(&self, p: usize) -> u8 {
        self.wants[p].1.locks
    }

    fn step(&self, world: &mut World, p: usize) {
        match world.processes[p].pc {
            Pc::Out => world.processes[p].pc = Pc::Lock(Job::First),
            Pc::Lock(job) => {
                world.guard = Some(p);
                self.begin(world, p, job);
            }
            Pc::First => self.first(world, p),
            Pc::Create | Pc::Write | Pc::Line | Pc::Attach => self.enter(world, p),
            Pc::HandOff => self.next_of_hand_off(world, p),
            Pc::Unlink | Pc::Strike => self.take_away(world, p),
            Pc::Head => world.processes[p].pc = Pc::Rename,
            Pc::Rename => self.grant(world, p),
            Pc::Arm | Pc::Watch | Pc::Again => self.arm(world, p),
            Pc::Sleep => {
                // Who granted it may still be in the decision that did.
                let granted = world.records[p] == Record::Attached;
                let me = &mut world.processes[p];
                me.woken = false;
                me.pc = if granted && !me.gives_up { Pc::Holding } else { Pc::Lock(Job::Look) };
            }
            Pc::Holding => {
                let detaches = matches!(self.wants[p].0, Kind::Acquire | Kind::Lease);
                world.processes[p].pc = Pc::Lock(if detaches { Job::Detach } else { Job::Release });
            }
            Pc::Kept => world.processes[p].pc = Pc::Lock(Job::Release),
            Pc::Done => {}
        }
    }

    fn begin(&self, world: &mut World, p: usize, job: Job) {
        world.processes[p].seen = Seen::default();
        match job {
            Job::First => world.processes[p].pc = Pc::First,
            Job::Look => match world.records[p] {
                Record::Attached => self.unlock(world, p, Pc::Holding),
                Record::None => self.unlock(world, p, Pc::Done),
                _ => self.hand_off(world, p, self.own(p), Then::Settled),
            },
            Job::Detach if world.records[p] == Record::Attached => {
                world.records[p] = Record::Detached;
                world.wake_watchers_of(p);
                self.unlock(world, p, Pc::Kept);
            }
            Job::Detach => self.unlock(world, p, Pc::Done),
            Job::Release if world.records[p] == Record::None => self.unlock(world, p, Pc::Done),
            Job::Release => self.remove(world, p, p, Then::Leave),
            Job::Judge(target) if world.standing(target) != Remembered::Dead => {
                self.unlock(world, p, Pc::Out)
            }
            // Its probe of the file that it opened before got the lock: the owner had ended.
            Job::Clear(target) if world.processes[target].lease => self.unlock(world, p, Pc::Out),
            Job::Judge(target) | Job::Clear(target) => self.remove(world, p, target, Then::Leave),
        }
    }

    /// `hand_off::assess` for a newcomer, and what follows from it.
    fn first(&self, world: &mut World, p: usize) {
        let mut seen = world.processes[p].seen;
        let found = self.assess(world, &mut seen, p, false);
        let me = &mut world.processes[p];
        me.seen = seen;
        let settled = me.touched != 0;
        if !found.dead.is_empty() || (!found.blocks.is_empty() && !settled) {
            me.touched = self.own(p);
            return self.reclaim(world, p, bits(&found.dead), Then::First);
        }
        let blocked = !found.blocks.is_empty();
        if blocked && self.wants[p].0 == Kind::TryOnce {
            return self.unlock(world, p, Pc::Done);
        }
        (me.waited, me.pc) = (blocked, Pc::Create);
    }

    fn reclaim(&self, world: &mut World, p: usize, dead: u8, then: Then) {
        let me = &mut world.processes[p];
        (me.dead, me.then) = (dead, then);
        if dead == 0 {
            return self.hand_off(world, p, 0, then);
        }
        (me.target, me.pc) = (dead.trailing_zeros() as usize, Pc::Unlink);
    }

    fn enter(&self, world: &mut World, p: usize) {
        let me = &mut world.processes[p];
        match me.pc {
            Pc::Create => {
                world.records[p] = Record::Empty;
                me.pc = Pc::Write;
            }
            Pc::Write => {
                world.records[p] = Record::Waiting;
                (me.lease, me.todo, me.pc, me.seen[p]) = (true, self.own(p), Pc::Line, None);
            }
            Pc::Line => {
                let lock = me.todo.trailing_zeros() as usize;
                me.todo &= me.todo - 1;
                // Lines that this decision has seen to be void go at the same time.
                let seen = me.seen;
                world.lines[lock].retain(|other| seen[*other] != Some(Remembered::Gone));
                world.lines[lock].push(p);
                if me.todo == 0 {
                    me.pc = if me.waited { Pc::Arm } else { Pc::Attach };
                }
            }
            _ => {
                world.records[p] = Record::Attached;
                self.unlock(world, p, Pc::Holding);
            }
        }
    }

    fn next_of_hand_off(&self, world: &mut World, p: usize) {
        let Process { mut seen, touched, then, .. } = world.processes[p];
        let (ready, dead) = self.grantable(world, &mut seen, touched);
        let me = &mut world.processes[p];
        me.seen = seen;
        if dead != 0 {
            return self.reclaim(world, p, dead, then);
        }
        me.ready = ready;
        self.next_grant(world, p);
    }

    fn next_grant(&self, world: &mut World, p: usize) {
        let me = &mut world.processes[p];
        if me.ready == 0 {
            return self.after_hand_off(world, p);
        }
        me.target = me.ready.trailing_zeros() as usize;
        me.ready &= me.ready - 1;
        me.pc = Pc::Head;
    }

    fn grant(&self, world: &mut World, p: usize) {
        let target = world.processes[p].target;
        if world.records[target] == Record::Waiting {
            world.records[target] = Record::Attached;
            world.processes[p].seen[target] = Some(Remembered::Holds);
            world.wake_watchers_of(target);
        }
        self.next_grant(world, p);
    }

    fn take_away(&self, world: &mut World, p: usize) {
        let target = world.processes[p].target;
        if world.processes[p].pc == Pc::Unlink {
            world.records[target] = Record::None;
            world.wake_watchers_of(target);
            let me = &mut world.processes[p];
            (me.seen[target], me.todo, me.pc) = (Some(Remembered::Gone), self.own(target), Pc::Strike);
            return;
        }
        let me = &mut world.processes[p];
        let (lock, then) = (me.todo.trailing_zeros() as usize, me.then);
        me.todo &= me.todo - 1;
        let seen = me.seen;
        world.lines[lock].retain(|other| seen[*other] != Some(Remembered::Gone));
        if me.todo == 0 {
            me.touched |= self.own(target);
            me.dead &= !(1 << target);
            let dead = me.dead;
            self.reclaim(world, p, dead, then);
        }
    }

    fn after_hand_off(&self, world: &mut World, p: usize) {
        let me = &mut world.processes[p];
        match me.then {
            Then::First => me.pc = Pc::First,
            Then::Arm => me.pc = Pc::Arm,
            Then::Sleep => self.unlock(world, p, Pc::Sleep),
            Then::Leave => {
                let again = self.wants[p].0 == Kind::Sweep;
                self.unlock(world, p, if again { Pc::Out } else { Pc::Done });
            }
            Then::Settled if world.records[p] == Record::Attached => self.unlock(world, p, Pc::Holding),
            Then::Settled if me.gives_up => {
                me.touched = 0;
                self.remove(world, p, p, Then::Leave);
            }
            Then::Settled => (me.touched, me.pc) = (0, Pc::Arm),
        }
    }

    fn arm(&self, world: &mut World, p: usize) {
        let again = world.processes[p].pc == Pc::Again;
        if world.processes[p].pc == Pc::Watch {
            let me = &mut world.processes[p];
            (me.watch, me.woken) = (me.next_watch, false);
            match self.broken {
                Broken::NoSecondLook => return self.unlock(world, p, Pc::Sleep),
                Broken::NothingForgotten => {}
                _ => me.seen = Seen::default(),
            }
            me.pc = Pc::Again;
            return;
        }
        let mut seen = world.processes[p].seen;
        let found = self.assess(world, &mut seen, p, true);
        let me = &mut world.processes[p];
        me.seen = seen;
        let (dead, blocks) = (bits(&found.dead), shape(&found.blocks));
        if again {
            return match (dead, blocks) {
                (0, same) if same == me.blocks => {
                    // Granted by its own hand-off, before the watch stood that would have told it so.
                    let looks = !matches!(self.broken, Broken::SleepsThoughFree | Broken::NoHandOff);
                    me.woken |= same == [0, 0] && looks;
                    self.unlock(world, p, Pc::Sleep);
                }
                (0, [0, 0]) => {
                    me.touched = 0;
                    self.hand_off(world, p, self.own(p), Then::Sleep);
                }
                _ => (me.touched, me.pc) = (0, Pc::Arm),
            };
        }
        let settled = me.touched != 0;
        if dead != 0 || (!found.blocks.is_empty() && !settled) {
            me.touched = self.own(p);
            return self.reclaim(world, p, dead, Then::Arm);
        }
        let list = engine::watch_list(&found.blocks);
        let list = if self.broken == Broken::WatchesOne { &list[..list.len().min(1)] } else { &list[..] };
        let others = if self.broken == Broken::WatchesItself { 0 } else { bits(list) };
        (me.blocks, me.next_watch, me.pc) = (blocks, 1 << p | others & !(1 << p), Pc::Watch);
    }
}
