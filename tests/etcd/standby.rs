//! The program that becomes a waiter's command: started while it waits, told when it holds, never left behind.

use std::path::Path;
use std::process::Stdio;

use crate::harness::{Scene, eventually, signal};
use crate::tools::{
    Group, Terminal, child_of, deployment, holder, is_free, read, soon, soon_held, until_written, waiter,
};

fn status(pid: u32) -> String {
    std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default()
}

/// Neither there nor waiting to be reaped.
#[track_caller]
fn no_more(pid: u32) {
    eventually("it is gone", || !Path::new(&format!("/proc/{pid}")).exists());
}

/// The program that stands by for this waiter.
#[track_caller]
fn standby(waiter: u32) -> u32 {
    let mut found = None;
    eventually("a program stands by", || {
        found = child_of(waiter).filter(|pid| {
            let words = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
            let asleep = std::fs::read_to_string(format!("/proc/{pid}/wchan")).unwrap_or_default();
            // It is asked whether it is there, too: it has asked to die with its wrapper.
            words.windows(14).any(|w| w == b"__tied-standby") && asleep.contains("unix_stream")
        });
        found.is_some()
    });
    found.unwrap()
}

/// What a command may notice of how it was started.
const NOTICE: &str = r#"
for fd in /proc/$$/fd/*; do echo "fd ${fd##*/}"; done
[ "$(cut -d' ' -f5 /proc/self/stat)" = "$GROUP" ] && echo same group
grep -E '^(SigBlk|SigIgn|Umask)' /proc/self/status
cut -d' ' -f19 /proc/self/stat
pwd; ulimit -n; env | grep -v -e ^GROUP= -e ^DEPLOYLOCK_ID= -e ^DEPLOYLOCK_TOKEN= | sort
echo "$#|$1|$2"; cat; cat <&7
echo "$DEPLOYLOCK_ID $DEPLOYLOCK_TOKEN" > told
"#;

#[test]
fn a_waiters_command_notices_nothing_of_having_waited() {
    let scene = Scene::new();
    std::fs::write(scene.path("notice"), NOTICE).unwrap();
    std::fs::write(scene.path("input"), "eaten\nleft\n").unwrap();
    std::fs::write(scene.path("seven"), "on seven\n").unwrap();
    let script = "exec <input 7<seven; read eaten; umask 027; ulimit -n 100; trap '' USR2; export GROUP=$$ \
                  DEPLOYLOCK_EVENT= DEPLOYLOCK_VERSION=old DEPLOYLOCK_ENV=outer; \
                  exec nice -n 3 deploylock run -q -w 1m -l a -- sh notice '' 'two words'";
    let start = || {
        let mut shell = scene.program("sh");
        shell.args(["-c", script]);
        Group::start(shell)
    };
    let direct = start().end();
    let told = read(&scene, "told");
    let mut held = holder(&scene, &["-l", "a"]);
    let waiting = start();
    standby(waiting.pid());
    let of = deployment(&scene, waiting.pid());
    held.let_go();
    let waited = waiting.end();
    assert_eq!(direct.code, 0, "{direct:?}");
    assert_eq!((waited.code, &waited.out, &waited.err), (0, &direct.out, &direct.err));
    for line in ["fd 7", "same group", "Umask:\t0027", "100", "2||two words", "left", "on seven"] {
        assert!(direct.out.lines().any(|l| l == line), "{line}: {direct:?}");
    }
    let now = read(&scene, "told");
    let (id, token) = now.split_once(' ').unwrap();
    assert_eq!(of["id"], id);
    let before: u64 = told.split_once(' ').unwrap().1.parse().unwrap();
    assert!(token.parse::<u64>().unwrap() > before, "{told}, then {now}");
}

#[test]
fn whatever_ends_a_waiter_ends_what_stands_by() {
    for (name, code) in [("KILL", -9), ("TERM", 143), ("HUP", 129)] {
        let scene = Scene::new();
        let held = holder(&scene, &["-l", "a"]);
        let waiting = Group::of(&scene, &["run", "--wait", "-l", "a", "--", "touch", "ran"]);
        let program = standby(waiting.pid());
        waiting.signal(name);
        assert_eq!(waiting.end().code, code, "{name}");
        no_more(program);
        drop(held);
        assert!(!scene.path("ran").exists());
    }
}

#[test]
fn a_wait_that_ends_without_a_grant_leaves_no_program() {
    let scene = Scene::new();
    let _held = holder(&scene, &["-l", "a"]);
    let late = Group::of(&scene, &["run", "-w", "2", "-l", "a", "--", "touch", "ran"]);
    let cancelled = Group::of(&scene, &["run", "--wait", "-l", "a", "--", "touch", "ran"]);
    let programs = [standby(late.pid()), standby(cancelled.pid())];
    let id = deployment(&scene, cancelled.pid())["id"].as_str().unwrap().to_owned();
    scene.ok(&["cancel", &id]);
    assert_eq!(cancelled.end().code, 75);
    assert_eq!(late.end().code, 75);
    programs.into_iter().for_each(no_more);
    assert!(!scene.path("ran").exists());
}

#[test]
fn what_stands_by_may_die_or_be_stopped_and_the_command_runs_once() {
    for name in ["KILL", "TERM", "STOP"] {
        let scene = Scene::new();
        let mut held = holder(&scene, &["-l", "a"]);
        let waiting =
            Group::of(&scene, &["run", "--wait", "-l", "a", "--", "sh", "-c", "echo ran >> ran; exit 3"]);
        let program = standby(waiting.pid());
        signal(program, name);
        eventually("it is dead, or stopped", || [") Z ", ") T "].iter().any(|s| status(program).contains(s)));
        held.let_go();
        let said = waiting.end();
        assert_eq!(said.code, 3, "{name}: {said:?}");
        assert_eq!(read(&scene, "ran"), "ran");
        no_more(program);
    }
}

#[test]
fn a_waiters_command_does_not_outlive_its_killed_wrapper() {
    let scene = Scene::new();
    let mut held = holder(&scene, &["-l", "a"]);
    let script = "echo $$ > pid; exec sleep 600";
    let waiting = Group::of(&scene, &["run", "--wait", "-l", "a", "--", "sh", "-c", script]);
    let program = standby(waiting.pid());
    held.let_go();
    assert_eq!(until_written(&scene, "pid"), program.to_string());
    waiting.signal("KILL");
    no_more(program);
}

#[test]
fn a_waiters_command_is_started_as_shells_start_it() {
    let scene = Scene::new();
    std::fs::write(scene.path("data"), "x").unwrap();
    scene.shell("sh", "echo 'echo plain $1 $DEPLOYLOCK_LOCKS; cat; exit 3' > script; chmod +x script");
    for (command, code, said) in [
        ("no-such-command", 127, "no-such-command: command not found"),
        ("./data", 126, "./data: cannot be executed"),
        ("./script", 3, "plain word name:a"),
    ] {
        let mut held = holder(&scene, &["-l", "a"]);
        let mut waiting = Group::of(&scene, &["run", "--wait", "-q", "-l", "a", "--", command, "word"]);
        standby(waiting.pid());
        held.let_go();
        waiting.let_go();
        let waited = waiting.end();
        assert_eq!(waited.code, code, "{waited:?}");
        assert!(format!("{}{}", waited.out, waited.err).contains(said), "{waited:?}");
        let direct = scene.run(&["run", "-q", "-l", "a", "--", command, "word"]);
        assert_eq!((direct.out, direct.err), (waited.out, waited.err));
        assert!(is_free(&scene, &["-l", "a"]));
    }
}

/// A waiter that was typed into a terminal, and what stands by for it.
fn typed<'a>(scene: &'a Scene, line: &str) -> (Terminal<'a>, u32, u32) {
    let terminal = Terminal::open(scene, 120);
    terminal.line(line);
    let pid = scene.until("waiting", 1)[0]["pid"].as_u64().unwrap() as u32;
    (terminal, pid, standby(pid))
}

#[test]
fn a_stopped_waiter_goes_on_in_its_terminal() {
    let scene = Scene::new();
    let mut held = holder(&scene, &["-l", "a"]);
    let (terminal, pid, program) = typed(
        &scene,
        "deploylock run --wait -q -l a -- sh -c 'echo up > up; read x; echo $x > heard; exit 4'",
    );
    terminal.key("C-z");
    eventually("both are stopped", || [pid, program].iter().all(|p| status(*p).contains(") T ")));
    terminal.line("fg");
    eventually("both go on", || [pid, program].iter().all(|p| status(*p).contains(") S ")));
    held.let_go();
    until_written(&scene, "up");
    terminal.line("typed");
    assert_eq!(until_written(&scene, "heard"), "typed");
    assert_eq!(terminal.status("rc"), "4");
    no_more(program);
}

#[test]
fn ctrl_c_ends_a_waiter_and_what_stands_by() {
    let scene = Scene::new();
    let mut held = holder(&scene, &["-l", "a"]);
    let (terminal, _, program) = typed(&scene, "deploylock run --wait -l a -- touch ran");
    terminal.key("C-c");
    assert_eq!(terminal.status("rc"), "130");
    no_more(program);
    held.let_go();
    assert_eq!(held.end().code, 0);
    assert!(is_free(&scene, &["-l", "a"]));
    assert!(!scene.path("ran").exists());
}

#[test]
fn no_hook_inherits_the_line_to_what_stands_by() {
    let scene = Scene::with_topology("[hooks]\non_grant = [\"sh\", \"hook\"]\ntimeout = \"30s\"\n");
    std::fs::write(scene.path("hook"), "ls -l /proc/self/fd > open.new; mv open.new open").unwrap();
    let mut held = scene.command(&["run", "-l", "a", "--", "cat"]);
    let mut held = held.stdin(Stdio::piped()).spawn().unwrap();
    until_written(&scene, "open");
    std::fs::remove_file(scene.path("open")).unwrap();
    let waiting = waiter(&scene, &["-l", "a"]);
    standby(waiting.pid());
    drop(held.stdin.take());
    held.wait().unwrap();
    soon_held(&scene, &waiting);
    soon("the hook has looked", || scene.path("open").exists());
    let open = read(&scene, "open");
    assert!(open.contains("->") && !open.contains("socket:"), "{open}");
}
