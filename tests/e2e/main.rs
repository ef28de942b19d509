//! The real binary, real processes, real signals, real shells. One module per subject.

mod harness;
mod steps;
mod tools;

mod commands;
mod crash;
mod crowd;
mod guard;
mod nested;
mod queues;
mod signals;
mod table;
mod waiting;
