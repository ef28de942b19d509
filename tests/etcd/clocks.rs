//! Clocks that jump and clocks that differ: no client's clock decides over another's hold.

use std::path::Path;
use std::time::{Duration, Instant};

use crate::backend::LEASE;
use crate::harness::{Scene, eventually};
use crate::tools::{Group, is_free, soon, soon_held, state, waiter};

/// The binary with a wall clock that reads its error from `clock` in the scene, and reads it anew each time.
fn by_clock(scene: &Scene, args: &[&str]) -> Group {
    let found = ["/usr/lib/x86_64-linux-gnu", "/usr/lib/aarch64-linux-gnu", "/usr/lib"]
        .map(|folder| Path::new(folder).join("faketime/libfaketimeMT.so.1"));
    let library = found.into_iter().find(|path| path.exists()).expect("faketime is installed (.ci/test)");
    let mut command = scene.command(args);
    command
        .env("LD_PRELOAD", library)
        .env("FAKETIME_TIMESTAMP_FILE", scene.path("clock"))
        .env("FAKETIME_NO_CACHE", "1")
        // What no person and no server can set: the time since boot.
        .env("FAKETIME_DONT_FAKE_MONOTONIC", "1")
        .env("DONT_FAKE_MONOTONIC", "1");
    Group::start(command)
}

fn set(scene: &Scene, error: &str) {
    std::fs::write(scene.path("clock.new"), error).unwrap();
    std::fs::rename(scene.path("clock.new"), scene.path("clock")).unwrap();
}

#[test]
fn a_wall_clock_that_jumps_under_a_holder_and_a_waiter_changes_nothing() {
    let scene = Scene::new();
    set(&scene, "+0");
    let mut run = by_clock(&scene, &["run", "-l", "a", "--ttl", "20s", "--", "cat"]);
    scene.until("held", 1);
    let next = by_clock(&scene, &["run", "--wait", "-l", "a", "--", "sh", "-c", "date +%s > seen; cat"]);
    scene.until("waiting", 1);
    for error in ["+1d", "-2d"] {
        set(&scene, error);
        // Longer than the lease, were it counted by that clock or not kept alive.
        let until = Instant::now() + Duration::from_secs(LEASE);
        while Instant::now() < until {
            assert!(run.is_running());
            assert_eq!(state(&scene, &next), "waiting");
            std::thread::park_timeout(Duration::from_millis(500));
        }
        assert_eq!(scene.ok(&["clear", "--stale"]), "", "{error}");
        assert!(!is_free(&scene, &["-l", "a"]));
    }
    run.let_go();
    soon_held(&scene, &next);
    let said = run.end();
    assert_eq!((said.code, said.err.as_str()), (0, ""));
    // The clock was another one, indeed.
    let seen: u64 = crate::tools::until_written(&scene, "seen").parse().unwrap();
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
    assert!(seen + 86_400 < now, "{seen} of {now}");
}

/// The binary on a machine that was started ten days before this one, as its clocks have it.
fn long_up(scene: &Scene, args: &[&str]) -> Group {
    let mut unshare = scene.program("unshare");
    unshare.args(["--user", "--map-root-user", "--fork", "--kill-child", "--time", "--boottime", "864000"]);
    unshare.args(["--monotonic", "864000", env!("CARGO_BIN_EXE_deploylock")]).args(args);
    Group::start(unshare)
}

#[test]
fn times_since_boot_are_compared_with_none_of_another_machine() {
    let scene = Scene::new();
    // Granted by the young machine to the old one, and by the old one to the young.
    let mut old = long_up(&scene, &["run", "-l", "a", "--ttl", "1h", "--", "cat"]);
    scene.until("held", 1);
    let mut next = waiter(&scene, &["-l", "a", "--ttl", "1h"]);
    let last =
        long_up(&scene, &["run", "--wait", "-l", "a", "--ttl", "1h", "--", "sh", "-c", "cat; echo > done"]);
    scene.until("waiting", 2);
    assert_eq!(scene.ok(&["clear", "--stale"]), "");
    old.let_go();
    assert_eq!(old.end().code, 0);
    soon_held(&scene, &next);
    next.let_go();
    assert_eq!(next.end().code, 0);
    soon("the last one is granted", || scene.in_state("waiting").is_empty());
    assert_eq!(scene.in_state("held").len(), 1);
    drop(last);
    // What an old machine holds for good ends by the server's time.
    let mut acquire = scene.program("unshare");
    acquire.args(["--user", "--map-root-user", "--fork", "--time", "--boottime", "864000"]);
    acquire.args([env!("CARGO_BIN_EXE_deploylock"), "acquire", "-n", "-l", "b", "--ttl", "2s"]);
    let said = crate::steps::done(&mut acquire);
    assert_eq!(said.code, 0, "{said:?}");
    eventually("its time is over", || is_free(&scene, &["-l", "b"]));
}
