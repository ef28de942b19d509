//! `run`: take the locks, run the command, give them back.

use std::ffi::OsString;
use std::time::Duration;

use clap::Args;

use super::context::{Context, inherited_id};
use super::failure::{Failure, code};
use super::freeze::{gate, overriding};
use super::progress::Line;
use super::target::{RecordArgs, TargetArgs, WaitArgs, draft, policy_patience};
use super::terminal::complain;
use super::{Answer, Exec};
use crate::clock;
use crate::command::{self, Ended, Running, Supervisor, Witness};
use crate::deployment::Deployment;
use crate::model::Keep;
use crate::ops::acquire::{Grant, Outcome, acquire};
use crate::ops::release;
use crate::output::{freeze, message};
use crate::process;
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
        draft.gate = gate(context, &draft, self.record.override_freeze.as_deref())?;
        let patience = self.wait.patience().unwrap_or_else(|| policy_patience(&plan, false));
        let mut line = Line::new(&context.global);
        let outcome = acquire(&store, &draft, patience, plan.retry_interval, &mut line, &mut signals)?;
        match outcome {
            Outcome::Granted(grant) => {
                line.granted(grant.waited);
                self.under_locks(context, &store, *grant, plan.retry_interval, signals)
            }
            other => {
                line.clear();
                let mut commands = context.commands(self.target.words());
                commands.overriding = self.overriding();
                Ok(not_acquired(other, &commands, self.wait.code(), &signals))
            }
        }
    }
}

impl Run {
    /// This command again, with an override.
    fn overriding(&self) -> Vec<String> {
        let mut words = overriding("run", self.target.words(), &self.record);
        words.push("--".to_owned());
        words.extend(self.command.iter().map(|word| word.to_string_lossy().into_owned()));
        words
    }

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
            // A shell that runs a script stops it only if what it ran died of the terminal's SIGINT.
            let _ = signal_hook::low_level::emulate_default_handler(signal_hook::consts::SIGINT);
        }
        Ok(code)
    }
}

fn start(argv: &[OsString], d: &Deployment, lease: &dyn Lease) -> Result<Running, Failure> {
    let held = lease.hand_down()?;
    Ok(command::start(argv, &variables(d), held)?)
}

/// What the command is told (INTERFACE.md, "Environment of the wrapped command"). What an outer run said and this
/// one does not is taken away.
fn variables(d: &Deployment) -> Vec<(&'static str, Option<String>)> {
    let locks: Vec<String> = d.locks.iter().map(|r| r.lock.to_string()).collect();
    vec![
        ("DEPLOYLOCK_ID", Some(d.id.to_string())),
        ("DEPLOYLOCK_TOKEN", d.token.map(|t| t.to_string())),
        ("DEPLOYLOCK_LOCKS", Some(locks.join(" "))),
        ("DEPLOYLOCK_ENV", d.environment.clone()),
        ("DEPLOYLOCK_APP", d.application.clone()),
        ("DEPLOYLOCK_APP_VERSION", d.version.clone()),
        ("DEPLOYLOCK_VERSION", None),
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
    match release::give_back(store, d, outcome) {
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

/// Says why the locks were not acquired. The exit code.
pub fn not_acquired(outcome: Outcome, commands: &message::Commands, code: u8, signals: &Signals) -> u8 {
    match outcome {
        Outcome::Conflict(conflict) => {
            complain(&message::conflict(&conflict, commands, clock::now().wall));
            code
        }
        Outcome::Frozen(stop) => {
            complain(&freeze::stopped(&stop, commands, clock::now().wall));
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
