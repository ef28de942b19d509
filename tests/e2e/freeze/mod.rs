//! Freeze windows: who is stopped, who passes, who waits, what is told. Windows are written relative to now.

mod told;
mod waits;

use std::time::{Duration, SystemTime};

use serde_json::Value;

use crate::harness::Scene;

const HOUR: i64 = 3_600_000;

/// A moment so many milliseconds from now, as the topology has it.
fn at(milliseconds: i64) -> String {
    let now = SystemTime::now();
    let by = Duration::from_millis(milliseconds.unsigned_abs());
    humantime::format_rfc3339_millis(if milliseconds < 0 { now - by } else { now + by }).to_string()
}

/// An environment `prod` where one at a time deploys, `uat` beside it, and these windows of `prod`: from, until
/// and further lines. Its first window stands on line 5.
fn topology(windows: &[(i64, i64, &str)]) -> String {
    let mut text = "[environments.prod]\nallow_concurrent_deployments = false\n".to_owned();
    text.push_str("containers = ['web']\n\n");
    for (from, until, more) in windows {
        let (from, until) = (at(*from), at(*until));
        text.push_str(&format!(
            "[[environments.prod.freeze]]\nreason = 'year end'\nfrom = {from}\nuntil = {until}\n{more}\n"
        ));
    }
    text.push_str("[environments.uat]\ncontainers = ['web-u']\n");
    text
}

fn frozen(more: &str) -> Scene {
    Scene::with_topology(&topology(&[(-HOUR, HOUR, more)]))
}

/// Writes these windows into the topology of a scene where things go on already.
fn set(scene: &Scene, windows: &[(i64, i64, &str)]) {
    std::fs::write(scene.path("deploylock.toml"), topology(windows)).unwrap();
}

fn acquired(scene: &Scene) -> Vec<Value> {
    let all = scene.ok(&["history", "--format", "json", "--event", "acquired"]);
    let all: Value = serde_json::from_str(&all).unwrap();
    all["events"].as_array().unwrap().clone()
}

#[test]
fn a_deployment_to_a_frozen_environment_is_refused_and_leaves_nothing() {
    let scene = frozen("");
    for (code, args) in [
        (75, &["run", "-e", "prod", "--", "touch", "ran"][..]),
        (75, &["acquire", "-e", "prod"]),
        (75, &["acquire", "-e", "prod", "-n", "--exclusive"]),
        (9, &["run", "-E", "9", "-e", "prod", "-c", "web", "--", "touch", "ran"]),
        (75, &["run", "-w", "30m", "-e", "prod", "--", "touch", "ran"]),
    ] {
        let said = scene.fails(code, args);
        assert_eq!(said.out, "", "{said:?}");
        assert!(said.err.contains("not acquired: environment:prod is frozen until "), "{said:?}");
        assert_eq!(scene.list()["deployments"], serde_json::json!([]));
    }
    assert!(!scene.path("ran").exists());
    assert_eq!(acquired(&scene), Vec::<Value>::new());
}

#[test]
fn only_its_own_environment_is_frozen_and_only_while_a_window_is_open() {
    let scene = frozen("");
    scene.ok(&["run", "-e", "uat", "--", "true"]);
    scene.ok(&["run", "-l", "x", "--", "true"]);
    set(&scene, &[(-2 * HOUR, -HOUR, ""), (HOUR, 2 * HOUR, "")]);
    scene.ok(&["run", "-e", "prod", "--", "true"]);
}

#[test]
fn an_override_passes_and_lands_in_the_history() {
    let scene = frozen("");
    scene.ok(&["run", "-e", "prod", "--override-freeze", "hotfix 42", "--", "true"]);
    let id = scene.ok(&["acquire", "-e", "prod", "--override-freeze=hotfix 43"]);
    scene.ok(&["release", &id]);
    scene.ok(&["run", "-e", "uat", "--override-freeze", "to be sure", "--", "true"]);
    let all = acquired(&scene);
    let overrides: Vec<Option<&str>> = all.iter().map(|event| event["override"].as_str()).collect();
    assert_eq!(
        overrides,
        [
            Some("hotfix 42 (in spite of the freeze: year end)"),
            Some("hotfix 43 (in spite of the freeze: year end)"),
            None
        ]
    );
    assert!(scene.ok(&["history"]).contains("hotfix 43 (in spite of"));
}

#[test]
fn only_those_who_are_listed_may_pass() {
    let scene = frozen("may_pass = ['ann', 'tester']");
    let over = ["-e", "prod", "--override-freeze", "hotfix"];
    let run = |owner: &[&str]| scene.run(&[&["run"][..], &over, owner, &["--", "true"]].concat());
    // The harness is `tester@host` where nothing else is said.
    for owner in [&[][..], &["--owner", "ann"], &["--owner", "ann@build-7"]] {
        assert_eq!(run(owner).code, 0, "{owner:?}");
    }
    let said = run(&["--owner", "bob"]);
    assert_eq!(said.code, 75, "{said:?}");
    assert!(said.err.contains("may pass      ann, tester; not bob"), "{said:?}");
}

#[test]
fn an_override_says_why_and_of_which_environment() {
    let scene = frozen("");
    scene.fails(2, &["run", "-e", "prod", "--override-freeze", " ", "--", "true"]);
    scene.fails(2, &["run", "-l", "x", "--override-freeze", "why", "--", "true"]);
    scene.fails(2, &["acquire", "-l", "x", "--override-freeze", "why"]);
}

#[test]
fn what_is_held_stays_held_and_what_runs_inside_it_is_part_of_it() {
    let scene = Scene::with_topology(&topology(&[]));
    let id = scene.hold(&["-e", "prod"]);
    let resting = scene.deploy(&["-e", "uat"]);
    scene.until("held", 2);
    set(&scene, &[(-HOUR, HOUR, "")]);
    let inside = |id: &str| {
        let mut command = scene.command(&["run", "-n", "-e", "prod", "--", "true"]);
        crate::steps::done(command.env("DEPLOYLOCK_ID", id)).code
    };
    assert_eq!(inside(&id), 0);
    assert_eq!(inside("7-aaaaaa"), 75, "believed is only what the store says");
    let shown = scene.ok(&["plan", "-e", "prod"]);
    assert!(shown.contains("is frozen until"), "{shown}");
    assert_eq!(scene.in_state("held").len(), 2);
    scene.ok(&["release", &id]);
    assert_eq!(inside(&id), 75, "it no longer holds");
    assert_eq!(resting.finish().code, 0);
}

#[test]
fn a_paused_deployment_that_is_resumed_in_a_freeze_stays_paused() {
    let scene = Scene::with_topology(&topology(&[]));
    let id = scene.hold(&["-e", "prod"]);
    scene.fails(75, &["acquire", "-e", "prod", "--owner", "ann"]);
    let paused = crate::tools::id(&scene.until("paused", 1)[0]);
    scene.ok(&["release", &id]);
    set(&scene, &[(-HOUR, HOUR, "may_pass = ['ann']")]);
    let said = scene.fails(75, &["acquire", "--resume", &paused]);
    assert!(said.err.contains(&format!("acquire --resume={paused} --override-freeze REASON")), "{said:?}");
    assert_eq!(scene.state_of(&paused), "paused");
    assert_eq!(scene.ok(&["acquire", "--resume", &paused, "--override-freeze", "hotfix"]), paused);
    assert_eq!(scene.state_of(&paused), "held");
}

/// The local clock is the machine's, that of another zone what `timezone` says.
#[test]
fn times_without_an_offset_are_of_the_machines_zone_or_of_the_one_that_is_named() {
    let zone = jiff::tz::TimeZone::get("Asia/Kathmandu").unwrap();
    let local = |by: i64| {
        let at = SystemTime::now() + Duration::from_secs(86_400);
        let at = jiff::Timestamp::try_from(at).unwrap() + jiff::SignedDuration::from_hours(by - 24);
        at.to_zoned(zone.clone()).strftime("%Y-%m-%dT%H:%M:%S").to_string()
    };
    let (from, until) = (local(-1), local(1));
    let text = |more: &str| {
        format!("[[environments.prod.freeze]]\nreason = 'r'\nfrom = {from}\nuntil = {until}\n{more}\n")
    };
    for (more, tz, code) in [
        ("", "Asia/Kathmandu", 75),
        ("", "UTC", 0),
        ("timezone = 'Asia/Kathmandu'", "UTC", 75),
        ("timezone = 'UTC'", "Asia/Kathmandu", 0),
    ] {
        let scene = Scene::with_topology(&text(more));
        let mut command = scene.command(&["run", "-e", "prod", "--", "true"]);
        let said = crate::steps::done(command.env("TZ", tz));
        assert_eq!(said.code, code, "{more} {tz}: {said:?}");
    }
}
