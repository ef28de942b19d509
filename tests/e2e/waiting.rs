//! Waiting: what a waiter shows, what wakes it, what it costs, and what it leaves behind when it gives up.

use std::time::{Duration, Instant};

use crate::harness::{Scene, eventually};
use crate::tools::{
    Group, SOON, Terminal, asleep, deployment, holder, id, is_free, nothing_left, only, read, soon,
    soon_held, state, until_written, waiter,
};

#[test]
fn a_signal_ends_a_waiter_without_a_trace() {
    for (name, number) in [("TERM", 15), ("INT", 2), ("HUP", 1), ("QUIT", 3)] {
        let scene = Scene::new();
        let mut held = holder(&scene, &["-l", "a"]);
        let first = waiter(&scene, &["-l", "a"]);
        let second = waiter(&scene, &["-l", "a"]);
        let gone = id(&deployment(&scene, first.pid()));
        first.signal(name);
        let said = first.end();
        assert_eq!(said.code, 128 + number, "{name}: {said:?}");
        let list = scene.ok(&["list", "--format", "json"]);
        assert!(!list.contains(&gone), "{list}");
        let found = scene.shell("sh", &format!("find locks -name '{gone}*'; grep -rl {gone} locks/locks"));
        assert_eq!(found.out, "", "{name}");
        assert_eq!(deployment(&scene, second.pid())["position"], 1);
        held.let_go();
        assert_eq!(held.end().code, 0);
        soon_held(&scene, &second);
    }
}

#[test]
fn a_signal_ends_a_waiting_acquire_and_wait_too() {
    for (name, number) in [("TERM", 15), ("INT", 2), ("HUP", 1)] {
        let scene = Scene::new();
        let held = holder(&scene, &["-l", "a"]);
        let acquire = Group::of(&scene, &["acquire", "--wait", "-l", "a"]);
        scene.until("waiting", 1);
        let wait = Group::of(&scene, &["wait", &id(&deployment(&scene, acquire.pid()))]);
        asleep(wait.pid());
        wait.signal(name);
        // It takes nothing, so there is nothing to undo: dying of the signal is 128 + N to every shell.
        assert!([128 + number, -number].contains(&wait.end().code));
        acquire.signal(name);
        let said = acquire.end();
        assert_eq!((said.code, said.out.as_str()), (128 + number, ""), "{said:?}");
        assert_eq!(scene.list()["deployments"].as_array().unwrap().len(), 1);
        drop(held);
    }
}

#[test]
fn ctrl_c_ends_a_waiter_without_a_trace() {
    let scene = Scene::new();
    let mut held = holder(&scene, &["-l", "a"]);
    let terminal = Terminal::open(&scene, 120);
    terminal.line("deploylock run --wait -l a -- touch ran");
    scene.until("waiting", 1);
    let second = waiter(&scene, &["-l", "a"]);
    terminal.key("C-c");
    assert_eq!(terminal.status("rc"), "130");
    assert_eq!(scene.in_state("waiting").len(), 1);
    held.let_go();
    soon_held(&scene, &second);
    drop(second);
    assert!(!scene.path("ran").exists());
}

#[test]
fn a_terminal_shows_one_living_line() {
    let scene = Scene::new();
    let mut held = holder(&scene, &["-l", "a", "--reason", "the big move", "--owner", "alice@desk"]);
    let ahead = waiter(&scene, &["-l", "a"]);
    let terminal = Terminal::open(&scene, 150);
    terminal.line("deploylock run --wait -l a -- sh -c 'echo ran > ran'");
    let lines = || -> Vec<String> {
        terminal.screen().lines().filter(|l| l.contains("waiting ")).map(str::to_owned).collect()
    };
    eventually("place 2", || lines().iter().any(|l| l.contains("place 2")));
    let first = lines();
    eventually("the line moves on", || lines() != first);
    drop(ahead);
    eventually("place 1", || lines().iter().any(|l| l.contains("place 1")));
    eventually("the holder is shown", || {
        let all = lines();
        assert_eq!(all.len(), 1, "{all:?}");
        ["name:a", "alice@desk", "the big move"].iter().all(|w| all[0].contains(w))
    });
    held.let_go();
    assert_eq!(until_written(&scene, "ran"), "ran");
    assert_eq!(terminal.status("rc"), "0");
    assert!(lines().len() <= 1, "{}", terminal.screen());
}

#[test]
fn a_narrow_terminal_shows_one_line_too() {
    let scene = Scene::new();
    let _held = holder(&scene, &["-l", "a", "--reason", &"very long words ".repeat(20)]);
    let terminal = Terminal::open(&scene, 40);
    terminal.line("clear; deploylock run --wait -l a -- true");
    let shown = || terminal.screen().lines().filter(|l| !l.trim().is_empty()).count();
    let living = || terminal.screen().lines().find(|l| l.contains("waiting ")).map(str::to_owned);
    eventually("a line", || living().is_some());
    for _ in 0..2 {
        let now = living();
        eventually("the line moves on", || living() != now);
    }
    assert!(shown() <= 2, "{}", terminal.screen());
}

#[test]
fn without_a_terminal_there_is_one_line_at_the_start_and_one_when_granted() {
    let scene = Scene::new();
    let mut held = holder(&scene, &["-l", "a", "--reason", "the big move"]);
    let waiting = waiter(&scene, &["-l", "a"]);
    held.let_go();
    soon_held(&scene, &waiting);
    let mut waiting = waiting;
    waiting.let_go();
    let said = waiting.end();
    let lines: Vec<&str> = said.err.lines().collect();
    assert_eq!(lines.len(), 2, "{said:?}");
    for word in ["wait", "name:a", "the big move", "tester@"] {
        assert!(lines[0].contains(word), "{word}: {said:?}");
    }
    assert!(!said.err.contains(['\r', '\x1b']), "{said:?}");
    assert_eq!((said.code, said.out.as_str()), (0, ""));
}

#[test]
fn quiet_waits_without_a_word() {
    let scene = Scene::new();
    let mut held = holder(&scene, &["-l", "a"]);
    let mut waiting = waiter(&scene, &["-q", "-l", "a"]);
    held.let_go();
    soon_held(&scene, &waiting);
    waiting.let_go();
    let said = waiting.end();
    assert_eq!((said.code, said.out.as_str(), said.err.as_str()), (0, "", ""));
}

#[test]
fn a_wait_that_runs_out_is_75_and_leaves_no_record() {
    let scene = Scene::new();
    let held = holder(&scene, &["-l", "a"]);
    for bound in [&["--wait=1s"][..], &["-w", "1"], &["--wait=0s"], &["-n"]] {
        let said = scene.run(&[&["run"][..], bound, &["-l", "a", "--", "true"]].concat());
        assert_eq!(said.code, 75, "{said:?}");
        assert!(said.err.contains(&id(&deployment(&scene, held.pid()))), "{said:?}");
        only(&scene);
    }
    let said = scene.run(&["run", "-w", "1", "-E", "9", "-l", "a", "--", "true"]);
    assert_eq!(said.code, 9);
}

#[test]
fn a_waiter_gets_in_when_holder_and_command_are_killed() {
    let scene = Scene::new();
    let held = holder(&scene, &["-l", "a"]);
    let waiting = waiter(&scene, &["-l", "a"]);
    let behind = waiter(&scene, &["-l", "a"]);
    held.kill();
    soon_held(&scene, &waiting);
    assert_eq!(state(&scene, &behind), "waiting");
    waiting.kill();
    soon_held(&scene, &behind);
}

#[test]
fn a_waiter_gets_in_when_the_command_alone_is_killed() {
    let scene = Scene::new();
    let held = holder(&scene, &["-l", "a"]);
    let waiting = waiter(&scene, &["-l", "a"]);
    crate::harness::signal(crate::tools::child_of(held.pid()).unwrap(), "KILL");
    soon_held(&scene, &waiting);
    assert_eq!(held.end().code, 137);
}

#[test]
fn the_successor_of_a_killed_waiter_is_served() {
    let scene = Scene::new();
    let mut held = holder(&scene, &["-l", "a"]);
    let first = waiter(&scene, &["-l", "a"]);
    let second = waiter(&scene, &["-l", "a"]);
    let third = waiter(&scene, &["-l", "a"]);
    first.kill();
    assert_eq!(first.end().code, -9);
    soon("it moves up", || deployment(&scene, second.pid())["position"] == 1);
    held.let_go();
    soon_held(&scene, &second);
    assert_eq!(state(&scene, &third), "waiting");
}

#[test]
fn the_successor_of_a_waiter_killed_after_the_holder_is_served() {
    let scene = Scene::new();
    let held = holder(&scene, &["-l", "a"]);
    let first = waiter(&scene, &["-l", "a"]);
    let second = waiter(&scene, &["-l", "a"]);
    first.signal("STOP");
    held.kill();
    assert_eq!(held.end().code, -9);
    first.kill();
    soon_held(&scene, &second);
}

#[test]
fn a_stopped_exclusive_waiter_is_granted_and_its_death_serves_the_next() {
    let scene = Scene::new();
    let mut held = holder(&scene, &["-l", "a"]);
    let stopped = waiter(&scene, &["-l", "a"]);
    let next = waiter(&scene, &["-l", "a"]);
    stopped.signal("STOP");
    held.let_go();
    assert_eq!(held.end().code, 0);
    soon_held(&scene, &stopped);
    assert_eq!(state(&scene, &next), "waiting");
    stopped.kill();
    soon_held(&scene, &next);
}

#[test]
fn a_waiter_on_other_locks_is_not_blocked_by_one_that_waits() {
    let scene = Scene::new();
    let mut holding_a = holder(&scene, &["-l", "a"]);
    let holding_b = holder(&scene, &["-l", "b"]);
    let both = waiter(&scene, &["-l", "a", "-l", "b"]);
    assert!(is_free(&scene, &["-l", "c"]));
    holding_a.let_go();
    assert_eq!(holding_a.end().code, 0);
    assert_eq!(state(&scene, &both), "waiting");
    holding_b.kill();
    soon_held(&scene, &both);
}

#[test]
fn both_holders_of_two_slots_are_killed_and_two_get_in() {
    let scene = Scene::new();
    let target = ["-l", "a", "--slots", "2"];
    let held = [holder(&scene, &target), holder(&scene, &target)];
    let waiting: Vec<Group> = (0..3).map(|_| waiter(&scene, &target)).collect();
    for h in &held {
        h.kill();
    }
    soon_held(&scene, &waiting[0]);
    soon_held(&scene, &waiting[1]);
    assert_eq!(state(&scene, &waiting[2]), "waiting");
    waiting[1].kill();
    soon_held(&scene, &waiting[2]);
}

#[test]
fn either_of_two_slots_lets_the_third_in() {
    for which in 0..2 {
        for killed in [false, true] {
            let scene = Scene::new();
            let target = ["-l", "a", "--slots", "2"];
            let mut held = [holder(&scene, &target), holder(&scene, &target)];
            let third = waiter(&scene, &target);
            if killed {
                held[which].kill();
            } else {
                held[which].let_go();
            }
            soon_held(&scene, &third);
            assert_eq!(state(&scene, &held[1 - which]), "held");
        }
    }
}

#[test]
fn a_waiter_gets_in_when_the_ttl_passes_and_not_before() {
    let scene = Scene::new();
    scene.ok(&["acquire", "-l", "a", "--ttl", "2s"]);
    let began = Instant::now();
    let waiting = waiter(&scene, &["-l", "a"]);
    soon_held(&scene, &waiting);
    // The ttl began a little before this clock.
    assert!(began.elapsed() > Duration::from_millis(1200), "{:?}", began.elapsed());
}

#[test]
fn a_waiter_gets_in_when_the_ttl_is_made_shorter() {
    let scene = Scene::new();
    let held = scene.ok(&["acquire", "-l", "a", "--ttl", "1h"]);
    let waiting = waiter(&scene, &["-l", "a"]);
    asleep(waiting.pid());
    scene.ok(&["renew", &held, "--ttl", "1s"]);
    soon_held(&scene, &waiting);
}

#[test]
fn a_waiter_does_not_get_in_when_the_ttl_is_made_longer() {
    let scene = Scene::new();
    let held = scene.ok(&["acquire", "-l", "a", "--ttl", "2s"]);
    let waiting = waiter(&scene, &["-l", "a"]);
    scene.ok(&["renew", &held, "--ttl", "1h"]);
    let began = Instant::now();
    eventually("the first ttl has passed", || began.elapsed() > Duration::from_millis(2500));
    assert_eq!(state(&scene, &waiting), "waiting");
    scene.ok(&["release", &held]);
    soon_held(&scene, &waiting);
}

#[test]
fn a_cancelled_waiter_ends_with_75_and_says_so() {
    for command in [&["cancel"][..], &["clear", "--yes", "--force"], &["release"]] {
        let scene = Scene::new();
        let _held = holder(&scene, &["-l", "a"]);
        let waiting = waiter(&scene, &["-l", "a"]);
        let behind = waiter(&scene, &["-l", "a"]);
        scene.ok(&[command, &[&id(&deployment(&scene, waiting.pid()))]].concat());
        let said = waiting.end();
        assert_eq!(said.code, 75, "{command:?}: {said:?}");
        assert!(said.err.lines().last().unwrap().contains("cancel"), "{command:?}: {said:?}");
        assert_eq!(deployment(&scene, behind.pid())["position"], 1);
    }
}

#[test]
fn a_living_waiter_is_not_cleared_without_force() {
    let scene = Scene::new();
    let _held = holder(&scene, &["-l", "a"]);
    let mut waiting = waiter(&scene, &["-l", "a"]);
    let said = scene.run(&["clear", "--yes", &id(&deployment(&scene, waiting.pid()))]);
    assert_eq!(said.code, 1, "{said:?}");
    assert!(said.err.contains("--force"), "{said:?}");
    assert!(waiting.is_running());
    assert_eq!(state(&scene, &waiting), "waiting");
}

#[test]
fn wait_for_an_id_ends_when_that_one_holds_or_is_gone() {
    let scene = Scene::new();
    let mut held = holder(&scene, &["-l", "a"]);
    let first = waiter(&scene, &["-l", "a"]);
    let second = waiter(&scene, &["-l", "a"]);
    let waits = [&first, &second].map(|w| Group::of(&scene, &["wait", &id(&deployment(&scene, w.pid()))]));
    for w in &waits {
        asleep(w.pid());
    }
    let [of_first, mut of_second] = waits;
    held.let_go();
    let began = Instant::now();
    assert_eq!(of_first.end().code, 0);
    assert!(began.elapsed() < SOON);
    assert!(of_second.is_running());
    let began = Instant::now();
    second.signal("TERM");
    assert_eq!(second.end().code, 143);
    of_second.end();
    assert!(began.elapsed() < SOON);
}

#[test]
fn wait_for_a_target_ends_when_it_could_be_had_and_takes_nothing() {
    let scene = Scene::new();
    let mut held = holder(&scene, &["-l", "a"]);
    let wait = Group::of(&scene, &["wait", "--wait", "-l", "a"]);
    asleep(wait.pid());
    assert_eq!(scene.list()["deployments"].as_array().unwrap().len(), 1);
    held.let_go();
    let began = Instant::now();
    assert_eq!(wait.end().code, 0);
    assert!(began.elapsed() < SOON);
    scene.until("held", 0);
    nothing_left(&scene);
}

#[test]
fn a_waiter_without_inotify_is_granted_all_the_same() {
    let topology = "[environments.prod]\nallow_concurrent_deployments = false\nlock_retry_interval = \"1s\"\n\
                    containers = [\"web\"]\n";
    for killed in [false, true] {
        let scene = Scene::with_topology(topology);
        let mut held = holder(&scene, &["-e", "prod"]);
        // In a user namespace of its own there are no inotify instances to be had, and nobody else is disturbed.
        let script = "echo 0 > /proc/sys/user/max_inotify_instances && \
                      exec deploylock run --wait -e prod -- sh -c 'echo ran > ran'";
        let mut command = scene.program("unshare");
        command.args(["--user", "--map-root-user", "sh", "-c", script]);
        let waiting = Group::start(command);
        scene.until("waiting", 1);
        if killed {
            held.kill();
        } else {
            held.let_go();
        }
        let said = waiting.end();
        assert_eq!(said.code, 0, "{said:?}");
        assert_eq!(read(&scene, "ran"), "ran");
    }
}

#[test]
fn a_waiter_stopped_through_a_grant_finds_itself_granted() {
    let scene = Scene::new();
    let mut held = holder(&scene, &["-l", "a"]);
    let mut waiting = waiter(&scene, &["-l", "a"]);
    waiting.signal("STOP");
    held.let_go();
    assert_eq!(held.end().code, 0);
    waiting.signal("CONT");
    soon_held(&scene, &waiting);
    waiting.let_go();
    assert_eq!(waiting.end().code, 0);
    nothing_left(&scene);
}

#[test]
fn a_signal_in_the_instant_of_the_grant_loses_nothing() {
    let scene = Scene::new();
    for _ in 0..15 {
        let mut held = holder(&scene, &["-l", "a"]);
        let first = waiter(&scene, &["-l", "a"]);
        let mut second = waiter(&scene, &["-l", "a"]);
        held.let_go();
        first.signal("TERM");
        // It died of the signal itself, or its command did.
        assert_eq!(first.end().code, 143);
        soon_held(&scene, &second);
        second.let_go();
        assert_eq!(second.end().code, 0);
        nothing_left(&scene);
    }
}
