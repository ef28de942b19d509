//! What became of a deployment, in the words of the history.

use std::time::SystemTime;

use crate::deployment::{Id, State};
use crate::ops::events::{Last, What};

use super::message::Commands;
use super::style::{clean, since};

/// `released by ci@build-7, outcome failed`, and why; `None` where its last event was no end.
fn end(last: &Last) -> Option<(String, String)> {
    let by = last.by.as_deref().map(|by| format!(" by {}", clean(by))).unwrap_or_default();
    let why = last.why.as_deref().map(|why| format!(": {}", clean(why))).unwrap_or_default();
    let outcome = last.outcome.as_deref().map(|it| format!(", outcome {}", clean(it))).unwrap_or_default();
    Some(match last.what {
        What::Released => (format!("released{by}{outcome}"), why),
        What::Cleared if last.stale => (format!("cleared as stale{by}"), why),
        // Its only reason is that somebody did it.
        What::Cleared => (format!("cleared{by}"), String::new()),
        What::Reclaimed => (format!("found dead{by}, and its locks went to the next"), why),
        What::Cancelled if last.outcome.is_some() => (format!("cancelled{by}"), String::new()),
        What::Superseded => (format!("superseded{by}"), String::new()),
        _ => return None,
    })
}

/// When something last happened: `2026-11-21T20:43:02Z, 3m 12s ago`.
fn when(last: &Last, now: SystemTime) -> String {
    let ago = humantime::parse_rfc3339(&last.time).map(|then| format!(", {} ago", since(then, now)));
    format!("at {}{}", clean(&last.time), ago.unwrap_or_default())
}

/// There is nothing of this id: what is known of it, and where to look.
#[must_use]
pub fn gone(id: &str, last: Option<&Last>, store: &str, commands: &Commands, now: SystemTime) -> String {
    let (what, shown) = (clean(id), commands.line(&["list"]));
    let Some(last) = last else {
        return format!(
            "there is no deployment {what} in {}, and its history knows none; look at the id and the lock directory\n  \
             what there is  {shown}\n",
            clean(store)
        );
    };
    let known = match end(last) {
        Some((end, why)) => format!("it was {end}, {}{why}", when(last, now)),
        None => format!("the last that is known of it is \"{}\", {}", last.what.as_str(), when(last, now)),
    };
    format!(
        "there is no deployment {what}: {known}\n  what happened  {}\n  what there is  {shown}\n",
        commands.line(&["history", id])
    )
}

/// It is there but holds nothing.
#[must_use]
pub fn holds_nothing(id: &Id, state: State, commands: &Commands) -> String {
    let (how, command) = match state {
        State::Paused => ("try it again ", commands.line(&["acquire", "--resume", id.as_str()])),
        _ => ("wait for it  ", commands.line(&["wait", id.as_str()])),
    };
    format!("deployment {id} is {} and holds nothing\n  {how}  {command}\n", state.word())
}

/// It is dead, and the next who wants its locks takes them.
#[must_use]
pub fn stale(id: &Id, why: &str, commands: &Commands) -> String {
    format!(
        "deployment {id} is stale: {}; acquire its locks anew\n  show it   {}\n  clear it  {}\n",
        clean(why),
        commands.line(&["list", "--stale"]),
        commands.line(&["clear", "--stale"])
    )
}

/// `the locks of 7-abc were taken away (cleared by ann@host)`; what is not known may have been any of three.
#[must_use]
pub fn taken_away(id: &Id, last: Option<&Last>) -> String {
    let how = last.and_then(end).map(|(end, why)| end + &why);
    let how = how.unwrap_or_else(|| "cleared by force, released, or expired".to_owned());
    format!("the locks of {id} were taken away ({how})")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn last(what: What) -> Last {
        let time = "2026-11-21T20:43:02Z".to_owned();
        let why = Some("its owner, process 7, is gone".to_owned());
        Last { what, time, by: Some("ann@host".to_owned()), why, outcome: None, stale: true }
    }

    #[test]
    fn an_end_says_who_and_why() {
        let why = ": its owner, process 7, is gone";
        for (what, text, why) in [
            (What::Reclaimed, "found dead by ann@host, and its locks went to the next", why),
            (What::Cleared, "cleared as stale by ann@host", why),
            (What::Released, "released by ann@host", why),
            (What::Superseded, "superseded by ann@host", ""),
        ] {
            assert_eq!(end(&last(what)), Some((text.to_owned(), why.to_owned())));
        }
        assert_eq!(end(&last(What::Acquired)), None);
        assert_eq!(end(&last(What::Cancelled)), None, "it was only asked to end");
    }

    #[test]
    fn what_is_not_known_is_said_to_be_unknown() {
        let id: Id = "7-abcdef".parse().unwrap();
        assert!(taken_away(&id, None).ends_with("(cleared by force, released, or expired)"));
        let now = humantime::parse_rfc3339("2026-11-21T20:44:02Z").unwrap();
        let text = gone("7-abcdef", Some(&last(What::Acquired)), "", &Commands::default(), now);
        assert!(
            text.contains("the last that is known of it is \"acquired\", at 2026-11-21T20:43:02Z, 1m ago")
        );
    }
}
