//! Somebody who waits to run a command: what its start will need is started meanwhile.

use std::ffi::OsString;
use std::time::Duration;

use super::progress::Line;
use crate::freeze::Stop;
use crate::ops::{Progress, Queueing};
use crate::spawn;
use crate::tied::Standby;

/// Tells how the wait goes, as its line does.
pub struct Prepared<'a> {
    pub line: &'a mut Line,
    pub command: &'a [OsString],
    /// There once the wait has lasted, and only where it is of use.
    pub standby: Option<Standby>,
}

impl Progress for Prepared<'_> {
    fn waiting(&mut self, queueing: &Queueing) {
        self.line.waiting(queueing);
    }

    fn frozen(&mut self, stop: &Stop, waited: Duration) {
        self.line.frozen(stop, waited);
    }

    fn every(&self) -> Option<Duration> {
        self.line.every()
    }

    fn wanted(&self) -> bool {
        self.line.wanted()
    }

    fn goes_to_sleep(&mut self) {
        spawn::prepare();
    }

    fn settled(&mut self) {
        if self.standby.is_none() {
            // Where that fails the start takes a moment longer.
            self.standby = Standby::start(self.command).ok();
        }
    }
}
