//! What is accepted with a warning, and what without.

use super::{EXAMPLE, topology};

/// The line and the text of every warning.
fn warnings(text: &str) -> Vec<(usize, String)> {
    topology(text).warnings().into_iter().map(|warning| (warning.line, warning.text)).collect()
}

#[track_caller]
fn only(text: &str, line: usize, part: &str) {
    let found = warnings(text);
    assert!(found.len() == 1 && found[0].0 == line && found[0].1.contains(part), "{text}\n{found:?}");
}

#[test]
fn a_limit_where_nothing_is_concurrent() {
    const KEYS: &str = "allow_concurrent_deployments = false\nlimit_number_of_concurrent_deployments = 2\n";
    let rest = "[environments.x]\ncontainers = ['c']\n";
    for (header, what) in [
        ("[environments.e]", "environment `e`"),
        ("[containers.c]", "container `c`"),
        ("[applications.a]", "application `a`"),
        ("[applications.a.environments.x]", "application `a` in `x`"),
        ("[locks.n]", "lock `n`"),
        ("[groups.g]\ncontainers = ['c']", "group `g`"),
    ] {
        let line = header.lines().count() + 2;
        only(&format!("{header}\n{KEYS}{rest}"), line, &format!("{what} allows no concurrent"));
    }
}

#[test]
fn lock_all_without_effect() {
    const ALL: &str = "lock_all_containers_in_environment = true\n";
    only(
        &format!("[environments.e]\ncontainers = ['c']\n{ALL}"),
        3,
        "allows concurrent deployments (only --exclusive",
    );
    only(&format!("[environments.e]\n{ALL}"), 2, "allows concurrent");
    only(&format!("[environments.e]\n{ALL}allow_concurrent_deployments = false\n"), 2, "has no containers");
    assert_eq!(warnings("[environments.e]\nlock_all_containers_in_environment = false\n"), []);
}

#[test]
fn engines() {
    only("[engines.x]\n", 1, "no environment uses engine `x`");
    only("[engines.x]\ndeployment_lock_used = false\n", 1, "no environment uses");
    only(
        "[environments.e]\nengine = 'x'\n[engines.x]\ndeploymentLockUsed = false\n",
        4,
        "several deployments may go through engine",
    );
}

#[test]
fn what_is_never_locked() {
    only("[containers.c]\n", 1, "container `c` is never locked");
    only("[containers.c]\npart_of = 'd'\n[containers.d]\n", 1, "container `c` is never locked");
    only("[groups.g]\n", 1, "group `g` is never locked");
    only(
        "[environments.e]\ncontainers = ['c']\n[containers.c]\npart_of = 'd'\n[containers.d]\n[groups.g]\ncontainers = ['d']\n",
        6,
        "group `g` is never locked",
    );
}

#[test]
fn etcd_keys_for_files() {
    only("[store]\nprefix = 'x'\n", 2, "prefix has no effect");
    assert_eq!(warnings("[store]\nbackend = 'etcd'\nprefix = 'x'\n"), []);
}

#[test]
fn in_the_order_of_lines() {
    let found = warnings("[locks.n]\n[groups.g]\n[engines.x]\n[containers.c]\n[store]\nprefix = ''\n");
    assert_eq!(found.iter().map(|(line, _)| *line).collect::<Vec<_>>(), [2, 3, 4, 6]);
}

#[test]
fn the_bound_of_queueing_is_no_mistake() {
    assert_eq!(warnings(&EXAMPLE.replace("enable_lock_retry = true\n", "")), []);
}

#[test]
fn a_timeout_without_a_hook() {
    only("[hooks]\ntimeout = '5s'\n", 2, "timeout has no effect");
    assert_eq!(warnings("[hooks]\ntimeout = '5s'\non_wait = ['x']\n"), []);
    assert_eq!(warnings("[hooks]\n"), []);
}
