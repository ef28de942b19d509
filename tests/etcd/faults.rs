//! Members that die, networks that break, answers that never come; on clusters of three.

use std::time::{Duration, Instant};

use crate::backend::table;
use crate::cluster::Cluster;
use crate::harness::{PATIENCE, Scene, eventually};
use crate::proxy::Proxy;
use crate::tools::{Group, holder, is_free, read, soon_held, until_written, waiter};

/// A scene on these endpoints, with a lease of so many seconds.
pub fn scene_on(endpoints: &[String], lease: u64) -> Scene {
    let scene = Scene::new();
    let store = table(endpoints, scene.root(), lease);
    std::fs::write(scene.path("deploylock.toml"), store).unwrap();
    scene
}

fn on(cluster: &Cluster, lease: u64) -> Scene {
    scene_on(&cluster.endpoints(), lease)
}

#[test]
fn a_killed_leader_costs_nobody_a_lock() {
    let mut cluster = Cluster::start(3);
    let scene = on(&cluster, 30);
    let mut run = holder(&scene, &["-l", "a"]);
    let next = waiter(&scene, &["-l", "a"]);
    let leader = cluster.leader();
    cluster.kill(leader);
    assert_eq!(scene.run(&["run", "-l", "b", "--", "true"]).code, 0, "the others have chosen a leader");
    assert!(run.is_running());
    assert!(!is_free(&scene, &["-l", "a"]));
    run.let_go();
    assert_eq!(run.end().code, 0);
    soon_held(&scene, &next);
    cluster.begin(leader);
    cluster.until_up(leader);
    drop(next);
}

#[test]
fn a_waiter_outlasts_the_restart_of_every_member_and_of_the_whole_cluster() {
    let mut cluster = Cluster::start(3);
    let scene = on(&cluster, 30);
    let mut run = holder(&scene, &["-l", "a"]);
    let mut next = waiter(&scene, &["-l", "a"]);
    for i in 0..3 {
        cluster.kill(i);
        cluster.begin(i);
        cluster.until_up(i);
    }
    (0..3).for_each(|i| cluster.kill(i));
    (0..3).for_each(|i| cluster.begin(i));
    (0..3).for_each(|i| cluster.until_up(i));
    assert!(run.is_running() && next.is_running());
    run.let_go();
    assert_eq!(run.end().code, 0);
    soon_held(&scene, &next);
    next.let_go();
    assert_eq!(next.end().code, 0);
}

#[test]
fn without_a_majority_there_is_69_and_a_held_lock_is_not_lost_while_its_lease_may_live() {
    let mut cluster = Cluster::start(3);
    let scene = on(&cluster, 60);
    let mut run = holder(&scene, &["-l", "a"]);
    cluster.kill(0);
    cluster.kill(1);
    let began = Instant::now();
    let said = scene.run(&["run", "-n", "-l", "b", "--", "true"]);
    assert_eq!(said.code, 69, "{said:?}");
    assert!(began.elapsed() < Duration::from_secs(25), "{:?}", began.elapsed());
    let first = said.err.lines().next().unwrap();
    assert!(first.contains("cannot be reached") && first.contains("deploylock check"), "{first}");
    assert_eq!(scene.run(&["list"]).code, 69);
    assert!(run.is_running());
    cluster.begin(0);
    cluster.begin(1);
    (0..3).for_each(|i| cluster.until_up(i));
    run.let_go();
    let said = run.end();
    // It may have been told that something could not be asked meanwhile.
    assert!(said.code == 0 && !said.err.contains("taken away"), "{said:?}");
    assert!(is_free(&scene, &["-l", "a"]));
}

/// A command that says when it began and when it ended, TERM or not.
pub fn timed(name: &str) -> String {
    format!(
        "trap 'date +%s%N > {name}.end; exit 0' TERM; date +%s%N > {name}.begin; \
         i=0; while [ $i -lt 600 ]; do sleep 0.05; i=$((i+1)); done; date +%s%N > {name}.end"
    )
}

#[test]
fn a_client_that_is_cut_off_ends_its_command_before_another_is_granted() {
    let (cluster, _) = crate::cluster::shared();
    let proxy = Proxy::to(cluster.port(0));
    let scene = Scene::new();
    let direct = std::fs::read_to_string(scene.path("deploylock.toml")).unwrap();
    let through = direct.replace(&cluster.endpoints()[0], &proxy.endpoint());
    std::fs::write(scene.path("cut.toml"), through).unwrap();
    let args = ["--config", "cut.toml", "run", "-l", "a", "--", "sh", "-c", &timed("cut")];
    let cut = Group::of(&scene, &args);
    until_written(&scene, "cut.begin");
    let next = Group::of(&scene, &["run", "--wait", "-l", "a", "--", "sh", "-c", &timed("next")]);
    scene.until("waiting", 1);
    proxy.cut();
    let said = cut.end();
    assert_eq!(said.code, 76, "{said:?}");
    assert!(said.err.contains("taken away"), "{said:?}");
    until_written(&scene, "next.begin");
    let time = |name: &str| read(&scene, name).parse::<u128>().unwrap();
    assert!(time("cut.end") < time("next.begin"));
    next.signal("TERM");
    assert_eq!(next.end().code, 0);
}

#[test]
fn a_client_that_is_cut_off_for_a_moment_goes_on() {
    let (cluster, _) = crate::cluster::shared();
    let proxy = Proxy::to(cluster.port(0));
    let scene = scene_on(&[proxy.endpoint()], 30);
    let mut run = holder(&scene, &["-l", "a"]);
    let next = waiter(&scene, &["-l", "a"]);
    proxy.cut();
    std::thread::sleep(Duration::from_secs(8));
    proxy.mend();
    run.let_go();
    let said = run.end();
    assert_eq!((said.code, said.err.as_str()), (0, ""));
    soon_held(&scene, &next);
}

#[test]
fn a_write_whose_answer_never_comes_is_looked_up() {
    let (cluster, _) = crate::cluster::shared();
    let proxy = Proxy::to(cluster.port(0));
    let scene = scene_on(&[proxy.endpoint()], 30);
    let began = Instant::now();
    proxy.lose(1);
    let said = scene.run(&["acquire", "-n", "-l", "a"]);
    assert_eq!((said.code, proxy.lost()), (0, 1), "{said:?}");
    let held = said.out.trim().to_owned();
    assert_eq!(scene.in_state("held").len(), 1);
    assert_eq!(crate::tools::id(&scene.in_state("held")[0]), held);
    proxy.lose(1);
    assert_eq!(scene.run(&["release", &held]).code, 0, "released once, said so once");
    assert_eq!(proxy.lost(), 2);
    assert!(is_free(&scene, &["-l", "a"]));
    // Not one event is told twice.
    let history = scene.ok(&["history", "--format", "json", &held]);
    assert_eq!(history.matches("\"released\"").count(), 1, "{history}");
    assert_eq!(history.matches("\"acquired\"").count(), 1, "{history}");
    assert!(began.elapsed() < PATIENCE);
}

#[test]
fn versions_are_given_once_though_answers_are_lost() {
    let (cluster, _) = crate::cluster::shared();
    let proxy = Proxy::to(cluster.port(0));
    let scene = Scene::with_topology("[environments.prod]\ncontainers = [\"w\"]\n[applications.shop]\n");
    let text = std::fs::read_to_string(scene.path("deploylock.toml")).unwrap();
    std::fs::write(scene.path("deploylock.toml"), text.replace(&cluster.endpoints()[0], &proxy.endpoint()))
        .unwrap();
    std::fs::write(scene.path("shop.war"), "1").unwrap();
    let run = || {
        let args = ["run", "-e", "prod", "-a", "shop", "--resource", "shop.war", "--", "sh", "-c"];
        let said = scene.run(&[&args[..], &["echo $DEPLOYLOCK_VERSION"]].concat());
        assert_eq!(said.code, 0, "{said:?}");
        said.out.trim().parse::<u64>().unwrap()
    };
    assert_eq!(run(), 1);
    proxy.lose(2);
    assert_eq!(run(), 2);
    assert!(proxy.lost() > 0);
    assert_eq!(run(), 3);
}

#[test]
fn a_stopped_client_finds_its_locks_gone_and_its_command_ended() {
    let scene = Scene::new();
    let run = Group::of(&scene, &["run", "-l", "a", "--", "sh", "-c", "echo $$ > pid; exec sleep 600"]);
    let command = until_written(&scene, "pid");
    let next = waiter(&scene, &["-l", "a"]);
    run.signal("STOP");
    soon_held(&scene, &next);
    run.signal("CONT");
    assert_eq!(run.end().code, 76);
    eventually("its command ends", || !std::path::Path::new(&format!("/proc/{command}")).exists());
}

#[test]
fn a_waiter_whose_revision_was_compacted_away_looks_again() {
    let (cluster, _) = crate::cluster::shared();
    let proxy = Proxy::to(cluster.port(0));
    let scene = Scene::new();
    let direct = std::fs::read_to_string(scene.path("deploylock.toml")).unwrap();
    let through = direct.replace(&cluster.endpoints()[0], &proxy.endpoint()).replace("6s", "60s");
    std::fs::write(scene.path("cut.toml"), through).unwrap();
    let mut run = holder(&scene, &["-l", "a"]);
    let waiting = Group::of(&scene, &["--config", "cut.toml", "run", "--wait", "-l", "a", "--", "cat"]);
    scene.until("waiting", 1);
    proxy.cut();
    run.let_go();
    assert_eq!(run.end().code, 0);
    let status = cluster.etcdctl(&["get", "-w", "json", "none"]);
    let status: serde_json::Value = serde_json::from_str(&status).unwrap();
    cluster.etcdctl(&["compact", &status["header"]["revision"].to_string()]);
    // It was granted; it does not know, and its old connections never will.
    proxy.renew();
    proxy.mend();
    eventually("it has learnt of its grant", || crate::tools::child_of(waiting.pid()).is_some());
}

#[test]
fn what_was_taken_over_from_a_stopped_run_is_not_released_by_it() {
    let scene = Scene::with_topology("[environments.prod]\ncontainers = [\"w\"]\non_crash = \"hold\"\n");
    let script = "echo $$ > pid; until [ -e end ]; do sleep 0.05; done";
    let run = Group::of(&scene, &["run", "-e", "prod", "--", "sh", "-c", script]);
    until_written(&scene, "pid");
    let held = crate::tools::id(&scene.until("held", 1)[0]);
    run.signal("STOP");
    eventually("its lease runs out", || scene.ok(&["list", "--by", "deployment"]).contains("crashed"));
    let resumed = Group::of(&scene, &["run", "--resume", &held, "--", "cat"]);
    eventually("it is taken over", || crate::tools::child_of(resumed.pid()).is_some());
    std::fs::write(scene.path("end"), "").unwrap();
    run.signal("CONT");
    assert_eq!(run.end().code, 76);
    assert_eq!(crate::tools::deployment(&scene, resumed.pid())["id"], held.as_str());
}
