//! What a person is told: who is in the way, why, since when, and the commands that help.

use std::time::SystemTime;

use crate::deployment::{Deployment, Id, Stored, Verdict};
use crate::engine::{Block, Cause, Refusal};
use crate::ops::acquire::Conflict;
use crate::ops::{InTheWay, Queueing};

use super::style::{age, clean, shell, since};

/// The commands a message may suggest, as the user has to type them.
#[derive(Debug, Clone, Default)]
pub struct Commands {
    /// `deploylock` and the options that were not the default.
    pub program: Vec<String>,
    /// The options that name the target.
    pub target: Vec<String>,
    /// The command that was typed and its arguments, with an override of a freeze; empty where it takes none.
    pub overriding: Vec<String>,
}

impl Commands {
    fn with(&self, words: &[&str]) -> String {
        let all = self.program.iter().map(String::as_str).chain(words.iter().copied());
        all.map(shell).collect::<Vec<_>>().join(" ")
    }

    /// A command with these arguments.
    #[must_use]
    pub fn line(&self, words: &[&str]) -> String {
        self.with(words)
    }

    /// A command that takes the target's options.
    #[must_use]
    pub fn on_target(&self, command: &str) -> String {
        let target: Vec<&str> = self.target.iter().map(String::as_str).collect();
        self.with(&[&[command][..], &target].concat())
    }
}

/// `ci@build-7 (1042-k7f3qa), shop 2.1 to prod, for 3m 12s: "reason"`.
#[must_use]
pub fn holder(who: &InTheWay, now: SystemTime) -> String {
    let Some(d) = &who.record else {
        return format!("{}, whose record cannot be read", who.id);
    };
    let mut text = format!("{} ({})", clean(&d.owner), d.id);
    if d.environment.is_some() {
        text.push_str(&format!(", {}", clean(&d.title())));
    }
    if let Some(status) = d.failed {
        text.push_str(&format!(", which failed with exit status {status} and is kept for a person"));
    }
    text.push_str(&format!(", for {}", since(d.since, now)));
    if let Some(reason) = &d.reason {
        text.push_str(&format!(": \"{}\"", clean(reason)));
    }
    text
}

/// `environment:prod is held by …`, from the first lock at which it is blocked.
#[must_use]
pub fn blocked(blocks: &[Block], first: Option<&InTheWay>, now: SystemTime) -> String {
    let Some(block) = blocks.first() else {
        return "the locks are held".to_owned();
    };
    let lock = clean(&block.lock.to_string());
    let who = first.map(|w| holder(w, now)).unwrap_or_default();
    match (block.cause, first.is_some_and(|w| w.holds)) {
        (Cause::Full(limit), _) => format!("{lock} is full, {limit} of {limit} taken, one by {who}"),
        (Cause::Conflict, true) => format!("{lock} is held by {who}"),
        (Cause::Conflict, false) => format!("{lock} is waited for, ahead of you, by {who}"),
    }
}

/// The whole message of a conflict: the first line says it all, the others help.
#[must_use]
pub fn conflict(conflict: &Conflict, commands: &Commands, now: SystemTime) -> String {
    let first = conflict.blocks.first().and_then(|b| b.by.first());
    let first = first.and_then(|b| conflict.in_the_way.iter().find(|w| w.id == b.id));
    let what = blocked(&conflict.blocks, first, now);
    let by_hand = if conflict.manual.is_some() { "; what a person holds is not waited for" } else { "" };
    let what = what + by_hand;
    let mut text = if conflict.waited.as_millis() >= 100 {
        format!("not acquired after waiting {}: {what}\n", age(conflict.waited))
    } else {
        format!("not acquired: {what}\n")
    };
    for block in conflict.blocks.iter().skip(1) {
        let by = block.by.first().and_then(|b| conflict.in_the_way.iter().find(|w| w.id == b.id));
        text.push_str(&format!("  also {}\n", blocked(std::slice::from_ref(block), by, now)));
    }
    if let Some(url) = first.and_then(|w| w.record.as_ref()).and_then(|d| d.url.as_ref()) {
        text.push_str(&format!("  see           {}\n", clean(url)));
    }
    if let Some(block) = conflict.blocks.first() {
        let lock = block.lock.to_string();
        text.push_str(&format!("  show it       {}\n", commands.line(&["list", "--lock", &lock])));
    }
    if let Some(id) = &conflict.paused {
        text.push_str(&format!(
            "  paused as     {id}\n  try it again  {}\n",
            commands.line(&["acquire", "--resume", id.as_str()])
        ));
    }
    text.push_str(&format!("  wait for it   {}\n", commands.on_target("wait")));
    if let Some(who) = first {
        text.push_str(&format!("  clear it      {}\n", commands.line(&["clear", who.id.as_str()])));
    }
    text
}

/// Why a wait would never have ended.
#[must_use]
pub fn refusal(refusal: &Refusal, own: Option<&Id>) -> String {
    match refusal {
        Refusal::Upgrade { lock, ancestor } => format!(
            "{} is held shared by your own parent deployment {ancestor}, and asked for exclusively inside it: \
             that would wait for itself for ever. Let the parent take it exclusively, or ask for it shared\n",
            clean(&lock.to_string())
        ),
        Refusal::Cycle(chain) => {
            let names: Vec<String> = chain.iter().map(ToString::to_string).collect();
            let own = own.map_or("this one".to_owned(), |id| format!("this one, inside {id}"));
            format!(
                "a circle of deployments that wait for each other: {own} -> {}. Waiting would never end; \
                 end one of them, or take all locks at once in the outermost\n",
                names.join(" -> ")
            )
        }
    }
}

/// One line of a wait: how long, which place, for which lock, who holds it and why.
#[must_use]
pub fn waiting(queueing: &Queueing, now: SystemTime) -> String {
    let what = blocked(&queueing.blocks, queueing.first.as_ref(), now);
    let place = match queueing.id {
        Some(_) => format!(", place {} in the queue", queueing.place),
        None => String::new(),
    };
    format!("waiting {}{place}: {what}", age(queueing.waited))
}

/// What clearing this would break.
#[must_use]
pub fn breakage(stored: &Stored, verdict: &Verdict, now: SystemTime) -> String {
    let life = match verdict {
        Verdict::Alive(None) => "ALIVE".to_owned(),
        Verdict::Alive(Some(how)) => format!("ALIVE: {how}"),
        Verdict::Dead(why) => format!("stale: {why}"),
        Verdict::Unbound => "bound to no process".to_owned(),
        Verdict::Kept(why) => format!("kept for a person: {why}"),
        Verdict::Lingering(why) => why.clone(),
        Verdict::Unknown(why) => format!("not known to be dead: {why}"),
    };
    match stored {
        Stored::Readable(state, d) => {
            format!("{} {}: {}", d.id, state.word(), describe(d, &life, now))
        }
        Stored::Unreadable(u) => format!("{} unreadable: {}: {} ({life})", u.id, u.path, clean(&u.why)),
    }
}

fn describe(d: &Deployment, life: &str, now: SystemTime) -> String {
    let locks: Vec<String> = d.locks.iter().map(|r| clean(&r.lock.to_string())).collect();
    let reason = d.reason.as_ref().map_or(String::new(), |r| format!(", \"{}\"", clean(r)));
    format!("{} by {} for {}{reason} ({life})", locks.join(" "), clean(&d.owner), since(d.since, now))
}
