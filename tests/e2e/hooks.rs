//! What `[hooks]` tells, to whom, and that no hook ever holds a lock, delays one for long, or changes an answer.

use std::io::Read as _;
use std::os::unix::fs::PermissionsExt as _;
use std::process::Stdio;

use serde_json::Value;

use crate::harness::{Background, Said, Scene, eventually};
use crate::signals::mask;
use crate::steps::{done, text};
use crate::tools::{Doomed, Group, holder, is_free, nothing_left, python, read, soon, until_written};

/// Every hook is this script of the scene's folder, with these timeouts.
fn hooked(script: &str, timeout: &str) -> Scene {
    let keys = ["on_wait", "on_grant", "onRelease", "on_stale", "on_clear"];
    let hooks: String = keys.iter().map(|key| format!("{key} = ['./hook']\n")).collect();
    let topology =
        format!("[environments.prod]\ncontainers = ['c']\n[hooks]\n{hooks}timeout = '{timeout}'\n");
    let scene = Scene::with_topology(&topology);
    program(&scene, "hook", &format!("#!/bin/sh\n{script}\n"));
    scene
}

fn program(scene: &Scene, name: &str, text: &str) {
    std::fs::write(scene.path(name), text).unwrap();
    std::fs::set_permissions(scene.path(name), std::fs::Permissions::from_mode(0o755)).unwrap();
}

/// Keeps what it is told, a line each, and its environment.
const RECORD: &str = "echo \"$DEPLOYLOCK_EVENT $DEPLOYLOCK_ID\" >> names\ncat >> told";

/// What the hooks were told.
fn told(scene: &Scene) -> Vec<Value> {
    let text = std::fs::read_to_string(scene.path("told")).unwrap_or_default();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn events(scene: &Scene) -> Vec<String> {
    told(scene).iter().map(|t| text(&t["event"])).collect()
}

fn forget(scene: &Scene) {
    let _ = std::fs::remove_file(scene.path("told"));
}

fn warnings(said: &Said) -> Vec<&str> {
    said.err.lines().filter(|l| l.contains("warning")).collect()
}

#[test]
fn a_run_is_told_as_list_names_it() {
    let scene = hooked(RECORD, "30s");
    let command = "deploylock list --format json > listed; exit 3";
    scene.fails(3, &["run", "-e", "prod", "--reason", "why", "--", "sh", "-c", command]);
    let listed: Value = serde_json::from_str(&read(&scene, "listed")).unwrap();
    let listed = listed["deployments"][0].as_object().unwrap();
    let all = told(&scene);
    let [grant, release] = all.as_slice() else { panic!("{all:?}") };
    assert_eq!((&grant["event"], &release["event"]), (&"grant".into(), &"release".into()));
    assert_eq!(grant["deployment"].as_object().unwrap(), listed, "the same fields with the same values");
    assert_eq!(grant["waited_ms"], 0);
    assert_eq!(grant["held_ms"], Value::Null);
    assert_eq!((&release["outcome"], &release["deployment"]["exit_status"]), (&"failed".into(), &3.into()));
    assert!(release["held_ms"].is_u64() && release["deployment"]["reason"] == "why", "{release}");
    let id = text(&listed["id"]);
    assert_eq!(read(&scene, "names"), format!("grant {id}\nrelease {id}"));
}

#[test]
fn waiting_giving_up_and_cancelling_are_told() {
    let scene = hooked(RECORD, "30s");
    let held = scene.hold(&["-l", "a"]);
    forget(&scene);
    scene.fails(75, &["run", "-w", "1", "-l", "a", "--", "true"]);
    let all = told(&scene);
    assert_eq!(events(&scene), ["wait", "release"]);
    let waiter = &all[0]["deployment"];
    assert_eq!((&waiter["state"], &waiter["position"]), (&"waiting".into(), &1.into()));
    assert_eq!(waiter["waiting_for"], serde_json::json!([held]));
    assert_eq!(all[1]["outcome"], "gave up");
    assert!(all[1]["waited_ms"].as_u64().unwrap() >= 1000, "{}", all[1]);
    forget(&scene);
    let waiting = scene.start(&["run", "--wait", "-l", "a", "--", "true"]);
    let id = text(&scene.until("waiting", 1)[0]["id"]);
    // Two processes tell, each as soon as it can.
    until_written(&scene, "told");
    scene.ok(&["cancel", &id]);
    assert_eq!(waiting.end().code, 75);
    assert_eq!(events(&scene), ["wait", "release"], "told once, by the one who cancelled it");
    assert_eq!(told(&scene)[1]["outcome"], "aborted");
}

#[test]
fn a_cancelled_run_is_told_once_when_its_locks_go() {
    let scene = hooked(RECORD, "30s");
    let run = scene.start(&["run", "-l", "a", "--", "sleep", "1000"]);
    eventually("it is told that it holds", || events(&scene) == ["grant"]);
    let id = text(&scene.until("held", 1)[0]["id"]);
    scene.ok(&["cancel", &id]);
    assert_eq!(run.end().code, 143);
    assert_eq!(events(&scene), ["grant", "release"]);
    assert_eq!((&told(&scene)[1]["outcome"], &told(&scene)[1]["by"]), (&"aborted".into(), &Value::Null));
}

#[test]
fn a_failed_run_that_is_kept_and_resumed_was_granted_once_and_ends_once() {
    let scene = hooked(RECORD, "30s");
    let topology = "onFailure = 'hold'\ncontainers = ['c']";
    let text = read(&scene, "deploylock.toml").replace("containers = ['c']", topology);
    std::fs::write(scene.path("deploylock.toml"), text).unwrap();
    scene.fails(3, &["run", "-e", "prod", "--", "sh", "-c", "exit 3"]);
    assert_eq!(events(&scene), ["grant"]);
    let id = text_of_only(&scene);
    scene.ok(&["run", "--resume", &id, "--", "true"]);
    assert_eq!(events(&scene), ["grant", "release"]);
    assert_eq!(told(&scene)[1]["outcome"], "done");
}

fn text_of_only(scene: &Scene) -> String {
    text(&scene.until("held", 1)[0]["id"])
}

#[test]
fn release_clear_and_what_was_dead_are_told_also_without_a_look_at_the_topology_before() {
    let scene = hooked(RECORD, "30s");
    let id = scene.hold(&["-l", "a"]);
    scene.ok(&["release", &id, "--outcome", "aborted"]);
    let id = scene.hold(&["-l", "a"]);
    scene.ok(&["clear", "--yes", &id]);
    let mut dying = holder(&scene, &["-l", "a"]);
    soon("its grant is told", || events(&scene).last().is_some_and(|event| event == "grant"));
    dying.kill();
    soon("it is dead", || !dying.is_running());
    soon("nothing but its record is left", || scene.list()["deployments"][0]["stale"].is_string());
    let said = scene.ok(&["clear", "--stale"]);
    assert_eq!(said.lines().count(), 1, "only what was cleared is on stdout: {said}");
    let mut dying = holder(&scene, &["-l", "a"]);
    soon("its grant is told", || events(&scene).last().is_some_and(|event| event == "grant"));
    dying.kill();
    soon("it is dead", || !dying.is_running());
    scene.ok(&["run", "--wait", "-l", "a", "--", "true"]);
    let expected =
        ["grant", "release", "grant", "clear", "grant", "stale", "grant", "stale", "grant", "release"];
    assert_eq!(events(&scene), expected);
    let all = told(&scene);
    assert_eq!(all[1]["outcome"], "aborted");
    assert!(text(&all[3]["by"]).starts_with("tester@"), "{}", all[3]);
    for stale in [&all[5], &all[7]] {
        assert!(stale["deployment"]["stale"].is_string() && stale["why"].is_string(), "{stale}");
        assert!(stale["held_ms"].is_u64() && text(&stale["by"]).starts_with("tester@"), "{stale}");
    }
}

#[test]
fn what_a_hook_prints_never_mixes_with_an_answer() {
    let scene = hooked("echo from the hook; echo and its errors >&2", "30s");
    let said = scene.run(&["acquire", "-l", "a"]);
    assert_eq!(said.out.lines().count(), 1, "{said:?}");
    let id: deploylock::deployment::Id = said.out.trim().parse().unwrap();
    assert!(said.err.contains("from the hook") && said.err.contains("and its errors"), "{said:?}");
    let said = scene.run(&["clear", "--yes", id.as_str()]);
    assert!(said.out.starts_with("cleared") && said.out.lines().count() == 1, "{said:?}");
    let said = scene.run(&["run", "-l", "a", "--", "echo", "hello"]);
    assert_eq!(said.out, "hello\n");
}

#[test]
fn a_hook_that_fails_is_one_line_and_changes_nothing() {
    for (script, timeout, what) in [
        ("exit 3", "30s", "failed with exit status 3"),
        ("kill -9 $$", "30s", "died of signal 9"),
        ("exec sleep 1000", "200ms", "took longer than 200ms and was killed"),
    ] {
        let scene = hooked(script, timeout);
        let said = scene.run(&["run", "-l", "a", "--", "sh", "-c", "exit 5"]);
        assert_eq!((said.code, said.out.as_str()), (5, ""), "{said:?}");
        let warnings = warnings(&said);
        assert_eq!(warnings.len(), 2, "{said:?}");
        assert!(warnings[0].contains(what) && warnings[0].contains("on_grant"), "{said:?}");
        assert!(warnings[1].contains(what) && warnings[1].contains("on_release"), "{said:?}");
        nothing_left(&scene);
    }
    for (program, what) in [("no-such-program", "cannot be started"), ("./plain", "cannot be started")] {
        let scene = Scene::with_topology(&format!("[hooks]\non_grant = ['{program}']\n"));
        std::fs::write(scene.path("plain"), "").unwrap();
        let said = scene.run(&["run", "-l", "a", "--", "true"]);
        assert_eq!(said.code, 0);
        assert!(
            warnings(&said).len() == 1 && said.err.contains(what) && said.err.contains(program),
            "{said:?}"
        );
    }
}

#[test]
fn a_hook_that_takes_too_long_is_ended_with_all_it_started() {
    let scene = hooked("sleep 1000 & echo $! > started; wait", "3s");
    let said = scene.run(&["acquire", "-l", "a"]);
    assert_eq!((said.code, warnings(&said).len()), (0, 1), "{said:?}");
    let pid = read(&scene, "started");
    eventually("what it started is gone", || {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        stat.is_empty() || stat.contains(") Z ")
    });
}

#[test]
fn a_hook_may_look_at_the_store() {
    let scene = hooked("deploylock list --format json >> listed", "20s");
    scene.ok(&["run", "-l", "a", "--", "true"]);
    let id = scene.ok(&["acquire", "-l", "a"]);
    scene.ok(&["release", &id]);
    let states: Vec<usize> = read(&scene, "listed")
        .lines()
        .map(|l| serde_json::from_str::<Value>(l).unwrap()["deployments"].as_array().unwrap().len())
        .collect();
    assert_eq!(states, [1, 0, 1, 0], "held, and no longer");
}

#[test]
fn a_hook_may_change_the_store_and_what_it_does_runs_no_hooks() {
    let scene = hooked(&format!("{RECORD}\ndeploylock run -l other -- true"), "20s");
    let said = scene.run(&["run", "-l", "a", "--", "true"]);
    assert_eq!((said.code, warnings(&said).len()), (0, 0), "{said:?}");
    assert_eq!(events(&scene), ["grant", "release"]);
    nothing_left(&scene);
}

#[test]
fn a_command_begins_after_its_hook_but_no_later_than_the_timeout() {
    let scene = hooked("cat > /dev/null; echo done > granted", "20s");
    scene.ok(&["run", "-l", "a", "--", "test", "-e", "granted"]);
    // One that hangs is ended, and the command runs all the same.
    let scene = hooked("exec sleep 1000", "500ms");
    let said = scene.run(&["run", "-l", "a", "--", "echo", "ran"]);
    assert_eq!((said.code, said.out.as_str()), (0, "ran\n"));
}

#[test]
fn no_hook_inherits_what_keeps_the_locks() {
    let scene = hooked("ls -l /proc/self/fd >> open; sleep 0.05", "30s");
    let held = holder(&scene, &["-l", "a"]);
    // One hook is told that this one waits while it is granted and starts its command.
    let waiting = scene.start(&["run", "--wait", "-l", "a", "--", "true"]);
    scene.until("waiting", 1);
    drop(held);
    assert_eq!(waiting.end().code, 0);
    let open = read(&scene, "open");
    assert!(open.contains("->") && !open.contains("/locks/"), "{open}");
}

#[test]
fn a_hook_has_no_signal_blocked_or_ignored_and_a_group_of_its_own() {
    let scene = hooked(
        "grep -E '^Sig(Blk|Ign)' /proc/self/status >> status; ps -o pgid= $$ >> groups; echo $$ >> pids",
        "30s",
    );
    scene.ok(&["run", "-e", "prod", "--", "true"]);
    for line in read(&scene, "status").lines() {
        // The real-time signals of the C library may come ignored from whoever started the tests.
        assert_eq!(mask(line, "Sig") & 0x7fff_ffff, 0, "{line}");
    }
    let groups = read(&scene, "groups").replace(' ', "");
    assert_eq!(groups, read(&scene, "pids"));
    assert_eq!(groups.lines().count(), 2);
}

#[test]
fn a_hook_without_a_first_line_is_run_by_the_shell() {
    let scene = hooked("", "30s");
    program(&scene, "hook", &format!("{RECORD}\n"));
    let said = scene.run(&["run", "-e", "prod", "--", "true"]);
    assert_eq!((said.code, events(&scene)), (0, vec!["grant".to_owned(), "release".to_owned()]), "{said:?}");
}

#[test]
fn a_hook_that_outlives_a_killed_run_keeps_no_lock() {
    let scene = hooked("echo $$ > pid; exec sleep 1000", "100s");
    let mut run = Group::of(&scene, &["run", "-l", "a", "--", "true"]);
    let _hook = Doomed(until_written(&scene, "pid").parse().unwrap());
    run.signal("KILL");
    eventually("the wrapper is gone", || !run.is_running());
    assert!(is_free_without_hooks(&scene), "{}", scene.list());
}

/// [`is_free`], where hooks hang.
fn is_free_without_hooks(scene: &Scene) -> bool {
    std::fs::remove_file(scene.path("deploylock.toml")).unwrap();
    is_free(scene, &["-l", "a"])
}

#[test]
fn a_hook_that_hangs_delays_no_grant() {
    let scene = hooked("case $DEPLOYLOCK_EVENT in wait) echo $$ > pid; exec sleep 1000;; esac", "100s");
    let id = scene.hold(&["-l", "a"]);
    let waiting = Group::of(&scene, &["run", "--wait", "-l", "a", "--", "true"]);
    let _hook = Doomed(until_written(&scene, "pid").parse().unwrap());
    scene.ok(&["release", &id]);
    soon("it holds", || scene.in_state("held").iter().any(|d| d["pid"] == waiting.pid()));
}

#[test]
fn a_signal_while_a_hook_runs_ends_it_before_the_command_begins() {
    let scene = hooked("case $DEPLOYLOCK_EVENT in grant) echo $$ > pid; exec sleep 3;; esac", "100s");
    let run = Background::of(
        scene
            .command(&["run", "-l", "a", "--", "touch", "began"])
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap(),
    );
    until_written(&scene, "pid");
    run.signal("TERM");
    soon("its locks are free", || scene.in_state("held").is_empty());
    assert_eq!(run.end().code, 143);
    assert!(!scene.path("began").exists());
    assert_eq!(scene.list()["deployments"], serde_json::json!([]));
}

#[test]
fn a_hook_need_not_read_what_it_is_told_however_long_it_is() {
    let scene = hooked("exit 0", "30s");
    let names: Vec<String> = (0..600).map(|n| format!("{n:0200}")).collect();
    let locks = names.iter().flat_map(|n| ["-l", n.as_str()]);
    let said = scene.run(&["acquire"].into_iter().chain(locks).collect::<Vec<_>>());
    assert_eq!((said.code, said.err.as_str()), (0, ""));
}

#[test]
fn a_topology_that_is_broken_or_missing_stops_no_release_and_no_clear() {
    for (config, warns) in [("broken.toml", true), ("missing.toml", true)] {
        let scene = Scene::new();
        std::fs::write(scene.path("broken.toml"), "[hooks]\non_release = []\n").unwrap();
        let with = |args: &[&str]| done(scene.command(args).env("DEPLOYLOCK_CONFIG", config));
        for command in [&["release"][..], &["clear", "--yes"], &["cancel"]] {
            let id = scene.hold(&["-l", "a"]);
            let said = with(&[command, &[&id]].concat());
            assert_eq!(said.code, 0, "{command:?}: {said:?}");
            assert_eq!(!warnings(&said).is_empty(), warns, "{said:?}");
            assert_eq!(said.err.lines().count(), 1, "{said:?}");
            nothing_left(&scene);
        }
    }
    // Where none is looked for by name, there is none to miss.
    let scene = Scene::new();
    let id = scene.hold(&["-l", "a"]);
    let said = scene.run(&["release", &id]);
    assert_eq!((said.code, said.err.as_str()), (0, ""));
}

#[test]
fn an_empty_hook_is_an_error_with_its_place() {
    let scene = Scene::with_topology("[hooks]\nonGrant = []\n");
    let said = scene.fails(78, &["run", "-l", "a", "--", "true"]);
    assert!(said.err.contains("deploylock.toml:2:11") && said.err.contains("`onGrant`"), "{said:?}");
}

/// Answers requests until it has none for a while; each body becomes a line of `posted`.
const CHAT: &str = "
import http.server, json, sys
class Chat(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers['Content-Length']))
        with open('posted', 'a') as file:
            file.write(json.dumps([self.path, self.headers['Content-Type'], json.loads(body)]) + '\\n')
        self.send_response(200)
        self.end_headers()
    def log_message(self, *args):
        pass
server = http.server.HTTPServer(('127.0.0.1', 0), Chat)
print(server.server_port, flush=True)
server.serve_forever()
";

#[test]
fn the_example_tells_a_chat() {
    let scene = Scene::new();
    let example = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/examples/hooks");
    for name in ["deploylock.toml", "notify.sh"] {
        std::fs::copy(example.join(name), scene.path(name)).unwrap();
    }
    let mut chat = scene.program(python());
    let mut chat = chat.args(["-c", CHAT]).stdout(Stdio::piped()).spawn().unwrap();
    let mut port = String::new();
    let mut out = chat.stdout.take().unwrap();
    let _chat = Background::of(chat);
    while !port.ends_with('\n') {
        let mut byte = [0];
        out.read_exact(&mut byte).unwrap();
        port.push(byte[0] as char);
    }
    let url = format!("http://127.0.0.1:{}/hooks/abc", port.trim());
    let with = |args: &[&str]| done(scene.command(args).env("CHAT_WEBHOOK_URL", &url));
    let target = ["-e", "prod", "-a", "shop", "--app-version", "2.1", "--reason", "say \"hi\" \\ bye"];
    let said = with(&[&["run"], &target[..], &["--", "true"]].concat());
    assert_eq!((said.code, said.err.as_str()), (0, ""));
    let said = with(&["acquire", "-l", "a"]);
    let cleared = with(&["clear", "--yes", said.out.trim()]);
    assert_eq!((cleared.code, cleared.err.as_str()), (0, ""));
    let posted = read(&scene, "posted");
    let posted: Vec<Value> = posted.lines().map(|l| serde_json::from_str(l).unwrap()).collect();
    assert_eq!(posted.len(), 4, "{posted:?}");
    assert!(posted.iter().all(|p| p[0] == "/hooks/abc" && p[1] == "application/json"), "{posted:?}");
    let said: Vec<String> = posted.iter().map(|p| text(&p[2]["text"])).collect();
    assert!(said[0].starts_with("shop 2.1 to prod (1-") && said[0].contains("begins"), "{said:?}");
    assert!(said[0].ends_with(": say \"hi\" \\ bye"), "{said:?}");
    assert!(said[1].contains("is over: done after 0s"), "{said:?}");
    assert!(said[3].starts_with("name:a (") && said[3].contains("was cleared by tester@"), "{said:?}");
    // Where the chat is gone, it is a warning.
    let gone =
        done(scene.command(&["run", "-l", "a", "--", "true"]).env("CHAT_WEBHOOK_URL", "http://127.0.0.1:1/"));
    assert_eq!((gone.code, warnings(&gone).len()), (0, 2), "{gone:?}");
}
