//! What a person holds is waited for, or not.

use super::{CRASH_HOLD, HOLD, crashed, failed, one_at_a_time};
use crate::harness::Scene;
use crate::steps::text;
use crate::tools::*;

const FREEZE: &[&str] = &["-e", "prod", "--exclusive", "--reason", "year-end freeze", "--ttl", "3d"];

#[test]
fn a_freeze_is_not_queued_behind_where_that_is_said() {
    let scene = Scene::with_topology("[environments.prod]\ncontainers = ['web']\n");
    let freeze = scene.hold(FREEZE);
    for command in [
        &["run", "--wait", "-e", "prod", "--no-wait-for-manual", "--", "touch", "ran"][..],
        &["acquire", "-w", "1h", "-e", "prod", "--no-wait-for-manual"],
        &["wait", "-e", "prod", "-n"],
    ] {
        let said = scene.fails(75, command);
        assert!(said.err.contains("year-end freeze") || command[0] == "wait", "{said:?}");
        assert!(said.err.contains(&freeze) || command[0] == "wait", "{said:?}");
    }
    let said = scene.fails(75, &["run", "--wait", "-e", "prod", "--no-wait-for-manual", "--", "true"]);
    assert!(said.err.contains("what a person holds is not waited for"), "{said:?}");
    assert_eq!(scene.list()["deployments"].as_array().unwrap().len(), 1, "nothing is paused");
    assert!(!scene.path("ran").exists());
}

#[test]
fn the_environment_may_say_so_in_either_spelling() {
    for key in ["wait_for_manual", "waitForManual"] {
        let scene = one_at_a_time(&format!("{key} = false\nenable_lock_retry = true\n"));
        let held = scene.hold(&["-e", "prod"]);
        let said = scene.fails(75, &["run", "--wait", "-e", "prod", "--", "true"]);
        assert!(said.err.contains("what a person holds is not waited for"), "{said:?}");
        scene.ok(&["release", &held]);
        scene.ok(&["run", "-e", "prod", "--", "true"]);
    }
    let scene = one_at_a_time("wait_for_manual = false\nwaitForManual = false\n");
    scene.fails(78, &["check"]);
}

#[test]
fn a_run_is_waited_for_and_so_is_what_ends_with_a_process() {
    let scene = one_at_a_time("wait_for_manual = false\n");
    let mut run = holder(&scene, &["-e", "prod"]);
    let next = waiter(&scene, &["-e", "prod"]);
    run.let_go();
    run.end();
    soon_held(&scene, &next);
    drop(next);
    let owner = std::process::id().to_string();
    let scene = one_at_a_time("wait_for_manual = false\n");
    scene.ok(&["acquire", "-e", "prod", "--owner-pid", &owner]);
    waiter(&scene, &["-e", "prod"]);
}

#[test]
fn what_failed_or_crashed_and_was_kept_is_a_persons() {
    for (keep, make) in [(HOLD, failed as fn(&Scene) -> String), (CRASH_HOLD, crashed)] {
        let scene = one_at_a_time(keep);
        let id = make(&scene);
        let said = scene.fails(75, &["run", "--wait", "-e", "prod", "--no-wait-for-manual", "--", "true"]);
        assert!(said.err.contains(&id), "{said:?}");
    }
}

#[test]
fn a_waiter_gives_up_when_what_it_waits_for_becomes_a_persons() {
    let scene = one_at_a_time(&format!("{HOLD}wait_for_manual = false\n"));
    let run = Group::of(&scene, &["run", "-e", "prod", "--", "sh", "-c", "cat; exit 3"]);
    scene.until("held", 1);
    let next = waiter(&scene, &["-e", "prod"]);
    let behind = waiter(&scene, &["-e", "prod"]);
    let mut run = run;
    run.let_go();
    assert_eq!(run.end().code, 3);
    for waiter in [next, behind] {
        let said = waiter.end();
        assert_eq!(said.code, 75, "{said:?}");
    }
    assert_eq!(only(&scene)["exit_status"], 3);
}

#[test]
fn a_resumed_one_does_not_wait_for_a_person_either() {
    let scene = one_at_a_time("wait_for_manual = false\n");
    let run = holder(&scene, &["-e", "prod"]);
    scene.fails(75, &["acquire", "-e", "prod"]);
    let paused = text(&scene.until("paused", 1)[0]["id"]);
    drop(run);
    let freeze = scene.hold(FREEZE);
    for args in [
        &["acquire", "--resume", &paused, "--wait"][..],
        &["run", "--resume", &paused, "--wait", "--", "true"],
    ] {
        let said = scene.fails(75, args);
        assert!(said.err.contains(&freeze), "{said:?}");
        assert_eq!(scene.state_of(&paused), "paused");
    }
}
