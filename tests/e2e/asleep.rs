//! Waiting on a lock directory: what wakes nobody, what a process that is stopped or killed does to others, how the
//! directory's own end is noticed. Of a server's client a lease is kept alive meanwhile, and these do not hold.

use std::time::{Duration, Instant};

use crate::harness::{Scene, eventually};
use crate::tools::{Group, asleep, child_of, holder, soon_held, state, switches, until_written, waiter};

#[test]
fn a_release_lets_the_next_in_and_wakes_nobody_else() {
    let scene = Scene::new();
    let mut held = holder(&scene, &["-l", "a"]);
    let waiting: Vec<Group> = (0..5).map(|_| waiter(&scene, &["-l", "a"])).collect();
    for w in &waiting {
        settled(w.pid());
    }
    let before: Vec<u64> = waiting[2..].iter().map(|w| switches(w.pid()).unwrap()).collect();
    held.let_go();
    assert_eq!(held.end().code, 0);
    soon_held(&scene, &waiting[0]);
    let after: Vec<u64> = waiting[2..].iter().map(|w| switches(w.pid()).unwrap()).collect();
    assert_eq!(before, after, "waiters far behind were woken");
    assert_eq!(state(&scene, &waiting[1]), "waiting");
}

#[test]
fn two_that_wait_inside_one_command_leave_each_other_asleep() {
    let scene = Scene::new();
    let _held = holder(&scene, &["-l", "b"]);
    let wait = |name: &str| format!("deploylock run --wait -l a -l b -- true & echo $! > {name}; ");
    let script = ["one", "two"].map(wait).concat() + "cat";
    let _outer = Group::of(&scene, &["run", "-l", "a", "--", "sh", "-c", &script]);
    scene.until("waiting", 2);
    for name in ["one", "two"] {
        settled(until_written(&scene, name).parse().unwrap());
    }
}

/// Waits until a process has slept through two seconds without once being woken, which is what this measures.
fn settled(pid: u32) {
    asleep(pid);
    let tries = 4;
    for _ in 0..tries {
        let before = switches(pid);
        let began = Instant::now();
        eventually("two seconds", || began.elapsed() > Duration::from_secs(2));
        if switches(pid) == before {
            return;
        }
    }
    panic!("{pid} was woken in each of {tries} spans of two seconds");
}

#[test]
fn an_idle_waiter_sleeps() {
    let scene = Scene::new();
    let _held = holder(&scene, &["-l", "a"]);
    let first = waiter(&scene, &["-l", "a"]);
    let second = waiter(&scene, &["-l", "a"]);
    let third = Group::of(&scene, &["wait", "--wait", "-l", "a"]);
    for pid in [first.pid(), second.pid(), third.pid()] {
        settled(pid);
        assert_eq!(child_of(pid), None, "on a lock directory a command needs nothing ahead of its time");
    }
}

#[test]
fn a_waiter_gets_in_the_moment_an_orphaned_command_ends() {
    let scene = Scene::new();
    let mut held = holder(&scene, &["-l", "a"]);
    let waiting = waiter(&scene, &["-l", "a"]);
    let behind = waiter(&scene, &["-l", "a"]);
    held.signal("KILL");
    eventually("the wrapper is gone", || !held.is_running());
    settled(waiting.pid());
    assert_eq!(state(&scene, &waiting), "waiting");
    held.let_go();
    soon_held(&scene, &waiting);
    assert_eq!(state(&scene, &behind), "waiting");
}

#[test]
fn a_stopped_waiter_does_not_block_those_that_may_hold_beside_it() {
    // The holder lets go properly, or is killed so that somebody must notice.
    for killed in [false, true] {
        let scene = Scene::new();
        let mut held = holder(&scene, &["-l", "a"]);
        let stopped = waiter(&scene, &["--shared", "-l", "a"]);
        let beside = waiter(&scene, &["--shared", "-l", "a"]);
        let last = waiter(&scene, &["--shared", "-l", "a"]);
        stopped.signal("STOP");
        if killed {
            held.kill();
        } else {
            held.let_go();
        }
        soon_held(&scene, &beside);
        soon_held(&scene, &last);
        stopped.signal("CONT");
        soon_held(&scene, &stopped);
    }
}

#[test]
fn a_waiter_whose_lock_directory_is_removed_ends_and_says_why() {
    for behind in [false, true] {
        let scene = Scene::new();
        let _held = holder(&scene, &["-l", "a"]);
        let first = waiter(&scene, &["-l", "a"]);
        let waiting = if behind { waiter(&scene, &["-l", "a"]) } else { first };
        asleep(waiting.pid());
        // Those who wait are woken by the first removals, and may tidy up in what is left.
        eventually("the lock directory is removed", || {
            std::fs::remove_dir_all(scene.locks()).is_ok() || !scene.locks().exists()
        });
        let said = waiting.end();
        assert_ne!(said.code, 0, "{said:?}");
        assert!(said.code != 101 && !said.err.contains("panicked"), "{said:?}");
        assert!(said.err.lines().count() >= 2, "{said:?}");
    }
}

#[test]
fn an_idle_holder_sleeps_too() {
    let scene = Scene::new();
    let held = holder(&scene, &["-l", "a"]);
    let _waiting = waiter(&scene, &["-l", "a"]);
    settled(held.pid());
}
