//! `cancel`: ask a deployment to end.

use clap::Args;
use rustix::process::{Pid, Signal, kill_process};

use super::context::{Context, myself};
use super::failure::code;
use super::terminal::complain;
use super::{Answer, Exec};
use crate::deployment::{Deployment, Id};
use crate::ops::clear::{Cancelled, cancel, orphaned_command};

#[derive(Args)]
pub struct Cancel {
    /// The deployments' ids, in full
    #[arg(value_name = "ID", required = true)]
    ids: Vec<Id>,
}

impl Exec for Cancel {
    fn exec(self, context: &Context) -> Answer {
        let store = context.store()?;
        let mut worst = code::DONE;
        for id in &self.ids {
            match cancel(&store, id, &myself())? {
                Cancelled::Ended(_) => {}
                Cancelled::Asked(d) => asked(&d, context.global.quiet),
                Cancelled::NotThere => {
                    complain(&format!("there is no deployment {id}"));
                    worst = code::NOT_THERE;
                }
            }
        }
        Ok(worst)
    }
}

fn asked(d: &Deployment, quiet: bool) {
    // Where the wrapper was killed, nobody else passes it on.
    if let Some(pid) = orphaned_command(d).and_then(|pid| Pid::from_raw(i32::try_from(pid).ok()?)) {
        if let Err(e) = kill_process(pid, Signal::TERM) {
            complain(&format!("cannot end its command: {e}"));
        }
    }
    if !quiet {
        complain(&format!("{} was asked to end; its locks go when its command has ended", d.id));
    }
}
