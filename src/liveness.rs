//! From evidence to a verdict: alive, dead, unknown. Dead is proved, never guessed (DESIGN.md, invariant 4).
//!
//! Pure: the evidence is gathered by the store.

use crate::deployment::{Command, Deployment, State, Verdict};
use crate::model::Keep;
use crate::process::Presence;

/// What is known of the kernel under which a record's process runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kernel {
    /// This one: the boot ids are the same.
    Ours,
    /// One that runs no more: another boot id, on a file system that only one kernel can have mounted.
    Over,
    /// Another host's, or an earlier boot of this or another one: there is no telling.
    Another,
}

/// What could be seen of a deployment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Evidence {
    /// The advisory lock on its record is held by some process.
    pub locked: bool,
    /// Under which kernel it lives.
    pub kernel: Kernel,
    /// Process numbers mean the same to it as to us: same kernel, same pid namespace.
    pub same_numbers: bool,
    /// Its own process.
    pub process: Presence,
    /// Its command, or while that is being started any process started for it; gone where there is none.
    pub command: Presence,
    /// The process that `--owner-pid` named.
    pub owner: Presence,
    /// Its time to live has passed.
    pub expired: bool,
    /// The deployment inside whose command it was acquired has ended.
    pub parent_ended: bool,
    /// Where its own process and its command are gone: a process that keeps its record open.
    pub descendant: Option<u32>,
}

/// What follows from the evidence for this deployment in this state.
#[must_use]
pub fn judge(state: State, d: &Deployment, seen: &Evidence) -> Verdict {
    match state {
        State::Paused if seen.expired => expired(),
        State::Paused => Verdict::Unbound,
        State::Detached => detached(d, seen),
        State::Waiting | State::Attached if seen.locked => locked(state, d, seen),
        State::Waiting => unlocked_process(d, seen),
        State::Attached => match unlocked_process(d, seen) {
            // Who cancelled it wanted its locks to go.
            Verdict::Dead(why) if d.on_crash == Keep::Hold && !d.cancelled => {
                Verdict::Kept(format!("crashed: {why}"))
            }
            verdict => verdict,
        },
    }
}

fn expired() -> Verdict {
    Verdict::Dead("its time to live has passed".to_owned())
}

fn detached(d: &Deployment, seen: &Evidence) -> Verdict {
    if seen.expired {
        return expired();
    }
    // What is kept for a person waits for that person, whatever became of the deployment around it.
    if let Some(status) = d.failed {
        return Verdict::Kept(format!("failed with exit status {status}"));
    }
    // What is acquired or failed has no command: somebody was killed while taking this one over.
    if d.command != Command::None {
        return Verdict::Kept("crashed: deploylock was killed as it went on with it".to_owned());
    }
    if seen.parent_ended {
        return Verdict::Dead("the deployment it was acquired in has ended".to_owned());
    }
    let Some(owner) = &d.owner_process else {
        return Verdict::Unbound;
    };
    let pid = owner.pid;
    match (seen.kernel, seen.same_numbers, seen.owner) {
        (Kernel::Over, _, _) => {
            Verdict::Dead(format!("its owner, process {pid}, ended with an earlier boot"))
        }
        (Kernel::Ours, true, Presence::Gone) => Verdict::Dead(format!("its owner, process {pid}, is gone")),
        (Kernel::Ours, true, Presence::Exists) => Verdict::Alive(Some(format!("its owner is process {pid}"))),
        _ => Verdict::Unknown(format!(
            "its owner, process {pid} on {}, cannot be seen from here",
            d.place.host
        )),
    }
}

/// The kernel's word: some process keeps the record locked.
fn locked(state: State, d: &Deployment, seen: &Evidence) -> Verdict {
    let wrapper_gone = seen.same_numbers && seen.process == Presence::Gone;
    match &d.command {
        Command::Running(c) if state == State::Attached && wrapper_gone => match seen.command {
            Presence::Gone => Verdict::Lingering(match seen.descendant {
                Some(pid) => format!("its command ended; descendant {pid} still holds it"),
                None => "its command ended; a descendant still holds it".to_owned(),
            }),
            _ => Verdict::Alive(Some(format!(
                "deploylock itself was killed; its command, process {}, goes on",
                c.pid
            ))),
        },
        _ => Verdict::Alive(None),
    }
}

/// Nobody keeps the record locked. On its own kernel that proves the wrapper's death; the command may live.
fn unlocked_process(d: &Deployment, seen: &Evidence) -> Verdict {
    match seen.kernel {
        Kernel::Over => return Verdict::Dead("its machine was restarted".to_owned()),
        Kernel::Another => {
            return Verdict::Unknown(format!("it runs on {}, which cannot be seen from here", d.place.host));
        }
        Kernel::Ours => {}
    }
    if seen.expired {
        return expired();
    }
    let dead = || Verdict::Dead(format!("process {} is gone", d.process.pid));
    // In another pid namespace a number says nothing: only the advisory lock does.
    if !seen.same_numbers {
        return dead();
    }
    match (&d.command, seen.command) {
        (_, Presence::Gone) => dead(),
        (Command::Running(c), Presence::Exists) => Verdict::Alive(Some(format!(
            "deploylock itself was killed; its command, process {}, goes on",
            c.pid
        ))),
        (_, Presence::Exists) => {
            Verdict::Alive(Some("deploylock itself was killed; its command goes on".into()))
        }
        (_, Presence::Unknown) => {
            Verdict::Unknown("deploylock itself was killed; whether its command lives cannot be seen".into())
        }
    }
}

#[cfg(test)]
mod tests;
