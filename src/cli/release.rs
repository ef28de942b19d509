//! `release`: give locks back by their deployment's id.

use clap::Args;

use super::context::{Context, inherited_id, myself};
use super::failure::{Failure, code};
use super::missing;
use super::terminal::{complain, say};
use super::{Answer, Exec};
use crate::deployment::Id;
use crate::ops::release::{Released, release};
use crate::ops::versions;
use crate::output::style::clean;
use crate::store::Store;

#[derive(Args, Debug, Default, PartialEq, Eq)]
pub struct Release {
    /// The deployments' ids, in full [default: $DEPLOYLOCK_ID]
    #[arg(value_name = "ID")]
    pub ids: Vec<Id>,
    /// How it went, for the history; also of the version, where it had one [default: done]
    #[arg(long, value_name = "OUTCOME", value_parser = ["done", "failed", "aborted"])]
    outcome: Option<String>,
}

impl Exec for Release {
    fn exec(self, context: &Context) -> Answer {
        let ids = ids_or_inherited(self.ids)?;
        let store = context.store()?;
        let mut worst = code::DONE;
        for id in &ids {
            let outcome = self.outcome.as_deref().unwrap_or("done");
            let code = match release(&store, id, outcome, &myself())? {
                Released::Done(d) | Released::Withdrawn(d) => {
                    // Only a person's own word says that what failed or crashed was put right.
                    if self.outcome.is_some()
                        && let Some(number) = versions::given(&store, &d)?
                    {
                        versions::end(&store, &d, number, outcome)?;
                    }
                    if context.global.verbose {
                        say(&format!("{id}\n"))?;
                    }
                    code::DONE
                }
                refused => {
                    let (code, why) = refusal(context, &store, id, &refused);
                    complain(&why);
                    code
                }
            };
            worst = worst.max(code);
        }
        Ok(worst)
    }
}

/// Why it was not released, and the exit code of that.
pub fn refusal(context: &Context, store: &dyn Store, id: &Id, released: &Released) -> (u8, String) {
    let commands = context.commands(Vec::new());
    match released {
        Released::RunsOn(_) => (
            code::FAILED,
            format!(
                "{id} belongs to a `deploylock run` that is alive and gives its locks back itself when its command ends\n  \
                 ask it to end  {}",
                commands.line(&["cancel", id.as_str()])
            ),
        ),
        Released::Unreadable(path) => (
            code::FAILED,
            format!(
                "the record of {id} cannot be read, so nothing was released: {}\n  remove it  {}",
                clean(path),
                commands.line(&["clear", id.as_str()])
            ),
        ),
        Released::NotThere | Released::Done(_) | Released::Withdrawn(_) => {
            (code::NOT_THERE, missing::gone(context, store, id.as_str()))
        }
    }
}

/// The ids that were given, else the one of the command inside which we run.
pub fn ids_or_inherited(ids: Vec<Id>) -> Result<Vec<Id>, Failure> {
    if !ids.is_empty() {
        let mut once = Vec::new();
        ids.into_iter().for_each(|id| {
            if !once.contains(&id) {
                once.push(id)
            }
        });
        return Ok(once);
    }
    let inherited = inherited_id();
    inherited.map(|id| vec![id]).ok_or_else(|| {
        let why =
            "name the deployment by its id: DEPLOYLOCK_ID is not set to one; `deploylock list` shows the ids";
        Failure::text(code::USAGE, why)
    })
}
