//! `acquire`, `release`, `renew` and the time to live; the environment of a wrapped command.

use std::collections::BTreeMap;
use std::process::Stdio;

use crate::harness::{Said, Scene, eventually};
use crate::steps::{done, text};

const PROD: &str = "[environments.prod]\ncontainers = [\"web-1\", \"web-2\"]\n[applications.shop]\n";

#[test]
fn acquire_prints_the_id_and_nothing_else() {
    let scene = Scene::new();
    for more in [&[][..], &["-v"], &["-q"], &["--wait"], &["--ttl", "1h", "--reason", "r"]] {
        let said = scene.run(&[&["acquire", "-l", "x"], more].concat());
        assert_eq!(said.code, 0, "{said:?}");
        let id = said.out.strip_suffix('\n').expect("one line");
        assert_eq!(scene.state_of(id), "held");
        assert!(!id.contains(char::is_whitespace));
        scene.ok(&["release", id]);
    }
}

#[test]
fn acquire_prints_nothing_on_stdout_unless_it_holds() {
    let scene = Scene::with_topology(PROD);
    scene.hold(&["-l", "x", "-e", "prod", "--exclusive"]);
    for (code, args) in [
        (75, &["-l", "x", "-n"][..]),
        (75, &["-l", "x", "-w", "10ms"]),
        (75, &["-e", "prod"]),
        (2, &["-e", "nowhere"]),
        (2, &[]),
        (3, &["--resume", "1-aaaaaa"]),
    ] {
        let said = scene.fails(code, &[&["acquire"], args].concat());
        assert_eq!(said.out, "", "{args:?}");
        assert_ne!(said.err, "", "{args:?}");
    }
}

#[test]
fn acquire_whose_reader_is_gone_holds_nothing() {
    let scene = Scene::new();
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let said = done(scene.command(&["acquire", "-l", "x"]).stdout(writer));
    assert_ne!(said.code, 0, "{said:?}");
    assert!(!said.err.contains("panicked"), "{}", said.err);
    assert!(scene.list()["deployments"].as_array().unwrap().is_empty());
    assert!(scene.could_have(&["-l", "x"]));
}

#[test]
fn what_acquire_took_stays_held_until_it_is_released() {
    let scene = Scene::new();
    let id = scene.hold(&["-l", "x"]);
    scene.refused(&["-l", "x"]);
    let said = scene.run(&["release", &id]);
    assert_eq!((said.code, said.out.as_str(), said.err.as_str()), (0, "", ""));
    assert!(scene.could_have(&["-l", "x"]));
}

#[test]
fn release_takes_the_id_of_its_environment_by_default() {
    let scene = Scene::new();
    let id = scene.hold(&["-l", "x"]);
    let said = done(scene.command(&["release"]).env("DEPLOYLOCK_ID", &id));
    assert_eq!(said.code, 0, "{said:?}");
    assert_eq!(scene.state_of(&id), "gone");
    scene.fails(2, &["release"]);
}

#[test]
fn release_takes_several_ids() {
    let scene = Scene::new();
    let ids = [scene.hold(&["-l", "x"]), scene.hold(&["-l", "y"]), scene.hold(&["-l", "z"])];
    scene.ok(&["release", &ids[0], &ids[1]]);
    assert_eq!(scene.in_state("held").len(), 1);
    scene.fails(3, &["release", &ids[0], &ids[2]]);
    assert!(scene.in_state("held").is_empty(), "one that is gone does not keep the others");
}

#[test]
fn release_of_what_is_not_there_is_3_and_changes_nothing() {
    let scene = Scene::new();
    let id = scene.hold(&["-l", "x"]);
    let before = scene.list();
    let number = id.split_once('-').unwrap().0;
    for wrong in [format!("{number}-aaaaaa"), format!("9{id}")] {
        let said = scene.fails(3, &["release", &wrong]);
        assert_ne!(said.err, "");
    }
    assert_ne!(scene.run(&["release", number]).code, 0, "a part of an id releases nothing");
    assert_eq!(scene.list(), before);
    scene.ok(&["release", &id]);
    scene.fails(3, &["release", &id]);
}

#[test]
fn release_in_a_store_that_is_not_there_yet_is_3() {
    let scene = Scene::new();
    scene.fails(3, &["release", "1-aaaaaa"]);
    scene.fails(3, &["renew", "1-aaaaaa"]);
    scene.fails(3, &["cancel", "1-aaaaaa"]);
    scene.fails(3, &["clear", "1-aaaaaa", "--yes"]);
    scene.fails(3, &["wait", "1-aaaaaa"]);
}

#[test]
fn release_after_it_was_cleared_and_taken_by_another_is_3_and_changes_nothing() {
    let scene = Scene::new();
    let first = scene.hold(&["-l", "x"]);
    scene.ok(&["clear", "--yes", &first]);
    let second = scene.hold(&["-l", "x"]);
    let before = scene.list();
    scene.fails(3, &["release", &first]);
    scene.fails(3, &["renew", &first, "--ttl", "1h"]);
    assert_eq!(scene.list(), before);
    scene.ok(&["release", &second]);
}

/// Takes a lock whose time to live is over.
fn expired(scene: &Scene) -> String {
    let id = scene.hold(&["-l", "x", "--ttl", "20ms"]);
    eventually("the time to live passes", || !scene.deployment(&id).unwrap()["stale"].is_null());
    id
}

#[test]
fn one_s_own_that_has_expired_but_was_not_taken_is_released_as_usual() {
    let scene = Scene::new();
    let id = expired(&scene);
    scene.ok(&["release", &id]);
    assert_eq!(scene.state_of(&id), "gone");
}

#[test]
fn a_ttl_that_has_passed_makes_it_stale_and_the_next_takes_it() {
    let scene = Scene::new();
    let first = expired(&scene);
    assert_eq!(scene.state_of(&first), "held");
    let shown = scene.ok(&["list"]);
    assert!(shown.contains("stale"), "{shown}");
    let second = scene.hold(&["-l", "x"]);
    assert_eq!(scene.state_of(&first), "gone");
    scene.fails(3, &["release", &first]);
    assert_eq!(scene.state_of(&second), "held");
}

#[test]
fn a_waiter_is_let_in_when_the_holder_s_ttl_passes() {
    let scene = Scene::new();
    scene.hold(&["-l", "x", "--ttl", "700ms"]);
    let said = scene.start(&["acquire", "-l", "x", "--wait"]).end();
    assert_eq!(said.code, 0, "{said:?}");
    assert_eq!(scene.state_of(said.out.trim()), "held");
}

#[test]
fn renew_starts_the_ttl_again_or_sets_a_new_one() {
    let scene = Scene::new();
    let id = scene.hold(&["-l", "x", "--ttl", "1h"]);
    let expires = || text(&scene.deployment(&id).unwrap()["expires"]);
    let first = expires();
    eventually("a renewal moves the end", || {
        scene.ok(&["renew", &id]);
        expires() > first
    });
    scene.ok(&["renew", "--ttl", "2h", &id]);
    let later = expires();
    assert!(later > first && later[..13] != first[..13], "{first} {later}");
    let said = done(scene.command(&["renew", "--ttl", "30ms"]).env("DEPLOYLOCK_ID", &id));
    assert_eq!(said.code, 0, "{said:?}");
    eventually("the shortened ttl passes", || !scene.deployment(&id).unwrap()["stale"].is_null());
    scene.fails(3, &["renew", "1-aaaaaa"]);
}

#[test]
fn renew_gives_a_ttl_to_what_had_none() {
    let scene = Scene::new();
    let id = scene.hold(&["-l", "x"]);
    assert!(scene.deployment(&id).unwrap()["expires"].is_null());
    assert_ne!(scene.run(&["renew", &id]).code, 0, "there is nothing to start again");
    scene.ok(&["renew", &id, "--ttl", "90"]);
    assert!(!scene.deployment(&id).unwrap()["expires"].is_null());
}

#[test]
fn a_ttl_of_zero_and_zero_slots_are_errors() {
    let scene = Scene::new();
    for wrong in [&["--ttl", "0"][..], &["--ttl", "0s"], &["--ttl", "soon"], &["--slots", "0"]] {
        scene.fails(2, &[&["acquire", "-l", "x"], wrong].concat());
        scene.fails(2, &[&["run", "-l", "x"], wrong, &["--", "true"]].concat());
    }
    let id = scene.hold(&["-l", "x"]);
    scene.fails(2, &["renew", &id, "--ttl", "0"]);
}

#[test]
fn an_owner_process_that_is_gone_makes_it_stale() {
    let scene = Scene::new();
    let mut child = scene.program("cat").stdin(Stdio::piped()).spawn().unwrap();
    let pid = child.id();
    let id = scene.hold(&["-l", "x", "--owner-pid", &pid.to_string()]);
    assert_eq!(scene.deployment(&id).unwrap()["pid"], pid);
    scene.refused(&["-l", "x"]);
    scene.fails(1, &["clear", "--yes", &id]);
    drop(child.stdin.take());
    child.wait().unwrap();
    assert!(!scene.deployment(&id).unwrap()["stale"].is_null());
    scene.hold(&["-l", "x"]);
    scene.fails(3, &["release", &id]);
}

#[test]
fn the_record_says_who_what_why_and_where() {
    let scene = Scene::with_topology(PROD);
    let id = scene.hold(&[
        "-e",
        "prod",
        "-a",
        "shop",
        "--app-version",
        "2.1",
        "--operation",
        "rollback",
        "-c",
        "web-1",
        "--reason",
        "bad release",
        "--owner",
        "ann",
        "--url",
        "https://ci/7",
        "--ttl",
        "1h 30m",
    ]);
    let d = scene.deployment(&id).unwrap();
    for (field, value) in [
        ("environment", "prod"),
        ("application", "shop"),
        ("version", "2.1"),
        ("operation", "rollback"),
        ("reason", "bad release"),
        ("owner", "ann"),
        ("url", "https://ci/7"),
    ] {
        assert_eq!(d[field], value, "{field}");
    }
    assert_eq!(d["containers"], serde_json::json!(["web-1"]));
    let id = scene.hold(&["-l", "x"]);
    let d = scene.deployment(&id).unwrap();
    assert_eq!(text(&d["owner"]), format!("tester@{}", text(&d["host"])));
}

#[test]
fn an_operation_changes_no_lock() {
    let scene = Scene::with_topology(PROD);
    let mut seen = Vec::new();
    for operation in ["deploy", "update", "undeploy", "rollback"] {
        let id = scene.hold(&["-e", "prod", "-a", "shop", "--operation", operation]);
        let d = scene.deployment(&id).unwrap();
        assert_eq!(d["operation"], operation);
        seen.push(d["locks"].clone());
        scene.ok(&["release", &id]);
    }
    seen.dedup();
    assert_eq!(seen.len(), 1);
    scene.fails(2, &["acquire", "-e", "prod", "--operation", "destroy"]);
}

/// What a command printed by `env` was told by deploylock.
fn variables(said: &Said) -> BTreeMap<String, String> {
    assert_eq!(said.code, 0, "{said:?}");
    let lines = said.out.lines().filter_map(|l| l.strip_prefix("DEPLOYLOCK_")?.split_once('='));
    let mut found: BTreeMap<String, String> = lines.map(|(k, v)| (k.to_owned(), v.to_owned())).collect();
    found.remove("DIR");
    found
}

#[test]
fn a_wrapped_command_is_told_everything() {
    let scene = Scene::with_topology(PROD);
    let script = "env; deploylock list --format json | grep -q \"$DEPLOYLOCK_ID\"";
    let said = scene.run(&[
        "run",
        "-e",
        "prod",
        "-a",
        "shop",
        "--app-version",
        "2.1",
        "-l",
        "x",
        "--",
        "sh",
        "-c",
        script,
    ]);
    let told = variables(&said);
    assert_eq!(told["ENV"], "prod");
    assert_eq!(told["APP"], "shop");
    assert_eq!(told["APP_VERSION"], "2.1");
    let mut locks: Vec<&str> = told["LOCKS"].split(' ').collect();
    locks.sort();
    assert_eq!(
        locks,
        [
            "application:shop@prod",
            "container:web-1",
            "container:web-2",
            "deployed-application:shop@prod",
            "environment:prod",
            "name:x"
        ]
    );
    let first: u64 = told["TOKEN"].parse().unwrap();
    let later = variables(&scene.run(&["run", "-l", "x", "--", "env"]));
    assert!(later["TOKEN"].parse::<u64>().unwrap() > first, "of two grants the later has the larger");
    assert_ne!(told["ID"], later["ID"]);
    assert_eq!(later.keys().collect::<Vec<_>>(), ["ID", "LOCKS", "TOKEN"], "what does not apply is not set");
}

#[test]
fn a_nested_run_clears_what_the_outer_one_said() {
    let scene = Scene::with_topology(PROD);
    let nested = "deploylock run -l y -- env; echo \"OUTER=$DEPLOYLOCK_ID\"";
    let said =
        scene.run(&["run", "-e", "prod", "-a", "shop", "--app-version", "2.1", "--", "sh", "-c", nested]);
    let told = variables(&said);
    assert_eq!(told.keys().collect::<Vec<_>>(), ["ID", "LOCKS", "TOKEN"]);
    assert_eq!(told["LOCKS"], "name:y");
    assert!(!said.out.contains(&format!("OUTER={}\n", told["ID"])), "it has an id of its own");
}

#[test]
fn a_version_that_an_outer_caller_set_does_not_reach_the_command() {
    let scene = Scene::new();
    let mut command = scene.command(&["run", "-l", "x", "--", "env"]);
    let said = done(command.env("DEPLOYLOCK_VERSION", "7").env("DEPLOYLOCK_APP", "old"));
    assert_eq!(variables(&said).keys().collect::<Vec<_>>(), ["ID", "LOCKS", "TOKEN"]);
}

/// An environment that allows one deployment, held; the id of a second one, which is paused.
fn paused_behind_a_holder() -> (Scene, String, String) {
    let scene =
        Scene::with_topology("[environments.e]\ncontainers = ['c']\nallow_concurrent_deployments = false\n");
    let held = scene.ok(&["acquire", "-e", "e"]);
    assert_eq!(scene.run(&["acquire", "-e", "e"]).code, 75);
    let paused = scene.in_state("paused").remove(0)["id"].as_str().unwrap().to_owned();
    (scene, held, paused)
}

#[test]
fn one_that_is_killed_while_it_is_resumed_is_paused_as_before() {
    let (scene, held, paused) = paused_behind_a_holder();
    let mut resumer = scene.start(&["acquire", "--resume", &paused, "--wait"]);
    let waiting = scene.until("waiting", 1).remove(0);
    assert_eq!(waiting["id"], paused.as_str());
    assert!(scene.in_state("paused").is_empty(), "it stands in one place only");
    resumer.signal("KILL");
    eventually("it is gone", || !resumer.is_running());
    scene.ok(&["clear", "--stale"]);
    assert_eq!(scene.in_state("paused").len(), 1);
    scene.ok(&["release", &held]);
    assert_eq!(scene.ok(&["acquire", "--resume", &paused, "-n"]), paused);
    assert!(scene.in_state("paused").is_empty());
}

#[test]
fn one_that_is_cancelled_while_it_is_resumed_is_gone() {
    let (scene, _, paused) = paused_behind_a_holder();
    let resumer = scene.start(&["acquire", "--resume", &paused, "--wait"]);
    scene.until("waiting", 1);
    scene.ok(&["cancel", &paused]);
    assert_eq!(resumer.end().code, 75);
    assert!(scene.in_state("paused").is_empty());
}

#[test]
fn one_whose_resumed_wait_ran_out_is_paused_since_then() {
    let (scene, _, paused) = paused_behind_a_holder();
    let before = scene.in_state("paused").remove(0);
    assert_eq!(scene.run(&["acquire", "--resume", &paused, "-w", "1100ms"]).code, 75);
    let after = scene.in_state("paused").remove(0);
    assert_eq!(after["id"], paused.as_str());
    assert!(after["since"].as_str() > before["since"].as_str(), "{before} {after}");
    let history = scene.ok(&["history", &paused]);
    assert_eq!(history.matches(" paused ").count(), 2, "{history}");
}

#[test]
fn the_lock_that_an_unreadable_record_blocks_is_shown() {
    let scene = Scene::new();
    let id = scene.ok(&["acquire", "-l", "bad"]);
    std::fs::write(scene.path("locks/deployments/detached").join(&id), "garbage").unwrap();
    let list = scene.list();
    assert_eq!(list["locks"][0]["lock"], "name:bad");
    assert_eq!(list["locks"][0]["holders"][0]["id"], id.as_str());
    let shown = scene.ok(&["list", "--lock", "name:bad"]);
    assert!(shown.contains("name:bad") && shown.contains(&id) && shown.contains("unreadable"), "{shown}");
}
