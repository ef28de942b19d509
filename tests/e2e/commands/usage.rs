//! Usage errors: never silently no lock at all.

use crate::harness::Scene;

const TOPOLOGY: &str = "[environments.production]\ncontainers = [\"web-1\", \"web-2\"]\n\
    [environments.staging]\ncontainers = [\"stage-1\"]\n[applications.shop]\n[containers.cell-a]\n";

/// Every command that takes a target.
fn everywhere(scene: &Scene, target: &[&str], says: &[&str]) {
    for command in ["acquire", "run", "wait", "plan"] {
        let tail: &[&str] = if command == "run" { &["--", "touch", "ran"] } else { &[] };
        let said = scene.fails(2, &[&[command], target, tail].concat());
        assert_eq!(said.out, "", "{command} {target:?}");
        for part in says {
            assert!(said.err.contains(part), "{command} {target:?}, {part}: {}", said.err);
        }
    }
    assert!(!scene.path("ran").exists());
    assert!(scene.list()["deployments"].as_array().unwrap().is_empty());
}

#[test]
fn an_undeclared_name_is_refused_with_the_file_and_the_closest_name() {
    let scene = Scene::with_topology(TOPOLOGY);
    let file = scene.path("deploylock.toml").display().to_string();
    for (target, wrong, closest) in [
        (&["-e", "prodution"][..], "prodution", "production"),
        (&["-e", "Production"], "Production", "production"),
        (&["-e", "staging", "-a", "shpo"], "shpo", "shop"),
        (&["-e", "production", "-c", "web-3"], "web-3", "web-"),
        (&["-e", "production", "-c", "web-1", "-c", "wbe-2"], "wbe-2", "web-2"),
    ] {
        everywhere(&scene, target, &[wrong, closest, &file]);
    }
}

#[test]
fn a_container_outside_the_environment_is_refused() {
    let scene = Scene::with_topology(TOPOLOGY);
    everywhere(&scene, &["-e", "production", "-c", "stage-1"], &["stage-1", "production", "deploylock.toml"]);
    everywhere(&scene, &["-e", "production", "-c", "cell-a"], &["cell-a", "production"]);
}

#[test]
fn an_environment_without_a_topology_says_where_one_was_looked_for() {
    let scene = Scene::new();
    let here = scene.path("deploylock.toml").display().to_string();
    everywhere(
        &scene,
        &["-e", "prod"],
        &["prod", &here, "/etc/deploylock/deploylock.toml", ".config/deploylock"],
    );
}

#[test]
fn what_needs_an_environment_says_so() {
    let scene = Scene::with_topology(TOPOLOGY);
    for target in [&["-a", "shop"][..], &["-c", "web-1"], &["--exclusive"]] {
        everywhere(&scene, target, &["--env"]);
        everywhere(&scene, &[target, &["-l", "x"]].concat(), &["--env"]);
    }
}

#[test]
fn nothing_to_lock_is_an_error() {
    let scene = Scene::with_topology(TOPOLOGY);
    everywhere(&scene, &[], &["--env", "--lock"]);
    everywhere(&scene, &["-e", ""], &[]);
    everywhere(&scene, &["-l", ""], &[]);
}

#[test]
fn names_that_cannot_be_are_refused() {
    let scene = Scene::new();
    let long = "x".repeat(201);
    for name in [long.as_str(), &"é".repeat(101), "a\nb", "a\tb", "\u{1b}[31m", "\u{7f}", "a\u{9b}b"] {
        everywhere(&scene, &["-l", name], &[]);
    }
    let said = scene.run(&["acquire", "-l", "\u{1b}[31mred"]);
    assert!(!said.err.contains('\u{1b}'), "a name in a message is harmless: {:?}", said.err);
}

#[test]
fn what_is_not_valid_unicode_is_a_usage_error_and_no_panic() {
    use std::os::unix::ffi::OsStrExt as _;
    let scene = Scene::new();
    let mut command = scene.command(&["acquire", "-l"]);
    let said = crate::steps::done(command.arg(std::ffi::OsStr::from_bytes(b"a\xffb")));
    assert_eq!(said.code, 2, "{said:?}");
    assert!(!said.err.contains("panicked"));
}

#[test]
fn an_unknown_command_or_option_is_2() {
    let scene = Scene::new();
    scene.fails(2, &[]);
    scene.fails(2, &["aquire", "-l", "x"]);
    scene.fails(2, &["acquire", "-l", "x", "--no-wiat"]);
    scene.fails(2, &["run", "-l", "x"]);
    scene.fails(2, &["run", "-l", "x", "--"]);
    scene.fails(2, &["list", "--format", "yaml"]);
    scene.fails(2, &["acquire", "--shared"]);
    scene.fails(2, &["acquire", "-l", "x", "--owner-pid", "0"]);
    scene.ok(&["--help"]);
    scene.ok(&["run", "--help"]);
    scene.ok(&["--version"]);
}

#[test]
fn an_owner_process_that_is_not_there_is_refused() {
    let scene = Scene::new();
    let said = scene.run(&["acquire", "-l", "x", "--owner-pid", "4194304"]);
    assert!([1, 2].contains(&said.code), "{said:?}");
    assert!(scene.could_have(&["-l", "x"]));
}
