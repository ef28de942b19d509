//! The same locks on an etcd cluster, for deployments that start on many hosts.
//!
//! A decision reads everything at one revision, makes up its mind in memory, and is one transaction that is carried
//! out only if what it rests on is still so; else it is made again. Liveness is a lease; sleeping is a watch.
//! See `keys` for what lies where, `commit` for what is compared, and `docs/design.md` for why.

mod address;
mod arrivals;
mod check;
mod client;
mod commit;
mod glimpse;
mod history;
mod io;
mod keys;
mod known;
mod lease;
mod life;
mod messages;
mod settings;
mod sleeper;
mod tls;
mod txn;
mod view;
mod wire;

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::sync::{Arc, Weak};
use std::time::Duration;

use super::{Decision, Listener, Result, Sleeper, Store, StoreError};
use crate::clock;
use crate::deployment::{Deployment, Id};
use client::{CallError, Client};
use commit::Done;
use keys::Keys;
use known::Known;
use lease::Keeper;
use life::Again;
use settings::Settings;
use txn::EtcdTxn;

pub use check::{Checked, Member};
pub use history::REMEMBERED;
pub use settings::{LEASE, PATIENCE, PREFIX, Password, Place, SHORTEST_LEASE};
pub use tls::TlsFiles;

/// How many of its own commits a store remembers, to know them again when a watch tells of them.
const OWN: usize = 32;
/// How often a decision is made again because others were quicker, before something is said to be wrong.
const CONFLICTS: u32 = 1000;
/// From which conflict on to let others go first for a moment, and for how long at most.
const POLITE: (u32, u64) = (2, 40);
/// How many times as patient one is that waits anyway.
const WAITING: u32 = 3;
/// The least time that a call gets, however close the end of a hold is.
const LEAST: Duration = Duration::from_secs(1);

/// A store in etcd.
pub struct EtcdStore {
    settings: Arc<Settings>,
    client: Client,
    keys: Keys,
    /// The revision that was looked at last.
    seen: Cell<i64>,
    /// How long the present call may be tried.
    patience: Cell<Duration>,
    own: RefCell<VecDeque<i64>>,
    known: Known,
    /// A revision that a decision rests on is no more to be had.
    outdated: Cell<bool>,
    /// How long the cluster may be unreachable.
    most: Duration,
    keepers: RefCell<Vec<Kept>>,
    listener: Option<Arc<dyn Listener>>,
}

/// A deployment of this process.
struct Kept {
    id: Id,
    keeper: Weak<Keeper>,
    /// It does not hold yet.
    waits: bool,
    /// It was paused before, and is again if it is killed.
    resumed: bool,
}

impl EtcdStore {
    /// A store at this place. Asks nobody anything yet.
    ///
    /// # Errors
    /// What is wrong with the place, for a person.
    pub fn new(place: Place) -> std::result::Result<EtcdStore, String> {
        let settings = Arc::new(Settings::check(place)?);
        let most = settings.patience;
        Ok(EtcdStore {
            client: Client::new(settings.clone()),
            keys: Keys::below(&settings.prefix),
            settings,
            seen: Cell::new(0),
            patience: Cell::new(PATIENCE),
            own: RefCell::default(),
            known: Known::default(),
            outdated: Cell::new(false),
            most,
            keepers: RefCell::default(),
            listener: None,
        })
    }

    /// Tells `listener` what the decisions of this store bring about.
    #[must_use]
    pub fn heard_by(self, listener: Arc<dyn Listener>) -> Self {
        EtcdStore { listener: Some(listener), ..self }
    }

    /// For somebody who waits at a keyboard.
    #[must_use]
    pub fn in_a_hurry(self) -> Self {
        EtcdStore { most: LEAST, ..self }
    }

    /// Until when what is begun now may take. One that holds may not be kept from noticing that its hold ends; one
    /// that waits would lose its place for nothing.
    fn deadline(&self) -> Duration {
        let now = clock::since_boot();
        let keepers = self.keepers.borrow();
        let alive = || keepers.iter().filter_map(|kept| Some((kept.waits, kept.keeper.upgrade()?)));
        if alive().any(|(waits, _)| waits) {
            self.patience.set(self.most * WAITING);
            return now + self.patience.get();
        }
        self.patience.set(self.most);
        let ends = alive().map(|(_, keeper)| keeper.deadline().give_up);
        ends.fold(now + self.most, Duration::min).max(now + LEAST)
    }

    fn saw(&self, revision: i64) {
        self.seen.set(revision);
    }

    fn wrote(&self, revision: i64) {
        let mut own = self.own.borrow_mut();
        if own.len() == OWN {
            own.pop_front();
        }
        own.push_back(revision);
    }

    /// Whether this store itself wrote that.
    fn is_own(&self, revision: i64) -> bool {
        self.own.borrow().contains(&revision)
    }

    fn keeps(&self, id: Id, keeper: &Arc<Keeper>, waits: bool, resumed: bool) {
        self.keepers.borrow_mut().push(Kept { id, keeper: Arc::downgrade(keeper), waits, resumed });
    }

    /// Whether it is new and waits, kept alive by this process.
    fn waits(&self, id: &Id) -> bool {
        self.keepers.borrow().iter().any(|kept| kept.waits && !kept.resumed && kept.id == *id)
    }

    /// Whether a deployment of this process waits.
    fn awaits(&self) -> bool {
        self.keepers.borrow().iter().any(|kept| kept.waits)
    }

    /// The lease by which this process holds it, if it does.
    fn lease_of(&self, id: &Id) -> Option<i64> {
        self.keeper_of(id).map(|keeper| keeper.lease())
    }

    fn keeper_of(&self, id: &Id) -> Option<Arc<Keeper>> {
        let keepers = self.keepers.borrow();
        keepers.iter().find(|kept| kept.id == *id)?.keeper.upgrade()
    }

    /// What was left to be written is written now.
    fn stir(&self) {
        self.keepers
            .borrow()
            .iter()
            .filter_map(|kept| kept.keeper.upgrade())
            .for_each(|keeper| keeper.stir());
    }

    /// This deployment has been found to hold.
    fn holds(&self, id: &Id) {
        self.keepers
            .borrow_mut()
            .iter_mut()
            .filter(|kept| kept.id == *id)
            .for_each(|kept| kept.waits = false);
    }

    /// This deployment needs no process any more.
    fn let_go(&self, id: &Id) {
        self.keepers.borrow_mut().retain(|kept| {
            let Some(keeper) = kept.keeper.upgrade() else { return false };
            if kept.id == *id {
                keeper.bare();
            }
            kept.id != *id
        });
    }

    fn failed(&self, e: CallError) -> StoreError {
        commit::error(self.describe(), self.patience.get(), e)
    }

    fn refused(&self, why: String) -> StoreError {
        StoreError::Refused { store: self.describe(), why }
    }
}

/// Lets the others go first: a little, and not all for the same time.
fn polite_pause(conflicts: u32) {
    if conflicts < POLITE.0 {
        return;
    }
    let mut byte = [0u8; 1];
    let _ = rustix::rand::getrandom(&mut byte, rustix::rand::GetRandomFlags::empty());
    let most = POLITE.1.min(1 << conflicts.min(16));
    client::pause(Duration::from_micros(u64::from(byte[0]) * most * 1000 / 255));
}

impl Store for EtcdStore {
    fn decide(&self, decision: &mut Decision<'_>) -> Result<()> {
        let mut again = Again::default();
        let mut view = None;
        for conflicts in 0..CONFLICTS {
            let mut txn = EtcdTxn::new(self, self.deadline(), view.take(), &mut again);
            txn.may_know = conflicts == 0;
            let (mut happened, mut newcomer) = (Vec::new(), false);
            let done = decision(&mut txn).and_then(|()| {
                happened = std::mem::take(&mut txn.happened);
                newcomer = txn.entered > 0;
                txn.commit()
            });
            let done = match done {
                // What is compacted away can be asked for no more: everything as it is now.
                Err(_) if self.outdated.take() => Done::Conflict(None),
                done => done?,
            };
            match done {
                Done::Committed(_) => {
                    // Only now it has happened.
                    if let Some(listener) = self.listener.as_ref().filter(|_| !happened.is_empty()) {
                        listener.hear(happened);
                    }
                    return Ok(());
                }
                // After a pause it is no longer news. Who hands on goes first: it asks for little, and many wait for it.
                Done::Conflict(fresh) => {
                    view = fresh.filter(|v| conflicts < POLITE.0 || !(v.whole || newcomer));
                }
            }
            if view.is_none() {
                polite_pause(conflicts);
            }
        }
        Err(self
            .refused(format!("others were quicker {CONFLICTS} times; try again when there is less to do")))
    }

    fn look(&self, look: &mut Decision<'_>) -> Result<bool> {
        self.stir();
        let mut again = Again::default();
        let mut txn = EtcdTxn::new(self, self.deadline(), None, &mut again);
        look(&mut txn)?;
        if let Some(view) = txn.view.take() {
            self.known.keep(view);
        }
        Ok(true)
    }

    /// Only a decision tells.
    fn granted(&self, _waited: &Deployment) -> Result<Option<Arc<Deployment>>> {
        Ok(None)
    }

    fn sleeper(&self, _retry: Duration) -> Result<Box<dyn Sleeper + '_>> {
        Ok(Box::new(sleeper::EtcdSleeper::new(self)))
    }

    fn history(&self) -> Result<Vec<String>> {
        self.read_history().map_err(|e| self.failed(e))
    }

    fn describe(&self) -> String {
        let endpoints: Vec<String> = self.settings.endpoints.iter().map(ToString::to_string).collect();
        format!("etcd {} {}", endpoints.join(","), self.settings.prefix)
    }
}
