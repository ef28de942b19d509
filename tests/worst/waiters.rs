//! A waiter killed at every system call it makes, before and after it is granted: whoever waits behind it goes on.

use crate::cases::files_below;
use crate::harness::{Said, Scene, binary, eventually};
use crate::points::{KILLED, Point, in_parallel, injected, of_trace};
use crate::tools::{Group, id, read, soon};

/// Who waits: a `run`, which goes on with its command, and an `acquire`, which goes on to hold.
const WAITERS: [&[&str]; 2] = [
    &["run", "-q", "--wait", "-l", "a", "-l", "b", "--", "true"],
    &["acquire", "-q", "--wait", "-l", "a", "-l", "b"],
];

/// Some hold, some wait. `waiter` is killed at its point, or traced.
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

    /// Somebody holds, the waiter waits, another one waits behind it; then the way is free. What the waiter said.
    fn play(&self, waiter: std::process::Command) -> Said {
        let scene = &self.scene;
        let holder = scene.ok(&["acquire", "-n", "-l", "a", "-l", "b"]);
        let mut waiter = Group::start(waiter);
        let entered = || files_below(&scene.path("locks/deployments/waiting")).len();
        eventually("it waits, or is killed before", || entered() == 1 || !waiter.is_running());
        let before = entered();
        let behind = Group::of(scene, &["run", "-q", "--wait", "-l", "a", "--", "true"]);
        eventually("another one waits", || entered() > before || (before == 1 && !waiter.is_running()));
        scene.ok(&["release", &holder]);
        let said = waiter.end();
        if said.code == 0 && said.out.ends_with('\n') {
            scene.ok(&["release", said.out.trim()]);
        }
        // Killed after its id was out and its promise kept: held, and known.
        let list = scene.list();
        for d in list["deployments"].as_array().unwrap() {
            let holds = d["state"] == "held" && d["stale"].is_null() && id(d) != self.bystander;
            if holds && said.out.trim() == id(d) {
                scene.run(&["release", &id(d)]);
            }
        }
        let behind = behind.end();
        assert_eq!(behind.code, 0, "the one behind: {behind:?}; {said:?}; {list}");
        said
    }

    fn is_as_before(&self, what: &str) {
        let scene = &self.scene;
        let bystander = scene.list();
        let found = bystander["deployments"].as_array().unwrap().iter().find(|d| id(d) == self.bystander);
        assert!(found.is_some_and(|d| d["state"] == "held" && d["stale"].is_null()), "{what}: {bystander}");
        assert_eq!(scene.run(&["run", "-n", "-q", "-l", "a", "-l", "b", "--", "true"]).code, 0, "{what}");
        scene.ok(&["clear", "--stale"]);
        let left = files_below(&scene.path("locks/deployments"));
        assert_eq!(left.len(), 1, "{what}: {left:?}");
    }
}

fn traced(queue: &Queue, waiter: &[&str]) -> Vec<Point> {
    let mut strace = queue.scene.program("strace");
    strace.args(["-qq", "-o", "calls", binary()]).args(waiter);
    assert_eq!(queue.play(strace).code, 0);
    queue.is_as_before("undisturbed");
    of_trace(&read(&queue.scene, "calls"))
}

#[test]
fn a_waiter_killed_at_every_call_stops_nobody_behind_it() {
    let mut total = 0;
    for waiter in WAITERS {
        let all = traced(&Queue::new(), waiter);
        let killed = std::sync::atomic::AtomicUsize::new(0);
        let wrecks = in_parallel(&all, Queue::new, |queue, point| {
            let said = queue.play(injected(&queue.scene, point, "signal=KILL", waiter));
            if said.code == KILLED {
                killed.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
            }
            queue.is_as_before(&format!("{} killed at {point}", waiter[0]));
        });
        let killed = killed.into_inner();
        println!("a waiting {}: killed at {killed} points", waiter[0]);
        assert_eq!(wrecks, Vec::<String>::new());
        total += killed;
    }
    assert!(total > 200, "{total}");
}

#[test]
fn without_inotify_a_release_is_noticed_soon() {
    let scene = Scene::new();
    let holder = scene.ok(&["acquire", "-l", "a"]);
    // In a user namespace of its own there are no instances to be had, and nobody else is disturbed.
    let script = "echo 0 > /proc/sys/user/max_inotify_instances && exec deploylock run --wait -l a -- true";
    let mut command = scene.program("unshare");
    command.args(["--user", "--map-root-user", "sh", "-c", script]);
    let mut waiting = Group::start(command);
    scene.until("waiting", 1);
    scene.ok(&["release", &holder]);
    soon("it is granted", || !waiting.is_running());
    assert_eq!(waiting.end().code, 0);
}
