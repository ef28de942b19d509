//! deploylock: the deployment lock for scripts, operators and cron.
//!
//! The layers, each using only what stands above it: [`model`] and [`deployment`] (plain data), [`freeze`] (when
//! nobody may start), [`topology`] (the TOML file), [`policy`] (which locks a deployment takes), [`engine`] (who may
//! hold, who is next), [`liveness`] (who is dead), [`store`] (one decision atomically), [`ops`] (acquire, release,
//! wait, clear), `output` and `cli`.
//! `docs/design.md` says why.

pub mod cli;
pub mod clock;
pub mod command;
pub mod deployment;
pub mod engine;
pub mod fingerprint;
#[cfg(feature = "calendar")]
pub mod freeze;
#[cfg(not(feature = "calendar"))]
#[path = "freeze/absent.rs"]
pub mod freeze;
pub mod hook;
pub mod liveness;
pub mod model;
pub mod ops;
pub mod output;
pub mod policy;
pub mod poll;
pub mod process;
pub mod signals;
pub mod spawn;
pub mod store;
pub mod tied;
pub mod topology;
