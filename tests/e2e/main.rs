//! The real binary, real processes, real signals, real shells. One module per subject.

mod harness;
mod steps;

mod commands;
mod queues;
mod table;
