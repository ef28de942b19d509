//! The system says no to one that waits: as it enters the queue, while it sleeps, as it looks and sleeps again, as it
//! is granted, and all that it does afterwards. It gets its locks or says why not, holds all or none, and whoever
//! waits behind it goes on.

use std::process::Command;
use std::sync::atomic::AtomicUsize;

use crate::cases::{chosen_name, files_below};
use crate::harness::{Said, Scene, binary, eventually};
use crate::points::{Point, every, in_parallel, thorough};
use crate::refused::{Refusal, is_clear, refusals};
use crate::tools::{Group, child_of, id, read};

/// Who waits: its name, and its arguments.
const WAITERS: [(&str, &[&str]); 2] = [
    ("run, waiting", &["run", "-q", "--wait", "-l", "a", "-l", "b", "--", "sh", "-c", "echo ran >> ran"]),
    ("acquire, waiting", &["acquire", "-q", "--wait", "-l", "a", "-l", "b"]),
];

/// How the last one in its way goes: it gives back, and grants who is next; or it is killed, and who is next must
/// find out, and take the locks, by itself.
#[derive(Debug, Clone, Copy)]
enum End {
    Release,
    Kill,
}

/// How many of the errors at calls before it sleeps are tried, and of the others, unless all are.
const SOME: (usize, usize) = (4, 14);

struct Queue {
    scene: Scene,
    bystander: String,
}

impl Queue {
    fn new() -> Self {
        let scene = Scene::new();
        let bystander = scene.ok(&["acquire", "-l", "bystander"]);
        Queue { scene, bystander }
    }

    /// `a` and `b` are held by two, the waiter waits for both, another one waits behind it. One of the two goes: the
    /// waiter looks, and sleeps again. Then the other goes. What the waiter said.
    fn play(&self, waiter: Command, end: End) -> Said {
        let scene = &self.scene;
        let _ = std::fs::remove_file(scene.path("ran"));
        let first = scene.ok(&["acquire", "-n", "-l", "a"]);
        let mut last = Group::of(scene, &["run", "-n", "-l", "b", "--", "cat"]);
        eventually("its command is noted", || attached_says(scene, "\"running\""));
        let mut waiter = Group::start(waiter);
        sleeps_or_ended(&mut waiter);
        let behind = Group::of(scene, &["run", "-q", "--wait", "-l", "b", "--", "true"]);
        eventually("another one waits", || waiting(scene, behind.pid()));
        scene.ok(&["release", &first]);
        sleeps_or_ended(&mut waiter);
        match end {
            End::Release => last.let_go(),
            End::Kill => last.kill(),
        }
        last.end();
        let said = waiter.end();
        if let Some(id) = said.out.strip_suffix('\n') {
            // Its id is out: it holds what was promised, or is known by that.
            let code = scene.run(&["release", id]).code;
            assert!(code == 0 || (said.code != 0 && code == 3), "{code}: {said:?}");
        }
        let behind = behind.end();
        assert_eq!(behind.code, 0, "the one behind: {behind:?}; {said:?}; {}", scene.list());
        said
    }

    fn is_as_before(&self, what: &str) {
        let scene = &self.scene;
        let list = scene.list();
        let found = list["deployments"].as_array().unwrap().iter().find(|d| id(d) == self.bystander);
        assert!(found.is_some_and(|d| d["state"] == "held" && d["stale"].is_null()), "{what}: {list}");
        assert_eq!(scene.run(&["run", "-n", "-q", "-l", "a", "-l", "b", "--", "true"]).code, 0, "{what}");
        scene.ok(&["clear", "--stale"]);
        let left = files_below(&scene.path("locks/deployments"));
        assert_eq!(left.len(), 1, "{what}: {left:?}");
    }
}

/// The only attached record has this in it.
fn attached_says(scene: &Scene, text: &str) -> bool {
    let records = files_below(&scene.path("locks/deployments/attached"));
    records.len() == 1 && std::fs::read_to_string(&records[0]).is_ok_and(|record| record.contains(text))
}

/// A process with this number has a record among those that wait.
fn waiting(scene: &Scene, pid: u32) -> bool {
    let line = format!("pid = {pid}");
    let records = files_below(&scene.path("locks/deployments/waiting"));
    records.iter().any(|r| std::fs::read_to_string(r).is_ok_and(|text| text.lines().any(|l| l == line)))
}

/// The one that `strace` follows waits for an event, as the kernel sees it; or is over.
fn sleeps_or_ended(waiter: &mut Group) {
    // Its number where these tests run.
    const PPOLL: &str = "271 ";
    eventually("it sleeps", || {
        let call = child_of(waiter.pid()).map(|pid| std::fs::read_to_string(format!("/proc/{pid}/syscall")));
        matches!(call, Some(Ok(call)) if call.starts_with(PPOLL)) || !waiter.is_running()
    });
}

/// The calls of this waiter until it first sleeps, and those from then on.
fn traced(name: &str, waiter: &[&str], end: End) -> (Vec<Point>, Vec<Point>) {
    let queue = Queue::new();
    let mut strace = queue.scene.program("strace");
    strace.args(["-qq", "-o", "calls", binary()]).args(waiter);
    let said = queue.play(strace, end);
    assert_eq!(said.code, 0, "{name}: {said:?}");
    queue.is_as_before("undisturbed");
    let mut points = every(&read(&queue.scene, "calls"));
    let sleeps = points.iter().position(|p| p.name == "ppoll").expect("it slept");
    let asleep = points.split_off(sleeps);
    (points, asleep)
}

fn refused_everywhere(name: &str, waiter: &[&str], end: End, turn: &AtomicUsize) -> (usize, Vec<String>) {
    let (entering, asleep) = traced(name, waiter, end);
    let some = |points: &[Point], some: usize| {
        let all = refusals(points, turn);
        let step = if thorough() { 1 } else { all.len().div_ceil(some) };
        all.into_iter().step_by(step).collect::<Vec<_>>()
    };
    let all: Vec<Refusal> = some(&entering, SOME.0).into_iter().chain(some(&asleep, SOME.1)).collect();
    let wrecks = in_parallel(&all, Queue::new, |queue, refusal| {
        let said = queue.play(refusal.of(&queue.scene, waiter), end);
        is_clear(name, refusal, &said);
        let ran = read(&queue.scene, "ran");
        assert!(ran != "ran\nran", "it ran twice: {refusal}: {said:?}");
        assert!(
            said.code != 0 || !name.starts_with("run") || ran == "ran",
            "it never ran: {refusal}: {said:?}"
        );
        queue.is_as_before(&format!("{name}: {refusal}"));
    });
    println!("{name}, {end:?}: {} errors", all.len());
    (all.len(), wrecks.iter().map(|refusal| format!("{name}, {end:?}: {refusal}")).collect())
}

#[test]
fn an_error_at_any_call_of_a_waiter_is_said_and_stops_nobody_behind_it() {
    let (mut total, mut wrecks) = (0, Vec::new());
    let turn = AtomicUsize::new(0);
    for (name, waiter) in WAITERS.into_iter().filter(|(name, _)| name.starts_with(&chosen_name())) {
        for end in [End::Release, End::Kill] {
            let (count, wrong) = refused_everywhere(name, waiter, end, &turn);
            total += count;
            wrecks.extend(wrong);
        }
    }
    println!("{total} errors in all");
    assert_eq!(wrecks, Vec::<String>::new());
    assert!(total > 40 || !chosen_name().is_empty(), "{total}");
}

#[test]
fn a_guard_that_is_not_unlocked_at_the_first_try_keeps_nobody_out() {
    let scene = Scene::new();
    let held = scene.ok(&["acquire", "-l", "a"]);
    let mut strace = scene.program("strace");
    strace.args(["-qq", "-o", "tampered", "-e", "inject=flock:error=EIO:when=2", "-P"]);
    strace.arg(scene.path("locks/guard")).arg(binary());
    strace.args(["run", "--wait", "-l", "a", "--", "true"]);
    let mut waiting = Group::start(strace);
    sleeps_or_ended(&mut waiting);
    scene.ok(&["run", "-n", "-l", "other", "--", "true"]);
    scene.ok(&["release", &held]);
    assert_eq!(waiting.end().code, 0);
    let calls = read(&scene, "tampered");
    assert!(calls.lines().any(|call| call.contains("LOCK_UN") && call.contains("(INJECTED)")), "{calls}");
}
