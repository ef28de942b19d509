//! What is told of freeze windows: until when, why, where that is written, who may pass and how; and their JSON.

use std::time::{Duration, SystemTime};

use jiff::Zoned;
use serde::Serialize;

use super::message::Commands;
use super::style::{age, clean};
use crate::freeze::{Gate, Seen, Stop};
use crate::ops::events::rfc3339;

/// A moment by the clock on the wall of its zone: `2026-12-24 18:00 CET`.
#[must_use]
pub fn moment(at: &Zoned) -> String {
    let seconds = if at.second() == 0 { "" } else { ":%S" };
    at.strftime(&format!("%Y-%m-%d %H:%M{seconds} %Z")).to_string()
}

/// How far ahead a moment is: `in 3d 4h`.
fn ahead(at: &Zoned, now: SystemTime) -> String {
    let left = SystemTime::from(at.timestamp()).duration_since(now).unwrap_or_default();
    format!("in {}", age(left))
}

fn reason(window: &Seen) -> String {
    format!("\"{}\"", clean(&window.reason))
}

fn place(stop: &Stop, window: &Seen) -> String {
    clean(&format!("{}:{}", stop.file.display(), window.line))
}

/// `environment:prod is frozen until 2027-01-03 08:00 CET, in 3d 4h: "year end"`.
#[must_use]
pub fn frozen(stop: &Stop, now: SystemTime) -> String {
    let (environment, window) = (clean(&stop.environment), stop.first());
    let until = match stop.end {
        None => "frozen with no end in sight".to_owned(),
        Some(_) => format!("frozen until {}, {}", moment(&window.until), ahead(&window.until, now)),
    };
    format!("environment:{environment} is {until}: {}", reason(window))
}

/// One line of a wait.
#[must_use]
pub fn waiting(stop: &Stop, waited: Duration, now: SystemTime) -> String {
    format!("waiting {}: {}", age(waited), frozen(stop, now))
}

/// The whole message of a deployment that was stopped: the first line says it all, the others help.
#[must_use]
pub fn stopped(stop: &Stop, commands: &Commands, now: SystemTime) -> String {
    let mut text =
        format!("not acquired: {}\n  set in        {}\n", frozen(stop, now), place(stop, stop.first()));
    for window in &stop.open[1..] {
        let until = moment(&window.until);
        text.push_str(&format!("  also until    {until}: {} ({})\n", reason(window), place(stop, window)));
    }
    let zone = stop.first().until.time_zone();
    if let Some(end) = stop.end.and_then(|end| Zoned::try_from(end).ok())
        && end.timestamp() > stop.first().until.timestamp()
    {
        // Another window opens before this one closes.
        text.push_str(&format!("  all over      {}\n", moment(&end.with_time_zone(zone.clone()))));
    }
    text.push_str(&format!("  may pass      {}\n", who(stop)));
    if stop.end.is_some() {
        text.push_str(&format!("  wait for it   {}\n", commands.on_target("wait")));
    }
    if stop.may_override && !commands.overriding.is_empty() {
        let words: Vec<&str> = commands.overriding.iter().map(String::as_str).collect();
        text.push_str(&format!("  pass it       {}\n", commands.line(&words)));
    }
    text
}

/// Those who may pass everything that is open.
fn who(stop: &Stop) -> String {
    let restricted: Vec<&Seen> = stop.open.iter().filter(|window| !window.may_pass.is_empty()).collect();
    let Some((first, rest)) = restricted.split_first() else {
        return "anybody, with a reason".to_owned();
    };
    let in_all = |name: &&String| rest.iter().all(|window| window.may_pass.contains(name));
    let names: Vec<String> = first.may_pass.iter().filter(in_all).map(|name| clean(name)).collect();
    let names = if names.is_empty() { "nobody".to_owned() } else { names.join(", ") };
    if stop.may_override { names } else { format!("{names}; not {}", clean(&stop.owner)) }
}

/// What `plan` says of the windows; `None` where none is open or will be.
#[must_use]
pub fn plan(gate: &Gate, now: SystemTime) -> Option<String> {
    if let Some(stop) = gate.stop(now) {
        return Some(format!(
            "{} ({}); may pass: {}",
            frozen(&stop, now),
            place(&stop, stop.first()),
            who(&stop)
        ));
    }
    let next = gate.next(now)?;
    let file = clean(&gate.file.display().to_string());
    let (from, until) = (moment(&next.from), moment(&next.until));
    let ahead = ahead(&next.from, now);
    Some(format!(
        "environment:{} will be frozen from {from}, {ahead}, until {until}: {} ({file}:{})",
        clean(&gate.environment),
        reason(&next),
        next.line
    ))
}

/// A freeze window that is open, or the next one.
#[derive(Serialize)]
pub struct AsJson {
    /// It is open now.
    pub open: bool,
    from: String,
    /// When deployments may go on: by the end of this window, or of those that open before it closes; null where
    /// no end is in sight.
    until: Option<String>,
    reason: String,
    line: usize,
    may_pass: Vec<String>,
}

/// What the windows mean now; `None` where none is open or will be.
#[must_use]
pub fn as_json(gate: &Gate, now: SystemTime) -> Option<AsJson> {
    let stop = gate.stop(now);
    let open = stop.is_some();
    let (window, until) = match stop {
        Some(mut stop) => (stop.open.remove(0), stop.end),
        None => {
            let next = gate.next(now)?;
            let until = next.until.timestamp().into();
            (next, Some(until))
        }
    };
    Some(AsJson {
        open,
        from: rfc3339(window.from.timestamp().into()),
        until: until.map(rfc3339),
        reason: window.reason,
        line: window.line,
        may_pass: window.may_pass,
    })
}
