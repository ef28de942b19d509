//! Every step that changes something on disk is made to fail, or is the last before the process is gone. After
//! each: the deployment holds all or nothing, an unrelated one is untouched, and the next command just works.

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use deploylock::deployment::Id;
use deploylock::model::{Keep, Kind, LockName, LockRequest, Mode};
use deploylock::ops::acquire::{Draft, Grant, Outcome, Patience, acquire};
use deploylock::ops::release::{self, detach, keep_failed, promise};
use deploylock::ops::takeover::{Anew, TakenOver, take_over};
use deploylock::ops::versions::{self, Begun, Resources};
use deploylock::ops::{Never, Silent, survey};
use deploylock::store::Store;
use deploylock::store::files::folder::{Step, Steps};

use crate::damage::as_of_an_earlier_boot;
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

/// Prepares, then does `work` with a fuse at each step until it goes through untouched; `check` gets what it said
/// after the process that did it is gone.
fn at_every_step_of<P, T>(
    prepare: impl Fn(&Path) -> P,
    work: impl Fn(&dyn Store, &P) -> T,
    check: impl Fn(&Path, P, T, usize),
) -> usize {
    let mut points = 0;
    for for_good in [false, true] {
        for step in 0.. {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("locks");
            let prepared = prepare(&path);
            let fuse =
                Arc::new(Fuse { left: AtomicUsize::new(step), for_good, error: io::ErrorKind::StorageFull });
            let said = work(&with_steps(&path, Some(fuse.clone())), &prepared);
            let left = fuse.left.load(Ordering::SeqCst);
            check(&path, prepared, said, step);
            points += 1;
            if left > 0 && left < usize::MAX / 2 {
                break;
            }
        }
    }
    points
}

fn wanted() -> [LockRequest; 2] {
    [exclusive("a"), shared("b", 2)]
}

/// A deployment that was taken over or not: nobody else has got its locks, and it can be taken over again.
fn still_kept(path: &Path, id: &Id, step: usize) {
    let calm = files(path);
    let found = conflict(try_now(&calm, &wanted()));
    assert_eq!(found.in_the_way[0].id, *id, "step {step}");
    let again = take_over(&calm, id, &Anew::default(), "me").unwrap();
    let TakenOver::Done(d, lease) = again else { panic!("step {step}: not to be taken over again") };
    drop(conflict(try_now(&calm, &wanted())));
    assert!(release::give_back(&calm, &d, "done").unwrap(), "step {step}");
    drop(lease);
    give_back(&calm, hold(&calm, &wanted()));
    assert_eq!(ids(&calm, |_| true), [], "step {step}");
}

/// One whose `run` holds, in a store of its own.
fn running(path: &Path, on_crash: Keep) -> Grant {
    let draft = Draft { command: true, on_crash, ..draft(&wanted()) };
    granted(acquire(&files(path), &draft, Patience::None, RETRY, &mut Silent, &mut Never).unwrap())
}

#[test]
fn a_taking_over_of_what_failed_that_fails_anywhere_leaves_it_kept() {
    let points = at_every_step_of(
        |path| {
            let grant = running(path, Keep::Release);
            assert!(keep_failed(&files(path), &grant.deployment, 7).unwrap());
            grant.deployment.id
        },
        |store, id| match take_over(store, id, &Anew::default(), "me") {
            Ok(TakenOver::Done(d, lease)) => {
                drop(conflict(try_now_with(store)));
                Some((d, lease))
            }
            Ok(_) => panic!("it is there"),
            Err(_) => None,
        },
        |path, id, taken, step| match taken {
            Some((d, lease)) => {
                assert_eq!(d.id, id);
                assert!(release::give_back(&files(path), &d, "done").unwrap(), "step {step}");
                drop(lease);
                give_back(&files(path), hold(&files(path), &wanted()));
            }
            None => still_kept(path, &id, step),
        },
    );
    assert!(points > 12, "only {points} points were tried");
}

/// A look and a refusal need no step.
fn try_now_with(store: &dyn Store) -> Outcome {
    acquire(store, &draft(&wanted()), Patience::None, RETRY, &mut Silent, &mut Never).unwrap()
}

#[test]
fn a_taking_over_of_what_crashed_that_fails_anywhere_leaves_it_kept() {
    for earlier_boot in [false, true] {
        let points = at_every_step_of(
            |path| {
                let Grant { deployment, lease, .. } = running(path, Keep::Hold);
                drop(lease);
                if earlier_boot {
                    as_of_an_earlier_boot(path);
                }
                deployment.id
            },
            |store, id| match take_over(store, id, &Anew::default(), "me") {
                // Whether it was taken over or not: the process is gone, and what crashed is kept.
                Ok(TakenOver::Done(..)) | Err(_) => {}
                Ok(_) => panic!("it is there"),
            },
            |path, id, (), step| still_kept(path, &id, step),
        );
        assert!(points > 8, "only {points} points were tried");
    }
}

#[test]
fn a_number_that_cannot_be_noted_is_given_to_nobody() {
    let application = || LockRequest {
        lock: LockName::new(Kind::Application, "shop@prod"),
        mode: Mode::Exclusive,
        limit: None,
    };
    let resources = Resources { fingerprint: "x".into(), skip_duplicate: true };
    let shop = || Draft { application: Some("shop".into()), ..draft(&[application()]) };
    let points = at_every_step_of(
        |path| {
            let calm = files(path);
            granted(acquire(&calm, &shop(), Patience::None, RETRY, &mut Silent, &mut Never).unwrap())
        },
        |store, grant| {
            let number = match versions::begin(store, &grant.deployment, &resources) {
                Ok(Begun::Number(number)) => Some(number),
                Ok(Begun::Duplicate(_)) => panic!("nothing was deployed"),
                Err(_) => None,
            };
            let ended = number.is_some_and(|n| versions::end(store, &grant.deployment, n, "done").is_ok());
            (number, ended)
        },
        |path, grant, (number, ended), step| {
            let calm = files(path);
            drop(conflict(acquire(&calm, &shop(), Patience::None, RETRY, &mut Silent, &mut Never).unwrap()));
            give_back(&calm, grant);
            let again =
                granted(acquire(&calm, &shop(), Patience::None, RETRY, &mut Silent, &mut Never).unwrap());
            match versions::begin(&calm, &again.deployment, &resources).unwrap() {
                Begun::Number(next) => {
                    assert!(!ended, "step {step}: what is noted as deployed is a duplicate");
                    assert!(number.is_none_or(|told| told < next), "step {step}: {next} after {number:?}");
                }
                // Its end may have been written before the step that failed.
                Begun::Duplicate(same) => assert_eq!(Some(same.number), number, "step {step}"),
            }
            give_back(&calm, again);
        },
    );
    assert!(points > 6, "only {points} points were tried");
}
