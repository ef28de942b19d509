//! The lines of what is gone: of several locks that nobody waits for they stay where they are, mean nothing, and are
//! written over by who comes next.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use deploylock::deployment::{Deployment, State};
use deploylock::model::{Kind, LockName, LockRequest};
use deploylock::ops::acquire::{Draft, Outcome, Patience, acquire};
use deploylock::ops::{Never, Silent};
use deploylock::store::files::folder::{Step, Steps};
use deploylock::store::files::queue;

use crate::support::{
    PATIENCE, RETRY, Remote, conflict, draft, exclusive, files, give_back, granted, hold, shared, try_now,
    until_waiting, wait_in_thread, with_steps,
};

const NAMES: [&str; 4] = ["a", "b", "c", "d"];

fn all_exclusive() -> Vec<LockRequest> {
    NAMES.map(exclusive).to_vec()
}

fn lock_files(path: &Path) -> [PathBuf; 4] {
    NAMES.map(|name| path.join("locks/name").join(name))
}

fn is_marked(file: &Path) -> bool {
    fs::read(file).unwrap()[0] == queue::VOID
}

#[test]
fn they_stay_and_are_written_over() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("locks");
    for _ in 0..20 {
        let grant = hold(&files(&path), &all_exclusive());
        for file in lock_files(&path) {
            let text = fs::read_to_string(&file).unwrap();
            assert!(text.starts_with(grant.deployment.id.as_str()), "{text}");
            assert_eq!(text.len() as u64, queue::WIDTH, "{text}");
        }
        drop(conflict(try_now(&files(&path), &[shared("c", 0)])));
        give_back(&files(&path), grant);
        assert!(lock_files(&path).iter().all(|file| !is_marked(file)), "nothing is written at a release");
        // Free, whoever looks, and alone as well as together.
        give_back(&files(&path), hold(&files(&path), &[exclusive("b")]));
    }
    deploylock::ops::clear::tidy(&files(&path)).unwrap();
    assert!(lock_files(&path).iter().all(|file| !file.exists()));
}

#[test]
fn who_is_removed_and_entered_again_in_one_decision_keeps_its_new_lines() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("locks");
    let store = files(&path);
    let before = hold(&store, &all_exclusive()[..2]);
    let next = Deployment { locks: all_exclusive()[1..3].to_vec(), ..before.deployment.clone() };
    let again = deploylock::store::decide(&store, |txn| {
        assert!(txn.remove(&next.id)?.is_some());
        txn.enter(&next, State::Attached, &[])
    });
    let lease = again.unwrap();
    for (name, held) in [("a", false), ("b", true), ("c", true)] {
        assert_ne!(is_marked(&path.join("locks/name").join(name)), held, "{name}");
        match try_now(&files(&path), &[exclusive(name)]) {
            Outcome::Granted(grant) if !held => drop(give_back(&store, *grant)),
            Outcome::Conflict(_) if held => {}
            _ => panic!("{name}"),
        }
    }
    drop((lease, before));
}

#[test]
fn between_those_that_live_they_do_not_become_many() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("locks");
    let store = files(&path);
    let mut wanted = NAMES.map(|name| shared(name, 0)).to_vec();
    wanted[3] = shared("d", 3);
    let mut before = hold(&store, &wanted);
    for _ in 0..600 {
        let next = hold(&store, &wanted);
        give_back(&store, std::mem::replace(&mut before, next));
    }
    for file in lock_files(&path) {
        let lines = fs::metadata(&file).unwrap().len() / queue::WIDTH;
        assert!(lines <= 130, "{}: {lines} lines, of which one counts", file.display());
    }
    drop(conflict(try_now(&store, &[exclusive("a")])));
    give_back(&store, before);
    give_back(&store, hold(&store, &all_exclusive()));
}

#[test]
fn where_somebody_waits_they_are_marked_and_the_locks_are_handed_on() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("locks");
    let grant = hold(&files(&path), &all_exclusive());
    let wanted = [exclusive("d")];
    std::thread::scope(|scope| {
        let waiting = wait_in_thread(scope, Box::new(files(&path)), &wanted);
        until_waiting(&files(&path), 1);
        give_back(&files(&path), grant);
        let granted = waiting.join().unwrap();
        assert!(lock_files(&path).iter().all(|file| is_marked(file)));
        give_back(&files(&path), granted);
    });
}

#[test]
fn one_that_may_come_again_leaves_none() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("locks");
    let store = files(&path);
    let prod = LockRequest { lock: LockName::new(Kind::Environment, "prod"), ..exclusive("-") };
    let frozen = hold(&store, std::slice::from_ref(&prod));
    let wanted = draft(&[&all_exclusive()[..], &[prod]].concat());
    let policy = Patience::Policy { retry: None, queue: PATIENCE, pause: true };
    let paused = acquire(&store, &wanted, policy, RETRY, &mut Silent, &mut Never).unwrap();
    let id = conflict(paused).paused.unwrap();
    give_back(&store, frozen);
    let again = Draft { resume: Some(id.clone()), ..wanted };
    let resumed = granted(acquire(&store, &again, Patience::None, RETRY, &mut Silent, &mut Never).unwrap());
    // Killed now, it would be paused as before, and keep its id.
    assert!(path.join("deployments/paused").join(id.as_str()).exists());
    give_back(&store, resumed);
    assert!(lock_files(&path).iter().all(|file| is_marked(file)));
}

#[test]
fn where_another_host_s_waiter_may_be_out_of_sight_they_are_marked() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("locks");
    let store = with_steps(&path, Some(Arc::new(Remote)));
    give_back(&store, hold(&store, &all_exclusive()));
    assert!(lock_files(&path).iter().all(|file| is_marked(file)));
}

/// Lets no line of the lock `a` be marked.
struct NoMarks;

impl Steps for NoMarks {
    fn before(&self, step: &Step<'_>) -> std::io::Result<()> {
        match step {
            Step::Write("locks/name/a", b"#", _) => Err(std::io::ErrorKind::StorageFull.into()),
            _ => Ok(()),
        }
    }
}

#[test]
fn what_one_had_before_it_was_paused_is_not_its_turn_when_it_is_resumed() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("locks");
    let store = files(&path);
    let first = hold(&store, &[exclusive("a")]);
    let prod = LockRequest { lock: LockName::new(Kind::Environment, "prod"), ..exclusive("-") };
    let frozen = hold(&store, std::slice::from_ref(&prod));
    let wanted = draft(&[exclusive("a"), prod]);
    let policy = Patience::Policy { retry: None, queue: PATIENCE, pause: true };
    let paused = acquire(&store, &wanted, policy, RETRY, &mut Silent, &mut Never).unwrap();
    let again = Draft { resume: conflict(paused).paused, ..wanted };
    give_back(&store, frozen);
    let wanted = [exclusive("a")];
    std::thread::scope(|scope| {
        // Resumed, it waits, gives up, and is killed after its record has gone back and before its line is marked.
        let resumed = scope.spawn(|| {
            let store = with_steps(&path, Some(Arc::new(NoMarks)));
            let short = Patience::AtMost(Duration::from_secs(1));
            acquire(&store, &again, short, RETRY, &mut Silent, &mut Never).is_err()
        });
        until_waiting(&store, 1);
        let other = wait_in_thread(scope, Box::new(files(&path)), &wanted);
        until_waiting(&store, 2);
        assert!(resumed.join().unwrap());
        give_back(&store, first);
        let other = other.join().unwrap();
        let short = Patience::AtMost(Duration::from_millis(50));
        let beside = acquire(&files(&path), &again, short, RETRY, &mut Silent, &mut Never).unwrap();
        drop(conflict(beside));
        give_back(&store, other);
    });
    let resumed = acquire(&store, &again, Patience::None, RETRY, &mut Silent, &mut Never).unwrap();
    give_back(&store, granted(resumed));
}
