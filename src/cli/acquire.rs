//! `acquire`: take the locks and return; they stay until released.

use clap::{Args, ValueEnum};

use super::context::{Context, inherited_id};
use super::failure::{Failure, code};
use super::freeze::{gate, overriding};
use super::not_acquired::not_acquired;
use super::opened::Opened;
use super::progress::Line;
use super::resume;
use super::shell_init::exports;
use super::target::{RecordArgs, TargetArgs, WaitArgs, draft, policy_patience};
use super::terminal::{self, complain};
use super::{Answer, Exec};
use crate::deployment::Id;
use crate::ops::acquire::{Draft, Grant, Outcome, Patience, acquire};
use crate::ops::release;
use crate::process;
use crate::signals::Signals;
use crate::store::Store;

#[derive(Args, Debug, Default, PartialEq, Eq)]
pub struct Acquire {
    #[command(flatten)]
    target: TargetArgs,
    #[command(flatten)]
    wait: WaitArgs,
    #[command(flatten)]
    record: RecordArgs,
    /// Tie the locks to this process: when it ends, they are stale
    #[arg(long, value_name = "PID", value_parser = clap::value_parser!(u32).range(1..))]
    owner_pid: Option<u32>,
    /// Take the place of older deployments of the application to the environment that still wait
    #[arg(long, requires = "app")]
    supersede: bool,
    /// Try a paused deployment again, keeping its id
    #[arg(long, value_name = "ID", conflicts_with_all = ["env", "app", "containers", "locks", "exclusive", "owner_pid"])]
    resume: Option<Id>,
    /// What is printed when it holds
    #[arg(long, value_enum, value_name = "FORMAT", default_value = "id")]
    format: Format,
}

/// How a grant is told.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
enum Format {
    /// The deployment's id
    #[default]
    Id,
    /// Lines for `eval` that export what a wrapped command would be told
    Shell,
}

impl Exec for Acquire {
    fn exec(self, context: &Context) -> Answer {
        let mut signals = Signals::take_over(process::myself().1)?;
        let (store, draft, patience, retry) = self.prepare(context)?;
        let mut line = Line::new(&context.global);
        let outcome = acquire(&store, &draft, patience, retry, &mut line, &mut signals)?;
        match outcome {
            Outcome::Granted(grant) => {
                line.granted(grant.waited);
                report(&store, *grant, self.format)
            }
            other => {
                line.clear();
                context.hooks.settle_before_dying(&other);
                // What is paused is waited for by its id.
                let target =
                    self.resume.as_ref().map_or_else(|| self.target.words(), |id| vec![id.to_string()]);
                let mut commands = context.commands(target);
                commands.overriding = self.overriding();
                Ok(not_acquired(other, &commands, self.wait.code(), &signals))
            }
        }
    }
}

impl Acquire {
    /// The options of the commonest call.
    pub fn plain(target: TargetArgs, wait: WaitArgs, record: RecordArgs) -> Self {
        Acquire { target, wait, record, ..Acquire::default() }
    }

    fn prepare(&self, context: &Context) -> Result<(Opened, Draft, Patience, std::time::Duration), Failure> {
        if let Some(id) = &self.resume {
            let store = context.store()?;
            return match resume::again(context, &store, id, &self.wait, &self.record)? {
                Some((draft, patience, retry)) => Ok((store, draft, patience, retry)),
                None => Err(resume::not_paused(context, &store, id)?),
            };
        }
        let plan = self.target.plan(context)?;
        let store = context.store()?;
        let mut draft = draft(&self.target, &self.record, &plan, inherited_id());
        draft.owner_process = self.owner()?;
        draft.supersede |= self.supersede;
        draft.refuse_manual = self.wait.refuse_manual(&plan);
        draft.gate = gate(context, &store, &draft, self.record.override_freeze.as_deref())?;
        let patience = self.wait.patience().unwrap_or_else(|| policy_patience(&plan, true));
        Ok((store, draft, patience, plan.retry_interval))
    }

    /// This command again, with an override.
    fn overriding(&self) -> Vec<String> {
        let target = match &self.resume {
            Some(id) => vec![format!("--resume={id}")],
            None => self.target.words(),
        };
        overriding("acquire", target, &self.record)
    }

    fn owner(&self) -> Result<Option<crate::deployment::Process>, Failure> {
        let Some(pid) = self.owner_pid else {
            return Ok(None);
        };
        let process = process::by_pid(pid);
        let gone = || {
            Failure::text(code::USAGE, format!("--owner-pid: there is no process {pid} to tie the locks to"))
        };
        process.ok_or_else(gone).map(Some)
    }
}

/// The promise is made durable, then told, then kept: until it is out, the locks go with this process.
fn report(store: &dyn Store, grant: Grant, format: Format) -> Answer {
    let Grant { deployment, lease, .. } = grant;
    let text = match format {
        Format::Id => format!("{}\n", deployment.id),
        Format::Shell => exports(&deployment),
    };
    let told = release::promise(store, &deployment.id)
        .map_err(Failure::from)
        .and_then(|()| terminal::promise(&text).map_err(Failure::from));
    if let Err(failure) = told {
        if release::give_back(store, &deployment, "failed").is_err() {
            complain("warning: the locks go with the end of this process");
        }
        return Err(failure);
    }
    release::detach(store, &deployment)?;
    drop(lease);
    Ok(code::DONE)
}
