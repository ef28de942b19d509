//! `renew`: start a time to live again.

use std::time::Duration;

use clap::Args;

use super::context::{Context, myself};
use super::failure::code;
use super::missing;
use super::release::ids_or_inherited;
use super::target::some_duration;
use super::terminal::{complain, say};
use super::{Answer, Exec};
use crate::deployment::Id;
use crate::ops::events::rfc3339;
use crate::ops::release::{Renewed, renew};

#[derive(Args)]
pub struct Renew {
    /// The deployment's id, in full [default: $DEPLOYLOCK_ID]
    #[arg(value_name = "ID")]
    id: Option<Id>,
    /// The new time to live
    #[arg(long, value_name = "DURATION", value_parser = some_duration)]
    ttl: Option<Duration>,
}

impl Exec for Renew {
    fn exec(self, context: &Context) -> Answer {
        let ids = ids_or_inherited(self.id.into_iter().collect())?;
        let store = context.store()?;
        for id in &ids {
            match renew(&store, id, self.ttl, &myself())? {
                Renewed::Until(d) => {
                    if let Some(expiry) = d.expires.filter(|_| context.global.verbose) {
                        say(&format!("{id} until {}\n", rfc3339(expiry.wall)))?;
                    }
                }
                Renewed::NoTtl(_) => {
                    let commands = context.commands(Vec::new());
                    complain(&format!(
                        "{id} holds without a time to live, until it is released: there is none to start again\n  \
                         set one  {}",
                        commands.line(&["renew", id.as_str(), "--ttl", "1h"])
                    ));
                    return Ok(code::USAGE);
                }
                Renewed::NotThere => {
                    complain(&missing::holds_nothing(context, &store, id));
                    return Ok(code::NOT_THERE);
                }
            }
        }
        Ok(code::DONE)
    }
}
