//! What reaches the wrapped command, and what of it comes back: signals once, its own exit status, its own
//! standard streams and terminal.

use std::io::Write as _;
use std::process::Stdio;

use crate::harness::{Scene, eventually, said, signal};
use crate::tools::{Group, Terminal, deployment, nothing_left, only, python, read, until_written};

/// Writes down each signal that comes, and ends with status 7 at USR2 (or, told to count that, at USR1).
const COUNT: &str = r#"
import os, signal, sys
names = ["SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT", "SIGUSR1", "SIGUSR2"]
wanted = [getattr(signal, n) for n in names]
signal.pthread_sigmask(signal.SIG_BLOCK, wanted)
log = os.open("log", os.O_CREAT | os.O_APPEND | os.O_WRONLY)
os.write(log, b"ready\n")
while True:
    came = signal.Signals(signal.sigwait(wanted)).name
    os.write(log, (came + "\n").encode())
    if came == sys.argv[1]:
        sys.exit(7)
"#;

fn counted(scene: &Scene, name: &str) -> usize {
    read(scene, "log").lines().filter(|l| *l == name).count()
}

#[test]
fn each_signal_reaches_the_command_exactly_once_and_its_status_comes_back() {
    for name in ["INT", "TERM", "HUP", "QUIT", "USR1", "USR2"] {
        let last = if name == "USR2" { "USR1" } else { "USR2" };
        let scene = Scene::new();
        let run = ["run", "-l", "a", "--", python(), "-c", COUNT, &format!("SIG{last}")];
        let run = Group::of(&scene, &run);
        until_written(&scene, "log");
        run.signal(name);
        eventually(name, || counted(&scene, &format!("SIG{name}")) > 0);
        // Whatever was sent twice has come before this one.
        run.signal(last);
        let said = run.end();
        assert_eq!(said.code, 7, "{said:?}");
        assert_eq!(read(&scene, "log"), format!("ready\nSIG{name}\nSIG{last}"));
        nothing_left(&scene);
    }
}

#[test]
fn a_command_that_dies_of_signal_n_is_128_plus_n() {
    let scene = Scene::new();
    for (name, number) in [
        ("HUP", 1),
        ("INT", 2),
        ("QUIT", 3),
        ("ABRT", 6),
        ("KILL", 9),
        ("USR1", 10),
        ("SEGV", 11),
        ("PIPE", 13),
        ("TERM", 15),
    ] {
        let script = format!("ulimit -c 0; kill -{name} $$");
        let said = scene.run(&["run", "-l", "a", "--", "sh", "-c", &script]);
        assert_eq!(said.code, 128 + number, "{name}: {said:?}");
    }
    nothing_left(&scene);
}

#[test]
fn a_command_that_dies_of_the_passed_on_signal_is_128_plus_n() {
    for (name, number) in [("INT", 2), ("TERM", 15), ("HUP", 1), ("USR1", 10), ("USR2", 12)] {
        let scene = Scene::new();
        let run = Group::of(&scene, &["run", "-l", "a", "--", "sh", "-c", "echo up > up; exec cat"]);
        until_written(&scene, "up");
        run.signal(name);
        assert_eq!(run.end().code, 128 + number, "{name}");
        nothing_left(&scene);
    }
}

#[test]
fn a_command_that_answers_term_with_an_exit_status_has_that_status() {
    let scene = Scene::new();
    let script = "trap 'exit 9' TERM; echo up > up; while :; do read x || sleep 0.01; done";
    let run = Group::of(&scene, &["run", "-l", "a", "--", "bash", "-c", script]);
    until_written(&scene, "up");
    run.signal("TERM");
    assert_eq!(run.end().code, 9);
    nothing_left(&scene);
}

#[test]
fn a_command_that_survives_term_keeps_its_locks_and_its_own_status() {
    let scene = Scene::new();
    let script = "trap 'echo seen > seen' TERM; echo up > up; while read x; do :; done; \
                  while ! [ -e seen ]; do sleep 0.01; done; cat; exit 5";
    let mut run = Group::of(&scene, &["run", "-l", "a", "--", "bash", "-c", script]);
    until_written(&scene, "up");
    run.signal("TERM");
    until_written(&scene, "seen");
    assert_eq!(only(&scene)["state"], "held");
    run.let_go();
    assert_eq!(run.end().code, 5);
}

#[test]
fn ctrl_c_reaches_the_command_once() {
    let scene = Scene::new();
    std::fs::write(scene.path("count.py"), COUNT).unwrap();
    let terminal = Terminal::open(&scene, 120);
    terminal.line(&format!("deploylock run -l a -- {} count.py SIGUSR2", python()));
    until_written(&scene, "log");
    terminal.key("C-c");
    eventually("the command was told", || counted(&scene, "SIGINT") > 0);
    signal(only(&scene)["pid"].as_u64().unwrap() as u32, "USR2");
    assert_eq!(terminal.status("rc"), "7");
    assert_eq!(read(&scene, "log"), "ready\nSIGINT\nSIGUSR2");
    nothing_left(&scene);
}

#[test]
fn ctrl_c_and_ctrl_backslash_end_the_command_and_release_the_locks() {
    for (key, status) in [("C-c", "130"), ("C-\\", "131")] {
        let scene = Scene::new();
        let terminal = Terminal::open(&scene, 120);
        terminal.line("deploylock run -l a -- sh -c 'echo up > up; exec sleep 1000'");
        until_written(&scene, "up");
        terminal.key(key);
        scene.until("held", 0);
        assert_eq!(terminal.status("rc"), status, "{key}");
        nothing_left(&scene);
    }
}

#[test]
fn ctrl_z_stops_and_fg_continues_with_the_locks_held() {
    let scene = Scene::new();
    let terminal = Terminal::open(&scene, 120);
    terminal.line("deploylock run -l a -- sh -c 'echo up > up; read x; echo $x > heard; exit 4'");
    until_written(&scene, "up");
    terminal.key("C-z");
    eventually("it is stopped", || terminal.screen().contains("Stopped"));
    assert_eq!(only(&scene)["state"], "held");
    assert_eq!(only(&scene)["stale"], serde_json::Value::Null);
    terminal.line("fg");
    terminal.line("again");
    assert_eq!(until_written(&scene, "heard"), "again");
    assert_eq!(terminal.status("rc"), "4");
}

#[test]
fn what_cannot_be_executed_is_126_and_what_is_not_there_127() {
    let scene = Scene::new();
    std::fs::write(scene.path("plain"), "echo no\n").unwrap();
    for (command, code) in
        [("./plain", 126), ("/", 126), ("./plain/below", 126), ("no-such-command", 127), ("./no-such", 127)]
    {
        let said = scene.run(&["run", "-l", "a", "--", command]);
        assert_eq!(said.code, code, "{command}: {said:?}");
        assert!(said.err.contains(command), "{said:?}");
        assert_eq!(said.out, "");
        nothing_left(&scene);
    }
}

#[test]
fn every_exit_status_of_the_command_comes_back() {
    let scene = Scene::new();
    for status in 0..=255 {
        let said = scene.run(&["run", "-l", "a", "--", "sh", "-c", &format!("exit {status}")]);
        assert_eq!((said.code, said.out.as_str(), said.err.as_str()), (status, "", ""));
    }
}

#[test]
fn the_terminal_is_the_commands_own() {
    let scene = Scene::new();
    let terminal = Terminal::open(&scene, 120);
    terminal.line("tty > direct");
    let script = "tty > within; test -t 0 && test -t 1 && test -t 2 && read x && echo $x > heard";
    terminal.line(&format!("deploylock run -l a -- sh -c '{script}'"));
    until_written(&scene, "within");
    terminal.line("typed");
    assert_eq!(until_written(&scene, "heard"), "typed");
    assert_eq!(read(&scene, "within"), until_written(&scene, "direct"));
    assert_eq!(terminal.status("rc"), "0");
}

#[test]
fn pipes_pass_through_untouched() {
    let scene = Scene::new();
    let mut command = scene.command(&["run", "-l", "a", "--", "sh", "-c", "echo aside >&2; exec cat"]);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let bytes: Vec<u8> = (0..200_000u32).map(|i| (i * 7 + i / 251) as u8).collect();
    let mut stdin = child.stdin.take().unwrap();
    let sent = bytes.clone();
    let writer = std::thread::spawn(move || stdin.write_all(&sent).unwrap());
    let done = child.wait_with_output().unwrap();
    writer.join().unwrap();
    assert!(done.stdout == bytes, "{} of {} bytes came back", done.stdout.len(), bytes.len());
    assert_eq!(said(done).err, "aside\n");
}

#[test]
fn a_closed_standard_stream_stays_closed() {
    let scene = Scene::new();
    let script = "deploylock run -l a -- sh -c 'test -e /proc/self/fd/0; echo $? > in' <&-; echo $? > rc";
    scene.shell("bash", script);
    let direct = scene.shell("bash", "sh -c 'test -e /proc/self/fd/0; echo $?' <&-");
    assert_eq!(read(&scene, "rc"), "0");
    // Rust opens /dev/null there, as any program may; the command must run with it and never with the store's files.
    assert!(["0", direct.out.trim()].contains(&read(&scene, "in").as_str()));
    let said = scene.shell("bash", "deploylock run -l a -- readlink /proc/self/fd/0 <&-");
    assert!(!said.out.contains("locks"), "{said:?}");
}

/// The line of `/proc/self/status`, as a mask.
pub fn mask(status: &str, name: &str) -> u64 {
    let line = status.lines().find(|l| l.starts_with(name)).unwrap();
    u64::from_str_radix(line.split_whitespace().nth(1).unwrap(), 16).unwrap()
}

#[test]
fn what_the_parent_ignores_stays_ignored_and_nothing_else_is() {
    let scene = Scene::new();
    for (before, ignored) in [
        ("", 0),
        ("trap '' HUP;", 1 << 0),
        ("trap '' INT QUIT;", 1 << 1 | 1 << 2),
        ("trap '' TERM USR1 USR2;", 1 << 9 | 1 << 11 | 1 << 14),
    ] {
        let said = scene.shell("sh", &format!("{before} deploylock run -l a -- cat /proc/self/status"));
        assert_eq!(said.code, 0, "{said:?}");
        // The real-time signals of the C library may come ignored from whoever started the tests.
        assert_eq!(mask(&said.out, "SigIgn") & 0x7fff_ffff, ignored, "{before}");
        assert_eq!(mask(&said.out, "SigBlk"), 0, "{before}");
    }
}

#[test]
fn who_is_told_to_ignore_the_ends_of_children_learns_how_the_command_ended() {
    let scene = Scene::new();
    let said = scene.shell("sh", "trap '' CHLD; exec deploylock run -l a -- sh -c 'exit 3'");
    assert_eq!(said.code, 3, "{said:?}");
}

#[test]
fn under_nohup_a_hangup_disturbs_nobody() {
    let scene = Scene::new();
    let mut nohup = scene.program("nohup");
    nohup.args(["deploylock", "run", "-l", "a", "--", "sh", "-c", "echo up > up; cat; exit 3"]);
    let mut run = Group::start(nohup);
    until_written(&scene, "up");
    run.signal("HUP");
    assert_eq!(deployment(&scene, run.pid())["state"], "held");
    run.let_go();
    let said = run.end();
    assert_eq!(said.code, 3, "{said:?}");
}

#[test]
fn a_script_without_a_first_line_runs() {
    let scene = Scene::new();
    // Written by another process: a descriptor open for writing here would be inherited by what other tests start.
    scene.shell("sh", "printf 'echo \"ran $1 $2\"\nexit 6\n' > script; chmod +x script");
    let said = scene.run(&["run", "-l", "a", "--", "./script", "with", "two words"]);
    assert_eq!((said.code, said.out.as_str()), (6, "ran with two words\n"), "{said:?}");
}

#[test]
fn the_command_finds_its_deployment_in_its_environment() {
    let scene = Scene::new();
    let script =
        "echo $DEPLOYLOCK_ID; echo $DEPLOYLOCK_TOKEN; echo $DEPLOYLOCK_LOCKS; deploylock list --format json";
    let said = scene.run(&["run", "-l", "b", "-l", "a", "--", "sh", "-c", script]);
    let lines: Vec<&str> = said.out.lines().collect();
    let list: serde_json::Value = serde_json::from_str(lines[3]).unwrap();
    let own = &list["deployments"][0];
    assert_eq!(own["id"], lines[0]);
    assert_eq!(own["token"].to_string(), lines[1]);
    let mut locks: Vec<&str> = lines[2].split(' ').collect();
    locks.sort_unstable();
    assert_eq!(locks, ["name:a", "name:b"]);
}
