//! The worst day: the real binary killed, or refused by the system, at every call it makes; disks full for real;
//! crowds, and locks by the thousand. One module per subject.
//!
//! What is tried is enumerated from a recorded run, so that it grows with the program. `DEPLOYLOCK_WORST=all`
//! tries every error at every call (some minutes a command) instead of one in turn; `DEPLOYLOCK_WORST_CASE`
//! names the commands by their beginning.

// Real processes need real time: bounds, and that a wait lasts as long as it says.
#![allow(clippy::disallowed_methods)]
// The harness is the e2e tests' own; not everything in it is used here.
#![allow(dead_code)]

/// The store that all scenes here use: a lock directory of their own.
mod backend {
    pub fn store(_scene: &std::path::Path) -> Option<String> {
        None
    }
}
#[path = "../e2e/harness.rs"]
mod harness;
#[path = "../e2e/tools.rs"]
mod tools;

mod cancelled;
mod cases;
mod clock;
mod full;
mod interleaved;
mod killed;
mod living;
mod many;
mod points;
mod refused;
mod refused_waiters;
mod waiters;
