//! The real binary, real processes, real signals, real shells. One module per subject.

// Real processes need real time: bounds, and that a wait lasts as long as it says.
#![allow(clippy::disallowed_methods)]

mod harness;
mod steps;
mod tools;

mod commands;
mod crash;
mod crowd;
mod docs;
mod freeze;
mod guard;
mod hooks;
mod life;
mod nested;
mod package;
mod queues;
mod shell_init;
mod signals;
mod table;
mod waiting;
