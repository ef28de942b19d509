//! Who lives and for how long: the leases that a decision binds its deployments to, and what those of others say.

use std::collections::HashMap;
use std::sync::Arc;

use super::lease::{EtcdLease, Keeper};
use super::txn::EtcdTxn;
use super::view::{Content, Record};
use crate::deployment::{Deployment, Id, State, Verdict};
use crate::engine::{Standing, View as _};
use crate::liveness::{self, Evidence, Kernel};
use crate::model::Keep;
use crate::process::{self, Presence};
use crate::store::{Lease, Result};

/// What outlasts one run of a decision that is run again.
#[derive(Default)]
pub(super) struct Again {
    keepers: Vec<Arc<Keeper>>,
    times: HashMap<Id, i64>,
}

impl EtcdTxn<'_> {
    /// Whether what this process held was found dead, kept, and taken over by another: to this one it is gone.
    pub(super) fn is_anothers(&self, id: &Id, record: &Record) -> bool {
        let own = self.store.lease_of(id);
        own.is_some_and(|own| record.alive.is_some_and(|lease| lease != own))
    }

    /// A lease for one more deployment of this process.
    fn keeper(&mut self) -> Result<Arc<Keeper>> {
        self.entered += 1;
        if let Some(keeper) = self.again.keepers.get(self.entered - 1) {
            return Ok(keeper.clone());
        }
        let begun = Keeper::begin(&self.store.client, self.deadline);
        let keeper = Arc::new(begun.map_err(|e| self.store.failed(e))?);
        self.again.keepers.push(keeper.clone());
        Ok(keeper)
    }

    /// A lease as long as the time to live that is left; its end is the end of that time, by no host's clock.
    pub(super) fn time(&mut self, d: &Deployment) -> Result<Option<i64>> {
        let Some(expires) = d.expires else {
            return Ok(None);
        };
        if let Some(lease) = self.again.times.get(&d.id) {
            return Ok(Some(*lease));
        }
        let left = expires.wall.duration_since(self.now.wall).unwrap_or_default();
        let granted = self.store.client.grant_lease(left, self.deadline);
        let lease = granted.map_err(|e| self.store.failed(e))?;
        self.again.times.insert(d.id.clone(), lease);
        Ok(Some(lease))
    }

    fn detached(&mut self, record: &Record, d: &Deployment) -> Result<Verdict> {
        let here = process::here();
        let same_boot = d.place.boot == here.boot && !d.place.boot.is_empty();
        let same_numbers = same_boot && d.place.pid_ns == here.pid_ns;
        let owner = match &d.owner_process {
            Some(p) if same_numbers => process::presence(p),
            _ => Presence::Unknown,
        };
        let parent_ended = match &d.parent {
            Some(parent) => self.standing(parent)? != Standing::Holds,
            None => false,
        };
        let evidence = Evidence {
            locked: false,
            kernel: if same_boot { Kernel::Ours } else { Kernel::Another },
            same_numbers,
            process: Presence::Unknown,
            command: Presence::Gone,
            owner,
            expired: d.expires.is_some() && record.until.is_none(),
            parent_ended,
            descendant: None,
        };
        Ok(liveness::judge(State::Detached, d, &evidence))
    }

    pub(super) fn judge(&mut self, record: &Record, content: &Content) -> Result<Verdict> {
        let d = &content.deployment;
        let lapsed = || {
            format!(
                "nothing was heard of process {} on {} until its lease ran out",
                d.process.pid, d.place.host
            )
        };
        Ok(match content.state {
            State::Paused => Verdict::Unbound,
            State::Detached => self.detached(record, d)?,
            State::Waiting | State::Attached if record.alive.is_some() => Verdict::Alive(None),
            State::Attached if d.on_crash == Keep::Hold => Verdict::Kept(format!("crashed: {}", lapsed())),
            State::Waiting | State::Attached => Verdict::Dead(lapsed()),
        })
    }

    /// Attaches a record to this process.
    pub(super) fn attach(&mut self, id: &Id, record: &mut Record) -> Result<Box<dyn Lease>> {
        let keeper = self.keeper()?;
        record.alive = Some(keeper.lease());
        self.keepers.push((id.clone(), keeper.clone()));
        Ok(Box::new(EtcdLease { id: id.clone(), keeper: Some(keeper) }))
    }
}
