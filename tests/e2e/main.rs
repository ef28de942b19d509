//! The real binary, real processes, real signals, real shells. One module per subject.

mod harness;
mod tools;

mod crash;
mod crowd;
mod guard;
mod nested;
mod signals;
mod waiting;
