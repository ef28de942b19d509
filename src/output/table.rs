//! The tables of `list`: by lock and by deployment, as wide as the terminal.

use std::time::Duration;

use crate::clock::Now;
use crate::deployment::{Deployment, Id, State, Stored, Verdict};
use crate::engine::Entry;
use crate::ops::statistics::Figures;
use crate::ops::survey::{LockShown, Shown, Survey};
use crate::ops::versions::Version;

use super::style::{Colour, clean, fit, pad, paint, since, width};

/// How a table is to look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Look {
    /// With colours.
    pub colour: bool,
    /// At most this many columns; `None`: as many as it takes.
    pub width: Option<usize>,
}

/// The narrowest that a column of text is cut to.
const NARROW: usize = 8;
/// Between two columns.
const GAP: usize = 2;

struct Cell {
    text: String,
    colour: Colour,
}

fn cell(text: impl AsRef<str>) -> Cell {
    coloured(text, Colour::Plain)
}

fn coloured(text: impl AsRef<str>, colour: Colour) -> Cell {
    Cell { text: clean(text.as_ref()), colour }
}

/// One row for each holder and waiter of each lock; then what is in no queue.
#[must_use]
pub fn by_lock(survey: &Survey, look: Look) -> String {
    let mut rows = Vec::new();
    for lock in &survey.locks {
        let (holders, waiters): (Vec<_>, Vec<_>) = lock.entries.iter().partition(|(_, holds)| *holds);
        for (entry, _) in holders.into_iter().chain(waiters) {
            if let Some(shown) = find(survey, &entry.id) {
                rows.push(lock_row(survey, lock, entry, shown));
            }
        }
    }
    for shown in &survey.deployments {
        let queued = survey.locks.iter().any(|l| l.entries.iter().any(|(e, _)| e.id == *shown.stored.id()));
        if !queued {
            rows.push(loose_row(survey, shown));
        }
    }
    let heads = ["LOCK", "STATE", "MODE", "DEPLOYMENT", "WHAT", "OWNER", "SINCE", "UNTIL", "NOTE"];
    render(&heads, rows, look)
}

/// One row for each deployment.
#[must_use]
pub fn by_deployment(survey: &Survey, look: Look) -> String {
    let rows = survey.deployments.iter().map(|shown| {
        let locks = match shown.stored.deployment() {
            Some(d) => d.locks.iter().map(|r| r.lock.to_string()).collect::<Vec<_>>().join(" "),
            None => String::new(),
        };
        let [what, owner, since, until, note] = details(&survey.now, shown);
        vec![cell(shown.stored.id().as_str()), state(shown), what, owner, since, until, cell(locks), note]
    });
    let heads = ["DEPLOYMENT", "STATE", "WHAT", "OWNER", "SINCE", "UNTIL", "LOCKS", "NOTE"];
    render(&heads, rows.collect(), look)
}

fn find<'a>(survey: &'a Survey, id: &Id) -> Option<&'a Shown> {
    survey.deployments.iter().find(|s| s.stored.id() == id)
}

fn lock_row(survey: &Survey, lock: &LockShown, entry: &Entry, shown: &Shown) -> Vec<Cell> {
    let limit = lock.entries.iter().filter_map(|(e, _)| e.limit).min();
    let mode = match limit {
        Some(limit) => format!("{} of {limit}", entry.mode.as_str()),
        None => entry.mode.as_str().to_owned(),
    };
    row(survey, cell(lock.lock.to_string()), cell(mode), shown)
}

fn loose_row(survey: &Survey, shown: &Shown) -> Vec<Cell> {
    let locks = match shown.stored.deployment() {
        Some(d) => d.blocked_at.iter().map(ToString::to_string).collect::<Vec<_>>().join(" "),
        None => "?".to_owned(),
    };
    row(survey, cell(locks), cell("-"), shown)
}

fn row(survey: &Survey, lock: Cell, mode: Cell, shown: &Shown) -> Vec<Cell> {
    let [what, owner, since, until, note] = details(&survey.now, shown);
    let id = cell(shown.stored.id().as_str());
    vec![lock, state(shown), mode, id, what, owner, since, until, note]
}

fn state(shown: &Shown) -> Cell {
    let (word, colour) = state_word(shown);
    coloured(word, colour)
}

/// `held`, `waiting #2`, `held, stale`, and the colour of that.
#[must_use]
pub fn state_word(shown: &Shown) -> (String, Colour) {
    let word = match &shown.stored {
        Stored::Unreadable(_) => return ("unreadable".to_owned(), Colour::Red),
        Stored::Readable(state, _) => state.word(),
    };
    if shown.stale().is_some() {
        return (format!("{word}, stale"), Colour::Red);
    }
    match (shown.stored.state(), shown.position) {
        (State::Waiting, Some(place)) => (format!("{word} #{place}"), Colour::Yellow),
        (State::Waiting | State::Paused, _) => (word.to_owned(), Colour::Yellow),
        _ => (word.to_owned(), Colour::Green),
    }
}

fn details(now: &Now, shown: &Shown) -> [Cell; 5] {
    let Some(d) = shown.stored.deployment() else {
        let (why, path) = match &shown.stored {
            Stored::Unreadable(u) => (u.why.as_str(), u.path.as_str()),
            Stored::Readable(..) => ("", ""),
        };
        return [cell("?"), cell("?"), cell("?"), cell("?"), coloured(format!("{path}: {why}"), Colour::Red)];
    };
    let until = time_left(d, now);
    [cell(what(d)), cell(&d.owner), cell(since(d.since, now.wall)), cell(until), note(d, shown)]
}

/// How long until its time to live ends.
#[must_use]
pub fn time_left(d: &Deployment, now: &Now) -> String {
    match &d.expires {
        Some(expiry) => match expiry.wall.duration_since(now.wall) {
            Ok(left) => format!("in {}", super::style::age(left)),
            Err(_) => "passed".to_owned(),
        },
        None => "-".to_owned(),
    }
}

/// What it deploys, where that is more than its locks.
#[must_use]
pub fn what(d: &Deployment) -> String {
    match (&d.application, &d.environment) {
        (None, None) => "-".to_owned(),
        _ => d.title(),
    }
}

fn note(d: &Deployment, shown: &Shown) -> Cell {
    let alarming = |v: &Verdict| {
        matches!(v, Verdict::Dead(_) | Verdict::Kept(_) | Verdict::Unknown(_) | Verdict::Lingering(_))
    };
    let colour = if alarming(&shown.verdict) { Colour::Red } else { Colour::Plain };
    coloured(remarks(d, shown).join("; "), colour)
}

/// What more there is to say: of its life, why, behind whom, where to look.
#[must_use]
pub fn remarks(d: &Deployment, shown: &Shown) -> Vec<String> {
    let mut parts = Vec::new();
    match &shown.verdict {
        Verdict::Dead(why) => parts.push(format!("stale: {why}")),
        Verdict::Kept(why) | Verdict::Unknown(why) | Verdict::Lingering(why) => parts.push(why.clone()),
        Verdict::Alive(Some(how)) => parts.push(how.clone()),
        Verdict::Alive(None) | Verdict::Unbound => {}
    }
    if d.cancelled {
        parts.push("asked to end".to_owned());
    }
    parts.extend(d.reason.clone());
    if !shown.waiting_for.is_empty() {
        let ids: Vec<&str> = shown.waiting_for.iter().take(3).map(Id::as_str).collect();
        let more = shown.waiting_for.len().saturating_sub(3);
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        parts.push(format!("waits for {}{more}", ids.join(", ")));
    }
    parts.extend(d.url.clone());
    parts
}

/// One row for each event of the history, as its JSON says it.
#[must_use]
pub fn history(events: &[serde_json::Value], look: Look) -> String {
    let rows = events.iter().map(|event| {
        let text = |key: &str| event[key].as_str().unwrap_or_default().to_owned();
        let locks = event["locks"].as_array().into_iter().flatten().filter_map(|l| l.as_str());
        let what = match (text("application"), text("environment")) {
            (app, env) if !app.is_empty() => format!("{app} {} to {env}", text("version")).replace("  ", " "),
            (_, env) if !env.is_empty() => env,
            _ => locks.collect::<Vec<_>>().join(" "),
        };
        let took = ["held_ms", "waited_ms"].into_iter().find_map(|key| event[key].as_u64());
        let took = took.map(Duration::from_millis);
        let note = ["outcome", "why", "override", "reason", "by"].map(text);
        let note: Vec<String> = note.into_iter().filter(|n| !n.is_empty()).collect();
        vec![
            cell(text("time")),
            cell(text("event")),
            cell(text("id")),
            cell(what),
            cell(text("owner")),
            cell(took.map(super::style::age).unwrap_or_default()),
            cell(note.join("; ")),
        ]
    });
    render(&["TIME", "EVENT", "DEPLOYMENT", "WHAT", "OWNER", "TOOK", "NOTE"], rows.collect(), look)
}

/// One row for each environment of the history.
#[must_use]
pub fn statistics(figures: &[Figures], look: Look) -> String {
    let time = |t: Option<Duration>| cell(t.map_or("-".to_owned(), super::style::brief));
    let rows = figures.iter().map(|f| {
        vec![
            cell(f.environment.as_deref().unwrap_or("-")),
            cell(f.deployments.to_string()),
            cell(f.failed.to_string()),
            cell(f.stale.to_string()),
            time(f.waited.median()),
            time(f.waited.p95()),
            time(f.held.median()),
            time(f.held.p95()),
        ]
    });
    let heads = ["ENVIRONMENT", "DEPLOYMENTS", "FAILED", "STALE", "WAITED", "WAITED P95", "HELD", "HELD P95"];
    render(&heads, rows.collect(), look)
}

/// One row for each version of an application.
#[must_use]
pub fn versions(versions: &[Version], look: Look) -> String {
    let rows = versions.iter().map(|v| {
        let fingerprint = v.fingerprint.split_once(':').map_or(v.fingerprint.as_str(), |(_, hex)| hex);
        let what = v.version.as_deref().map(|version| format!(" {version}")).unwrap_or_default();
        let what = format!("{}{what} to {}", v.application, v.environment);
        let short: String = fingerprint.chars().take(SHORT).collect();
        let texts = [v.number.to_string(), what, v.outcome.clone(), short, v.began.clone()];
        texts.into_iter().chain([v.owner.clone(), v.id.clone()]).map(cell).collect()
    });
    let heads = ["VERSION", "WHAT", "OUTCOME", "FINGERPRINT", "BEGAN", "OWNER", "DEPLOYMENT"];
    render(&heads, rows.collect(), look)
}

/// How much of a fingerprint people need to tell two apart.
const SHORT: usize = 12;

/// Columns as wide as they need to be; where that is more than there is, the widest give way.
fn render(heads: &[&str], rows: Vec<Vec<Cell>>, look: Look) -> String {
    let mut widths: Vec<usize> = heads.iter().map(|h| width(h)).collect();
    for row in &rows {
        for (have, cell) in widths.iter_mut().zip(row) {
            *have = (*have).max(width(&cell.text));
        }
    }
    if let Some(limit) = look.width {
        shrink(&mut widths, limit.saturating_sub(GAP * (heads.len() - 1)));
    }
    let head = heads.iter().map(|h| Cell { text: (*h).to_owned(), colour: Colour::Bold }).collect();
    let mut text = String::new();
    for row in std::iter::once(head).chain(rows) {
        text.push_str(&line(&row, &widths, look));
        text.push('\n');
    }
    text
}

fn shrink(widths: &mut [usize], limit: usize) {
    loop {
        let total: usize = widths.iter().sum();
        let Some(widest) = (0..widths.len()).max_by_key(|i| widths[*i]) else {
            return;
        };
        if total <= limit || widths[widest] <= NARROW {
            return;
        }
        // Down to the next narrower one, or as far as it takes.
        let second = widths.iter().copied().filter(|w| *w < widths[widest]).max().unwrap_or(NARROW);
        let needed = widths[widest] - (total - limit).min(widths[widest]);
        widths[widest] = needed.max(second).max(NARROW).min(widths[widest] - 1);
    }
}

fn line(row: &[Cell], widths: &[usize], look: Look) -> String {
    let mut text = String::new();
    for (i, (cell, wide)) in row.iter().zip(widths).enumerate() {
        let last = i + 1 == row.len();
        let fitted = if look.width.is_some() { fit(&cell.text, *wide) } else { cell.text.clone() };
        let padded = if last { fitted } else { pad(&fitted, *wide) };
        text.push_str(&paint(&padded, cell.colour, look.colour));
        if !last {
            text.push_str(&" ".repeat(GAP));
        }
    }
    text.trim_end().to_owned()
}
