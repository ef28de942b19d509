//! `list`: what is held, by whom, and who waits.

use clap::{Args, ValueEnum};

use super::context::Context;
use super::failure::{Failure, code};
use super::filter::{Filter, StateName};
use super::terminal::{self, complain, say};
use super::{Answer, Exec};
use crate::deployment::Stored;
use crate::ops::survey::{Survey, survey};
use crate::output::style::clean;
use crate::output::{json, table};
use crate::store::Store;

/// How to group.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum By {
    /// A row for each holder and waiter of each lock
    Lock,
    /// A row for each deployment
    Deployment,
}

/// How to print.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// For people
    Table,
    /// For programs
    Json,
}

#[derive(Args)]
pub struct List {
    #[command(flatten)]
    filter: Filter,
    /// Only deployments in this state
    #[arg(long, value_enum, value_name = "STATE")]
    state: Option<StateName>,
    /// Only what is verifiably dead
    #[arg(long)]
    stale: bool,
    /// How to group
    #[arg(long, value_enum, value_name = "WHAT", default_value = "lock")]
    by: By,
    /// How to print
    #[arg(long, value_enum, value_name = "FORMAT", default_value = "table")]
    format: Format,
    /// Show it again whenever something changes; on a terminal as a full-screen view, whose keys `?` explains
    #[arg(long)]
    watch: bool,
}

impl Exec for List {
    fn exec(self, context: &Context) -> Answer {
        let store = context.store()?;
        if self.watch {
            return self.watch(context, &store);
        }
        self.show(context, &store, false)?;
        Ok(code::DONE)
    }
}

impl List {
    fn show(&self, context: &Context, store: &dyn Store, again: bool) -> Result<(), Failure> {
        let mut found = survey(store)?;
        self.filter.apply(&mut found, self.state, self.stale);
        warn_of_unreadable(context, &found);
        if self.format == Format::Json {
            return Ok(say(&json::list(&found))?);
        }
        if context.global.verbose && !found.deployments.is_empty() {
            complain(&format!("(in {})", store.describe()));
        }
        let look = terminal::look(&context.global);
        let clear = if again && look.width.is_some() { "\u{1b}[H\u{1b}[2J" } else { "" };
        if found.deployments.is_empty() {
            say(clear)?;
            if !context.global.quiet {
                let narrowed = self.filter.any() || self.state.is_some() || self.stale;
                let what = if narrowed {
                    let all = context.commands(Vec::new()).line(&["list"]);
                    format!("nothing that fits is held or waits (in {}); `{all}` shows all", store.describe())
                } else {
                    format!("nothing is held and nobody waits (in {})", store.describe())
                };
                complain(&what);
            }
            return Ok(());
        }
        let text = match self.by {
            By::Lock => table::by_lock(&found, look),
            By::Deployment => table::by_deployment(&found, look),
        };
        Ok(say(&format!("{clear}{text}"))?)
    }

    /// Shows it at each change, until it is interrupted or nobody reads any more.
    fn watch(&self, context: &Context, store: &dyn Store) -> Answer {
        #[cfg(feature = "tui")]
        if self.format == Format::Table && super::watch::is_possible() {
            let narrow = |found: &mut Survey| self.filter.apply(found, self.state, self.stale);
            return super::watch::watch(context, store, self.by == By::Lock, &narrow);
        }
        let mut sleeper = store.sleeper(context.retry())?;
        loop {
            sleeper.arm_all()?;
            self.show(context, store, true)?;
            let again = crate::clock::since_boot() + std::time::Duration::from_secs(60);
            sleeper.sleep(Some(again), &[])?;
        }
    }
}

fn warn_of_unreadable(context: &Context, found: &Survey) {
    for shown in &found.deployments {
        if let Stored::Unreadable(u) = &shown.stored {
            complain(&format!(
                "warning: the record {} cannot be read and blocks its locks: {}\n  clear it  {}",
                clean(&u.path),
                clean(&u.why),
                context.commands(Vec::new()).line(&["clear", u.id.as_str()])
            ));
        }
    }
}
