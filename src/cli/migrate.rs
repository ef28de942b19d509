//! `migrate`: from the lock directory to a server.

use clap::{Args, ValueEnum};

use super::context::{Context, etcd_store};
use super::failure::{Failure, code};
use super::opened::Opened;
use super::terminal::{complain, say};
use super::{Answer, Exec};
use crate::deployment::Stored;
use crate::ops::migrate::{Migrated, migrate};
use crate::output::style::clean;
use crate::store::{Result, Store as _};
use crate::topology::{Backend, Topology};

/// Where to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum To {
    /// The cluster that `endpoints` in `[store]` names
    Etcd,
}

#[derive(Args)]
pub struct Migrate {
    /// Where to
    #[arg(long, value_enum, value_name = "BACKEND")]
    to: To,
}

impl Exec for Migrate {
    fn exec(self, context: &Context) -> Answer {
        let To::Etcd = self.to;
        let topology = context.known()?.topology().ok_or_else(no_topology)?;
        let (from, to) = (context.files()?, etcd_store(topology)?);
        let migrated = migrate(&from, &to, &mut |number| raise(&to, number))?;
        tell(migrated, &from.describe(), &to.describe(), topology)
    }
}

fn no_topology() -> Failure {
    let why =
        "no topology file names the cluster; write one with [store] endpoints = [\"http://etcd-1:2379\"]";
    Failure::text(code::TOPOLOGY, why)
}

/// Later numbers are to be larger than all earlier ones.
#[cfg_attr(not(feature = "etcd"), allow(unused_variables))]
fn raise(to: &Opened, number: u64) -> Result<()> {
    match to {
        Opened::Files(_) => Ok(()),
        #[cfg(feature = "etcd")]
        Opened::Etcd(store) => store.rise_above(number),
    }
}

fn tell(migrated: Migrated, from: &str, to: &str, topology: &Topology) -> Answer {
    match migrated {
        Migrated::Nothing => {
            complain(&format!("nothing to carry over: there is no lock directory {from}"));
            Ok(code::DONE)
        }
        Migrated::Done { held, paused, ledgers, events } => {
            say(&format!(
                "carried over to {to}: {held} held, {paused} paused, the versions of {ledgers} applications, \
                 {events} events of the history\n"
            ))?;
            if topology.store.backend.value != Backend::Etcd {
                complain(&format!(
                    "now set backend = \"etcd\" under [store] in {}, on every host at once: who still uses {from} \
                     excludes nobody",
                    topology.path.display()
                ));
            }
            Ok(code::DONE)
        }
        Migrated::Busy(all) => {
            let lines: Vec<String> = all.iter().map(describe).collect();
            Err(Failure::text(
                code::FAILED,
                format!(
                    "nothing was moved: {} in {from} that cannot be carried over; wait for their end, or cancel \
                     or clear them\n{}",
                    if all.len() == 1 { "there is one" } else { "there are some" },
                    lines.join("\n")
                ),
            ))
        }
        Migrated::NotEmpty(ids) => Err(Failure::text(
            code::FAILED,
            format!(
                "nothing was moved: {to} is in use already ({} and others are there); choose another prefix",
                ids[0]
            ),
        )),
    }
}

fn describe(stored: &Stored) -> String {
    let what = match stored {
        Stored::Readable(_, d) => format!("{}, by {}", d.title(), d.owner),
        Stored::Unreadable(u) => format!("its record cannot be read: {}", u.path),
    };
    format!("  {} is {}: {}", stored.id(), stored.state().word(), clean(&what))
}
