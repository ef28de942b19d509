//! Failure and crash need a person: kept, gone on with, given back.

use std::sync::Barrier;

use super::{CRASH_HOLD, HOLD, crashed, events, failed, one_at_a_time, orphan, words};
use crate::harness::{Said, Scene, eventually, signal};
use crate::tools::*;

#[test]
fn a_failed_run_is_shown_with_status_and_time_until_it_is_released() {
    let scene = one_at_a_time(HOLD);
    let said = scene.run(&["run", "-e", "prod", "--", "sh", "-c", "exit 3"]);
    assert_eq!(said.code, 3);
    let held = only(&scene);
    let id = id(&held);
    assert_eq!((&held["state"], &held["exit_status"]), (&"held".into(), &3.into()));
    assert_eq!(held["kept"], "failed with exit status 3");
    assert_eq!(held["stale"], serde_json::Value::Null);
    assert!(held["since"].is_string());
    assert!(said.err.starts_with("deploylock: the command failed with exit status 3"), "{said:?}");
    assert!(said.err.contains(&format!("run --resume {id} -- CMD")), "{said:?}");
    let table = scene.ok(&["list"]);
    assert!(table.contains("failed with exit status 3"), "{table}");
    assert_eq!(scene.ok(&["clear", "--stale"]), "");
    let conflict = scene.fails(75, &["run", "-n", "-e", "prod", "--", "true"]);
    assert!(conflict.err.contains(&id), "{conflict:?}");
    assert!(
        conflict.err.contains("which failed with exit status 3 and is kept for a person"),
        "{conflict:?}"
    );
    scene.ok(&["release", &id, "--outcome", "failed"]);
    nothing_left(&scene);
    let last = events(&scene, &id).pop().unwrap();
    assert_eq!((&last["event"], &last["outcome"]), (&"released".into(), &"failed".into()));
    assert_eq!(words(&scene, &id), ["acquired", "failed", "released"]);
}

#[test]
fn a_failed_and_a_crashed_one_are_cleared_without_force() {
    for (keep, make) in [(HOLD, failed as fn(&Scene) -> String), (CRASH_HOLD, crashed)] {
        let scene = one_at_a_time(keep);
        let id = make(&scene);
        let cleared = scene.ok(&["clear", "--yes", &id]);
        assert!(cleared.contains(&id), "{cleared}");
        nothing_left(&scene);
    }
}

#[test]
fn a_failed_and_a_crashed_one_are_gone_on_with_under_the_same_id() {
    for (keep, make) in [(HOLD, failed as fn(&Scene) -> String), (CRASH_HOLD, crashed)] {
        let scene = one_at_a_time(keep);
        let id = make(&scene);
        let before = only(&scene);
        let script = "echo $DEPLOYLOCK_ID $DEPLOYLOCK_TOKEN $DEPLOYLOCK_ENV $DEPLOYLOCK_APP";
        let said = scene.ok(&["run", "--resume", &id, "--", "sh", "-c", script]);
        let told: Vec<&str> = said.split(' ').collect();
        assert_eq!((told[0], told[2], told[3]), (id.as_str(), "prod", "shop"));
        assert!(told[1].parse::<u64>().unwrap() > before["token"].as_u64().unwrap(), "{said}");
        nothing_left(&scene);
        assert!(words(&scene, &id).contains(&"resumed".to_owned()));
        scene.fails(3, &["run", "--resume", &id, "--", "true"]);
    }
}

#[test]
fn one_that_fails_again_is_kept_again() {
    let scene = one_at_a_time(HOLD);
    let id = failed(&scene);
    scene.fails(4, &["run", "--resume", &id, "--", "sh", "-c", "exit 4"]);
    let held = only(&scene);
    assert_eq!((&held["id"], &held["exit_status"]), (&id.as_str().into(), &4.into()));
    scene.ok(&["run", "--resume", &id, "--", "true"]);
    nothing_left(&scene);
}

#[test]
fn a_mistyped_command_gives_nothing_back() {
    for (keep, make) in [(HOLD, failed as fn(&Scene) -> String), (CRASH_HOLD, crashed)] {
        let scene = one_at_a_time(keep);
        let id = make(&scene);
        let said = scene.fails(127, &["run", "--resume", &id, "--", "no-such-command"]);
        assert!(said.err.contains("command not found"), "{said:?}");
        assert_eq!(only(&scene)["id"], id.as_str());
        assert_eq!(only(&scene)["exit_status"], 127);
        scene.ok(&["run", "--resume", &id, "--", "true"]);
        nothing_left(&scene);
    }
}

#[test]
fn what_is_said_of_a_resumed_one_is_recorded() {
    let scene = one_at_a_time(HOLD);
    let id = failed(&scene);
    let resumed = scene.command(&["run", "--resume", &id, "--ttl", "1h", "--reason", "by hand", "--", "cat"]);
    let resumed = Group::start(resumed);
    eventually("it runs", || only(&scene)["reason"] == "by hand");
    let now = only(&scene);
    assert!(now["expires"].is_string(), "{now}");
    assert_eq!((&now["exit_status"], &now["kept"]), (&serde_json::Value::Null, &serde_json::Value::Null));
    assert_eq!(now["pid"], resumed.pid());
}

#[test]
fn of_two_that_resume_at_once_exactly_one_goes_on() {
    for _ in 0..4 {
        let scene = one_at_a_time(HOLD);
        let id = failed(&scene);
        let start = Barrier::new(3);
        let script = format!("echo ran >> ran; {}", until_file("go"));
        let said: Vec<Said> = std::thread::scope(|scope| {
            let one = || {
                start.wait();
                let said = scene.run(&["run", "--resume", &id, "--", "sh", "-c", &script]);
                // The loser ends at once, and only then may the winner.
                std::fs::write(scene.path("go"), "").unwrap();
                said
            };
            let all = [scope.spawn(one), scope.spawn(one), scope.spawn(one)];
            all.map(|t| t.join().unwrap()).into()
        });
        let mut codes: Vec<i32> = said.iter().map(|s| s.code).collect();
        codes.sort_unstable();
        assert_eq!(codes[0], 0, "{said:?}");
        assert!(codes[1..].iter().all(|c| [1, 3].contains(c)), "{said:?}");
        assert_eq!(read(&scene, "ran"), "ran");
        nothing_left(&scene);
    }
}

#[test]
fn a_waiter_stays_behind_a_resumed_one_and_then_goes_on() {
    for (keep, make) in [(HOLD, failed as fn(&Scene) -> String), (CRASH_HOLD, crashed)] {
        let scene = one_at_a_time(keep);
        let id = make(&scene);
        let next = waiter(&scene, &["-e", "prod"]);
        let mut resumed = Group::of(&scene, &["run", "--resume", &id, "--", "cat"]);
        eventually("it goes on", || deployment_of(&scene, &id)["pid"] == resumed.pid());
        assert_eq!(state(&scene, &next), "waiting");
        assert!(!is_free(&scene, &["-e", "prod"]));
        resumed.let_go();
        assert_eq!(resumed.end().code, 0);
        soon_held(&scene, &next);
    }
}

fn deployment_of(scene: &Scene, id: &str) -> serde_json::Value {
    scene.deployment(id).unwrap_or_default()
}

#[test]
fn a_resumed_one_that_is_killed_is_kept_where_a_crash_holds_and_else_lets_the_next_in() {
    for hold in [true, false] {
        let scene = one_at_a_time(&format!("{HOLD}{}", if hold { CRASH_HOLD } else { "" }));
        let id = failed(&scene);
        let resumed = Group::of(&scene, &["run", "--resume", &id, "--", "cat"]);
        eventually("it goes on", || deployment_of(&scene, &id)["pid"] == resumed.pid());
        let next = waiter(&scene, &["-e", "prod"]);
        resumed.kill();
        if hold {
            eventually("it is kept", || !deployment_of(&scene, &id)["kept"].is_null());
            assert_eq!(state(&scene, &next), "waiting");
            scene.ok(&["run", "--resume", &id, "--", "true"]);
        }
        soon_held(&scene, &next);
    }
}

#[test]
fn the_command_of_a_killed_resumer_keeps_the_locks() {
    let scene = one_at_a_time(HOLD);
    let id = failed(&scene);
    let mut resumed = Group::of(&scene, &["run", "--resume", &id, "--", "cat"]);
    eventually("it goes on", || deployment_of(&scene, &id)["pid"] == resumed.pid());
    eventually("its command runs", || child_of(resumed.pid()).is_some());
    let next = waiter(&scene, &["-e", "prod"]);
    orphan(&mut resumed);
    assert!(!is_free(&scene, &["-e", "prod"]));
    assert_eq!(state(&scene, &next), "waiting");
    let refused = scene.fails(1, &["run", "--resume", &id, "--", "true"]);
    assert!(refused.err.contains("nobody can go on with a deployment that lives"), "{refused:?}");
    resumed.let_go();
    soon_held(&scene, &next);
}

#[test]
fn only_what_is_paused_failed_or_crashed_is_resumed() {
    let scene = one_at_a_time(HOLD);
    let held = scene.hold(&["-e", "prod"]);
    let said = scene.fails(1, &["run", "--resume", &held, "--", "true"]);
    assert!(said.err.contains(&format!("run --id {held} -- CMD")), "{said:?}");
    scene.ok(&["release", &held]);
    let run = holder(&scene, &["-e", "prod"]);
    let said = scene.fails(1, &["run", "--resume", &id(&only(&scene)), "--", "true"]);
    assert!(said.err.contains("lives"), "{said:?}");
    drop(run);
    scene.fails(3, &["run", "--resume", "7-aaaaaa", "--", "true"]);
    scene.fails(2, &["run", "--resume", "7-aaaaaa", "-e", "prod", "--", "true"]);
    scene.fails(2, &["run", "--resume", "7-aaaaaa", "--id", "7-aaaaaa", "--", "true"]);
}

#[test]
fn acquire_says_how_a_failed_one_goes_on() {
    let scene = one_at_a_time(HOLD);
    let id = failed(&scene);
    let said = scene.fails(3, &["acquire", "--resume", &id]);
    assert!(said.err.contains(&format!("run --resume {id} -- CMD")), "{said:?}");
}

#[test]
fn what_failed_inside_another_outlasts_it() {
    let scene = one_at_a_time(HOLD);
    let script = "deploylock run -e prod -- sh -c 'exit 3'; true";
    scene.ok(&["run", "-l", "outer", "--", "sh", "-c", script]);
    let kept = only(&scene);
    assert_eq!(kept["exit_status"], 3);
    assert_eq!(kept["stale"], serde_json::Value::Null, "{kept}");
    // Also where what was acquired beside it ends with the outer one.
    let script = "deploylock acquire -l beside; deploylock run -l own -- true";
    scene.ok(&["run", "-l", "outer", "--", "sh", "-c", script]);
    assert_eq!(id(&only(&scene)), id(&kept));
    assert!(!is_free(&scene, &["-e", "prod"]));
    scene.ok(&["run", "--resume", &id(&kept), "--", "true"]);
    nothing_left(&scene);
}

#[test]
fn a_cancelled_run_is_not_kept() {
    let scene = one_at_a_time(&format!("{HOLD}{CRASH_HOLD}"));
    let run = holder(&scene, &["-e", "prod"]);
    let id = id(&only(&scene));
    scene.ok(&["cancel", &id]);
    assert_eq!(run.end().code, 128 + 15);
    nothing_left(&scene);
    let last = events(&scene, &id).pop().unwrap();
    assert_eq!((&last["event"], &last["outcome"]), (&"released".into(), &"aborted".into()));
}

#[test]
fn a_cancelled_orphan_is_not_kept() {
    let scene = one_at_a_time(&format!("{HOLD}{CRASH_HOLD}"));
    let mut run = holder(&scene, &["-e", "prod"]);
    eventually("its command is noted", || child_of(run.pid()).is_some());
    let id = id(&only(&scene));
    let next = waiter(&scene, &["-e", "prod"]);
    orphan(&mut run);
    scene.ok(&["cancel", &id]);
    soon_held(&scene, &next);
}

#[test]
fn a_run_ended_by_a_signal_failed_and_is_kept() {
    let scene = one_at_a_time(HOLD);
    let run = holder(&scene, &["-e", "prod"]);
    signal(run.pid(), "TERM");
    assert_eq!(run.end().code, 128 + 15);
    assert_eq!(only(&scene)["exit_status"], 128 + 15);
}

#[test]
fn what_crashed_with_its_machine_is_gone_on_with_after_the_boot() {
    let scene = one_at_a_time(CRASH_HOLD);
    let id = crashed(&scene);
    // As an earlier boot would have written it.
    let script = "boot=$(cat /proc/sys/kernel/random/boot_id); cd locks; \
        sed -i \"s/$boot/0123abcd-0000-0000-0000-00000000dead/\" guard deployments/attached/*; \
        cd deployments/attached; for f in *; do mv \"$f\" \"${f%%.*}.0123abcd.h\"; done; ls";
    let moved = scene.shell("sh", script);
    assert_eq!(moved.out.trim(), format!("{id}.0123abcd.h"), "{moved:?}");
    let next = waiter(&scene, &["-e", "prod"]);
    assert_eq!(scene.deployment(&id).unwrap()["kept"], "crashed: its machine was restarted");
    let mut resumed = Group::of(&scene, &["run", "--resume", &id, "--", "cat"]);
    eventually("it goes on", || deployment_of(&scene, &id)["pid"] == resumed.pid());
    assert_eq!(state(&scene, &next), "waiting");
    assert!(!is_free(&scene, &["-e", "prod"]));
    resumed.let_go();
    assert_eq!(resumed.end().code, 0);
    soon_held(&scene, &next);
}

#[test]
fn a_first_command_that_cannot_be_started_is_not_kept() {
    let scene = one_at_a_time(HOLD);
    scene.fails(127, &["run", "-e", "prod", "--", "no-such-command"]);
    nothing_left(&scene);
}
