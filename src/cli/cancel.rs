//! `cancel`: ask a deployment to end.

use std::time::Duration;

use clap::Args;
use rustix::process::{Pid, Signal, kill_process};

use super::context::{Context, myself};
use super::failure::code;
use super::missing;
use super::target::some_duration;
use super::terminal::complain;
use super::{Answer, Exec};
use crate::deployment::{Deployment, Id, Verdict};
use crate::ops::clear::{Cancelled, cancel, ends_within, orphaned_command};
use crate::output::style::clean;

#[derive(Args)]
pub struct Cancel {
    /// The deployments' ids, in full
    #[arg(value_name = "ID", required = true)]
    ids: Vec<Id>,
    /// Kill a command that has not ended this long after it was asked to
    #[arg(long, value_name = "DURATION", value_parser = some_duration)]
    kill_after: Option<Duration>,
}

impl Exec for Cancel {
    fn exec(self, context: &Context) -> Answer {
        let store = context.store()?;
        let mut worst = code::DONE;
        for id in &self.ids {
            match cancel(&store, id, self.kill_after, &myself())? {
                Cancelled::Ended(_) => {}
                Cancelled::Asked(d, verdict) => {
                    end_orphan(&d, self.kill_after);
                    if !context.global.quiet {
                        complain(&asked(context, &d, &verdict));
                    }
                }
                Cancelled::NotThere => {
                    complain(&missing::gone(context, &store, id.as_str()));
                    worst = code::NOT_THERE;
                }
            }
        }
        Ok(worst)
    }
}

/// What is to be said of one that was asked to end.
pub fn asked(context: &Context, d: &Deployment, verdict: &Verdict) -> String {
    match verdict {
        Verdict::Unknown(why) => format!(
            "{} on {} was asked to end, and does when it looks; from here that cannot be seen: {}\n  \
             if it is known to be gone  {}",
            d.id,
            clean(&d.place.host),
            clean(why),
            context.commands(Vec::new()).line(&["clear", "--force", d.id.as_str()])
        ),
        _ => format!("{} was asked to end; its locks go when its command has ended", d.id),
    }
}

/// Its wrapper passes it on to the command; where that was killed, nobody else does.
pub fn end_orphan(d: &Deployment, kill_after: Option<Duration>) {
    let Some(command) = orphaned_command(d) else { return };
    let Some(pid) = i32::try_from(command.pid).ok().and_then(Pid::from_raw) else { return };
    let tell = |signal| {
        if let Err(e) = kill_process(pid, signal) {
            complain(&format!(
                "cannot end its command, process {}: {e}; end that process yourself",
                command.pid
            ));
        }
    };
    tell(Signal::TERM);
    if let Some(after) = kill_after
        && !ends_within(&command, after)
    {
        tell(Signal::KILL);
    }
}
