//! The lines of the history: what happened to which deployment, when, how long it took, by whom.

use std::time::{Duration, SystemTime};

use serde::Serialize;

use crate::deployment::{Deployment, Id, Stored};
use crate::store::{Result, Store, Txn};

/// What happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum What {
    /// It was granted its locks.
    Acquired,
    /// It was queued.
    Waited,
    /// It gave its locks back, or withdrew.
    Released,
    /// It was paused.
    Paused,
    /// Somebody cleared it.
    Cleared,
    /// It was found dead, and its locks given to the next.
    Reclaimed,
    /// Its time to live was started again.
    Renewed,
    /// Somebody asked it to end.
    Cancelled,
    /// It waited, and a newer one took its place.
    Superseded,
    /// Its command failed, and its locks are kept for a person.
    Failed,
    /// A command goes on under the locks that were kept.
    Resumed,
}

impl What {
    /// Everything that can happen.
    pub const ALL: [What; 11] = [
        What::Acquired,
        What::Waited,
        What::Released,
        What::Paused,
        What::Cleared,
        What::Reclaimed,
        What::Renewed,
        What::Cancelled,
        What::Superseded,
        What::Failed,
        What::Resumed,
    ];

    /// The word in the history and on the command line.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            What::Acquired => "acquired",
            What::Waited => "waited",
            What::Released => "released",
            What::Paused => "paused",
            What::Cleared => "cleared",
            What::Reclaimed => "reclaimed",
            What::Renewed => "renewed",
            What::Cancelled => "cancelled",
            What::Superseded => "superseded",
            What::Failed => "failed",
            What::Resumed => "resumed",
        }
    }
}

/// One line.
#[derive(Debug, Serialize)]
struct Line<'a> {
    time: String,
    event: &'static str,
    id: &'a str,
    environment: Option<&'a str>,
    application: Option<&'a str>,
    version: Option<&'a str>,
    operation: Option<&'a str>,
    locks: Vec<String>,
    owner: Option<&'a str>,
    reason: Option<&'a str>,
    token: Option<u64>,
    outcome: Option<&'a str>,
    why: Option<&'a str>,
    by: Option<&'a str>,
    /// How long it waited or held, in milliseconds.
    milliseconds: Option<u64>,
}

/// What is said besides what the deployment itself says.
#[derive(Debug, Clone, Copy, Default)]
pub struct Aside<'a> {
    /// How it ended.
    pub outcome: Option<&'a str>,
    /// Why it was done to it.
    pub why: Option<&'a str>,
    /// Who did it.
    pub by: Option<&'a str>,
    /// How long it waited or held.
    pub took: Option<Duration>,
}

/// What last happened to a deployment, and who did it, as far as the history knows.
///
/// # Errors
/// When the history cannot be read.
pub fn last_of(store: &dyn Store, id: &Id) -> Result<(Option<What>, Option<String>)> {
    let lines = store.history()?;
    let mut events = lines.iter().rev().filter(|line| line.contains(id.as_str()));
    let own = events.find_map(|line| {
        let event = serde_json::from_str::<serde_json::Value>(line).ok()?;
        (event["id"] == id.as_str()).then_some(event)
    });
    let Some(event) = own else { return Ok((None, None)) };
    let what = What::ALL.into_iter().find(|what| event["event"] == what.as_str());
    Ok((what, event["by"].as_str().map(str::to_owned)))
}

/// A time as JSON has it: RFC 3339, UTC, whole seconds.
#[must_use]
pub fn rfc3339(time: SystemTime) -> String {
    humantime::format_rfc3339_seconds(time).to_string()
}

/// Adds a line. A history that cannot be written stops no deployment.
pub fn log(txn: &mut dyn Txn, what: What, d: &Deployment, aside: Aside<'_>) {
    write(txn, what, d.id.as_str(), Some(d), aside);
}

/// [`log`] for one whose record may be unreadable.
pub fn log_stored(txn: &mut dyn Txn, what: What, stored: &Stored, aside: Aside<'_>) {
    write(txn, what, stored.id().as_str(), stored.deployment(), aside);
}

fn write(txn: &mut dyn Txn, what: What, id: &str, d: Option<&Deployment>, aside: Aside<'_>) {
    let line = Line {
        time: rfc3339(txn.now().wall),
        event: what.as_str(),
        id,
        environment: d.and_then(|d| d.environment.as_deref()),
        application: d.and_then(|d| d.application.as_deref()),
        version: d.and_then(|d| d.version.as_deref()),
        operation: d.map(|d| d.operation.as_str()),
        locks: d.map_or_else(Vec::new, |d| d.locks.iter().map(|r| r.lock.to_string()).collect()),
        owner: d.map(|d| d.owner.as_str()),
        reason: d.and_then(|d| d.reason.as_deref()),
        token: d.and_then(|d| d.token),
        outcome: aside.outcome,
        why: aside.why,
        by: aside.by,
        milliseconds: aside.took.map(|t| t.as_millis() as u64),
    };
    if let Ok(text) = serde_json::to_string(&line) {
        let _ = txn.log(&text);
    }
}
