//! `run`: take the locks, run the command, give them back.

use std::ffi::OsString;
use std::mem::ManuallyDrop;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum};

use super::context::{Context, inherited_id};
use super::failure::{Failure, code};
use super::freeze::{gate, overriding};
use super::not_acquired::not_acquired;
use super::progress::Line;
use super::resume;
use super::standby::Prepared;
use super::target::{RecordArgs, TargetArgs, WaitArgs, draft, policy_patience};
use super::terminal::complain;
use super::under_locks::{Before, UnderLocks};
use super::{Answer, Exec};
use crate::command;
use crate::deployment::{Deployment, Id};
use crate::fingerprint;
use crate::ops::acquire::{Draft, Grant, Outcome, Patience, acquire};
use crate::ops::release;
use crate::ops::versions::{self, Asked, Begun, Resources, Version};
use crate::output::style::clean;
use crate::process;
use crate::signals::Signals;
use crate::store::Store;

/// What happens to the command when its locks are taken away.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum OnLost {
    /// It is ended, and the exit code is 76
    #[default]
    End,
    /// It goes on without them
    Keep,
}

impl From<OnLost> for command::OnLost {
    fn from(said: OnLost) -> Self {
        match said {
            OnLost::End => command::OnLost::End,
            OnLost::Keep => command::OnLost::Keep,
        }
    }
}

/// The options that only a target of one's own has.
const TARGET: [&str; 6] = ["env", "app", "containers", "locks", "exclusive", "resource"];
/// The options that say how to acquire.
const ACQUIRING: [&str; 9] = [
    "override_freeze",
    "reason",
    "owner",
    "url",
    "ttl",
    "no_wait",
    "wait",
    "wait_at_most",
    "conflict_exit_code",
];

#[derive(Args, Debug, Clone, Default, PartialEq, Eq)]
pub struct Run {
    #[command(flatten)]
    pub target: TargetArgs,
    #[command(flatten)]
    pub wait: WaitArgs,
    #[command(flatten)]
    pub record: RecordArgs,
    /// Run the command under a deployment that `acquire` returned; its locks stay held afterwards
    #[arg(long, value_name = "ID", conflicts_with_all = TARGET, conflicts_with_all = ACQUIRING)]
    pub id: Option<Id>,
    /// Go on under the locks that a failed or crashed deployment still holds, or try a paused one again
    #[arg(long, value_name = "ID", conflicts_with_all = TARGET, conflicts_with = "id")]
    pub resume: Option<Id>,
    /// The files that are deployed: they get the application's next version, one deployment at a time
    #[arg(long, value_name = "FILE", num_args = 1.., requires = "app", help_heading = "Versions")]
    pub resource: Vec<PathBuf>,
    /// Do nothing where the same files were the last to be deployed successfully
    #[arg(long, requires = "resource", help_heading = "Versions")]
    pub skip_duplicate: bool,
    /// Take the place of older deployments of the application to the environment that still wait
    #[arg(long, requires = "app")]
    pub supersede: bool,
    /// What happens to the command when its locks are taken away
    #[arg(long, value_enum, value_name = "WHAT", default_value = "end")]
    pub on_lost: OnLost,
    /// The command and its arguments
    #[arg(last = true, required = true, value_name = "CMD")]
    pub command: Vec<OsString>,
}

impl Exec for Run {
    fn exec(self, context: &Context) -> Answer {
        // Given back by the end of the process, which is sooner than one by one. So is the store.
        let this = ManuallyDrop::new(self);
        let mut signals = ManuallyDrop::new(Signals::take_over(process::myself().1)?);
        match (&this.id, &this.resume) {
            (Some(id), _) => this.under_acquired(context, id, &mut signals),
            (None, Some(id)) => this.resumed(context, id, &mut signals),
            (None, None) => this.anew(context, &mut signals),
        }
    }
}

impl Run {
    fn anew(&self, context: &Context, signals: &mut Signals) -> Answer {
        let plan = self.target.versioned_plan(context, !self.resource.is_empty())?;
        let store = ManuallyDrop::new(context.store()?);
        let mut draft = draft(&self.target, &self.record, &plan, inherited_id());
        draft.command = true;
        draft.supersede |= self.supersede;
        draft.refuse_manual = self.wait.refuse_manual(&plan);
        draft.gate = gate(context, &*store, &draft, self.record.override_freeze.as_deref())?;
        let resources = self.resources()?;
        if let Some(resources) = &resources {
            let asked =
                Asked { locks: &draft.locks, operation: draft.operation, parent: draft.parent.as_ref() };
            if let Some(same) = versions::duplicate(&*store, &asked, resources)? {
                return Ok(nothing_to_do(context, &same));
            }
        }
        let patience = self.wait.patience().unwrap_or_else(|| policy_patience(&plan, false));
        let attempt =
            Attempt { draft, patience, retry: plan.retry_interval, words: self.target.words(), resources };
        self.attempt(context, &*store, attempt, signals)
    }

    /// Under locks that stay when the command has ended.
    fn under_acquired(&self, context: &Context, id: &Id, signals: &mut Signals) -> Answer {
        let store = context.store()?;
        let d = resume::acquired(context, &store, id)?;
        self.under_locks(context, &store, None, context.retry(), signals).run_and_stay(&d)
    }

    /// A paused one is tried again; one that was kept goes on.
    fn resumed(&self, context: &Context, id: &Id, signals: &mut Signals) -> Answer {
        let (store, retry) = (context.store()?, context.retry());
        if let Some((mut draft, patience, retry)) =
            resume::again(context, &store, id, &self.wait, &self.record)?
        {
            draft.command = true;
            let words = vec![id.to_string()];
            let attempt = Attempt { draft, patience, retry, words, resources: None };
            return self.attempt(context, &store, attempt, signals);
        }
        let (d, lease) = resume::kept(context, &store, id, &self.record)?;
        let version = versions::given(&store, &d)?;
        let under = self.under_locks(context, &store, version, retry, signals);
        UnderLocks { before: Before::Kept, ..under }.run(&d, lease, None)
    }

    /// This command again, with an override.
    fn overriding(&self) -> Vec<String> {
        let target = match &self.resume {
            Some(id) => vec![format!("--resume={id}")],
            None => self.target.words(),
        };
        let mut words = overriding("run", target, &self.record);
        words.extend(self.resource.iter().map(|file| format!("--resource={}", file.display())));
        words.push("--".to_owned());
        words.extend(self.command.iter().map(|word| word.to_string_lossy().into_owned()));
        words
    }

    /// This command again, where it resumes.
    fn resuming(&self) -> Vec<String> {
        let Some(id) = &self.resume else { return Vec::new() };
        let words = ["run", "--resume", id.as_str(), "--"].map(str::to_owned);
        let command = self.command.iter().map(|word| word.to_string_lossy().into_owned());
        words.into_iter().chain(command).collect()
    }

    fn attempt(
        &self,
        context: &Context,
        store: &dyn Store,
        attempt: Attempt,
        signals: &mut Signals,
    ) -> Answer {
        let Attempt { draft, patience, retry, words, resources } = attempt;
        let mut line = Line::new(&context.global);
        let mut progress = Prepared { line: &mut line, command: &self.command, standby: None };
        let outcome = acquire(store, &draft, patience, retry, &mut progress, signals)?;
        let standby = progress.standby;
        let Outcome::Granted(grant) = outcome else {
            drop(standby);
            line.clear();
            context.hooks.settle_before_dying(&outcome);
            let mut commands = context.commands(words);
            commands.overriding = self.overriding();
            commands.resuming = self.resuming();
            return Ok(not_acquired(outcome, &commands, self.wait.code(), signals));
        };
        line.granted(grant.waited);
        if let Some(signal) = context.hooks.settle_briefly(signals) {
            drop(standby);
            return interrupted(context, store, &grant, signal, signals);
        }
        let Grant { deployment, lease, leftovers, waited } = *grant;
        let version = match self.version(store, &deployment, resources, waited) {
            Ok(None) => None,
            Ok(Some(Begun::Number(number))) => Some(number),
            Ok(Some(Begun::Duplicate(same))) => {
                release::give_back(store, &deployment, "duplicate")?;
                return Ok(nothing_to_do(context, &same));
            }
            Err(failure) => {
                release::give_back(store, &deployment, "failed")?;
                return Err(failure);
            }
        };
        let under = self.under_locks(context, store, version, retry, signals);
        UnderLocks { standby, ..under }.run(&deployment, lease, leftovers)
    }

    /// The number of what is deployed under the locks that are held now.
    fn version(
        &self,
        store: &dyn Store,
        d: &Deployment,
        resources: Option<Resources>,
        waited: Duration,
    ) -> Result<Option<Begun>, Failure> {
        // They may have changed during a wait.
        let resources = if waited.is_zero() { resources } else { self.resources()? };
        Ok(resources.map(|resources| versions::begin(store, d, &resources)).transpose()?)
    }

    fn resources(&self) -> Result<Option<Resources>, Failure> {
        if self.resource.is_empty() {
            return Ok(None);
        }
        let fingerprint = fingerprint::of(&self.resource).map_err(|e| Failure::new(code::FAILED, e))?;
        Ok(Some(Resources { fingerprint, skip_duplicate: self.skip_duplicate }))
    }

    fn under_locks<'a>(
        &'a self,
        context: &'a Context,
        store: &'a dyn Store,
        version: Option<u64>,
        retry: Duration,
        signals: &'a mut Signals,
    ) -> UnderLocks<'a> {
        UnderLocks {
            context,
            store,
            command: &self.command,
            version,
            before: if self.resume.is_some() { Before::Paused } else { Before::New },
            standby: None,
            on_lost: self.on_lost.into(),
            retry,
            signals,
        }
    }
}

/// What is tried.
struct Attempt {
    draft: Draft,
    patience: Patience,
    retry: Duration,
    /// The target again, for the messages.
    words: Vec<String>,
    resources: Option<Resources>,
}

/// Granted, and told to stop before anything was begun.
fn interrupted(
    context: &Context,
    store: &dyn Store,
    grant: &Grant,
    signal: i32,
    signals: &Signals,
) -> Answer {
    release::give_back(store, &grant.deployment, "aborted")?;
    let outcome = Outcome::Interrupted(signal);
    context.hooks.settle_before_dying(&outcome);
    Ok(not_acquired(outcome, &context.commands(Vec::new()), code::NOT_ACQUIRED, signals))
}

fn nothing_to_do(context: &Context, same: &Version) -> u8 {
    if !context.global.quiet {
        complain(&format!(
            "nothing to do: already deployed by {} ({}), version {}",
            clean(&same.owner),
            same.id,
            same.number
        ));
    }
    code::DONE
}
