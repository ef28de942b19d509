//! Waiting in spite of a freeze: until its end, in a queue when it begins, and not longer than was said.

use std::time::{Instant, SystemTime};

use super::{HOUR, acquired, frozen, set, topology};
use crate::harness::{Scene, eventually};
use crate::steps::text;

/// Soon enough for a test, late enough for a busy machine to start something before.
const SHORT: i64 = 4_000;

fn now() -> SystemTime {
    SystemTime::now()
}

#[test]
fn who_may_wait_longer_than_the_freeze_waits_for_its_end() {
    for wait in [&["--wait"][..], &["-w", "10m"], &["--wait=10m"]] {
        let scene = Scene::with_topology(&topology(&[(-HOUR, SHORT, "")]));
        let before = now();
        let mut run = scene.start(&[&["run"], wait, &["-e", "prod", "--", "true"]].concat());
        assert!(run.told().contains("environment:prod is frozen until"));
        assert_eq!(scene.list()["deployments"], serde_json::json!([]), "it stands in nobody's way");
        assert_eq!(run.end().code, 0);
        assert!(now().duration_since(before).unwrap().as_millis() + 200 >= SHORT as u128);
        assert_eq!(acquired(&scene)[0]["override"], serde_json::Value::Null);
    }
}

#[test]
fn who_may_not_wait_that_long_is_refused_at_once() {
    let scene = frozen("");
    let began = Instant::now();
    let said = scene.fails(75, &["acquire", "-w", "30m", "-e", "prod"]);
    assert!(said.err.contains(" acquire --env=prod --override-freeze REASON"));
    // The second window opens before the first has closed: the freeze is longer than either.
    let scene = Scene::with_topology(&topology(&[(-HOUR, 20 * 60_000, ""), (10 * 60_000, HOUR, "")]));
    let said = scene.fails(75, &["acquire", "-w", "30m", "-e", "prod"]);
    assert!(said.err.contains("all over"), "{said:?}");
    assert!(began.elapsed().as_secs() < 60);
}

#[test]
fn a_freeze_without_end_is_not_waited_for() {
    let windows = "[[environments.prod.freeze]]\nreason = 'closed'\ncron = '* * * * *'\nduration = '2m'\n";
    let scene = Scene::with_topology(windows);
    let said = scene.fails(75, &["run", "--wait", "-e", "prod", "--", "true"]);
    assert!(said.err.contains("is frozen with no end in sight: \"closed\""), "{said:?}");
    scene.fails(75, &["wait", "-e", "prod"]);
    assert!(scene.ok(&["check"]).contains("never closes"));
}

#[test]
fn a_signal_ends_the_wait_for_the_end() {
    let scene = frozen("");
    for command in [&["run"][..], &["acquire"]] {
        let tail: &[&str] = if command == ["run"] { &["--", "true"] } else { &[] };
        let mut waits = scene.start(&[command, &["--wait", "-e", "prod"], tail].concat());
        waits.told();
        waits.signal("TERM");
        assert_eq!(waits.end().code, 128 + 15);
    }
    assert_eq!(scene.list()["deployments"], serde_json::json!([]));
}

#[test]
fn who_is_in_the_queue_when_a_freeze_begins_gives_up() {
    let scene = Scene::with_topology(&topology(&[]));
    let id = scene.hold(&["-e", "prod"]);
    set(&scene, &[(SHORT, HOUR, "")]);
    let waits = scene.start(&["run", "-w", "20m", "-e", "prod", "--", "true"]);
    scene.until("waiting", 1);
    let said = waits.end();
    assert_eq!(said.code, 75, "{said:?}");
    assert!(said.err.contains("not acquired: environment:prod is frozen until"), "{said:?}");
    assert_eq!(scene.state_of(&id), "held");
    assert_eq!(scene.list()["deployments"].as_array().unwrap().len(), 1);
}

#[test]
fn who_may_wait_longer_leaves_the_queue_for_the_freeze_and_joins_it_again() {
    let scene = Scene::with_topology(&topology(&[]));
    let id = scene.hold(&["-e", "prod"]);
    set(&scene, &[(SHORT, 2 * SHORT, "")]);
    let waits = scene.start(&["run", "--wait", "-e", "prod", "--", "true"]);
    let first = crate::tools::id(&scene.until("waiting", 1)[0]);
    scene.until("waiting", 0);
    let again = crate::tools::id(&scene.until("waiting", 1)[0]);
    assert_ne!(first, again);
    scene.ok(&["release", &id]);
    let said = waits.end();
    assert_eq!(said.code, 0, "{said:?}");
    assert!(said.err.contains("acquired after"), "{said:?}");
}

#[test]
fn who_overrides_stays_in_the_queue() {
    let scene = Scene::with_topology(&topology(&[]));
    let id = scene.hold(&["-e", "prod"]);
    let opens = now();
    set(&scene, &[(SHORT / 4, HOUR, "")]);
    let waits = scene.start(&["run", "--wait", "-e", "prod", "--override-freeze", "hotfix", "--", "true"]);
    let waiter = crate::tools::id(&scene.until("waiting", 1)[0]);
    eventually("the freeze", || now().duration_since(opens).unwrap().as_millis() > SHORT as u128 / 4);
    scene.fails(75, &["acquire", "-n", "-e", "prod"]);
    assert_eq!(scene.state_of(&waiter), "waiting");
    scene.ok(&["release", &id]);
    assert_eq!(waits.end().code, 0);
    assert_eq!(text(&acquired(&scene)[1]["override"]), "hotfix (in spite of the freeze: year end)");
}

#[test]
fn a_grant_that_is_noticed_only_in_the_freeze_is_given_back() {
    let scene = Scene::with_topology(&topology(&[]));
    let id = scene.hold(&["-e", "prod"]);
    let opens = now();
    set(&scene, &[(SHORT, HOUR, "")]);
    let waits = scene.start(&["run", "-w", "20m", "-e", "prod", "--", "touch", "ran"]);
    scene.until("waiting", 1);
    waits.signal("STOP");
    scene.ok(&["release", &id]);
    scene.until("held", 1);
    eventually("the freeze", || now().duration_since(opens).unwrap().as_millis() > SHORT as u128 + 100);
    waits.signal("CONT");
    let said = waits.end();
    assert_eq!(said.code, 75, "{said:?}");
    assert!(said.err.contains("is frozen until"), "{said:?}");
    assert!(!scene.path("ran").exists());
    assert_eq!(scene.list()["deployments"], serde_json::json!([]));
}

#[test]
fn wait_waits_for_the_end_too_and_takes_nothing() {
    let scene = Scene::with_topology(&topology(&[(-HOUR, SHORT, "")]));
    let began = now();
    scene.fails(75, &["wait", "-n", "-e", "prod"]);
    scene.fails(75, &["wait", "-w", "1", "-e", "prod"]);
    scene.ok(&["wait", "-n", "-e", "uat"]);
    scene.ok(&["wait", "-w", "10m", "-e", "prod"]);
    assert!(now().duration_since(began).unwrap().as_millis() + 200 >= SHORT as u128);
    assert!(!scene.locks().exists(), "not even a lock directory");
}
