//! A `run` or `acquire` inside a wrapped command: what counts as held, whose it is, how long it lasts, and what
//! would wait for itself.

use std::time::Instant;

use serde_json::Value;

use crate::harness::{Scene, eventually};
use crate::tools::{
    Group, SOON, deployment, holder, id, is_free, nothing_left, only, read, soon, until_file, until_written,
};

#[test]
fn what_the_parent_holds_counts_as_held() {
    let scene = Scene::new();
    for inner in [
        "deploylock run -n -l a -- sh -c 'exit 7'",
        "deploylock run -n -l a -l c -- sh -c 'exit 7'",
        "deploylock run -n --shared -l a -- sh -c 'exit 7'",
        "deploylock run -n -l a -- deploylock run -n -l b -- deploylock run -n -l a -l b -- sh -c 'exit 7'",
        "deploylock acquire -n -q -l a >/dev/null && exit 7",
    ] {
        let said = scene.run(&["run", "-l", "a", "-l", "b", "--", "sh", "-c", inner]);
        assert_eq!(said.code, 7, "{inner}: {said:?}");
        nothing_left(&scene);
    }
}

#[test]
fn an_environment_is_covered_too() {
    let scene = Scene::with_topology(
        "[environments.prod]\ncontainers = [\"web\"]\nallow_concurrent_deployments = false\n\
         [applications.shop]\n",
    );
    let said = scene.run(&[
        "run",
        "-e",
        "prod",
        "--",
        "deploylock",
        "run",
        "-n",
        "-e",
        "prod",
        "-a",
        "shop",
        "--",
        "true",
    ]);
    assert_eq!(said.code, 0, "{said:?}");
    nothing_left(&scene);
}

#[test]
fn it_has_an_id_of_its_own_and_names_its_parent() {
    let scene = Scene::new();
    let inner = "echo $DEPLOYLOCK_ID > inner; deploylock list --format json > list";
    let outer = format!("echo $DEPLOYLOCK_ID > outer; deploylock run -l a -l b -- sh -c '{inner}'");
    assert_eq!(scene.run(&["run", "-l", "a", "--", "sh", "-c", &outer]).code, 0);
    let list: Value = serde_json::from_str(&read(&scene, "list")).unwrap();
    let all = list["deployments"].as_array().unwrap();
    assert_eq!(all.len(), 2, "{list}");
    let child = all.iter().find(|d| d["id"] == read(&scene, "inner")).unwrap();
    let parent = all.iter().find(|d| d["id"] == read(&scene, "outer")).unwrap();
    assert_eq!(child["parent"], parent["id"]);
    assert_eq!(parent["parent"], Value::Null);
    assert!(child["token"].as_u64() > parent["token"].as_u64());
}

#[test]
fn an_upgrade_of_the_parents_lock_is_refused_at_once() {
    let scene = Scene::new();
    // Another shared holder: the upgrade would wait for its own parent even when that one is gone.
    for others in [0, 1] {
        let _other: Vec<Group> = (0..others).map(|_| holder(&scene, &["--shared", "-l", "a"])).collect();
        for how in ["--wait", "--wait=1h", "-n"] {
            let began = Instant::now();
            let inner = ["deploylock", "run", how, "-l", "a", "--", "true"];
            let said = scene.run(&[&["run", "--shared", "-l", "a", "--"][..], &inner].concat());
            assert_eq!(said.code, 1, "{how}: {said:?}");
            assert!(said.err.contains("name:a") && said.err.contains("parent"), "{said:?}");
            assert!(began.elapsed() < SOON);
        }
    }
}

#[test]
fn a_nested_wait_behind_somebody_who_waits_for_the_parent_is_refused() {
    let scene = Scene::new();
    // The parent holds x; another holds nothing and waits for x and y; the child asks for y, behind that one.
    let script = format!("echo up > up; {}; deploylock run --wait -l y -- true", until_file("go"));
    let outer = Group::of(&scene, &["run", "-l", "x", "--", "sh", "-c", &script]);
    until_written(&scene, "up");
    let between = Group::of(&scene, &["run", "--wait", "-l", "x", "-l", "y", "--", "true"]);
    scene.until("waiting", 1);
    std::fs::write(scene.path("go"), "").unwrap();
    let began = Instant::now();
    let said = outer.end();
    assert!(began.elapsed() < SOON, "it waited");
    // Refused, or let past the one that cannot go before its parent: never a deadlock.
    assert!([0, 1].contains(&said.code), "{said:?}");
    assert_eq!(between.end().code, 0);
}

#[test]
fn nested_locks_last_until_their_own_process_ends() {
    let scene = Scene::new();
    let inner = format!("echo up > up; {}", until_file("go"));
    let outer = format!(
        "deploylock run -q -l a -l b -- sh -c '{inner}' </dev/null >/dev/null 2>&1 & {}",
        until_file("up")
    );
    let said = scene.run(&["run", "-l", "a", "-l", "c", "--", "sh", "-c", &outer]);
    assert_eq!(said.code, 0, "{said:?}");
    let held = only(&scene);
    assert_eq!((&held["state"], &held["stale"]), (&"held".into(), &Value::Null));
    for lock in ["a", "b"] {
        assert!(!is_free(&scene, &["-l", lock]), "{lock}");
    }
    assert!(is_free(&scene, &["-l", "c"]));
    std::fs::write(scene.path("go"), "").unwrap();
    scene.until("held", 0);
    nothing_left(&scene);
}

#[test]
fn nested_locks_last_when_the_parent_is_killed() {
    let scene = Scene::new();
    let inner = format!("echo up > up; {}", until_file("go"));
    let outer = format!("deploylock run -q -l a -l b -- sh -c '{inner}'; :");
    let outer = Group::of(&scene, &["run", "-l", "a", "--", "sh", "-c", &outer]);
    until_written(&scene, "up");
    let shell = crate::tools::child_of(outer.pid()).unwrap();
    outer.signal("KILL");
    crate::harness::signal(shell, "KILL");
    for lock in ["a", "b"] {
        assert!(!is_free(&scene, &["-l", lock]), "{lock}");
    }
    std::fs::write(scene.path("go"), "").unwrap();
    soon("both are free", || is_free(&scene, &["-l", "a", "-l", "b"]));
}

#[test]
fn a_nested_acquire_lasts_until_its_parent_ends() {
    let scene = Scene::new();
    let script = format!("deploylock acquire -l b > id; {}; exit 3", until_file("go"));
    let outer = Group::of(&scene, &["run", "-l", "a", "--", "sh", "-c", &script]);
    let nested = until_written(&scene, "id");
    eventually("it is detached", || scene.in_state("held").len() == 2);
    assert!(!is_free(&scene, &["-l", "b"]));
    assert!(scene.in_state("held").iter().any(|d| d["id"] == nested && d["stale"] == Value::Null));
    std::fs::write(scene.path("go"), "").unwrap();
    assert_eq!(outer.end().code, 3);
    assert!(is_free(&scene, &["-l", "b"]));
    scene.ok(&["clear", "--stale"]);
    nothing_left(&scene);
    assert_eq!(scene.run(&["release", &nested]).code, 3);
}

#[test]
fn a_nested_acquire_lasts_until_released() {
    let scene = Scene::new();
    let script = "id=$(deploylock acquire -l b) && deploylock release $id && \
                  DEPLOYLOCK_ID= deploylock run -n -l b -- true";
    let said = scene.run(&["run", "-l", "a", "--", "sh", "-c", script]);
    assert_eq!(said.code, 0, "{said:?}");
}

#[test]
fn a_waiter_gets_what_a_nested_acquire_held_when_the_parent_is_killed() {
    let scene = Scene::new();
    let outer =
        Group::of(&scene, &["run", "-l", "a", "--", "sh", "-c", "deploylock acquire -l b > id; cat; :"]);
    until_written(&scene, "id");
    scene.until("held", 2);
    let waiting = crate::tools::waiter(&scene, &["-l", "b"]);
    outer.kill();
    crate::tools::soon_held(&scene, &waiting);
}

#[test]
fn a_made_up_parent_is_not_believed() {
    let scene = Scene::new();
    let released = scene.ok(&["acquire", "-l", "a"]);
    scene.ok(&["release", &released]);
    let held = holder(&scene, &["-l", "a"]);
    let waiting = crate::tools::waiter(&scene, &["-l", "a"]);
    let waiting = id(&deployment(&scene, waiting.pid()));
    for forged in [released.as_str(), &waiting, "999-aaaaaa", "nonsense", "", "../../guard"] {
        let mut command = scene.command(&["run", "-n", "-l", "a", "--", "true"]);
        command.env("DEPLOYLOCK_ID", forged).env("DEPLOYLOCK_LOCKS", "name:a").env("DEPLOYLOCK_TOKEN", "1");
        let said = crate::harness::said(command.output().unwrap());
        assert_eq!(said.code, 75, "{forged}: {said:?}");
    }
    drop(held);
}

#[test]
fn two_that_wait_for_each_other_through_their_children_are_told_apart() {
    let scene = Scene::new();
    let side = |own: &str, other: &str| {
        let script = format!(
            "echo $DEPLOYLOCK_ID > {own}-up; {}; deploylock run --wait -l {other} -- true 2> {own}-err; \
             rc=$?; echo $rc > {own}-rc; exit $rc",
            until_file(&format!("{other}-up"))
        );
        Group::of(&scene, &["run", "-l", own, "--", "sh", "-c", &script])
    };
    let (x, y) = (side("x", "y"), side("y", "x"));
    let codes = [x.end().code, y.end().code];
    assert!(codes == [0, 1] || codes == [1, 0], "{codes:?}");
    let refused = if codes[0] == 1 { "x" } else { "y" };
    let message = read(&scene, &format!("{refused}-err"));
    for side in ["x", "y"] {
        let id = read(&scene, &format!("{side}-up"));
        assert!(message.contains(&id), "{id} is not in: {message}");
    }
    nothing_left(&scene);
}

#[test]
fn three_that_wait_for_each_other_through_their_children_are_told_apart() {
    let scene = Scene::new();
    let side = |own: &str, next: &str| {
        let script = format!(
            "echo $DEPLOYLOCK_ID > {own}-up; {}; {}; {}; exec deploylock run --wait -l {next} -- true",
            until_file("x-up"),
            until_file("y-up"),
            until_file("z-up")
        );
        Group::of(&scene, &["run", "-l", own, "--", "sh", "-c", &script])
    };
    let all = [side("x", "y"), side("y", "z"), side("z", "x")];
    let said = all.map(Group::end);
    assert_eq!(said.iter().filter(|s| s.code == 1).count(), 1, "{said:?}");
    assert_eq!(said.iter().filter(|s| s.code == 0).count(), 2, "{said:?}");
    let refused = said.iter().find(|s| s.code == 1).unwrap();
    for side in ["x", "y", "z"] {
        assert!(refused.err.contains(&read(&scene, &format!("{side}-up"))), "{side}: {refused:?}");
    }
    nothing_left(&scene);
}

#[test]
fn siblings_exclude_each_other() {
    // By a lock of their own, and by one that their parent holds for both.
    for lock in ["s", "a"] {
        let scene = Scene::new();
        let script = format!(
            "for i in 1 2 3 4 5 6; do deploylock run -q --wait -l {lock} -- flock -n -F -E 99 critical sleep 0.1 || \
             echo $? >> failed & done; wait"
        );
        let said = scene.run(&["run", "-l", "a", "--", "sh", "-c", &script]);
        assert_eq!(said.code, 0, "{said:?}");
        assert_eq!(read(&scene, "failed"), "", "two siblings at once under {lock}");
        nothing_left(&scene);
    }
}

#[test]
fn siblings_that_share_may_run_together() {
    let scene = Scene::new();
    let one = |own: &str, other: &str| {
        format!(
            "deploylock run -q --wait --shared -l a -- sh -c 'echo > {own}; {}; [ -e {other} ]'",
            until_file(other)
        )
    };
    let script = format!("{} & {}; rc=$?; wait $! && exit $rc", one("p", "q"), one("q", "p"));
    let said = scene.run(&["run", "-l", "a", "--", "sh", "-c", &script]);
    assert_eq!(said.code, 0, "{said:?}");
}

#[test]
fn outsiders_stay_out_while_only_a_child_holds() {
    let scene = Scene::new();
    let script = format!("deploylock run -l b -- sh -c 'echo up > up; {}'", until_file("go"));
    let outer = Group::of(&scene, &["run", "-l", "a", "--", "sh", "-c", &script]);
    until_written(&scene, "up");
    for lock in ["a", "b"] {
        assert!(!is_free(&scene, &["-l", lock]), "{lock}");
    }
    std::fs::write(scene.path("go"), "").unwrap();
    assert_eq!(outer.end().code, 0);
    assert!(is_free(&scene, &["-l", "a", "-l", "b"]));
}
