//! `clear`: the operator's hand, and cron's.

use crate::harness::{Said, Scene, eventually};
use crate::steps::done;

/// Holds this lock, past its time to live.
fn stale(scene: &Scene, lock: &str) -> String {
    let id = scene.hold(&["-l", lock, "--ttl", "10ms", "--owner", "late"]);
    eventually("the time to live passes", || !scene.deployment(&id).unwrap()["stale"].is_null());
    id
}

#[test]
fn without_a_terminal_clear_needs_yes_and_clears_nothing_else() {
    let scene = Scene::new();
    let id = scene.hold(&["-l", "x", "--owner", "ann", "--reason", "quarter end"]);
    for what in [&[id.as_str()][..], &["--lock", "x"], &["--owner", "ann"], &["--all"]] {
        let said = scene.fails(1, &[&["clear"], what].concat());
        assert_eq!(said.out, "");
        for part in [id.as_str(), "ann", "quarter end", "--yes"] {
            assert!(said.err.contains(part), "{part}: {}", said.err);
        }
        assert_eq!(scene.state_of(&id), "held");
    }
    let said = scene.run(&["clear", "--yes", &id]);
    assert_eq!(said.code, 0, "{said:?}");
    assert_eq!(scene.state_of(&id), "gone");
    assert!(scene.could_have(&["-l", "x"]));
}

#[test]
fn clear_says_a_line_on_stdout_for_each_thing_cleared() {
    let scene = Scene::new();
    let ids = [scene.hold(&["-l", "x"]), scene.hold(&["-l", "y"])];
    let said = scene.run(&["clear", "--yes", &ids[0], &ids[1]]);
    assert_eq!((said.code, said.out.lines().count()), (0, 2), "{said:?}");
    for id in &ids {
        assert!(said.out.contains(id.as_str()));
    }
}

#[test]
fn clear_of_an_unknown_id_is_3_and_clears_nothing() {
    let scene = Scene::new();
    let id = scene.hold(&["-l", "x"]);
    scene.fails(3, &["clear", "--yes", "4711-aaaaaa"]);
    scene.fails(3, &["clear", "--yes", &id, "4711-aaaaaa"]);
    assert_eq!(scene.state_of(&id), "held");
    let part = id.split_once('-').unwrap().0;
    assert_ne!(scene.run(&["clear", "--yes", part]).code, 0, "a part of an id, with nobody to ask");
    assert_eq!(scene.state_of(&id), "held");
}

#[test]
fn clear_without_saying_what_is_a_usage_error() {
    let scene = Scene::new();
    let id = scene.hold(&["-l", "x"]);
    scene.fails(2, &["clear"]);
    scene.fails(2, &["clear", "--yes"]);
    scene.fails(2, &["clear", "--yes", "--force"]);
    assert_eq!(scene.state_of(&id), "held");
}

#[test]
fn filters_choose_what_is_cleared() {
    let scene = Scene::with_topology(
        "[environments.prod]\ncontainers = [\"a\"]\n[environments.test]\ncontainers = [\"b\"]\n",
    );
    let prod = scene.hold(&["-e", "prod", "--owner", "ann"]);
    let test = scene.hold(&["-e", "test", "--owner", "bob"]);
    let name = scene.hold(&["-l", "x", "--owner", "ann"]);
    let cleared = |filter: &[&str], ids: &[&str]| {
        let said = scene.run(&[&["clear", "--yes", "--dry-run"], filter].concat());
        assert_eq!(said.code, 0, "{filter:?}");
        for id in [&prod, &test, &name] {
            assert_eq!(said.out.contains(id.as_str()), ids.contains(&id.as_str()), "{filter:?}: {said:?}");
        }
    };
    cleared(&["--env", "prod"], &[&prod]);
    cleared(&["--owner", "ann"], &[&prod, &name]);
    cleared(&["--owner", "ann", "--env", "prod"], &[&prod]);
    cleared(&["--lock", "environment:test"], &[&test]);
    cleared(&["--lock", "name:x"], &[&name]);
    cleared(&["--lock", "x"], &[&name]);
    cleared(&["--all"], &[&prod, &test, &name]);
    cleared(&["--owner", "nobody"], &[]);
    scene.ok(&["clear", "--yes", "--owner", "ann"]);
    assert_eq!(scene.owners("held"), ["bob"]);
}

#[test]
fn clear_stale_is_silent_when_there_is_nothing_to_do() {
    let scene = Scene::new();
    let silent = |said: Said| assert_eq!((said.code, said.out.as_str(), said.err.as_str()), (0, "", ""));
    silent(scene.run(&["clear", "--stale"]));
    let id = scene.hold(&["-l", "x"]);
    let run = scene.deploy(&["-l", "y"]);
    scene.until("held", 2);
    silent(scene.run(&["clear", "--stale"]));
    silent(scene.run(&["clear", "--stale", "--yes", "--force"]));
    assert_eq!(scene.state_of(&id), "held");
    assert_eq!(run.finish().code, 0);
}

#[test]
fn clear_stale_needs_no_yes_and_says_a_line_for_each() {
    let scene = Scene::new();
    let dead = [stale(&scene, "x"), stale(&scene, "y")];
    let alive = scene.hold(&["-l", "z"]);
    let said = scene.run(&["clear", "--stale"]);
    assert_eq!((said.code, said.out.lines().count(), said.err.as_str()), (0, 2, ""), "{said:?}");
    for id in &dead {
        assert!(said.out.contains(id.as_str()));
        assert_eq!(scene.state_of(id), "gone");
    }
    assert_eq!(scene.state_of(&alive), "held");
    assert_eq!(scene.run(&["clear", "--stale"]).out, "");
}

#[test]
fn clear_stale_with_a_filter_touches_only_what_fits_and_is_stale() {
    let scene = Scene::new();
    let x = stale(&scene, "x");
    let y = stale(&scene, "y");
    scene.ok(&["clear", "--stale", "--lock", "x"]);
    assert_eq!((scene.state_of(&x).as_str(), scene.state_of(&y).as_str()), ("gone", "held"));
    let alive = scene.hold(&["-l", "z"]);
    scene.ok(&["clear", "--stale", &alive]);
    assert_eq!(scene.state_of(&alive), "held");
}

#[test]
fn what_is_verifiably_alive_also_needs_force() {
    let scene = Scene::new();
    let run = scene.deploy(&["-l", "x", "--owner", "ann", "--reason", "busy"]);
    let id = scene.until("held", 1)[0]["id"].as_str().unwrap().to_owned();
    for what in [&[id.as_str()][..], &["--all"], &["--lock", "x"]] {
        let said = scene.fails(1, &[&["clear", "--yes"], what].concat());
        for part in [id.as_str(), "ann", "busy", "alive", "--force"] {
            assert!(said.err.contains(part), "{part}: {}", said.err);
        }
        assert_eq!(scene.state_of(&id), "held");
    }
    scene.fails(1, &["clear", "--force", &id]);
    assert_eq!(scene.state_of(&id), "held", "there is nobody to ask");
    scene.ok(&["clear", "--force", "--yes", &id]);
    let said = run.end();
    assert_eq!(said.code, 76, "its locks were taken away: {said:?}");
    assert!(scene.could_have(&["-l", "x"]));
}

#[test]
fn one_that_is_alive_among_others_stops_all_of_them() {
    let scene = Scene::new();
    let run = scene.deploy(&["-l", "x"]);
    scene.until("held", 1);
    let other = scene.hold(&["-l", "y"]);
    scene.fails(1, &["clear", "--yes", "--all"]);
    assert_eq!(scene.state_of(&other), "held", "a refused clear clears nothing");
    assert_eq!(run.finish().code, 0);
}

#[test]
fn a_waiter_that_is_alive_needs_force_and_ends_with_75() {
    let scene = Scene::new();
    scene.hold(&["-l", "x"]);
    let waiter = scene.start(&["acquire", "-l", "x", "--wait"]);
    let id = scene.until("waiting", 1)[0]["id"].as_str().unwrap().to_owned();
    scene.fails(1, &["clear", "--yes", &id]);
    assert_eq!(scene.state_of(&id), "waiting");
    scene.ok(&["clear", "--yes", "--force", &id]);
    let said = waiter.end();
    assert_eq!((said.code, said.out.as_str()), (75, ""), "{said:?}");
}

#[test]
fn a_paused_deployment_is_cleared_without_force() {
    let scene = Scene::with_topology(
        "[environments.prod]\ncontainers = [\"a\"]\nallow_concurrent_deployments = false\n",
    );
    scene.hold(&["-e", "prod"]);
    scene.fails(75, &["acquire", "-e", "prod"]);
    let id = scene.until("paused", 1)[0]["id"].as_str().unwrap().to_owned();
    scene.ok(&["clear", "--yes", &id]);
    scene.fails(3, &["acquire", "--resume", &id]);
}

#[test]
fn a_dry_run_says_and_changes_nothing() {
    let scene = Scene::new();
    let dead = stale(&scene, "x");
    let held = scene.hold(&["-l", "y"]);
    let run = scene.deploy(&["-l", "z"]);
    scene.until("held", 3);
    let before = scene.list();
    let said = scene.run(&["clear", "--stale", "--dry-run"]);
    assert_eq!((said.code, said.out.lines().count()), (0, 1), "{said:?}");
    assert!(said.out.contains(&dead));
    let said = scene.run(&["clear", "--all", "--dry-run"]);
    assert_eq!((said.code, said.out.lines().count()), (0, 3), "{said:?}");
    scene.ok(&["clear", "--dry-run", "--yes", "--force", &held]);
    assert_eq!(scene.list(), before);
    assert_eq!(run.finish().code, 0);
}

#[test]
fn older_than_spares_what_is_younger() {
    let scene = Scene::new();
    let old = scene.hold(&["-l", "x"]);
    scene.ok(&["clear", "--yes", "--all", "--older-than", "1h"]);
    scene.ok(&["clear", "--yes", "--older-than", "1h", &old]);
    assert_eq!(scene.state_of(&old), "held");
    let dead = stale(&scene, "y");
    let said = scene.run(&["clear", "--stale", "--older-than", "1h"]);
    assert_eq!((said.code, said.out.as_str(), said.err.as_str()), (0, "", ""));
    assert_eq!(scene.state_of(&dead), "held");
    scene.ok(&["clear", "--yes", "--all", "--older-than", "1ms"]);
    assert!(scene.list()["deployments"].as_array().unwrap().is_empty());
}

#[test]
fn clear_all_clears_all() {
    let scene = Scene::new();
    for lock in ["x", "y", "z"] {
        scene.hold(&["-l", lock]);
    }
    let said = scene.run(&["clear", "--all", "--yes"]);
    assert_eq!((said.code, said.out.lines().count()), (0, 3), "{said:?}");
    assert_eq!(scene.list(), serde_json::json!({"locks": [], "deployments": []}));
    assert_eq!(scene.run(&["clear", "--all", "--yes"]).code, 0);
}

#[test]
fn a_clear_lets_the_next_waiter_in() {
    let scene = Scene::new();
    let first = scene.hold(&["-l", "x"]);
    let second = scene.deploy(&["-l", "x", "--wait", "--owner", "second"]);
    scene.until("waiting", 1);
    scene.ok(&["clear", "--yes", &first]);
    assert_eq!(scene.owners("held"), ["second"]);
    assert_eq!(second.finish().code, 0);
}

#[test]
fn on_a_terminal_clear_asks() {
    for (answer, state) in [("n", "held"), ("", "held"), ("y", "gone")] {
        let scene = Scene::new();
        let id = scene.hold(&["-l", "x", "--owner", "ann", "--reason", "quarter end"]);
        let typescript = format!("printf '{answer}\\n' | script -qec 'deploylock clear {id}' /dev/null");
        let said = done(scene.program("sh").args(["-c", &typescript]));
        for part in [id.as_str(), "ann", "quarter end"] {
            assert!(said.out.contains(part), "{part}: {said:?}");
        }
        assert_eq!(scene.state_of(&id), state, "{answer:?}: {said:?}");
        assert_eq!(said.code, i32::from(state == "held"), "a refused clear is 1: {said:?}");
    }
}

#[test]
fn a_beginning_of_an_id_is_enough_only_for_clear_and_only_where_it_asks() {
    let scene = Scene::new();
    let id = scene.hold(&["-l", "x", "--ttl", "1h"]);
    let on_a_terminal = |answer: &str, clear: &str| {
        let typescript = format!("printf '{answer}\\n' | script -qec 'deploylock clear {clear}' /dev/null");
        done(scene.program("sh").args(["-c", &typescript]))
    };
    for part in [id.split_once('-').unwrap().0, &id[..id.len() - 1]] {
        for command in ["release", "renew", "cancel"] {
            scene.fails(2, &[command, part]);
        }
        scene.fails(3, &["clear", "--yes", part]);
        // Nobody is asked there, though somebody could be.
        assert_eq!(on_a_terminal("y", &format!("--yes {part}")).code, 3);
        let refused = on_a_terminal("n", part);
        assert!(refused.code == 1 && refused.out.contains(&id), "it says which one: {refused:?}");
        assert_eq!(scene.state_of(&id), "held");
    }
    assert_eq!(on_a_terminal("y", &id[..id.len() - 1]).code, 0);
    assert_eq!(scene.state_of(&id), "gone");
}

#[test]
fn lines_without_a_record_are_tidied_too() {
    let scene = Scene::new();
    let id = scene.hold(&["-l", "a"]);
    scene.ok(&["release", &id]);
    // What a kill between the two steps of a release leaves.
    let line = format!("{:<127}\n", "7-aaaaaa.12345678 x - -");
    std::fs::write(scene.locks().join("locks/name/a"), line).unwrap();
    assert_eq!(scene.ok(&["clear", "--stale"]), "");
    assert!(!scene.locks().join("locks/name/a").exists());
}
