//! Any store keeps these promises: one suite, run against the files store and the one in memory; and what only
//! the files store has: faults at every step, and files that are not what they should be.

mod clocks;
#[cfg(feature = "etcd")]
#[path = "../cluster/mod.rs"]
#[allow(clippy::disallowed_methods)] // servers take the time they take
mod cluster;
mod conformance;
mod damage;
mod faults;
mod granted;
mod history;
mod instants;
#[cfg(feature = "etcd")]
mod interleaved;
mod left_lines;
mod life;
mod long_queues;
mod power;
mod remembered;
mod support;
mod traps;
