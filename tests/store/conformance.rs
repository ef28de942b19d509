//! What every store promises.

use std::time::Duration;

use deploylock::deployment::{State, Stored, Verdict};
use deploylock::model::LockRequest;
use deploylock::ops::acquire::{Patience, acquire};
use deploylock::ops::clear::{Cancelled, Cleared, Reach, cancel, clear};
use deploylock::ops::release::{Released, Renewed, detach, promise, release, renew};
use deploylock::ops::wait::{For, Waited, wait};
use deploylock::ops::{Never, Silent};
use deploylock::store::memory::MemoryStore;
use deploylock::store::{self, Store};

use crate::life::*;
use crate::support::*;

/// Stores that are the same store: as two processes would open it.
pub trait Openable: Fn() -> Box<dyn Store + Send> + Sync {}
impl<F: Fn() -> Box<dyn Store + Send> + Sync> Openable for F {}

macro_rules! on_every_store {
    ($($name:ident),* $(,)?) => {
        mod in_files {
            $(#[test]
            fn $name() {
                let folder = tempfile::tempdir().unwrap();
                let path = folder.path().join("locks");
                super::$name(&|| Box::new(super::files(&path)) as Box<dyn super::Store + Send>);
            })*
        }
        mod in_memory {
            $(#[test]
            fn $name() {
                let store = super::MemoryStore::new();
                super::$name(&|| Box::new(store.clone()) as Box<dyn super::Store + Send>);
            })*
        }
        #[cfg(feature = "etcd")]
        mod in_etcd {
            $(#[test]
            fn $name() {
                let (cluster, prefix) = crate::cluster::shared();
                super::$name(&|| Box::new(super::etcd(cluster, &prefix)) as Box<dyn super::Store + Send>);
            })*
        }
    };
}

on_every_store!(
    what_is_held_is_in_the_way_until_it_is_released,
    all_or_none,
    tokens_grow,
    a_release_wakes_the_next_in_line,
    a_waiter_that_gives_up_leaves_nothing_and_hands_on,
    the_dead_are_reclaimed_and_the_living_are_not,
    a_waiter_learns_of_a_death,
    what_was_detached_outlasts_its_process,
    only_the_id_releases,
    a_time_to_live_passes,
    renewing_moves_the_end,
    paused_ones_hold_nothing_and_resume,
    a_cancelled_waiter_ends,
    waiting_for_a_target_takes_nothing,
    limits_are_kept,
    no_update_is_lost,
    what_failed_goes_on_under_another_process,
    a_newer_deployment_takes_the_place_of_those_that_wait,
    what_a_person_holds_is_not_waited_for,
    versions_are_given_once,
);

fn what_is_held_is_in_the_way_until_it_is_released(open: &impl Openable) {
    let (one, two) = (open(), open());
    let grant = hold(&*one, &[exclusive("a")]);
    let refused = conflict(try_now(&*two, &[exclusive("a")]));
    assert_eq!(refused.in_the_way[0].id, grant.deployment.id);
    assert_eq!(refused.in_the_way[0].record.as_ref().unwrap().owner, "tester");
    give_back(&*one, grant);
    give_back(&*two, hold(&*two, &[exclusive("a")]));
    assert_eq!(ids(&*one, |_| true), []);
}

fn all_or_none(open: &impl Openable) {
    let store = open();
    let b = hold(&*store, &[exclusive("b")]);
    drop(conflict(try_now(&*store, &[exclusive("a"), exclusive("b"), exclusive("c")])));
    // Nothing of the refused set is taken.
    let rest = hold(&*store, &[exclusive("a"), exclusive("c")]);
    give_back(&*store, b);
    give_back(&*store, rest);
    give_back(&*store, hold(&*store, &[exclusive("a"), exclusive("b"), exclusive("c")]));
}

fn tokens_grow(open: &impl Openable) {
    let mut last = 0;
    for _ in 0..5 {
        let store = open();
        let token = give_back(&*store, hold(&*store, &[exclusive("a")])).token.unwrap();
        assert!(token > last, "{token} after {last}");
        last = token;
    }
}

fn a_release_wakes_the_next_in_line(open: &impl Openable) {
    let store = open();
    let locks = [exclusive("a")];
    let first = hold(&*store, &locks);
    let token = first.deployment.token;
    std::thread::scope(|scope| {
        let second = wait_in_thread(scope, open(), &locks);
        until_waiting(&*store, 1);
        let third = wait_in_thread(scope, open(), &locks);
        until_waiting(&*store, 2);
        drop(conflict(try_now(&*store, &locks)));
        give_back(&*store, first);
        let second = second.join().unwrap();
        assert!(second.deployment.token > token, "a later grant has the larger token");
        assert_eq!(ids(&*store, |s| s == State::Waiting).len(), 1);
        give_back(&*store, second);
        give_back(&*store, third.join().unwrap());
    });
}

fn a_waiter_that_gives_up_leaves_nothing_and_hands_on(open: &impl Openable) {
    let store = open();
    let reader = hold(&*store, &[shared("a", 0)]);
    let bounded = Patience::AtMost(Duration::from_millis(50));
    let outcome = acquire(&*store, &draft(&[exclusive("a")]), bounded, RETRY, &mut Silent, &mut Never);
    let gave_up = conflict(outcome.unwrap());
    assert!(gave_up.waited >= Duration::from_millis(50));
    assert_eq!(ids(&*store, |_| true), std::slice::from_ref(&reader.deployment.id));
    give_back(&*store, hold(&*store, &[shared("a", 0)]));
    // A reader behind a writer goes on when the writer gives up.
    let (writer, behind) = ([exclusive("a")], [shared("a", 0)]);
    std::thread::scope(|scope| {
        let other = open();
        let bounded = Patience::AtMost(Duration::from_millis(500));
        let writing = scope.spawn(move || {
            let outcome = acquire(&*other, &draft(&writer), bounded, RETRY, &mut Silent, &mut Never);
            drop(conflict(outcome.unwrap()));
        });
        until_waiting(&*store, 1);
        let reading = wait_in_thread(scope, open(), &behind);
        writing.join().unwrap();
        give_back(&*store, reading.join().unwrap());
    });
    give_back(&*store, reader);
}

fn the_dead_are_reclaimed_and_the_living_are_not(open: &impl Openable) {
    let store = open();
    let alive = hold(&*store, &[exclusive("alive")]);
    let dead = hold(&*store, &[exclusive("dead")]);
    drop(dead.lease);
    let found = store::look(&*store, |txn| {
        let stored = txn.find(&dead.deployment.id)?.unwrap();
        txn.verdict(&stored)
    });
    assert!(matches!(found.unwrap(), Some(Verdict::Dead(_))));
    drop(conflict(try_now(&*store, &[exclusive("alive")])));
    give_back(&*store, hold(&*store, &[exclusive("dead")]));
    give_back(&*store, alive);
}

fn a_waiter_learns_of_a_death(open: &impl Openable) {
    let store = open();
    let locks = [exclusive("a")];
    let holder = hold(&*store, &locks);
    std::thread::scope(|scope| {
        let waiting = wait_in_thread(scope, open(), &locks);
        until_waiting(&*store, 1);
        drop(holder.lease);
        give_back(&*store, waiting.join().unwrap());
    });
}

fn what_was_detached_outlasts_its_process(open: &impl Openable) {
    let store = open();
    let grant = hold(&*store, &[exclusive("a")]);
    let id = grant.deployment.id.clone();
    promise(&*store, &id).unwrap();
    detach(&*store, &grant.deployment).unwrap();
    drop(grant.lease);
    drop(store);
    let store = open();
    drop(conflict(try_now(&*store, &[exclusive("a")])));
    assert!(matches!(release(&*store, &id, "done", "me").unwrap(), Released::Done(_)));
    give_back(&*store, hold(&*store, &[exclusive("a")]));
}

fn only_the_id_releases(open: &impl Openable) {
    let store = open();
    let first = give_back(&*store, hold(&*store, &[exclusive("a")]));
    let second = hold(&*store, &[exclusive("a")]);
    assert_eq!(release(&*store, &first.id, "done", "me").unwrap(), Released::NotThere);
    drop(conflict(try_now(&*store, &[exclusive("a")])));
    let own = release(&*store, &second.deployment.id, "done", "me").unwrap();
    assert!(matches!(own, Released::RunsOn(_)), "what a living process holds is its own to release");
    give_back(&*store, second);
}

fn acquired(store: &dyn Store, locks: &[LockRequest], ttl: Duration) -> deploylock::deployment::Deployment {
    let draft = deploylock::ops::acquire::Draft { ttl: Some(ttl), ..draft(locks) };
    let outcome = acquire(store, &draft, Patience::None, RETRY, &mut Silent, &mut Never).unwrap();
    let grant = granted(outcome);
    detach(store, &grant.deployment).unwrap();
    grant.deployment
}

fn a_time_to_live_passes(open: &impl Openable) {
    let store = open();
    let locks = [exclusive("a")];
    let old = acquired(&*store, &locks, Duration::from_millis(300));
    drop(conflict(try_now(&*store, &locks)));
    std::thread::scope(|scope| {
        let next = wait_in_thread(scope, open(), &locks);
        give_back(&*store, next.join().unwrap());
    });
    assert_eq!(release(&*store, &old.id, "done", "me").unwrap(), Released::NotThere);
    // Past its time but not taken, it is still one's own to release.
    let own = acquired(&*store, &locks, Duration::from_nanos(1));
    assert!(matches!(release(&*store, &own.id, "done", "me").unwrap(), Released::Done(_)));
}

fn renewing_moves_the_end(open: &impl Openable) {
    let store = open();
    let locks = [exclusive("a")];
    let d = acquired(&*store, &locks, Duration::from_nanos(1));
    assert!(matches!(renew(&*store, &d.id, Some(PATIENCE), "me").unwrap(), Renewed::Until(_)));
    drop(conflict(try_now(&*store, &locks)));
    // A shorter time is noticed by who waits already.
    std::thread::scope(|scope| {
        let next = wait_in_thread(scope, open(), &locks);
        until_waiting(&*store, 1);
        let shorter = Some(Duration::from_millis(100));
        assert!(matches!(renew(&*store, &d.id, shorter, "me").unwrap(), Renewed::Until(_)));
        give_back(&*store, next.join().unwrap());
    });
    assert_eq!(renew(&*store, &d.id, None, "me").unwrap(), Renewed::NotThere);
}

fn paused_ones_hold_nothing_and_resume(open: &impl Openable) {
    let store = open();
    let holder = hold(&*store, &[exclusive("a")]);
    let policy = Patience::Policy { retry: None, queue: PATIENCE, pause: true };
    let freeze = LockRequest {
        lock: deploylock::model::LockName::new(deploylock::model::Kind::Environment, "prod"),
        mode: deploylock::model::Mode::Exclusive,
        limit: None,
    };
    let frozen = hold(&*store, std::slice::from_ref(&freeze));
    let wanted = draft(&[freeze, exclusive("b")]);
    let paused = acquire(&*store, &wanted, policy, RETRY, &mut Silent, &mut Never).unwrap();
    let id = conflict(paused).paused.unwrap();
    assert_eq!(ids(&*store, |s| s == State::Paused), std::slice::from_ref(&id));
    give_back(&*store, hold(&*store, &[exclusive("b")]));
    let again = deploylock::ops::acquire::Draft { resume: Some(id.clone()), ..wanted };
    let blocked = acquire(&*store, &again, Patience::None, RETRY, &mut Silent, &mut Never).unwrap();
    assert_eq!(conflict(blocked).paused, Some(id.clone()));
    let short = Patience::AtMost(Duration::from_millis(30));
    let blocked = acquire(&*store, &again, short, RETRY, &mut Silent, &mut Never).unwrap();
    assert_eq!(conflict(blocked).paused, Some(id.clone()));
    assert_eq!(ids(&*store, |s| s == State::Paused), std::slice::from_ref(&id));
    give_back(&*store, frozen);
    let resumed = granted(acquire(&*store, &again, Patience::None, RETRY, &mut Silent, &mut Never).unwrap());
    assert_eq!(resumed.deployment.id, id);
    assert_eq!(ids(&*store, |s| s == State::Paused), []);
    give_back(&*store, resumed);
    give_back(&*store, holder);
}

fn a_cancelled_waiter_ends(open: &impl Openable) {
    let store = open();
    let locks = [exclusive("a")];
    let holder = hold(&*store, &locks);
    std::thread::scope(|scope| {
        let other = open();
        let waiting = scope.spawn(move || {
            let bound = Patience::AtMost(PATIENCE);
            acquire(&*other, &draft(&[exclusive("a")]), bound, RETRY, &mut Silent, &mut Never).unwrap()
        });
        until_waiting(&*store, 1);
        let id = ids(&*store, |s| s == State::Waiting).remove(0);
        assert!(matches!(cancel(&*store, &id, None, "me").unwrap(), Cancelled::Ended(_)));
        let ended = waiting.join().unwrap();
        assert!(matches!(ended, deploylock::ops::acquire::Outcome::Cancelled(gone, _) if gone == id));
    });
    let id = holder.deployment.id.clone();
    let alive = clear(&*store, &id, Reach::NotAlive, "why", "me").unwrap();
    assert!(matches!(alive, Cleared::Alive(Stored::Readable(..), _)));
    assert!(matches!(clear(&*store, &id, Reach::Force, "why", "me").unwrap(), Cleared::Done(..)));
    assert!(!deploylock::ops::release::give_back(&*store, &holder.deployment, "done").unwrap());
}

fn waiting_for_a_target_takes_nothing(open: &impl Openable) {
    let store = open();
    let locks = [exclusive("a")];
    let holder = hold(&*store, &locks);
    std::thread::scope(|scope| {
        let other = open();
        let waiting = scope.spawn(move || {
            let locks = [exclusive("a")];
            wait(
                &*other,
                For::Locks { locks: &locks, refuse_manual: false, gate: None },
                None,
                Some(PATIENCE),
                RETRY,
                &mut Silent,
                &mut Never,
            )
            .unwrap()
        });
        give_back(&*store, holder);
        assert_eq!(waiting.join().unwrap(), Waited::Done);
    });
    assert_eq!(ids(&*store, |_| true), []);
}

fn limits_are_kept(open: &impl Openable) {
    let store = open();
    let one = hold(&*store, &[shared("a", 2)]);
    let two = hold(&*store, &[shared("a", 3)]);
    drop(conflict(try_now(&*store, &[shared("a", 3)])));
    give_back(&*store, one);
    // Of different limits among those who hold or ask the smallest counts.
    let three = hold(&*store, &[shared("a", 3)]);
    drop(conflict(try_now(&*store, &[shared("a", 2)])));
    let four = hold(&*store, &[shared("a", 3)]);
    [two, three, four].into_iter().for_each(|g| drop(give_back(&*store, g)));
}

fn no_update_is_lost(open: &impl Openable) {
    const THREADS: usize = 8;
    const TURNS: usize = 25;
    let counter = std::sync::atomic::AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for _ in 0..THREADS {
            let store = open();
            let counter = &counter;
            scope.spawn(move || {
                use std::sync::atomic::Ordering::Relaxed;
                for _ in 0..TURNS {
                    let wanted = draft(&[exclusive("a")]);
                    let bound = Patience::AtMost(PATIENCE);
                    let outcome = acquire(&*store, &wanted, bound, RETRY, &mut Silent, &mut Never);
                    let grant = granted(outcome.unwrap());
                    let seen = counter.load(Relaxed);
                    std::thread::yield_now();
                    counter.store(seen + 1, Relaxed);
                    give_back(&*store, grant);
                }
            });
        }
    });
    assert_eq!(counter.into_inner(), THREADS * TURNS);
}
