//! Latest wins: a newer waiting deployment takes the place of the older ones.

use super::{one_at_a_time, words};
use crate::harness::{Scene, eventually};
use crate::tools::*;

const SHOP: &[&str] = &["-e", "prod", "-a", "shop"];

fn next(scene: &Scene, target: &[&str]) -> Group {
    let run = Group::of(
        scene,
        &[&["run", "--wait"][..], target, &["--", "sh", "-c", "echo $0 >> ran; cat", "v"]].concat(),
    );
    eventually("it waits", || {
        let list = scene.list();
        let all = list["deployments"].as_array().unwrap();
        all.iter().any(|d| d["pid"] == run.pid() && d["state"] == "waiting")
    });
    run
}

#[test]
fn of_five_versions_only_the_newest_runs() {
    for latest in [false, true] {
        let queue = if latest { "queue = 'latest'\n" } else { "" };
        let scene = Scene::with_topology(&format!(
            "[applications.shop]\n{queue}[environments.prod]\ncontainers = ['web']\nallow_concurrent_deployments = false\n"
        ));
        let mut holder = holder(&scene, SHOP);
        let mut older: Vec<(String, Group)> = Vec::new();
        for version in ["1", "2", "3", "4", "5"] {
            let supersede: &[&str] = if latest { &[] } else { &["--supersede"] };
            let run = next(&scene, &[SHOP, &["--app-version", version], supersede].concat());
            let own = id(&deployment(&scene, run.pid()));
            if let Some((before, run)) = older.pop() {
                let said = run.end();
                assert_eq!(said.code, 77, "{said:?}");
                let line = said.err.lines().last().unwrap();
                assert!(line.contains(&format!("{before} was superseded by {own}")), "{line}");
                assert_eq!(words(&scene, &before), ["waited", "superseded"]);
            }
            assert_eq!(scene.in_state("waiting").len(), 1);
            older.push((own, run));
        }
        holder.let_go();
        holder.end();
        let (_, mut newest) = older.pop().unwrap();
        soon_held(&scene, &newest);
        assert_eq!(deployment(&scene, newest.pid())["version"], "5");
        newest.let_go();
        assert_eq!(newest.end().code, 0);
        assert_eq!(read(&scene, "ran"), "v");
        nothing_left(&scene);
    }
}

#[test]
fn one_that_touches_more_another_application_or_environment_stays() {
    let scene = Scene::with_topology(
        "[applications.shop]\n[applications.cart]\n[environments.test]\ncontainers = ['t']\n\
         [environments.prod]\ncontainers = ['a', 'b']\n",
    );
    let _freeze = [scene.hold(&["-e", "prod", "--exclusive"]), scene.hold(&["-e", "test", "--exclusive"])];
    let stay = [
        next(&scene, &["-e", "prod", "-a", "shop", "-c", "b"]),
        next(&scene, &["-e", "prod", "-a", "cart", "-c", "a"]),
        next(&scene, &["-e", "test", "-a", "shop"]),
        next(&scene, &["-e", "prod"]),
    ];
    let goes = next(&scene, &["-e", "prod", "-a", "shop", "-c", "a"]);
    let _newer = next(&scene, &["-e", "prod", "-a", "shop", "-c", "a", "--supersede"]);
    assert_eq!(goes.end().code, 77);
    for run in &stay {
        assert_eq!(state(&scene, run), "waiting");
    }
    let wide = next(&scene, &["-e", "prod", "-a", "shop", "--supersede"]);
    let [b, ..] = stay;
    assert_eq!(b.end().code, 77);
    assert_eq!(state(&scene, &wide), "waiting");
}

#[test]
fn one_that_neither_holds_nor_waits_takes_nobodys_place() {
    let scene = one_at_a_time("");
    let _held = scene.hold(&["-e", "prod"]);
    let older = next(&scene, SHOP);
    let newer = |more: &[&str]| {
        scene.fails(75, &[&["run"], SHOP, &["--supersede"], more, &["--", "true"]].concat());
        assert_eq!(state(&scene, &older), "waiting", "{more:?}");
    };
    newer(&["-n"]);
    newer(&[]); // it would pause
    newer(&["--wait", "--no-wait-for-manual"]);
}

#[test]
fn what_holds_is_never_replaced_and_a_code_of_ones_own_does_not_hide_it() {
    let scene = one_at_a_time("");
    let mut holder = holder(&scene, SHOP);
    let older = next(&scene, &[SHOP, &["-E", "9"]].concat());
    let newer = next(&scene, &[SHOP, &["--supersede"]].concat());
    assert_eq!(older.end().code, 77);
    assert!(holder.is_running());
    holder.let_go();
    assert_eq!(holder.end().code, 0);
    soon_held(&scene, &newer);
}

#[test]
fn acquire_replaces_and_is_replaced_too() {
    let scene = one_at_a_time("");
    let mut holder = holder(&scene, SHOP);
    let older = Group::of(&scene, &["acquire", "-e", "prod", "-a", "shop", "--wait"]);
    scene.until("waiting", 1);
    let newer = Group::of(&scene, &["acquire", "-e", "prod", "-a", "shop", "--wait", "--supersede"]);
    let said = older.end();
    assert_eq!((said.code, said.out.as_str()), (77, ""));
    holder.let_go();
    holder.end();
    assert_eq!(newer.end().code, 0);
    scene.fails(2, &["run", "-e", "prod", "--supersede", "--", "true"]);
}

#[test]
fn a_replaced_version_uses_no_number() {
    let scene = one_at_a_time("");
    std::fs::write(scene.path("f"), "1").unwrap();
    let versioned = &["-e", "prod", "-a", "shop", "--resource", "f"];
    let mut holder = holder(&scene, SHOP);
    let older = next(&scene, versioned);
    let newer = Group::of(
        &scene,
        &[
            &["run", "--wait", "--supersede"][..],
            versioned,
            &["--", "sh", "-c", "echo $DEPLOYLOCK_VERSION > version"],
        ]
        .concat(),
    );
    assert_eq!(older.end().code, 77);
    holder.let_go();
    holder.end();
    assert_eq!(newer.end().code, 0);
    assert_eq!(read(&scene, "version"), "1");
}
