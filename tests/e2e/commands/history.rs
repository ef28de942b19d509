//! `history`: what happened to whom, in order, filtered, and readable after a crash in the middle of a line.

use serde_json::Value;

use crate::harness::Scene;

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
