//! What people and programs read: sanitised text, tables, JSON, the messages of a conflict.
//!
//! Strings in, strings out: nothing here reads a clock or a store.

pub mod fate;
#[cfg(feature = "calendar")]
pub mod freeze;
#[cfg(not(feature = "calendar"))]
#[path = "no_freeze.rs"]
pub mod freeze;
pub mod json;
pub mod message;
pub mod style;
pub mod table;
