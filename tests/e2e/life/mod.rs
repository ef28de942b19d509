//! A deployment's later life, one module a point. What starts, waits and ends without it is in the other modules.

mod cancel;
mod hold;
mod manual;
mod nesting;
mod pause;
mod supersede;
mod ttl;
mod versions;

use crate::harness::{Scene, signal};
use crate::tools::{Group, only};

/// `prod` allows one deployment at a time; these lines belong to it.
fn one_at_a_time(more: &str) -> Scene {
    Scene::with_topology(&format!(
        "[applications.shop]\n[environments.prod]\ncontainers = ['web']\nallow_concurrent_deployments = false\n{more}"
    ))
}

const HOLD: &str = "on_failure = 'hold'\n";
const CRASH_HOLD: &str = "on_crash = 'hold'\n";

/// A `run` that failed with 3 and was kept: its id.
fn failed(scene: &Scene) -> String {
    let said = scene.run(&["run", "-e", "prod", "-a", "shop", "--", "sh", "-c", "exit 3"]);
    assert_eq!(said.code, 3, "{said:?}");
    crate::tools::id(&only(scene))
}

/// A `run` that was killed with its command and was kept: its id.
fn crashed(scene: &Scene) -> String {
    let run = Group::of(scene, &["run", "-e", "prod", "-a", "shop", "--", "cat"]);
    scene.until("held", 1);
    run.kill();
    let id = crate::tools::id(&only(scene));
    crate::harness::eventually("the crash is seen", || !only(scene)["kept"].is_null());
    id
}

/// Kills the wrapper alone; its command goes on.
fn orphan(run: &mut Group) {
    signal(run.pid(), "KILL");
    crate::harness::eventually("the wrapper is gone", || !run.is_running());
}

/// The events of a deployment in the history.
fn events(scene: &Scene, id: &str) -> Vec<serde_json::Value> {
    let text = scene.ok(&["history", id, "--format", "json"]);
    let all: serde_json::Value = serde_json::from_str(&text).unwrap();
    all["events"].as_array().unwrap().clone()
}

/// Their words.
fn words(scene: &Scene, id: &str) -> Vec<String> {
    events(scene, id).iter().map(|e| e["event"].as_str().unwrap().to_owned()).collect()
}
