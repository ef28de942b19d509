//! Paused, and tried again by `run --resume` and `acquire --resume`.

use super::{one_at_a_time, words};
use crate::harness::{Scene, eventually};
use crate::steps::text;
use crate::tools::*;

/// `prod` held by a `run`; the id of one that is paused behind it.
fn paused(scene: &Scene) -> (Group, String) {
    let holder = holder(scene, &["-e", "prod"]);
    let said = scene.fails(75, &["acquire", "-e", "prod", "-a", "shop"]);
    assert_eq!(said.out, "");
    let id = text(&scene.until("paused", 1)[0]["id"]);
    assert!(said.err.contains(&format!("paused as     {id}")), "{said:?}");
    (holder, id)
}

#[test]
fn a_paused_record_says_what_blocked_it() {
    let scene = one_at_a_time("");
    let (_holder, id) = paused(&scene);
    let record = scene.deployment(&id).unwrap();
    assert_eq!(record["blocked_at"], serde_json::json!(["environment:prod"]));
    assert!(scene.ok(&["list"]).contains("environment:prod"));
}

#[test]
fn run_resumes_a_paused_one_as_it_was() {
    let scene = one_at_a_time("");
    let (mut holder, id) = paused(&scene);
    let again = scene.fails(75, &["run", "--resume", &id, "--", "true"]);
    assert!(again.err.contains(&id), "{again:?}");
    assert_eq!(scene.state_of(&id), "paused");
    let mut resumed = Group::of(&scene, &["run", "--resume", &id, "--wait", "--", "cat"]);
    scene.until("waiting", 1);
    holder.let_go();
    holder.end();
    eventually("it holds", || scene.state_of(&id) == "held");
    assert_eq!(scene.deployment(&id).unwrap()["application"], "shop");
    resumed.let_go();
    assert_eq!(resumed.end().code, 0);
    nothing_left(&scene);
}

#[test]
fn it_joins_the_end_of_the_queue() {
    let scene = one_at_a_time("");
    let (mut holder, id) = paused(&scene);
    let mut first = waiter(&scene, &["-e", "prod"]);
    let resumed = Group::of(&scene, &["run", "--resume", &id, "--wait", "--", "cat"]);
    scene.until("waiting", 2);
    assert_eq!(scene.deployment(&id).unwrap()["position"], 2);
    holder.let_go();
    holder.end();
    soon_held(&scene, &first);
    assert_eq!(scene.state_of(&id), "waiting");
    first.let_go();
    first.end();
    soon_held(&scene, &resumed);
}

#[test]
fn a_signal_while_it_waits_leaves_it_paused() {
    for command in ["run", "acquire"] {
        let scene = one_at_a_time("");
        let (_holder, id) = paused(&scene);
        let mut args = vec![command, "--resume", &id, "--wait"];
        args.extend(if command == "run" { &["--", "true"][..] } else { &[] });
        let resumer = Group::of(&scene, &args);
        scene.until("waiting", 1);
        resumer.signal("TERM");
        assert_eq!(resumer.end().code, 128 + 15);
        assert_eq!(scene.state_of(&id), "paused");
        assert_eq!(words(&scene, &id).last().unwrap(), "paused");
    }
}

#[test]
fn a_waiter_that_is_told_to_stop_pauses_nothing() {
    let scene = one_at_a_time("");
    let _holder = holder(&scene, &["-e", "prod"]);
    for signal in ["TERM", "INT", "HUP"] {
        let waiter = Group::of(&scene, &["acquire", "-e", "prod", "--wait"]);
        scene.until("waiting", 1);
        waiter.signal(signal);
        assert!(waiter.end().code != 0);
        assert_eq!(scene.in_state("paused").len() + scene.in_state("waiting").len(), 0);
    }
}

#[test]
fn of_two_that_try_it_again_at_once_one_waits_and_one_is_told() {
    let scene = one_at_a_time("");
    let (mut holder, id) = paused(&scene);
    let mut resumed = Group::of(&scene, &["run", "--resume", &id, "--wait", "--", "cat"]);
    scene.until("waiting", 1);
    let second = scene.fails(3, &["acquire", "--resume", &id, "--wait"]);
    assert!(second.err.contains("waits already"), "{second:?}");
    scene.fails(3, &["run", "--resume", &id, "--wait", "--", "true"]);
    assert_eq!(scene.state_of(&id), "waiting");
    holder.let_go();
    holder.end();
    soon_held(&scene, &resumed);
    scene.fails(1, &["run", "--resume", &id, "--", "true"]);
    resumed.let_go();
    assert_eq!(resumed.end().code, 0);
    nothing_left(&scene);
}

#[test]
fn a_resumed_run_that_is_killed_while_it_waits_is_paused_as_before() {
    let scene = one_at_a_time("");
    let (_holder, id) = paused(&scene);
    let mut resumer = Group::of(&scene, &["run", "--resume", &id, "--wait", "--", "true"]);
    scene.until("waiting", 1);
    resumer.signal("KILL");
    eventually("it is gone", || !resumer.is_running());
    scene.fails(75, &["run", "--resume", &id, "-n", "--", "true"]);
    assert_eq!(scene.state_of(&id), "paused");
}

#[test]
fn release_cancel_and_clear_end_a_resumer_that_waits() {
    for end in [&["release"][..], &["cancel"], &["clear", "--yes", "--force"]] {
        let scene = one_at_a_time("");
        let (_holder, id) = paused(&scene);
        let resumer = Group::of(&scene, &["run", "--resume", &id, "--wait", "--", "true"]);
        scene.until("waiting", 1);
        scene.ok(&[end, &[id.as_str()]].concat());
        let said = resumer.end();
        assert_eq!(said.code, 75, "{end:?}: {said:?}");
        assert_eq!(scene.state_of(&id), "gone", "{end:?}");
    }
}

#[test]
fn a_conflict_code_of_ones_own_counts_for_a_resumed_one_too() {
    let scene = one_at_a_time("");
    let (_holder, id) = paused(&scene);
    scene.fails(9, &["run", "--resume", &id, "-E", "9", "--", "true"]);
    scene.fails(9, &["acquire", "--resume", &id, "-E", "9", "-w", "50ms"]);
}
