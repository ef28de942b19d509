//! The store's protocol as a model, every interleaving of which is explored: three processes, two locks, a crash at any
//! step. The decisions themselves are the real ones (`deploylock::engine`); what the model has instead of code is the
//! order of the steps between which a process may die or another may move.
//!
//! | step here | stands for |
//! | --- | --- |
//! | `Lock`, `unlock` | `store/files/guard.rs` `Held::lock`, its `Drop`; a dead process has lost it |
//! | `First` | `ops/acquire.rs` `first_try`, `ops/hand_off.rs` `assess` |
//! | `Create`, `Write` | `store/files/txn.rs` `Files::enter`: the record in `waiting/`, locked, then its text |
//! | `Line` | `store/files/lines.rs` `append`, a line in a lock file |
//! | `Attach` | `store/files/txn.rs` `attach`: the rename that is the grant of one who found everything free |
//! | `HandOff` | `ops/hand_off.rs` `hand_off` around `engine::grantable` |
//! | `Unlink`, `Strike` | `store/files/txn.rs` `remove`: the unlink that is the release, then `lines.rs` `strike` |
//! | `Head`, `Rename` | `store/files/txn.rs` `grant`: the token, then the rename that is the grant of a waiter |
//! | `Arm`, `Watch`, `Again` | `ops/waiter.rs` `arm`: evaluate, watch (`store/files/watch.rs`), forget, evaluate again |
//! | `Sleep`, `Look` | `ops/waiter.rs` `Waiter::wait`, `granted_meanwhile` (without the guard), `Waiter::look`, `settled`; giving up is `withdraw` |
//! | `Detach` | `ops/release.rs` `detach`, `txn.rs` `settle_down` |
//! | `Release` | `ops/release.rs` `give_back`, `release` |
//! | `Judge` | `ops/clear.rs` `clear` with `Reach::Stale`, `txn.verdict` |
//! | `Crash` | SIGKILL: guard and advisory lock are free, whoever watches is woken |
//! | `Expire` | a time to live passes; whoever watches has a timer |
//!
//! Not here: power loss (`tests/store/power`), unreadable files (`tests/store/damage.rs`), nesting (`engine/tests.rs`).

mod process;
mod world;

use stateright::{Checker as _, Model, Property};
use world::{Action, Broken, Kind, Protocol, Want, World};

impl Model for Protocol {
    type State = World;
    type Action = Action;

    fn init_states(&self) -> Vec<World> {
        vec![World::default()]
    }

    fn actions(&self, world: &World, actions: &mut Vec<Action>) {
        self.possible(world, actions);
    }

    fn next_state(&self, world: &World, action: Action) -> Option<World> {
        let mut next = world.clone();
        self.act(&mut next, action);
        Some(next)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        vec![
            Property::always("no two hold what excludes", Protocol::nobody_holds_beside),
            Property::always("all or none", Protocol::all_or_none),
            Property::always("what was reported is held", Protocol::reports_are_true),
            Property::always("a live waiter whose way is free is granted", Protocol::nobody_is_forgotten),
            Property::sometimes("one waits and is granted", |_, world: &World| world.waited_and_holds()),
            Property::sometimes("all have come to an end", |_, world: &World| world.all_done()),
        ]
    }
}

fn exclusive(locks: u8) -> Want {
    Want { locks, shared: false }
}

fn shared(locks: u8) -> Want {
    Want { locks, shared: true }
}

const A: u8 = 1;
const B: u8 = 2;

/// What three processes may be up to: each line is one state space.
fn situations() -> Vec<(&'static str, [(Kind, Want); 3])> {
    use Kind::{Acquire, Lease, Run, Sweep, TryOnce};
    vec![
        (
            "two want both, one wants B",
            [(Run, exclusive(A | B)), (Run, exclusive(A | B)), (Run, exclusive(B))],
        ),
        ("a ring", [(Run, exclusive(A)), (Run, exclusive(A | B)), (Run, exclusive(B))]),
        ("an acquired one", [(Acquire, exclusive(A | B)), (Run, exclusive(A)), (Run, exclusive(B))]),
        ("all want both", [(Run, exclusive(A | B)), (Acquire, exclusive(A | B)), (Run, exclusive(A | B))]),
        (
            "three that are kept",
            [(Acquire, exclusive(A)), (Lease, exclusive(A | B)), (Acquire, exclusive(B))],
        ),
        ("a time to live", [(Lease, exclusive(A)), (Run, exclusive(A | B)), (TryOnce, exclusive(A))]),
        ("a sweep", [(Run, exclusive(A)), (Acquire, exclusive(A | B)), (Sweep, exclusive(0))]),
        ("two places for three", [(Run, shared(A)), (Run, shared(A)), (Run, shared(A | B))]),
        ("one place between two", [(Run, shared(A | B)), (Acquire, exclusive(B)), (Lease, shared(A))]),
        ("one alone behind two", [(Run, shared(A)), (Lease, shared(A)), (Run, exclusive(A))]),
    ]
}

#[test]
fn the_protocol_keeps_its_promises_in_every_interleaving() {
    let mut states = 0;
    for (name, wants) in situations() {
        let checker = Protocol { wants, broken: Broken::Nothing }.checker().threads(2).spawn_bfs().join();
        println!("{name}: {} states, depth {}", checker.unique_state_count(), checker.max_depth());
        assert!(checker.is_done());
        for (property, path) in checker.discoveries() {
            let example = property.starts_with("one waits") || property.starts_with("all have");
            assert!(example, "{name}: not so: {property}\n{}", told(path.into_vec()));
        }
        states += checker.unique_state_count();
    }
    println!("{states} states explored");
    assert!(states > 100_000, "only {states} states");
}

/// The way to a state, a line for each step.
fn told(path: Vec<(World, Option<Action>)>) -> String {
    let line = |(world, action): (World, Option<Action>)| {
        let at = world.processes.map(|p| p.pc);
        let World { records, lines, guard, .. } = world;
        format!("{at:?} records {records:?} lines {lines:?} guard {guard:?}, then {action:?}\n")
    };
    path.into_iter().map(line).collect()
}

/// The checker must find it; else it proves nothing of the sound one.
#[track_caller]
fn finds(broken: Broken, property: &'static str) {
    let mut found = Vec::new();
    for (name, wants) in situations() {
        let model = Protocol { wants, broken };
        let until = stateright::HasDiscoveries::AnyFailures;
        let checker = model.checker().threads(2).finish_when(until).spawn_bfs().join();
        if let Some(path) = checker.discovery(property) {
            println!("{broken:?}: {name}: {} steps to: not so: {property}", path.into_actions().len());
            found.push(name);
            break;
        }
    }
    assert!(!found.is_empty(), "{broken:?} was not found");
}

const FORGOTTEN: &str = "a live waiter whose way is free is granted";

#[test]
fn the_checker_finds_a_sleep_without_a_second_look() {
    finds(Broken::NoSecondLook, FORGOTTEN);
}

#[test]
fn the_checker_finds_a_second_look_that_remembers_the_first() {
    finds(Broken::NothingForgotten, FORGOTTEN);
}

#[test]
fn the_checker_finds_one_who_sleeps_though_its_way_is_free() {
    finds(Broken::SleepsThoughFree, FORGOTTEN);
}

#[test]
fn the_checker_finds_that_nobody_hands_off() {
    finds(Broken::NoHandOff, FORGOTTEN);
}

#[test]
fn the_checker_finds_one_who_watches_only_itself() {
    finds(Broken::WatchesItself, FORGOTTEN);
}

#[test]
fn the_checker_finds_one_who_watches_only_one_of_two_holders() {
    finds(Broken::WatchesOne, FORGOTTEN);
}

#[test]
fn the_checker_finds_a_judgement_outside_the_guard() {
    finds(Broken::JudgesOutside, "what was reported is held");
}

#[test]
fn the_checker_finds_decisions_without_the_guard() {
    finds(Broken::NoGuard, "no two hold what excludes");
}
