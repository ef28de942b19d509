//! `history`: what happened.

use std::time::Duration;

use clap::Args;
use clap::builder::PossibleValuesParser;
use serde_json::Value;

use super::context::Context;
use super::failure::code;
use super::list::Format;
use super::target::duration;
use super::terminal::{self, complain, say};
use super::{Answer, Exec};
use crate::clock;
use crate::ops::events::What;
use crate::ops::versions;
use crate::output::table;
use crate::store::Store;

#[derive(Args)]
pub struct History {
    /// Only of this deployment
    #[arg(value_name = "ID")]
    id: Option<String>,
    /// Deployments to this environment
    #[arg(short, long, value_name = "ENV")]
    env: Option<String>,
    /// Deployments of this application
    #[arg(short, long, value_name = "APP")]
    app: Option<String>,
    /// Deployments that took this lock, `kind:name` or the name of a lock by name
    #[arg(short, long, value_name = "LOCK")]
    lock: Option<String>,
    /// Deployments of this owner
    #[arg(long, value_name = "NAME")]
    owner: Option<String>,
    /// Only these events; repeatable
    #[arg(long, value_name = "EVENT", value_parser = PossibleValuesParser::new(What::ALL.map(What::as_str)))]
    event: Vec<String>,
    /// Only what happened at most this long ago
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    since: Option<Duration>,
    /// The versions of applications (`run --resource`) instead: number, outcome, fingerprint, when and by whom
    #[arg(long, conflicts_with_all = ["lock", "event"])]
    versions: bool,
    /// How to print
    #[arg(long, value_enum, value_name = "FORMAT", default_value = "table")]
    format: Format,
}

impl Exec for History {
    fn exec(self, context: &Context) -> Answer {
        let store = context.store()?;
        if self.versions {
            return self.versions(context, &store);
        }
        let lines = store.history()?;
        // What is no JSON is a line that a crash cut: nothing that happened is lost with it but itself.
        let all = lines.iter().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        let events: Vec<Value> = all.filter(|event| self.fits(event)).collect();
        match self.format {
            Format::Json => say(&crate::output::json::to_text(&serde_json::json!({ "events": events })))?,
            Format::Table if events.is_empty() && !context.global.quiet => {
                complain(&format!("nothing that fits has happened (in {})", store.describe()));
            }
            Format::Table => say(&table::history(&events, terminal::look(&context.global)))?,
        }
        Ok(code::DONE)
    }
}

impl History {
    fn versions(&self, context: &Context, store: &dyn Store) -> Answer {
        let is = |wanted: &Option<String>, have: &str| wanted.as_deref().is_none_or(|wanted| wanted == have);
        let mut versions = versions::list(store)?;
        versions.retain(|v| {
            is(&self.id, &v.id)
                && is(&self.env, &v.environment)
                && is(&self.app, &v.application)
                && is(&self.owner, &v.owner)
                && self.since.is_none_or(|limit| began_within(&v.began, limit))
        });
        match self.format {
            Format::Json => say(&crate::output::json::to_text(&serde_json::json!({ "versions": versions })))?,
            Format::Table if versions.is_empty() && !context.global.quiet => {
                complain(&format!("no versions that fit (in {})", store.describe()));
            }
            Format::Table => say(&table::versions(&versions, terminal::look(&context.global)))?,
        }
        Ok(code::DONE)
    }

    fn fits(&self, event: &Value) -> bool {
        let is = |wanted: &Option<String>, key: &str| {
            wanted.as_deref().is_none_or(|wanted| event[key].as_str() == Some(wanted))
        };
        let at = |lock: &str| {
            let named = format!("name:{lock}");
            event["locks"]
                .as_array()
                .is_some_and(|all| all.iter().any(|l| *l == lock || *l == named.as_str()))
        };
        is(&self.id, "id")
            && is(&self.env, "environment")
            && is(&self.app, "application")
            && is(&self.owner, "owner")
            && self.lock.as_deref().is_none_or(at)
            && (self.event.is_empty() || self.event.iter().any(|e| event["event"] == e.as_str()))
            && self.since.is_none_or(|limit| is_recent(event, limit))
    }
}

fn is_recent(event: &Value, limit: Duration) -> bool {
    event["time"].as_str().is_some_and(|time| began_within(time, limit))
}

fn began_within(time: &str, limit: Duration) -> bool {
    let time = humantime::parse_rfc3339(time).ok();
    let now = clock::now().wall;
    // What is said to happen later than now has certainly not happened long ago.
    time.is_some_and(|time| now.duration_since(time).is_ok_and(|age| age <= limit) || time > now)
}
