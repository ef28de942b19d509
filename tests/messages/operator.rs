//! The operator's commands: clear, cancel, renew, release, list, history.

use crate::harness::Scene;
use crate::told::told;
use crate::tools::{Terminal, holder, only};

#[test]
fn nothing_there() {
    let scene = Scene::new();
    told(&scene, "empty_list", &["list"]);
    told(&scene, "empty_list_filtered", &["list", "--env", "prod"]);
    told(&scene, "empty_history", &["history"]);
    told(&scene, "empty_versions", &["history", "--versions"]);
    told(&scene, "empty_clear", &["clear", "--all"]);
    told(&scene, "empty_clear_stale", &["clear", "--stale"]);
    scene.hold(&["-l", "x"]);
    told(&scene, "empty_history_filtered", &["history", "--owner", "nobody"]);
    told(&scene, "empty_clear_filtered", &["clear", "--yes", "--owner", "nobody"]);
}

#[test]
fn clear_is_refused() {
    let scene = Scene::new();
    let id = scene.hold(&["-l", "x", "--owner", "ann", "--reason", "maintenance"]);
    told(&scene, "clear_without_a_terminal", &["clear", &id]);
    told(&scene, "clear_dry_run", &["clear", "--dry-run", &id]);
    told(&scene, "clear_what", &["clear"]);
    let _run = holder(&scene, &["-l", "y"]);
    told(&scene, "clear_alive", &["clear", "--yes", "--all"]);
    let forced = scene.in_state("held").into_iter().find(|d| d["pid"] != serde_json::Value::Null);
    assert!(forced.is_some());
    told(&scene, "clear_alive_forced_without_a_terminal", &["clear", "--force", "--all"]);
    told(&scene, "cleared", &["clear", "--yes", &id]);
}

#[test]
fn clear_asks() {
    let scene = Scene::new();
    let id = scene.hold(&["-l", "x", "--owner", "ann", "--reason", "maintenance"]);
    let other = scene.hold(&["-l", "y"]);
    assert_eq!((&id[..1], &other[..1]), ("1", "2"));
    let terminal = Terminal::open(&scene, 200);
    let shown = |name: &str, line: &str, end: &str| {
        terminal.line(&format!("clear; {line}"));
        crate::harness::eventually(name, || terminal.screen().contains(end));
        let screen = terminal.screen();
        let lines: Vec<&str> = screen.lines().filter(|line| !line.is_empty()).collect();
        let root = scene.root().to_str().unwrap().to_owned();
        crate::told::text(name, &crate::redact::redacted(&lines.join("\n"), &root));
    };
    shown("clear_asks", "deploylock clear 1", "[y/N]");
    terminal.line("n");
    crate::harness::eventually("the answer", || terminal.screen().contains("nothing was cleared"));
    scene.hold(&["-l", "z"]);
    for n in 0..8 {
        scene.hold(&["-l", &format!("z{n}")]);
    }
    shown("clear_several_beginnings", "deploylock clear 1", "type more of it");
}

#[test]
fn renew_release_cancel() {
    let scene = Scene::new();
    let id = scene.hold(&["-l", "x"]);
    told(&scene, "renew_without_ttl", &["renew", &id]);
    told(&scene, "renewed", &["renew", "-v", "--ttl", "1h", &id]);
    told(&scene, "release_which", &["release"]);
    let run = holder(&scene, &["-l", "y"]);
    let id = crate::tools::deployment(&scene, run.pid())["id"].as_str().unwrap().to_owned();
    told(&scene, "release_of_a_run", &["release", &id]);
    told(&scene, "run_id_of_a_run", &["run", "--id", &id, "--", "true"]);
    told(&scene, "resume_of_a_run", &["run", "--resume", &id, "--", "true"]);
    told(&scene, "cancel_of_a_run", &["cancel", &id]);
    run.end();
    assert_eq!(only(&scene)["state"], "held");
}
