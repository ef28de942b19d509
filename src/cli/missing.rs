//! Deployments that are not there, or no longer: what the history knows of them, for the messages.

use super::context::Context;
use super::failure::{Failure, code};
use crate::clock;
use crate::deployment::{Id, Verdict};
use crate::ops::events::{self, Last};
use crate::ops::survey::judged;
use crate::output::fate;
use crate::store::Store;

/// What the history knows. One that cannot be read knows nothing: that is no reason not to answer.
pub fn last(store: &dyn Store, id: &str) -> Option<Last> {
    events::last(store, id).ok().flatten()
}

/// What became of `id`.
pub fn gone(context: &Context, store: &dyn Store, id: &str) -> String {
    let commands = context.commands(Vec::new());
    fate::gone(id, last(store, id).as_ref(), &store.describe(), &commands, clock::now().wall)
}

/// Why there is nothing to go on with, as a failure.
pub fn not_there(context: &Context, store: &dyn Store, id: &Id) -> Failure {
    Failure::text(code::NOT_THERE, gone(context, store, id.as_str()))
}

/// Why `id` holds nothing: it waits, is paused, or is gone.
pub fn holds_nothing(context: &Context, store: &dyn Store, id: &Id) -> String {
    let commands = context.commands(Vec::new());
    match judged(store, id).ok().flatten() {
        Some((stored, _)) if !stored.state().holds() => fate::holds_nothing(id, stored.state(), &commands),
        Some((_, Verdict::Dead(why))) => fate::stale(id, &why, &commands),
        _ => gone(context, store, id.as_str()),
    }
}

/// That the locks of `id` were taken away, by whom and why.
pub fn taken_away(store: &dyn Store, id: &Id) -> String {
    fate::taken_away(id, last(store, id.as_str()).as_ref())
}
