//! The commands to be disturbed, what stands before each, and what must be true after it, however it ended.
//!
//! Beside each stands an unrelated deployment. The locks in question are always `a` and `b`, taken together.

use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::harness::{Said, Scene, eventually};
use crate::tools::{Group, id, is_free};

/// One command.
pub struct Case {
    pub name: &'static str,
    /// Prepares the store; the arguments of the command.
    pub prepare: fn(&Scene) -> Vec<String>,
    /// Somebody waits for `a` behind what the command deals with, and must get it in the end.
    pub waiter_behind: bool,
    /// What must be true when the command said that it succeeded.
    pub succeeded: fn(&After) -> bool,
    /// Whether this is one of the states that it may leave.
    pub allowed: fn(&After) -> bool,
    /// What the same command answers when it is given again.
    pub again: fn(Left) -> i32,
}

/// What is left of what a command dealt with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Left {
    Nothing,
    Paused,
    Held,
}

/// What was found after a command.
#[derive(Debug)]
pub struct After {
    /// What the command said.
    pub said: Said,
    /// The deployment of `a` and `b` that is not dead, if there is one.
    pub mine: Option<Value>,
    /// All deployments.
    pub list: Value,
}

impl After {
    pub fn held(&self) -> bool {
        self.mine.as_ref().is_some_and(|d| d["state"] == "held")
    }

    fn paused(&self) -> bool {
        self.mine.as_ref().is_some_and(|d| d["state"] == "paused")
    }

    /// Killed while it was resumed: seen to be dead, and paused again from the next decision on.
    fn dead_beside_paused(&self) -> bool {
        let all = self.list["deployments"].as_array().unwrap();
        self.mine.is_none() && all.iter().any(|d| d["stale"].is_string())
    }

    fn reported(&self) -> bool {
        self.said.out.ends_with('\n')
    }
}

const TOPOLOGY: &str = "[environments.prod]\nallow_concurrent_deployments = false\n";

fn words(args: &[&str]) -> Vec<String> {
    args.iter().map(|a| (*a).to_owned()).collect()
}

fn hold(scene: &Scene, more: &[&str]) -> String {
    scene.ok(&[&["acquire", "-n", "-l", "a", "-l", "b"], more].concat())
}

/// Held by nobody that lives any more: one of the kind that a killed `run` leaves, and a waiter's.
fn stale(scene: &Scene) {
    let owner = Group::start(scene.program("cat"));
    hold(scene, &["--owner-pid", &owner.pid().to_string()]);
    let waiting = Group::of(scene, &["run", "--wait", "-l", "a", "--", "true"]);
    scene.until("waiting", 1);
    waiting.kill();
    waiting.end();
    owner.kill();
    owner.end();
    eventually("it is stale", || stale_ones(scene) == 2);
}

fn stale_ones(scene: &Scene) -> usize {
    scene.list()["deployments"].as_array().unwrap().iter().filter(|d| d["stale"].is_string()).count()
}

fn paused(scene: &Scene) -> String {
    let holder = scene.ok(&["acquire", "-e", "prod"]);
    assert_eq!(scene.run(&["acquire", "-e", "prod", "-l", "a", "-l", "b"]).code, 75);
    let paused = id(&scene.in_state("paused")[0]);
    scene.ok(&["release", &holder]);
    paused
}

/// Every command that changes something by itself.
const CASES: &[Case] = &[
    Case {
        name: "the first acquire ever",
        prepare: |scene| {
            std::fs::remove_dir_all(scene.locks()).unwrap();
            words(&["acquire", "-n", "-l", "a", "-l", "b"])
        },
        waiter_behind: false,
        succeeded: After::held,
        allowed: |after| after.reported() || !after.held(),
        again: |left| if left == Left::Held { 75 } else { 0 },
    },
    Case {
        name: "acquire",
        prepare: |_| words(&["acquire", "-n", "-l", "a", "-l", "b", "--reason", "why", "--ttl", "1h"]),
        waiter_behind: false,
        succeeded: After::held,
        // Nothing is held that nobody knows the id of.
        allowed: |after| after.reported() || !after.held(),
        again: |left| if left == Left::Held { 75 } else { 0 },
    },
    Case {
        name: "run",
        prepare: |_| words(&["run", "-n", "-l", "a", "-l", "b", "--", "true"]),
        waiter_behind: false,
        succeeded: |after| !after.held(),
        allowed: |after| !after.held(),
        again: |_| 0,
    },
    Case {
        name: "release",
        prepare: |scene| words(&["release", &hold(scene, &[])]),
        waiter_behind: true,
        succeeded: |after| !after.held(),
        allowed: |_| true,
        again: |left| if left == Left::Held { 0 } else { 3 },
    },
    Case {
        name: "clear ID --yes",
        prepare: |scene| words(&["clear", &hold(scene, &[]), "--yes"]),
        waiter_behind: true,
        succeeded: |after| !after.held(),
        allowed: |_| true,
        again: |left| if left == Left::Held { 0 } else { 3 },
    },
    Case {
        name: "clear --stale",
        prepare: |scene| {
            stale(scene);
            words(&["clear", "--stale"])
        },
        waiter_behind: false,
        // What it could not look into it has left alone.
        succeeded: |after| !after.held(),
        allowed: |after| !after.held(),
        again: |_| 0,
    },
    Case {
        name: "renew",
        prepare: |scene| words(&["renew", &hold(scene, &["--ttl", "1h"]), "--ttl", "2h"]),
        waiter_behind: false,
        succeeded: After::held,
        allowed: After::held,
        again: |_| 0,
    },
    Case {
        name: "acquire --resume",
        prepare: |scene| words(&["acquire", "--resume", &paused(scene)]),
        waiter_behind: false,
        succeeded: After::held,
        // Its id is known: it is never lost, whatever happens to its resumption.
        allowed: |after| after.held() || after.paused() || after.dead_beside_paused(),
        again: |left| if left == Left::Held { 3 } else { 0 },
    },
    Case {
        name: "cancel a held one",
        prepare: |scene| words(&["cancel", &hold(scene, &[])]),
        waiter_behind: true,
        succeeded: |after| !after.held(),
        allowed: |_| true,
        again: |left| if left == Left::Held { 0 } else { 3 },
    },
    Case {
        name: "cancel a paused one",
        prepare: |scene| words(&["cancel", &paused(scene)]),
        waiter_behind: false,
        succeeded: |after| after.mine.is_none(),
        allowed: |after| after.mine.is_none() || after.paused(),
        again: |left| if left == Left::Paused { 0 } else { 3 },
    },
    Case {
        name: "release a paused one",
        prepare: |scene| words(&["release", &paused(scene)]),
        waiter_behind: false,
        succeeded: |after| after.mine.is_none(),
        allowed: |after| after.mine.is_none() || after.paused(),
        again: |left| if left == Left::Paused { 0 } else { 3 },
    },
];

/// A scene in which a case can be played again and again.
pub struct Stage {
    pub scene: Scene,
    /// The deployment that nothing is to happen to.
    bystander: Option<String>,
    args: Vec<String>,
    case: &'static Case,
}

impl Stage {
    pub fn set(case: &'static Case) -> Self {
        let scene = Scene::with_topology(TOPOLOGY);
        let bystander = scene.ok(&["acquire", "-l", "bystander"]);
        let args = (case.prepare)(&scene);
        let bystander = scene.locks().exists().then_some(bystander);
        copy(&scene.locks(), &scene.path("before"));
        Stage { scene, bystander, args, case }
    }

    pub fn args(&self) -> Vec<&str> {
        self.args.iter().map(String::as_str).collect()
    }

    /// Puts everything back to where it was before the command.
    fn reset(&self) {
        let _ = std::fs::remove_dir_all(self.scene.locks());
        copy(&self.scene.path("before"), &self.scene.locks());
    }

    /// Plays it once with this done to it, and looks what has become of everything.
    pub fn play(&self, what: &str, act: impl FnOnce(&Scene, &[&str]) -> Said) -> After {
        self.reset();
        let behind = self.case.waiter_behind.then(|| Behind::wait(&self.scene));
        let said = act(&self.scene, &self.args());
        let after = self.look(&format!("{}: {what}", self.case.name), said);
        let mut left = match (after.held(), after.paused()) {
            (true, _) => Left::Held,
            (_, true) => Left::Paused,
            _ => Left::Nothing,
        };
        if let Some(behind) = behind {
            behind.goes_on(&self.scene, &after);
            left = Left::Nothing;
        }
        self.all_can_be_had_again(what, (self.case.again)(left));
        after
    }

    fn look(&self, what: &str, said: Said) -> After {
        let listed = self.scene.run(&["list", "--format", "json"]);
        assert_eq!(listed.code, 0, "{what}: {said:?}: {listed:?}");
        let list: Value = serde_json::from_str(&listed.out).unwrap();
        // Of one killed at its birth there is an empty record: seen to be dead, and nobody's obstacle.
        let all = list["deployments"].as_array().unwrap();
        let unclear = all.iter().find(|d| d["state"] == "unreadable" && d["stale"] == Value::Null);
        assert_eq!(unclear, None, "{what}: {said:?}");
        self.bystander_is_well(what, &list);
        let mine = |d: &&Value| {
            let locks = d["locks"].as_array().unwrap();
            d["stale"] == Value::Null && locks.len() > 1 && locks.iter().any(|l| l["lock"] == "name:a")
        };
        let mine = list["deployments"].as_array().unwrap().iter().find(mine).cloned();
        let after = After { said, mine, list };
        let (succeeded, allowed) = (after.said.code == 0, (self.case.allowed)(&after));
        assert!(allowed, "{what}: {after:?}");
        assert!(!succeeded || (self.case.succeeded)(&after), "{what}: {after:?}");
        after
    }

    fn bystander_is_well(&self, what: &str, list: &Value) {
        let Some(bystander) = &self.bystander else { return };
        let found = list["deployments"].as_array().unwrap().iter().find(|d| d["id"] == **bystander);
        let found = found.unwrap_or_else(|| panic!("{what}: the bystander is gone: {list}"));
        assert_eq!((&found["state"], &found["stale"]), (&"held".into(), &Value::Null), "{what}");
        assert_eq!(found["locks"][0]["lock"], "name:bystander", "{what}");
    }

    /// All or nothing of it is held, by trying; the same command can be given again, and after it nothing is in
    /// anybody's way or lies about.
    fn all_can_be_had_again(&self, what: &str, code: i32) {
        let scene = &self.scene;
        let what = format!("{}: {what}", self.case.name);
        let free = ["a", "b"].map(|lock| is_free(scene, &["-l", lock]));
        assert_eq!(free[0], free[1], "{what}: not all or nothing: {}", scene.list());
        let again = scene.run(&self.args());
        assert_eq!(again.code, code, "{what}: {again:?}");
        scene.ok(&["clear", "--stale"]);
        let records = || files_below(&scene.path("locks/deployments"));
        let expected = usize::from(self.bystander.is_some());
        if records().len() > expected {
            let mut left: Vec<String> =
                scene.list()["deployments"].as_array().unwrap().iter().map(id).collect();
            left.retain(|id| Some(id) != self.bystander.as_ref());
            left.iter().for_each(|id| drop(scene.ok(&["release", id])));
        }
        assert!(is_free(scene, &["-l", "a", "-l", "b"]), "{what}: {}", scene.list());
        let check = scene.run(&["check"]);
        assert_eq!(check.code, 0, "{what}: {check:?}");
        assert_eq!(records().len(), expected, "{what}: {:?}", records());
    }
}

/// One that waits for `a`.
struct Behind(Group);

impl Behind {
    fn wait(scene: &Scene) -> Self {
        let before = files_below(&scene.path("locks/deployments/waiting")).len();
        let group = Group::of(scene, &["run", "-q", "--wait", "-l", "a", "--", "true"]);
        eventually("one waits behind it", || {
            files_below(&scene.path("locks/deployments/waiting")).len() > before
        });
        Behind(group)
    }

    /// Once the way is free, and no later.
    fn goes_on(self, scene: &Scene, after: &After) {
        if let Some(held) = after.mine.as_ref().filter(|_| after.held()) {
            scene.run(&["release", &id(held)]);
        }
        let said = self.0.end();
        assert_eq!(said.code, 0, "the waiter behind: {said:?}; {after:?}");
    }
}

/// All files below a folder.
pub fn files_below(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        match entry.file_type() {
            Ok(kind) if kind.is_dir() => files.extend(files_below(&entry.path())),
            _ => files.push(entry.path()),
        }
    }
    files
}

/// Copies a folder, if it is there.
fn copy(from: &Path, to: &Path) {
    let Ok(entries) = std::fs::read_dir(from) else { return };
    std::fs::create_dir_all(to).unwrap();
    for entry in entries.flatten() {
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).unwrap();
        }
    }
}

/// All of them, or those whose name begins as `DEPLOYLOCK_WORST_CASE` says.
pub fn chosen() -> impl Iterator<Item = &'static Case> {
    let only = chosen_name();
    CASES.iter().filter(move |case| case.name.starts_with(&only))
}

/// How the names begin of the commands that are to be tried.
pub fn chosen_name() -> String {
    std::env::var("DEPLOYLOCK_WORST_CASE").unwrap_or_default()
}
