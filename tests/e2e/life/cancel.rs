//! `cancel`: waiters, paused ones, commands that obey and those that do not, orphans.

use super::{events, one_at_a_time, orphan, words};
use crate::harness::{Said, Scene, eventually};
use crate::tools::*;

/// A `run` of a command that ignores SIGTERM; it runs when this returns. The command and all it started end with
/// the test.
fn stubborn(scene: &Scene, lock: &str) -> Group {
    let script = "trap 'echo told >> told' TERM; echo up > up; while :; do sleep 0.05; done";
    let run = Group::of(scene, &["run", "-l", lock, "--", "sh", "-c", script]);
    until_written(scene, "up");
    run
}

#[test]
fn a_waiter_says_who_cancelled_it_and_that_nothing_is_held() {
    let scene = Scene::new();
    let _holder = holder(&scene, &["-l", "a"]);
    let waiter = Group::of(&scene, &["acquire", "-l", "a", "--wait"]);
    let id = id(&scene.until("waiting", 1)[0]);
    scene.ok(&["cancel", &id]);
    let Said { code, out, err } = waiter.end();
    assert_eq!((code, out.as_str()), (75, ""));
    let line = err.lines().last().unwrap();
    assert!(line.contains(&format!("{id} was cancelled by tester@")), "{err}");
    assert!(line.contains("nothing is held"), "{err}");
    assert_eq!(words(&scene, &id), ["waited", "cancelled"]);
    assert_eq!(events(&scene, &id)[1]["outcome"], "aborted");
    scene.fails(3, &["cancel", &id]);
}

#[test]
fn a_command_that_ignores_it_is_killed_when_its_time_is_over() {
    let scene = Scene::new();
    let run = stubborn(&scene, "a");
    let id = id(&only(&scene));
    scene.ok(&["cancel", &id, "--kill-after", "100ms"]);
    let said = run.end();
    assert_eq!(said.code, 128 + 9, "{said:?}");
    assert!(said.err.contains("; ending the command"), "{said:?}");
    assert_eq!(read(&scene, "told"), "told");
    nothing_left(&scene);
}

#[test]
fn without_a_time_it_goes_on_and_a_second_cancel_may_set_one() {
    let scene = Scene::new();
    let mut run = stubborn(&scene, "a");
    let id = id(&only(&scene));
    let said = scene.run(&["cancel", &id]);
    assert!(said.code == 0 && said.err.contains("its locks go when its command has ended"), "{said:?}");
    until_written(&scene, "told");
    scene.ok(&["cancel", &id]);
    assert!(run.is_running() && !is_free(&scene, &["-l", "a"]));
    let held = only(&scene);
    assert_eq!(held["cancelled"], true, "{held}");
    assert!(scene.ok(&["list"]).contains("asked to end"));
    scene.ok(&["cancel", &id, "--kill-after", "1h"]);
    scene.ok(&["cancel", &id, "--kill-after", "50ms"]);
    assert_eq!(run.end().code, 128 + 9);
    assert_eq!(read(&scene, "told"), "told", "it was told once");
}

#[test]
fn the_command_of_a_killed_wrapper_is_told_too() {
    let scene = Scene::new();
    let mut run = holder(&scene, &["-l", "a"]);
    eventually("its command runs", || child_of(run.pid()).is_some());
    let command = child_of(run.pid()).unwrap();
    let id = id(&only(&scene));
    let next = waiter(&scene, &["-l", "a"]);
    eventually("it is noted", || scene.deployment(&id).is_some());
    orphan(&mut run);
    scene.ok(&["cancel", &id]);
    soon_held(&scene, &next);
    soon("the command ends", || !std::path::Path::new(&format!("/proc/{command}/fd/0")).exists());
}

#[test]
fn a_stubborn_orphan_is_killed_by_cancel_itself() {
    let scene = Scene::new();
    let mut run = stubborn(&scene, "a");
    let id = id(&only(&scene));
    orphan(&mut run);
    scene.ok(&["cancel", &id]);
    until_written(&scene, "told");
    assert!(!is_free(&scene, &["-l", "a"]));
    scene.ok(&["cancel", &id, "--kill-after", "100ms"]);
    eventually("it is free", || is_free(&scene, &["-l", "a"]));
}

#[test]
fn what_no_process_holds_is_cleared_and_recorded_as_aborted() {
    let scene = Scene::new();
    let held = scene.hold(&["-l", "a"]);
    let next = waiter(&scene, &["-l", "a"]);
    scene.ok(&["cancel", &held]);
    soon_held(&scene, &next);
    let last = events(&scene, &held).pop().unwrap();
    assert_eq!((&last["event"], &last["outcome"]), (&"cancelled".into(), &"aborted".into()));
}

#[test]
fn several_are_cancelled_and_one_that_is_not_there_is_3() {
    let scene = Scene::new();
    let (a, b) = (scene.hold(&["-l", "a"]), scene.hold(&["-l", "b"]));
    let said = scene.fails(3, &["cancel", &a, "7-aaaaaa", &b]);
    assert!(said.err.contains("7-aaaaaa"), "{said:?}");
    nothing_left(&scene);
    scene.fails(2, &["cancel"]);
    scene.fails(2, &["cancel", "7"]);
    scene.fails(2, &["cancel", &a, "--kill-after", "0"]);
}

#[test]
fn a_run_that_is_cancelled_before_it_is_watched_ends_too() {
    let scene = Scene::new();
    for _ in 0..5 {
        let run = Group::of(&scene, &["run", "-l", "a", "--", "cat"]);
        let id = id(&scene.until("held", 1)[0]);
        scene.ok(&["cancel", &id]);
        assert_eq!(run.end().code, 128 + 15);
    }
    nothing_left(&scene);
}

#[test]
fn a_run_that_no_event_tells_of_anything_is_cancelled_too() {
    let scene = Scene::new();
    let mut strace = scene.program("strace");
    strace.args(["-qq", "-o", "/dev/null", "-e", "trace=pidfd_open,inotify_init1"]);
    strace.args(["-e", "inject=pidfd_open:error=ENOSYS", "-e", "inject=inotify_init1:error=EMFILE"]);
    strace.args(["deploylock", "run", "-l", "a", "--", "sh", "-c", "echo up > up; exec cat"]);
    let run = Group::start(strace);
    until_written(&scene, "up");
    scene.ok(&["cancel", &id(&scene.until("held", 1)[0])]);
    assert_eq!(run.end().code, 128 + 15);
    nothing_left(&scene);
}

#[test]
fn one_that_is_granted_and_cancelled_before_it_knows_starts_nothing_and_holds_nothing() {
    let scene = Scene::new();
    for command in
        [&["run", "-l", "a", "--wait", "--", "touch", "ran"][..], &["acquire", "-l", "a", "--wait"]]
    {
        let held = scene.hold(&["-l", "a"]);
        let waiting = Group::of(&scene, command);
        let id = id(&scene.until("waiting", 1)[0]);
        waiting.signal("STOP");
        scene.ok(&["release", &held]);
        assert_eq!(scene.state_of(&id), "held", "it is its turn, and it does not know");
        scene.ok(&["cancel", &id]);
        waiting.signal("CONT");
        let said = waiting.end();
        assert_eq!((said.code, said.out.as_str()), (75, ""), "{said:?}");
        assert!(said.err.contains("was cancelled by tester@"), "{said:?}");
        let last = events(&scene, &id).pop().unwrap();
        assert_eq!((&last["event"], &last["outcome"]), (&"released".into(), &"aborted".into()));
        nothing_left(&scene);
    }
    assert!(!scene.path("ran").exists());
}

#[test]
fn a_nested_one_is_cancelled_without_its_parent() {
    let scene = one_at_a_time("");
    let script = "deploylock run -l inner -- cat; echo $? > inner; cat";
    let mut outer = Group::of(&scene, &["run", "-e", "prod", "--", "sh", "-c", script]);
    let inner = scene.until("held", 2).into_iter().find(|d| !d["parent"].is_null()).unwrap();
    scene.ok(&["cancel", &id(&inner)]);
    assert_eq!(until_written(&scene, "inner"), "143");
    assert_eq!(scene.in_state("held").len(), 1);
    outer.let_go();
    assert_eq!(outer.end().code, 0);
    nothing_left(&scene);
}
