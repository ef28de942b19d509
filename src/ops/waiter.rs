//! One that waits: asleep until it is granted, gives up, is told to stop, or is gone.

use std::sync::Arc;
use std::time::Duration;

use super::acquire::{
    Attempt, Conflict, Draft, Grant, Outcome, hopeless, in_the_way, look_up, waiters_ahead,
};
use super::events::{self, Aside, What};
use super::hand_off::{self, names};
use super::manual;
use super::{Interrupt, Progress, Queueing, Result, freeze, readable};
use crate::clock;
use crate::deployment::{Deployment, State, Stored};
use crate::engine::{self, Block, Refusal, Who};
use crate::store::{self, Lease, Sleeper, Store, Txn, Wake};

/// How long one is in the queue before it is called settled: the watch stands, and a short wait is spared the work.
const SETTLED: Duration = Duration::from_millis(10);

/// Its place in the queues.
pub(super) struct Waiting {
    pub(super) lease: Box<dyn Lease>,
    pub(super) deployment: Deployment,
    pub(super) began: Duration,
    pub(super) until: Option<Duration>,
    /// When the next freeze window opens, by the boot clock.
    pub(super) opening: Option<Duration>,
    pub(super) queueing: Queueing,
    /// Nobody was in the way any more when it had entered: the first look comes before any sleep.
    pub(super) free: bool,
}

/// What came of arming.
pub(super) enum Armed {
    /// Somebody is in the way, and is watched.
    Behind,
    /// Nobody is: it may hold already, and no event will say so.
    Free,
    /// It would wait for ever.
    Hopeless(Refusal),
}

/// Evaluates, arms for what the evaluation rests on, and makes sure that it still does. `evaluated` is what this decision
/// has found already.
pub(super) fn arm(
    txn: &mut dyn Txn,
    waiting: &mut Waiting,
    sleeper: &mut dyn Sleeper,
    progress: &mut dyn Progress,
    mut evaluated: Option<Vec<Block>>,
) -> Result<Armed> {
    let d = &waiting.deployment;
    let who = Who { id: Some(&d.id), ancestors: &d.ancestors, thorough: progress.wanted() };
    loop {
        let blocks = match evaluated.take() {
            Some(blocks) => blocks,
            None => {
                let found = hand_off::assess(txn, who, &d.locks)?;
                if let Some(refusal) = hopeless(txn, who, &d.locks, &found)? {
                    return Ok(Armed::Hopeless(refusal));
                }
                found.blocks
            }
        };
        if blocks.is_empty() {
            // Whoever was in the way has died meanwhile, and its death was noticed here.
            hand_off::hand_off(txn, &names(d))?;
            return Ok(Armed::Free);
        }
        let mut ids = vec![d.id.clone()];
        ids.extend(engine::watch_list(&blocks));
        // An ancestor's end takes away what its hold counted for.
        ids.extend(d.ancestors.iter().cloned());
        sleeper.arm(&ids, txn)?;
        // What ended before the watch stood is seen now; what ends later wakes us.
        txn.forget();
        let again = engine::assess(txn, who, &d.locks)?;
        if again.blocks == blocks && again.dead.is_empty() {
            let first = again.blocks.first().and_then(|b| b.by.first()).filter(|_| progress.wanted());
            let first = first.map(|b| look_up(txn, b)).transpose()?;
            let place = 1 + again.blocks.iter().map(waiters_ahead).max().unwrap_or(0);
            let waited = txn.now().boot.saturating_sub(waiting.began);
            let id = Some(d.id.clone());
            waiting.queueing = Queueing { id, blocks: again.blocks, first, place, waited };
            return Ok(Armed::Behind);
        }
    }
}

/// One that waits.
pub(super) struct Waiter<'a, 's> {
    pub(super) store: &'s dyn Store,
    pub(super) draft: &'a Draft,
    pub(super) waiting: Box<Waiting>,
    pub(super) sleeper: Box<dyn Sleeper + 's>,
    pub(super) progress: &'a mut dyn Progress,
    pub(super) interrupt: &'a mut dyn Interrupt,
}

/// What a look found.
enum Found {
    Granted(Arc<Deployment>),
    StillWaiting,
    Gone,
    GaveUp(Conflict),
    Frozen,
    Hopeless(Refusal),
}

impl Waiter<'_, '_> {
    pub(super) fn wait(mut self) -> Result<Attempt> {
        let over = |outcome| Ok(Attempt::Over(outcome));
        if !self.waiting.free {
            self.progress.goes_to_sleep();
        }
        super::touch_memory();
        // Whoever was in the way died while we entered: no event is to come of a grant that was before the watch.
        let mut told = if self.waiting.free { clock::since_boot() } else { self.tell() };
        let mut settled = self.waiting.lease.deadline().map(|_| clock::since_boot() + SETTLED);
        loop {
            let next = self.progress.every().map(|every| told + every);
            let until = [self.waiting.until, self.waiting.opening, next, settled].into_iter().flatten().min();
            let interrupts: Vec<_> = self.interrupt.fd().into_iter().collect();
            let free = std::mem::take(&mut self.waiting.free);
            let wake = if free { Wake::Look } else { self.sleeper.sleep(until, &interrupts)? };
            let passed = |at: Option<Duration>| at.is_some_and(|at| clock::since_boot() >= at);
            let (out_of_time, opening) = (passed(self.waiting.until), passed(self.waiting.opening));
            let signal = if wake == Wake::Interrupt { self.interrupt.take() } else { None };
            if wake == Wake::Time && !out_of_time && !opening {
                if settled.take_if(|at| passed(Some(*at))).is_some() {
                    self.progress.settled();
                }
                if passed(next) {
                    told = self.tell();
                }
                continue;
            }
            if wake == Wake::Interrupt && signal.is_none() {
                continue;
            }
            if wake == Wake::Look
                && !out_of_time
                && let Some(d) = self.granted_meanwhile()?
            {
                return over(self.granted(d));
            }
            let Queueing { place, blocks, .. } = &mut self.waiting.queueing;
            let before = (*place, std::mem::take(blocks));
            match self.look(out_of_time || signal.is_some())? {
                Found::Granted(d) if signal.is_none() => return over(self.granted(d)),
                // Granted in the instant of giving up: nobody would use it.
                Found::Granted(d) => {
                    super::release::give_back(self.store, &d, "aborted")?;
                    return over(Outcome::Interrupted(signal.unwrap_or_default()));
                }
                Found::Frozen => {
                    return Ok(signal.map_or(Attempt::Frozen, |s| Attempt::Over(Outcome::Interrupted(s))));
                }
                Found::Gone => return self.gone().and_then(over),
                Found::Hopeless(refusal) => return over(Outcome::Refused(refusal)),
                Found::GaveUp(conflict) => {
                    return over(signal.map_or(Outcome::Conflict(conflict), Outcome::Interrupted));
                }
                Found::StillWaiting => {
                    let now = &self.waiting.queueing;
                    if before.0 != now.place || before.1 != now.blocks {
                        told = self.tell();
                    }
                }
            }
        }
    }

    /// The history says who took it away.
    fn gone(self) -> Result<Outcome> {
        let id = self.waiting.deployment.id;
        let by_hand = |event: &events::Last| event.by.is_some() || event.what == What::Superseded;
        let last = events::last_of(self.store, id.as_str(), by_hand)?;
        let superseded = last.as_ref().is_some_and(|last| last.what == What::Superseded);
        let by = last.and_then(|last| last.by);
        Ok(if superseded { Outcome::Superseded(id, by) } else { Outcome::Cancelled(id, by) })
    }

    fn tell(&mut self) -> Duration {
        let now = clock::since_boot();
        self.waiting.queueing.waited = now.saturating_sub(self.waiting.began);
        self.progress.waiting(&self.waiting.queueing);
        now
    }

    /// Whether it holds by now, seen without a decision of its own: who handed on to it may still be in theirs, and the
    /// command need not wait for that. With freeze windows there is more to decide.
    fn granted_meanwhile(&self) -> Result<Option<Arc<Deployment>>> {
        let queued = &self.waiting.deployment;
        if self.draft.gate.is_some() {
            return Ok(None);
        }
        // What comes after a grant of which somebody thought better is for a decision.
        let granted = self.store.granted(queued)?.filter(|d| !d.cancelled);
        if let Some(d) = &granted {
            let aside = Aside { took: d.since.duration_since(queued.since).ok(), ..Aside::default() };
            events::log_alone(self.store, What::Acquired, d, aside);
        }
        Ok(granted)
    }

    fn granted(mut self, d: Arc<Deployment>) -> Outcome {
        let deployment = Arc::unwrap_or_clone(d);
        let leftovers = self.sleeper.leftovers();
        let waited = clock::since_boot().saturating_sub(self.waiting.began);
        Outcome::Granted(Box::new(Grant { deployment, lease: self.waiting.lease, waited, leftovers }))
    }

    /// Under the guard: granted, still waiting, gone, or, where we give up, withdrawn.
    fn look(&mut self, give_up: bool) -> Result<Found> {
        let Waiter { store, draft, waiting, sleeper, progress, .. } = self;
        store::decide(*store, |txn| {
            if draft.parent.is_none() {
                txn.about(&draft.locks)?;
            }
            if let Some(done) = settled(txn, &waiting.deployment, draft)? {
                return Ok(done);
            }
            if freeze::stops(draft, txn.now()) {
                withdraw(txn, waiting, draft, Some(FROZEN))?;
                return Ok(Found::Frozen);
            }
            waiting.opening = freeze::opening(draft, txn.now());
            hand_off::hand_off(txn, &names(&waiting.deployment))?;
            if let Some(done) = settled(txn, &waiting.deployment, draft)? {
                return Ok(done);
            }
            if give_up {
                return withdraw(txn, waiting, draft, None).map(Found::GaveUp);
            }
            if let Armed::Hopeless(refusal) = arm(txn, waiting, sleeper.as_mut(), *progress, None)? {
                withdraw(txn, waiting, draft, None)?;
                return Ok(Found::Hopeless(refusal));
            }
            if let Some(done) = settled(txn, &waiting.deployment, draft)? {
                return Ok(done);
            }
            if draft.refuse_manual
                && let Some(holder) = manual::holder(txn, &waiting.queueing.blocks)?
            {
                let conflict = withdraw(txn, waiting, draft, None)?;
                return Ok(Found::GaveUp(Conflict { manual: Some(holder), ..conflict }));
            }
            Ok(Found::StillWaiting)
        })
    }
}

/// Why one that waited is out of the queue again, for the history.
const FROZEN: &str = "a freeze began";

/// Where the waiting is over: granted, or gone. A grant is noted in the history by the one who got it. It is given back if
/// somebody has asked it to end before it knew; and in a freeze that has begun since it asked, where one that was resumed
/// is paused again.
fn settled(txn: &mut dyn Txn, queued: &Deployment, draft: &Draft) -> Result<Option<Found>> {
    let id = &queued.id;
    match txn.find(id)?.map(readable).transpose()? {
        Some((state, d)) if state.holds() => {
            if d.cancelled || freeze::stops(draft, txn.now()) {
                let cancelled = d.cancelled;
                if cancelled && draft.resume.is_some() {
                    txn.remove_paused(id)?;
                }
                let outcome = cancelled.then_some("aborted");
                let why = (!cancelled).then_some(FROZEN);
                let was = Stored::Readable(state, d);
                hand_off::end(txn, &was, What::Released, Aside { outcome, why, ..Aside::default() })?;
                return Ok(Some(if cancelled { Found::Gone } else { Found::Frozen }));
            }
            let took = d.since.duration_since(queued.since).ok();
            let passed = freeze::passed(draft, txn.now());
            let aside = Aside { took, overridden: passed.as_deref(), ..Aside::default() };
            events::log(txn, What::Acquired, &d, aside);
            Ok(Some(Found::Granted(d)))
        }
        // Its place is gone, and only what it was before is left.
        Some((State::Paused, _)) => Ok(Some(Found::Gone)),
        Some(_) => Ok(None),
        None => Ok(Some(Found::Gone)),
    }
}

/// Gives the place up; a resumed one goes back to being paused.
fn withdraw(txn: &mut dyn Txn, waiting: &Waiting, draft: &Draft, why: Option<&str>) -> Result<Conflict> {
    let d = &waiting.deployment;
    let who = Who { id: Some(&d.id), ancestors: &d.ancestors, thorough: false };
    let blocks = engine::assess(txn, who, &d.locks)?.blocks;
    let in_the_way = in_the_way(txn, &blocks)?;
    let mut paused = None;
    if draft.resume.is_some() {
        let again = Deployment { since: txn.now().wall, ..d.clone() };
        txn.settle_down(&again, State::Paused)?;
        let took = again.since.duration_since(d.since).ok();
        events::log(txn, What::Paused, &again, Aside { took, why, ..Aside::default() });
        paused = Some(d.id.clone());
        hand_off::hand_off(txn, &names(d))?;
    } else {
        let was = Stored::Readable(State::Waiting, Arc::new(d.clone()));
        let aside = Aside { outcome: Some("gave up"), why, ..Aside::default() };
        hand_off::end(txn, &was, What::Released, aside)?;
    }
    let waited = txn.now().boot.saturating_sub(waiting.began);
    Ok(Conflict { blocks, in_the_way, waited, paused, manual: None })
}
