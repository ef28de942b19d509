//! The real binary, real processes, real signals, real shells. One module per subject.

mod harness;
