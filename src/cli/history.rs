//! `history`: what happened.

use std::time::{Duration, SystemTime};

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
use crate::ops::statistics;
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
    /// Only what happened at most this long ago, or not before this time (RFC 3339)
    #[arg(long, value_name = "WHEN", value_parser = since)]
    since: Option<Since>,
    /// What it comes to for each environment: how many deployments, how many failed or were stale, how long they
    /// waited and held
    #[arg(long)]
    stats: bool,
    /// The versions of applications (`run --resource`) instead: number, outcome, fingerprint, when and by whom
    #[arg(long, conflicts_with_all = ["lock", "event", "stats"])]
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
        if self.stats && !(events.is_empty() && self.format == Format::Table) {
            let figures = statistics::of(&events);
            say(&match self.format {
                Format::Json => crate::output::json::statistics(&figures),
                Format::Table => table::statistics(&figures, terminal::look(&context.global)),
            })?;
            return Ok(code::DONE);
        }
        match self.format {
            Format::Json => say(&crate::output::json::to_text(&serde_json::json!({ "events": events })))?,
            Format::Table if events.is_empty() && !context.global.quiet => {
                let what = if lines.is_empty() {
                    format!("nothing has happened yet (in {})", store.describe())
                } else {
                    let all = context.commands(Vec::new()).line(&["history"]);
                    format!(
                        "nothing that fits has happened (in {}); `{all}` shows everything",
                        store.describe()
                    )
                };
                complain(&what);
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
                && self.since.is_none_or(|limit| is_within(&v.began, limit))
        });
        match self.format {
            Format::Json => say(&crate::output::json::to_text(&serde_json::json!({ "versions": versions })))?,
            Format::Table if versions.is_empty() && !context.global.quiet => {
                complain(&format!(
                    "no versions that fit (in {}); `run --app --resource` makes them",
                    store.describe()
                ));
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

/// The earliest that is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Since {
    /// So long ago.
    Ago(Duration),
    /// This moment.
    Time(SystemTime),
}

fn since(text: &str) -> Result<Since, String> {
    if let Some(time) = moment(text.trim()) {
        return Ok(Since::Time(time));
    }
    let wrong = |e: String| format!("{e}; or a time such as 2026-11-21T20:43:02Z");
    duration(text).map(Since::Ago).map_err(wrong)
}

/// RFC 3339, with `Z` or the offset of a zone.
fn moment(text: &str) -> Option<SystemTime> {
    if let Ok(time) = humantime::parse_rfc3339(text) {
        return Some(time);
    }
    let (local, offset) = text.split_at_checked(text.len().checked_sub(6)?)?;
    let (hours, minutes) = offset.get(1..)?.split_once(':')?;
    let of = |digits: &str, below: u64| {
        let two = digits.len() == 2 && digits.bytes().all(|b| b.is_ascii_digit());
        digits.parse::<u64>().ok().filter(|n| two && *n < below)
    };
    let offset_by = Duration::from_secs(of(hours, 24)? * 3600 + of(minutes, 60)? * 60);
    let time = humantime::parse_rfc3339(&format!("{local}Z")).ok()?;
    match offset.as_bytes()[0] {
        b'+' => time.checked_sub(offset_by),
        b'-' => time.checked_add(offset_by),
        _ => None,
    }
}

fn is_recent(event: &Value, since: Since) -> bool {
    event["time"].as_str().is_some_and(|time| is_within(time, since))
}

fn is_within(time: &str, since: Since) -> bool {
    let time = humantime::parse_rfc3339(time).ok();
    let now = clock::now().wall;
    time.is_some_and(|time| match since {
        // What is said to happen later than now has certainly not happened long ago.
        Since::Ago(limit) => now.duration_since(time).map_or(true, |age| age <= limit),
        // The history has whole seconds.
        Since::Time(start) => time + Duration::from_secs(1) > start,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_with_a_zone() {
        let zulu = moment("2026-11-21T20:43:02Z");
        assert!(zulu.is_some());
        for same in
            ["2026-11-21T21:43:02+01:00", "2026-11-21T15:13:02-05:30", "2026-11-21T20:43:02.000+00:00"]
        {
            assert_eq!(moment(same), zulu, "{same}");
        }
        for wrong in
            ["", "2h", "2026-11-21", "2026-11-21T20:43:02", "2026-11-21T20:43:02+24:00", "20:43:02Z+01:00"]
        {
            assert_eq!(moment(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn since_is_a_span_or_a_time() {
        assert_eq!(since("2h"), Ok(Since::Ago(Duration::from_secs(7200))));
        assert_eq!(since("90"), Ok(Since::Ago(Duration::from_secs(90))));
        assert!(matches!(since("2026-11-21T20:43:02Z"), Ok(Since::Time(_))));
        assert!(since("yesterday").unwrap_err().contains("2026-"));
    }
}
