//! What is told of freeze windows: by a refusal, by `plan`, by `check`.

use serde_json::Value;

use super::{HOUR, frozen, set, topology};
use crate::harness::Scene;

#[test]
fn a_refusal_says_where_until_when_why_who_may_pass_and_how() {
    let scene = frozen("timezone = 'Europe/Berlin'");
    let said = scene.fails(
        75,
        &["run", "-e", "prod", "-w", "1", "--reason", "release 2", "--", "sh", "-c", "echo 'it ran' > ran"],
    );
    let lines: Vec<&str> = said.err.lines().collect();
    assert!(
        lines[0].starts_with("deploylock: not acquired: environment:prod is frozen until 20"),
        "{said:?}"
    );
    assert!(lines[0].contains(" CE") && lines[0].ends_with(": \"year end\""), "{said:?}");
    let place = format!("set in        {}:5", scene.path("deploylock.toml").display());
    assert!(lines[1].trim().ends_with(place.rsplit('/').next().unwrap()), "{said:?}");
    assert!(said.err.contains("may pass      anybody, with a reason"), "{said:?}");
    assert!(said.err.contains(" wait --env=prod\n"), "{said:?}");
    let way = said.err.lines().find_map(|line| line.trim().strip_prefix("pass it")).unwrap().trim();
    assert_eq!(scene.shell("sh", way).code, 0, "{way}");
    assert_eq!(std::fs::read_to_string(scene.path("ran")).unwrap(), "it ran\n");
}

#[test]
fn a_refusal_names_every_open_window() {
    let scene = Scene::with_topology(&topology(&[
        (-HOUR, HOUR, "may_pass = ['ann', 'bob']"),
        (-HOUR, 2 * HOUR, "mayPass = ['bob']"),
    ]));
    let said = scene.fails(75, &["acquire", "-e", "prod"]);
    assert!(said.err.contains("deploylock.toml:10"), "{said:?}");
    assert!(said.err.contains("also until") && said.err.contains("deploylock.toml:5)"), "{said:?}");
    assert!(said.err.contains("may pass      bob; not tester@"), "{said:?}");
}

#[test]
fn plan_shows_the_open_window_or_the_next() {
    let scene = frozen("");
    let json = |args: &[&str]| -> Value {
        serde_json::from_str(&scene.ok(&[args, &["--format", "json"]].concat())).unwrap()
    };
    let shown = scene.ok(&["plan", "-e", "prod"]);
    assert!(shown.contains("environment:prod is frozen until ") && shown.contains("toml:5)"), "{shown}");
    let plan = json(&["plan", "-e", "prod"]);
    assert_eq!((&plan["blocked"], &plan["freeze"]["open"]), (&true.into(), &true.into()));
    assert_eq!((&plan["freeze"]["line"], &plan["freeze"]["reason"]), (&5.into(), &"year end".into()));

    set(&scene, &[(2 * HOUR, 3 * HOUR, ""), (HOUR, 2 * HOUR, "")]);
    let shown = scene.ok(&["plan", "-e", "prod"]);
    assert!(shown.contains("environment:prod will be frozen from ") && shown.contains("toml:10)"), "{shown}");
    let plan = json(&["plan", "-e", "prod"]);
    assert_eq!((&plan["blocked"], &plan["freeze"]["open"]), (&false.into(), &false.into()));

    set(&scene, &[(-3 * HOUR, -2 * HOUR, "")]);
    assert!(!scene.ok(&["plan", "-e", "prod"]).contains("frozen"));
    assert_eq!(json(&["plan", "-e", "prod"])["freeze"], Value::Null);
    assert_eq!(json(&["plan", "-e", "uat"])["freeze"], Value::Null);
}

#[test]
fn check_warns_of_windows_that_are_over_and_refuses_wrong_ones_with_their_place() {
    let scene = Scene::with_topology(&topology(&[(-3 * HOUR, -2 * HOUR, ""), (-HOUR, HOUR, "")]));
    let said = scene.run(&["check"]);
    assert_eq!(said.code, 0, "{said:?}");
    assert!(
        said.out.contains("deploylock.toml:5: this freeze window of environment `prod` is over"),
        "{said:?}"
    );
    scene.fails(1, &["check", "--strict"]);
    let wrong = "[environments.prod]\n[[environments.prod.freeze]]\ncron = '0 25 * * *'\n";
    std::fs::write(scene.path("deploylock.toml"), wrong).unwrap();
    for args in [&["check"][..], &["run", "-e", "prod", "--", "true"], &["plan", "-e", "prod"]] {
        let said = scene.fails(78, args);
        assert!(said.err.contains("deploylock.toml:3:8"), "{said:?}");
        assert!(said.err.contains("must be a cron expression of five fields"), "{said:?}");
    }
}
