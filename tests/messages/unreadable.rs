//! A record that cannot be read: every command that meets it says how to get rid of it.

use crate::harness::Scene;
use crate::told::told;

#[test]
fn everywhere() {
    let scene = Scene::new();
    let id = scene.hold(&["-l", "x"]);
    let path = scene.locks().join("deployments/detached").join(&id);
    std::fs::write(&path, "nonsense").unwrap();
    told(&scene, "unreadable_conflict", &["acquire", "-n", "-l", "x"]);
    told(&scene, "unreadable_check", &["check"]);
    for command in ["release", "renew", "cancel", "clear"] {
        told(&scene, &format!("unreadable_{command}"), &[command, &id]);
    }
    told(&scene, "unreadable_run_id", &["run", "--id", &id, "--", "true"]);
    told(&scene, "unreadable_run_resume", &["run", "--resume", &id, "--", "true"]);
    told(&scene, "unreadable_resume", &["acquire", "--resume", &id]);
    let listed = scene.run(&["list"]);
    let said = crate::harness::Said { out: "(a table)".to_owned(), ..listed };
    crate::told::holds(&scene, "unreadable_list", "list", &said);
}
