//! Text that is safe on a terminal, ages, widths, colours.

use std::fmt::Write as _;
use std::time::{Duration, SystemTime};

use unicode_width::{UnicodeWidthChar as _, UnicodeWidthStr as _};

/// Text from a user or a file, with everything that could move a cursor or hide text written out.
#[must_use]
pub fn clean(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if c.is_control() || is_invisible(c) {
            let _ = write!(out, "\\u{{{:x}}}", c as u32);
        } else {
            out.push(c);
        }
    }
    out
}

/// Marks that change the direction of text, join it, or do not show at all.
#[must_use]
pub fn is_invisible(c: char) -> bool {
    matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{e0000}'..='\u{e007f}')
}

/// How long something lasted, in at most two units: `3m 12s`.
#[must_use]
pub fn age(duration: Duration) -> String {
    let seconds = duration.as_secs();
    let units = [("d", 86_400), ("h", 3_600), ("m", 60), ("s", 1)];
    let first = units.iter().position(|(_, size)| seconds >= *size).unwrap_or(3);
    let mut rest = seconds;
    let mut parts = Vec::new();
    for (unit, size) in units.iter().skip(first).take(2) {
        let count = rest / size;
        rest %= size;
        if count > 0 || parts.is_empty() {
            parts.push(format!("{count}{unit}"));
        }
    }
    parts.join(" ")
}

/// [`age`] for figures that may be small: milliseconds below a second.
#[must_use]
pub fn brief(duration: Duration) -> String {
    if duration.as_secs() == 0 { format!("{}ms", duration.as_millis()) } else { age(duration) }
}

/// The time between two moments; none where the clock was set back.
#[must_use]
pub fn since(then: SystemTime, now: SystemTime) -> String {
    age(now.duration_since(then).unwrap_or_default())
}

/// Cuts text to a width in columns, with `…` where something is missing.
#[must_use]
pub fn fit(text: &str, width: usize) -> String {
    if text.width() <= width {
        return text.to_owned();
    }
    let mut out = String::new();
    let mut used = 1;
    for c in text.chars() {
        let wide = c.width().unwrap_or(0);
        if used + wide > width {
            break;
        }
        used += wide;
        out.push(c);
    }
    out.push('…');
    out
}

/// Fills text up to a width in columns.
#[must_use]
pub fn pad(text: &str, width: usize) -> String {
    let missing = width.saturating_sub(text.width());
    format!("{text}{}", " ".repeat(missing))
}

/// How wide text is, in columns.
#[must_use]
pub fn width(text: &str) -> usize {
    text.width()
}

/// A colour, used only on a terminal that wants it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Colour {
    /// As it is.
    Plain,
    /// Headings.
    Bold,
    /// Held.
    Green,
    /// Waiting, paused.
    Yellow,
    /// Stale, unreadable.
    Red,
    /// Less important.
    Dim,
}

/// Puts text in a colour.
#[must_use]
pub fn paint(text: &str, colour: Colour, on: bool) -> String {
    let code = match colour {
        _ if !on => return text.to_owned(),
        Colour::Plain => return text.to_owned(),
        Colour::Bold => 1,
        Colour::Green => 32,
        Colour::Yellow => 33,
        Colour::Red => 31,
        Colour::Dim => 2,
    };
    format!("\u{1b}[{code}m{text}\u{1b}[0m")
}

/// A word as a shell takes it.
#[must_use]
pub fn shell(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:@=+,%".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        return word.to_owned();
    }
    if word.chars().any(char::is_control) {
        // Bash, zsh and ksh read these escapes; a name cannot have them, a path can.
        return format!("$'{}'", word.escape_default());
    }
    format!("'{}'", word.replace('\'', "'\\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_a_user_wrote_moves_the_cursor() {
        let evil = "\u{1b}[2J\rheld\u{202e}\u{9b}31m\u{7}\n";
        let clean = clean(evil);
        assert!(clean.chars().all(|c| !c.is_control() && !is_invisible(c)), "{clean}");
        assert_eq!(super::clean("Zürich 東京"), "Zürich 東京");
    }

    #[test]
    fn ages_have_two_units() {
        let of = |s| age(Duration::from_secs(s));
        assert_eq!(of(0), "0s");
        assert_eq!(of(59), "59s");
        assert_eq!(of(60), "1m");
        assert_eq!(of(192), "3m 12s");
        assert_eq!(of(3_600 * 49), "2d 1h");
        assert_eq!(of(86_400 + 5), "1d");
    }

    #[test]
    fn text_is_cut_by_columns() {
        assert_eq!(fit("abcdef", 4), "abc…");
        assert_eq!(fit("東京都", 5), "東京…");
        assert_eq!(fit("abc", 3), "abc");
        assert_eq!(pad("東", 4), "東  ");
    }

    #[test]
    fn words_for_a_shell() {
        assert_eq!(shell("web-1"), "web-1");
        assert_eq!(shell("a b"), "'a b'");
        assert_eq!(shell("it's"), "'it'\\''s'");
        assert_eq!(shell(""), "''");
    }
}
