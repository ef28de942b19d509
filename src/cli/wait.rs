//! `wait`: block until a deployment holds, or a target could be had.

use std::time::Duration;

use clap::Args;

use super::context::{Context, inherited_id, myself};
use super::failure::{Failure, code};
use super::freeze::gate_of;
use super::missing;
use super::progress::Line;
use super::target::{TargetArgs, WaitArgs, requests};
use super::terminal::complain;
use super::{Answer, Exec};
use crate::clock;
use crate::deployment::Id;
use crate::ops::Never;
use crate::ops::acquire::Patience;
use crate::ops::wait::{For, Waited, wait};
use crate::output::{freeze, message};

#[derive(Args)]
pub struct Wait {
    /// The deployment to wait for
    #[arg(value_name = "ID", conflicts_with_all = ["env", "app", "containers", "locks", "exclusive"])]
    id: Option<Id>,
    #[command(flatten)]
    target: TargetArgs,
    #[command(flatten)]
    wait: WaitArgs,
}

impl Exec for Wait {
    fn exec(self, context: &Context) -> Answer {
        if self.id.is_none() && !self.target.any() {
            let why = "what to wait for? Name a deployment by its id, or a target with --env or --lock";
            return Err(Failure::text(code::USAGE, why));
        }
        let store = context.store()?;
        let (locks, refuse_manual, gate, retry) = match &self.id {
            Some(_) => (Vec::new(), false, None, context.retry()),
            None => {
                let plan = self.target.plan(context)?;
                let gate = gate_of(context, &store, self.target.env.as_deref(), myself)?;
                (requests(&plan), self.wait.refuse_manual(&plan), gate, plan.retry_interval)
            }
        };
        let what = match &self.id {
            Some(id) => For::Deployment(id),
            None => For::Locks { locks: &locks, refuse_manual, gate: gate.as_ref() },
        };
        let bound = match self.wait.patience() {
            Some(Patience::None) => Some(Duration::ZERO),
            Some(Patience::AtMost(d)) => Some(d),
            _ => None,
        };
        let mut line = Line::new(&context.global);
        let waited = wait(&store, what, inherited_id().as_ref(), bound, retry, &mut line, &mut Never);
        line.clear();
        match waited? {
            Waited::Done | Waited::Gone | Waited::Interrupted(_) => Ok(code::DONE),
            Waited::NotThere => {
                let id = self.id.map(|id| id.to_string()).unwrap_or_default();
                complain(&missing::gone(context, &store, &id));
                Ok(code::NOT_THERE)
            }
            Waited::Frozen(stop) => {
                let commands = context.commands(self.target.words());
                complain(&freeze::stopped(&stop, &commands, clock::now().wall));
                Ok(self.wait.code())
            }
            Waited::Conflict(conflict) => {
                let target = self.id.map_or_else(|| self.target.words(), |id| vec![id.to_string()]);
                let commands = context.commands(target);
                complain(&message::conflict(&conflict, &commands, clock::now().wall));
                Ok(self.wait.code())
            }
        }
    }
}
