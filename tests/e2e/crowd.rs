//! Many real processes at once: exact counts, no two where one may be, no deadlock, first come first served, and
//! the same with some of them killed.

use std::collections::{HashMap, HashSet};
use std::time::{Duration, Instant};

use crate::harness::Scene;
use crate::tools::{Group, holder, id, nothing_left, read, waiter};

/// How long a crowd may take on a busy machine.
const LONG: Duration = Duration::from_secs(240);

/// Small, fast, the same at every run.
struct Dice(u64);

impl Dice {
    fn below(&mut self, n: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % n
    }
}

/// Starts a shell with this script for each.
fn crowd(scene: &Scene, scripts: impl IntoIterator<Item = String>) -> Vec<Group> {
    let start = |script: String| {
        let mut shell = scene.program("sh");
        shell.args(["-c", &script]);
        Group::start(shell)
    };
    scripts.into_iter().map(start).collect()
}

#[track_caller]
fn all_end(crowd: Vec<Group>) {
    let began = Instant::now();
    let mut crowd = crowd;
    while crowd.iter_mut().any(Group::is_running) {
        assert!(began.elapsed() < LONG, "a deadlock, or a very slow machine");
        std::thread::park_timeout(Duration::from_millis(20));
    }
    for one in crowd {
        let said = one.end();
        assert_eq!((said.code, said.err.as_str()), (0, ""), "{said:?}");
    }
}

/// A loop of so many rounds of this.
fn rounds(count: usize, body: &str) -> String {
    format!("set -e; i=0; while [ $i -lt {count} ]; do i=$((i+1)); {body}; done")
}

#[test]
fn forty_processes_count_to_exactly_a_thousand() {
    let scene = Scene::new();
    std::fs::write(scene.path("count"), "0\n").unwrap();
    let one = "deploylock run -q --wait -l counter -- sh -c 'read n < count; echo $((n+1)) > count'";
    all_end(crowd(&scene, (0..40).map(|_| rounds(25, one))));
    assert_eq!(read(&scene, "count"), "1000");
    nothing_left(&scene);
    every_grant_is_told_once(&scene, 1000);
}

/// Journal lines `+ who lock lock …` and `- who`, as commands append them, and what they say of who was together.
fn follow(journal: &str, mut check: impl FnMut(&HashMap<&str, Vec<&str>>)) -> usize {
    let mut inside: HashMap<&str, Vec<&str>> = HashMap::new();
    let mut starts = 0;
    for line in journal.lines() {
        let mut words = line.split(' ');
        match (words.next().unwrap(), words.next().unwrap()) {
            ("+", who) => {
                starts += 1;
                assert!(inside.insert(who, words.collect()).is_none(), "{line}");
                check(&inside);
            }
            (_, who) => assert!(inside.remove(who).is_some(), "{line}"),
        }
    }
    assert!(inside.is_empty(), "{inside:?}");
    starts
}

#[test]
fn overlapping_sets_in_random_order_never_overlap_and_never_deadlock() {
    let scene = Scene::new();
    let mut dice = Dice(7);
    let scripts = (0..20).map(|_| {
        let mut script = "set -e\n".to_owned();
        for _ in 0..6 {
            let mut locks: Vec<usize> = (0..6).collect();
            let chosen: Vec<usize> = (0..3).map(|_| locks.remove(dice.below(locks.len()))).collect();
            let asked: String = chosen.iter().map(|l| format!("-l {l} ")).collect();
            let said: Vec<String> = chosen.iter().map(ToString::to_string).collect();
            script.push_str(&format!(
                "deploylock run -q --wait {asked} -- sh -c 'echo \"+ $$ {}\" >> journal; echo \"- $$\" >> journal'\n",
                said.join(" ")
            ));
        }
        script
    });
    all_end(crowd(&scene, scripts.collect::<Vec<_>>()));
    let starts = follow(&read(&scene, "journal"), |inside| {
        let mut seen = HashSet::new();
        for lock in inside.values().flatten() {
            assert!(seen.insert(*lock), "two hold {lock}: {inside:?}");
        }
    });
    assert_eq!(starts, 120);
    nothing_left(&scene);
}

#[test]
fn a_queue_of_twenty_is_served_in_order() {
    let scene = Scene::new();
    let mut held = holder(&scene, &["-l", "a"]);
    let queue: Vec<Group> = (0..20)
        .map(|n| {
            let script = format!("echo {n} >> order");
            let group = Group::of(&scene, &["run", "-q", "--wait", "-l", "a", "--", "sh", "-c", &script]);
            scene.until("waiting", n + 1);
            group
        })
        .collect();
    let places: Vec<_> =
        scene.in_state("waiting").iter().map(|d| (d["pid"].clone(), d["position"].clone())).collect();
    for (n, group) in queue.iter().enumerate() {
        assert!(places.contains(&(group.pid().into(), (n + 1).into())), "{n}: {places:?}");
    }
    held.let_go();
    all_end(queue);
    let order: Vec<String> = (0..20).map(|n| n.to_string()).collect();
    assert_eq!(read(&scene, "order").lines().collect::<Vec<_>>(), order);
    nothing_left(&scene);
    every_grant_is_told_once(&scene, 21);
}

/// Though those who waited write to the history while others do.
fn every_grant_is_told_once(scene: &Scene, grants: usize) {
    let (mut acquired, mut released) = (Vec::new(), Vec::new());
    for line in read(scene, "locks/history.jsonl").lines() {
        let event: serde_json::Value = serde_json::from_str(line).unwrap_or_else(|e| panic!("{line}: {e}"));
        match event["event"].as_str().unwrap() {
            "acquired" => acquired.push(event["id"].clone()),
            "released" => {
                assert!(acquired.contains(&event["id"]), "{line}");
                released.push(event["id"].clone());
            }
            other => assert_eq!(other, "waited"),
        }
    }
    assert_eq!((acquired.len(), released.len()), (grants, grants));
    assert!(released.iter().all(|id| released.iter().filter(|other| *other == id).count() == 1));
}

#[test]
fn a_limit_is_never_exceeded_and_is_used() {
    let scene = Scene::new();
    let one = "deploylock run -q --wait -l a --slots 3 -- sh -c \
               'echo \"+ $$\" >> journal; sleep 0.01; echo \"- $$\" >> journal'";
    all_end(crowd(&scene, (0..15).map(|_| rounds(8, one))));
    let mut most = 0;
    let starts = follow(&read(&scene, "journal"), |inside| {
        assert!(inside.len() <= 3, "{inside:?}");
        most = most.max(inside.len());
    });
    assert_eq!((starts, most), (120, 3));
    nothing_left(&scene);
}

#[test]
fn shared_and_exclusive_holders_never_meet() {
    let scene = Scene::new();
    let one = |shared: &str, mode| {
        format!(
            "deploylock run -q --wait -l a {shared} -- sh -c \
             'echo \"+ $$ {mode}\" >> journal; sleep 0.01; echo \"- $$\" >> journal'"
        )
    };
    let scripts = (0..16).map(|n| rounds(6, &if n % 4 == 0 { one("", "x") } else { one("--shared", "s") }));
    all_end(crowd(&scene, scripts.collect::<Vec<_>>()));
    let starts = follow(&read(&scene, "journal"), |inside| {
        let exclusive = inside.values().filter(|m| m[0] == "x").count();
        assert!(exclusive == 0 || inside.len() == 1, "{inside:?}");
    });
    assert_eq!(starts, 96);
    nothing_left(&scene);
}

#[test]
fn killing_at_random_lets_no_two_in_and_stops_nobody_else() {
    let scene = Scene::new();
    // The command is one process, and the kernel says whether it is alone: killed or not, what it locked is free
    // the moment it ends.
    let one = "deploylock run -q --wait -l a -l $((i % 3)) -- flock -n -F -E 99 critical sleep 0.02 || \
               case $? in 99) echo two >> violations;; esac";
    let mut loops = crowd(&scene, (0..12).map(|_| format!("{}; echo done >> finished", rounds(15, one))));
    let mut dice = Dice(11);
    let (began, mut killed) = (Instant::now(), 0);
    while loops.iter_mut().any(Group::is_running) {
        assert!(began.elapsed() < LONG, "somebody waits for the dead");
        let list = scene.list();
        let all = list["deployments"].as_array().unwrap();
        if all.is_empty() {
            continue;
        }
        // Half of the time the one that holds, or its command.
        let holding: Vec<_> = all.iter().filter(|d| d["state"] == "held").collect();
        let victim = match dice.below(2) {
            0 if !holding.is_empty() => holding[dice.below(holding.len())],
            _ => &all[dice.below(all.len())],
        };
        let pid = victim["pid"].as_u64().unwrap_or(0) as u32;
        let target = if dice.below(3) == 0 { crate::tools::child_of(pid) } else { Some(pid) };
        if let Some(target) = target.filter(|t| is_ours(*t)) {
            killed += u32::from(kill(target));
        }
        std::thread::park_timeout(Duration::from_millis(30));
    }
    assert_eq!(read(&scene, "violations"), "");
    assert_eq!(read(&scene, "finished").lines().count(), 12);
    assert!(killed > 10, "only {killed} killed");
    // What the last ones left is dead, and nobody's way.
    assert_eq!(scene.run(&["run", "-w", "20", "-q", "-l", "a", "--", "true"]).code, 0);
    scene.ok(&["clear", "--stale"]);
    let list = scene.list();
    assert_eq!(list["deployments"].as_array().unwrap().len(), 0, "{list}");
    assert_eq!(list["locks"].as_array().unwrap().len(), 0, "{list}");
}

/// Numbers are used again: only what this test may have started is killed.
fn is_ours(pid: u32) -> bool {
    let line = std::fs::read_to_string(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    line.contains("critical") || line.starts_with("sleep\x000.02")
}

fn kill(pid: u32) -> bool {
    let mut kill = std::process::Command::new("kill");
    kill.args(["-KILL", &pid.to_string()]).stderr(std::process::Stdio::null()).status().unwrap().success()
}

#[test]
fn acquire_and_release_in_a_crowd_exclude_too() {
    let scene = Scene::new();
    let one = "id=$(deploylock acquire -q --wait -l a -l b); echo \"+ $$-$i\" >> journal; \
               echo \"- $$-$i\" >> journal; deploylock release -q $id";
    all_end(crowd(&scene, (0..12).map(|_| rounds(8, one))));
    let starts = follow(&read(&scene, "journal"), |inside| assert_eq!(inside.len(), 1, "{inside:?}"));
    assert_eq!(starts, 96);
    nothing_left(&scene);
}

#[test]
fn a_later_one_never_overtakes_a_waiter_that_it_conflicts_with() {
    let scene = Scene::new();
    let mut shared = holder(&scene, &["--shared", "-l", "a"]);
    let exclusive = waiter(&scene, &["-l", "a"]);
    // Compatible with the holder, but the one that waits was first.
    let late = waiter(&scene, &["--shared", "-l", "a"]);
    let of = |group: &Group| crate::tools::deployment(&scene, group.pid());
    assert!(of(&late)["waiting_for"].as_array().unwrap().contains(&id(&of(&exclusive)).into()));
    shared.let_go();
    crate::tools::soon_held(&scene, &exclusive);
    assert_eq!(of(&late)["state"], "waiting");
    exclusive.kill();
    crate::tools::soon_held(&scene, &late);
}
