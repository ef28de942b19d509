//! What can be seen of a record's life: its advisory lock, its processes, its boot, its time. What follows from it
//! is judged in `liveness`.

use std::time::Duration;

use super::boot_tag;
use super::folder::{Folder, Opened};
use super::names::Stem;
use super::txn::Files;
use crate::deployment::{Command, Deployment, Expiry, Process, State, Unreadable, Verdict};
use crate::engine::{Standing, View as _};
use crate::liveness::{self, Evidence, Kernel};
use crate::model::Keep;
use crate::process::{self, Presence};
use crate::store::Result;

/// How long a process takes, having closed its record, to have ended: whom that woke may have taken the processor from it, and
/// to be told of the end later is another decision. Who only noted its command, or closed what it inherited, does not end.
pub(super) const DYING: Duration = Duration::from_micros(100);

impl Files<'_> {
    /// The lock on a record, the name it has in this state being the one that counts.
    pub(super) fn record_locked(&mut self, state: State, stem: &Stem) -> Result<bool> {
        let name = Files::file_name(stem, state);
        if let Some(last) = self.last_opened(&stem.id, state, &name) {
            return if last.free { Ok(false) } else { is_locked(&last.opened) };
        }
        match self.top.open_file(Folder::Deployments(state), &name, false) {
            Ok(Some(opened)) => is_locked(&opened),
            Ok(None) => Ok(false),
            // What we may not open may well be locked.
            Err(_) => Ok(true),
        }
    }

    fn kernel(&self, boot: &str) -> Kernel {
        let same = boot == process::here().boot && !boot.is_empty();
        self.kernel_if(same)
    }

    fn kernel_if(&self, same: bool) -> Kernel {
        match (same, self.top.local) {
            (true, _) => Kernel::Ours,
            (false, true) => Kernel::Over,
            (false, false) => Kernel::Another,
        }
    }

    pub(super) fn judge(&mut self, state: State, d: &Deployment) -> Result<Verdict> {
        let kernel = self.kernel(&d.place.boot);
        let here = process::here();
        let same_numbers = kernel == Kernel::Ours && d.place.pid_ns == here.pid_ns;
        let presence_after = |p: &Process, bound: Duration| {
            if !same_numbers {
                return Presence::Unknown;
            }
            // In another time namespace start times are shifted, and only the number can be compared.
            let start = if d.place.time_ns == here.time_ns { p.start } else { 0 };
            let process = Process { pid: p.pid, start };
            match self.own.sees_end_of(&process, bound) {
                Some(true) => Presence::Gone,
                Some(false) => process::presence(&process),
                None => process::presence_after(&process, bound),
            }
        };
        let presence = |p: &Process| presence_after(p, Duration::ZERO);
        let attached = matches!(state, State::Attached | State::Waiting);
        let locked = attached && self.record_locked(state, &Files::stem_of(d))?;
        let lock_visible = [0, self.top.device].contains(&d.place.device);
        let command = match &d.command {
            _ if state == State::Waiting => Presence::Gone,
            Command::None => Presence::Gone,
            Command::Running(p) if attached && lock_visible && !locked => presence_after(p, DYING),
            Command::Running(p) => presence(p),
            Command::Starting if !same_numbers || locked => Presence::Unknown,
            Command::Starting => process::any_carries(&d.id, d.process.start),
        };
        let parent_ended = match &d.parent {
            Some(parent) if state == State::Detached => self.standing(parent)? != Standing::Holds,
            _ => false,
        };
        // What is held without a process is not judged by the one that once asked for it; and whose lock is free has none.
        let asked = attached && (locked || !lock_visible);
        let process = if asked { presence(&d.process) } else { Presence::Unknown };
        let alone = locked && process == Presence::Gone && command == Presence::Gone;
        let evidence = Evidence {
            locked,
            lock_visible,
            kernel,
            same_numbers,
            process,
            command,
            owner: d.owner_process.as_ref().map_or(Presence::Unknown, presence),
            expired: d.expires.is_some_and(|e| self.has_passed(&e, &d.place.boot)),
            parent_ended,
            descendant: alone.then(|| self.descendant(state, d)).flatten(),
        };
        Ok(liveness::judge(state, d, &evidence))
    }

    fn descendant(&self, state: State, d: &Deployment) -> Option<u32> {
        let name = Files::file_name(&Files::stem_of(d), state);
        process::with_open(&self.top.show(Folder::Deployments(state), &name))
    }

    fn has_passed(&self, expiry: &Expiry, boot: &str) -> bool {
        if boot == process::here().boot { self.now.boot >= expiry.boot } else { self.now.wall >= expiry.wall }
    }

    /// What a file name and an advisory lock alone can tell.
    pub(super) fn judge_unreadable(&mut self, u: &Unreadable) -> Result<Verdict> {
        let unknown = || Verdict::Unknown(format!("its record cannot be read: {}", u.why));
        let attached = matches!(u.state, State::Attached | State::Waiting);
        let name = std::path::Path::new(&u.path).file_name().and_then(|n| n.to_str());
        let Some(stem) = name.and_then(Stem::parse).filter(|_| attached) else {
            return Ok(unknown());
        };
        if self.record_locked(u.state, &stem)? {
            return Ok(Verdict::Alive(Some(format!("though its record cannot be read: {}", u.why))));
        }
        let kernel = self.kernel_if(stem.boot == boot_tag() && !stem.boot.is_empty());
        Ok(match (kernel, u.state, stem.on_crash) {
            _ if stem.boot.is_empty() => unknown(),
            // What a crash keeps is made durable before it holds: as long as it waits, it is promised nothing.
            (Kernel::Over, _, Keep::Release) | (Kernel::Over, State::Waiting, _) => {
                Verdict::Dead("its machine was restarted before its record was written".to_owned())
            }
            // It never got as far as to hold anything. Elsewhere than here its lock might be out of sight.
            (Kernel::Ours, State::Waiting, _) if self.top.local => {
                Verdict::Dead("its process ended before its record was written".to_owned())
            }
            _ => unknown(),
        })
    }
}

/// A shared try through a descriptor of our own: two that look at once do not take each other for the owner.
pub(super) fn is_locked(opened: &Opened) -> Result<bool> {
    match fs2::FileExt::try_lock_shared(&opened.file) {
        Ok(()) => {
            let _ = fs2::FileExt::unlock(&opened.file);
            Ok(false)
        }
        // Interrupted or refused: not proved to be free.
        Err(_) => Ok(true),
    }
}
