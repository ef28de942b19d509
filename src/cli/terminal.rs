//! stdout, stderr and the person at the terminal.

use std::io::{self, BufRead as _, IsTerminal as _, Write as _};
use std::sync::{Mutex, PoisonError};

use crate::output::style::{self, Colour};
use crate::output::table::Look;

use super::context::Global;

/// `--color`
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub enum When {
    /// On a terminal, unless NO_COLOR is set
    #[default]
    Auto,
    /// Also into files and pipes
    Always,
    /// Never
    Never,
}

/// Writes to stdout. That nobody reads any more is no failure.
///
/// # Errors
/// When it cannot be written.
pub fn say(text: &str) -> io::Result<()> {
    match promise(text) {
        Err(e) if e.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        other => other,
    }
}

/// Writes to stdout what somebody has to have got.
///
/// # Errors
/// When it cannot be written, a closed pipe included.
pub fn promise(text: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    let written = out.write_all(text.as_bytes()).and_then(|()| out.flush());
    written.map_err(|e| io::Error::new(e.kind(), format!("cannot write to standard output: {e}")))
}

/// Messages that came while a full-screen view had the terminal; `None` while none has.
static KEPT: Mutex<Option<Vec<String>>> = Mutex::new(None);

/// Writes an error or a message to stderr, with the program's name before it. Nothing in it obeys whoever wrote it. A
/// full-screen view gets it instead.
pub fn complain(text: &str) {
    let lines: Vec<String> = text.trim_end().lines().map(style::clean).collect();
    let text = lines.join("\n");
    if let Some(kept) = KEPT.lock().unwrap_or_else(PoisonError::into_inner).as_mut() {
        kept.push(text);
        return;
    }
    log(format!("deploylock: {text}"));
}

/// Writes this and the end of its line to stderr in one call: what several write to one log does not mix.
pub fn log(mut text: String) {
    text.push('\n');
    let _ = io::stderr().write_all(text.as_bytes());
}

/// Whether a full-screen view has the terminal: nobody else may write to it.
pub fn is_taken() -> bool {
    KEPT.lock().unwrap_or_else(PoisonError::into_inner).is_some()
}

/// Keeps messages from now on, or no more. What was kept so far.
#[cfg_attr(not(feature = "tui"), expect(dead_code, reason = "only the full-screen view takes the terminal"))]
pub fn keep_messages(on: bool) -> Vec<String> {
    let mut kept = KEPT.lock().unwrap_or_else(PoisonError::into_inner);
    std::mem::replace(&mut *kept, on.then(Vec::new)).unwrap_or_default()
}

/// Whether a person sees stderr.
pub fn stderr_is_terminal() -> bool {
    io::stderr().is_terminal()
}

/// How tables on stdout are to look.
pub fn look(global: &Global) -> Look {
    let terminal = io::stdout().is_terminal();
    let no_colour = std::env::var_os("NO_COLOR").is_some_and(|v| !v.is_empty());
    let dumb = std::env::var_os("TERM").is_some_and(|t| t == "dumb");
    let colour = match global.color {
        When::Always => true,
        When::Never => false,
        When::Auto => terminal && !no_colour && !dumb,
    };
    Look { colour, width: terminal.then(|| columns(io::stdout())).flatten() }
}

/// How wide the terminal is.
pub fn columns(of: impl std::os::fd::AsFd) -> Option<usize> {
    let size = rustix::termios::tcgetwinsize(of).ok()?;
    (size.ws_col > 0).then_some(usize::from(size.ws_col))
}

/// Whether somebody can be asked.
pub fn can_ask() -> bool {
    io::stdin().is_terminal() && io::stderr().is_terminal()
}

/// Asks; only `y` and `yes` are yes.
///
/// # Errors
/// When the answer cannot be read.
pub fn ask(question: &str) -> io::Result<bool> {
    let mut err = io::stderr().lock();
    write!(err, "{} ", style::paint(question, Colour::Bold, false))?;
    err.flush()?;
    let mut answer = String::new();
    io::stdin().lock().read_line(&mut answer)?;
    Ok(matches!(answer.trim(), "y" | "Y" | "yes" | "Yes" | "YES"))
}
