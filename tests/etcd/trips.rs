//! Round trips: what each operation asks the cluster for. `docs/performance.md` gives each its reason.

use std::time::Duration;

use crate::faults::scene_on;
use crate::harness::{Scene, eventually};
use crate::proxy::Proxy;
use crate::tools::{Group, holder, soon_held};

#[test]
fn operations_ask_for_no_more_than_they_are_said_to() {
    let (cluster, _) = crate::cluster::shared();
    let proxy = Proxy::to(cluster.port(0));
    let scene = scene_on(&[proxy.endpoint()], 30);
    let held = scene.hold(&["-l", "a"]);
    // Acquired by one read and one transaction; by the other it outlasts its process, once its id is out.
    assert_eq!(proxy.asked(), ["1 kv/range", "2 kv/txn", "1 lease/grant"]);
    assert_eq!(scene.run(&["run", "-n", "-l", "a", "--", "true"]).code, 75);
    assert_eq!(proxy.asked(), ["1 kv/range"]);
    scene.ok(&["release", &held]);
    assert_eq!(proxy.asked(), ["1 kv/range", "1 kv/txn"]);
    assert_eq!(scene.run(&["release", &held]).code, 3);
    proxy.asked();
    assert_eq!(scene.run(&["run", "-l", "a", "--", "true"]).code, 0);
    let asked = proxy.asked();
    // A machine that is busy may let a short command look long: then its hold is watched.
    let most = ["3 kv/range", "2 kv/txn", "1 lease/grant", "1 watch"];
    assert!(asked == ["2 kv/range", "2 kv/txn", "1 lease/grant"] || asked == most, "{asked:?}");
}

#[test]
fn one_that_waited_looks_once_before_its_command_starts() {
    let (cluster, _) = crate::cluster::shared();
    let proxy = Proxy::to(cluster.port(0));
    let scene = Scene::new();
    let direct = std::fs::read_to_string(scene.path("deploylock.toml")).unwrap();
    // So long that no keepalive is due.
    let through = direct.replace(&cluster.endpoints()[0], &proxy.endpoint()).replace("6s", "1h");
    std::fs::write(scene.path("counted.toml"), through).unwrap();
    let mut run = holder(&scene, &["-l", "a"]);
    let args = ["--config", "counted.toml", "run", "-q", "--wait", "-l", "a", "--", "true"];
    let next = Group::of(&scene, &args);
    scene.until("waiting", 1);
    eventually("it watches", || proxy.watches());
    proxy.asked();
    run.let_go();
    assert_eq!(next.end().code, 0);
    let asked = proxy.asked();
    // It looks, and its command starts while that is noted; it gives back.
    let most = ["3 kv/range", "1 kv/put", "1 kv/txn", "1 watch"];
    let sorted = |words: &[&str]| {
        let mut words: Vec<String> = words.iter().map(|w| (*w).to_owned()).collect();
        words.sort();
        words
    };
    let expected = [sorted(&["2 kv/range", "1 kv/put", "1 kv/txn"]), sorted(&most)];
    let asked = sorted(&asked.iter().map(String::as_str).collect::<Vec<_>>());
    assert!(expected.contains(&asked), "{asked:?}");
    let history = scene.ok(&["history", "--format", "json"]);
    assert_eq!(history.matches("\"acquired\"").count(), 2, "{history}");
}

#[test]
fn a_release_wakes_the_next_and_not_the_whole_queue() {
    let (cluster, _) = crate::cluster::shared();
    let proxy = Proxy::to(cluster.port(0));
    let scene = Scene::new();
    let direct = std::fs::read_to_string(scene.path("deploylock.toml")).unwrap();
    let through = direct.replace(&cluster.endpoints()[0], &proxy.endpoint());
    std::fs::write(scene.path("counted.toml"), through).unwrap();
    let mut run = holder(&scene, &["-l", "a"]);
    let queue: Vec<Group> = (1..=8)
        .map(|place| {
            let args = ["--config", "counted.toml", "run", "-q", "--wait", "-l", "a", "--", "cat"];
            let group = Group::of(&scene, &args);
            scene.until("waiting", place);
            group
        })
        .collect();
    // What each does once it waits is done.
    std::thread::sleep(Duration::from_millis(500));
    proxy.trips();
    run.let_go();
    soon_held(&scene, &queue[0]);
    std::thread::sleep(Duration::from_secs(1));
    // The first looks, notes it, and watches its hold; the second looks whom to watch now.
    let (reads, txns) = proxy.trips();
    assert!(reads <= 4 && txns <= 2, "{reads} reads, {txns} transactions by a queue of eight");
}
