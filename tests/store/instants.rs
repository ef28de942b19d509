//! What happens between two steps of one decision, or between a look and the sleep after it, where no event tells of
//! it any more: brought about on purpose, by stores whose sleepers do something else than sleep.

use std::cell::RefCell;
use std::os::fd::{AsFd as _, BorrowedFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use deploylock::clock::{self, Now};
use deploylock::deployment::{Deployment, Id, State};
use deploylock::model::LockRequest;
use deploylock::ops::acquire::{Grant, Outcome, Patience, acquire};
use deploylock::ops::{Interrupt, Never, Silent};
use deploylock::store::files::FilesStore;
use deploylock::store::files::folder::{Step, Steps};
use deploylock::store::{Decision, Result, Sleeper, Store, Txn, Wake};

use crate::support::*;

/// When something happens.
#[derive(Clone, Copy, PartialEq, Eq)]
enum When {
    /// Before there is anything to sleep on.
    BeforeSleeper,
    /// After the look, before the watch stands.
    BeforeArm,
    /// In the sleep, which ends with this; later sleeps are as usual.
    Asleep(Wake),
}

/// A store for whose waiter something happens once.
struct Eventful<F> {
    store: FilesStore,
    when: When,
    what: RefCell<Option<F>>,
}

impl<F: FnOnce()> Eventful<F> {
    fn new(store: FilesStore, when: When, what: F) -> Self {
        Eventful { store, when, what: RefCell::new(Some(what)) }
    }

    fn happen(&self) -> bool {
        let what = self.what.borrow_mut().take();
        what.map(|what| what()).is_some()
    }
}

impl<F: FnOnce()> Store for Eventful<F> {
    fn decide(&self, decision: &mut Decision<'_>) -> Result<()> {
        self.store.decide(decision)
    }

    fn look(&self, look: &mut Decision<'_>) -> Result<bool> {
        self.store.look(look)
    }

    fn granted(&self, waited: &Deployment) -> Result<Option<Arc<Deployment>>> {
        self.store.granted(waited)
    }

    fn log(&self, line: &str) -> Result<()> {
        self.store.log(line)
    }

    fn sleeper(&self, retry: Duration) -> Result<Box<dyn Sleeper + '_>> {
        if self.when == When::BeforeSleeper {
            self.happen();
        }
        Ok(Box::new(EventfulSleeper { store: self, sleeper: self.store.sleeper(retry)? }))
    }

    fn history(&self) -> Result<Vec<String>> {
        self.store.history()
    }

    fn describe(&self) -> String {
        self.store.describe()
    }
}

struct EventfulSleeper<'a, F> {
    store: &'a Eventful<F>,
    sleeper: Box<dyn Sleeper + 'a>,
}

impl<F: FnOnce()> Sleeper for EventfulSleeper<'_, F> {
    fn arm(&mut self, ids: &[Id], txn: &mut dyn Txn) -> Result<()> {
        if self.store.when == When::BeforeArm {
            self.store.happen();
        }
        self.sleeper.arm(ids, txn)
    }

    fn arm_all(&mut self) -> Result<()> {
        self.sleeper.arm_all()
    }

    fn sleep(&mut self, until: Option<Duration>, interrupts: &[BorrowedFd<'_>]) -> Result<Wake> {
        match self.store.when {
            When::Asleep(wake) if self.store.happen() => Ok(wake),
            _ => self.sleeper.sleep(until, interrupts),
        }
    }
}

fn wait_for(store: &dyn Store, locks: &[LockRequest], interrupt: &mut dyn Interrupt) -> Outcome {
    acquire(store, &draft(locks), Patience::AtMost(PATIENCE), RETRY, &mut Silent, interrupt).unwrap()
}

#[test]
fn a_holder_that_dies_before_the_watch_stands_keeps_a_waiter_from_nothing() {
    for when in [When::BeforeSleeper, When::BeforeArm] {
        let folder = tempfile::tempdir().unwrap();
        let store = files(&folder.path().join("locks"));
        let holder: Grant = hold(&store, &[exclusive("a")]);
        let store = Eventful::new(store, when, move || drop(holder));
        let grant = granted(wait_for(&store, &[exclusive("a")], &mut Never));
        assert!(grant.waited < PATIENCE / 2, "it slept through its own grant: {:?}", grant.waited);
        give_back(&store, grant);
    }
}

/// Somebody asks to stop.
struct Stop;

impl Interrupt for Stop {
    fn fd(&self) -> Option<BorrowedFd<'_>> {
        None
    }

    fn take(&mut self) -> Option<i32> {
        Some(15)
    }
}

#[test]
fn granted_in_the_instant_of_giving_up_is_used_or_given_back() {
    for wake in [Wake::Time, Wake::Interrupt] {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("locks");
        let calm = files(&path);
        let holder = hold(&calm, &[exclusive("a")]);
        let (wanted, locks) = (draft(&[exclusive("a")]), [exclusive("a")]);
        let began = clock::since_boot();
        // Its time is over, or somebody asks it to stop, and in that instant it is granted.
        let give = || {
            give_back(&calm, holder);
            while clock::since_boot() - began < Duration::from_millis(20) {
                std::thread::yield_now();
            }
        };
        let store = Eventful::new(files(&path), When::Asleep(wake), give);
        let patience = Patience::AtMost(Duration::from_millis(10));
        match acquire(&store, &wanted, patience, RETRY, &mut Silent, &mut Stop).unwrap() {
            Outcome::Granted(grant) if wake == Wake::Time => drop(give_back(&store, *grant)),
            // The lease is gone with the outcome: what is free now was given back before, not reclaimed.
            Outcome::Interrupted(15) if wake == Wake::Interrupt => {
                let last = store.history().unwrap().pop().unwrap();
                assert!(last.contains("\"released\"") && last.contains("\"aborted\""), "{last}");
            }
            _ => panic!("{wake:?}"),
        }
        assert_eq!(ids(&files(&path), |_| true), []);
        give_back(&store, granted(try_now(&store, &locks)));
    }
}

/// One that waits and hears nothing while `work` is done: whoever grants it does so without its help.
fn beside_a_deaf_waiter(locks: &[LockRequest], path: &std::path::Path, work: impl FnOnce(&FilesStore)) {
    let calm = files(path);
    let (asleep, told) = std::sync::mpsc::channel();
    let (wake, woken) = std::sync::mpsc::channel();
    std::thread::scope(|scope| {
        let waiter = scope.spawn(move || {
            let hear = move || {
                asleep.send(()).unwrap();
                let _ = woken.recv_timeout(PATIENCE);
            };
            let store = Eventful::new(files(path), When::Asleep(Wake::Look), hear);
            let grant = granted(wait_for(&store, locks, &mut Never));
            give_back(&store, grant);
        });
        told.recv_timeout(PATIENCE).unwrap();
        work(&calm);
        wake.send(()).unwrap();
        waiter.join().unwrap();
    });
}

#[test]
fn a_newcomer_that_is_refused_grants_what_a_dead_releaser_did_not_hand_on() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("locks");
    let holder = hold(&files(&path), &[exclusive("a")]);
    beside_a_deaf_waiter(&[exclusive("a")], &path, |calm| {
        // As one leaves it that is killed right after its record is unlinked.
        let record = crate::damage::only_file(&path.join("deployments/attached"));
        std::fs::remove_file(record).unwrap();
        drop(holder);
        assert_eq!(ids(calm, State::holds), []);
        drop(conflict(try_now(calm, &[exclusive("a")])));
        assert_eq!(ids(calm, State::holds).len(), 1, "the waiter holds");
    });
}

#[test]
fn one_that_gives_up_hands_on_what_it_stood_before() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("locks");
    let calm = files(&path);
    let holder = hold(&calm, &[exclusive("a")]);
    let both = draft(&[exclusive("a"), exclusive("b")]);
    let first = files(&path);
    let (ready, go) = std::sync::mpsc::channel::<()>();
    std::thread::scope(|scope| {
        let first = scope.spawn(move || {
            let wait = move || go.recv_timeout(PATIENCE).unwrap();
            let store = Eventful::new(first, When::Asleep(Wake::Interrupt), wait);
            let outcome = acquire(&store, &both, Patience::Forever, RETRY, &mut Silent, &mut Stop).unwrap();
            assert!(matches!(outcome, Outcome::Interrupted(15)));
        });
        until_waiting(&calm, 1);
        beside_a_deaf_waiter(&[exclusive("b")], &path, |calm| {
            until_waiting(calm, 2);
            ready.send(()).unwrap();
            first.join().unwrap();
            assert_eq!(ids(calm, State::holds).len(), 2, "the one behind holds by now");
        });
    });
    give_back(&calm, holder);
}

/// Counts decisions.
#[derive(Default)]
struct Count(AtomicUsize);

impl Steps for Count {
    fn before(&self, _step: &Step<'_>) -> std::io::Result<()> {
        Ok(())
    }

    fn now(&self) -> Now {
        self.0.fetch_add(1, Ordering::SeqCst);
        clock::now()
    }
}

#[test]
fn a_lock_that_goes_a_moment_after_its_closing_was_told_is_noticed() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("locks");
    let calm = files(&path);
    let holder = hold(&calm, &[exclusive("a")]);
    let record = crate::damage::only_file(&path.join("deployments/attached"));
    let count = Arc::new(Count::default());
    let waiting = with_steps(&path, Some(count.clone()));
    std::thread::scope(|scope| {
        let locks = [exclusive("a")];
        let waiter = scope.spawn(move || granted(wait_for(&waiting, &locks, &mut Never)));
        until_waiting(&calm, 1);
        let before = count.0.load(Ordering::SeqCst);
        // The kernel tells of the last close before it drops the lock.
        drop(std::fs::OpenOptions::new().write(true).open(&record).unwrap());
        while count.0.load(Ordering::SeqCst) == before {
            std::thread::yield_now();
        }
        // It has looked by the time that we are let in.
        calm.decide(&mut |_| Ok(())).unwrap();
        let copy = holder.lease.hand_down().unwrap().unwrap().as_fd().try_clone_to_owned().unwrap();
        fs2::FileExt::unlock(&std::fs::File::from(copy)).unwrap();
        let grant = waiter.join().unwrap();
        assert!(grant.waited < PATIENCE / 2, "{:?}", grant.waited);
        give_back(&calm, grant);
        drop(holder);
    });
}
