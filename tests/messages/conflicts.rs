//! Who is in the way: a conflict, a wait, a refusal of what would wait for itself.

use crate::harness::Scene;
use crate::told::{holds, told};
use crate::tools::{holder, waiter};

const SHOP: &str = "[environments.prod]\ncontainers = [\"web-1\"]\nallow_concurrent_deployments = false\n\
    [applications.shop]\n";

#[test]
fn held_by_a_person() {
    let scene = Scene::with_topology(SHOP);
    let record =
        ["--owner", "ann", "--reason", "quarter end", "--url", "https://ci.example/7", "--ttl", "2h"];
    scene.hold(&[&["-e", "prod", "-a", "shop", "--app-version", "2.1"][..], &record].concat());
    told(&scene, "conflict_no_wait", &["acquire", "-n", "-e", "prod", "-a", "shop"]);
    told(&scene, "conflict_run", &["run", "-n", "-e", "prod", "--", "true"]);
    told(&scene, "conflict_paused", &["acquire", "-e", "prod"]);
    let id = scene.until("paused", 1)[0]["id"].as_str().unwrap().to_owned();
    told(&scene, "conflict_resumed_by_acquire", &["acquire", "--resume", &id]);
    told(&scene, "conflict_resumed_by_run", &["run", "--resume", &id, "--", "sh", "-c", "echo 'done'"]);
    told(&scene, "conflict_wait", &["wait", "-n", "-e", "prod"]);
    told(&scene, "conflict_own_exit_code", &["acquire", "-n", "-E", "9", "-e", "prod"]);
    told(&scene, "conflict_manual", &["acquire", "--wait", "--no-wait-for-manual", "-e", "prod"]);
}

#[test]
fn held_by_a_run() {
    let scene = Scene::new();
    let _holder = holder(&scene, &["-l", "db"]);
    told(&scene, "conflict_alive", &["acquire", "-n", "-l", "db"]);
    told(&scene, "conflict_after_waiting", &["acquire", "-w", "200ms", "-l", "db"]);
    let _waiter = waiter(&scene, &["-l", "db", "-l", "free"]);
    told(&scene, "conflict_with_a_waiter", &["acquire", "-n", "-l", "free"]);
    let id = scene.until("waiting", 1)[0]["id"].as_str().unwrap().to_owned();
    told(&scene, "conflict_wait_for_a_waiter", &["wait", "-n", &id]);
}

#[test]
fn held_by_what_is_bound_to_a_process() {
    let scene = Scene::with_topology("[environments.prod]\ncontainers = [\"a\"]\non_crash = \"hold\"\n");
    let mut owner = scene.program("sleep").arg("600").spawn().unwrap();
    scene.hold(&["-l", "x", "--owner-pid", &owner.id().to_string()]);
    told(&scene, "conflict_owner_process", &["acquire", "-n", "-l", "x"]);
    owner.kill().unwrap();
    owner.wait().unwrap();
    let crashed = holder(&scene, &["-e", "prod", "--exclusive"]);
    crashed.kill();
    crashed.end();
    told(&scene, "conflict_crashed_and_kept", &["acquire", "-n", "-e", "prod"]);
}

#[test]
fn full_and_more_than_one() {
    let scene = Scene::new();
    scene.hold(&["-l", "slots", "--slots", "2"]);
    scene.hold(&["-l", "slots", "--slots", "2", "-l", "other"]);
    told(&scene, "conflict_full", &["acquire", "-n", "-l", "slots", "--slots", "2"]);
    scene.hold(&["-l", "third"]);
    told(&scene, "conflict_several", &["acquire", "-n", "-l", "other", "-l", "third"]);
}

#[test]
fn a_failure_that_is_kept() {
    let scene = Scene::with_topology("[environments.prod]\ncontainers = [\"a\"]\non_failure = \"hold\"\n");
    told(&scene, "run_failed_and_kept", &["run", "-e", "prod", "--exclusive", "--", "sh", "-c", "exit 3"]);
    told(&scene, "conflict_kept", &["acquire", "-n", "-e", "prod"]);
}

#[test]
fn a_wait_and_its_end() {
    let scene = Scene::new();
    let held = scene.hold(&["-l", "x", "--reason", "why"]);
    let waiter = scene.start(&["run", "--wait", "-l", "x", "--", "true"]);
    scene.until("waiting", 1);
    scene.ok(&["release", &held]);
    holds(&scene, "waited", "run --wait -l x -- true", &waiter.end());

    scene.hold(&["-l", "x"]);
    let waiter = scene.start(&["acquire", "--wait", "-l", "x"]);
    let id = scene.until("waiting", 1)[0]["id"].as_str().unwrap().to_owned();
    told(&scene, "release_nothing_held_yet", &["renew", &id]);
    scene.ok(&["cancel", &id]);
    holds(&scene, "cancelled_while_waiting", "acquire --wait -l x", &waiter.end());
}

#[test]
fn superseded() {
    let scene = Scene::with_topology(SHOP);
    scene.hold(&["-e", "prod", "-a", "shop"]);
    let older = scene.start(&["run", "--wait", "-e", "prod", "-a", "shop", "--", "true"]);
    scene.until("waiting", 1);
    let newer = ["run", "--wait", "--supersede", "-e", "prod", "-a", "shop", "--", "true"];
    let _newer = scene.start(&newer);
    holds(&scene, "superseded", "run --wait -e prod -a shop -- true", &older.end());
}

#[test]
fn what_would_wait_for_itself() {
    let scene = Scene::with_topology("[environments.prod]\ncontainers = [\"a\"]\n[applications.shop]\n");
    std::fs::write(scene.path("file"), "x").unwrap();
    let nested = |outer: &[&str], inner: &[&str]| {
        let inner = [&["deploylock", "run"][..], inner, &["--", "true"]].concat();
        [&["run"][..], outer, &["--"], &inner].concat().join(" ")
    };
    for (name, outer, inner) in [
        ("refused_upgrade_name", &["-l", "x", "--shared"][..], &["-l", "x"][..]),
        ("refused_upgrade_environment", &["-e", "prod"], &["-e", "prod", "--exclusive"]),
        (
            "refused_upgrade_version",
            &["-e", "prod", "-a", "shop"],
            &["-e", "prod", "-a", "shop", "--resource", "file"],
        ),
    ] {
        let line = nested(outer, inner);
        let words: Vec<&str> = line.split(' ').collect();
        told(&scene, name, &words);
    }
}
