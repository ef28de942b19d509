//! Why the locks were not acquired, told to a person, and the exit code of it.

use super::context::inherited_id;
use super::failure::code;
use super::terminal::complain;
use crate::clock;
use crate::ops::acquire::Outcome;
use crate::output::freeze;
use crate::output::message::{self, Commands};
use crate::output::style::clean;
use crate::signals::Signals;

/// Says it. The exit code; `conflict` is the one that the user may choose.
pub fn not_acquired(outcome: Outcome, commands: &Commands, conflict: u8, signals: &Signals) -> u8 {
    let by = |by: Option<String>| by.map_or(String::new(), |by| format!(" by {}", clean(&by)));
    match outcome {
        Outcome::Conflict(found) => {
            complain(&message::conflict(&found, commands, clock::now().wall));
            conflict
        }
        Outcome::Frozen(stop) => {
            complain(&freeze::stopped(&stop, commands, clock::now().wall));
            conflict
        }
        Outcome::Refused(refusal) => {
            complain(&message::refusal(&refusal, inherited_id().as_ref()));
            code::FAILED
        }
        Outcome::Cancelled(id, who) => {
            complain(&format!(
                "{id} was cancelled{} while it waited; nothing is held and nothing was run. To try again, start it again",
                by(who)
            ));
            conflict
        }
        Outcome::Superseded(id, who) => {
            complain(&format!(
                "{id} was superseded{} while it waited: a newer deployment of the application has taken its \
                 place; nothing is held",
                by(who)
            ));
            code::SUPERSEDED
        }
        Outcome::NotPaused(id) => {
            complain(&format!(
                "there is no paused deployment {id}: it was resumed, released or cleared meanwhile\n  what happened  {}",
                commands.line(&["history", id.as_str()])
            ));
            code::NOT_THERE
        }
        Outcome::Interrupted(signal) => {
            if signals.last.is_some_and(|c| c.from_terminal) {
                let _ = signal_hook::low_level::emulate_default_handler(signal);
            }
            code::SIGNAL.saturating_add(u8::try_from(signal).unwrap_or(0))
        }
        Outcome::Granted(_) => code::DONE,
    }
}
