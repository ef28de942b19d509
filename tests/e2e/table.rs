//! The table of the seeds (INTERFACE.md, "Which locks a deployment takes"): two deployments at once to one
//! environment, prevented or allowed by three settings.

use crate::harness::{Scene, eventually};

/// The setting "concurrent deployments are allowed", or "lock all containers", is off.
const U: bool = false;
/// It is on.
const S: bool = true;

/// The environment `prod` of web-1, web-2 and db; `other` shares db with it; `apart` shares nothing.
fn scene(container: bool, environment: bool, lock_all: bool) -> Scene {
    let mut text = format!(
        "[environments.prod]\n\
         containers = [\"web-1\", \"web-2\", \"db\"]\n\
         allow_concurrent_deployments = {environment}\n\
         lock_all_containers_in_environment = {lock_all}\n\
         [environments.other]\n\
         containers = [\"db\", \"extra\"]\n\
         [environments.apart]\n\
         containers = [\"far\"]\n"
    );
    for name in ["web-1", "web-2", "db", "extra", "far"] {
        text.push_str(&format!("[containers.{name}]\nallow_concurrent_deployments = {container}\n"));
    }
    Scene::with_topology(&text)
}

/// Starts two deployments together. Whether both were let in; else exactly one was.
fn both_go(scene: &Scene, one: &[&str], other: &[&str]) -> bool {
    let mut runs = [one, other].map(|target| scene.deploy(&[&["--no-wait"], target].concat()));
    let (mut ended, mut held) = (0, 0);
    eventually("each of the two is let in or refused", || {
        ended = runs.iter_mut().filter_map(|run| (!run.is_running()).then_some(())).count();
        held = scene.in_state("held").len();
        ended + held == 2
    });
    let mut codes = runs.map(|run| run.finish().code);
    codes.sort();
    assert_eq!(codes, if held == 2 { [0, 0] } else { [0, 75] }, "{one:?} {other:?}");
    assert!(scene.in_state("held").is_empty());
    held == 2
}

/// To the whole environment, to the same container, and to different ones.
fn sharing(scene: &Scene) -> bool {
    let whole = both_go(scene, &["-e", "prod"], &["-e", "prod"]);
    let one = both_go(scene, &["-e", "prod", "-c", "db"], &["-e", "prod", "-c", "db"]);
    let part = both_go(scene, &["-e", "prod"], &["-e", "prod", "-c", "web-1"]);
    assert_eq!((whole, part), (one, one));
    one
}

fn not_sharing(scene: &Scene) -> bool {
    both_go(scene, &["-e", "prod", "-c", "web-1"], &["-e", "prod", "-c", "web-2"])
}

/// A deployment to web-1 of `prod`, and one to another environment that has db in common with it.
fn other_environment(scene: &Scene) -> bool {
    both_go(scene, &["-e", "prod", "-c", "web-1"], &["-e", "other"])
}

fn warns_of_lock_all(scene: &Scene) -> bool {
    let said = scene.run(&["check"]);
    assert_eq!(said.code, 0, "warnings only: {said:?}");
    let text = said.out + &said.err;
    let warned =
        text.contains("warning") && text.contains("lock_all_containers_in_environment has no effect");
    assert_eq!(scene.run(&["check", "--strict"]).code, i32::from(warned));
    warned
}

#[test]
fn row_1_container_off_environment_off_lock_all_on_is_prevented() {
    let scene = scene(U, U, S);
    assert!(!sharing(&scene));
    assert!(!not_sharing(&scene));
    assert!(!warns_of_lock_all(&scene));
}

#[test]
fn row_2_container_off_environment_on_lock_all_off_is_prevented_where_they_share_a_container() {
    let scene = scene(U, S, U);
    assert!(!sharing(&scene));
    assert!(not_sharing(&scene));
    assert!(other_environment(&scene), "web-1 and db are not shared");
    assert!(!warns_of_lock_all(&scene));
}

#[test]
fn row_3_container_off_environment_on_lock_all_on_is_the_same_and_check_warns() {
    let scene = scene(U, S, S);
    assert!(!sharing(&scene));
    assert!(not_sharing(&scene));
    assert!(other_environment(&scene), "lock-all has no effect here");
    assert!(warns_of_lock_all(&scene));
}

#[test]
fn row_4_container_on_environment_off_lock_all_off_is_prevented() {
    let scene = scene(S, U, U);
    assert!(!sharing(&scene));
    assert!(!not_sharing(&scene));
    assert!(other_environment(&scene), "only the environment is exclusive");
    assert!(!warns_of_lock_all(&scene));
}

#[test]
fn row_5_container_on_environment_off_lock_all_on_is_prevented_and_so_is_an_environment_that_shares_a_container()
 {
    let scene = scene(S, U, S);
    assert!(!sharing(&scene));
    assert!(!not_sharing(&scene));
    assert!(!other_environment(&scene), "every container of prod is exclusive");
    assert!(both_go(&scene, &["-e", "prod"], &["-e", "other", "-c", "extra"]), "extra is not of prod");
    assert!(both_go(&scene, &["-e", "prod"], &["-e", "apart"]), "it shares nothing");
    assert!(!warns_of_lock_all(&scene));
}

#[test]
fn row_6_all_off_is_prevented() {
    let scene = scene(U, U, U);
    assert!(!sharing(&scene));
    assert!(!not_sharing(&scene));
    assert!(other_environment(&scene), "web-1 and db are not shared");
    assert!(!warns_of_lock_all(&scene));
}

#[test]
fn row_7_container_on_environment_on_lock_all_off_is_allowed() {
    let scene = scene(S, S, U);
    assert!(sharing(&scene));
    assert!(not_sharing(&scene));
    assert!(other_environment(&scene));
    assert!(!warns_of_lock_all(&scene));
}

#[test]
fn row_8_all_on_is_allowed_and_check_warns() {
    let scene = scene(S, S, S);
    assert!(sharing(&scene));
    assert!(not_sharing(&scene));
    assert!(other_environment(&scene));
    assert!(warns_of_lock_all(&scene));
}
