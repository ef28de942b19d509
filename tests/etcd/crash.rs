//! Who is dead: whoever's lease has run out, and nobody else.

use std::time::{Duration, Instant};

use crate::backend::LEASE;
use crate::harness::{Scene, eventually};
use crate::tools::{Group, holder, id, is_free, only, soon_held, waiter};

#[test]
fn a_killed_holder_is_dead_when_its_lease_has_run_out_and_not_before() {
    let scene = Scene::new();
    let run = holder(&scene, &["-l", "a"]);
    let next = waiter(&scene, &["-l", "a"]);
    run.kill();
    let killed = Instant::now();
    assert!(!is_free(&scene, &["-l", "a"]));
    assert_eq!(only_held(&scene)["pid"], run.pid());
    soon_held(&scene, &next);
    assert!(killed.elapsed() > Duration::from_secs(LEASE / 2), "{:?}", killed.elapsed());
}

fn only_held(scene: &Scene) -> serde_json::Value {
    scene.until("held", 1).remove(0)
}

#[test]
fn a_killed_waiter_is_dead_when_its_lease_has_run_out() {
    let scene = Scene::new();
    let mut run = holder(&scene, &["-l", "a"]);
    let dead = waiter(&scene, &["-l", "a"]);
    let next = waiter(&scene, &["-l", "a"]);
    dead.kill();
    run.let_go();
    soon_held(&scene, &next);
}

#[test]
fn on_crash_hold_outlives_the_lease_and_goes_on_under_another_process() {
    let scene = Scene::with_topology("[environments.prod]\ncontainers = [\"web\"]\non_crash = \"hold\"\n");
    let run = Group::of(&scene, &["run", "-e", "prod", "--", "cat"]);
    let held = id(&scene.until("held", 1)[0]);
    run.kill();
    eventually("its lease runs out", || {
        let shown = scene.ok(&["list", "--by", "deployment"]);
        shown.contains("crashed")
    });
    assert_eq!(scene.ok(&["clear", "--stale"]), "");
    assert_eq!(scene.run(&["run", "-n", "-e", "prod", "--exclusive", "--", "true"]).code, 75);
    assert_eq!(scene.run(&["run", "--resume", &held, "--", "true"]).code, 0);
    assert!(scene.in_state("held").is_empty());
}

#[test]
fn what_was_acquired_needs_no_lease() {
    let scene = Scene::new();
    let held = scene.hold(&["-l", "a"]);
    std::thread::sleep(Duration::from_secs(LEASE + 3));
    assert_eq!(id(&only(&scene)), held);
    assert_eq!(scene.ok(&["clear", "--stale"]), "");
    scene.ok(&["release", &held]);
    assert!(is_free(&scene, &["-l", "a"]));
}

#[test]
fn a_time_to_live_is_the_servers_whatever_a_host_s_clock_says() {
    let scene = Scene::new();
    scene.ok(&["acquire", "-n", "-l", "a", "--ttl", "1h"]);
    // Another host, a day ahead.
    let mut ahead = scene.program("faketime");
    ahead.args(["-f", "+1d", env!("CARGO_BIN_EXE_deploylock"), "run", "-n", "-l", "a", "--", "true"]);
    let said = crate::steps::done(&mut ahead);
    assert_eq!(said.code, 75, "{said:?}");
    // And one a day behind, whose deployments last no longer.
    let mut behind = scene.program("faketime");
    behind.args(["-f", "-1d", env!("CARGO_BIN_EXE_deploylock"), "acquire", "-n", "-l", "b", "--ttl", "2s"]);
    assert_eq!(crate::steps::done(&mut behind).code, 0);
    assert_eq!(scene.run(&["run", "-w", "20s", "-l", "b", "--", "true"]).code, 0);
}

#[test]
fn clearing_a_live_run_by_force_ends_its_command() {
    let scene = Scene::new();
    let run = holder(&scene, &["-l", "a"]);
    let held = id(&only(&scene));
    assert_eq!(scene.run(&["clear", "--yes", &held]).code, 1);
    scene.ok(&["clear", "--yes", "--force", &held]);
    let said = run.end();
    assert_eq!(said.code, 76, "{said:?}");
    assert!(said.err.contains("taken away"), "{said:?}");
}

#[test]
fn a_lost_lease_ends_the_command_though_the_record_is_there() {
    let scene = Scene::new();
    let run = holder(&scene, &["-l", "a"]);
    let (cluster, _) = crate::cluster::shared();
    let prefix = format!("/{}", scene.root().file_name().unwrap().to_str().unwrap());
    let key = format!("{prefix}/deployments/{}/alive", id(&only(&scene)));
    let json = cluster.etcdctl(&["get", "-w", "json", &key]);
    let kv: serde_json::Value = serde_json::from_str(&json).unwrap();
    let lease = format!("{:x}", kv["kvs"][0]["lease"].as_i64().unwrap());
    cluster.etcdctl(&["lease", "revoke", &lease]);
    assert_eq!(run.end().code, 76);
    assert!(is_free(&scene, &["-l", "a"]));
}

#[test]
fn a_command_does_not_outlive_its_killed_wrapper() {
    let scene = Scene::new();
    let run = Group::of(&scene, &["run", "-l", "a", "--", "sh", "-c", "echo $$ > pid; exec sleep 600"]);
    let command = crate::tools::until_written(&scene, "pid");
    run.signal("KILL");
    eventually("its command ends", || {
        let stat = std::fs::read_to_string(format!("/proc/{command}/stat")).unwrap_or_default();
        stat.is_empty() || stat.contains(") Z ")
    });
}

#[test]
fn a_command_is_started_as_shells_start_it() {
    let scene = Scene::new();
    let run = |args: &[&str]| scene.run(&[&["run", "-l", "a", "--"], args].concat());
    let said = run(&["no-such-command"]);
    assert!(said.code == 127 && said.err.contains("no-such-command: command not found"), "{said:?}");
    std::fs::write(scene.path("data"), "x").unwrap();
    assert_eq!(run(&["./data"]).code, 126);
    scene.shell("sh", "echo 'echo plain $1; exit 3' > script; chmod +x script");
    let said = run(&["./script", "word"]);
    assert_eq!((said.code, said.out.trim()), (3, "plain word"), "{said:?}");
    assert!(is_free(&scene, &["-l", "a"]));
}
