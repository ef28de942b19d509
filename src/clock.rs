//! The only place that reads a clock. Everything else is told what time it is.

use std::time::{Duration, SystemTime};

/// One moment, by both clocks that matter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Now {
    /// The wall clock: for people, and across boots.
    pub wall: SystemTime,
    /// The time since boot, suspended time included: for times to live within one boot.
    pub boot: Duration,
}

/// What time it is.
#[must_use]
#[allow(clippy::disallowed_methods)] // this is the place the lint points everybody to
pub fn now() -> Now {
    Now { wall: SystemTime::now(), boot: since_boot() }
}

/// Time since boot, suspended time included.
#[cfg(target_os = "linux")]
#[must_use]
pub fn since_boot() -> Duration {
    let t = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
    Duration::new(t.tv_sec.unsigned_abs(), t.tv_nsec.unsigned_abs() as u32)
}

/// Time since some moment in the past that does not jump.
#[cfg(not(target_os = "linux"))]
#[must_use]
pub fn since_boot() -> Duration {
    let t = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
    Duration::new(t.tv_sec.unsigned_abs(), t.tv_nsec.unsigned_abs() as u32)
}
