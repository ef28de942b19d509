//! Freeze windows: when no deployment to an environment may start, until when, and who may pass.
//!
//! Pure: the windows and a moment decide. No clock is read here, no file, no lock.

mod gate;
#[cfg(test)]
mod tests;

use std::time::SystemTime;

use croner::Cron;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp, Zoned};

pub use gate::{Gate, Seen, Stop};

/// A window, or a row of them, as the topology file says it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Window {
    /// The line of its header, counted from 1.
    pub line: usize,
    /// Why; never empty.
    pub reason: String,
    /// The owners who may pass with an override; empty: anybody.
    pub may_pass: Vec<String>,
    /// When it is open.
    pub when: When,
    /// The time zone it was written for: that of its cron expression, and the one people are told its times in.
    pub zone: TimeZone,
}

/// When a window is open.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum When {
    /// From one moment until just before another.
    Once {
        /// Open from here.
        from: Timestamp,
        /// No longer open here; later than `from`.
        until: Timestamp,
    },
    /// For some time from each firing of a cron expression.
    Firing {
        /// When it fires, by the clock on the wall of the window's zone.
        cron: Box<Cron>,
        /// For how long each firing opens it, in real time.
        lasts: SignedDuration,
    },
}

/// One time that a window is open: from a moment until just before another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    /// The first moment.
    pub from: Timestamp,
    /// The first moment after it.
    pub until: Timestamp,
}

impl Window {
    /// The time that it is open at this moment; of several that overlap the one that ends last.
    #[must_use]
    pub fn open_at(&self, now: Timestamp) -> Option<Span> {
        let span = match &self.when {
            When::Once { from, until } => Span { from: *from, until: *until },
            // All firings last equally long, so the latest ends last.
            When::Firing { cron, lasts } => {
                let fired = cron.find_previous_occurrence(&self.second(now), true).ok()?;
                self.span(&fired, *lasts)
            }
        };
        (span.from <= now && now < span.until).then_some(span)
    }

    /// The first time that opens after this moment.
    #[must_use]
    pub fn next_after(&self, now: Timestamp) -> Option<Span> {
        let span = match &self.when {
            When::Once { from, until } => Span { from: *from, until: *until },
            When::Firing { cron, lasts } => {
                let fires = cron.find_next_occurrence(&self.second(now), false).ok()?;
                self.span(&fires, *lasts)
            }
        };
        (span.from > now).then_some(span)
    }

    /// Whether this owner, `name` or `user@host`, may pass with an override. A plain user in the list means that
    /// user on any host.
    #[must_use]
    pub fn may_be_passed_by(&self, owner: &str) -> bool {
        let user = owner.rsplit_once('@').map(|(user, _)| user);
        self.may_pass.is_empty()
            || self.may_pass.iter().any(|name| name == owner || Some(name.as_str()) == user)
    }

    fn span(&self, from: &Zoned, lasts: SignedDuration) -> Span {
        let from = from.timestamp();
        Span { from, until: from.saturating_add(lasts).unwrap_or(Timestamp::MAX) }
    }

    /// The second in which this moment lies: cron knows nothing shorter.
    fn second(&self, now: Timestamp) -> Zoned {
        let whole = Timestamp::from_second(now.as_millisecond().div_euclid(1000)).unwrap_or(now);
        whole.to_zoned(self.zone.clone())
    }
}

/// A moment of the wall clock in the calendar; beyond its ends, the end.
pub(crate) fn moment(now: SystemTime) -> Timestamp {
    Timestamp::try_from(now).unwrap_or(if now < SystemTime::UNIX_EPOCH {
        Timestamp::MIN
    } else {
        Timestamp::MAX
    })
}
