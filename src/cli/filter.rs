//! Which deployments `list` shows and `clear` means.

use std::collections::BTreeSet;

use clap::{Args, ValueEnum};

use crate::deployment::{State, Stored};
use crate::model::{Kind, LockName};
use crate::ops::survey::{Shown, Survey};

/// A state as people name it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum StateName {
    /// Holds its locks
    Held,
    /// Waits for them
    Waiting,
    /// Paused
    Paused,
    /// Its record cannot be read
    Unreadable,
}

/// The filters; all that are given must fit.
#[derive(Args, Debug, Clone, Default)]
#[command(next_help_heading = "Filters")]
pub struct Filter {
    /// Deployments to this environment
    #[arg(short, long, value_name = "ENV")]
    pub env: Option<String>,
    /// Deployments of this application
    #[arg(short, long, value_name = "APP")]
    pub app: Option<String>,
    /// Deployments that touch this container
    #[arg(short, long, value_name = "C")]
    pub container: Option<String>,
    /// Deployments that hold or await this lock, `kind:name` or the name of a lock by name
    #[arg(short, long, value_name = "LOCK")]
    pub lock: Option<String>,
    /// Deployments of this owner
    #[arg(long, value_name = "NAME")]
    pub owner: Option<String>,
}

impl Filter {
    /// Whether any was given.
    pub fn any(&self) -> bool {
        let given = [&self.env, &self.app, &self.container, &self.lock, &self.owner];
        given.into_iter().any(Option::is_some)
    }

    /// Whether this lock is the one that is meant, if one is.
    fn is_lock(&self, lock: &LockName) -> bool {
        self.lock.as_ref().is_none_or(|wanted| {
            lock.to_string() == *wanted || (lock.kind == Kind::Name && *lock.name == **wanted)
        })
    }

    /// Whether it fits. One that cannot be read fits only where nothing is asked of its content but its locks.
    pub fn fits(&self, shown: &Shown) -> bool {
        let queued = self.lock.is_none() || shown.queued_at.iter().any(|lock| self.is_lock(lock));
        let Some(d) = shown.stored.deployment() else {
            return queued && !Filter { lock: None, ..self.clone() }.any();
        };
        let same =
            |wanted: &Option<String>, have: Option<&str>| wanted.as_deref().is_none_or(|w| Some(w) == have);
        let at_lock = queued || d.locks.iter().any(|r| self.is_lock(&r.lock));
        // A deployment touches the containers it names and those it locks.
        let touches = |c: &String| {
            d.containers.contains(c)
                || d.locks.iter().any(|r| r.lock.kind == Kind::Container && *r.lock.name == **c)
        };
        same(&self.env, d.environment.as_deref())
            && same(&self.app, d.application.as_deref())
            && self.container.as_ref().is_none_or(touches)
            && at_lock
            && same(&self.owner, Some(&d.owner))
    }

    /// Leaves in the survey only what fits.
    pub fn apply(&self, survey: &mut Survey, state: Option<StateName>, stale: bool) {
        let fits = |s: &Shown| {
            self.fits(s) && state.is_none_or(|wanted| wanted.is(&s.stored)) && (!stale || s.stale().is_some())
        };
        survey.deployments.retain(fits);
        let mut kept = BTreeSet::new();
        for shown in &survey.deployments {
            kept.insert(shown.stored.id().clone());
        }
        for lock in &mut survey.locks {
            lock.entries.retain(|(entry, _)| kept.contains(&entry.id));
        }
        survey.locks.retain(|l| !l.entries.is_empty() && self.is_lock(&l.lock));
    }
}

impl StateName {
    fn is(self, stored: &Stored) -> bool {
        match (self, stored) {
            (StateName::Unreadable, Stored::Unreadable(_)) => true,
            (_, Stored::Unreadable(_)) => false,
            (StateName::Held, s) => s.state().holds(),
            (StateName::Waiting, s) => s.state() == State::Waiting,
            (StateName::Paused, s) => s.state() == State::Paused,
            (StateName::Unreadable, _) => false,
        }
    }
}
