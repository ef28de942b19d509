//! How a wait is told: one living line on a terminal; without one a line at the start, one a minute, one at the end.

use std::cell::LazyCell;
use std::io::Write as _;
use std::time::{Duration, SystemTime};

use super::context::Global;
use super::terminal;
use crate::clock;
use crate::freeze::Stop;
use crate::ops::{Progress, Queueing};
use crate::output::{freeze, message, style};

/// How often the living line moves.
const LIVING: Duration = Duration::from_secs(1);
/// How often a log gets a line.
const LOGGED: Duration = Duration::from_secs(60);

/// Tells a person or a log how a wait goes.
pub struct Line {
    quiet: bool,
    /// A person is looking. Asked for when there is something to tell.
    living: LazyCell<bool>,
    last: Option<Duration>,
    told: bool,
}

impl Line {
    /// As the options and the terminal want it.
    pub fn new(global: &Global) -> Self {
        let living =
            || terminal::stderr_is_terminal() && std::env::var_os("TERM").is_none_or(|t| t != "dumb");
        Line { quiet: global.quiet, living: LazyCell::new(living), last: None, told: false }
    }

    /// The wait is over, and the locks are held.
    pub fn granted(&mut self, waited: Duration) {
        self.clear();
        if self.told {
            terminal::complain(&format!("acquired after {}", style::age(waited)));
        }
    }

    /// Takes the living line away.
    pub fn clear(&mut self) {
        if self.told && *self.living {
            let _ = write!(std::io::stderr().lock(), "\r\u{1b}[2K");
        }
    }
}

impl Line {
    fn tell(&mut self, text: impl FnOnce(SystemTime) -> String) {
        if self.quiet {
            return;
        }
        let now = clock::now();
        let text = format!("deploylock: {}", text(now.wall));
        if *self.living {
            let width = terminal::columns(std::io::stderr()).unwrap_or(80);
            let text = style::fit(&text, width.saturating_sub(1));
            let _ = std::io::stderr().write_all(format!("\r\u{1b}[2K{text}").as_bytes());
            self.told = true;
            return;
        }
        // A log wants news at the start and once a minute, not each step of the queue.
        if self.last.is_none_or(|last| now.boot >= last + LOGGED) {
            terminal::log(text);
            self.last = Some(now.boot);
            self.told = true;
        }
    }
}

impl Progress for Line {
    fn waiting(&mut self, queueing: &Queueing) {
        self.tell(|now| message::waiting(queueing, now));
    }

    fn frozen(&mut self, stop: &Stop, waited: Duration) {
        self.tell(|now| freeze::waiting(stop, waited, now));
    }

    fn every(&self) -> Option<Duration> {
        (!self.quiet).then(|| if *self.living { LIVING } else { LOGGED })
    }

    fn wanted(&self) -> bool {
        !self.quiet
    }
}
