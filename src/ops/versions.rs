//! The versions of an application in an environment: a ledger with a line when one begins and when it ends.
//!
//! A number is given under the application's lock and written durably before anybody is told, so that no two
//! deployments get the same one (INTERFACE.md, "Duplicates and versions").

use serde::Serialize;
use serde_json::Value;

use super::Result;
use super::events::rfc3339;
use crate::deployment::{Deployment, Id};
use crate::engine::Standing;
use crate::model::{Kind, LockName, Operation};
use crate::store::{self, Store, Txn};

/// A version.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Version {
    /// The application.
    pub application: String,
    /// The environment.
    pub environment: String,
    /// Its number, from 1.
    pub number: u64,
    /// Its deployment.
    pub id: String,
    /// `done`, `failed`; `running` as long as its deployment holds; else `crashed`.
    pub outcome: String,
    /// What was deployed.
    pub fingerprint: String,
    /// What was done with it.
    pub operation: String,
    /// What people call it (`--app-version`).
    pub version: Option<String>,
    /// By whom.
    pub owner: String,
    /// When it began.
    pub began: String,
    /// When it ended.
    pub ended: Option<String>,
}

/// A line of the ledger.
#[derive(Serialize)]
#[serde(tag = "event", rename_all = "lowercase")]
enum Line {
    Began {
        number: u64,
        id: String,
        application: String,
        environment: String,
        fingerprint: String,
        operation: String,
        version: Option<String>,
        owner: String,
        time: String,
    },
    Ended {
        number: u64,
        outcome: String,
        time: String,
    },
}

/// What came of asking for a version.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use]
pub enum Begun {
    /// This number is the deployment's.
    Number(u64),
    /// The same was deployed before.
    Duplicate(Box<Version>),
}

/// What is deployed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resources {
    /// The fingerprint of its files.
    pub fingerprint: String,
    /// It need not be deployed twice in a row.
    pub skip_duplicate: bool,
}

/// Whether `resources` are what was last deployed, with nobody about to change that.
///
/// # Errors
/// When the store cannot be looked at.
pub fn duplicate(store: &dyn Store, d: &Asked<'_>, resources: &Resources) -> Result<Option<Version>> {
    let Some(lock) = d.lock().filter(|_| resources.skip_duplicate) else {
        return Ok(None);
    };
    let found = store::look(store, |txn| {
        for entry in txn.queue(&lock)? {
            let standing = txn.standing(&entry.id)?;
            if Some(&entry.id) != d.parent && matches!(standing, Standing::Holds | Standing::Waits) {
                return Ok(None);
            }
        }
        Ok(same_as_last(&all(txn, &lock)?, &resources.fingerprint, d.operation))
    })?;
    Ok(found.flatten())
}

/// What is to be deployed where.
#[derive(Debug, Clone, Copy)]
pub struct Asked<'a> {
    /// The locks it takes: the application's among them.
    pub locks: &'a [crate::model::LockRequest],
    /// What is done.
    pub operation: Operation,
    /// The deployment inside which it runs.
    pub parent: Option<&'a Id>,
}

impl Asked<'_> {
    fn lock(&self) -> Option<LockName> {
        self.locks.iter().map(|r| &r.lock).find(|lock| lock.kind == Kind::Application).cloned()
    }
}

/// Gives a deployment that holds its application's lock the next number, unless the same was deployed before.
///
/// # Errors
/// When it cannot be written durably; then no number is used.
pub fn begin(store: &dyn Store, d: &Deployment, resources: &Resources) -> Result<Begun> {
    store::decide(store, |txn| {
        let lock = lock_of(d);
        let versions = all(txn, &lock)?;
        if resources.skip_duplicate
            && let Some(same) = same_as_last(&versions, &resources.fingerprint, d.operation)
        {
            return Ok(Begun::Duplicate(Box::new(same)));
        }
        let number = 1 + versions.iter().map(|v| v.number).max().unwrap_or(0);
        let line = Line::Began {
            number,
            id: d.id.to_string(),
            application: d.application.clone().unwrap_or_default(),
            environment: d.environment.clone().unwrap_or_default(),
            fingerprint: resources.fingerprint.clone(),
            operation: d.operation.as_str().to_owned(),
            version: d.version.clone(),
            owner: d.owner.clone(),
            time: rfc3339(txn.now().wall),
        };
        note(txn, &lock, &line)?;
        Ok(Begun::Number(number))
    })
}

/// The number that this deployment was given before it failed.
///
/// # Errors
/// When the store cannot be looked at.
pub fn given(store: &dyn Store, d: &Deployment) -> Result<Option<u64>> {
    if d.application.is_none() {
        return Ok(None);
    }
    let found = store::look(store, |txn| all(txn, &lock_of(d)))?.unwrap_or_default();
    Ok(found.into_iter().find(|v| v.id == d.id.as_str()).map(|v| v.number))
}

/// Notes how a version ended.
///
/// # Errors
/// When it cannot be written durably.
pub fn end(store: &dyn Store, d: &Deployment, number: u64, outcome: &str) -> Result<()> {
    store::decide(store, |txn| {
        let time = rfc3339(txn.now().wall);
        note(txn, &lock_of(d), &Line::Ended { number, outcome: outcome.to_owned(), time })
    })
}

/// Every version of every application, by application and environment, oldest first.
///
/// # Errors
/// When the store cannot be looked at.
pub fn list(store: &dyn Store) -> Result<Vec<Version>> {
    let found = store::look(store, |txn| {
        let mut versions = Vec::new();
        for lock in txn.ledgers()? {
            versions.extend(all(txn, &lock)?);
        }
        Ok(versions)
    })?;
    Ok(found.unwrap_or_default())
}

fn lock_of(d: &Deployment) -> LockName {
    let lock = d.locks.iter().map(|r| &r.lock).find(|lock| lock.kind == Kind::Application);
    lock.cloned().unwrap_or_else(|| LockName::new(Kind::Application, ""))
}

fn note(txn: &mut dyn Txn, lock: &LockName, line: &Line) -> Result<()> {
    let text = serde_json::to_string(line).expect("a line of text and numbers");
    txn.note(lock, &text)
}

fn same_as_last(versions: &[Version], fingerprint: &str, operation: Operation) -> Option<Version> {
    let last = versions.iter().rfind(|v| v.outcome == DONE)?;
    let undeploy = Operation::Undeploy.as_str();
    // What was taken away is not there, whatever it was made of.
    let same_kind = (last.operation == undeploy) == (operation == Operation::Undeploy);
    (last.fingerprint == fingerprint && same_kind).then(|| last.clone())
}

/// The outcome of a version that was deployed.
pub const DONE: &str = "done";

fn all(txn: &mut dyn Txn, lock: &LockName) -> Result<Vec<Version>> {
    let mut versions = read(&txn.ledger(lock)?);
    for version in versions.iter_mut().filter(|v| v.outcome.is_empty()) {
        let holds = match version.id.parse() {
            Ok(id) => matches!(txn.standing(&id)?, Standing::Holds),
            Err(_) => false,
        };
        version.outcome = if holds { "running" } else { "crashed" }.to_owned();
    }
    Ok(versions)
}

/// A line that makes no sense is one that a crash cut: its number was given to nobody.
fn read(lines: &[String]) -> Vec<Version> {
    let mut versions: Vec<Version> = Vec::new();
    for line in lines {
        let _ = serde_json::from_str(line).ok().and_then(|line| take_in(&mut versions, &line));
    }
    versions
}

/// What a [`Line`] says; `None` where it says too little. (Read by hand: a derived reader of it is half a per cent of
/// the program.)
fn take_in(versions: &mut Vec<Version>, line: &Value) -> Option<()> {
    let text = |key: &str| line[key].as_str().map(str::to_owned);
    let number = line["number"].as_u64()?;
    match line["event"].as_str()? {
        "began" => versions.push(Version {
            application: text("application")?,
            environment: text("environment")?,
            number,
            id: text("id")?,
            outcome: String::new(),
            fingerprint: text("fingerprint")?,
            operation: text("operation")?,
            version: text("version"),
            owner: text("owner")?,
            began: text("time")?,
            ended: None,
        }),
        "ended" => {
            let (outcome, time) = (text("outcome")?, text("time")?);
            let version = versions.iter_mut().find(|v| v.number == number)?;
            version.outcome = outcome;
            version.ended = Some(time);
        }
        _ => {}
    }
    Some(())
}
