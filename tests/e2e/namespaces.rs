//! One lock directory seen from other places: other pid namespaces, other host names, another boot, another mount.

use std::path::PathBuf;
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::harness::{Background, Said, Scene, eventually, said};
use crate::steps::text;
use crate::tools::{Group, is_free, nothing_left, read, soon, soon_held, waiter};

/// A command in a pid namespace, with a host name, of its own. `$1` is what the shell script's number is.
fn elsewhere(scene: &Scene, script: &str) -> Command {
    let mut unshare = scene.program("unshare");
    unshare.args(["--user", "--map-root-user", "--pid", "--fork", "--kill-child", "--mount-proc", "--uts"]);
    unshare.args(["sh", "-c", &format!("hostname elsewhere && {script}; exit $?")]);
    unshare
}

/// The same command, whose process there has this number.
fn elsewhere_as(scene: &Scene, pid: u32, command: &str) -> Command {
    let before = pid - 1;
    elsewhere(scene, &format!("echo {before} > /proc/sys/kernel/ns_last_pid && {command}"))
}

/// A number that no process has here.
fn nobodys() -> u32 {
    (200_000..).find(|pid| !PathBuf::from(format!("/proc/{pid}")).exists()).unwrap()
}

#[test]
fn a_holder_elsewhere_is_not_judged_by_its_number() {
    let mut here = Group::start({
        let mut cat = Command::new("cat");
        cat.env_clear();
        cat
    });
    for pid in [here.pid(), nobodys()] {
        let scene = Scene::new();
        let mut held = Group::start(elsewhere_as(&scene, pid, "deploylock run -l a -- cat"));
        let seen = scene.until("held", 1).remove(0);
        assert_eq!((&seen["pid"], text(&seen["host"])), (&pid.into(), "elsewhere".to_owned()), "{seen}");
        assert_eq!(seen["stale"], Value::Null);
        assert!(!is_free(&scene, &["-l", "a"]));
        assert_eq!(scene.ok(&["clear", "--stale"]), "");
        assert_eq!(scene.run(&["clear", "--yes", "--lock", "a"]).code, 1, "it is alive");
        // A waiter here, and one elsewhere, each woken by what happens at the other place.
        let mut waiting = waiter(&scene, &["-l", "a"]);
        let mut last = Group::start(elsewhere(&scene, "deploylock run --wait -l a -- cat"));
        scene.until("waiting", 2);
        held.let_go();
        assert_eq!(held.end().code, 0);
        soon_held(&scene, &waiting);
        waiting.let_go();
        assert_eq!(waiting.end().code, 0);
        soon("woken across", || scene.in_state("held").first().is_some_and(|d| d["host"] == "elsewhere"));
        last.let_go();
        assert_eq!(last.end().code, 0);
        nothing_left(&scene);
    }
    here.let_go();
}

#[test]
fn the_end_of_a_killed_holder_elsewhere_wakes_a_waiter_here_though_its_number_lives() {
    let here = Group::start(Command::new("cat"));
    let scene = Scene::new();
    let held = Group::start(elsewhere_as(&scene, here.pid(), "deploylock run -l a -- cat"));
    scene.until("held", 1);
    let waiting = waiter(&scene, &["-l", "a"]);
    held.kill();
    soon_held(&scene, &waiting);
}

#[test]
fn a_run_elsewhere_ends_when_it_is_cancelled_here() {
    let scene = Scene::new();
    let held = Group::start(elsewhere(&scene, "deploylock run -l a -- cat"));
    scene.until("held", 1);
    let waiting = Group::start(elsewhere(&scene, "deploylock run --wait -l a -- true"));
    let waiter = text(&scene.until("waiting", 1)[0]["id"]);
    let id = text(&scene.in_state("held")[0]["id"]);
    scene.ok(&["cancel", &waiter]);
    assert_eq!(waiting.end().code, 75);
    scene.ok(&["cancel", &id]);
    assert_eq!(held.end().code, 143);
    nothing_left(&scene);
}

#[test]
fn another_process_under_the_numbers_of_a_killed_run_and_its_command_is_neither() {
    let scene = Scene::new();
    // The command closes what it inherited, so that only the numbers are left.
    let script = "deploylock run -l a -- bash -c \
        'for f in /proc/self/fd/2??; do f=${f##*/}; exec {f}>&-; done; echo $$ > command; exec sleep 1000' &\n\
        w=$!; until [ -s command ]; do :; done; c=$(cat command)\n\
        until deploylock list --format json | grep -q '\"pid\": *'$w; do :; done\n\
        kill -9 $w; wait $w; deploylock list --format json > orphaned\n\
        born() { cut -d' ' -f22 /proc/$1/stat; }\n\
        was=$(born $c); while [ $(born self) = $was ]; do :; done\n\
        kill -9 $c; while [ -e /proc/$c ]; do :; done\n\
        for p in $w $c; do echo $((p-1)) > /proc/sys/kernel/ns_last_pid; sleep 1000 & [ $! = $p ] || exit 91; done\n\
        deploylock list --format json > reused\n\
        deploylock run -n -q -l a -- true || exit 92\n";
    let mut unshare = scene.program("unshare");
    unshare.args(["--user", "--map-root-user", "--pid", "--fork", "--kill-child", "--mount-proc"]);
    let done = said(unshare.args(["bash", "-c", script]).output().unwrap());
    assert_eq!(done.code, 0, "{done:?}");
    let stale = |file: &str| -> Value {
        let list: Value = serde_json::from_str(&read(&scene, file)).unwrap();
        list["deployments"][0]["stale"].clone()
    };
    assert_eq!(stale("orphaned"), Value::Null, "its command lives");
    assert_ne!(stale("reused"), Value::Null, "others have its numbers");
}

/// The binary on the same machine after its next start: another boot id, and nobody of before lives.
fn rebooted(scene: &Scene, args: &[&str]) -> Said {
    std::fs::write(scene.path("boot"), "00000000-1111-2222-3333-444444444444\n").unwrap();
    let script = "mount --bind boot /proc/sys/kernel/random/boot_id && exec deploylock \"$@\"";
    let mut unshare = scene.program("unshare");
    unshare.args(["--user", "--map-root-user", "--mount", "sh", "-c", script, "sh"]);
    said(unshare.args(args).output().unwrap())
}

#[test]
fn after_a_restart_what_processes_held_is_free_and_what_was_acquired_is_held() {
    let scene = Scene::with_topology("[environments.prod]\ncontainers = [\"web\"]\non_crash = \"hold\"\n");
    let kept = scene.ok(&["acquire", "-l", "kept"]);
    let owned = scene.ok(&["acquire", "-l", "owned", "--owner-pid", &std::process::id().to_string()]);
    let groups = [
        Group::of(&scene, &["run", "-l", "a", "--", "cat"]),
        Group::of(&scene, &["run", "-e", "prod", "--exclusive", "--", "cat"]),
    ];
    scene.until("held", 4);
    let waiting = waiter(&scene, &["-l", "a"]);
    // The machine dies: everybody at once, and nobody looks before the next start.
    waiting.kill();
    groups.iter().for_each(Group::kill);
    groups.into_iter().chain([waiting]).for_each(|group| drop(group.end()));
    let listed = rebooted(&scene, &["list", "--format", "json"]);
    let list: Value = serde_json::from_str(&listed.out).unwrap();
    for d in list["deployments"].as_array().unwrap() {
        let stays = d["id"] == kept.as_str() || d["environment"] == "prod";
        assert_eq!(d["stale"].is_null(), stays, "{d}");
    }
    for (target, code) in [(&["-l", "a"][..], 0), (&["-l", "owned"], 0), (&["-l", "kept"], 75)] {
        let said = rebooted(&scene, &[&["run", "-n"], target, &["--", "true"]].concat());
        assert_eq!(said.code, code, "{target:?}: {said:?}");
    }
    assert_eq!(rebooted(&scene, &["run", "-n", "-e", "prod", "--", "true"]).code, 75, "kept for a person");
    assert_eq!(rebooted(&scene, &["release", &owned]).code, 3, "it is gone");
    assert_eq!(rebooted(&scene, &["release", &kept]).code, 0);
}

/// One folder mounted twice so that neither advisory locks nor inotify cross: `bindfs`.
struct Twice<'a> {
    scene: &'a Scene,
}

impl<'a> Twice<'a> {
    #[track_caller]
    fn mount(scene: &'a Scene) -> Self {
        let twice = Twice { scene };
        let mounted = scene.shell("sh", "mkdir under one other && bindfs under one && bindfs under other");
        assert_eq!(
            mounted.code, 0,
            "these tests need bindfs and /dev/fuse (.ci/test installs it): {mounted:?}"
        );
        twice
    }

    fn command(&self, mount: &str, args: &[&str]) -> Command {
        let mut command = self.scene.command(args);
        command.env("DEPLOYLOCK_DIR", self.scene.path(mount).join("locks"));
        command
    }

    fn run(&self, mount: &str, args: &[&str]) -> Said {
        said(self.command(mount, args).output().unwrap())
    }

    fn start(&self, mount: &str, args: &[&str]) -> Background {
        let mut command = self.command(mount, args);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        Background::of(command.spawn().unwrap())
    }

    /// The deployments in this state as they are seen through this mount.
    fn seen(&self, mount: &str, state: &str) -> Vec<Value> {
        let list: Value = serde_json::from_str(&self.run(mount, &["list", "--format", "json"]).out).unwrap();
        list["deployments"].as_array().unwrap().iter().filter(|d| d["state"] == state).cloned().collect()
    }
}

impl Drop for Twice<'_> {
    fn drop(&mut self) {
        self.scene.shell("sh", "umount -l one; umount -l other");
    }
}

const OFTEN: &str = "[environments.prod]\ncontainers = [\"web\"]\nallow_concurrent_deployments = false\n\
                     lock_retry_interval = \"300ms\"\n";

#[test]
fn through_another_mount_the_living_are_not_taken_for_dead_and_check_finds_it() {
    let scene = Scene::with_topology(OFTEN);
    let twice = Twice::mount(&scene);
    let mut held = twice.start("one", &["run", "-e", "prod", "--", "cat"]);
    eventually("it holds", || twice.seen("one", "held").len() == 1);
    for (mount, code) in [("one", 0), ("other", 1), ("under", 1)] {
        let seen = twice.seen(mount, "held").remove(0);
        assert_eq!(seen["stale"], Value::Null, "through {mount}: {seen}");
        assert_eq!(twice.run(mount, &["run", "-n", "-e", "prod", "--", "true"]).code, 75, "through {mount}");
        assert_eq!(twice.run(mount, &["clear", "--stale"]).out, "", "through {mount}");
        let check = twice.run(mount, &["check"]);
        assert_eq!(check.code, code, "through {mount}: {check:?}");
        assert_eq!(check.out.contains("another mount"), code == 1, "through {mount}: {check:?}");
    }
    // Nobody there can tell of the end: it is noticed by looking, each retry interval.
    let mut waiting = twice.start("other", &["run", "-w", "10m", "-e", "prod", "--", "cat"]);
    eventually("it waits", || twice.seen("one", "waiting").len() == 1);
    held.let_go();
    assert_eq!(held.end().code, 0);
    soon("it is let in", || twice.seen("other", "held").len() == 1);
    waiting.let_go();
    assert_eq!(waiting.end().code, 0);
}

#[test]
fn through_another_mount_a_cancel_is_noticed_within_the_retry_interval() {
    let scene = Scene::with_topology(OFTEN);
    let twice = Twice::mount(&scene);
    let held = twice.start("one", &["run", "-e", "prod", "--", "cat"]);
    eventually("it holds", || twice.seen("one", "held").len() == 1);
    let waiting = twice.start("one", &["run", "-w", "10m", "-e", "prod", "--", "true"]);
    eventually("it waits", || twice.seen("one", "waiting").len() == 1);
    let id = |state: &str| text(&twice.seen("other", state)[0]["id"]);
    assert_eq!(twice.run("other", &["cancel", &id("waiting")]).code, 0);
    assert_eq!(waiting.end().code, 75);
    assert_eq!(twice.run("other", &["cancel", &id("held")]).code, 0);
    assert_eq!(held.end().code, 143);
}

#[test]
fn what_another_mount_left_behind_is_for_its_own_mount_or_a_person() {
    let scene = Scene::new();
    let twice = Twice::mount(&scene);
    let held = twice.start("one", &["run", "-l", "a", "--", "sleep", "1000"]);
    eventually("it holds", || twice.seen("one", "held").len() == 1);
    let command = crate::tools::child_of(held.pid()).unwrap();
    held.signal("KILL");
    crate::harness::signal(command, "KILL");
    eventually("its own mount sees it", || !twice.seen("one", "held")[0]["stale"].is_null());
    assert_eq!(twice.run("other", &["run", "-n", "-l", "a", "--", "true"]).code, 75);
    assert_eq!(twice.run("one", &["run", "-n", "-l", "a", "--", "true"]).code, 0);
    assert_eq!(twice.run("other", &["run", "-n", "-l", "a", "--", "true"]).code, 0);
}

#[test]
fn a_waiter_that_may_watch_nothing_is_granted_all_the_same() {
    let scene = Scene::new();
    // Bound to no process, so that nothing but its record tells of its end.
    let held = scene.hold(&["-l", "a"]);
    let script = "echo 0 > /proc/sys/user/max_inotify_watches && \
                  exec deploylock run --wait -l a -- sh -c 'echo ran > ran'";
    let mut command = scene.program("unshare");
    command.args(["--user", "--map-root-user", "sh", "-c", script]);
    let waiting = Group::start(command);
    scene.until("waiting", 1);
    scene.ok(&["release", &held]);
    soon("without a watch", || !read(&scene, "ran").is_empty());
    assert_eq!(waiting.end().code, 0);
    nothing_left(&scene);
}
