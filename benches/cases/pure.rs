//! The parts that touch nothing: which locks a deployment takes, who may hold, how it is written down.
//!
//! What is measured takes references and returns what it made, so that taking things down is not measured.

use std::collections::{BTreeMap, BTreeSet};
use std::convert::Infallible;
use std::path::Path;
use std::time::{Duration, UNIX_EPOCH};

use deploylock::deployment::{Command, Deployment, Id, Place, Process};
use deploylock::engine::{self, Asker, Assessment, Entry, Standing, View, Who};
use deploylock::model::{Keep, Kind, LockName, Mode, Operation, Target};
use deploylock::policy::{self, Plan};
use deploylock::store::files::names::{self, Stem};
use deploylock::store::files::{queue, record};
use deploylock::topology::Topology;

use super::store::exclusive;

/// INTERFACE.md's example.
pub const EXAMPLE: &str = include_str!("../example.toml");

/// An environment with so many containers, all of them locked.
pub fn wide(containers: usize) -> String {
    let names: Vec<String> = (0..containers).map(|n| format!("\"container-{n}\"")).collect();
    format!(
        "[environments.prod]\nallow_concurrent_deployments = false\nlock_all_containers_in_environment = true\n\
         containers = [{}]\n[applications.shop]\n",
        names.join(", ")
    )
}

pub fn topology(text: &str) -> Topology {
    Topology::parse(Path::new("deploylock.toml"), text).expect("a topology without mistakes")
}

/// The locks of `run --env prod --app shop`.
pub fn plan(topology: &Topology) -> Plan {
    let (environment, application) = (Some("prod".to_owned()), Some("shop".to_owned()));
    let target = Target { environment, application, ..Target::default() };
    policy::plan(Some(topology), &target).expect("both are declared")
}

/// A store's queues and who is alive, as the engine sees them.
#[derive(Default)]
pub struct Crowd {
    queues: BTreeMap<LockName, Vec<Entry>>,
    waiting: BTreeSet<Id>,
    gone: BTreeSet<Id>,
}

impl Crowd {
    /// So many locks, each held by one deployment.
    pub fn holding(locks: usize) -> Self {
        let mut crowd = Crowd::default();
        for n in 0..locks {
            crowd.enter(&format!("other-{n}"), n);
        }
        crowd
    }

    /// One lock with a holder and so many who wait for it.
    pub fn waiting(waiters: usize) -> Self {
        let mut crowd = Crowd::default();
        for n in 0..=waiters {
            crowd.enter("x", n);
            if n > 0 {
                crowd.waiting.insert(id(n));
            }
        }
        crowd
    }

    /// The same a moment after the holder has released.
    pub fn released(waiters: usize) -> Self {
        let mut crowd = Crowd::waiting(waiters);
        crowd.gone.insert(id(0));
        crowd
    }

    fn enter(&mut self, lock: &str, n: usize) {
        let entry = Entry { id: id(n), mode: Mode::Exclusive, limit: None, under: None };
        self.queues.entry(LockName::new(Kind::Name, lock)).or_default().push(entry);
    }
}

fn id(n: usize) -> Id {
    Id::new(n as u64, 99)
}

impl View for Crowd {
    type Error = Infallible;

    fn queue(&mut self, lock: &LockName) -> Result<Vec<Entry>, Infallible> {
        Ok(self.queues.get(lock).cloned().unwrap_or_default())
    }

    fn standing(&mut self, id: &Id) -> Result<Standing, Infallible> {
        Ok(match (self.gone.contains(id), self.waiting.contains(id)) {
            (true, _) => Standing::Gone,
            (_, true) => Standing::Waits,
            _ => Standing::Holds,
        })
    }

    fn asker(&mut self, _: &Id) -> Result<Option<Asker>, Infallible> {
        Ok(Some(Asker { locks: vec![exclusive("x")], ancestors: Vec::new() }))
    }

    fn waiting_inside(&mut self, _: &Id) -> Result<Vec<Id>, Infallible> {
        Ok(Vec::new())
    }
}

/// What a newcomer that wants the lock is told.
pub fn decide(crowd: &mut Crowd) -> Assessment {
    let who = Who { id: None, ancestors: &[], thorough: false };
    engine::assess(crowd, who, &[exclusive("x")]).expect("nothing fails here")
}

/// Who may hold after a release.
pub fn next(crowd: &mut Crowd) -> Vec<Id> {
    engine::grantable(crowd, &[LockName::new(Kind::Name, "x")]).expect("nothing fails here").0
}

/// A deployment with so many locks, the same on every machine. Not had from a store: those ask for the time through the
/// kernel's page (vDSO), which is not there under valgrind.
pub fn deployment(locks: usize) -> Deployment {
    let time = UNIX_EPOCH + Duration::from_secs(1_800_000_000);
    Deployment {
        id: id(1042),
        token: Some(1042),
        arrival: 1042,
        environment: Some("prod".to_owned()),
        application: Some("shop".to_owned()),
        version: Some("2.1".to_owned()),
        operation: Operation::Deploy,
        containers: (0..locks).map(|n| format!("container-{n}")).collect(),
        locks: (0..locks).map(|n| exclusive(&format!("container-{n}"))).collect(),
        owner: "ci@build-7".to_owned(),
        place: Place {
            host: "build-7".to_owned(),
            boot: "01234567-89ab-cdef-0123-456789abcdef".to_owned(),
            pid_ns: 4_026_531_836,
            time_ns: 4_026_531_834,
            device: 65_024,
        },
        process: Process { pid: 4711, start: 123_456 },
        owner_process: None,
        command: Command::Starting,
        reason: Some("a \"quoted\" reason".to_owned()),
        url: None,
        requested: time,
        since: time,
        ttl: None,
        expires: None,
        parent: None,
        ancestors: Vec::new(),
        on_crash: Keep::Release,
        on_failure: Keep::Release,
        failed: None,
        blocked_at: Vec::new(),
        cancelled: false,
        kill_after: None,
        has_nested: false,
    }
}

pub fn write_record(deployment: &Deployment) -> String {
    record::write(deployment)
}

/// The part that is written again when something about a living deployment changes.
pub fn write_head(deployment: &Deployment) -> String {
    record::head(deployment)
}

pub fn read_record(text: &str) -> Deployment {
    record::read(text.as_bytes(), &id(1042)).expect("as it was written")
}

/// A lock's file with so many lines.
pub fn write_queue(lines: usize) -> String {
    let line = |n| queue::line(&Stem::new(id(n), "01234567", Keep::Release), &exclusive("x"), None, 1);
    (0..lines).map(line).collect()
}

pub fn read_queue(text: &str) -> queue::Queue {
    queue::read(text.as_bytes())
}

/// The file's name of a lock, and back.
pub fn encode(name: &str) -> (String, Option<String>) {
    let path = names::lock_path(name);
    let again = names::lock_name(&path);
    (path, again)
}

/// The longest name there is, of letters that are none of the plain ones.
pub fn hard_name() -> String {
    "É".repeat(100)
}
