//! Every system call that a command makes, and the command run again with something done to it at one of them.
//!
//! Calls are named by their name and how often that name came before: so `strace` counts when it injects. Only the
//! program's own thread is followed: the wrapped command is not ours, and lives on when the wrapper is killed.

use std::collections::HashMap;
use std::fmt::Display;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::Command;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::harness::{Said, Scene, binary};
use crate::tools::{Group, read, until_noted};

/// The `nth` call of this name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Point {
    pub name: String,
    pub nth: usize,
}

impl Display for Point {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}", self.name, self.nth)
    }
}

/// All calls of a run to its end, in order, from the moment the dynamic loader has done its work; and what it said.
pub fn points(scene: &Scene, args: &[&str]) -> (Vec<Point>, Said) {
    let said = recorded(scene, args).end();
    assert!([0, 75].contains(&said.code), "{args:?}: {said:?}");
    (of_trace(&read(scene, "calls")), said)
}

fn recorded(scene: &Scene, args: &[&str]) -> Group {
    let mut strace = scene.program("strace");
    strace.args(["-qq", "-o", "calls", binary()]).args(args);
    Group::start(strace)
}

/// Every call of a run from its command's start, which is none of them, to the note of the command's number, which is
/// the first thing that is written then. The command writes a file `up`, and ends when there is a file `end`.
pub fn calls_until_noted(scene: &Scene, run: &[&str]) -> Vec<Point> {
    // The first run makes the store; those after it are all alike.
    std::fs::write(scene.path("end"), "").unwrap();
    scene.ok(run);
    std::fs::remove_file(scene.path("end")).unwrap();
    let recorded = recorded(scene, run);
    until_noted(&scene.locks());
    std::fs::write(scene.path("end"), "").unwrap();
    assert_eq!(recorded.end().code, 0);
    let all = every(&read(scene, "calls"));
    let start = all.iter().position(|p| ["clone3", "clone", "vfork"].contains(&p.name.as_str())).unwrap() + 1;
    let note = start + all[start..].iter().position(|p| p.name == "pwrite64").unwrap();
    ["end", "up"].iter().for_each(|file| std::fs::remove_file(scene.path(file)).unwrap());
    all[start..=note].to_vec()
}

/// Calls that change nothing for anybody else and take nothing that could be given back.
const PRIVATE: [&str; 14] = [
    "brk",
    "getcwd",
    "getpid",
    "getrandom",
    "gettid",
    "getuid",
    "mmap",
    "mprotect",
    "munmap",
    "prlimit64",
    "rt_sigaction",
    "rt_sigprocmask",
    "sigaltstack",
    "uname",
];

/// The points of a recorded trace at which it makes a difference to die.
pub fn of_trace(trace: &str) -> Vec<Point> {
    let all = every(trace);
    // To die after a private call is to die before it.
    let news = |i: usize| i == 0 || !PRIVATE.contains(&all[i - 1].name.as_str());
    (0..all.len()).filter(|i| news(*i)).map(|i| all[i].clone()).collect()
}

/// Every call of a recorded trace.
pub fn every(trace: &str) -> Vec<Point> {
    let mut counts: HashMap<&str, usize> = HashMap::new();
    let mut points = Vec::new();
    // The first thing that the language's runtime does is to look at the standard streams.
    let mut ours = false;
    for line in trace.lines() {
        let Some((name, _)) = line.split_once('(').filter(|(name, _)| is_name(name)) else { continue };
        let nth = counts.entry(name).or_default();
        *nth += 1;
        ours |= name == "poll" || name == "ppoll";
        if ours {
            points.push(Point { name: name.to_owned(), nth: *nth });
        }
    }
    assert!(points.len() > 40, "no trace of a run: {trace}");
    points
}

fn is_name(word: &str) -> bool {
    word.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
}

/// The binary, with this injected at this call (`strace -e inject`).
pub fn injected(scene: &Scene, point: &Point, what: &str, args: &[&str]) -> Command {
    let Point { name, nth } = point;
    let mut strace = scene.program("strace");
    strace
        .args(["-qq", "-o", "/dev/null", "-e", &format!("trace={name}")])
        .args(["-e", &format!("inject={name}:{what}:when={nth}"), binary()])
        .args(args);
    strace
}

/// Runs it to its end, with a bound.
pub fn bounded(command: Command) -> Said {
    Group::start(command).end()
}

/// What SIGKILL is to an exit status here.
pub const KILLED: i32 = -9;

/// Does `work` on each of these in a few threads, each with a state of its own. All of them are tried, whatever
/// becomes of one; those that went wrong.
#[must_use]
pub fn in_parallel<T: Sync + Display, S>(
    all: &[T],
    state: impl Fn() -> S + Sync,
    work: impl Fn(&mut S, &T) + Sync,
) -> Vec<String> {
    let next = AtomicUsize::new(0);
    let wrecks = Mutex::new(Vec::new());
    let threads = std::thread::available_parallelism().map_or(2, usize::from).clamp(2, 4);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                let mut mine = state();
                while let Some(one) = all.get(next.fetch_add(1, Ordering::SeqCst)) {
                    if catch_unwind(AssertUnwindSafe(|| work(&mut mine, one))).is_err() {
                        wrecks.lock().unwrap().push(one.to_string());
                        mine = state();
                    }
                }
            });
        }
    });
    wrecks.into_inner().unwrap()
}

/// Whether everything is to be tried, however long it takes.
pub fn thorough() -> bool {
    std::env::var("DEPLOYLOCK_WORST").is_ok_and(|v| v == "all")
}
