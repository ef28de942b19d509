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

#[test]
fn together_with_the_lines_of_its_locks_after_a_restart() {
    let scene = Scene::new();
    let id = scene.hold(&["-l", "x"]);
    std::fs::write(scene.locks().join("deployments/detached").join(&id), "nonsense").unwrap();
    std::fs::remove_file(scene.locks().join("locks/name/x")).unwrap();
    let guard = std::fs::read_to_string(scene.locks().join("guard")).unwrap();
    let boot = guard.lines().nth(1).unwrap();
    std::fs::write(scene.locks().join("guard"), guard.replace(boot, &format!("boot {:<36}", "earlier")))
        .unwrap();
    for command in ["acquire", "run"] {
        let target = ["-n", "-l", "y", "--", "true"];
        let target = &target[..if command == "run" { 5 } else { 3 }];
        told(&scene, &format!("unreadable_forgotten_{command}"), &[&[command], target].concat());
    }
    scene.ok(&["clear", &id, "--yes"]);
    scene.ok(&["run", "-n", "-l", "x", "--", "true"]);
}
