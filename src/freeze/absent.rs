//! Freeze windows in a build without the cargo feature `calendar`: there are none, and a topology that has some is
//! refused when it is read.
//!
//! The names that other layers use of `mod.rs`. None of these types has a value.

use std::convert::Infallible;
use std::path::Path;
use std::time::SystemTime;

/// A window.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Window {}

/// The windows of an environment, and who stands before them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Gate {}

/// A deployment must not start now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stop {
    /// When it may.
    pub end: Option<SystemTime>,
    /// What cannot be.
    pub never: Infallible,
}

impl Gate {
    /// Without windows there is none.
    #[must_use]
    pub fn new(_: &str, _: &Path, _: &[Window], _: impl FnOnce() -> String) -> Option<Gate> {
        None
    }

    /// With an override.
    #[must_use]
    pub fn overridden(self, _: Option<&str>) -> Gate {
        self
    }

    /// Whether the deployment must not start at this moment.
    #[must_use]
    pub fn is_shut(&self, _: SystemTime) -> bool {
        match *self {}
    }

    /// Why, and until when.
    #[must_use]
    pub fn stop(&self, _: SystemTime) -> Option<Stop> {
        match *self {}
    }

    /// When the next window opens.
    #[must_use]
    pub fn opening(&self, _: SystemTime) -> Option<SystemTime> {
        match *self {}
    }

    /// What the override lets it pass.
    #[must_use]
    pub fn passed(&self, _: SystemTime) -> Option<String> {
        match *self {}
    }
}
