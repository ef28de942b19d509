//! The system says no to one that looks whether others live: an error is never taken for somebody's death.

use std::sync::atomic::AtomicUsize;

use crate::cases::chosen_name;
use crate::harness::{Scene, binary, eventually};
use crate::points::{bounded, calls_until_noted, in_parallel, injected, points, thorough};
use crate::refused::{is_clear, refusals};
use crate::tools::{Doomed, Group, python, read, soon, until_noted, until_written};

/// Who asks, by commands that find somebody dead if anybody does.
const ASKERS: [&[&str]; 2] = [&["run", "-n", "-q", "-l", "a", "--", "true"], &["clear", "--stale"]];

/// How many errors are tried with each holder and asker, spread over all their calls, unless all are.
const SOME: usize = 20;

/// Somebody who holds `a`, and whatever lives of it: ended with this.
struct Holder {
    scene: Scene,
    processes: (Option<Group>, Option<Doomed>),
}

type Begin = fn() -> Holder;
/// More of `strace`'s options, with this holder.
type Options<'a> = &'a dyn Fn(&Holder) -> Vec<String>;

/// What shows that they live.
const HOLDERS: [(&str, Begin); 5] = [
    ("a run", run),
    ("a command by its number", command_by_number),
    ("a command by its environment", command_by_environment),
    ("an owner", owner),
    ("nobody", acquired),
];

impl Holder {
    fn new(scene: Scene, group: Option<Group>, command: Option<Doomed>) -> Self {
        let holder = Holder { scene, processes: (group, command) };
        holder.holds("at first");
        holder
    }

    /// The number of the command that goes on without its wrapper.
    fn command(&self) -> u32 {
        self.processes.1.as_ref().unwrap().0
    }

    #[track_caller]
    fn holds(&self, what: &str) {
        let held = self.scene.in_state("held");
        assert!(held.len() == 1 && held[0]["stale"].is_null(), "{what}: {}", self.scene.list());
    }
}

fn run() -> Holder {
    let scene = Scene::new();
    let group = Group::of(&scene, &["run", "-l", "a", "--", "cat"]);
    scene.until("held", 1);
    Holder::new(scene, Some(group), None)
}

fn owner() -> Holder {
    let scene = Scene::new();
    let owner = Group::start(scene.program("cat"));
    scene.ok(&["acquire", "-l", "a", "--owner-pid", &owner.pid().to_string()]);
    Holder::new(scene, Some(owner), None)
}

fn acquired() -> Holder {
    let scene = Scene::new();
    scene.ok(&["acquire", "-l", "a"]);
    Holder::new(scene, None, None)
}

/// Closes what it inherited, says its number and, unless it is to end at once, lives on.
const COMMAND: &str = "import os,sys,time\nos.closerange(3, 4096)\n\
                       f = open('up.new','w'); f.write(str(os.getpid())); f.close(); os.rename('up.new', 'up')\n\
                       while not os.path.exists('end'): time.sleep(0.05)\n";

fn words(script: &str) -> [&str; 8] {
    ["run", "-n", "-l", "a", "--", python(), "-c", script]
}

/// Its wrapper was killed when the command's number had been noted.
fn command_by_number() -> Holder {
    let scene = Scene::new();
    let wrapper = Group::of(&scene, &words(COMMAND));
    let command = Doomed(until_written(&scene, "up").parse().unwrap());
    until_noted(&scene.locks());
    wrapper.signal("KILL");
    Holder::new(scene, Some(wrapper), Some(command))
}

/// Its wrapper was killed before that.
fn command_by_environment() -> Holder {
    command_that_is_not_noted(COMMAND)
}

fn command_that_is_not_noted(script: &str) -> Holder {
    let scene = Scene::new();
    let calls = calls_until_noted(&scene, &words(script));
    let note = calls.last().unwrap();
    let mut wrapper = Group::start(injected(&scene, note, "signal=KILL", &words(script)));
    let command = Doomed(until_written(&scene, "up").parse().unwrap());
    eventually("the wrapper is killed", || !wrapper.is_running());
    Holder::new(scene, Some(wrapper), Some(command))
}

fn doubted(name: &str, holder: Begin, asker: &[&str], turn: &AtomicUsize) -> (usize, Vec<String>) {
    let mut all = refusals(&points(&holder().scene, asker).0, turn);
    if !thorough() {
        let step = all.len().div_ceil(SOME);
        all = all.into_iter().step_by(step).collect();
    }
    let wrecks = in_parallel(&all, holder, |holder, refusal| {
        let said = bounded(refusal.of(&holder.scene, asker));
        let what = format!("{name}: {refusal} at {asker:?}: {said:?}");
        assert!(asker[0] == "clear" || said.code != 0, "{what}");
        if said.code != 75 {
            is_clear(name, refusal, &said);
        }
        assert!(said.out.is_empty(), "{what}");
        holder.holds(&what);
    });
    println!("{name}, {}: {} errors", asker[0], all.len());
    (all.len(), wrecks.iter().map(|refusal| format!("{name}, {}: {refusal}", asker[0])).collect())
}

#[test]
fn an_error_at_any_call_never_makes_the_living_look_dead() {
    let (mut total, mut wrecks) = (0, Vec::new());
    let turn = AtomicUsize::new(0);
    for (name, holder) in HOLDERS.into_iter().filter(|(name, _)| name.starts_with(&chosen_name())) {
        for asker in ASKERS {
            let (count, wrong) = doubted(name, holder, asker, &turn);
            total += count;
            wrecks.extend(wrong);
        }
    }
    println!("{total} errors in all");
    assert_eq!(wrecks, Vec::<String>::new());
    assert!(total > 100 || !chosen_name().is_empty(), "{total}");
}

#[test]
fn the_end_of_a_command_known_by_its_environment_lets_a_waiter_in() {
    let holder = command_by_environment();
    let scene = &holder.scene;
    let mut waiting = Group::of(scene, &["run", "--wait", "-l", "a", "--", "true"]);
    scene.until("waiting", 1);
    std::fs::write(scene.path("end"), "").unwrap();
    soon("it is let in", || !waiting.is_running());
    assert_eq!(waiting.end().code, 0);
}

/// What a process has open it loses one after the other as it ends, the last opened first, and a watch of folders takes
/// its time. The command's memory is gone by then, and its environment with it.
#[test]
fn a_command_known_by_its_environment_holds_until_it_has_let_go_of_all() {
    let script = "import ctypes,fcntl,os,time\nc = ctypes.CDLL(None)\n\
                  critical = os.open('critical', os.O_CREAT | os.O_RDWR); fcntl.flock(critical, fcntl.LOCK_EX)\n\
                  for n in range(20): c.inotify_add_watch(c.inotify_init1(os.O_CLOEXEC), b'.', 2)\n\
                  f = open('up.new','w'); f.write(str(os.getpid())); f.close(); os.rename('up.new', 'up')\n\
                  while not os.path.exists('end'): time.sleep(0.01)\n";
    for _ in 0..5 {
        let holder = command_that_is_not_noted(script);
        let scene = &holder.scene;
        let critical = ["run", "--wait", "-l", "a", "--", "flock", "-n", "-E", "99", "critical", "true"];
        let mut waiting = Group::of(scene, &critical);
        scene.until("waiting", 1);
        std::fs::write(scene.path("end"), "").unwrap();
        soon("it is let in", || !waiting.is_running());
        assert_eq!(waiting.end().code, 0);
    }
}

#[test]
fn a_waiter_that_may_not_watch_an_owner_for_a_moment_is_let_in_when_that_ends() {
    let holder = owner();
    let scene = &holder.scene;
    let mut strace = scene.program("strace");
    strace.args(["-qq", "-o", "tampered", "-e", "inject=pidfd_open:error=EMFILE:when=1..20"]);
    strace.arg(binary()).args(["run", "--wait", "-l", "a", "--", "true"]);
    let mut waiting = Group::start(strace);
    scene.until("waiting", 1);
    drop(holder.processes);
    soon("it is let in", || !waiting.is_running());
    assert_eq!(waiting.end().code, 0);
    assert!(read(scene, "tampered").contains("(INJECTED)"));
}

/// What once let another in beside the living, said outright: the holder, and `strace`'s options.
#[test]
fn what_cannot_be_seen_is_not_dead() {
    let environment = |holder: &Holder| format!("/proc/{}/environ", holder.command());
    let queue = |holder: &Holder| holder.scene.path("locks/locks/name/a").display().to_string();
    let path = |path: &str| vec!["-P".to_owned(), path.to_owned()];
    let cases: [(Begin, Options<'_>, &str); 6] = [
        (acquired, &|holder| path(&queue(holder)), "pread64:error=EINTR:when=1+2"),
        (owner, &|_| path("/proc/sys/kernel/random/boot_id"), "open,openat:error=EMFILE"),
        (owner, &|_| path("/proc/sys/kernel/random/boot_id"), "read:error=EIO"),
        (command_by_number, &|_| path("/proc/self/ns/pid"), "readlink,readlinkat:error=EACCES"),
        (command_by_environment, &|holder| path(&environment(holder)), "open,openat:error=EMFILE"),
        (command_by_environment, &|_| path("/proc"), "getdents64:error=EIO"),
    ];
    for (begin, paths, inject) in cases {
        let holder = begin();
        for asker in ASKERS {
            let mut strace = holder.scene.program("strace");
            strace.args(["-qq", "-o", "tampered", "-e", &format!("inject={inject}")]).args(paths(&holder));
            strace.arg(binary()).args(asker);
            let said = bounded(strace);
            let what = format!("{inject} at {asker:?}: {said:?}");
            assert!(read(&holder.scene, "tampered").contains("(INJECTED)"), "{what}");
            assert!(asker[0] == "clear" || [1, 75].contains(&said.code), "{what}");
            holder.holds(&what);
        }
    }
}
