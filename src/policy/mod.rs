//! Which locks a deployment takes, each with its mode, its limit and its reason: INTERFACE.md, rules 1 to 7.
//!
//! Pure: the topology and the target decide. No store, no clock, and nothing about who holds what.

mod error;
mod lock_set;
mod scope;
#[cfg(test)]
mod tests;

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::time::Duration;

use crate::model::{Keep, Kind, LockName, LockRequest, Sharing, Target};
use crate::topology::{Environment, NamedLock, RETRY_ATTEMPTS, RETRY_INTERVAL, Topology};

pub use error::{Hint, PolicyError};
use lock_set::{LockSet, Wish, limit_text};
use scope::Scope;

/// What a deployment locks, and how it meets a conflict.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// Each lock once, in the order of the rules.
    pub locks: Vec<PlannedLock>,
    /// The containers it touches, as they are recorded.
    pub containers: Vec<String>,
    /// Where the environment enables it: a conflict makes the deployment wait.
    pub retry: Option<Retry>,
    /// How long it queues at a lock that queues without that.
    pub queue_bound: Duration,
    /// How late a waiter may notice what no event can tell.
    pub retry_interval: Duration,
    /// What becomes of the locks when a `run` dies.
    pub on_crash: Keep,
    /// What becomes of the locks when the command of a `run` fails.
    pub on_failure: Keep,
    /// What a person holds is waited for.
    pub wait_for_manual: bool,
    /// It replaces older ones of the same application that still wait.
    pub latest: bool,
}

/// One lock of a [`Plan`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlannedLock {
    /// The lock, its mode and its limit.
    pub request: LockRequest,
    /// What decided that.
    pub because: Because,
}

/// Why a lock is taken as it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Because {
    /// The rule of INTERFACE.md, "Which locks a deployment takes", 1 to 7.
    pub rule: u8,
    /// The setting or option that decided.
    pub text: Cow<'static, str>,
    /// The line of the topology that decided: of the setting, or for a default of what declares the thing.
    /// `None` for an option.
    pub line: Option<usize>,
}

/// `enable_lock_retry`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retry {
    /// `lock_retry_interval`
    pub interval: Duration,
    /// `lock_retry_attempts`
    pub attempts: u32,
}

/// Decides which locks a deployment takes.
///
/// # Errors
/// The target names what the topology does not declare, or is no target at all: usage errors.
pub fn plan(topology: Option<&Topology>, target: &Target) -> Result<Plan, PolicyError> {
    scope::check_options(target)?;
    let mut set = LockSet::default();
    let Some(environment) = &target.environment else {
        named_locks(topology, target, &mut set);
        return Ok(by_name(set));
    };
    let topology = topology.ok_or_else(|| PolicyError::NoTopology { environment: environment.clone() })?;
    let scope = Scope::resolve(topology, target, environment)?;
    engine(&scope, &mut set);
    application(&scope, &mut set);
    environment_itself(&scope, &mut set);
    let locked = containers(&scope, &mut set);
    chains(&scope, &locked, &mut set);
    groups(&scope, &mut set);
    named_locks(Some(topology), target, &mut set);
    Ok(in_environment(set, &scope))
}

/// Rule 1.
fn engine(scope: &Scope<'_>, set: &mut LockSet) {
    let Some(name) = &scope.environment.engine.value else {
        return;
    };
    let Some(engine) = scope.topology.engines.get(name) else {
        return;
    };
    if engine.lock_used.value {
        let (text, line) = match engine.lock_used.line {
            Some(line) => ("deployment_lock_used = true", line),
            None => ("deployment_lock_used (default true)", engine.line),
        };
        set.add(LockName::new(Kind::Engine, name.as_str()), Wish::exclusive(1, text, Some(line)));
    }
}

/// Rule 2.
fn application(scope: &Scope<'_>, set: &mut LockSet) {
    let Some((name, application)) = scope.application else {
        return;
    };
    // The first `@` stands between the two, so one in the application's name is written otherwise.
    let lock = format!("{}@{}", name.replace('%', "%25").replace('@', "%40"), scope.name);
    let mut wish = Wish::declared(2, &application.concurrency, application.line);
    if scope.target.versioned {
        wish = wish.or_exclusive("--resource");
    }
    set.add(LockName::new(Kind::Application, lock.as_str()), wish);
    let wish = match application.environments.get(scope.name) {
        Some(deployed) => Wish::declared(2, &deployed.concurrency, deployed.line),
        None => Wish::declared(2, &Default::default(), application.line),
    };
    set.add(LockName::new(Kind::DeployedApplication, lock), wish);
}

/// Rule 3.
fn environment_itself(scope: &Scope<'_>, set: &mut LockSet) {
    let mut wish = Wish::declared(3, &scope.environment.concurrency, scope.environment.line);
    if scope.target.exclusive {
        wish = wish.or_exclusive("--exclusive");
    }
    set.add(LockName::new(Kind::Environment, scope.name), wish);
}

/// Rule 4. Returns the containers it locks.
fn containers<'a>(scope: &Scope<'a>, set: &mut LockSet) -> Vec<&'a str> {
    let mut locked = scope.touched.clone();
    for name in &scope.touched {
        set.add(LockName::new(Kind::Container, *name), scope.container(4, name));
    }
    if scope.locks_all() {
        for listed in &scope.environment.containers {
            let line = scope.environment.lock_all.line;
            let wish = Wish::exclusive(4, "lock_all_containers_in_environment = true", line);
            set.add(LockName::new(Kind::Container, listed.name.as_str()), wish);
            locked.push(&listed.name);
        }
    }
    locked
}

/// Rule 5.
fn chains(scope: &Scope<'_>, locked: &[&str], set: &mut LockSet) {
    let mut followed = BTreeSet::new();
    for start in locked {
        let mut at = *start;
        // Where another chain came by, the rest of this one is locked already.
        while followed.insert(at) {
            let Some(part_of) = scope.topology.containers.get(at).map(|container| &container.part_of) else {
                break;
            };
            let Some(next) = part_of.value.as_deref() else {
                break;
            };
            let wish = scope
                .container(5, next)
                .along(&format!("part_of = {next:?} of container {at}"), part_of.line);
            set.add(LockName::new(Kind::Container, next), wish);
            at = next;
        }
    }
}

/// Rule 6.
fn groups(scope: &Scope<'_>, set: &mut LockSet) {
    let mut touched = BTreeSet::new();
    touched.extend(scope.touched.iter().copied());
    for (name, group) in &scope.topology.groups {
        if group.containers.iter().any(|listed| touched.contains(listed.name.as_str())) {
            set.add(
                LockName::new(Kind::Group, name.as_str()),
                Wish::declared(6, &group.concurrency, group.line),
            );
        }
    }
}

/// Rule 7.
fn named_locks(topology: Option<&Topology>, target: &Target, set: &mut LockSet) {
    for name in &target.names {
        let table = topology.and_then(|topology| topology.locks.get(name));
        set.add(LockName::new(Kind::Name, name.as_str()), named_lock(table, target.sharing));
    }
}

fn named_lock(table: Option<&NamedLock>, sharing: Sharing) -> Wish {
    match (table, sharing) {
        (None, Sharing::AsDeclared) => Wish::exclusive(7, "--lock", None),
        (None, Sharing::Shared) => Wish::shared(7, None, "--shared", None),
        (None, Sharing::Slots(limit)) => Wish::shared(7, Some(limit), format!("--slots {limit}"), None),
        (Some(table), Sharing::Shared) => {
            let limit = table.concurrency.limit.value.filter(|_| table.concurrency.allow.value);
            match limit {
                Some(limit) => Wish::shared(7, Some(limit), limit_text(limit), table.concurrency.limit.line),
                None => Wish::shared(7, None, "--shared", None),
            }
        }
        // A table says how many may hold the lock: `--slots` has no say then.
        (Some(table), Sharing::AsDeclared | Sharing::Slots(_)) => {
            Wish::declared(7, &table.concurrency, table.line)
        }
    }
}

/// The plan of a deployment without an environment.
fn by_name(set: LockSet) -> Plan {
    Plan {
        locks: set.into_locks(),
        containers: Vec::new(),
        retry: None,
        queue_bound: RETRY_INTERVAL.saturating_mul(RETRY_ATTEMPTS),
        retry_interval: RETRY_INTERVAL,
        on_crash: Keep::Release,
        on_failure: Keep::Release,
        wait_for_manual: true,
        latest: false,
    }
}

fn in_environment(set: LockSet, scope: &Scope<'_>) -> Plan {
    let Environment { retry, retry_interval, retry_attempts, on_crash, on_failure, .. } = scope.environment;
    let (interval, attempts) = (retry_interval.value, retry_attempts.value);
    Plan {
        locks: set.into_locks(),
        containers: scope.touched.iter().map(|&name| name.to_owned()).collect(),
        retry: retry.value.then_some(Retry { interval, attempts }),
        queue_bound: interval.saturating_mul(attempts),
        retry_interval: interval,
        on_crash: on_crash.value,
        on_failure: on_failure.value,
        wait_for_manual: scope.environment.wait_for_manual.value,
        latest: scope.application.is_some_and(|(_, application)| application.latest.value),
    }
}
