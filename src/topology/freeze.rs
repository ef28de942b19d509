//! `[[environments.E.freeze]]`: the windows in which nobody deploys to an environment, read and warned about.
//!
//! What a window means to a deployment is `freeze`'s.

use std::time::SystemTime;

use croner::Cron;
use croner::errors::CronError;
use croner::parser::{CronParser, Seconds, Year};
use jiff::civil::DateTime;
use jiff::tz::{Disambiguation, TimeZone};
use jiff::{SignedDuration, Timestamp};

use super::error::{Source, TopologyError};
use super::read::{Entry, Table};
use super::suggest::quote;
use super::{Topology, Warning};
use crate::freeze::{Gate, When, Window};

pub(super) const KEYS: &[&str] = &["from", "until", "cron", "duration", "timezone", "reason", "may_pass"];

const MOMENT: &str = "a date and time such as 2026-12-20T18:00:00 or \"2026-12-20T18:00:00+01:00\"";
const CRON: &str =
    "a cron expression of five fields, minute hour day month weekday, such as \"0 18 * * fri\"";
const ZONE: &str = "an IANA time zone such as \"Europe/Berlin\" that this machine knows (its package tzdata)";

/// The windows of an environment's table.
pub(super) fn windows<'a>(
    source: &'a Source<'a>,
    environment: &Table<'a>,
) -> Result<Vec<Window>, TopologyError> {
    environment.list("freeze")?.iter().map(|entry| window(source, entry)).collect()
}

fn window<'a>(source: &'a Source<'a>, entry: &Entry<'a>) -> Result<Window, TopologyError> {
    let table = Table::of(source, entry, KEYS)?;
    let needs = |what: &str| source.error(&entry.place, format!("this freeze window needs {what}"));
    let zone = table.string("timezone", None, ZONE, |name| TimeZone::get(name).ok().map(Some))?;
    let zone = zone.value.unwrap_or_else(TimeZone::system);
    let by_cron = table.line_of("cron").is_some() || table.line_of("duration").is_some();
    if by_cron {
        for known in ["from", "until"] {
            table.refuse(known, "has no meaning beside cron and duration: use the one pair or the other")?;
        }
    }
    let when = if by_cron { firing(&table, needs)? } else { once(&table, &zone, needs)? };
    let reason = table.string("reason", None, "a text that says why, for people to read", reason)?;
    let reason = reason.value.ok_or_else(|| needs("a `reason`, for those whom it stops"))?;
    let may_pass = table.names("may_pass", "a list of owners")?;
    if may_pass.as_ref().is_some_and(Vec::is_empty) {
        // It could be read as "nobody" and as "no restriction, so anybody".
        table
            .refuse("may_pass", "is empty: name owners, or leave it out to let anybody pass with a reason")?;
    }
    let may_pass = may_pass.unwrap_or_default().into_iter().map(|name| name.text.to_owned()).collect();
    Ok(Window { line: table.line, reason, may_pass, when, zone })
}

fn reason(text: &str) -> Option<Option<String>> {
    (!text.trim().is_empty()).then(|| Some(text.to_owned()))
}

/// Where the clock on the wall jumps, the window is the longer of what it could be.
fn once(
    table: &Table<'_>,
    zone: &TimeZone,
    needs: impl Fn(&str) -> TopologyError,
) -> Result<When, TopologyError> {
    let from = table.written("from", MOMENT, |text| moment(text, zone, Disambiguation::Earlier))?;
    let from = from.ok_or_else(|| needs("`from` and `until`, or `cron` and `duration`"))?;
    let until = table.written("until", MOMENT, |text| {
        let until = moment(text, zone, Disambiguation::Later)?;
        if until > from { Ok(until) } else { Err("must be later than `from`".to_owned()) }
    })?;
    Ok(When::Once { from, until: until.ok_or_else(|| needs("`until` beside `from`"))? })
}

/// RFC 3339, or without an offset the clock on the wall of `zone`.
fn moment(text: &str, zone: &TimeZone, jump: Disambiguation) -> Result<Timestamp, String> {
    let wrong = || format!("must be {MOMENT}, found {}", quote(text));
    if text.contains('[') {
        return Err("must not name a time zone: that is what `timezone` is for".to_owned());
    }
    if let Ok(moment) = text.parse::<Timestamp>() {
        return Ok(moment);
    }
    if text.len() <= "2026-12-20".len() {
        // A date alone could mean its first or its last moment.
        return Err(wrong());
    }
    let local: DateTime = text.parse().map_err(|_| wrong())?;
    zone.to_ambiguous_timestamp(local).disambiguate(jump).map_err(|_| wrong())
}

fn firing(table: &Table<'_>, needs: impl Fn(&str) -> TopologyError) -> Result<When, TopologyError> {
    let cron = table.written("cron", CRON, |text| expression(text).map(Box::new))?;
    let cron = cron.ok_or_else(|| needs("`cron` beside `duration`"))?;
    let lasts = table.duration("duration", std::time::Duration::ZERO)?;
    if lasts.line.is_none() {
        return Err(needs("`duration` beside `cron`: how long each firing opens it"));
    }
    let lasts = SignedDuration::try_from(lasts.value).unwrap_or(SignedDuration::MAX);
    Ok(When::Firing { cron, lasts })
}

fn expression(text: &str) -> Result<Cron, String> {
    let parser = CronParser::builder().seconds(Seconds::Disallowed).year(Year::Disallowed).build();
    parser.parse(text).map_err(|error| {
        let why = match error {
            CronError::InvalidPattern(why)
            | CronError::IllegalCharacters(why)
            | CronError::ComponentError(why) => format!(" ({})", why.trim_end_matches('.')),
            _ => String::new(),
        };
        format!("must be {CRON}, found {}{why}", quote(text))
    })
}

/// What is odd about the windows at this moment, in the order of lines.
pub(super) fn warnings(topology: &Topology, now: SystemTime) -> Vec<Warning> {
    let mut found = Vec::new();
    for (name, environment) in &topology.environments {
        for window in &environment.freeze {
            if let Some(odd) = odd(topology, name, window, now) {
                let text = format!("this freeze window of environment {} {odd}", quote(name));
                found.push(Warning { line: window.line, text });
            }
        }
    }
    Warning::in_order(found)
}

fn odd(topology: &Topology, environment: &str, window: &Window, now: SystemTime) -> Option<String> {
    let alone = Gate {
        environment: environment.to_owned(),
        file: topology.path.clone(),
        windows: vec![window.clone()],
        owner: String::new(),
        overriding: None,
    };
    match (alone.stop(now), alone.next(now), &window.when) {
        (Some(stop), _, _) if stop.end.is_none() => {
            Some("never closes: each firing comes before the last one's time is over".to_owned())
        }
        (None, None, When::Once { until, .. }) => {
            let until = until.to_zoned(window.zone.clone());
            Some(format!("is over since {}: take it out", until.strftime("%Y-%m-%d %H:%M:%S %Z")))
        }
        (None, None, When::Firing { .. }) => Some("never opens: no day fits its cron expression".to_owned()),
        _ => None,
    }
}
