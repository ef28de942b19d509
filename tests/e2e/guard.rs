//! A lock directory in bad company: somebody stopped inside the guard, things planted in it, file systems whose
//! advisory locks lie, permissions.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use crate::harness::{Said, Scene, binary, eventually, said, signal};
use crate::tools::{
    Group, child_of, holder, id, is_free, nothing_left, only, python, switches, until_written,
};

/// How long a command may try before it gives up on a guard that is not let go.
const BOUND: Duration = Duration::from_secs(20);

/// All of these end with 1, within the bound, naming this process.
fn all_give_up_naming(scene: &Scene, pid: u32, commands: &[&[&str]]) {
    let began = Instant::now();
    let started: Vec<Group> = commands.iter().map(|c| Group::of(scene, c)).collect();
    for (command, group) in commands.iter().zip(started) {
        let said = group.end();
        assert_eq!(said.code, 1, "{command:?}: {said:?}");
        assert_eq!(said.out, "", "{command:?}");
        assert!(said.err.contains(&pid.to_string()), "{command:?} does not name {pid}: {said:?}");
    }
    assert!(began.elapsed() < BOUND, "{:?}", began.elapsed());
}

#[test]
fn a_guard_that_a_stopped_process_holds_is_given_up_by_name() {
    let scene = Scene::new();
    let held = scene.ok(&["acquire", "-l", "b"]);
    let script = "import fcntl,os,signal\nf = open('locks/guard', 'r+')\nfcntl.flock(f, fcntl.LOCK_EX)\n\
                  open('up','w').write('up')\nos.kill(os.getpid(), signal.SIGSTOP)\n";
    let mut python = scene.program(python());
    python.args(["-c", script]);
    let stopped = Group::start(python);
    until_written(&scene, "up");
    all_give_up_naming(
        &scene,
        stopped.pid(),
        &[
            &["run", "-n", "-l", "a", "--", "touch", "ran"],
            &["run", "--wait", "-l", "a", "--", "touch", "ran"],
            &["acquire", "-n", "-l", "a"],
            &["list"],
            &["release", &held],
            &["clear", "--yes", &held],
            &["plan", "-l", "b"],
        ],
    );
    assert!(!scene.path("ran").exists());
    stopped.kill();
    assert_eq!(id(&only(&scene)), held);
    assert!(is_free(&scene, &["-l", "a"]));
}

#[test]
fn a_deploylock_stopped_inside_the_guard_is_named_and_goes_on_later() {
    let scene = Scene::new();
    let calls = crate::crash::calls(&scene, &["acquire", "-l", "b"]);
    let name = ["renameat2", "renameat", "rename"].into_iter().find(|n| calls.contains_key(*n)).unwrap();
    let mut strace = scene.program("strace");
    let inject = format!("inject={name}:signal=STOP:when=1");
    let trace = format!("trace={name}");
    strace.args(["-qq", "-o", "/dev/null", "-e", &trace, "-e", &inject, "deploylock", "acquire", "-l", "a"]);
    let strace = Group::start(strace);
    let (mut stopped, mut before, mut still) = (0, None, 0);
    // Each traced call stops it for a moment: only when it does not move any more it is the signal.
    eventually("it is stopped", || {
        stopped = child_of(strace.pid()).unwrap_or(0);
        let stat = fs::read_to_string(format!("/proc/{stopped}/stat")).unwrap_or_default();
        let now = switches(stopped)
            .filter(|_| ["(deploylock) t", "(deploylock) T"].iter().any(|s| stat.contains(s)));
        still = if now.is_some() && now == before { still + 1 } else { 0 };
        before = now;
        still > 40
    });
    let blocked = scene.run(&["run", "-n", "-l", "c", "--", "true"]);
    assert_eq!(blocked.code, 1, "{blocked:?}");
    assert!(blocked.err.contains(&stopped.to_string()), "{blocked:?}");
    signal(stopped, "CONT");
    assert_eq!(strace.end().code, 0);
    assert!(!is_free(&scene, &["-l", "a"]));
    assert!(is_free(&scene, &["-l", "c"]));
}

/// What may be planted.
const KINDS: [&str; 7] = ["fifo", "symlink", "dangling", "directory", "garbage", "empty", "socket"];

fn plant(scene: &Scene, kind: &str, at: &Path) {
    fs::write(scene.path("victim"), "precious\n").unwrap();
    let _ = fs::remove_file(at).or_else(|_| fs::remove_dir_all(at));
    fs::create_dir_all(at.parent().unwrap()).unwrap();
    match kind {
        "fifo" => assert!(Command::new("mkfifo").arg(at).status().unwrap().success()),
        "symlink" => std::os::unix::fs::symlink(scene.path("victim"), at).unwrap(),
        "dangling" => std::os::unix::fs::symlink(scene.path("made"), at).unwrap(),
        "directory" => fs::create_dir(at).unwrap(),
        "garbage" => fs::write(at, b"\x00\xff\x1b[31m garbage = [\n1-aaaaaa exclusive\n\n\xfe").unwrap(),
        "socket" => drop(std::os::unix::net::UnixListener::bind(at).unwrap()),
        _ => fs::write(at, "").unwrap(),
    }
}

/// Runs it, killed when it hangs.
fn bounded(scene: &Scene, args: &[&str]) -> Said {
    let mut timeout = scene.program("timeout");
    timeout.args(["-s", "KILL", "20", binary()]).args(args);
    said(timeout.output().unwrap())
}

/// No hang, no panic, no silence, nothing done outside the lock directory, no escape sequence printed.
fn behaves(scene: &Scene, what: &str, args: &[&str]) -> Said {
    let said = bounded(scene, args);
    let context = format!("{what}, {args:?}: {said:?}");
    assert!([0, 1, 3, 75].contains(&said.code), "{context}");
    assert!(!said.err.contains("panicked") && !said.err.contains("RUST_BACKTRACE"), "{context}");
    assert!(said.code == 0 || !(said.err.is_empty() && said.out.is_empty()), "{context}");
    assert!(!said.err.contains('\x1b') && !said.out.contains('\x1b'), "{context}");
    assert_eq!(fs::read_to_string(scene.path("victim")).unwrap(), "precious\n", "{context}");
    assert!(!scene.path("made").exists(), "{context}");
    said
}

const COMMANDS: [&[&str]; 8] = [
    &["list"],
    &["list", "--format", "json"],
    &["plan", "-l", "a"],
    &["check"],
    &["clear", "--stale"],
    &["run", "-n", "-l", "a", "--", "true"],
    &["acquire", "-n", "-l", "a", "--ttl", "1h"],
    &["clear", "-l", "a", "--yes"],
];

#[test]
fn whatever_is_planted_in_place_of_the_guard_is_reported() {
    for kind in KINDS {
        let scene = Scene::new();
        let held = scene.ok(&["acquire", "-l", "a"]);
        plant(&scene, kind, &scene.path("locks/guard"));
        for args in COMMANDS {
            let said = behaves(&scene, kind, args);
            if !matches!(kind, "garbage" | "empty") && args[0] != "check" {
                assert_eq!(said.code, 1, "{kind}, {args:?}: {said:?}");
                assert!(said.err.contains("guard"), "{kind}, {args:?}: {said:?}");
            }
            if args[0] == "run" {
                assert_ne!(said.code, 0, "{kind}: the lock is held");
            }
        }
        let records = scene.shell("sh", &format!("find locks -name '{held}*'"));
        assert!(records.out.contains(&held) || matches!(kind, "garbage" | "empty"), "{kind}: {held} is gone");
    }
}

#[test]
fn a_guard_that_lost_its_content_is_rebuilt_and_loses_no_lock() {
    for kind in ["garbage", "empty"] {
        let scene = Scene::new();
        let held = scene.ok(&["acquire", "-l", "a"]);
        let token = only(&scene)["token"].as_u64();
        plant(&scene, kind, &scene.path("locks/guard"));
        assert!(!is_free(&scene, &["-l", "a"]), "{kind}");
        assert_eq!(id(&only(&scene)), held);
        scene.ok(&["release", &held]);
        scene.ok(&["acquire", "-l", "a"]);
        assert!(only(&scene)["token"].as_u64() > token, "{kind}: a token must grow");
    }
}

#[test]
fn whatever_is_planted_in_place_of_a_lock_file_is_reported() {
    for kind in KINDS {
        let scene = Scene::new();
        scene.ok(&["acquire", "-l", "b"]);
        plant(&scene, kind, &scene.path("locks/locks/name/a"));
        for args in COMMANDS {
            let said = behaves(&scene, kind, args);
            if !matches!(kind, "garbage" | "empty") && ["run", "acquire"].contains(&args[0]) {
                assert_eq!(said.code, 1, "{kind}, {args:?}: {said:?}");
                assert!(said.err.contains("locks/name/a"), "{kind}, {args:?}: {said:?}");
            }
        }
        assert!(is_free(&scene, &["-l", "c"]), "{kind}: others are not disturbed");
    }
}

#[test]
fn whatever_is_planted_among_the_records_is_shown_and_kept() {
    for folder in ["waiting", "attached", "detached", "paused"] {
        for kind in KINDS {
            let scene = Scene::new();
            let known = scene.ok(&["acquire", "-l", "b"]);
            let name =
                record(&scene, &known).file_name().unwrap().to_string_lossy().replace(&known, "7-abcdef");
            let at = scene.path(&format!("locks/deployments/{folder}/{name}"));
            plant(&scene, kind, &at);
            let what = format!("{kind} in {folder}");
            for args in COMMANDS {
                let said = behaves(&scene, &what, args);
                if args[0] == "list" {
                    assert_eq!(said.code, 0, "{what}: {said:?}");
                    assert!(!said.err.is_empty(), "{what}: a warning is due: {said:?}");
                    assert!(said.out.contains(&known), "{what}: {said:?}");
                }
                if args[0] == "check" {
                    assert_eq!(said.code, 1, "{what}: {said:?}");
                }
            }
            assert!(at.symlink_metadata().is_ok(), "{what}: removed silently");
        }
    }
}

/// The file of this record.
fn record(scene: &Scene, id: &str) -> PathBuf {
    let found = scene.shell("sh", &format!("find locks/deployments -name '{id}*'"));
    scene.path(found.out.trim())
}

#[test]
fn a_record_that_cannot_be_read_blocks_and_is_shown_and_cleared_by_name() {
    for kind in KINDS {
        let scene = Scene::new();
        let held = scene.ok(&["acquire", "-l", "a"]);
        let path = record(&scene, &held);
        plant(&scene, kind, &path);
        let refused = behaves(&scene, kind, &["run", "-n", "-l", "a", "--", "true"]);
        assert!([1, 75].contains(&refused.code), "{kind}: {refused:?}");
        let listed = behaves(&scene, kind, &["list", "--format", "json"]);
        let list: serde_json::Value = serde_json::from_str(&listed.out).unwrap();
        let shown = list["deployments"].as_array().unwrap().iter().find(|d| d["id"] == *held);
        let shown = shown.unwrap_or_else(|| panic!("{kind}: {listed:?}"));
        assert_eq!(shown["state"], "unreadable", "{kind}: {shown}");
        assert!(shown["path"].as_str().is_some_and(|p| p.contains(&held)), "{kind}: {shown}");
        assert_eq!(listed.code, 0);
        assert!(listed.err.contains(&held), "{kind}: {listed:?}");
        assert_eq!(behaves(&scene, kind, &["check"]).code, 1);
        assert_eq!(behaves(&scene, kind, &["clear", "--stale"]).code, 0);
        assert!(path.symlink_metadata().is_ok(), "{kind}: removed silently");
        let cleared = behaves(&scene, kind, &["clear", "--yes", "--force", &held]);
        if kind == "directory" {
            // No record ever was one: whose it is and what it holds only a person knows.
            assert!(cleared.code == 1 && cleared.err.contains(&held), "{cleared:?}");
            continue;
        }
        assert_eq!(cleared.code, 0, "{kind}: {cleared:?}");
        assert!(is_free(&scene, &["-l", "a"]), "{kind}");
    }
}

#[test]
fn whatever_is_planted_in_place_of_the_history_or_a_folder_does_no_harm() {
    for place in [
        "history.jsonl",
        "locks/name",
        "locks",
        "deployments/attached",
        "deployments/detached",
        "deployments",
    ] {
        for kind in KINDS {
            let scene = Scene::new();
            scene.ok(&["release", &scene.ok(&["acquire", "-l", "x"])]);
            plant(&scene, kind, &scene.path(&format!("locks/{place}")));
            for args in COMMANDS {
                behaves(&scene, &format!("{kind} at {place}"), args);
            }
        }
    }
}

#[test]
fn strangers_among_the_files_are_left_alone() {
    let scene = Scene::new();
    let _held = holder(&scene, &["-l", "a"]);
    let strangers = [
        "locks/.nfs0001",
        "locks/README",
        "locks/deployments/attached/.nfs0002",
        "locks/deployments/paused/x~",
    ];
    for name in strangers {
        fs::write(scene.path(name), "mine").unwrap();
    }
    only(&scene);
    assert!(is_free(&scene, &["-l", "b"]));
    scene.ok(&["clear", "--stale"]);
    for name in strangers {
        assert_eq!(fs::read_to_string(scene.path(name)).unwrap(), "mine", "{name}");
    }
}

#[test]
fn a_lock_directory_that_is_no_directory_is_reported() {
    for kind in KINDS {
        let scene = Scene::new();
        plant(&scene, kind, &scene.locks());
        if kind == "directory" {
            assert!(is_free(&scene, &["-l", "a"]));
            continue;
        }
        let said = bounded(&scene, &["run", "-n", "-l", "a", "--", "touch", "ran"]);
        assert_eq!(said.code, 1, "{kind}: {said:?}");
        assert!(said.err.contains("locks"), "{kind}: {said:?}");
        assert!(!scene.path("ran").exists());
    }
}

#[test]
fn a_file_system_whose_advisory_locks_do_not_exclude_is_refused() {
    for lie in ["retval=0", "error=ENOLCK", "error=EOPNOTSUPP"] {
        for command in [&["acquire", "-l", "a"][..], &["run", "-l", "a", "--", "touch", "ran"]] {
            let scene = Scene::new();
            let mut strace = scene.program("strace");
            let inject = format!("inject=flock:{lie}");
            strace.args(["-f", "-qq", "-o", "/dev/null", "-e", &inject, "deploylock"]).args(command);
            let said = said(strace.output().unwrap());
            assert_eq!((said.code, said.out.as_str()), (1, ""), "{lie}: {said:?}");
            assert!(said.err.contains("lock") && !said.err.contains("panicked"), "{lie}: {said:?}");
            assert!(!scene.path("ran").exists(), "{lie}");
        }
    }
}

fn is_root() -> bool {
    Command::new("id").arg("-u").output().unwrap().stdout == b"0\n"
}

/// A copy of the binary that everybody may run, in a folder that everybody may enter.
fn everybodys(scene: &Scene) {
    fs::set_permissions(scene.root(), fs::Permissions::from_mode(0o755)).unwrap();
    // Copied by another process: no descriptor open for writing is inherited by what other tests start.
    assert_eq!(scene.shell("sh", "cp \"$(command -v deploylock)\" tool && chmod 755 tool").code, 0);
}

/// Runs it as somebody who is neither root nor, where that can be had, the owner.
fn as_somebody(scene: &Scene, group: &str, args: &[&str]) -> Said {
    let tool = scene.path("tool");
    let mut command = if is_root() {
        let mut setpriv = scene.program("setpriv");
        setpriv.args(["--reuid", "65534", "--regid", group, "--clear-groups"]).arg(tool);
        setpriv
    } else {
        scene.program(tool)
    };
    command.env("DEPLOYLOCK_DIR", scene.locks());
    said(command.args(args).output().unwrap())
}

#[test]
fn a_list_needs_only_read_permission_and_everything_else_says_what_it_lacks() {
    let scene = Scene::new();
    everybodys(&scene);
    let held = scene.ok(&["acquire", "-l", "a", "--reason", "why"]);
    assert_eq!(scene.shell("sh", "chmod -R u=rX,go=rX locks").code, 0);
    let listed = as_somebody(&scene, "65534", &["list"]);
    assert_eq!((listed.code, listed.err.as_str()), (0, ""), "{listed:?}");
    assert!(listed.out.contains(&held) && listed.out.contains("why"), "{listed:?}");
    let json = as_somebody(&scene, "65534", &["list", "--format", "json"]);
    let json: serde_json::Value = serde_json::from_str(&json.out).unwrap();
    assert_eq!(
        (&json["deployments"][0]["state"], &json["deployments"][0]["stale"]),
        (&"held".into(), &serde_json::Value::Null)
    );
    for args in [
        &["run", "-n", "-l", "b", "--", "touch", "ran"][..],
        &["acquire", "-n", "-l", "b"],
        &["release", &held],
        &["clear", "--yes", &held],
    ] {
        let said = as_somebody(&scene, "65534", args);
        assert_eq!((said.code, said.out.as_str()), (1, ""), "{args:?}: {said:?}");
        assert_eq!(said.err.lines().count(), 1, "{args:?}: {said:?}");
        assert!(said.err.to_lowercase().contains("permission denied"), "{args:?}: {said:?}");
        assert!(said.err.contains("locks"), "{args:?}: {said:?}");
    }
    assert_eq!(scene.shell("sh", "chmod -R u+rwX locks").code, 0);
    assert_eq!(id(&only(&scene)), held);
}

#[test]
fn without_any_permission_there_is_one_clear_line() {
    let scene = Scene::new();
    everybodys(&scene);
    scene.ok(&["acquire", "-l", "a"]);
    fs::set_permissions(scene.locks(), fs::Permissions::from_mode(0o0)).unwrap();
    for args in [
        &["list"][..],
        &["plan", "-l", "a"],
        &["clear", "--stale"],
        &["run", "-n", "-l", "b", "--", "touch", "ran"],
    ] {
        let said = as_somebody(&scene, "65534", args);
        assert_eq!((said.code, said.out.as_str()), (1, ""), "{args:?}: {said:?}");
        assert_eq!(said.err.lines().count(), 1, "{args:?}: {said:?}");
        assert!(said.err.to_lowercase().contains("permission denied"), "{args:?}: {said:?}");
        assert!(said.err.contains("locks"), "{args:?}: {said:?}");
    }
    fs::set_permissions(scene.locks(), fs::Permissions::from_mode(0o700)).unwrap();
}

#[test]
fn files_have_the_configured_mode_whatever_the_umask() {
    let topology = "[store]\ndirectory = \"shared\"\nmode = \"2770\"\n";
    for umask in ["077", "000", "027"] {
        let scene = Scene::with_topology(topology);
        let script = format!(
            "umask {umask}; unset DEPLOYLOCK_DIR; d=deploylock; $d acquire -l held && $d run -l a -- true && \
             $d acquire -l b --ttl 1h && $d run -l a -- sh -c '$0 run -n -l a -l c -- true; \
             find shared -type d ! -perm 2770; find shared -type f ! -perm 660' $(command -v $d) && \
             find shared -type d ! -perm 2770 && find shared -type f ! -perm 660; find shared | wc -l"
        );
        let said = scene.shell("sh", &script);
        let lines: Vec<&str> = said.out.lines().collect();
        assert_eq!(lines.len(), 3, "umask {umask}, two ids and a count are due: {said:?}");
        assert!(lines[2].trim().parse::<u32>().unwrap() > 8, "{said:?}");
    }
}

#[test]
fn two_users_of_one_group_exclude_each_other() {
    assert!(is_root(), "only root can be two users: run the tests as root");
    let scene = Scene::with_topology("[store]\ndirectory = \"locks\"\nmode = \"2770\"\n");
    everybodys(&scene);
    assert_eq!(scene.shell("sh", "mkdir locks && chgrp 54321 locks && chmod 2770 locks").code, 0);
    let held = scene.shell("sh", "umask 077; deploylock acquire -l a").out;
    let refused = as_somebody(&scene, "54321", &["run", "-n", "-l", "a", "--", "true"]);
    assert_eq!(refused.code, 75, "{refused:?}");
    assert_eq!(as_somebody(&scene, "54321", &["run", "-n", "-l", "b", "--", "true"]).code, 0);
    let theirs = as_somebody(&scene, "54321", &["acquire", "-l", "b"]);
    assert_eq!(theirs.code, 0, "{theirs:?}");
    scene.ok(&["release", theirs.out.trim()]);
    let released = as_somebody(&scene, "54321", &["release", held.trim()]);
    assert_eq!(released.code, 0, "{released:?}");
    nothing_left(&scene);
}
