//! What each command does, prints and answers, as a script or an operator meets it.

mod check;
mod clear;
mod config;
mod history;
mod list;
mod messages;
mod names;
mod plan;
mod records;
mod usage;
mod wait;
