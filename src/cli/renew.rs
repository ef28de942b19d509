//! `renew`: start a time to live again.

use std::time::Duration;

use clap::Args;

use super::context::{Context, myself};
use super::failure::code;
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
                    complain(&format!("{id} holds without a time to live; set one with --ttl"));
                    return Ok(code::USAGE);
                }
                Renewed::NotThere => {
                    complain(&format!("there is no deployment {id} that holds anything"));
                    return Ok(code::NOT_THERE);
                }
            }
        }
        Ok(code::DONE)
    }
}
