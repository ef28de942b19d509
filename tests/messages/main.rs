//! Every message a user can get, provoked with the real binary and held against a committed snapshot: exit code,
//! stdout, stderr. One module per occasion.
//!
//! A message that was changed on purpose: `INSTA_UPDATE=always cargo test --test messages`, then read the diff.

// Real processes need real time: bounds.
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
#[path = "../e2e/steps.rs"]
mod steps;
#[path = "../e2e/tools.rs"]
mod tools;

mod redact;
mod told;

mod conflicts;
mod freeze;
mod gone;
mod operator;
mod pure;
mod resume;
mod runs;
mod setup;
mod unreadable;
mod usage;
