//! `cancel` of somebody who lives, killed at every call: it is asked or it is not, and the next `cancel` ends it.

use crate::harness::Scene;
use crate::points::{Point, bounded, injected, points};
use crate::tools::{Group, id, is_free};

/// Cancels one that this starts, at first to the end, then killed at each call. How often it was killed.
fn killed_while_it_cancels(scene: &Scene, args: &[&str], state: &str, code: i32) -> usize {
    let start = || {
        let group = Group::of(scene, args);
        let found = scene.until(state, 1);
        let theirs = found.iter().find(|d| d["pid"] == group.pid()).unwrap_or_else(|| panic!("{found:?}"));
        (id(theirs), group)
    };
    let (first, group) = start();
    let all: Vec<Point> = points(scene, &["cancel", &first]).0;
    assert_eq!(group.end().code, code);
    let mut killed = 0;
    for point in &all {
        let (one, group) = start();
        let said = bounded(injected(scene, point, "signal=KILL", &["cancel", &one]));
        killed += usize::from(said.code != 0);
        // Whatever was done: it goes on or has ended, and nobody else has noticed.
        let again = scene.run(&["cancel", &one]);
        assert!([0, 3].contains(&again.code), "{point}: {again:?}");
        let ended = group.end();
        assert_eq!(ended.code, code, "{point}: {ended:?}");
        let left = scene.list()["deployments"].as_array().unwrap().clone();
        assert!(left.iter().all(|d| d["id"] != one.as_str()), "{point}: {left:?}");
    }
    killed
}

#[test]
fn a_cancel_killed_at_any_call_loses_nothing_and_the_next_one_works() {
    let scene = Scene::new();
    let beside = scene.ok(&["acquire", "-l", "a"]);
    let waiter = killed_while_it_cancels(&scene, &["run", "--wait", "-l", "a", "--", "true"], "waiting", 75);
    scene.ok(&["release", &beside]);
    let run = killed_while_it_cancels(&scene, &["run", "-l", "b", "--", "sleep", "1000"], "held", 143);
    println!("killed at {waiter} points while it cancels a waiter, at {run} a run");
    assert!(waiter > 20 && run > 20, "{waiter} {run}");
    assert!(is_free(&scene, &["-l", "a", "-l", "b"]));
}
