//! `history`: what happened to whom, in order, filtered, and readable after a crash in the middle of a line.

use serde_json::Value;

use crate::harness::{Scene, eventually};
use crate::steps::text;
use crate::tools::{holder, soon, waiter};

fn events(scene: &Scene, filters: &[&str]) -> Vec<Value> {
    let all = scene.ok(&[&["history", "--format", "json"][..], filters].concat());
    let all: Value = serde_json::from_str(&all).unwrap();
    all["events"].as_array().unwrap().clone()
}

fn words(events: &[Value]) -> Vec<&str> {
    events.iter().map(|e| e["event"].as_str().unwrap()).collect()
}

#[test]
fn what_happened_is_told_in_order() {
    let scene = Scene::new();
    let id = scene.ok(&["acquire", "-l", "a", "--reason", "why", "--owner", "ann"]);
    scene.ok(&["release", &id, "--outcome", "failed"]);
    scene.ok(&["run", "-l", "b", "--", "true"]);
    let cleared = scene.ok(&["acquire", "-l", "a"]);
    scene.ok(&["clear", "--yes", &cleared]);
    let all = events(&scene, &[]);
    assert_eq!(words(&all), ["acquired", "released", "acquired", "released", "acquired", "cleared"]);
    assert_eq!((&all[1]["id"], &all[1]["outcome"]), (&id.clone().into(), &"failed".into()));
    assert_eq!((&all[0]["owner"], &all[0]["reason"]), (&"ann".into(), &"why".into()));
    assert!(all[5]["by"].as_str().unwrap().starts_with("tester@"));
    let table = scene.ok(&["history"]);
    assert_eq!(table.lines().count(), 7, "{table}");
    assert!(table.contains("why") && table.contains(&id), "{table}");
}

#[test]
fn filters_narrow_it() {
    let scene = Scene::with_topology("[environments.uat]\ncontainers = ['c']\n[applications.shop]\n");
    scene.ok(&["run", "-e", "uat", "-a", "shop", "--", "true"]);
    let id = scene.ok(&["acquire", "-l", "a", "--owner", "ann"]);
    for (filters, count) in [
        (&["--env", "uat"][..], 2),
        (&["--app", "shop"], 2),
        (&["--lock", "a"], 1),
        (&["--lock", "container:c"], 2),
        (&["--owner", "ann"], 1),
        (&["--event", "acquired"], 2),
        (&["--event", "acquired", "--event", "released"], 3),
        (&[&id], 1),
        (&["--since", "1h"], 3),
        (&["--since", "2001-01-01T00:00:00Z"], 3),
        (&["--since", "2999-01-01T00:00:00+02:00"], 0),
        (&["--env", "nowhere"], 0),
    ] {
        assert_eq!(events(&scene, filters).len(), count, "{filters:?}");
    }
}

#[test]
fn a_line_that_a_crash_cut_is_passed_over_and_spoils_no_other() {
    let scene = Scene::new();
    scene.ok(&["run", "-l", "a", "--", "true"]);
    let path = scene.path("locks/history.jsonl");
    let mut text = std::fs::read_to_string(&path).unwrap();
    text.push_str("{\"time\":\"2026-");
    std::fs::write(&path, text).unwrap();
    assert_eq!(events(&scene, &[]).len(), 2);
    scene.ok(&["run", "-l", "a", "--", "true"]);
    assert_eq!(words(&events(&scene, &[])), ["acquired", "released", "acquired", "released"]);
}

#[test]
fn without_a_store_nothing_has_happened() {
    let scene = Scene::new();
    let said = scene.run(&["history"]);
    assert_eq!((said.code, said.out.as_str(), said.err.lines().count()), (0, "", 1));
    assert_eq!(events(&scene, &[]), Vec::<Value>::new());
}

#[test]
fn a_time_that_is_none_is_a_usage_error_with_examples() {
    let scene = Scene::new();
    let said = scene.fails(2, &["history", "--since", "yesterday"]);
    assert!(said.err.contains("90s") && said.err.contains("T20:43:02Z"), "{said:?}");
}

#[test]
fn each_event_says_who_what_how_long_why_and_by_whom() {
    let scene = Scene::with_topology("[environments.prod]\ncontainers = ['c']\non_failure = 'hold'\n");
    // Waited, acquired, renewed, failed, released.
    let held = scene.hold(&["-e", "prod", "--exclusive"]);
    let target = ["-e", "prod", "--ttl", "1h", "--owner", "ann", "--reason", "why"];
    let script = "deploylock renew; exit 4";
    let waiting = scene.start(&[&["run", "--wait"], &target[..], &["--", "sh", "-c", script]].concat());
    let id = text(&scene.until("waiting", 1)[0]["id"]);
    scene.ok(&["release", &held]);
    assert_eq!(waiting.end().code, 4);
    scene.ok(&["release", &id, "--outcome", "failed"]);
    let all = events(&scene, &[&id]);
    assert_eq!(words(&all), ["waited", "acquired", "renewed", "failed", "released"]);
    for event in &all {
        assert_eq!((&event["owner"], &event["reason"]), (&"ann".into(), &"why".into()), "{event}");
        assert_eq!(event["environment"], "prod");
        assert_eq!(event["locks"], serde_json::json!(["environment:prod", "container:c"]), "{event}");
    }
    let has = |event: &Value, key: &str| event[key].is_u64();
    let waited: Vec<bool> = all.iter().map(|e| has(e, "waited_ms")).collect();
    let held: Vec<bool> = all.iter().map(|e| has(e, "held_ms")).collect();
    assert_eq!(waited, [false, true, false, false, false], "{all:?}");
    assert_eq!(held, [false, false, false, true, true], "{all:?}");
    assert_eq!((&all[3]["exit_status"], &all[4]["exit_status"]), (&4.into(), &4.into()));
    for by_hand in [&all[2], &all[4]] {
        assert!(text(&by_hand["by"]).starts_with("tester@"), "{by_hand}");
    }
}

#[test]
fn the_end_of_what_was_dead_cleared_cancelled_or_gave_up_is_told_in_full() {
    let scene = Scene::new();
    let mut dying = holder(&scene, &["-l", "a"]);
    dying.kill();
    eventually("it is dead", || !dying.is_running());
    soon("it is known to be dead", || scene.list()["deployments"][0]["stale"].is_string());
    scene.ok(&["clear", "--stale"]);
    let mut dying = holder(&scene, &["-l", "a"]);
    dying.kill();
    eventually("it is dead", || !dying.is_running());
    let id = scene.ok(&["acquire", "--wait", "-l", "a"]);
    scene.fails(75, &["acquire", "-w", "1", "-l", "a"]);
    let waiting = waiter(&scene, &["-l", "a"]);
    scene.ok(&["cancel", &text(&scene.in_state("waiting")[0]["id"])]);
    assert_eq!(waiting.end().code, 75);
    scene.ok(&["clear", "--yes", &id]);
    let of = |event: &str| events(&scene, &["--event", event]);
    let (cleared, reclaimed, gave_up, cancelled) =
        (of("cleared"), of("reclaimed"), of("released"), of("cancelled"));
    assert_eq!([cleared.len(), reclaimed.len(), gave_up.len(), cancelled.len()], [2, 1, 1, 1]);
    for dead in [&cleared[0], &reclaimed[0]] {
        assert!(dead["stale"].is_string() && dead["why"].is_string() && dead["held_ms"].is_u64(), "{dead}");
    }
    assert_eq!((&cleared[1]["stale"], &cleared[1]["why"]), (&Value::Null, &"cleared by hand".into()));
    assert!(gave_up[0]["waited_ms"].as_u64().unwrap() >= 1000 && gave_up[0]["held_ms"].is_null());
    assert_eq!((&gave_up[0]["outcome"], &cancelled[0]["outcome"]), (&"gave up".into(), &"aborted".into()));
    assert!(cancelled[0]["waited_ms"].is_u64(), "{}", cancelled[0]);
    for done_to in [&cleared[0], &cleared[1], &reclaimed[0], &cancelled[0]] {
        assert!(text(&done_to["by"]).starts_with("tester@"), "{done_to}");
    }
}

#[test]
fn a_grant_that_is_noted_after_its_end_hides_nothing() {
    let scene = Scene::new();
    let id = scene.hold(&["-l", "a"]);
    scene.ok(&["clear", "--yes", &id]);
    // The line of one that was cleared before it had seen that it was granted.
    let path = scene.locks().join("history.jsonl");
    let lines = std::fs::read_to_string(&path).unwrap();
    let acquired = lines.lines().find(|line| line.contains("acquired")).unwrap();
    std::fs::write(&path, format!("{lines}{acquired}\n")).unwrap();
    let said = scene.fails(3, &["release", &id]);
    assert!(said.err.contains("cleared by tester@"), "{said:?}");
}

#[test]
fn what_it_comes_to() {
    let scene = Scene::with_topology("[environments.uat]\ncontainers = ['c']\n[environments.prod]\n");
    scene.ok(&["run", "-e", "uat", "--", "true"]);
    scene.fails(3, &["run", "-e", "uat", "--", "sh", "-c", "sleep 0.2; exit 3"]);
    scene.ok(&["acquire", "-e", "prod", "--ttl", "1s"]);
    soon("it has expired", || scene.list()["deployments"][0]["stale"].is_string());
    scene.ok(&["clear", "--stale"]);
    scene.ok(&["acquire", "-l", "a"]);
    let stats = |filters: &[&str]| -> Value {
        let said = scene.ok(&[&["history", "--stats", "--format", "json"][..], filters].concat());
        serde_json::from_str(&said).unwrap()
    };
    let all = stats(&[]);
    let all = all["environments"].as_array().unwrap();
    let counts: Vec<Value> = all
        .iter()
        .map(|e| {
            serde_json::json!([
                e["environment"],
                e["deployments"],
                e["failed"],
                e["stale"],
                e["held_ms"]["count"]
            ])
        })
        .collect();
    assert_eq!(
        serde_json::json!(counts),
        serde_json::json!([["prod", 1, 0, 1, 1], ["uat", 2, 1, 0, 2], [null, 1, 0, 0, 0]])
    );
    let held = &all[1]["held_ms"];
    assert!(held["p95"].as_u64().unwrap() >= 200 && held["median"].as_u64() < held["p95"].as_u64(), "{held}");
    assert_eq!(all[2]["held_ms"]["median"], Value::Null);
    assert_eq!(all[1]["waited_ms"], serde_json::json!({"count": 2, "median": 0, "p95": 0}));
    // The filters come first.
    assert_eq!(stats(&["--env", "prod"])["environments"].as_array().unwrap().len(), 1);
    assert_eq!(stats(&["--since", "2999-01-01T00:00:00Z"])["environments"], serde_json::json!([]));
    let table = scene.ok(&["history", "--stats"]);
    assert_eq!(table.lines().count(), 4, "{table}");
    let columns = |line: &str| line.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
    let last = columns(table.lines().last().unwrap());
    assert_eq!(last, ["-", "1", "0", "0", "0ms", "0ms", "-", "-"], "{table}");
    let none = scene.run(&["history", "--stats", "--env", "nowhere"]);
    assert_eq!((none.code, none.out.as_str(), none.err.lines().count()), (0, "", 1));
}

#[test]
fn a_long_history_is_rotated_and_both_parts_are_read() {
    let scene = Scene::new();
    scene.ok(&["run", "-l", "a", "--", "true"]);
    let (path, older) = (scene.path("locks/history.jsonl"), scene.path("locks/history.1.jsonl"));
    let mut text = std::fs::read_to_string(&path).unwrap();
    let padding = "x".repeat(1 << 20);
    while text.len() <= 16 << 20 {
        text.push_str(&format!(
            "{{\"time\":\"2026-11-21T20:43:02Z\",\"event\":\"renewed\",\"id\":\"{padding}\"}}\n"
        ));
    }
    std::fs::write(&older, "{\"event\":\"long ago\"}\n").unwrap();
    std::fs::write(&path, &text).unwrap();
    scene.ok(&["run", "-l", "b", "--", "true"]);
    assert_eq!(std::fs::read_to_string(&older).unwrap(), text, "what was before is the older part, whole");
    assert_eq!(std::fs::read_to_string(&path).unwrap().lines().count(), 2);
    let all = events(&scene, &["--event", "acquired", "--event", "released"]);
    assert_eq!(words(&all), ["acquired", "released", "acquired", "released"]);
    assert_eq!((&all[0]["locks"][0], &all[3]["locks"][0]), (&"name:a".into(), &"name:b".into()));
    // A line that a crash cut at the end of the older part spoils nothing either.
    std::fs::write(&older, "{\"event\":\"acq").unwrap();
    assert_eq!(words(&events(&scene, &[])), ["acquired", "released"]);
}
