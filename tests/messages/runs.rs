//! What `run` says of its command and its locks.

use crate::harness::{Scene, eventually};
use crate::told::{holds, told};
use crate::tools::{deployment, holder, read, until_file};

#[test]
fn a_command_that_cannot_be_started() {
    let scene = Scene::new();
    std::fs::write(scene.path("plain"), "no program").unwrap();
    told(&scene, "command_not_found", &["run", "-l", "x", "--", "no-such-command"]);
    told(&scene, "command_not_executable", &["run", "-l", "x", "--", "./plain"]);
    told(&scene, "run_without_a_command", &["run", "-l", "x"]);
}

#[test]
fn locks_that_were_taken_away() {
    let scene = Scene::new();
    let run = holder(&scene, &["-l", "x"]);
    let id = deployment(&scene, run.pid())["id"].as_str().unwrap().to_owned();
    scene.ok(&["clear", "--yes", "--force", &id]);
    holds(&scene, "locks_cleared_while_it_ran", "run -l x -- cat", &run.end());

    let mut run = holder(&scene, &["--on-lost", "keep", "-l", "x"]);
    let id = deployment(&scene, run.pid())["id"].as_str().unwrap().to_owned();
    scene.ok(&["clear", "--yes", "--force", &id]);
    eventually("it is gone", || scene.in_state("held").is_empty());
    run.let_go();
    let said = run.end();
    assert!(said.err.contains("taken away (cleared by "), "{said:?}");

    let id = scene.hold(&["-l", "x"]);
    let command = format!("touch begun; {}", until_file("go"));
    let under = scene.start(&["run", "--id", &id, "--", "sh", "-c", &command]);
    eventually("it runs", || scene.path("begun").exists());
    scene.ok(&["release", &id]);
    holds(&scene, "locks_released_while_it_ran", "run --id ID -- sh -c …", &under.end());
    assert_eq!(read(&scene, "go"), "");
}

#[test]
fn cancelled() {
    let scene = Scene::new();
    let run = holder(&scene, &["-l", "x"]);
    let id = deployment(&scene, run.pid())["id"].as_str().unwrap().to_owned();
    scene.ok(&["cancel", &id]);
    holds(&scene, "cancelled_run", "run -l x -- cat", &run.end());
}

#[test]
fn versions() {
    let scene = Scene::with_topology("[environments.prod]\ncontainers = [\"a\"]\n[applications.shop]\n");
    std::fs::write(scene.path("file"), "x").unwrap();
    let target = ["run", "-e", "prod", "-a", "shop", "--skip-duplicate", "--resource", "file", "--", "true"];
    scene.ok(&target);
    told(&scene, "nothing_to_do", &target);
    told(
        &scene,
        "resource_missing",
        &["run", "-e", "prod", "-a", "shop", "--resource", "nowhere", "--", "true"],
    );
}

#[test]
fn a_hook_that_fails() {
    let scene = Scene::with_topology(
        "[hooks]\non_grant = [\"sh\", \"-c\", \"exit 3\"]\non_clear = [\"no-such-hook\"]\n",
    );
    told(&scene, "hook_failed", &["run", "-l", "x", "--", "true"]);
    let id = scene.hold(&["-l", "x"]);
    told(&scene, "hook_not_found", &["clear", "--yes", &id]);
    told(&scene, "check_hook", &["check"]);
}
