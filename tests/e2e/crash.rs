//! What is killed, and what stays or goes then: wrappers, commands, daemons, acquirers, owners; stale and kept
//! records, and the operator's hand on them.

use std::collections::BTreeMap;
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::harness::{Scene, eventually, said, signal};
use crate::tools::{
    Doomed, Group, child_of, deployment, holder, id, is_free, nothing_left, only, python, read, soon,
    soon_held, state, until_file, until_noted, until_written, waiter,
};

/// Starts a `run` of `a` with this command and kills its wrapper once the command has said `up`.
fn orphaned(scene: &Scene, command: &[&str]) -> Group {
    let mut run = Group::of(scene, &[&["run", "-l", "a", "--reason", "why", "--"], command].concat());
    until_written(scene, "up");
    until_noted(&scene.locks());
    run.signal("KILL");
    eventually("the wrapper is gone", || !run.is_running());
    run
}

fn stays_held_until_let_go(mut run: Group, scene: &Scene) {
    assert!(!is_free(scene, &["-l", "a"]));
    let held = only(scene);
    assert_eq!((&held["state"], &held["stale"]), (&"held".into(), &Value::Null));
    assert_eq!(scene.run(&["clear", "--stale"]).code, 0);
    assert_eq!(scene.run(&["clear", "--yes", &id(&held)]).code, 1, "it is alive");
    let waiting = waiter(scene, &["-l", "a"]);
    run.let_go();
    soon_held(scene, &waiting);
}

#[test]
fn a_killed_wrapper_leaves_the_locks_held_while_the_command_lives() {
    let scene = Scene::new();
    let run = orphaned(&scene, &["sh", "-c", "echo up > up; exec cat"]);
    stays_held_until_let_go(run, &scene);
}

#[test]
fn a_command_that_closed_what_it_inherited_keeps_the_locks() {
    let python_closes = "import os,sys; os.closerange(3, 4096); open('up','w').write('up'); sys.stdin.read()";
    let bash_closes = "for f in /proc/$$/fd/*; do n=${f##*/}; [ $n -gt 2 ] && [ $n != 255 ] && \
                       eval \"exec $n>&-\"; done; ls /proc/$$/fd > fds; echo up > up; cat; :";
    for command in [[python(), "-c", python_closes], ["bash", "-c", bash_closes]] {
        let scene = Scene::new();
        let run = orphaned(&scene, &command);
        stays_held_until_let_go(run, &scene);
    }
}

#[test]
fn the_child_of_a_command_that_has_the_descriptor_keeps_the_locks_of_a_killed_wrapper() {
    let scene = Scene::new();
    let run = orphaned(&scene, &["sh", "-c", "sh -c 'echo up > up; cat'; :"]);
    stays_held_until_let_go(run, &scene);
}

const DAEMON: &str =
    "setsid sh -c 'echo $$ > daemon; echo up > up; exec sleep 1000' </dev/null >/dev/null 2>&1 &";

fn daemon(scene: &Scene) -> Doomed {
    Doomed(until_written(scene, "daemon").parse().unwrap())
}

#[test]
fn a_daemon_that_the_command_left_behind_does_not_keep_the_locks() {
    let scene = Scene::new();
    let script = format!("{DAEMON} {}; exit 4", until_file("daemon"));
    let run = Group::of(&scene, &["run", "-l", "a", "--", "sh", "-c", &script]);
    let daemon = daemon(&scene);
    assert_eq!(run.end().code, 4);
    assert!(std::path::Path::new(&format!("/proc/{}", daemon.0)).exists());
    nothing_left(&scene);
    assert!(is_free(&scene, &["-l", "a"]));
}

#[test]
fn a_daemon_left_behind_by_a_killed_run_is_named_and_cleared_without_force() {
    let scene = Scene::new();
    let mut run = orphaned(&scene, &["sh", "-c", &format!("{DAEMON} echo $$ > command; cat")]);
    let daemon = daemon(&scene);
    let command = until_written(&scene, "command");
    run.let_go();
    eventually("the command ends", || !std::path::Path::new(&format!("/proc/{command}")).exists());
    let held = only(&scene);
    assert_eq!((&held["state"], &held["stale"]), (&"held".into(), &Value::Null));
    assert!(!is_free(&scene, &["-l", "a"]));
    let table = scene.ok(&["list"]);
    assert!(table.contains("command ended") && table.contains("descendant"), "{table}");
    assert!(table.contains(&daemon.0.to_string()), "{table}");
    assert_eq!(scene.ok(&["clear", "--stale"]), "", "it is not stale");
    let cleared = scene.run(&["clear", "--yes", &id(&held)]);
    assert_eq!(cleared.code, 0, "{cleared:?}");
    assert!(is_free(&scene, &["-l", "a"]));
}

#[test]
fn the_end_of_a_daemon_left_behind_by_a_killed_run_lets_a_waiter_in() {
    let scene = Scene::new();
    let mut run = orphaned(&scene, &["sh", "-c", &format!("{DAEMON} cat")]);
    let daemon = daemon(&scene);
    run.let_go();
    let waiting = waiter(&scene, &["-l", "a"]);
    signal(daemon.0, "KILL");
    soon_held(&scene, &waiting);
}

/// How often each system call is made by this.
pub fn calls(scene: &Scene, args: &[&str]) -> BTreeMap<String, usize> {
    let mut strace = scene.program("strace");
    let done = strace.args(["-f", "-qq", "-o", "calls", "deploylock"]).args(args).output().unwrap();
    assert!(done.status.success(), "{done:?}");
    let mut count = BTreeMap::new();
    for line in read(scene, "calls").lines() {
        let call = line.split_once(' ').unwrap().1.trim_start();
        if let Some((name, _)) = call.split_once('(')
            && name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
        {
            *count.entry(name.to_owned()).or_default() += 1;
        }
    }
    count
}

/// Runs this, killed at its `nth` call of `name`. Whether it was.
pub fn killed_at(scene: &Scene, name: &str, nth: usize, args: &[&str]) -> Option<crate::harness::Said> {
    let inject = format!("inject={name}:signal=KILL:when={nth}");
    let mut strace = scene.program("strace");
    strace.args([
        "-f",
        "-qq",
        "-o",
        "/dev/null",
        "-e",
        &format!("trace={name}"),
        "-e",
        &inject,
        "deploylock",
    ]);
    let said = said(strace.args(args).output().unwrap());
    (said.code != 0).then_some(said)
}

#[test]
fn a_line_without_a_record_is_dropped_by_whoever_next_writes_that_file() {
    let scene = Scene::new();
    // As one leaves it that is killed between giving back and tidying.
    let held = scene.ok(&["acquire", "-l", "a"]);
    std::fs::copy(scene.path("locks/locks/name/a"), scene.path("line")).unwrap();
    scene.ok(&["release", &held]);
    std::fs::copy(scene.path("line"), scene.path("locks/locks/name/a")).unwrap();
    assert_eq!(scene.list()["locks"].as_array().unwrap().len(), 0);
    scene.ok(&["run", "-n", "-l", "a", "--", "true"]);
    assert!(!read(&scene, "locks/locks/name/a").contains(&held), "it stays for ever");
    nothing_left(&scene);
}

#[test]
fn what_was_acquired_stays_after_its_process_and_its_parents() {
    let scene = Scene::new();
    let said = scene.shell("sh", "(setsid sh -c 'deploylock acquire -l a --reason freeze')");
    let held = only(&scene);
    assert_eq!(said.out.trim(), id(&held));
    assert_eq!((&held["state"], &held["stale"]), (&"held".into(), &Value::Null));
    assert_eq!(scene.ok(&["clear", "--stale"]), "");
    assert!(!is_free(&scene, &["-l", "a"]));
    scene.ok(&["release", &id(&held)]);
    nothing_left(&scene);
}

#[test]
fn an_owner_that_is_gone_makes_it_stale_and_lets_a_waiter_in() {
    let scene = Scene::new();
    let owner = Group::start(scene.program("cat"));
    let held = scene.ok(&["acquire", "-l", "a", "--owner-pid", &owner.pid().to_string()]);
    assert_eq!(only(&scene)["stale"], Value::Null);
    assert_eq!(scene.run(&["clear", "--yes", &held]).code, 1, "its owner lives");
    let waiting = waiter(&scene, &["-l", "a"]);
    owner.kill();
    soon_held(&scene, &waiting);
    drop(waiting);
    let owner = Group::start(scene.program("cat"));
    scene.ok(&["acquire", "--wait", "-l", "a", "--owner-pid", &owner.pid().to_string()]);
    owner.kill();
    assert_eq!(owner.end().code, -9);
    let stale = only(&scene)["stale"].as_str().unwrap().to_owned();
    assert!(!stale.is_empty());
    assert!(is_free(&scene, &["-l", "a"]));
}

#[test]
fn an_owner_that_is_a_zombie_is_gone() {
    let scene = Scene::new();
    let script = "import os,sys,time\np = os.fork()\nif p == 0:\n    sys.stdin.read()\n    os._exit(0)\n\
                  open('zombie','w').write(str(p))\nwhile not os.path.exists('end'):\n    time.sleep(0.05)\n";
    let mut python = scene.program(python());
    python.args(["-c", script]);
    let mut parent = Group::start(python);
    let owner = until_written(&scene, "zombie");
    scene.ok(&["acquire", "-l", "a", "--owner-pid", &owner]);
    assert_eq!(only(&scene)["stale"], Value::Null);
    parent.let_go();
    eventually("a zombie", || {
        std::fs::read_to_string(format!("/proc/{owner}/stat")).unwrap().contains(") Z ")
    });
    assert_ne!(only(&scene)["stale"], Value::Null);
    assert!(is_free(&scene, &["-l", "a"]));
}

#[test]
fn another_process_under_the_owners_number_is_not_the_owner() {
    let scene = Scene::new();
    // In a pid namespace of its own the next number can be chosen.
    let script = "sleep 1000 & p=$!\n\
        deploylock acquire -q -l a --owner-pid $p > id || exit 90\n\
        deploylock list --format json > before\n\
        born() { cut -d' ' -f22 /proc/$1/stat; }\n\
        was=$(born $p); while [ $(born self) = $was ]; do :; done\n\
        kill -9 $p; wait $p 2>/dev/null\n\
        echo $((p-1)) > /proc/sys/kernel/ns_last_pid; sleep 1000 & [ $! = $p ] || exit 91\n\
        deploylock list --format json > after\n\
        deploylock run -n -q -l a -- true || exit 92\n";
    let mut unshare = scene.program("unshare");
    unshare.args(["--user", "--map-root-user", "--pid", "--fork", "--kill-child", "--mount-proc"]);
    let done = said(unshare.args(["bash", "-c", script]).output().unwrap());
    assert_eq!(done.code, 0, "{done:?}");
    let stale = |file: &str| -> Value {
        let list: Value = serde_json::from_str(&read(&scene, file)).unwrap();
        list["deployments"][0]["stale"].clone()
    };
    assert_eq!(stale("before"), Value::Null);
    assert_ne!(stale("after"), Value::Null);
}

#[test]
fn an_owner_that_does_not_exist_is_refused() {
    let scene = Scene::new();
    let mut child = Command::new("true").stdin(Stdio::null()).spawn().unwrap();
    child.wait().unwrap();
    let said = scene.run(&["acquire", "-l", "a", "--owner-pid", &child.id().to_string()]);
    assert!(said.code == 1 || said.code == 2, "{said:?}");
    assert_eq!(said.out, "");
    assert!(said.err.contains(&child.id().to_string()), "{said:?}");
}

#[test]
fn a_dead_run_is_listed_stale_and_cleared_with_one_line() {
    let scene = Scene::new();
    let held = holder(&scene, &["-l", "a", "--reason", "why"]);
    let dead = id(&deployment(&scene, held.pid()));
    let alive = holder(&scene, &["-l", "b"]);
    held.kill();
    assert_eq!(held.end().code, -9);
    soon("it is stale", || scene.list()["deployments"][0]["stale"].is_string());
    let table = scene.ok(&["list", "--stale"]);
    assert!(table.contains(&dead) && table.contains("stale"), "{table}");
    assert!(!table.contains(&id(&deployment(&scene, alive.pid()))), "{table}");
    let dry = scene.run(&["clear", "--stale", "--dry-run"]);
    assert!(dry.code == 0 && scene.list()["deployments"].as_array().unwrap().len() == 2, "{dry:?}");
    let cleared = scene.run(&["clear", "--stale"]);
    assert_eq!((cleared.code, cleared.err.as_str()), (0, ""));
    assert_eq!(cleared.out.lines().count(), 1);
    for word in [&dead, "name:a", "why"] {
        assert!(cleared.out.contains(word), "{cleared:?}");
    }
    let again = scene.run(&["clear", "--stale"]);
    assert_eq!((again.code, again.out.as_str(), again.err.as_str()), (0, "", ""));
    assert_eq!(id(&only(&scene)), id(&deployment(&scene, alive.pid())));
}

#[test]
fn a_dead_waiter_and_a_past_ttl_are_stale_too() {
    let scene = Scene::new();
    let expiring = scene.ok(&["acquire", "-l", "b", "--ttl", "1s"]);
    let held = holder(&scene, &["-l", "a"]);
    let waiting = waiter(&scene, &["-l", "a"]);
    waiting.kill();
    assert_eq!(waiting.end().code, -9);
    eventually("two are stale", || {
        let list = scene.list();
        list["deployments"].as_array().unwrap().iter().filter(|d| d["stale"].is_string()).count() == 2
    });
    let cleared = scene.ok(&["clear", "--stale"]);
    assert_eq!(cleared.lines().count(), 2, "{cleared}");
    assert!(cleared.contains(&expiring), "{cleared}");
    assert_eq!(only(&scene)["pid"], held.pid());
}

#[test]
fn a_live_holder_is_cleared_only_by_force_and_its_run_ends_its_command_with_76() {
    let scene = Scene::new();
    let script = "trap 'echo told > told; exit 0' TERM; echo up > up; while :; do read x || sleep 0.01; done";
    let run =
        ["run", "-l", "a", "--reason", "the big move", "--owner", "alice@desk", "--", "bash", "-c", script];
    let run = Group::of(&scene, &run);
    until_written(&scene, "up");
    let held = id(&only(&scene));
    for command in
        [&["clear", "--yes", &held][..], &["clear", "--yes", "-l", "a"], &["clear", "--all", "--yes"]]
    {
        let refused = scene.run(command);
        assert_eq!(refused.code, 1, "{refused:?}");
        for word in [&held, "name:a", "the big move", "alice@desk", "--force"] {
            assert!(refused.err.contains(word), "{word}: {refused:?}");
        }
        assert!(refused.err.to_lowercase().contains("alive"), "{refused:?}");
    }
    let without_yes = scene.run(&["clear", "--force", &held]);
    assert_eq!(without_yes.code, 1, "{without_yes:?}");
    assert!(without_yes.err.contains("--yes"), "{without_yes:?}");
    assert_eq!(state(&scene, &run), "held");
    assert_eq!(scene.run(&["clear", "--yes", "--force", &held]).code, 0);
    let said = run.end();
    assert_eq!(said.code, 76, "{said:?}");
    assert!(said.err.contains("taken away"), "{said:?}");
    assert_eq!(read(&scene, "told"), "told");
    nothing_left(&scene);
}

#[test]
fn a_run_that_was_cleared_does_not_release_its_successors_lock() {
    let scene = Scene::new();
    let script = format!("trap '' TERM; echo up > up; {}", until_file("go"));
    let run = Group::of(&scene, &["run", "-l", "a", "--", "sh", "-c", &script]);
    until_written(&scene, "up");
    scene.ok(&["clear", "--yes", "--force", "-l", "a"]);
    let successor = scene.ok(&["acquire", "-n", "-l", "a"]);
    std::fs::write(scene.path("go"), "").unwrap();
    assert_eq!(run.end().code, 76);
    assert_eq!(id(&only(&scene)), successor);
}

#[test]
fn a_cancelled_run_holds_until_its_command_has_ended() {
    let scene = Scene::new();
    let script = format!("trap 'echo told > told' TERM; echo up > up; {}; exit 3", until_file("go"));
    let run = Group::of(&scene, &["run", "-l", "a", "--", "sh", "-c", &script]);
    until_written(&scene, "up");
    let mut cancel = scene.command(&["cancel", &id(&only(&scene))]);
    let cancel = Group::start({
        cancel.stdin(Stdio::null());
        cancel
    });
    until_written(&scene, "told");
    assert!(!is_free(&scene, &["-l", "a"]));
    std::fs::write(scene.path("go"), "").unwrap();
    assert_eq!(run.end().code, 3);
    assert_eq!(cancel.end().code, 0);
    nothing_left(&scene);
}

const HOLDING: &str = "[environments.prod]\ncontainers = [\"web\"]\nallow_concurrent_deployments = false\n";

fn kept(scene: &Scene) -> String {
    let held = only(scene);
    assert_eq!((&held["state"], &held["stale"]), (&"held".into(), &Value::Null), "{held}");
    assert_eq!(scene.ok(&["clear", "--stale"]), "");
    assert!(!is_free(scene, &["-e", "prod"]));
    assert_eq!(scene.ok(&["list", "--stale", "--format", "json"]).matches(&id(&held)).count(), 0);
    id(&held)
}

#[test]
fn on_failure_hold_keeps_the_locks_of_a_failed_run_only() {
    let scene = Scene::with_topology(&format!("{HOLDING}on_failure = \"hold\"\n"));
    for (script, code) in [("exit 3", 3), ("kill -9 $$", 137), ("kill -TERM $$", 143)] {
        let said = scene.run(&["run", "-e", "prod", "--", "sh", "-c", script]);
        assert_eq!(said.code, code, "{said:?}");
        let id = kept(&scene);
        assert!(said.err.contains(&id) && said.err.contains("release"), "{said:?}");
        scene.ok(&["release", &id]);
        nothing_left(&scene);
    }
    assert_eq!(scene.run(&["run", "-e", "prod", "--", "true"]).code, 0);
    nothing_left(&scene);
    scene.run(&["run", "-e", "prod", "--", "false"]);
    let id = kept(&scene);
    scene.ok(&["clear", "--yes", &id]);
    nothing_left(&scene);
}

#[test]
fn on_crash_hold_keeps_the_locks_of_a_killed_run() {
    let scene = Scene::with_topology(&format!("{HOLDING}on_crash = \"hold\"\n"));
    for command in ["clear", "release"] {
        let held = holder(&scene, &["-e", "prod"]);
        held.kill();
        assert_eq!(held.end().code, -9);
        let id = kept(&scene);
        let waiting = waiter(&scene, &["-e", "prod"]);
        let words: &[&str] = if command == "clear" { &["clear", "--yes", &id] } else { &["release", &id] };
        scene.ok(words);
        soon_held(&scene, &waiting);
        let mut waiting = waiting;
        waiting.let_go();
        assert_eq!(waiting.end().code, 0);
    }
    // What ends properly, failed or not, is released.
    assert_eq!(scene.run(&["run", "-e", "prod", "--", "false"]).code, 1);
    nothing_left(&scene);
}

#[test]
fn a_run_is_not_released_from_inside_its_command() {
    let scene = Scene::new();
    let script = "deploylock release; echo $? > rc; deploylock release $DEPLOYLOCK_ID; echo $? > rc2; \
                  deploylock list --format json > list";
    assert_eq!(scene.run(&["run", "-l", "a", "--", "sh", "-c", script]).code, 0);
    assert_ne!(read(&scene, "rc"), "0");
    assert_ne!(read(&scene, "rc2"), "0");
    let list: Value = serde_json::from_str(&read(&scene, "list")).unwrap();
    assert_eq!(list["deployments"][0]["state"], "held");
}

#[test]
fn many_who_look_at_once_never_mistake_the_living_for_dead_or_the_dead_for_living() {
    let scene = Scene::new();
    let alive = holder(&scene, &["-l", "a"]);
    let dying = holder(&scene, &["-l", "b"]);
    let dead = id(&deployment(&scene, dying.pid()));
    let command = child_of(dying.pid()).unwrap();
    dying.kill();
    assert_eq!(dying.end().code, -9);
    eventually("the command is gone too", || {
        let stat = std::fs::read_to_string(format!("/proc/{command}/stat"));
        stat.map_or(true, |s| s.contains(") Z ") || s.contains(") X "))
    });
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                for _ in 0..25 {
                    let list = scene.list();
                    let all = list["deployments"].as_array().unwrap();
                    assert_eq!(all.len(), 2, "{list}");
                    for d in all {
                        assert_eq!(d["stale"].is_string(), id(d) == dead, "{d}");
                    }
                }
            });
        }
    });
    assert_eq!(state(&scene, &alive), "held");
}

#[test]
fn a_command_that_nobody_reaps_is_gone_all_the_same() {
    let scene = Scene::new();
    // Orphans become this process's, which reaps none: the first process of many a container is like that.
    let script = "import ctypes,os,subprocess,sys\nctypes.CDLL(None).prctl(36, 1, 0, 0, 0)\n\
                  p = subprocess.Popen(sys.argv[1:])\np.wait()\nopen('orphaned','w').write('yes')\n\
                  while not os.path.exists('end'): pass\n";
    let mut reaper = scene.program(python());
    reaper.args(["-c", &script.replace("pass", "__import__('time').sleep(0.05)")]);
    reaper.args(["deploylock", "run", "-l", "a", "--", "sh", "-c", "echo $$ > up; exec cat"]);
    let mut reaper = Group::start(reaper);
    let command = until_written(&scene, "up");
    let wrapper = scene.until("held", 1)[0]["pid"].as_u64().unwrap() as u32;
    let waiting = waiter(&scene, &["-l", "a"]);
    signal(wrapper, "KILL");
    until_written(&scene, "orphaned");
    assert_eq!(state(&scene, &waiting), "waiting");
    reaper.let_go();
    soon_held(&scene, &waiting);
    assert!(std::fs::read_to_string(format!("/proc/{command}/stat")).unwrap().contains(") Z "));
}

#[test]
fn a_command_whose_first_thread_ended_lives_on() {
    let scene = Scene::new();
    let script = "import ctypes,os,platform,threading,time\nos.closerange(3, 4096)\n\
        def rest():\n    end = time.time() + 60\n    own = '/proc/%d/stat' % os.getpid()\n    \
        while ') Z ' not in open(own).read() and time.time() < end: time.sleep(0.01)\n    \
        open('up','w').write('up')\n    \
        while not os.path.exists('go') and time.time() < end: time.sleep(0.02)\n    os._exit(0)\n\
        threading.Thread(target=rest).start()\n\
        ctypes.CDLL(None).syscall(60 if platform.machine() == 'x86_64' else 93, 0)\n";
    let _run = orphaned(&scene, &[python(), "-c", script]);
    assert!(!is_free(&scene, &["-l", "a"]));
    assert_eq!(only(&scene)["stale"], Value::Null);
    let waiting = waiter(&scene, &["-l", "a"]);
    assert_eq!(state(&scene, &waiting), "waiting");
    std::fs::write(scene.path("go"), "").unwrap();
    soon_held(&scene, &waiting);
}

#[test]
fn a_holder_in_another_pid_namespace_is_alive_until_it_is_killed() {
    let scene = Scene::new();
    let mut unshare = scene.program("unshare");
    unshare.args(["--user", "--map-root-user", "--pid", "--fork", "--kill-child", "--mount-proc"]);
    unshare.args(["deploylock", "run", "-l", "a", "--", "cat"]);
    let held = Group::start(unshare);
    scene.until("held", 1);
    assert!(!is_free(&scene, &["-l", "a"]));
    assert_eq!(only(&scene)["stale"], Value::Null);
    assert_eq!(scene.ok(&["clear", "--stale"]), "");
    let waiting = waiter(&scene, &["-l", "a"]);
    held.kill();
    soon_held(&scene, &waiting);
}

#[test]
fn an_owner_in_another_pid_namespace_is_not_presumed_dead() {
    let scene = Scene::new();
    let script = "sleep 1000 & deploylock acquire -q -l a --owner-pid $! > id; cat";
    let mut unshare = scene.program("unshare");
    unshare.args(["--user", "--map-root-user", "--pid", "--fork", "--kill-child", "--mount-proc"]);
    let _inside = Group::start({
        unshare.args(["sh", "-c", script]);
        unshare
    });
    until_written(&scene, "id");
    scene.until("held", 1);
    assert_eq!(only(&scene)["stale"], Value::Null);
    assert!(!is_free(&scene, &["-l", "a"]));
}

#[test]
fn a_run_with_a_ttl_keeps_its_locks_while_its_command_runs() {
    let scene = Scene::new();
    let mut run = Group::of(&scene, &["run", "-l", "a", "--ttl", "1s", "--", "cat"]);
    let first = scene.until("held", 1)[0]["expires"].clone();
    let began = std::time::Instant::now();
    eventually("three times the ttl", || {
        let now = only(&scene);
        assert_eq!((&now["state"], &now["stale"]), (&"held".into(), &Value::Null), "{now}");
        began.elapsed().as_secs() >= 3
    });
    assert!(only(&scene)["expires"].as_str() > first.as_str(), "it was renewed");
    run.let_go();
    assert_eq!(run.end().code, 0);
}

#[test]
fn a_stopped_run_past_its_ttl_is_not_overtaken_beside_its_living_command() {
    let scene = Scene::new();
    let run = Group::of(&scene, &["run", "-l", "a", "--ttl", "1s", "--", "cat"]);
    scene.until("held", 1);
    run.signal("STOP");
    let began = std::time::Instant::now();
    eventually("the ttl has passed", || began.elapsed().as_millis() > 1500);
    assert!(!is_free(&scene, &["-l", "a"]), "its command lives");
    let waiting = waiter(&scene, &["-l", "a"]);
    assert_eq!(scene.ok(&["clear", "--stale"]), "");
    run.signal("CONT");
    // It ends its command first, or goes on renewing: in neither case do both hold.
    let mut run = run;
    run.let_go();
    let said = run.end();
    assert!([0, 76].contains(&said.code), "{said:?}");
    soon_held(&scene, &waiting);
}

#[test]
fn a_nested_one_with_a_smaller_limit_makes_up_for_a_lost_hand_off_before_it_holds() {
    let scene = Scene::new();
    let a = holder(&scene, &["-l", "a"]);
    let waiting = waiter(&scene, &["--shared", "-l", "a", "-l", "b"]);
    let inner = "until [ -e go ]; do sleep 0.05; done\n\
                 deploylock run -n -l b --slots 1 -- sh -c 'echo in > inner; cat'";
    let parent = Group::of(&scene, &["run", "--shared", "-l", "b", "--", "sh", "-c", inner]);
    scene.until("held", 2);
    // It cannot look for itself.
    waiting.signal("STOP");
    a.kill();
    assert_eq!(a.end().code, -9);
    std::fs::write(scene.path("go"), "").unwrap();
    until_written(&scene, "inner");
    assert_eq!(state(&scene, &waiting), "held", "{}", scene.list());
    drop(parent);
}
