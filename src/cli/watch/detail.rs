//! The pages about one deployment: everything there is to say of it, and what something done to it would break.
//! And the page of the keys. Pure.

use std::time::Duration;

use ratatui::text::{Line, Span};
use serde_json::Value;

use super::state::{Act, FORCE, State};
use super::view::{style, wrap};
use crate::deployment::{Deployment, Id, State as Phase, Stored, Verdict};
use crate::ops::events::rfc3339;
use crate::ops::survey::Shown;
use crate::output::message::breakage;
use crate::output::style::{Colour, age, clean, pad, since};
use crate::output::table;

/// How wide the words before a colon are.
const LABEL: usize = 12;

/// Lines with a label before the first.
fn field(state: &State, label: &str, value: &str, wide: usize, into: &mut Vec<Line<'static>>) {
    if value.is_empty() {
        return;
    }
    let mut label = label;
    for part in wrap(&clean(value), wide.saturating_sub(LABEL + 1)) {
        let name = Span::styled(pad(label, LABEL), style(Colour::Dim, state.colour));
        into.push(Line::from(vec![name, Span::raw(format!(" {part}"))]));
        label = "";
    }
}

fn heading(state: &State, text: String) -> Line<'static> {
    Line::styled(text, style(Colour::Bold, state.colour))
}

/// One deployment: what it is, all its locks, its history.
pub fn one(state: &State, id: &Id, wide: usize) -> Vec<Line<'static>> {
    let mut lines = Vec::new();
    match state.find(id) {
        None => lines.push(heading(state, format!("{id} is gone"))),
        Some(shown) => {
            let (word, colour) = table::state_word(shown);
            lines.push(Line::styled(format!("{id}  {word}"), style(colour, state.colour)));
            match &shown.stored {
                Stored::Readable(_, d) => facts(state, d, shown, wide, &mut lines),
                Stored::Unreadable(u) => {
                    field(state, "record", &u.path, wide, &mut lines);
                    field(state, "problem", &u.why, wide, &mut lines);
                }
            }
        }
    }
    if !state.history.is_empty() {
        lines.push(Line::default());
        lines.push(heading(state, "history".to_owned()));
        let events = state.history.iter().flat_map(|event| wrap(&happened(event), wide));
        lines.extend(events.map(Line::raw));
    }
    lines
}

fn facts(state: &State, d: &Deployment, shown: &Shown, wide: usize, lines: &mut Vec<Line<'static>>) {
    let now = state.survey.now;
    let joined = |ids: &[&Id]| ids.iter().map(|id| id.as_str()).collect::<Vec<_>>().join(" ");
    let time = |at| format!("{}, {} ago", rfc3339(at), since(at, now.wall));
    let mut add = |label: &str, value: String| field(state, label, &value, wide, lines);
    add("life", life(&shown.verdict));
    if d.cancelled {
        add("", "asked to end".to_owned());
    }
    add("reason", d.reason.clone().unwrap_or_default());
    add("url", d.url.clone().unwrap_or_default());
    if d.environment.is_some() {
        add("what", format!("{} {}", d.operation.as_str(), d.title()));
    }
    add("containers", d.containers.join(" "));
    add("owner", d.owner.clone());
    let pid = d.owner_process.as_ref().map_or(d.process.pid, |p| p.pid);
    add("process", format!("{pid} on {}", d.place.host));
    add("requested", time(d.requested));
    add("since", time(d.since));
    if let Some(expiry) = &d.expires {
        add("until", format!("{}, {}", rfc3339(expiry.wall), table::time_left(d, &now)));
    }
    add("token", d.token.map(|t| t.to_string()).unwrap_or_default());
    add("parent", d.parent.as_ref().map(ToString::to_string).unwrap_or_default());
    add("waits for", joined(&shown.waiting_for.iter().collect::<Vec<_>>()));
    add("awaited by", joined(&state.waiters_for(&d.id)));
    lines.push(Line::default());
    lines.push(heading(state, "locks".to_owned()));
    for request in &d.locks {
        let limit = request.limit.map(|l| format!(" of {l}")).unwrap_or_default();
        let blocked = if d.blocked_at.contains(&request.lock) { "  blocked there" } else { "" };
        let text = format!("{}  {}{limit}{blocked}", request.lock, request.mode.as_str());
        lines.extend(wrap(&clean(&text), wide).into_iter().map(Line::raw));
    }
}

fn life(verdict: &Verdict) -> String {
    match verdict {
        Verdict::Alive(None) => "alive".to_owned(),
        Verdict::Alive(Some(how)) => format!("alive: {how}"),
        Verdict::Unbound => "bound to no process".to_owned(),
        Verdict::Dead(why) => format!("stale: {why}"),
        Verdict::Kept(why) => format!("kept for a person: {why}"),
        Verdict::Lingering(why) => why.clone(),
        Verdict::Unknown(why) => format!("not known to be dead: {why}"),
    }
}

/// An event of the history in a line.
fn happened(event: &Value) -> String {
    let text = |key: &str| event[key].as_str().unwrap_or_default().to_owned();
    let took = ["held_ms", "waited_ms"].into_iter().find_map(|key| event[key].as_u64());
    let took = took.map(|ms| format!("after {}", age(Duration::from_millis(ms))));
    let mut parts = vec![text("time"), text("event"), took.unwrap_or_default()];
    parts.extend(["outcome", "why", "by"].map(text));
    parts.retain(|part| !part.is_empty());
    clean(&parts.join("  "))
}

/// What doing this would break, and for whom it makes way.
pub fn question(state: &State, act: Act, id: &Id, wide: usize) -> Vec<Line<'static>> {
    let Some(shown) = state.find(id) else {
        return vec![heading(state, format!("{id} is gone"))];
    };
    let mut lines = vec![heading(state, format!("{} {id}", act.word())), Line::default()];
    let what = breakage(&shown.stored, &shown.verdict, state.survey.now.wall);
    lines.extend(wrap(&what, wide).into_iter().map(Line::raw));
    let follows = state.waiters_for(id);
    if !follows.is_empty() {
        let ids: Vec<&str> = follows.iter().map(|id| id.as_str()).collect();
        lines.push(Line::default());
        lines.extend(wrap(&format!("waiting for it: {}", ids.join(" ")), wide).into_iter().map(Line::raw));
    }
    lines.push(Line::default());
    let colour = if State::needs_force(act, shown) { Colour::Red } else { Colour::Plain };
    let consequence = wrap(consequence(act, shown), wide);
    lines.extend(consequence.into_iter().map(|l| Line::styled(l, style(colour, state.colour))));
    lines
}

/// The same rules as those of the commands.
fn consequence(act: Act, shown: &Shown) -> &'static str {
    let attached = shown.stored.state() == Phase::Attached;
    match (act, &shown.verdict, shown.stored.state()) {
        (Act::Release, Verdict::Alive(_), _) if attached => {
            "This run is alive and gives its locks back itself: it will not be released. `x` asks it to end."
        }
        (Act::Release, _, Phase::Waiting | Phase::Paused) => "It is withdrawn.",
        (Act::Release, ..) => "Its locks are free at once, and its deployment counts as done.",
        (Act::Cancel, Verdict::Alive(_) | Verdict::Unknown(_), _) if attached => {
            "Its command gets SIGTERM; its locks go when that has ended."
        }
        (Act::Cancel, _, Phase::Waiting) => "It stops waiting, with exit code 75.",
        (Act::Cancel, ..) => "Its locks are free at once; it counts as aborted.",
        (Act::Clear, Verdict::Alive(_), Phase::Waiting) => {
            "It is verifiably ALIVE: it loses its place while it waits. `x` asks it to end properly."
        }
        (Act::Clear, Verdict::Alive(_), _) => {
            "It is verifiably ALIVE: its locks are taken away while it runs. `x` asks it to end properly."
        }
        (Act::Clear, ..) => "Its locks are free at once.",
    }
}

/// The question in the line at the bottom.
pub fn prompt(state: &State, act: Act, id: &Id, typed: &str) -> String {
    match state.find(id) {
        Some(shown) if State::needs_force(act, shown) => {
            format!("type `{FORCE}` and Enter to {} it, Esc to leave it: {}_", act.word(), clean(typed))
        }
        _ => format!("{} {id}? [y/N]", act.word()),
    }
}

/// What the keys do.
pub fn help(state: &State) -> Vec<Line<'static>> {
    const KEYS: [(&str, &str); 13] = [
        ("j k Up Down", "move; PgUp PgDn g G by pages, to the ends"),
        ("Enter", "all about one deployment: locks, history, reason, URL"),
        ("Esc", "back; in the list: show everything again"),
        ("/", "show only rows with this text (Enter keeps it, Esc drops it)"),
        ("b", "a row for each place in a queue, or for each deployment"),
        ("r", "release: give its locks back, or withdraw it"),
        ("x", "cancel: ask it to end"),
        ("c", "clear: take its locks away"),
        ("Ctrl-Z", "stop; `fg` goes on"),
        ("Ctrl-L", "draw everything anew"),
        ("q Ctrl-C", "quit"),
        ("", ""),
        ("stale", "verifiably dead: its process is gone, or its time is over"),
    ];
    let line = |(key, what): (&str, &str)| {
        let key = Span::styled(pad(key, LABEL), style(Colour::Bold, state.colour));
        Line::from(vec![key, Span::raw(format!(" {what}"))])
    };
    KEYS.into_iter().map(line).collect()
}
