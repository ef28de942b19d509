//! Who waits for whom: applications, limits, groups, cells, engines, locks by name; order; what a conflict does.

use std::time::{Duration, Instant};

use crate::harness::{Background, Scene, eventually};
use crate::steps::{locks_of, text};

/// Three applications; only the shop forbids concurrent versions.
const APPLICATIONS: &str = r#"
[environments.UAT]
containers = ["uat-1", "uat-2"]
[environments.DEV]
containers = ["dev-1"]
[applications.shop]
allow_concurrent_deployments = false
[applications.blog]
[applications.crm]
"#;

/// Version 1 of the shop is being deployed to UAT, version 2 waits for it, without a flag that says so.
fn second_version_queues(scene: &Scene) -> (String, Background, Background) {
    let first = scene.deploy(&["-e", "UAT", "-a", "shop", "--app-version", "1"]);
    let id = text(&scene.until("held", 1)[0]["id"]);
    let second = scene.deploy(&["-e", "UAT", "-a", "shop", "--app-version", "2"]);
    let waiting = scene.until("waiting", 1);
    assert_eq!(waiting[0]["version"], "2");
    assert_eq!(waiting[0]["position"], 1);
    assert_eq!(waiting[0]["waiting_for"], serde_json::json!([id]));
    (id, first, second)
}

/// The second version is let in by itself.
fn goes_on(scene: &Scene, second: Background) {
    eventually("version 2 goes on", || {
        let held = scene.in_state("held");
        held.len() == 1 && held[0]["version"] == "2"
    });
    let said = second.finish();
    assert_eq!((said.code, said.out.as_str()), (0, ""), "{said:?}");
    assert!(scene.list()["deployments"].as_array().unwrap().is_empty());
}

#[test]
fn a_second_version_queues_and_goes_on_when_the_first_is_done() {
    let scene = Scene::with_topology(APPLICATIONS);
    let (_, first, second) = second_version_queues(&scene);
    assert_eq!(first.finish().code, 0);
    goes_on(&scene, second);
}

#[test]
fn a_second_version_goes_on_when_the_first_has_failed() {
    let scene = Scene::with_topology(APPLICATIONS);
    let first = scene.start_fed(&["run", "-e", "UAT", "-a", "shop", "--", "sh", "-c", "cat; exit 3"]);
    scene.until("held", 1);
    let second = scene.deploy(&["-e", "UAT", "-a", "shop", "--app-version", "2"]);
    scene.until("waiting", 1);
    assert_eq!(first.finish().code, 3);
    goes_on(&scene, second);
}

#[test]
fn a_second_version_goes_on_when_the_first_is_cancelled() {
    let scene = Scene::with_topology(APPLICATIONS);
    let (id, first, second) = second_version_queues(&scene);
    scene.ok(&["cancel", &id]);
    goes_on(&scene, second);
    assert_ne!(first.finish().code, 0);
}

#[test]
fn a_second_version_goes_on_when_the_first_is_killed_with_its_command_and_not_before() {
    let scene = Scene::with_topology(APPLICATIONS);
    let (id, mut first, second) = second_version_queues(&scene);
    first.signal("KILL");
    eventually("the wrapper is gone", || !first.is_running());
    assert_eq!(scene.state_of(&id), "held", "the command lives");
    assert_eq!(scene.in_state("waiting").len(), 1);
    first.let_go();
    goes_on(&scene, second);
}

#[test]
fn a_second_version_goes_on_when_the_first_gets_a_sigterm() {
    let scene = Scene::with_topology(APPLICATIONS);
    let (_, first, second) = second_version_queues(&scene);
    first.signal("TERM");
    goes_on(&scene, second);
    assert_ne!(first.finish().code, 0);
}

#[test]
fn a_second_version_goes_on_when_what_acquire_took_is_released_whatever_its_outcome() {
    for release in [
        &["release"][..],
        &["release", "--outcome", "failed"],
        &["release", "--outcome", "aborted"],
        &["cancel"],
        &["clear", "--yes"],
    ] {
        let scene = Scene::with_topology(APPLICATIONS);
        let first = scene.hold(&["-e", "UAT", "-a", "shop", "--app-version", "1"]);
        let second = scene.deploy(&["-e", "UAT", "-a", "shop", "--app-version", "2"]);
        scene.until("waiting", 1);
        scene.ok(&[release, &[&first]].concat());
        goes_on(&scene, second);
    }
}

#[test]
fn other_applications_and_the_other_environment_are_not_touched() {
    let scene = Scene::with_topology(APPLICATIONS);
    let (_, first, second) = second_version_queues(&scene);
    for free in [["UAT", "blog"], ["UAT", "crm"], ["DEV", "shop"], ["DEV", "blog"], ["DEV", "crm"]] {
        let one = scene.hold(&["-e", free[0], "-a", free[1]]);
        let again = scene.could_have(&["-e", free[0], "-a", free[1]]);
        assert_eq!(again, free != ["DEV", "shop"], "a second version of {free:?}");
        scene.ok(&["release", &one]);
    }
    assert!(!scene.could_have(&["-e", "UAT", "-a", "shop"]));
    first.finish();
    goes_on(&scene, second);
}

#[test]
fn a_deployed_application_that_forbids_concurrency_does_so_in_its_environment_only() {
    let scene = Scene::with_topology(
        "[environments.UAT]\ncontainers = [\"u\"]\n[environments.DEV]\ncontainers = [\"d\"]\n[applications.shop]\n\
         [applications.shop.environments.UAT]\nallow_concurrent_deployments = false\n",
    );
    let first = scene.hold(&["-e", "UAT", "-a", "shop"]);
    assert_eq!(
        locks_of(&scene.deployment(&first).unwrap()),
        [
            "application:shop@UAT shared",
            "container:u shared",
            "deployed-application:shop@UAT exclusive",
            "environment:UAT shared"
        ]
    );
    let dev = scene.hold(&["-e", "DEV", "-a", "shop"]);
    assert!(scene.could_have(&["-e", "DEV", "-a", "shop"]));
    let second = scene.deploy(&["-e", "UAT", "-a", "shop", "--app-version", "2"]);
    scene.until("waiting", 1);
    scene.ok(&["release", &first, &dev]);
    goes_on(&scene, second);
}

#[test]
fn the_application_s_own_containers_are_the_ones_it_touches() {
    let scene = Scene::with_topology(
        "[environments.prod]\ncontainers = [\"web-1\", \"web-2\"]\n\
         [containers.web-1]\nallow_concurrent_deployments = false\n\
         [containers.web-2]\nallow_concurrent_deployments = false\n\
         [applications.shop.environments.prod]\ncontainers = [\"web-1\"]\n[applications.blog]\n",
    );
    scene.hold(&["-e", "prod", "-a", "shop"]);
    assert_eq!(scene.in_state("held")[0]["containers"], serde_json::json!(["web-1"]));
    assert!(scene.could_have(&["-e", "prod", "-a", "blog", "-c", "web-2"]));
    scene.refused(&["-e", "prod", "-a", "blog"]);
    scene.refused(&["-e", "prod", "-c", "web-1"]);
}

const CONTAINER_OF_TWO: &str = "[environments.prod]\ncontainers = [\"web-1\", \"web-2\"]\n\
    [containers.web-1]\nlimit_number_of_concurrent_deployments = 2\n";

/// The third queues by itself, and goes on when this one of the two has ended.
fn third_goes_on(topology: &str, target: &[&str], ends: usize) {
    let scene = Scene::with_topology(topology);
    let first = [scene.hold(target), scene.hold(target)];
    let third = scene.deploy(&[target, &["--owner", "third"]].concat());
    scene.until("waiting", 1);
    assert_eq!(scene.in_state("held").len(), 2);
    scene.ok(&["release", &first[ends]]);
    scene.until("held", 2);
    assert_eq!(scene.state_of(&first[1 - ends]), "held");
    assert!(scene.owners("held").contains(&"third".to_owned()));
    scene.refused(target);
    assert_eq!(third.finish().code, 0);
}

#[test]
fn with_a_container_limit_of_two_the_third_goes_when_the_first_ends() {
    third_goes_on(CONTAINER_OF_TWO, &["-e", "prod", "-c", "web-1"], 0);
}

#[test]
fn with_a_container_limit_of_two_the_third_goes_when_the_second_ends() {
    third_goes_on(CONTAINER_OF_TWO, &["-e", "prod", "-c", "web-1"], 1);
}

#[test]
fn a_container_limit_does_not_touch_other_containers() {
    let scene = Scene::with_topology(CONTAINER_OF_TWO);
    for _ in 0..2 {
        scene.hold(&["-e", "prod", "-c", "web-1"]);
    }
    scene.refused(&["-e", "prod"]);
    assert!(scene.could_have(&["-e", "prod", "-c", "web-2"]));
}

const ENVIRONMENT_OF_TWO: &str = "[environments.prod]\ncontainers = [\"a\", \"b\", \"c\"]\nlimit_number_of_concurrent_deployments = 2\n\
     [environments.test]\ncontainers = [\"a\"]\n";

#[test]
fn an_environment_limit_counts_deployments_to_different_containers_too() {
    third_goes_on(ENVIRONMENT_OF_TWO, &["-e", "prod"], 0);
    let scene = Scene::with_topology(ENVIRONMENT_OF_TWO);
    scene.hold(&["-e", "prod", "-c", "a"]);
    scene.hold(&["-e", "prod", "-c", "b"]);
    let said = scene.refused(&["-e", "prod", "-c", "c"]);
    assert!(said.err.contains("environment:prod"), "{}", said.err);
    assert!(scene.could_have(&["-e", "test"]), "another environment has a limit of its own");
}

#[test]
fn where_concurrency_is_forbidden_a_limit_has_no_effect() {
    let scene = Scene::with_topology(
        "[environments.prod]\ncontainers = [\"a\"]\nallow_concurrent_deployments = false\n\
         limit_number_of_concurrent_deployments = 2\n",
    );
    scene.hold(&["-e", "prod"]);
    scene.refused(&["-e", "prod"]);
    let said = scene.run(&["check"]);
    assert_eq!(said.code, 0);
    assert!((said.out + &said.err).contains("limit_number_of_concurrent_deployments"), "it warns");
}

const GROUP: &str = "[environments.prod]\ncontainers = [\"web-1\", \"web-2\", \"db\"]\n\
    [environments.test]\ncontainers = [\"web-2\"]\n\
    [groups.web-tier]\ncontainers = [\"web-1\", \"web-2\"]\nlimit_number_of_concurrent_deployments = 1\n";

#[test]
fn a_group_with_a_limit_of_one_lets_one_of_its_containers_be_deployed_to_at_a_time() {
    let scene = Scene::with_topology(GROUP);
    let first = scene.hold(&["-e", "prod", "-c", "web-1"]);
    assert!(scene.could_have(&["-e", "prod", "-c", "db"]), "db is not of the group");
    let said = scene.refused(&["-e", "prod", "-c", "web-2"]);
    assert!(said.err.contains("group:web-tier"), "{}", said.err);
    scene.refused(&["-e", "test"]);
    let second = scene.deploy(&["-e", "test", "--owner", "second"]);
    scene.until("waiting", 1);
    scene.ok(&["release", &first]);
    scene.until("held", 1);
    assert_eq!(scene.owners("held"), ["second"]);
    assert_eq!(second.finish().code, 0);
}

#[test]
fn a_group_counts_a_deployment_to_several_of_its_containers_once() {
    let scene = Scene::with_topology(&GROUP.replace("deployments = 1", "deployments = 2"));
    let one = scene.hold(&["-e", "prod"]);
    let locks = locks_of(&scene.deployment(&one).unwrap());
    assert_eq!(locks.iter().filter(|l| l.starts_with("group:")).count(), 1);
    scene.hold(&["-e", "prod", "-c", "web-1", "-c", "web-2"]);
    scene.refused(&["-e", "test"]);
}

#[test]
fn a_group_that_allows_no_concurrency_is_exclusive() {
    let scene = Scene::with_topology(
        &GROUP.replace("limit_number_of_concurrent_deployments = 1", "allow_concurrent_deployments = false"),
    );
    scene.hold(&["-e", "prod", "-c", "web-1"]);
    scene.refused(&["-e", "prod", "-c", "web-2"]);
    assert!(scene.could_have(&["-e", "prod", "-c", "db"]));
}

/// Two cells of two JVMs each, on one machine.
fn cells(machine: &str) -> String {
    format!(
        "[environments.prod]\ncontainers = [\"jvm-1\", \"jvm-2\", \"jvm-3\"]\n\
         [environments.other]\ncontainers = [\"jvm-4\"]\n\
         [containers.jvm-1]\npart_of = \"cell-a\"\n[containers.jvm-2]\npart_of = \"cell-a\"\n\
         [containers.jvm-3]\npart_of = \"cell-b\"\n[containers.jvm-4]\npart_of = \"cell-b\"\n\
         [containers.cell-a]\npart_of = \"machine\"\nallow_concurrent_deployments = false\n\
         [containers.cell-b]\npart_of = \"machine\"\nallow_concurrent_deployments = false\n\
         [containers.machine]\n{machine}\n"
    )
}

#[test]
fn a_cell_is_locked_when_one_of_its_jvms_is_deployed_to() {
    let scene = Scene::with_topology(&cells(""));
    let id = scene.hold(&["-e", "prod", "-c", "jvm-1"]);
    assert_eq!(
        locks_of(&scene.deployment(&id).unwrap()),
        [
            "container:cell-a exclusive",
            "container:jvm-1 shared",
            "container:machine shared",
            "environment:prod shared"
        ]
    );
    let said = scene.refused(&["-e", "prod", "-c", "jvm-2"]);
    assert!(said.err.contains("container:cell-a"), "{}", said.err);
    assert!(scene.could_have(&["-e", "prod", "-c", "jvm-3"]), "it is of another cell");
}

#[test]
fn a_chain_of_two_is_locked_to_its_end() {
    let scene = Scene::with_topology(&cells("allow_concurrent_deployments = false"));
    scene.hold(&["-e", "prod", "-c", "jvm-1"]);
    let said = scene.refused(&["-e", "other"]);
    assert!(said.err.contains("container:machine"), "{}", said.err);
    let scene = Scene::with_topology(&cells("limit_number_of_concurrent_deployments = 1"));
    let first = scene.hold(&["-e", "prod", "-c", "jvm-1"]);
    let other = scene.deploy(&["-e", "other"]);
    scene.until("waiting", 1);
    scene.ok(&["release", &first]);
    scene.until("held", 1);
    assert_eq!(other.finish().code, 0);
}

fn engine(used: &str) -> Scene {
    Scene::with_topology(&format!(
        "[environments.prod]\ncontainers = [\"p\"]\nengine = \"bpm\"\n\
         [environments.test]\ncontainers = [\"t\"]\nengine = \"bpm\"\n\
         [environments.free]\ncontainers = [\"f\"]\n[engines.bpm]\n{used}\n"
    ))
}

#[test]
fn deployments_through_one_engine_go_one_at_a_time() {
    for used in ["", "deployment_lock_used = true"] {
        let scene = engine(used);
        let first = scene.hold(&["-e", "prod"]);
        let said = scene.refused(&["-e", "test"]);
        assert!(said.err.contains("engine:bpm"), "{}", said.err);
        assert!(scene.could_have(&["-e", "free"]));
        let second = scene.deploy(&["-e", "test"]);
        scene.until("waiting", 1);
        scene.ok(&["release", &first]);
        scene.until("held", 1);
        assert_eq!(second.finish().code, 0);
    }
}

#[test]
fn an_engine_whose_lock_is_not_used_stops_nobody() {
    let scene = engine("deployment_lock_used = false");
    scene.hold(&["-e", "prod"]);
    assert!(scene.could_have(&["-e", "test"]));
    assert!(scene.could_have(&["-e", "prod"]));
}

#[test]
fn a_lock_by_name_is_exclusive_and_needs_no_topology() {
    let scene = Scene::new();
    scene.hold(&["-l", "x"]);
    scene.refused(&["-l", "x"]);
    scene.refused(&["-l", "x", "--shared"]);
    scene.refused(&["-l", "x", "--slots", "5"]);
    scene.refused(&["-l", "y", "-l", "x"]);
    assert!(scene.could_have(&["-l", "y"]), "all or none");
}

#[test]
fn shared_holders_of_a_name_keep_exclusive_ones_out_only() {
    let scene = Scene::new();
    let ids: Vec<String> = (0..3).map(|_| scene.hold(&["-l", "x", "--shared"])).collect();
    for id in &ids {
        scene.refused(&["-l", "x"]);
        scene.ok(&["release", id]);
    }
    assert!(scene.could_have(&["-l", "x"]));
}

#[test]
fn slots_let_so_many_hold_and_the_next_queues_by_itself() {
    third_goes_on("", &["-l", "x", "--slots", "2"], 0);
    third_goes_on("", &["-l", "x", "--slots=2"], 1);
}

#[test]
fn of_different_limits_among_those_who_hold_or_ask_the_smallest_counts() {
    let scene = Scene::new();
    scene.hold(&["-l", "x", "--slots", "3"]);
    scene.refused(&["-l", "x", "--slots", "1"]);
    let two = scene.hold(&["-l", "x", "--slots", "2"]);
    scene.refused(&["-l", "x", "--slots", "3"]);
    scene.refused(&["-l", "x", "--shared"]);
    scene.refused(&["-l", "x"]);
    assert_eq!(scene.list()["locks"][0]["limit"], 2);
    scene.ok(&["release", &two]);
    scene.hold(&["-l", "x", "--slots", "3"]);
    scene.hold(&["-l", "x", "--shared"]);
    scene.refused(&["-l", "x", "--slots", "3"]);
}

#[test]
fn a_lock_by_name_follows_its_table() {
    let scene = Scene::with_topology(
        "[locks.two]\nlimit_number_of_concurrent_deployments = 2\n[locks.open]\n\
         [locks.closed]\nallow_concurrent_deployments = false\n",
    );
    scene.hold(&["-l", "two"]);
    scene.hold(&["-l", "two"]);
    scene.refused(&["-l", "two"]);
    scene.refused(&["-l", "two", "--slots", "9"]);
    for _ in 0..3 {
        scene.hold(&["-l", "open"]);
    }
    scene.hold(&["-l", "closed"]);
    scene.refused(&["-l", "closed"]);
    scene.refused(&["-l", "closed", "--slots", "9"]);
    scene.hold(&["-l", "no-table"]);
    scene.refused(&["-l", "no-table"]);
}

#[test]
fn a_table_s_limit_stands_where_slots_asks_for_more() {
    let scene = Scene::with_topology("[locks.one]\nlimit_number_of_concurrent_deployments = 1\n");
    scene.hold(&["-l", "one", "--slots", "9"]);
    scene.refused(&["-l", "one", "--slots", "9"]);
}

const FREEZE: &str = "[environments.prod]\ncontainers = [\"a\", \"b\"]\nlock_all_containers_in_environment = true\n\
    [environments.near]\ncontainers = [\"b\", \"c\"]\n[environments.far]\ncontainers = [\"d\"]\n[applications.shop]\n";

#[test]
fn a_freeze_stops_everything_that_the_environment_would_allow() {
    let scene = Scene::with_topology(FREEZE);
    let running = scene.hold(&["-e", "prod", "-c", "a"]);
    scene.refused(&["-e", "prod", "-c", "b", "--exclusive"]);
    scene.ok(&["release", &running]);
    let freeze = scene.hold(&["-e", "prod", "--exclusive", "--reason", "stocktaking"]);
    for stopped in [
        &["-e", "prod"][..],
        &["-e", "prod", "-c", "b"],
        &["-e", "prod", "-a", "shop"],
        &["-e", "prod", "--exclusive"],
    ] {
        let said = scene.refused(stopped);
        assert!(said.err.contains("stocktaking"), "{}", said.err);
    }
    assert!(scene.could_have(&["-e", "far"]));
    scene.ok(&["release", &freeze]);
    assert!(scene.could_have(&["-e", "prod", "-a", "shop"]));
}

#[test]
fn a_freeze_counts_as_not_allowed_for_lock_all_too() {
    let scene = Scene::with_topology(FREEZE);
    let freeze = scene.hold(&["-e", "prod", "-c", "a", "--exclusive"]);
    assert_eq!(
        locks_of(&scene.deployment(&freeze).unwrap()),
        ["container:a exclusive", "container:b exclusive", "environment:prod exclusive"]
    );
    scene.refused(&["-e", "near"]);
    assert!(scene.could_have(&["-e", "near", "-c", "c"]));
    let scene = Scene::with_topology(&FREEZE.replace("environment = true", "environment = false"));
    scene.hold(&["-e", "prod", "--exclusive"]);
    assert!(scene.could_have(&["-e", "near"]), "without lock-all the containers stay shared");
}

#[test]
fn two_environments_exclude_each_other_on_an_exclusive_container_that_both_have() {
    let scene = Scene::with_topology(
        "[environments.UAT]\ncontainers = [\"u\", \"db\"]\n[environments.DEV]\ncontainers = [\"d\", \"db\"]\n\
         [containers.db]\nallow_concurrent_deployments = false\n",
    );
    scene.hold(&["-e", "UAT"]);
    let said = scene.refused(&["-e", "DEV"]);
    assert!(said.err.contains("container:db"), "{}", said.err);
    assert!(scene.could_have(&["-e", "DEV", "-c", "d"]));
    assert!(scene.could_have(&["-e", "UAT", "-c", "u"]));
}

#[test]
fn the_queue_is_served_in_order_of_arrival() {
    let scene = Scene::new();
    let holder = scene.hold(&["-l", "x"]);
    let mut waiters = Vec::new();
    for n in 1..=4 {
        let script = format!("echo {n} >> order");
        waiters.push(scene.start(&[
            "run",
            "-l",
            "x",
            "--wait",
            "--owner",
            &n.to_string(),
            "--",
            "sh",
            "-c",
            &script,
        ]));
        let waiting = scene.until("waiting", n);
        for d in waiting {
            assert_eq!(d["position"].to_string(), text(&d["owner"]), "its place is its number");
        }
    }
    scene.ok(&["release", &holder]);
    for waiter in waiters {
        assert_eq!(waiter.end().code, 0);
    }
    assert_eq!(std::fs::read_to_string(scene.path("order")).unwrap(), "1\n2\n3\n4\n");
}

#[test]
fn a_shared_one_behind_an_exclusive_waiter_is_not_let_past() {
    let scene = Scene::new();
    let reader = scene.hold(&["-l", "x", "--shared"]);
    let writer = scene.deploy(&["-l", "x", "--wait", "--owner", "writer"]);
    scene.until("waiting", 1);
    let said = scene.refused(&["-l", "x", "--shared"]);
    assert!(said.err.contains("writer"), "who is ahead is named: {}", said.err);
    let late = scene.deploy(&["-l", "x", "--shared", "--wait", "--owner", "late"]);
    scene.until("waiting", 2);
    scene.ok(&["release", &reader]);
    assert_eq!((scene.owners("held"), scene.owners("waiting")), (vec!["writer".into()], vec!["late".into()]));
    assert_eq!(writer.finish().code, 0);
    scene.until("held", 1);
    assert_eq!(scene.owners("held"), ["late"]);
    assert_eq!(late.finish().code, 0);
}

#[test]
fn a_waiter_keeps_its_place_at_every_lock_it_waits_for_and_blocks_no_other() {
    let scene = Scene::new();
    let holder = scene.hold(&["-l", "x"]);
    let waiter = scene.start(&["acquire", "-l", "x", "-l", "y", "--wait"]);
    scene.until("waiting", 1);
    assert!(scene.could_have(&["-l", "z"]));
    scene.refused(&["-l", "y"]);
    waiter.signal("TERM");
    assert_ne!(waiter.end().code, 0);
    assert!(scene.could_have(&["-l", "y"]), "what gives up leaves no trace");
    assert_eq!(scene.list()["deployments"].as_array().unwrap().len(), 1);
    scene.ok(&["release", &holder]);
}

#[test]
fn one_release_lets_in_every_shared_waiter_up_to_the_next_exclusive_one() {
    let scene = Scene::new();
    let holder = scene.hold(&["-l", "x"]);
    let mut waiters = Vec::new();
    for (n, owner) in ["s1", "s2", "w", "s3"].into_iter().enumerate() {
        let mode: &[&str] = if owner == "w" { &[] } else { &["--shared"] };
        waiters.push(scene.deploy(&[&["-l", "x", "--wait", "--owner", owner], mode].concat()));
        scene.until("waiting", n + 1);
    }
    scene.ok(&["release", &holder]);
    assert_eq!(scene.owners("held"), ["s1", "s2"]);
    assert_eq!(scene.owners("waiting"), ["s3", "w"]);
    for waiter in waiters {
        assert_eq!(waiter.finish().code, 0);
    }
}

// What a conflict does.

fn closed(retry: &str) -> Scene {
    Scene::with_topology(&format!(
        "[environments.prod]\ncontainers = [\"a\"]\nallow_concurrent_deployments = false\n{retry}\n[applications.shop]\n"
    ))
}

/// Runs it to its end, which must be this code, and must not have come before this time.
fn gives_up(scene: &Scene, code: i32, after: Duration, args: &[&str]) {
    let began = Instant::now();
    let said = scene.fails(code, args);
    assert!(began.elapsed() >= after, "{args:?} gave up after {:?}", began.elapsed());
    assert_eq!(said.out, "");
    assert!(!said.err.is_empty());
    assert!(scene.in_state("waiting").is_empty() && scene.in_state("paused").is_empty());
}

#[test]
fn enable_lock_retry_waits_and_goes_on() {
    let scene = closed("enable_lock_retry = true");
    let first = scene.hold(&["-e", "prod"]);
    let acquire = scene.start(&["acquire", "-e", "prod", "--owner", "second"]);
    let waiting = scene.until("waiting", 1);
    let run = scene.deploy(&["-e", "prod", "--owner", "third"]);
    scene.until("waiting", 2);
    scene.ok(&["release", &first]);
    let said = acquire.end();
    assert_eq!((said.code, said.out.trim()), (0, waiting[0]["id"].as_str().unwrap()), "{said:?}");
    scene.ok(&["release", said.out.trim()]);
    assert_eq!(run.finish().code, 0);
}

#[test]
fn enable_lock_retry_gives_up_after_interval_times_attempts() {
    for (settings, after) in [
        ("enable_lock_retry = true\nlock_retry_interval = \"1s\"\nlock_retry_attempts = 1", 1000),
        ("enable_lock_retry = true\nlock_retry_interval = \"300ms\"\nlock_retry_attempts = 2", 600),
        ("enableLockRetry = true\nlockRetryInterval = \"300ms\"\nlockRetryAttempts = 2", 600),
    ] {
        let scene = closed(settings);
        scene.hold(&["-e", "prod"]);
        gives_up(&scene, 75, Duration::from_millis(after), &["acquire", "-e", "prod"]);
        gives_up(&scene, 75, Duration::from_millis(after), &["run", "-e", "prod", "--", "true"]);
    }
}

#[test]
fn what_queues_by_itself_gives_up_after_the_environment_s_interval_times_attempts() {
    let scene = Scene::with_topology(
        "[environments.prod]\ncontainers = [\"a\"]\nlock_retry_interval = \"200ms\"\nlock_retry_attempts = 2\n\
         [applications.shop]\nallow_concurrent_deployments = false\n",
    );
    scene.hold(&["-e", "prod", "-a", "shop"]);
    gives_up(&scene, 75, Duration::from_millis(400), &["acquire", "-e", "prod", "-a", "shop"]);
}

#[test]
fn a_conflict_at_an_environment_pauses_acquire() {
    let scene = closed("");
    let first = scene.hold(&["-e", "prod"]);
    let said = scene.fails(75, &["acquire", "-e", "prod", "-a", "shop", "--owner", "second"]);
    assert_eq!(said.out, "");
    let paused = scene.until("paused", 1);
    let id = text(&paused[0]["id"]);
    assert_eq!(paused[0]["owner"], "second");
    assert!(said.err.contains(&id), "the message names {id}: {}", said.err);
    assert!(said.err.contains(&format!("--resume {id}")), "{}", said.err);
    assert!(scene.ok(&["list"]).contains(&id));
    scene.ok(&["release", &first]);
    assert_eq!(scene.state_of(&id), "paused", "nobody resumes it but a person");
    assert!(scene.could_have(&["-e", "prod"]), "it blocks nobody");
    assert_eq!(scene.ok(&["acquire", "--resume", &id]), id);
    assert_eq!(scene.state_of(&id), "held");
    let held = scene.deployment(&id).unwrap();
    assert_eq!((&held["owner"], &held["application"]), (&"second".into(), &"shop".into()));
    scene.refused(&["-e", "prod"]);
    scene.ok(&["release", &id]);
}

#[test]
fn a_resumed_deployment_that_is_blocked_again_stays_paused_unless_told_to_wait() {
    let scene = closed("");
    let first = scene.hold(&["-e", "prod"]);
    scene.fails(75, &["acquire", "-e", "prod"]);
    let id = text(&scene.until("paused", 1)[0]["id"]);
    for how in [&[][..], &["-n"], &["-w", "200ms"]] {
        let said = scene.fails(75, &[&["acquire", "--resume", &id], how].concat());
        assert_eq!(said.out, "");
        assert_eq!(scene.state_of(&id), "paused", "{how:?}");
    }
    let waiter = scene.start(&["acquire", "--resume", &id, "-w", "1h"]);
    eventually("it waits", || scene.state_of(&id) == "waiting");
    scene.ok(&["release", &first]);
    let said = waiter.end();
    assert_eq!((said.code, said.out), (0, format!("{id}\n")));
}

#[test]
fn only_a_paused_deployment_can_be_resumed() {
    let scene = closed("");
    let held = scene.hold(&["-e", "prod"]);
    for id in [held.as_str(), "4711-aaaaaa"] {
        let said = scene.fails(3, &["acquire", "--resume", id]);
        assert_eq!(said.out, "");
    }
    assert_eq!(scene.state_of(&held), "held");
}

#[test]
fn release_and_cancel_withdraw_a_paused_deployment() {
    for command in ["release", "cancel"] {
        let scene = closed("");
        scene.hold(&["-e", "prod"]);
        scene.fails(75, &["acquire", "-e", "prod"]);
        let id = text(&scene.until("paused", 1)[0]["id"]);
        scene.ok(&[command, &id]);
        assert_eq!(scene.state_of(&id), "gone");
        scene.fails(3, &["acquire", "--resume", &id]);
        scene.fails(3, &[command, &id]);
    }
}

#[test]
fn run_pauses_without_a_record() {
    let scene = closed("");
    scene.hold(&["-e", "prod"]);
    let before = scene.list();
    let said = scene.fails(75, &["run", "-e", "prod", "--", "touch", "ran"]);
    assert!(said.err.contains("environment:prod"), "{}", said.err);
    assert_eq!(scene.list(), before);
    assert!(!scene.path("ran").exists());
}

#[test]
fn being_blocked_at_a_container_or_a_group_without_being_full_pauses() {
    let scene = Scene::with_topology(
        "[environments.prod]\ncontainers = [\"a\", \"b\"]\n[containers.a]\nallow_concurrent_deployments = false\n\
         [groups.g]\ncontainers = [\"b\"]\nallow_concurrent_deployments = false\n\
         [applications.shop]\nallow_concurrent_deployments = false\n",
    );
    for (container, lock) in [("a", "container:a"), ("b", "group:g")] {
        let first = scene.hold(&["-e", "prod", "-c", container, "-a", "shop"]);
        for target in [&["-e", "prod", "-c", container][..], &["-e", "prod", "-c", container, "-a", "shop"]] {
            let said = scene.fails(75, &[&["acquire"], target].concat());
            assert!(said.err.contains(lock), "{}", said.err);
            scene.ok(&["release", scene.until("paused", 1)[0]["id"].as_str().unwrap()]);
        }
        scene.ok(&["release", &first]);
    }
}

#[test]
fn an_earlier_waiter_at_an_environment_pauses_too() {
    let scene = Scene::with_topology("[environments.prod]\ncontainers = [\"a\"]\n");
    let first = scene.hold(&["-e", "prod"]);
    let freeze = scene.deploy(&["-e", "prod", "--exclusive", "--wait"]);
    scene.until("waiting", 1);
    scene.fails(75, &["acquire", "-e", "prod"]);
    scene.until("paused", 1);
    scene.ok(&["release", &first]);
    scene.until("held", 1);
    assert_eq!(freeze.finish().code, 0);
}

#[test]
fn no_wait_decides_and_leaves_no_record() {
    let scene = closed("enable_lock_retry = true");
    scene.hold(&["-e", "prod", "-l", "x"]);
    for target in [&["-e", "prod"][..], &["-l", "x"]] {
        scene.refused(target);
        scene.fails(75, &[&["run", "-n"], target, &["--", "true"]].concat());
        assert_eq!(scene.list()["deployments"].as_array().unwrap().len(), 1);
    }
}

#[test]
fn wait_decides_where_it_would_pause() {
    let scene = closed("");
    let first = scene.hold(&["-e", "prod"]);
    let forever = scene.deploy(&["-e", "prod", "--wait"]);
    scene.until("waiting", 1);
    let bounded = scene.deploy(&["-e", "prod", "--wait=1h"]);
    scene.until("waiting", 2);
    let short = scene.deploy(&["-e", "prod", "-w", "3600"]);
    scene.until("waiting", 3);
    scene.ok(&["release", &first]);
    for waiter in [forever, bounded, short] {
        assert_eq!(waiter.finish().code, 0);
    }
}

#[test]
fn a_bounded_wait_ends_with_75_and_leaves_no_record() {
    let scene = closed("enable_lock_retry = true");
    scene.hold(&["-e", "prod", "-l", "x"]);
    let second = Duration::from_secs(1);
    gives_up(&scene, 75, second, &["acquire", "-e", "prod", "-w", "1"]);
    gives_up(&scene, 75, second / 5, &["acquire", "-e", "prod", "--wait=200ms"]);
    gives_up(&scene, 75, second / 5, &["run", "-l", "x", "-w", "200ms", "--", "true"]);
}

#[test]
fn another_exit_code_can_be_had_for_a_conflict() {
    let scene = closed("");
    scene.hold(&["-e", "prod", "-l", "x"]);
    gives_up(&scene, 99, Duration::ZERO, &["acquire", "-e", "prod", "-n", "-E", "99"]);
    gives_up(
        &scene,
        98,
        Duration::ZERO,
        &["acquire", "-l", "x", "-w", "100ms", "--conflict-exit-code", "98"],
    );
    gives_up(&scene, 0, Duration::ZERO, &["run", "-l", "x", "-n", "-E", "0", "--", "false"]);
    scene.fails(97, &["run", "-e", "prod", "-E97", "--", "true"]);
    scene.fails(96, &["acquire", "-e", "prod", "-E", "96"]);
    let id = text(&scene.until("paused", 1)[0]["id"]);
    scene.fails(95, &["acquire", "--resume", &id, "-E", "95"]);
    let waiter = scene.start(&["acquire", "-l", "x", "--wait", "-E", "94"]);
    let id = text(&scene.until("waiting", 1)[0]["id"]);
    scene.ok(&["cancel", &id]);
    assert_eq!(waiter.end().code, 94, "cancelled while waiting");
}

#[test]
fn a_cancelled_waiter_ends_with_75_and_empty_output() {
    let scene = Scene::new();
    scene.hold(&["-l", "x"]);
    let waiter = scene.start(&["acquire", "-l", "x", "--wait"]);
    let id = text(&scene.until("waiting", 1)[0]["id"]);
    scene.ok(&["cancel", &id]);
    let said = waiter.end();
    assert_eq!((said.code, said.out.as_str()), (75, ""), "{said:?}");
    assert_eq!(scene.state_of(&id), "gone");
}

#[test]
fn the_waiting_options_exclude_each_other() {
    let scene = Scene::new();
    for two in [&["-n", "--wait"][..], &["-n", "-w", "1s"], &["--wait", "-w", "1s"], &["-n", "--wait=1s"]] {
        scene.fails(2, &[&["acquire", "-l", "x"], two].concat());
    }
    for wrong in ["soon", "-1", "1 fortnight"] {
        scene.fails(2, &["acquire", "-l", "x", &format!("--wait={wrong}")]);
    }
    scene.fails(2, &["acquire", "-l", "x", "-E", "256"]);
    scene.fails(2, &["acquire", "-l", "x", "--shared", "--slots", "2"]);
}
