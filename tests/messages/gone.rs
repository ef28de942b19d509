//! Deployments that are not there, or no longer.

use crate::harness::Scene;
use crate::told::told;

#[test]
fn never_heard_of() {
    let scene = Scene::new();
    for command in ["cancel", "wait", "release", "renew"] {
        told(&scene, &format!("unknown_{command}"), &[command, "7-abcdef"]);
    }
    told(&scene, "unknown_clear", &["clear", "--yes", "7-abcdef"]);
    told(&scene, "unknown_resume", &["acquire", "--resume", "7-abcdef"]);
    told(&scene, "unknown_run_resume", &["run", "--resume", "7-abcdef", "--", "true"]);
    told(&scene, "unknown_run_id", &["run", "--id", "7-abcdef", "--", "true"]);
}

#[test]
fn the_history_knows_what_became_of_it() {
    let scene = Scene::new();
    let released = scene.hold(&["-l", "x"]);
    scene.ok(&["release", "--outcome", "failed", &released]);
    for command in ["cancel", "wait", "release", "renew"] {
        told(&scene, &format!("released_{command}"), &[command, &released]);
    }
    told(&scene, "released_clear", &["clear", "--yes", &released]);
    told(&scene, "released_run_id", &["run", "--id", &released, "--", "true"]);
    let cleared = scene.hold(&["-l", "x"]);
    scene.ok(&["clear", "--yes", &cleared]);
    told(&scene, "cleared_release", &["release", &cleared]);
    let cancelled = scene.hold(&["-l", "x"]);
    scene.ok(&["cancel", &cancelled]);
    told(&scene, "cancelled_release", &["release", &cancelled]);
}

#[test]
fn dead_and_taken() {
    let scene = Scene::new();
    let mut owner = scene.program("sleep").arg("600").spawn().unwrap();
    let id = scene.hold(&["-l", "x", "--owner-pid", &owner.id().to_string()]);
    owner.kill().unwrap();
    owner.wait().unwrap();
    told(&scene, "stale_run_id", &["run", "--id", &id, "--", "true"]);
    told(&scene, "stale_check", &["check"]);
    told(&scene, "stale_resume", &["acquire", "--resume", &id]);
    scene.hold(&["-l", "x"]);
    told(&scene, "reclaimed_release", &["release", &id]);
    let mut owner = scene.program("sleep").arg("600").spawn().unwrap();
    let id = scene.hold(&["-l", "y", "--owner-pid", &owner.id().to_string()]);
    owner.kill().unwrap();
    owner.wait().unwrap();
    told(&scene, "stale_would_clear", &["clear", "--stale", "--dry-run"]);
    told(&scene, "stale_cleared", &["clear", "--stale"]);
    told(&scene, "cleared_as_stale_release", &["release", &id]);
}
