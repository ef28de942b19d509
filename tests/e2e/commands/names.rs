//! Hostile names: every one is a lock of its own, and nothing is written outside the lock directory.

use std::collections::BTreeSet;

use crate::harness::Scene;
use crate::steps::text;

fn hostile() -> Vec<String> {
    let mut names: Vec<String> = [
        "..",
        ".",
        "../../escape",
        "/etc/passwd",
        "a/b",
        "a//b",
        "/",
        "-x",
        "--help",
        "-",
        "~",
        "*",
        "$(touch ran)",
        "`touch ran`",
        "a b",
        " ",
        "a ",
        " a",
        "a.",
        "name:x",
        "environment:prod",
        ":",
        "%2e%2e",
        "%",
        "%%",
        "a%2Fb",
        "%61",
        "a",
        "A",
        "é",
        "e\u{301}",
        "É",
        "ß",
        "SS",
        "日本語",
        "\u{202e}x",
        "🔒",
        "\\",
        "a\\b",
        "'",
        "\"",
        "CON",
        "guard",
        "history.jsonl",
        ".tmp",
        "a,b",
        "a=b",
        "a;b",
        "#",
        "[x]",
        "{}",
    ]
    .map(str::to_owned)
    .into();
    names.extend(["x".repeat(200), "/".repeat(200), "é".repeat(100), "%".repeat(200), ".".repeat(200)]);
    names
}

#[test]
fn each_hostile_name_is_a_lock_of_its_own() {
    let scene = Scene::new();
    let names = hostile();
    let mut ids = Vec::new();
    for name in &names {
        let option = format!("--lock={name}");
        ids.push(scene.hold(&[&option]));
        let said = scene.refused(&[&option]);
        assert!(said.err.contains("held by"), "{name:?}: {}", said.err);
    }
    let list = scene.list();
    let locks: BTreeSet<String> =
        list["locks"].as_array().unwrap().iter().map(|l| text(&l["lock"])).collect();
    assert_eq!(locks, names.iter().map(|n| format!("name:{n}")).collect(), "none is another's");
    let entries: Vec<_> = std::fs::read_dir(scene.root()).unwrap().map(|e| e.unwrap().file_name()).collect();
    assert_eq!(entries, ["locks"], "nothing is written outside");
    let release: Vec<&str> = std::iter::once("release").chain(ids.iter().map(String::as_str)).collect();
    scene.ok(&release);
    assert_eq!(scene.list(), serde_json::json!({"locks": [], "deployments": []}));
}

#[test]
fn hostile_names_can_be_held_together_listed_and_cleared() {
    let scene = Scene::new();
    let options: Vec<String> = hostile().iter().map(|n| format!("--lock={n}")).collect();
    let all: Vec<&str> = options.iter().map(String::as_str).collect();
    let id = scene.hold(&all);
    for option in &all {
        assert!(scene.run(&["list", option]).out.contains(&id), "{option}");
    }
    let said = scene.run(&["run", "-n", all[0], "--", "true"]);
    assert_eq!(said.code, 75);
    scene.ok(&["clear", "--yes", &format!("--lock=name:{}", hostile()[0])]);
    assert_eq!(scene.state_of(&id), "gone");
}

#[test]
fn one_name_twice_is_one_lock() {
    let scene = Scene::new();
    let id = scene.hold(&["-l", "x", "-l", "x"]);
    assert_eq!(scene.deployment(&id).unwrap()["locks"].as_array().unwrap().len(), 1);
}

#[test]
fn hostile_names_work_in_a_topology() {
    let long = "y".repeat(200);
    let scene = Scene::with_topology(&format!(
        "[environments.\"../prod\"]\ncontainers = [\"a/b\", \"..\", \"{long}\"]\n[applications.\"shop / {{}}\"]\n\
         [environments.\"{long}\"]\ncontainers = []\n[applications.\"{long}\"]\n\
         [groups.\"..\"]\ncontainers = [\"..\"]\nallow_concurrent_deployments = false\n"
    ));
    let id = scene.hold(&["--env=../prod", "--app=shop / {}", "--exclusive"]);
    scene.refused(&["--env=../prod"]);
    assert!(scene.ok(&["list"]).contains("container:a/b"));
    scene.ok(&["release", &id]);
    // 200 bytes each, and both in the name of one lock.
    scene.hold(&["-e", &long, "-a", &long]);
    scene.refused(&["-e", &long, "--exclusive"]);
    let entries = std::fs::read_dir(scene.root()).unwrap().count();
    assert_eq!(entries, 2, "the topology and the lock directory");
}

#[test]
fn an_application_may_have_any_name_of_1_to_200_bytes_without_control_characters() {
    let scene = Scene::with_topology("[environments.prod]\ncontainers = []\n[applications.\"shop@eu\"]\n");
    let id = scene.hold(&["-e", "prod", "-a", "shop@eu"]);
    assert_eq!(scene.deployment(&id).unwrap()["application"], "shop@eu");
}

#[test]
fn a_wrapped_command_gets_a_name_with_spaces_whole() {
    let scene = Scene::new();
    let said = scene.run(&["run", "-l", "$(touch ran)", "--", "sh", "-c", "printf %s \"$DEPLOYLOCK_LOCKS\""]);
    assert_eq!(said.out, "name:$(touch ran)");
    assert!(!scene.path("ran").exists());
}
