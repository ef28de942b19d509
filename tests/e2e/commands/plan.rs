//! `plan`: which locks, in which mode, because of which line, and what stands in the way.

use crate::harness::Scene;
use crate::steps::{locks_of, text};

const TOPOLOGY: &str = r#"[environments.prod]
containers = ["web-1", "web-2"]
allow_concurrent_deployments = false

[containers.web-2]
limit_number_of_concurrent_deployments = 2

[applications.shop]
allow_concurrent_deployments = false
"#;

/// The line of the table for this lock.
fn row(plan: &str, lock: &str) -> String {
    let row = plan.lines().find(|l| l.split_whitespace().any(|word| word == lock));
    row.unwrap_or_else(|| panic!("no {lock} in:\n{plan}")).to_owned()
}

#[test]
fn plan_says_lock_mode_and_the_line_that_asks_for_it() {
    let scene = Scene::with_topology(TOPOLOGY);
    let plan = scene.ok(&["plan", "-e", "prod", "-a", "shop", "-l", "x"]);
    let place = |line: usize| format!("{}:{line}", scene.path("deploylock.toml").display());
    for (lock, mode, line) in [
        ("environment:prod", "exclusive", Some(3)),
        ("application:shop@prod", "exclusive", Some(9)),
        ("container:web-1", "shared", Some(2)),
        ("container:web-2", "shared", Some(6)),
        ("deployed-application:shop@prod", "shared", None),
        ("name:x", "exclusive", None),
    ] {
        let row = row(&plan, lock);
        assert!(row.contains(mode), "{row}");
        if let Some(line) = line {
            let place = format!("deploylock.toml:{line}");
            assert!(row.contains(&place), "{place}: {row}");
        }
    }
    assert!(plan.contains(&place(3)), "{plan}");
}

#[test]
fn plan_shows_what_is_in_the_way_and_is_0_all_the_same() {
    let scene = Scene::with_topology(TOPOLOGY);
    let free = scene.ok(&["plan", "-e", "prod"]);
    let id = scene.hold(&["-e", "prod", "--owner", "ann", "--reason", "quarter end"]);
    let blocked = scene.ok(&["plan", "-e", "prod"]);
    assert!(!free.contains(&id));
    let row = row(&blocked, "environment:prod");
    for part in [id.as_str(), "ann", "quarter end"] {
        assert!(row.contains(part), "{part}: {row}");
    }
}

#[test]
fn plan_takes_nothing() {
    let scene = Scene::with_topology(TOPOLOGY);
    let before = std::fs::read_dir(scene.root()).unwrap().count();
    scene.ok(&["plan", "-e", "prod"]);
    scene.ok(&["plan", "-l", "x", "--format", "json"]);
    assert_eq!(std::fs::read_dir(scene.root()).unwrap().count(), before, "not even a lock directory");
    let id = scene.hold(&["-l", "x"]);
    let list = scene.list();
    scene.ok(&["plan", "-l", "x", "-e", "prod"]);
    assert_eq!(scene.list(), list);
    scene.ok(&["release", &id]);
}

#[test]
fn plan_as_json_uses_the_names_of_list() {
    let scene = Scene::with_topology(TOPOLOGY);
    let id = scene.hold(&["-e", "prod", "-c", "web-1"]);
    let text_of = scene.ok(&["plan", "-e", "prod", "-a", "shop", "--app-version", "3", "--format", "json"]);
    let plan: serde_json::Value = serde_json::from_str(&text_of).unwrap();
    assert_eq!(
        locks_of(&plan),
        [
            "application:shop@prod exclusive",
            "container:web-1 shared",
            "container:web-2 shared",
            "deployed-application:shop@prod shared",
            "environment:prod exclusive"
        ]
    );
    for (field, value) in
        [("environment", "prod"), ("application", "shop"), ("version", "3"), ("operation", "deploy")]
    {
        assert_eq!(plan[field], value);
    }
    assert_eq!(plan["containers"], serde_json::json!(["web-1", "web-2"]));
    assert_eq!(plan["waiting_for"], serde_json::json!([id]));
    assert_eq!(text(&plan["deployments"][0]["id"]), id);
}

#[test]
fn plan_of_something_undeclared_is_a_usage_error() {
    let scene = Scene::with_topology(TOPOLOGY);
    scene.fails(2, &["plan", "-e", "prdo"]);
    scene.fails(2, &["plan"]);
}
