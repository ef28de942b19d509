//! What a person is told on a conflict, and that what others wrote cannot harm a terminal.

use crate::harness::{Said, Scene};
use crate::steps::done;
use crate::tools::{Group, holder, read};

/// The commands a message suggests, each as a shell would get it.
fn suggested(said: &Said) -> Vec<String> {
    let lines = said.err.lines().skip(1);
    lines.filter_map(|l| l.find("deploylock ").map(|at| l[at..].to_owned())).collect()
}

fn suggestion(said: &Said, word: &str) -> String {
    let mut all = suggested(said).into_iter();
    let word = format!(" {word}");
    all.find(|c| c.contains(&word)).unwrap_or_else(|| panic!("no{word}: {}", said.err))
}

#[test]
fn a_conflict_names_lock_holder_reason_and_age() {
    let scene = Scene::with_topology(
        "[environments.prod]\ncontainers = [\"a\"]\nallow_concurrent_deployments = false\n[applications.shop]\n",
    );
    let id = scene.hold(&[
        "-e",
        "prod",
        "-a",
        "shop",
        "--app-version",
        "2.1",
        "--owner",
        "ann",
        "--reason",
        "quarter end",
        "--url",
        "https://ci.example/7",
    ]);
    for args in [
        &["acquire", "-n", "-e", "prod"][..],
        &["acquire", "-e", "prod"],
        &["run", "-n", "-e", "prod", "--", "true"],
    ] {
        let said = scene.fails(75, args);
        let first = said.err.lines().next().unwrap();
        for part in ["environment:prod", "ann", "quarter end", id.as_str()] {
            assert!(first.contains(part), "the first line says {part}: {}", said.err);
        }
        let age = first.split_once("for ").map(|(_, age)| age.chars().next().unwrap());
        assert!(age.is_some_and(|c| c.is_ascii_digit()), "its age: {first}");
        for part in ["shop", "2.1", "https://ci.example/7"] {
            assert!(said.err.contains(part), "{part}: {}", said.err);
        }
        assert!(!said.err.contains("panicked"));
    }
}

#[test]
fn the_suggested_commands_work_as_they_stand() {
    for folder in ["plain", "with space", "it's \"quoted\" $HOME", "-dash"] {
        let scene = Scene::new();
        let dir = scene.path(folder);
        let dir = dir.to_str().unwrap();
        let at = |args: &[&str]| {
            let mut command = scene.command(&[&["--lock-dir", dir], args].concat());
            done(command.env_remove("DEPLOYLOCK_DIR"))
        };
        let id = at(&["acquire", "-l", "it's a name", "-l", "other"]).out.trim().to_owned();
        let said = at(&["acquire", "-n", "-l", "it's a name"]);
        assert_eq!(said.code, 75, "{said:?}");
        let shell =
            |command: &str| done(scene.program("sh").args(["-c", command]).env_remove("DEPLOYLOCK_DIR"));
        let show = shell(&suggestion(&said, "list"));
        assert_eq!(show.code, 0, "{show:?}");
        assert!(show.out.contains(&id), "{show:?}");
        let wait = suggestion(&said, "wait");
        assert_eq!(shell(&format!("{wait} -n")).code, 75, "{wait}");
        let clear = shell(&format!("{} --yes", suggestion(&said, "clear")));
        assert_eq!(clear.code, 0, "{clear:?}");
        assert_eq!(shell(&wait).code, 0);
        assert_eq!(at(&["acquire", "-n", "-l", "other"]).code, 0, "it was cleared");
    }
}

#[test]
fn a_lock_directory_from_the_variable_is_named_too() {
    let scene = Scene::new();
    scene.hold(&["-l", "x"]);
    let said = scene.refused(&["-l", "x"]);
    let dir = scene.locks().display().to_string();
    for word in ["list", "wait", "clear"] {
        let command = suggestion(&said, word);
        assert!(command.contains("--lock-dir") && command.contains(&dir), "{command}");
    }
}

#[test]
fn what_was_the_default_is_not_repeated() {
    let scene =
        Scene::with_topology("[store]\ndirectory = \"d\"\n[environments.prod]\ncontainers = [\"a\"]\n");
    let here = |args: &[&str]| done(scene.command(args).env_remove("DEPLOYLOCK_DIR"));
    here(&["acquire", "-e", "prod", "--exclusive"]);
    let said = here(&["acquire", "-n", "-e", "prod"]);
    assert_eq!(said.code, 75);
    for command in suggested(&said) {
        assert!(!command.contains("--lock-dir") && !command.contains("--config"), "{command}");
    }
}

#[test]
fn a_topology_that_was_named_is_named_in_the_suggestions() {
    let scene = Scene::new();
    std::fs::write(
        scene.path("other.toml"),
        "[store]\ndirectory = \"d\"\n[environments.prod]\ncontainers = [\"a\"]\nallow_concurrent_deployments = false\n",
    )
    .unwrap();
    let here = |args: &[&str]| done(scene.command(args).env_remove("DEPLOYLOCK_DIR"));
    let id = here(&["acquire", "--config", "other.toml", "-e", "prod"]).out.trim().to_owned();
    let said = here(&["acquire", "--config", "other.toml", "-e", "prod"]);
    assert_eq!(said.code, 75);
    for word in ["list", "wait", "clear", "acquire --resume"] {
        assert!(suggestion(&said, word).contains("--config"), "{}", said.err);
    }
    let shell = |command: &str| done(scene.program("sh").args(["-c", command]).env_remove("DEPLOYLOCK_DIR"));
    assert!(shell(&suggestion(&said, "list")).out.contains(&id));
    assert_eq!(shell(&format!("{} --yes", suggestion(&said, "clear"))).code, 0);
    let resumed = shell(&suggestion(&said, "acquire --resume"));
    assert_eq!(resumed.code, 0, "{resumed:?}");
}

#[test]
fn the_suggested_wait_is_for_the_same_target() {
    let scene = Scene::with_topology(
        "[environments.prod]\ncontainers = [\"a\", \"b\"]\n[containers.a]\nallow_concurrent_deployments = false\n[applications.shop]\n",
    );
    scene.hold(&["-e", "prod", "-c", "a", "-l", "s", "--shared"]);
    let said = scene.refused(&["-e", "prod", "-a", "shop", "-c", "a", "-c", "b", "-l", "s", "--slots", "3"]);
    let wait = suggestion(&said, "wait");
    for part in ["prod", "shop", "=a", "=b", "=s", "--slots"] {
        assert!(wait.contains(part), "{part}: {wait}");
    }
    assert_eq!(scene.shell("sh", &format!("{wait} -n")).code, 75);
}

#[test]
fn the_suggested_wait_of_a_resumed_deployment_is_for_the_same_target() {
    let scene = Scene::with_topology(
        "[environments.prod]\ncontainers = [\"a\"]\nallow_concurrent_deployments = false\n",
    );
    let env = scene.hold(&["-e", "prod"]);
    scene.hold(&["-l", "x"]);
    scene.fails(75, &["acquire", "-e", "prod", "-l", "x"]);
    let id = scene.until("paused", 1)[0]["id"].as_str().unwrap().to_owned();
    scene.ok(&["release", &env]);
    let said = scene.fails(75, &["acquire", "--resume", &id]);
    assert!(said.err.contains("name:x"), "{}", said.err);
    let wait = suggestion(&said, "wait");
    assert_eq!(scene.shell("sh", &format!("{wait} -n")).code, 75, "{wait} does not wait for name:x");
}

#[test]
fn every_suggestion_of_a_wait_for_a_deployment_works_too() {
    let scene = Scene::new();
    scene.hold(&["-l", "x"]);
    let waiter = scene.start(&["acquire", "-l", "x", "--wait"]);
    let id = scene.until("waiting", 1)[0]["id"].as_str().unwrap().to_owned();
    let said = scene.fails(75, &["wait", &id, "-n"]);
    let wait = suggestion(&said, "wait");
    assert_eq!(scene.shell("sh", &format!("{wait} -n")).code, 75, "`{wait}` says what to wait for");
    drop(waiter);
}

#[test]
fn an_error_gives_its_cause_once() {
    let scene = Scene::new();
    std::fs::write(scene.path("file"), "").unwrap();
    std::os::unix::fs::symlink("nowhere", scene.path("dangling")).unwrap();
    for dir in ["file", "dangling", "/proc/nowhere"] {
        let said = scene.fails(1, &["--lock-dir", dir, "acquire", "-l", "x"]);
        let causes: Vec<&str> = said.err.trim().split(": ").collect();
        let mut once = causes.clone();
        once.dedup();
        assert_eq!(causes, once, "{}", said.err);
    }
}

/// Text with everything that could harm a terminal or a table.
const EVIL: &str = "good\u{1b}[31mred\u{1b}]0;title\u{7}\r\nname:forged  held\ttab\u{9b}2J\u{8}\u{7f}end";

fn harmless(text: &str) {
    let bad = |c: char| c.is_control() && c != '\n';
    assert!(!text.contains(bad), "{text:?}");
}

#[test]
fn what_others_wrote_is_sanitised_in_tables_and_messages() {
    let scene = Scene::new();
    let id = scene.hold(&["-l", "x", "--reason", EVIL, "--owner", EVIL, "--url", EVIL]);
    for args in [&["list"][..], &["list", "--by", "deployment"], &["plan", "-l", "x"]] {
        let out = scene.ok(args);
        harmless(&out);
        assert_eq!(out.lines().count(), 2, "a head and one row: {out}");
        assert!(out.contains("good") && out.contains("end"), "{out}");
    }
    let refused = scene.refused(&["-l", "x"]);
    harmless(&refused.err);
    assert!(!refused.err.lines().any(|l| l.trim_start().starts_with("name:forged")), "{}", refused.err);
    harmless(&scene.fails(1, &["clear", &id]).err);
    let waits = scene.start(&["run", "-l", "x", "-w", "50ms", "--", "true"]).end();
    harmless(&waits.err);
    let said = scene.run(&["clear", "--yes", &id]);
    harmless(&said.out);
    assert_eq!(said.out.lines().count(), 1, "{}", said.out);
}

#[test]
fn the_json_keeps_what_was_written() {
    let scene = Scene::new();
    let id = scene.hold(&["-l", "x", "--reason", EVIL]);
    assert_eq!(scene.deployment(&id).unwrap()["reason"], EVIL);
    let raw = scene.run(&["list", "--format", "json"]).out;
    assert!(!raw.trim_end().contains(|c: char| c.is_ascii_control() && c != '\u{7f}'), "{raw:?}");
    assert_eq!(raw.matches('\n').count(), 1, "one object, one line");
}

#[test]
fn a_long_reason_is_kept_whole() {
    let scene = Scene::new();
    let long = "because ".repeat(8000);
    let id = scene.hold(&["-l", "x", "--reason", &long]);
    assert_eq!(scene.deployment(&id).unwrap()["reason"], long.as_str());
    let said = scene.refused(&["-l", "x"]);
    assert!(said.err.contains("name:x"));
    scene.ok(&["release", &id]);
}

#[test]
fn every_line_of_a_log_is_written_in_one_call() {
    let scene = Scene::new();
    let mut held = holder(&scene, &["-l", "a"]);
    let traced = |name: &str, args: &[&str]| {
        let mut strace = scene.program("strace");
        strace.args([
            "-qq",
            "-o",
            name,
            "-s",
            "9999",
            "-e",
            "trace=write",
            "-e",
            "signal=none",
            "deploylock",
        ]);
        strace.args(args);
        Group::start(strace)
    };
    assert_eq!(traced("refused", &["run", "-n", "-l", "a", "--", "true"]).end().code, 75);
    let waiting = traced("waiting", &["run", "--wait", "-l", "a", "--", "true"]);
    scene.until("waiting", 1);
    held.let_go();
    assert_eq!((held.end().code, waiting.end().code), (0, 0));
    for (name, lines) in [("refused", 1), ("waiting", 2)] {
        let calls = read(&scene, name);
        let told: Vec<&str> = calls.lines().filter(|call| call.starts_with("write(2,")).collect();
        assert_eq!(told.len(), lines, "{calls}");
        let whole = |call: &&str| call.starts_with("write(2, \"deploylock: ") && call.contains("\\n\", ");
        assert!(told.iter().all(whole), "{told:#?}");
    }
}
