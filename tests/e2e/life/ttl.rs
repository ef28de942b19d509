//! Time to live and locks that go while a command runs: `renew`, `run --ttl`, `run --id`, `--on-lost`.

use super::events;
use crate::harness::{Scene, eventually};
use crate::tools::*;

#[test]
fn what_runs_under_an_acquired_one_shares_its_id_and_leaves_its_locks() {
    let scene = Scene::new();
    let held = scene.hold(&["-l", "a", "-l", "b"]);
    for step in ["one", "two"] {
        let script = format!("echo {step} $DEPLOYLOCK_ID $DEPLOYLOCK_LOCKS");
        let said = scene.ok(&["run", "--id", &held, "--", "sh", "-c", &script]);
        assert_eq!(said, format!("{step} {held} name:a name:b"));
        assert!(!is_free(&scene, &["-l", "a"]));
    }
    scene.fails(5, &["run", "--id", &held, "--", "sh", "-c", "exit 5"]);
    scene.fails(127, &["run", "--id", &held, "--", "no-such-command"]);
    assert_eq!(scene.state_of(&held), "held");
    scene.ok(&["release", &held]);
    let gone = scene.fails(3, &["run", "--id", &held, "--", "touch", "ran"]);
    assert!(gone.err.contains(&held) && !scene.path("ran").exists(), "{gone:?}");
}

#[test]
fn only_what_acquire_returned_is_run_under() {
    let scene = Scene::new();
    let _run = holder(&scene, &["-l", "a"]);
    let said = scene.fails(1, &["run", "--id", &id(&only(&scene)), "--", "true"]);
    assert!(said.err.contains("belongs to a `deploylock run`"), "{said:?}");
    let _waits = waiter(&scene, &["-l", "a"]);
    let waiting = id(&scene.in_state("waiting")[0]);
    scene.fails(3, &["run", "--id", &waiting, "--", "true"]);
    for more in [&["--reason", "x"][..], &["--ttl", "1h"], &["-n"], &["-l", "b"], &["--resource", "x"]] {
        scene.fails(2, &[&["run", "--id", &waiting], more, &["--", "true"]].concat());
    }
}

#[test]
fn a_run_inside_counts_what_it_runs_under_as_held() {
    let scene = Scene::new();
    let held = scene.hold(&["-l", "a"]);
    let script = "deploylock run -n -l a -l b -- sh -c 'echo $DEPLOYLOCK_LOCKS'";
    assert_eq!(scene.ok(&["run", "--id", &held, "--", "sh", "-c", script]), "name:a name:b");
    assert_eq!(id(&only(&scene)), held);
}

#[test]
fn its_time_to_live_is_renewed_from_the_first_moment_on() {
    let scene = Scene::new();
    let held = scene.hold(&["-l", "a", "--ttl", "1h"]);
    let before = only(&scene)["expires"].clone();
    scene.ok(&["renew", &held, "--ttl", "50s"]);
    let shorter = only(&scene)["expires"].clone();
    assert!(shorter.as_str() < before.as_str());
    // It starts when most of the time is over, and its first third is longer than what is left.
    scene.ok(&["renew", &held, "--ttl", "3s"]);
    let last = || only(&scene)["expires"].as_str().unwrap_or_default().to_owned();
    let most = last();
    eventually("most of the time is over", || now() + 1.0 >= seconds(&most));
    let mut run = Group::of(&scene, &["run", "--id", &held, "--", "cat"]);
    let next = waiter(&scene, &["-l", "a"]);
    eventually("the first time is over", || now() > seconds(&most) + 4.0);
    assert_eq!(state(&scene, &next), "waiting");
    assert!(run.is_running());
    run.let_go();
    assert_eq!(run.end().code, 0);
    assert_eq!(scene.state_of(&held), "held");
    // Nobody renews it any more.
    soon_held(&scene, &next);
    assert!(events(&scene, &held).iter().any(|e| e["event"] == "renewed" && e["by"] == "its run"));
}

#[test]
fn a_time_to_live_that_is_set_while_it_runs_is_renewed_too() {
    let scene = Scene::new();
    let held = scene.hold(&["-l", "a"]);
    let mut run = Group::of(&scene, &["run", "--id", &held, "--", "sh", "-c", "echo up > up; exec cat"]);
    until_written(&scene, "up");
    scene.ok(&["renew", &held, "--ttl", "2s"]);
    let first = only(&scene)["expires"].as_str().unwrap().to_owned();
    let next = waiter(&scene, &["-l", "a"]);
    eventually("the first time is over", || now() > seconds(&first) + 1.5);
    assert_eq!(state(&scene, &next), "waiting");
    assert!(run.is_running());
    run.let_go();
    assert_eq!(run.end().code, 0);
    soon_held(&scene, &next);
}

fn now() -> f64 {
    std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs_f64()
}

fn seconds(rfc3339: &str) -> f64 {
    let time = humantime::parse_rfc3339(rfc3339).unwrap();
    time.duration_since(std::time::UNIX_EPOCH).unwrap().as_secs_f64()
}

#[test]
fn a_command_ends_with_76_when_what_it_runs_under_goes() {
    for end in [&["release"][..], &["cancel"], &["clear", "--yes"]] {
        let scene = Scene::new();
        let held = scene.hold(&["-l", "a"]);
        let run = Group::of(&scene, &["run", "--id", &held, "--", "sh", "-c", "echo up > up; exec cat"]);
        until_written(&scene, "up");
        scene.ok(&[end, &[held.as_str()]].concat());
        let said = run.end();
        assert_eq!(said.code, 76, "{end:?}: {said:?}");
        assert!(said.err.contains(&format!("the locks of {held} were taken away")), "{said:?}");
        assert!(said.err.contains("ending it"), "{said:?}");
        nothing_left(&scene);
    }
}

#[test]
fn a_command_that_releases_what_it_runs_under_ends_with_76_however_short_it_is() {
    let scene = Scene::new();
    let held = scene.hold(&["-l", "a"]);
    let said = scene.fails(76, &["run", "--id", &held, "--", "deploylock", "release"]);
    assert!(said.err.contains(&format!("the locks of {held} were taken away")), "{said:?}");
    let held = scene.hold(&["-l", "a"]);
    scene.ok(&["run", "--id", &held, "--on-lost", "keep", "--", "deploylock", "release"]);
    nothing_left(&scene);
}

#[test]
fn what_waits_or_is_paused_has_no_time_to_renew() {
    let scene = super::one_at_a_time("");
    scene.hold(&["-e", "prod"]);
    scene.fails(75, &["acquire", "-e", "prod"]);
    let paused = id(&scene.in_state("paused")[0]);
    scene.fails(3, &["renew", &paused, "--ttl", "1h"]);
    let _waits = waiter(&scene, &["-e", "prod"]);
    scene.fails(3, &["renew", &id(&scene.in_state("waiting")[0]), "--ttl", "1h"]);
    scene.fails(3, &["renew", "7-aaaaaa"]);
}

#[test]
fn a_cleared_run_ends_its_command_unless_it_is_to_be_kept() {
    let scene = Scene::new();
    for keep in [false, true] {
        let script = "trap 'echo told > told; exit 4' TERM; echo up > up; read line; exit 6";
        let more: &[&str] = if keep { &["--on-lost", "keep"] } else { &[] };
        let args = [&["run", "-l", "a"], more, &["--", "sh", "-c", script]].concat();
        let mut run = scene.start_fed(&args);
        until_written(&scene, "up");
        scene.ok(&["clear", "--yes", "--force", &id(&only(&scene))]);
        if keep {
            assert!(is_free(&scene, &["-l", "a"]));
            assert!(run.is_running());
            let said = run.told();
            assert!(said.contains("goes on WITHOUT them (--on-lost keep)"), "{said:?}");
            assert_eq!(run.finish().code, 6);
            assert!(!scene.path("told").exists());
        } else {
            let said = run.end();
            assert_eq!(said.code, 76, "{said:?}");
            assert_eq!(read(&scene, "told"), "told");
            std::fs::remove_file(scene.path("told")).unwrap();
        }
        std::fs::remove_file(scene.path("up")).unwrap();
        nothing_left(&scene);
    }
}

#[test]
fn a_cleared_run_takes_nothing_from_its_successor() {
    let scene = Scene::new();
    let mut run = Group::of(
        &scene,
        &["run", "-l", "a", "--on-lost", "keep", "--", "sh", "-c", "echo up > up; exec cat"],
    );
    until_written(&scene, "up");
    scene.ok(&["clear", "--yes", "--force", &id(&only(&scene))]);
    let next = scene.hold(&["-l", "a"]);
    run.let_go();
    assert_eq!(run.end().code, 0);
    assert_eq!(scene.state_of(&next), "held");
}

#[test]
fn what_has_expired_is_not_run_under() {
    let scene = Scene::new();
    let held = scene.hold(&["-l", "a", "--ttl", "50ms"]);
    eventually("it is stale", || !only(&scene)["stale"].is_null());
    let said = scene.fails(3, &["run", "--id", &held, "--", "true"]);
    assert!(said.err.contains("its time to live has passed"), "{said:?}");
}
