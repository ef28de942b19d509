//! `wait`: for a deployment, or until a target could be had; it takes nothing.

use std::time::{Duration, Instant};

use crate::harness::Scene;
use crate::steps::text;

#[test]
fn wait_for_a_deployment_lasts_until_it_holds() {
    let scene = Scene::new();
    let holder = scene.hold(&["-l", "x"]);
    let waiter = scene.deploy(&["-l", "x", "--wait"]);
    let id = text(&scene.until("waiting", 1)[0]["id"]);
    let mut wait = scene.start(&["wait", &id]);
    wait.told();
    scene.fails(75, &["wait", &id, "-n"]);
    assert!(wait.is_running());
    scene.ok(&["release", &holder]);
    let said = wait.end();
    assert_eq!((said.code, said.out.as_str()), (0, ""), "{said:?}");
    assert_eq!(scene.state_of(&id), "held");
    scene.ok(&["wait", &id]);
    assert_eq!(waiter.finish().code, 0);
}

#[test]
fn wait_for_a_deployment_ends_when_it_is_gone() {
    let scene = Scene::new();
    scene.hold(&["-l", "x"]);
    for how in ["cancel", "clear"] {
        let waiter = scene.start(&["acquire", "-l", "x", "--wait"]);
        let id = text(&scene.until("waiting", 1)[0]["id"]);
        let mut wait = scene.start(&["wait", &id]);
        assert!(wait.told().contains("wait"));
        match how {
            "cancel" => scene.ok(&["cancel", &id]),
            _ => scene.ok(&["clear", "--yes", "--force", &id]),
        };
        assert_eq!(wait.end().code, 0);
        assert_eq!(waiter.end().code, 75);
        scene.fails(3, &["wait", &id]);
    }
}

#[test]
fn wait_for_a_deployment_has_its_bounds_and_its_exit_code() {
    let scene = Scene::new();
    scene.hold(&["-l", "x"]);
    let waiter = scene.start(&["acquire", "-l", "x", "--wait"]);
    let id = text(&scene.until("waiting", 1)[0]["id"]);
    for (code, more) in [
        (75, &["-n"][..]),
        (75, &["-w", "100ms"]),
        (75, &["--wait=100ms"]),
        (9, &["-n", "-E", "9"]),
        (9, &["-w", "100ms", "-E", "9"]),
    ] {
        scene.fails(code, &[&["wait", &id], more].concat());
    }
    assert_eq!(scene.state_of(&id), "waiting", "it was not disturbed");
    drop(waiter);
}

#[test]
fn wait_for_a_target_lasts_until_it_could_be_had_and_takes_nothing() {
    let scene = Scene::new();
    scene.ok(&["wait", "-l", "x"]);
    let holder = scene.hold(&["-l", "x"]);
    let before = scene.list();
    let mut wait = scene.start(&["wait", "-l", "x"]);
    assert!(wait.told().contains("name:x"));
    for (code, more) in [
        (75, &["-n"][..]),
        (75, &["-w", "100ms"]),
        (9, &["-n", "-E", "9"]),
        (9, &["--wait=100ms", "--conflict-exit-code", "9"]),
    ] {
        let said = scene.fails(code, &[&["wait", "-l", "x"], more].concat());
        assert_eq!(said.out, "");
        assert!(said.err.contains("name:x"), "{}", said.err);
    }
    assert_eq!(scene.list(), before, "it takes no place in the queue");
    assert!(wait.is_running());
    scene.ok(&["release", &holder]);
    assert_eq!(wait.end().code, 0);
    assert!(scene.list()["deployments"].as_array().unwrap().is_empty());
}

#[test]
fn wait_with_a_bound_lasts_that_long() {
    let scene = Scene::new();
    scene.hold(&["-l", "x"]);
    let began = Instant::now();
    scene.fails(75, &["wait", "-l", "x", "-w", "1"]);
    assert!(began.elapsed() >= Duration::from_secs(1));
}

#[test]
fn wait_for_a_target_follows_modes_and_topology() {
    let scene = Scene::with_topology(
        "[environments.prod]\ncontainers = [\"a\"]\n[environments.test]\ncontainers = [\"b\"]\n",
    );
    scene.hold(&["-e", "prod", "-l", "s", "--shared"]);
    scene.ok(&["wait", "-n", "-e", "prod"]);
    scene.fails(75, &["wait", "-n", "-e", "prod", "--exclusive"]);
    scene.ok(&["wait", "-n", "-e", "test", "--exclusive"]);
    scene.ok(&["wait", "-n", "-l", "s", "--shared"]);
    scene.fails(75, &["wait", "-n", "-l", "s"]);
    scene.fails(2, &["wait", "-n", "-e", "nowhere"]);
    scene.fails(2, &["wait"]);
    scene.fails(3, &["wait", "1-aaaaaa"]);
}

#[test]
fn several_that_wait_for_the_same_target_are_all_told() {
    let scene = Scene::new();
    let holder = scene.hold(&["-l", "x"]);
    let mut waits: Vec<_> = (0..3).map(|_| scene.start(&["wait", "-l", "x"])).collect();
    waits.iter_mut().for_each(|wait| drop(wait.told()));
    scene.ok(&["release", &holder]);
    for wait in waits {
        assert_eq!(wait.end().code, 0);
    }
}
