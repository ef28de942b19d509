//! The topology file that `init` writes.
//!
//! Writing it is the command's.

/// A commented topology file: it explains every key, is accepted as it is, and is worth no warning.
pub const STARTER: &str = include_str!("starter.toml");
