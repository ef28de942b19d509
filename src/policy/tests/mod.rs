//! Which locks follow from which topology and target, by table; the seeds' table; usage errors.

mod refused;
mod rules;
mod seeds;

use std::path::Path;

use super::{Plan, PolicyError, plan};
use crate::model::{LockRequest, Target};
use crate::topology::Topology;

fn topology(text: &str) -> Topology {
    Topology::parse(Path::new("deploylock.toml"), text).unwrap_or_else(|error| panic!("{error}"))
}

/// A target in words: `-e prod -a shop -c web-1 -l name --exclusive --resource`.
fn target(words: &str) -> Target {
    let mut target = Target::default();
    let mut words = words.split_whitespace();
    while let Some(option) = words.next() {
        let mut value = || words.next().unwrap_or_default().to_owned();
        match option {
            "-e" => target.environment = Some(value()),
            "-a" => target.application = Some(value()),
            "-c" => target.containers.push(value()),
            "-l" => target.names.push(value()),
            "--exclusive" => target.exclusive = true,
            "--resource" => target.versioned = true,
            "--shared" => target.sharing = crate::model::Sharing::Shared,
            "--slots" => target.sharing = crate::model::Sharing::Slots(value().parse().unwrap()),
            other => panic!("{other}"),
        }
    }
    target
}

fn planned(text: &str, words: &str) -> Result<Plan, PolicyError> {
    plan(Some(&topology(text)), &target(words))
}

/// A request in words, such as `container:web-1 shared 2`.
fn request(request: &LockRequest) -> String {
    let limit = request.limit.map(|limit| format!(" {limit}")).unwrap_or_default();
    format!("{} {}{limit}", request.lock, request.mode.as_str())
}

/// The locks of a plan in words, without their reasons.
#[track_caller]
fn locks(text: &str, words: &str) -> Vec<String> {
    planned(text, words)
        .unwrap_or_else(|error| panic!("{error}"))
        .locks
        .iter()
        .map(|lock| request(&lock.request))
        .collect()
}

/// The locks of a plan in words, with rule, reason and line.
#[track_caller]
fn reasons(text: &str, words: &str) -> Vec<String> {
    let plan = planned(text, words).unwrap_or_else(|error| panic!("{error}"));
    let reason = |lock: &super::PlannedLock| {
        let because = &lock.because;
        let line = because.line.map(|line| format!(" @{line}")).unwrap_or_default();
        format!("{}: {} | {}{line}", because.rule, request(&lock.request), because.text)
    };
    plan.locks.iter().map(reason).collect()
}
