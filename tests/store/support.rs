//! Deployments to try, and stores to try them on.

use std::num::NonZeroU32;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use deploylock::deployment::{Deployment, Id, State};
use deploylock::model::{Kind, LockName, LockRequest, Mode};
use deploylock::ops::acquire::{Conflict, Draft, Grant, Outcome, Patience, acquire};
use deploylock::ops::{Never, Silent, release, survey};
use deploylock::store::files::folder::Steps;
use deploylock::store::files::{FilesStore, Place};
use deploylock::store::{Store, StoreError};

/// How long a store may take to wake somebody before a test fails.
pub const PATIENCE: Duration = Duration::from_secs(30);
/// How late another host's changes may be noticed; long, so that no test passes by polling.
pub const RETRY: Duration = Duration::from_secs(600);

pub fn files(directory: &Path) -> FilesStore {
    with_steps(directory, None)
}

pub fn with_steps(directory: &Path, steps: Option<Arc<dyn Steps>>) -> FilesStore {
    FilesStore::new(Place { directory: directory.to_owned(), mode: None, steps })
}

pub fn name(name: &str) -> LockName {
    LockName::new(Kind::Name, name)
}

pub fn exclusive(lock: &str) -> LockRequest {
    LockRequest { lock: name(lock), mode: Mode::Exclusive, limit: None }
}

pub fn shared(lock: &str, limit: u32) -> LockRequest {
    LockRequest { lock: name(lock), mode: Mode::Shared, limit: NonZeroU32::new(limit) }
}

pub fn draft(locks: &[LockRequest]) -> Draft {
    Draft { locks: locks.to_vec(), owner: "tester".into(), ..Draft::default() }
}

pub fn try_now(store: &dyn Store, locks: &[LockRequest]) -> Outcome {
    try_to(store, locks).unwrap()
}

pub fn try_to(store: &dyn Store, locks: &[LockRequest]) -> Result<Outcome, StoreError> {
    acquire(store, &draft(locks), Patience::None, RETRY, &mut Silent, &mut Never)
}

#[track_caller]
pub fn granted(outcome: Outcome) -> Grant {
    match outcome {
        Outcome::Granted(grant) => *grant,
        _ => panic!("expected a grant"),
    }
}

#[track_caller]
pub fn conflict(outcome: Outcome) -> Conflict {
    match outcome {
        Outcome::Conflict(conflict) => conflict,
        _ => panic!("expected a conflict"),
    }
}

#[track_caller]
pub fn hold(store: &dyn Store, locks: &[LockRequest]) -> Grant {
    granted(try_now(store, locks))
}

/// Waits in a thread of its own, as long as it takes.
pub fn wait_in_thread<'scope>(
    scope: &'scope std::thread::Scope<'scope, '_>,
    store: Box<dyn Store + Send>,
    locks: &'scope [LockRequest],
) -> std::thread::ScopedJoinHandle<'scope, Grant> {
    scope.spawn(move || {
        let outcome =
            acquire(&*store, &draft(locks), Patience::AtMost(PATIENCE), RETRY, &mut Silent, &mut Never);
        granted(outcome.unwrap())
    })
}

pub fn give_back(store: &dyn Store, grant: Grant) -> Deployment {
    assert!(release::give_back(store, &grant.deployment, "done").unwrap());
    grant.deployment
}

/// A file system that several kernels may have mounted.
pub struct Remote;

impl Steps for Remote {
    fn before(&self, _step: &deploylock::store::files::folder::Step<'_>) -> std::io::Result<()> {
        Ok(())
    }

    fn local(&self, _seen: bool) -> bool {
        false
    }
}

/// The ids in this state.
pub fn ids(store: &dyn Store, wanted: impl Fn(State) -> bool) -> Vec<Id> {
    let all = survey::survey(store).unwrap().deployments;
    all.iter().filter(|s| wanted(s.stored.state())).map(|s| s.stored.id().clone()).collect()
}

/// Waits until so many wait.
pub fn until_waiting(store: &dyn Store, count: usize) {
    let began = deploylock::clock::since_boot();
    while ids(store, |s| s == State::Waiting).len() != count {
        assert!(deploylock::clock::since_boot() - began < PATIENCE, "never saw {count} waiting");
        std::thread::yield_now();
    }
}

#[cfg(feature = "etcd")]
pub fn etcd(cluster: &crate::cluster::Cluster, prefix: &str) -> deploylock::store::etcd::EtcdStore {
    let place = deploylock::store::etcd::Place {
        endpoints: cluster.endpoints(),
        prefix: prefix.to_owned(),
        ..Default::default()
    };
    deploylock::store::etcd::EtcdStore::new(place).unwrap()
}
