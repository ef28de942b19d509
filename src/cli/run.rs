//! `run`: take the locks, run the command, give them back.

use std::ffi::OsString;
use std::time::Duration;

use clap::Args;

use super::context::{Context, inherited_id};
use super::failure::{Failure, code};
use super::progress::Line;
use super::target::{RecordArgs, TargetArgs, WaitArgs, draft, policy_patience};
use super::terminal::complain;
use super::{Answer, Exec};
use crate::clock;
use crate::command::{self, Ended, Running, Supervisor, Witness};
use crate::deployment::{Deployment, Id};
use crate::hook;
use crate::model::Keep;
use crate::ops::acquire::{Grant, Outcome, acquire};
use crate::ops::release;
use crate::output::message;
use crate::process::{self, HOOK_VARIABLE};
use crate::signals::Signals;
use crate::store::files::FilesStore;
use crate::store::{Lease, StoreError};

#[derive(Args, Debug, Clone, Default, PartialEq, Eq)]
pub struct Run {
    #[command(flatten)]
    pub target: TargetArgs,
    #[command(flatten)]
    pub wait: WaitArgs,
    #[command(flatten)]
    pub record: RecordArgs,
    /// The command and its arguments
    #[arg(last = true, required = true, value_name = "CMD")]
    pub command: Vec<OsString>,
}

impl Exec for Run {
    fn exec(self, context: &Context) -> Answer {
        let mut signals = Signals::take_over(process::myself().1)?;
        let plan = self.target.plan(context)?;
        let store = context.store()?;
        let mut draft = draft(&self.target, &self.record, &plan, inherited_id());
        draft.command = true;
        let patience = self.wait.patience().unwrap_or_else(|| policy_patience(&plan, false));
        let mut line = Line::new(&context.global);
        let outcome = acquire(&store, &draft, patience, plan.retry_interval, &mut line, &mut signals)?;
        match outcome {
            Outcome::Granted(grant) => {
                line.granted(grant.waited);
                if let Some(signal) = context.hooks.settle_briefly(&mut signals) {
                    return interrupted(context, &store, &grant, signal, &signals);
                }
                self.under_locks(context, &store, *grant, plan.retry_interval, signals)
            }
            other => {
                line.clear();
                settle_before_dying(context, &other);
                let commands = context.commands(self.target.words());
                Ok(not_acquired(other, &commands, self.wait.code(), &signals))
            }
        }
    }
}

impl Run {
    fn under_locks(
        &self,
        context: &Context,
        store: &FilesStore,
        grant: Grant,
        retry: Duration,
        mut signals: Signals,
    ) -> Answer {
        let Grant { deployment, lease, leftovers, .. } = grant;
        let mut running = match start(&self.command, &deployment, lease.as_ref()) {
            Ok(running) => running,
            Err(failure) => {
                release::give_back(store, &deployment, "failed")?;
                return Err(failure);
            }
        };
        if let Some(leftovers) = leftovers {
            std::thread::spawn(move || drop(leftovers));
        }
        // The system may have let it run to its end before it came back to us.
        if !running.has_ended()? {
            note(store, &deployment, &running);
        }
        let renew = deployment.ttl.map(|ttl| ttl / 3);
        let supervisor = Supervisor { store, id: &deployment.id, renew, retry, witness: &mut Teller };
        let ended = supervisor.wait(running, &mut signals)?;
        let code = finish(context, store, &deployment, ended)?;
        drop(lease);
        if ended.interrupted && code != code::LOST {
            context.hooks.settle();
            // A shell that runs a script stops it only if what it ran died of the terminal's SIGINT.
            let _ = signal_hook::low_level::emulate_default_handler(signal_hook::consts::SIGINT);
        }
        Ok(code)
    }
}

fn start(argv: &[OsString], d: &Deployment, lease: &dyn Lease) -> Result<Running, Failure> {
    // No hook may inherit what keeps the locks.
    let _alone = hook::alone();
    let held = lease.hand_down()?;
    Ok(command::start(argv, &variables(&d.id, Some(d)), held)?)
}

/// What the command is told (INTERFACE.md, "Environment of the wrapped command"). What an outer run said and this
/// one does not is taken away.
pub fn variables(id: &Id, d: Option<&Deployment>) -> Vec<(&'static str, Option<String>)> {
    let locks = |d: &Deployment| d.locks.iter().map(|r| r.lock.to_string()).collect::<Vec<_>>().join(" ");
    vec![
        ("DEPLOYLOCK_ID", Some(id.to_string())),
        ("DEPLOYLOCK_TOKEN", d.and_then(|d| d.token).map(|t| t.to_string())),
        ("DEPLOYLOCK_LOCKS", d.map(locks)),
        ("DEPLOYLOCK_ENV", d.and_then(|d| d.environment.clone())),
        ("DEPLOYLOCK_APP", d.and_then(|d| d.application.clone())),
        ("DEPLOYLOCK_APP_VERSION", d.and_then(|d| d.version.clone())),
        ("DEPLOYLOCK_VERSION", None),
        (HOOK_VARIABLE, None),
    ]
}

/// Notes the command's process, by which it is told from a dead one if this wrapper is killed. Where that fails,
/// the record still says that a command was started, and the lock on it that it lives.
fn note(store: &FilesStore, d: &Deployment, running: &Running) {
    if let Err(e) = release::note_command(store, &d.id, process::child(running.pid())) {
        complain(&format!("warning: {e}"));
    }
}

fn finish(context: &Context, store: &FilesStore, d: &Deployment, ended: Ended) -> Answer {
    if ended.lost {
        return Ok(code::LOST);
    }
    if ended.code != 0 && d.on_failure == Keep::Hold {
        return keep(context, store, d, ended);
    }
    let outcome = if ended.code == 0 { "done" } else { "failed" };
    let failed = (ended.code != 0).then_some(i32::from(ended.code));
    match release::give_back(store, &Deployment { failed, ..d.clone() }, outcome) {
        Ok(true) => Ok(ended.code),
        Ok(false) | Err(StoreError::Removed(_)) => {
            Teller.taken_away();
            Ok(code::LOST)
        }
        Err(e) => {
            complain(&format!("warning: {e}. The locks go with the end of this process"));
            Ok(ended.code)
        }
    }
}

fn keep(context: &Context, store: &FilesStore, d: &Deployment, ended: Ended) -> Answer {
    if !release::keep_failed(store, d, i32::from(ended.code))? {
        Teller.taken_away();
        return Ok(code::LOST);
    }
    let commands = context.commands(Vec::new());
    complain(&format!(
        "the command failed with exit status {}; its locks stay held for a person (on_failure = \"hold\")\n  \
         give them back  {}",
        ended.code,
        commands.line(&["release", d.id.as_str(), "--outcome", "failed"]),
    ));
    Ok(ended.code)
}

struct Teller;

impl Teller {
    fn taken_away(&self) {
        complain("the locks were taken away while the command ran (cleared by force, or expired)");
    }
}

impl Witness for Teller {
    fn lost(&mut self) {
        complain(
            "the locks were taken away while the command runs (cleared by force, or expired); ending it",
        );
    }

    fn cancelled(&mut self) {
        complain("cancelled; ending the command");
    }

    fn warn(&mut self, error: &StoreError) {
        complain(&format!("warning: {error}"));
    }
}

/// Granted, and told to stop before anything was begun.
fn interrupted(
    context: &Context,
    store: &FilesStore,
    grant: &Grant,
    signal: i32,
    signals: &Signals,
) -> Answer {
    release::give_back(store, &grant.deployment, "aborted")?;
    let outcome = Outcome::Interrupted(signal);
    settle_before_dying(context, &outcome);
    Ok(not_acquired(outcome, &context.commands(Vec::new()), code::NOT_ACQUIRED, signals))
}

/// One that is to end by a signal cannot wait for its hooks afterwards.
pub fn settle_before_dying(context: &Context, outcome: &Outcome) {
    if matches!(outcome, Outcome::Interrupted(_)) {
        context.hooks.settle();
    }
}

/// Says why the locks were not acquired. The exit code.
pub fn not_acquired(outcome: Outcome, commands: &message::Commands, code: u8, signals: &Signals) -> u8 {
    match outcome {
        Outcome::Conflict(conflict) => {
            complain(&message::conflict(&conflict, commands, clock::now().wall));
            code
        }
        Outcome::Refused(refusal) => {
            complain(&message::refusal(&refusal, inherited_id().as_ref()));
            code::FAILED
        }
        Outcome::Cancelled(id) => {
            complain(&format!("{id} was cancelled while it waited; nothing is held"));
            code
        }
        Outcome::NotPaused(id) => {
            complain(&format!("there is no paused deployment {id}; see `{}`", commands.line(&["list"])));
            code::NOT_THERE
        }
        Outcome::Interrupted(signal) => {
            if signals.last.is_some_and(|c| c.from_terminal) {
                let _ = signal_hook::low_level::emulate_default_handler(signal);
            }
            code::SIGNAL.saturating_add(u8::try_from(signal).unwrap_or(0))
        }
        Outcome::Granted(_) => code::DONE,
    }
}
