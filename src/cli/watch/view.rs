//! The state as a picture. Pure: the same state at the same size is the same picture.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::style::{Color, Modifier, Style};
use ratatui::text::{Line, Span};
use ratatui::widgets::Paragraph;

use super::detail;
use super::state::{Item, Page, State};
use crate::deployment::{State as Phase, Stored};
use crate::output::style::{Colour, clean, fit, pad, since, width};
use crate::output::table;

const KEYS: &str = "Enter open  r release  x cancel  c clear  / filter  ? help  q quit";
const HEADS: [&str; COLUMNS] = ["STATE", "DEPLOYMENT", "WHAT", "OWNER", "SINCE", "UNTIL", "NOTE"];
const COLUMNS: usize = 7;
/// Which columns give way where there is no room, in this order, down to which width.
const GIVE_WAY: [(usize, usize); 9] =
    [(6, 12), (2, 16), (3, 10), (6, 0), (2, 8), (3, 0), (5, 0), (4, 0), (2, 0)];
const GAP: usize = 2;
const INDENT: usize = 1;

/// A colour of the tables, here; without colours what matters is bold.
pub(super) fn style(colour: Colour, on: bool) -> Style {
    let plain = Style::new();
    match (colour, on) {
        (Colour::Bold, _) | (Colour::Red, false) => plain.add_modifier(Modifier::BOLD),
        (Colour::Green, true) => plain.fg(Color::Green),
        (Colour::Yellow, true) => plain.fg(Color::Yellow),
        (Colour::Red, true) => plain.fg(Color::Red),
        (Colour::Dim, _) => plain.add_modifier(Modifier::DIM),
        _ => plain,
    }
}

/// Draws the page.
pub fn draw(frame: &mut Frame<'_>, state: &State) {
    let area = frame.area();
    let (wide, high) = (usize::from(area.width), usize::from(area.height));
    // What is left for the page itself between the title and the line at the bottom.
    let body = high.saturating_sub(2);
    let mut lines = vec![title(state, wide)];
    lines.extend(match &state.page {
        Page::List | Page::Filter => list(state, wide, body),
        Page::One(id, scroll) => scrolled(state, detail::one(state, id, wide), *scroll, body),
        Page::Help => scrolled(state, detail::help(state), 0, body),
        Page::Confirm(act, id, _) => scrolled(state, detail::question(state, *act, id, wide), 0, body),
    });
    lines.truncate(high.saturating_sub(1));
    frame.render_widget(Paragraph::new(lines), area);
    if high > 0 {
        let last = Rect { y: area.y + area.height - 1, height: 1, ..area };
        frame.render_widget(Paragraph::new(bottom(state, wide)), last);
    }
}

fn scrolled(state: &State, lines: Vec<Line<'static>>, by: usize, body: usize) -> Vec<Line<'static>> {
    let bottom = lines.len().saturating_sub(body);
    state.height.set(body);
    state.bottom.set(bottom);
    lines.into_iter().skip(by.min(bottom)).take(body).collect()
}

fn title(state: &State, wide: usize) -> Line<'static> {
    let all = &state.survey.deployments;
    let stale = all.iter().filter(|s| s.stale().is_some()).count();
    let holds = |s: &&_| matches!(s, Stored::Readable(p, _) if p.holds());
    let stored = || all.iter().map(|s| &s.stored);
    let mut counts = vec![format!("{} held", stored().filter(holds).count())];
    for (word, count) in [
        ("waiting", stored().filter(|s| is(s, Phase::Waiting)).count()),
        ("paused", stored().filter(|s| is(s, Phase::Paused)).count()),
        ("unreadable", stored().filter(|s| matches!(s, Stored::Unreadable(_))).count()),
        ("stale", stale),
    ] {
        if count > 0 || word == "waiting" {
            counts.push(format!("{count} {word}"));
        }
    }
    let text = format!("deploylock: {}  (in {})", counts.join(", "), clean(&state.place));
    Line::styled(fit(&text, wide), style(Colour::Bold, state.colour))
}

fn is(stored: &Stored, phase: Phase) -> bool {
    matches!(stored, Stored::Readable(p, _) if *p == phase)
}

/// What the line at the bottom says: a question, what was typed, how it went, else the keys.
fn bottom(state: &State, wide: usize) -> Line<'static> {
    let text = match (&state.page, &state.message) {
        (Page::Filter, _) => format!("/{}_", clean(&state.filter)),
        (Page::Confirm(act, id, typed), _) => detail::prompt(state, *act, id, typed),
        (_, Some(message)) => clean(&message.replace('\n', " ")),
        (Page::One(..), _) => "Esc back  j/k scroll  r release  x cancel  c clear  q quit".to_owned(),
        (Page::Help, _) => "any key: back".to_owned(),
        (Page::List, _) if !state.filter.is_empty() => {
            format!("only what says \"{}\"; Esc shows all  {KEYS}", clean(&state.filter))
        }
        (Page::List, _) => KEYS.to_owned(),
    };
    let urgent = state.message.is_some() || matches!(state.page, Page::Filter | Page::Confirm(..));
    let colour = if urgent { Colour::Bold } else { Colour::Dim };
    Line::styled(fit(&text, wide), style(colour, state.colour))
}

/// Everything: the heads, the rows around the chosen one, and what more there is to say of that.
fn list(state: &State, wide: usize, body: usize) -> Vec<Line<'static>> {
    let items = state.items();
    if items.is_empty() {
        state.height.set(body);
        let narrowed = !state.filter.is_empty();
        let what = if narrowed { "nothing that fits" } else { "nothing is held and nobody waits" };
        return vec![Line::raw(fit(what, wide))];
    }
    let note = if body >= 8 { 2 } else { 0 };
    let room = body.saturating_sub(1 + note).max(1);
    state.height.set(room);
    let cells: Vec<[(String, Colour); COLUMNS]> = items.iter().map(|i| cells(state, i)).collect();
    let widths = widths(&cells, wide.saturating_sub(INDENT));
    let (rows, chosen) = rows(state, &items, &cells, &widths, wide);
    // The chosen row stays in the middle as far as there is something around it.
    let top = chosen.saturating_sub(room / 2).min(rows.len().saturating_sub(room));
    let heads: [(String, Colour); COLUMNS] = HEADS.map(|h| (h.to_owned(), Colour::Bold));
    let mut lines = vec![row(state, &heads, &widths, false, wide)];
    lines.extend(rows.into_iter().skip(top).take(room));
    if note > 0 {
        lines.resize(1 + room, Line::default());
        let text = &cells[state.chosen()][COLUMNS - 1].0;
        lines.extend(wrap(text, wide).into_iter().take(note).map(Line::raw));
    }
    lines
}

/// The rows with their headings, and the place of the chosen one among them.
fn rows(
    state: &State,
    items: &[Item<'_>],
    cells: &[[(String, Colour); COLUMNS]],
    widths: &[usize; COLUMNS],
    wide: usize,
) -> (Vec<Line<'static>>, usize) {
    let (mut rows, mut chosen) = (Vec::new(), 0);
    let mut heading = None;
    for (i, (item, cells)) in items.iter().zip(cells).enumerate() {
        let own = heading_of(state, item);
        if heading.as_ref() != Some(&own) {
            rows.extend(own.clone().map(|h| Line::styled(fit(&h, wide), style(Colour::Bold, state.colour))));
            heading = Some(own);
        }
        if i == state.chosen() {
            chosen = rows.len();
        }
        rows.push(row(state, cells, widths, i == state.chosen(), wide));
    }
    (rows, chosen)
}

/// The lock, and how it is held.
fn heading_of(state: &State, item: &Item<'_>) -> Option<String> {
    let Some((lock, entry)) = item.queue else {
        return state.by_lock.then(|| "in no queue".to_owned());
    };
    let name = clean(&lock.lock.to_string());
    // Whoever holds says how it is held now; those who wait may want it otherwise.
    let first = lock.entries.iter().find(|(_, holds)| *holds).map_or(entry, |(first, _)| first);
    Some(match lock.entries.iter().filter_map(|(e, _)| e.limit).min() {
        Some(limit) => format!("{name}  {} of {limit}", first.mode.as_str()),
        None => format!("{name}  {}", first.mode.as_str()),
    })
}

fn cells(state: &State, item: &Item<'_>) -> [(String, Colour); COLUMNS] {
    let (word, colour) = table::state_word(item.shown);
    let id = item.shown.stored.id().to_string();
    let plain = |text: String| (clean(&text), Colour::Plain);
    match &item.shown.stored {
        Stored::Readable(_, d) => {
            let note = table::remarks(d, item.shown).join("; ");
            let what = if state.by_lock || d.environment.is_some() { table::what(d) } else { d.title() };
            [
                (word, colour),
                plain(id),
                plain(what),
                plain(d.owner.clone()),
                plain(since(d.since, state.survey.now.wall)),
                plain(table::time_left(d, &state.survey.now)),
                (clean(&note), if colour == Colour::Red { colour } else { Colour::Plain }),
            ]
        }
        Stored::Unreadable(u) => {
            let note = (clean(&format!("{}: {}", u.path, u.why)), Colour::Red);
            let unknown = || plain("?".to_owned());
            [(word, colour), plain(id), unknown(), unknown(), unknown(), unknown(), note]
        }
    }
}

/// As wide as the columns need to be, or as there is room for.
fn widths(cells: &[[(String, Colour); COLUMNS]], wide: usize) -> [usize; COLUMNS] {
    let mut widths = HEADS.map(width);
    for row in cells {
        for (have, (text, _)) in widths.iter_mut().zip(row) {
            *have = (*have).max(width(text));
        }
    }
    let total = |widths: &[usize; COLUMNS]| {
        let shown = widths.iter().filter(|w| **w > 0).count();
        widths.iter().sum::<usize>() + GAP * shown.saturating_sub(1)
    };
    for (column, floor) in GIVE_WAY {
        let over = total(&widths).saturating_sub(wide);
        let more = widths[column].saturating_sub(floor);
        widths[column] -= over.min(more);
        if floor == 0 && over > 0 && widths[column] < 4 {
            widths[column] = 0;
        }
    }
    widths
}

fn row(
    state: &State,
    cells: &[(String, Colour); COLUMNS],
    widths: &[usize; COLUMNS],
    chosen: bool,
    wide: usize,
) -> Line<'static> {
    let mut spans = vec![Span::raw(if chosen { ">" } else { " " })];
    let mut used = INDENT;
    for ((text, colour), wide) in cells.iter().zip(widths).filter(|(_, wide)| **wide > 0) {
        let gap = if spans.len() > 1 { GAP } else { 0 };
        spans.push(Span::raw(" ".repeat(gap)));
        spans.push(Span::styled(pad(&fit(text, *wide), *wide), style(*colour, state.colour)));
        used += gap + wide;
    }
    spans.push(Span::raw(" ".repeat(wide.saturating_sub(used))));
    let line = Line::from(spans);
    if chosen { line.style(Style::new().add_modifier(Modifier::REVERSED)) } else { line }
}

/// Text over several lines, broken between words where that is possible.
pub(super) fn wrap(text: &str, wide: usize) -> Vec<String> {
    let (mut lines, mut line) = (Vec::new(), String::new());
    for word in text.split(' ') {
        let mut word = word.to_owned();
        if !line.is_empty() && width(&line) + 1 + width(&word) > wide {
            lines.push(std::mem::take(&mut line));
        }
        // A word that is wider than the line, such as a URL, goes on in the next.
        while line.is_empty() && width(&word) > wide.max(2) {
            let cut = cut_at(&word, wide.max(2));
            lines.push(word.drain(..cut).collect());
        }
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(&word);
    }
    lines.push(line);
    lines
}

/// How many bytes of it fit.
fn cut_at(word: &str, wide: usize) -> usize {
    let fits = |end: &usize| width(&word[..*end]) <= wide;
    let ends = word.char_indices().map(|(i, c)| i + c.len_utf8());
    ends.take_while(fits).last().unwrap_or(word.len())
}
