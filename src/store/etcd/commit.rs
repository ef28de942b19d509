//! From a decision to one transaction of etcd: what it rests on as compares, what it changes as steps.
//!
//! **Precise**, the rule: the key of every lock that was looked at or changes hands must be as it was, and is
//! written where it changes; so of two decisions on one lock only one comes through, and decisions on different
//! locks do not disturb each other. Lock keys are never removed but under the guard: a key that went and came back
//! would look untouched.
//! **Coarse**, where that is more than one transaction can name (`--max-txn-ops`, 128): no record and no lock key
//! at all may have been written, and the guard is, which every precise commit compares. The lock keys follow.

use std::collections::BTreeSet;
use std::time::Duration;

use super::EtcdStore;
use super::client::{self, CallError, Client, Repeat, code};
use super::glimpse::{self, Glimpse};
use super::keys::{Keys, Part};
use super::messages::{Compare, Range, Step, TxnAnswer, TxnRequest};
use super::txn::EtcdTxn;
use super::view::{Content, LockShown, Record, View};
use crate::deployment::{Id, State};
use crate::model::LockName;
use crate::store::{Result, StoreError};

/// etcd's bound on the compares and on the steps of a transaction, where nobody has changed it.
pub(super) const MOST: usize = 128;
/// How many lock keys are written at once after a coarse commit.
const CHUNK: usize = 60;

/// How a commit ended.
pub(super) enum Done {
    /// It took place, at this revision; at none where there was nothing to write.
    Committed(Option<i64>),
    /// Something it rests on has changed; perhaps with how it is now.
    Conflict(Option<View>),
}

/// A transaction.
#[derive(Default)]
pub(super) struct Transaction {
    pub(super) compares: Vec<Compare>,
    pub(super) steps: Vec<Step>,
}

impl Transaction {
    fn fits(&self) -> bool {
        self.compares.len() <= MOST && self.steps.len() <= MOST
    }

    pub(super) fn send(
        &self,
        client: &Client,
        otherwise: &[Range],
        repeat: Repeat,
        deadline: Duration,
    ) -> super::client::Result<TxnAnswer> {
        let request = TxnRequest {
            compare: self.compares.clone(),
            success: self.steps.iter().map(Step::request).collect(),
            failure: otherwise.iter().map(|range| Step::Look(range.clone()).request()).collect(),
        };
        client.call(client::TXN, &request, repeat, deadline)
    }
}

/// A name that nobody else makes up.
fn nonce() -> String {
    let mut bytes = [0u8; 8];
    let _ = rustix::rand::getrandom(&mut bytes, rustix::rand::GetRandomFlags::empty());
    format!("{:016x}", u64::from_ne_bytes(bytes))
}

impl EtcdTxn<'_> {
    /// Carries the decision out, whole or not at all.
    pub(super) fn commit(mut self) -> Result<Done> {
        if self.tidy {
            self.store.tidy(self.deadline)?;
        }
        let noted = self.ledgers.values().any(|l| l.lines.len() > l.stored);
        if self.before.is_empty() && self.lines.is_empty() && !noted {
            return Ok(Done::Committed(None));
        }
        let moved = self.moved_locks();
        for lock in &moved {
            // Their queues are written too.
            self.queue_now(lock)?;
        }
        let revision = self.revision()?;
        let keys = self.store.keys.clone();
        if self.before.is_empty() && !noted && self.store.leave(keys.history(revision, &nonce()), &self.lines)
        {
            self.view.into_iter().for_each(|view| self.store.known.keep(view));
            return Ok(Done::Committed(None));
        }
        let witness = (!self.lines.is_empty() || noted).then(|| keys.history(revision, &nonce()));
        let base = self.base_of(&keys, revision, witness.as_deref());
        let mut precise = Transaction { compares: base.compares.clone(), steps: base.steps.clone() };
        let rests: BTreeSet<&LockName> = self.locks_seen.iter().chain(&moved).collect();
        precise.compares.push(Compare::unwritten_since(&keys.guard(), revision));
        precise
            .compares
            .extend(rests.iter().map(|lock| Compare::unwritten_since(&keys.lock(lock), revision)));
        let came = self.came();
        let written: BTreeSet<LockName> = self.moved_by(|id| !came.contains(id));
        let arrivals: Vec<Step> = came.iter().flat_map(|id| self.arrival_steps(id)).collect();
        let mut coarsely = false;
        let mut transaction = if precise.compares.len() <= MOST
            && precise.steps.len() + written.len() + arrivals.len() <= MOST
        {
            precise.steps.extend(arrivals);
            for lock in &written {
                let step = self.lock_step(lock)?;
                precise.steps.push(step);
            }
            precise
        } else {
            coarsely = true;
            coarse(base, &keys, revision)
        };
        if !transaction.fits() {
            return Err(self.store.refused(format!(
                "{} changes at once are more than a transaction takes; clear some deployments one by one",
                transaction.steps.len()
            )));
        }
        // Left behind, they say nothing: their records are gone, or hold.
        let room = MOST.saturating_sub(transaction.steps.len());
        transaction.steps.extend(self.gone(&keys).into_iter().take(room));
        // What was left to be written goes with it.
        let left = self.store.left(MOST.saturating_sub(transaction.steps.len()));
        transaction.steps.extend(left.iter().map(|(_, key, entry)| Step::Put {
            key: key.clone(),
            value: entry.clone(),
            lease: 0,
        }));
        let done = self.carry_out(&transaction, witness.as_deref());
        if !matches!(done, Ok(Done::Committed(Some(_)))) {
            for (keeper, key, entry) in left {
                keeper.write(key, entry);
            }
        }
        let done = done?;
        if let Done::Committed(Some(at)) = done {
            self.committed(at);
            if coarsely {
                self.write_locks(&moved, at);
            }
            self.remember(at);
        }
        Ok(done)
    }

    /// What both kinds of commit say: the records, the ledgers, the history.
    fn base_of(&self, keys: &Keys, revision: i64, witness: Option<&str>) -> Transaction {
        let mut base = Transaction::default();
        for (id, before) in &self.before {
            let after = self.view.as_ref().and_then(|v| v.records.get(id));
            if before.is_none() && after.is_none() {
                continue;
            }
            let written = before.as_ref().map_or(0, |r| r.written);
            base.compares.push(Compare::written_at(&keys.deployment(id, Part::Record), written));
            base.steps.extend(record_steps(keys, id, before.as_ref(), after));
        }
        if self.all_seen {
            base.compares.push(Compare::all_unwritten_since(&keys.deployments(), revision));
        }
        for (lock, ledger) in &self.ledgers {
            base.compares.push(Compare::all_unwritten_since(&keys.ledger(lock), revision));
            for (number, line) in ledger.lines.iter().enumerate().skip(ledger.stored) {
                let key = keys.ledger_line(lock, number);
                base.steps.push(Step::Put { key, value: line.clone(), lease: 0 });
            }
        }
        if let Some(witness) = witness {
            base.compares.push(Compare::written_at(witness, 0));
            base.steps.push(Step::Put { key: witness.to_owned(), value: entry(&self.lines), lease: 0 });
        }
        base
    }

    /// The locks whose queues are not what they were.
    fn moved_locks(&self) -> BTreeSet<LockName> {
        self.moved_by(|_| true)
    }

    /// The locks whose queues these have changed.
    fn moved_by(&self, counts: impl Fn(&Id) -> bool) -> BTreeSet<LockName> {
        let mut moved = BTreeSet::new();
        for (id, before) in self.before.iter().filter(|(id, _)| counts(id)) {
            let before = before.as_ref().and_then(|r| r.content.as_ref().ok());
            let after = self.view.as_ref().and_then(|v| v.records.get(id));
            let after = after.and_then(|r| r.content.as_ref().ok());
            if queued(before) != queued(after) {
                let both = before.into_iter().chain(after);
                moved.extend(both.flat_map(|c| c.deployment.locks.iter().map(|r| r.lock.clone())));
            }
        }
        moved
    }

    fn lock_step(&mut self, lock: &LockName) -> Result<Step> {
        let queue = self.queue_now(lock)?;
        let shown = LockShown::of(lock, &queue, self.view.as_ref().expect("its queue was looked at"));
        let value = serde_json::to_string(&shown).unwrap_or_default();
        Ok(Step::Put { key: self.store.keys.lock(lock), value, lease: 0 })
    }

    /// Sends it. Where no answer comes, what became of it is found out before anything else is done.
    fn carry_out(&self, transaction: &Transaction, witness: Option<&str>) -> Result<Done> {
        let EtcdStore { client, keys, .. } = self.store;
        let locks = self.view.as_ref().and_then(|v| v.glimpse.as_ref()).map(Glimpse::locks);
        let known = self.view.iter().flat_map(|v| v.records.keys()).filter(|_| locks.is_some());
        let ids: BTreeSet<&Id> = self.before.keys().chain(known).collect();
        let ids: Vec<Id> = ids.into_iter().cloned().collect();
        // Who saw little sees again as little.
        let otherwise = match &locks {
            Some(locks) => glimpse::ranges(keys, locks, &ids),
            None => vec![Range::prefix(keys.deployments())],
        };
        match transaction.send(client, &otherwise, Repeat::Never, self.deadline) {
            Ok(answer) if answer.succeeded => Ok(Done::Committed(Some(answer.header.revision))),
            Ok(answer) if locks.is_some() => {
                Ok(Done::Conflict(glimpse::read(answer, keys, &locks.unwrap_or_default(), &ids)))
            }
            Ok(answer) => {
                let mut now =
                    answer.responses.into_iter().next().and_then(|r| r.response_range).unwrap_or_default();
                now.header = answer.header;
                let view = View::of(now, client, keys, self.deadline).map_err(|e| self.store.failed(e))?;
                Ok(Done::Conflict(Some(view)))
            }
            Err(CallError::Unknown(_)) => self.settle(witness),
            Err(CallError::Refused { code: code::INVALID, why }) if why.contains("too many operations") => {
                Err(self.store.refused(format!("{why}; start its members with --max-txn-ops={MOST} or more")))
            }
            Err(e) => Err(self.store.failed(e)),
        }
    }

    /// The outcome of a write that was not answered. Its witness, a key that only it writes, says that it took place.
    /// Where there is none yet, it is put there, empty: then the write can never take place, however late it comes.
    /// A write without a witness changes nothing that deciding again would not leave as it is.
    fn settle(&self, witness: Option<&str>) -> Result<Done> {
        let Some(witness) = witness else {
            return Ok(Done::Conflict(None));
        };
        let fence = Transaction {
            compares: vec![Compare::written_at(witness, 0)],
            steps: vec![Step::Put { key: witness.to_owned(), value: String::new(), lease: 0 }],
        };
        let look = Range::one(witness);
        let answer = fence.send(&self.store.client, &[look], Repeat::Harmless, self.deadline);
        let answer = answer.map_err(|e| self.store.failed(e))?;
        let found = answer.responses.into_iter().next().and_then(|r| r.response_range);
        let found = found.and_then(|r| r.kvs.into_iter().next());
        Ok(match found {
            Some(kv) if !kv.value.is_empty() => Done::Committed(Some(kv.mod_revision)),
            _ => Done::Conflict(None),
        })
    }

    /// What follows for this process.
    fn committed(&mut self, at: i64) {
        self.store.wrote(at);
        for id in self.before.keys() {
            let lives = self.view.as_ref().and_then(|v| v.records.get(id)).is_some_and(|r| r.alive.is_some());
            if !lives {
                self.store.let_go(id);
            }
        }
        for (id, keeper) in self.keepers.drain(..) {
            let record = self.view.as_ref().and_then(|v| v.records.get(&id));
            let waits =
                record.and_then(|r| r.content.as_ref().ok()).is_some_and(|c| c.state == State::Waiting);
            let resumed = record.is_some_and(|r| r.paused.is_some());
            self.store.keeps(id, &keeper, waits, resumed);
        }
        self.store.prune(at);
    }

    /// The lock keys after a coarse commit. Whoever wrote one since then has written the truth.
    fn write_locks(&mut self, moved: &BTreeSet<LockName>, at: i64) {
        let moved: Vec<&LockName> = moved.iter().collect();
        for chunk in moved.chunks(CHUNK) {
            let mut transaction = Transaction::default();
            transaction.compares.push(Compare::unwritten_since(&self.store.keys.guard(), at));
            for lock in chunk {
                let key = self.store.keys.lock(lock);
                transaction.compares.push(Compare::unwritten_since(&key, at));
                if let Ok(step) = self.lock_step(lock) {
                    transaction.steps.push(step);
                }
            }
            if let Ok(answer) = transaction.send(&self.store.client, &[], Repeat::Harmless, self.deadline) {
                self.store.wrote(answer.header.revision);
            }
        }
    }
}

/// An entry of the history.
pub(super) fn entry(lines: &[String]) -> String {
    format!("{}\n", lines.join("\n"))
}

/// What of a record makes a queue.
fn queued(content: Option<&Content>) -> Option<(State, Vec<&LockName>)> {
    let content = content.filter(|c| c.state != State::Paused)?;
    // Bound to a process or not is the same to everybody else.
    let state = if content.state.holds() { State::Attached } else { content.state };
    Some((state, content.deployment.locks.iter().map(|r| &r.lock).collect()))
}

fn record_steps(keys: &Keys, id: &Id, before: Option<&Record>, after: Option<&Record>) -> Vec<Step> {
    let key = |part| keys.deployment(id, part);
    let Some(after) = after else {
        return vec![Step::DeleteTree { key: key(Part::Record) }];
    };
    let mut steps = Vec::new();
    if let Ok(content) = &after.content {
        steps.push(Step::Put { key: key(Part::Record), value: content.write(), lease: 0 });
    }
    let leases = [
        (Part::Alive, before.and_then(|r| r.alive), after.alive),
        (Part::Until, before.and_then(|r| r.until), after.until),
    ];
    for (part, old, new) in leases {
        match new {
            Some(lease) if old != new => {
                steps.push(Step::Put { key: key(part), value: String::new(), lease });
            }
            None if old.is_some() => steps.push(Step::Delete { key: key(part) }),
            _ => {}
        }
    }
    let was = before.and_then(|r| r.paused.as_ref());
    match &after.paused {
        Some(text) if was != Some(text) => {
            steps.push(Step::Put { key: key(Part::Paused), value: text.clone(), lease: 0 });
        }
        None if was.is_some() => steps.push(Step::Delete { key: key(Part::Paused) }),
        _ => {}
    }
    steps
}

fn coarse(mut base: Transaction, keys: &Keys, revision: i64) -> Transaction {
    for prefix in [keys.deployments(), keys.locks()] {
        base.compares.push(Compare::all_unwritten_since(&prefix, revision));
    }
    base.compares.push(Compare::unwritten_since(&keys.guard(), revision));
    base.steps.push(Step::Put { key: keys.guard(), value: String::new(), lease: 0 });
    base
}

/// Which of the store's own errors a failed call is.
pub(super) fn error(store: String, waited: Duration, e: CallError) -> StoreError {
    match e {
        CallError::Unreachable(why) => StoreError::Unreachable { store, waited, why },
        CallError::Unknown(why) => {
            let why = format!("{why}; whether the last write took place is not known");
            StoreError::Unreachable { store, waited, why }
        }
        CallError::Nonsense(why) => {
            StoreError::Refused { store, why: format!("an answer that is no etcd's: {why}") }
        }
        CallError::Refused { code: code::FORBIDDEN, why } => {
            let why = format!("{why} (give the user readwrite on the prefix: etcdctl role grant-permission)");
            StoreError::Refused { store, why }
        }
        CallError::Refused { code: code::UNAUTHENTICATED, why } => {
            StoreError::Refused { store, why: format!("{why} (check user and password)") }
        }
        CallError::Refused { code: code::NOT_FOUND, why } if why.contains("lease") => StoreError::Refused {
            store,
            why: format!("{why}: this process was stopped for too long; try again"),
        },
        CallError::Refused { why, .. } => StoreError::Refused { store, why },
    }
}
