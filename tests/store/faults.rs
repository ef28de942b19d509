//! Every step that changes something on disk is made to fail, or is the last before the process is gone. After
//! each: the deployment holds all or nothing, an unrelated one is untouched, and the next command just works.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use deploylock::ops::acquire::{Outcome, Patience, acquire};
use deploylock::ops::release::{self, detach, promise};
use deploylock::ops::{Never, Silent, survey};
use deploylock::store::Store;
use deploylock::store::files::folder::{Step, Steps};

use crate::support::*;

/// Lets so many steps pass; then one fails, or all do from there on, as if the world had ended.
struct Fuse {
    left: AtomicUsize,
    for_good: bool,
    error: io::ErrorKind,
}

impl Steps for Fuse {
    fn before(&self, _step: &Step<'_>) -> io::Result<()> {
        let before = self.left.load(Ordering::SeqCst);
        if before == 0 {
            if !self.for_good {
                self.left.store(usize::MAX, Ordering::SeqCst);
            }
            return Err(self.error.into());
        }
        self.left.store(before - 1, Ordering::SeqCst);
        Ok(())
    }
}

/// Does `work` with a fuse at each step until it goes through untouched; `check` looks at what is left each time.
fn at_every_step(work: impl Fn(&dyn Store), check: impl Fn(&dyn Store, usize)) -> usize {
    let mut points = 0;
    for for_good in [false, true] {
        for step in 0.. {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("locks");
            let calm = files(&path);
            let bystander = hold(&calm, &[exclusive("bystander")]);
            let fuse =
                Arc::new(Fuse { left: AtomicUsize::new(step), for_good, error: io::ErrorKind::StorageFull });
            work(&with_steps(&path, Some(fuse.clone())));
            let burnt = fuse.left.load(Ordering::SeqCst);
            let untouched = burnt > 0 && burnt < usize::MAX / 2;
            check(&calm, step);
            let seen = survey::survey(&calm).unwrap();
            assert!(
                seen.deployments.iter().any(|s| s.stored.id() == &bystander.deployment.id),
                "step {step}"
            );
            drop(conflict(try_now(&calm, &[exclusive("bystander")])));
            give_back(&calm, bystander);
            assert!(ids(&calm, |s| s.holds()).is_empty(), "step {step}");
            points += 1;
            if untouched {
                break;
            }
        }
    }
    points
}

fn try_all(store: &dyn Store) -> Result<Outcome, deploylock::store::StoreError> {
    let wanted = draft(&[exclusive("a"), exclusive("b"), shared("c", 2)]);
    acquire(store, &wanted, Patience::None, RETRY, &mut Silent, &mut Never)
}

/// Whoever comes next gets everything.
fn all_free(store: &dyn Store, step: usize) {
    match try_all(store).unwrap() {
        Outcome::Granted(grant) => drop(give_back(store, *grant)),
        _ => panic!("step {step}: something is still held"),
    }
}

#[test]
fn an_acquire_that_fails_anywhere_holds_nothing() {
    let points = at_every_step(
        |store| match try_all(store) {
            Ok(Outcome::Granted(grant)) => {
                // Reported as granted, it must be held.
                drop(conflict(try_all(store).unwrap_or_else(|_| panic!("a look needs no step"))));
                let _ = release::give_back(store, &grant.deployment, "done");
            }
            Ok(_) => panic!("nobody else wants them"),
            Err(e) => assert!(e.to_string().contains("cannot"), "{e}"),
        },
        all_free,
    );
    assert!(points > 15, "only {points} points were tried");
}

#[test]
fn a_release_that_fails_holds_everything_or_nothing() {
    at_every_step(
        |store| {
            if let Ok(Outcome::Granted(grant)) = try_all(store) {
                let _ = release::give_back(store, &grant.deployment, "done");
            }
        },
        all_free,
    );
}

#[test]
fn what_was_promised_is_kept_and_what_was_not_is_gone() {
    let promised = std::cell::RefCell::new(None);
    at_every_step(
        |store| {
            promised.replace(None);
            let Ok(Outcome::Granted(grant)) = try_all(store) else { return };
            if promise(store, &grant.deployment.id).is_ok() && detach(store, &grant.deployment).is_ok() {
                promised.replace(Some(grant.deployment.id.clone()));
            }
        },
        |calm, step| match promised.take() {
            Some(id) => {
                drop(conflict(try_all(calm).unwrap()));
                let released = release::release(calm, &id, "done", "me").unwrap();
                assert!(matches!(released, release::Released::Done(_)), "step {step}: {released:?}");
            }
            None => {
                // A detach that failed after its rename is held and says so: it can be released by its id.
                for id in ids(calm, |s| s == deploylock::deployment::State::Detached) {
                    let released = release::release(calm, &id, "done", "me").unwrap();
                    assert!(matches!(released, release::Released::Done(_)), "step {step}: {released:?}");
                }
                all_free(calm, step);
            }
        },
    );
}

/// Does something when the first step of this kind is taken.
struct Moment<F>(fn(&Step<'_>) -> bool, std::sync::Mutex<Option<F>>);

impl<F: FnOnce() + Send> Steps for Moment<F> {
    fn before(&self, step: &Step<'_>) -> io::Result<()> {
        if (self.0)(step)
            && let Some(act) = self.1.lock().unwrap().take()
        {
            act();
        }
        Ok(())
    }
}

/// The model found it: whoever then grants itself must not go to sleep on the grant.
#[test]
fn a_holder_that_dies_while_one_enters_the_queue_is_noticed() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("locks");
    let calm = files(&path);
    let holder = hold(&calm, &[exclusive("a")]);
    let enters = |step: &Step<'_>| matches!(step, Step::Create(name) if name.contains("waiting/"));
    let moment = Moment(enters, std::sync::Mutex::new(Some(move || drop(holder.lease))));
    let store = with_steps(&path, Some(Arc::new(moment)));
    let wanted = draft(&[exclusive("a")]);
    let outcome = acquire(&store, &wanted, Patience::AtMost(PATIENCE), RETRY, &mut Silent, &mut Never);
    let Outcome::Granted(grant) = outcome.unwrap() else { panic!("not granted") };
    assert!(grant.waited < PATIENCE / 3, "it slept for {:?}", grant.waited);
    give_back(&calm, *grant);
}

#[test]
fn waiters_go_on_whatever_step_of_the_release_fails() {
    for step in 0..12 {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("locks");
        let calm = files(&path);
        let locks = [exclusive("a"), exclusive("b")];
        let grant = hold(&calm, &locks);
        std::thread::scope(|scope| {
            let next = wait_in_thread(scope, Box::new(files(&path)), &locks);
            until_waiting(&calm, 1);
            let fuse = Fuse { left: AtomicUsize::new(step), for_good: true, error: io::ErrorKind::Other };
            let failing = with_steps(&path, Some(Arc::new(fuse)));
            let _ = release::give_back(&failing, &grant.deployment, "done");
            // The releaser ends, its job half done.
            drop(grant.lease);
            give_back(&calm, next.join().unwrap());
        });
    }
}
