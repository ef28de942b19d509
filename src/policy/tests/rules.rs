//! Rules 1 to 7, one by one, with their reasons.

use std::time::Duration;

use super::{locks, plan, planned, reasons, target};
use crate::model::Keep;
use crate::policy::Retry;

/// Everything that takes locks, with its lines counted from 1 at the `[environments.prod]`.
const ALL: &str = r#"[environments.prod]
containers = ["web-1", "web-2", "db"]
allow_concurrent_deployments = false
lock_all_containers_in_environment = true
engine = "bpm"
[containers.web-1]
limit_number_of_concurrent_deployments = 2
part_of = "cell-a"
[containers.cell-a]
part_of = "hall"
[containers.hall]
allow_concurrent_deployments = false
[groups.web-tier]
containers = ["web-1", "web-2"]
limit_number_of_concurrent_deployments = 1
[groups.data]
containers = ["db"]
[applications.shop]
allow_concurrent_deployments = false
[applications.shop.environments.prod]
containers = ["web-1"]
[engines.bpm]
[locks.db-migrate]
limit_number_of_concurrent_deployments = 3
"#;

#[test]
fn everything_in_the_order_of_the_rules() {
    let all = [
        "1: engine:bpm exclusive | deployment_lock_used (default true) @22",
        "2: application:shop@prod exclusive | allow_concurrent_deployments = false @19",
        "2: deployed-application:shop@prod shared | allows concurrent deployments (default) @20",
        "3: environment:prod exclusive | allow_concurrent_deployments = false @3",
        "4: container:web-1 exclusive | lock_all_containers_in_environment = true @4",
        "4: container:web-2 exclusive | lock_all_containers_in_environment = true @4",
        "4: container:db exclusive | lock_all_containers_in_environment = true @4",
        "5: container:cell-a shared | part_of = \"cell-a\" of container web-1 @8",
        "5: container:hall exclusive | part_of = \"hall\" of container cell-a, allow_concurrent_deployments = false @10",
        "6: group:web-tier shared 1 | limit_number_of_concurrent_deployments = 1 @15",
        "7: name:db-migrate shared 3 | limit_number_of_concurrent_deployments = 3 @24",
        "7: name:other exclusive | --lock",
    ];
    assert_eq!(reasons(ALL, "-e prod -a shop -l db-migrate -l other -l db-migrate"), all);
    assert_eq!(planned(ALL, "-e prod -a shop").unwrap().containers, ["web-1"]);
}

#[test]
fn rule_1_the_engine() {
    let text = |used: &str| format!("[environments.e]\nengine = 'b'\n[engines.b]\n{used}");
    assert_eq!(
        reasons(&text(""), "-e e")[0],
        "1: engine:b exclusive | deployment_lock_used (default true) @3"
    );
    let on = reasons(&text("deployment_lock_used = true\n"), "-e e");
    assert_eq!(on[0], "1: engine:b exclusive | deployment_lock_used = true @4");
    assert_eq!(locks(&text("deployment_lock_used = false\n"), "-e e"), ["environment:e shared"]);
}

#[test]
fn rule_2_the_application() {
    let text = "[environments.e]\n[environments.f]\n[applications.a]\nlimit_number_of_concurrent_deployments = 2\n\
                [applications.a.environments.e]\nallow_concurrent_deployments = false\n";
    let e = [
        "2: application:a@e shared 2 | limit_number_of_concurrent_deployments = 2 @4",
        "2: deployed-application:a@e exclusive | allow_concurrent_deployments = false @6",
        "3: environment:e shared | allows concurrent deployments (default) @1",
    ];
    assert_eq!(reasons(text, "-e e -a a"), e);
    let f = [
        "2: application:a@f exclusive | --resource",
        "2: deployed-application:a@f shared | allows concurrent deployments (default) @3",
        "3: environment:f shared | allows concurrent deployments (default) @2",
    ];
    assert_eq!(reasons(text, "-e f -a a --resource"), f);
}

#[test]
fn rule_3_the_environment() {
    let text =
        "[environments.e]\nallow_concurrent_deployments = true\nlimit_number_of_concurrent_deployments = 2\n";
    assert_eq!(
        reasons(text, "-e e"),
        ["3: environment:e shared 2 | limit_number_of_concurrent_deployments = 2 @3"]
    );
    assert_eq!(reasons(text, "-e e --exclusive"), ["3: environment:e exclusive | --exclusive"]);
    let text = "[environments.e]\nallow_concurrent_deployments = true\n";
    assert_eq!(reasons(text, "-e e"), ["3: environment:e shared | allow_concurrent_deployments = true @2"]);
    // The second key has no effect where the first is false, and the option none where the topology has decided.
    let text =
        "[environments.e]\nallowConcurrentDeployments = false\nlimitNumberOfConcurrentDeployments = 2\n";
    let decided = ["3: environment:e exclusive | allow_concurrent_deployments = false @2"];
    assert_eq!(reasons(text, "-e e"), decided);
    assert_eq!(reasons(text, "-e e --exclusive"), decided);
}

#[test]
fn rule_4_the_containers() {
    let text = "[environments.f]\ncontainers = ['b']\n[environments.e]\ncontainers = ['a',\n'b', 'c']\n\
                [containers.a]\nallow_concurrent_deployments = false\n\
                [applications.s.environments.e]\ncontainers = ['c', 'b']\n";
    let all = [
        "4: container:a exclusive | allow_concurrent_deployments = false @7",
        "4: container:b shared | allows concurrent deployments (default) @5",
        "4: container:c shared | allows concurrent deployments (default) @5",
    ];
    assert_eq!(reasons(text, "-e e")[1..], all);
    assert_eq!(reasons(text, "-e e -c c -c a -c c")[1..], [all[2], all[0]]);
    assert_eq!(planned(text, "-e e -c c -c a -c c").unwrap().containers, ["c", "a"]);
    assert_eq!(planned(text, "-e e -a s").unwrap().containers, ["c", "b"]);
    assert_eq!(planned(text, "-e e -a s -c a").unwrap().containers, ["a"]);
    assert_eq!(planned(text, "-e f -a s").unwrap().containers, ["b"]);
}

#[test]
fn rule_4_lock_all_decides_over_what_is_milder() {
    let text = "[environments.e]\ncontainers = ['a', 'b', 'c']\nlock_all_containers_in_environment = true\n\
                [containers.b]\nallow_concurrent_deployments = false\n";
    let locked = [
        "3: environment:e exclusive | --exclusive",
        "4: container:b exclusive | allow_concurrent_deployments = false @5",
        "4: container:a exclusive | lock_all_containers_in_environment = true @3",
        "4: container:c exclusive | lock_all_containers_in_environment = true @3",
    ];
    assert_eq!(reasons(text, "-e e -c b --exclusive"), locked);
    assert_eq!(planned(text, "-e e -c b --exclusive").unwrap().containers, ["b"]);
    assert_eq!(locks(text, "-e e -c c"), ["environment:e shared", "container:c shared"]);
}

#[test]
fn rule_5_part_of() {
    let text = "[environments.e]\ncontainers = ['a', 'b', 'c']\n[containers.a]\npart_of = 'x'\n[containers.b]\n\
                part_of = 'x'\n[containers.c]\npart_of = 'a'\n[containers.x]\nlimit_number_of_concurrent_deployments = 5\n";
    let x = "5: container:x shared 5 | part_of = \"x\" of container a, limit_number_of_concurrent_deployments = 5 @4";
    assert_eq!(reasons(text, "-e e")[4..], [x], "once, along the first chain that comes by");
    assert_eq!(
        locks(text, "-e e -c c")[1..],
        ["container:c shared", "container:a shared", "container:x shared 5"]
    );
    // The chains of what lock-all adds are followed too, each by its own setting.
    let text = text.replace(
        "[environments.e]",
        "[environments.e]\nallow_concurrent_deployments = false\nlock_all_containers_in_environment = true",
    );
    let locked = locks(&text, "-e e -c b");
    assert_eq!(locked[1..4], ["container:b exclusive", "container:a exclusive", "container:c exclusive"]);
    assert_eq!(locked[4..], ["container:x shared 5"]);
}

#[test]
fn rule_6_groups_of_touched_containers() {
    let text = "[environments.e]\ncontainers = ['a', 'b']\nallow_concurrent_deployments = false\n\
                lock_all_containers_in_environment = true\n[containers.a]\npart_of = 'x'\n[containers.x]\n\
                [groups.g]\ncontainers = ['a', 'b']\nallow_concurrent_deployments = false\n\
                [groups.only-b]\ncontainers = ['b']\n[groups.only-x]\ncontainers = ['x']\n";
    let groups = |words| -> Vec<String> {
        reasons(text, words).into_iter().filter(|reason| reason.starts_with('6')).collect()
    };
    let g = "6: group:g exclusive | allow_concurrent_deployments = false @10";
    let b = "6: group:only-b shared | allows concurrent deployments (default) @11";
    assert_eq!(groups("-e e -c a"), [g], "not those of containers that only lock-all or a chain adds");
    assert_eq!(groups("-e e"), [g, b]);
}

#[test]
fn rule_7_locks_by_name() {
    let text = "[locks.off]\nallow_concurrent_deployments = false\nlimit_number_of_concurrent_deployments = 4\n\
                [locks.two]\nlimit_number_of_concurrent_deployments = 2\n[locks.any]\n";
    for (words, expected) in [
        ("-l n", "7: name:n exclusive | --lock"),
        ("-l n --shared", "7: name:n shared | --shared"),
        ("-l n --slots 3", "7: name:n shared 3 | --slots 3"),
        ("-l off", "7: name:off exclusive | allow_concurrent_deployments = false @2"),
        ("-l off --slots 3", "7: name:off exclusive | allow_concurrent_deployments = false @2"),
        ("-l off --shared", "7: name:off shared | --shared"),
        ("-l two", "7: name:two shared 2 | limit_number_of_concurrent_deployments = 2 @5"),
        ("-l two --slots 3", "7: name:two shared 2 | limit_number_of_concurrent_deployments = 2 @5"),
        ("-l two --shared", "7: name:two shared 2 | limit_number_of_concurrent_deployments = 2 @5"),
        ("-l any", "7: name:any shared | allows concurrent deployments (default) @6"),
        ("-l any --shared", "7: name:any shared | --shared"),
    ] {
        assert_eq!(reasons(text, words), [expected], "{words}");
    }
}

#[test]
fn without_a_topology() {
    let plan = plan(None, &target("-l b -l a -l b")).unwrap();
    let taken: Vec<String> = plan.locks.iter().map(|lock| lock.request.lock.to_string()).collect();
    assert_eq!(taken, ["name:b", "name:a"]);
    assert_eq!((plan.retry, plan.queue_bound), (None, Duration::from_secs(1800)));
    assert_eq!(plan.retry_interval, Duration::from_secs(30));
}

#[test]
fn how_a_conflict_is_met() {
    let defaults = planned("[environments.e]\n", "-e e").unwrap();
    assert_eq!((defaults.retry, defaults.queue_bound), (None, Duration::from_secs(1800)));
    assert_eq!((defaults.on_crash, defaults.on_failure), (Keep::Release, Keep::Release));
    let text = "[environments.e]\nlock_retry_interval = 10\nlock_retry_attempts = 6\non_crash = 'hold'\n\
                on_failure = 'hold'\n";
    let off = planned(text, "-e e").unwrap();
    assert_eq!(
        (off.retry, off.queue_bound),
        (None, Duration::from_secs(60)),
        "they bound queueing all the same"
    );
    assert_eq!((off.on_crash, off.on_failure), (Keep::Hold, Keep::Hold));
    let on = planned(&format!("{text}enable_lock_retry = true\n"), "-e e").unwrap();
    assert_eq!(on.retry, Some(Retry { interval: Duration::from_secs(10), attempts: 6 }));
    let huge =
        "[environments.e]\nlock_retry_interval = 18446744073709551615\nlock_retry_attempts = 4294967295\n";
    assert_eq!(planned(huge, "-e e").unwrap().queue_bound, Duration::MAX);
}
