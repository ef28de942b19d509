//! The locks of one deployment, each once: what happens when two rules ask for the same one.
//!
//! Which locks are asked for is the rules'.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::num::NonZeroU32;

use super::{Because, PlannedLock};
use crate::model::{LockName, LockRequest, Mode};
use crate::topology::Concurrency;

/// How a rule wants a lock, and why.
#[derive(Debug, Clone)]
pub(super) struct Wish {
    mode: Mode,
    /// Only with [`Mode::Shared`].
    limit: Option<NonZeroU32>,
    because: Because,
}

impl Wish {
    pub(super) fn exclusive(rule: u8, text: impl Into<Cow<'static, str>>, line: Option<usize>) -> Self {
        Wish { mode: Mode::Exclusive, limit: None, because: Because { rule, text: text.into(), line } }
    }

    pub(super) fn shared(
        rule: u8,
        limit: Option<NonZeroU32>,
        text: impl Into<Cow<'static, str>>,
        line: Option<usize>,
    ) -> Self {
        Wish { mode: Mode::Shared, limit, because: Because { rule, text: text.into(), line } }
    }

    /// As the two policy keys say; `declared` is the line of what declares the thing.
    pub(super) fn declared(rule: u8, concurrency: &Concurrency, declared: usize) -> Self {
        let Concurrency { allow, limit } = concurrency;
        match (allow.value, limit.value, allow.line) {
            (false, _, line) => Wish::exclusive(rule, "allow_concurrent_deployments = false", line),
            (true, Some(most), _) => Wish::shared(rule, Some(most), limit_text(most), limit.line),
            (true, None, Some(line)) => {
                Wish::shared(rule, None, "allow_concurrent_deployments = true", Some(line))
            }
            (true, None, None) => {
                Wish::shared(rule, None, "allows concurrent deployments (default)", Some(declared))
            }
        }
    }

    /// Exclusive by an option, unless it is exclusive already.
    pub(super) fn or_exclusive(self, option: &'static str) -> Self {
        match self.mode {
            Mode::Exclusive => self,
            Mode::Shared => Wish::exclusive(self.because.rule, option, None),
        }
    }

    /// The same lock and mode, because it comes along with another; its own setting is told where it narrows.
    pub(super) fn along(mut self, text: &str, line: Option<usize>) -> Self {
        let narrows = self.mode == Mode::Exclusive || self.limit.is_some();
        let text = if narrows { format!("{text}, {}", self.because.text) } else { text.to_owned() };
        self.because.text = text.into();
        self.because.line = line;
        self
    }

    /// The stricter mode wins, of limits the smallest, and with it its reason; the first of equals.
    fn narrow(&mut self, other: Wish) {
        let limit = |wish: &Wish| wish.limit.map_or(u32::MAX, NonZeroU32::get);
        let narrower = match (self.mode, other.mode) {
            (Mode::Exclusive, _) => false,
            (Mode::Shared, Mode::Exclusive) => true,
            (Mode::Shared, Mode::Shared) => limit(&other) < limit(self),
        };
        if narrower {
            *self = other;
        }
    }
}

/// A limit as the file spells it.
pub(super) fn limit_text(limit: NonZeroU32) -> String {
    format!("limit_number_of_concurrent_deployments = {limit}")
}

/// The locks asked for so far, in the order in which they were first asked for.
#[derive(Debug, Default)]
pub(super) struct LockSet {
    locks: Vec<(LockName, Wish)>,
    places: BTreeMap<LockName, usize>,
}

impl LockSet {
    pub(super) fn add(&mut self, lock: LockName, wish: Wish) {
        if let Some(&place) = self.places.get(&lock) {
            self.locks[place].1.narrow(wish);
        } else {
            self.places.insert(lock.clone(), self.locks.len());
            self.locks.push((lock, wish));
        }
    }

    pub(super) fn into_locks(self) -> Vec<PlannedLock> {
        let planned = |(lock, wish): (LockName, Wish)| PlannedLock {
            request: LockRequest { lock, mode: wish.mode, limit: wish.limit },
            because: wish.because,
        };
        self.locks.into_iter().map(planned).collect()
    }
}
