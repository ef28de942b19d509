//! `clear`: the operator's hand.

use std::time::Duration;

use clap::Args;

use super::context::{Context, myself};
use super::failure::{Failure, code};
use super::filter::Filter;
use super::target::duration;
use super::terminal::{self, complain, say};
use super::{Answer, Exec};
use crate::clock::Now;
use crate::ops::clear::{Cleared, Reach, allowed, clear, tidy};
use crate::ops::survey::{Shown, Survey, survey};
use crate::output::message::breakage;
use crate::store::Store;

#[derive(Args)]
pub struct Clear {
    /// The deployments' ids; a beginning is enough where it is asked back
    #[arg(value_name = "ID")]
    ids: Vec<String>,
    #[command(flatten)]
    filter: Filter,
    /// Everything that is verifiably dead; safe for cron
    #[arg(long)]
    stale: bool,
    /// Everything
    #[arg(long, conflicts_with_all = ["ids", "stale", "env", "app", "container", "lock", "owner"])]
    all: bool,
    /// Only what has been in its state for longer than this
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    older_than: Option<Duration>,
    /// Only say what would be cleared
    #[arg(long)]
    dry_run: bool,
    /// Do not ask
    #[arg(short, long)]
    yes: bool,
    /// Also what is verifiably alive
    #[arg(long)]
    force: bool,
}

impl Exec for Clear {
    fn exec(self, context: &Context) -> Answer {
        if self.ids.is_empty() && !self.filter.any() && !self.stale && !self.all {
            let why = "what to clear? Name ids, a filter such as --env, --stale, or --all";
            return Err(Failure::text(code::USAGE, why));
        }
        let store = context.store()?;
        if self.stale && !self.dry_run {
            tidy(&store)?;
        }
        let found = survey(&store)?;
        let chosen = match self.choose(&found)? {
            Ok(chosen) => chosen,
            Err(missing) => {
                complain(&format!("there is no deployment {missing}; nothing was cleared"));
                return Ok(code::NOT_THERE);
            }
        };
        if chosen.is_empty() {
            if !self.stale && !context.global.quiet {
                complain("nothing to clear");
            }
            return Ok(code::DONE);
        }
        if self.dry_run {
            for shown in &chosen {
                say(&format!("would clear {}\n", breakage(&shown.stored, &shown.verdict, found.now.wall)))?;
            }
            return Ok(code::DONE);
        }
        if !self.stale && !self.may(&chosen, &found.now, context)? {
            return Ok(code::FAILED);
        }
        self.clear(&store, &chosen, &found.now)
    }
}

impl Clear {
    /// What is meant; `Err` with an id that is not there.
    fn choose<'a>(&self, found: &'a Survey) -> Result<Result<Vec<&'a Shown>, String>, Failure> {
        let mut chosen = Vec::new();
        for id in &self.ids {
            match self.by_id(found, id)? {
                Some(shown) => chosen.push(shown),
                None => return Ok(Err(id.clone())),
            }
        }
        if self.ids.is_empty() {
            chosen.extend(found.deployments.iter());
        }
        let old_enough = |s: &Shown| match (self.older_than, s.stored.deployment()) {
            (None, _) => true,
            (Some(_), None) => false,
            (Some(limit), Some(d)) => found.now.wall.duration_since(d.since).is_ok_and(|age| age > limit),
        };
        chosen.retain(|s| self.filter.fits(s) && old_enough(s) && (!self.stale || s.stale().is_some()));
        Ok(Ok(chosen))
    }

    fn by_id<'a>(&self, found: &'a Survey, id: &str) -> Result<Option<&'a Shown>, Failure> {
        if let Some(shown) = found.deployments.iter().find(|s| s.stored.id().as_str() == id) {
            return Ok(Some(shown));
        }
        // A short id may be another store's: only with somebody to ask.
        let asked = !self.yes && terminal::can_ask();
        let mut fits = found.deployments.iter().filter(|s| asked && s.stored.id().as_str().starts_with(id));
        match (fits.next(), fits.next()) {
            (one, None) => Ok(one),
            _ => Err(Failure::text(
                code::USAGE,
                format!("{id:?} is the beginning of several ids; type more of it"),
            )),
        }
    }

    /// Says what would break; whether it may be done.
    fn may(&self, chosen: &[&Shown], now: &Now, context: &Context) -> Result<bool, Failure> {
        let lines: Vec<String> =
            chosen.iter().map(|s| format!("  {}", breakage(&s.stored, &s.verdict, now.wall))).collect();
        let reach = self.reach();
        let alive = chosen.iter().filter(|s| !allowed(reach, &s.verdict)).count();
        if alive > 0 {
            complain(&format!(
                "refused: {alive} of {} verifiably alive; nothing was cleared. To end one properly, use `{}`; \
                 to take its locks away while it runs, add --force\n{}",
                chosen.len(),
                context.commands(Vec::new()).line(&["cancel", chosen[0].stored.id().as_str()]),
                lines.join("\n")
            ));
            return Ok(false);
        }
        if self.yes {
            return Ok(true);
        }
        if !terminal::can_ask() {
            complain(&format!(
                "refused: this would clear what follows, and there is no terminal to ask at; add --yes\n{}",
                lines.join("\n")
            ));
            return Ok(false);
        }
        complain(&format!("this will break:\n{}", lines.join("\n")));
        let yes = terminal::ask("Clear? [y/N]")?;
        if !yes {
            complain("nothing was cleared");
        }
        Ok(yes)
    }

    fn reach(&self) -> Reach {
        match (self.stale, self.force) {
            (true, _) => Reach::Stale,
            (false, true) => Reach::Force,
            (false, false) => Reach::NotAlive,
        }
    }

    fn clear(&self, store: &dyn Store, chosen: &[&Shown], now: &Now) -> Answer {
        let mut worst = code::DONE;
        for shown in chosen {
            match clear(store, shown.stored.id(), self.reach(), "cleared by hand", &myself())? {
                Cleared::Done(stored, verdict) => {
                    say(&format!("cleared {}\n", breakage(&stored, &verdict, now.wall)))?;
                }
                Cleared::Alive(stored, _) => {
                    complain(&format!("{} has come to life meanwhile; it was not cleared", stored.id()));
                    worst = code::FAILED;
                }
                // Taken over or gone by itself meanwhile: what was wanted.
                Cleared::NotStale(_) | Cleared::NotThere(_) => {}
            }
        }
        Ok(worst)
    }
}
