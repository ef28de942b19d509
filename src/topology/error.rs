//! An error of the topology file and its place, shown as rustc shows its own.
//!
//! What is an error is decided elsewhere.

use std::fmt;
use std::ops::Range;
use std::path::{Path, PathBuf};

/// What is wrong with a topology file, and where.
///
/// Displayed as several lines: what is wrong and what to do, the place, the source line with a caret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TopologyError {
    /// The file, as it was given.
    pub path: PathBuf,
    /// The line, counted from 1.
    pub line: usize,
    /// The column in characters, counted from 1.
    pub column: usize,
    /// What is wrong and what to do about it, in one line.
    pub message: String,
    source_line: String,
    width: usize,
}

impl fmt::Display for TopologyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let number = self.line.to_string();
        let margin = " ".repeat(number.len());
        let indent = " ".repeat(self.column - 1);
        let carets = "^".repeat(self.width);
        writeln!(f, "{}", self.message)?;
        writeln!(f, "{margin}--> {}:{}:{}", self.path.display(), self.line, self.column)?;
        writeln!(f, "{margin} |")?;
        writeln!(f, "{number} | {}", self.source_line)?;
        write!(f, "{margin} | {indent}{carets}")
    }
}

impl std::error::Error for TopologyError {}

/// The text of a file, for finding the line of a byte.
pub(super) struct Source<'a> {
    path: &'a Path,
    text: &'a str,
    /// The byte at which each line starts.
    starts: Vec<usize>,
}

impl<'a> Source<'a> {
    pub(super) fn new(path: &'a Path, text: &'a str) -> Self {
        let mut starts = Vec::with_capacity(text.len() / 16);
        starts.push(0);
        starts.extend(text.match_indices('\n').map(|(at, _)| at + 1));
        Source { path, text, starts }
    }

    /// The line, counted from 1, in which this byte stands.
    pub(super) fn line(&self, byte: usize) -> usize {
        self.starts.partition_point(|&start| start <= byte).max(1)
    }

    /// These bytes as written.
    pub(super) fn slice(&self, place: &Range<usize>) -> &'a str {
        self.text.get(place.clone()).unwrap_or_default()
    }

    /// An error that points at these bytes; of several lines only at the first.
    pub(super) fn error(&self, place: &Range<usize>, message: impl Into<String>) -> TopologyError {
        let start = floor(self.text, place.start);
        let line = self.line(start);
        let text = self.line_text(line);
        // A byte order mark is no column that anybody sees.
        let first = self.starts[line - 1] + (text.len() - text.trim_start_matches('\u{feff}').len());
        let text = text.trim_start_matches('\u{feff}');
        let from = start.saturating_sub(first).min(text.len());
        let to = floor(text, place.end.saturating_sub(first)).max(from);
        TopologyError {
            path: self.path.to_owned(),
            line,
            column: text[..from].chars().count() + 1,
            message: message.into(),
            source_line: text.chars().map(printable).collect(),
            width: text[from..to].chars().count().max(1),
        }
    }

    /// An error of the TOML itself.
    pub(super) fn syntax(&self, error: &toml::de::Error) -> TopologyError {
        let reason = error.message().lines().collect::<Vec<_>>().join("; ");
        self.error(&error.span().unwrap_or(0..0), format!("this is not valid TOML: {reason}"))
    }

    fn line_text(&self, line: usize) -> &'a str {
        let end = self.starts.get(line).map_or(self.text.len(), |next| next - 1);
        self.text[self.starts[line - 1]..end].trim_end_matches('\r')
    }
}

/// The nearest character boundary at or before this byte.
fn floor(text: &str, byte: usize) -> usize {
    let byte = byte.min(text.len());
    (0..=byte).rev().find(|&at| text.is_char_boundary(at)).unwrap_or(0)
}

/// One column for each character, and none that a terminal would obey.
fn printable(character: char) -> char {
    match character {
        '\t' => ' ',
        c if c.is_control() => '\u{fffd}',
        c => c,
    }
}
