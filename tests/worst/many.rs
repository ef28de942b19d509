//! Many: five hundred waiters, ten thousand held locks.

use std::time::{Duration, Instant};

use crate::cases::files_below;
use crate::harness::{Scene, eventually};
use crate::points::points;
use crate::tools::{Group, read};

/// How long all of them together may take on a busy machine.
const LONG: Duration = Duration::from_secs(120);

#[test]
fn five_hundred_waiters_are_served_one_by_one_and_in_order() {
    const MANY: usize = 500;
    let scene = Scene::new();
    let holder = scene.ok(&["acquire", "-l", "a"]);
    let waiting = || files_below(&scene.path("locks/deployments/waiting")).len();
    // More than a user has inotify instances: most of them look now and then.
    let mut crowd: Vec<Group> = Vec::new();
    for n in 0..MANY {
        let append = format!("[ ! -e inside ] && : > inside && echo {n} >> order && rm inside");
        crowd.push(Group::of(&scene, &["run", "-q", "--wait", "-l", "a", "--", "sh", "-c", &append]));
        // In this order.
        eventually("it waits", || waiting() == n + 1);
    }
    let listed = Instant::now();
    assert_eq!(scene.in_state("waiting").len(), MANY);
    let listed = listed.elapsed();
    let began = Instant::now();
    scene.ok(&["release", &holder]);
    for one in &mut crowd {
        while one.is_running() {
            assert!(
                began.elapsed() < LONG,
                "{} of {MANY} were served",
                read(&scene, "order").lines().count()
            );
            std::thread::park_timeout(Duration::from_millis(5));
        }
    }
    println!("{MANY} waiters: list {listed:?}, all served in {:?}", began.elapsed());
    let order: Vec<String> = (0..MANY).map(|n| n.to_string()).collect();
    assert_eq!(read(&scene, "order").lines().collect::<Vec<_>>(), order);
    assert_eq!(waiting(), 0);
}

#[test]
fn ten_thousand_held_locks_are_in_nobodys_way() {
    const DEPLOYMENTS: usize = 50;
    const EACH: usize = 200;
    let scene = Scene::new();
    let uncontended = ["acquire", "-l", "mine"];
    let points = || {
        let (points, said) = points(&scene, &uncontended);
        scene.ok(&["release", said.out.trim()]);
        points.len()
    };
    points();
    let alone = points();
    let began = Instant::now();
    let mut ids = Vec::new();
    for n in 0..DEPLOYMENTS {
        let locks: Vec<String> = (0..EACH).map(|i| format!("-l{n}-{i}")).collect();
        let args: Vec<&str> = ["acquire", "-n"].into_iter().chain(locks.iter().map(String::as_str)).collect();
        ids.push(scene.ok(&args));
    }
    let taken = began.elapsed();
    // One that has nothing to do with them makes not one call more than before.
    assert_eq!(points(), alone);
    let listed = Instant::now();
    let list = scene.list();
    let listed = listed.elapsed();
    assert_eq!(list["locks"].as_array().unwrap().len(), DEPLOYMENTS * EACH);
    let refused = scene.run(&["acquire", "-n", "-l", "49-199"]);
    assert_eq!(refused.code, 75, "{refused:?}");
    assert!(refused.err.contains(&ids[49]), "{refused:?}");
    let cleared = Instant::now();
    scene.ok(&["clear", "--all", "--yes"]);
    let cleared = cleared.elapsed();
    assert_eq!(scene.list()["deployments"].as_array().unwrap().len(), 0);
    println!("{} locks: taken in {taken:?}, list {listed:?}, cleared in {cleared:?}", DEPLOYMENTS * EACH);
    assert!([taken, listed, cleared].iter().all(|d| *d < LONG), "{taken:?} {listed:?} {cleared:?}");
}
