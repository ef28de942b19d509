//! Duplicates and versions, with several nodes, crashes and people at work.

use std::collections::BTreeSet;

use super::{CRASH_HOLD, HOLD, one_at_a_time, orphan};
use crate::crash::{calls, killed_at};
use crate::harness::{Said, Scene, eventually};
use crate::tools::*;

/// The environment lets several deploy at once: what keeps versions apart is the application's lock.
fn open() -> Scene {
    Scene::with_topology(
        "[applications.shop]\n[applications.cart]\n[environments.prod]\ncontainers = ['web']\n",
    )
}

fn file(scene: &Scene, name: &str, text: &str) {
    std::fs::create_dir_all(scene.path(name).parent().unwrap()).unwrap();
    std::fs::write(scene.path(name), text).unwrap();
}

/// The arguments that deploy this file with this script.
fn args<'a>(file: &'a str, more: &[&'a str], script: &'a str) -> Vec<&'a str> {
    let target = ["run", "-e", "prod", "-a", "shop", "--resource", file];
    [&target[..], more, &["--", "sh", "-c", script]].concat()
}

/// Deploys it; the number that the command was told.
fn version(scene: &Scene, file: &str) -> String {
    scene.ok(&args(file, &[], "echo $DEPLOYLOCK_VERSION"))
}

/// `number outcome` of each version.
fn ledger(scene: &Scene) -> Vec<String> {
    let text = scene.ok(&["history", "--versions", "--format", "json"]);
    let all: serde_json::Value = serde_json::from_str(&text).unwrap();
    let one = |v: &serde_json::Value| format!("{} {}", v["number"], v["outcome"].as_str().unwrap());
    all["versions"].as_array().unwrap().iter().map(one).collect()
}

fn already(said: &Said, number: u64) {
    assert_eq!((said.code, said.out.as_str()), (0, ""), "{said:?}");
    let line = said.err.lines().last().unwrap();
    assert!(line.contains("already deployed by tester@"), "{said:?}");
    assert!(line.ends_with(&format!(", version {number}")), "{said:?}");
}

#[test]
fn of_two_nodes_with_the_same_files_exactly_one_runs() {
    let scene = open();
    for node in ["node1", "node2"] {
        file(&scene, &format!("{node}/shop.war"), "same");
    }
    let script = format!("echo $DEPLOYLOCK_VERSION >> ran; {}", until_file("go"));
    let (a, b) = (
        args("node1/shop.war", &["--skip-duplicate"], &script),
        args("node2/shop.war", &["--skip-duplicate"], &script),
    );
    let both = [Group::of(&scene, &a), Group::of(&scene, &b)];
    scene.until("waiting", 1);
    until_written(&scene, "ran");
    std::fs::write(scene.path("go"), "").unwrap();
    let said = both.map(Group::end);
    assert_eq!(read(&scene, "ran"), "1");
    let told: Vec<&Said> = said.iter().filter(|s| s.err.contains("already deployed")).collect();
    assert_eq!(told.len(), 1, "{said:?}");
    already(told[0], 1);
    assert!(said.iter().all(|s| s.code == 0), "{said:?}");
    assert_eq!(ledger(&scene), ["1 done"]);
    nothing_left(&scene);
}

#[test]
fn where_the_environment_takes_one_at_a_time_the_second_node_waits_if_told_to() {
    for (more, retry) in [("", &["--wait"][..]), ("enable_lock_retry = true\n", &[])] {
        let scene = one_at_a_time(more);
        file(&scene, "f", "same");
        let script = format!("echo ran >> ran; {}", until_file("go"));
        let first = Group::of(&scene, &args("f", &[], &script));
        until_written(&scene, "ran");
        let second = Group::of(&scene, &args("f", &[retry, &["--skip-duplicate"]].concat(), &script));
        scene.until("waiting", 1);
        std::fs::write(scene.path("go"), "").unwrap();
        assert_eq!(first.end().code, 0);
        already(&second.end(), 1);
        assert_eq!(read(&scene, "ran"), "ran");
    }
}

#[test]
fn where_the_first_of_two_fails_the_second_deploys() {
    let scene = open();
    file(&scene, "f", "same");
    let script =
        format!("echo $DEPLOYLOCK_VERSION >> ran; {}; [ $DEPLOYLOCK_VERSION = 2 ]", until_file("go"));
    let args = args("f", &["--skip-duplicate"], &script);
    let both = [Group::of(&scene, &args), Group::of(&scene, &args)];
    scene.until("waiting", 1);
    std::fs::write(scene.path("go"), "").unwrap();
    let mut codes = both.map(Group::end).map(|s| s.code);
    codes.sort_unstable();
    assert_eq!(codes, [0, 1]);
    assert_eq!(ledger(&scene), ["1 failed", "2 done"]);
}

#[test]
fn twenty_at_once_get_twenty_numbers() {
    let scene = open();
    let all: Vec<Group> = (0..20)
        .map(|i| {
            let name = format!("f{i}");
            file(&scene, &name, &name);
            let script = "echo $DEPLOYLOCK_VERSION";
            Group::of(&scene, &args(&name, &["--wait", "--skip-duplicate"], script))
        })
        .collect();
    let said: Vec<Said> = all.into_iter().map(Group::end).collect();
    assert!(said.iter().all(|s| s.code == 0), "{said:?}");
    let numbers: BTreeSet<u32> = said.iter().map(|s| s.out.trim().parse().unwrap()).collect();
    assert_eq!(numbers, (1..=20).collect(), "{said:?}");
}

#[test]
fn a_crash_uses_its_number_up_and_is_not_deployed() {
    let scene = open();
    file(&scene, "f", "1");
    let script = "echo $DEPLOYLOCK_VERSION > told; exec cat";
    let run = Group::of(&scene, &args("f", &[], script));
    assert_eq!(until_written(&scene, "told"), "1");
    assert_eq!(ledger(&scene), ["1 running"]);
    run.kill();
    eventually("it is over", || ledger(&scene) == ["1 crashed"]);
    assert_eq!(scene.ok(&args("f", &["--skip-duplicate"], "echo $DEPLOYLOCK_VERSION")), "2");
    already(&scene.run(&args("f", &["--skip-duplicate"], "true")), 2);
}

#[test]
fn killed_at_any_call_it_gives_no_number_twice() {
    let scene = open();
    file(&scene, "f", "1");
    let args = args("f", &[], "echo $DEPLOYLOCK_VERSION >> told");
    let calls = calls(&scene, &args);
    for (name, nth) in ["openat", "pwrite64", "fsync", "renameat", "unlinkat", "flock"]
        .into_iter()
        .flat_map(|name| (1..=calls[name]).map(move |nth| (name, nth)))
    {
        drop(killed_at(&scene, name, nth, &args));
        eventually("whatever it started ends", || {
            scene.in_state("held").iter().all(|d| !d["stale"].is_null())
        });
        let told: Vec<u32> = read(&scene, "told").lines().map(|l| l.parse().unwrap()).collect();
        assert!(told.windows(2).all(|w| w[0] < w[1]), "{name} {nth}: {told:?}");
        let next = version(&scene, "f").parse().unwrap();
        assert!(told.iter().all(|t| *t < next), "{name} {nth}: {next} after {told:?}");
    }
    let ledger = ledger(&scene);
    let numbers: Vec<u32> = ledger.iter().map(|l| l.split(' ').next().unwrap().parse().unwrap()).collect();
    assert_eq!(numbers, (1..=numbers.len() as u32).collect::<Vec<_>>());
    // Killed before the note, after it, after the end was noted.
    assert!(ledger.iter().filter(|l| l.ends_with("crashed")).count() > 5, "{ledger:?}");
}

#[test]
fn a_freeze_of_the_environment_does_not_hide_a_duplicate() {
    let scene = open();
    file(&scene, "f", "1");
    assert_eq!(version(&scene, "f"), "1");
    scene.hold(&["-e", "prod", "--exclusive"]);
    already(&scene.run(&args("f", &["--skip-duplicate"], "true")), 1);
    file(&scene, "f", "2");
    scene.fails(75, &args("f", &["--skip-duplicate", "-n"], "true"));
}

#[test]
fn what_is_deployed_differently_or_was_taken_away_is_no_duplicate() {
    let scene = open();
    file(&scene, "f", "1");
    assert_eq!(version(&scene, "f"), "1");
    let skip = |more: &[&str]| {
        scene.run(&args("f", &[&["--skip-duplicate"], more].concat(), "echo $DEPLOYLOCK_VERSION")).out
    };
    assert_eq!(skip(&["--operation", "undeploy"]), "2\n");
    assert_eq!(skip(&["--operation", "undeploy"]), "", "it is away already");
    assert_eq!(skip(&[]), "3\n");
    assert_eq!(skip(&[]), "");
    // Another application counts for itself.
    let cart = [
        "run",
        "-e",
        "prod",
        "-a",
        "cart",
        "--resource",
        "f",
        "--skip-duplicate",
        "--",
        "sh",
        "-c",
        "echo $DEPLOYLOCK_VERSION",
    ];
    assert_eq!(scene.ok(&cart), "1");
}

#[test]
fn a_failed_version_that_was_kept_goes_on_with_its_number() {
    let scene = one_at_a_time(HOLD);
    file(&scene, "f", "1");
    scene.fails(3, &args("f", &[], "exit 3"));
    let id = id(&only(&scene));
    assert_eq!(ledger(&scene), ["1 failed"]);
    assert_eq!(scene.ok(&["run", "--resume", &id, "--", "sh", "-c", "echo $DEPLOYLOCK_VERSION"]), "1");
    assert_eq!(ledger(&scene), ["1 done"]);
    already(&scene.run(&args("f", &["--skip-duplicate"], "true")), 1);
}

#[test]
fn a_person_says_how_a_kept_version_ended() {
    for (said, outcome) in
        [(&["--outcome", "done"][..], "1 done"), (&[], "1 failed"), (&["--outcome", "aborted"], "1 aborted")]
    {
        let scene = one_at_a_time(HOLD);
        file(&scene, "f", "1");
        scene.fails(3, &args("f", &[], "exit 3"));
        scene.ok(&[&["release", &id(&only(&scene))], said].concat());
        assert_eq!(ledger(&scene), [outcome]);
    }
}

#[test]
fn a_crashed_version_that_was_kept_goes_on_with_its_number() {
    let scene = one_at_a_time(CRASH_HOLD);
    file(&scene, "f", "1");
    let run = Group::of(&scene, &args("f", &[], "echo up > up; exec cat"));
    until_written(&scene, "up");
    run.kill();
    eventually("it is kept", || !only(&scene)["kept"].is_null());
    let id = id(&only(&scene));
    assert_eq!(scene.ok(&["run", "--resume", &id, "--", "sh", "-c", "echo $DEPLOYLOCK_VERSION"]), "1");
    assert_eq!(ledger(&scene), ["1 done"]);
}

#[test]
fn the_command_of_a_killed_wrapper_keeps_its_version_to_itself() {
    let scene = open();
    file(&scene, "f", "1");
    let mut run = Group::of(&scene, &args("f", &[], "echo up > up; exec cat"));
    until_written(&scene, "up");
    orphan(&mut run);
    assert_eq!(ledger(&scene), ["1 running"]);
    file(&scene, "g", "2");
    scene.fails(75, &args("g", &["-n"], "true"));
    run.let_go();
    eventually("it ends", || ledger(&scene) == ["1 crashed"]);
    assert_eq!(version(&scene, "g"), "2");
}

#[test]
fn a_cancelled_and_a_lost_version_are_not_deployed() {
    let scene = open();
    file(&scene, "f", "1");
    for end in [&["cancel"][..], &["clear", "--yes", "--force"]] {
        let run = Group::of(&scene, &args("f", &[], "echo up > up; exec cat"));
        until_written(&scene, "up");
        scene.ok(&[end, &[id(&only(&scene)).as_str()]].concat());
        assert_ne!(run.end().code, 0);
        std::fs::remove_file(scene.path("up")).unwrap();
    }
    assert_eq!(ledger(&scene), ["1 aborted", "2 failed"]);
    assert_eq!(scene.ok(&args("f", &["--skip-duplicate"], "echo $DEPLOYLOCK_VERSION")), "3");
}

#[test]
fn a_torn_line_of_the_ledger_is_passed_over() {
    let scene = open();
    file(&scene, "f", "1");
    assert_eq!(version(&scene, "f"), "1");
    let found =
        scene.shell("sh", "f=$(find locks/ledger -type f) && printf '{\"event\":\"began\",\"num' >> \"$f\"");
    assert_eq!(found.code, 0, "{found:?}");
    assert_eq!(version(&scene, "f"), "2");
    assert_eq!(ledger(&scene), ["1 done", "2 done"]);
}

#[test]
fn files_that_cannot_be_read_are_an_error_before_anything_is_locked() {
    let scene = open();
    let said = scene.fails(1, &args("nowhere.war", &[], "true"));
    assert!(said.err.contains("nowhere.war"), "{said:?}");
    assert!(ledger(&scene).is_empty());
    scene.fails(2, &["run", "-e", "prod", "--resource", "f", "--", "true"]);
    scene.fails(2, &["run", "-e", "prod", "-a", "shop", "--skip-duplicate", "--", "true"]);
}

#[test]
fn the_list_of_versions_says_who_what_when() {
    let scene = open();
    file(&scene, "f", "1");
    scene.ok(&args("f", &["--app-version", "2.1", "--owner", "ann"], "true"));
    let text = scene.ok(&["history", "--versions", "--format", "json"]);
    let all: serde_json::Value = serde_json::from_str(&text).unwrap();
    let v = &all["versions"][0];
    assert_eq!((&v["number"], &v["owner"], &v["version"]), (&1.into(), &"ann".into(), &"2.1".into()));
    assert_eq!(
        (&v["application"], &v["environment"], &v["operation"]),
        (&"shop".into(), &"prod".into(), &"deploy".into())
    );
    assert!(v["fingerprint"].as_str().unwrap().starts_with("sha256:"), "{v}");
    assert!(v["began"].is_string() && v["ended"].is_string());
    let table = scene.ok(&["history", "--versions"]);
    assert!(table.contains("ann") && table.contains("done") && table.contains("2.1"), "{table}");
}

#[test]
fn without_the_engines_lock_the_applications_lock_alone_keeps_versions_apart() {
    let scene = Scene::with_topology(
        "[engines.bpm]\ndeployment_lock_used = false\n[applications.shop]\n[applications.cart]\n\
         [environments.prod]\ncontainers = ['web']\nengine = 'bpm'\n",
    );
    let check = scene.ok(&["check"]);
    let check = check + &scene.run(&["check"]).err;
    assert!(check.contains("several deployments may go through engine `bpm` at once"), "{check}");
    assert!(check.contains("the application's lock alone"), "{check}");
    let plan = scene.ok(&["plan", "-e", "prod", "-a", "shop"]);
    assert!(!plan.contains("engine:bpm"), "{plan}");
    file(&scene, "f", "1");
    let run = Group::of(&scene, &args("f", &[], "echo up > up; exec cat"));
    until_written(&scene, "up");
    scene.ok(&["run", "-n", "-e", "prod", "-a", "cart", "--resource", "f", "--", "true"]);
    scene.fails(75, &args("f", &["-n"], "true"));
    drop(run);
}
