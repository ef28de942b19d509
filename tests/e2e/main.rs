//! The real binary, real processes, real signals, real shells. One module per subject.

// Real processes need real time: bounds, and that a wait lasts as long as it says.
#![allow(clippy::disallowed_methods)]

/// The store that all scenes here use: a lock directory of their own.
mod backend {
    pub const FILES: bool = true;

    pub fn store(_scene: &std::path::Path) -> Option<String> {
        None
    }
}
mod harness;
mod steps;
mod tools;

mod commands;
mod complete;
mod counts;
mod crash;
mod crowd;
mod freeze;
mod guard;
mod hooks;
mod life;
mod nested;
mod queues;
mod signals;
mod table;
mod waiting;
#[cfg(feature = "tui")]
mod watch;
