//! A command under locks: started, watched, and what becomes of the locks when it has ended.

use std::borrow::Cow;
use std::ffi::OsString;
use std::time::Duration;

use super::Answer;
use super::context::Context;
use super::failure::{Failure, code};
use super::missing::{self, taken_away};
use super::terminal::complain;
use crate::command::{self, BY_ITS_RUN, Ended, OnLost, Running, Supervisor, Witness};
use crate::deployment::{Deployment, Id};
use crate::hook;
use crate::model::Keep;
use crate::ops::events::What;
use crate::ops::release::{self, Renewed};
use crate::ops::versions;
use crate::output::style::clean;
use crate::process::{self, HOOK_VARIABLE};
use crate::signals::Signals;
use crate::store::{self, Lease, Store, StoreError};
use crate::tied::{self, Standby};

/// A command that is to run under the locks of a deployment.
pub struct UnderLocks<'a> {
    /// One invocation of the program.
    pub context: &'a Context,
    /// Where the deployment is.
    pub store: &'a dyn Store,
    /// The command and its arguments.
    pub command: &'a [OsString],
    /// The number it deploys.
    pub version: Option<u64>,
    /// What the deployment was before.
    pub before: Before,
    /// What becomes the command where that is tied, if there was time to start it.
    pub standby: Option<Standby>,
    /// What happens when the locks are taken away.
    pub on_lost: OnLost,
    /// How late a change of another host may be noticed.
    pub retry: Duration,
    /// The signals that the command is told.
    pub signals: &'a mut Signals,
}

/// What a wait has left (`Sleeper::leftovers`).
type Leftovers = Box<dyn std::any::Any + Send>;

/// What a deployment was before a command runs under it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Before {
    /// It is new.
    New,
    /// Paused.
    Paused,
    /// Kept for a person.
    Kept,
}

impl UnderLocks<'_> {
    /// Runs it, and gives the locks back, or keeps them for a person. `leftovers` of a wait are dropped meanwhile, if
    /// it runs for long enough.
    pub fn run(mut self, d: &Deployment, lease: Box<dyn Lease>, leftovers: Option<Leftovers>) -> Answer {
        let mut running = match self.start(d, Some(lease.as_ref())) {
            Ok(running) => running,
            Err(failure) if self.before == Before::Kept => {
                complain(&failure.to_string());
                // A word mistyped is no reason to give back what was kept for a person.
                return Ok(self.keep(d, failure.code, "the command did not start: it ended"));
            }
            Err(failure) => {
                self.note_end(d, "failed");
                release::give_back(self.store, d, "failed")?;
                return Err(failure);
            }
        };
        if self.before == Before::Paused
            && let Err(e) = release::no_longer_paused(self.store, &d.id)
        {
            complain(&format!("warning: {e}"));
        }
        let ended = self.watch(d, &mut running, Some(lease.as_ref()), leftovers)?;
        let code = self.finish(d, ended)?;
        drop(running);
        // A server has to be told. Descriptors are given back by the end of the process, which is sooner.
        if lease.deadline().is_none() {
            std::mem::forget(lease);
        }
        pass_on_interrupt(self.context, ended, code);
        Ok(code)
    }

    /// Runs it under locks that stay held when it has ended.
    pub fn run_and_stay(mut self, d: &Deployment) -> Answer {
        // Its time to live may be nearly over.
        if d.ttl.is_some()
            && matches!(release::renew(self.store, &d.id, None, BY_ITS_RUN)?, Renewed::NotThere)
        {
            return Err(Failure::text(code::NOT_THERE, taken_away(self.store, &d.id)));
        }
        let mut running = self.start(d, None)?;
        let mut ended = self.watch(d, &mut running, None, None)?;
        drop(running);
        // A short command may have ended before anybody looked.
        if !ended.lost && !self.still_held(d)? {
            complain(&format!("{} {}", taken_away(self.store, &d.id), "while the command ran"));
            ended.lost = true;
        }
        let code = if ended.lost { self.code_of_lost(ended) } else { ended.code };
        pass_on_interrupt(self.context, ended, code);
        Ok(code)
    }

    fn still_held(&self, d: &Deployment) -> Result<bool, StoreError> {
        let found = store::look(self.store, |txn| txn.find(&d.id))?.flatten();
        Ok(found.is_some_and(|stored| stored.state().holds()))
    }

    fn start(&mut self, d: &Deployment, lease: Option<&dyn Lease>) -> Result<Running, Failure> {
        // No hook may inherit what keeps the locks.
        let _alone = hook::alone();
        let held = lease.map(Lease::hand_down).transpose()?.flatten();
        let variables = variables(&d.id, Some(d), self.version);
        let Some(lease) = lease.filter(|lease| lease.deadline().is_some()) else {
            return Ok(command::start(self.command, &variables, held)?);
        };
        // A hold that has to be confirmed goes with this process, whatever becomes of the command.
        let running = match self.standby.take().and_then(|standby| standby.go(&variables)) {
            Some(pid) => pid.into(),
            None => command::start(&tied::tie(self.command), &variables, held)?,
        };
        lease.command_started();
        Ok(running)
    }

    /// Waits for its end; with `lease`, the deployment is its own.
    fn watch(
        &mut self,
        d: &Deployment,
        running: &mut Running,
        lease: Option<&dyn Lease>,
        leftovers: Option<Leftovers>,
    ) -> std::io::Result<Ended> {
        // Where the hold has to be confirmed again and again, nobody asks for the command.
        let notes = lease.is_some_and(|lease| lease.deadline().is_none());
        let mut teller = Teller { store: self.store, id: &d.id, notes, leftovers };
        let supervisor = Supervisor {
            store: self.store,
            id: &d.id,
            renew: d.ttl.map(command::renewed_every),
            retry: self.retry,
            on_lost: self.on_lost,
            lease,
            witness: &mut teller,
        };
        let ended = supervisor.wait(running, self.signals);
        // Of a short command's wait the end of this process takes them down: before the release it would delay that.
        std::mem::forget(teller.leftovers.take());
        ended
    }

    fn finish(&self, d: &Deployment, ended: Ended) -> Answer {
        let outcome = match ended {
            Ended { code: 0, lost: false, .. } => versions::DONE,
            Ended { cancelled: true, .. } => "aborted",
            _ => "failed",
        };
        // While the application's lock is still its own.
        self.note_end(d, outcome);
        if ended.lost {
            return Ok(self.code_of_lost(ended));
        }
        // Who cancels it wants its locks back, not kept.
        if ended.code != 0 && d.on_failure == Keep::Hold && !ended.cancelled {
            return Ok(self.keep(d, ended.code, "the command failed"));
        }
        let failed = (ended.code != 0).then_some(i32::from(ended.code));
        let d = match d.failed == failed {
            true => Cow::Borrowed(d),
            false => Cow::Owned(Deployment { failed, ..d.clone() }),
        };
        match release::give_back(self.store, &d, outcome) {
            Ok(true) => Ok(ended.code),
            Ok(false) | Err(StoreError::Removed(_)) => {
                complain(&format!("{} {}", taken_away(self.store, &d.id), "while the command ran"));
                Ok(self.code_of_lost(ended))
            }
            Err(e) => {
                complain(&format!("warning: {e}. The locks go with the end of this process"));
                Ok(ended.code)
            }
        }
    }

    /// A command that was not ended for it answers for itself.
    fn code_of_lost(&self, ended: Ended) -> u8 {
        if self.on_lost == OnLost::Keep { ended.code } else { code::LOST }
    }

    fn note_end(&self, d: &Deployment, outcome: &str) {
        if let Some(number) = self.version
            && let Err(e) = versions::end(self.store, d, number, outcome)
        {
            complain(&format!("warning: how version {number} ended is not noted: {e}"));
        }
    }

    /// Keeps the locks for a person. The exit code.
    fn keep(&self, d: &Deployment, status: u8, what: &str) -> u8 {
        match release::keep_failed(self.store, d, i32::from(status)) {
            Ok(true) => {}
            Ok(false) | Err(StoreError::Removed(_)) => {
                complain(&format!("{} {}", taken_away(self.store, &d.id), "while the command ran"));
                return if self.on_lost == OnLost::Keep { status } else { code::LOST };
            }
            Err(e) => {
                let then = match d.on_crash {
                    Keep::Hold => "they are kept as those of a crash (on_crash = \"hold\")",
                    Keep::Release => "they GO with the end of this process",
                };
                complain(&format!(
                    "warning: {what} with exit status {status} and its locks cannot be kept: {e}. {then}"
                ));
                return status;
            }
        }
        let (commands, id) = (self.context.commands(Vec::new()), d.id.as_str());
        complain(&format!(
            "{what} with exit status {status}; its locks stay held for a person\n  \
             go on under them  {} -- CMD\n  give them back    {}",
            commands.line(&["run", "--resume", id]),
            commands.line(&["release", id, "--outcome", "failed"]),
        ));
        status
    }
}

/// A shell that runs a script stops it only if what it ran died of the terminal's SIGINT.
fn pass_on_interrupt(context: &Context, ended: Ended, code: u8) {
    if ended.interrupted && code != code::LOST {
        context.hooks.settle();
        let _ = signal_hook::low_level::emulate_default_handler(signal_hook::consts::SIGINT);
    }
}

/// What the command is told (INTERFACE.md, "Environment of the wrapped command"). What an outer run said and this
/// one does not is taken away.
pub fn variables(
    id: &Id,
    d: Option<&Deployment>,
    version: Option<u64>,
) -> Vec<(&'static str, Option<String>)> {
    let locks = |d: &Deployment| d.locks.iter().map(|r| r.lock.text()).collect::<Vec<_>>().join(" ");
    vec![
        ("DEPLOYLOCK_ID", Some(id.to_string())),
        ("DEPLOYLOCK_TOKEN", d.and_then(|d| d.token).map(|t| t.to_string())),
        ("DEPLOYLOCK_LOCKS", d.map(locks)),
        ("DEPLOYLOCK_ENV", d.and_then(|d| d.environment.clone())),
        ("DEPLOYLOCK_APP", d.and_then(|d| d.application.clone())),
        ("DEPLOYLOCK_APP_VERSION", d.and_then(|d| d.version.clone())),
        ("DEPLOYLOCK_VERSION", version.map(|number| number.to_string())),
        (HOOK_VARIABLE, None),
    ]
}

struct Teller<'a> {
    store: &'a dyn Store,
    id: &'a Id,
    notes: bool,
    leftovers: Option<Leftovers>,
}

impl Witness for Teller<'_> {
    /// Notes the process, by which it is told from a dead one if this wrapper is killed. Where that fails, the record
    /// still says that a command was started, and the lock on it that it lives.
    fn runs_on(&mut self, pid: u32) {
        if let Some(leftovers) = self.leftovers.take() {
            // Where there is no thread to be had they are dropped here.
            drop(std::thread::Builder::new().spawn(move || drop(leftovers)));
        }
        if self.notes
            && let Err(e) = release::note_command(self.store, self.id, process::child(pid))
        {
            complain(&format!("warning: {e}"));
        }
    }

    fn lost(&mut self, then: OnLost) {
        let then = match then {
            OnLost::End => "ending it",
            OnLost::Keep => "it goes on WITHOUT them (--on-lost keep)",
        };
        complain(&format!("{} while the command runs; {then}", taken_away(self.store, self.id)));
    }

    fn cancelled(&mut self) {
        let last = missing::last(self.store, self.id.as_str()).filter(|last| last.what == What::Cancelled);
        let by = last.and_then(|last| last.by).map(|by| format!(" by {}", clean(&by))).unwrap_or_default();
        complain(&format!("cancelled{by}; ending the command"));
    }

    fn warn(&mut self, error: &StoreError) {
        complain(&format!("warning: {error}"));
    }
}
