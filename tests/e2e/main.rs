//! The real binary, real processes, real signals, real shells. One module per subject.

// Real processes need real time: bounds, and that a wait lasts as long as it says.
#![allow(clippy::disallowed_methods)]

/// The store that all scenes here use: a lock directory of their own.
mod backend {
    pub fn store(_scene: &std::path::Path) -> Option<String> {
        None
    }
}
mod harness;
mod steps;
mod tools;

mod asleep;
mod commands;
mod complete;
mod counts;
mod crash;
mod crowd;
mod docs;
#[cfg(feature = "calendar")]
mod freeze;
mod guard;
mod hooks;
mod hostile;
mod life;
mod namespaces;
mod nested;
mod package;
mod queues;
mod shell_init;
mod signals;
mod table;
mod users;
mod waiting;
#[cfg(feature = "tui")]
mod watch;
