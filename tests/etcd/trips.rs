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
    // Acquired by one read (a transaction without steps that write) and one transaction; by the other it outlasts its
    // process, once its id is out.
    assert_eq!(proxy.asked(), ["1 LeaseGrant", "3 Txn"]);
    assert_eq!(scene.run(&["run", "-n", "-l", "a", "--", "true"]).code, 75);
    assert_eq!(proxy.asked(), ["1 Txn"]);
    scene.ok(&["release", &held]);
    assert_eq!(proxy.asked(), ["1 Range", "1 Txn"]);
    assert_eq!(scene.run(&["release", &held]).code, 3);
    proxy.asked();
    assert_eq!(scene.run(&["run", "-l", "a", "--", "true"]).code, 0);
    let asked = proxy.asked();
    // On a busy machine a short command may look long: then its hold is watched, and what that read is not read again.
    assert_eq!(without_watch(asked), ["1 LeaseGrant", "4 Txn"]);
}

fn without_watch(mut asked: Vec<String>) -> Vec<String> {
    asked.retain(|what| what != "1 Watch");
    asked
}

/// A scene on a way of its own, with a lease so long that no keepalive is due; and `direct.toml`, past it.
fn counted() -> (Scene, Proxy) {
    let (cluster, _) = crate::cluster::shared();
    let proxy = Proxy::to(cluster.port(0));
    let scene = scene_on(&[proxy.endpoint()], 3600);
    let through = std::fs::read_to_string(scene.path("deploylock.toml")).unwrap();
    let direct = through.replace(&proxy.endpoint(), &cluster.endpoints()[0]);
    std::fs::write(scene.path("direct.toml"), direct).unwrap();
    (scene, proxy)
}

/// Waits until so many are in this state, without being counted.
fn until(scene: &Scene, state: &str) {
    eventually(state, || scene.ok(&["--config", "direct.toml", "list", "--state", state]).contains("name:a"));
}

/// Waits until nothing has been asked for a while.
fn quiet(proxy: &Proxy) {
    eventually("it has asked what it asks", || {
        proxy.asked();
        std::thread::sleep(Duration::from_millis(400));
        proxy.asked().is_empty()
    });
}

#[test]
fn one_that_waited_asks_nothing_before_its_command_starts() {
    let (scene, proxy) = counted();
    let mut run = Group::of(&scene, &["--config", "direct.toml", "run", "-l", "a", "--", "cat"]);
    until(&scene, "held");
    let next = Group::of(&scene, &["run", "-q", "--wait", "-l", "a", "--", "true"]);
    until(&scene, "waiting");
    quiet(&proxy);
    run.let_go();
    assert_eq!(next.end().code, 0);
    // The watch has told it of its grant; who is next is read while its command starts; it gives back, and notes that
    // it was granted, by one transaction.
    assert_eq!(without_watch(proxy.asked()), ["2 Txn"]);
    let history = scene.ok(&["history", "--format", "json"]);
    assert_eq!(history.matches("\"acquired\"").count(), 2, "{history}");
}

#[test]
fn who_holds_alone_gives_back_and_hands_on_by_one_transaction() {
    let (scene, proxy) = counted();
    let mut run = Group::of(&scene, &["run", "-l", "a", "--", "cat"]);
    until(&scene, "held");
    let mut next = Group::of(&scene, &["--config", "direct.toml", "run", "--wait", "-l", "a", "--", "cat"]);
    until(&scene, "waiting");
    quiet(&proxy);
    run.let_go();
    assert_eq!(run.end().code, 0);
    assert_eq!(proxy.asked(), ["1 Txn"]);
    eventually("the next one has it", || crate::tools::child_of(next.pid()).is_some());
    next.let_go();
    assert_eq!(next.end().code, 0);
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
