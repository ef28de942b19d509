//! The lines of the history: what happened to which deployment, when, how long it took, by whom.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use crate::clock;
use crate::deployment::{Deployment, Happening, State, Stored};
use crate::model::Hook;
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

    /// Whether there is nothing to be had of the deployment afterwards.
    const fn takes_away(self) -> bool {
        matches!(self, What::Cleared | What::Reclaimed | What::Released)
    }

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

/// What is said besides what the deployment itself says.
#[derive(Debug, Clone, Copy, Default)]
pub struct Aside<'a> {
    /// How it ended.
    pub outcome: Option<&'a str>,
    /// Why it was done to it.
    pub why: Option<&'a str>,
    /// Why it was found dead, where it was.
    pub stale: Option<&'a str>,
    /// Who did it.
    pub by: Option<&'a str>,
    /// The freeze it passed by an override, and why.
    pub overridden: Option<&'a str>,
    /// How long it waited or held, where that is not the time in its present state.
    pub took: Option<Duration>,
}

/// What last happened to a deployment, as the history tells it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Last {
    /// What.
    pub what: What,
    /// When, as the history has it.
    pub time: String,
    /// Who did it.
    pub by: Option<String>,
    /// Why.
    pub why: Option<String>,
    /// How it ended.
    pub outcome: Option<String>,
    /// It was found dead.
    pub stale: bool,
}

/// What last happened to the deployment of this id, as far as the history knows.
///
/// # Errors
/// When the history cannot be read.
pub fn last(store: &dyn Store, id: &str) -> Result<Option<Last>> {
    let lines = store.history()?;
    let last = last_in(&lines, id, |_| true);
    if last.as_ref().is_some_and(|last| last.what == What::Acquired) {
        // Who is granted says so when it has seen it, and what was granted may have been taken away by then.
        let before = last_in(&lines, id, |event| event.what != What::Acquired);
        return Ok(before.filter(|event| event.what.takes_away()).or(last));
    }
    Ok(last)
}

/// The last of what happened to the deployment of this id that is such an event.
///
/// # Errors
/// When the history cannot be read.
pub fn last_of(store: &dyn Store, id: &str, such: fn(&Last) -> bool) -> Result<Option<Last>> {
    Ok(last_in(&store.history()?, id, such))
}

fn last_in(lines: &[String], id: &str, such: fn(&Last) -> bool) -> Option<Last> {
    lines.iter().rev().find_map(|line| parsed(line, id).filter(such))
}

/// What this line tells, if it is about this one.
fn parsed(line: &str, id: &str) -> Option<Last> {
    let event = line.contains(id).then(|| serde_json::from_str::<serde_json::Value>(line).ok()).flatten()?;
    let what = What::ALL.into_iter().find(|what| event["event"] == what.as_str());
    let what = what.filter(|_| event["id"] == id)?;
    let text = |key: &str| event[key].as_str().map(str::to_owned);
    Some(Last {
        what,
        time: text("time").unwrap_or_default(),
        by: text("by"),
        why: text("why"),
        outcome: text("outcome"),
        stale: event["stale"].is_string(),
    })
}

/// A time as JSON has it: RFC 3339, UTC, whole seconds.
#[must_use]
pub fn rfc3339(time: SystemTime) -> String {
    humantime::format_rfc3339_seconds(time).to_string()
}

/// Adds a line. A history that cannot be written stops no deployment.
pub fn log(txn: &mut dyn Txn, what: What, d: &Deployment, aside: Aside<'_>) {
    let event = Event::of(what, d, aside);
    write(txn, &event);
    tell(txn, &event, || Stored::Readable(event.state, Arc::new(d.clone())));
}

/// [`log`] for one whose record may be unreadable, or whose state `what` does not tell.
pub fn log_stored(txn: &mut dyn Txn, what: What, stored: &Stored, aside: Aside<'_>) {
    let (id, d) = (stored.id().as_str(), stored.deployment());
    let event = Event { what, state: stored.state(), id, d, aside };
    write(txn, &event);
    tell(txn, &event, || stored.clone());
}

/// [`log`] outside of a decision, for one that told nobody: hooks follow decisions.
pub fn log_alone(store: &dyn Store, what: What, d: &Deployment, aside: Aside<'_>) {
    let event = Event::of(what, d, aside);
    let _ = store.log(&text(&event, clock::now().wall));
}

/// Something that has just happened.
struct Event<'a> {
    what: What,
    state: State,
    id: &'a str,
    d: Option<&'a Deployment>,
    aside: Aside<'a>,
}

/// The state that an event speaks of by itself; what ends is taken to have held.
fn state_after(what: What) -> State {
    match what {
        What::Waited | What::Superseded => State::Waiting,
        What::Paused => State::Paused,
        _ => State::Attached,
    }
}

impl<'a> Event<'a> {
    fn of(what: What, d: &'a Deployment, aside: Aside<'a>) -> Self {
        Event { what, state: state_after(what), id: d.id.as_str(), d: Some(d), aside }
    }

    /// How long it waited and how long it held, each where it is over with this.
    fn times(&self, now: SystemTime) -> (Option<Duration>, Option<Duration>) {
        let took = self.aside.took;
        let in_state = || took.or_else(|| now.duration_since(self.d?.since).ok());
        match (self.what, self.state) {
            (What::Waited | What::Renewed, _) => (None, None),
            (What::Acquired, _) => (Some(took.unwrap_or_default()), None),
            (What::Paused, _) => (took, None),
            (What::Resumed, _) => (None, took),
            // It has only been asked to end.
            (What::Cancelled, _) if self.aside.outcome.is_none() => (None, None),
            (_, State::Waiting) => (in_state(), None),
            (_, State::Paused) => (None, None),
            (_, State::Attached | State::Detached) => (None, in_state()),
        }
    }

    /// Which hook is told of it.
    fn hook(&self) -> Option<Hook> {
        match self.what {
            What::Waited => Some(Hook::Wait),
            What::Acquired => Some(Hook::Grant),
            What::Released | What::Superseded => Some(Hook::Release),
            // One that was only asked to end gives its locks back when it has ended.
            What::Cancelled => self.aside.outcome.map(|_| Hook::Release),
            What::Reclaimed => Some(Hook::Stale),
            What::Cleared if self.aside.stale.is_some() => Some(Hook::Stale),
            What::Cleared => Some(Hook::Clear),
            What::Paused | What::Renewed | What::Failed | What::Resumed => None,
        }
    }
}

fn write(txn: &mut dyn Txn, event: &Event<'_>) {
    let text = text(event, txn.now().wall);
    txn.log(&text);
}

/// A key of [`Line`], and what stands around it.
macro_rules! key {
    (first $name:literal) => {
        concat!("{\"", $name, "\":")
    };
    ($name:literal) => {
        concat!(",\"", $name, "\":")
    };
}

/// The event as a line of JSON.
fn text(event: &Event<'_>, now: SystemTime) -> String {
    let (d, aside) = (event.d, event.aside);
    let (waited, held) = event.times(now);
    let milliseconds = |t: Duration| t.as_millis() as u64;
    let mut line = Line::new(key!(first "time"), &rfc3339(now));
    line.text(key!("event"), Some(event.what.as_str()));
    line.text(key!("id"), Some(event.id));
    line.text(key!("environment"), d.and_then(|d| d.environment.as_deref()));
    line.text(key!("application"), d.and_then(|d| d.application.as_deref()));
    line.text(key!("version"), d.and_then(|d| d.version.as_deref()));
    line.text(key!("operation"), d.map(|d| d.operation.as_str()));
    line.texts(key!("locks"), d.iter().flat_map(|d| &d.locks).map(|r| r.lock.text()));
    line.text(key!("owner"), d.map(|d| d.owner.as_str()));
    line.text(key!("reason"), d.and_then(|d| d.reason.as_deref()));
    line.number(key!("token"), d.and_then(|d| d.token));
    line.text(key!("outcome"), aside.outcome);
    line.number(key!("exit_status"), d.and_then(|d| d.failed));
    line.text(key!("why"), aside.why);
    // Why it was found dead, where it was.
    line.text(key!("stale"), aside.stale);
    line.text(key!("by"), aside.by);
    line.text(key!("override"), aside.overridden);
    // In milliseconds, where its wait or its hold is over with this.
    line.number(key!("waited_ms"), waited.map(milliseconds));
    line.number(key!("held_ms"), held.map(milliseconds));
    line.end()
}

/// An object of JSON in the making. Each deployment writes some, and serde takes three times as long. In few pieces: the C
/// library takes 20 ns to copy a text, however short.
struct Line {
    json: String,
}

impl Line {
    fn new(key: &str, value: &str) -> Self {
        let mut line = Line { json: String::with_capacity(512) };
        line.text(key, Some(value));
        line
    }

    fn text(&mut self, key: &str, value: Option<&str>) {
        self.json.push_str(key);
        match value {
            Some(value) => self.quote(value),
            None => self.json.push_str("null"),
        }
    }

    fn texts(&mut self, key: &str, values: impl Iterator<Item = String>) {
        self.json.push_str(key);
        self.json.push('[');
        for (i, value) in values.enumerate() {
            if i > 0 {
                self.json.push(',');
            }
            self.quote(&value);
        }
        self.json.push(']');
    }

    fn number(&mut self, key: &str, value: Option<impl itoa::Integer>) {
        self.json.push_str(key);
        match value {
            Some(value) => self.json.push_str(itoa::Buffer::new().format(value)),
            None => self.json.push_str("null"),
        }
    }

    fn quote(&mut self, value: &str) {
        if value.bytes().any(|b| b < b' ' || matches!(b, b'"' | b'\\')) {
            self.json.push_str(&serde_json::to_string(value).unwrap_or_default());
        } else {
            self.json.push('"');
            self.json.push_str(value);
            self.json.push('"');
        }
    }

    fn end(self) -> String {
        self.json + "}"
    }
}

/// Keeps it for the hooks, where there are any. A place in the queue costs a look at it, so only then.
fn tell(txn: &mut dyn Txn, event: &Event<'_>, stored: impl FnOnce() -> Stored) {
    let Some(hook) = event.hook().filter(|_| txn.is_heard()) else {
        return;
    };
    let stored = stored();
    let place = (hook == Hook::Wait).then(|| super::survey::place(txn, &stored).ok()).flatten();
    let (position, waiting_for) = place.unwrap_or_default();
    let time = txn.now().wall;
    let (waited, held) = event.times(time);
    let text = |t: Option<&str>| t.map(str::to_owned);
    let Aside { outcome, why, stale, by, .. } = event.aside;
    let (outcome, why, stale, by) = (text(outcome), text(why), text(stale), text(by));
    txn.tell(Happening { hook, time, stored, position, waiting_for, stale, outcome, why, by, waited, held });
}

#[cfg(test)]
mod tests {
    use super::*;

    proptest::proptest! {
        #[test]
        fn a_line_is_what_serde_would_write(
            text in proptest::option::of("\\PC*|[\\x00-\\x7f]*|.*"),
            texts in proptest::collection::vec("[a-c\"\\\\\n]{0,4}", 0..4),
            number in proptest::option::of(proptest::num::u64::ANY),
        ) {
            let mut line = Line::new(key!(first "0"), "");
            line.text(key!("1"), text.as_deref());
            line.texts(key!("2"), texts.iter().cloned());
            line.number(key!("3"), number);
            let quoted = |value: &serde_json::Value| serde_json::to_string(value).unwrap();
            let [text, texts, number] = [text.into(), texts.into(), number.into()].map(|v| quoted(&v));
            proptest::prop_assert_eq!(line.end(), format!("{{\"0\":\"\",\"1\":{text},\"2\":{texts},\"3\":{number}}}"));
        }
    }
}
