//! Taking the locks of a deployment: at once, after a wait, or not.

use std::sync::Arc;
use std::time::Duration;

use super::events::{self, Aside, What};
use super::waiter::{Armed, Waiter, Waiting, arm};
use super::{InTheWay, Interrupt, Progress, Queueing, Result, readable};
use super::{freeze, hand_off, manual, supersede};
use crate::deployment::{Command, Deployment, Expiry, Id, State, Stored};
use crate::engine::{self, Assessment, Block, Blocker, Cause, Refusal, Who};
use crate::model::{Kind, LockRequest};
use crate::process;
use crate::store::{self, Sleeper, Store, Txn};

pub use super::request::{Conflict, Draft, Grant, Outcome, Patience};

/// Takes the locks of `draft`. Who waits when a freeze begins leaves the queue, and asks anew when it is over.
///
/// # Errors
/// When the store fails; then nothing is held and nothing waits.
pub fn acquire(
    store: &dyn Store,
    draft: &Draft,
    patience: Patience,
    retry: Duration,
    progress: &mut dyn Progress,
    interrupt: &mut dyn Interrupt,
) -> Result<Outcome> {
    freeze::between_windows(store, draft, patience, retry, progress, interrupt)
}

/// How one attempt ended.
pub(super) enum Attempt {
    /// With this outcome.
    Over(Outcome),
    /// A freeze window is open; nothing is held and nothing waits.
    Frozen,
}

/// One attempt, which a freeze ends.
pub(super) fn attempt(
    store: &dyn Store,
    draft: &Draft,
    patience: Patience,
    retry: Duration,
    progress: &mut dyn Progress,
    interrupt: &mut dyn Interrupt,
) -> Result<Attempt> {
    let mut sleeper: Option<Box<dyn Sleeper + '_>> = None;
    let first =
        store::decide(store, |txn| first_try(store, txn, draft, patience, retry, progress, &mut sleeper))?;
    match (first, sleeper) {
        (First::Done(outcome), _) => Ok(Attempt::Over(outcome)),
        (First::Frozen, _) => Ok(Attempt::Frozen),
        (First::Waiting(waiting), Some(sleeper)) => {
            Waiter { store, draft, waiting, sleeper, progress, interrupt }.wait()
        }
        (First::Waiting(_), None) => unreachable!("one that waits has something to sleep on"),
    }
}

enum First {
    Done(Outcome),
    Frozen,
    Waiting(Box<Waiting>),
}

fn first_try<'s>(
    store: &'s dyn Store,
    txn: &mut dyn Txn,
    draft: &Draft,
    patience: Patience,
    retry: Duration,
    progress: &mut dyn Progress,
    sleeper: &mut Option<Box<dyn Sleeper + 's>>,
) -> Result<First> {
    if let Some(id) = &draft.resume
        && paused_now(txn, id)?.is_none()
    {
        return Ok(First::Done(Outcome::NotPaused(id.clone())));
    }
    if draft.parent.is_none() && draft.resume.is_none() {
        txn.about(&draft.locks)?;
    }
    let ancestors = match &draft.parent {
        Some(parent) => ancestors_of(txn, parent)?,
        None => Vec::new(),
    };
    if freeze::stops(draft, txn.now()) {
        return Ok(First::Frozen);
    }
    let who = Who { id: None, ancestors: &ancestors, thorough: false };
    let mut found = hand_off::assess(txn, who, &draft.locks)?;
    if let Some(refusal) = hopeless(txn, who, &draft.locks, &found)? {
        return Ok(First::Done(Outcome::Refused(refusal)));
    }
    if draft.refuse_manual
        && let Some(id) = manual::holder(txn, &found.blocks)?
    {
        let in_the_way = in_the_way(txn, &found.blocks)?;
        let paused = draft.resume.clone();
        let conflict =
            Conflict { blocks: found.blocks, in_the_way, waited: Duration::ZERO, paused, manual: Some(id) };
        return Ok(First::Done(Outcome::Conflict(conflict)));
    }
    let mut id = draft.resume.clone();
    // Only one that will hold or wait takes anybody's place.
    if draft.supersede && (found.blocks.is_empty() || bound(patience, &found.blocks).is_some()) {
        let number = txn.next_number()?;
        let own = id.get_or_insert_with(|| Id::new(number, random()));
        if supersede::replace(txn, draft, own)? {
            found = hand_off::assess(txn, who, &draft.locks)?;
        }
    }
    if found.blocks.is_empty() {
        let mut deployment = build(txn, draft, id, ancestors)?;
        granted_now(&mut deployment, txn);
        let lease = txn.enter(&deployment, State::Attached, &found.covered)?;
        let passed = freeze::passed(draft, txn.now());
        let aside = Aside { overridden: passed.as_deref(), ..Aside::default() };
        events::log(txn, What::Acquired, &deployment, aside);
        return Ok(First::Done(Outcome::Granted(Box::new(Grant {
            deployment,
            lease,
            waited: Duration::ZERO,
            leftovers: None,
        }))));
    }
    let Some(bound) = bound(patience, &found.blocks) else {
        return conflict_now(txn, draft, patience, ancestors, found.blocks).map(First::Done);
    };
    // Before anything is entered: without something to sleep on there is no waiting.
    let sleeper = sleeper.insert(store.sleeper(retry)?);
    if !progress.wanted() {
        sleeper.only_ends();
    }
    let deployment = build(txn, draft, id, ancestors)?;
    let lease = txn.enter(&deployment, State::Waiting, &found.covered)?;
    events::log(txn, What::Waited, &deployment, Aside::default());
    let began = txn.now().boot;
    let until = bound.map(|d| began.saturating_add(d));
    let opening = freeze::opening(draft, txn.now());
    let queueing = Queueing { id: None, blocks: Vec::new(), first: None, place: 0, waited: Duration::ZERO };
    let mut waiting = Waiting { lease, deployment, began, until, opening, queueing, free: false };
    // Whether it could ever end was asked above, under the same guard; that nobody behind it is in its way is not asked twice.
    let evaluated = (!progress.wanted()).then_some(found.blocks);
    waiting.free = matches!(arm(txn, &mut waiting, sleeper.as_mut(), progress, evaluated)?, Armed::Free);
    Ok(First::Waiting(Box::new(waiting)))
}

/// How long to wait: not at all, for ever (`Some(None)`), or this long.
fn bound(patience: Patience, blocks: &[Block]) -> Option<Option<Duration>> {
    match patience {
        Patience::None => None,
        Patience::Forever => Some(None),
        Patience::AtMost(d) => Some(Some(d)),
        Patience::Policy { retry: Some(d), .. } => Some(Some(d)),
        Patience::Policy { retry: None, queue, .. } => blocks.iter().all(queues).then_some(Some(queue)),
    }
}

/// The locks on which a deployment queues by itself.
fn queues(block: &Block) -> bool {
    use Kind::{Application, DeployedApplication, Engine, Name};
    let kind = matches!(block.lock.kind, Application | DeployedApplication | Engine | Name);
    kind || matches!(block.cause, Cause::Full(_))
}

fn conflict_now(
    txn: &mut dyn Txn,
    draft: &Draft,
    patience: Patience,
    ancestors: Vec<Id>,
    blocks: Vec<Block>,
) -> Result<Outcome> {
    let in_the_way = in_the_way(txn, &blocks)?;
    let paused = match patience {
        _ if draft.resume.is_some() => draft.resume.clone(),
        Patience::Policy { pause: true, .. } => {
            let mut deployment = build(txn, draft, None, ancestors)?;
            deployment.blocked_at = blocks.iter().map(|b| b.lock.clone()).collect();
            drop(txn.enter(&deployment, State::Paused, &[])?);
            events::log(txn, What::Paused, &deployment, Aside::default());
            Some(deployment.id)
        }
        _ => None,
    };
    Ok(Outcome::Conflict(Conflict { blocks, in_the_way, waited: Duration::ZERO, paused, manual: None }))
}

/// The paused deployment of this id; `None` where there is none, or one that is being resumed.
///
/// # Errors
/// When it cannot be read.
pub fn paused(store: &dyn Store, id: &Id) -> Result<Option<Arc<Deployment>>> {
    if store::look(store, |txn| txn.find(id))?.flatten().is_none() {
        return Ok(None);
    }
    store::decide(store, |txn| paused_now(txn, id))
}

fn paused_now(txn: &mut dyn Txn, id: &Id) -> Result<Option<Arc<Deployment>>> {
    if txn.find(id)?.is_some_and(|stored| stored.state() != State::Paused) {
        // Who tried to resume it before was killed.
        hand_off::bury_if_dead(txn, id)?;
    }
    let found = txn.find(id)?.map(readable).transpose()?;
    Ok(found.and_then(|(state, d)| (state == State::Paused).then_some(d)))
}

/// The deployments inside whose command we run, `parent` first: believed as far as the store says they hold.
///
/// # Errors
/// When the store cannot be looked at.
pub fn ancestors_of(txn: &mut dyn Txn, parent: &Id) -> Result<Vec<Id>> {
    let Some(stored) = txn.find(parent)?.filter(|s| s.state().holds()) else {
        return Ok(Vec::new());
    };
    let (_, d) = readable(stored)?;
    let mut ids = vec![parent.clone()];
    ids.extend(d.ancestors.iter().cloned());
    Ok(ids)
}

fn build(txn: &mut dyn Txn, draft: &Draft, id: Option<Id>, ancestors: Vec<Id>) -> Result<Deployment> {
    let now = txn.now();
    let number = txn.next_number()?;
    let before = match &draft.resume {
        Some(id) => txn.find(id)?.as_ref().and_then(Stored::deployment).cloned(),
        None => None,
    };
    Ok(Deployment {
        id: id.unwrap_or_else(|| Id::new(number, random())),
        token: None,
        arrival: number,
        environment: draft.environment.clone(),
        application: draft.application.clone(),
        version: draft.version.clone(),
        operation: draft.operation,
        containers: draft.containers.clone(),
        locks: draft.locks.clone(),
        owner: draft.owner.clone(),
        place: process::here().clone(),
        process: process::myself().0.clone(),
        owner_process: draft.owner_process.clone(),
        command: if draft.command { Command::Starting } else { Command::None },
        reason: draft.reason.clone(),
        url: draft.url.clone(),
        requested: before.map_or(now.wall, |d| d.requested),
        since: now.wall,
        ttl: draft.ttl,
        expires: None,
        parent: ancestors.first().cloned(),
        ancestors,
        on_crash: draft.on_crash,
        on_failure: draft.on_failure,
        failed: None,
        blocked_at: Vec::new(),
        cancelled: false,
        kill_after: None,
        has_nested: false,
    })
}

/// 30 bits that nobody can guess.
fn random() -> u32 {
    let mut bytes = [0u8; 4];
    // The kernel's generator is seeded by the time anything is deployed.
    let _ = rustix::rand::getrandom(&mut bytes, rustix::rand::GetRandomFlags::empty());
    u32::from_ne_bytes(bytes)
}

fn granted_now(d: &mut Deployment, txn: &mut dyn Txn) {
    let now = txn.now();
    d.token = Some(d.arrival);
    d.expires = d.ttl.map(|ttl| Expiry { wall: now.wall + ttl, boot: now.boot + ttl });
}

/// Why a wait would never end, if that is so: only one that is nested can wait for itself.
pub(super) fn hopeless(
    txn: &mut dyn Txn,
    who: Who<'_>,
    locks: &[LockRequest],
    found: &Assessment,
) -> Result<Option<Refusal>> {
    if found.refused.is_some() || who.ancestors.is_empty() || found.blocks.is_empty() {
        return Ok(found.refused.clone());
    }
    Ok(engine::cycle(txn, who, locks)?.map(Refusal::Cycle))
}

/// How many earlier waiters are in the way at a lock.
#[must_use]
pub fn waiters_ahead(block: &Block) -> usize {
    block.by.iter().filter(|b| !b.holds).count()
}

pub(super) fn look_up(txn: &mut dyn Txn, blocker: &Blocker) -> Result<InTheWay> {
    let stored = txn.find(&blocker.id)?;
    let life = stored.as_ref().map(|stored| txn.verdict(stored)).transpose()?;
    let record = stored.as_ref().and_then(Stored::deployment).cloned();
    Ok(InTheWay { id: blocker.id.clone(), holds: blocker.holds, record, life })
}

/// Everybody that `blocks` name, once, the holders first.
///
/// # Errors
/// When the store cannot be looked at.
pub fn in_the_way(txn: &mut dyn Txn, blocks: &[Block]) -> Result<Vec<InTheWay>> {
    let mut all: Vec<InTheWay> = Vec::new();
    for blocker in blocks.iter().flat_map(|b| &b.by) {
        if !all.iter().any(|x| x.id == blocker.id) {
            all.push(look_up(txn, blocker)?);
        }
    }
    all.sort_by_key(|x| !x.holds);
    Ok(all)
}
