//! Two that want the same: one killed at every system call it makes, the other at it all the time.

use crate::harness::{Scene, binary, eventually};
use crate::points::{KILLED, bounded, injected, of_trace};
use crate::tools::{Group, read};

/// Says so if somebody else is inside, and is inside for a moment. A wrapper's death does not end it.
const ALONE: &str = "mkdir inside || echo two >> violations; rmdir inside";

fn rounds(scene: &Scene) -> usize {
    read(scene, "rounds").lines().count()
}

#[test]
fn two_that_want_the_same_never_meet_though_one_is_killed_at_every_call() {
    let scene = Scene::new();
    let bystander = scene.ok(&["acquire", "-l", "bystander"]);
    let wants = ["run", "-q", "--wait", "-l", "a", "-l", "b", "--", "sh", "-c", ALONE];
    let mut strace = scene.program("strace");
    strace.args(["-qq", "-o", "calls", binary()]).args(wants);
    assert_eq!(bounded(strace).code, 0);
    let all = of_trace(&read(&scene, "calls"));
    let script = format!(
        "while [ ! -e end ]; do deploylock run -q --wait -l b -l a -- sh -c '{ALONE}' && echo . >> rounds; done"
    );
    let mut shell = scene.program("sh");
    shell.args(["-c", &script]);
    let other = Group::start(shell);
    let mut killed = 0;
    for point in &all {
        let said = bounded(injected(&scene, point, "signal=KILL", &wants));
        assert!([0, KILLED].contains(&said.code), "{point}: {said:?}");
        killed += usize::from(said.code == KILLED);
        let before = rounds(&scene);
        eventually(&format!("the other goes on, {point}"), || rounds(&scene) >= before + 2);
        assert_eq!(read(&scene, "violations"), "", "{point}");
    }
    std::fs::write(scene.path("end"), "").unwrap();
    assert_eq!(other.end().code, 0);
    println!("killed at {killed} points beside one that made {} rounds", rounds(&scene));
    // What it did when nobody else was about, it does nearly all of beside somebody.
    assert!(killed * 10 > all.len() * 9, "{killed} of {}", all.len());
    scene.ok(&["clear", "--stale"]);
    let list = scene.list();
    assert_eq!(list["deployments"].as_array().unwrap().len(), 1, "{list}");
    assert_eq!(list["deployments"][0]["id"], *bystander);
}
