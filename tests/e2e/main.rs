//! The real binary, real processes, real signals, real shells. One module per subject.

// Real processes need real time: bounds, and that a wait lasts as long as it says.
#![allow(clippy::disallowed_methods)]

mod harness;
mod steps;
mod tools;

mod commands;
mod complete;
mod crash;
mod crowd;
mod freeze;
mod guard;
mod hooks;
mod nested;
mod queues;
mod signals;
mod table;
mod waiting;
#[cfg(feature = "tui")]
mod watch;
