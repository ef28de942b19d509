//! An environment that is frozen.

use crate::harness::Scene;
use crate::told::told;

fn frozen(more: &str) -> Scene {
    Scene::with_topology(&format!(
        "[environments.prod]\ncontainers = [\"web\"]\n\n[[environments.prod.freeze]]\n\
         reason = \"year end\"\nfrom = 2020-01-01T00:00:00Z\nuntil = 2199-01-01T00:00:00Z\ntimezone = \"UTC\"\n{more}\n"
    ))
}

#[test]
fn an_open_window() {
    let scene = frozen("");
    told(&scene, "frozen", &["run", "-e", "prod", "--reason", "release 2", "--", "./deploy.sh"]);
    told(&scene, "frozen_wait", &["wait", "-n", "-e", "prod"]);
    told(&scene, "frozen_override_without_environment", &["acquire", "-l", "x", "--override-freeze", "why"]);
    told(&scene, "frozen_override_says_nothing", &["acquire", "-e", "prod", "--override-freeze", " "]);
    let scene = frozen("may_pass = [\"ann\", \"bob\"]");
    told(&scene, "frozen_for_most", &["acquire", "-e", "prod", "--override-freeze", "hotfix"]);
}
