//! `__complete`: names for the completion scripts to offer, `value<TAB>description` each. Hidden, quick, and silent
//! whatever goes wrong: somebody is in the middle of a line.

use std::ffi::OsString;
use std::path::PathBuf;

use super::context::{Context, Global};
use super::failure::{Failure, code};
use super::terminal::say;
use crate::deployment::Stored;
use crate::model::Kind;
use crate::ops::survey::{Shown, survey};
use crate::output::style::{clean, since};
use crate::output::table;
use crate::topology::Topology;

/// The word that asks for it, in the place of a command.
pub const WORD: &str = "__complete";

/// What can be offered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Offer {
    /// Environments of the topology.
    Environments,
    /// Applications of the topology.
    Applications,
    /// Containers of the topology; of the environment that was typed.
    Containers,
    /// Names of locks by name, declared or in use.
    Names,
    /// Locks in use, `kind:name`.
    Locks,
    /// Ids of deployments.
    Ids,
}

impl Offer {
    /// All of them.
    pub const ALL: [Offer; 6] =
        [Offer::Environments, Offer::Applications, Offer::Containers, Offer::Names, Offer::Locks, Offer::Ids];

    /// The word for it in the scripts.
    pub const fn word(self) -> &'static str {
        match self {
            Offer::Environments => "environments",
            Offer::Applications => "applications",
            Offer::Containers => "containers",
            Offer::Names => "names",
            Offer::Locks => "locks",
            Offer::Ids => "ids",
        }
    }
}

/// Answers `__complete OFFER WORD…`, where the words are the line as far as it is typed. Always 0.
pub fn complete(arguments: &[OsString]) -> u8 {
    let offer = arguments.first().and_then(|word| Offer::ALL.into_iter().find(|o| word == o.word()));
    let words = arguments.get(1..).unwrap_or_default();
    if let Some(offer) = offer {
        let lines = lines(offer, words).unwrap_or_default();
        let text: String = lines.iter().map(|(value, what)| format!("{value}\t{what}\n")).collect();
        let _ = say(&text);
    }
    code::DONE
}

/// The last value of an option among the words typed so far.
fn typed(words: &[OsString], names: [&str; 2]) -> Option<String> {
    let words: Vec<&str> = words.iter().take_while(|w| *w != "--").filter_map(|w| w.to_str()).collect();
    let mut found = None;
    for (i, word) in words.iter().enumerate() {
        if names.contains(word) {
            found = words.get(i + 1).copied();
        } else if let Some((name, value)) = word.split_once('=')
            && names.contains(&name)
        {
            found = Some(value);
        }
    }
    found.filter(|value| !value.is_empty()).map(str::to_owned)
}

fn lines(offer: Offer, words: &[OsString]) -> Result<Vec<(String, String)>, Failure> {
    let global = Global {
        config: typed(words, ["--config", "--config"]).map(PathBuf::from),
        lock_dir: typed(words, ["--lock-dir", "--lock-dir"]).map(PathBuf::from),
        ..Global::default()
    };
    let context = Context::new(global);
    let mut lines = match (offer, declared(&context)) {
        (Offer::Environments, Some(t)) => environments(t),
        (Offer::Applications, Some(t)) => applications(t),
        (Offer::Containers, Some(t)) => containers(t, typed(words, ["--env", "-e"])),
        (Offer::Names, Some(t)) => {
            t.locks.keys().map(|name| (name.clone(), "declared lock".to_owned())).collect()
        }
        _ => Vec::new(),
    };
    match offer {
        Offer::Names | Offer::Locks => lines.extend(locks(&context, offer)?),
        Offer::Ids => lines.extend(ids(&context)?),
        _ => {}
    }
    // A name is there once; one that would break the line is not offered.
    let mut seen = std::collections::HashSet::new();
    lines.retain(|(value, _)| !value.chars().any(char::is_control) && seen.insert(value.clone()));
    Ok(lines.into_iter().map(|(value, what)| (value, clean(&what))).collect())
}

/// A topology that cannot be read offers nothing.
fn declared(context: &Context) -> Option<&Topology> {
    context.known().ok()?.topology()
}

fn list<'a>(names: impl Iterator<Item = &'a str>, none: &str) -> String {
    let names: Vec<&str> = names.collect();
    if names.is_empty() { none.to_owned() } else { names.join(" ") }
}

fn environments(t: &Topology) -> Vec<(String, String)> {
    let of = |(name, e): (&String, &crate::topology::Environment)| {
        (name.clone(), list(e.containers.iter().map(|c| c.name.as_str()), "environment"))
    };
    t.environments.iter().map(of).collect()
}

fn applications(t: &Topology) -> Vec<(String, String)> {
    let of = |(name, a): (&String, &crate::topology::Application)| {
        (name.clone(), list(a.environments.keys().map(String::as_str), "application"))
    };
    t.applications.iter().map(of).collect()
}

fn containers(t: &Topology, environment: Option<String>) -> Vec<(String, String)> {
    let environment = environment.and_then(|e| t.environments.get(&e));
    let fits = |c: &&String| environment.is_none_or(|e| e.listed(c).is_some());
    let of = |c: &String| {
        let holders = t.environments.iter().filter(|(_, e)| e.listed(c).is_some()).map(|(n, _)| n.as_str());
        (c.clone(), list(holders, "container"))
    };
    t.containers.keys().filter(fits).map(of).collect()
}

fn locks(context: &Context, offer: Offer) -> Result<Vec<(String, String)>, Failure> {
    let found = survey(&context.store()?.in_a_hurry())?;
    let all = found.locks.iter().filter(|l| offer == Offer::Locks || l.lock.kind == Kind::Name);
    let of = |lock: &crate::ops::survey::LockShown| {
        let waits = lock.entries.iter().filter(|(_, holds)| !holds).count();
        let value = if offer == Offer::Locks { lock.lock.to_string() } else { lock.lock.name.to_string() };
        (value, format!("{} held, {waits} waiting", lock.entries.len() - waits))
    };
    Ok(all.map(of).collect())
}

fn ids(context: &Context) -> Result<Vec<(String, String)>, Failure> {
    let found = survey(&context.store()?.in_a_hurry())?;
    let of = |shown: &Shown| {
        let (state, _) = table::state_word(shown);
        let what = match &shown.stored {
            Stored::Readable(_, d) => {
                let reason = d.reason.as_ref().map(|r| format!(": {r}")).unwrap_or_default();
                format!(
                    "{state}, {} by {} for {}{reason}",
                    d.title(),
                    d.owner,
                    since(d.since, found.now.wall)
                )
            }
            Stored::Unreadable(_) => state,
        };
        (shown.stored.id().to_string(), what)
    };
    Ok(found.deployments.iter().map(of).collect())
}
