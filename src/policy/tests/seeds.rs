//! The table of INTERFACE.md, "Which locks a deployment takes": eight rows, each as lock sets and as what
//! they mean for two deployments.

use super::{planned, request};
use crate::model::{LockRequest, Mode};

/// Two environments that share `c1`, with the row's settings; `other` itself allows everything.
fn row(container: bool, environment: bool, lock_all: bool) -> String {
    let c = format!("allow_concurrent_deployments = {container}\n");
    format!(
        "[environments.e]\ncontainers = [\"c1\", \"c2\"]\nallow_concurrent_deployments = {environment}\n\
         lock_all_containers_in_environment = {lock_all}\n\
         [environments.other]\ncontainers = [\"c1\", \"c3\"]\n\
         [containers.c1]\n{c}[containers.c2]\n{c}[containers.c3]\nallow_concurrent_deployments = true\n"
    )
}

/// Whether both may hold at once.
fn together(a: &LockRequest, b: &LockRequest) -> bool {
    let room = a.limit.into_iter().chain(b.limit).all(|limit| limit.get() >= 2);
    a.lock != b.lock || (a.mode == Mode::Shared && b.mode == Mode::Shared && room)
}

fn allowed(text: &str, one: &str, two: &str) -> bool {
    let (one, two) = (planned(text, one).unwrap(), planned(text, two).unwrap());
    one.locks.iter().all(|a| two.locks.iter().all(|b| together(&a.request, &b.request)))
}

/// Container allows, environment allows, lock all; then the locks of a deployment to c1 in e; then whether
/// these two are allowed at once: both c1 in e; c1 and c2 in e; c2 in e and c1 in other.
type Row = ((bool, bool, bool), &'static [&'static str], [bool; 3]);

const U: bool = false;
const S: bool = true;
const ROWS: [Row; 8] = [
    (
        (U, U, S),
        &["environment:e exclusive", "container:c1 exclusive", "container:c2 exclusive"],
        [false, false, false],
    ),
    ((U, S, U), &["environment:e shared", "container:c1 exclusive"], [false, true, true]),
    ((U, S, S), &["environment:e shared", "container:c1 exclusive"], [false, true, true]),
    ((S, U, U), &["environment:e exclusive", "container:c1 shared"], [false, false, true]),
    (
        (S, U, S),
        &["environment:e exclusive", "container:c1 exclusive", "container:c2 exclusive"],
        [false, false, false],
    ),
    ((U, U, U), &["environment:e exclusive", "container:c1 exclusive"], [false, false, true]),
    ((S, S, U), &["environment:e shared", "container:c1 shared"], [true, true, true]),
    ((S, S, S), &["environment:e shared", "container:c1 shared"], [true, true, true]),
];

#[test]
fn the_table() {
    for ((container, environment, lock_all), locks, [same, beside, elsewhere]) in ROWS {
        let text = row(container, environment, lock_all);
        let plan = planned(&text, "-e e -c c1").unwrap();
        let taken: Vec<String> = plan.locks.iter().map(|lock| request(&lock.request)).collect();
        assert_eq!(taken, locks, "{text}");
        assert_eq!(allowed(&text, "-e e -c c1", "-e e -c c1"), same, "{text}");
        assert_eq!(allowed(&text, "-e e -c c1", "-e e -c c2"), beside, "{text}");
        assert_eq!(allowed(&text, "-e e -c c2", "-e other -c c1"), elsewhere, "{text}");
        assert!(allowed(&text, "-e e -c c2", "-e other -c c3"), "{text}");
    }
}

#[test]
fn check_warns_where_lock_all_has_no_effect() {
    for ((container, environment, lock_all), ..) in ROWS {
        let warned = super::topology(&row(container, environment, lock_all)).warnings();
        assert_eq!(!warned.is_empty(), environment && lock_all, "{warned:?}");
    }
}

#[test]
fn a_freeze_stops_everything() {
    for ((container, environment, lock_all), ..) in ROWS {
        let text = row(container, environment, lock_all);
        assert!(!allowed(&text, "-e e --exclusive", "-e e -c c1"), "{text}");
        assert!(!allowed(&text, "-e e -c c2", "-e e --exclusive"), "{text}");
        // It counts as not allowed for lock-all too, which reaches the environments that share a container.
        if lock_all {
            assert!(!allowed(&text, "-e e -c c2 --exclusive", "-e other -c c1"), "{text}");
        }
    }
}
