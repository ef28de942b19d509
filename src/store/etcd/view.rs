//! What the store says at one revision: every record, who is alive, and the queues that follow from it. The
//! queues are not stored: a record says at which locks it stands since when, and that is all there is to a queue.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::client::{self, Client};
use super::glimpse::Glimpse;
use super::keys::{Keys, Part};
use super::messages::{KeyValue, Range, RangeAnswer};
use crate::deployment::{Deployment, Id, State};
use crate::engine::Entry;
use crate::model::{LockName, Mode};
use crate::store::files::record;

/// What a record says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Content {
    pub(super) state: State,
    /// Lock by lock the ancestor whose hold counts.
    pub(super) under: Vec<(LockName, Id)>,
    pub(super) deployment: Deployment,
}

/// A deployment as it lies in etcd.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Record {
    /// When its key was last written; 0 for one that is not there yet.
    pub(super) written: i64,
    /// What it says, or why that cannot be read.
    pub(super) content: Result<Content, String>,
    /// The lease that its process keeps alive.
    pub(super) alive: Option<i64>,
    /// The lease that lasts as long as its time to live.
    pub(super) until: Option<i64>,
    /// What it was before it was resumed, as text.
    pub(super) paused: Option<String>,
}

/// Everything at one revision.
#[derive(Debug, Clone)]
pub(super) struct View {
    pub(super) revision: i64,
    /// Nothing is missing; else only the records that are here are known.
    pub(super) whole: bool,
    /// Where it is not whole: what else is known of this revision, if it is one.
    pub(super) glimpse: Option<Glimpse>,
    /// Added to revisions for numbers.
    pub(super) base: u64,
    pub(super) records: BTreeMap<Id, Record>,
    /// At which locks those stand whose records cannot be read, as the keys of the locks have it.
    stray: HashMap<LockName, Vec<Entry>>,
}

impl View {
    /// Everything as it is now, or was at this revision.
    pub(super) fn load(client: &Client, keys: &Keys, at: i64, deadline: Duration) -> client::Result<View> {
        let range = Range { revision: at, ..Range::prefix(keys.deployments()) };
        let mut answer = client.range(&range, deadline)?;
        if at > 0 {
            answer.header.revision = at;
        }
        View::of(answer, client, keys, deadline)
    }

    /// These records, and no more is known.
    pub(super) fn part(revision: i64, base: u64, records: BTreeMap<Id, Record>) -> View {
        View { revision, whole: false, glimpse: None, base, records, stray: HashMap::new() }
    }

    /// The view that this answer gives.
    pub(super) fn of(
        answer: RangeAnswer,
        client: &Client,
        keys: &Keys,
        deadline: Duration,
    ) -> client::Result<View> {
        let (revision, (base, records)) = (answer.header.revision, read_all(&answer, keys));
        let mut view = View { revision, whole: true, glimpse: None, base, records, stray: HashMap::new() };
        if view.records.values().any(|r| r.content.is_err()) {
            view.stray = view.strays(client, keys, deadline)?;
        }
        Ok(view)
    }

    /// Where those stand whose records cannot be read.
    fn strays(
        &self,
        client: &Client,
        keys: &Keys,
        deadline: Duration,
    ) -> client::Result<HashMap<LockName, Vec<Entry>>> {
        let range = Range { revision: self.revision, ..Range::prefix(keys.locks()) };
        let mut strays: HashMap<LockName, Vec<Entry>> = HashMap::new();
        for kv in client.range(&range, deadline)?.kvs {
            let Ok(shown) = serde_json::from_slice::<LockShown>(&kv.value) else { continue };
            let Ok(lock) = shown.lock.parse::<LockName>() else { continue };
            for line in shown.holders.iter().chain(&shown.waiters) {
                let Some(entry) = line.entry() else { continue };
                if self.records.get(&entry.id).is_some_and(|r| r.content.is_err()) {
                    strays.entry(lock.clone()).or_default().push(entry);
                }
            }
        }
        Ok(strays)
    }

    /// Every lock's queue: those whose arrival cannot be read, who holds, who waits, in order of arrival.
    pub(super) fn queues(&self) -> HashMap<LockName, Vec<Entry>> {
        let mut queues = self.stray.clone();
        let readable = self.records.values().filter_map(|r| r.content.as_ref().ok());
        let mut queued: Vec<&Content> = readable.filter(|c| c.state != State::Paused).collect();
        queued.sort_by(|a, b| (a.place(), &a.deployment.id).cmp(&(b.place(), &b.deployment.id)));
        for content in queued {
            for request in &content.deployment.locks {
                queues.entry(request.lock.clone()).or_default().extend(content.entry_at(&request.lock));
            }
        }
        queues
    }

    /// The locks at which one stands whose record cannot be read.
    pub(super) fn stray_locks(&self, id: &Id) -> Vec<LockName> {
        let at = self.stray.iter().filter(|(_, queue)| queue.iter().any(|e| e.id == *id));
        at.map(|(lock, _)| lock.clone()).collect()
    }
}

/// The base of numbers, and the records.
pub(super) fn read_all(answer: &RangeAnswer, keys: &Keys) -> (u64, BTreeMap<Id, Record>) {
    let (mut base, below) = (0, keys.deployments());
    let mut records: BTreeMap<Id, Record> = BTreeMap::new();
    for kv in &answer.kvs {
        let Some(name) = kv.below(&below) else { continue };
        if Keys::is_base(name) {
            base = kv.text().trim().parse().unwrap_or(0);
        }
        // What is no deployment's is not ours.
        let Some((id, part)) = Keys::parse(name) else { continue };
        // The keys come sorted: a record before what lies below it.
        match (part, records.get_mut(&id)) {
            (Part::Record, _) => drop(records.insert(id.clone(), Record::read(kv, &id))),
            (Part::Alive, Some(record)) => record.alive = Some(kv.lease),
            (Part::Until, Some(record)) => record.until = Some(kv.lease),
            (Part::Paused, Some(record)) => record.paused = Some(kv.text()),
            (_, None) => {}
        }
    }
    (base, records)
}

impl Record {
    fn read(kv: &KeyValue, id: &Id) -> Record {
        let content = Content::read(&kv.text(), id);
        Record { written: kv.mod_revision, content, alive: None, until: None, paused: None }
    }

    /// One that is not there yet.
    pub(super) fn new(content: Content) -> Record {
        Record { written: 0, content: Ok(content), alive: None, until: None, paused: None }
    }
}

/// The word for a state in a record.
fn word(state: State) -> &'static str {
    match state {
        State::Waiting => "waiting",
        State::Attached => "attached",
        State::Detached => "detached",
        State::Paused => "paused",
    }
}

impl Content {
    /// A line that says the state, one for each ancestor whose hold counts, and the record as the files store has it.
    pub(super) fn write(&self) -> String {
        let mut text = format!("state = \"{}\"\n", word(self.state));
        for (lock, id) in &self.under {
            text.push_str(&format!("under = \"{id} {lock}\"\n"));
        }
        text.push_str(&record::write(&self.deployment));
        text
    }

    /// Reads what [`Content::write`] writes. What is wrong with it, for a person.
    pub(super) fn read(text: &str, id: &Id) -> Result<Content, String> {
        let mut rest = text;
        let (mut state, mut under) = (None, Vec::new());
        while let Some((line, tail)) = rest.split_once('\n') {
            let value = |key: &str| line.strip_prefix(key)?.strip_prefix(" = \"")?.strip_suffix('"');
            if let Some(said) = value("state") {
                state = State::ALL.into_iter().find(|s| word(*s) == said);
            } else if let Some(said) = value("under") {
                let (id, lock) = said.split_once(' ').ok_or("an ancestor without a lock")?;
                let lock = lock.parse().map_err(|e| format!("{e}"))?;
                under.push((lock, id.parse().map_err(|e| format!("{e}"))?));
            } else {
                break;
            }
            rest = tail;
        }
        let state = state.ok_or("it does not say its state")?;
        let deployment = record::read(rest.as_bytes(), id)?;
        Ok(Content { state, under, deployment })
    }
}

/// A lock's key, for people.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(super) struct LockShown {
    pub(super) lock: String,
    pub(super) holders: Vec<LineShown>,
    pub(super) waiters: Vec<LineShown>,
}

/// A holder or a waiter.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(super) struct LineShown {
    pub(super) id: String,
    pub(super) mode: String,
    pub(super) limit: Option<std::num::NonZeroU32>,
    pub(super) owner: Option<String>,
    /// Its place; `None` where its record cannot be read.
    pub(super) arrival: Option<u64>,
    /// The ancestor whose hold counts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) under: Option<String>,
}

impl LineShown {
    pub(super) fn entry(&self) -> Option<Entry> {
        let mode = if self.mode == Mode::Shared.as_str() { Mode::Shared } else { Mode::Exclusive };
        let under = self.under.as_deref().map(str::parse).transpose().ok()?;
        Some(Entry { id: self.id.parse().ok()?, mode, limit: self.limit, under })
    }
}

impl LockShown {
    /// What the view says of a lock.
    pub(super) fn of(lock: &LockName, queue: &[Entry], view: &View) -> LockShown {
        let mut shown = LockShown { lock: lock.to_string(), ..LockShown::default() };
        for entry in queue {
            let record = view.records.get(&entry.id);
            // Of whom nothing more was read its line is what it was.
            let as_before = view.glimpse.as_ref().filter(|_| record.is_none());
            if let Some((waits, line)) = as_before.and_then(|g| g.line(lock, &entry.id)) {
                if waits {
                    shown.waiters.push(line)
                } else {
                    shown.holders.push(line)
                }
                continue;
            }
            let content = record.and_then(|r| r.content.as_ref().ok());
            let line = LineShown {
                id: entry.id.to_string(),
                mode: entry.mode.as_str().to_owned(),
                limit: entry.limit,
                owner: content.map(|c| c.deployment.owner.clone()),
                arrival: content.map(|c| c.deployment.arrival),
                under: entry.under.as_ref().map(ToString::to_string),
            };
            let waits = content.is_some_and(|c| c.state == State::Waiting);
            if waits { shown.waiters.push(line) } else { shown.holders.push(line) }
        }
        shown
    }
}
