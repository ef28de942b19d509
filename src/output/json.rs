//! The JSON of INTERFACE.md: stable, fields only ever added.

use std::time::Duration;

use serde::Serialize;

use super::style::is_invisible;
use crate::deployment::{Deployment, Happening, Id, State, Stored, Verdict};
use crate::engine::Entry;
use crate::model::{LockRequest, Mode};
use crate::ops::events::rfc3339;
use crate::ops::statistics::{Figures, Times};
use crate::ops::survey::{LockShown, Shown, Survey};

#[derive(Serialize)]
struct List<'a> {
    locks: Vec<Lock<'a>>,
    deployments: Vec<One<'a>>,
}

#[derive(Serialize)]
struct Lock<'a> {
    lock: String,
    limit: Option<u32>,
    holders: Vec<Member<'a>>,
    waiters: Vec<Member<'a>>,
}

#[derive(Serialize)]
struct Member<'a> {
    id: &'a str,
    mode: &'static str,
}

/// A lock of a deployment, or of a plan.
#[derive(Serialize)]
pub struct Asked {
    /// `kind:name`
    pub lock: String,
    /// `shared` or `exclusive`
    pub mode: &'static str,
    /// The limit asked with.
    pub limit: Option<u32>,
}

/// A deployment; of an unreadable one only the id, the state and the path say anything.
#[derive(Serialize, Default)]
pub struct One<'a> {
    id: &'a str,
    state: &'static str,
    environment: Option<&'a str>,
    application: Option<&'a str>,
    version: Option<&'a str>,
    operation: Option<&'static str>,
    containers: Vec<&'a str>,
    locks: Vec<Asked>,
    owner: Option<&'a str>,
    host: Option<&'a str>,
    pid: Option<u32>,
    reason: Option<&'a str>,
    url: Option<&'a str>,
    token: Option<u64>,
    requested: Option<String>,
    since: Option<String>,
    expires: Option<String>,
    stale: Option<&'a str>,
    position: Option<usize>,
    waiting_for: Vec<&'a str>,
    parent: Option<&'a str>,
    exit_status: Option<i32>,
    kept: Option<&'a str>,
    cancelled: bool,
    blocked_at: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    path: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    problem: Option<&'a str>,
}

/// Everything, as one object and a newline.
#[must_use]
pub fn list(survey: &Survey) -> String {
    let locks = survey.locks.iter().map(lock).collect();
    let deployments = survey.deployments.iter().map(one).collect();
    to_text(&List { locks, deployments })
}

/// Any of these objects, as text and a newline.
pub fn to_text(value: &impl Serialize) -> String {
    let mut bytes = Bytes(Vec::new());
    // Only what is written to may fail, and memory does not.
    let _ = serde_json::to_writer(&mut bytes, value);
    let mut text = String::from_utf8(bytes.0).unwrap_or_default();
    // JSON lets these through; a terminal would obey them. None of them is among the printable of ASCII.
    if text.bytes().all(|b| b < 0x7f) {
        text.push('\n');
        return text;
    }
    let mut safe = String::with_capacity(text.len() + 1);
    for c in text.chars() {
        match c {
            c if c.is_control() || is_invisible(c) => {
                c.encode_utf16(&mut [0; 2]).iter().for_each(|unit| safe.push_str(&format!("\\u{unit:04x}")));
            }
            c => safe.push(c),
        }
    }
    safe.push('\n');
    safe
}

/// Text that grows by a few bytes a time, hundreds for each deployment: to call for the copying of them takes longer than
/// to copy them.
struct Bytes(Vec<u8>);

/// From how many on that is no longer so.
const FEW: usize = 16;

impl std::io::Write for Bytes {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        if bytes.len() < FEW {
            bytes.iter().for_each(|b| self.0.push(*b));
        } else {
            self.0.extend_from_slice(bytes);
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

fn lock(shown: &LockShown) -> Lock<'_> {
    let members = |wanted: bool| {
        let chosen = shown.entries.iter().filter(move |(_, holds)| *holds == wanted);
        chosen.map(|(e, _)| member(e)).collect()
    };
    Lock {
        lock: shown.lock.to_string(),
        limit: shown.entries.iter().filter_map(|(e, _)| e.limit).min().map(Into::into),
        holders: members(true),
        waiters: members(false),
    }
}

fn member(entry: &Entry) -> Member<'_> {
    Member { id: entry.id.as_str(), mode: entry.mode.as_str() }
}

/// A lock as it is asked for.
#[must_use]
pub fn asked(request: &LockRequest) -> Asked {
    let limit = request.limit.filter(|_| request.mode == Mode::Shared).map(Into::into);
    Asked { lock: request.lock.to_string(), mode: request.mode.as_str(), limit }
}

/// What a hook is told on its standard input.
#[derive(Serialize)]
struct Happened<'a> {
    event: &'static str,
    time: String,
    deployment: One<'a>,
    why: Option<&'a str>,
    by: Option<&'a str>,
    outcome: Option<&'a str>,
    waited_ms: Option<u64>,
    held_ms: Option<u64>,
}

/// What happened, as one object and a newline, for a hook.
#[must_use]
pub fn happening(h: &Happening) -> String {
    let shown = Shown {
        stored: h.stored.clone(),
        verdict: h.stale.clone().map_or(Verdict::Alive(None), Verdict::Dead),
        position: h.position,
        waiting_for: h.waiting_for.clone(),
        queued_at: Vec::new(),
    };
    let milliseconds = |t: Duration| t.as_millis() as u64;
    to_text(&Happened {
        event: h.hook.word(),
        time: rfc3339(h.time),
        deployment: one(&shown),
        why: h.why.as_deref(),
        by: h.by.as_deref(),
        outcome: h.outcome.as_deref(),
        waited_ms: h.waited.map(milliseconds),
        held_ms: h.held.map(milliseconds),
    })
}

#[derive(Serialize)]
struct Statistics<'a> {
    environments: Vec<Environment<'a>>,
}

#[derive(Serialize)]
struct Environment<'a> {
    environment: Option<&'a str>,
    deployments: usize,
    failed: usize,
    stale: usize,
    waited_ms: Spread,
    held_ms: Spread,
}

#[derive(Serialize)]
struct Spread {
    count: usize,
    median: Option<u64>,
    p95: Option<u64>,
}

/// What the history comes to.
#[must_use]
pub fn statistics(figures: &[Figures]) -> String {
    let milliseconds = |t: Duration| t.as_millis() as u64;
    let spread = |times: &Times| Spread {
        count: times.count(),
        median: times.median().map(milliseconds),
        p95: times.p95().map(milliseconds),
    };
    let environments = figures.iter().map(|f| Environment {
        environment: f.environment.as_deref(),
        deployments: f.deployments,
        failed: f.failed,
        stale: f.stale,
        waited_ms: spread(&f.waited),
        held_ms: spread(&f.held),
    });
    to_text(&Statistics { environments: environments.collect() })
}

/// A deployment.
#[must_use]
pub fn one(shown: &Shown) -> One<'_> {
    match &shown.stored {
        Stored::Readable(state, d) => readable(*state, d, shown),
        Stored::Unreadable(u) => One {
            id: u.id.as_str(),
            state: "unreadable",
            stale: shown.stale(),
            path: Some(&u.path),
            problem: Some(&u.why),
            ..One::default()
        },
    }
}

fn readable<'a>(state: State, d: &'a Deployment, shown: &'a Shown) -> One<'a> {
    One {
        id: d.id.as_str(),
        state: state.word(),
        environment: d.environment.as_deref(),
        application: d.application.as_deref(),
        version: d.version.as_deref(),
        operation: Some(d.operation.as_str()),
        containers: d.containers.iter().map(String::as_str).collect(),
        locks: d.locks.iter().map(asked).collect(),
        owner: Some(&d.owner),
        host: Some(&d.place.host),
        pid: Some(d.owner_process.as_ref().map_or(d.process.pid, |p| p.pid)),
        reason: d.reason.as_deref(),
        url: d.url.as_deref(),
        token: d.token,
        requested: Some(rfc3339(d.requested)),
        since: Some(rfc3339(d.since)),
        expires: d.expires.map(|e| rfc3339(e.wall)),
        stale: shown.stale(),
        position: shown.position,
        waiting_for: shown.waiting_for.iter().map(Id::as_str).collect(),
        parent: d.parent.as_ref().map(Id::as_str),
        exit_status: d.failed,
        kept: match &shown.verdict {
            Verdict::Kept(why) => Some(why),
            _ => None,
        },
        cancelled: d.cancelled,
        blocked_at: d.blocked_at.iter().map(ToString::to_string).collect(),
        path: None,
        problem: None,
    }
}
