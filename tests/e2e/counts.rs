//! What an uncontended run and its end cost, in system calls: counts that do not depend on the machine
//! (`docs/performance.md` gives each its reason).

use crate::harness::{Scene, eventually};
use crate::tools::{Group, holder, read};

/// From looking for a topology to starting the command.
const BEFORE: usize = 46;
/// From the command's end to the end of the program.
const AFTER: usize = 17;
/// From its command's end to the grant for who waits behind it.
const HANDING_ON: usize = 19;
/// From waking as that is done to starting the command.
const HANDED_ON: usize = 14;
/// From waking as the holder is killed to starting the command.
const RECOVERY: usize = 28;

/// The system calls of deploylock itself, one a line.
fn trace(scene: &Scene) -> Vec<String> {
    let mut strace = scene.program("strace");
    strace.env("USER", "tester");
    let done = strace.args(["-o", "trace", "deploylock", "run", "-l", "a", "--", "true"]).output().unwrap();
    assert!(done.status.success(), "{done:?}");
    traced(scene)
}

/// The binary with these arguments under strace, for [`traced`].
fn start_traced(scene: &Scene, args: &[&str]) -> Group {
    let mut strace = scene.program("strace");
    strace.args(["-o", "trace", "deploylock"]).args(args);
    Group::start(strace)
}

/// No more calls than are allowed for.
#[track_caller]
fn at_most(bound: usize, calls: &[String]) {
    println!("{} calls", calls.len());
    assert!(calls.len() <= bound, "{} calls: {calls:#?}", calls.len());
}

fn traced(scene: &Scene) -> Vec<String> {
    // Only a debug build looks at a descriptor before it is closed.
    let counts = |call: &&str| !call.contains("F_GETFD") && !call.starts_with("---");
    read(scene, "trace").lines().filter(counts).map(str::to_owned).collect()
}

/// The last that a waiter does between its wait and its command, as strace tells it; `freed` gives it the lock.
fn from_waking_to_starting(scene: &Scene, freed: impl FnOnce()) -> Vec<String> {
    let waiting = start_traced(scene, &["run", "-q", "--wait", "-l", "w", "--", "true"]);
    scene.until("waiting", 1);
    freed();
    assert_eq!(waiting.end().code, 0);
    let calls = traced(scene);
    let started = |call: &String| call.starts_with("clone") || call.starts_with("vfork");
    let started = calls.iter().position(started).unwrap();
    // Whether a process has ended, or is about to, is asked by polling too.
    let asks = |call: &String| {
        ["0", "100000"].iter().any(|ns| call.contains(&format!("{{tv_sec=0, tv_nsec={ns}}}")))
    };
    let sleeps = |call: &String| (call.starts_with("poll") || call.starts_with("ppoll")) && !asks(call);
    let woken = calls[..started].iter().rposition(sleeps);
    calls[woken.unwrap()..started].to_vec()
}

#[test]
fn who_waited_starts_its_command_without_asking_for_the_guard() {
    let scene = Scene::new();
    // On a busy machine the release may take for so long that it looks for itself.
    let quick = |calls: &Vec<String>| !calls.iter().any(|call| call.starts_with("flock"));
    let handed_on = |_| {
        let held = scene.ok(&["acquire", "-l", "w"]).trim().to_owned();
        from_waking_to_starting(&scene, || drop(scene.ok(&["release", &held])))
    };
    let calls = (0..20).map(handed_on).filter(quick).take(3).min_by_key(Vec::len);
    let calls = calls.expect("one without the guard");
    assert!(calls.iter().any(|call| call.contains("history.jsonl")), "{calls:#?}");
    at_most(HANDED_ON, &calls);
}

#[test]
fn who_hands_on_makes_no_more_system_calls_until_then_than_it_is_said_to() {
    let handing_on = |_| {
        let scene = Scene::new();
        let mut first = start_traced(&scene, &["run", "-q", "-l", "w", "--", "cat"]);
        scene.until("held", 1);
        let next = Group::of(&scene, &["run", "-q", "-l", "w", "--", "true"]);
        scene.until("waiting", 1);
        // Whose record is watched by now, as it is of all but the shortest.
        eventually("it sleeps", || read(&scene, "trace").contains("inotify_add_watch"));
        first.let_go();
        assert_eq!((first.end().code, next.end().code), (0, 0));
        let calls = traced(&scene);
        let ended = calls.iter().rposition(|call| call.starts_with("waitid")).unwrap();
        let granted = calls.iter().rposition(|call| call.starts_with("renameat")).unwrap();
        calls[ended + 1..=granted].to_vec()
    };
    let calls = (0..5).map(handing_on).min_by_key(Vec::len).unwrap();
    at_most(HANDING_ON, &calls);
}

#[test]
fn a_nested_run_gives_back_as_quickly_however_many_wait() {
    let nested = |waiters| {
        let scene = Scene::new();
        let script = "until [ -e go ]; do sleep 0.02; done; strace -o trace deploylock run -q -l x -- true; touch over; cat";
        let mut outer = Group::of(&scene, &["run", "-q", "-l", "x", "--", "sh", "-c", script]);
        scene.until("held", 1);
        let waiting = (0..waiters).map(|_| Group::of(&scene, &["run", "-q", "-l", "x", "--", "true"]));
        let waiting: Vec<_> = waiting.collect();
        scene.until("waiting", waiters);
        std::fs::write(scene.path("go"), "").unwrap();
        eventually("it is over", || scene.path("over").exists());
        outer.let_go();
        assert_eq!(outer.end().code, 0);
        assert!(waiting.into_iter().all(|waiter| waiter.end().code == 0));
        let calls = traced(&scene);
        calls.len() - calls.iter().rposition(|call| call.starts_with("waitid")).unwrap()
    };
    // Others may be in the guard.
    let fewest = |waiters| (0..3).map(|_| nested(waiters)).min();
    let (few, many) = (fewest(3).unwrap(), fewest(20).unwrap());
    println!("{few} calls, {many} calls");
    assert!(many <= few + 2, "{few}, {many}");
}

#[test]
fn of_what_a_killed_run_has_open_its_record_is_closed_first() {
    let scene = Scene::new();
    let holder = holder(&scene, &["-l", "w"]);
    let open = || {
        let entries = std::fs::read_dir(format!("/proc/{}/fd", holder.pid())).unwrap().flatten();
        let number =
            |entry: &std::fs::DirEntry| entry.file_name().into_string().unwrap().parse::<u32>().unwrap();
        let open = entries.map(|e| (number(&e), std::fs::read_link(e.path()).unwrap_or_default()));
        open.map(|(number, leads_to)| (number, leads_to.display().to_string())).collect::<Vec<_>>()
    };
    let is_watch = |(_, leads_to): &(u32, String)| leads_to.contains("inotify");
    eventually("its record is watched", || open().iter().any(is_watch));
    let open = open();
    let record =
        open.iter().filter(|(_, leads_to)| leads_to.contains("/attached/")).map(|(number, _)| number);
    // Linux closes the highest first (`task_work_run`).
    assert!(record.min() > open.iter().filter(|o| is_watch(o)).map(|(number, _)| number).max(), "{open:?}");
}

#[test]
fn an_uncontended_run_makes_no_more_system_calls_than_it_is_said_to() {
    let scene = Scene::new();
    trace(&scene);
    // On a busy machine even `true` may run for so long that its record is watched.
    let quick = |calls: &Vec<String>| !calls.iter().any(|call| call.starts_with("inotify_init"));
    let calls = (0..50).map(|_| trace(&scene)).find(quick).expect("one that ended at once");
    let at = |what: &str| calls.iter().position(|call| call.starts_with(what)).unwrap();
    let started =
        calls.iter().position(|call| call.starts_with("clone") || call.starts_with("vfork")).unwrap();
    let ended = calls.iter().rposition(|call| call.starts_with("waitid")).unwrap();
    // What is left of the command is cleared away when the locks are free.
    assert!(calls.iter().rposition(|call| call.starts_with("wait4")) > Some(at("unlinkat")), "{calls:#?}");
    let before = &calls[at("getcwd")..started];
    let after = &calls[ended + 1..];
    at_most(BEFORE, before);
    at_most(AFTER, after);
}

#[test]
fn who_hands_on_lets_the_next_one_run_as_soon_as_the_guard_is_free() {
    let scene = Scene::new();
    // Before its bell is rung, which it may not have, and after.
    for (waiters, yields) in [(0, 0), (1, 2)] {
        let held = scene.ok(&["acquire", "-l", "w"]);
        let waiting = (0..waiters).map(|_| Group::of(&scene, &["run", "-q", "-l", "w", "--", "true"]));
        let waiting: Vec<_> = waiting.collect();
        scene.until("waiting", waiters);
        let mut strace = scene.program("strace");
        let done = strace.args(["-o", "trace", "deploylock", "release", &held]).output().unwrap();
        assert!(done.status.success(), "{done:?}");
        let calls = traced(&scene);
        let places = calls.iter().enumerate().filter(|(_, call)| call.starts_with("sched_yield"));
        let places: Vec<_> = places.map(|(place, _)| place).collect();
        assert_eq!(places.len(), yields, "{calls:#?}");
        if let Some(first) = places.first() {
            assert!(calls[first - 1].contains("LOCK_UN"), "{calls:#?}");
        }
        for waiter in waiting {
            assert_eq!(waiter.end().code, 0);
        }
    }
}

#[test]
fn for_a_waiter_without_inotify_whoever_grants_or_withdraws_it_rings() {
    // What does the ringing, and how the waiter ends then.
    for (command, code) in [("release", 0), ("cancel", 75)] {
        let rung = |_| {
            let scene = Scene::new();
            let held = scene.ok(&["acquire", "-l", "a"]);
            let script = "echo 0 > /proc/sys/user/max_inotify_instances && \
                          exec strace -o trace deploylock run --wait -l a -- true";
            let mut unshare = scene.program("unshare");
            unshare.args(["--user", "--map-root-user", "sh", "-c", script]);
            let waiting = Group::start(unshare);
            scene.until("waiting", 1);
            let waiter = scene.in_state("waiting")[0]["id"].as_str().unwrap().to_owned();
            let _ = scene.ok(&[command, if command == "release" { &held } else { &waiter }]);
            let said = waiting.end();
            assert_eq!(said.code, code, "{said:?}");
            read(&scene, "trace").lines().any(|call| call.starts_with("recvfrom") && call.contains(r#""!""#))
        };
        // It may have entered and not slept yet: then it finds out by itself.
        assert!((0..20).any(rung), "{command}");
    }
}

#[test]
fn who_follows_a_killed_holder_makes_no_more_system_calls_than_it_is_said_to() {
    let scene = Scene::new();
    let killed = |_| {
        let holder = holder(&scene, &["-l", "w"]);
        from_waking_to_starting(&scene, || holder.kill())
    };
    // A dying process may be seen before its locks are gone: then it is looked at again.
    let calls = (0..20).map(killed).min_by_key(Vec::len).unwrap();
    at_most(RECOVERY, &calls);
}

#[test]
fn who_waits_in_a_crowd_does_not_ask_for_the_guard_as_the_one_ahead_notes_its_command() {
    let scene = Scene::new();
    let decisions = |_| {
        let mut first = holder(&scene, &["-l", "w"]);
        let mut next = Group::of(&scene, &["run", "-q", "-l", "w", "--", "cat"]);
        scene.until("waiting", 1);
        let behind = start_traced(&scene, &["run", "-q", "--shared", "-l", "w", "--", "true"]);
        scene.until("waiting", 2);
        first.let_go();
        assert_eq!(first.end().code, 0);
        let attached = scene.locks().join("deployments/attached");
        let noted = |record: std::io::Result<std::fs::DirEntry>| {
            let text = record.and_then(|record| std::fs::read_to_string(record.path()));
            text.is_ok_and(|text| text.contains("\"running\""))
        };
        eventually("a command is noted", || std::fs::read_dir(&attached).unwrap().any(noted));
        next.let_go();
        assert_eq!((next.end().code, behind.end().code), (0, 0));
        read(&scene, "trace").lines().filter(|call| call.contains("LOCK_EX") && call.ends_with("= 0")).count()
    };
    // To enter its record, which it locks as well, and to give back. On a busy machine it may look for itself.
    let fewest = (0..20).map(decisions).min().unwrap();
    assert!(fewest <= 3, "{fewest}");
}
