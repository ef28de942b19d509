//! What is told of freeze windows in a build without the cargo feature `calendar`: nothing, as there are none.

use std::convert::Infallible;
use std::time::{Duration, SystemTime};

use serde::Serialize;

use super::message::Commands;
use crate::freeze::{Gate, Stop};

/// One line of a wait.
#[must_use]
pub fn waiting(stop: &Stop, _: Duration, _: SystemTime) -> String {
    match stop.never {}
}

/// The whole message of a deployment that was stopped.
#[must_use]
pub fn stopped(stop: &Stop, _: &Commands, _: SystemTime) -> String {
    match stop.never {}
}

/// What `plan` says of the windows.
#[must_use]
pub fn plan(gate: &Gate, _: SystemTime) -> Option<String> {
    match *gate {}
}

/// A window that is open, or the next one.
#[derive(Serialize)]
pub struct AsJson {
    /// It is open now.
    pub open: bool,
    /// What cannot be.
    #[serde(skip)]
    pub never: Infallible,
}

/// What the windows mean now.
#[must_use]
pub fn as_json(gate: &Gate, _: SystemTime) -> Option<AsJson> {
    match *gate {}
}
