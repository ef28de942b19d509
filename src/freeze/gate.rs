//! What the windows of an environment mean to one deployment: stopped, let through by its override, or none of both.

use std::path::{Path, PathBuf};
use std::time::SystemTime;

use jiff::{SignedDuration, Timestamp, Zoned};

use super::{Span, Window, moment};

/// How far windows that follow each other without a gap are followed to find the end of a freeze. Beyond that it is
/// a cron expression that, in practice, never lets anybody in.
const HORIZON: SignedDuration = SignedDuration::from_hours(2 * 366 * 24);
/// How many of them: two months of a firing each minute are fewer.
const FOLLOWED: usize = 100_000;

/// The windows of an environment, and who stands before them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Gate {
    /// The environment.
    pub environment: String,
    /// The topology file that has the windows.
    pub file: PathBuf,
    /// They.
    pub windows: Vec<Window>,
    /// Who asks.
    pub owner: String,
    /// `--override-freeze`
    pub overriding: Option<String>,
}

/// One time of a window, as people are told of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    /// Its line in the topology file.
    pub line: usize,
    /// Why.
    pub reason: String,
    /// Who may pass it with an override; empty: anybody.
    pub may_pass: Vec<String>,
    /// When it opened or will, in the window's zone.
    pub from: Zoned,
    /// When it closes, in the window's zone.
    pub until: Zoned,
}

/// A deployment must not start now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stop {
    /// The environment.
    pub environment: String,
    /// The topology file that has the windows.
    pub file: PathBuf,
    /// The open windows that it may not pass; the one that ends last first. Never empty.
    pub open: Vec<Seen>,
    /// When none of them is open any more, those that open before the last has closed included; `None`: no end in
    /// sight.
    pub end: Option<SystemTime>,
    /// Who asked.
    pub owner: String,
    /// Whether an override would let the one who asked pass.
    pub may_override: bool,
}

impl Stop {
    /// The window that ends last.
    #[must_use]
    pub fn first(&self) -> &Seen {
        &self.open[0]
    }
}

impl Gate {
    /// Of an environment with these windows, before this owner; `None` where it has none.
    #[must_use]
    pub fn new(
        environment: &str,
        file: &Path,
        windows: &[Window],
        owner: impl FnOnce() -> String,
    ) -> Option<Gate> {
        (!windows.is_empty()).then(|| Gate {
            environment: environment.to_owned(),
            file: file.to_owned(),
            windows: windows.to_vec(),
            owner: owner(),
            overriding: None,
        })
    }

    /// With the override that the owner gives a reason for.
    #[must_use]
    pub fn overridden(self, overriding: Option<&str>) -> Gate {
        Gate { overriding: overriding.map(str::to_owned), ..self }
    }

    /// Whether the deployment must not start at this moment.
    #[must_use]
    pub fn is_shut(&self, now: SystemTime) -> bool {
        let now = moment(now);
        self.against().any(|window| window.open_at(now).is_some())
    }

    /// [`Gate::is_shut`], and what there is to tell of it; its end may take a while to find.
    #[must_use]
    pub fn stop(&self, now: SystemTime) -> Option<Stop> {
        let now = moment(now);
        let mut open = open(self.against(), now);
        if open.is_empty() {
            return None;
        }
        open.sort_by_key(|(_, span)| std::cmp::Reverse(span.until));
        Some(Stop {
            environment: self.environment.clone(),
            file: self.file.clone(),
            end: self.end(now).map(SystemTime::from),
            may_override: open.iter().all(|(window, _)| window.may_be_passed_by(&self.owner)),
            open: open.into_iter().map(|(window, span)| seen(window, span)).collect(),
            owner: self.owner.clone(),
        })
    }

    /// The next time after this moment at which it must not start: of one that may start now, the moment from which
    /// it may not.
    #[must_use]
    pub fn next(&self, now: SystemTime) -> Option<Seen> {
        let now = moment(now);
        let coming = self.against().filter_map(|window| Some((window, window.next_after(now)?)));
        coming.min_by_key(|(_, span)| span.from).map(|(window, span)| seen(window, span))
    }

    /// When [`Gate::next`] begins.
    #[must_use]
    pub fn opening(&self, now: SystemTime) -> Option<SystemTime> {
        Some(self.next(now)?.from.timestamp().into())
    }

    /// What the override lets it pass at this moment, for the history.
    #[must_use]
    pub fn passed(&self, now: SystemTime) -> Option<String> {
        let why = self.overriding.as_ref()?;
        let passed = open(self.windows.iter().filter(|window| self.passes(window)), moment(now));
        let reasons: Vec<&str> = passed.iter().map(|(window, _)| window.reason.as_str()).collect();
        (!reasons.is_empty()).then(|| format!("{why} (in spite of the freeze: {})", reasons.join("; ")))
    }

    fn passes(&self, window: &Window) -> bool {
        self.overriding.is_some() && window.may_be_passed_by(&self.owner)
    }

    /// The windows that count for it.
    fn against(&self) -> impl Iterator<Item = &Window> {
        self.windows.iter().filter(|window| !self.passes(window))
    }

    fn end(&self, now: Timestamp) -> Option<Timestamp> {
        let mut at = now;
        for _ in 0..FOLLOWED {
            match open(self.against(), at).into_iter().map(|(_, span)| span.until).max() {
                None => return Some(at),
                Some(_) if at.duration_since(now) > HORIZON => return None,
                Some(until) => at = until,
            }
        }
        None
    }
}

fn open<'a>(windows: impl Iterator<Item = &'a Window>, now: Timestamp) -> Vec<(&'a Window, Span)> {
    windows.filter_map(|window| Some((window, window.open_at(now)?))).collect()
}

fn seen(window: &Window, span: Span) -> Seen {
    Seen {
        line: window.line,
        reason: window.reason.clone(),
        may_pass: window.may_pass.clone(),
        from: span.from.to_zoned(window.zone.clone()),
        until: span.until.to_zoned(window.zone.clone()),
    }
}
